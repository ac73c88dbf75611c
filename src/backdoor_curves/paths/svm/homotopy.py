"""A solution of the dual that follows its problem while the bounds or the target move.

The path is walked in stretches. On each, only the rows near the margin are watched; at its end the residuals of all
rows are computed at all its events, in one product of matrices. They are linear in between, so the stretch is right if
none of the others has a residual of the wrong sign there; if one has, the walk goes back to the event before and
watches that row too.

A homotopy in the target h, at fixed bounds, makes an approximate solution exact: it is exact for another h. That is how
a path begins and how it gets rid of rounding errors. To correct the margin at once instead could move rows past their
limits: where its system is nearly singular a large change of the duals goes with none of the residuals.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Int8, Shaped

from backdoor_curves.paths.svm.active_set import Motion, Solution, Walk
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, SIGN, ZERO, Number, Problem, Segment, StalledError
from backdoor_curves.paths.svm.margin import MarginSet

DRIFT = 1e-12
"""Error of the residuals that is repaired, but for larger rounding errors in their sum."""
REPAIRS = 4
"""Attempts to repair a solution at one beta; what is left then is rounding, or is found by the final check."""
FRESH = 8
"""Stretches after which the residuals are summed up anew."""
PATIENCE = 32
"""Stretches of one motion after which its end is as good as reached where rounding is all that is left."""
STRETCHES = 500
"""Stretches, and two for each row, after which a path counts as stalled; images need a tenth of that."""


class Homotopy:
    """A solution that follows its problem while the target h or the bounds u move; t runs from 0 to 1."""

    def __init__(
        self,
        problem: Problem,
        a: Shaped[np.ndarray, " n"],
        b: Number,
        status: Int8[np.ndarray, " n"],
        h: Shaped[np.ndarray, " n"],
        u: Shaped[np.ndarray, " n"],
    ) -> None:
        self.problem, self.h, self.u = problem, h.copy(), u.copy()
        self.point = Solution(a.copy(), a.dtype.type(b), status.copy(), np.zeros_like(a), 0.0)
        self.margin = MarginSet(problem)
        self.forced = np.empty(0, dtype=np.intp)
        # A look at all rows costs n |M|, a watched row |M| a step: stretches grow like the square root of n.
        self.steps = max(16, int(np.sqrt(len(a))))
        self.extra = 6 * self.steps
        self.zero_steps = self.age = self.stretches = 0
        # Extended precision is there for the last digits.
        self.drift = DRIFT if problem.digits == 1.0 else 4.0 * float(np.finfo(u.dtype).eps)
        self.limit = STRETCHES + 2 * len(a)
        self.rng = np.random.default_rng(7)
        self.refresh()
        self._begin(np.flatnonzero(status == MARGIN))

    def _begin(self, wanted: Int[np.ndarray, " w"]) -> None:
        """Put the wanted rows on the margin, dependent ones one by one: they are exchanged for others."""
        left = self.margin.fill(wanted, share=1e-10 if self.problem.digits == 1.0 else 1e-13)
        if not left.size:
            return
        point = self.point
        point.status[left] = np.where(point.a[left] > 0.5 * self.u[left], BOUND, ZERO)
        still = np.zeros_like(self.u)
        walk = self._walk(Motion(self.u, self.h, still, still, still, 0.0), 0.0, np.arange(len(self.u)))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for k in left:
                if point.status[k] != MARGIN:
                    walk.enter(int(k))
        point.b = walk.b
        self.refresh()

    # --- following ---------------------------------------------------------------------------------------------------

    def follow(self, dh: Shaped[np.ndarray, " n"], du: Shaped[np.ndarray, " n"]) -> list[Segment]:
        """Move h to h + dh and u to u + du, and return the segments on the way."""
        segments: list[Segment] = []
        motion = Motion(self.u, self.h, du, dh, *self._pull(dh, du))
        begun, size = self.stretches, float(np.abs(dh).max()) if not du.any() else np.inf
        t: Number = 0.0
        while t < 1.0:
            if self.stretches > begun + PATIENCE and (1.0 - t) * size <= self.tolerance:
                # All of many ties come together at the end; what is left of the way there is rounding.
                self.h, self.stretches = motion.h + dh, begun
                self.refresh()
                break
            t, more = self._stretch(motion, t)
            segments += more
            if self.repair():
                motion.pull, motion.pull_balance = self._pull(dh, du)
        return segments

    def move_target(self, by: Shaped[np.ndarray, " n"]) -> None:
        """Move the target of rows at a limit to the side where they belong: they stay optimal there."""
        self.h = self.h + by
        self.point.e = self.point.e - by

    def repair(self) -> bool:
        """Take back what rounding has done to the conditions of the optimum, at fixed bounds; return whether it had to.

        The solution is exact for another h, from which the homotopy goes back to where h should be.
        """
        h = self.h
        for attempt in range(REPAIRS):
            off = self._error()
            balance = self.point.balance if self.margin.width else 0.0
            if float(np.abs(off).max()) <= self.tolerance and abs(float(balance)) <= self.rounding:
                return attempt > 0
            still = np.zeros_like(h)
            motion = Motion(self.u, h + off, still, -off, off, balance)
            t: Number = 0.0
            self.point.e, self.point.balance = self.point.e - off, 0.0
            while t < 1.0:
                t, _ = self._stretch(motion, t)
            self.h = h
            self.refresh()
        return True

    def _pull(
        self, dh: Shaped[np.ndarray, " n"], du: Shaped[np.ndarray, " n"]
    ) -> tuple[Shaped[np.ndarray, " n"], Number]:
        """Return how the motion of h and of the bounds pulls at the residuals and at the balance."""
        rates = np.where(self.point.status == BOUND, self.problem.y * du, 0.0)
        return self.problem.expansion(rates) - dh, rates.sum()

    # --- a stretch ---------------------------------------------------------------------------------------------------

    def _walk(self, motion: Motion, t: Number, near: Int[np.ndarray, " p"]) -> Walk:
        return Walk(self.problem, self.point, motion, self.margin, near, t, self.rng, self.zero_steps)

    def _stretch(self, motion: Motion, t: Number) -> tuple[Number, list[Segment]]:
        """Walk on from t, and return how far that was right and the segments so far."""
        self.stretches += 1
        if self.stretches > self.limit:
            raise StalledError("the path and its repairs take each other back without end")
        near = self._near(motion)
        before = self._here(t)
        walk = self._walk(motion, t, near)
        walk.run(self.steps)
        self.point.b = walk.b
        points = [before, *walk.segments, self._here(walk.t)]
        moved = np.unique(np.array(walk.touched, dtype=np.intp))
        E = self._residuals(points, moved, motion)
        side = SIGN[before.status] * self.problem.y
        side[near] = 0.0
        wrong = (side * E).min(axis=1) < 0.0
        wrong[0] = False
        if wrong.any():
            last = int(wrong.argmax()) - 1
            self.forced = np.append(self.forced, np.flatnonzero((side * E[last + 1]) < 0.0))
            self.extra *= 2
            self._return_to(points[last], motion)
        else:
            last = len(points) - 1
            self.forced = self.forced[:0]
            self.extra = max(6 * self.steps, self.extra * 9 // 10)
            self.zero_steps = walk.zero_steps
        self._settle(E[last], points[0], points[last], moved, motion)
        return points[last].start, walk.segments[: max(last - 1, 0)] if wrong.any() else walk.segments

    def _near(self, motion: Motion) -> Int[np.ndarray, " p"]:
        """Return the rows to watch: the margin, and those that would come to it first if they went on as they did."""
        n, size = len(self.h), self.margin.size
        count = size + self.extra
        if 3 * count > 2 * n or not size:
            return np.arange(n)
        with np.errstate(over="ignore"):  # where nothing moves all are infinitely far
            distance = np.abs(self.point.e) / (motion.pace + 0.5 * motion.pace.mean() + np.finfo(float).tiny)
        distance[self.margin.index] = distance[self.forced] = -1.0
        return np.sort(np.argpartition(distance, count)[:count])

    def _residuals(
        self, points: list[Segment], moved: Int[np.ndarray, " k"], motion: Motion
    ) -> Shaped[np.ndarray, "s n"]:
        """Return the residuals of all rows at the points of a stretch, from those at the first."""
        first, k = points[0], len(moved)
        D, R = (np.empty(shape, dtype=self.h.dtype) for shape in ((len(points), k + 2), (k + 2, len(self.h))))
        D[:, k], D[:, k + 1] = [point.start for point in points], [point.b for point in points]
        at_bound = np.array([point.status[moved] for point in points]) == BOUND
        D[:, :k] = np.where(at_bound, motion.u[moved] + np.multiply.outer(D[:, k], motion.du[moved]), 0.0)
        margins = np.searchsorted(moved, np.concatenate([point.margin for point in points]))
        sizes = [len(point.margin) for point in points]
        D[np.repeat(np.arange(len(points)), sizes), margins] = np.concatenate([point.a for point in points])
        D -= D[0].copy()
        # Rows that were at their bound are in the pull.
        D[:, :k] -= np.outer(D[:, k], np.where(first.status[moved] == BOUND, motion.du[moved], 0.0))
        D[:, :k] *= self.problem.y[moved]
        np.take(self.problem.gram, moved, axis=0, out=R[:k], mode="clip")
        R[k], R[k + 1] = motion.pull, float(self.problem.has_intercept)
        E = D @ R
        E += self.point.e
        return E

    def _settle(
        self, e: Shaped[np.ndarray, " n"], first: Segment, last: Segment, moved: Int[np.ndarray, " k"], motion: Motion
    ) -> None:
        """Take over the residuals at the end of a stretch, and what its events do to the pull."""
        point, t = self.point, last.start
        self.u, self.h = motion.u + t * motion.du, motion.h + t * motion.dh
        bound = last.status == BOUND
        point.a[bound] = self.u[bound]
        motion.pace = np.abs(e - point.e)
        point.e = e
        joined = (last.status[moved] == BOUND).astype(float) - (first.status[moved] == BOUND)
        rates = joined * self.problem.y[moved] * motion.du[moved]
        if (changed := rates.nonzero()[0]).size:
            motion.pull += rates[changed] @ self.problem.gram[moved[changed]]
            motion.pull_balance += rates.sum()
        self.age += 1
        if self.age >= FRESH:
            self.refresh()
        self._look()

    def _return_to(self, there: Segment, motion: Motion) -> None:
        """Go back to an earlier point."""
        u = motion.u + there.start * motion.du
        self.point.a = there.duals(np.arange(len(u)), u)
        self.point.b, self.point.status = there.b, there.status.copy()
        if self.margin.fill(there.margin, share=1e-15).size:
            raise StalledError("the rows on the margin have become dependent")

    # --- residuals ---------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Sum up the residuals of all rows anew."""
        point = self.point
        point.e = self.problem.expansion(self.problem.y * point.a)
        point.e += point.b
        point.e -= self.h
        self.age = 0
        self._look()

    def _look(self) -> None:
        """See how far rounding has come."""
        point = self.point
        point.balance = self._balance()
        self.rounding = 2 * float(np.finfo(point.a.dtype).eps * point.a.sum())
        self.tolerance = max(self.drift, self.rounding * self.problem.scale)

    def _balance(self) -> Number:
        """Return by how much the duals miss their balance with the intercept; 0 without one."""
        problem, point = self.problem, self.point
        return problem.y @ point.a + problem.corner * point.b if problem.has_intercept else 0.0

    def _error(self) -> Shaped[np.ndarray, " n"]:
        """Return what h is off by: the solution is optimal for h plus this. Wrong signs are corrected with room."""
        e, status = self.point.e, self.point.status
        side = SIGN[status] * self.problem.y
        off = np.zeros_like(e)
        off[self.margin.index] = e[self.margin.index]
        wrong = np.flatnonzero(e * side < -self.tolerance)
        off[wrong] = e[wrong] * (1.0 + self.rng.random(len(wrong)))
        return off

    def _here(self, t: Number) -> Segment:
        """Return the solution as it stands, as a segment without length."""
        M, point = self.margin.index.copy(), self.point
        return Segment(t, point.b, 0.0, M, point.a[M], np.zeros_like(self.h, shape=len(M)), point.status.copy())

    def here(self, t: Number) -> Segment:
        """Return the solution as it stands, freed from rounding errors, as a segment without length."""
        self.refresh()
        self.repair()
        return self._here(t)
