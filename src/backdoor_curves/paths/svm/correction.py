"""What solutions of the dual lack to the optimum: with the sets known, the solution of the margin's linear system.

A correction is made in steps. Rows go to the limit of their set; the margin's residual r is summed up in extended
precision, since it is of the size of the rounding errors in it; the first step is -S^-1 r (`margin_system` has S). What
it leaves over bounds all steps that would follow. Then the conditions of the optimum are looked at (`kkt`): where the
sets are the optimum's none fails by more than rounding, and the corrected solution is the optimum but for that bound.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int, Int8
from scipy.linalg import LinAlgError

from backdoor_curves.paths.linalg.definite import independent
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, ZERO, Point, Problem
from backdoor_curves.paths.svm.extended_precision import ExtendedOptimum
from backdoor_curves.paths.svm.kkt import Stepped, violations
from backdoor_curves.paths.svm.margin_system import Cholesky, MarginSystem
from backdoor_curves.paths.svm.solutions import Solutions

INDEPENDENT = 1e-6
"""Rows this far from each other's span, in squared lengths of the largest, are independent whatever rounding does: of a
pivot it leaves 1e-16 times the number of rows."""
EXCESS = 1e-9
"""What a dual may be beyond its limits by rounding, as a share of the largest bound: what an optimal node may be."""
UNCERTAIN = 1e-11
"""A bound on the error of scores beyond which the sets are looked at again: ten times what rounding leaves of a
residual."""
TOGETHER = 2**22
"""Kernel values that are held in extended precision at once, 64 MiB."""
EVENTS = 3
"""How often rows that fail are put to the other side of their event: one may take others along. Of 1500 random problems
one time does for all that any number helps."""


@dataclass(frozen=True, eq=False)
class Correction:
    """What the duals and intercepts of some solutions lack to the optimum.

    Parameters
    ----------
    c : array of shape (k, n)
        Corrections of the signed duals.
    b : array of shape (k,)
        Of the intercepts.
    remainder : array of shape (k,)
        Bound on what these leave over, as a sum of absolute values; infinite where none is found.
    violation : array of shape (k,)
        By how much the conditions of the optimum fail after the correction (`kkt.Violation.largest`).
    cost : array of shape (k,)
        What that costs the objective, and with it what the margin's scores are off it.
    inverse_norm : array of shape (k,)
        Where a condition fails, the square root of the trace of the inverse of the margin's system and those rows: how
        long a correction a residual of 1 may ask for.
    dependent : array of shape (k,)
        Whether rows of the margin depend on each other: of those only some are corrected.
    """

    c: Float[np.ndarray, "k n"]
    b: Float[np.ndarray, " k"]
    remainder: Float[np.ndarray, " k"]
    violation: Float[np.ndarray, " k"]
    cost: Float[np.ndarray, " k"]
    inverse_norm: Float[np.ndarray, " k"]
    dependent: Bool[np.ndarray, " k"]

    def score_error_bound(self, scale: float) -> Float[np.ndarray, " k"]:
        """Return how far the scores of a training row may be from the optimum's after the corrections."""
        return self.violation * (1.0 + self.inverse_norm * np.sqrt(scale)) + self.remainder

    def uncertain(self, scale: float) -> Int[np.ndarray, " d"]:
        """Return those whose sets may not be the right ones, by more than rounding: the optimum may be elsewhere.

        Those whose margin is dependent are left as they are: to extended precision their kernel matrix may be
        indefinite, and its optimum not unique.
        """
        bound = self.score_error_bound(scale)
        return np.flatnonzero(~self.dependent & np.isfinite(bound) & (bound > UNCERTAIN))

    def some(self, k: Int[np.ndarray, " j"]) -> Correction:
        """Return the corrections of solutions k."""
        return Correction(**{part.name: getattr(self, part.name)[k] for part in fields(self)})

    def with_those(self, k: Int[np.ndarray, " j"], others: Correction) -> Correction:
        """Return the corrections with others for solutions k."""
        parts = {part.name: getattr(self, part.name).copy() for part in fields(self)}
        for name, mine in parts.items():
            mine[k] = getattr(others, name)
        return Correction(**parts)

    def with_optimum(self, k: int, point: Point, best: ExtendedOptimum, problem: Problem) -> Correction:
        """Return the corrections with those to the optimum in extended precision for solution k, where these say more.

        That optimum may be the one of a ridge, since rows depend on each other: it then fails by the ridge's part, and
        what is known of the rows that fail bounds more.
        """
        c, b = problem.y * (best.point.a - point.a).astype(float), float(best.point.b - point.b)
        # No set of rows has a longer inverse than the ridge's.
        remainder, cost, inverse_norm = 0.0, 0.0, 1.0 / np.sqrt(problem.noise)
        parts = c, b, remainder, best.violation(), cost, inverse_norm, False
        other, own = Correction(*(np.array([part]) for part in parts)), np.array([k])
        is_sharper = other.score_error_bound(problem.scale) < self.some(own).score_error_bound(problem.scale)
        return self.with_those(own, other) if is_sharper.all() else self


def correction(solutions: Solutions, status: Int8[np.ndarray, "k n"], events: int = EVENTS) -> Correction:
    """Return the corrections for known sets, but for rows that rounding has left on the wrong side of an event.

    At an event a row of the margin is at a limit. The correction may put it past that: by its residual times the
    inverse of the margin's system, which is more than the scores are off by. Or, if it has just left, its residual has
    the wrong sign. With the sets of the event's other side nothing fails but by rounding. Up to `events` times rows are
    put there; with 0 of them only rows of the margin are corrected.
    """
    scale, (best, others) = solutions.problem.scale, _for_sets(solutions, status)
    for _ in range(events):
        # Without a margin a free intercept is not determined.
        determined = (others == MARGIN).any(axis=1) | (not solutions.problem.free)
        k = np.flatnonzero((best.score_error_bound(scale) > UNCERTAIN) & determined)
        if not k.size:
            break
        found, others[k] = _for_sets(solutions.some(k), others[k])
        better = np.flatnonzero(found.score_error_bound(scale) < best.score_error_bound(scale)[k])
        best = best.with_those(k[better], found.some(better))
    return best


def _for_sets(solutions: Solutions, status: Int8[np.ndarray, "k n"]) -> tuple[Correction, Int8[np.ndarray, "k n"]]:
    """Return the corrections for known sets, and the sets with each row that fails on the other side of its event."""
    problem, before, u = solutions.problem, solutions.duals(), solutions.bounds()
    at_limits = np.where(status == BOUND, u, np.where(status == ZERO, 0.0, before))
    step = _margin_step(problem, at_limits, solutions.b, status, u)
    stepped = Stepped(at_limits, step.c, solutions.b, step.b)
    after = stepped.rounded(problem, solutions.betas)
    kkt = violations(after, stepped, status, step.uncorrected, np.abs(at_limits - before))
    # Of dependent rows any may carry the others: what decides is the rounding of the kernel matrix, a residual too.
    A, dependent = at_limits + problem.y * step.c, np.asarray(step.uncorrected.any(axis=1))
    unknown = float(np.finfo(float).eps) * problem.scale * np.linalg.norm(A, axis=1)
    violation = np.where(dependent, np.maximum(kkt.largest, unknown), kkt.largest)
    inverse_norm = np.zeros(len(status))
    for k in np.flatnonzero(violation):
        inverse_norm[k] = _inverse_norm(problem, status[k] == MARGIN, kkt.rows[k])
    limit = np.where(0.5 * u > A, ZERO, BOUND).astype(np.int8)
    others = np.where(kkt.rows, np.where(status == MARGIN, limit, MARGIN), status).astype(np.int8)
    # What the last row of the margin cannot take up another will, at an intercept that this one does not know.
    excess = np.where(status == MARGIN, np.maximum(-A, A - u), 0.0).max(axis=1)
    alone = problem.free & ~(others == MARGIN).any(axis=1) & (excess > EXCESS * u.max(axis=1))
    remainder, cost = np.where(alone, np.inf, step.remainder), kkt.cost + step.cost
    return Correction(problem.y * (A - before), step.b, remainder, violation, cost, inverse_norm, dependent), others


@dataclass(frozen=True, eq=False)
class _MarginStep:
    """The first step of some solutions: of signed duals c and intercepts b, and what it leaves.

    `cost` is what the scores of the margin's rows then cost the objective, `remainder` a bound on the steps that would
    follow, and `uncorrected` are the rows of the margin that depend on the others, which stay where they are.
    """

    c: Float[np.ndarray, "k n"]
    b: Float[np.ndarray, " k"]
    cost: Float[np.ndarray, " k"]
    remainder: Float[np.ndarray, " k"]
    uncorrected: Bool[np.ndarray, "k n"]


def _margin_step(
    problem: Problem,
    A: Float[np.ndarray, "k n"],
    b: Float[np.ndarray, " k"],
    status: Int8[np.ndarray, "k n"],
    bounds: Float[np.ndarray, "k n"],
) -> _MarginStep:
    """Return the first step of solutions (A, b); neighbours with the same sets share a factorisation."""
    c, uncorrected = np.zeros_like(A), status == MARGIN
    db, cost, remainder = np.zeros((3, len(A)))
    changes = np.flatnonzero((status[1:] != status[:-1]).any(axis=1)) + 1
    for group in np.split(np.arange(len(status)), changes):
        M = np.flatnonzero(status[group[0]] == MARGIN)
        try:
            factor, rows = _independent(problem, M)
        except LinAlgError:
            remainder[group] = np.inf
            continue
        v, residual, following = _two_steps(problem, A[group], b[group], rows, factor)
        # Of rows that are nearly dependent as well nobody can say which the others follow from.
        known = len(rows) == len(M) or factor.least_pivot() > INDEPENDENT * problem.scale
        shrinks = following <= 0.5 * np.abs(v).sum(axis=1)
        border = factor.system.border
        table = np.ix_(group, rows)
        c[table], db[group], uncorrected[table] = v[:, border:], v[:, :border].sum(axis=1), False
        cost[group] = (bounds[table] * residual).sum(axis=1)
        remainder[group] = np.where(shrinks & known, 2.0 * following, np.inf)
    return _MarginStep(c, db, cost, remainder, uncorrected)


def _independent(problem: Problem, rows: Int[np.ndarray, " m"]) -> tuple[Cholesky, Int[np.ndarray, " r"]]:
    """Return the system of as many rows as are independent, as far as the kernel matrix knows, and which these are."""
    system = MarginSystem.of(problem, rows)
    with suppress(LinAlgError):
        factor = Cholesky.of(system)
        if factor.least_pivot() > INDEPENDENT * problem.scale:
            return factor, rows
    chosen = rows[np.sort(independent(system.definite, problem.noise))]
    return Cholesky.of(MarginSystem.of(problem, chosen)), chosen


def _inverse_norm(problem: Problem, margin: Bool[np.ndarray, " n"], failing: Bool[np.ndarray, " n"]) -> float:
    """Return the square root of the trace of the inverse of the system of the margin and the rows that fail.

    Rows that depend on each other, as far as the kernel matrix knows, have that of their span.
    """
    M = np.flatnonzero(margin | failing)
    system = MarginSystem.of(problem, M)
    with suppress(LinAlgError):
        factor = Cholesky.of(system)
        if factor.least_pivot() > INDEPENDENT * problem.scale:
            return float(np.sqrt(factor.trace()))
    values = np.linalg.eigvalsh(system.definite)
    rounding = max(problem.noise, len(M) * float(np.finfo(float).eps * values[-1]))
    norm = float(np.sqrt((1.0 / values[values > rounding]).sum()))
    return max(norm, _inverse_norm(problem, margin, np.zeros_like(margin))) if (failing & ~margin).any() else norm


def _two_steps(
    problem: Problem,
    A: Float[np.ndarray, "g n"],
    b: Float[np.ndarray, " g"],
    M: Int[np.ndarray, " m"],
    factor: Cholesky,
) -> tuple[Float[np.ndarray, "g w"], Float[np.ndarray, "g m"], Float[np.ndarray, " g"]]:
    """Return the first step, what of the residual it leaves, and the sum of absolute values of the second.

    What a step leaves over is what it was made for less S times itself: as small, so that doubles will do. On the
    margin it comes as an absolute value and with the rounding of either, as in `Stepped.gradients`.
    """
    exact, border = np.longdouble, factor.system.border
    columns = np.flatnonzero(A.any(axis=0))
    K = problem.matrix.block(columns, M)
    c, b = A[:, columns].astype(exact) * problem.y[columns], b.astype(exact)
    residual = np.empty((len(A), len(M) + border), dtype=exact)
    for part in np.array_split(np.arange(len(M)), K.size // TOGETHER + 1):
        residual[:, border + part] = c @ K[:, part].astype(exact) + b[:, np.newaxis] - problem.y[M[part]]
    residual[:, :border] = (c.sum(axis=1) + problem.corner * b)[:, np.newaxis]
    units = (np.sqrt(len(columns)) + 2.0) * float(np.finfo(exact).eps)
    sizes = A[:, columns] @ np.abs(K)  # of a bound doubles will do
    rounding = units * (sizes + np.abs(b).astype(float)[:, np.newaxis] + 1.0)
    residual = residual.astype(float)
    first = -factor.solve(residual)
    left = residual + factor.system.product(first)
    terms = np.abs(first).sum(axis=1, keepdims=True) * max(problem.scale, 1.0)
    rounding += float(np.finfo(float).eps) * (np.abs(residual[:, border:]) + terms)
    return first, np.abs(left[:, border:]) + rounding, np.abs(factor.solve(left)).sum(axis=1)
