"""How far parameters of logistic regression are from the optimum, by the gradient that they leave.

Two proofs. P is strongly convex by its penalty alone, which costs next to nothing to use, and is a good bound for rows
of moderate length. In the metric of the Hessian (`linalg.metric`) the bound does not depend on the units of the
columns, and a row is as long there as the training rows leave it uncertain; that costs a factor for each beta.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.linalg.coordinates import Space
from backdoor_curves.paths.linalg.metric import ROUNDING, Lengths, Metric, MetricOfGram
from backdoor_curves.paths.logistic.local_proof import NEAR_BY, ROOM, SMALLEST, Local, Sharper, sharper
from backdoor_curves.paths.logistic.problem import Factor, Problem

REFINEMENTS = 5
"""Corrections by which a certificate comes near the optimum: it keeps the nearest, and stops where they no longer
shrink."""
EPS = np.finfo(float).eps
CENTRED = 1e-9
"""A step of Newton's method in one dimension after which there is no other: it squares what is left."""
MOST_STEPS = 50
"""Of Newton's method in one dimension: of steps up to 1 as many as take any intercept of scores that count to its
place."""
MANY = 1600
"""Rows beyond which their products with each other are more than is worth to make for a proof."""


@dataclass(frozen=True, eq=False)
class Nearer:
    """Parameters nearer to the optimum at some betas, and what is known of them there.

    Parameters
    ----------
    W : array of shape (p, b)
    length : array of shape (b,)
        Bound on their distance from the optimum in the norm of the penalty, which that of the Hessian exceeds; what is
        lost in rounding included.
    rounding : array of shape (b,)
        What rounding and the coordinates leave unknown of a score of a training row.
    total, curvature : arrays of shape (b,)
        Sums of the duals, and of the curvatures of the rows.
    """

    W: Float[np.ndarray, "p b"]
    length: Float[np.ndarray, " b"]
    rounding: Float[np.ndarray, " b"]
    total: Float[np.ndarray, " b"]
    curvature: Float[np.ndarray, " b"]


@dataclass(frozen=True, eq=False)
class Optimality:
    """The conditions of the optimum of a problem.

    Parameters
    ----------
    problem : Problem
    intercept : Intercept
    space : Space
        The problem's coordinates: what an inner product of two rows may be off in them, and how far a row may be from
        what they say, in the norm of R^-1.
    """

    problem: Problem
    intercept: Intercept
    space: Space

    @cached_property
    def longest(self) -> float:
        """The length of the longest training row in the problem's coordinates, the intercept's column included."""
        return float(np.sqrt(self.problem.squares.max()))

    @cached_property
    def farthest(self) -> float:
        """The length of the longest training row in the norm of R^-1, that of the rows before they had other units."""
        if self.intercept.is_free:
            Z, R = self.problem.Z[:, :-1], self.problem.R[:-1]
            return float(np.sqrt((np.square(Z) @ (1.0 / R) + 1.0).max(initial=1.0)))
        return float(np.sqrt((np.square(self.problem.Z) @ (1.0 / self.problem.R)).max(initial=0.0)))

    def nearer(self, W: Float[np.ndarray, "p b"], betas: Float[np.ndarray, " b"]) -> Nearer:
        """Return parameters nearer to the optima at betas near each other.

        P is 1-strongly convex in the norm of R, a free intercept minimised out, so |w1 - w*| <= |dP/dw (w1)|.
        """
        W1, length = self._refined(W, betas)
        F = self.problem.Z @ W1
        total = self.problem.duals(F, betas).sum(axis=0)
        _, curvature = self.problem.slope_of_shift(F, betas)
        rounding = ROUNDING * self.longest * np.linalg.norm(W1, axis=0) + self.space.error * total
        rounding = rounding + self.space.moved * np.sqrt(self.problem.R @ W1**2)
        # What moves the scores by d moves the gradient by Z'D d, in the norm of the inverse Hessian |D^1/2 d| at most.
        length = length + np.sqrt(curvature) * rounding + (EPS * self.farthest + self.space.moved) * total
        return Nearer(W1, length, rounding, total, curvature)

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
        penalised = self.problem.R > 0.0
        plain = np.sqrt(np.square(g[penalised]).T @ (1.0 / self.problem.R[penalised]))
        share = np.divide(D, D0[:, np.newaxis], out=np.ones_like(D), where=D0[:, np.newaxis] > D).min(axis=0)
        inner = np.maximum(np.einsum("pb,pb->b", g, factor.solve(g)), 0.0)
        in_metric = ROOM * np.sqrt(np.divide(inner, share, out=np.full_like(inner, np.inf), where=share > SMALLEST))
        # On the way to the optimum the curvatures change by the factor exp(|f - f*|) at most.
        in_metric[~(in_metric < NEAR_BY / max(self.farthest, SMALLEST))] = np.inf
        return np.minimum(plain, in_metric)

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

    def in_the_metric(self, w: Float[np.ndarray, " p"], beta: float, rows: Float[np.ndarray, "x p"]) -> Sharper:
        """Return parameters still nearer at one beta, and what the scores of rows may be off there."""
        return sharper(lambda w: _Local(self, w, beta), w, rows)


@dataclass(frozen=True, eq=False)
class _Local(Local):
    """The problem about w at one beta, of rows at hand."""

    given: Optimality
    w: Float[np.ndarray, " p"]
    beta: float

    @property
    def problem(self) -> Problem:
        return self.given.problem

    @property
    def is_free(self) -> bool:
        return self.given.intercept.is_free

    @cached_property
    def f(self) -> Float[np.ndarray, " n"]:
        return self.problem.Z @ self.w

    @cached_property
    def duals(self) -> Float[np.ndarray, " n"]:
        return self.problem.duals(self.f[:, np.newaxis], np.array([self.beta]))[:, 0]

    @cached_property
    def curvatures(self) -> Float[np.ndarray, " n"]:
        return self.problem.curvatures(self.f[:, np.newaxis], np.array([self.beta]))[:, 0]

    @cached_property
    def total(self) -> float:
        return max(float(self.curvatures.sum()), SMALLEST)

    @cached_property
    def mean(self) -> Float[np.ndarray, " q"]:
        Z = self.features(self.problem.Z)
        return self.curvatures @ Z / self.total if self.is_free else np.zeros(Z.shape[1])

    @cached_property
    def rows(self) -> Float[np.ndarray, "n q"]:
        return self.features(self.problem.Z) - self.mean

    @cached_property
    def penalty(self) -> Float[np.ndarray, " q"]:
        return self.problem.R[:-1] if self.is_free else self.problem.R

    @cached_property
    def metric(self) -> Lengths:
        A = self.rows * np.sqrt(self.curvatures)[:, np.newaxis]
        if len(A) <= MANY:
            return Metric(A, self.penalty)
        return MetricOfGram(A.T @ A, np.abs(A).T @ np.abs(A), self.penalty)

    @cached_property
    def pull(self) -> Float[np.ndarray, " q"]:
        return self.rows.T @ (self.problem.y * self.duals)

    @cached_property
    def pulls(self) -> Float[np.ndarray, " q"]:
        return np.abs(self.rows).T @ self.duals

    @cached_property
    def slope(self) -> float:
        return -float(self.problem.y @ self.duals) if self.is_free else 0.0

    @cached_property
    def total_of_duals(self) -> float:
        return float(self.duals.sum())

    @cached_property
    def of_scores(self) -> float:
        unknown = ROUNDING * (np.abs(self.problem.Z) @ np.abs(self.w)) + self.given.space.error * self.total_of_duals
        unknown += self.given.space.moved * np.sqrt(self.problem.R @ self.w**2)
        return float(np.sqrt(self.curvatures @ unknown**2))

    @cached_property
    def of_rows(self) -> float:
        return self.given.space.moved * self.total_of_duals

    @property
    def longest(self) -> float:
        lengths = np.hypot(self.metric.lengths(self.rows), self.shift)
        return float(lengths.max(initial=0.0))
