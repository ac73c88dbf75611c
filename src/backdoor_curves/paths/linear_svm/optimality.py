"""How far a solution of a linear SVM is from the optimum, in the directions that its margin leaves free.

Let w* be the optimum and D = w - w* the error of a solution that has its margin's rows M on the margin, y f = 1, and
w = d + Phi'c with duals a = y c within their limits. The conditions of the optimum are monotone:

    |D|^2 + sum_M s_i |g*_i|  <=  d'D + cost,         s = min(a, u - a),    g* = y f* - 1

d splits into a combination of the margin's rows, which only moves their duals, and a rest r: d = sum_M k_i phi_i + r,
so that d'D <= sum_M |k_i| |g*_i| + |r| |D|. Where s > |k| that leaves

    |D| <= |r| + cost^(1/2),        |g*_i| <= (|r|^2 / 4 + cost) / (s_i - |k_i|),

and for the score at x, which splits alike, |f(x) - f*(x)| <= sum_M |k_i(x)| |g*_i| + |r(x)| |D|. So a large feature, in
which rounding leaves much of d, counts by what of it is not in the span of the margin: next to nothing.

Rows on the wrong side by v_i cost sum u_i v_i. Where rows depend on each other some are on the margin without being
held there, and rounding must not put them beyond it: of rows near the margin, and of d where rounding counts, sums are
exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from backdoor_curves.paths.linalg.exact_sums import exact_sums
from backdoor_curves.paths.linalg.rows_in_place import FeatureRows, blocks, features_of
from backdoor_curves.paths.linear_svm.margin import Margin
from backdoor_curves.paths.linear_svm.problem import Problem, Pull, pull_of
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, ZERO

UNIT = float(np.finfo(float).eps) / 2
"""Rounding of one operation."""
HELD = 1e-9
"""Share of the largest bound that a dual must be from its limits to hold its row on the margin: what a node may be
off. Beside large features less will do."""
ULPS = 8.0 * float(np.finfo(float).eps)
"""How far bounds, as a share of the largest, and the betas of nodes are not known: duals may be beyond their limits by
that, and scores of raw columns, which may move by 1e8 for a unit of beta."""
REFINEMENTS = 3
"""Each brings the digits that the margin's factors have."""
NEAR = 1e-9
"""Rows this near the margin are looked at exactly: the others are beyond the rounding of a score."""
CLEAR, CLEAR_OF_MANY = 1e-9, 1e-7
"""A bound below this is small enough, and d needs no exact sums: a thousandth of what curves ask for. A tenth is where
rows are in place: they are so many that exact sums take longer than all else."""
AT_ONCE = 2**19
"""Numbers of which exact sums are taken at a time, or that are split: 4 MiB."""
TINY = float(np.finfo(float).tiny)
"""Against division by 0."""


@dataclass(frozen=True, eq=False)
class Solution:
    """A solution at one beta: w, b, the set of each row, and the rows of the margin."""

    beta: float
    w: Float[np.ndarray, " p"]
    b: float
    status: Int8[np.ndarray, " n"]
    margin: Int[np.ndarray, " m"]


@dataclass(frozen=True)
class Distance:
    """Bounds on the relative duality gap, and on the error of the scores of some rows."""

    objective_gap: float
    scores: float


def distance_to_optimum(problem: Problem, solution: Solution, rows: Sequence[FeatureRows]) -> Distance:
    """Return how far a solution is from the optimum: in its objective, and in the scores of some rows."""
    at = _Corrected.of(problem, solution)
    found = _Proof.of(at, at.rounded_residual(), HELD).distance(rows)
    if found.scores <= (CLEAR if isinstance(problem.Phi, np.ndarray) else CLEAR_OF_MANY):
        return found
    at = at.exactly()
    left = at.residual()
    proofs = [_Proof.of(at, left, least).distance(rows) for least in (HELD, 0.0)]
    return min(found, *proofs, key=attrgetter("scores"))


def on_wrong_side(status: Int8[np.ndarray, " n"], excess: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return by how much rows are on the wrong side of the margin, < 0 where they are on the right one."""
    return np.where(status == ZERO, -excess, np.where(status == BOUND, excess, np.abs(excess)))


class _Residual(NamedTuple):
    """d = w - Phi'c and 1'c, which a free intercept balances, and what each of these numbers may be off."""

    d: Float[np.ndarray, " p"]
    total: float
    errors: Float[np.ndarray, " q"]


@dataclass(frozen=True, eq=False)
class _Corrected:
    """w + v and b + e with duals y a: the optimum that the sets of a solution have, beyond the digits of w and b.

    Parameters
    ----------
    problem, solution
    u, c : arrays of shape (n,)
        Bounds, and signed duals within them.
    margin : Margin
    w, v : arrays of shape (p,)
    b, e : float
    """

    problem: Problem
    solution: Solution
    u: Float[np.ndarray, " n"]
    c: Float[np.ndarray, " n"]
    margin: Margin
    w: Float[np.ndarray, " p"]
    b: float
    v: Float[np.ndarray, " p"]
    e: float = 0.0

    @classmethod
    def of(cls, problem: Problem, solution: Solution) -> _Corrected:
        """Return the optimum of the sets, with its margin's rows exactly on the margin.

        At a node a row is on its way there or from there: beyond the margin by rounding, it is taken to be on it.
        """
        while True:
            at = cls._of_sets(problem, solution)
            beyond = [row for row in at.barely_beyond() if at.margin.combination(row) is None]
            if not beyond:
                return at
            rows, status = np.append(solution.margin, beyond[0]), solution.status.copy()
            status[beyond[0]] = MARGIN
            solution = replace(solution, status=status, margin=rows)

    @classmethod
    def _of_sets(cls, problem: Problem, solution: Solution) -> _Corrected:
        rows, u, margin = solution.margin, problem.bounds(solution.beta), Margin.of(problem, solution.margin)
        found = margin.optimum(pull_of(problem, solution.status, u, problem.y))
        b = found.b if len(rows) or not problem.free else solution.b  # no row says what it is
        a = np.where(solution.status == BOUND, u, 0.0)
        duals, unknown = problem.y[rows] * found.c, ULPS * u.max()
        within = (duals >= -unknown) & (duals <= u[rows] + unknown)
        a[rows] = np.where(within, duals, np.clip(duals, 0.0, u[rows]))
        nothing = np.zeros_like(found.w)
        return cls(problem, solution, u, problem.y * a, margin, found.w, b, nothing)._on_margin()

    def near(self) -> Int[np.ndarray, " k"]:
        """Return rows that may be on the wrong side, or nearly."""
        problem, w, b = self.problem, self.w + self.v, self.b + self.e
        wrong = on_wrong_side(self.solution.status, problem.y * (problem.Phi @ w + b) - 1.0)
        if isinstance(problem.Phi, np.ndarray):
            wrong += rounding_of_scores(problem.Phi, w, b)
        else:
            wrong += _rounding(len(w)) * (problem.lengths * float(np.linalg.norm(w)) + abs(b))
        return np.flatnonzero((wrong > -NEAR) & (problem.u0 + problem.du > 0.0))

    def wrong(self, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Return by how much some rows are on the wrong side, exactly."""
        excess = self.problem.y[rows] * self.off(rows)
        return np.maximum(on_wrong_side(self.solution.status[rows], excess), 0.0)

    def barely_beyond(self) -> list[int]:
        """Return the rows that are on the wrong side by next to nothing, without those of the margin."""
        rows = np.setdiff1d(self.near(), self.margin.rows)
        wrong = self.wrong(rows)
        return rows[(wrong > 0.0) & (wrong <= NEAR)].tolist()

    def exactly(self) -> _Corrected:
        """Return it with w corrected for what it is beside the sum of the rows, too."""
        return self._corrected(lambda at: at.residual()[:2])

    def _on_margin(self) -> _Corrected:
        """Return it with the margin's rows exactly on the margin."""
        return self._corrected(lambda at: (np.zeros_like(at.w), 0.0))

    def _corrected(self, residual: Callable[[_Corrected], tuple[Float[np.ndarray, " p"], float]]) -> _Corrected:
        """Return it after steps of refinement, for what the margin misses and a residual of w and the balance."""
        at, rows = self, self.margin.rows
        for _ in range(REFINEMENTS):
            targets, (d, total) = np.zeros(len(self.c)), residual(at)
            targets[rows] = -at.off(rows)
            step = at.margin.optimum(Pull(-d, -total, targets))
            at = replace(at, v=at.v + step.w, e=at.e + step.b)
        return at

    def off(self, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Return f - y of some rows, exactly."""
        Phi, one = self.problem.Phi[rows], np.ones(len(rows))
        parts = np.append(self.w, self.v)
        return exact_sums(np.hstack([Phi, Phi]), parts, self.b * one, self.e * one, -self.problem.y[rows])

    def residual(self) -> _Residual:
        """Return what is left, from exact sums."""
        used, Phi = np.flatnonzero(self.c), self.problem.Phi
        parts = np.array_split(np.arange(len(self.w)), 1 + len(used) * len(self.w) // AT_ONCE)
        d = np.concatenate(
            [-exact_sums(features_of(Phi, used, some).T, self.c[used], -self.w[some], -self.v[some]) for some in parts]
        )
        total = math.fsum(self.c) if self.problem.free else 0.0
        return _Residual(d, total, UNIT * np.abs(np.append(d, total)))

    def rounded_residual(self) -> _Residual:
        """Return what is left as double precision has it."""
        used = np.flatnonzero(self.c)
        lifted, size = np.zeros_like(self.w), np.abs(self.w)
        for some in blocks(self.problem.Phi, used):
            Phi, c = self.problem.Phi[some], self.c[some]
            lifted, size = lifted + c @ Phi, size + np.abs(c) @ np.abs(Phi)
        size, total = np.append(size, np.abs(self.c).sum()), float(self.c.sum()) if self.problem.free else 0.0
        return _Residual(self.w + self.v - lifted, total, _rounding(len(used)) * size)


@dataclass(frozen=True, eq=False)
class _Proof:
    """What is proven of an optimum of known sets.

    Parameters
    ----------
    at : _Corrected
    held : Margin
        Of the rows that their duals hold on the margin.
    room : array of shape (m,)
        s - |k|.
    rest : float
        |r|.
    """

    at: _Corrected
    held: Margin
    room: Float[np.ndarray, " m"]
    rest: float

    @classmethod
    def of(cls, at: _Corrected, left: _Residual, least: float) -> _Proof:
        """Return the proof with the rows whose duals are farther from their limits than a share of the largest."""
        problem, rows, d = at.problem, at.margin.rows, left.d
        a = problem.y * at.c
        s, vectors = np.minimum(a, at.u - a), np.vstack([d, np.eye(len(d)), np.zeros(len(d))])
        ones = np.zeros(len(vectors))
        ones[0], ones[-1] = -left.total, float(problem.free)
        while True:
            held = Margin.of(problem, rows)
            k, r = held.split(vectors, ones)
            coefficients = np.abs(k[:, 0]) + np.abs(k[:, 1:]) @ left.errors
            holds: Bool[np.ndarray, " m"] = s[rows] > np.maximum(2.0 * coefficients, least * at.u.max())
            if holds.all():
                lengths = np.linalg.norm(r, axis=0)
                return cls(at, held, s[rows] - coefficients, float(lengths[0] + lengths[1:] @ left.errors))
            rows = rows[holds]

    @cached_property
    def cost(self) -> float:
        """What rows on the wrong side cost."""
        near = self.at.near()
        return float(self.at.u[near] @ self.at.wrong(near))

    def distance(self, rows: Sequence[FeatureRows]) -> Distance:
        """Return how far the solution is from the optimum."""
        at, problem, w, b = self.at, self.at.problem, self.at.solution.w, self.at.solution.b
        v, e = at.w - w + at.v, at.b - b + at.e
        away = self.rest + np.sqrt(self.cost)
        star = (self.rest**2 / 4.0 + self.cost) / np.maximum(self.room, TINY)

        def bound(X: FeatureRows) -> float:
            return max([0.0, *(_bound(X[some]) for some in blocks(X, np.arange(len(X)), AT_ONCE))])

        def _bound(X: Float[np.ndarray, "x p"]) -> float:
            k, r = self.held.split(X, np.ones(len(X)))
            error = np.abs(X @ v + e) + np.abs(k).T @ star + np.linalg.norm(r, axis=0) * away
            return float((error + rounding_of_scores(X, w, b)).max(initial=0.0))

        slack, change = 1.0 - problem.y * (problem.Phi @ w + b), np.abs(problem.Phi @ v + e)
        objective = 0.5 * float(w @ w) + float(at.u @ np.maximum(slack, 0.0))
        moved = float(np.abs(w) @ np.abs(v) + at.u @ np.minimum(change, np.maximum(slack + change, 0.0)))
        return Distance((0.5 * self.rest**2 + self.cost + moved) / max(objective, TINY), max([0.0, *map(bound, rows)]))


def rounding_of_scores(Phi: Float[np.ndarray, "x p"], w: Float[np.ndarray, " p"], b: float) -> Float[np.ndarray, " x"]:
    """Return what the rounding of p terms may be: a sum is off by a few roots of their number, rarely by more."""
    return np.asarray(_rounding(len(w)) * (np.abs(Phi) @ np.abs(w) + abs(b)))


def _rounding(terms: int) -> float:
    return UNIT * (2.0 * float(np.sqrt(terms)) + 4.0)
