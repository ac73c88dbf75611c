"""How far a solution of a linear SVM is from the optimum, in the directions that its margin leaves free.

Let w* be the optimum and D = w - w* the error of a solution that has its margin's rows M on the margin, y f = 1, and
w = d + Phi'c with duals a = y c within their limits. The conditions of the optimum are monotone:

    |D|^2 + sum_M s_i |g*_i|  <=  d'D + cost,         s = min(a, u - a),    g* = y f* - 1

d splits into a combination of the margin's rows, which only moves their duals, and a rest r: d = sum_M k_i phi_i + r, so
that d'D <= sum_M |k_i| |g*_i| + |r| |D|. Where s > |k| that leaves

    |D| <= |r| + cost^(1/2),        |g*_i| <= (|r|^2 / 4 + cost) / (s_i - |k_i|),

and for the score at x, which splits alike, |f(x) - f*(x)| <= sum_M |k_i(x)| |g*_i| + |r(x)| |D|. So a large feature, in
which rounding leaves much of d, counts by what of it is not in the span of the margin: next to nothing.

Rows on the wrong side by v_i cost sum u_i v_i. Where rows depend on each other some are on the margin without being held
there, and rounding must not put them beyond it: of rows near the margin, and of d where rounding counts, sums are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from backdoor_curves.paths.linalg.exact_sums import exact_sums
from backdoor_curves.paths.linear_svm.margin import Margin
from backdoor_curves.paths.linear_svm.problem import BOUND, ZERO, Optimum, Problem, pull_of

UNIT = float(np.finfo(float).eps) / 2
"""Rounding of one operation."""
HELD = 2.0
"""A dual holds its row on the margin if it is farther from its limits than this many times what it may be off."""
NEAR = 1e-9
"""Rows this near the margin are looked at exactly: the others are beyond the rounding of a score."""
CLEAR = 1e-9
"""A bound below this is small enough, and d needs no exact sums: a thousandth of what curves ask for."""
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


def distance_to_optimum(problem: Problem, solution: Solution, rows: list[Float[np.ndarray, "x p"]]) -> Distance:
    """Return how far a solution is from the optimum: in its objective, and in the scores of some rows."""
    found = _Proof.of(problem, solution, exact=False).distance(rows)
    if found.scores <= CLEAR:
        return found
    exact = _Proof.of(problem, solution, exact=True).distance(rows)
    return Distance(min(found.objective_gap, exact.objective_gap), min(found.scores, exact.scores))


def on_wrong_side(status: Int8[np.ndarray, " n"], excess: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return by how much rows are on the wrong side of the margin, < 0 where they are on the right one."""
    return np.where(status == ZERO, -excess, np.where(status == BOUND, excess, np.abs(excess)))


@dataclass(frozen=True, eq=False)
class _Rest:
    """What w - Phi'c may be at most: the coefficients |k| of the margin's rows in it, and the length of r."""

    coefficients: Float[np.ndarray, " m"]
    length: float


@dataclass(frozen=True, eq=False)
class _Proof:
    """The optimum that the sets of a solution have, and what of it is proven.

    With the margin's rows exactly there it is w + v and b + e.

    Parameters
    ----------
    problem, solution
    optimum : Optimum
    u : array of shape (n,)
        Bounds.
    margin, held : Margin
        Of the rows of the margin, and of those that their duals hold there.
    room : array of shape (m,)
        s - |k|.
    rest : float
        |r|.
    """

    problem: Problem
    solution: Solution
    optimum: Optimum
    u: Float[np.ndarray, " n"]
    margin: Margin
    held: Margin
    room: Float[np.ndarray, " m"]
    rest: float

    @classmethod
    def of(cls, problem: Problem, solution: Solution, exact: bool) -> _Proof:
        """Return the proof, with the rows of the margin that are held there by their duals."""
        rows, u, margin = solution.margin, problem.bounds(solution.beta), Margin.of(problem, solution.margin)
        optimum = margin.optimum(pull_of(problem, solution.status, u, problem.y))
        if problem.free and not len(rows):  # no row says what the intercept is
            optimum = optimum._replace(b=solution.b)
        a = np.where(solution.status == BOUND, u, 0.0)
        a[rows] = np.clip(problem.y[rows] * optimum.c, 0.0, u[rows])
        while True:
            held = Margin.of(problem, rows)
            rest = _rest(problem, held, optimum.w, problem.y * a, exact)
            s = np.minimum(a, u - a)[rows]
            holds: Bool[np.ndarray, " m"] = s > HELD * rest.coefficients
            if holds.all():
                return cls(problem, solution, optimum, u, margin, held, s - rest.coefficients, rest.length)
            rows = rows[holds]

    @cached_property
    def to_margin(self) -> tuple[Float[np.ndarray, " p"], float]:
        """v and e: what puts the margin's rows there."""
        rows, nothing = self.margin.rows, np.zeros_like(self.optimum.w)
        return self.margin.shortest(-self._off(rows, nothing, 0.0)) if len(rows) else (nothing, 0.0)

    def _off(self, rows: Int[np.ndarray, " k"], v: Float[np.ndarray, " p"], e: float) -> Float[np.ndarray, " k"]:
        """Return f - y of some rows for w + v and b + e, exactly."""
        Phi, one = self.problem.Phi[rows], np.ones(len(rows))
        w, b = np.append(self.optimum.w, v), self.optimum.b
        return exact_sums(np.hstack([Phi, Phi]), w, b * one, e * one, -self.problem.y[rows])

    @cached_property
    def cost(self) -> float:
        """What rows on the wrong side cost: those near the margin are looked at exactly."""
        problem, status, (v, e) = self.problem, self.solution.status, self.to_margin
        w, b = self.optimum.w + v, self.optimum.b + e
        wrong = on_wrong_side(status, problem.y * (problem.Phi @ w + b) - 1.0)
        wrong += rounding_of_scores(problem.Phi, w, b)
        near = np.flatnonzero((wrong > -NEAR) & (problem.u0 + problem.du > 0.0))
        excess = problem.y[near] * self._off(near, v, e)
        return float(self.u[near] @ np.maximum(on_wrong_side(status[near], excess), 0.0))

    def distance(self, rows: list[Float[np.ndarray, "x p"]]) -> Distance:
        """Return how far the solution is from the optimum."""
        problem, w, b, (v, e) = self.problem, self.solution.w, self.solution.b, self.to_margin
        v, e = self.optimum.w - w + v, self.optimum.b - b + e
        away = self.rest + np.sqrt(self.cost)
        star = (self.rest**2 / 4.0 + self.cost) / np.maximum(self.room, TINY)

        def bound(X: Float[np.ndarray, "x p"]) -> float:
            k, r = self.held.split(X, np.ones(len(X)))
            error = np.abs(X @ v + e) + np.abs(k).T @ star + np.linalg.norm(r, axis=0) * away
            return float((error + rounding_of_scores(X, w, b)).max(initial=0.0))

        slack, change = 1.0 - problem.y * (problem.Phi @ w + b), np.abs(problem.Phi @ v + e)
        objective = 0.5 * float(w @ w) + float(self.u @ np.maximum(slack, 0.0))
        moved = float(np.abs(w) @ np.abs(v) + self.u @ np.minimum(change, np.maximum(slack + change, 0.0)))
        return Distance((0.5 * self.rest**2 + self.cost + moved) / max(objective, TINY), max([0.0, *map(bound, rows)]))


def _rest(
    problem: Problem, margin: Margin, w: Float[np.ndarray, " p"], c: Float[np.ndarray, " n"], exact: bool
) -> _Rest:
    """Return what of w - Phi'c is beside the margin: as computed, and by the rounding of each feature."""
    used = np.flatnonzero(c)
    Phi, weights, free = problem.Phi[used], c[used], float(problem.free)
    if exact:
        d, total = -exact_sums(Phi.T, weights, -w), float(exact_sums(weights[np.newaxis], np.ones(len(used)))[0])
        errors = UNIT * np.append(np.abs(d), abs(total))
    else:
        d, total = w - weights @ Phi, float(weights.sum())
        size = np.append(np.abs(w) + np.abs(weights) @ np.abs(Phi), np.abs(weights).sum())
        errors = UNIT * (2.0 * np.sqrt(len(used)) + 4.0) * size
    vectors = np.vstack([d, np.eye(len(w)), np.zeros(len(w))])
    ones = np.zeros(len(vectors))
    ones[0], ones[-1] = -free * total, free
    k, r = margin.split(vectors, ones)
    lengths = np.linalg.norm(r, axis=0)
    return _Rest(np.abs(k[:, 0]) + np.abs(k[:, 1:]) @ errors, float(lengths[0] + lengths[1:] @ errors))


def rounding_of_scores(Phi: Float[np.ndarray, "x p"], w: Float[np.ndarray, " p"], b: float) -> Float[np.ndarray, " x"]:
    """Return what the rounding of p terms may be: a sum of them is off by a few roots of their number, rarely by more."""
    return np.asarray(UNIT * (2.0 * np.sqrt(len(w)) + 4.0) * (np.abs(Phi) @ np.abs(w) + abs(b)))
