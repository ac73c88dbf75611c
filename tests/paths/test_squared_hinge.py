"""The squared hinge's path against Newton's method in extended precision, an interior-point solver and liblinear."""

import numpy as np
import piqp
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import LinearSVC

from backdoor_curves.curve.deviation import cosines, norms
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.squared_hinge.path import squared_hinge_path

BETAS = np.array([0.0, 1e-4, 0.013, 0.2, 0.77, 1.0])


def problem(rng, n, d, *, integer=False, repeated=0, rate=0.2):
    """Two overlapping classes, some of the rows poisoned; `repeated` rows twice, one in five with the other label."""
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    X = rng.standard_normal((n, d))
    X[:, 0] += y
    X = np.round(X) if integer else X
    y[rng.random(n) < 0.1] *= -1
    poison = np.zeros(n, dtype=bool)
    poison[rng.choice(n, max(1, int(rate * n)), replace=False)] = True
    X[poison, -1] += 1.5
    y[poison] *= -1
    if repeated:
        again = rng.choice(n, repeated)
        y = np.append(y, np.where(rng.random(repeated) < 0.8, y[again], -y[again]))
        X, poison = np.vstack([X, X[again]]), np.append(poison, poison[again])
    return X, y, poison


def weights(poison, C):
    """u0 and du for rows of one weight."""
    return np.where(poison, 0.0, C), np.where(poison, C, 0.0)


def with_column(X, intercept):
    X = X.toarray() if sp.issparse(X) else X
    return np.column_stack([X, np.tile(intercept.column, (len(X), 1))])


def by_newton(Z, y, u):
    """Damped Newton's method, written out: residuals in extended precision, so that w is right to the last digits."""
    Z, y, u = Z[u > 0].astype(np.longdouble), y[u > 0].astype(np.longdouble), u[u > 0].astype(np.longdouble)

    def objective(w):
        return w @ w / 2 + u @ np.maximum(0, 1 - y * (Z @ w)) ** 2

    w, best = np.zeros(Z.shape[1], dtype=np.longdouble), None
    for _ in range(400):
        slack = np.maximum(0, 1 - y * (Z @ w))
        g = w - Z.T @ (2 * u * y * slack)
        length = np.sqrt(g @ g)
        if best is None or length < best[0]:
            best = (length, w)
        on = slack > 0
        root = np.asarray(Z[on] * np.sqrt(2 * u[on])[:, np.newaxis], dtype=float)
        # |step| by a least-squares problem: half the digits lost that the normal equations would lose.
        scale = float(length) or 1.0
        A = np.vstack([root, np.eye(len(w))])
        R = np.linalg.qr(A, mode="r")
        step = -scale * np.linalg.solve(R, np.linalg.solve(R.T, np.asarray(g / scale, dtype=float)))
        if length <= 1e-17 * (1 + np.sqrt(w @ w)) or np.abs(step).max() <= 1e-19 * (1 + np.abs(w).max()):
            break
        share, start, slope = 1.0, objective(w), g @ step
        while objective(w + share * step) > start + 1e-4 * share * slope and share > 1e-3:
            share /= 2
        w = w + share * step
    return best[1]


def distance(path, X, y, u0, du, intercept, betas, rows):
    """The largest error of a score at each beta."""
    truth = [
        np.asarray(with_column(rows, intercept) @ by_newton(with_column(X, intercept), y, u0 + b * du)) for b in betas
    ]
    return np.abs(path.scores(rows, betas) - np.array(truth, dtype=float)).max(axis=1)


@pytest.mark.parametrize("C", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("intercept", [NONE, penalised(1.0), penalised(3.0)], ids=str)
def test_scores_are_those_of_newtons_method(C, intercept):
    """The path is the optimum at every beta: 1e-9 is what the polynomials between the events are asked for."""
    rng = np.random.default_rng(0)
    X, y, poison = problem(rng, 200, 6)
    u0, du = weights(poison, C)
    path = squared_hinge_path(X, y, u0, du, intercept)
    rows = rng.standard_normal((50, 6))
    betas = np.concatenate([BETAS, rng.random(6), path.knots[:: max(1, len(path.knots) // 6)]])
    assert distance(path, X, y, u0, du, intercept, betas, rows).max() < 3e-9
    np.testing.assert_allclose(path.nodal_scores(rows)[0, :, 0], path.scores(rows, np.zeros(1))[0], atol=1e-12)


def test_scores_are_those_of_an_interior_point_solver():
    """Another algorithm by another author, on the dual: min 1/2 a'(Q + diag(1 / 2u)) a - 1'a over a >= 0."""
    X, y, poison = problem(np.random.default_rng(1), 120, 4)
    u0, du = weights(poison, 0.7)
    path = squared_hinge_path(X, y, u0, du, penalised(2.0))
    Z = with_column(X, penalised(2.0))
    for beta in (0.05, 0.6):
        Q = (Z @ Z.T) * np.outer(y, y) + np.diag(0.5 / (u0 + beta * du))
        solver = piqp.DenseSolver()
        solver.settings.eps_abs, solver.settings.eps_rel = 1e-11, 1e-12
        solver.setup(Q, -np.ones(len(y)), None, None, None, None, None, np.zeros(len(y)), np.full(len(y), np.inf))
        solver.solve()
        w = Z.T @ (y * solver.result.x)
        np.testing.assert_allclose(path.scores(X, np.array([beta]))[0], Z @ w, atol=1e-6)


@pytest.mark.parametrize("kind", ["tall", "wide", "sparse"])
def test_the_path_is_that_of_linear_svc(kind):
    """Coefficients and intercept, at the accuracy that liblinear reaches; class weights are row weights."""
    rng = np.random.default_rng(2)
    X, y, poison = problem(rng, 60, 90 if kind == "wide" else 5)
    X[:, 1] = 0.0
    u0, du = weights(poison, 0.5)
    u0, du = u0 * np.where(y > 0, 2.0, 1.0), du * np.where(y > 0, 2.0, 1.0)
    path = squared_hinge_path(sp.csr_array(X) if kind == "sparse" else X, y, u0, du, penalised(1.5))
    at = path.parameters(np.array([0.0, 0.3]))
    coef, intercept = at.coef[..., 0], at.intercept[:, 0]
    for beta, w, b in zip((0.0, 0.3), coef, intercept, strict=True):
        fit = LinearSVC(C=0.5, class_weight={1: 2.0}, intercept_scaling=1.5, dual=False, tol=1e-10, max_iter=10**5)
        on = ~poison if beta == 0 else np.ones(len(y), dtype=bool)
        fit.fit(X[on], y[on], sample_weight=np.where(poison, beta, 1.0)[on])
        np.testing.assert_allclose(w, fit.coef_[0], atol=1e-6)
        np.testing.assert_allclose(b, fit.intercept_[0], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(4, 40),
    d=st.integers(1, 50),
    C=st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3, 1e4]),
    integer=st.booleans(),
    repeated=st.integers(0, 10),
    intercept=st.sampled_from([NONE, penalised(1.0), penalised(5.0)]),
    weighted=st.booleans(),
)
def test_random_problems_are_followed_and_certified(seed, n, d, C, integer, repeated, intercept, weighted):
    """Ties, repeats, extreme C, fewer rows than features: the path is the optimum and the bounds hold.

    The polynomials are asked for 1e-9; at C = 1e4 what rounding does to the largest multiplier comes on top.
    """
    rng = np.random.default_rng(seed)
    X, y, poison = problem(rng, n, d, integer=integer, repeated=repeated)
    row_weights = rng.choice([0.25, 1.0, 2.0], len(y)) if weighted else np.ones(len(y))
    u0, du = (row_weights * u for u in weights(poison, C))
    path = squared_hinge_path(X, y, u0, du, intercept)
    betas = np.concatenate([BETAS, rng.random(2), path.knots[:2]])
    error = distance(path, X, y, u0, du, intercept, betas, X)
    certificate = path.certificate(betas, [X])
    assert error.max() < 1e-8
    assert (error <= certificate.score_bound).all()
    assert certificate.score_bound.max() < 1e-7
    assert certificate.objective_gap.max() < 1e-9


@pytest.mark.parametrize("C", [1e-2, 1.0, 100.0])
def test_bounds_are_near_the_true_error_of_a_path_that_is_off(C):
    """A bound below the error is wrong, one a hundred times above it says nothing."""
    rng = np.random.default_rng(3)
    X, y, poison = problem(rng, 150, 5)
    u0, du = weights(poison, C)
    path = squared_hinge_path(X, y, u0, du, penalised(1.0))
    betas = rng.random(20)
    for size in (1e-3, 1e-6, 1e-9):
        path.nodal[:] += size * rng.standard_normal(path.nodal.shape)
        error = distance(path, X, y, u0, du, penalised(1.0), betas, X)
        bound = path.certificate(betas, [X]).score_bound
        assert (error <= bound).all()
        assert np.median(bound / error) < 3
        path.nodal[:] = squared_hinge_path(X, y, u0, du, penalised(1.0)).nodal


def test_the_objective_gap_holds_and_is_near():
    """P(w) - P* from the solution in extended precision, for a path moved away from the optimum."""
    rng = np.random.default_rng(4)
    X, y, poison = problem(rng, 100, 4)
    u0, du = weights(poison, 1.0)
    path = squared_hinge_path(X, y, u0, du, penalised(1.0))
    path.nodal[:] += 1e-3 * rng.standard_normal(path.nodal.shape)
    Z, betas = with_column(X, penalised(1.0)), np.array([0.1, 0.9])
    at = path.parameters(betas)
    coef, intercept = at.coef[..., 0], at.intercept[:, 0]
    claimed = path.certificate(betas, [X]).objective_gap
    for beta, w, gap in zip(betas, np.column_stack([coef, intercept]), claimed, strict=True):
        u = u0 + beta * du

        def objective(v, u=u):
            return v @ v / 2 + u @ np.maximum(0, 1 - y * (Z @ v)) ** 2

        least = objective(by_newton(Z, y, u))
        true = float((objective(w) - least) / least)
        assert true <= gap <= 10 * true


def test_derivatives_are_differences_from_the_right():
    """Between events and at them, where the derivative jumps; at beta = 1 from the left."""
    rng = np.random.default_rng(5)
    X, y, poison = problem(rng, 150, 5)
    u0, du = weights(poison, 1.0)
    path = squared_hinge_path(X, y, u0, du, penalised(1.0))
    knots = path.knots
    middles = (knots[:-1] + knots[1:]) / 2
    gaps = np.diff(knots)
    chosen = np.flatnonzero(gaps > 1e-3)[:5]
    assert len(chosen) == 5
    for left, middle in zip(knots[chosen], middles[chosen], strict=True):
        h = 1e-5
        at_middle = np.diff(path.scores(X, np.array([middle - h, middle + h])), axis=0)[0] / (2 * h)
        np.testing.assert_allclose(path.score_derivatives(X, np.array([middle]))[0], at_middle, atol=2e-4)
        f = path.scores(X, np.array([left, left + h, left + 2 * h]))
        from_right = (4 * f[1] - 3 * f[0] - f[2]) / (2 * h)
        np.testing.assert_allclose(path.score_derivatives(X, np.array([left]))[0], from_right, atol=2e-4)
    f = path.scores(X, np.array([1.0, 1 - 1e-5, 1 - 2e-5]))
    at_end = (3 * f[0] - 4 * f[1] + f[2]) / 2e-5
    np.testing.assert_allclose(path.score_derivatives(X, np.ones(1))[0], at_end, atol=2e-4)


def test_knots_are_where_a_margin_crosses_one():
    """An event is a training row on its margin, and every row that changes its side has one."""
    X, y, poison = problem(np.random.default_rng(6), 150, 5)
    path = squared_hinge_path(X, y, *weights(poison, 1.0), penalised(1.0))
    slack = 1.0 - y * path.scores(X, path.knots)
    assert len(path.knots) > 10
    assert np.abs(slack).min(axis=1).max() < 1e-10
    edges = np.concatenate([[0.0], path.knots, [1.0]])
    middles = (edges[1:] + edges[:-1]) / 2
    sides = np.sign(1.0 - y * path.scores(X, middles))
    np.testing.assert_array_equal((np.diff(sides, axis=0) != 0).sum(axis=1), np.ones(len(path.knots)))


@pytest.mark.parametrize("d", [5, 120])
def test_norms_and_angles_leave_the_intercept_out(d):
    """In coordinates of features and of a Gram factor alike."""
    X, y, poison = problem(np.random.default_rng(7), 60, d)
    path = squared_hinge_path(X, y, *weights(poison, 1.0), penalised(4.0))
    gram, betas = path.nodal_gram(), np.array([0.0, 0.2, 1.0])
    coef = path.parameters(betas).coef[..., 0]
    np.testing.assert_allclose(norms(path.interpolant, gram, betas), np.linalg.norm(coef, axis=1), rtol=1e-10)
    angle = coef @ coef[0] / np.linalg.norm(coef, axis=1) / np.linalg.norm(coef[0])
    np.testing.assert_allclose(cosines(path.interpolant, gram, betas), angle, rtol=1e-10)


def test_equal_rows_leave_the_margin_together():
    """Ties are several events at one beta; the path is that of one row with the sum of the weights."""
    X, y, poison = problem(np.random.default_rng(8), 60, 3)
    u0, du = weights(poison, 1.0)
    four = squared_hinge_path(np.tile(X, (4, 1)), np.tile(y, 4), np.tile(u0, 4), np.tile(du, 4), penalised(1.0))
    one = squared_hinge_path(X, y, 4 * u0, 4 * du, penalised(1.0))
    betas = np.linspace(0, 1, 11)
    np.testing.assert_allclose(four.scores(X, betas), one.scores(X, betas), atol=1e-9)


@pytest.mark.parametrize("who", ["no poison", "no clean rows", "one class", "no features"])
def test_what_is_left_out_leaves_a_path(who):
    """With nothing to learn from w is 0, and without poison it does not move."""
    X, y, poison = problem(np.random.default_rng(9), 30, 3)
    poison[:] = poison if who in ("one class", "no features") else who == "no clean rows"
    y = np.where(poison, 1.0, -1.0) if who == "one class" else y
    X = np.zeros_like(X) if who == "no features" else X
    u0, du = weights(poison, 1.0)
    intercept = NONE if who == "no features" else penalised(1.0)
    path = squared_hinge_path(X, y, u0, du, intercept)
    assert distance(path, X, y, u0, du, intercept, BETAS, X).max() < 3e-9


def test_rows_without_weight_are_ignored():
    """A row of weight 0 on both sides is no row."""
    X, y, poison = problem(np.random.default_rng(10), 50, 3)
    u0, du = weights(poison, 1.0)
    u0[:10] = du[:10] = 0.0
    all_rows, others = (
        squared_hinge_path(X, y, u0, du, penalised(1.0)),
        squared_hinge_path(X[10:], y[10:], u0[10:], du[10:], penalised(1.0)),
    )
    np.testing.assert_allclose(all_rows.scores(X, BETAS), others.scores(X, BETAS), atol=1e-10)


def test_a_free_intercept_is_refused_by_name():
    """LinearSVC has none, and the penalty of the equations counts all of w."""
    X, y, poison = problem(np.random.default_rng(9), 30, 3)
    with pytest.raises(ValueError, match="a penalised one or none was expected"):
        squared_hinge_path(X, y, *weights(poison, 1.0), FREE)
