"""Linear SVMs in the space of their features: raw columns are followed, bounds are bounds, ties end."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from backdoor_curves.kernels.functions import linear
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.linalg.exact_sums import exact_sums
from backdoor_curves.paths.linear_svm import follow, optimality
from backdoor_curves.paths.linear_svm.follow import linear_svm_path
from backdoor_curves.paths.linear_svm.margin import Margin
from backdoor_curves.paths.linear_svm.problem import Problem, Pull
from backdoor_curves.paths.svm.dual import BOUND
from backdoor_curves.paths.svm.follow import svm_path
from paths.test_raw_columns import TABLES, problem
from reference import rational_hinge

BETAS = np.array([0.0, 1e-3, 0.1, 0.6, 1.0])
INTERCEPTS = pytest.mark.parametrize("intercept", [FREE, penalised(1.0), NONE], ids=str)


def best(path, X, y, u0, du, intercept, beta):
    """The optimum in rational numbers, of the rows as they were given, with the sets that the path has."""
    distinct = np.unique(path.group, return_index=True)[1]
    rows = X[distinct] if intercept.is_free else intercept.with_column(X[distinct])
    k = min(np.searchsorted(path.at.betas, beta, side="right") - 1, len(path.at.betas) - 1)
    bounds = np.bincount(path.group, weights=u0 + beta * du)
    present = np.bincount(path.group, weights=u0 + du) > 0.0
    margin, status = path.at.sets.margin_at(k), path.at.sets.at(k)
    assert present.all()
    return rational_hinge.optimum(
        rows, y[distinct], bounds, margin.tolist(), np.flatnonzero(status == BOUND).tolist(), intercept.is_free
    )


@INTERCEPTS
@pytest.mark.parametrize("name", sorted(TABLES.keys() - {"counts"}))
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_raw_columns_are_followed_and_their_bounds_are_bounds(name, C, intercept):
    """Against rational numbers, which show by the conditions of the optimum that the sets are right, too."""
    X, y, u0, du, test = problem(name, C)
    path = linear_svm_path(X, y, u0, du, intercept)
    inside = (path.at.betas[:-1] + path.at.betas[1:]) / 2
    betas = np.unique(inside[np.linspace(0, len(inside) - 1, 3).astype(int)])
    bounds, ratios = path.certificate(betas, [test]).score_bound, []
    for beta, bound, scores in zip(betas, bounds, path.scores(test, betas), strict=True):
        exact = best(path, X, y, u0, du, intercept, beta)
        assert exact.violation == 0
        rows = test if intercept.is_free else intercept.with_column(test)
        error = np.abs(scores - exact.scores(rows)).max()
        assert error <= bound <= 1e-6
        ratios.append(bound / max(error, 1e-16))
    assert np.median(ratios) < 1e4


@INTERCEPTS
@pytest.mark.parametrize("C", [0.01, 1.0, 30.0])
def test_the_path_is_that_of_the_kernel_matrix(C, intercept):
    """Where both have digits enough: scores, knots, tangents and what single rows do."""
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(80, 4)), np.where(rng.random(80) < 0.5, -1.0, 1.0)
    poison = np.arange(80) < 10
    u0, du = np.where(poison, 0.0, C), np.where(poison, C, 0.0)
    path, kernel = linear_svm_path(X, y, u0, du, intercept), svm_path(X, y, u0, du, linear, intercept)
    np.testing.assert_allclose(path.at.betas, kernel.at.betas, atol=1e-10)
    np.testing.assert_allclose(path.scores(X, BETAS), kernel.scores(X, BETAS), atol=1e-10)
    found, expected = path.tangent(X, BETAS), kernel.tangent(X, BETAS)
    np.testing.assert_allclose(found.rates, expected.rates, atol=1e-8)
    for one, other in zip([path.response(0.3)], [kernel.response(0.3)], strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        g = rng.normal(size=(80, 1))
        np.testing.assert_allclose(one.influence(X, g), other.influence(X, g), atol=1e-9)
        assert one.ties == other.ties
    squares = path.interpolant.weights(BETAS) @ path.nodal_gram() @ path.interpolant.weights(BETAS).T
    w = path.parameters(BETAS).coef[..., 0]
    np.testing.assert_allclose(squares, w @ w.T, atol=1e-12)


def test_scores_are_those_of_the_parameters_for_sparse_rows_too():
    X, y, u0, du, test = problem("people", 1.0)
    for intercept in (FREE, penalised(10.0)):
        path = linear_svm_path(X, y, u0, du, intercept)
        found = path.parameters(BETAS)
        by_hand = found.coef[..., 0] @ test.T + found.intercept
        np.testing.assert_allclose(path.scores(test, BETAS), by_hand, atol=1e-9)  # 1e7 roundings of a timestamp
        np.testing.assert_allclose(path.scores(sp.csr_array(test), BETAS), path.scores(test, BETAS), atol=1e-12)


def grid(seed, n=144):
    """Whole numbers of which many coincide and most depend on each other, and stamped copies of some of them."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, (n, 4)).astype(float)
    y = np.where(X.sum(axis=1) + rng.normal(0, 1, n) > 4, 1.0, -1.0)
    stamped = X[: n // 5].copy()
    stamped[:, 3] = 4.0
    return np.vstack([X, stamped]), np.append(y, np.ones(len(stamped))), np.arange(n + n // 5) >= n


@INTERCEPTS
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("C", [0.2, 1.0, 30.0])
def test_ties_of_whole_numbers_end(C, seed, intercept):
    """Rows on the margin that are not held there, duals at a limit, at many betas: bounds stay small."""
    X, y, poison = grid(seed)
    u0, du = np.where(poison, 0.0, C), np.where(poison, C, 0.0)
    path = linear_svm_path(X, y, u0, du, intercept)
    assert path.certificate(np.append(BETAS, path.at.betas), [X]).score_bound.max() <= 1e-6
    inside = (path.at.betas[0] + path.at.betas[1]) / 2
    exact = best(path, X, y, u0, du, intercept, inside)
    assert exact.violation <= 1e-14


def test_shifts_that_break_ties_leave_no_trace(monkeypatch):
    """Nodes are those of the problem as it is, their betas too."""
    X, y, u0, du, test = problem("houses", 1.0)
    plain = linear_svm_path(X, y, u0, du, FREE)
    monkeypatch.setattr(follow, "SHIFTS", (1e-12,))
    shifted = linear_svm_path(X, y, u0, du, FREE)
    np.testing.assert_allclose(shifted.at.betas, plain.at.betas, atol=1e-15)
    np.testing.assert_allclose(shifted.scores(test, BETAS), plain.scores(test, BETAS), atol=1e-12)


def test_a_free_intercept_jumps_where_the_margin_is_empty():
    """Two rows that pull w the same way at their bounds: b goes from one end of its interval to the other."""
    X, y = np.array([[-1.0], [1.0], [0.2], [0.3]]), np.array([-1.0, 1.0, 1.0, -1.0])
    u0, du = np.array([0.1, 0.1, 0.0, 0.0]), np.array([0.0, 0.0, 0.3, 0.1])
    path, kernel = linear_svm_path(X, y, u0, du), svm_path(X, y, u0, du, linear)
    betas = np.linspace(0.05, 1.0, 13)
    np.testing.assert_allclose(path.scores(X, betas), kernel.scores(X, betas), atol=1e-12)


def test_a_certificate_sees_a_path_that_is_off():
    """A break of the formula: w beside the optimum by a millionth of each feature's weight."""
    X, y, u0, du, test = problem("people", 1.0)
    path = linear_svm_path(X, y, u0, du)
    right = path.scores(test, BETAS)
    off = replace(path, at=replace(path.at, W=path.at.W * (1.0 + 1e-6 * np.array([1.0, -1.0, 2.0, 1.0, -3.0]))))
    error = np.abs(off.scores(test, BETAS) - right).max(axis=1)
    assert (off.certificate(BETAS, [test]).score_bound >= error).all()
    assert error.max() > 1e-7


def test_a_certificate_sees_wrong_sets():
    """Rows said to be beyond the margin that are not: the conditions fail, and the bound says by how much."""
    X, y, u0, du, test = problem("houses", 1.0)
    path = linear_svm_path(X, y, u0, du)
    k = len(path.at.betas) // 2
    beta, w, b = path.at.betas[k], path.at.W[k], path.at.b[k]
    solution = optimality.Solution(beta, w, b, path.at.sets.at(k), path.at.sets.margin_at(k))
    fine = optimality.distance_to_optimum(path.problem, solution, [path.place.of(test)])
    status = solution.status.copy()
    status[np.flatnonzero(status == BOUND)[0]] = 0
    wrong = optimality.distance_to_optimum(path.problem, replace(solution, status=status), [path.place.of(test)])
    assert fine.scores < 1e-7 < 1e-3 < wrong.scores


@pytest.mark.parametrize("free", [True, False])
def test_a_margin_keeps_the_digits_of_each_feature(free):
    """Features of 1e9 and 1e-6 beside each other: scores of the margin are its targets, the duals balance."""
    rng = np.random.default_rng(0)
    Phi = rng.normal(size=(6, 9)) * 10.0 ** rng.uniform(-6, 9, 9)
    problem_ = Problem(Phi, np.ones(6), np.ones(6), np.zeros(6), free)
    pull = Pull(Phi.sum(axis=0), 0.7, rng.normal(size=6))
    found = Margin.of(problem_, np.arange(4)).optimum(pull)
    np.testing.assert_allclose(Phi[:4] @ found.w + found.b, pull.targets[:4], atol=1e-13)
    if free:
        assert found.c.sum() == pytest.approx(0.7, abs=1e-12)
    # In each feature to the rounding of that feature: through a Gram matrix small ones would be off by their size.
    off = np.abs(found.w - pull.w - found.c @ Phi[:4])
    assert (off <= 1e-13 * (np.abs(pull.w) + np.abs(found.c) @ np.abs(Phi[:4]))).all()


def test_rows_that_depend_are_told_from_rows_that_nearly_do():
    """A combination in every feature is one; what differs in a small feature alone is none."""
    Phi = np.array([[1e9, 1.0, 0.0], [1e9, 0.0, 1.0], [2e9, 1.0, 1.0], [2e9, 1.0, 1.0 + 1e-6]])
    margin = Margin.of(Problem(Phi, np.ones(4), np.ones(4), np.zeros(4), free=False), np.array([0, 1]))
    np.testing.assert_allclose(margin.combination(2), [1.0, 1.0], atol=1e-12)
    assert margin.combination(3) is None


def test_exact_sums_are_those_of_rational_numbers():
    rng = np.random.default_rng(1)
    A, x = rng.normal(size=(5, 40)) * 10.0 ** rng.uniform(-9, 9, 40), rng.normal(size=40)
    expected = [
        float(sum(rational_hinge._numbers(row * 1.0)[k] * rational_hinge._numbers(x)[k] for k in range(40)))
        for row in A
    ]
    np.testing.assert_array_equal(exact_sums(A, x), expected)


def test_a_path_is_proven_beside_the_betas_where_it_turns():
    """In the middle of each piece and at both ends, where rounding of beta does not change the sets."""
    path = linear_svm_path(*problem("houses", 1.0)[:4])
    nodes = path.at.betas
    assert len(np.intersect1d(path.proven_at, nodes)) == 2
    assert np.searchsorted(nodes, path.proven_at[1:-1]).tolist() == list(range(1, len(nodes)))
