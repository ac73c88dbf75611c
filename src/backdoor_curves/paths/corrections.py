"""What solutions of the dual lack to the optimum: with the sets known, the solution of a linear system."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int, Int8
from scipy.linalg import LinAlgError

from backdoor_curves.paths.dual import BOUND, MARGIN, ZERO, Problem
from backdoor_curves.paths.margin import border_of
from backdoor_curves.paths.margin_system import MarginSystem
from backdoor_curves.paths.optimality import Family
from backdoor_curves.paths.refined import Refined

ROUNDING = 4.0 * float(np.finfo(float).eps)
"""Of a score near 1: a condition that holds by less may not hold."""
DEPENDENT = 1e-12
"""Eigenvalues below this share of the largest are 0, where rows depend on each other."""
DOUBTFUL = 1e-11
"""An error of the scores beyond which the sets are looked at again."""
EVENTS = 3
"""How often rows that fail are put to the other side of their event: one of them may take others along."""


@dataclass(frozen=True, eq=False)
class Corrections:
    """What the duals and intercepts of some solutions lack to the optimum.

    Parameters
    ----------
    c : array of shape (k, n)
        Corrections of the signed duals.
    b : array of shape (k,)
        Of the intercepts.
    rest : array of shape (k,)
        Bound on what these leave over, as a sum of absolute values; infinite where the margin's rows are dependent.
    wrong : array of shape (k,)
        By how much the conditions of the optimum fail after the correction.
    length : array of shape (k,)
        Where a condition fails, the square root of the trace of the inverse of the margin's system and those rows: how
        long a correction a residual of 1 may ask for.
    """

    c: Float[np.ndarray, "k n"]
    b: Float[np.ndarray, " k"]
    rest: Float[np.ndarray, " k"]
    wrong: Float[np.ndarray, " k"]
    length: Float[np.ndarray, " k"]

    def doubt(self, scale: float) -> Float[np.ndarray, " k"]:
        """Return how far the scores of a training row may be from the optimum's after the corrections."""
        return self.wrong * (1.0 + self.length * np.sqrt(scale)) + self.rest

    def doubtful(self, scale: float) -> Int[np.ndarray, " d"]:
        """Return those whose sets may not be the right ones, by more than rounding: the optimum may be elsewhere.

        Those whose margin is dependent are left as they are, without a bound: to extended precision their kernel matrix
        may be indefinite, and its optimum not unique.
        """
        doubt = self.doubt(scale)
        return np.flatnonzero(np.isfinite(doubt) & (doubt > DOUBTFUL))

    def some(self, k: Int[np.ndarray, " j"]) -> Corrections:
        """Return the corrections of solutions k."""
        return Corrections(self.c[k], self.b[k], self.rest[k], self.wrong[k], self.length[k])

    def with_those(self, k: Int[np.ndarray, " j"], others: Corrections) -> Corrections:
        """Return the corrections with others for solutions k."""
        parts = {part.name: getattr(self, part.name).copy() for part in fields(self)}
        for name, mine in parts.items():
            mine[k] = getattr(others, name)
        return Corrections(**parts)

    def replaced(self, k: int, a: Float[np.ndarray, " n"], b: float, best: Refined, problem: Problem) -> Corrections:
        """Return the corrections with those to the optimum in extended precision for solution k, which is (a, b)."""
        lacking = problem.y * (best.a - a).astype(float), float(best.b - b), 0.0
        # No set of rows has a longer inverse than the ridge's.
        parts = (np.array([part]) for part in (*lacking, best.wrong(), 1.0 / np.sqrt(problem.noise)))
        return self.with_those(np.array([k]), Corrections(*parts))


def corrections(family: Family, status: Int8[np.ndarray, "k n"], events: int = EVENTS) -> Corrections:
    """Return the corrections for known sets, but for rows that rounding has left on the wrong side of an event.

    At an event a row of the margin is at a limit. The correction may put it past that: by its residual times the
    inverse of the margin's system, which is more than the scores are off by. Or, if it has just left, its residual has
    the wrong sign. With the sets of the event's other side nothing fails but by rounding. Up to `events` times rows are
    put there; with 0 of them only rows of the margin are corrected.
    """
    scale, (best, others) = family.problem.scale, _for_sets(family, status)
    for _ in range(events):
        # Without a margin a free intercept is not determined.
        held = (others == MARGIN).any(axis=1) | (not family.problem.free)
        k = np.flatnonzero((best.doubt(scale) > DOUBTFUL) & held)
        if not k.size:
            break
        found, others[k] = _for_sets(family.some(k), others[k])
        better = np.flatnonzero(found.doubt(scale) < best.doubt(scale)[k])
        best = best.with_those(k[better], found.some(better))
    return best


def _for_sets(family: Family, status: Int8[np.ndarray, "k n"]) -> tuple[Corrections, Int8[np.ndarray, "k n"]]:
    """Return the corrections for known sets, and the sets with each row that fails on the other side of its event.

    Rows at a limit are put there, and the margin's system is solved for its residual. That is of the size of the
    rounding errors in it, so it is summed up in extended precision. A second correction, for what the first leaves
    over, bounds all that would follow.
    """
    problem, before = family.problem, family.duals()
    u = problem.u0 + np.outer(family.betas, problem.du)
    put = np.where(status == BOUND, u, np.where(status == ZERO, 0.0, before))
    step, b, rest = np.zeros_like(put), np.zeros(len(status)), np.zeros(len(status))
    changes = np.flatnonzero((status[1:] != status[:-1]).any(axis=1)) + 1
    for group in np.split(np.arange(len(status)), changes):
        M = np.flatnonzero(status[group[0]] == MARGIN)
        try:
            system = MarginSystem.of(problem, M)
        except LinAlgError:
            rest[group] = np.inf
            continue
        border = system.border
        v, left = _twice(problem, put[group], family.b[group], M, system)
        step[np.ix_(group, M)] = v[:, border:]
        b[group] = v[:, :border].sum(axis=1)
        rest[group] = np.where(left <= 0.5 * np.abs(v).sum(axis=1), 2.0 * left, np.inf)
    after = put + problem.y * step
    wrong, failing, close = _wrong(problem, family.betas, family.b + b, status, after)
    for k in np.flatnonzero(close.any(axis=1)):
        rows = np.flatnonzero(close[k])
        side, rounding = _exactly(problem, rows, (put[k], step[k]), (family.b[k], b[k]))
        fails = np.where(status[k, rows] == ZERO, -side, side) + rounding
        wrong[k], failing[k, rows] = max(wrong[k], fails.max()), fails > 0.0
    length = np.zeros(len(status))
    for k in np.flatnonzero(wrong):
        length[k] = _length(problem, status[k] == MARGIN, failing[k])
    limit = np.where(after < 0.5 * u, ZERO, BOUND).astype(np.int8)
    others = np.where(failing, np.where(status == MARGIN, limit, MARGIN), status).astype(np.int8)
    return Corrections(problem.y * (after - before), b, rest, wrong, length), others


def _length(problem: Problem, margin: Bool[np.ndarray, " n"], failing: Bool[np.ndarray, " n"]) -> float:
    """Return the square root of the trace of the inverse of the system of the margin and the rows that fail.

    A row that depends on the others asks for nothing that they do not: then the inverse is that of their span.
    """
    M = np.flatnonzero(margin | failing)
    try:
        return float(np.sqrt(MarginSystem.of(problem, M).trace()))
    except LinAlgError:
        border = border_of(problem, M)
        values = np.linalg.eigvalsh(problem.gram[np.ix_(M, M)] + (problem.kappa if border else 0.0))
        length = float(np.sqrt((1.0 / values[values > DEPENDENT * values[-1]]).sum()))
        return max(length, _length(problem, margin, np.zeros_like(margin))) if (failing & ~margin).any() else length


def _twice(
    problem: Problem,
    A: Float[np.ndarray, "g n"],
    b: Float[np.ndarray, " g"],
    M: Int[np.ndarray, " m"],
    system: MarginSystem,
) -> tuple[Float[np.ndarray, "g w"], Float[np.ndarray, " g"]]:
    """Return the correction, and the sum of the absolute values of the one that would follow.

    What a correction leaves over is what it was made for less S times itself: as small, so that doubles will do.
    """
    exact, border = np.longdouble, system.border
    columns = np.flatnonzero(A.any(axis=0))
    K = problem.gram[np.ix_(columns, M)].astype(exact)
    c, b = A[:, columns].astype(exact) * problem.y[columns], b.astype(exact)
    residual = np.empty((len(A), len(M) + border), dtype=exact)
    residual[:, border:] = c @ K + b[:, np.newaxis] - problem.y[M]
    residual[:, :border] = (c.sum(axis=1) + problem.corner * b)[:, np.newaxis]
    residual = residual.astype(float)
    first = -system.solve(residual)
    left = residual + _product(problem, M, border, first)
    return first, np.abs(system.solve(left)).sum(axis=1)


def _product(
    problem: Problem, M: Int[np.ndarray, " m"], border: int, V: Float[np.ndarray, "g w"]
) -> Float[np.ndarray, "g w"]:
    """Return S v for each row v."""
    b, c = V[:, :border].sum(axis=1, keepdims=True), V[:, border:]
    own = c.sum(axis=1, keepdims=True) + problem.corner * b
    return np.hstack([own[:, :border], c @ problem.gram[np.ix_(M, M)] + b])


def _wrong(
    problem: Problem,
    betas: Float[np.ndarray, " k"],
    b: Float[np.ndarray, " k"],
    status: Int8[np.ndarray, "k n"],
    A: Float[np.ndarray, "k n"],
) -> tuple[Float[np.ndarray, " k"], Bool[np.ndarray, "k n"], Bool[np.ndarray, "k n"]]:
    """Return the largest failure of a condition, in the units of the scores, and the rows whose conditions fail.

    And, as in neither, those whose residual is too near 0 for its sign to be known in double precision.
    """
    u, used = problem.u0 + np.outer(betas, problem.du), np.flatnonzero(A.any(axis=0))
    family = Family(problem, betas, b, used, A[:, used], np.zeros(len(problem.y), dtype=bool))
    noise = ROUNDING * (1.0 + problem.scale * A.sum(axis=1, keepdims=True))
    wrong, failing, close = np.zeros(len(status)), np.zeros(status.shape, bool), np.zeros(status.shape, bool)
    for rows, G in family.outputs(np.arange(len(problem.y))):
        G += np.outer(b, problem.y[rows]) - 1.0
        sets, outside = status[:, rows], problem.scale * np.maximum(-A, A - u)[:, rows] + ROUNDING
        fails = np.where(sets == ZERO, -G, np.where(sets == BOUND, G, outside))
        close[:, rows] = (np.abs(fails) <= noise) & (sets != MARGIN)
        failing[:, rows] = (fails > 0.0) & ~close[:, rows]
        wrong = np.maximum(wrong, np.where(close[:, rows], 0.0, fails).max(axis=1))
    return wrong, failing, close


def _exactly(
    problem: Problem,
    rows: Int[np.ndarray, " r"],
    duals: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    intercepts: tuple[float, float],
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"]]:
    """Return y (K c + b) - 1 of some rows, c = y a + step, summed up in extended precision, and its rounding error.

    In double precision the sum of a dual and its correction has lost what the correction was for. A sum of s terms is
    off by sqrt(s) units in the last place and rarely by more.
    """
    exact, (a, step) = np.longdouble, duals
    used, b = np.flatnonzero((a != 0.0) | (step != 0.0)), exact(intercepts[0]) + exact(intercepts[1])
    c, K = problem.y[used] * a[used].astype(exact) + step[used], problem.gram[np.ix_(used, rows)].astype(exact)
    units = (np.sqrt(len(used)) + 2.0) * np.finfo(exact).eps
    rounding = units * (np.abs(c) @ np.abs(K) + np.abs(b) + 1.0)
    return (problem.y[rows] * (c @ K + b) - 1.0).astype(float), rounding.astype(float)
