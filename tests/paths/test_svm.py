"""The SVM path against an interior-point solver, scikit-learn and the optimality conditions."""

from contextlib import suppress

import numpy as np
import piqp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC, LinearSVC

from backdoor_curves.curve.deviation import cosines, norms
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.paths.svm.path import NotOptimalError


def gaussian(gamma):
    """Written out, so that equal rows have equal kernels to the last bit."""
    return lambda A, B: np.exp(-gamma * ((A[:, np.newaxis] - B) ** 2).sum(-1))


def linear(A, B):
    return A @ B.T


def problem(rng, n, d, *, noise=0.1, rate=0.1, integer=False, repeated=0):
    """Two overlapping classes, some of the rows poisoned; `repeated` rows twice, one in five with the other label."""
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    X = rng.standard_normal((n, d))
    X[:, 0] += y
    X = np.round(X) if integer else X
    y[rng.random(n) < noise] *= -1
    poison = np.zeros(n, dtype=bool)
    poison[rng.choice(n, max(1, int(rate * n)), replace=False)] = True
    X[poison] += 1.5 * np.eye(d)[-1]
    y[poison] *= -1
    if repeated:
        again = rng.choice(n, repeated)
        y = np.append(y, np.where(rng.random(repeated) < 0.8, y[again], -y[again]))
        X, poison = np.vstack([X, X[again]]), np.append(poison, poison[again])
    return X, y, poison


def by_interior_point(K, y, u, free):
    """The dual by PIQP, in units of the largest bound: another algorithm, another author."""
    kept, unit = np.flatnonzero(u > 0), u.max()
    u = u / unit
    H = unit * (K * np.outer(y, y))[np.ix_(kept, kept)]
    solver = piqp.DenseSolver()
    solver.settings.eps_abs, solver.settings.eps_rel = 1e-10, 1e-11
    equality = (y[kept][np.newaxis].copy(), np.zeros(1)) if free else (None, None)
    solver.setup(H, -np.ones(len(kept)), *equality, None, None, None, np.zeros(len(kept)), u[kept])
    solver.solve()
    a = np.zeros(len(y))
    a[kept] = unit * solver.result.x
    return a


def objective(K, y, a):
    """In extended precision: at C = 1e7 its terms are ten orders of magnitude larger than their sum."""
    c = (a * y).astype(np.longdouble)
    return 0.5 * c @ (K.astype(np.longdouble) @ c) - a.astype(np.longdouble).sum()


def check(X, y, poison, C, kernel, *, free, betas=(0.0, 0.03, 0.3, 1.0), tolerance=1e-9):
    """The path is optimal: the objective is the oracle's, the gap is closed at every node, the bounds hold."""
    path = svm_path(X, y, np.where(poison, 0.0, C), np.where(poison, C, 0.0), kernel, FREE if free else penalised(1.0))
    problem, nodes = path.problem, path.at.betas
    gap = path.certificate(nodes, [X]).objective_gap
    assert gap.max() <= 2 * tolerance
    A = path.nodal_duals
    bounds = problem.u0 + nodes[:, np.newaxis] * problem.du
    assert A.min() >= -1e-9 * C
    assert (A - bounds).max() <= 1e-9 * C
    if free:
        assert np.abs(A @ problem.y).max() <= 1e-9 * C * len(y)
    for beta, a in zip(betas, path.duals(np.array(betas)), strict=True):
        oracle = by_interior_point(problem.K, problem.y, problem.u0 + beta * problem.du, free)
        best = objective(problem.K, problem.y, oracle)
        assert objective(problem.K, problem.y, a) <= best + tolerance * abs(best)
    return path


CASES = {
    "plane": ({"n": 400, "d": 2}, linear, 1.0),
    "integer grid": ({"n": 400, "d": 2, "integer": True}, linear, 1.0),
    "repeated": ({"n": 300, "d": 5, "repeated": 200}, linear, 0.5),
    "repeated, large C": ({"n": 300, "d": 30, "repeated": 100}, linear, 100.0),
    "rbf repeated": ({"n": 400, "d": 3, "repeated": 150}, gaussian(0.5), 1.0),
    "rbf repeated, large C": ({"n": 400, "d": 3, "repeated": 150}, gaussian(0.5), 1000.0),
    "rbf integer grid": ({"n": 400, "d": 3, "integer": True}, gaussian(0.5), 1.0),
    "rbf nearly constant": ({"n": 400, "d": 3}, gaussian(1e-4), 10.0),
    "rbf nearly diagonal": ({"n": 400, "d": 3}, gaussian(1e3), 1.0),
    "rbf tiny C": ({"n": 400, "d": 3}, gaussian(0.5), 1e-4),
}


@pytest.mark.parametrize("free", [True, False], ids=["free", "penalised"])
@pytest.mark.parametrize("case", CASES)
def test_hard_cases_are_followed_to_the_optimum(case, free):
    """Rank-deficient margins, ties, repeated rows and empty margins are where path algorithms fail."""
    shape, kernel, C = CASES[case]
    check(*problem(np.random.default_rng(0), **shape), C, kernel, free=free)


@pytest.mark.parametrize("free", [True, False], ids=["free", "penalised"])
def test_balanced_classes_at_tiny_c_leave_an_empty_margin(free):
    """All rows are at their bound and the intercept is free in an interval."""
    X, _, poison = problem(np.random.default_rng(0), 400, 3)
    check(X, np.repeat([-1.0, 1.0], 200), poison, 1e-6, linear, free=free)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(6, 40),
    d=st.integers(1, 5),
    C=st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3]),
    gamma=st.sampled_from([None, 1e-3, 0.3, 10.0]),
    integer=st.booleans(),
    repeated=st.integers(0, 10),
    free=st.booleans(),
)
def test_random_problems_are_followed_to_the_optimum(seed, n, d, C, gamma, integer, repeated, free):
    """Small problems with ties, repeats and extreme C, both intercepts: no counterexample."""
    X, y, poison = problem(np.random.default_rng(seed), n, d, integer=integer, repeated=repeated)
    y[~poison][:2] = 0
    clean = np.flatnonzero(~poison)
    y[clean[0]], y[clean[1]] = -1.0, 1.0
    check(X, y, poison, C, linear if gamma is None else gaussian(gamma), free=free)


@pytest.mark.parametrize("free", [True, False], ids=["free", "penalised"])
@pytest.mark.parametrize("C", [1e5, 1e7])
def test_a_path_beyond_double_precision_is_refused_and_never_returned(C, free):
    """Where rounding wins, an error is right and a wrong curve is not: a path that is returned is optimal."""
    X, y, poison = problem(np.random.default_rng(0), 200, 3, repeated=80)
    with suppress(NotOptimalError):
        check(X, y, poison, C, gaussian(0.5), free=free)


def test_scores_are_those_of_scikit_learn_at_any_beta():
    """libsvm at a tight tolerance is within 1e-4 or so of the optimum, and so is the path of it."""
    X, y, poison = problem(np.random.default_rng(1), 200, 4)
    path = svm_path(X, y, np.where(poison, 0.0, 2.0), np.where(poison, 2.0, 0.0), gaussian(0.2))
    betas = np.array([0.0, 0.07, 0.5, 1.0])
    for beta, scores in zip(betas, path.scores(X, betas), strict=True):
        kept = ~poison if beta == 0 else np.ones(len(y), dtype=bool)
        weights = np.where(poison, beta, 1.0)[kept]
        fit = SVC(C=2.0, gamma=0.2, tol=1e-9).fit(X[kept], y[kept], sample_weight=weights)
        np.testing.assert_allclose(scores, fit.decision_function(X), atol=1e-5)


@pytest.mark.parametrize("intercept", [NONE, penalised(1.0), penalised(3.0)], ids=str)
def test_a_penalised_intercept_is_that_of_linear_svc(intercept):
    """liblinear's constant column is s^2 in the kernel; without an intercept it is 0."""
    X, y, poison = problem(np.random.default_rng(2), 150, 4)
    path = svm_path(X, y, np.where(poison, 0.0, 0.5), np.where(poison, 0.5, 0.0), linear, intercept)
    fit = LinearSVC(
        C=0.5,
        loss="hinge",
        fit_intercept=intercept != NONE,
        intercept_scaling=intercept.scaling,
        tol=1e-10,
        max_iter=10**6,
    ).fit(X, y)
    np.testing.assert_allclose(path.scores(X, np.ones(1))[0], fit.decision_function(X), atol=1e-6)
    gram = path.nodal_gram()
    np.testing.assert_allclose(norms(path.interpolant, gram, np.ones(1)), np.linalg.norm(fit.coef_), rtol=1e-6)
    w = path.duals(np.array([0.0, 0.4])) * path.problem.y @ path.X
    cosine = w[0] @ w[1] / np.linalg.norm(w[0]) / np.linalg.norm(w[1])
    np.testing.assert_allclose(cosines(path.interpolant, gram, np.array([0.4])), cosine, rtol=1e-9)


def test_the_bound_on_the_scores_holds_for_a_path_that_is_off():
    """A certificate that does not see an error is worth nothing."""
    X, y, poison = problem(np.random.default_rng(3), 120, 3)
    path = svm_path(X, y, np.where(poison, 0.0, 1.0), np.where(poison, 1.0, 0.0), gaussian(0.3))
    betas = np.array([0.2, 0.8])
    right, K = path.scores(X, betas), path.problem.K.copy()
    assert path.certificate(betas, [X]).score_bound.max() < 1e-9
    for duals in path.at.margin_duals:
        duals += 1e-5 * np.random.default_rng(4).random(len(duals))
    error = np.abs(path.scores(X, betas) - right).max(axis=1)
    bound = path.certificate(betas, [X]).score_bound
    assert (bound >= error).all()
    assert (bound <= 1e4 * error).all()
    np.testing.assert_array_equal(K, path.problem.K)


def test_equal_rows_are_one_row_with_the_sum_of_their_weights():
    """Their duals occur as a sum only; clean and poison copies of one row share one dual too."""
    X, y, poison = problem(np.random.default_rng(5), 60, 3)
    u0, du = np.where(poison, 0.0, 1.0), np.where(poison, 1.0, 0.0)
    twice = svm_path(np.vstack([X, X]), np.append(y, y), np.append(u0, u0), np.append(du, du), gaussian(0.3))
    heavier = svm_path(X, y, 2 * u0, 2 * du, gaussian(0.3))
    betas = np.linspace(0, 1, 7)
    np.testing.assert_allclose(twice.scores(X, betas), heavier.scores(X, betas), atol=1e-9)
    assert len(twice.problem.y) == len(heavier.problem.y)


def test_a_jump_of_the_intercept_has_two_nodes():
    """Balanced classes at small C: at beta = 0 all rows are at their bound, and any poison tips the intercept over."""
    rng = np.random.default_rng(6)
    X = rng.standard_normal((82, 2))
    y = np.repeat([-1.0, 1.0, 1.0], [40, 40, 2])
    poison = np.repeat([False, True], [80, 2])
    path = svm_path(X, y, np.where(poison, 0.0, 1e-3), np.where(poison, 1e-3, 0.0), linear)
    start, just_after = path.scores(X, np.array([0.0, 1e-9]))
    np.testing.assert_allclose(start, just_after, atol=1e-6)  # the value at a jump is the right one
