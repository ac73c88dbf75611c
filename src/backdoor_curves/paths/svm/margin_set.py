"""The margin as active-set steps see it: its rows, and the inverse of their system, updated as a row comes or goes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Shaped
from scipy.linalg import LinAlgError

from backdoor_curves.paths.linalg.definite import Number, add_square, independent
from backdoor_curves.paths.svm.dual import Problem, StalledError
from backdoor_curves.paths.svm.margin_system import MarginSystem, inverse

DEPENDENT = 1e-12
"""A row is in the span of the margin rows if less than this share of its squared length is left: 4500 roundings of a
difference. With 1e-8 some random problems are refused."""
SUSPECT = 1e-6
"""If less than this share is left, the difference has lost six digits, and is computed with more care."""

PIVOT = 2000
"""Entries that take as long as what a pivot of an inverse costs in extended precision whatever its size."""
SOLVED = 1e-14
"""Residual of a solution, over the size of its terms, that is rounding: 45 units, as a sum of many has."""


class MarginSet:
    """The margin rows M, and the inverse B of their system S (`margin_system`).

    Of the rows of the kernel matrix only some columns are kept: those of the working set (`keep_columns`). Column 0 is
    the intercept's. What steps read are views, anew after each change:

        width       the number of unknowns: b counts if it is determined
        has_b       whether it is one of them, the first
        index       which rows are in the set, in its own order
        places      the columns of the unknowns among those that are kept
        rows        the unknowns' rows of the kernel matrix, those columns only
        inverse     B
        least_pivot the least share of its squared length that was left of a row when it joined
    """

    width: int
    least_pivot: Number
    has_b: bool
    index: Int[np.ndarray, " m"]
    places: Int[np.ndarray, " w"]
    rows: Shaped[np.ndarray, "w p"]
    inverse: Shaped[np.ndarray, "w w"]

    def __init__(self, problem: Problem) -> None:
        self.K, self.corner, self.border = problem.matrix, problem.corner, int(problem.has_intercept)
        self.kappa, self.precision, self._largest = problem.kappa, problem.precision, problem.scale
        self.least_pivot, self._effort = np.inf, problem.effort
        self.size = 0
        self._columns = self._place = np.empty(0, dtype=np.intp)
        self._index, self._places = np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
        self._rows, self._B = self._zeros((0, 1)), self._zeros((0, 0))
        self._allocate(64)

    def _allocate(self, capacity: int) -> None:
        """Make room for `capacity` unknowns."""
        index, places = np.zeros(capacity, dtype=np.intp), np.zeros(capacity, dtype=np.intp)
        rows, B = self._zeros((capacity, 1 + len(self._columns))), self._zeros((capacity, capacity))
        if self.size:
            w = self.width
            index[:w], places[:w], rows[:w] = self._index[:w], self._places[:w], self._rows[:w]
            B[:w, :w] = self._B[:w, :w]
        self._index, self._places, self._rows, self._B = index, places, rows, B
        self._fill_border()
        if self.size:
            self._show_views()
        else:
            self._reset()

    def _zeros(self, shape: tuple[int, int]) -> Shaped[np.ndarray, "r c"]:
        return np.zeros(shape, dtype=self.K.dtype, order="F")

    def _fill_border(self) -> None:
        if self.border:
            self._rows[0] = 1.0
            self._rows[0, 0] = self.corner

    def _reset(self) -> None:
        """Be empty: only a penalised intercept is then determined."""
        self.size = 0
        self._B[:] = 0.0
        if self.corner:
            self._B[0, 0] = 1.0 / self.corner
        self._show_views()

    # --- what steps read ---------------------------------------------------------------------------------------------

    def _show_views(self) -> None:
        """Let steps see what there is now; they read this more often than it changes."""
        w = self.width = self.border + self.size if self.size or self.corner else 0
        self.has_b = bool(self.border and w)
        self.index = self._index[self.border : self.border + self.size]
        self.places, self.rows, self.inverse = self._places[:w], self._rows[:w], self._B[:w, :w]

    @property
    def is_ill_conditioned(self) -> bool:
        """Whether rows are kept apart by a small ridge alone, in extended precision: no digit is to be lost then."""
        largest = float(self.inverse.diagonal().max()) if self.precision < 1.0 else 0.0
        return largest * SUSPECT * (self._largest + self.kappa) > 1.0

    # --- changes -----------------------------------------------------------------------------------------------------

    def keep_columns(self, rows: Int[np.ndarray, " p"], place: Int[np.ndarray, " n"]) -> None:
        """Keep the columns of these rows, the margin's among them, whose places among the columns are given."""
        self._columns, self._place = rows, place
        w = self.border + self.size
        self._rows = np.empty((len(self._index), 1 + len(rows)), dtype=self.K.dtype)
        self._fill_border()
        self._rows[self.border : w, 0] = float(self.border)
        self._rows[self.border : w, 1:] = self.K.block(self.index, rows)
        self._places[self.border : w] = place[self.index]
        self._show_views()

    def row_of(self, k: int) -> Shaped[np.ndarray, " p"]:
        """Return row k of the kernel matrix, the kept columns only."""
        row = np.empty(1 + len(self._columns), dtype=self.K.dtype)
        row[0] = self.border
        self.K.row(k, self._columns, row[1:])
        return row

    def append(self, k: int) -> Shaped[np.ndarray, " w"] | None:
        """Add row k; if it is a combination of the others, return the coefficients z instead: row k = z' rows."""
        if self.border + self.size + 2 > len(self._index):
            self._allocate(len(self._index) + len(self._index) // 4 + 64)
        w, row, square = self.width, self.row_of(k), self.K.diagonal[k]
        r = row[self.places]
        z = self.inverse @ r
        rounding: Number = 0.0
        pivot, length = square - r @ z, square + self.kappa
        if w and pivot <= SUSPECT * length:
            z, pivot, rounding = self._refined_pivot(r, square)
        if (w or not self.border) and pivot <= DEPENDENT * self.precision * length + rounding:
            return z
        self.least_pivot = min(self.least_pivot, pivot / length)
        if w or not self.border:
            edge = np.zeros(len(self._index), dtype=row.dtype)
            edge[:w], edge[w] = z, -1.0
            add_square(1.0 / pivot, edge, self._B)
        else:
            w = 1  # the first row of all determines b
            self._invert_one(square)
        self._rows[w], self._index[w], self._places[w] = row, k, self._place[k]
        self.size += 1
        self._show_views()
        if self.is_ill_conditioned:
            self.refactor()
        return None

    def _invert_one(self, square: Number) -> None:
        """Let B be that of a free intercept and one row, which is known: where that row leaves, the path jumps."""
        self._B[:2, :2] = [[-square, 1.0], [1.0, 0.0]]

    def _refined_pivot(
        self, r: Shaped[np.ndarray, " w"], square: Number
    ) -> tuple[Shaped[np.ndarray, " w"], Number, Number]:
        """Return z = B r refined, the pivot as the square that it is, and the rounding error in that.

        The error of z = B r shows in the square in second order only.
        """
        S = self.rows[:, self.places]
        for attempt in range(3):
            z = self.inverse @ r
            z += self.inverse @ (r - S @ z)
            residual = r - S @ z
            if np.abs(residual).max() <= SOLVED * self.precision * (
                np.abs(r).max() + np.abs(S).max() * np.abs(z).sum()
            ):
                break
            if attempt == 0:
                self.refactor()
        return z, square - r @ z - residual @ z, float(np.abs(residual).max() * np.abs(z).sum())

    def remove(self, j: int) -> None:
        """Take out the margin row in place j."""
        if self.size == 1:
            self._reset()
            return
        B, j, last = self._B, j + self.border, self.border + self.size - 1
        square = self.K.diagonal[self._index[j]]
        column = B[:, j].copy()
        pivot = column[j]
        add_square(-1.0 / pivot, column, B)
        if j != last:  # the last one takes its place
            B[:, j] = B[:, last]
            B[j] = B[last]
            B[j, j] = B[last, last]
            self._rows[j], self._index[j], self._places[j] = self._rows[last], self._index[last], self._places[last]
        B[:, last] = B[last] = 0.0
        self.size -= 1
        self._show_views()
        if self.size == 1 and self.border and not self.corner:
            self._invert_one(self.K.diagonal[self._index[1]])
        elif pivot * SUSPECT * (square + self.kappa) > 1.0 or self.is_ill_conditioned:
            self.refactor()  # what is left lost as many digits

    def set_rows(self, rows: Int[np.ndarray, " m"], share: float) -> Int[np.ndarray, " d"]:
        """Let the set be these rows, and return those of them that were left out since they depend on the others.

        They do if no more than this share of their squared length is left.
        """
        self._reset()
        if not rows.size:
            return rows
        block = self.K.block(rows, rows) + self.kappa
        order = independent(block, share * self.precision * float(np.diag(block).max()))
        kept, left = np.sort(rows[order]), np.sort(np.delete(rows, order))
        self._columns = np.empty(0, dtype=np.intp)
        self._allocate(self.border + len(kept) + len(kept) // 4 + 32)
        self.size = len(kept)
        self._index[self.border : self.border + self.size] = kept
        self._show_views()
        if not self.refactor():
            raise StalledError("the rows on the margin have become dependent")
        return left

    def refactor(self) -> bool:
        """Compute B anew; return whether that worked: of rows that are nearly dependent the old one is the better."""
        if self.precision < 1.0:
            self._effort.spend(self.width * (2 * self.width**2 + PIVOT))
        try:
            B = inverse(self._system())
        except LinAlgError:
            return False
        self._B[:] = 0.0
        self._B[: self.width, : self.width] = B
        return True

    def _system(self) -> MarginSystem:
        K, border = self.K.block(self.index, self.index), int(self.has_b)
        return MarginSystem(K, border, self.corner, self.kappa if border else 0.0)
