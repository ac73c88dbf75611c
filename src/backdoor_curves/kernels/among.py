"""The kernel among rows of one set, some of them with others: what inner products take of all rows is prepared once.

A kernel of two sets of rows looks at all of either: squares, columns that are whole numbers or almost always 0, rows
that are equal. Of a few rows with 50,000 that takes longer than their inner products.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from backdoor_curves.kernels.by_name import RBF, Linear, Polynomial
from backdoor_curves.kernels.functions import (
    Kernel,
    first_equals,
    polynomial_of_inner,
    rbf_of_inner,
    squares_of,
)
from backdoor_curves.kernels.inner_products import Columns
from backdoor_curves.kernels.matrix import Numbers, Others
from backdoor_curves.rows import Rows, as_floats, take_rows

KernelAmong = Callable[[Numbers, Others | None], Float[np.ndarray, "r c"]]
"""The kernel of some rows with others, or with all where no others are named."""


def kernel_among(kernel: Kernel, X: Rows) -> KernelAmong:
    """Return a kernel among the rows of X, by number.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.among import kernel_among
    >>> from backdoor_curves.kernels.by_name import Linear
    >>> among = kernel_among(Linear(), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    >>> among(np.array([1]), None)
    array([[11., 25., 39.]])
    >>> among(np.array([1, 2]), np.array([0]))
    array([[11.],
           [17.]])
    """
    match kernel:
        case Linear():
            return InnerProducts.of(as_floats(X)).between
        case Polynomial(gamma, coef0, degree):
            inner = InnerProducts.of(as_floats(X))
            return lambda rows, others: polynomial_of_inner(inner.between(rows, others), gamma, coef0, degree)
        case RBF(gamma):
            return _GaussianAmong.of(as_floats(X), gamma)
    return lambda rows, others: kernel(take_rows(X, rows), X if others is None else take_rows(X, others))


@dataclass(frozen=True, eq=False)
class InnerProducts:
    """Inner products among rows; exact for equal ones, of which the first stands for all.

    Parameters
    ----------
    columns : Columns, or CSR
        The rows, as their products are taken.
    first : array of shape (n,), or None
        For each row the first that equals it; None if all differ.
    """

    columns: Columns | sp.csr_array
    first: Int[np.ndarray, " n"] | None

    @classmethod
    def of(cls, X: Rows) -> InnerProducts:
        """Return the inner products among the rows of an array or CSR in double precision."""
        return cls(X if sp.issparse(X) else Columns.of_both(X, X)[0], first_equals(X, squares_of(X)))

    def between(self, rows: Numbers, others: Others | None) -> Float[np.ndarray, "r c"]:
        """Return those of some rows with others, or with all."""
        if self.first is not None:
            rows, others = self.first[rows], self.first if others is None else self.first[others]
        if isinstance(self.columns, Columns):
            return self.columns.take(rows).inner(self.columns if others is None else self.columns.take(others))
        K = self.columns[rows] @ (self.columns if others is None else self.columns[others]).T
        return np.asarray(K.toarray())


@dataclass(frozen=True, eq=False)
class _GaussianAmong:
    """The Gaussian kernel among rows; distances do not move with the origin, which is at the first row of an array."""

    X: Rows
    gamma: float
    inner: InnerProducts
    squares: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, X: Rows, gamma: float) -> _GaussianAmong:
        moved = X if sp.issparse(X) else X - X[0]
        return cls(X, gamma, InnerProducts.of(moved), squares_of(moved))

    def __call__(self, rows: Numbers, others: Others | None) -> Float[np.ndarray, "r c"]:
        K, X, squares = self.inner.between(rows, others), self.X, self.squares
        if others is not None:
            X, squares = X[others], squares[others]
        rbf_of_inner(K, (self.squares[rows], squares), (self.X[rows], X), self.gamma)
        return K
