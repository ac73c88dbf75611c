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
from backdoor_curves.paths.linalg.coordinates import Features, GramFactor, coupling_through
from backdoor_curves.paths.logistic.problem import Factor, Problem
from backdoor_curves.rows import Rows, as_numbers, squared_lengths

REFINEMENTS = 5
"""Corrections by which a certificate comes near the optimum: it keeps the nearest, and stops where they no longer
shrink."""
ROOM = 1.2
"""For the rounding errors of a factor in single precision, and for the way to the optimum, on which curvatures change
by exp(0.1) = 1.11 (see NEAR_BY)."""
SMALLEST = 1e-100
"""A smaller share of a Hessian is none."""
NEAR_BY = 0.1
"""How far scores may move for that."""
EPS = np.finfo(float).eps
ROUNDING = 4 * EPS
"""Of an inner product, as a share of the lengths."""
CENTRED = 1e-9
"""A step of Newton's method in one dimension after which there is no other: it squares what is left."""
MOST_STEPS = 50
"""Of Newton's method in one dimension: of steps up to 1 as many as take any intercept of scores that count to its
place."""
POLISHING = 2
"""Newton steps from the path to the optimum: the first squares an error of 1e-6, the second is for coarser paths."""


@dataclass(frozen=True, eq=False)
class LogisticPath(BetaPath):
    """The path of logistic regression by its nodes.

    Parameters
    ----------
    interpolant : Panels
    problem : Problem
    space : Features or GramFactor
        The coordinates of the problem.
    nodal : array of shape (p, k)
        w at the nodes, in these coordinates.
    intercept : Intercept
    """

    method: ClassVar[str] = "logistic"
    exact: ClassVar[bool] = True

    interpolant: Panels
    problem: Problem
    space: Features | GramFactor
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
        return self.nodal[:p].T @ self.nodal[:p]

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
        D = problem.gradient(W, F, betas)[1]
        factor = cho_factor((problem.Z.T * D[:, 0]) @ problem.Z + np.diag(problem.R), lower=True, check_finite=False)

        def inverse(B: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
            V = cho_solve(factor, B, check_finite=False)
            return V + cho_solve(factor, B - problem.hessian_product(D, V), check_finite=False)

        def tangent(X: Rows) -> Tangent:
            return Tangent(self._scores(W, X), self._scores(rates, X))

        pulls = -(problem.u0 + problem.du) * problem.y * expit(-problem.y * F[:, 0])
        coupling = coupling_through(inverse, problem.Z, self.space, self.intercept.column)
        influence = influence_through(coupling, pulls[:, np.newaxis])
        return Response(beta, tangent, np.arange(len(problem.y)), influence)

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return bounds from the gradient at a better solution.

        P is 1-strongly convex in w, a free intercept minimised out, so |w1 - w*| <= |dP/dw (w1)| for any w1. A few
        corrections make w1; then |f - f*| <= |f - f1| + |x| |dP/dw (w1)| is nearly the error itself.
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
        W1, length = self._refined(W, betas)
        off = [np.abs(self._scores(W - W1, X)).max(axis=0, initial=0.0) for X in rows]
        rounding, total, curvature = self._score_rounding(W1, betas)
        # What moves the scores by d moves the gradient by Z'D d, in the norm of the inverse Hessian |D^1/2 d| at most.
        length += np.sqrt(curvature) * rounding + EPS * self._longest * total
        bound = np.max([*off, np.zeros(len(betas))], axis=0)
        bound += self._score_per_length(rows) * (length + ROUNDING * np.linalg.norm(W, axis=0))
        if self.intercept.is_free:
            bound += EPS * total / np.maximum(curvature, SMALLEST)
        value, better = (self.problem.value(V, self.problem.Z @ V, betas) for V in (W, W1))
        gap = np.maximum(value - better, 0.0) + length**2 / 2.0 + total * rounding
        return gap / np.maximum(value, SMALLEST) + np.sqrt(len(self.problem.y)) * ROUNDING, bound

    def _score_rounding(
        self, W: Float[np.ndarray, "p b"], betas: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
        """Return what rounding and the coordinates leave unknown of a score, and the sums of duals and curvatures."""
        F = self.problem.Z @ W
        total = self.problem.duals(F, betas).sum(axis=0)
        _, curvature = self.problem.slope_of_shift(F, betas)
        return ROUNDING * self._longest * np.linalg.norm(W, axis=0) + self.space.error * total, total, curvature

    def _refined(
        self, W: Float[np.ndarray, "p b"], betas: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "p b"], Float[np.ndarray, " b"]]:
        """Return a w nearer to the optimum, and a bound on its distance."""
        best = W = self._centred(W, betas)
        g, D = self.problem.gradient(W, self.problem.Z @ W, betas)
        middle = D[:, len(betas) // 2]
        factor = self.problem.hessian(middle)
        length = shortest = self._distance(g, D, middle, factor)
        for _ in range(REFINEMENTS):
            W = self._centred(W - factor.solve(g), betas)
            g, D = self.problem.gradient(W, self.problem.Z @ W, betas)
            length, before = self._distance(g, D, middle, factor), shortest
            best, shortest = np.where(length < shortest, W, best), np.minimum(length, shortest)
            if (length > 0.5 * before).all():
                break
        return best, shortest

    def _distance(
        self, g: Float[np.ndarray, "p b"], D: Float[np.ndarray, "n b"], D0: Float[np.ndarray, " n"], factor: Factor
    ) -> Float[np.ndarray, " b"]:
        """Return a bound on |w - w*|, in the norm of the Hessian, which is no less.

        It is |g| where the Hessian is only known to be at least R, and |L^-1 g| / sqrt(share) where it is at least
        `share` times that with the curvatures D0, whose factor is L.
        """
        if self.intercept.is_free:
            g = np.vstack([g[:-1], np.zeros(g.shape[1])])
        plain = np.linalg.norm(g, axis=0)
        share = np.divide(D, D0[:, np.newaxis], out=np.ones_like(D), where=D0[:, np.newaxis] > D).min(axis=0)
        inner = np.maximum(np.einsum("pb,pb->b", g, factor.solve(g)), 0.0)
        sharper = ROOM * np.sqrt(np.divide(inner, share, out=np.full_like(inner, np.inf), where=share > SMALLEST))
        # On the way to the optimum the curvatures change by the factor exp(|f - f*|) at most.
        sharper[~(sharper < NEAR_BY / max(self._longest, SMALLEST))] = np.inf
        return np.minimum(plain, sharper)

    def _centred(self, W: Float[np.ndarray, "p b"], betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "p b"]:
        """Return W with the free intercept that is best for it: Newton's method in one dimension."""
        if not self.intercept.is_free:
            return W
        W, F = W.copy(), self.problem.Z @ W
        for _ in range(MOST_STEPS):
            g, D = self.problem.slope_of_shift(F, betas)
            shift = np.clip(-g / np.maximum(D, np.finfo(float).tiny), -1.0, 1.0)
            W[-1] += shift
            F += shift
            if np.abs(shift).max() <= CENTRED:
                break
        return W

    def _score_per_length(self, rows: Sequence[Rows]) -> float:
        """Return how much a score can differ where w differs by 1: |x|, with a free intercept |x - x_i|."""
        longest = max((float(np.sqrt(squared_lengths(X).max(initial=0.0))) for X in rows), default=0.0)
        if self.intercept.is_free:
            return longest + self._longest
        return float(np.hypot(longest, np.sqrt(self.intercept.shift)))

    @cached_property
    def _longest(self) -> float:
        """The length of the longest training row, the intercept's column included."""
        return float(np.sqrt(self.problem.squares.max()))

    def _at(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "p b"]:
        return np.asarray((self.interpolant.weights(betas) @ self.nodal.T).T)

    def _split(self, W: Float[np.ndarray, "p k"]) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        p = self.space.rows.shape[1]
        intercept = W[p] * self.intercept.scaling if self.intercept.is_unknown else np.zeros(W.shape[1])
        return self.space.coef(W[:p]), intercept

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
