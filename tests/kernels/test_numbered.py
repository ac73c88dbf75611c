"""Training rows by number: their kernel is that of the rows, computed once."""

import numpy as np
import scipy.sparse as sp

from backdoor_curves.kernels.by_name import RBF
from backdoor_curves.kernels.functions import linear
from backdoor_curves.kernels.numbered import KEPT, NumberedRows

X = np.random.default_rng(0).normal(size=(12, 3))
X[5], X[9] = X[2], X[2]
TEST = np.random.default_rng(1).normal(size=(4, 3))


def test_equal_rows_have_one_number_and_blocks_are_those_of_the_kernel():
    rows = NumberedRows(RBF(0.3), X)
    assert rows.numbers[5] == rows.numbers[9] == rows.numbers[2]
    assert len(rows.gram) == 10
    A = rows.numbers[[7, 2, 9]]
    np.testing.assert_allclose(rows(A, A), RBF(0.3)(X[[7, 2, 9]], X[[7, 2, 9]]), atol=1e-15)
    np.testing.assert_allclose(rows(A, TEST), RBF(0.3)(X[[7, 2, 9]], TEST), atol=1e-15)
    np.testing.assert_allclose(rows(TEST, A), rows(A, TEST).T, atol=0)
    np.testing.assert_allclose(rows(rows.seen(TEST), rows.seen(TEST)), RBF(0.3)(TEST, TEST), atol=1e-15)


def test_all_rows_have_the_matrix_itself_and_a_block_is_one_for_all_paths():
    rows = NumberedRows(linear, X)
    everything, some = np.arange(10), np.array([1, 4])
    assert rows(everything, everything) is rows.gram
    assert rows(some, some) is rows(again := some.copy(), again)


def test_the_kernel_of_other_rows_is_computed_once_and_not_when_they_have_changed():
    calls = []

    def kernel(A, B):
        calls.append(len(B))
        return A @ B.T

    rows, test = NumberedRows(kernel, X), TEST.copy()
    first = rows(np.array([0, 3]), test)
    np.testing.assert_array_equal(rows(np.array([3]), test)[0], first[1])
    assert calls == [10, 4]
    test *= 2.0
    np.testing.assert_allclose(rows(np.array([0, 3]), test), 2.0 * first)
    assert calls == [10, 4, 4]
    for k in range(2 * KEPT):
        rows.seen(TEST + k)
    assert len(rows._kept) == KEPT


def test_sparse_rows_are_as_dense_ones():
    dense, sparse = NumberedRows(linear, np.round(X)), NumberedRows(linear, sp.csr_array(np.round(X)))
    np.testing.assert_array_equal(dense.numbers, sparse.numbers)
    A = np.unique(dense.numbers)
    np.testing.assert_allclose(sparse(A, sp.csr_array(TEST)), dense(A, TEST), atol=1e-13)
