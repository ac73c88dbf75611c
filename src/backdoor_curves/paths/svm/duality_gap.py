"""The duality gap: proofs of how far solutions are from the optimum, each dearer than the one before.

Any primal point proves something about duals a that are feasible: the objective is above the optimum by no more than
the gap. With the margins' excess g = y f - 1 at a primal point (w', b') it is

    |w' - w|^2 / 2  +  sum_i  a_i max(0, g_i) + (u_i - a_i) max(0, -g_i),        w = sum_i c_i phi(x_i),

no share of which is < 0, so that nothing cancels. What the balance r = 1'c - b / s^2 misses adds |b r|, or s^2 r^2 / 2.
The primal points are

    own          w itself; or one a little longer, where rounding leaves rows short of the margin. One look at all rows
    corrected    w and the correction for known sets (`correction`), without the rounding of scores whose terms are much
                 larger than they are. A factorisation for each change of sets
    extended     the optimum in extended precision (`extended_precision`). Seconds

and the next is tried where those before do not prove what is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, Int8

from backdoor_curves.paths.svm.correction import EVENTS, correction
from backdoor_curves.paths.svm.dual import Point, StalledError
from backdoor_curves.paths.svm.extended_precision import ExtendedOptimum, ExtendedPrecision
from backdoor_curves.paths.svm.screening import ON_MARGIN, Screened, screen
from backdoor_curves.paths.svm.solutions import Solutions

CLOSED = 1e-10
"""A relative duality gap that needs no second look: a tenth of what is asked for."""
LEAST = float(np.finfo(float).tiny)
"""Against division by an objective of 0."""


@dataclass(frozen=True, eq=False)
class InnerProducts:
    """Inner products of the w of k solutions.

    Parameters
    ----------
    squares : array of shape (k,)
    beside : array of shape (k - 1,)
        Of each with the next.
    first : array of shape (k,)
        Of each with the first.
    """

    squares: Float[np.ndarray, " k"]
    beside: Float[np.ndarray, " k_less_1"]
    first: Float[np.ndarray, " k"]

    def add(
        self,
        solutions: Solutions,
        rows: Int[np.ndarray, " r"],
        G: Float[np.ndarray, "k r"],
        first: Float[np.ndarray, " r"],
    ) -> None:
        """Add what some rows have to them, given y K c there, and that of the first."""
        self.squares[:] += solutions.weighted(rows, G)
        self.beside[:] += solutions.weighted(rows, G[1:], slice(max(len(G) - 1, 0)))
        self.first[:] += solutions.weighted(rows, np.broadcast_to(first, G.shape))


@dataclass(frozen=True, eq=False)
class Look:
    """What one look at all rows finds: gaps, how far rows on the margin are short of it, and inner products of w."""

    gap: Float[np.ndarray, " k"]
    shortfall: Float[np.ndarray, " k"]
    inner: InnerProducts


@dataclass(frozen=True, eq=False)
class DualityGap:
    """The relative duality gaps of some solutions whose sets are known.

    Parameters
    ----------
    solutions : Solutions
    status : array of shape (k, n)
        The set of each row.
    first_outputs : array of shape (n,), optional
        y K c of the solution with which inner products are taken; by default of the first of these.
    """

    solutions: Solutions
    status: Int8[np.ndarray, "k n"]
    first_outputs: Float[np.ndarray, " n"] | None = None

    def proven(self, tolerance: float, extended: ExtendedPrecision | None = None) -> Float[np.ndarray, " k"]:
        """Return the gaps: of each the first proof that is within the tolerance, or the least that is found.

        Extended precision is for those that hand it over, and for as few solutions as it can afford.
        """
        gap = self.own().copy()
        open_ = np.flatnonzero(gap > tolerance)
        if open_.size:
            gap[open_] = np.minimum(gap[open_], self.some(open_).corrected())
        if extended is not None:
            for k in extended.affordable(np.flatnonzero(gap > tolerance)):
                gap[k] = min(gap[k], self.extended(int(k), extended))
        return gap

    def some(self, k: Int[np.ndarray, " j"]) -> DualityGap:
        """Return that of solutions k."""
        return DualityGap(self.solutions.some(k), self.status[k])

    # --- own ---------------------------------------------------------------------------------------------------------

    def own(self) -> Float[np.ndarray, " k"]:
        """Return the gaps to the solutions' own w, or to a longer one if that is less."""
        look = self._first_look
        open_ = np.flatnonzero(look.gap > CLOSED)
        if not open_.size:
            return look.gap
        gap = look.gap.copy()
        longer = self.some(open_)._look(look.shortfall[open_])
        gap[open_] = np.minimum(gap[open_], longer.gap)
        return gap

    @property
    def inner(self) -> InnerProducts:
        """The inner products of w that a path keeps: they come with the look at all rows that the gaps take."""
        return self._first_look.inner

    @cached_property
    def _first_look(self) -> Look:
        return self._look(np.zeros(len(self.solutions.betas)))

    @cached_property
    def _screened(self) -> Screened:
        return screen(self.solutions)

    def _look(self, stretch: Float[np.ndarray, " k"]) -> Look:
        """Return the gaps to the primal points (1 + d) (w, b).

        With g = (1 + d) y f - 1 and slacks xi = max(0, -g) the gap is, at d = 0, u'xi + a'g. A row on the margin that
        rounding leaves short of it adds u times that; a little longer w takes it over.
        """
        solutions, k = self.solutions, len(self.solutions.betas)
        problem, b, r = solutions.problem, solutions.b, solutions.balance()
        slack, ag, short = (np.zeros(k) for _ in range(3))
        inner = InnerProducts(np.zeros(k), np.zeros(max(k - 1, 0)), np.zeros(k))
        for rows, G in solutions.outputs(self._screened.others):
            inner.add(solutions, rows, G, self._first_of(rows, G))
            G += np.outer(b, problem.y[rows]) - 1.0
            ag += solutions.weighted(rows, G)
            if stretch.any():
                G += stretch[:, np.newaxis] * (G + 1.0)
            np.minimum(G, 0.0, out=G)
            short = np.maximum(short, -np.where(G > -ON_MARGIN, G, 0.0).min(axis=1, initial=0.0))
            slack -= G @ problem.u0[rows] + solutions.betas * (G @ problem.du[rows])
        gap = ag + slack
        # Screened rows at their bound have the slacks -g: what they add to the gap a longer w takes from those.
        screened, a, c = self._of_screened(inner)
        screened += b * c - a
        gap -= stretch * (screened + a)
        square, slack = ag + screened + solutions.total() - b * r, slack - screened - stretch * (screened + a)
        gap += np.abs(b * r) if problem.free else 0.5 * problem.shift * r**2
        gap += (stretch + 0.5 * stretch**2) * square
        return Look(np.maximum(gap, 0.0) / np.maximum(0.5 * square + slack, LEAST), short, inner)

    def _of_screened(
        self, inner: InnerProducts
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Return c'K c, a and c summed over the screened rows at their bound; add the first to the inner products."""
        rows, betas, problem = self._screened.at_bound, self.solutions.betas, self.solutions.problem
        fixed, growing = (self.solutions.coefficients @ self._screened.sums).T
        inner.squares[:] += fixed + betas * growing
        inner.beside[:] += fixed[1:] + betas[:-1] * growing[1:]
        u0, du, y = (part[rows] for part in (problem.u0, problem.du, problem.y))
        if self.first_outputs is None:
            inner.first[:] += fixed[:1] + betas * growing[:1]
        else:
            inner.first[:] += u0 @ self.first_outputs[rows] + betas * (du @ self.first_outputs[rows])
        return fixed + betas * growing, u0.sum() + betas * du.sum(), y @ u0 + betas * (y @ du)

    def _first_of(self, rows: Int[np.ndarray, " r"], G: Float[np.ndarray, "k r"]) -> Float[np.ndarray, " r"]:
        return G[0] if self.first_outputs is None else self.first_outputs[rows]

    # --- corrected ---------------------------------------------------------------------------------------------------

    def corrected(self) -> Float[np.ndarray, " k"]:
        """Return the gaps to the corrected solutions, in the sets as they are or on the other side of their events."""
        gap = self._to_correction(events=0)
        open_ = np.flatnonzero(gap > CLOSED)
        if open_.size:  # what is right for the duals need not be for the scores
            gap[open_] = np.minimum(gap[open_], self.some(open_)._to_correction(EVENTS))
        return gap

    def _to_correction(self, events: int) -> Float[np.ndarray, " k"]:
        """Return the gaps to corrections with some events; infinite where b is off by more than rounding in the scores.

        The duals say nothing about b.
        """
        solutions, problem = self.solutions, self.solutions.problem
        r, m, found = solutions.balance(), solutions.total(problem.y), correction(solutions, self.status, events)
        c, b = found.c, solutions.b + found.b
        off = np.abs(b * r) if problem.free else 0.5 * problem.shift * (r + problem.corner * found.b) ** 2
        gap = 0.5 * np.maximum((problem.matrix.product(c) * c).sum(axis=1), 0.0) + found.cost + off
        dual = solutions.total() - 0.5 * (self.inner.squares + problem.shift * m**2)
        rounding = float(np.finfo(float).eps * np.sqrt(len(problem.y))) * problem.scale * solutions.total()
        return np.where(np.abs(found.b) <= rounding, gap / np.maximum(dual + gap, LEAST), np.inf)

    # --- extended ----------------------------------------------------------------------------------------------------

    def extended(self, k: int, extended: ExtendedPrecision) -> float:
        """Return the gap of solution k to the optimum in extended precision: infinite if that is not reached."""
        beta, b = self.solutions.betas[k], self.solutions.b[k]
        point = Point(self.solutions.some(np.array([k])).duals()[0], b, self.status[k])
        try:
            best = extended.optimum(beta, point)
        except StalledError:
            return np.inf
        return gap_to_optimum(extended, beta, point, best)


@dataclass(frozen=True, eq=False)
class GapInStretches:
    """The duality gaps of many solutions in order, a stretch of them at a time; each begins with the last one's end.

    Parameters
    ----------
    stretches : tuple of DualityGap
        At least one; all take inner products with the first solution of all.
    """

    stretches: tuple[DualityGap, ...]

    def proven(self, tolerance: float) -> Float[np.ndarray, " k"]:
        """Return the gaps, without a look in extended precision; see `DualityGap`."""
        return joined([stretch.proven(tolerance) for stretch in self.stretches])

    @cached_property
    def inner(self) -> InnerProducts:
        """The inner products of w."""
        parts = [stretch.inner for stretch in self.stretches]
        return InnerProducts(
            joined([part.squares for part in parts]),
            np.concatenate([part.beside for part in parts]),
            joined([part.first for part in parts]),
        )

    def infeasibility(self) -> Float[np.ndarray, " k"]:
        """Return by how much duals are beyond their limits or out of balance."""
        return joined([stretch.solutions.infeasibility() for stretch in self.stretches])


def joined(stretches: Sequence[Float[np.ndarray, _ * shape]]) -> Float[np.ndarray, k * shape]:
    """Return what stretches say of their solutions, of two that share one what the first says."""
    return np.concatenate([stretches[0], *(stretch[1:] for stretch in stretches[1:])])


def gap_to_optimum(extended: ExtendedPrecision, beta: float, point: Point, best: ExtendedOptimum) -> float:
    """Return the relative gap between duals and the w of a better solution, both summed up in extended precision.

    Its intercept is theirs, but for what rounding in the scores may move it. Where that leaves rows on the margin short
    of it, and a short w costs little, a longer one takes it over.
    """
    problem, a, b = extended.problem, point.a, point.b
    u, y, scale = problem.bounds(beta), problem.y, extended.rounded.scale
    f, own = (problem.expansion(c) + problem.shift * c.sum() for c in (y * best.point.a, y * a))
    rounding = float(np.finfo(float).eps * np.sqrt(len(a)) * a.sum()) * scale
    b = np.clip(best.point.b, b - rounding, b + rounding) if problem.free else 0.0
    margins = y * (f + b)
    longer = 2.0 - margins[margins > 1.0 - ON_MARGIN].min(initial=1.0)
    square = (y * best.point.a) @ f / 2
    primal = min(s**2 * square + u @ np.maximum(1.0 - s * margins, 0.0) for s in (1.0, longer))
    dual = a.sum() - (y * a) @ own / 2 - (abs(b * (y @ a)) if problem.free else 0.0)
    return float(max(primal - dual, 0.0) / max(primal, LEAST))
