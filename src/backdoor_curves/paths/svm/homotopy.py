"""A solution of the dual that follows its problem while the bounds or the target move.

It goes in rounds of active-set steps. In each, only a working set of rows is followed, those near the margin; at its
end the residuals of all rows are computed at all its events, in one product of matrices. They are linear in between, so
the round is right if none of the others violates its condition there; if one does, the solution goes back to the event
before, and that row joins the working set.

A homotopy in the target h, at fixed bounds, makes an approximate solution exact: it is exact for another h. That is how
a path begins and how it gets rid of rounding errors. To correct the margin at once instead could move rows past their
limits: where its system is nearly singular a large change of the duals goes with none of the residuals.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Shaped

from backdoor_curves.paths.linalg.definite import Number
from backdoor_curves.paths.svm.active_set import DRIFT, ActiveSetSteps, Direction, State, Ties
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, SIGN, ZERO, Point, Problem, Segment, StalledError
from backdoor_curves.paths.svm.margin_set import MarginSet

DEPENDENT = 1e-10
"""Of rows put on the margin together one depends on the others if no more of its squared length is left: its dual would
have six digits."""
DEPENDENT_EXTENDED = 1e-13
"""The same in extended precision, in whose units it is 1e-16: rows that a ridge keeps apart are independent."""
ALREADY_INDEPENDENT = 1e-15
"""The same for rows that have been on the margin together: rounding alone can make them dependent, by five units."""
FEWEST_STEPS = 16
"""Steps in a round, or the root of the number of rows if that is more: a look at all rows costs n |M|, a row of the
working set |M| a step. Half or twice as many take as long."""
ROWS_PER_STEP = 6
"""Rows of the working set beyond the margin, for each step of a round: on digits one round of thirty is then taken back
in part, three with half as many rows."""
REPAIRS = 4
"""Attempts to repair a solution at one beta: what four leave is rounding, or is found by the final check."""
FRESH = 8
"""Rounds after which the residuals are summed up anew, which costs as much as one: between, a sum adds eight
roundings."""
PATIENCE = 32
"""Rounds in one direction after which its end is as good as reached where only rounding is left: more than ties of a
few rows take."""
MOST_ROUNDS = 500
"""Rounds, and two for each row, after which a path counts as stalled; images need a tenth of that."""


class Homotopy:
    """A solution that follows its problem while the target h or the bounds u move; t runs from 0 to 1."""

    def __init__(
        self,
        problem: Problem,
        point: Point,
        h: Shaped[np.ndarray, " n"],
        u: Shaped[np.ndarray, " n"],
    ) -> None:
        a, n = point.a, len(point.a)
        self.problem, self.h, self.u = problem, h.copy(), u.copy()
        self.state = State(a.copy(), a.dtype.type(point.b), point.status.copy(), np.zeros_like(a), 0.0)
        self.margin = MarginSet(problem)
        self.violators = np.empty(0, dtype=np.intp)
        self.steps = max(FEWEST_STEPS, int(np.sqrt(n)))
        self.extra = ROWS_PER_STEP * self.steps
        self.rounds = self.rounds_since_fresh = 0
        # Extended precision is there for the last digits.
        self.drift = DRIFT if problem.precision == 1.0 else 4.0 * float(np.finfo(u.dtype).eps)
        self.limit = MOST_ROUNDS + 2 * n
        self.ties = Ties(np.random.default_rng(7))
        self.refresh()
        self._fill_margin(np.flatnonzero(point.status == MARGIN))

    def _fill_margin(self, wanted: Int[np.ndarray, " w"]) -> None:
        """Put the wanted rows on the margin, dependent ones one by one: they are exchanged for others."""
        dependent = self.margin.set_rows(wanted, DEPENDENT if self.problem.precision == 1.0 else DEPENDENT_EXTENDED)
        if not dependent.size:
            return
        state = self.state
        state.status[dependent] = np.where(state.a[dependent] > 0.5 * self.u[dependent], BOUND, ZERO)
        still = np.zeros_like(self.u)
        nowhere = Direction(self.u, self.h, still, still, still, 0.0)
        steps = self._steps(nowhere, np.arange(len(self.u)))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for k in dependent:
                if state.status[k] != MARGIN:
                    steps.enter(int(k))
        state.b = steps.b
        self.refresh()

    # --- following ---------------------------------------------------------------------------------------------------

    def follow(self, dh: Shaped[np.ndarray, " n"], du: Shaped[np.ndarray, " n"]) -> list[Segment]:
        """Move h to h + dh and u to u + du, and return the segments on the way."""
        segments: list[Segment] = []
        direction = Direction(self.u, self.h, du, dh, *self._rates_of_residuals(dh, du))
        begun, size = self.rounds, float(np.abs(dh).max()) if not du.any() else np.inf
        while direction.t < 1.0:
            if self.rounds > begun + PATIENCE and (1.0 - direction.t) * size <= self.tolerance:
                # All of many ties come together at the end; what is left of the way there is rounding.
                self.h, self.rounds = direction.h + dh, begun
                self.refresh()
                break
            segments += self._round(direction)
            if self.repair():
                direction.residual_rate, direction.balance_rate = self._rates_of_residuals(dh, du)
        return segments

    def move_target(self, by: Shaped[np.ndarray, " n"]) -> None:
        """Move the target of rows at a limit to the side where they belong: they stay optimal there."""
        self.h = self.h + by
        self.state.e = self.state.e - by

    def repair(self) -> bool:
        """Take back what rounding has done to the conditions of the optimum, at fixed bounds; return whether it had to.

        The solution is exact for another h, from which the homotopy goes back to where h should be.
        """
        h = self.h
        for attempt in range(REPAIRS):
            off = self._violation()
            balance = self.state.balance if self.margin.width else 0.0
            if float(np.abs(off).max()) <= self.tolerance and abs(float(balance)) <= self.rounding:
                return attempt > 0
            still = np.zeros_like(h)
            direction = Direction(self.u, h + off, still, -off, off, balance)
            self.state.e, self.state.balance = self.state.e - off, 0.0
            while direction.t < 1.0:
                self._round(direction)
            self.h = h
            self.refresh()
        return True

    def _rates_of_residuals(
        self, dh: Shaped[np.ndarray, " n"], du: Shaped[np.ndarray, " n"]
    ) -> tuple[Shaped[np.ndarray, " n"], Number]:
        """Return at what rates the residuals and the balance move if the margin's duals and b stay."""
        rates = np.where(self.state.status == BOUND, self.problem.y * du, 0.0)
        return self.problem.expansion(rates) - dh, rates.sum()

    # --- a round -----------------------------------------------------------------------------------------------------

    def _steps(self, direction: Direction, working_set: Int[np.ndarray, " p"]) -> ActiveSetSteps:
        return ActiveSetSteps(self.problem, self.state, direction, self.margin, working_set, self.ties)

    def _round(self, direction: Direction) -> list[Segment]:
        """Take steps from where the direction is, go as far along it as they were right, and return the segments."""
        self.rounds += 1
        if self.rounds > self.limit:
            raise StalledError("the path and its repairs take each other back without end")
        working_set = self._working_set(direction)
        before = self._segment(direction.t)
        steps = self._steps(direction, working_set)
        steps.take(self.steps)
        self.state.b = steps.b
        if self.problem.precision < 1.0:
            self.problem.effort.spend(len(self.h) ** 2)
        points = [before, *steps.segments, self._segment(steps.t)]
        moved = np.unique(np.array(steps.moved, dtype=np.intp))
        E = self._residuals(points, moved, direction)
        side = SIGN[before.status] * self.problem.y
        side[working_set] = 0.0
        violates = (side * E).min(axis=1) < 0.0
        violates[0] = False
        segments, last = steps.segments, len(points) - 1
        if violates.any():
            last = int(violates.argmax()) - 1
            segments = segments[: max(last - 1, 0)]
            self.violators = np.append(self.violators, np.flatnonzero((side * E[last + 1]) < 0.0))
            self.extra *= 2
            self._go_back(points[last], direction)
        else:
            self.violators = self.violators[:0]
            self.extra = max(ROWS_PER_STEP * self.steps, self.extra * 9 // 10)
            self.ties.steps_at_one_t = steps.steps_at_one_t
        self._accept(E[last], before, points[last], moved, direction)
        return segments

    def _working_set(self, direction: Direction) -> Int[np.ndarray, " p"]:
        """Return the rows to follow: the margin, and those that would come to it first if they went on as they did."""
        n, size = len(self.h), self.margin.size
        count = size + self.extra
        if 3 * count > 2 * n or not size:
            return np.arange(n)
        with np.errstate(over="ignore"):  # where nothing moves all are infinitely far
            change = direction.last_change
            rounds_away = np.abs(self.state.e) / (change + 0.5 * change.mean() + np.finfo(float).tiny)
        rounds_away[self.margin.index] = rounds_away[self.violators] = -1.0
        return np.sort(np.argpartition(rounds_away, count)[:count])

    def _residuals(
        self, points: list[Segment], moved: Int[np.ndarray, " k"], direction: Direction
    ) -> Shaped[np.ndarray, "s n"]:
        """Return the residuals of all rows at the points of a round, from those at the first."""
        first, k = points[0], len(moved)
        D = np.empty((len(points), k + 2), dtype=self.h.dtype)
        D[:, k], D[:, k + 1] = [point.start for point in points], [point.b for point in points]
        at_bound = np.array([point.status[moved] for point in points]) == BOUND
        D[:, :k] = np.where(at_bound, direction.u[moved] + np.multiply.outer(D[:, k], direction.du[moved]), 0.0)
        margins = np.searchsorted(moved, np.concatenate([point.margin for point in points]))
        sizes = [len(point.margin) for point in points]
        D[np.repeat(np.arange(len(points)), sizes), margins] = np.concatenate([point.a for point in points])
        D -= D[0].copy()
        # What rows that were at their bound do is in the rate of the residuals.
        D[:, :k] -= np.outer(D[:, k], np.where(first.status[moved] == BOUND, direction.du[moved], 0.0))
        D[:, :k] *= self.problem.y[moved]
        intercept = np.full_like(direction.residual_rate, float(self.problem.has_intercept))
        E = self.problem.matrix.combined(D, moved, np.array([direction.residual_rate, intercept]))
        E += self.state.e
        return E

    def _accept(
        self,
        e: Shaped[np.ndarray, " n"],
        first: Segment,
        last: Segment,
        moved: Int[np.ndarray, " k"],
        direction: Direction,
    ) -> None:
        """Take over the residuals at the end of a round, and what its events do to their rates."""
        state, t = self.state, last.start
        direction.t = t
        self.u, self.h = direction.u + t * direction.du, direction.h + t * direction.dh
        bound = last.status == BOUND
        state.a[bound] = self.u[bound]
        direction.last_change = np.abs(e - state.e)
        state.e = e
        joined = (last.status[moved] == BOUND).astype(float) - (first.status[moved] == BOUND)
        rates = joined * self.problem.y[moved] * direction.du[moved]
        if (changed := rates.nonzero()[0]).size:
            direction.residual_rate += self.problem.matrix.sum_of(rates[changed], moved[changed])
            direction.balance_rate += rates.sum()
        self.rounds_since_fresh += 1
        if self.rounds_since_fresh >= FRESH:
            self.refresh()
        self._assess_rounding()

    def _go_back(self, there: Segment, direction: Direction) -> None:
        """Go back to an earlier point of a round."""
        point = there.point(direction.u + there.start * direction.du)
        self.state.a, self.state.b, self.state.status = point.a, point.b, point.status.copy()
        if self.margin.set_rows(there.margin, ALREADY_INDEPENDENT).size:
            raise StalledError("the rows on the margin have become dependent")

    # --- residuals ---------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Sum up the residuals of all rows anew."""
        state = self.state
        state.e = self.problem.expansion(self.problem.y * state.a)
        state.e += state.b
        state.e -= self.h
        self.rounds_since_fresh = 0
        self._assess_rounding()

    def _assess_rounding(self) -> None:
        """See how far rounding has come."""
        state = self.state
        state.balance = self._balance()
        self.rounding = 2 * float(np.finfo(state.a.dtype).eps * state.a.sum())
        self.tolerance = max(self.drift, self.rounding * self.problem.scale)

    def _balance(self) -> Number:
        """Return by how much the duals miss their balance with the intercept; 0 without one."""
        problem, state = self.problem, self.state
        return problem.y @ state.a + problem.corner * state.b if problem.has_intercept else 0.0

    def _violation(self) -> Shaped[np.ndarray, " n"]:
        """Return what h is off by: the solution is optimal for h plus this. Wrong signs are corrected with room."""
        e, status = self.state.e, self.state.status
        side = SIGN[status] * self.problem.y
        off = np.zeros_like(e)
        off[self.margin.index] = e[self.margin.index]
        violators = np.flatnonzero(e * side < -self.tolerance)
        off[violators] = e[violators] * (1.0 + self.ties.rng.random(len(violators)))
        return off

    def _segment(self, t: Number) -> Segment:
        """Return the solution as it stands, as a segment without length."""
        M, state = self.margin.index.copy(), self.state
        return Segment(t, state.b, 0.0, M, state.a[M], np.zeros_like(self.h, shape=len(M)), state.status.copy())

    def segment(self, t: Number) -> Segment:
        """Return the solution as it stands, freed from rounding errors, as a segment without length."""
        self.refresh()
        self.repair()
        return self._segment(t)
