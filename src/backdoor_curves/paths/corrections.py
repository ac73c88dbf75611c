"""What solutions of the dual lack to the optimum: with the sets known, the solution of a linear system."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8
from scipy.linalg import LinAlgError

from backdoor_curves.paths.dual import BOUND, MARGIN, ZERO, Problem
from backdoor_curves.paths.margin import border_of, inverse_for
from backdoor_curves.paths.optimality import Family
from backdoor_curves.paths.refined import Refined

ROUNDING = 4.0 * float(np.finfo(float).eps)
"""Of a score near 1: a condition that holds by less may not hold."""
DEPENDENT = 1e-12
"""Eigenvalues below this share of the largest are 0, where rows depend on each other."""
DOUBTFUL = 1e-11
"""An error of the scores beyond which the sets are looked at again."""


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
        Square root of the trace of the margin's inverse, with the rows whose condition fails: how long a correction a
        residual of 1 may ask for.
    """

    c: Float[np.ndarray, "k n"]
    b: Float[np.ndarray, " k"]
    rest: Float[np.ndarray, " k"]
    wrong: Float[np.ndarray, " k"]
    length: Float[np.ndarray, " k"]

    def doubtful(self, scale: float) -> Int[np.ndarray, " d"]:
        """Return those whose sets may not be the right ones, by more than rounding: the optimum may be elsewhere.

        Those whose margin is dependent are left as they are, without a bound: to extended precision their kernel matrix
        may be indefinite, and its optimum not unique.
        """
        first_order = self.wrong * (1.0 + self.length * np.sqrt(scale))
        return np.flatnonzero(np.isfinite(first_order + self.rest) & (first_order + self.rest > DOUBTFUL))

    def replaced(self, k: int, a: Float[np.ndarray, " n"], b: float, best: Refined, problem: Problem) -> Corrections:
        """Return the corrections with those to the optimum in extended precision for solution k, which is (a, b)."""
        c, shift, rest, wrong, length = (x.copy() for x in (self.c, self.b, self.rest, self.wrong, self.length))
        c[k], shift[k], rest[k] = problem.y * (best.a - a), best.b - b, 0.0
        # No set of rows has a longer inverse than the ridge's.
        wrong[k], length[k] = best.wrong(), 1.0 / np.sqrt(problem.noise)
        return Corrections(c, shift, rest, wrong, length)


def corrections(family: Family, status: Int8[np.ndarray, "k n"]) -> Corrections:
    """Return the corrections for known sets.

    Rows at a limit are put there, and the margin's system is solved for its residual. That is of the size of the
    rounding errors in it, so it is summed up in extended precision. A second correction, for what the first leaves
    over, bounds all that would follow.
    """
    problem, before = family.problem, family.duals()
    u = problem.u0 + np.outer(family.betas, problem.du)
    after = np.where(status == BOUND, u, np.where(status == ZERO, 0.0, before))
    b, rest, length = (np.zeros(len(status)) for _ in range(3))
    changes = np.flatnonzero((status[1:] != status[:-1]).any(axis=1)) + 1
    for group in np.split(np.arange(len(status)), changes):
        M = np.flatnonzero(status[group[0]] == MARGIN)
        border = border_of(problem, M)
        try:
            B = inverse_for(problem, M)
        except LinAlgError:
            rest[group] = np.inf
            continue
        v, left = _twice(problem, after[group], family.b[group], M, B, border)
        after[np.ix_(group, M)] += problem.y[M] * v[:, border:]
        b[group] = v[:, :border].sum(axis=1)
        rest[group] = np.where(left <= 0.5 * np.abs(v).sum(axis=1), 2.0 * left, np.inf)
        length[group] = np.sqrt(np.trace(B[border:, border:]))
    used = np.flatnonzero(after.any(axis=0))
    right = Family(problem, family.betas, family.b + b, used, after[:, used], np.zeros(len(problem.y), dtype=bool))
    wrong, failing = _wrong(right, status, after, u)
    for k in np.flatnonzero(wrong):
        length[k] = max(length[k], _length(problem, (status[k] == MARGIN) | failing[k]))
    return Corrections(problem.y * (after - before), b, rest, wrong, length)


def _length(problem: Problem, rows: Bool[np.ndarray, " n"]) -> float:
    """Return the square root of the trace of the inverse of the system of some rows.

    A row that depends on the others asks for nothing that they do not: then the inverse is that of their span.
    """
    M = np.flatnonzero(rows)
    border = border_of(problem, M)
    try:
        B = inverse_for(problem, M)
    except LinAlgError:
        values = np.linalg.eigvalsh(problem.gram[np.ix_(M, M)] + (problem.kappa if border else 0.0))
        return float(np.sqrt((1.0 / values[values > DEPENDENT * values[-1]]).sum()))
    return float(np.sqrt(max(np.trace(B[border:, border:]), 0.0)))


def _twice(
    problem: Problem,
    A: Float[np.ndarray, "g n"],
    b: Float[np.ndarray, " g"],
    M: Int[np.ndarray, " m"],
    B: Float[np.ndarray, "w w"],
    border: int,
) -> tuple[Float[np.ndarray, "g w"], Float[np.ndarray, " g"]]:
    """Return the first correction, and the sum of the absolute values of the second."""
    exact = np.longdouble
    columns = np.union1d(np.flatnonzero(A.any(axis=0)), M)
    place = np.searchsorted(columns, M)
    K, h = problem.gram[np.ix_(M, columns)].astype(exact).T, problem.y[M]
    c, b = A[:, columns].astype(exact) * problem.y[columns], b.astype(exact)
    first = second = np.zeros((len(A), len(M) + border))
    for _ in range(2):
        first = first + second
        residual = np.empty(first.shape, dtype=exact)
        residual[:, border:] = c @ K + b[:, np.newaxis] - h
        residual[:, :border] = (c.sum(axis=1) + problem.corner * b)[:, np.newaxis]
        second = -(residual.astype(float) @ B)
        c[:, place] += second[:, border:]
        b += second[:, :border].sum(axis=1)
    return first, np.abs(second).sum(axis=1)


def _wrong(
    family: Family, status: Int8[np.ndarray, "k n"], A: Float[np.ndarray, "k n"], u: Float[np.ndarray, "k n"]
) -> tuple[Float[np.ndarray, " k"], Bool[np.ndarray, "k n"]]:
    """Return the largest failure of a condition, in the units of the scores, and the rows whose sign is wrong."""
    wrong, failing = np.zeros(len(status)), np.zeros(status.shape, dtype=bool)
    for rows, G in family.gradients(family.b, 1.0):
        sets, outside = status[:, rows], family.problem.scale * np.maximum(-A, A - u)[:, rows]
        fails = np.where(sets == ZERO, -G, np.where(sets == BOUND, G, outside)) + ROUNDING
        wrong = np.maximum(wrong, fails.max(axis=1))
        failing[:, rows] = fails > 0.0
    return wrong, failing
