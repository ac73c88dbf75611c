"""Kernels against scikit-learn's, and what paths need of them: equal rows have equal kernels."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import linear_kernel, polynomial_kernel, rbf_kernel, sigmoid_kernel

from backdoor_curves.kernels import functions, memory
from backdoor_curves.kernels.functions import (
    linear,
    linear_gradient,
    negative_eigenvalue,
    polynomial,
    polynomial_gradient,
    rbf,
    rbf_gradient,
    sigmoid,
    sigmoid_gradient,
)

KERNELS = {
    "linear": (linear, linear_kernel),
    "rbf": (partial(rbf, gamma=0.3), partial(rbf_kernel, gamma=0.3)),
    "polynomial": (
        partial(polynomial, gamma=0.3, coef0=1.0, degree=3),
        partial(polynomial_kernel, gamma=0.3, coef0=1.0, degree=3),
    ),
    "constant": (
        partial(polynomial, gamma=0.3, coef0=1.0, degree=0),
        lambda A, B=None: np.ones((len(A), len(A if B is None else B))),
    ),
    "sigmoid": (partial(sigmoid, gamma=0.3, coef0=0.1), partial(sigmoid_kernel, gamma=0.3, coef0=0.1)),
}


def rows(n, d=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_are_scikit_learns(name, kind):
    """Between two sets of rows, and within one; 1e-13 is the rounding of sums in another order."""
    own, theirs = KERNELS[name]
    A, B = rows(30), rows(20, seed=1)
    np.testing.assert_allclose(own(kind(A), kind(B)), theirs(A, B), rtol=1e-12, atol=1e-13)
    same = kind(A)
    np.testing.assert_allclose(own(same, same), theirs(A), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("name", KERNELS)
@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 70), m=st.integers(1, 70), d=st.integers(1, 60), seed=st.integers(0, 2**32 - 1))
def test_equal_rows_have_equal_kernels_to_the_last_bit(name, kind, n, m, d, seed):
    """Wherever they stand: a matrix product may add the last rows up in another order."""
    own, _ = KERNELS[name]
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    one, other, mine, theirs = 0, n - 1, rng.integers(n), m - 1
    A[other] = A[one]
    B[theirs] = A[one]
    X, Z = kind(A), kind(B)
    within, between = own(X, X), own(X, Z)
    assert np.array_equal(within[one], within[other])
    assert np.array_equal(within, within.T)
    assert np.array_equal(between[one], between[other])
    assert np.array_equal(own(Z, X)[:, one], own(Z, X)[:, other])
    assert np.isfinite(between[mine]).all()


def test_a_plain_product_need_not_have_equal_rows():
    """The check above can fail, if not on every machine: then nothing is lost."""
    A = np.random.default_rng(0).random((1500, 784))
    A[1499] = A[3]
    K = A @ A.T
    if np.array_equal(K[1499], K[3]):
        pytest.skip("this machine's matrix product treats all rows alike")
    assert np.array_equal(linear(A, A)[1499], linear(A, A)[3])


@pytest.mark.parametrize("n", [40, 600], ids=["one block", "several"])
def test_columns_that_are_almost_always_0_count_as_any_other(n):
    """They are multiplied apart. Sums are the same but for their order, and symmetric to the last bit."""
    rng = np.random.default_rng(0)
    A, B = (rng.normal(size=(k, 90)) * (rng.random((k, 90)) < np.linspace(0.0, 0.3, 90) ** 2) for k in (n, 50))
    K = linear(A, A)
    np.testing.assert_allclose(K, np.einsum("id,jd->ij", A, A), atol=1e-13)
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_allclose(linear(A, B), np.einsum("id,jd->ij", A, B), atol=1e-13)
    assert np.abs(linear(A[:, 45:], A[:, 45:]) - K).max() > 1e-3  # they do count


def test_a_row_has_kernel_1_with_itself():
    """A distance of 0 does not round to another, however far from the origin."""
    A = 1e6 + rows(40)
    assert np.array_equal(np.diag(rbf(A, A, gamma=1.0)), np.ones(40))
    assert rbf(A, A, gamma=1.0).max() == 1.0


def test_an_offset_of_all_rows_costs_no_digits():
    """Distances do not see it: years of four digits beside features of size 1, say."""
    A, B = rows(40), rows(20, seed=1)
    A, B = (A + 1e7) - 1e7, (B + 1e7) - 1e7  # so that the shifted rows are these, moved exactly
    np.testing.assert_allclose(rbf(A + 1e7, B + 1e7, gamma=0.5), rbf(A, B, gamma=0.5), rtol=1e-12, atol=1e-14)
    # By way of the squares of 1e7 14 of 16 digits go.
    assert np.abs(rbf_kernel(A + 1e7, B + 1e7, gamma=0.5) - rbf(A, B, gamma=0.5)).max() > 1e-4


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_rows_far_from_the_others_and_near_to_each_other_keep_their_distances(kind, monkeypatch):
    """Stamped rows may be so: a column that is constant in the clean rows is 1e7 of its units away. Some are equal."""
    A, B = rows(80), rows(30, seed=1)
    A[40:, 2] += 3e7 + rows(40)[:, 0]
    B[10:, 2] += 3e7
    A[70:], B[20:25] = A[60:70], A[40:45]
    between = [np.exp(-0.3 * ((A[:, np.newaxis] - Z) ** 2).sum(-1)) for Z in (A, B)]
    A, B = kind(A), kind(B)
    found = rbf(A, A, gamma=0.3), rbf(A, B, gamma=0.3)
    for values, expected in zip(found, between, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-15)
    assert np.array_equal(found[0], found[0].T)
    assert np.array_equal(found[0][60:70], found[0][70:])
    monkeypatch.setattr(functions, "LOST", np.inf)  # by way of the squares
    assert np.abs(rbf(A, A, gamma=0.3) - between[0]).max() > 0.01


def test_whole_numbers_stay_whole():
    """Rows on a grid tie exactly, and a path that meets ties must be told so."""
    A = np.random.default_rng(0).integers(0, 4, size=(50, 3)).astype(float)
    distances = ((A[:, np.newaxis] - A) ** 2).sum(-1)
    assert np.array_equal(rbf(A, A, gamma=1.0), np.exp(-distances))


def test_rows_are_left_as_they_were():
    """They are the caller's."""
    A, B = rows(10), rows(5, seed=1)
    before = A.copy(), B.copy()
    for own, _ in KERNELS.values():
        own(A, B)
        own(A, A)
    assert np.array_equal(A, before[0])
    assert np.array_equal(B, before[1])


def test_negative_eigenvalues_are_told_from_rounding():
    """A matrix of rank 2 has eigenvalues that round to either side of 0; one with -1e-6 is indefinite."""
    V = rows(60, 2)
    K = V @ V.T
    assert negative_eigenvalue(K) == 0.0
    u = np.linalg.qr(rows(60, 60))[0][:, 0]
    u -= V @ np.linalg.lstsq(V, u, rcond=None)[0]
    u /= np.linalg.norm(u)
    assert negative_eigenvalue(K - 1e-6 * np.outer(u, u)) == pytest.approx(-1e-6, rel=1e-6)


def test_a_matrix_that_would_not_fit_is_refused_with_both_numbers(monkeypatch):
    """2 n^2 doubles: 149 GiB for 100,000 rows."""
    monkeypatch.setattr(memory, "available_memory", lambda: 64 * 2.0**30)
    memory.require_room(50_000)
    with pytest.raises(MemoryError, match=r"of 100000 training rows needs 149 GiB, 64 GiB are available; .*refit"):
        memory.require_room(100_000)


def test_the_memory_of_this_machine_is_known():
    """A gigabyte and more on any machine that runs these tests, and no more than a petabyte."""
    assert 2.0**28 < memory.available_memory() < 2.0**50


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    ("kernel", "gradient", "parameters"),
    [
        (linear, linear_gradient, {}),
        (rbf, rbf_gradient, {"gamma": 0.4}),
        (polynomial, polynomial_gradient, {"gamma": 0.5, "coef0": 0.3, "degree": 3}),
        (polynomial, polynomial_gradient, {"gamma": 0.5, "coef0": 0.3, "degree": 1}),
        (sigmoid, sigmoid_gradient, {"gamma": 0.2, "coef0": -0.1}),
    ],
)
def test_gradients_of_expansions_are_their_differences(kernel, gradient, parameters, sparse):
    """Of sum_i c_i k(s_i, x) in x, coordinate by coordinate."""
    rng = np.random.default_rng(0)
    S, X, c = rng.normal(size=(7, 4)), rng.normal(size=(5, 4)), rng.normal(size=7)
    h = 1e-6
    right = np.column_stack(
        [c @ (kernel(S, X + h * e, **parameters) - kernel(S, X - h * e, **parameters)) / (2 * h) for e in np.eye(4)]
    )
    given = (sp.csr_array(S), sp.csr_array(X)) if sparse else (S, X)
    np.testing.assert_allclose(gradient(c, *given, **parameters), right, atol=1e-8)
