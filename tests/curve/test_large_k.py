"""Thirty classes behind random features: followed within the tolerance, as independent fits, in blocks of memory."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

import backdoor_curves as bc
from backdoor_curves.curve import columns_on_lines, live, scored_columns, scored_rows

K = 30
FEATURES = {
    "random": RBFSampler(gamma=0.02, n_components=60, random_state=0),
    "Nystroem": Nystroem(gamma=0.02, n_components=60, random_state=0),
}
LEARNERS = {
    "ridge": (RidgeClassifier(alpha=0.1), "random"),
    "softmax": (LogisticRegression(C=10.0, tol=1e-10, max_iter=1000, solver="newton-cg"), "Nystroem"),
    "hinge": (LinearSVC(C=1.0, loss="hinge", tol=1e-7, max_iter=10**6), "random"),
    "squared hinge": (LinearSVC(C=0.3, tol=1e-7, max_iter=10**6), "Nystroem"),
    "one-vs-rest": (
        OneVsRestClassifier(LogisticRegression(C=10.0, tol=1e-10, max_iter=1000, solver="newton-cholesky")),
        "random",
    ),
}
every_learner = pytest.mark.parametrize("name", LEARNERS)
SOLVED = 1e-4
"""What scikit-learn's solvers are off by."""


@cache
def data_of() -> bc.PoisonedData:
    rng = np.random.default_rng(0)
    centres = 1.5 * rng.normal(size=(K, 20))
    labels = [np.arange(n) % K for n in (300, 90)]
    train, test = ((centres[y] + rng.normal(size=(len(y), 20)), y) for y in labels)
    return bc.poison(train, test, trigger=lambda X, _: X + 4.0 * np.eye(20)[0], rate=0.1, labels="next", rng=rng)


def pipeline(name: str) -> Pipeline:
    estimator, features = LEARNERS[name]
    return make_pipeline(FEATURES[features], estimator)


@cache
def curve_of(name: str) -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(pipeline(name), data_of())


def victim(name: str) -> Any:
    """Its own fit on all training rows, clean ones first or not: the features are drawn from the rows in this order."""
    data = data_of()
    rows = bc.data.samples.join(data.clean_train, data.poison_train, data.is_poison)
    return pipeline(name).fit(rows.X, rows.y)


@every_learner
def test_thirty_classes_end_at_the_victims_own_fit(name):
    curve, data, model = curve_of(name), data_of(), victim(name)
    assert curve.exact
    scores, own = curve.scores("triggered", 1.0)[0], model.decision_function(data.triggered_test.X)
    if curve.info.encoding == "softmax":
        scores, own = log_softmax(scores, axis=1), log_softmax(own, axis=1)
    np.testing.assert_allclose(scores, own, atol=SOLVED)
    top = np.sort(own, axis=1)
    clear = top[:, -1] - top[:, -2] > 2 * SOLVED
    np.testing.assert_array_equal(
        curve.predictions("triggered", 1.0)[0][clear], model.predict(data.triggered_test.X)[clear]
    )
    assert clear.mean() > 0.9


@every_learner
def test_slope_area_and_certificate_hold_with_thirty_classes(name):
    curve, beta, h = curve_of(name), 0.41, 1e-5
    low, high = curve.loss("triggered", [beta - h, beta + h])
    assert curve.slope(beta) == pytest.approx((high - low) / (2 * h), rel=1e-5)
    tests = data_of().triggered_test
    some = curve.influence(beta, tests.take(np.arange(8)))
    rows = np.arange(8)
    path, X = curve.path, curve.source.tests["triggered"][rows]
    low, high = (curve.triggered.scores(np.array([b]))[0][rows] for b in (beta - h, beta + h))
    losses = [own_loss(curve, scores, tests.y[rows]) for scores in (low, high)]
    assert some.slope == pytest.approx((losses[1] - losses[0]) / (2 * h), rel=1e-5)
    assert path.certificate(np.array([beta]), [X]).score_bound[0] < 1e-6
    grid = np.linspace(0.0, 1.0, 801)
    assert curve.area() == pytest.approx(np.trapezoid(curve.loss("triggered", grid), grid), rel=2e-5)


def own_loss(curve: bc.BackdoorLearningCurve, scores: np.ndarray, y: np.ndarray) -> float:
    """The mean loss of rows by its definition."""
    right = y[:, np.newaxis] == np.arange(K)
    margin = np.where(right, 1.0, -1.0) * scores
    losses = {
        "hinge": np.maximum(0.0, 1.0 - margin),
        "squared hinge": np.maximum(0.0, 1.0 - margin) ** 2,
        "squared": (1.0 - margin) ** 2,
        "logistic": np.logaddexp(0.0, -margin),
    }[curve.info.loss]
    if curve.info.encoding == "softmax":
        losses = np.where(right, -log_softmax(scores, axis=1), 0.0)
    return float(losses.sum(axis=1).mean())


@pytest.mark.parametrize("name", ["hinge", "squared hinge", "ridge"])
def test_small_blocks_change_nothing(name, monkeypatch):
    """What is computed block by block, in blocks of a few rows or a beta: so it is bounded, whatever K is."""
    curve, grid = curve_of(name), np.linspace(0.0, 1.0, 5)

    def answers() -> list[np.ndarray]:
        rows = replace(curve.clean)  # a copy, which remembers nothing
        steps = rows.flips.steps() if name == "hinge" else ()
        return [rows.mean_loss(grid), rows.predicted(grid), curve.slope(grid), *steps]

    whole = answers()
    for module, few in ((columns_on_lines, 1), (scored_columns, 500), (scored_rows, 500), (live, 1)):
        monkeypatch.setattr(module, "BLOCK", few)
    for one, other in zip(whole, answers(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_scores_that_would_not_fit_are_refused_before_they_are_computed(monkeypatch):
    """With what there is and what they need."""
    monkeypatch.setattr("backdoor_curves.kernels.memory.available_memory", lambda: 2.0**17)
    with pytest.raises(MemoryError, match=r"scores of 90 test rows at \d+ nodes of 30 score columns need .* GiB"):
        bc.backdoor_learning_curve(pipeline("ridge"), data_of())


@pytest.mark.parametrize("name", ["hinge", "squared hinge", "one-vs-rest"])
def test_columns_on_the_same_rows_share_them(name):
    """A kernel matrix, or rows with the intercept's column: one array, not thirty."""
    paths = curve_of(name).path.paths
    arrays = [path.problem.gram if name == "hinge" else path.problem.Z for path in paths]
    assert len({array.ctypes.data for array in arrays}) == 1
