"""How far solutions of the dual are from the optimum: the duality gap of many at once, the error of their scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.paths.dual import Problem

CELLS = 400_000
"""Scores that are looked at together: enough for fast products, few enough for the cache."""

FEW = 8
"""Solutions that are looked at without a copy of the kernel matrix."""
CLOSED = 1e-10
"""A relative duality gap that needs no second look."""
SHORT = 1e-6
"""Rows that miss the margin by no more than this are taken to be on it, but for rounding."""


@dataclass(frozen=True, eq=False)
class Inner:
    """Inner products of the w of k solutions.

    Parameters
    ----------
    squares : array of shape (k,)
    beside : array of shape (k - 1,)
        Of each with the next.
    first : array of shape (k,)
        Of each with the first.
    """

    squares: Float[np.ndarray, " k"]
    beside: Float[np.ndarray, " k_less_1"]
    first: Float[np.ndarray, " k"]

    def add(self, family: Family, rows: Int[np.ndarray, " r"], G: Float[np.ndarray, "k r"]) -> None:
        """Add what some rows have to them, given y K c there."""
        self.squares[:] += family.along(rows, G)
        self.beside[:] += family.along(rows, G[1:], slice(max(len(G) - 1, 0)))
        self.first[:] += family.along(rows, np.broadcast_to(G[:1], G.shape))


@dataclass(frozen=True, eq=False)
class Family:
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

    def some(self, k: Int[np.ndarray, " j"]) -> Family:
        """Return solutions k."""
        return replace(self, betas=self.betas[k], b=self.b[k], A=self.A[k])

    def duals(self) -> Float[np.ndarray, "k n"]:
        """Return all duals."""
        problem = self.problem
        A = np.where(self.at_bound, problem.u0 + np.outer(self.betas, problem.du), 0.0)
        A[:, self.moving] = self.A
        return A

    def expansion(self) -> tuple[Int[np.ndarray, " s"], Float[np.ndarray, "k s"]]:
        """Return the rows that have a dual somewhere, and the signed duals c of those."""
        problem, has = self.problem, self.at_bound.copy()
        has[self.moving] = True
        rows = np.flatnonzero(has)
        C = problem.u0[rows] + np.outer(self.betas, problem.du[rows])
        C[:, np.searchsorted(rows, self.moving)] = self.A
        C *= problem.y[rows]
        return rows, C

    def gradients(
        self, b: Float[np.ndarray, " k"], q: float
    ) -> Iterator[tuple[Int[np.ndarray, " r"], Float[np.ndarray, "k r"]]]:
        """Yield y (K c + b) - q of all rows, some at a time."""
        problem, n, m = self.problem, len(self.at_bound), len(self.moving)
        if len(self.betas) <= FEW:  # the kernel matrix as it is, without copies
            G = (self.duals() * problem.y) @ problem.gram
            G += b[:, np.newaxis]
            G *= problem.y
            G -= q
            yield np.arange(n), G
            return
        steady = np.where(self.at_bound, problem.y, 0.0)
        growing, fixed = (problem.expansion(steady * u) for u in (problem.du, problem.u0))
        C = np.column_stack([self.A * problem.y[self.moving], self.betas, b, np.ones(len(b))])
        for rows in np.array_split(np.arange(n), n * len(self.betas) // CELLS + 1):
            R = np.empty((m + 3, len(rows)))
            R[:m] = problem.gram[self.moving, rows[0] : rows[-1] + 1]
            R[m], R[m + 1], R[m + 2] = growing[rows], 1.0, fixed[rows] - q * problem.y[rows]
            R *= problem.y[rows]
            yield rows, C @ R

    @cached_property
    def inner(self) -> Inner:
        """The inner products of w that a path keeps; in the pass over all rows that the gaps take too."""
        return self._seen[2]

    def gap(self) -> Float[np.ndarray, " k"]:
        """Return the relative duality gaps: the least that is found."""
        gap, short, _ = self._seen
        open_ = np.flatnonzero(gap > CLOSED)
        if open_.size:
            some = self.some(open_)
            gap = gap.copy()
            gap[open_] = np.minimum(gap[open_], some._look(short[open_])[0])
        return gap

    @cached_property
    def _seen(self) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Inner]:
        return self._look(np.zeros(len(self.betas)))

    def _look(self, stretch: Float[np.ndarray, " k"]) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Inner]:
        """Return the duality gaps to the primal points (1 + d) (w, b), and what rows on the margin are short of it.

        With g = (1 + d) y f - 1 and slacks xi = max(0, -g) the gap is, at d = 0, u'xi + a'g: no share is < 0 and
        vanishes where its conditions hold, so that nothing cancels. What the balance r misses adds b r, or s^2 r^2 / 2.
        A row on the margin that rounding leaves short of it adds u times that; a little longer w takes it over.
        """
        problem, r, k = self.problem, self.balance(), len(self.betas)
        slack, ag, short = (np.zeros(k) for _ in range(3))
        inner = Inner(np.zeros(k), np.zeros(max(k - 1, 0)), np.zeros(k))
        for rows, G in self.gradients(np.zeros(k), 0.0):
            inner.add(self, rows, G)
            G += np.outer(self.b, problem.y[rows]) - 1.0
            ag += self.along(rows, G)
            if stretch.any():
                G += stretch[:, np.newaxis] * (G + 1.0)
            np.minimum(G, 0.0, out=G)
            short = np.maximum(short, -np.where(G > -SHORT, G, 0.0).min(axis=1, initial=0.0))
            slack -= G @ problem.u0[rows] + self.betas * (G @ problem.du[rows])
        square = ag + self.total() - self.b * r
        off = np.abs(self.b * r) if problem.free else 0.5 * problem.shift * r**2
        gap = ag + slack + off + (stretch + 0.5 * stretch**2) * square
        return np.maximum(gap, 0.0) / np.maximum(0.5 * square + slack, np.finfo(float).tiny), short, inner

    def along(
        self, rows: Int[np.ndarray, " r"], G: Float[np.ndarray, "j r"], which: slice = slice(None)
    ) -> Float[np.ndarray, " j"]:
        """Return a'g over some rows, for a slice of the solutions and as many gradients."""
        first, last = np.searchsorted(self.moving, [rows[0], rows[-1] + 1])
        steady = self.at_bound[rows]
        fixed, growing = (np.where(steady, u[rows], 0.0) for u in (self.problem.u0, self.problem.du))
        ag = np.einsum("kr,kr->k", self.A[which, first:last], G[:, self.moving[first:last] - rows[0]])
        return np.asarray(ag + G @ fixed + self.betas[which] * (G @ growing))

    def total(self, weights: Float[np.ndarray, " n"] | None = None) -> Float[np.ndarray, " k"]:
        """Return the sums of the duals, with weights or without."""
        w = np.ones(len(self.at_bound)) if weights is None else weights
        steady = np.where(self.at_bound, w, 0.0)
        return self.A @ w[self.moving] + steady @ self.problem.u0 + self.betas * (steady @ self.problem.du)

    def balance(self) -> Float[np.ndarray, " k"]:
        """Return 1'c - b / s^2, which is 0 at the optimum; 0 without an intercept."""
        problem = self.problem
        return self.total(problem.y) + problem.corner * self.b if problem.has_intercept else np.zeros_like(self.b)

    def outside(self) -> Float[np.ndarray, " k"]:
        """Return by how much duals are beyond their limits, or out of balance with a free intercept."""
        bounds = self.problem.u0[self.moving] + np.outer(self.betas, self.problem.du[self.moving])
        beyond = np.maximum(-self.A, self.A - bounds).max(axis=1, initial=0.0)
        return np.maximum(beyond, np.abs(self.balance())) if self.problem.free else beyond
