"""Kernels as values: each is a function of two sets of rows with its parameters, its gradient, and equality by both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from backdoor_curves.kernels.functions import (
    Kernel,
    linear,
    linear_gradient,
    polynomial,
    polynomial_gradient,
    rbf,
    rbf_gradient,
    sigmoid,
    sigmoid_gradient,
)
from backdoor_curves.rows import Rows, as_floats

Values = Float[np.ndarray, "a b"]
Coefficients = Float[np.ndarray, " s"]
Gradients = Float[np.ndarray, "n d"]


@runtime_checkable
class DifferentiableKernel(Protocol):
    """A kernel whose gradient is known."""

    def __call__(self, A: Rows, B: Rows) -> Values:
        """Return the kernel between the rows of A and B."""
        ...

    def gradient(self, c: Coefficients, S: Rows, X: Rows) -> Gradients:
        """Return the gradient of sum_i c_i k(s_i, x) in x, at each row of X."""
        ...


def expansion_gradient(kernel: Kernel, c: Coefficients, S: Rows, X: Rows) -> Gradients:
    """Return the gradient of sum_i c_i k(s_i, x) in x at each row of X, in units of the kernel per unit of x.

    Raises
    ------
    ValueError
        If the kernel is a function or a matrix: what it does between rows is then known, and not its gradient.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.by_name import Linear, expansion_gradient
    >>> expansion_gradient(Linear(), np.array([2.0]), np.array([[3.0, 1.0]]), np.zeros((1, 2)))
    array([[6., 2.]])
    """
    if not isinstance(kernel, DifferentiableKernel):
        raise ValueError(
            "a gradient in the input needs a kernel by name; that of a function, or of a matrix, is unknown here"
        )
    return kernel.gradient(c, S, X)


@dataclass(frozen=True)
class Linear:
    """The kernel x'z."""

    def __call__(self, A: Rows, B: Rows) -> Values:
        """Return the kernel between the rows of A and B."""
        return linear(*_as_floats(A, B))

    def gradient(self, c: Coefficients, S: Rows, X: Rows) -> Gradients:
        """Return the gradient of an expansion, the same at each row."""
        return linear_gradient(c, S, X)


@dataclass(frozen=True)
class RBF:
    """The kernel exp(-gamma |x - z|^2)."""

    gamma: float

    def __call__(self, A: Rows, B: Rows) -> Values:
        """Return the kernel between the rows of A and B."""
        return rbf(*_as_floats(A, B), gamma=self.gamma)

    def gradient(self, c: Coefficients, S: Rows, X: Rows) -> Gradients:
        """Return the gradient of an expansion at each row of X."""
        return rbf_gradient(c, S, X, gamma=self.gamma)


@dataclass(frozen=True)
class Polynomial:
    """The kernel (gamma x'z + coef0)^degree."""

    gamma: float
    coef0: float
    degree: int

    def __call__(self, A: Rows, B: Rows) -> Values:
        """Return the kernel between the rows of A and B."""
        return polynomial(*_as_floats(A, B), gamma=self.gamma, coef0=self.coef0, degree=self.degree)

    def gradient(self, c: Coefficients, S: Rows, X: Rows) -> Gradients:
        """Return the gradient of an expansion at each row of X."""
        return polynomial_gradient(c, S, X, gamma=self.gamma, coef0=self.coef0, degree=self.degree)


@dataclass(frozen=True)
class Sigmoid:
    """The function tanh(gamma x'z + coef0), which is a kernel for some rows only."""

    gamma: float
    coef0: float

    def __call__(self, A: Rows, B: Rows) -> Values:
        """Return its values between the rows of A and B."""
        return sigmoid(*_as_floats(A, B), gamma=self.gamma, coef0=self.coef0)

    def gradient(self, c: Coefficients, S: Rows, X: Rows) -> Gradients:
        """Return the gradient of an expansion at each row of X."""
        return sigmoid_gradient(c, S, X, gamma=self.gamma, coef0=self.coef0)


@dataclass(frozen=True)
class GivenKernel:
    """A kernel given as a function of two sets of rows; its gradient is not known."""

    function: Callable[[Rows, Rows], Any]

    def __call__(self, A: Rows, B: Rows) -> Values:
        """Return its values between the rows of A and B, as an array."""
        K = self.function(*_as_floats(A, B))
        return np.asarray(K.toarray() if sp.issparse(K) else K, dtype=float)


def _as_floats(A: Rows, B: Rows) -> tuple[Rows, Rows]:
    """Return both in double precision; what is one set of rows stays one, which kernels make use of."""
    floats = as_floats(A)
    return floats, floats if B is A else as_floats(B)
