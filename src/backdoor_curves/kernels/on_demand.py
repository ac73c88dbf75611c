"""A kernel matrix whose rows are computed when they are asked for, and kept as long as there is room for them.

A path of an SVM asks for the rows of its margin again and again, for those of rows at their bound when they come there
or leave, and for most rows never. 50,000 rows are 18.6 GiB of kernel values, their margin's are one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from threading import RLock
from typing import ClassVar, Concatenate, ParamSpec, TypeVar

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.kernels.among import kernel_among
from backdoor_curves.kernels.by_name import RBF, Linear, Polynomial
from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.kernels.matrix import COPIED, KernelMatrix, Numbers, Others, WholeMatrix
from backdoor_curves.kernels.memory import GIB, MATRICES, available_memory
from backdoor_curves.rows import Rows, n_rows

ROOM = 3 * GIB
"""Bytes of kernel values that are held at most: a whole matrix of 14,000 rows, twice while a path begins. Beyond it
paths that share lambdas hardly keep their matrices either; and with what else a path of 50,000 rows holds it stays
within 8 GB."""
SHARE = 0.5
"""Of the memory that is available what rows on demand may take: the rest is for what else paths hold."""
FEWEST = 64
"""Rows that are kept at least."""
COMPUTED = 2**23
"""Kernel values that are computed at a time, 64 MiB: 170 rows of 50,000, enough for fast products."""
DEAR = 50
"""How many rows at hand are added up while one is computed: of 50 features as many, of images ten times as many."""
NEAR = 2**26
"""Kernel values of rows near one another that are computed together at most, 512 MiB: where a round goes wrong again
and again, as many rows are near as half of all."""
SUMS, DIFFERENCES = 4, 64
"""Sums K c that are remembered, and how often one may be made of another: each time adds a rounding."""
ADDED = 16.0
"""How many times as much as c may have been added up to make a sum K c: its rounding stays when a large coefficient
leaves."""
PREPARED, ARRAYS = 3, 3
"""Arrays of the size of the rows that are prepared for inner products: the rows from the first on, and their columns in
parts; and arrays of values that are there while some are computed: products, distances, what becomes of them."""
DIAGONAL = 32
"""Rows whose kernels with themselves are computed together."""


_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


@dataclass
class _Sum:
    """A sum K c, of how many differences it was made, and how much they added up."""

    c: Float[np.ndarray, " n"]
    value: Float[np.ndarray, " n"]
    differences: int
    added: float


def _one_at_a_time(
    method: Callable[Concatenate[RowsOnDemand, _Asked], _Answer],
) -> Callable[Concatenate[RowsOnDemand, _Asked], _Answer]:
    """Let threads wait for each other: the rows that one puts away are those that another reads."""

    @wraps(method)
    def asked(self: RowsOnDemand, /, *args: _Asked.args, **kwargs: _Asked.kwargs) -> _Answer:
        with RowsOnDemand._lock:
            return method(self, *args, **kwargs)

    return asked


class RowsOnDemand:
    """The kernel matrix of rows, of which a bounded part is in memory; see `KernelMatrix`.

    Values are those of the whole matrix to rounding; their last bits hang on what else was computed with them.

    Parameters
    ----------
    kernel : callable (A, B) -> array of shape (a, b)
        Symmetric.
    X : rows
    room : float, optional
        Bytes that are kept: by default `ROOM`, or what the machine allows. Only one matrix at a time keeps any: the
        last that was asked for rows. So threads ask one after the other, whichever matrices they have.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.by_name import Linear
    >>> from backdoor_curves.kernels.on_demand import RowsOnDemand
    >>> K = RowsOnDemand(Linear(), np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> K.expansion(np.array([1.0, -1.0])), K.diagonal
    (array([ -6., -14.]), array([ 5., 25.]))
    """

    _near: tuple[Others, Numbers, Float[np.ndarray, "m c"]]
    _holder: ClassVar[weakref.ref[RowsOnDemand] | None] = None
    _lock: ClassVar[RLock] = RLock()

    def __init__(self, kernel: Kernel, X: Rows, room: float | None = None) -> None:
        n, room = n_rows(X), room_for_kernel() if room is None else room
        self.kernel, self.X, self.dtype = kernel, X, np.dtype(float)
        self._among = kernel_among(kernel, X)
        places = np.arange(n)
        diagonals = [np.diag(self._among(few, few)) for few in np.array_split(places, n // DIAGONAL + 1)]
        self.diagonal: Float[np.ndarray, " n"] = np.concatenate(diagonals)
        self._capacity, self._clock = min(n, max(FEWEST, int(room / (8.0 * n)))), 0
        self._release()
        self._sums: list[_Sum] = []

    def __len__(self) -> int:
        return len(self.diagonal)

    def __reduce__(self) -> tuple[type[RowsOnDemand], tuple[Kernel, Rows]]:
        """Return what goes to another process: the rows."""
        return RowsOnDemand, (self.kernel, self.X)

    # --- values ------------------------------------------------------------------------------------------------------

    @_one_at_a_time
    def block(self, rows: Numbers, columns: Others) -> Float[np.ndarray, "r c"]:
        """Return the kernel of some rows with others; what is not at hand is computed, and not kept."""
        if len(columns) < len(rows):
            return self.block(columns, rows).T
        K, slots = np.empty((len(rows), len(columns))), self._slot[rows]
        at_hand = slots >= 0
        if at_hand.any():
            K[at_hand] = self._values[np.ix_(slots[at_hand], columns)]
        if not at_hand.all():
            K[~at_hand] = self._computed(rows[~at_hand], columns)
        return K

    @_one_at_a_time
    def row(self, k: int, columns: Others, out: Float[np.ndarray, " c"]) -> None:
        """Write some columns of one row; of rows near it those columns are computed too, if they are few."""
        is_near = self._near[0] is columns and k in self._near[1]
        if self._slot[k] < 0 and not is_near:
            rows = np.union1d(columns[self._slot[columns] < 0], [k])
            is_near = 2 * len(columns) <= len(self) and len(rows) * len(columns) <= NEAR
            if is_near:
                self._near = columns, rows, self._computed(rows, columns)
            else:
                self.hold(np.array([k]))
        if self._slot[k] >= 0:
            np.take(self._values[self._slot[k]], columns, out=out, mode="clip")
        else:
            out[:] = self._near[2][np.searchsorted(self._near[1], k)]

    @_one_at_a_time
    def columns_of(self, rows: Numbers, columns: Others, out: Float[np.ndarray, "r c"]) -> None:
        """Write some columns, ascending, of some rows."""
        slots, stretch = self._slot[rows], slice(columns[0], columns[-1] + 1)
        at_hand = np.flatnonzero(slots >= 0)
        for part in np.array_split(at_hand, len(at_hand) * (stretch.stop - stretch.start) // COPIED + 1):
            out[part] = self._values[slots[part], stretch].take(columns - columns[0], axis=1)
        missing = np.flatnonzero(slots < 0)
        if missing.size:
            out[missing] = self._computed(rows[missing], columns)

    @_one_at_a_time
    def hold(self, rows: Numbers) -> None:
        """Have rows at hand as far as there is room, in place of those that were asked for least recently."""
        self._claim()
        rows = rows[: self._capacity]
        self._touch(rows)
        missing = rows[self._slot[rows] < 0]
        free = np.argsort(self._used, kind="stable")
        free = free[(self._used[free] < self._clock) | (self._row[free] < 0)][: len(missing)]
        for first in range(0, len(missing), self._at_a_time):
            part, slots = (places[first : first + self._at_a_time] for places in (missing, free))
            self._put(part, slots, self._computed(part, None))

    def whole(self) -> Float[np.ndarray, "n n"]:
        """Return the matrix itself: for few rows."""
        return self._computed(np.arange(len(self)), None)

    # --- sums --------------------------------------------------------------------------------------------------------

    @_one_at_a_time
    def combined(
        self, C: Float[np.ndarray, "k r_and_s"], rows: Numbers, others: Float[np.ndarray, "s n"]
    ) -> Float[np.ndarray, "k n"]:
        """Return C [K_rows; others]; the rows are kept."""
        self.hold(rows)
        sums = C[:, len(rows) :] @ others
        for places, values in self._parts(rows):
            sums += C[:, places] @ values
        return np.asarray(sums)

    @_one_at_a_time
    def sum_of(self, c: Float[np.ndarray, " r"], rows: Numbers) -> Float[np.ndarray, " n"]:
        """Return c K_rows."""
        total = np.zeros(len(self))
        for places, values in self._parts(rows):
            total += c[places] @ values
        return total

    @_one_at_a_time
    def product(self, C: Float[np.ndarray, "k n"]) -> Float[np.ndarray, "k n"]:
        """Return C K."""
        used = np.flatnonzero(C.any(axis=0))
        sums = np.zeros((len(C), len(self)))
        for places, values in self._parts(used):
            sums += C[:, used[places]] @ values
        return sums

    @_one_at_a_time
    def expansion(self, c: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Return K c: what has changed since a sum like it, or from 0, whichever takes less."""
        fresh = _Sum(np.zeros(len(self)), np.zeros(len(self)), -1, 0.0)
        lengths = np.sqrt(np.abs(self.diagonal))
        room = ADDED * float(lengths @ np.abs(c))
        known = [
            sum_
            for sum_ in self._sums
            if sum_.differences < DIFFERENCES and sum_.added + lengths @ np.abs(c - sum_.c) <= room
        ]
        nearest = min([*known, fresh], key=lambda sum_: self._price(np.flatnonzero(sum_.c != c)))
        changed = np.flatnonzero(nearest.c != c)
        change = c[changed] - nearest.c[changed]
        added = nearest.added + float(lengths[changed] @ np.abs(change))
        found = _Sum(c.copy(), nearest.value.copy(), nearest.differences + 1, added)
        for places, values in self._parts(changed):
            found.value += change[places] @ values
        if changed.size:
            self._sums = [*self._sums, found][-SUMS:]
        return found.value.copy()

    def _price(self, rows: Numbers) -> int:
        return len(rows) + DEAR * int((self._slot[rows] < 0).sum())

    # --- rows that are kept ------------------------------------------------------------------------------------------

    @property
    def _at_a_time(self) -> int:
        return max(1, COMPUTED // len(self))

    def _release(self) -> None:
        """Keep nothing."""
        self._values, self._row, self._used = np.empty((0, 0)), np.empty(0, dtype=int), np.empty(0, dtype=int)
        self._slot = np.full(len(self.diagonal), -1)
        self._near = self._slot[:0], self._slot[:0], np.empty((0, 0))

    def _claim(self) -> None:
        """Be the one matrix that keeps rows."""
        if len(self._row):
            return
        if RowsOnDemand._holder is not None and (holder := RowsOnDemand._holder()) is not None:
            holder._release()
        RowsOnDemand._holder = weakref.ref(self)
        self._values = np.empty((self._capacity, len(self)))  # pages that are never written take no memory
        self._row, self._used = np.full(self._capacity, -1), np.zeros(self._capacity, dtype=int)

    def _touch(self, rows: Numbers) -> None:
        self._clock += 1
        slots = self._slot[rows]
        self._used[slots[slots >= 0]] = self._clock

    def _put(self, rows: Numbers, slots: Int[np.ndarray, " r"], values: Float[np.ndarray, "r n"]) -> None:
        before = self._row[slots]
        self._slot[before[before >= 0]] = -1
        self._values[slots], self._row[slots], self._slot[rows] = values, rows, slots
        self._used[slots] = self._clock

    def _parts(self, rows: Numbers) -> Iterator[tuple[Int[np.ndarray, " p"], Float[np.ndarray, "p n"]]]:
        """Yield places among rows, and those rows of the matrix, a few at a time; new ones stay if there is room."""
        self._claim()
        self._touch(rows)
        slots = self._slot[rows]
        at_hand, missing = np.flatnonzero(slots >= 0), np.flatnonzero(slots < 0)
        for part in np.array_split(at_hand, len(at_hand) * len(self) // COPIED + 1):
            yield part, self._values[slots[part]]
        free = np.flatnonzero(self._row < 0)
        for first in range(0, len(missing), self._at_a_time):
            part, values = missing[first : first + self._at_a_time], None  # the last ones go before others are made
            values = self._computed(rows[part], None)
            kept = free[first : first + len(part)]
            self._put(rows[part[: len(kept)]], kept, values[: len(kept)])
            yield part, values

    def _computed(self, rows: Numbers, columns: Others | None) -> Float[np.ndarray, "r c"]:
        """Return the kernel of some rows with others, or with all; of a row with itself as the diagonal has it."""
        K = self._among(rows, columns)
        if columns is None:
            K[np.arange(len(rows)), rows] = self.diagonal[rows]
            return K
        place = np.full(len(self), -1)
        place[columns] = np.arange(len(columns))
        own = np.flatnonzero(place[rows] >= 0)
        K[own, place[rows[own]]] = self.diagonal[rows[own]]
        return K


def kernel_matrix(kernel: Kernel, X: Rows) -> KernelMatrix:
    """Return the kernel matrix of rows, in memory or as it is asked for."""
    return RowsOnDemand(kernel, X) if is_on_demand(kernel, n_rows(X)) else WholeMatrix(kernel(X, X))


def is_on_demand(kernel: Kernel, n: int) -> bool:
    """Return whether the kernel matrix of n rows is had row by row.

    It is where it does not fit, of a kernel by name: whether a function or a sigmoid is a kernel shows its matrix only.
    """
    return isinstance(kernel, RBF | Polynomial | Linear) and MATRICES * 8.0 * n**2 > min(ROOM, available_memory())


def room_for_kernel() -> float:
    """Return the bytes that rows on demand may take."""
    return min(ROOM, SHARE * available_memory())


def most_bytes(n: int, d: int) -> float:
    """Return the bytes that a matrix on demand of n rows of d features takes at most, with what is being computed."""
    prepared, kept = PREPARED * 8.0 * n * d, min(8.0 * n**2, max(FEWEST * 8.0 * n, room_for_kernel()))
    return prepared + kept + 8.0 * (min(NEAR, n**2) + ARRAYS * min(COMPUTED, n**2))
