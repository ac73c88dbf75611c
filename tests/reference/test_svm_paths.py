"""The published SVMs of MNIST, followed exactly, against an interior-point solution.

A share of them: `benchmarks/svm_accuracy.py` compares all, at 20 betas each.
"""

import numpy as np
import pytest

from backdoor_curves.poisoning import paper_protocol as protocol
from reference.interior_point import optimal_intercepts, solve
from reference.svm_mnist import PAIRS, RATES, SETTINGS, SHARED, compare, random_betas

on_mnist = pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="the MNIST files are not beside the repository")


@pytest.fixture(scope="module")
def images():
    made = {pair: protocol.mnist_pair(pair, SHARED) for pair in PAIRS}
    return made.__getitem__


@on_mnist
@pytest.mark.parametrize("cell", range(len(SETTINGS)), ids=[str(setting) for setting in SETTINGS])
def test_paths_of_the_published_svms_are_those_of_an_interior_point_method(cell, images):
    """Scores of 1000 test rows within 1e-7, no gap at a node, and a bound that never is below the error.

    Each setting with another pair and rate, so that three settings share a pair and two a rate.
    """
    pair, rate = PAIRS[cell % 3], RATES[(cell + cell // 3) % 3]
    found = compare(SETTINGS[cell], images(pair), rate, random_betas(3, [*pair, cell]))
    kept = found.unique
    assert kept.any()
    assert found.oracle[kept].max() < 1e-9  # otherwise the next line would say little
    assert found.error[kept].max() < 1e-7
    assert found.nodal_gap < 2e-9
    assert (found.bound >= found.error - found.oracle)[kept].all()
    # Errors below 1e-13 are the last digits of scores of size 10, where no bound is told from rounding.
    assert np.median(found.bound[kept] / np.maximum(found.error[kept], 1e-13)) < 100
    assert found.perturbation == 0  # ties do not occur on real images


def conditions(K, y, u, free, best):
    """Return how far duals and intercept are from feasible, and from complementary: a_i g_i >= 0 only at a limit."""
    a = best.a.astype(float)
    g = y * (K @ (a * y) + best.intercept) - 1
    infeasible = max((-a).max(), (a - u).max(), abs(y @ a) if free else 0.0)
    return infeasible, max(np.minimum(a, g).max(), np.minimum(u - a, -g).max())


@pytest.mark.parametrize("free", [True, False], ids=["free", "penalised"])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_the_oracle_meets_the_conditions_of_the_optimum(C, free):
    """They are necessary and sufficient, and here computed apart from the oracle's own proof."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)), np.where(rng.random(60) < 0.5, 1.0, -1.0)
    K, u = np.exp(-0.3 * ((X[:, np.newaxis] - X) ** 2).sum(-1)), C * rng.random(60)
    best = solve(K, y, u, free)
    infeasible, unmet = conditions(K, y, u, free, best)
    assert infeasible <= 1e-14 * C * 60
    assert unmet <= 1e-12 * (1 + C)
    assert best.gap <= 1e-12


def test_the_oracle_proves_its_error():
    """Two rows at distance 2: a = 2 / |x1 - x2|^2 = 1/2 by hand, and b = 0, f = x."""
    X, y = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    best = solve(X @ X.T, y, np.array([9.0, 9.0]), True)
    np.testing.assert_allclose(best.a.astype(float), 0.5, atol=1e-15)
    assert best.is_unique()
    assert abs(best.intercept) < 1e-15
    assert best.error < 1e-9
    np.testing.assert_allclose(best.offsets(X @ X.T), [-1.0, 1.0], atol=1e-15)


def test_the_oracle_gives_an_interval_where_the_intercept_is_free():
    """One row a class, both at their bound: every b that keeps both inside the margin costs the same."""
    X, y = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    best = solve(X @ X.T, y, np.array([0.1, 0.1]), True)
    np.testing.assert_allclose([best.low, best.high], [-0.8, 0.8], atol=1e-15)  # 1 -+ b - .2 >= 0
    assert not best.is_unique()


def test_optimal_intercepts_minimise_the_hinge_loss():
    """A sum of kinked lines in b: no b is better than the interval's ends, and outside it is worse."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        h, y = rng.integers(-3, 4, 9).astype(float), np.where(np.arange(9) < 4, 1.0, -1.0)
        u = rng.integers(1, 4, 9).astype(float)
        low, high = optimal_intercepts(h, y, u, 1e-15)

        def loss(b, h=h, y=y, u=u):
            return u @ np.maximum(0, 1 - y * (h + b))

        best = min(loss(b) for b in np.linspace(-6, 6, 241))
        assert loss(low) == pytest.approx(best, abs=1e-12) == loss(high)
        assert min(loss(low - 0.01), loss(high + 0.01)) > best + 1e-3
