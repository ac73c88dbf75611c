"""Sums over training rows of their kernel with other rows: what scores are, a few rows at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.kernels.functions import Kernel, linear
from backdoor_curves.rows import Rows, n_rows, take_rows

HELD = 2**24
"""Kernel values between training rows and others that are held at once: 128 MiB."""
KEPT = 2**22
"""Kernel values between training rows and others that are kept: 32 MiB."""
DIAGONAL = 32
"""Rows whose kernels with themselves are computed together."""


@dataclass(frozen=True, eq=False)
class KernelSums:
    """Sums over the rows X of their kernel with others.

    Parameters
    ----------
    X : rows
    kernel : callable
        `kernels.functions.linear` itself is told apart from other functions: sums are then had by way of w.
    """

    X: Rows
    kernel: Kernel
    _kept: list[tuple[np.ndarray, Float[np.ndarray, "n x"]]] = field(default_factory=list, init=False, repr=False)

    def of(self, rows: Int[np.ndarray, " s"], C: Float[np.ndarray, "k s"], X: Rows) -> Float[np.ndarray, "k x"]:
        """Return sum_i c_i k(x_i, x) over some rows."""
        if not rows.size:
            return np.zeros((len(C), n_rows(X)))
        if self.kernel is linear:
            return np.asarray((C @ take_rows(self.X, rows)) @ X.T)
        blocks = blocks_of(rows, X)
        if len(blocks) == 1:
            return C @ self.kernel_with(rows, X)
        return np.hstack([C @ self.kernel_with(rows, take_rows(X, block)) for block in blocks])

    def kernel_with(self, rows: Int[np.ndarray, " s"], X: Rows) -> Float[np.ndarray, "s x"]:
        """Return the kernel between some rows and X; of the last X it is kept for all of them, if small."""
        if not isinstance(X, np.ndarray) or n_rows(self.X) * len(X) > KEPT:
            return self.kernel(take_rows(self.X, rows), X)
        found = [K for known, K in self._kept if np.array_equal(known, X)]
        if not found:
            found = [self.kernel(self.X, X)]
            self._kept.append((X.copy(), found[0]))
            del self._kept[:-2]
        return found[0][rows]


def blocks_of(rows: Int[np.ndarray, " s"], X: Rows) -> list[Int[np.ndarray, " _"]]:
    """Return the rows of X in blocks, whose kernel with some training rows is no more than is held at once."""
    return np.array_split(np.arange(n_rows(X)), len(rows) * n_rows(X) // HELD + 1)


def longest(kernel: Kernel, X: Rows) -> float:
    """Return the largest length of a row of X in the kernel's space."""
    blocks = [take_rows(X, rows) for rows in np.array_split(np.arange(n_rows(X)), n_rows(X) // DIAGONAL + 1)]
    squares = np.concatenate([np.diag(kernel(block, block)) for block in blocks])
    return float(np.sqrt(max(squares.max(), 0.0)))
