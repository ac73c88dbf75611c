"""The attack that a certificate is laid beside: so many copies of the test row itself, with another label."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples, as_samples
from backdoor_curves.learners.follow import follow
from backdoor_curves.learners.reading import read_learner
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.score_encodings import class_scores, decode
from backdoor_curves.rows import Rows


def copies_needed(
    estimator: Any, train: Samples | tuple[Rows, Any], test: Samples | tuple[Rows, Any], *, limit: int = 100
) -> Int[np.ndarray, " t"]:
    """Return how few appended copies of each test row, with the label of the next best class, turn its prediction.

    An attack that knows the row, and the best one of all where nothing else is in its way: the radius of a certificate
    is below what it needs, and what lies between is not known. One path for each row: m copies are one copy whose
    weight is followed up to m.

    Parameters
    ----------
    estimator : scikit-learn classifier
        One with an exact path.
    train, test : Samples or pairs (X, y)
    limit : int
        The most copies that are tried.

    Returns
    -------
    int array of shape (t,)
        `limit + 1` where none of these turns it.

    Raises
    ------
    TypeError, ValueError
        If the estimator has no exact path.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import LinearSVC
    >>> train = np.array([[-1.0], [-1.0], [1.0], [1.0]]), [0, 0, 1, 1]
    >>> test = [[-1.0], [0.2]], [0, 1]
    >>> machine = LinearSVC(C=0.1, loss="hinge")
    >>> bc.copies_needed(machine, train, test), bc.certified_radius(machine, train, test)
    (array([3, 1]), array([1, 0]))
    """
    if not isinstance(limit, int | np.integer) or isinstance(limit, bool) or limit < 1:
        raise ValueError(f"limit: a number of copies >= 1 was expected, {limit!r} came")
    rows, asked, shared = as_samples(train, "train"), as_samples(test, "test"), Shared()
    places = [np.array([t]) for t in range(len(asked))]
    rivals = _next_best(estimator, rows, asked, shared)
    needed = [_turned_at(estimator, rows, asked.take(place), rivals[place], limit, shared) for place in places]
    return np.array(needed)


def _next_best(estimator: Any, train: Samples, test: Samples, shared: Shared) -> np.ndarray:
    """Return the label of the class that comes second for each test row."""
    learner = read_learner(estimator, _with_copies(train, test, train.take(np.zeros(1, dtype=np.intp))), "clean")
    K = len(learner.classes)
    X = learner.test_rows(test, "test").X
    scores = follow(learner, "exact", shared=shared).scores(X, np.zeros(1))[0].reshape(len(test), -1)
    if K == 2:
        return learner.classes[1 - decode(scores, K, learner.encoding)]
    by_class = class_scores(scores, learner.encoding)
    by_class[np.arange(len(test)), decode(scores, K, learner.encoding)] = -np.inf
    return learner.classes[by_class.argmax(axis=1)]


def _turned_at(estimator: Any, train: Samples, row: Samples, label: np.ndarray, limit: int, shared: Shared) -> int:
    """Return how few copies of one row with a label turn its prediction."""
    copies = Samples(row.X, label, np.full(1, float(limit)))
    learner = read_learner(estimator, _with_copies(train, row, copies), "clean")
    X = learner.test_rows(row, "test").X
    scores = follow(learner, "exact", shared=shared).scores(X, np.arange(limit + 1) / limit)
    predicted = decode(scores.reshape(limit + 1, -1), len(learner.classes), learner.encoding)
    turned = np.flatnonzero(predicted != predicted[0])
    return int(turned[0]) if turned.size else limit + 1


def _with_copies(train: Samples, test: Samples, copies: Samples) -> PoisonedData:
    return PoisonedData(clean_train=train, poison_train=copies, clean_test=test, triggered_test=test)
