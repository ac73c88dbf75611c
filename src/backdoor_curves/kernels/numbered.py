"""The kernel of training rows that are known by number: computed once, for many paths that each see some of them.

A pair of classes sees the rows that carry one of its two labels, a class against the rest sees all rows. Their kernel
matrices are blocks of one, or that one itself; and the kernel of a test row with the training rows is the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.kernels.by_name import expansion_gradient
from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.kernels.memory import GIB
from backdoor_curves.rows import Rows, distinct_rows, equal_rows, may_repeat, n_rows, row_shape, take_rows

Numbers = Int[np.ndarray, " k"]
"""Training rows by number: an array of one axis, which rows of features never are."""
KEPT = 4
"""Sets of other rows whose kernel is kept: those of a curve, and as many of the user's own."""


@dataclass(frozen=True, eq=False)
class SeenRows:
    """Rows together with their kernel with the training rows; paths take them as they take rows.

    Parameters
    ----------
    X : rows
    K : array of shape (d, x)
        The kernel of the distinct training rows with them.
    """

    X: Rows
    K: Float[np.ndarray, "d x"]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows, and the shape of one."""
        return (n_rows(self.X), *row_shape(self.X))

    def __getitem__(self, rows: Int[np.ndarray, " r"]) -> SeenRows:
        """Return some of them."""
        return SeenRows(take_rows(self.X, rows), self.K[:, rows])


class NumberedRows:
    """A kernel between training rows, by number, and any rows.

    Parameters
    ----------
    kernel : callable (A, B) -> array of shape (a, b)
        Symmetric.
    X : rows
        The training rows; of equal ones the first stands for all.
    room : float
        Bytes that may be kept of kernels with other rows; what does not fit is computed each time.

    Attributes
    ----------
    numbers : int array of shape (n,)
        The number of each training row: equal rows have the same.
    gram : array of shape (d, d)
        The kernel matrix of the distinct rows; to be read only.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.functions import linear
    >>> from backdoor_curves.kernels.numbered import NumberedRows
    >>> rows = NumberedRows(linear, np.array([[1.0], [2.0], [1.0]]))
    >>> rows.numbers
    array([0, 1, 0])
    >>> rows(np.array([1, 0]), rows.seen(np.array([[3.0]])))
    array([[6.],
           [3.]])
    """

    def __init__(self, kernel: Kernel, X: Rows, room: float = 2 * GIB) -> None:
        self.kernel, self.X, self.room, self.numbers = kernel, X, room, np.arange(n_rows(X))
        if may_repeat(X):
            first, self.numbers = distinct_rows(X, np.zeros(n_rows(X)))
            self.X = X if len(first) == n_rows(X) else take_rows(X, first)
        self.gram: Float[np.ndarray, "d d"] = kernel(self.X, self.X)
        self._blocks: dict[bytes, Float[np.ndarray, "a a"]] = {}
        self._kept: list[SeenRows] = []

    def seen(self, X: Rows) -> SeenRows:
        """Return rows with their kernel with the training rows; that of the last few sets is kept."""
        found = [kept for kept in self._kept if equal_rows(kept.X, X)]
        if found:
            return found[0]
        seen = SeenRows(X.copy(), self.kernel(self.X, X))  # the caller may write into X later
        self._kept.append(seen)
        while len(self._kept) > KEPT or sum(kept.K.nbytes for kept in self._kept) > self.room:
            del self._kept[0]
        return seen

    def __call__(self, A: Rows, B: Rows) -> Float[np.ndarray, "a b"]:
        """Return the kernel between rows, by number, seen or not; of numbers with themselves to be read only."""
        if _are_numbers(A) and _are_numbers(B):
            return self._block(A) if A is B else self.gram[np.ix_(A, B)]
        if _are_numbers(A):
            return (B if isinstance(B, SeenRows) else self.seen(B)).K[A]
        if _are_numbers(B):
            return self(B, A).T
        return self.kernel(*(rows.X if isinstance(rows, SeenRows) else rows for rows in (A, B)))

    def gradient(self, c: Float[np.ndarray, " s"], S: Numbers, X: Rows) -> Float[np.ndarray, "n d"]:
        """Return the gradient of sum_i c_i k(s_i, x) in x at each row of X; refused where the kernel has none."""
        return expansion_gradient(self.kernel, c, take_rows(self.X, S), X)

    def _block(self, A: Numbers) -> Float[np.ndarray, "a a"]:
        """Return a block of the matrix, of all rows the matrix itself; paths at other lambdas ask for the same."""
        if np.array_equal(A, np.arange(len(self.gram))):
            return self.gram
        if A.tobytes() not in self._blocks:
            self._blocks[A.tobytes()] = self.gram[np.ix_(A, A)]
        return self._blocks[A.tobytes()]


def _are_numbers(rows: Rows) -> bool:
    return isinstance(rows, np.ndarray) and rows.ndim == 1
