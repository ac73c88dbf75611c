"""Paths of columns as strangers have them: timestamps, incomes, counts, rates. Bounds are bounds, and near."""

import numpy as np
import pytest

from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.linalg import units
from backdoor_curves.paths.logistic import local_proof, logistic_path, optimality
from backdoor_curves.paths.ridge import ridge_path
from backdoor_curves.paths.squared_hinge import squared_hinge_path
from paths.test_squared_hinge import by_newton
from reference.logistic_newton import optimum, with_column

BETAS = np.array([0.0, 1e-3, 0.1, 0.6, 1.0])


def people(rng, n):
    """Age, income, a timestamp, a rate in parts per million, a flag; labels go by all but the timestamp."""
    age, income = rng.integers(18, 90, n).astype(float), np.exp(rng.normal(10.5, 0.8, n))
    rate, flag = rng.normal(3e-6, 1e-6, n), rng.integers(0, 2, n).astype(float)
    says = (age - 50) / 20 + np.log(income) - 10.5 + (rate - 3e-6) * 1e6 + rng.normal(0, 1, n)
    return np.column_stack([age, income, 1.6e9 + rng.uniform(0, 3e7, n), rate, flag]), says > 0


def houses(rng, n):
    """Rooms, area, price, year, place, and the price of a square metre, nearly a combination of the others."""
    rooms = rng.integers(1, 9, n).astype(float)
    area = 18 * rooms + rng.normal(0, 9, n)
    price = 2900 * area + rng.normal(0, 2e4, n)
    place = rng.normal([47.0, 8.0], 0.05, (n, 2))
    X = np.column_stack([rooms, area, price, rng.integers(1900, 2020, n), place, price / area])
    return X, price + rng.normal(0, 3e4, n) > np.median(price)


def counts(rng, n):
    """Words of documents of very different lengths, fewer documents than words."""
    share = 1.0 / np.arange(1, 151) ** 1.1
    says = rng.random(n) < 0.5
    tilt = 1.0 + 0.5 * says[:, np.newaxis] * (np.arange(150) > 130)
    lengths = rng.integers(50, 20000, n)
    return np.array([rng.multinomial(m, s / s.sum()) for m, s in zip(lengths, share * tilt, strict=True)], float), says


def sums(rng, n):
    """A number of rooms, three parts and their total, and two columns that are one."""
    parts = np.round(np.exp(rng.normal(11, 1, (n, 3))))
    says = parts[:, 0] + rng.normal(0, 3e4, n) > np.median(parts[:, 0])
    return np.column_stack([rng.integers(1, 9, n), parts, parts.sum(axis=1), parts[:, 1]]), says


def scales(rng, n):
    """Eight columns between 1e-6 and 1e9, their means far from 0."""
    sizes, Z = 10.0 ** rng.uniform(-6, 9, 8), rng.standard_normal((n, 8))
    return sizes * (Z + rng.uniform(-20, 20, 8)), Z[:, :4].sum(axis=1) + rng.normal(0, 1, n) > 0


TABLES = {table.__name__: table for table in (people, houses, counts, sums, scales)}


def problem(name, C, seed=0):
    """Rows of which a tenth is stamped in its first column, weights, and test rows with the stamp and without."""
    rng = np.random.default_rng(seed)
    X, says = TABLES[name](rng, 240)
    stamped = X[160:].copy()
    stamped[:, 0] = X[:160, 0].max() * 1.5
    test, X, y = np.vstack([X[160:], stamped]), X[:160], np.where(says[:160], 1.0, -1.0)
    poison = np.arange(160) < 16
    X[poison, 0], y[poison] = stamped[0, 0], 1.0
    return X, y, np.where(poison, 0.0, C), np.where(poison, C, 0.0), test


def errors_and_bounds(path, X, y, u0, du, intercept, test):
    best = [optimum(X, y, u0 + beta * du, intercept) for beta in BETAS]
    error = [float(np.abs(f - at.scores(test)).max()) for f, at in zip(path.scores(test, BETAS), best, strict=True)]
    return np.array(error), path.certificate(BETAS, [test]).score_bound, np.array([at.error for at in best])


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("intercept", [FREE, penalised(1.0), NONE], ids=str)
@pytest.mark.parametrize("name", TABLES)
def test_logistic_regression_is_followed_and_proven(name, intercept, C):
    X, y, u0, du, test = problem(name, C)
    error, bound, oracle = errors_and_bounds(logistic_path(X, y, u0, du, intercept), X, y, u0, du, intercept, test)
    assert (error <= bound + 4 * oracle).all()
    assert bound.max() <= 1e-6


def test_bounds_of_raw_columns_are_near_the_errors():
    """Within a hundred times in the median, of what is not rounding itself."""
    ratios = []
    for name in TABLES:
        X, y, u0, du, test = problem(name, 1.0, seed=1)
        error, bound, _ = errors_and_bounds(logistic_path(X, y, u0, du), X, y, u0, du, FREE, test)
        ratios += list(bound / np.maximum(error, 1e-14))
    assert np.median(ratios) < 100


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("name", ["people", "houses", "scales"])
def test_the_squared_hinge_is_followed_and_proven(name, C):
    X, y, u0, du, test = problem(name, C)
    path = squared_hinge_path(X, y, u0, du, penalised(1.0))
    Z, T = (with_column(rows, penalised(1.0)).astype(np.longdouble) for rows in (X, test))
    truth = [T @ by_newton(np.asarray(Z, float), y, u0 + beta * du) for beta in BETAS]
    error = np.array([float(np.abs(f - t).max()) for f, t in zip(path.scores(test, BETAS), truth, strict=True)])
    certificate = path.certificate(BETAS, [test])
    assert (error <= certificate.score_bound + 1e-12).all()
    assert certificate.score_bound.max() <= 1e-6
    assert certificate.objective_gap.max() <= 1e-6


def ridge_scores(X, y, u, alpha, test):
    """Refined in extended precision from a QR decomposition in units of the columns."""
    X, y, u = (part.astype(np.longdouble) for part in (X, y, u))
    mean, level = u @ X / u.sum(), u @ y / u.sum()
    rows, right = X - mean, y - level
    unit = np.sqrt(np.asarray(u @ rows**2, dtype=float) + alpha)
    stacked = np.vstack([np.asarray(rows / unit * np.sqrt(u)[:, np.newaxis], float), np.diag(np.sqrt(alpha) / unit)])
    R, w = np.linalg.qr(stacked, mode="r"), np.zeros(X.shape[1], dtype=np.longdouble)
    for _ in range(30):
        left = np.asarray((rows.T @ (u * (right - rows @ w)) - alpha * w) / unit, dtype=float)
        w = w + np.linalg.solve(R, np.linalg.solve(R.T, left)) / unit
    return (test - mean) @ w + level


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("name", ["people", "houses", "scales"])
def test_ridge_is_followed_and_proven(name, alpha):
    """The rounding of a score is the sum of its terms' sizes, and not a product of lengths in mixed units."""
    X, y, u0, du, test = problem(name, 1.0)
    clean, poison = ((X[u > 0.0], y[u > 0.0, np.newaxis], u[u > 0.0]) for u in (u0, du))
    path = ridge_path(clean, poison, alpha)
    truth = np.array([ridge_scores(X, y, u0 + beta * du, alpha, test) for beta in BETAS])
    error = np.abs(path.scores(test, BETAS) - truth).max(axis=1).astype(float)
    bound = path.certificate(BETAS, [test]).score_bound
    assert (error <= bound).all()
    assert bound.max() <= 1e-6


@pytest.mark.parametrize("apart", [1e-4, 1e-5, 1e-6, 1e-7])
@pytest.mark.parametrize("alpha", [1e-13, 1e-9, 1e-7])
def test_the_bound_of_ridge_holds_where_columns_are_nearly_equal(apart, alpha):
    """There the rounding of the gradient makes more of the error than the gradient that is seen."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((180, 4)), np.where(np.arange(180) % 2, 1.0, -1.0)
    X[:, 0] += y
    X[:, 2] = X[:, 1] + apart * X[:, 2]
    X, test, y = X[:90], X[90:], y[:90]
    poison = np.arange(90) < 18
    X[poison, 3], test[:, 3], y[poison] = 5.0, 5.0, 1.0
    ones = np.ones(90)
    clean, stamped = ((X[rows], y[rows, np.newaxis], ones[rows]) for rows in (~poison, poison))
    path = ridge_path(clean, stamped, alpha)
    truth = np.array([ridge_scores(X, y, np.where(poison, beta, 1.0), alpha, test) for beta in BETAS])
    error = np.abs(path.scores(test, BETAS) - truth).max(axis=1).astype(float)
    assert (error <= path.certificate(BETAS, [test]).score_bound).all()


def believe_any_distance(monkeypatch):
    monkeypatch.setattr(optimality.Optimality, "_refined", lambda _, W, betas: (W, np.ones(len(betas))))
    monkeypatch.setattr(local_proof, "SHARPENINGS", 0)
    for part in ("seen", "unseen", "of_scores", "of_rows", "of_shift"):
        monkeypatch.setattr(optimality._Local, part, 0.0)
    monkeypatch.setattr(optimality._Local, "gradient", property(lambda self: np.zeros(len(self.penalty))))


def forget_the_units_of_the_penalty(monkeypatch):
    monkeypatch.setattr(units.Units, "penalty", property(lambda self: np.ones(len(self.size))))


@pytest.mark.parametrize("break_it", [forget_the_units_of_the_penalty, believe_any_distance])
def test_broken_formulas_are_noticed(break_it, monkeypatch):
    break_it(monkeypatch)
    X, y, u0, du, test = problem("houses", 1e-3)
    path = logistic_path(X, y, u0, du, tolerance=1e-3)
    error, bound, oracle = errors_and_bounds(path, X, y, u0, du, FREE, test)
    assert not (error <= bound + 4 * oracle).all()
