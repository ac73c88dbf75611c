"""How far solutions of the dual are from the optimum: the duality gap of many at once, the error of their scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from backdoor_curves.paths.svm.dual import Problem

CELLS = 400_000
"""Scores that are looked at together: enough for fast products, few enough for the cache."""

FEW = 8
"""Solutions that are looked at without a copy of the kernel matrix."""
CLOSED = 1e-10
"""A relative duality gap that needs no second look."""
SINGLE = float(np.finfo(np.float32).eps) / 2
"""The unit of rounding of single precision."""
SUMMED = 256
"""Products that single precision adds up at a time: the more, the larger the bound on their rounding."""
TINY = 8.0
"""What the smallest factors of single precision times its largest may be off by, in its units."""
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
class Settled:
    """Rows that are on the side of the margin where they should be, in all solutions of a family.

    Parameters
    ----------
    others : array of shape (r,)
        The other rows.
    at_bound : array of shape (e,)
        Those at their bound.
    sums : array of shape (s, 2)
        Their columns R (`Family._columns`), summed up with the weights u0 and du.
    """

    others: Int[np.ndarray, " r"]
    at_bound: Int[np.ndarray, " e"]
    sums: Float[np.ndarray, "s 2"]


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

    def outputs(self, rows: Int[np.ndarray, " r"]) -> Iterator[tuple[Int[np.ndarray, " s"], Float[np.ndarray, "k s"]]]:
        """Yield y K c of some rows in ascending order, not all of them at a time."""
        problem = self.problem
        if len(self.betas) <= FEW:  # the kernel matrix as it is, without copies
            G = (self.duals() * problem.y) @ problem.gram
            G *= problem.y
            yield rows, G[:, rows] if len(rows) < len(problem.y) else G
            return
        for part in self._parts(rows):
            yield part, self._coefficients @ self._columns(part)

    def _parts(self, rows: Int[np.ndarray, " r"]) -> list[Int[np.ndarray, " s"]]:
        return np.array_split(rows, len(rows) * len(self.betas) // CELLS + 1) if rows.size else []

    @cached_property
    def _coefficients(self) -> Float[np.ndarray, "k s"]:
        """C, so that y K c is C R."""
        return np.column_stack([self.A * self.problem.y[self.moving], self.betas, np.ones(len(self.betas))])

    def _columns(self, rows: Int[np.ndarray, " r"]) -> Float[np.ndarray, "s r"]:
        """Return R of some rows in ascending order."""
        m, (growing, fixed) = len(self.moving), self._steady
        R = np.empty((m + 2, len(rows)))
        near = self.problem.gram[self.moving, rows[0] : rows[-1] + 1]
        np.take(near, rows - rows[0], axis=1, out=R[:m], mode="clip")  # np.ix_ takes three times as long
        R[m], R[m + 1] = growing[rows], fixed[rows]
        R *= self.problem.y[rows]
        return R

    @cached_property
    def _steady(self) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """What the rows at their bound add to K c: times beta, and besides."""
        steady = np.where(self.at_bound, self.problem.y, 0.0)
        return self.problem.expansion(steady * self.problem.du), self.problem.expansion(steady * self.problem.u0)

    @cached_property
    def settled(self) -> Settled:
        """The rows of which single precision proves that they are on the side where they should be."""
        steady, settled = np.ones(len(self.at_bound), dtype=bool), np.zeros(len(self.at_bound), dtype=bool)
        steady[self.moving] = False
        sums = np.zeros((self._coefficients.shape[1], 2))
        for rows in self._parts(np.flatnonzero(steady)) if len(self.betas) > FEW else []:
            R, at_bound = self._columns(rows), self.at_bound[rows]
            F, off = self._in_single(rows, R)
            low, high = F.min(axis=0), F.max(axis=0)
            on_side = np.where(at_bound, high + off < 1.0 - SHORT, low - off > 1.0)
            settled[rows] = on_side & np.isfinite(low) & np.isfinite(high)
            held = at_bound & settled[rows]
            sums += R[:, held] @ np.column_stack([u[rows[held]] for u in (self.problem.u0, self.problem.du)])
        return Settled(np.flatnonzero(~settled), np.flatnonzero(settled & self.at_bound), sums)

    @np.errstate(over="ignore", invalid="ignore")
    def _in_single(
        self, rows: Int[np.ndarray, " r"], R: Float[np.ndarray, "s r"]
    ) -> tuple[Float32[np.ndarray, "k r"], Float[np.ndarray, " r"]]:
        """Return y f of some rows in single precision, and by how much that may be off.

        A sum of s products c r is off by no more than s + 3 units of rounding of sum |c r|, in whatever order it is
        added up: s for the sum, the others for c, r and the bound itself; the sum of t such sums by t more. `TINY` is
        what each comes with on top where a factor is smaller than single precision has in full. What is larger than it
        has makes F infinite, or no number.
        """
        (single, largest), R32 = self._single, np.vstack([R, self.problem.y[rows]]).astype(np.float32)
        F = single[:, :SUMMED] @ R32[:SUMMED]
        for first in range(SUMMED, len(R32), SUMMED):
            F += single[:, first : first + SUMMED] @ R32[first : first + SUMMED]
        terms = largest[:-1] @ np.abs(R) + largest[-1]
        return F, SINGLE * ((min(len(R32), SUMMED) + len(R32) / SUMMED + 4.0) * terms + TINY * (len(R32) + 4.0))

    @cached_property
    def _single(self) -> tuple[Float32[np.ndarray, "k s_plus_1"], Float[np.ndarray, " s_plus_1"]]:
        """C and the intercepts in single precision, and the largest of each column."""
        C = np.column_stack([self._coefficients, self.b])
        return C.astype(np.float32), np.abs(C).max(axis=0)

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
        problem, r, k, settled = self.problem, self.balance(), len(self.betas), self.settled
        slack, ag, short = (np.zeros(k) for _ in range(3))
        inner = Inner(np.zeros(k), np.zeros(max(k - 1, 0)), np.zeros(k))
        for rows, G in self.outputs(settled.others):
            inner.add(self, rows, G)
            G += np.outer(self.b, problem.y[rows]) - 1.0
            ag += self.along(rows, G)
            if stretch.any():
                G += stretch[:, np.newaxis] * (G + 1.0)
            np.minimum(G, 0.0, out=G)
            short = np.maximum(short, -np.where(G > -SHORT, G, 0.0).min(axis=1, initial=0.0))
            slack -= G @ problem.u0[rows] + self.betas * (G @ problem.du[rows])
        gap = ag + slack
        # Settled rows at their bound have the slacks -g: what they add to the gap is what a longer w takes from those.
        held, a, c = self._held(inner)
        held += self.b * c - a
        gap -= stretch * (held + a)
        square, slack = ag + held + self.total() - self.b * r, slack - held - stretch * (held + a)
        gap += np.abs(self.b * r) if problem.free else 0.5 * problem.shift * r**2
        gap += (stretch + 0.5 * stretch**2) * square
        return np.maximum(gap, 0.0) / np.maximum(0.5 * square + slack, np.finfo(float).tiny), short, inner

    def _held(self, inner: Inner) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Return c'K c, a and c summed over the settled rows at their bound; add the first to the inner products."""
        rows, betas = self.settled.at_bound, self.betas
        fixed, growing = (self._coefficients @ self.settled.sums).T
        inner.squares[:] += fixed + betas * growing
        inner.beside[:] += fixed[1:] + betas[:-1] * growing[1:]
        inner.first[:] += fixed[:1] + betas * growing[:1]
        u0, du, y = (part[rows] for part in (self.problem.u0, self.problem.du, self.problem.y))
        return fixed + betas * growing, u0.sum() + betas * du.sum(), y @ u0 + betas * (y @ du)

    def along(
        self, rows: Int[np.ndarray, " r"], G: Float[np.ndarray, "j r"], which: slice = slice(None)
    ) -> Float[np.ndarray, " j"]:
        """Return a'g over some rows, for a slice of the solutions and as many gradients."""
        first, last = np.searchsorted(self.moving, [rows[0], rows[-1] + 1])
        steady = self.at_bound[rows]
        fixed, growing = (np.where(steady, u[rows], 0.0) for u in (self.problem.u0, self.problem.du))
        places = np.searchsorted(rows, self.moving[first:last])
        ag = np.einsum("kr,kr->k", self.A[which, first:last], G[:, places])
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
