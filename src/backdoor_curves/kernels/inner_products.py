"""Inner products of rows as images have them: many columns almost always 0, the others whole numbers but for a unit.

Columns that are almost always 0 are multiplied as sparse ones. Of whole numbers single precision has exact products, in
half of the time of double precision, as long as no sum exceeds 2^24; and by Cauchy and Schwarz no part of the sum x'z
does, in whatever order it is added up, if |x|^2 and |z|^2 do not. So the inner products of the pixels k / 255 of 8-bit
images, in groups of columns that are short enough, are rounded only where they are divided by 255^2 and added up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Float32, Int

RARE = 0.04
"""Share of entries other than 0 below which a column is multiplied faster as a sparse one."""
WORTH = 0.1
"""Share of such columns from which on it pays to part them."""
PER_UNIT = (1.0, 16.0, 255.0)
"""What makes whole numbers of columns: counts, the pixels of scikit-learn's digits, those of 8 bits."""
NEAR = 2.0 * float(np.finfo(float).eps)
"""How far whole numbers may be off, as a share of the largest in their column: the rounding of k / 255, or of a
difference of two."""
EXACT = 2.0**24
"""Up to here single precision has all whole numbers."""
MOSTLY = 0.75
"""Share of columns that are whole numbers from which on it pays to part them."""
GROUPS = 16
"""Groups of columns at most: each costs a look at all products."""
FEW = 0.1
"""Share of products up to which they are added one by one."""
SAMPLE = 200
"""Rows that show how many entries of a column are 0, and a tenth of them which unit may be that of all."""
BLOCK = 256
"""Rows that are worked on at a time, to stay in the cache."""
TILE = 384
"""Rows and columns whose products in single precision are computed at a time, to become doubles in the cache."""
SPARSE_BLOCK = 1024
"""Rows of a sparse product that are held at a time: it takes more room than its dense sum."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Rows, their columns in parts.

    Parameters
    ----------
    often : array of shape (n, p)
    rarely : CSR of shape (n, q), or None
        Columns that are almost always 0; those that are so throughout are in no part.
    whole : arrays of shape (n, r)
        Columns that are whole numbers, times `per_unit`, in groups of which single precision has exact products.
    per_unit : float

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.inner_products import Columns
    >>> pixels = np.random.default_rng(0).integers(0, 256, size=(40, 100)) / 255
    >>> A, B = Columns.of_both(pixels[:10], pixels)
    >>> [part.dtype.name for part in A.whole], bool(np.allclose(A.inner(B), pixels[:10] @ pixels.T, rtol=1e-14))
    (['float32'], True)
    """

    often: Float[np.ndarray, "n p"]
    rarely: sp.csr_array | None
    whole: list[Float32[np.ndarray, "n _"]]
    per_unit: float

    @classmethod
    def of_both(cls, A: Float[np.ndarray, "a d"], B: Float[np.ndarray, "b d"]) -> tuple[Columns, Columns]:
        """Return the rows of A and B, in parts that suit inner products of the ones with the others."""
        parts = [A] if B is A else [A, B]
        filled = [np.count_nonzero(sample, axis=0) / len(sample) for sample in map(_sample, parts)]
        often, sparse = filled[0] * filled[-1] >= RARE**2, [None] * len(parts)
        if often.sum() <= (1.0 - WORTH) * len(often):
            rare = ~often & np.logical_and.reduce([X.any(axis=0) for X in parts])
            sparse = [_as_sparse(X[:, rare]) for X in parts]
            parts = [X[:, often] for X in parts]
        per_unit, whole, rest = _whole_numbers(parts)
        columns = [
            cls(X[:, rest] if groups else X, rarely, groups, per_unit)
            for X, rarely, groups in zip(parts, sparse, whole, strict=True)
        ]
        return columns[0], columns[-1]

    def take(self, rows: Int[np.ndarray, " r"]) -> Columns:
        """Return some of the rows."""
        rarely = None if self.rarely is None else self.rarely[rows]
        return Columns(self.often[rows], rarely, [part[rows] for part in self.whole], self.per_unit)

    def inner(self, other: Columns) -> Float[np.ndarray, "a b"]:
        """Return the inner products of these rows with others."""
        K = self._inner_in_tiles(other) if self.whole else np.asarray(self.often @ other.often.T)
        if self.rarely is not None and other.rarely is not None:
            columns, flat, width = other.rarely.T.tocsr(), K.ravel(), K.shape[1]
            for rows in _blocks(len(K), SPARSE_BLOCK):
                sums = self.rarely[rows] @ columns
                first = np.arange(rows.start, rows.start + sums.shape[0]) * width
                flat[np.repeat(first, np.diff(sums.indptr)) + sums.indices] += sums.data
        return K

    def _inner_in_tiles(self, other: Columns) -> Float[np.ndarray, "a b"]:
        """Return the inner products but for the columns that are almost always 0; of rows with themselves, one half.

        A trigger's columns may be those that are not whole, and 0 but in the rows that have it: then it is added there.
        """
        K, same = np.empty((len(self.often), len(other.often))), other is self
        a, b = (np.flatnonzero(part.often.any(axis=1)) for part in (self, other))
        everywhere = len(a) * len(b) > K.size * FEW
        for rows in _tiles(len(K)):
            for columns in _tiles(K.shape[1]):
                if same and columns.start < rows.start:
                    continue
                tile = K[rows, columns]
                for k, (left, right) in enumerate(zip(self.whole, other.whole, strict=True)):
                    exact = left[rows] @ right[columns].T
                    if k == 0:
                        np.multiply(exact, self.per_unit**-2, out=tile, dtype=float)
                    else:
                        tile += np.multiply(exact, self.per_unit**-2, dtype=float)
                if everywhere:
                    tile += self.often[rows] @ other.often[columns].T
                if same and columns != rows:
                    K[columns, rows] = tile.T
        if not everywhere:
            left = self.often[a]
            K[np.ix_(a, b)] += left @ (left if same else other.often[b]).T
        return K


@np.errstate(over="ignore", invalid="ignore")  # what is too large for single precision is not whole
def _whole_numbers(
    parts: list[Float[np.ndarray, "_ p"]],
) -> tuple[float, list[list[Float32[np.ndarray, "_ _"]]], Bool[np.ndarray, " p"]]:
    """Return how many units 1 is, for each part groups of columns that are whole numbers of them, and which are not."""
    p = parts[0].shape[1]
    for per_unit in PER_UNIT:
        if not all(_mostly(_in_units(_sample(X)[::10], per_unit)[1]) for X in parts):
            continue
        units, are_whole = zip(*(_in_units(X, per_unit) for X in parts), strict=True)
        whole = np.logical_and.reduce(are_whole)
        for U in units:
            U[:, ~whole] = 0.0
        longest = max(map(_longest, units))
        if not _mostly(whole) or longest > GROUPS * EXACT:
            continue
        in_groups = [np.array_split(U, int(longest / EXACT) + 1, axis=1) for U in units]
        if longest < EXACT or max(_longest(U) for part in in_groups for U in part) < EXACT:
            return per_unit, in_groups, ~whole
    return 1.0, [[] for _ in parts], np.zeros(p, dtype=bool)


def _in_units(
    X: Float[np.ndarray, "n p"], per_unit: float
) -> tuple[Float32[np.ndarray, "n p"], Bool[np.ndarray, " p"]]:
    """Return the nearest whole numbers of units, and the columns in which they are no others.

    However near 0 it is, another number is not 0: a row may have nothing else.
    """
    whole, lost = np.empty(X.shape, dtype=np.float32), np.zeros(X.shape[1], dtype=bool)
    off, largest = np.zeros((2, X.shape[1]))
    for rows in _blocks(len(X), BLOCK):
        units = per_unit * X[rows]
        nearest = np.rint(units)
        whole[rows] = nearest
        lost |= ((nearest == 0.0) & (units != 0.0)).any(axis=0)
        units -= nearest
        np.maximum(off, np.abs(units, out=units).max(axis=0), out=off)
        np.maximum(largest, np.abs(nearest, out=nearest).max(axis=0), out=largest)
    return whole, ~lost & (off <= NEAR * largest)


def _mostly(whole: Bool[np.ndarray, " p"]) -> bool:
    return bool(whole.sum() >= max(MOSTLY * len(whole), 1))


def _longest(X: Float32[np.ndarray, "n p"]) -> float:
    """Return the largest squared length of a row; in single precision: exact as long as it is no more than `EXACT`."""
    return float(np.einsum("nd,nd->n", X, X).max(initial=0.0))


def _sample(X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "s d"]:
    return X[:: len(X) // SAMPLE + 1]


def _as_sparse(X: Float[np.ndarray, "n q"]) -> sp.csr_array:
    """Return rows as CSR, at a third of the price at which scipy finds the entries."""
    places = np.flatnonzero(X.ravel() != 0.0)
    row, column = np.divmod(places, X.shape[1])
    return sp.csr_array((X.ravel()[places], column, np.searchsorted(row, np.arange(len(X) + 1))), shape=X.shape)


def _tiles(n: int) -> list[slice]:
    """Return slices of n rows, of like lengths."""
    edges = np.linspace(0, n, -(-n // TILE) + 1).astype(int).tolist()
    return [slice(*pair) for pair in pairwise(edges)]


def _blocks(n: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, n, size))
