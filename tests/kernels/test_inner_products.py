"""Inner products of rows in parts: exact where they are whole numbers, and those of a product of matrices elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backdoor_curves.kernels import inner_products as columns
from backdoor_curves.kernels.inner_products import EXACT, Columns

UNITS = pytest.mark.parametrize("per_unit", [1, 16, 255])


def whole_rows(n, d, largest, seed=0):
    return np.random.default_rng(seed).integers(0, largest + 1, size=(n, d))


def inner(A, B):
    left, right = Columns.of_both(A, B)
    return left.inner(right)


@UNITS
@pytest.mark.parametrize("d", [1, 40, 900])
def test_whole_numbers_of_units_have_exact_inner_products(per_unit, d):
    """The integers' own products, rounded when they are divided; 900 pixels take two groups, which are rounded each."""
    A, B = whole_rows(50, d, 255), whole_rows(70, d, 255, seed=1)
    A[:, 0], B[:, 0] = 1, 1  # not a multiple of 16 or 255: no larger unit will do
    parts = Columns.of_both(A / per_unit, B / per_unit)
    assert parts[0].per_unit == per_unit
    assert parts[0].often.shape[1] == 0
    assert len(parts[0].whole) == (2 if d == 900 else 1)
    rounding, same = 0.0 if len(parts[0].whole) == 1 else 4e-16, A / per_unit
    for found, expected in ((parts[0].inner(parts[1]), A @ B.T), (inner(same, same), A @ A.T)):
        np.testing.assert_allclose(found, expected.astype(float) * float(per_unit) ** -2, rtol=rounding)


def test_groups_are_what_keeps_long_rows_exact(monkeypatch):
    """Their squares sum up to more than single precision can count to: in one group digits are lost."""
    A = whole_rows(60, 901, 255) | 1
    assert (A.astype(float) ** 2).sum(axis=1).max() > EXACT
    expected = (A @ A.T) / 255**2
    np.testing.assert_allclose(inner(A / 255, A / 255), expected, rtol=1e-15)
    monkeypatch.setattr(columns, "EXACT", 2.0**40)
    assert np.abs(inner(A / 255, A / 255) / expected - 1.0).max() > 1e-9


def test_sums_just_below_the_limit_are_exact():
    """One group, and the largest sum that it may have: 4095^2 and 2 * 4095 ones make 2^24 - 1."""
    A = np.zeros((40, 1 + 2 * 4095), dtype=int)
    A[:, 0], A[0, 1:] = 4095, 1
    A[1:, 1:] = np.random.default_rng(0).random((39, 2 * 4095)) < 0.9
    assert (A[0] @ A[0]) == EXACT - 1
    parts = Columns.of_both(A.astype(float), A.astype(float).copy())
    assert len(parts[0].whole) == 1
    np.testing.assert_array_equal(parts[0].inner(parts[1]), A @ A.T)


@pytest.mark.parametrize("off", [1e-12, 0.4])
def test_columns_that_are_not_whole_are_multiplied_in_double_precision(off):
    """A trigger of random intensities, say; also where a column is whole in all rows but one, of one side."""
    A, B = whole_rows(50, 40, 255) / 255, whole_rows(70, 40, 255, seed=1) / 255
    A[:, 3] += off * np.random.default_rng(2).random(50)
    B[7, 5] += off / 255
    left, right = Columns.of_both(A, B)
    assert left.often.shape[1] == right.often.shape[1] == 2
    np.testing.assert_allclose(left.inner(right), A @ B.T, rtol=1e-14)
    B[:, 10:] += off * np.random.default_rng(3).random((70, 30))  # most of them: then none is worth it
    left, right = Columns.of_both(A, B)
    assert left.whole == []
    np.testing.assert_allclose(left.inner(right), A @ B.T, rtol=1e-14)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 60),
    m=st.integers(1, 60),
    d=st.integers(1, 90),
    filled=st.floats(0.0, 1.0),
    rarely=st.floats(0.0, 0.2),
    largest=st.sampled_from([1, 3, 255, 5000, 70_000]),
    per_unit=st.sampled_from([1, 3, 16, 255]),
    seed=st.integers(0, 2**32 - 1),
)
def test_parts_add_up_to_the_inner_products(n, m, d, filled, rarely, largest, per_unit, seed):
    """Whatever is 0, whole or too large to be counted: with itself, and with others."""
    rng = np.random.default_rng(seed)
    share = np.where(rng.random(d) < 0.5, filled, rarely)
    A, B = ((whole_rows(k, d, largest, seed + k) / per_unit) * (rng.random((k, d)) < share) for k in (n, m))
    A[:, rng.random(d) < 0.1] *= np.pi
    sizes = np.abs(A) @ np.abs(B.T)
    assert (np.abs(inner(A, B) - A @ B.T) <= 1e-14 * sizes).all()
    K = inner(A, A)
    assert (np.abs(K - A @ A.T) <= 1e-14 * (np.abs(A) @ np.abs(A.T))).all()
    np.testing.assert_array_equal(K, K.T)


@pytest.mark.parametrize("largest", [1e20, 1e150])
def test_values_beyond_single_precision_are_no_whole_numbers_to_it(largest):
    """All doubles of that size are whole numbers: without a warning they are multiplied as they are."""
    A = largest * np.random.default_rng(0).random((40, 50))
    assert Columns.of_both(A, A)[0].whole == []
    np.testing.assert_allclose(inner(A, A), A @ A.T, rtol=1e-13)


@pytest.mark.parametrize("scale", [1e-13, 1e-14, 1e-20, 1e-300])
def test_small_features_are_no_zeros(scale):
    """Times in seconds, of femtoseconds: the kernel knows no unit."""
    A = np.random.default_rng(0).normal(size=(50, 30))
    np.testing.assert_allclose(inner(scale * A, A), scale * (A @ A.T), rtol=1e-12, atol=1e-14 * scale)
    assert Columns.of_both(scale * A, scale * A)[0].whole == []


def test_an_entry_that_is_hardly_there_is_not_0():
    """Among counts, in a row that has nothing else; and 1 + 8e-14 is not 1."""
    A = whole_rows(50, 40, 3).astype(float)
    A[7], A[7, 5], A[9, 3] = 0.0, 9e-14, 1.0 + 8e-14
    left, right = Columns.of_both(A, A.copy())
    assert left.often.shape[1] == 2
    K = left.inner(right)
    np.testing.assert_allclose(K[7, 7], 81e-28, rtol=1e-14)
    np.testing.assert_allclose(K, A @ A.T, rtol=1e-15, atol=1e-40)


def test_differences_of_pixels_are_whole():
    """As a Gaussian kernel takes them, from an origin in one of the rows: off by the rounding of both."""
    A = whole_rows(60, 80, 255) / 255
    assert Columns.of_both(A - A[0], A - A[0])[0].often.shape[1] == 0
