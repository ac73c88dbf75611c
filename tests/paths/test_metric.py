"""Lengths in the metric of a Hessian against its inverse in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from backdoor_curves.paths.linalg import metric as module
from backdoor_curves.paths.linalg.metric import Metric, WeightedRows
from backdoor_curves.paths.linalg.rows_in_place import RowsInPlace

COLUMNS = np.array([1e9, 3e5, 1.0, 2e-3, 1e-6])


def raw(rng, n):
    """Rows whose columns are of all sizes; the last two are nearly one."""
    A = rng.standard_normal((n, len(COLUMNS))) * COLUMNS
    A[:, 1] = 1e-4 * A[:, 0] * (1.0 + 1e-7 * rng.standard_normal(n))
    return A


def exact_solution(A, R, x):
    """(diag(R) + A'A)^-1 x by elimination in fractions."""
    A = [[Fraction(v) for v in row] for row in A.tolist()]
    p = len(R)
    H = [[sum(row[i] * row[j] for row in A) + (Fraction(R[i]) if i == j else 0) for j in range(p)] for i in range(p)]
    rows = [[*H[i], Fraction(float(x[i]))] for i in range(p)]
    for k in range(p):
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(p):
            if i != k:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[p] for row in rows]


def exact_product(A, R, g, x):
    """g'H^-1 x."""
    return float(sum(Fraction(float(a)) * b for a, b in zip(g, exact_solution(A, R, x), strict=True)))


def exact_length(A, R, x):
    return exact_product(A, R, x, x) ** 0.5


@pytest.mark.parametrize("sizes", [np.ones(5), COLUMNS], ids=["as they came", "in units of their spread"])
def test_lengths_are_no_less_and_hardly_more(sizes):
    """Two columns that are one to seven digits leave two of the sixteen to the answer."""
    rng = np.random.default_rng(0)
    R, A = 1.0 / sizes**2, raw(rng, 8) / sizes
    X = np.vstack([A[:3], raw(rng, 3) / sizes, np.eye(5)])
    found, right = Metric(A, R).lengths(X), np.array([exact_length(A, R, x) for x in X])
    assert (found >= right * (1 - 1e-12)).all()
    assert (found <= 1.2 * right).all()


def test_equal_columns_of_any_size_have_lengths():
    """Their difference has the penalty alone, in a matrix that double precision holds for singular."""
    a = np.random.default_rng(1).standard_normal((6, 1))
    A, R = 1e9 * np.hstack([a, a]), np.ones(2)
    X = np.array([[1e9, 1e9], [1e9, -1e9], [1e9, 0.0]])
    found, right = Metric(A, R).lengths(X), np.array([exact_length(A, R, x) for x in X])
    assert (found >= right * (1 - 1e-12)).all()
    assert (found <= 1.5 * right + 1e-6).all()


def test_answers_to_a_gradient_are_bounds():
    """Also to one of which the sizes of entries are known alone."""
    rng = np.random.default_rng(2)
    A, R = raw(rng, 8), np.ones(5)
    metric, X = Metric(A, R), raw(rng, 4)
    reach, e = metric.reach(X), rng.random(5) / COLUMNS
    for signs in (np.ones(5), -np.ones(5), np.array([1, -1, 1, -1, 1.0])):
        g = signs * e
        right = np.array([abs(exact_product(A, R, g, x)) for x in X])
        length = exact_length(A, R, g)
        assert (reach.to(g, length) >= right * (1 - 1e-12)).all()
        assert (reach.to_unknown(e, float(metric.unit_lengths @ e)) >= right * (1 - 1e-12)).all()
        assert length <= float(metric.unit_lengths @ e)


def test_what_a_poor_factor_leaves_is_counted(monkeypatch):
    """With a factor that is off by a tenth lengths are still none too short."""
    rng = np.random.default_rng(3)
    A, R = raw(rng, 8), np.ones(5)
    right = np.array([exact_length(A, R, x) for x in A])
    solve = Metric.solve
    monkeypatch.setattr(module.Metric, "solve", lambda self, B: 0.9 * solve(self, B))
    assert (Metric(A, R).lengths(A) >= right * (1 - 1e-12)).all()


def test_rows_in_place_have_the_metric_of_the_array_that_they_stand_for():
    """In units of 1e9 too; some of them, each with its weight."""
    rng = np.random.default_rng(4)
    X, rows, weight = raw(rng, 12), np.array([1, 4, 5, 7, 8, 10, 11]), rng.random(7)
    given = rows, weight, np.ones(6)
    array, in_place = (
        Metric.of(np.column_stack([X, np.ones(12)]), *given),
        Metric.of(RowsInPlace(X, None, (1.0,)), *given),
    )
    assert isinstance(in_place.A, WeightedRows)
    places = np.vstack([np.eye(6), np.column_stack([X[:2], np.ones(2)])])
    np.testing.assert_allclose(in_place.lengths(places), array.lengths(places), rtol=1e-9)
    np.testing.assert_allclose(in_place.unit_lengths, array.unit_lengths, rtol=1e-9)
