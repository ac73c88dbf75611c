"""Solutions of the dual at several betas: their duals in one table, and sums over all rows for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.paths.svm.dual import Problem

CELLS = 400_000
"""Scores that are looked at together, 3 MiB: enough for fast products, few enough for the cache."""
FEW = 8
"""Solutions that are looked at without a copy of a part of the kernel matrix: a product of so few rows with all of it
takes no longer than to copy the part, since both are as fast as memory is read."""


@dataclass(frozen=True, eq=False)
class Solutions:
    """Solutions at some betas: intercepts, and the duals of those rows that are not at the same limit in all of them.

    Parameters
    ----------
    betas, b : arrays of shape (k,)
    moving : array of shape (m,)
        Rows whose duals are in the table.
    A : array of shape (k, m)
        The table.
    at_bound : array of shape (n,)
        Which of the other rows are at their bound; the rest are 0.
    """

    problem: Problem
    betas: Float[np.ndarray, " k"]
    b: Float[np.ndarray, " k"]
    moving: Int[np.ndarray, " m"]
    A: Float[np.ndarray, "k m"]
    at_bound: Bool[np.ndarray, " n"]

    @classmethod
    def of_duals(
        cls, problem: Problem, betas: Float[np.ndarray, " k"], b: Float[np.ndarray, " k"], A: Float[np.ndarray, "k n"]
    ) -> Solutions:
        """Return the solutions with these duals of all rows."""
        used = np.flatnonzero(A.any(axis=0))
        return cls(problem, betas, b, used, A[:, used], np.zeros(A.shape[1], dtype=bool))

    def some(self, k: Int[np.ndarray, " j"]) -> Solutions:
        """Return solutions k."""
        return replace(self, betas=self.betas[k], b=self.b[k], A=self.A[k])

    # --- duals -------------------------------------------------------------------------------------------------------

    def bounds(self) -> Float[np.ndarray, "k n"]:
        """Return the upper bounds of all duals."""
        return self.problem.u0 + np.outer(self.betas, self.problem.du)

    def duals(self) -> Float[np.ndarray, "k n"]:
        """Return all duals."""
        A = np.where(self.at_bound, self.bounds(), 0.0)
        A[:, self.moving] = self.A
        return A

    def expansion(self) -> tuple[Int[np.ndarray, " s"], Float[np.ndarray, "k s"]]:
        """Return the rows that have a dual somewhere, and the signed duals c of those."""
        problem, rows = self.problem, self.used()
        C = problem.u0[rows] + np.outer(self.betas, problem.du[rows])
        C[:, np.searchsorted(rows, self.moving)] = self.A
        C *= problem.y[rows]
        return rows, C

    def used(self) -> Int[np.ndarray, " s"]:
        """Return the rows that have a dual somewhere."""
        has = self.at_bound.copy()
        has[self.moving] = True
        return np.flatnonzero(has)

    def summed(self, K: Float[np.ndarray, "s x"]) -> Float[np.ndarray, "k x"]:
        """Return the sums of the signed duals times K, a row for each of `used`: those that move apart from others."""
        rows, problem = self.used(), self.problem
        steady = np.where(self.at_bound, problem.y, 0.0)[rows]
        fixed, growing = ((steady * u[rows]) @ K for u in (problem.u0, problem.du))
        moving = K[np.searchsorted(rows, self.moving)]
        return (self.A * problem.y[self.moving]) @ moving + np.outer(self.betas, growing) + fixed

    def total(self, weights: Float[np.ndarray, " n"] | None = None) -> Float[np.ndarray, " k"]:
        """Return the sums of the duals, with weights or without."""
        w = np.ones(len(self.at_bound)) if weights is None else weights
        steady = np.where(self.at_bound, w, 0.0)
        return self.A @ w[self.moving] + steady @ self.problem.u0 + self.betas * (steady @ self.problem.du)

    def balance(self) -> Float[np.ndarray, " k"]:
        """Return 1'c - b / s^2, which is 0 at the optimum; 0 without an intercept."""
        problem = self.problem
        return self.total(problem.y) + problem.corner * self.b if problem.has_intercept else np.zeros_like(self.b)

    def infeasibility(self) -> Float[np.ndarray, " k"]:
        """Return by how much duals are beyond their limits, or out of balance with a free intercept."""
        bounds = self.problem.u0[self.moving] + np.outer(self.betas, self.problem.du[self.moving])
        beyond = np.maximum(-self.A, self.A - bounds).max(axis=1, initial=0.0)
        return np.maximum(beyond, np.abs(self.balance())) if self.problem.free else beyond

    def weighted(
        self, rows: Int[np.ndarray, " r"], G: Float[np.ndarray, "j r"], which: slice = slice(None)
    ) -> Float[np.ndarray, " j"]:
        """Return a'g over some rows in ascending order, for a slice of the solutions and as many g."""
        first, last = np.searchsorted(self.moving, [rows[0], rows[-1] + 1])
        steady = self.at_bound[rows]
        fixed, growing = (np.where(steady, u[rows], 0.0) for u in (self.problem.u0, self.problem.du))
        places = np.searchsorted(rows, self.moving[first:last])
        ag = np.einsum("kr,kr->k", self.A[which, first:last], G[:, places])
        return np.asarray(ag + G @ fixed + self.betas[which] * (G @ growing))

    # --- scores ------------------------------------------------------------------------------------------------------

    def outputs(self, rows: Int[np.ndarray, " r"]) -> Iterator[tuple[Int[np.ndarray, " s"], Float[np.ndarray, "k s"]]]:
        """Yield y K c of some rows in ascending order, not all of them at a time."""
        problem = self.problem
        if len(self.betas) <= FEW:  # the kernel matrix as it is, without copies
            G = problem.matrix.product(self.duals() * problem.y)
            G *= problem.y
            yield rows, G[:, rows] if len(rows) < len(problem.y) else G
            return
        problem.matrix.hold(self.moving)
        for part in self.blocks(rows):
            yield part, self.coefficients @ self.columns(part)

    def blocks(self, rows: Int[np.ndarray, " r"]) -> list[Int[np.ndarray, " s"]]:
        """Return rows in blocks of few enough for their scores to be looked at together."""
        return np.array_split(rows, len(rows) * len(self.betas) // CELLS + 1) if rows.size else []

    @cached_property
    def coefficients(self) -> Float[np.ndarray, "k s"]:
        """C, so that y K c of all solutions is C R."""
        return np.column_stack([self.A * self.problem.y[self.moving], self.betas, np.ones(len(self.betas))])

    def columns(self, rows: Int[np.ndarray, " r"]) -> Float[np.ndarray, "s r"]:
        """Return R of some rows in ascending order."""
        m, (growing, fixed) = len(self.moving), self._steady
        R = np.empty((m + 2, len(rows)))
        self.problem.matrix.columns_of(self.moving, rows, R[:m])
        R[m], R[m + 1] = growing[rows], fixed[rows]
        R *= self.problem.y[rows]
        return R

    @cached_property
    def _steady(self) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """What the rows at their bound add to K c: times beta, and besides."""
        steady = np.where(self.at_bound, self.problem.y, 0.0)
        return self.problem.expansion(steady * self.problem.du), self.problem.expansion(steady * self.problem.u0)
