"""Coordinates of rows: nothing of the rows but their inner products may count."""

import numpy as np
import pytest
import scipy.sparse as sp

from backdoor_curves.paths.linalg import coordinates as linalg_coordinates
from backdoor_curves.paths.linalg.coordinates import Features, GramFactor, Orthonormal, coordinates


def rows(n, d, *, density=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    X[rng.random((n, d)) > density] = 0.0
    return X


SHAPES = {"tall": (30, 8), "square": (12, 12), "wide": (12, 40), "one row": (1, 5), "one feature": (5, 1)}


@pytest.fixture
def slow(monkeypatch):
    """Rows count as so many that their Gram matrix is factored."""
    monkeypatch.setattr(linalg_coordinates, "QUICK", 0.0)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_inner_products_are_kept(shape, sparse):
    """The penalty and the scores of a linear model are inner products; few dense rows are factored themselves."""
    X = rows(*shape, density=0.6)
    space = coordinates(sp.csr_array(X) if sparse else X)
    factor = GramFactor if sparse else Orthonormal
    assert isinstance(space, factor if np.count_nonzero(X.any(axis=0)) > len(X) else Features)
    assert space.rows.shape[1] <= min(shape)
    np.testing.assert_allclose(space.rows @ space.rows.T, X @ X.T, atol=1e-13)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_parameters_of_all_features_give_the_same_scores_and_norms(shape, sparse):
    """<x, w> and <w, v> are the same in both."""
    X = rows(*shape, density=0.6, seed=1)
    space = coordinates(sp.csr_array(X) if sparse else X)
    W = np.random.default_rng(2).standard_normal((space.rows.shape[1], 3))
    coef = space.coef(W)
    assert coef.shape == (shape[1], 3)
    np.testing.assert_allclose(X @ coef, space.rows @ W, atol=1e-12)
    np.testing.assert_allclose(coef.T @ coef, W.T @ W, atol=1e-11)


def test_features_that_are_zero_throughout_take_no_part():
    """They decide between the two kinds: 3 of 50 features are used, fewer than rows."""
    X = np.zeros((6, 50))
    X[:, [7, 20, 49]] = rows(6, 3)
    for each in (X, sp.csr_array(X)):
        space = coordinates(each)
        assert isinstance(space, Features)
        np.testing.assert_array_equal(space.kept, [7, 20, 49])
        np.testing.assert_array_equal(space.rows, X[:, [7, 20, 49]])
        coef = space.coef(np.ones((3, 1)))
        np.testing.assert_array_equal(np.flatnonzero(coef), [7, 20, 49])
        assert space.error == 0.0


def test_rows_of_zeros_have_no_coordinates():
    """Nothing to learn from: no dimension, and zero parameters."""
    space = coordinates(np.zeros((3, 5)))
    assert space.rows.shape == (3, 0)
    np.testing.assert_array_equal(space.coef(np.empty((0, 2))), np.zeros((5, 2)))


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e4])
def test_dependent_rows_add_no_dimension(unit):
    """Repeated rows, multiples, sums and a row of zeros: the rank is that of the others."""
    X = rows(6, 40)
    X = unit * np.vstack([X, X[:3], 2 * X[4:5], X[:1] - X[1:2], np.zeros((1, 40))])
    for each in (X, sp.csr_array(X)):
        space = coordinates(each)
        assert space.rows.shape == (12, 6)
        np.testing.assert_allclose(space.rows @ space.rows.T, X @ X.T, rtol=0, atol=1e-13 * (X @ X.T).max())
        W = np.random.default_rng(3).standard_normal((6, 2))
        np.testing.assert_allclose(X @ space.coef(W), space.rows @ W, rtol=0, atol=1e-12 * unit * 10)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.usefixtures("slow")
def test_many_dense_rows_are_factored_by_their_inner_products(shape):
    """As sparse ones are."""
    X = rows(*shape, density=0.6)
    space, other = coordinates(X), coordinates(sp.csr_array(X))
    assert type(space) is type(other)
    np.testing.assert_allclose(space.rows @ space.rows.T, X @ X.T, atol=1e-13)


def test_how_far_few_rows_are_moved_is_told():
    """The true products are in extended precision, and rows that are nearly others keep their digits."""
    rng = np.random.default_rng(4)
    X = rows(8, 60)
    for nearly in (0.0, 1e-9, 1e-6, 1e-3):
        Y = np.vstack([X, X[:4] + nearly * rng.standard_normal((4, 60))])
        space = coordinates(Y)
        exact, L = Y.astype(np.longdouble) @ Y.T.astype(np.longdouble), space.rows.astype(np.longdouble)
        longest = float(np.sqrt(exact.max()))
        assert float(np.abs(exact - L @ L.T).max()) <= 2.0 * longest * space.moved + space.moved**2
        assert space.moved < 1e-13 * longest


@pytest.mark.usefixtures("slow")
def test_the_error_of_an_inner_product_is_told():
    """What is left of rows that are nearly others is left out; the true products are in extended precision."""
    rng = np.random.default_rng(4)
    X = rows(8, 60)
    for nearly in (0.0, 1e-9, 1e-7, 1e-6, 1e-3):
        Y = np.vstack([X, X[:4] + nearly * rng.standard_normal((4, 60))])
        space = coordinates(Y)
        exact, L = Y.astype(np.longdouble) @ Y.T.astype(np.longdouble), space.rows.astype(np.longdouble)
        off = float(np.abs(exact - L @ L.T).max())
        assert off <= space.error < 1e-12 * float(exact.max())
        if nearly == 1e-7:
            assert space.error > 1e-13  # 60 times 1e-14 of a square are left out, not lost in rounding
