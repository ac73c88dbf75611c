"""The kernel matrix of a path's training rows: whole in memory, or what is asked of it.

All that a path asks of a matrix K is blocks, sums of its rows with some coefficients, and its diagonal. So a matrix
that does not fit in memory can be followed too (`on_demand`).
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Shaped

Numbers = Int[np.ndarray, " r"]
Others = Int[np.ndarray, " c"]
"""Rows or columns by number."""
COPIED = 2**20
"""Kernel values that are copied at a time, 8 MiB: what a cache holds."""


@runtime_checkable
class KernelMatrix(Protocol):
    """What paths ask of the symmetric matrix K of n rows."""

    @property
    def dtype(self) -> Any:
        """The type of its values, of double or of extended precision."""

    @property
    def diagonal(self) -> Shaped[np.ndarray, " n"]:
        """The kernel of each row with itself."""
        ...

    def __len__(self) -> int:
        """Return n."""
        ...

    def block(self, rows: Numbers, columns: Others) -> Shaped[np.ndarray, "r c"]:
        """Return the kernel of some rows with others, in an array of the caller's own."""
        ...

    def row(self, k: int, columns: Others, out: Shaped[np.ndarray, " c"]) -> None:
        """Write some columns of one row; the columns are the same for many rows in turn."""
        ...

    def columns_of(self, rows: Numbers, columns: Others, out: Shaped[np.ndarray, "r c"]) -> None:
        """Write some columns, ascending, of some rows: the rows are the same for many columns in turn."""
        ...

    def hold(self, rows: Numbers) -> None:
        """Have these rows at hand as far as there is room: many of their columns are asked for next."""
        ...

    def combined(
        self, C: Shaped[np.ndarray, "k r_and_s"], rows: Numbers, others: Shaped[np.ndarray, "s n"]
    ) -> Shaped[np.ndarray, "k n"]:
        """Return C [K_rows; others]: sums of some rows of K, and of others below them."""
        ...

    def sum_of(self, c: Shaped[np.ndarray, " r"], rows: Numbers) -> Shaped[np.ndarray, " n"]:
        """Return c K_rows."""
        ...

    def expansion(self, c: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
        """Return K c."""
        ...

    def product(self, C: Shaped[np.ndarray, "k n"]) -> Shaped[np.ndarray, "k n"]:
        """Return C K."""
        ...

    def whole(self) -> Shaped[np.ndarray, "n n"]:
        """Return K itself, to be read only."""
        ...


class WholeMatrix:
    """A kernel matrix in memory, in double or in extended precision.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.matrix import WholeMatrix
    >>> K = WholeMatrix(np.array([[2.0, 1.0], [1.0, 3.0]]))
    >>> K.expansion(np.array([1.0, -1.0])), K.diagonal
    (array([ 1., -2.]), array([2., 3.]))
    """

    def __init__(self, values: Shaped[np.ndarray, "n n"]) -> None:
        self.values, self.dtype, self.diagonal = values, values.dtype, np.diag(values)

    def __len__(self) -> int:
        return len(self.values)

    def block(self, rows: Numbers, columns: Others) -> Shaped[np.ndarray, "r c"]:
        """Return the kernel of some rows with others."""
        if 8 * len(columns) > len(self.values):  # np.ix_ takes twice as long where many columns are taken
            return self.values[rows].take(columns, axis=1)
        return self.values[np.ix_(rows, columns)]

    def row(self, k: int, columns: Others, out: Shaped[np.ndarray, " c"]) -> None:
        """Write some columns of one row."""
        np.take(self.values[k], columns, out=out, mode="clip")

    def columns_of(self, rows: Numbers, columns: Others, out: Shaped[np.ndarray, "r c"]) -> None:
        """Write some columns, ascending, of some rows."""
        block = self.values[rows, columns[0] : columns[-1] + 1]
        np.take(block, columns - columns[0], axis=1, out=out, mode="clip")  # np.ix_ takes three times as long

    def hold(self, rows: Numbers) -> None:
        """Do nothing: all rows are at hand."""

    def combined(
        self, C: Shaped[np.ndarray, "k r_and_s"], rows: Numbers, others: Shaped[np.ndarray, "s n"]
    ) -> Shaped[np.ndarray, "k n"]:
        """Return C [K_rows; others]."""
        R = np.empty((C.shape[1], len(self.values)), dtype=self.dtype)
        np.take(self.values, rows, axis=0, out=R[: len(rows)], mode="clip")
        R[len(rows) :] = others
        return np.asarray(C @ R)

    def sum_of(self, c: Shaped[np.ndarray, " r"], rows: Numbers) -> Shaped[np.ndarray, " n"]:
        """Return c K_rows."""
        return np.asarray(c @ self.values[rows])

    def expansion(self, c: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
        """Return K c, from the rows with a coefficient only if they are few."""
        used = np.flatnonzero(c)
        if not 0 < 3 * len(used) < len(c):
            return np.asarray(c @ self.values)
        parts = np.array_split(used, len(used) * len(c) // COPIED + 1)
        first = c[parts[0]] @ self.values[parts[0]]
        return np.asarray(sum((c[part] @ self.values[part] for part in parts[1:]), first))

    def product(self, C: Shaped[np.ndarray, "k n"]) -> Shaped[np.ndarray, "k n"]:
        """Return C K."""
        return np.asarray(C @ self.values)

    def whole(self) -> Shaped[np.ndarray, "n n"]:
        """Return K itself."""
        return self.values
