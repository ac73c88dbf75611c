"""The path of logistic regression against Newton's method in extended precision, scikit-learn and differences."""

from math import factorial

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from backdoor_curves.curve.deviation import cosines, norms
from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.linalg.coordinates import coordinates
from backdoor_curves.paths.logistic import anchors, follow, logistic_path, optimality
from backdoor_curves.paths.logistic.anchors import Anchor, hermite
from backdoor_curves.paths.logistic.problem import Factor, Problem, newton
from reference.logistic_newton import objective, optimum, penalty, score_derivatives, with_column

BETAS = np.array([0.0, 1e-6, 1e-3, 0.04, 0.3, 0.77, 1.0])
INTERCEPTS = (FREE, penalised(1.0), penalised(3.0), NONE)


def problem(rng, n, d, *, apart=1.0, noise=0.1, integer=False, repeated=0, rate=0.2):
    """Two classes, some of the rows poisoned; `repeated` rows twice, one in five with the other label."""
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    X = rng.standard_normal((n, d))
    X[:, 0] += apart * y
    X = np.round(X) if integer else X
    y[rng.random(n) < noise] *= -1
    poison = np.zeros(n, dtype=bool)
    poison[rng.choice(n, max(1, int(rate * n)), replace=False)] = True
    X[poison, -1] += 1.5
    y[poison] *= -1
    y[np.flatnonzero(~poison)[:2]] = 1.0, -1.0  # a free intercept needs both classes
    if repeated:
        again = rng.choice(n, repeated)
        y = np.append(y, np.where(rng.random(repeated) < 0.8, y[again], -y[again]))
        X, poison = np.vstack([X, X[again]]), np.append(poison, poison[again])
    return X, y, poison


def weights(poison, C):
    """u0 and du for rows of one weight."""
    return np.where(poison, 0.0, C), np.where(poison, C, 0.0)


def optima(X, y, u0, du, intercept, betas):
    return [optimum(X, y, u0 + beta * du, intercept) for beta in betas]


def errors(path, X, best, betas):
    """The largest error of a score of the rows X at each beta."""
    truth = np.array([each.scores(X) for each in best])
    return np.abs(path.scores(X, betas) - truth).max(axis=1).astype(float)


def check(path, X, y, u0, du, intercept, tolerance, betas=BETAS):
    """Scores are within the tolerance, and no bound is below what it bounds. Return the scores' bounds over errors.

    What the oracle says it is off by itself, some 1e-17, is all that is allowed.
    """
    best = optima(X, y, u0, du, intercept, betas)
    error, certificate = errors(path, X, best, betas), path.certificate(betas, [X])
    assert error.max() <= tolerance
    assert (error <= certificate.score_bound + np.array([each.error for each in best])).all()
    Z = with_column(X, intercept).astype(np.longdouble)
    R = penalty(Z.shape[1], intercept)
    at = path.parameters(betas)
    coef, b = at.coef[..., 0], at.intercept[:, 0]
    for i, beta in enumerate(betas):
        own = [b[i] / s for s in intercept.column]
        value = objective(Z, R, y, u0 + beta * du, np.append(coef[i], own).astype(np.longdouble))
        assert value - best[i].objective <= certificate.objective_gap[i] * value
    return certificate.score_bound / np.maximum(error, 1e-17)


@pytest.mark.parametrize("intercept", INTERCEPTS, ids=str)
@pytest.mark.parametrize("C", [1e-6, 1e-3, 1.0, 100.0, 1e4])
def test_scores_are_those_of_newtons_method_to_the_tolerance(C, intercept):
    """The promise, from where the penalty decides alone to where it hardly counts."""
    rng = np.random.default_rng(0)
    X, y, poison = problem(rng, 150, 6)
    u0, du = weights(poison, C)
    betas = np.concatenate([BETAS, rng.random(4)])
    for tolerance in (1e-4, 1e-6, 1e-8):
        check(logistic_path(X, y, u0, du, intercept, tolerance), X, y, u0, du, intercept, tolerance, betas)


def separable(rng):
    X, y, poison = problem(rng, 80, 5, apart=6.0, noise=0.0, rate=0.1)
    return X, y, *weights(poison, 100.0)


def weighted(rng):
    X, y, poison = problem(rng, 80, 5)
    u0, du = weights(poison, 2.0)
    v = rng.choice([0.0, 0.25, 1.0, 7.0], 80)
    return X, y, v * u0, v * du


def repeated(rng):
    X, y, poison = problem(rng, 50, 4, integer=True, repeated=60)
    return X, y, *weights(poison, 10.0)


def idle_features(rng):
    X, y, poison = problem(rng, 80, 6)
    X[:, 1], X[:, 2] = 0.0, 1.0
    return X, y, *weights(poison, 3.0)


def units(rng):
    X, y, poison = problem(rng, 80, 6)
    return X * np.geomspace(1e-3, 1e3, 6), y, *weights(poison, 0.1)


def long_and_short_rows(_):
    rng = np.random.default_rng(2)  # one of those where full Newton steps never arrive
    X, y, poison = problem(rng, 50, 6)
    return X * np.exp(1.5 * rng.standard_normal((50, 1))), y, *weights(poison, 2000.0)


def wide(rng):
    X, y, poison = problem(rng, 40, 90)
    return X, y, *weights(poison, 5.0)


def wide_and_repeated(rng):
    X, y, poison = problem(rng, 30, 90, repeated=15)
    return X, y, *weights(poison, 5.0)


def nearly_repeated(rng):
    X, y, poison = problem(rng, 30, 90, repeated=15)
    X[30:] += 1e-7 * rng.standard_normal((15, 90))  # less than the Gram matrix can tell
    return X, y, *weights(poison, 5.0)


def no_poison(rng):
    X, y, _ = problem(rng, 60, 4)
    return X, y, np.full(60, 2.0), np.zeros(60)


def one_class_of_poison(rng):
    X, y, poison = problem(rng, 60, 4)
    y[poison] = 1.0
    return X, y, *weights(poison, 10.0)


def one_clean_row_a_class(rng):
    X, y, poison = problem(rng, 60, 4)
    poison[:] = True
    poison[[np.argmax(y > 0), np.argmax(y < 0)]] = False
    return X, y, *weights(poison, 1.0)


def mostly_poison(rng):
    X, y, poison = problem(rng, 60, 4, rate=0.8)
    return X, y, *weights(poison, 1.0)


CASES = [
    separable,
    weighted,
    repeated,
    idle_features,
    units,
    long_and_short_rows,
    wide,
    wide_and_repeated,
    nearly_repeated,
    no_poison,
    one_class_of_poison,
    one_clean_row_a_class,
    mostly_poison,
]


@pytest.mark.parametrize("intercept", INTERCEPTS, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_special_problems_are_followed_and_certified(case, intercept):
    """Each has a way of its own through the linear algebra, or nothing to follow."""
    X, y, u0, du = case(np.random.default_rng(1))
    check(logistic_path(X, y, u0, du, intercept), X, y, u0, du, intercept, 1e-6)


@pytest.mark.parametrize("intercept", [penalised(1.0), NONE], ids=str)
@pytest.mark.parametrize("who", ["no clean rows", "one class", "no features"])
def test_with_a_penalised_intercept_little_is_needed(who, intercept):
    """P is strongly convex, so that there is an optimum whatever the rows."""
    X, y, poison = problem(np.random.default_rng(2), 30, 3)
    if who == "no clean rows":
        poison[:] = True
    elif who == "one class":
        y[:] = 1.0
    else:
        X[:] = 0.0
    u0, du = weights(poison, 1.0)
    check(logistic_path(X, y, u0, du, intercept), X, y, u0, du, intercept, 1e-6)


def test_one_class_and_a_free_intercept_have_no_optimum():
    """It would run off to infinity: the message names the reason, and no lambda helps."""
    X, _, poison = problem(np.random.default_rng(3), 30, 3)
    with pytest.raises(PathError, match="clean rows of both classes were expected"):
        logistic_path(X, np.where(poison, -1.0, 1.0), *weights(poison, 1.0))


def test_a_path_beyond_double_precision_is_refused():
    """Huge rows with both labels that differ by a hair: rounding moves scores by more, and no anchor mends it."""
    rng = np.random.default_rng(5)
    X, y, poison = problem(rng, 20, 8, repeated=10)
    X[20:] += 1e-7 * rng.standard_normal((10, 8))
    y[20:] *= -1
    with pytest.raises(PathError, match=r"300 anchors did not.*within 1e-08; raise lambda or tolerance, or rescale"):
        logistic_path(1e3 * X, y, *weights(poison, 1e3), tolerance=1e-8)


def test_csr_rows_have_the_path_of_dense_ones():
    """The same numbers in another container, tall and wide."""
    for n, d in ((60, 8), (30, 70)):
        X, y, poison = problem(np.random.default_rng(5), n, d)
        X[np.abs(X) < 1.0] = 0.0
        u0, du = weights(poison, 2.0)
        dense, sparse = logistic_path(X, y, u0, du), logistic_path(sp.csr_array(X), y, u0, du)
        np.testing.assert_allclose(sparse.scores(sp.csr_array(X), BETAS), dense.scores(X, BETAS), atol=1e-8)
        one, other = sparse.certificate(BETAS, [sp.csr_array(X)]), dense.certificate(BETAS, [X])
        np.testing.assert_allclose(one.score_bound, other.score_bound, atol=1e-8)


def test_coordinates_at_hand_are_used():
    """They are a matter of speed only."""
    X, y, poison = problem(np.random.default_rng(6), 30, 70)
    u0, du = weights(poison, 2.0)
    space = coordinates(X)
    path = logistic_path(X, y, u0, du, space=space)
    assert path.space is space
    np.testing.assert_array_equal(path.scores(X, BETAS), logistic_path(X, y, u0, du).scores(X, BETAS))


@pytest.mark.parametrize("intercept", INTERCEPTS, ids=str)
@pytest.mark.parametrize("d", [6, 200])
def test_scores_are_those_of_the_parameters(d, intercept):
    """f = X coef + intercept, at the nodes and between them."""
    rng = np.random.default_rng(7)
    X, y, poison = problem(rng, 100, d)
    path = logistic_path(X, y, *weights(poison, 1.0), intercept)
    rows = rng.standard_normal((20, d))
    for betas, scores in (
        (BETAS, path.scores(rows, BETAS)),
        (path.interpolant.nodes, path.nodal_scores(rows)[:, :, 0]),
    ):
        at = path.parameters(betas)
        coef, b = at.coef[..., 0], at.intercept[:, 0]
        np.testing.assert_allclose(scores, coef @ rows.T + b[:, np.newaxis], atol=1e-12)
    assert (intercept == NONE) == (not b.any())


@pytest.mark.parametrize("intercept", [FREE, penalised(4.0)], ids=str)
@pytest.mark.parametrize("d", [5, 120])
def test_norms_and_angles_are_those_of_refits(d, intercept):
    """Without the intercept, in coordinates of features and of a Gram factor alike."""
    X, y, poison = problem(np.random.default_rng(8), 60, d)
    u0, du = weights(poison, 3.0)
    path = logistic_path(X, y, u0, du, intercept, 1e-8)
    w = np.array([best.coef for best in optima(X, y, u0, du, intercept, BETAS)])
    length = np.linalg.norm(w, axis=1)
    gram = path.nodal_gram()
    np.testing.assert_allclose(norms(path.interpolant, gram, BETAS), length, rtol=1e-7)
    np.testing.assert_allclose(cosines(path.interpolant, gram, BETAS), w @ w[0] / length / length[0], atol=1e-7)


@pytest.mark.parametrize("C", [1e-2, 1.0, 300.0])
@pytest.mark.parametrize("intercept", [FREE, penalised(1.0)], ids=str)
def test_bounds_are_near_the_true_error(C, intercept):
    """For the path itself, and for one that is off: a bound a hundred times above the error says nothing."""
    rng = np.random.default_rng(9)
    X, y, poison = problem(rng, 150, 5)
    u0, du = weights(poison, C)
    path, betas = logistic_path(X, y, u0, du, intercept), rng.random(20)
    assert np.median(check(path, X, y, u0, du, intercept, 1e-6, betas)) < 100
    right = path.nodal.copy()
    for size in (1e-2, 1e-4, 1e-6, 1e-8):
        path.nodal[:] = right + size * rng.standard_normal(right.shape)
        assert np.median(check(path, X, y, u0, du, intercept, np.inf, betas)) < 1.1


@pytest.mark.parametrize("corrections", [0, 1, 5])
@pytest.mark.parametrize("intercept", INTERCEPTS, ids=str)
def test_bounds_hold_far_from_the_optimum(intercept, corrections, monkeypatch):
    """However few corrections there are; far away the curvature is another, and what it says must not be believed.

    A row of zeros has the intercept for its score, which only the training rows say anything about.
    """
    monkeypatch.setattr(optimality, "REFINEMENTS", corrections)
    rng = np.random.default_rng(10)
    X, y, poison = problem(rng, 100, 4)
    zeros = np.zeros((1, 4))
    for C in (0.1, 10.0):
        u0, du = weights(poison, C)
        path = logistic_path(X, y, u0, du, intercept)
        best = optima(X, y, u0, du, intercept, BETAS)
        right = path.nodal.copy()
        for size in (1e-5, 1e-3, 0.03, 0.3, 3.0, 30.0):
            path.nodal[:] = right + size * rng.standard_normal(right.shape)
            check(path, X, y, u0, du, intercept, np.inf)
            bound = path.certificate(BETAS, [zeros]).score_bound
            assert (errors(path, zeros, best, BETAS) <= bound + np.array([each.error for each in best])).all()


def test_the_objective_gap_is_near_the_true_one():
    """P(w) - P* in extended precision, for a path moved away from the optimum."""
    rng = np.random.default_rng(11)
    X, y, poison = problem(rng, 100, 4)
    u0, du = weights(poison, 1.0)
    path = logistic_path(X, y, u0, du, penalised(1.0))
    path.nodal[:] += 1e-3 * rng.standard_normal(path.nodal.shape)
    Z, betas = with_column(X, penalised(1.0)), np.array([0.0, 0.1, 0.9])
    at = path.parameters(betas)
    coef, b = at.coef[..., 0], at.intercept[:, 0]
    claimed = path.certificate(betas, [X]).objective_gap
    for i, best in enumerate(optima(X, y, u0, du, penalised(1.0), betas)):
        value = objective(Z, np.ones(5), y, u0 + betas[i] * du, np.append(coef[i], b[i]))
        true = float((value - best.objective) / value)
        assert true <= claimed[i] <= 1.01 * true


def test_a_certificate_holds_for_whatever_betas_are_asked():
    """Neighbours share a Hessian: with others or alone, twice or in another order, bounds stay near each other."""
    rng = np.random.default_rng(12)
    X, y, poison = problem(rng, 100, 4)
    u0, du = weights(poison, 1e4)  # at beta = 0 poison rows have no curvature at all, and 1e4 / 4 at beta = 1
    path = logistic_path(X, y, u0, du)
    betas = np.array([1.0, 0.0, 0.0, 1e-9, 1e-3, 1.1e-3, 1e-9, 0.5])
    together = path.certificate(betas, [X[:50], X[50:]])
    alone = np.array([path.certificate(np.array([beta]), [X]).score_bound[0] for beta in betas])
    np.testing.assert_array_equal(together.betas, betas)
    np.testing.assert_allclose(together.score_bound, alone, rtol=0.1, atol=1e-10)
    assert len(path.certificate(np.empty(0), [X]).score_bound) == 0
    assert (path.certificate(betas, [X[:0]]).score_bound < together.score_bound).all()


@pytest.mark.parametrize("intercept", [FREE, penalised(1.0)], ids=str)
def test_distances_hold_with_the_hessian_of_another_beta(intercept):
    """Where the rows have a share of the curvature that was factored, so has the Hessian; |w - w*|_H from refits."""
    X, y, poison = problem(np.random.default_rng(13), 100, 4)
    u0, du = weights(poison, 1.0)
    path = logistic_path(X, y, u0, du, intercept)
    beta = np.array([0.4])
    (best,) = optima(X, y, u0, du, intercept, beta)
    w = best.w.astype(float)[:, np.newaxis]
    W = path._optimality._centred(w + 1e-4 * np.random.default_rng(14).standard_normal(w.shape), beta)
    g, D = path.problem.gradient(W, path.problem.Z @ W, beta)
    H = np.diag(path.problem.R) + (path.problem.Z * D).T @ path.problem.Z
    off = (W - w)[:, 0]
    true = float(np.sqrt(off @ H @ off))
    assert true < np.linalg.norm(g)  # otherwise nothing but the plain bound would be tested
    for factored in (1.0, 3.0, 30.0):
        D0 = D[:, 0] * np.linspace(1.0, factored, len(y))
        (bound,) = path._optimality._distance(g, D, D0, path.problem.hessian(D0))
        assert true < bound < 1.3 * np.sqrt(factored) * true


@pytest.mark.parametrize("C", [1e-2, 1.0, 100.0])
@pytest.mark.parametrize("intercept", [FREE, penalised(1.0), NONE], ids=str)
def test_derivatives_are_those_of_the_optimality_condition(C, intercept):
    """H dw/dbeta = Z'(y du sigma(-y f)) at fresh optima; at beta = 0 too, where the polynomials' ends are.

    At the default tolerance of 1e-6 a polynomial of degree 20 has kept 1e-6 of the largest derivative.
    """
    X, y, poison = problem(np.random.default_rng(15), 120, 5)
    u0, du = weights(poison, C)
    path = logistic_path(X, y, u0, du, intercept)
    for beta, best in zip(BETAS, optima(X, y, u0, du, intercept, BETAS), strict=True):
        right = score_derivatives(X, y, u0 + beta * du, du, best)
        got = path.score_derivatives(X, np.array([beta]))[0]
        assert np.abs(got - right).max() < 1e-5 * np.abs(right).max()


def test_derivatives_are_differences_of_refits():
    """Without any formula; the step leaves h^4 of its five points, and rounding 1e-16 / h."""
    X, y, poison = problem(np.random.default_rng(16), 120, 5)
    u0, du = weights(poison, 1.0)
    path, h = logistic_path(X, y, u0, du), 1e-3
    for beta in (0.1, 0.5, 0.9):
        f = [best.scores(X) for best in optima(X, y, u0, du, FREE, beta + h * np.array([-2, -1, 1, 2]))]
        right = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h)
        got = path.score_derivatives(X, np.array([beta]))[0]
        assert np.abs(got - right).max() < 1e-5 * np.abs(right).max()


@pytest.mark.parametrize("intercept", INTERCEPTS, ids=str)
def test_the_path_is_that_of_scikit_learn(intercept):
    """Another implementation, at the accuracy that its solvers reach; class weights are row weights."""
    X, y, poison = problem(np.random.default_rng(17), 100, 5)
    u = 0.5 * np.where(y > 0, 2.0, 1.0)
    path = logistic_path(X, y, np.where(poison, 0.0, u), np.where(poison, u, 0.0), intercept)
    if intercept.is_free:
        fit = LogisticRegression(C=0.5, class_weight={1: 2.0}, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    else:
        fit = LogisticRegression(
            C=0.5,
            class_weight={1: 2.0},
            solver="liblinear",
            fit_intercept=intercept != NONE,
            intercept_scaling=intercept.scaling,
            tol=1e-10,
            max_iter=10_000,
        )
    at = path.parameters(np.array([0.0, 0.3]))
    for beta, w, b in zip((0.0, 0.3), at.coef[..., 0], at.intercept[:, 0], strict=True):
        on = ~poison if beta == 0 else np.ones(len(y), dtype=bool)
        fit.fit(X[on], y[on], sample_weight=np.where(poison, beta, 1.0)[on])
        np.testing.assert_allclose(w, fit.coef_[0], atol=1e-6)
        np.testing.assert_allclose(b, fit.intercept_ if intercept == NONE else fit.intercept_[0], atol=1e-6)


@pytest.mark.parametrize("d", [5, 90])
def test_the_order_of_rows_does_not_matter(d):
    """A sum has no order; the Gram factor takes other rows for its basis."""
    rng = np.random.default_rng(18)
    X, y, poison = problem(rng, 60, d)
    u0, du = weights(poison, 1.0)
    i = rng.permutation(60)
    one, other = logistic_path(X, y, u0, du), logistic_path(X[i], y[i], u0[i], du[i])
    np.testing.assert_allclose(one.scores(X, BETAS), other.scores(X, BETAS), atol=2e-6)


@pytest.mark.parametrize("d", [5, 90])
def test_an_integer_weight_is_that_many_copies(d):
    """And a row of weight 0 is no row."""
    rng = np.random.default_rng(19)
    X, y, poison = problem(rng, 60, d)
    times = rng.integers(0, 4, 60)
    times[:2] = 1
    u0, du = weights(poison, 1.0)
    one = logistic_path(X, y, times * u0, times * du)
    X_all, y_all, u0_all, du_all = (np.repeat(a, times, axis=0) for a in (X, y, u0, du))
    np.testing.assert_allclose(
        one.scores(X, BETAS), logistic_path(X_all, y_all, u0_all, du_all).scores(X, BETAS), atol=2e-6
    )


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(4, 40),
    d=st.integers(1, 50),
    C=st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3, 1e4]),
    apart=st.sampled_from([0.0, 1.0, 8.0]),
    integer=st.booleans(),
    repeated=st.integers(0, 10),
    unit=st.sampled_from([1e-3, 1.0, 1.0, 30.0]),
    intercept=st.sampled_from(INTERCEPTS),
    weighted=st.booleans(),
)
# A stretch so long that the polynomial between its ends is beyond all rows: no curvature is left there.
@example(seed=16986, n=16, d=10, C=1e3, apart=0.0, integer=False, repeated=9, unit=30.0, intercept=FREE, weighted=False)
@example(seed=131569, n=23, d=11, C=1e4, apart=0.0, integer=False, repeated=0, unit=1.0, intercept=FREE, weighted=True)
def test_random_problems_are_followed_and_certified(seed, n, d, C, apart, integer, repeated, unit, intercept, weighted):
    """Ties, repeats, separable classes, extreme C, few rows: the path is the optimum, and the bounds hold."""
    rng = np.random.default_rng(seed)
    X, y, poison = problem(rng, n, d, apart=apart, noise=0.1 * (apart < 5), integer=integer, repeated=repeated)
    v = rng.choice([0.25, 1.0, 2.0], len(y)) if weighted else np.ones(len(y))
    u0, du = (v * u for u in weights(poison, C / max(unit, 1.0) ** 2))
    path = logistic_path(unit * X, y, u0, du, intercept, 0.3e-6)  # between its points a polynomial's error is estimated
    check(path, unit * X, y, u0, du, intercept, 1e-6, np.append(BETAS, rng.random(2)))


# --- the parts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("C", [0.1, 1e6])
@pytest.mark.parametrize("intercept", [FREE, penalised(1.0)], ids=str)
def test_taylor_coefficients_are_those_of_a_polynomial_through_refits(C, intercept):
    """A wrong recurrence would cost speed only, so that scores do not tell.

    w(beta + unit t) at Chebyshev points |t| <= r, in extended precision, gives the coefficients with r^16 to spare. At
    the smaller C they are computed in single precision, at the larger in double.
    """
    X, y, poison = problem(np.random.default_rng(20), 60, 3, rate=0.3)
    u0, du = weights(poison, C)
    Z, beta, order = with_column(X, intercept), 0.3, anchors.ORDER
    unit, r = 0.3, 0.6
    of = Problem(Z, y, u0, du, penalty(Z.shape[1], intercept))
    w, f, _ = newton(of, np.zeros(Z.shape[1]), beta, 1e-12)
    factor = of.hessian(of.gradient(w[:, np.newaxis], f[:, np.newaxis], np.array([beta]))[1][:, 0])
    got = anchors.taylor(of, f, beta, unit, factor, order)
    t = np.cos(np.arccos(np.longdouble(-1)) * (np.arange(24) + np.longdouble(0.5)) / 24)
    W = np.array([optimum(X, y, u0 + (beta + unit * r * each) * du, intercept).w for each in t])
    series = 2 * np.polynomial.chebyshev.chebvander(t, 23).T @ W / 24
    series[0] /= 2
    right = np.array([np.polynomial.chebyshev.cheb2poly(column)[1 : order + 1] for column in series.T])
    right = right / r ** np.arange(1, order + 1)
    sizes = np.abs(right).max(axis=0)
    assert factor.L.dtype == (np.float32 if C < 1 else np.float64)
    assert (np.abs(got - right).max(axis=0) < (1e-4 if C < 1 else 1e-5) * sizes).all()


@pytest.mark.parametrize("intercept", [FREE, penalised(1.0)], ids=str)
def test_corrections_lead_to_the_optimum_and_tell_how_far_it_was(intercept):
    """With 40 features the 18 vectors do not span everything; the error of a panel is what its last correction was."""
    rng = np.random.default_rng(22)
    X, y, poison = problem(rng, 200, 40)
    u0, du = weights(poison, 1.0)
    of = Problem(with_column(X, intercept), y, u0, du, penalty(41, intercept))
    ends = [anchors._anchor(of, np.zeros(41), tau, 1.0, 1e-6) for tau in (0.1, 0.15)]
    betas = np.expm1(np.linspace(0.1, 0.15, 9))
    right = np.array([best.w for best in optima(X, y, u0, du, intercept, betas)]).T.astype(float)
    for size, tolerance in ((1e-4, 1e-6), (1e-5, 1e-7), (1e-10, 1e-8)):
        start = right + size * rng.standard_normal(right.shape)
        W, F, sizes = anchors._corrected(of, tuple(end.factor for end in ends), start, of.Z @ start, betas, tolerance)
        was, left = (np.abs(of.Z @ (each - right)).max() for each in (start, W))
        assert 0.5 * was < sizes[0] < 2 * was
        assert left <= sizes[-1]
        assert left < 0.5 * was
        np.testing.assert_allclose(F, of.Z @ W, rtol=0, atol=1e-6 * was + 1e-13)


def halve_the_penalty(monkeypatch):
    of = follow.Problem
    monkeypatch.setattr(follow, "Problem", lambda Z, y, u0, du, R: of(Z, y, u0, du, R / 2))


def penalise_the_free_intercept(monkeypatch):
    of = follow.Problem
    monkeypatch.setattr(follow, "Problem", lambda Z, y, u0, du, R: of(Z, y, u0, du, np.ones_like(R)))


def believe_any_distance(monkeypatch):
    monkeypatch.setattr(optimality.Optimality, "_refined", lambda _, W, betas: (W, np.zeros(len(betas))))


def believe_any_polynomial(monkeypatch):
    monkeypatch.setattr(anchors, "_corrected", lambda *args: (args[2], args[3], [1e-9]))
    monkeypatch.setattr(anchors, "tail", lambda _: 0.0)
    monkeypatch.setattr(anchors, "FIRST_STEP", 100.0)


@pytest.mark.parametrize(
    ("break_it", "tolerance"),
    [
        (halve_the_penalty, 1e-6),
        (penalise_the_free_intercept, 1e-6),
        (believe_any_distance, 1e-4),
        (believe_any_polynomial, 1e-8),
    ],
)
def test_broken_formulas_are_noticed(break_it, tolerance, monkeypatch):
    """A check that a wrong formula passes would be no check."""
    X, y, poison = problem(np.random.default_rng(21), 300, 60)
    u0, du = weights(poison, 1e3)
    break_it(monkeypatch)
    path = logistic_path(X, y, u0, du, tolerance=tolerance)
    with pytest.raises(AssertionError):
        check(path, X, y, u0, du, FREE, tolerance)


def anchor_of(polynomial, tau, order=8):
    """An anchor of a polynomial in tau, by the series of log(1 + t)."""
    k = np.arange(1, order + 1)
    log = np.append(0.0, (-1.0) ** (k + 1) / k)
    series, power = np.zeros(order + 1), np.append(1.0, np.zeros(order))
    for derivative in range(order + 1):
        here = polynomial.deriv(derivative)(tau) if derivative else polynomial(tau)
        series += here / factorial(derivative) * power
        power = np.convolve(power, log)[: order + 1]
    return Anchor(np.expm1(tau), tau, series[:1], series[np.newaxis, 1:], Factor(np.eye(1)))


def test_between_two_anchors_hermites_polynomial_is_exact_up_to_its_degree():
    """With eight derivatives and the value at both ends it has degree 17; a power more it misses."""
    tau = np.linspace(0.3, 1.5, 9)
    for degree, misses in ((17, False), (18, True)):
        polynomial = np.polynomial.Polynomial(np.random.default_rng(0).normal(size=degree + 1))
        found = hermite(anchor_of(polynomial, 0.3), anchor_of(polynomial, 1.5), tau)[0]
        error = np.abs(found - polynomial(tau)).max() / np.abs(polynomial(tau)).max()
        assert (error > 1e-9) == misses
