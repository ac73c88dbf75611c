"""The path of logistic regression of many rows against Newton's method in extended precision, and in any container."""

import numpy as np
import pytest
import scipy.sparse as sp

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.interpolation import halving
from backdoor_curves.paths.linalg import row_parts
from backdoor_curves.paths.linalg.row_parts import parts_of
from backdoor_curves.paths.logistic import logistic_path
from backdoor_curves.paths.tall_logistic import follow, newton, optimality, path, tall_logistic_path
from backdoor_curves.paths.tall_logistic.hessians import Hessians, factored
from paths import test_logistic as few
from paths import test_raw_columns as raw
from reference.logistic_newton import score_derivatives

BETAS, INTERCEPTS = few.BETAS, (FREE, penalised(3.0), NONE)
CASES = [case for case in few.CASES if case.__name__ not in ("wide", "wide_and_repeated", "nearly_repeated")]


def follow_tall(X, y, u0, du, intercept=FREE, tolerance=1e-6):
    """In two parts: a path does not know where one ends."""
    return tall_logistic_path(parts_of(X[: len(y) // 3], X[len(y) // 3 :]), y, u0, du, intercept, tolerance)


@pytest.mark.parametrize("intercept", INTERCEPTS, ids=str)
@pytest.mark.parametrize("C", [1e-6, 1e-3, 1.0, 100.0, 1e4])
def test_scores_are_those_of_newtons_method_to_the_tolerance(C, intercept):
    """The promise, from where the penalty decides alone to where it hardly counts."""
    rng = np.random.default_rng(0)
    X, y, poison = few.problem(rng, 400, 6)
    u0, du = few.weights(poison, C)
    betas = np.concatenate([BETAS, rng.random(4)])
    for tolerance in (1e-4, 1e-6, 1e-8):
        of = follow_tall(X, y, u0, du, intercept, tolerance)
        few.check(of, X, y, u0, du, intercept, tolerance, betas)


@pytest.mark.parametrize("intercept", INTERCEPTS, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_special_problems_are_followed_and_certified(case, intercept):
    """Weights, ties, idle columns, units, one class of poison, no poison: each is a sum like any other."""
    X, y, u0, du = case(np.random.default_rng(1))
    few.check(follow_tall(X, y, u0, du, intercept), X, y, u0, du, intercept, 1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_random_problems_are_followed_and_certified(seed):
    """Many rows of few features, of any C, weights, ties and separation."""
    rng = np.random.default_rng(seed)
    n, d, apart = int(rng.integers(40, 600)), int(rng.integers(1, 9)), float(rng.choice([0.0, 1.0, 8.0]))
    X, y, poison = few.problem(rng, n, d, apart=apart, noise=0.1 * (apart < 5), integer=bool(rng.integers(2)))
    v, C = rng.choice([0.25, 1.0, 2.0], len(y)), float(rng.choice([1e-4, 0.1, 1.0, 30.0, 1e3]))
    u0, du = (v * u for u in few.weights(poison, C))
    intercept = INTERCEPTS[seed % 3]
    of = follow_tall(X, y, u0, du, intercept, 0.3e-6)  # between its nodes a polynomial's error is estimated
    few.check(of, X, y, u0, du, intercept, 1e-6, np.append(BETAS, rng.random(3)))


@pytest.mark.parametrize("table", [name for name in raw.TABLES if name != "counts"])  # it has more columns than rows
@pytest.mark.parametrize("intercept", [FREE, NONE], ids=str)
def test_raw_columns_have_bounds_that_hold_and_are_near(table, intercept):
    """Timestamps and incomes: in the metric of the Hessian the bound knows no units."""
    X, says = raw.TABLES[table](np.random.default_rng(2), 300)
    y, poison = np.where(says, 1.0, -1.0), np.arange(300) % 9 == 0
    y[poison] = 1.0
    u0, du = few.weights(poison, 1.0)
    of = follow_tall(X, y, u0, du, intercept)
    assert np.median(few.check(of, X, y, u0, du, intercept, 1e-6)) < 1e4
    assert of.certificate(BETAS, [X]).score_bound.max() < 1e-6


def test_rows_in_any_container_have_one_path(tmp_path):
    """Blocks are made double when their turn comes, so that bits are those of rows made double beforehand."""
    rng = np.random.default_rng(3)
    X, y, poison = few.problem(rng, 500, 6)
    X = X.astype(np.float32)
    u0, du = few.weights(poison, 2.0)
    np.save(tmp_path / "rows.npy", X)
    right = follow_tall(X.astype(float), y, u0, du)
    kinds = X, np.load(tmp_path / "rows.npy", mmap_mode="r"), sp.csr_array(X), np.asfortranarray(X)
    for rows in kinds:
        of = follow_tall(rows, y, u0, du)
        np.testing.assert_array_equal(of.nodal, right.nodal)
        one, other = of.certificate(BETAS, [X]), right.certificate(BETAS, [X])
        np.testing.assert_array_equal(one.score_bound, other.score_bound)


def test_blocks_of_any_size_say_the_same(monkeypatch):
    """A sum has no blocks, but for rounding."""
    X, y, poison = few.problem(np.random.default_rng(4), 700, 5)
    u0, du = few.weights(poison, 1.0)
    whole = follow_tall(X, y, u0, du)
    monkeypatch.setattr(row_parts, "CACHED", 1)
    monkeypatch.setattr(row_parts, "FEWEST", 7)
    np.testing.assert_allclose(follow_tall(X, y, u0, du).scores(X, BETAS), whole.scores(X, BETAS), atol=1e-9)


@pytest.mark.parametrize("intercept", INTERCEPTS, ids=str)
def test_bounds_hold_far_from_the_optimum(intercept, monkeypatch):
    """However few steps bring it nearer; a row of zeros has the intercept for its score."""
    rng = np.random.default_rng(5)
    X, y, poison = few.problem(rng, 100, 4)
    zeros = np.zeros((1, 4))
    for steps, C in ((0, 10.0), (1, 0.1), (optimality.REFINEMENTS, 10.0)):
        monkeypatch.setattr(optimality, "REFINEMENTS", steps)
        u0, du = few.weights(poison, C)
        of = follow_tall(X, y, u0, du, intercept)
        best = few.optima(X, y, u0, du, intercept, BETAS)
        right = of.nodal.copy()
        for size in (1e-5, 1e-3, 0.03, 0.3, 3.0, 30.0):
            of.nodal[:] = right + size * rng.standard_normal(right.shape)
            few.check(of, X, y, u0, du, intercept, np.inf)
            bound = of.certificate(BETAS, [zeros]).score_bound
            assert (few.errors(of, zeros, best, BETAS) <= bound + np.array([each.error for each in best])).all()


@pytest.mark.parametrize("C", [1e-2, 1.0, 300.0])
@pytest.mark.parametrize("intercept", [FREE, penalised(1.0)], ids=str)
def test_bounds_are_near_the_true_error(C, intercept):
    """For the path itself, and for one that is off."""
    rng = np.random.default_rng(6)
    X, y, poison = few.problem(rng, 400, 5)
    u0, du = few.weights(poison, C)
    of, betas = follow_tall(X, y, u0, du, intercept), rng.random(10)
    right = of.nodal.copy()
    for size in (1e-2, 1e-4, 1e-6, 0.0):
        of.nodal[:] = right + size * rng.standard_normal(right.shape)
        assert np.median(few.check(of, X, y, u0, du, intercept, np.inf, betas)) < 1.2


@pytest.mark.parametrize("C", [1e-2, 1.0, 100.0])
@pytest.mark.parametrize("intercept", INTERCEPTS, ids=str)
def test_derivatives_are_those_of_the_optimality_condition(C, intercept):
    """To rounding, whatever the tolerance of the path; at beta = 0 too."""
    X, y, poison = few.problem(np.random.default_rng(7), 300, 5)
    u0, du = few.weights(poison, C)
    of = follow_tall(X, y, u0, du, intercept, 1e-4)
    best = few.optima(X, y, u0, du, intercept, BETAS)
    right = np.array([score_derivatives(X, y, u0 + beta * du, du, b) for beta, b in zip(BETAS, best, strict=True)])
    size = np.abs(right).max(axis=1)
    assert (np.abs(of.score_derivatives(X, BETAS) - right).max(axis=1) < 1e-8 * size).all()
    assert (np.abs(of.score_derivatives(X, np.zeros(1))[0] - right[0]).max() < 1e-8 * size[0]).all()


@pytest.mark.parametrize("intercept", INTERCEPTS, ids=str)
def test_influences_are_those_of_the_path_of_few_rows(intercept):
    """Another implementation of the same condition."""
    rng = np.random.default_rng(8)
    X, y, poison = few.problem(rng, 300, 5)
    X[:, 2] = 0.0
    u0, du = few.weights(poison, 3.0)
    rows, g = rng.standard_normal((20, 5)), rng.standard_normal((20, 1))
    for beta in (0.0, 0.4):
        one, other = (of(X, y, u0, du, intercept, 1e-9).response(beta) for of in (follow_tall, logistic_path))
        right = other.influence(rows, g)
        np.testing.assert_allclose(one.influence(rows, g), right, atol=1e-9 * np.abs(right).max())
        np.testing.assert_allclose(one.tangent(rows).rates, other.tangent(rows).rates, rtol=1e-6)
        np.testing.assert_array_equal(one.rows, other.rows)


def test_parameters_are_those_of_the_path_of_few_rows():
    """Coefficients of all features, idle ones too, intercepts, and inner products."""
    X, y, poison = few.problem(np.random.default_rng(9), 300, 5)
    X[:, 1], X[:, 3] = 0.0, 1000.0 + 500.0 * X[:, 3]
    u0, du = few.weights(poison, 3.0)
    one, other = (of(X, y, u0, du, FREE, 1e-9) for of in (follow_tall, logistic_path))
    mine, right = one.parameters(BETAS), other.parameters(BETAS)
    np.testing.assert_allclose(mine.coef, right.coef, atol=1e-8)
    np.testing.assert_allclose(mine.intercept, right.intercept, atol=1e-6)
    assert not mine.coef[:, 1].any()
    nodes = one.interpolant.nodes
    w = one.parameters(nodes).coef[..., 0]
    np.testing.assert_allclose(one.nodal_gram(), w @ w.T, rtol=1e-9)


def test_a_hessian_between_others_is_nearly_the_polynomial_through_them():
    """Of a matrix that is a cubic in tau it is the matrix; what is none in between, the nearest stands for."""
    rng = np.random.default_rng(10)
    A = [B @ B.T for B in rng.standard_normal((4, 5, 5))]
    at = lambda tau: sum(tau**k * each for k, each in enumerate(A))  # noqa: E731
    known = Hessians()
    for tau in (0.0, 0.5, 1.0, 2.0, 3.0):
        known.add(tau, at(tau))
    b = rng.standard_normal((5, 1))
    np.testing.assert_allclose(known.near(0.7).solve(b), np.linalg.solve(at(0.7), b), rtol=1e-8)
    np.testing.assert_allclose(known.near(9.0).solve(b), np.linalg.solve(at(3.0), b), rtol=1e-8)
    bent = Hessians()
    for tau, size in ((0.0, 1.0), (1.0, 1e-6), (1.1, 1e6)):
        bent.add(tau, size * np.eye(5))
    assert factored(-np.eye(5)) is None
    np.testing.assert_allclose(bent.near(0.6).solve(b), 1e6 * b)


def test_what_is_no_number_is_refused():
    """Before it has made a number of something else."""
    X, y, poison = few.problem(np.random.default_rng(11), 100, 3)
    X[7, 1] = np.nan
    with pytest.raises(ValueError, match="finite features were expected, some are NaN, infinite or too large"):
        follow_tall(X, y, *few.weights(poison, 1.0))


def test_a_file_that_was_cut_short_is_refused(tmp_path):
    """To read beyond its end would end the process."""
    X, y, poison = few.problem(np.random.default_rng(12), 3000, 3)
    np.save(tmp_path / "rows.npy", X)
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    with (tmp_path / "rows.npy").open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(ValueError, match=r"72128 bytes of 3000 rows were expected, 5000 are there; .* cut short"):
        follow_tall(rows, y, *few.weights(poison, 1.0))


def test_one_class_and_a_free_intercept_have_no_optimum():
    """It would run off to infinity."""
    X, _, poison = few.problem(np.random.default_rng(13), 30, 3)
    with pytest.raises(PathError, match="clean rows of both classes were expected"):
        follow_tall(X, np.where(poison, -1.0, 1.0), *few.weights(poison, 1.0))


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ((halving, "MOST_NODES"), 5, "nodes did not bring the path within"),
        ((newton, "MOST_STEPS"), 1, "1 Newton"),
    ],
)
def test_what_does_not_arrive_is_refused(limit, value, said, monkeypatch):
    """The message has what was tried and what helps."""
    X, y, poison = few.problem(np.random.default_rng(14), 200, 4)
    monkeypatch.setattr(*limit, value)
    with pytest.raises(PathError, match=said):
        follow_tall(X, y, *few.weights(poison, 10.0), tolerance=1e-9)


def halve_the_penalty(monkeypatch):
    of = follow.Sums
    monkeypatch.setattr(follow, "Sums", lambda *args: of(*args[:-1], args[-1] / 2))


def believe_any_distance(monkeypatch):
    monkeypatch.setattr(optimality, "_distance", lambda _, g: np.zeros(g.shape[1]))
    monkeypatch.setattr(optimality, "REFINEMENTS", 0)


def forget_the_intercept(monkeypatch):
    of = optimality._bounded

    def without_shift(*args):
        return type(found := of(*args))(**{**vars(found), "shift": 0.0 * found.shift, "length": 0.0 * found.length})

    monkeypatch.setattr(optimality, "_bounded", without_shift)
    monkeypatch.setattr(optimality, "REFINEMENTS", 0)


@pytest.mark.parametrize("break_it", [halve_the_penalty, believe_any_distance, forget_the_intercept])
def test_broken_formulas_are_noticed(break_it, monkeypatch):
    """A check that a wrong formula passes would be no check."""
    X, y, poison = few.problem(np.random.default_rng(15), 300, 6)
    u0, du = few.weights(poison, 10.0)
    break_it(monkeypatch)
    monkeypatch.setattr(path, "SEEN", 1e300)
    of = follow_tall(X, y, u0, du, tolerance=1e-3)
    with pytest.raises(AssertionError):
        few.check(of, X, y, u0, du, FREE, 1e-3)
