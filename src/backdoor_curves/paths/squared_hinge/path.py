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
from backdoor_curves.paths.linalg.coordinates import Features, GramFactor, coupling_through
from backdoor_curves.paths.squared_hinge.problem import InverseHessian, Problem, gradient, inverse_hessian
from backdoor_curves.paths.squared_hinge.series import DEGREE
from backdoor_curves.rows import Rows, as_numbers, squared_lengths

REFINEMENTS = 5
"""Newton steps by which a certificate comes to the optimum: one does it where no row changes its side, each more is for
such rows."""
TIED = 1e-9
"""A margin this close to 1 is on it, as the polynomials have it: the side that it moves to decides whether the row is
active."""
ROUNDING = 64 * np.finfo(float).eps
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
    space : Features or GramFactor
        The coordinates of the problem.
    nodal : array of shape (k, r)
        Parameters at the nodes in these coordinates, that of the intercept's column last.
    intercept : Intercept
        Penalised, or none.
    """

    method: ClassVar[str] = "squared hinge"
    exact: ClassVar[bool] = True

    interpolant: Panels
    problem: Problem
    kept: Bool[np.ndarray, " rows"]
    space: Features | GramFactor
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
        coupling = coupling_through(there.inverse, problem.Z[on], self.space, self.intercept.column)
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
        near = inverse_hessian(Z[on], 0.5 * middle[on], refined=alone)

        def each(B: Float[np.ndarray, "r b"]) -> Float[np.ndarray, "r b"]:
            return conjugate.solve(lambda P: P + Z.T @ (D * (Z @ P)), near, B)

        inverse = near if alone else each
        for _ in range(2):
            W = W - inverse(W - Z.T @ (D * (y - Z @ W)))
        return _Local(W, inverse(Z.T @ (du * (y - Z @ W))), active, inverse)

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n 1"]:
        """Return the scores of the rows X at the nodes."""
        return self._scores(self.nodal, X)[:, :, np.newaxis]

    def nodal_gram(self) -> sp.csr_array:
        """Return <w(beta_i), w(beta_j)> where it is needed: for nodes of one panel, and with the first node."""
        p, k = self.space.rows.shape[1], len(self.nodal)
        W = self.nodal[:, :p]
        first = DEGREE * np.arange(k // DEGREE)
        nodes = first[:, np.newaxis] + np.arange(DEGREE + 1)
        blocks = W[nodes] @ W[nodes].transpose(0, 2, 1)
        rows = [np.repeat(nodes, DEGREE + 1, axis=1).ravel(), np.zeros(k, dtype=int), np.arange(k)]
        columns = [np.tile(nodes, DEGREE + 1).ravel(), np.arange(k), np.zeros(k, dtype=int)]
        at_start = W @ W[0]
        # Neighbouring panels share a node, and its entry must count once.
        place, one = np.unique(np.concatenate(rows) * k + np.concatenate(columns), return_index=True)
        values = np.concatenate([blocks.ravel(), at_start, at_start])[one]
        return sp.csr_array((values, (place // k, place % k)), shape=(k, k))

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return how far the path is from the optimum, from a better solution at each beta.

        P is 1-strongly convex, so that w1 after some Newton steps is within |g| of the optimum w*, g its gradient. If
        no row can change its side on so short a way, P is a quadratic there and w* = w1 - H^-1 g; if one can, w* is
        that of one of two quadratics. Otherwise let H be without such rows; then |w1 - w*|^2 <= g'H^-1 g.
        """
        W = np.asarray(self.interpolant.weights(betas) @ self.nodal)
        found = [_near_optimum(self.problem, w, float(beta)) for w, beta in zip(W, betas, strict=True)]
        better, rest, distance, terms = (np.array(part) for part in zip(*found, strict=True))
        longest = self._longest(rows)
        bound = np.zeros(len(betas))
        for X in rows:
            off = np.abs(self._scores(W - better, X)) + 2.0 * np.abs(self._scores(rest, X))
            bound = np.maximum(bound, off.max(axis=1, initial=0.0))
        bound += longest * (distance + ROUNDING * np.linalg.norm(W, axis=1) + CANCELLATION * terms)
        away = np.linalg.norm(rest, axis=1) + distance
        gap = [self._gap(*each) for each in zip(W, better, away, betas, strict=True)]
        return Certificate(betas, np.array(gap), bound)

    def _gap(self, w: Float[np.ndarray, " r"], w1: Float[np.ndarray, " r"], away: float, beta: float) -> float:
        """Return a bound on (P(w) - P*) / P* with w* within `away` of w1: P(w) - P* <= g(w)'(w - w*), P convex."""
        problem, u = self.problem, self.problem.u(beta)
        on = problem.y * (problem.Z @ w) < 1.0
        g = gradient(problem.Z[on], problem.y[on], u[on], w)
        slack = np.maximum(0.0, 1.0 - problem.y * (problem.Z @ w1))
        value = float(w1 @ w1) / 2.0 + float(u @ slack**2)
        return (abs(float(g @ (w - w1))) + float(np.linalg.norm(g)) * away) / max(value, np.finfo(float).tiny)

    def _longest(self, rows: Sequence[Rows]) -> float:
        """Return the largest length of a row (x, s)."""
        longest = max((float(squared_lengths(X).max(initial=0.0)) for X in rows), default=0.0)
        return float(np.sqrt(longest + self.intercept.shift))

    def _split(self, W: Float[np.ndarray, "k r"]) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, " k"]]:
        p = self.space.rows.shape[1]
        intercept = self.intercept.scaling * W[:, p] if self.intercept.is_unknown else np.zeros(len(W))
        return self.space.coef(np.ascontiguousarray(W[:, :p].T)).T, intercept

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


def _near_optimum(
    problem: Problem, w: Float[np.ndarray, " r"], beta: float
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"], float, float]:
    """Return w1 near the optimum w*, what is left, and the size of the terms that add up to w*.

    What is left is a vector, w* = w1 - rest, where rows keep their sides on the way; else |w* - w1| <= distance.
    """
    kept = problem.u(beta) > 0.0
    Z, y, u = problem.Z[kept], problem.y[kept], problem.u(beta)[kept]
    inverse, before, best, least = None, None, w, np.inf
    for _ in range(REFINEMENTS):
        active = y * (Z @ w) < 1.0
        g = gradient(Z[active], y[active], u[active], w)
        # A row on its margin may go to and fro; then the steps do not end, and one is the best.
        if (length := float(np.linalg.norm(g))) < least:
            best, least = w, length
        if inverse is None or (active != before).any():
            inverse, before = inverse_hessian(Z[active], u[active]), active
        w = w - inverse(g)
    w = best
    slack = 1.0 - y * (Z @ w)
    active = slack > 0.0
    lengths = np.sqrt(np.einsum("nr,nr->n", Z, Z))
    terms = float((2.0 * u * lengths) @ np.maximum(slack, 0.0))
    g = gradient(Z[active], y[active], u[active], w)
    unsure = np.abs(slack) <= lengths * np.linalg.norm(g)
    sure, nothing = active & ~unsure, np.zeros_like(w)

    def step(on: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " r"]:
        return inverse_hessian(Z[on], u[on])(gradient(Z[on], y[on], u[on], w))

    if not unsure.any():
        return w, step(sure), 0.0, terms
    if unsure.sum() == 1:  # the optimum is that of one of two quadratics
        return w, nothing, max(float(np.linalg.norm(step(on))) for on in (sure, sure | unsure)), terms
    return w, nothing, float(np.sqrt(max(float(g @ inverse_hessian(Z[sure], u[sure])(g)), 0.0))), terms
