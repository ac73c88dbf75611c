"""The path of a squared hinge SVM as a record: its optimum at nodes, what follows from it, and how far it is off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float

from backdoor_curves.paths.base import (
    BetaPath,
    Certificate,
    Parameters,
    Response,
    Tangent,
    influence_through,
)
from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.interpolation.chebyshev import Panels, neighbours
from backdoor_curves.paths.linalg import conjugate_gradients as conjugate
from backdoor_curves.paths.linalg.coordinates import Space, coupling_through
from backdoor_curves.paths.linalg.metric import ROUNDING, size_of_terms, worth_proving
from backdoor_curves.paths.linalg.rows_in_place import RowsInPlace, lifted
from backdoor_curves.paths.product_scores import ProductScores, nodal_scores
from backdoor_curves.paths.squared_hinge.optimality import in_the_metric, nearer
from backdoor_curves.paths.squared_hinge.problem import InverseHessian, Problem, gradient, inverse_hessian
from backdoor_curves.rows import Rows, as_numbers, squared_lengths

TIED = 1e-9
"""A margin this close to 1 is on it, as the polynomials have it: the side that it moves to decides whether the row is
active."""
LOST = 64 * np.finfo(float).eps
"""Relative rounding that a score is allowed: of its inner product and of the change of coordinates."""
CANCELLATION = np.finfo(float).eps
"""Relative rounding of the sum that w is: terms of rows with other labels in the same place cancel."""


@dataclass(frozen=True, eq=False)
class SquaredHingePath(BetaPath):
    """The path of a linear SVM with squared hinge loss by its nodes.

    Parameters
    ----------
    interpolant : Panels
    problem : Problem
    kept : bool array of shape (rows given,)
        Which rows are in the problem: those of any weight.
    space : Space
        The coordinates of the problem.
    nodal : array of shape (k, r)
        Parameters at the nodes in these coordinates, that of the intercept's column last.
    intercept : Intercept
        Penalised, or none.
    """

    method: ClassVar[str] = "squared hinge"
    exact: ClassVar[bool] = True
    keeps_products: ClassVar[bool] = True  # type: ignore[misc]

    interpolant: Panels
    problem: Problem
    kept: Bool[np.ndarray, " rows"]
    space: Space
    nodal: Float[np.ndarray, "k r"]
    intercept: Intercept

    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return coefficients and intercepts."""
        coef, intercept = self._split(self.interpolant.weights(betas) @ self.nodal)
        return Parameters(coef[..., np.newaxis], intercept[:, np.newaxis])

    def scores(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n"]:
        """Return the scores of the rows X, through the parameters: betas are fewer than nodes."""
        return self._scores(self.interpolant.weights(betas) @ self.nodal, X)

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives from the right, at beta = 1 from the left.

        With the active rows known, the conditions of the optimum are linear: H w = 2 Z'(u y), H w' = 2 Z'(du (y - f)).
        """
        W, rates = (np.empty((len(betas), self.nodal.shape[1])) for _ in range(2))
        for group in neighbours(np.log1p(betas / self.interpolant.scale)):
            there = self._local(betas[group])
            W[group], rates[group] = there.W.T, there.rates.T
        return Tangent(self._scores(W, X)[..., np.newaxis], self._scores(rates, X)[..., np.newaxis])

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows."""
        problem, there = self.problem, self._local(np.array([beta]))
        left, on = problem.y - problem.Z @ there.W[:, 0], there.active[:, 0]
        pulls = -2.0 * (problem.u0 + problem.du)[on] * left[on]
        coupling = coupling_through(there.inverse, problem.Z[np.flatnonzero(on)], self._rows)
        ties = int((np.abs(left) <= TIED).sum())

        def tangent(X: Rows) -> Tangent:
            return Tangent(self._scores(there.W.T, X).T, self._scores(there.rates.T, X).T)

        influence = influence_through(coupling, pulls[:, np.newaxis])
        return Response(beta, tangent, np.flatnonzero(self.kept)[on], influence, ties)

    def _local(self, betas: Float[np.ndarray, " b"]) -> _Local:
        """Return the optima at betas near each other, from the nodes and the conditions of the optimum."""
        problem, Z, y = self.problem, self.problem.Z, self.problem.y[:, np.newaxis]
        W, rates = (
            np.asarray((p @ self.nodal).T)
            for p in (self.interpolant.weights(betas), self.interpolant.derivative(betas))
        )
        margin, falling = y * (Z @ W), y * (Z @ rates) * np.where(betas < 1.0, 1.0, -1.0) < 0.0
        active = np.where(np.abs(margin - 1.0) <= TIED, falling, margin < 1.0)
        u = problem.u0[:, np.newaxis] + np.outer(problem.du, betas)
        D, du = 2.0 * u * active, 2.0 * problem.du[:, np.newaxis] * active
        # The rows of one of them make the preconditioner of all; alone it is the inverse itself, but for rounding.
        middle = D[:, len(betas) // 2]
        alone, on = len(betas) == 1, middle > 0.0
        near = inverse_hessian(Z, np.flatnonzero(on), 0.5 * middle[on], refined=alone)

        def each(B: Float[np.ndarray, "r b"]) -> Float[np.ndarray, "r b"]:
            return conjugate.solve(lambda P: P + lifted(Z, D * (Z @ P)), near, B)

        inverse = near if alone else each
        for _ in range(2):
            W = W - inverse(W - lifted(Z, D * (y - Z @ W)))
        return _Local(W, inverse(lifted(Z, du * (y - Z @ W))), active, inverse)

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n 1"] | ProductScores:
        """Return the scores of the rows X at the nodes."""
        return nodal_scores(np.column_stack(self._split(self.nodal)), RowsInPlace(as_numbers(X), None, (1.0,)))

    def nodal_gram(self) -> sp.csr_array:
        """Return <w(beta_i), w(beta_j)> where it is needed: for nodes of one panel, and with the first node."""
        p, k, degree = self.space.rows.shape[1], len(self.nodal), self.interpolant.degree
        W = self.nodal[:, :p]
        first = degree * np.arange(k // degree)
        nodes = first[:, np.newaxis] + np.arange(degree + 1)
        blocks = W[nodes] @ W[nodes].transpose(0, 2, 1)
        rows = [np.repeat(nodes, degree + 1, axis=1).ravel(), np.zeros(k, dtype=int), np.arange(k)]
        columns = [np.tile(nodes, degree + 1).ravel(), np.arange(k), np.zeros(k, dtype=int)]
        at_start = W @ W[0]
        # Neighbouring panels share a node, and its entry must count once.
        place, one = np.unique(np.concatenate(rows) * k + np.concatenate(columns), return_index=True)
        values = np.concatenate([blocks.ravel(), at_start, at_start])[one]
        return sp.csr_array((values, (place // k, place % k)), shape=(k, k))

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return how far the path is from the optimum, from a better solution at each beta, see `optimality`.

        Where what is seen of the error is not nearly the bound, it is proven once more, in the metric of the Hessian.
        """
        W = np.asarray(self.interpolant.weights(betas) @ self.nodal)
        found = [nearer(self.problem, w, float(beta)) for w, beta in zip(W, betas, strict=True)]
        better, rest = np.array([near.w for near in found]), np.array([near.rest for near in found])
        seen = np.zeros(len(betas))
        for X in rows:
            off = np.abs(self._scores(W - better, X)) + 2.0 * np.abs(self._scores(rest, X))
            seen = np.maximum(seen, off.max(axis=1, initial=0.0))
        distance = np.array([near.distance for near in found])
        terms = np.array([near.terms for near in found])
        unseen = self._longest(rows) * (distance + LOST * np.linalg.norm(W, axis=1) + CANCELLATION * terms)
        bound, away = seen + unseen, np.linalg.norm(rest, axis=1) + distance
        gap = np.array([self._gap(*each) for each in zip(W, better, away, betas, strict=True)])
        for k in worth_proving(unseen, seen, self.problem.Z.shape):
            in_metric, sharper = self._sharper(W[k], better[k], float(betas[k]), rows)
            gap[k], bound[k] = min(gap[k], in_metric), min(bound[k], sharper)
        return Certificate(betas, gap, bound)

    def _sharper(
        self, w: Float[np.ndarray, " r"], near: Float[np.ndarray, " r"], beta: float, rows: Sequence[Rows]
    ) -> tuple[float, float]:
        """Return bounds on (P(w) - P*) / P* and on the scores at one beta, in the metric of the Hessian."""
        places = [np.empty((0, len(w))), *map(self._rows, rows)]
        proof = in_the_metric(self.problem, self.space, near, beta, np.vstack(places))
        seen = [np.abs(self._scores((w - proof.w)[np.newaxis], X)).max(initial=0.0) for X in rows]
        lost = ROUNDING * float(size_of_terms(rows, np.abs(self._split(w[np.newaxis])[0].T))[0])
        bound = max([*seen, 0.0]) + float(proof.scores.max(initial=0.0)) + lost
        value, best = self.problem.value(w, beta), self.problem.value(proof.w, beta)
        gap = max(value - best, 0.0) + proof.length**2 / 2.0 + np.sqrt(len(self.problem.y)) * ROUNDING * value
        return gap / max(best, np.finfo(float).tiny), bound

    def _gap(self, w: Float[np.ndarray, " r"], w1: Float[np.ndarray, " r"], away: float, beta: float) -> float:
        """Return a bound on (P(w) - P*) / P* with w* within `away` of w1: P(w) - P* <= g(w)'(w - w*), P convex."""
        problem, u = self.problem, self.problem.u(beta)
        g = gradient(problem.Z, problem.y, np.where(problem.y * (problem.Z @ w) < 1.0, u, 0.0), w)
        value = max(problem.value(w1, beta), np.finfo(float).tiny)
        return (abs(float(g @ (w - w1))) + float(np.linalg.norm(g)) * away) / value

    def _longest(self, rows: Sequence[Rows]) -> float:
        """Return the largest length of a row (x, s)."""
        longest = max((float(squared_lengths(X).max(initial=0.0)) for X in rows), default=0.0)
        return float(np.sqrt(longest + self.intercept.shift))

    def _split(self, W: Float[np.ndarray, "k r"]) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, " k"]]:
        p = self.space.rows.shape[1]
        intercept = self.intercept.scaling * W[:, p] if self.intercept.is_unknown else np.zeros(len(W))
        return self.space.coef(np.ascontiguousarray(W[:, :p].T)).T, intercept

    def _rows(self, X: Rows) -> Float[np.ndarray, "x r"]:
        """Return rows in the coordinates of the problem."""
        return self.intercept.with_column(self.space.of(X))

    def _scores(self, W: Float[np.ndarray, "k r"], X: Rows) -> Float[np.ndarray, "k n"]:
        coef, intercept = self._split(W)
        return np.asarray(as_numbers(X) @ coef.T).T + intercept[:, np.newaxis]


@dataclass(frozen=True, eq=False)
class _Local:
    """Optima at betas near each other: w and dw/dbeta, a column each, the rows that are active on the side looked at,
    and the product with the inverse Hessian, column by column."""

    W: Float[np.ndarray, "r b"]
    rates: Float[np.ndarray, "r b"]
    active: Bool[np.ndarray, "n b"]
    inverse: InverseHessian
