"""The ridge path as a record: the eigenvectors of the poison, from which all else about it follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from backdoor_curves.paths.base import BetaPath, Certificate, Parameters, Response, Tangent, influence_through
from backdoor_curves.paths.interpolation.interpolants import Rational
from backdoor_curves.paths.linalg.metric import CHEAP, LITTLE, SEEN, Metric, size_of_terms
from backdoor_curves.paths.linalg.metric import ROUNDING as METRIC_ROUNDING
from backdoor_curves.paths.ridge.normal_equations import NormalEquations
from backdoor_curves.rows import Rows, as_numbers, n_rows, squared_lengths, take_rows

REFINEMENTS = 3
"""Corrections of a response: with more features than rows and a small alpha, A^-1 as a difference loses digits, and
each brings some of them back."""
ROUNDING = 64 * np.finfo(float).eps
"""Relative rounding that a score is allowed: of the inner product, the interpolation and the centring."""

AT_ONCE = 2**20
"""Features of rows that are solved for at a time, 8 MiB in each of some ten arrays; 1000 rows of images are less."""


@dataclass(frozen=True, eq=False)
class RidgePath(BetaPath):
    """The path u(beta) = u0 + V [beta R_j / (1 + beta l_j)]_j; `follow` has the equations."""

    method: ClassVar[str] = "ridge"
    exact: ClassVar[bool] = True

    centre: Float[np.ndarray, " d"]
    """What is subtracted from every row: the clean rows' weighted mean, or zero without a free intercept."""
    coef0: Float[np.ndarray, "d k"]
    intercept0: Float[np.ndarray, " k"]
    directions: Float[np.ndarray, "d q"]
    intercept_directions: Float[np.ndarray, " q"]
    poles: Float[np.ndarray, " q"]
    residuals: Float[np.ndarray, "q k"]
    interpolant: Rational
    system: NormalEquations

    def _centred_parameters(
        self, betas: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "d bk"], Float[np.ndarray, " bk"]]:
        """Return w and the intercept for centred rows, a column for each beta and class."""
        phi = betas / (1.0 + np.outer(self.poles, betas))
        steps = self._times_residuals(phi)
        W = np.tile(self.coef0, len(betas)) + self.directions @ steps
        return W, np.tile(self.intercept0, len(betas)) + self.intercept_directions @ steps

    def _times_residuals(self, phi: Float[np.ndarray, "q b"]) -> Float[np.ndarray, "q bk"]:
        products = phi[:, :, np.newaxis] * self.residuals[:, np.newaxis, :]
        return products.reshape(len(phi), phi.shape[1] * self.residuals.shape[1])

    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return coefficients and intercepts for the rows as they came, not centred."""
        W, b = self._centred_parameters(betas)
        shape = len(betas), len(self.intercept0)
        return Parameters(np.moveaxis(W.reshape(-1, *shape), 0, 1), (b - self.centre @ W).reshape(shape))

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "nodes n k"]:
        """Return the scores of the rows X at the nodes."""
        return self._scores(X, *self._centred_parameters(self.interpolant.nodes))

    def _scores(self, X: Rows, W: Float[np.ndarray, "d bk"], b: Float[np.ndarray, " bk"]) -> Float[np.ndarray, "b n k"]:
        """Return the scores of the rows X for centred parameters, a column for each beta and class."""
        k = len(self.intercept0)
        n_betas = W.shape[1] // k
        scores = np.empty((n_betas, n_rows(X), k))
        for start in range(0, n_rows(X), 256):
            block = as_numbers(X[start : start + 256])
            # Dense rows are centred first, which loses less than to subtract two large numbers.
            product = block @ W - self.centre @ W if sp.issparse(block) else (block - self.centre) @ W
            product += b
            scores[:, start : start + 256] = np.moveaxis(product.reshape(-1, n_betas, k), 1, 0)
        return scores

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives: V [R_j / (1 + beta l_j)^2]_j."""
        return Tangent(self._scores(X, *self._polished(betas)), self._scores(X, *self._rates(betas)))

    def _rates(self, betas: Float[np.ndarray, " b"]) -> tuple[Float[np.ndarray, "d bk"], Float[np.ndarray, " bk"]]:
        """Return the derivatives of the centred parameters."""
        phi = 1.0 / (1.0 + np.outer(self.poles, betas)) ** 2
        speeds = self._times_residuals(phi)
        return self.directions @ speeds, self.intercept_directions @ speeds

    @property
    def _refinements(self) -> int:
        """A Cholesky factor of A0 itself needs none."""
        return REFINEMENTS if self.system.clean.gram is None else 0

    def _polished(self, betas: Float[np.ndarray, " b"]) -> tuple[Float[np.ndarray, "d bk"], Float[np.ndarray, " bk"]]:
        """Return the parameters corrected by Newton's method: the residuals that they leave may be far smaller."""
        repeated = np.repeat(betas, len(self.intercept0))
        W, b = self._centred_parameters(betas)
        for _ in range(self._refinements):
            b = self.system.best_intercept(W, repeated)
            gradient, _ = self.system.gradient_and_objective(W, b, repeated)
            W = W - self._solve(gradient / 2.0, repeated)[0]
            b = self.system.best_intercept(W, repeated)
        return W, b

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows, the clean ones first.

        H is 2 A(beta), and q_i = 2 weight_i (f_i - y_i) for each class.
        """
        at = np.array([beta])
        W, b = self._polished(at)
        rates = self._rates(at)
        parts = self.system.clean, self.system.poison
        residuals = [part.root[:, np.newaxis] * (part.dot(W) + np.outer(part.root, b) - part.Y) for part in parts]
        pulls = 2.0 * np.vstack(residuals)

        def tangent(X: Rows) -> Tangent:
            return Tangent(self._scores(X, W, b)[0], self._scores(X, *rates)[0])

        return Response(beta, tangent, np.arange(len(pulls)), influence_through(self._coupling(beta), pulls))

    def _coupling(self, beta: float) -> Callable[[Rows], Float[np.ndarray, "x n"]]:
        """Return what makes z' (2 A)^-1 z_i of rows x, with z = (x - centre, 1) or without the 1."""
        clean, poison = self.system.clean, self.system.poison
        free = float(self.system.free)

        def coupling(X: Rows) -> Float[np.ndarray, "x n"]:
            n = n_rows(X)
            blocks = np.array_split(np.arange(n), (n * X.shape[1] - 1) // AT_ONCE + 1)
            parts = [of_few(as_numbers(take_rows(X, rows))) for rows in blocks]
            return parts[0] if len(parts) == 1 else np.vstack(parts)

        def of_few(X: Rows) -> Float[np.ndarray, "x n"]:
            rows = np.asarray(X.toarray() if sp.issparse(X) else X) - self.centre
            betas = np.full(len(rows), beta)
            V, v = self._solve(rows.T, betas, free)
            for _ in range(self._refinements):
                off, lacking = self._product(V, v, beta)
                dV, dv = self._solve(rows.T - off, betas, free - lacking)
                V, v = V + dV, v + dv
            columns = [part.dot(V) + np.outer(part.root, v) for part in (clean, poison)]
            roots = [part.root[:, np.newaxis] for part in (clean, poison)]
            # A row without weight pulls at nothing.
            G = [np.divide(c, r, out=np.zeros_like(c), where=r > 0.0) for c, r in zip(columns, roots, strict=True)]
            return np.vstack(G).T / 2.0

        return coupling

    def _product(
        self, V: Float[np.ndarray, "d k"], v: Float[np.ndarray, " k"], beta: float
    ) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        """Return A (V, v), for centred rows."""
        system, C, P = self.system, self.system.clean, self.system.poison
        on_poison = P.normal_dot(V) + np.outer(P.sums, v)
        on_intercept = C.weight * v + beta * (P.sums @ V + P.weight * v) if system.free else np.zeros_like(v)
        return C.normal_dot(V) + system.alpha * V + beta * on_poison, on_intercept

    def nodal_gram(self) -> Float[np.ndarray, "nodes nodes"]:
        """Return <w(beta_i), w(beta_j)> at the nodes, summed over the classes (the Frobenius product)."""
        W = self.parameters(self.interpolant.nodes).coef.reshape(len(self.interpolant.nodes), -1)
        return W @ W.T

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return how far the path is from the optimum.

        The objective is quadratic: with its gradient g at u and A = A0 + beta A1, u - u* is A^-1 g / 2 and the
        objective is g' A^-1 g / 4 above its minimum. So the bound on the scores is the largest |x' A^-1 g / 2| of the
        rows, doubled for the rounding of the solution, and the rounding of a score itself on top.
        """
        lengths = [np.sqrt(squared_lengths(X).max()) for X in rows]
        blocks = [self._bounds(block, rows, max(lengths)) for block in np.array_split(betas, len(betas) // 64 + 1)]
        return Certificate(betas, *(np.concatenate(parts) for parts in zip(*blocks, strict=True)))

    def _bounds(
        self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows], length: float
    ) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
        """Return the relative gap and the bound on the scores of rows that are at most so long."""
        k = len(self.intercept0)
        repeated = np.repeat(betas, k)
        W, b = self._centred_parameters(betas)
        best = self.system.best_intercept(W, repeated)
        gradient, objective = self.system.gradient_and_objective(W, best, repeated)
        dW, db = self._solve(gradient / 2.0, repeated)
        gap = (gradient * dW).sum(0) / 2.0 + self.system.weight(repeated) * (b - best) ** 2
        off = [np.abs(as_numbers(X) @ dW + (db + b - best - self.centre @ dW)).max(axis=0) for X in rows]
        seen = 2.0 * np.max(off, axis=0)
        terms = (length + np.linalg.norm(self.centre)) * np.linalg.norm(W, axis=0)
        # The product of lengths says nothing where columns have units of their own: there the terms are added up.
        large = np.flatnonzero(ROUNDING * terms > np.maximum(SEEN * seen, LITTLE))
        sizes = np.abs(W[:, large])
        terms[large] = size_of_terms(rows, sizes) + np.abs(self.centre) @ sizes
        bound = seen + ROUNDING * (terms + np.abs(b)) + self._hidden(rows, W, b, repeated)
        relative = np.maximum(gap, 0.0).reshape(-1, k).sum(1) / objective.reshape(-1, k).sum(1)
        return relative, bound.reshape(-1, k).max(1)

    def _hidden(
        self, rows: Sequence[Rows], W: Float[np.ndarray, "d bk"], b: Float[np.ndarray, " bk"], betas: np.ndarray
    ) -> Float[np.ndarray, " bk"]:
        """Return bounds on what scores are off by the rounding of the gradient, in the metric of A0, A being no less.

        Nearly equal features turn it into more than the gradient that is seen. Of rows for which the metric is not
        cheap nothing is said: the doubling in `certificate` is all that there is for it.
        """
        if self._metric is None:
            return np.zeros(len(b))
        sizes = self.system.alpha * np.abs(W)
        for part, weight in ((self.system.clean, 1.0), (self.system.poison, betas)):
            X = np.abs(part.transposed())
            terms = (
                X.T @ np.abs(W) + np.outer(part.root, np.abs(b)) + np.tile(np.abs(part.Y), len(b) // part.Y.shape[1])
            )
            sizes += weight * (X @ terms)
        longest = [self._metric.lengths(_dense(X) - self.centre).max() for X in rows]
        poison = 0.0
        if self.system.free and len(self.system.poison.root):
            poison = self._metric.lengths(self.system.poison.transposed().T).max()
        return METRIC_ROUNDING * (max(longest) + poison) * (self._metric.unit_lengths @ sizes)

    @cached_property
    def _metric(self) -> Metric | None:
        """The metric of A0 for the coefficients, where that is cheap; with more columns than rows none is needed.

        There A0 is never made, and no squares are lost in it.
        """
        clean = self.system.clean
        n, d = clean.shape
        if clean.gram is None or n * d**2 > CHEAP:
            return None
        return Metric(np.ascontiguousarray(clean.transposed().T), np.full(d, self.system.alpha))

    def _solve(
        self, C: Float[np.ndarray, "d k"], betas: Float[np.ndarray, " k"], c: Float[np.ndarray, " k"] | float = 0.0
    ) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        """Return A^-1 (C, c) at the beta of each column: (A0 + beta A1)^-1 = A0^-1 - V diag(beta / (1 + beta l)) V'."""
        inner = self.directions.T @ C + self.intercept_directions[:, np.newaxis] * c
        scaled = betas / (1.0 + np.outer(self.poles, betas)) * inner
        return self.system.solve(C) - self.directions @ scaled, (
            c / self.system.clean.weight - self.intercept_directions @ scaled
        )


def _dense(X: Rows) -> Float[np.ndarray, "x d"]:
    X = as_numbers(X)
    return np.asarray(X.toarray() if sp.issparse(X) else X)
