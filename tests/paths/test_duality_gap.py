"""The duality gap: each proof bounds what a solution lacks, and the dear ones are asked last."""

from functools import partial

import numpy as np
import pytest

from backdoor_curves.kernels.functions import linear, rbf
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.svm import svm_path
from backdoor_curves.paths.svm.duality_gap import DualityGap
from backdoor_curves.paths.svm.solutions import Solutions

PROBLEMS = pytest.mark.parametrize(
    ("kernel", "intercept"),
    [
        (linear, penalised(1.0)),
        (linear, NONE),
        (partial(rbf, gamma=0.3), FREE),
        (partial(rbf, gamma=0.3), penalised(3.0)),
    ],
    ids=["linear penalised", "linear none", "rbf free", "rbf penalised"],
)


def a_path(kernel, intercept, n=60):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 3)), np.where(np.arange(n) % 2, 1.0, -1.0)
    X[:, 0] += y
    poison = np.arange(n) >= n - 10
    X[poison, 2] += 3.0
    return svm_path(X, y, np.where(poison, 0.0, 1.0), np.where(poison, 1.0, 0.0), kernel, intercept)


def primal_less_dual(problem, beta, a, b):
    """By their definitions, over the primal; they cancel, where the sum of the shares does not."""
    c, u = problem.y * a, problem.bounds(beta)
    f = problem.gram @ c + b
    norm = c @ problem.gram @ c + (b**2 / problem.shift if problem.shift else 0.0)
    primal = norm / 2 + u @ np.maximum(0.0, 1.0 - problem.y * f)
    dual = a.sum() - c @ problem.K @ c / 2
    return (primal - dual) / primal


@PROBLEMS
def test_the_own_gap_is_the_primal_less_the_dual(kernel, intercept):
    """Beside the optimum, with duals that are a tenth too small; a penalised intercept is in balance with them."""
    path = a_path(kernel, intercept)
    problem, A = path.problem, 0.9 * path.nodal_duals
    b = path.at.b if problem.free else problem.shift * (A @ problem.y)
    off = Solutions.of_duals(problem, path.at.betas, b, A)
    gaps = DualityGap(off, path.at.status).own()
    direct = [primal_less_dual(problem, *each) for each in zip(off.betas, A, b, strict=True)]
    np.testing.assert_allclose(gaps, direct, rtol=1e-9)
    assert gaps.min() > 1e-3


@PROBLEMS
def test_a_dearer_proof_is_never_worse_and_only_made_if_it_is_needed(kernel, intercept, monkeypatch):
    """At any tolerance the gap is the least of those looked for, and within it nothing more is."""
    path = a_path(kernel, intercept)
    (gap,), asked = path.nodal_gap.stretches, []
    for name in ("corrected", "extended"):
        real = getattr(DualityGap, name)
        monkeypatch.setattr(DualityGap, name, lambda *given, real=real, name=name: asked.append(name) or real(*given))
    np.testing.assert_array_equal(gap.proven(1.0, path.extended), gap.own())
    assert asked == []
    least = gap.proven(0.0, path.extended)
    assert (least <= gap.own()).all()
    assert asked[0] == "corrected"
    assert "extended" in asked or (least == 0.0).all()
    assert least.max() < 1e-14
