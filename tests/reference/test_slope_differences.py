"""Slopes on MNIST against finite differences of independent fits, and the numbers that were worked out by hand.

A share of them: `benchmarks/slope_accuracy.py` compares all settings of three pairs.
"""

from functools import cache

import numpy as np
import pytest

import backdoor_curves as bc
from backdoor_curves.poisoning import paper_protocol as protocol
from reference.slope_differences import GAMMAS, LINEAR_GRID, RBF_GRID, Case, Fits
from reference.svm_mnist import SHARED

on_mnist = pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="the MNIST files are not beside the repository")

CHOSEN = (
    ((7, 1), 6, 999, Case("LinearSVC", 10.0)),
    ((7, 1), 6, 999, Case("logistic", 100.0)),
    ((3, 0), 6, 999, Case("ridge", 1.0)),
    ((3, 0), 3, 1, Case("SVC", LINEAR_GRID[5])),
    ((3, 0), 3, 1, Case("logistic, free intercept", LINEAR_GRID[2])),
    ((5, 2), 6, 999, Case("RBF", 100.0, 5e-3)),
    ((5, 2), 3, 1, Case("RBF", RBF_GRID[2], GAMMAS[4])),
    ((5, 2), 3, 1, Case("ridge", LINEAR_GRID[0])),
)


@cache
def poisoned(pair, size, seed):
    return protocol.badnet(*protocol.mnist_pair(pair, SHARED), rate=0.1, size=size, seed=seed)


def miss(case, data, slope_of, beta_0=True):
    """The relative distance between a slope and the differences of independent fits."""
    fits = Fits(case, data)
    beta, found = (0.0, fits.at_0()) if beta_0 else fits.inside()
    assert found is not None
    return abs(slope_of(fits.curve, beta) / found - 1)


@on_mnist
@pytest.mark.parametrize(("pair", "size", "seed", "case"), CHOSEN, ids=[str(row[-1]) for row in CHOSEN])
def test_slopes_are_the_differences_of_independent_fits(pair, size, seed, case):
    """One-sided at 0, central inside."""
    data = poisoned(pair, size, seed)
    for beta_0 in (True, False):
        assert miss(case, data, lambda curve, beta: curve.slope(beta), beta_0) < case.tolerance


FAULTS = {
    "lambda doubled": lambda case, data: (
        lambda _, beta: bc.backdoor_learning_curve(Case(case.kind, case.C / 2, case.gamma).estimator, data).slope(beta)
    ),
    "mean for sum": lambda _, data: lambda curve, beta: curve.slope(beta) / len(data.poison_train),
    "penalty added": lambda _, data: lambda curve, beta: with_penalty(curve, beta, data),
}


def with_penalty(curve, beta, data):
    """The gradient of the penalty, w, added to that of each poison row, as in the published column."""
    X = np.asarray(data.triggered_test.X).reshape(len(data.triggered_test), -1)
    w = curve.path.parameters(np.array([beta])).coef.ravel()
    y = 2.0 * data.triggered_test.y - 1
    f = curve.scores("triggered", beta)[0]
    g = -y / (1 + np.exp(y * f))
    # To move w by -H^-1 w is what a row x = w with q = 1 would do. Every row of logistic regression has a q, and is a
    # part of that row by its share in w over q.
    held = -_influences(curve, X, beta) @ np.linalg.lstsq(_training(data).T, w, rcond=None)[0]
    return curve.slope(beta) - len(data.poison_train) * float((g * held).mean())


def _influences(curve, X, beta):
    """-G(x, i) between rows and all training rows: influences on the scores themselves, over q_i."""
    data, C = curve.data, 1.0 / curve.info.hyperparameters["lambda"]
    y = 2.0 * np.append(data.clean_train.y, data.poison_train.y) - 1
    q = -C * y / (1.0 + np.exp(y * curve.path.scores(_training(data), np.array([beta]))[0]))
    return curve.path.response(beta).influence(X, np.ones((len(X), 1))) / q


def _training(data):
    return np.vstack([part.X.reshape(len(part), -1) for part in (data.clean_train, data.poison_train)])


@on_mnist
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_slope_would_be_seen(fault):
    """By a factor of a thousand and more of the tolerance."""
    case, data = Case("logistic", 0.1), poisoned((7, 1), 6, 999)
    assert miss(case, data, FAULTS[fault](case, data)) > 1e3 * case.tolerance


WORKED_OUT = (
    (Case("ridge", LINEAR_GRID[0]), "-0.379387"),
    (Case("logistic, free intercept", LINEAR_GRID[4]), "-28.6705"),
    (Case("SVC", LINEAR_GRID[4]), "-20.6507"),
    (Case("RBF", 10.0, 5e-4), "-1.99868"),
    (Case("RBF", 1.0, 5e-3), "-1.65793"),
)
"""MNIST 7-1, 3 x 3 trigger, seed 1: true slopes as printed beside the published avg_I, which are other numbers."""


@on_mnist
@pytest.mark.parametrize(("case", "printed"), WORKED_OUT, ids=[str(row[0]) for row in WORKED_OUT])
def test_five_slopes_to_all_printed_digits(case, printed):
    """Six significant digits each, from another implementation."""
    curve = bc.backdoor_learning_curve(case.estimator, poisoned((7, 1), 3, 1))
    decimals = len(printed.split(".")[1])
    assert f"{curve.slope(0.0):.{decimals}f}" == printed
    assert f"{curve.influence(0.0).slope:.{decimals}f}" == printed
