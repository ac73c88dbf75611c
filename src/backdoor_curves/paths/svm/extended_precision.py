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
from jaxtyping import Int8, Shaped

from backdoor_curves.paths.svm.active_set import Solution
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, ZERO, Number, Problem, StalledError
from backdoor_curves.paths.svm.duality_gap import SHORT
from backdoor_curves.paths.svm.homotopy import Homotopy

RIDGES = (1.0, 30.0, 1e3, 1e5)
"""Ridges, in units of the kernel matrix's noise, each for where those before are too small."""
STEPS = 4
"""Proximal steps; each leaves the share r / (r + eigenvalue) of what the ridge has done in a direction."""
STRETCHES = 20
"""Stretches of the homotopy after which a solution counts as too far off."""


@dataclass(frozen=True, eq=False)
class Refined:
    """The optimum at one beta, in extended precision.

    Parameters
    ----------
    a : array of shape (n,)
    b : float
    status : array of shape (n,)
        The set of each row.
    gradient : array of shape (n,)
        y f - 1.
    """

    a: Shaped[np.ndarray, " n"]
    b: Number
    status: Int8[np.ndarray, " n"]
    gradient: Shaped[np.ndarray, " n"]

    def wrong(self) -> float:
        """Return by how much the conditions of the optimum still fail, in the units of the scores."""
        g, status = self.gradient, self.status
        fails = np.where(status == ZERO, -g, np.where(status == BOUND, g, np.where(status == MARGIN, np.abs(g), 0.0)))
        return float(fails.max(initial=0.0))


class Refinement:
    """What makes solutions of one problem exact, and proves how good others are."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    @cached_property
    def _exact(self) -> Problem:
        return self.problem.extended(0.0)

    @cached_property
    def _ridged(self) -> list[Problem]:
        return [self.problem.extended(ridge * self.problem.noise) for ridge in RIDGES]

    def optimum(self, beta: Number, a: Shaped[np.ndarray, " n"], b: Number, status: Int8[np.ndarray, " n"]) -> Refined:
        """Return the optimum at some beta, from a solution nearby; raises StalledError if it is not reached."""
        failures = []
        for ridge, ridged in zip(RIDGES, self._ridged, strict=True):
            try:
                point = _without_ridge(ridged, ridge * self.problem.noise, beta, a, b, status)
            except StalledError as failure:
                failures.append(failure)
            else:
                f = self._exact.expansion(ridged.y * point.a) + point.b
                return Refined(point.a, point.b, point.status, ridged.y * f - 1.0)
        raise failures[0]

    def gap(self, beta: Number, a: Shaped[np.ndarray, " n"], b: Number, best: Refined) -> float:
        """Return the relative duality gap between duals a and the primal point of a better solution.

        Its intercept is b, but for what rounding in the scores may move it. Where that leaves rows on the margin short
        of it, and a short w costs little, a longer one takes it over.
        """
        problem, u, y = self._exact, self._exact.bounds(beta), self._exact.y
        f, own = (problem.expansion(d) + problem.shift * d.sum() for d in (y * best.a, y * a))
        rounding = float(np.finfo(float).eps * np.sqrt(len(a)) * a.sum()) * problem.scale
        b = np.clip(best.b, b - rounding, b + rounding) if problem.free else 0.0
        margins = y * (f + b)
        longer = 2.0 - margins[margins > 1.0 - SHORT].min(initial=1.0)
        square = (y * best.a) @ f / 2
        primal = min(s**2 * square + u @ np.maximum(1.0 - s * margins, 0.0) for s in (1.0, longer))
        dual = a.sum() - (y * a) @ own / 2 - (abs(b * (y @ a)) if problem.free else 0.0)
        return float(max(primal - dual, 0.0) / max(primal, np.finfo(float).tiny))


def _without_ridge(
    ridged: Problem, ridge: Number, beta: Number, a: Shaped[np.ndarray, " n"], b: Number, status: Int8[np.ndarray, " n"]
) -> Solution:
    """Return the optimum at some beta, of the problem with the ridge after proximal steps."""
    y, u = ridged.y, ridged.bounds(beta)
    a = np.where(status == BOUND, u, np.where(status == MARGIN, a, 0.0))
    homotopy = Homotopy(ridged, a, b, status, y * (1.0 + ridge * a), u)
    homotopy.limit = STRETCHES
    homotopy.repair()
    for _ in range(STEPS - 1):
        before, a = a, homotopy.point.a.copy()
        homotopy.follow(y * ridge * (a - before), np.zeros_like(u))
    return homotopy.point
