"""Single solutions in extended precision: the optimum at one beta, as well as the kernel matrix knows it.

A kernel matrix is rounded, so that its smallest eigenvalues are noise of either sign, and rows that hardly differ may
take each other's place without end. With a ridge r of the size of that noise every set of rows is independent. What the
ridge does to the solution is taken out by proximal steps: with the target h = y + r c of the step before, the residual

    (K + r) c_new + b - (y + r c) = K c_new + b - y + r (c_new - c)

is that of K itself as soon as c no longer changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int, Shaped

from backdoor_curves.paths.linalg.definite import Number
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, ZERO, Point, Problem, StalledError
from backdoor_curves.paths.svm.homotopy import Homotopy

FEW_ROWS = 300
"""Rows up to which extended precision, which BLAS does not know, is taken for what double precision does not solve: it
costs seconds there, and minutes for five times as many. Of so few, nodes are refined if they are off by a tenth of what
is allowed: between them there is room for more."""
MOST_ROWS = 3000
"""Rows up to which single solutions are refined: extended precision takes some copies of the kernel matrix, doubled."""
FEW_SOLUTIONS = 32
"""Of more rows than a few only so many solutions are refined: each costs what many steps of a path do."""
RIDGES = (1.0, 30.0, 1e3, 1e5)
"""Ridges, in units of the kernel matrix's noise, each for where those before are too small: noise adds up where rows
are alike."""
PROXIMAL_STEPS = 4
"""Each leaves the share r / (r + eigenvalue) of what the ridge r has done in a direction: of ten ridges four leave
1e-4, and smaller eigenvalues are noise."""
MOST_ROUNDS = 20
"""Rounds of active-set steps after which a solution counts as too far off: it is to be nearby."""


@dataclass(frozen=True, eq=False)
class ExtendedOptimum:
    """The optimum at one beta, in extended precision.

    Parameters
    ----------
    point : Point
    gradient : array of shape (n,)
        y f - 1.
    """

    point: Point
    gradient: Shaped[np.ndarray, " n"]

    def violation(self) -> float:
        """Return by how much the conditions of the optimum still fail, in the units of the scores."""
        g, status = self.gradient, self.point.status
        fails = np.where(status == ZERO, -g, np.where(status == BOUND, g, np.where(status == MARGIN, np.abs(g), 0.0)))
        return float(fails.max(initial=0.0))


class ExtendedPrecision:
    """One problem in extended precision, without a ridge and with each; made when it is first asked for."""

    def __init__(self, problem: Problem) -> None:
        self.rounded = problem

    @cached_property
    def problem(self) -> Problem:
        """The problem without a ridge."""
        return self.rounded.extended(0.0)

    @cached_property
    def _ridged(self) -> list[Problem]:
        return [self.rounded.extended(ridge * self.rounded.noise) for ridge in RIDGES]

    @property
    def is_cheap(self) -> bool:
        """Whether there are so few rows that whole paths may be followed in it."""
        return len(self.rounded.y) <= FEW_ROWS

    def affordable(self, solutions: Int[np.ndarray, " k"]) -> Int[np.ndarray, " j"]:
        """Return which of some solutions it may be spent on: none if there are too many."""
        affords = self.is_cheap or (len(self.rounded.y) <= MOST_ROWS and len(solutions) <= FEW_SOLUTIONS)
        return solutions if affords else solutions[:0]

    def optimum(self, beta: Number, near: Point) -> ExtendedOptimum:
        """Return the optimum at some beta, from a solution nearby; raises StalledError if it is not reached."""
        failures = []
        for ridge, ridged in zip(RIDGES, self._ridged, strict=True):
            try:
                point = _without_ridge(ridged, ridge * self.rounded.noise, beta, near)
            except StalledError as failure:
                failures.append(failure)
            else:
                f = self.problem.expansion(ridged.y * point.a) + point.b
                return ExtendedOptimum(point, ridged.y * f - 1.0)
        raise failures[0]


def _without_ridge(ridged: Problem, ridge: Number, beta: Number, near: Point) -> Point:
    """Return the optimum at some beta, of the problem with the ridge after proximal steps."""
    y, u = ridged.y, ridged.bounds(beta)
    a = np.where(near.status == BOUND, u, np.where(near.status == MARGIN, near.a, 0.0))
    homotopy = Homotopy(ridged, Point(a, near.b, near.status), y * (1.0 + ridge * a), u)
    homotopy.limit = MOST_ROUNDS
    homotopy.repair()
    for _ in range(PROXIMAL_STEPS - 1):
        before, a = a, homotopy.state.a.copy()
        homotopy.follow(y * ridge * (a - before), np.zeros_like(u))
    return homotopy.state.point
