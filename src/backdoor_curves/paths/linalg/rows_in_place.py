"""Rows of many bytes as a matrix of features: they stay as they came, and are made in double precision when asked.

An array of any floating type, mapped from a file or in memory, or a CSR matrix acts like the array Phi of shape (n, p)
of its rows about a centre and with an intercept's column. No copy of all of it is ever made. What is summed over the
rows of either is here, a few of them at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from backdoor_curves.rows import Rows

BLOCK = 2**21
"""Bytes of rows that are made at a time: what a cache holds."""
GATHERED = 0.3
"""Share of the rows from which on it is cheaper to add up all of them, as they lie, than to gather some."""


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

    def __matmul__(self, w: Float[np.ndarray, p * k]) -> Float[np.ndarray, n * k]:
        """Return the scores of all rows, sums in double precision."""
        d = self.X.shape[1]
        if self._as_it_lies:
            return np.asarray(self.X @ w[:d]) + np.array(self.column) @ w[d:]
        return np.concatenate([self[rows] @ w for rows in blocks(self, np.arange(len(self)))])

    def lifted(self, c: Float[np.ndarray, n * k]) -> Float[np.ndarray, p * k]:
        """Return sum_i c_i phi_i over all rows."""
        if self._as_it_lies:
            return np.concatenate([np.asarray(self.X.T @ c), np.multiply.outer(np.array(self.column), c.sum(axis=0))])
        return sum_of_rows(self, c, np.arange(len(c)))

    @property
    def _as_it_lies(self) -> bool:
        return self.centre is None and self.X.dtype == np.float64


FeatureRows: TypeAlias = Float[np.ndarray, "n p"] | RowsInPlace
"""Rows of features that are multiplied by w, and of which some are taken."""


def scores_of(Phi: FeatureRows, W: Float[np.ndarray, "k p"]) -> Float[np.ndarray, "k n"]:
    """Return the scores of all rows for some parameters."""
    return W @ Phi.T if isinstance(Phi, np.ndarray) else (Phi @ W.T).T


def lifted(Phi: FeatureRows, c: Float[np.ndarray, n * k]) -> Float[np.ndarray, p * k]:
    """Return sum_i c_i phi_i."""
    used = np.flatnonzero(c) if c.ndim == 1 else np.arange(len(c))
    if len(used) < GATHERED * len(c):
        return sum_of_rows(Phi, c, used)
    return Phi.lifted(c) if isinstance(Phi, RowsInPlace) else Phi.T @ c


def sum_of_rows(Phi: FeatureRows, c: Float[np.ndarray, n * k], rows: Int[np.ndarray, " r"]) -> Float[np.ndarray, p * k]:
    """Return sum_i c_i phi_i over some rows."""
    total = np.zeros((Phi.shape[1], *c.shape[1:]))
    for some in blocks(Phi, rows):
        total += Phi[some].T @ c[some]
    return total


def curvature(
    Phi: FeatureRows, rows: Int[np.ndarray, " k"], weight: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "p p"]:
    """Return sum_i weight_i phi_i phi_i' over some rows."""
    H, root, done = np.zeros((Phi.shape[1], Phi.shape[1])), np.sqrt(weight), 0
    for some in blocks(Phi, rows):
        Z = Phi[some]
        Z *= root[done : done + len(some), np.newaxis]
        H += Z.T @ Z
        done += len(some)
    return H


def squares_of_columns(Phi: FeatureRows) -> Float[np.ndarray, " p"]:
    """Return sum_i phi_ij^2."""
    total = np.zeros(Phi.shape[1])
    for Z in parts_of(Phi):
        total += np.einsum("ij,ij->j", Z, Z)
    return total


def squares_of_rows(Phi: FeatureRows, weight: Float[np.ndarray, " p"]) -> Float[np.ndarray, " n"]:
    """Return sum_j weight_j phi_ij^2."""
    return np.concatenate([np.zeros(0), *(np.einsum("ij,ij,j->i", Z, Z, weight) for Z in parts_of(Phi))])


def absolute_scores(Phi: FeatureRows, w: Float[np.ndarray, " p"]) -> Float[np.ndarray, " n"]:
    """Return sum_j |phi_ij| |w_j|: the size of what a score adds up."""
    return np.concatenate([np.zeros(0), *(np.abs(Z) @ np.abs(w) for Z in parts_of(Phi))])


def absolute_lifted(Phi: FeatureRows, c: Float[np.ndarray, " n"]) -> Float[np.ndarray, " p"]:
    """Return sum_i |c_i| |phi_i|."""
    total = np.zeros(Phi.shape[1])
    for some in blocks(Phi, np.flatnonzero(c)):
        total += np.abs(c[some]) @ np.abs(Phi[some])
    return total


def features_of(
    Phi: FeatureRows, rows: Int[np.ndarray, " k"], features: Int[np.ndarray, " f"]
) -> Float[np.ndarray, "k f"]:
    """Return some features of some rows."""
    made = np.empty((len(rows), len(features)))
    for start, some in zip(count(0, _step(Phi, BLOCK)), blocks(Phi, rows)):
        made[start : start + len(some)] = Phi[some][:, features]
    return made


def blocks(Phi: FeatureRows, rows: Int[np.ndarray, " k"], size: int = BLOCK) -> Iterator[Int[np.ndarray, " b"]]:
    """Yield some rows, a few at a time: so many bytes."""
    step = _step(Phi, size)
    return (rows[start : start + step] for start in range(0, len(rows), step))


def parts_of(Phi: FeatureRows) -> Iterator[Float[np.ndarray, "b p"]]:
    """Yield all rows as arrays, a few at a time; they may be those of Phi itself."""
    if isinstance(Phi, np.ndarray):
        step = _step(Phi, BLOCK)
        return (Phi[start : start + step] for start in range(0, len(Phi), step))
    return (Phi[some] for some in blocks(Phi, np.arange(len(Phi))))


def _step(Phi: FeatureRows, size: int) -> int:
    return max(1, size // (8 * max(1, Phi.shape[1])))
