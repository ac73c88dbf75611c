"""A kernel matrix on demand is the matrix, whatever is kept of it."""

import gc
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from backdoor_curves.kernels import on_demand
from backdoor_curves.kernels.by_name import RBF, GivenKernel, Linear, Polynomial, Sigmoid
from backdoor_curves.kernels.functions import linear
from backdoor_curves.kernels.matrix import WholeMatrix
from backdoor_curves.kernels.on_demand import FEWEST, RowsOnDemand, kernel_matrix

N = 230
KERNELS = (Linear(), RBF(0.1), Polynomial(0.2, 1.0, 3), Sigmoid(0.1, 0.2), GivenKernel(lambda A, B: linear(A, B) + 1.0))
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
"""Some hundred roundings of values of size 1: products are summed in another order."""


def rows_of(kind):
    """Rows of 12 features, some of them equal: real, far from the origin, of whole numbers, or sparse."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 12))
    X[40:60] = X[:20]
    match kind:
        case "far":
            return X + 100.0
        case "whole":
            return np.rint(3.0 * X)
        case "sparse":
            return sp.csr_array(np.where(X > 0.5, X, 0.0))
    return X


@pytest.mark.parametrize("kind", ["real", "far", "whole", "sparse"])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
@pytest.mark.parametrize("room", [0.0, 8.0 * N * 100, None], ids=["fewest", "100 rows", "all"])
def test_blocks_rows_and_sums_are_those_of_the_whole_matrix(kind, kernel, room):
    """Asked for in a random order, so that rows come, go and come again."""
    X, rng = rows_of(kind), np.random.default_rng(1)
    whole, few = WholeMatrix(kernel(X, X)), RowsOnDemand(kernel, X, room)
    size = max(1.0, float(np.abs(whole.values).max()))
    close, sums = {key: value * size for key, value in CLOSE.items()}, 1e-14 * N * size
    np.testing.assert_allclose(few.diagonal, whole.diagonal, **close)
    for _ in range(6):
        some, others = (rng.choice(N, size, replace=False) for size in rng.integers(1, N, 2))
        np.testing.assert_allclose(few.block(some, others), whole.block(some, others), **close)
        columns, out = np.sort(others), np.empty((2, len(others)))
        for k in some[:5].tolist():
            for matrix, row in zip((few, whole), out, strict=True):
                matrix.row(k, columns, row)
            np.testing.assert_allclose(*out, **close)
        C, extra = rng.normal(size=(3, len(some) + 2)), rng.normal(size=(2, N))
        np.testing.assert_allclose(few.combined(C, some, extra), whole.combined(C, some, extra), rtol=0, atol=sums)
        np.testing.assert_allclose(few.sum_of(C[0, 2:], some), whole.sum_of(C[0, 2:], some), rtol=0, atol=sums)
        c = np.where(rng.random(N) < 0.3, rng.normal(size=N), 0.0)
        np.testing.assert_allclose(few.expansion(c), whole.expansion(c), rtol=0, atol=sums)
        np.testing.assert_allclose(few.product(c[np.newaxis]), whole.product(c[np.newaxis]), rtol=0, atol=sums)
    np.testing.assert_allclose(few.whole(), whole.whole(), **close)


def test_a_sum_made_of_differences_a_thousand_times_is_the_sum():
    """Else a path would drift: after some it is summed up anew, and each adds one rounding."""
    X, rng = rows_of("real"), np.random.default_rng(2)
    K, whole, c = RowsOnDemand(RBF(0.1), X), RBF(0.1)(X, X), np.zeros(N)
    for _ in range(1000):
        c[rng.integers(N)] = rng.normal()
        found = K.expansion(c)
        found += 7.0  # what is returned is the caller's own
    np.testing.assert_allclose(K.expansion(c), whole @ c, rtol=0, atol=64 * 1e-15 * np.abs(c).sum())


def test_a_sum_has_the_rounding_of_its_own_terms_after_a_large_coefficient_has_left():
    """What is taken away from a sum leaves its rounding there: 1e8 units would leave 1e-8."""
    X, rng = rows_of("real"), np.random.default_rng(3)
    K, c = RowsOnDemand(RBF(0.1), X), 1e-3 * rng.normal(size=N)
    large = c.copy()
    large[5] = 1e8
    K.expansion(large)
    np.testing.assert_allclose(K.expansion(c), RBF(0.1)(X, X) @ c, rtol=0, atol=16 * 1e-15 * np.abs(c).sum())


def test_threads_that_take_each_others_room_get_what_they_ask_for():
    """Two matrices, each asked by two threads: rows come and go at any time."""
    X = rows_of("real")
    kernels = RBF(0.1), RBF(0.2)
    matrices, whole = [RowsOnDemand(kernel, X, 0.0) for kernel in kernels], [kernel(X, X) for kernel in kernels]

    def ask(seed):
        rng, few, right = np.random.default_rng(seed), matrices[seed % 2], whole[seed % 2]
        for _ in range(100):
            rows, c = rng.choice(N, 40, replace=False), rng.normal(size=N)
            few.hold(rows)
            np.testing.assert_allclose(few.block(rows, np.arange(N)), right[rows], **CLOSE)
            np.testing.assert_allclose(few.expansion(c), right @ c, **CLOSE)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(ask, range(4)))
    finally:
        sys.setswitchinterval(interval)


def test_rows_near_each_other_are_computed_together_as_long_as_they_are_few(monkeypatch):
    """As many as half of all rows may be near: together they would take a quarter of the matrix."""
    X, columns, asked = rows_of("real"), np.arange(100), []

    def counted(A, B):
        asked.append((len(A), len(B)))
        return RBF(0.1)(A, B)

    for near, expected in ((100 * 100, [(100, 100)]), (5000, [(1, N), (1, N)])):
        monkeypatch.setattr(on_demand, "NEAR", near)
        K, out = RowsOnDemand(GivenKernel(counted), X), np.empty(100)
        asked.clear()
        for k in (3, 8):
            K.row(k, columns, out)
            np.testing.assert_allclose(out, RBF(0.1)(X[[k]], X[:100])[0], **CLOSE)
        assert asked == expected


def test_a_kernel_value_at_hand_is_not_computed_again_and_no_more_are_kept_than_there_is_room_for():
    X, asked = rows_of("real"), []

    def counted(A, B):
        asked.append(len(A))
        return A @ B.T

    K = RowsOnDemand(GivenKernel(counted), X, room=8.0 * N * 100)
    asked.clear()
    K.hold(np.arange(90))
    K.hold(np.arange(90))
    K.block(np.arange(90), np.arange(N))
    assert sum(asked) == 90
    K.hold(np.arange(60, 160))
    assert sum(asked) == 160
    K.hold(np.arange(60, 160))
    assert sum(asked) == 160
    assert K._values.nbytes == 8.0 * N * 100
    K.hold(np.arange(59))  # those asked for least recently made room
    assert sum(asked) == 219


def test_only_one_matrix_at_a_time_keeps_rows():
    """Curves in a list would each hold gigabytes; rows of an earlier one are computed anew when they are asked for."""
    X = rows_of("real")
    first, second = RowsOnDemand(RBF(0.1), X), RowsOnDemand(RBF(0.2), X)
    first.hold(np.arange(50))
    second.hold(np.arange(50))
    assert first._values.size == 0
    np.testing.assert_allclose(first.block(np.arange(9), np.arange(N)), RBF(0.1)(X[:9], X), **CLOSE)
    first.hold(np.arange(50))
    assert second._values.size == 0
    del first
    gc.collect()
    second.hold(np.arange(50))


def test_a_matrix_is_held_where_it_fits_and_goes_to_other_processes_as_its_rows(monkeypatch):
    X = rows_of("real")
    assert isinstance(kernel_matrix(RBF(0.1), X), WholeMatrix)
    monkeypatch.setattr(on_demand, "available_memory", lambda: 2 * 8.0 * N**2 - 1)
    few = kernel_matrix(RBF(0.1), X)
    assert isinstance(few, RowsOnDemand)
    few.hold(np.arange(FEWEST))
    sent = pickle.dumps(few)
    assert len(sent) < 2 * X.nbytes
    np.testing.assert_array_equal(pickle.loads(sent).diagonal, few.diagonal)
