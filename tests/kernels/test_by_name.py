"""Kernels as values: equal by what they are, in double precision whatever comes, with a gradient where one is known."""

import numpy as np
import pytest
import scipy.sparse as sp

from backdoor_curves.kernels.by_name import RBF, GivenKernel, Linear, Polynomial, Sigmoid, expansion_gradient
from backdoor_curves.kernels.cache import RememberedKernel
from backdoor_curves.kernels.precomputed import PrecomputedKernel
from backdoor_curves.learners.shared import Shared

KERNELS = [Linear(), RBF(0.4), Polynomial(0.3, 1.0, 3), Sigmoid(0.1, 0.2)]


def rows(seed: int = 0, n: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3))


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("kept", [False, True], ids=["itself", "remembered"])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_the_gradient_of_an_expansion_is_its_difference(kernel, kept, kind):
    """At other rows than those of the expansion, through a memory as well as without."""
    S, X, c, h = rows(0), rows(1, 4), rows(2)[:, 0], 1e-6
    gradient = expansion_gradient(RememberedKernel(kernel) if kept else kernel, c, kind(S), kind(X))
    for j, step in enumerate(h * np.eye(3)):
        difference = c @ (kernel(S, X + step) - kernel(S, X - step)) / (2 * h)
        np.testing.assert_allclose(gradient[:, j], difference, rtol=1e-7, atol=1e-8)  # rounding of 1e-15 over h


@pytest.mark.parametrize(
    "kernel",
    [lambda A, B: A @ B.T, GivenKernel(lambda A, B: A @ B.T), PrecomputedKernel(np.eye(5))],
    ids=["function", "given", "matrix"],
)
@pytest.mark.parametrize("kept", [False, True], ids=["itself", "remembered"])
def test_a_function_and_a_matrix_have_no_gradient(kernel, kept):
    """What they do between two rows is not known, and a difference would be a guess."""
    with pytest.raises(ValueError, match="a gradient in the input needs a kernel by name"):
        expansion_gradient(RememberedKernel(kernel) if kept else kernel, np.ones(5), rows(), rows())


def test_equal_kernels_share_one_memory_and_others_do_not():
    """By name and parameters, or by the function itself."""

    def own(A, B):
        return A @ B.T

    shared = Shared()
    alike = [shared.kernel(kernel) for kernel in (RBF(0.5), RBF(np.float64(0.5)))]
    assert alike[0] is alike[1]
    assert shared.kernel(GivenKernel(own)) is shared.kernel(GivenKernel(own))
    for other in (RBF(0.6), Linear(), GivenKernel(lambda A, B: own(A, B))):
        shared.kernel(other)
    assert len(shared.kernels) == 5


@pytest.mark.parametrize("kernel", [*KERNELS, GivenKernel(lambda A, B: A @ B.T)], ids=[*map(repr, KERNELS), "given"])
def test_whatever_rows_come_values_are_in_double_precision(kernel):
    """Squares of bytes overflow, and sparse products stay sparse."""
    X = np.random.default_rng(0).integers(0, 9, size=(5, 3)).astype(np.uint8)
    expected = kernel(X.astype(float), X.astype(float))
    for kind in (np.asarray, sp.csr_array, lambda rows: rows.tolist()):
        found = kernel(kind(X), kind(X))
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
