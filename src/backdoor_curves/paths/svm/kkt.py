"""The conditions of the optimum (Karush, Kuhn and Tucker): by how much solutions with known sets violate them.

With g = y f - 1 a row of the zero set violates them by -g, one at its bound by g, and one on the margin by what its
dual is beyond its limits, as a score: times its squared length. Where g is nearer to 0 than double precision can say,
it is summed up in extended precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from backdoor_curves.paths.svm.dual import BOUND, MARGIN, SIGN, ZERO, Problem
from backdoor_curves.paths.svm.solutions import Solutions

ROUNDING = 4.0 * float(np.finfo(float).eps)
"""Of a score near 1, in four operations: a condition that holds by less may not hold."""


@dataclass(frozen=True, eq=False)
class Violation:
    """By how much conditions fail, for some solutions.

    Parameters
    ----------
    largest : array of shape (k,)
        Of one row, in the units of the scores.
    cost : array of shape (k,)
        What those on scores cost the objective: the sum of their violations times the bounds, and what duals cost that
        are not at the limit of their set.
    rows : array of shape (k, n)
        Which rows fail.
    """

    largest: Float[np.ndarray, " k"]
    cost: Float[np.ndarray, " k"]
    rows: Bool[np.ndarray, "k n"]


@dataclass(frozen=True, eq=False)
class Stepped:
    """Solutions after a step: the sum of both has lost what the step is for.

    Parameters
    ----------
    duals, signed_step : arrays of shape (k, n)
        The step is one of the signed duals.
    b, b_step : arrays of shape (k,)
    """

    duals: Float[np.ndarray, "k n"]
    signed_step: Float[np.ndarray, "k n"]
    b: Float[np.ndarray, " k"]
    b_step: Float[np.ndarray, " k"]

    def rounded(self, problem: Problem, betas: Float[np.ndarray, " k"]) -> Solutions:
        """Return the solutions in double precision."""
        A = self.duals + problem.y * self.signed_step
        return Solutions.of_duals(problem, betas, self.b + self.b_step, A)

    def gradients(
        self, problem: Problem, k: int, rows: Int[np.ndarray, " r"]
    ) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"]]:
        """Return g of some rows for solution k, summed up in extended precision, and its rounding error.

        A sum of s terms is off by sqrt(s) units in the last place and rarely by more.
        """
        exact, a, step = np.longdouble, self.duals[k], self.signed_step[k]
        used, b = np.flatnonzero((a != 0.0) | (step != 0.0)), exact(self.b[k]) + exact(self.b_step[k])
        c, K = problem.y[used] * a[used].astype(exact) + step[used], problem.matrix.block(used, rows).astype(exact)
        units = (np.sqrt(len(used)) + 2.0) * np.finfo(exact).eps
        rounding = units * (np.abs(c) @ np.abs(K) + np.abs(b) + 1.0)
        return (problem.y[rows] * (c @ K + b) - 1.0).astype(float), rounding.astype(float)


def violations(
    solutions: Solutions,
    stepped: Stepped,
    status: Int8[np.ndarray, "k n"],
    uncorrected: Bool[np.ndarray, "k n"],
    jumps: Float[np.ndarray, "k n"],
) -> Violation:
    """Return the violations of known sets after a step.

    Parameters
    ----------
    solutions, stepped
        The solutions after the step, in double precision and by their parts.
    uncorrected : bool array of shape (k, n)
        Rows of the margin that the step leaves where they are: their scores must be on it to rounding.
    jumps : array of shape (k, n)
        How far duals were from the limit of their set before the step: such a dual costs that times what its score is
        off the margin.
    """
    problem, u, A = solutions.problem, solutions.bounds(), solutions.duals()
    noise = ROUNDING * (1.0 + problem.scale * A.sum(axis=1, keepdims=True))
    square = problem.scale + problem.shift
    largest, cost = np.zeros((2, len(status)))
    failing, close = np.zeros((2, *status.shape), bool)
    for rows, G in solutions.outputs(np.arange(len(problem.y))):
        G += np.outer(solutions.b, problem.y[rows]) - 1.0
        sets, outside = status[:, rows], square * np.maximum(-A, A - u)[:, rows] + ROUNDING
        fails = np.where(sets == ZERO, -G, np.where(sets == BOUND, G, outside))
        close[:, rows] = (np.abs(fails) <= noise) & (sets != MARGIN)
        failing[:, rows] = (fails > 0.0) & ~close[:, rows]
        fails = np.where(close[:, rows], 0.0, fails)
        largest = np.maximum(largest, fails.max(axis=1))
        on_scores = np.where(sets == MARGIN, 0.0, np.maximum(fails, 0.0))
        cost += (u[:, rows] * on_scores + jumps[:, rows] * np.abs(G)).sum(axis=1)
    close |= uncorrected
    for k in np.flatnonzero(close.any(axis=1)):
        rows = np.flatnonzero(close[k])
        g, rounding = stepped.gradients(problem, int(k), rows)
        sign = SIGN[status[k, rows]]
        fails = np.where(sign, -sign * g, np.abs(g)) + rounding
        largest[k] = max(largest[k], fails.max())
        failing[k, rows] = (fails > 0.0) & ~uncorrected[k, rows]
        cost[k] += u[k, rows] @ np.maximum(fails, 0.0)
    return Violation(largest, cost, failing)
