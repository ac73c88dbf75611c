"""Score encodings: how the classes of a learner and the columns of its scores correspond.

`binary`        one score; positive means class 1
`one-vs-rest`   K scores; the largest wins
`one-vs-one`    K (K - 1) / 2 scores for the pairs (0, 1), (0, 2), ..., positive for the first; most votes win
`softmax`       K scores; the largest wins, and their softmax is the probability
"""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

ScoreEncoding = Literal["binary", "one-vs-rest", "one-vs-one", "softmax"]


def encode(y: Int[np.ndarray, " n"], n_classes: int, encoding: ScoreEncoding) -> Float[np.ndarray, "n columns"]:
    """Return what each score column should say of each row: +1, -1, or 0 where a pair of classes is not concerned.

    Parameters
    ----------
    y : int array of shape (n,)
        Class indices in [0, n_classes).
    n_classes : int
        Number of classes, 2 with the binary encoding.
    encoding : ScoreEncoding
        The learner's encoding.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.score_encodings import encode
    >>> encode(np.array([0, 1]), 2, "binary").ravel()
    array([-1.,  1.])
    >>> encode(np.array([2]), 3, "one-vs-one")
    array([[ 0., -1., -1.]])
    """
    if encoding == "binary":
        return np.where(y == 1, 1.0, -1.0)[:, np.newaxis]
    if encoding == "one-vs-one":
        first, second = np.array(list(combinations(range(n_classes), 2))).T
        return (y[:, np.newaxis] == first) * 1.0 - (y[:, np.newaxis] == second)
    return np.where(y[:, np.newaxis] == np.arange(n_classes), 1.0, -1.0)


def decode(
    scores: Float[np.ndarray, "*batch columns"], n_classes: int, encoding: ScoreEncoding
) -> Int[np.ndarray, "*batch"]:
    """Return the predicted class indices; ties go where scikit-learn sends them.

    One exception: a binary score of exactly 0 is class 0, as for its linear models, while its SVC takes class 1.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.score_encodings import decode
    >>> decode(np.array([[-0.3], [0.2]]), 2, "binary")
    array([0, 1])
    """
    if encoding == "binary":
        return (scores[..., 0] > 0).astype(np.intp)
    if encoding == "one-vs-one":
        first, second = np.array(list(combinations(range(n_classes), 2))).T
        wins = scores > 0
        votes = np.stack(
            [(wins & (first == k)).sum(-1) + (~wins & (second == k)).sum(-1) for k in range(n_classes)], axis=-1
        )
        return np.argmax(votes, axis=-1)
    return np.argmax(scores, axis=-1)
