"""The walk along the path, from one look at all rows to the next.

A run follows the events of the rows that are watched. At its end all others are proven to have stayed on their side, or
it is walked again with those that are not; and w is held against its gradient, or it is walked again in shorter runs.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.linalg.rows_in_place import lifted
from backdoor_curves.paths.squared_hinge.feature_run import FeatureRun, LostError
from backdoor_curves.paths.squared_hinge.poison_run import UPDATES, PoisonRun
from backdoor_curves.paths.squared_hinge.problem import Problem
from backdoor_curves.paths.squared_hinge.start import Start
from backdoor_curves.paths.squared_hinge.stretch import Here, Run, Stretch
from backdoor_curves.paths.squared_hinge.sums import Sums, agree, sums
from backdoor_curves.paths.squared_hinge.watch import Motion, lengths_of, look, nearest

FEW = 1000
"""Rows that are all watched: up to so many a look at all costs more than it saves."""
WATCHED = 200
"""Rows that are watched of more: an event costs more for each, and they last longer. 100 to 400 cost about the same."""
TURN = 0.25
"""By how much the rates of scores are taken to change on a stretch, over their root mean square, at first. It doubles
where a row was missed, and shrinks by this where none was:"""
STEADY = 0.8
LEAST_TURN = 0.05
"""It is never less."""
RUNS = 20
"""Runs per row after which a path counts as unattainable: digits take 7 in all up to C = 100, 378 at C = 1e4."""
MOST_POISON = 1000
"""Poison rows up to which runs in their duals are tried where those in the features lose digits."""
DRIFT = 1e-10
"""Error of a score at the end of a run, beyond which it is followed again in shorter ones: a tenth of what polynomials
may add."""


class Walk:
    """The path so far: where it is, and all rows there."""

    def __init__(self, problem: Problem, begin: Start) -> None:
        self.problem, self.scale, self.lengths = problem, begin.scale, lengths_of(problem)
        self.here, self.w0 = Here(0.0, begin.w, begin.active, begin.inverse), begin.w
        self.motion = Motion(problem.Z @ begin.w, problem.Z @ begin.rate)
        self.tau, self.end = 0.0, float(np.log1p(1.0 / begin.scale))
        self.turn, self.missed = TURN, np.empty(0, dtype=np.intp)
        self.updates, self.longest, self.runs = UPDATES, np.inf, 0
        self.sums = self._sums() if (problem.du > 0.0).sum() > problem.Z.shape[1] > 0 else None

    @property
    def in_features(self) -> bool:
        """Whether runs are in the features, of many rows."""
        return self.sums is not None and len(self.problem.y) > FEW

    @property
    def reach(self) -> Float[np.ndarray, " r"]:
        """What the entries of parameters are multiplied by so that no score is larger than their length."""
        return self.lengths.unit * self.lengths.longest

    def all_stretches(self) -> Stretch:
        """Return all pieces from here to beta = 1."""
        parts = []
        while self.tau < self.end:
            parts.append(self.next_stretch())
        edges = np.concatenate([parts[0].edges[:1], *(part.edges[1:] for part in parts)])
        W = np.vstack([*(part.W[:-1] for part in parts), self.here.w])
        return Stretch(edges, W, np.concatenate([part.event for part in parts]))

    def next_stretch(self) -> Stretch:
        """Return the pieces up to the next look."""
        while True:
            self._count_run()
            count = WATCHED if len(self.problem.y) > FEW else len(self.problem.y)
            watched, until = nearest(self.problem, self.here.active, self.motion, self.turn, count)
            watched, stop = np.union1d(watched, self.missed), min(self.end, self.tau + min(until, self.longest))
            try:
                run = self._run(watched)
                stretch, there = run.follow(stop)
            except LostError:
                if not self._poison_will_do:
                    raise
                self.sums = None
                continue
            motion, missed = self.motion, self.missed[:0]
            if stretch.event.size:
                motion, missed = look(self.problem, self.lengths, stretch, self.here.active, watched)
            if missed.size:
                self.missed, self.turn = np.union1d(self.missed, missed), 2.0 * self.turn
            elif self._accepts(run, stretch, there, motion):
                return stretch

    def _count_run(self) -> None:
        self.runs += 1
        if self.runs > RUNS * (5 + len(self.problem.y)):
            raise PathError(f"the path stands still at beta = {self.here.beta:g}; raise lambda or rescale the features")

    @property
    def _poison_will_do(self) -> bool:
        return int((self.problem.du > 0.0).sum()) <= MOST_POISON

    def _sums(self) -> Sums:
        """Return the sums over the active rows, which have the gradient that the rows have."""
        total = sums(self.problem, self.here.active)
        agree(total, self.here.beta, self.here.w, self._gradient(self.here, self.motion.scores))
        return total

    def _run(self, watched: Int[np.ndarray, " k"]) -> Run:
        if self.sums is None:
            return PoisonRun(self.problem, self.here, self.w0, self.scale, watched, self.updates)
        return FeatureRun(self.problem, self.sums, self.here, self.scale, watched, self.reach)

    def _accepts(self, run: Run, stretch: Stretch, there: Here, motion: Motion) -> bool:
        """Go on from where a run has ended, if its w is the optimum there; otherwise see that the next is better."""
        if stretch.edges[-1] == self.end:
            there = Here(1.0, there.w, there.active)
        g = self._gradient(there, motion.scores)
        step = run.newton_step(g)
        if self._moves(step) and self._shortens(run, stretch):
            return False
        if isinstance(run, FeatureRun):
            self.sums = run.sums
            agree(self.sums, there.beta, there.w, g)
        elif isinstance(run, PoisonRun):
            self.w0, self.updates = run.w0, min(2 * self.updates, UPDATES)
        self.here = Here(there.beta, there.w - step, there.active)
        self.tau, self.motion, self.longest = float(stretch.edges[-1]), motion, 2.0 * self.longest
        self.turn, self.missed = max(STEADY * self.turn, LEAST_TURN), self.missed[:0]
        return True

    def _moves(self, step: Float[np.ndarray, " r"]) -> bool:
        """Return whether a step moves some score by more than a run may be off; most are too short for any."""
        if self.lengths.of(step[np.newaxis]) * self.lengths.longest <= DRIFT:
            return False
        return float(np.abs(self.problem.Z @ step).max(initial=0.0)) > DRIFT

    def _shortens(self, run: Run, stretch: Stretch) -> bool:
        """Halve what a run may do; return whether there was more than one thing to do."""
        several = int(stretch.event.sum()) > 1
        if isinstance(run, PoisonRun):
            self.updates = max(1, run.updates // 2)
            several = run.updates > 1
        elif several:
            self.longest, self.sums = (float(stretch.edges[-1]) - self.tau) / 2.0, self._sums()
        elif self._poison_will_do:
            self.sums, self.w0, self.longest = None, self.here.w, np.inf
            return True
        return several

    def _gradient(self, at: Here, scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " r"]:
        """Return the gradient at a point of the path, given the scores of all rows."""
        slack = np.where(at.active, self.problem.y - scores, 0.0)
        return at.w - lifted(self.problem.Z, 2.0 * self.problem.u(at.beta) * slack)
