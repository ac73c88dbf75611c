"""The walk along the path, from one look at all rows to the next.

A run follows the events of the rows that are watched. At its end all others are proven to have stayed on their side, or
it is walked again with those that are not; and w is held against its gradient, or it is walked again in shorter runs.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.squared_hinge.feature_run import FeatureRun
from backdoor_curves.paths.squared_hinge.poison_run import UPDATES, PoisonRun
from backdoor_curves.paths.squared_hinge.problem import Problem
from backdoor_curves.paths.squared_hinge.start import Start
from backdoor_curves.paths.squared_hinge.stretch import Here, Run, Stretch
from backdoor_curves.paths.squared_hinge.sums import agree, inverse, sums
from backdoor_curves.paths.squared_hinge.watch import Motion, look, metric, nearest

WATCHED = 200
"""Rows that are watched: an event costs more for each, and they last longer. Of MNIST's and random rows 100 to 400 cost
the same."""
TURN = 0.5
"""Share of its speed by which w is taken to turn towards a row on a stretch, at first; it doubles where a row was
missed."""
STEADY = 0.8
"""and shrinks by this where none was."""
LEAST_TURN = 0.05
"""It never is less."""
RUNS = 20
"""Runs per row after which a path counts as unattainable."""
DRIFT = 1e-10
"""Error of a score at the end of a run, beyond which it is followed again in shorter ones: a tenth of what polynomials
may add."""


class Walk:
    """The path so far: where it is, and all rows there."""

    def __init__(self, problem: Problem, begin: Start) -> None:
        self.problem, self.scale = problem, begin.scale
        self.here = Here(0.0, begin.w, begin.active)
        self.measure = metric(problem)
        self.motion = Motion(problem.Z @ begin.w, problem.Z @ begin.rate)
        self.tau, self.end = 0.0, float(np.log1p(1.0 / begin.scale))
        self.turn, self.missed = TURN, np.empty(0, dtype=np.intp)
        self.w0, self.updates = begin.w, UPDATES
        self.longest = np.inf
        n, r = problem.Z.shape
        self.sums = sums(problem, begin.active) if (problem.du > 0.0).sum() > r > 0 else None
        self.runs = 0
        if self.sums is not None:
            G = inverse(self.sums.A)
            if G is None:
                self.sums = None
            else:
                agree(self.sums, 0.0, begin.w, self._gradient(self.here, self.motion.scores))

    def next_stretch(self) -> Stretch:
        """Return the pieces up to the next look."""
        while True:
            self.runs += 1
            if self.runs > RUNS * (5 + len(self.problem.y)):
                raise PathError(
                    f"the path stands still at beta = {self.here.beta:g}; raise lambda or rescale the features"
                )
            watched, until = self._watched()
            run = self._run(watched)
            stretch, there = run.follow(min(self.end, self.tau + min(until, self.longest)))
            motion, missed = self.motion, self.missed[:0]
            if stretch.event.size:
                motion, missed = look(self.problem, self.measure, stretch, self.here.active, watched)
            STATS.append((len(watched), int(stretch.event.sum()), len(stretch.event), len(missed), stretch.edges[-1] - self.tau, self.turn))
            if missed.size:
                self.missed, self.turn = np.union1d(self.missed, missed), 2.0 * self.turn
            elif self._accepts(run, stretch, there, motion):
                return stretch

    def _watched(self) -> tuple[Int[np.ndarray, " k"], float]:
        watched, until = nearest(self.problem, self.here.active, self.motion, self.turn, WATCHED)
        return np.union1d(watched, self.missed), until

    def _run(self, watched: Int[np.ndarray, " k"]) -> Run:
        if self.sums is None:
            return PoisonRun(self.problem, self.here, self.w0, self.scale, watched, self.updates)
        reach = self.measure.unit * self.measure.longest
        return FeatureRun(self.problem, self.sums, self.here, self.scale, watched, reach)

    def _accepts(self, run: Run, stretch: Stretch, there: Here, motion: Motion) -> bool:
        """Go on from where a run has ended, if its w is the optimum there; otherwise make runs shorter."""
        length, events = float(stretch.edges[-1]) - self.tau, int(stretch.event.sum())
        done = stretch.edges[-1] == self.end
        there = Here(1.0 if done else there.beta, there.w, there.active)
        g = self._gradient(there, motion.scores)
        step = run.newton_step(g)
        off = self.measure.of(step[np.newaxis]) * self.measure.longest
        if off > DRIFT and events > 1:
            STATS2.append((type(run).__name__, self.tau, off, events))
            if isinstance(run, PoisonRun):
                self.updates = max(1, run.updates // 2)
            self.longest = length / 2.0
            if self.sums is not None:
                self.sums = sums(self.problem, self.here.active)
                agree(self.sums, self.here.beta, self.here.w, self._gradient(self.here, self.motion.scores))
            return False
        if off > 1e-9: STATS2.append(("bad", type(run).__name__, self.tau, off, events))
        if isinstance(run, FeatureRun):
            self.sums = run.sums
            agree(self.sums, there.beta, there.w, g)
        else:
            self.w0, self.updates = run.w0, min(2 * self.updates, UPDATES)
        self.here = Here(there.beta, there.w - step, there.active)
        self.tau, self.motion = float(stretch.edges[-1]), motion
        self.longest = 2.0 * self.longest
        self.turn, self.missed = max(STEADY * self.turn, LEAST_TURN), self.missed[:0]
        return True

    def _gradient(self, at: Here, scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " r"]:
        """Return the gradient at a point of the path, given the scores of all rows."""
        slack = np.where(at.active, self.problem.y - scores, 0.0)
        return at.w - self.problem.Z.T @ (2.0 * self.problem.u(at.beta) * slack)


STATS = []
STATS2 = []
