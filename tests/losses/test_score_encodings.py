"""Score columns and classes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsOneClassifier
from sklearn.svm import SVC, LinearSVC

from backdoor_curves.losses import score_encodings
from backdoor_curves.losses.score_encodings import class_scores, decode, encode


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def clouds(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes, and labels in no order."""
    y = rng().permutation(np.arange(120) % n_classes)
    return rng(1).normal(size=(120, 3)) + np.eye(4, 3)[y], y


MANY = ("one-vs-rest", "one-vs-one", "one-vs-one of classifiers", "softmax")
POINTS = rng(2).normal(scale=1.5, size=(5000, 3))


def columns(estimator, X: np.ndarray) -> np.ndarray:
    return estimator.decision_function(X).reshape(len(X), -1)


def votes_are_cyclic(scores: np.ndarray) -> np.ndarray:
    """Whether three classes have one vote each: 0 beats 1, 1 beats 2, 2 beats 0, or the other way round."""
    first, last, between = scores.T > 0
    return (first == between) & (first != last)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize(
    ("estimator", "many"),
    [
        (SVC(decision_function_shape="ovo"), "one-vs-one"),
        (SVC(kernel="linear", decision_function_shape="ovo"), "one-vs-one"),
        (RidgeClassifier(), "one-vs-rest"),
        (LinearSVC(), "one-vs-rest"),
        (LogisticRegression(), "softmax"),
    ],
    ids=["SVC rbf", "SVC linear", "RidgeClassifier", "LinearSVC", "LogisticRegression"],
)
def test_decode_is_the_learners_own_predict(estimator, many, n_classes):
    """Accuracies are the learner's only if its decision function is read as it reads it itself."""
    estimator.fit(*clouds(n_classes))
    scores = columns(estimator, POINTS)
    assert np.array_equal(decode(scores, n_classes, "binary" if n_classes == 2 else many), estimator.predict(POINTS))


def machine_with_cyclic_votes() -> tuple[SVC, np.ndarray, np.ndarray]:
    """An overfitted SVC of three classes, points and their scores, some with one vote for each class."""
    X, y = clouds(3)
    machine = SVC(C=100, gamma=3, decision_function_shape="ovo").fit(X, y)
    return machine, POINTS, columns(machine, POINTS)


def test_equal_votes_go_where_libsvm_sends_them():
    """libsvm takes the first class with the most votes, whatever the size of the scores."""
    machine, points, scores = machine_with_cyclic_votes()
    tied = votes_are_cyclic(scores)
    assert tied.sum() > 10
    assert np.array_equal(decode(scores[tied], 3, "one-vs-one"), machine.predict(points[tied]))


def test_a_pair_that_is_undecided_votes_for_its_second_class():
    """Between points at -2, 2 and 6 the three machines are exactly 0 at 0, 2 and 4, and libsvm asks for > 0."""
    machine = SVC(kernel="linear", C=10, decision_function_shape="ovo").fit([[-2.0], [2.0], [6.0]], [0, 1, 2])
    points = np.array([[0.0], [2.0], [4.0]])
    scores = columns(machine, points)
    assert (scores == 0).any(axis=1).all()
    assert np.array_equal(decode(scores, 3, "one-vs-one"), machine.predict(points))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "estimator", [RidgeClassifier(), LogisticRegression(), LinearSVC()], ids=lambda e: type(e).__name__
)
def test_ties_of_linear_models_go_where_scikit_learn_sends_them(estimator, n_classes):
    """With small whole numbers for weights and points many scores are equal, or 0, exactly."""
    estimator.fit(*clouds(n_classes))
    estimator.coef_ = np.round(estimator.coef_ / np.abs(estimator.coef_).max())
    estimator.intercept_ = np.zeros_like(estimator.intercept_)
    points = rng().integers(-1, 2, size=(500, 3)).astype(float)
    scores = columns(estimator, points)
    top_two = np.sort(np.hstack([scores, np.zeros((500, 1 if n_classes == 2 else 0))]))[:, -2:]
    assert (top_two[:, 0] == top_two[:, 1]).sum() > 10
    assert np.array_equal(
        decode(scores, n_classes, "binary" if n_classes == 2 else "softmax"), estimator.predict(points)
    )


def pairs_of_classifiers(model: OneVsOneClassifier, X: np.ndarray) -> np.ndarray:
    return np.column_stack([part.decision_function(X) for part in model.estimators_])


def test_pairs_of_classifiers_predict_as_scikit_learn_has_them():
    """Its sum of confidences decides among classes with as many votes; a pair of 0 is one for its first class."""
    model = OneVsOneClassifier(LogisticRegression(C=100.0)).fit(*clouds(4))
    for part in model.estimators_:  # whole numbers, so that many scores are 0 and many sums are equal
        part.coef_ = np.round(part.coef_ / np.abs(part.coef_).max())
        part.intercept_ = np.zeros_like(part.intercept_)
    points = np.vstack([rng().integers(-1, 2, size=(500, 3)), np.zeros((1, 3))]).astype(float)
    scores = pairs_of_classifiers(model, points)
    assert (scores == 0.0).any(axis=1).sum() > 10
    assert np.array_equal(decode(scores, 4, "one-vs-one of classifiers"), model.predict(points))
    np.testing.assert_allclose(
        class_scores(scores, "one-vs-one of classifiers"), model.decision_function(points), rtol=1e-12
    )
    # The other rule for a score of 0, that of SVC, would not do.
    assert not np.array_equal(decode(-scores, 4, "one-vs-one, ties broken"), model.predict(points))


@pytest.mark.parametrize("encoding", ["one-vs-rest", "one-vs-one", "softmax"])
def test_decode_takes_leading_axes(encoding):
    """One axis for each beta: the answer is that of each beta alone."""
    scores = rng().normal(size=(5, 40, 6 if encoding == "one-vs-one" else 4))
    assert np.array_equal(decode(scores, 4, encoding), [decode(at_beta, 4, encoding) for at_beta in scores])


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_encode_says_what_each_pair_should_say(n_classes):
    """By its definition, entry by entry: + for the first class of the pair, - for the second, 0 for the others."""
    y = rng().integers(n_classes, size=30)
    pairs = list(combinations(range(n_classes), 2))
    expected = [[1 if label == i else -1 if label == j else 0 for i, j in pairs] for label in y]
    assert encode(y, n_classes, "one-vs-one").tolist() == expected


@pytest.mark.parametrize(
    ("encoding", "n_classes"),
    [("binary", 2), *((encoding, k) for encoding in MANY for k in (2, 3, 6))],
)
def test_decode_undoes_encode(encoding, n_classes):
    """Scores that say exactly what they should are read as the class that they are of."""
    y = rng().integers(n_classes, size=50)
    assert np.array_equal(decode(encode(y, n_classes, encoding), n_classes, encoding), y)


# The checks above would notice a wrong rule.


@pytest.mark.parametrize(
    "rule",
    [
        lambda scores: decode(-scores, 3, "one-vs-one"),
        lambda scores: np.argmax(scores @ [[1, -1, 0], [1, 0, -1], [0, 1, -1]], axis=-1),
        lambda scores: 2 - decode(-scores[:, ::-1], 3, "one-vs-one"),
    ],
    ids=["votes for the loser", "sums of scores in place of votes", "the last of the tied classes"],
)
def test_predict_notices_votes_counted_wrongly(rule):
    """Each is a rule that some implementation has: pairs turned round, confidences summed, ties broken from the end."""
    machine, points, scores = machine_with_cyclic_votes()
    assert not np.array_equal(rule(scores), machine.predict(points))


def test_decode_undoes_encode_notices_pairs_in_another_order(monkeypatch):
    """The pairs (0, 1), (0, 2), (1, 2) read as (1, 2), (0, 2), (0, 1)."""
    y = np.array([0, 1, 2])
    right = encode(y, 3, "one-vs-one")
    monkeypatch.setattr(score_encodings, "combinations", lambda *arguments: list(combinations(*arguments))[::-1])
    assert not np.array_equal(decode(right, 3, "one-vs-one"), y)
