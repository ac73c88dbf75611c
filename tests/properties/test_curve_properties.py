"""What must hold of every curve, for rows drawn at random."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves.paths.ridge import ridge_path

BETAS = np.array([0.0, 0.01, 0.2, 0.7, 1.0])
# A deadline would assert a time, and a machine under load misses it.
few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)
alphas = st.floats(-2, 3).map(lambda power: 10.0**power)
shapes = st.tuples(st.integers(6, 40), st.integers(1, 20), st.integers(1, 25))


@st.composite
def datasets(draw):
    """Clean rows of two or three classes, poison rows of one of them, test rows."""
    (n, d, m), rng = draw(shapes), np.random.default_rng(draw(seeds))
    k = draw(st.integers(2, 3))
    y = np.arange(n) % k
    X = rng.normal(size=(n, d)) + 0.5 * y[:, np.newaxis]
    poison = rng.normal(size=(m, d)) + 2.0
    tested = rng.normal(size=(9, d))
    return bc.PoisonedData((X, y), (poison, np.ones(m, int)), (tested, np.arange(9) % k), (tested + 2.0, [1] * 9))


def permuted(samples, rng):
    return samples.take(rng.permutation(len(samples)))


def with_train(data, clean, poison):
    return bc.PoisonedData(clean, poison, data.clean_test, data.triggered_test)


@few
@given(datasets(), alphas, seeds)
def test_row_order_is_irrelevant_to_ridge(data, alpha, seed):
    """The objective is a sum over rows; 1e-9 is the rounding of sums in another order at the worst condition."""
    rng = np.random.default_rng(seed)
    shuffled = with_train(data, permuted(data.clean_train, rng), permuted(data.poison_train, rng))
    one, other = (bc.backdoor_learning_curve(RidgeClassifier(alpha=alpha), d, betas=BETAS) for d in (data, shuffled))
    np.testing.assert_allclose(one.scores("triggered"), other.scores("triggered"), atol=1e-9)


@settings(max_examples=8, deadline=None)
@given(datasets(), seeds)
def test_row_order_is_irrelevant_to_refits(data, seed):
    """It is to these three, whose optimum is unique; libsvm finds it within 1e-3 in the margins by default."""
    rng = np.random.default_rng(seed)
    shuffled = with_train(data, permuted(data.clean_train, rng), permuted(data.poison_train, rng))
    for estimator, tolerance in (
        (GaussianNB(), 1e-6),
        (LogisticRegression(tol=1e-8, max_iter=10_000), 1e-5),
        (SVC(tol=1e-6), 1e-3),
    ):
        one, other = (bc.backdoor_learning_curve(estimator, d, betas=[0.2, 1.0]) for d in (data, shuffled))
        np.testing.assert_allclose(one.loss("clean"), other.loss("clean"), rtol=tolerance, atol=tolerance)


@pytest.mark.filterwarnings("ignore:estimator. GaussianNB scores all test rows alike")  # sure of two rows a class
@few
@given(datasets(), st.sampled_from([RidgeClassifier(), GaussianNB()]))
def test_inputs_are_unchanged(data, estimator):
    """Rows and labels are the caller's."""
    splits = [getattr(data, name) for name in ("clean_train", "poison_train", "clean_test", "triggered_test")]
    before = [(samples.X.copy(), samples.y.copy()) for samples in splits]
    curve = bc.backdoor_learning_curve(estimator, data, betas=BETAS)
    curve.loss("triggered"), curve.accuracy("clean"), curve.area(), curve.half_loss_beta
    for samples, (X, y) in zip(splits, before, strict=True):
        assert np.array_equal(samples.X, X)
        assert np.array_equal(samples.y, y)


@few
@given(datasets(), alphas, st.integers(2, 4))
def test_poison_given_several_times_is_poison_of_that_weight(data, alpha, times):
    """Beta multiplies row weights: c copies at beta are one row at c beta, and a curve of copies is a longer curve."""
    X, y = data.poison_train
    copies = with_train(data, data.clean_train, (np.repeat(X, times, axis=0), np.repeat(y, times)))
    one, several = (bc.backdoor_learning_curve(RidgeClassifier(alpha=alpha), d) for d in (data, copies))
    betas = BETAS / times
    np.testing.assert_allclose(several.scores("clean", betas), one.scores("clean", times * betas), atol=1e-9)


@few
@given(datasets(), alphas, st.integers(1, 4), st.integers(1, 4))
def test_an_integer_class_weight_is_that_many_copies(data, alpha, first, second):
    """Class weights are row weights, for clean and poison rows alike."""
    times = np.array([first, second, 1])
    repeated = (
        (np.repeat(X, times[y], axis=0), np.repeat(y, times[y])) for X, y in (data.clean_train, data.poison_train)
    )
    weighted = RidgeClassifier(alpha=alpha, class_weight={0: first, 1: second})
    one = bc.backdoor_learning_curve(weighted, data, betas=BETAS)
    other = bc.backdoor_learning_curve(RidgeClassifier(alpha=alpha), with_train(data, *repeated), betas=BETAS)
    np.testing.assert_allclose(one.scores("triggered"), other.scores("triggered"), atol=1e-9)


@few
@given(datasets(), alphas)
def test_training_losses_of_ridge_move_one_way(data, alpha):
    """More weight on the poison: its loss cannot rise; that of the clean rows with the penalty cannot fall.

    Add the optimality of w(a) at a to that of w(b) at b: (b - a) (P(w(b)) - P(w(a))) <= 0.
    """
    (X, y), (P, q) = data.clean_train, data.poison_train
    Y, Q = (np.where(labels == 1, 1.0, -1.0)[:, np.newaxis] for labels in (y, q))
    path = ridge_path((X, Y, np.ones(len(Y))), (P, Q, np.ones(len(Q))), alpha)
    betas = np.linspace(0, 1, 50)
    at = path.parameters(betas)
    coef, b = at.coef, at.intercept
    poison = ((P @ coef + b[:, np.newaxis] - Q) ** 2).sum(axis=(1, 2))
    clean = ((X @ coef + b[:, np.newaxis] - Y) ** 2).sum(axis=(1, 2)) + alpha * (coef**2).sum(axis=(1, 2))
    rounding = 1e-11 * len(Y)
    assert (np.diff(poison) <= rounding).all()
    assert (np.diff(clean) >= -rounding).all()


@few
@given(datasets(), alphas)
def test_the_path_is_stationary(data, alpha):
    """Central differences of the objective in w and b vanish at every beta: no formula of the path is used."""
    (X, y), (P, q) = data.clean_train, data.poison_train
    Y, Q = (np.where(labels == 1, 1.0, -1.0) for labels in (y, q))
    ones = (np.ones(len(Y)), np.ones(len(Q)))
    path = ridge_path((X, Y[:, np.newaxis], ones[0]), (P, Q[:, np.newaxis], ones[1]), alpha)
    at = path.parameters(BETAS)
    coef, b = at.coef, at.intercept
    for beta, w, b0 in zip(BETAS, coef[:, :, 0], b[:, 0], strict=True):

        def objective(u, beta=beta):
            squares = ((X @ u[:-1] + u[-1] - Y) ** 2).sum() + beta * ((P @ u[:-1] + u[-1] - Q) ** 2).sum()
            return squares + alpha * u[:-1] @ u[:-1]

        u = np.append(w, b0)
        steps = 1e-3 * np.eye(len(u))
        differences = [(objective(u + step) - objective(u - step)) / 2e-3 for step in steps]
        # Exact for a quadratic but for rounding: 1e-16 of the objective over the step.
        assert np.abs(differences).max() < 1e-9 * (1.0 + objective(u))


@few
@given(datasets(), alphas)
def test_curves_start_at_an_angle_of_0_and_within_their_ranges(data, alpha):
    """Ranges that the docstrings promise."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=alpha), data, betas=BETAS)
    assert curve.angle(0.0) < 1e-12
    for split in ("triggered", "clean"):
        assert (curve.loss(split) >= 0).all()
        assert ((curve.accuracy(split) >= 0) & (curve.accuracy(split) <= 1)).all()
    assert ((curve.angle() >= 0) & (curve.angle() <= 1)).all()
    assert np.isnan(curve.half_loss_beta) or 0 <= curve.half_loss_beta <= 1
