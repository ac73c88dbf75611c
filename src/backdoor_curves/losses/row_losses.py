"""The learners' own losses, of one row: functions of its scores and of what they should be.

With y in {-1, +1} and the score s, the margin is y s:

    logistic         log(1 + exp(-y s))        natural logarithm
    hinge            max(0, 1 - y s)
    squared hinge    max(0, 1 - y s)^2
    squared          (1 - y s)^2 = (y - s)^2

With K > 2 classes a row's loss is the sum over the score columns that concern it (see `score_encodings`): over the K
one-versus-rest problems for ridge and LinearSVC, over the K - 1 pairs with the row's class for SVC. These learners
minimise that loss. With the softmax encoding the logistic loss is -log of the probability of the row's class.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logsumexp, softmax

from backdoor_curves.losses.score_encodings import EQUAL, ScoreEncoding, is_in_pairs

Loss = Literal["logistic", "hinge", "squared hinge", "squared"]
TIE = EQUAL
"""A margin this close to 1, times the largest score, is at the corner of the hinge."""


def of_margin(loss: Loss, margin: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the loss at margins y s, elementwise.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.row_losses import of_margin
    >>> of_margin("hinge", np.array([-1.0, 0.5, 2.0]))
    array([2. , 0.5, 0. ])
    """
    if loss == "logistic":
        return np.logaddexp(0.0, -margin)
    slack = 1.0 - margin
    if loss in ("hinge", "squared hinge"):
        np.maximum(slack, 0.0, out=slack)
    return slack if loss == "hinge" else np.square(slack, out=slack)


def row_losses(
    loss: Loss,
    encoding: ScoreEncoding,
    scores: Float[np.ndarray, "*batch n columns"],
    targets: Float[np.ndarray, "n columns"],
) -> Float[np.ndarray, "*batch n"]:
    """Return the loss of each row.

    Parameters
    ----------
    loss, encoding : Loss, ScoreEncoding
        The learner's.
    scores : array of shape (..., n, columns)
        Its scores.
    targets : array of shape (n, columns)
        `losses.score_encodings.encode` of the rows' labels: +1, -1, or 0 for a pair that does not concern the row.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.row_losses import row_losses
    >>> row_losses("squared", "binary", np.array([[0.5], [-1.0]]), np.array([[1.0], [1.0]]))
    array([0.25, 4.  ])
    """
    if encoding == "softmax":
        own = np.where(targets > 0, scores, 0.0).sum(-1)
        return logsumexp(scores, axis=-1) - own
    losses = of_margin(loss, targets * scores)
    if is_in_pairs(encoding):
        losses *= np.abs(targets)  # 0 where a pair does not concern the row
    return losses.sum(-1)


def slope_of_margin(loss: Loss, margin: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the derivative of the loss at margins y s, elementwise; of the hinge at 1 that of the right, 0.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.row_losses import slope_of_margin
    >>> slope_of_margin("squared hinge", np.array([-1.0, 0.5, 2.0]))
    array([-4., -1.,  0.])
    """
    if loss == "logistic":
        return -expit(-margin)
    if loss == "hinge":
        return np.where(margin < 1.0, -1.0, 0.0)
    beyond = margin - 1.0
    return 2.0 * (np.minimum(beyond, 0.0) if loss == "squared hinge" else beyond)


def corner_of(scores: Float[np.ndarray, "*shape"]) -> float:
    """Return how close to 1 a margin is at the hinge's corner: rounding leaves it off by some 1e-12 of the scores."""
    return TIE * max(1.0, float(np.abs(scores).max(initial=0.0)))


def score_gradients(
    loss: Loss,
    encoding: ScoreEncoding,
    scores: Float[np.ndarray, "*batch n columns"],
    rates: Float[np.ndarray, "*batch n columns"],
    targets: Float[np.ndarray, "n columns"],
    tie: float = 0.0,
) -> Float[np.ndarray, "*batch n columns"]:
    """Return the derivative of the loss of each row in its scores, on the side to which they move at `rates`.

    Parameters
    ----------
    loss, encoding, scores, targets
        As in `row_losses`.
    rates : array of shape (..., n, columns)
        The rates of the scores; they count at the corner of the hinge only.
    tie : float
        A margin within `tie` of 1 is at that corner, where the side that it moves to decides.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.row_losses import score_gradients
    >>> s, ds = np.array([[1.0], [1.0], [0.0]]), np.array([[2.0], [-2.0], [2.0]])
    >>> score_gradients("hinge", "binary", s, ds, np.ones((3, 1))).ravel()
    array([ 0., -1., -1.])
    """
    if encoding == "softmax":
        return softmax(scores, axis=-1) - (targets > 0)
    margin = targets * scores
    if loss == "hinge":
        corner = np.abs(margin - 1.0) <= tie
        margin = np.where(corner, np.where(targets * rates < 0.0, 0.0, 2.0), margin)
    return slope_of_margin(loss, margin) * targets


def row_rates(
    loss: Loss,
    encoding: ScoreEncoding,
    scores: Float[np.ndarray, "*batch n columns"],
    rates: Float[np.ndarray, "*batch n columns"],
    targets: Float[np.ndarray, "n columns"],
    tie: float = 0.0,
) -> Float[np.ndarray, "*batch n"]:
    """Return the rate at which the loss of each row moves if its scores move at `rates`; see `score_gradients`.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.row_losses import row_rates
    >>> s, ds = np.array([[1.0], [1.0], [0.0]]), np.array([[2.0], [-2.0], [2.0]])
    >>> row_rates("hinge", "binary", s, ds, np.ones((3, 1)))
    array([ 0.,  2., -2.])
    """
    return (score_gradients(loss, encoding, scores, rates, targets, tie) * rates).sum(-1)


def row_bends(
    loss: Loss,
    encoding: ScoreEncoding,
    scores: Float[np.ndarray, "*batch n columns"],
    rates: Float[np.ndarray, "*batch n columns"],
    targets: Float[np.ndarray, "n columns"],
) -> Float[np.ndarray, "*batch n"]:
    """Return the second derivative of the loss of each row along scores that move at `rates` and do not speed up.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.row_losses import row_bends
    >>> row_bends("squared", "binary", np.array([[0.5]]), np.array([[3.0]]), np.ones((1, 1)))
    array([18.])
    """
    if encoding == "softmax":
        p = softmax(scores, axis=-1)
        return (p * rates**2).sum(-1) - (p * rates).sum(-1) ** 2
    margin = targets * scores
    if loss == "logistic":
        bend = expit(margin) * expit(-margin)
    elif loss == "hinge":
        bend = np.zeros_like(margin)
    else:
        bend = np.where((margin < 1.0) | (loss == "squared"), 2.0, 0.0)
    return (bend * (targets * rates) ** 2).sum(-1)
