"""The path of an SVM without its kernel matrix is the path, whatever room there is for rows of it."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.svm import SVC

from backdoor_curves.kernels.by_name import RBF, Linear, Polynomial
from backdoor_curves.kernels.matrix import WholeMatrix
from backdoor_curves.kernels.on_demand import RowsOnDemand
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.svm import decomposition, kernel_sums
from backdoor_curves.paths.svm import path as svm_path_module
from backdoor_curves.paths.svm.decomposition import TOGETHER, solve_by_parts
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.paths.svm.path import NotOptimalError
from reference.interior_point import solve

BETAS = np.linspace(0.0, 1.0, 41)
CASES = {
    "Gaussian": (RBF(0.2), FREE, 1.0),
    "Gaussian, large C": (RBF(0.2), FREE, 30.0),
    "Gaussian, tiny C": (RBF(0.2), FREE, 1e-3),
    "Gaussian, penalised": (RBF(0.2), penalised(1.0), 1.0),
    "polynomial": (Polynomial(0.3, 1.0, 2), FREE, 0.1),
    "linear, no intercept": (Linear(), NONE, 0.1),
}


def problem(n=300, repeated=30, sparse=False):
    """Two overlapping classes, a tenth poisoned; some rows twice, half of those with the other label."""
    rng = np.random.default_rng(0)
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    X = rng.normal(size=(n, 6))
    X[:, 0] += y
    poison = np.arange(n) >= n - n // 10
    X[poison, 5] += 2.0
    y[poison] *= -1
    X[:repeated], y[:repeated] = X[repeated : 2 * repeated], y[repeated : 2 * repeated]
    y[: repeated // 2] *= -1
    tests = rng.normal(size=(50, 6))
    if sparse:
        X, tests = (sp.csr_array(np.where(part > 0.3, part, 0.0)) for part in (X, tests))
    return X, y, poison, tests


def followed(rows, kernel, intercept, C, **how):
    X, y, poison, _ = rows
    return svm_path(X, y, np.where(poison, 0.0, C), np.where(poison, C, 0.0), kernel, intercept, **how)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("room", [0.0, 1e9], ids=["fewest rows", "all rows"])
def test_the_path_is_that_of_the_whole_matrix(case, room):
    is_that_of_the_whole_matrix(problem(), case, room)


@pytest.mark.parametrize("case", ["Gaussian", "linear, no intercept"])
def test_the_path_of_sparse_rows_is_that_of_the_whole_matrix(case):
    is_that_of_the_whole_matrix(problem(n=200, sparse=True), case, 0.0)


def is_that_of_the_whole_matrix(rows, case, room):
    whole, few = (
        followed(rows, *CASES[case], matrix_of=matrix_of)
        for matrix_of in (lambda kernel, X: WholeMatrix(kernel(X, X)), partial(RowsOnDemand, room=room))
    )
    assert isinstance(few.problem.matrix, RowsOnDemand)
    # Rows that depend on each other may share their duals in other ways, and have other events; scores are unique.
    np.testing.assert_allclose(few.scores(rows[3], BETAS), whole.scores(rows[3], BETAS), rtol=0, atol=1e-9)
    found = few.certificate(BETAS, [rows[3]])
    assert found.objective_gap.max() < 1e-9
    # On the verge of dependence neither way proves the scores at each beta.
    bound = whole.certificate(BETAS, [rows[3]]).score_bound
    assert (found.score_bound <= np.maximum(1e-6, 2.0 * bound)).all()


@pytest.mark.parametrize("case", ["Gaussian", "Gaussian, penalised", "polynomial"])
def test_its_scores_are_an_interior_points_within_the_certificate(case):
    """Another algorithm by another author, on the matrix."""
    X, y, poison, tests = rows = problem(n=200, repeated=20)
    kernel, intercept, C = CASES[case]
    path = followed(rows, kernel, intercept, C, matrix_of=partial(RowsOnDemand, room=0.0))
    bound = path.certificate(BETAS[::20], [tests]).score_bound
    for k, beta in enumerate(BETAS[::20]):
        best = solve(kernel(X, X) + intercept.shift, y, np.where(poison, beta * C, C), intercept.is_free, tied=1e-12)
        scores = best.offsets(kernel(X, tests) + intercept.shift) + (best.intercept if intercept.is_free else 0.0)
        off = np.abs(path.scores(tests, np.array([beta]))[0] - scores).max()
        assert off <= bound[k] + 1e-7  # the polished interior point is good to 1e-8 or so


@pytest.mark.parametrize("case", ["Gaussian", "linear, no intercept"])
def test_nodes_are_proven_alike_in_one_stretch_or_many(case, monkeypatch):
    """Gaps, inner products of w and scores: stretches overlap, and each looks at the first node."""
    rows = problem(n=500)
    path = followed(rows, *CASES[case])
    one, many = replace(path), replace(path)  # which have nothing kept
    monkeypatch.setattr(svm_path_module, "STRETCH", 10**6)
    gap, gram, scores = one.nodal_gap.proven(1e-9), one.nodal_gram(), one.nodal_scores(rows[3])
    monkeypatch.setattr(svm_path_module, "STRETCH", 10)
    assert len(many.nodal_gap.stretches) > 4
    np.testing.assert_allclose(many.nodal_gap.proven(1e-9), gap, rtol=0, atol=1e-14)
    difference = (many.nodal_gram() - gram).toarray()
    assert np.abs(difference).max() <= 1e-12 * np.abs(gram).max()
    np.testing.assert_allclose(many.nodal_scores(rows[3]), scores, rtol=0, atol=1e-12)
    np.testing.assert_allclose(many.nodal_gap.infeasibility(), one.nodal_gap.infeasibility(), rtol=0, atol=1e-13)


def test_test_rows_are_scored_and_bounded_alike_in_blocks(monkeypatch):
    rows = problem()
    path = followed(rows, *CASES["Gaussian"])
    scores, proof = path.scores(rows[3], BETAS), path.certificate(BETAS, [rows[3]])
    monkeypatch.setattr(kernel_sums, "HELD", 1000)
    np.testing.assert_allclose(path.scores(rows[3], BETAS), scores, rtol=0, atol=1e-13)
    bound = path.certificate(BETAS, [rows[3]]).score_bound
    np.testing.assert_allclose(bound, proof.score_bound, rtol=0.2, atol=0)  # a bound on rounding, of other roundings


@pytest.mark.parametrize("C", [0.1, 10.0])
def test_decomposition_solves_the_dual_to_its_tolerance(C):
    """In more working sets than one; rows without weight stay out."""
    X, y, _, tests = problem(n=3 * TOGETHER)
    u = np.where(np.arange(len(y)) % 5, C, 0.0)
    a, b = solve_by_parts(RowsOnDemand(RBF(0.2), X, room=0.0), y, u, 1e-6)
    assert (a >= 0.0).all()
    assert (a <= u).all()
    assert abs(y @ a) <= 1e-12 * a.sum()
    kept = u > 0.0
    fit = SVC(C=C, gamma=0.2, tol=1e-8).fit(X[kept], y[kept])
    np.testing.assert_allclose((a * y) @ RBF(0.2)(X, tests) + b, fit.decision_function(tests), rtol=0, atol=2e-5)


def test_decomposition_of_rows_that_are_all_0_is_no_division_by_0():
    """Nothing but the intercept moves: of two classes the smaller is at its bound, and so is as much of the other."""
    y = np.array([-1.0, -1.0, 1.0])
    a, b = solve_by_parts(RowsOnDemand(Linear(), np.zeros((3, 2))), y, np.ones(3), 1e-6)
    assert a[2] == 1.0
    assert y @ a == 0.0
    assert b == -1.0


def test_decomposition_ends_soon_where_it_does_not_get_on(monkeypatch):
    """Raw columns at large C: working sets used up their pairs, round after round, for minutes."""
    rng, pairs, solve_part = np.random.default_rng(0), [], decomposition._solve
    X, y = 255.0 * rng.normal(size=(40, 2)), np.where(np.arange(40) % 2, 1.0, -1.0)
    monkeypatch.setattr(decomposition, "_solve", lambda *args: pairs.append(solve_part(*args)) or pairs[-1])
    solve_by_parts(RowsOnDemand(Linear(), X), y, np.full(40, 1e3), 1e-9)
    assert sum(pairs) <= decomposition.ALL_PAIRS + 40 * decomposition.PAIRS_EACH
    path = svm_path(X, y, np.full(40, 1e3), np.zeros(40), Linear(), matrix_of=RowsOnDemand)
    assert path.certificate(np.array([0.0]), [X]).objective_gap.max() < 1e-9


def test_rows_that_were_changed_while_they_were_kept_are_found_out():
    """The proof asks for other parts of the matrix than the walk did."""

    class Changed(RowsOnDemand):
        def _put(self, rows, slots, values):
            super()._put(rows, slots, values + 1e-4 * (rows[:, np.newaxis] % 7 == 0))

    rows = problem()
    try:
        path = followed(rows, *CASES["Gaussian"], matrix_of=Changed)
    except NotOptimalError:
        return
    right = followed(rows, *CASES["Gaussian"])
    wrong = np.abs(path.scores(rows[3], BETAS) - right.scores(rows[3], BETAS)).max(axis=1)
    assert (path.certificate(BETAS, [rows[3]]).score_bound >= wrong).all()
