"""What solutions of the dual lack to the optimum: with the sets known, the solution of a linear system."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int, Int8
from scipy.linalg import LinAlgError

from backdoor_curves.paths.linalg.definite import independent
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, SIGN, ZERO, Problem
from backdoor_curves.paths.svm.duality_gap import CLOSED, Family
from backdoor_curves.paths.svm.extended_precision import Refined
from backdoor_curves.paths.svm.margin import border_of
from backdoor_curves.paths.svm.margin_system import MarginSystem

ROUNDING = 4.0 * float(np.finfo(float).eps)
"""Of a score near 1: a condition that holds by less may not hold."""
APART = 1e-6
"""Rows this far from each other's span, in squared lengths of the largest, are independent whatever rounding does."""
EXCESS = 1e-9
"""What a dual may be beyond its limits by rounding, as a share of the largest bound."""
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
        Bound on what these leave over, as a sum of absolute values; infinite where none is found.
    wrong : array of shape (k,)
        By how much the conditions of the optimum fail after the correction.
    cost : array of shape (k,)
        What those on scores cost the objective: the sum of their failures times the bounds, and what duals cost that
        were not at the limit of their set.
    length : array of shape (k,)
        Where a condition fails, the square root of the trace of the inverse of the margin's system and those rows: how
        long a correction a residual of 1 may ask for.
    dependent : array of shape (k,)
        Whether rows of the margin depend on each other: of those only some are corrected.
    """

    c: Float[np.ndarray, "k n"]
    b: Float[np.ndarray, " k"]
    rest: Float[np.ndarray, " k"]
    wrong: Float[np.ndarray, " k"]
    cost: Float[np.ndarray, " k"]
    length: Float[np.ndarray, " k"]
    dependent: Bool[np.ndarray, " k"]

    def doubt(self, scale: float) -> Float[np.ndarray, " k"]:
        """Return how far the scores of a training row may be from the optimum's after the corrections."""
        return self.wrong * (1.0 + self.length * np.sqrt(scale)) + self.rest

    def doubtful(self, scale: float) -> Int[np.ndarray, " d"]:
        """Return those whose sets may not be the right ones, by more than rounding: the optimum may be elsewhere.

        Those whose margin is dependent are left as they are: to extended precision their kernel matrix may be
        indefinite, and its optimum not unique.
        """
        doubt = self.doubt(scale)
        return np.flatnonzero(~self.dependent & np.isfinite(doubt) & (doubt > DOUBTFUL))

    def some(self, k: Int[np.ndarray, " j"]) -> Corrections:
        """Return the corrections of solutions k."""
        return Corrections(**{part.name: getattr(self, part.name)[k] for part in fields(self)})

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
        parts = (np.array([part]) for part in (*lacking, best.wrong(), 0.0, 1.0 / np.sqrt(problem.noise), False))
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


def corrected_gap(family: Family, status: Int8[np.ndarray, "k n"]) -> Float[np.ndarray, " k"]:
    """Return the relative duality gaps between solutions with known sets and the primal points of their corrections.

    Between duals a and another primal point (w + dw, b), with g = y f - 1 there, the gap is

        |dw|^2 / 2  +  sum_i  a_i max(0, g_i) + (u_i - a_i) max(0, -g_i)

    and what the balance misses: without the rounding of scores whose terms are much larger than they are, as a has it.
    """
    gap = _gap_to(family, status, events=0)
    open_ = np.flatnonzero(gap > CLOSED)
    if open_.size:  # what is right for the duals need not be for the scores
        gap[open_] = np.minimum(gap[open_], _gap_to(family.some(open_), status[open_], EVENTS))
    return gap


def _gap_to(family: Family, status: Int8[np.ndarray, "k n"], events: int) -> Float[np.ndarray, " k"]:
    """Return the gaps to corrections with some events; infinite where b is off by more than rounding in the scores.

    The duals say nothing about b.
    """
    problem, r, m = family.problem, family.balance(), family.total(family.problem.y)
    lacking = corrections(family, status, events)
    c, b = lacking.c, family.b + lacking.b
    off = np.abs(b * r) if problem.free else 0.5 * problem.shift * (r + problem.corner * lacking.b) ** 2
    gap = 0.5 * np.maximum(((c @ problem.gram) * c).sum(axis=1), 0.0) + lacking.cost + off
    dual = family.total() - 0.5 * (family.inner.squares + problem.shift * m**2)
    rounding = float(np.finfo(float).eps * np.sqrt(len(problem.y))) * problem.scale * family.total()
    return np.where(np.abs(lacking.b) <= rounding, gap / np.maximum(dual + gap, np.finfo(float).tiny), np.inf)


def _for_sets(family: Family, status: Int8[np.ndarray, "k n"]) -> tuple[Corrections, Int8[np.ndarray, "k n"]]:
    """Return the corrections for known sets, and the sets with each row that fails on the other side of its event.

    Rows at a limit are put there, and the margin's system is solved for its residual. That is of the size of the
    rounding errors in it, so it is summed up in extended precision. A second correction, for what the first leaves
    over, bounds all that would follow.
    """
    problem, before = family.problem, family.duals()
    u = problem.u0 + np.outer(family.betas, problem.du)
    put = np.where(status == BOUND, u, np.where(status == ZERO, 0.0, before))
    step, loose = np.zeros_like(put), status == MARGIN
    b, rest, left = np.zeros((3, len(status)))
    changes = np.flatnonzero((status[1:] != status[:-1]).any(axis=1)) + 1
    for group in np.split(np.arange(len(status)), changes):
        M, c, b[group], short, rest[group] = _for_margin(problem, put[group], family.b[group], loose[group[0]])
        step[np.ix_(group, M)], loose[np.ix_(group, M)] = c, False
        left[group] = (u[np.ix_(group, M)] * short).sum(axis=1)
    after = put + problem.y * step
    wrong, cost, failing, close = _wrong(problem, family.betas, family.b + b, status, after, np.abs(put - before))
    cost += left
    close |= loose
    for k in np.flatnonzero(close.any(axis=1)):
        rows = np.flatnonzero(close[k])
        side, rounding = _exactly(problem, rows, (put[k], step[k]), (family.b[k], b[k]))
        sign = SIGN[status[k, rows]]
        fails = np.where(sign, -sign * side, np.abs(side)) + rounding
        wrong[k], failing[k, rows] = max(wrong[k], fails.max()), (fails > 0.0) & ~loose[k, rows]
        cost[k] += u[k, rows] @ np.maximum(fails, 0.0)
    # Of dependent rows any may carry the others: what decides is the rounding of the kernel matrix, a residual too.
    dependent = loose.any(axis=1)
    unknown = float(np.finfo(float).eps) * problem.scale * np.linalg.norm(after, axis=1)
    wrong = np.where(dependent, np.maximum(wrong, unknown), wrong)
    length = np.zeros(len(status))
    for k in np.flatnonzero(wrong):
        length[k] = _length(problem, status[k] == MARGIN, failing[k])
    limit = np.where(after < 0.5 * u, ZERO, BOUND).astype(np.int8)
    others = np.where(failing, np.where(status == MARGIN, limit, MARGIN), status).astype(np.int8)
    # What the last row of the margin cannot take up another will, at an intercept that this one does not know.
    excess = np.where(status == MARGIN, np.maximum(-after, after - u), 0.0).max(axis=1)
    alone = problem.free & ~(others == MARGIN).any(axis=1) & (excess > EXCESS * u.max(axis=1))
    rest = np.where(alone, np.inf, rest)
    return Corrections(problem.y * (after - before), b, rest, wrong, cost, length, dependent), others


def _for_margin(
    problem: Problem, A: Float[np.ndarray, "g n"], b: Float[np.ndarray, " g"], margin: Bool[np.ndarray, " n"]
) -> tuple[
    Int[np.ndarray, " m"],
    Float[np.ndarray, "g m"],
    Float[np.ndarray, " g"],
    Float[np.ndarray, "g m"],
    Float[np.ndarray, " g"],
]:
    """Return which rows of the margin are corrected, by how much these and the intercept, and what that leaves.

    That is how far their scores then are from the margin, and a bound on the corrections that would follow. All rows
    are corrected, or, where they depend on each other, as many as are independent.
    """
    M = np.flatnonzero(margin)
    try:
        system, rows = _independent(problem, M)
    except LinAlgError:
        none = np.zeros((len(A), 0))
        return M[:0], none, np.zeros(len(A)), none, np.full(len(A), np.inf)
    v, left, after = _twice(problem, A, b, rows, system)
    # Of rows that are nearly dependent as well nobody can say which the others follow from.
    known = len(rows) == len(M) or system.least_pivot() > APART * problem.scale
    rest = np.where((after <= 0.5 * np.abs(v).sum(axis=1)) & known, 2.0 * after, np.inf)
    border = system.border
    return rows, v[:, border:], v[:, :border].sum(axis=1), left, rest


def _independent(problem: Problem, rows: Int[np.ndarray, " m"]) -> tuple[MarginSystem, Int[np.ndarray, " r"]]:
    """Return the system of as many rows as are independent, as far as the kernel matrix knows, and which these are."""
    with suppress(LinAlgError):
        system = MarginSystem.of(problem, rows)
        if system.least_pivot() > APART * problem.scale:
            return system, rows
    K = problem.gram[np.ix_(rows, rows)] + (problem.kappa if border_of(problem, rows) else 0.0)
    chosen = rows[np.sort(independent(K, problem.noise))]
    return MarginSystem.of(problem, chosen), chosen


def _length(problem: Problem, margin: Bool[np.ndarray, " n"], failing: Bool[np.ndarray, " n"]) -> float:
    """Return the square root of the trace of the inverse of the system of the margin and the rows that fail.

    Rows that depend on each other, as far as the kernel matrix knows, have that of their span.
    """
    M = np.flatnonzero(margin | failing)
    with suppress(LinAlgError):
        system = MarginSystem.of(problem, M)
        if system.least_pivot() > APART * problem.scale:
            return float(np.sqrt(system.trace()))
    values = np.linalg.eigvalsh(problem.gram[np.ix_(M, M)] + (problem.kappa if border_of(problem, M) else 0.0))
    rounding = max(problem.noise, len(M) * float(np.finfo(float).eps * values[-1]))
    length = float(np.sqrt((1.0 / values[values > rounding]).sum()))
    return max(length, _length(problem, margin, np.zeros_like(margin))) if (failing & ~margin).any() else length


def _twice(
    problem: Problem,
    A: Float[np.ndarray, "g n"],
    b: Float[np.ndarray, " g"],
    M: Int[np.ndarray, " m"],
    system: MarginSystem,
) -> tuple[Float[np.ndarray, "g w"], Float[np.ndarray, "g m"], Float[np.ndarray, " g"]]:
    """Return the correction, what of the residual it leaves, and the sum of absolute values of the one to follow.

    What a correction leaves over is what it was made for less S times itself: as small, so that doubles will do. On the
    margin it comes as an absolute value and with the rounding of either, as in `_exactly`.
    """
    exact, border = np.longdouble, system.border
    columns = np.flatnonzero(A.any(axis=0))
    K = problem.gram[np.ix_(columns, M)].astype(exact)
    c, b = A[:, columns].astype(exact) * problem.y[columns], b.astype(exact)
    residual = np.empty((len(A), len(M) + border), dtype=exact)
    residual[:, border:] = c @ K + b[:, np.newaxis] - problem.y[M]
    residual[:, :border] = (c.sum(axis=1) + problem.corner * b)[:, np.newaxis]
    units = (np.sqrt(len(columns)) + 2.0) * float(np.finfo(exact).eps)
    rounding = units * (np.abs(c) @ np.abs(K) + np.abs(b)[:, np.newaxis] + 1.0).astype(float)
    residual = residual.astype(float)
    first = -system.solve(residual)
    left = residual + _product(problem, M, border, first)
    terms = np.abs(first).sum(axis=1, keepdims=True) * max(problem.scale, 1.0)
    rounding += float(np.finfo(float).eps) * (np.abs(residual[:, border:]) + terms)
    return first, np.abs(left[:, border:]) + rounding, np.abs(system.solve(left)).sum(axis=1)


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
    off: Float[np.ndarray, "k n"],
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Bool[np.ndarray, "k n"], Bool[np.ndarray, "k n"]]:
    """Return the largest failure of a condition, in the units of the scores, the cost, and the rows that fail.

    A dual `off` its limit costs that times what its score is off the margin. And, as in none of these, those whose
    residual is too near 0 for its sign to be known in double precision.
    """
    u, used = problem.u0 + np.outer(betas, problem.du), np.flatnonzero(A.any(axis=0))
    family = Family(problem, betas, b, used, A[:, used], np.zeros(len(problem.y), dtype=bool))
    noise = ROUNDING * (1.0 + problem.scale * A.sum(axis=1, keepdims=True))
    square = problem.scale + problem.shift
    wrong, cost = np.zeros((2, len(status)))
    failing, close = np.zeros((2, *status.shape), bool)
    for rows, G in family.outputs(np.arange(len(problem.y))):
        G += np.outer(b, problem.y[rows]) - 1.0
        sets, outside = status[:, rows], square * np.maximum(-A, A - u)[:, rows] + ROUNDING
        fails = np.where(sets == ZERO, -G, np.where(sets == BOUND, G, outside))
        close[:, rows] = (np.abs(fails) <= noise) & (sets != MARGIN)
        failing[:, rows] = (fails > 0.0) & ~close[:, rows]
        fails = np.where(close[:, rows], 0.0, fails)
        wrong = np.maximum(wrong, fails.max(axis=1))
        on_scores = np.where(sets == MARGIN, 0.0, np.maximum(fails, 0.0))
        cost += (u[:, rows] * on_scores + off[:, rows] * np.abs(G)).sum(axis=1)
    return wrong, cost, failing, close


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
