"""Losses, and that they are what the learners minimise."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import hinge_loss, log_loss
from sklearn.svm import SVC, LinearSVC

from backdoor_curves.losses.row_losses import (
    of_margin,
    row_bends,
    row_losses,
    row_rates,
    score_gradients,
    slope_of_margin,
)
from backdoor_curves.losses.score_encodings import encode

D = 3


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def clouds(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    y = rng().permutation(np.arange(60) % n_classes)
    return rng(1).normal(size=(60, D)) + np.eye(4, D)[y], y


def columns(estimator, X: np.ndarray) -> np.ndarray:
    return estimator.decision_function(X).reshape(len(X), -1)


def total(loss: str, encoding: str, scores: np.ndarray, y: np.ndarray, n_classes: int) -> float:
    return float(row_losses(loss, encoding, scores, encode(y, n_classes, encoding)).sum())


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        ("logistic", lambda m: np.log(1 + np.exp(-m))),
        ("hinge", lambda m: max(0, 1 - m)),
        ("squared hinge", lambda m: max(0, 1 - m) ** 2),
        ("squared", lambda m: (1 - m) ** 2),
    ],
)
def test_losses_are_their_formulas(loss, by_hand):
    """One margin at a time, the kink at 1 among them; a number alone has a loss too."""
    margins = np.array([-30.0, -1.5, 0.0, 0.5, 1.0, 1.5, 30.0])
    before = margins.copy()
    # Two roundings differ by a few units in the last place of 1, for log(1 + tiny) absolutely.
    np.testing.assert_allclose(of_margin(loss, margins), [by_hand(m) for m in margins], rtol=1e-14, atol=1e-15)
    assert np.array_equal(margins, before)
    assert of_margin(loss, np.array([0.5]))[0] == pytest.approx(by_hand(0.5), rel=1e-14)


def test_the_logistic_loss_neither_overflows_nor_vanishes():
    """At margin -1000 it is 1000 where exp overflows, and at 50 it is exp(-50) where log(1 + exp(-50)) rounds to 0."""
    assert of_margin("logistic", np.array([-1000.0, 50.0])) == pytest.approx([1000.0, np.exp(-50)], rel=1e-14)
    assert row_losses("logistic", "softmax", np.array([[0.0, 1000.0]]), np.array([[1.0, -1.0]])).tolist() == [1000.0]


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_logistic_loss_is_scikit_learns_log_loss(n_classes):
    """Minus the log of the probability of the row's class, in a natural logarithm."""
    X, y = clouds(n_classes)
    machine = LogisticRegression().fit(X, y)
    encoding = "binary" if n_classes == 2 else "softmax"
    assert total("logistic", encoding, columns(machine, X), y, n_classes) == pytest.approx(
        log_loss(y, machine.predict_proba(X), normalize=False), rel=1e-12
    )


def test_hinge_loss_is_scikit_learns_hinge_loss():
    """For two classes there is one hinge loss, and scikit-learn takes its mean."""
    X, y = clouds(2)
    machine = LinearSVC(loss="hinge", random_state=0, max_iter=100_000).fit(X, y)
    scores = columns(machine, X)
    assert total("hinge", "binary", scores, y, 2) / 60 == pytest.approx(hinge_loss(y, scores[:, 0]), rel=1e-12)


@pytest.mark.parametrize("n_classes", [3, 4])
def test_one_vs_one_hinge_is_the_sum_over_the_pairs_machines(n_classes):
    """Each pair's machine has its own hinge loss on the rows of its two classes and none on others."""
    X, y = clouds(n_classes)
    scores = columns(SVC(decision_function_shape="ovo").fit(X, y), X)
    of_pairs = [
        hinge_loss(y[mine] == i, scores[mine, column]) * mine.sum()
        for column, (i, j) in enumerate(combinations(range(n_classes), 2))
        for mine in [(y == i) | (y == j)]
    ]
    assert total("hinge", "one-vs-one", scores, y, n_classes) == pytest.approx(sum(of_pairs), rel=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_svc_minimises_the_sum_of_row_losses(n_classes):
    """Strong duality: ||w||^2 / 2 + C sum losses equals sum alpha - ||w||^2 / 2 at the optimum, and only there."""
    X, y = clouds(n_classes)
    C = 0.7
    machine = SVC(C=C, kernel="linear", decision_function_shape="ovo", tol=1e-9).fit(X, y)
    penalty = np.square(machine.coef_).sum() / 2
    encoding = "binary" if n_classes == 2 else "one-vs-one"
    primal = penalty + C * total("hinge", encoding, columns(machine, X), y, n_classes)
    # libsvm keeps the kernel in single precision (6e-8), whatever its tolerance.
    assert primal == pytest.approx(np.abs(machine.dual_coef_).sum() - penalty, rel=1e-6)


SMOOTH = {
    "ridge": (RidgeClassifier(alpha=3.0, tol=1e-10), "squared", "one-vs-rest", 6.0, False),
    "logistic": (LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000), "logistic", "softmax", 2.0, False),
    "squared hinge": (LinearSVC(C=0.5, tol=1e-10, max_iter=10_000), "squared hinge", "one-vs-rest", 2.0, True),
}


def minimiser(loss: str, encoding: str, lam: float, n_classes: int, penalised: bool) -> tuple[np.ndarray, np.ndarray]:
    """Weights and intercepts that minimise sum of losses + lam / 2 ||w||^2, found without the learner."""
    X, y = clouds(n_classes)
    n_columns = 1 if n_classes == 2 else n_classes

    def objective(flat: np.ndarray) -> float:
        w = flat.reshape(n_columns, D + 1)
        penalty = np.square(w if penalised else w[:, :D]).sum()
        return total(loss, encoding, X @ w[:, :D].T + w[:, D], y, n_classes) + lam / 2 * penalty

    w = minimize(objective, np.zeros(n_columns * (D + 1)), method="BFGS", options={"gtol": 1e-4}).x
    w = w.reshape(n_columns, D + 1)
    return w[:, :D], w[:, D]


def agreement(name: str, n_classes: int, loss: str | None = None) -> float:
    """Largest difference of scores on the training rows, between the learner and the minimiser of its objective."""
    estimator, own_loss, many, lam, penalised = SMOOTH[name]
    X, y = clouds(n_classes)
    encoding = "binary" if n_classes == 2 else many
    coef, intercept = minimiser(loss or own_loss, encoding, lam, n_classes, penalised)
    scores = X @ coef.T + intercept
    expected = columns(estimator.fit(X, y), X)
    if encoding == "softmax":  # intercepts are free up to a constant
        scores, expected = log_softmax(scores, axis=1), log_softmax(expected, axis=1)
    return float(np.abs(scores - expected).max())


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", SMOOTH)
def test_learners_minimise_the_sum_of_row_losses(name, n_classes):
    """A general minimiser of that sum and lambda / 2 ||w||^2 finds the learner's scores: 2 alpha and 1/C are lambda."""
    # BFGS with numerical gradients: gradient 1e-4 over curvature of at least lambda leaves about 1e-4.
    assert agreement(name, n_classes) < 1e-3


def test_minimising_another_loss_is_noticed():
    """The squared loss in place of LinearSVC's squared hinge moves scores by more than the check allows."""
    assert agreement("squared hinge", 2, loss="squared") > 0.01


@pytest.mark.parametrize("encoding", ["one-vs-rest", "one-vs-one", "softmax"])
@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared hinge", "squared"])
def test_row_losses_take_leading_axes(loss, encoding):
    """One axis for each beta: the answer is that of each beta alone, and the scores are left as they were."""
    targets = encode(rng().integers(4, size=20), 4, encoding)
    scores = rng().normal(size=(5, *targets.shape))
    before = scores.copy()
    assert np.array_equal(
        row_losses(loss, encoding, scores, targets), [row_losses(loss, encoding, s, targets) for s in scores]
    )
    assert np.array_equal(scores, before)


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared hinge", "squared"])
def test_slopes_are_the_differences_of_losses(loss):
    """Central differences, off the hinge's corner; h^2 = 1e-10 times a third derivative below 1."""
    margins = np.array([-30.0, -1.5, 0.0, 0.5, 0.99, 1.01, 1.5, 30.0])
    h = 1e-5
    expected = (of_margin(loss, margins + h) - of_margin(loss, margins - h)) / (2 * h)
    np.testing.assert_allclose(slope_of_margin(loss, margins), expected, rtol=1e-9, atol=1e-9)


def test_the_slope_of_the_logistic_loss_neither_overflows_nor_vanishes():
    """-1 / (1 + exp(m)) at margins where exp overflows and where 1 + exp does not see it."""
    assert slope_of_margin("logistic", np.array([-1000.0, 50.0])) == pytest.approx([-1.0, -np.exp(-50)], rel=1e-14)


@pytest.mark.parametrize("encoding", ["binary", "one-vs-rest", "one-vs-one", "softmax"])
@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared hinge", "squared"])
def test_rates_are_the_differences_of_row_losses(loss, encoding):
    """The loss a little later minus a little before, where the scores move at constant rates."""
    n_classes = 2 if encoding == "binary" else 4
    targets = encode(rng().integers(n_classes, size=20), n_classes, encoding)
    scores, rates = rng(1).normal(size=(5, *targets.shape)), rng(2).normal(size=(5, *targets.shape))
    h = 1e-5
    later, before = (row_losses(loss, encoding, scores + step * rates, targets) for step in (h, -h))
    found = row_rates(loss, encoding, scores, rates, targets)
    np.testing.assert_allclose(found, (later - before) / (2 * h), rtol=1e-8, atol=1e-9)


def test_at_the_corner_of_the_hinge_the_side_that_is_moved_to_decides():
    """A margin row computed to rounding stands on either side of 1."""
    off = np.array([0.0, 1e-12, -1e-12])[:, np.newaxis]
    ones = np.ones((3, 1))
    for rate, expected in ((2.0, 0.0), (-2.0, 2.0)):
        assert row_rates("hinge", "binary", 1.0 + off, rate * ones, ones, 1e-11).tolist() == [expected] * 3
        assert row_rates("hinge", "binary", -1.0 - off, -rate * ones, -ones, 1e-11).tolist() == [expected] * 3
    inside, outside = 1.0 - 1e-9 * ones, 1.0 + 1e-9 * ones
    assert row_rates("hinge", "binary", inside, 2.0 * ones, ones, 1e-11).tolist() == [-2.0] * 3
    assert row_rates("hinge", "binary", outside, -2.0 * ones, ones, 1e-11).tolist() == [0.0] * 3


@pytest.mark.parametrize("encoding", ["binary", "one-vs-rest", "softmax"])
@pytest.mark.parametrize("loss", ["logistic", "squared", "squared hinge", "hinge"])
def test_bends_are_the_second_differences_of_row_losses(loss, encoding):
    """Along a straight line of scores; away from corners."""
    if encoding == "softmax" and loss != "logistic":
        pytest.skip("the softmax encoding has one loss")
    n_classes = 2 if encoding == "binary" else 4
    y = rng(5).integers(0, n_classes, 30)
    targets = encode(y, n_classes, encoding)
    scores, rates = (rng(seed).normal(size=targets.shape) for seed in (6, 7))
    h = 1e-4
    before, at, after = (row_losses(loss, encoding, scores + k * rates, targets) for k in (-h, 0.0, h))
    found = row_bends(loss, encoding, scores, rates, targets)
    np.testing.assert_allclose(found, (before - 2 * at + after) / h**2, atol=1e-6)


@pytest.mark.parametrize("encoding", ["binary", "one-vs-one", "softmax"])
def test_gradients_give_the_rates_of_all_directions(encoding):
    """A gradient is what all rates have in common."""
    loss = "logistic" if encoding == "softmax" else "hinge"
    n_classes = 2 if encoding == "binary" else 3
    targets = encode(rng(5).integers(0, n_classes, 20), n_classes, encoding)
    scores = rng(6).normal(size=targets.shape)
    gradient = score_gradients(loss, encoding, scores, np.zeros_like(scores), targets)
    for seed in range(3):
        rates = rng(seed).normal(size=targets.shape)
        np.testing.assert_allclose(
            row_rates(loss, encoding, scores, rates, targets), (gradient * rates).sum(-1), atol=1e-14
        )
