"""The kernel of a group: found by content, the same bits whoever asks first."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from backdoor_curves.kernels.functions import linear, rbf
from backdoor_curves.kernels.group_kernel import GroupKernel

KERNELS = pytest.mark.parametrize("kernel", [linear, partial(rbf, gamma=0.3)], ids=["linear", "rbf"])


@pytest.fixture
def rows():
    """Of few levels, as pixels are: 0, 1 and what is between."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, size=(300, 12)) / 2.0
    return X[:200], X[200:]


@KERNELS
def test_values_are_those_of_the_whole_matrix_to_the_last_bit(kernel, rows):
    """Rows in any order, training against training and test rows, from either side."""
    learned, tested = rows
    group = GroupKernel(kernel, learned, tested)
    among, across = kernel(learned, learned), kernel(learned, tested)
    order = np.random.default_rng(1).permutation(200)[:150]
    np.testing.assert_array_equal(group(learned[order], learned), among[order])
    np.testing.assert_array_equal(group(learned[order], tested), across[order])
    np.testing.assert_array_equal(group(tested, learned[order]), across[order].T)


@KERNELS
def test_what_it_does_not_know_it_computes_and_forgets(kernel, rows):
    """Strangers, test rows among themselves, and a few values that are computed sooner than looked up."""
    learned, tested = rows
    group = GroupKernel(kernel, learned, tested)
    before = group.kept
    for A, B in ((learned + 1e-9, learned), (tested, tested), (learned[:3], learned[:4]), (learned, tested + 1)):
        np.testing.assert_array_equal(group(A, B), kernel(A, B))
    assert group.kept == before == 200 * 300 * 8


def test_the_answer_is_an_array_of_the_callers_own(rows):
    """Paths write into theirs."""
    group = GroupKernel(linear, *rows)
    first = group(*rows)
    first[:] = -1.0
    assert (group(*rows) >= 0.0).all()


def test_training_rows_among_themselves_are_looked_up_once_and_read_only(rows):
    """Every lambda asks for the same again; other rows get their own."""
    learned, tested = rows
    group = GroupKernel(linear, learned, tested)
    first = group(some := learned[:150], some)
    assert group(again := some.copy(), again) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1.0
    other = learned[20:170]
    np.testing.assert_array_equal(group(other, other), linear(learned, learned)[20:170, 20:170])


def test_rows_of_few_levels_are_told_apart():
    """All 4096 rows of zeros and ones: their words differ in the high bits alone, and -0 is 0."""
    X = (np.arange(4096)[:, None] >> np.arange(12)) % 2 * 1.0
    group = GroupKernel(linear, X, X[:1])
    found, known = group._places(X)
    assert known.all()
    np.testing.assert_array_equal(X[found % 4096], X)
    assert group._places(np.where(X == 0.0, -0.0, X))[1].all()
    assert not group._places(X + 0.5)[1].any()
