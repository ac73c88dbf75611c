"""The published logistic regressions of MNIST, followed, against Newton's method in extended precision.

A share of them: `benchmarks/logistic_accuracy.py` compares all, at 20 betas each.
"""

import numpy as np
import pytest

from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.poisoning import paper_protocol as protocol
from reference.logistic_mnist import PAIRS, RATES, SHARED, STRENGTHS, compare, random_betas
from reference.logistic_newton import objective, optimum, penalty, with_column

on_mnist = pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="the MNIST files are not beside the repository")


@pytest.fixture(scope="module")
def images():
    made = {pair: protocol.mnist_pair(pair, SHARED) for pair in PAIRS}
    return made.__getitem__


@on_mnist
@pytest.mark.parametrize("cell", range(3))
@pytest.mark.parametrize("C", STRENGTHS)
def test_paths_of_the_published_logistic_regressions_are_those_of_newtons_method(C, cell, images):
    """Scores of 1000 test rows within the default tolerance, and a bound that is never below the error, nor far above.

    Each cell with another pair and rate.
    """
    found = compare(C, images(PAIRS[cell]), RATES[(cell + STRENGTHS.index(C)) % 3], random_betas(3, [cell, int(C)]))
    assert found.oracle.max() < 1e-12  # otherwise the next lines would say little
    assert found.error.max() <= 1e-6
    assert found.on_training_rows.max() <= 1e-6
    assert found.gap < 2e-9
    assert (found.bound >= found.error - found.oracle).all()
    assert np.median(found.bound / found.error) < 100


@pytest.mark.parametrize("intercept", [FREE, penalised(1.0), penalised(3.0), NONE], ids=str)
@pytest.mark.parametrize("C", [1e-6, 1.0, 1e6])
def test_the_oracle_meets_the_condition_of_the_optimum(C, intercept):
    """The gradient is zero, here in another form: R w = sum_i u_i y_i z_i / (1 + exp(y_i f_i)), and P is convex."""
    rng = np.random.default_rng(0)
    X, y, u = rng.standard_normal((60, 4)), np.where(rng.random(60) < 0.5, 1.0, -1.0), C * rng.random(60)
    best = optimum(X, y, u, intercept)
    Z = with_column(X, intercept)
    terms = (u * y / (1 + np.exp(y * best.scores(X))))[:, np.newaxis] * Z
    gradient = penalty(Z.shape[1], intercept) * best.w - terms.sum(axis=0)
    assert np.abs(gradient).max() <= 1e-17 * (1 + np.abs(terms).sum())
    assert best.error <= 1e-15
    np.testing.assert_allclose((best.scores(X) - X @ best.coef).astype(float), best.b, atol=1e-14)


def test_the_oracle_finds_an_optimum_known_by_hand():
    """Two rows at -1 and 1, w = 2 u / (1 + exp(w)) = 1 for u = (1 + e) / 2, and no intercept by symmetry."""
    X, y = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    best = optimum(X, y, np.full(2, (1 + np.e) / 2), FREE)
    np.testing.assert_allclose(best.coef, 1.0, atol=1e-15)
    assert abs(best.b) < 1e-15
    assert float(best.objective) == pytest.approx(0.5 + (1 + np.e) * np.log1p(np.exp(-1)), abs=1e-14)


def test_the_oracle_does_not_depend_on_its_start():
    """The optimum is unique; nothing nearby has a smaller objective."""
    rng = np.random.default_rng(1)
    X, y, u = rng.standard_normal((50, 3)), np.where(rng.random(50) < 0.5, 1.0, -1.0), np.full(50, 3.0)
    best, other = optimum(X, y, u, FREE), optimum(X, y, u, FREE, 5 * rng.standard_normal(4))
    np.testing.assert_allclose(best.w.astype(float), other.w.astype(float), atol=1e-15)
    Z = with_column(X, FREE)
    for _ in range(20):
        aside = best.w + 1e-6 * rng.standard_normal(4)
        assert objective(Z, penalty(4, FREE), y, u, aside) > best.objective
