"""A walk of many rows: strides among watched ones, and all rows once a stride, against the chord that w has gone by.

Rows that stayed on their side of the margin, whatever w did between two looks, are told by `chords`; where a row has
crossed unseen the walk goes back to before it did, and watches it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int8
from scipy.linalg import LinAlgError

from backdoor_curves.paths.linalg.rows_in_place import blocks, lifted
from backdoor_curves.paths.linear_svm.block import SLOW, walk_block
from backdoor_curves.paths.linear_svm.chords import WRONG, Chords
from backdoor_curves.paths.linear_svm.position import SIDE, Node, Position, Unknowns, Watched, inverse, solved
from backdoor_curves.paths.linear_svm.problem import Problem
from backdoor_curves.paths.linear_svm.sets import Trail
from backdoor_curves.paths.linear_svm.walk import Walk, Way
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, StalledError
from backdoor_curves.paths.svm.path import NotOptimalError

BLOCK = 16
"""Events of a block: products with what changes the inverse by then cost less than those with it."""
SHORTEST, LONGEST = 64, 512
"""Events of a stride: as many as cost what a look at all rows does, and no more than go along one chord."""
WATCHED = 4
"""Rows that are watched, for each event of a stride."""
OPTIMAL = 1e-8
"""By how much a condition of the optimum may fail where all rows are looked at: for duals as a share of the largest
bound."""
STALL = 20
"""Strides and careful steps of no length in a row after which a walk counts as stalled: shifts break ties sooner."""
EXACT = 1e-11
"""What may be left of the margin's scores where the inverse of its matrix is good for a stride."""


class Settled(NamedTuple):
    """The optimum at some t, from its sets alone, and the scores of all rows."""

    at: Unknowns
    scores: Float[np.ndarray, " n"]


@dataclass
class ScreenedWalk:
    """A walk along bounds u + t du with targets that stay, from its first sets on; as `Walk`.

    Parameters
    ----------
    problem, way, status, margin, b, rng
        As of `Walk`; status and margin are changed in place.
    """

    problem: Problem
    way: Way
    status: Int8[np.ndarray, " n"]
    margin: list[int]
    b: float
    rng: np.random.Generator
    t: float = 0.0
    length: int = SHORTEST
    trail: Trail = field(init=False)
    redone: int = 0

    def __post_init__(self) -> None:
        problem = self.problem
        self.trail, self.present = Trail(problem.free), ~self.way.is_absent
        squares = problem.lengths**2
        self.reach = np.sqrt(squares + 1.0) if problem.free else np.sqrt(squares)

    def to_end(self) -> Trail:
        """Return the nodes all along the way."""
        still, speed, scores = 0, None, None
        forced = np.empty(0, dtype=np.intp)
        while True:
            before = self.t
            at = self._settled(scores)
            if at is None and self.t >= 1.0:
                raise NotOptimalError("the margin at beta = 1 has too few digits")
            if at is None:
                self._careful()
                scores = speed = None
            else:
                self._require_optimal(at)
                self.trail.add(self.t, at.at.w[: self.problem.Phi.shape[1]], self.b, self.status, self._rows())
                if self.t >= 1.0:
                    return self.trail
                if speed is None:
                    rates = solved(at.at.N, at.at.A, at.at.drift, np.zeros(len(self.margin)))[1]
                    speed = np.abs(self._scores(rates))
                scores, forced = self._stride(at, speed, forced)
                if scores is not None and self.t > before:
                    speed = np.abs(scores - at.scores) / (self.t - before)
            still = still + 1 if self.t <= before else 0
            if still > STALL:
                raise StalledError("the sets of the path change without end at one beta")

    # --- the optimum of the sets -------------------------------------------------------------------------------------

    def _unknowns(self) -> Float[np.ndarray, "k q"]:
        return Watched.of(self.problem, self.way.targets, self._rows()).unknowns(np.arange(len(self.margin)))

    def _rows(self) -> Int[np.ndarray, " m"]:
        return np.array(self.margin, dtype=np.intp)

    def _scores(self, w: Float[np.ndarray, " q"]) -> Float[np.ndarray, " n"]:
        return self.problem.Phi @ w[:-1] + w[-1] if self.problem.free else self.problem.Phi @ w

    def _pull(self, u: Float[np.ndarray, " n"]) -> Float[np.ndarray, " q"]:
        c = np.where(self.status == BOUND, self.problem.y * u, 0.0)
        pull = lifted(self.problem.Phi, c)
        return np.append(pull, c.sum()) if self.problem.free else pull

    def _settled(self, scores: Float[np.ndarray, " n"] | None) -> Settled | None:
        """Return the optimum of the sets; None where its margin is for the careful walk."""
        problem, way, m = self.problem, self.way, len(self.margin)
        if m > problem.Phi.shape[1] + problem.free or (problem.free and m == 0):
            return None
        A, h = self._unknowns(), way.targets[self._rows()]
        border = len(A) - m
        try:
            N = inverse(A, border)
        except LinAlgError:
            return None
        x, w = solved(N, A, self._pull(way.u + self.t * way.du), h)
        drift = self._pull(way.du)
        off = A[border:] @ w + (w[-1] if border else 0.0) - h
        if not np.abs(off).max(initial=0.0) <= EXACT * (1.0 + np.abs(h).max(initial=0.0)):
            return None
        self.b = float(w[-1]) if border else 0.0
        return Settled(Unknowns(N, A, x, w, drift), self._scores(w) if scores is None else scores)

    def _require_optimal(self, at: Settled) -> None:
        """Raise unless duals are within their limits and rows on their side."""
        problem, way, rows = self.problem, self.way, self._rows()
        a, u = problem.y[rows] * at.at.x[len(at.at.x) - len(rows) :], way.u + self.t * way.du
        beyond = np.maximum(-a, a - u[rows]).max(initial=0.0) / (way.u + way.du).max()
        e = SIDE[self.status] * problem.y * (at.scores - way.targets)
        wrong = max(0.0, -float(e[self.present].min(initial=0.0)))
        if not max(beyond, wrong) <= OPTIMAL:
            raise NotOptimalError(f"the path is off by {max(beyond, wrong):.0e} at beta = {self.t:g}")

    # --- a stride ----------------------------------------------------------------------------------------------------

    def _stride(
        self, at: Settled, speed: Float[np.ndarray, " n"], forced: Int[np.ndarray, " f"]
    ) -> tuple[Float[np.ndarray, " n"] | None, Int[np.ndarray, " _"]]:
        """Walk on, as far as no row has crossed the margin unseen; return the scores there, if known, and such rows."""
        watched = self._watched(at, speed, forced)
        position = self._position(at, watched)
        places = np.flatnonzero(np.isin(watched.rows, forced))
        nodes, ends, goes_on = list[Node](), [0], True
        while goes_on and len(nodes) < self.length and position.t < 1.0:
            position, found, goes_on = walk_block(watched, position, places, min(BLOCK, self.length - len(nodes)))
            nodes += found
            ends.append(len(nodes))
        W = np.array([at.at.w, *(node.w for node in nodes), position.at.w])
        scores = self._scores(position.at.w)
        first, rows = self._crossed(W, at.scores, scores, watched.rows)
        if rows.size:
            kept = max(end for end in ends if end < max(first, 1))
            self.redone += len(nodes) - kept
            self._take(nodes[:kept])
            self.length = max(SHORTEST, kept)
            return None, rows if kept else np.union1d(forced, rows)
        self._take(nodes)
        self.t = position.t
        self.length = min(LONGEST, 2 * self.length)
        if not goes_on:
            self._careful()
            return None, rows
        return scores, rows

    def _take(self, nodes: list[Node]) -> None:
        """Go to the last of some events."""
        self.trail.go_on(nodes)
        for node in nodes:
            if self.status[node.row] == MARGIN:
                self.margin.remove(node.row)
            if node.to == MARGIN:
                self.margin.append(node.row)
            self.status[node.row], self.t = node.to, node.t

    def _watched(self, at: Settled, speed: Float[np.ndarray, " n"], forced: Int[np.ndarray, " f"]) -> Watched:
        """Return the rows of the margin, those that may come next, and those that must be watched."""
        distance = np.abs(at.scores - self.way.targets) / np.maximum(speed + 0.5 * speed.mean(), SLOW)
        distance[~self.present] = np.inf
        distance[self._rows()] = distance[forced] = -1.0
        count = min(len(self.margin) + len(forced) + WATCHED * self.length, int(self.present.sum()))
        rows = np.argpartition(distance, count - 1)[:count]
        return Watched.of(self.problem, self.way.targets, rows)

    def _position(self, at: Settled, watched: Watched) -> Position:
        place = np.full(len(self.status), -1)
        place[watched.rows] = np.arange(len(watched.rows))
        M = place[self._rows()]
        return Position.of(watched, self.t, self.status[watched.rows], M, at.at)

    def _careful(self) -> None:
        """Take one step of the careful walk."""
        walk = Walk(self.problem, self.way, self.status, self.margin, self.b, self.rng, self.t)
        walk.step()
        for here in walk.stretches:  # an empty margin is known here alone
            self.trail.add(here.t, here.optimum.w, here.optimum.b, here.status, here.rows)
        self.t, self.b = walk.t, walk.b

    # --- all rows ----------------------------------------------------------------------------------------------------

    def _crossed(
        self,
        W: Float[np.ndarray, "s q"],
        before: Float[np.ndarray, " n"],
        after: Float[np.ndarray, " n"],
        watched: Int[np.ndarray, " w"],
    ) -> tuple[int, Int[np.ndarray, " k"]]:
        """Return the first node at which a row that is not watched has crossed its margin, and all such rows."""
        side = SIDE[self.status] * self.problem.y * self.present
        side[watched] = 0.0
        e = [side * (scores - self.way.targets) for scores in (before, after)]
        chords = Chords(W)
        doubtful = np.flatnonzero((np.minimum(*e) < chords.bow(0, len(W) - 1) * self.reach + WRONG) & (side != 0.0))
        rows = [np.empty(0, dtype=np.intp)]
        for some in blocks(self.problem.Phi, doubtful):
            Z = self.problem.Phi[some]
            Z = np.column_stack([Z, np.ones(len(some))]) if self.problem.free else Z
            Z *= side[some, np.newaxis]
            crossed = chords.crossed(Z, side[some] * self.way.targets[some], self.reach[some], [e[0][some], e[1][some]])
            rows.append(some[crossed])
        return chords.first, np.concatenate(rows)
