"""The dual of a support vector machine as a function of beta.

With signed duals c_i = y_i a_i, f = K c + b, and upper bounds u(beta) = u0 + beta du (du = 0 for clean rows, u0 = 0 for
poison rows), duals a and intercept b are optimal where e = f - h, h = y, sorts every row into one of three sets:

    ZERO     a = 0,        y e >= 0      classified with a margin above 1
    MARGIN   0 <= a <= u,    e  = 0      on the margin
    BOUND    a = u,        y e <= 0      inside the margin

and the intercept balances the duals: 1'c = 0 if it is free, 1'c = b / s^2 if it is the weight of a constant column s.
So an intercept is one more unknown, and one more row of the kernel matrix:

    [ -1/s^2  1' ] [ b ]     [ 0 ]
    [   1     K  ] [ c ]  =  [ h ]   at the margin,      1/s^2 = 0 for a free intercept, no such row without one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int8, Shaped

from backdoor_curves.kernels.matrix import KernelMatrix, WholeMatrix
from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.linalg.definite import Number

ZERO, MARGIN, BOUND, IDLE = 0, 1, 2, 3
"""The sets; a row is idle before the path begins, if its bound is 0 there."""

SIGN = np.array([1.0, 0.0, -1.0, 0.0])
"""The sign that y e has in each set."""


class StalledError(RuntimeError):
    """Ties make the path go round in circles; perturbed margins break them."""


@dataclass
class Effort:
    """What following a path may still cost in extended precision, which BLAS does not know: in kernel entries."""

    left: float = np.inf

    def spend(self, entries: int) -> None:
        """Count entries; raises StalledError where none are left."""
        self.left -= entries
        if self.left < 0.0:
            raise StalledError("double precision has too few digits for these rows, and extended precision is too slow")


@dataclass(frozen=True, eq=False)
class Problem:
    """The dual as a function of beta.

    Parameters
    ----------
    matrix : KernelMatrix
        The kernel matrix of the rows, in memory or on demand.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        Upper bounds u0 + beta du, both >= 0: the row weights times C.
    intercept : Intercept
    effort : Effort
        What is left of it for the problem in extended precision.
    """

    matrix: KernelMatrix
    y: Shaped[np.ndarray, " n"]
    u0: Shaped[np.ndarray, " n"]
    du: Shaped[np.ndarray, " n"]
    intercept: Intercept
    effort: Effort = field(default_factory=Effort)

    @property
    def free(self) -> bool:
        """Whether the intercept is free."""
        return self.intercept.is_free

    @property
    def shift(self) -> float:
        """What a penalised intercept adds to every kernel value: s^2; 0 for a free one or none."""
        return self.intercept.shift

    @property
    def has_intercept(self) -> bool:
        """Whether b is an unknown."""
        return self.intercept.is_unknown

    @property
    def corner(self) -> Number:
        """The intercept's own entry of the kernel matrix, -1/s^2; 0 if it is free."""
        return -self.matrix.dtype.type(1.0) / self.shift if self.shift else 0.0

    @property
    def gram(self) -> Shaped[np.ndarray, "n n"]:
        """The kernel matrix itself: for few rows."""
        return self.matrix.whole()

    @cached_property
    def K(self) -> Shaped[np.ndarray, "n n"]:  # noqa: N802 - the letter of the formulas
        """The kernel matrix in which a penalised intercept is a constant column."""
        return self.gram + self.shift if self.shift else self.gram

    @cached_property
    def scale(self) -> float:
        """The largest squared length of a row."""
        return float(self.matrix.diagonal.max())

    @cached_property
    def kappa(self) -> float:
        """With an intercept K + kappa 11' is positive definite at the margin and has the same solutions; else 0."""
        mean = max(float(np.mean(self.matrix.diagonal)), np.finfo(float).tiny)
        return (mean if self.free else min(self.shift, mean)) if self.has_intercept else 0.0

    @cached_property
    def precision(self) -> float:
        """The rounding unit of the kernel matrix's type, in that of double precision: 1 for the latter."""
        return float(np.finfo(self.matrix.dtype).eps / np.finfo(float).eps)

    @cached_property
    def noise(self) -> float:
        """What the rounding of the kernel matrix may do to its eigenvalues: then it may not be positive definite."""
        return 4.0 * float(np.sqrt(len(self.y)) * np.finfo(float).eps) * self.scale

    @property
    def rounding(self) -> float:
        """What double precision may lose of a score, were all rows at their bounds."""
        return float(np.finfo(float).eps * self.scale * self.bounds(1.0).sum())

    def extended(self, ridge: Number) -> Problem:
        """Return the same problem in extended precision, where the machine has it, with a ridge on the kernel matrix.

        A ridge of the size of `noise` or more makes all rows independent.
        """
        gram, y, u0, du = (array.astype(np.longdouble) for array in (self.gram, self.y, self.u0, self.du))
        gram[np.diag_indices(len(y))] += ridge
        return Problem(WholeMatrix(gram), y, u0, du, self.intercept, self.effort)

    def rounded(self, segment: Segment) -> Segment:
        """Return the solution at the start of a segment in double precision."""
        if segment.a.dtype == np.float64:
            return segment
        there = segment.at(float(segment.start))
        a = np.clip(there.a, 0.0, self.bounds(there.start)[there.margin]).astype(float)
        return there._replace(b=float(there.b), db=float(there.db), a=a, da=there.da.astype(float))

    def bounds(self, beta: Number) -> Shaped[np.ndarray, " n"]:
        """Return u0 + beta du."""
        return self.u0 + beta * self.du

    def expansion(self, c: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
        """Return K c."""
        return self.matrix.expansion(c)


class Point(NamedTuple):
    """A solution at one beta: all duals, the intercept, and the set of each row."""

    a: Shaped[np.ndarray, " n"]
    b: Number
    status: Int8[np.ndarray, " n"]


class Segment(NamedTuple):
    """The solution from `start` to the next segment: b and the duals of the margin rows move at constant rates."""

    start: Number
    b: Number
    db: Number
    margin: Int[np.ndarray, " m"]
    a: Shaped[np.ndarray, " m"]
    da: Shaped[np.ndarray, " m"]
    status: Int8[np.ndarray, " n"]

    def at(self, beta: Number) -> Segment:
        """Return the segment from a later beta on."""
        step = beta - self.start
        return self._replace(start=beta, b=self.b + step * self.db, a=self.a + step * self.da)

    def point(self, u: Shaped[np.ndarray, " n"]) -> Point:
        """Return the solution at the start, where the bounds are u."""
        a = np.where(self.status == BOUND, u, 0.0)
        a[self.margin] = self.a
        return Point(a, self.b, self.status)
