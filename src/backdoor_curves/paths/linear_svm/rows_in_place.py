"""Rows of many bytes as the features of a problem: they stay as they came, and are made in double precision when asked.

An array of any floating type, mapped from a file or in memory, or a CSR matrix acts like the array Phi of shape (n, p)
of its rows about a centre and with an intercept's column. No copy of all of it is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from backdoor_curves.rows import Rows

BLOCK = 2**21
"""Bytes of rows that are made at a time: what a cache holds."""


@dataclass(frozen=True, eq=False)
class RowsInPlace:
    """Rows (x - centre, column) of an array or a CSR matrix X, where they are.

    Parameters
    ----------
    X : array or CSR matrix of shape (n, d)
    centre : array of shape (d,), optional
        Of dense rows; None for 0.
    column : tuple of float
        What a row has beside its features: (s,) or nothing.
    """

    X: Rows
    centre: Float[np.ndarray, " d"] | None
    column: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p)."""
        return self.X.shape[0], self.X.shape[1] + len(self.column)

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def __getitem__(self, rows: int | np.integer | Int[np.ndarray, " k"]) -> Float[np.ndarray, "*k p"]:
        """Return some rows as an array in double precision, of the caller's own."""
        if isinstance(rows, int | np.integer):
            return self[np.array([rows])][0]
        taken: Any = self.X[rows]
        made = np.empty((taken.shape[0], self.shape[1]))
        d = self.X.shape[1]
        made[:, :d] = taken.toarray() if sp.issparse(taken) else taken
        if self.centre is not None:
            made[:, :d] -= self.centre
        made[:, d:] = self.column
        return made

    def __matmul__(self, w: Float[np.ndarray, " p"]) -> Float[np.ndarray, " n"]:
        """Return the scores of all rows, sums in double precision."""
        d, X = self.X.shape[1], self.X
        beside = float(np.dot(self.column, w[d:])) if self.column else 0.0
        if self.centre is None and X.dtype == np.float64:
            return np.asarray(X @ w[:d]) + beside
        return np.concatenate([self[rows] @ w for rows in blocks(self, np.arange(len(self)))])

    def lifted(self, c: Float[np.ndarray, " n"]) -> Float[np.ndarray, " p"]:
        """Return sum_i c_i phi_i over all rows."""
        if self.centre is None and self.X.dtype == np.float64:
            return np.append(np.asarray(c @ self.X), c.sum() * np.array(self.column))
        return sum_of_rows(self, c, np.arange(len(c)))


def sum_of_rows(Phi: Any, c: Float[np.ndarray, " n"], rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, " p"]:
    """Return sum_i c_i phi_i over some rows of an array, or of rows in place."""
    total = np.zeros(Phi.shape[1])
    for some in blocks(Phi, rows):
        total += c[some] @ Phi[some]
    return total


def features_of(Phi: Any, rows: Int[np.ndarray, " k"], features: Int[np.ndarray, " f"]) -> Float[np.ndarray, "k f"]:
    """Return some features of some rows, of an array or of rows in place."""
    made = np.empty((len(rows), len(features)))
    for start, some in zip(count(0, _step(Phi, BLOCK)), blocks(Phi, rows)):
        made[start : start + len(some)] = Phi[some][:, features]
    return made


def blocks(Phi: Any, rows: Int[np.ndarray, " k"], size: int = BLOCK) -> Iterator[Int[np.ndarray, " b"]]:
    """Yield some rows of an array, or of rows in place, a few at a time: so many bytes."""
    step = _step(Phi, size)
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _step(Phi: Any, size: int) -> int:
    return max(1, size // (8 * max(1, Phi.shape[1])))
