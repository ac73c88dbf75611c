"""Rows that stay where they are: parts in memory, in a file or on workers, each looked at in blocks that fit the cache.

A linear learner of many rows needs sums over them and nothing else of their size. What is to be added up comes to the
rows as a function of a part and of what else is known of its rows; the results come back, one a part. A block of a part
becomes an array in double precision when its turn comes: rows in single precision, or in a file, are never copied.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from backdoor_curves.paths.intercept import NONE, Intercept
from backdoor_curves.paths.linalg.units import Units
from backdoor_curves.rows import Rows, as_numbers, is_on_workers

CACHED = 2**20
"""Bytes of a block and of what is made of it: half of a core's second cache."""
FEWEST, MOST = 64, 8192
"""Rows of a block: with fewer the calls are what takes time, and with more nothing is gained."""
TALL = 10
"""Rows for each feature from which sums over them are worth more than the rows: a matrix of the features' order is then
a tenth of them at most."""
LARGE = 2**17
"""Entries of rows from which they are left where they are: with fewer, what takes time is to call."""

Work = Callable[..., Any]
"""A function of the rows of a part, and of what else is known of each of them."""


def are_tall(*parts: Rows) -> bool:
    """Return whether rows are so many, and so many more than features, that they are followed by sums over them.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.linalg.row_parts import are_tall
    >>> are_tall(np.zeros((60000, 20)), np.zeros((6000, 20))), are_tall(np.zeros((1500, 784)))
    (True, False)
    """
    if any(map(is_on_workers, parts)):
        return True
    n, d = sum(X.shape[0] for X in parts), parts[0].shape[1]
    return n >= TALL * d and n * d >= LARGE


class RowParts(ABC):
    """Some rows in parts, in their order.

    Work is called with the rows of a part, an array or a CSR matrix, and the same part of each array of what is known
    of the rows; results are in the order of the parts.
    """

    shape: tuple[int, int]

    @abstractmethod
    def each(self, work: Work, *known: Float[np.ndarray, "n ..."]) -> Iterator[Any]:
        """Yield what comes of each part."""


@dataclass(frozen=True, eq=False)
class HereInParts(RowParts):
    """Rows in memory or in a file: arrays of any precision, memory-mapped ones, CSR matrices.

    Parameters
    ----------
    parts : tuple of rows
        Each of shape (k, d).
    """

    parts: tuple[Rows, ...]
    shape: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", (sum(X.shape[0] for X in self.parts), self.parts[0].shape[1]))

    def each(self, work: Work, *known: Float[np.ndarray, "n ..."]) -> Iterator[Any]:
        """Yield what comes of each part."""
        start = 0
        for X in self.parts:
            stop = start + X.shape[0]
            yield work(X, *(values[start:stop] for values in known))
            start = stop


def dense(X: Rows) -> Float[np.ndarray, "k d"]:
    """Return rows as an array in double precision."""
    return np.asarray(X.toarray() if sp.issparse(X) else X, dtype=float)


def parts_of(*parts: Rows) -> RowParts:
    """Return rows in parts, wherever they are; those on workers of dask stay there.

    Raises
    ------
    ValueError
        If the file of rows in one was cut short.
    """
    if any(map(is_on_workers, parts)):
        from backdoor_curves.paths.linalg.rows_on_workers import on_workers

        return on_workers(parts)
    for X in parts:
        _require_whole(X)
    return HereInParts(tuple(X if isinstance(X, np.ndarray) or sp.issparse(X) else as_numbers(X) for X in parts))


def _require_whole(X: Rows) -> None:
    """Refuse rows in a file that has become shorter: to read beyond its end is the end of the process."""
    if not isinstance(X, np.memmap) or X.filename is None:
        return
    while isinstance(X.base, np.memmap):
        X = X.base
    size, there = X.offset + X.nbytes, Path(X.filename).stat().st_size
    if there < size:
        raise ValueError(
            f"{X.filename}: {size} bytes of {X.shape[0]} rows were expected, {there} are there; the file was cut "
            "short, write it again"
        )


def stretches(n: int, entries: int) -> Iterator[slice]:
    """Yield stretches of n rows that fit the cache where each row takes so many numbers."""
    step = int(np.clip(CACHED // (8 * max(entries, 1)), FEWEST, MOST))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


@dataclass(frozen=True, eq=False)
class Place:
    """How a row becomes one of a problem: its features that are not 0 throughout, in units, and the intercept's entry.

    Parameters
    ----------
    kept : int array of shape (p,), optional
        Which features they are; None where all are.
    units : Units
        Of these.
    intercept : Intercept
    d : int
        The number of all features.
    """

    kept: Int[np.ndarray, " p"] | None
    units: Units
    intercept: Intercept
    d: int

    @property
    def q(self) -> int:
        """The number of parameters."""
        return len(self.units.size) + len(self.intercept.column)

    def of(self, X: Rows) -> Float[np.ndarray, "k q"]:
        """Return rows in their place, an array of the caller's own."""
        p = len(self.units.size)
        Z = np.empty((X.shape[0], self.q))
        part = X if self.kept is None else X[:, self.kept]
        Z[:, :p] = part.toarray() if sp.issparse(part) else part
        if self.units.centre.any():
            Z[:, :p] -= self.units.centre
        if (self.units.size != 1.0).any():
            Z[:, :p] /= self.units.size
        Z[:, p:] = self.intercept.column
        return Z

    def blocks(self, X: Rows, entries: int) -> Iterator[tuple[Float[np.ndarray, "k q"], slice]]:
        """Yield blocks of rows in their place, and which they are; each row takes so many numbers more."""
        for rows in stretches(X.shape[0], self.q + entries):
            yield self.of(X[rows]), rows

    def coef(self, W: Float[np.ndarray, "q k"]) -> Float[np.ndarray, "d k"]:
        """Return the parameters of all features as they came, without the intercept's."""
        own = self.units.coef(W[: len(self.units.size)])
        if self.kept is None:
            return own
        coef = np.zeros((self.d, W.shape[1]))
        coef[self.kept] = own
        return coef

    def shift(self, W: Float[np.ndarray, "q k"]) -> Float[np.ndarray, " k"]:
        """Return the intercepts for rows as they came."""
        p = len(self.units.size)
        own = W[p] * self.intercept.scaling if self.intercept.is_unknown else np.zeros(W.shape[1])
        return own - self.units.centre @ self.units.coef(W[:p])


def plain(d: int) -> Place:
    """Return the place of rows that stay what they are, without an intercept."""
    return Place(None, Units(np.zeros(d), np.ones(d)), NONE, d)


def column_sizes(rows: RowParts) -> Float[np.ndarray, " d"]:
    """Return the largest entry of each column, its sign left out."""
    return np.asarray(largest_of(rows.each(_column_sizes)))


def _column_sizes(X: Rows) -> Float[np.ndarray, " d"]:
    largest = np.zeros(X.shape[1])
    for Z, _ in plain(X.shape[1]).blocks(X, 0):
        largest = np.maximum(largest, np.abs(Z).max(axis=0))
    return largest


def sum_of(results: Iterator[Any]) -> Any:
    """Return the sum of results, whose order is that of the parts: the same bits each time."""
    total = None
    for result in results:
        total = result if total is None else tuple(a + b for a, b in zip(total, result, strict=True))
    return total


def largest_of(results: Iterator[Any]) -> Any:
    """Return the largest of results, entry by entry."""
    return np.max(list(results), axis=0)


def joined(results: Iterator[Sequence[Any]]) -> Any:
    """Return results that have a first axis for the rows, one after the other."""
    return np.concatenate(list(results))
