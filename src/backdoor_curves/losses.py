"""The learners' own losses, of one row: functions of its scores and of what they should be.

With y in {-1, +1} and the score s, the margin is y s:

    logistic         log(1 + exp(-y s))        natural logarithm
    hinge            max(0, 1 - y s)
    squared hinge    max(0, 1 - y s)^2
    squared          (1 - y s)^2 = (y - s)^2

With K > 2 classes a row's loss is the sum over the score columns that concern it (see `codes`): over the K one-versus-
rest problems for ridge and LinearSVC, over the K - 1 pairs with the row's class for SVC. That is the loss that these
learners minimise. With the softmax code the logistic loss is -log of the probability of the row's class.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logsumexp, softmax

from backdoor_curves.codes import Code

Loss = Literal["logistic", "hinge", "squared hinge", "squared"]


def of_margin(loss: Loss, margin: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the loss at margins y s, elementwise.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses import of_margin
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
    loss: Loss, code: Code, scores: Float[np.ndarray, "*batch n columns"], targets: Float[np.ndarray, "n columns"]
) -> Float[np.ndarray, "*batch n"]:
    """Return the loss of each row.

    Parameters
    ----------
    loss, code : Loss, Code
        The learner's.
    scores : array of shape (..., n, columns)
        Its scores.
    targets : array of shape (n, columns)
        `codes.encode` of the rows' labels: +1, -1, or 0 for a pair that does not concern the row.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses import row_losses
    >>> row_losses("squared", "binary", np.array([[0.5], [-1.0]]), np.array([[1.0], [1.0]]))
    array([0.25, 4.  ])
    """
    if code == "softmax":
        own = np.where(targets > 0, scores, 0.0).sum(-1)
        return logsumexp(scores, axis=-1) - own
    losses = of_margin(loss, targets * scores)
    if code == "one-vs-one":
        losses *= np.abs(targets)  # 0 where a pair does not concern the row
    return losses.sum(-1)


def slope_of_margin(loss: Loss, margin: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the derivative of the loss at margins y s, elementwise; of the hinge at 1 that of the right, 0.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses import slope_of_margin
    >>> slope_of_margin("squared hinge", np.array([-1.0, 0.5, 2.0]))
    array([-4., -1.,  0.])
    """
    if loss == "logistic":
        return -expit(-margin)
    if loss == "hinge":
        return np.where(margin < 1.0, -1.0, 0.0)
    beyond = margin - 1.0
    return 2.0 * (np.minimum(beyond, 0.0) if loss == "squared hinge" else beyond)


def row_rates(
    loss: Loss,
    code: Code,
    scores: Float[np.ndarray, "*batch n columns"],
    rates: Float[np.ndarray, "*batch n columns"],
    targets: Float[np.ndarray, "n columns"],
    tie: float = 0.0,
) -> Float[np.ndarray, "*batch n"]:
    """Return the rate at which the loss of each row moves if its scores move at `rates`.

    Parameters
    ----------
    loss, code, scores, targets
        As in `row_losses`.
    rates : array of shape (..., n, columns)
        The rates of the scores.
    tie : float
        A margin within `tie` of 1 is at the hinge's corner, where the side that it moves to decides.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses import row_rates
    >>> s, ds = np.array([[1.0], [1.0], [0.0]]), np.array([[2.0], [-2.0], [2.0]])
    >>> row_rates("hinge", "binary", s, ds, np.ones((3, 1)))
    array([ 0.,  2., -2.])
    """
    if code == "softmax":
        own = np.where(targets > 0, rates, 0.0).sum(-1)
        return (softmax(scores, axis=-1) * rates).sum(-1) - own
    margin, rate = targets * scores, targets * rates
    if loss == "hinge":
        corner = np.abs(margin - 1.0) <= tie
        margin = np.where(corner, np.where(rate < 0.0, 0.0, 2.0), margin)
    return (slope_of_margin(loss, margin) * rate).sum(-1)
