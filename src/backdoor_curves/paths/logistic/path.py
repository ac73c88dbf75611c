"""The path of logistic regression as a record: its optimum at nodes, what follows from it, and how far it is off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from backdoor_curves.paths.base import BetaPath, Certificate, Parameters, Response, Tangent, influence_through
from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.interpolation.chebyshev import Panels, neighbours
from backdoor_curves.paths.linalg import conjugate_gradients as conjugate
from backdoor_curves.paths.linalg.coordinates import Space, coupling_through
from backdoor_curves.paths.linalg.metric import ROUNDING, size_of_terms, worth_proving
from backdoor_curves.paths.linalg.units import Units
from backdoor_curves.paths.logistic.local_proof import Sharper
from backdoor_curves.paths.logistic.optimality import Optimality
from backdoor_curves.paths.logistic.problem import Problem
from backdoor_curves.rows import Rows, as_numbers, squared_lengths

SMALLEST = 1e-100
"""Against division by zero."""
EPS = np.finfo(float).eps
POLISHING = 2
"""Newton steps from the path to the optimum: the first squares an error of 1e-6, the second is for coarser paths."""


@dataclass(frozen=True, eq=False)
class LogisticPath(BetaPath):
    """The path of logistic regression by its nodes.

    Parameters
    ----------
    interpolant : Panels
    problem : Problem
    space : Space
        The coordinates of the problem,
    units : Units
        and in what units they are.
    nodal : array of shape (p, k)
        w at the nodes, in these coordinates.
    intercept : Intercept
    """

    method: ClassVar[str] = "logistic"
    exact: ClassVar[bool] = True

    interpolant: Panels
    problem: Problem
    space: Space
    units: Units
    nodal: Float[np.ndarray, "p k"]
    intercept: Intercept

    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return coefficients and intercepts."""
        coef, intercept = self._split(self._at(betas))
        return Parameters(coef.T[..., np.newaxis], intercept[:, np.newaxis])

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n 1"]:
        """Return the scores of the rows X at the nodes."""
        return self._scores(self.nodal, X).T[:, :, np.newaxis]

    def nodal_gram(self) -> Float[np.ndarray, "k k"]:
        """Return the inner products of the coefficients at the nodes."""
        p = self.space.rows.shape[1]
        W = self.units.coef(self.nodal[:p])
        return W.T @ W

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives: Newton's method from the nodes, to rounding.

        The optimality condition R w = Z'(y u s), s = sigma(-y f), in beta: (R + Z'D Z) w' = Z'(y du s).
        """
        W, rates = np.empty((2, len(self.nodal), len(betas)))
        for group in neighbours(np.log1p(betas / self.interpolant.scale)):
            at = betas[group]
            found = self._start if not at.any() else optimum_and_rate(self.problem, self._at(at), at)
            W[:, group], rates[:, group] = found
        return Tangent(self._scores(W, X).T[..., np.newaxis], self._scores(rates, X).T[..., np.newaxis])

    @cached_property
    def _start(self) -> tuple[Float[np.ndarray, "p 1"], Float[np.ndarray, "p 1"]]:
        """The optimum at beta = 0 and its derivative: those that most are asked for."""
        zero = np.zeros(1)
        return optimum_and_rate(self.problem, self._at(zero), zero)

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows."""
        problem, betas = self.problem, np.array([beta])
        W, rates = optimum_and_rate(problem, self._at(betas), betas)
        F = problem.Z @ W
        D = problem.curvatures(F, betas)
        factor = cho_factor((problem.Z.T * D[:, 0]) @ problem.Z + np.diag(problem.R), lower=True, check_finite=False)

        def inverse(B: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
            V = cho_solve(factor, B, check_finite=False)
            return V + cho_solve(factor, B - problem.hessian_product(D, V), check_finite=False)

        def tangent(X: Rows) -> Tangent:
            return Tangent(self._scores(W, X), self._scores(rates, X))

        pulls = -(problem.u0 + problem.du) * problem.y * expit(-problem.y * F[:, 0])
        coupling = coupling_through(inverse, problem.Z, self._rows)
        influence = influence_through(coupling, pulls[:, np.newaxis])
        return Response(beta, tangent, np.arange(len(problem.y)), influence)

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return bounds from the gradient at a better solution w1, see `optimality`.

        |f - f*| <= |f - f1| + |x| |w1 - w*| is nearly the error itself where w1 is near. Where it is not nearly that,
        it is proven once more, in the metric of the Hessian.
        """
        tau = np.log1p(betas / self.interpolant.scale)
        gap, bound = np.empty(len(betas)), np.empty(len(betas))
        for group in neighbours(tau):
            gap[group], bound[group] = self._bounds(betas[group], rows)
        return Certificate(betas, gap, bound)

    def _bounds(
        self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]
    ) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
        """Return the bounds of the objective and of the scores, at betas near each other."""
        W = self._at(betas)
        near = self._optimality.nearer(W, betas)
        off = np.max([self._off(W - near.W, X) for X in rows] or [np.zeros(len(betas))], axis=0)
        unseen = self._score_per_length(rows) * (near.length + ROUNDING * np.linalg.norm(W, axis=0))
        if self.intercept.is_free:
            unseen += EPS * near.total / np.maximum(near.curvature, SMALLEST)
        bound, best, length = off + unseen, near.W.copy(), near.length.copy()
        for k in worth_proving(unseen, off, self.problem.Z.shape):
            proof, sharper = self._sharper(W[:, [k]], near.W[:, k], float(betas[k]), rows)
            if sharper < bound[k]:
                bound[k], length[k], best[:, k] = sharper, proof.length, proof.w
        value, better = (self.problem.value(V, self.problem.Z @ V, betas) for V in (W, best))
        gap = np.maximum(value - better, 0.0) + length**2 / 2.0 + near.total * near.rounding
        return gap / np.maximum(value, SMALLEST) + np.sqrt(len(self.problem.y)) * ROUNDING, bound

    def _sharper(
        self, W: Float[np.ndarray, "p 1"], near: Float[np.ndarray, " p"], beta: float, rows: Sequence[Rows]
    ) -> tuple[Sharper, float]:
        """Return what the metric of the Hessian proves at one beta, and with it the bound of the scores."""
        places = [self.problem.Z[:0], *map(self._rows, rows)]
        proof = self._optimality.in_the_metric(near, beta, np.vstack(places))
        off = [self._off(W - proof.w[:, np.newaxis], X)[0] for X in rows]
        lost = ROUNDING * float(size_of_terms(rows, np.abs(self._split(W)[0]))[0])
        return proof, max([*off, 0.0]) + float(proof.scores.max(initial=0.0)) + lost

    def _off(self, W: Float[np.ndarray, "p b"], X: Rows) -> Float[np.ndarray, " b"]:
        """Return the largest score of rows for parameters that are a difference."""
        return np.abs(self._scores(W, X)).max(axis=0, initial=0.0)

    @cached_property
    def _optimality(self) -> Optimality:
        return Optimality(self.problem, self.intercept, self.space)

    def _score_per_length(self, rows: Sequence[Rows]) -> float:
        """Return how much a score can differ where w differs by 1: |x|, with a free intercept |x - x_i|."""
        longest = max((float(np.sqrt(squared_lengths(X).max(initial=0.0))) for X in rows), default=0.0)
        if self.intercept.is_free:
            return longest + float(np.sqrt(squared_lengths(self.space.rows).max(initial=0.0) + 1.0))
        return float(np.hypot(longest, np.sqrt(self.intercept.shift)))

    def _at(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "p b"]:
        return np.asarray((self.interpolant.weights(betas) @ self.nodal.T).T)

    def _split(self, W: Float[np.ndarray, "p k"]) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        p = self.space.rows.shape[1]
        intercept = W[p] * self.intercept.scaling if self.intercept.is_unknown else np.zeros(W.shape[1])
        coef = self.units.coef(W[:p])
        return self.space.coef(coef), intercept - self.units.centre @ coef

    def _rows(self, X: Rows) -> Float[np.ndarray, "x p"]:
        """Return rows in the coordinates of the problem."""
        return self.intercept.with_column(self.units.of(self.space.of(X)))

    def _scores(self, W: Float[np.ndarray, "p k"], X: Rows) -> Float[np.ndarray, "n k"]:
        coef, intercept = self._split(W)
        return np.asarray(as_numbers(X) @ coef) + intercept


def optimum_and_rate(
    problem: Problem, W: Float[np.ndarray, "p b"], betas: Float[np.ndarray, " b"]
) -> tuple[Float[np.ndarray, "p b"], Float[np.ndarray, "p b"]]:
    """Return the optima at betas near each other, found from W nearby, and their derivatives.

    Newton's method; all systems are solved by conjugate gradients with one factor as preconditioner.
    """
    y, du = problem.y[:, np.newaxis], problem.du[:, np.newaxis]
    g, D = problem.gradient(W, problem.Z @ W, betas)
    factor = problem.hessian(D[:, len(betas) // 2])

    def solve(D: Float[np.ndarray, "n b"], B: Float[np.ndarray, "p b"]) -> Float[np.ndarray, "p b"]:
        return conjugate.solve(lambda P: problem.hessian_product(D, P), factor.solve, B)

    for _ in range(POLISHING):
        W = W - solve(D, g)
        g, D = problem.gradient(W, problem.Z @ W, betas)
    return W, solve(D, problem.Z.T @ (y * du * expit(-y * (problem.Z @ W))))
