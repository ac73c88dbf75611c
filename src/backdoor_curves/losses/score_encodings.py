"""Score encodings: how the classes of a learner and the columns of its scores correspond.

`binary`        one score; positive means class 1
`one-vs-rest`   K scores; the largest wins
`one-vs-one`    K (K - 1) / 2 scores for the pairs (0, 1), (0, 2), ..., positive for the first; most votes win, and of
                several classes with as many the first, or with "ties broken" that of the largest sum of its scores
`one-vs-one of classifiers`
                the same with ties broken, of classifiers of two classes: positive for the second of a pair, as theirs
                are, and a score of 0 is a vote for its first
`softmax`       K scores; the largest wins, and their softmax is the probability
"""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

ScoreEncoding = Literal[
    "binary", "one-vs-rest", "one-vs-one", "one-vs-one, ties broken", "one-vs-one of classifiers", "softmax"
]

EQUAL = 1e-11
"""Scores of a row that differ by no more than this share of its largest are equal: rounding leaves 1e-12 of them."""


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
    if is_in_pairs(encoding):
        above, below = pairs(n_classes, encoding)
        return (y[:, np.newaxis] == above) * 1.0 - (y[:, np.newaxis] == below)
    return np.where(y[:, np.newaxis] == np.arange(n_classes), 1.0, -1.0)


def is_in_pairs(encoding: ScoreEncoding) -> bool:
    """Return whether each pair of classes has a score of its own."""
    return encoding in ("one-vs-one", "one-vs-one, ties broken", "one-vs-one of classifiers")


def pairs(n_classes: int, encoding: ScoreEncoding) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
    """Return the class of each pair that a score above 0 speaks for, and the other, in the order of the columns.

    Examples
    --------
    >>> from backdoor_curves.losses.score_encodings import pairs
    >>> pairs(3, "one-vs-one")
    (array([0, 0, 1]), array([1, 2, 2]))
    """
    first, second = np.array(list(combinations(range(n_classes), 2))).T
    return (second, first) if encoding == "one-vs-one of classifiers" else (first, second)


def decode(
    scores: Float[np.ndarray, "*batch columns"], n_classes: int, encoding: ScoreEncoding
) -> Int[np.ndarray, "*batch"]:
    """Return the predicted class indices; ties go where scikit-learn sends them, scores but for rounding equal too.

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
        return first_of_largest(votes(scores, n_classes, encoding))
    return first_of_largest(class_scores(scores, encoding))


def first_of_largest(scores: Float[np.ndarray, "*batch classes"]) -> Int[np.ndarray, "*batch"]:
    """Return the first class whose score is the largest but for rounding.

    Where classes overlap much all scores of a hinge against the rest are exactly -1, and rounding would choose.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.score_encodings import first_of_largest
    >>> first_of_largest(np.array([[-1.0, -1.0 + 1e-15, -2.0], [0.0, 0.5, 0.5]]))
    array([0, 1])
    """
    size = np.abs(scores).max(axis=-1, keepdims=True)
    return (scores >= scores.max(axis=-1, keepdims=True) - EQUAL * size).argmax(axis=-1)


def votes(
    scores: Float[np.ndarray, "*batch pairs"], n_classes: int, encoding: ScoreEncoding
) -> Float[np.ndarray, "*batch classes"]:
    """Return how many pairs each class wins: a score above 0 is a vote for one of the pair, any other for the other.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.score_encodings import votes
    >>> votes(np.array([0.3, -0.1, 0.0]), 3, "one-vs-one")
    array([1., 0., 2.])
    >>> votes(np.array([0.3, -0.1, 0.0]), 3, "one-vs-one of classifiers")
    array([1., 2., 0.])
    """
    above, below = encode_pairs(n_classes, encoding)
    return (scores > 0.0) @ (above - below) + below.sum(axis=0)


def encode_pairs(
    n_classes: int, encoding: ScoreEncoding
) -> tuple[Float[np.ndarray, "pairs classes"], Float[np.ndarray, "pairs classes"]]:
    """Return which class of each pair a score above 0 speaks for, and which is the other, as 1 or 0; see `pairs`."""
    return tuple(np.eye(n_classes)[classes] for classes in pairs(n_classes, encoding))


def class_scores(scores: Float[np.ndarray, "*batch columns"], encoding: ScoreEncoding) -> Float[np.ndarray, "*batch k"]:
    """Return a score for each class: what scikit-learn's decision functions are.

    Of two classes 0 and the score. Of pairs the votes of a class, and below a third of one what the sum s of its scores
    comes to, s / (3 (|s| + 1)): so scikit-learn makes scores of K classes of the scores of pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.score_encodings import class_scores
    >>> class_scores(np.array([0.2]), "binary")
    array([0. , 0.2])
    >>> class_scores(np.array([1.0, -1.0, 1.0]), "one-vs-one").round(3)
    array([1., 1., 1.])
    """
    if encoding == "binary":
        return np.concatenate([np.zeros_like(scores), scores], axis=-1)
    if not is_in_pairs(encoding):
        return scores
    n_classes = round((1.0 + np.sqrt(1.0 + 8.0 * scores.shape[-1])) / 2.0)
    total = scores @ np.subtract(*encode_pairs(n_classes, encoding))
    return votes(scores, n_classes, encoding) + total / (3.0 * (np.abs(total) + 1.0))


def margins(
    scores: Float[np.ndarray, "*batch n columns"], y: Int[np.ndarray, " n"], encoding: ScoreEncoding
) -> Float[np.ndarray, "*batch n"]:
    """Return the score of each row's class less the best of the others: positive where it is predicted.

    Of predictions by votes alone one of a tie is predicted whatever its sum of scores: there it may be either.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.score_encodings import margins
    >>> margins(np.array([[0.5, 2.0, -1.0]]), np.array([0]), "one-vs-rest")
    array([-1.5])
    """
    of_classes = class_scores(scores, encoding)
    own = y[:, np.newaxis] == np.arange(of_classes.shape[-1])
    return of_classes[..., np.arange(len(y)), y] - np.where(own, -np.inf, of_classes).max(axis=-1)
