"""Linear learners on many rows: the same curves as of few, and no copy of the rows on the way in."""

import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier

import backdoor_curves as bc
from backdoor_curves.paths.linalg import row_parts

BETAS = np.array([0.0, 0.2, 1.0])


def rows(n, d, classes=2, dtype=float):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(dtype)
    return X, (X[:, :classes] + rng.standard_normal((n, classes))).argmax(axis=1)


def poisoned(X, y, injection="append"):
    trigger, rng = bc.FeatureTrigger((0, 1), (3.0, 3.0)), np.random.default_rng(1)
    return bc.poison((X, y), (X[:200], y[:200]), trigger=trigger, rate=0.1, injection=injection, rng=rng)


@pytest.mark.parametrize(
    ("estimator", "classes"),
    [
        (LogisticRegression(C=0.5, class_weight="balanced"), 2),
        (LogisticRegression(C=0.5, solver="liblinear"), 2),
        (OneVsRestClassifier(LogisticRegression(C=0.5)), 3),
        (RidgeClassifier(class_weight="balanced"), 3),
    ],
    ids=["balanced", "liblinear", "one-vs-rest", "ridge"],
)
def test_curves_of_many_rows_are_those_of_few(estimator, classes, monkeypatch):
    """What is many is a matter of cost."""
    X, y = rows(400, 5, classes)
    curves = []
    for large in (2**40, 1):
        monkeypatch.setattr(row_parts, "LARGE", large)
        curves.append(bc.backdoor_learning_curve(estimator, poisoned(X, y, "replace"), tolerance=1e-8))
    few, many = curves
    np.testing.assert_allclose(many.path.scores(X, BETAS), few.path.scores(X, BETAS), atol=2e-8)
    np.testing.assert_allclose(many.slope(BETAS), few.slope(BETAS), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(many.influence(0.2).values, few.influence(0.2).values, atol=1e-8)


@pytest.mark.parametrize("estimator", [LogisticRegression(C=0.01, class_weight="balanced"), RidgeClassifier()], ids=str)
def test_rows_in_single_precision_are_never_copied(estimator):
    """The most memory beyond the rows is six tenths of them, labels and blocks; a copy in double would be twice."""
    X, y = rows(40_000, 160, dtype=np.float32)
    data = poisoned(X, y)
    tracemalloc.start()
    try:
        curve = bc.backdoor_learning_curve(estimator, data, betas=BETAS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert curve.certificate(BETAS).score_bound.max() < 1e-6
    assert peak < 0.6 * X.nbytes
