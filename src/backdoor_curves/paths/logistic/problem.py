"""The objective of logistic regression at many betas at once, and its optimum at one.

Columns are betas: W has shape (p, b), scores F = Z W and residuals have shape (n, b).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import lapack
from scipy.linalg.blas import get_blas_funcs
from scipy.special import expit

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.linalg import conjugate_gradients as conjugate
from backdoor_curves.paths.linalg.metric import JITTER
from backdoor_curves.paths.line_search import armijo_share

SINGLE = 1e6
"""Up to this condition number the Hessian is factored in single precision: 6e-8 times it, a tenth, is what a correction
leaves of an error."""
DROPPED = 1e-3
"""Share of the least curvature that rows left out of a Hessian may have together: it slows a correction by as much."""
SAFE = 1.0
"""Newton steps that move no score by more need no line search: the logistic loss changes its curvature by e at most."""
NEAR = 0.1
"""A step that moves no score by more leaves the Hessian as it is, but for a tenth: the next then leaves a tenth of the
error."""
ROUGHLY, FEW = 0.1, 8
"""Accuracy of a step by conjugate gradients, and the most of them: a dozen cost what a Hessian of images does."""
FAR = 8.0
"""Moves of a score after which a factor is no preconditioner either: then curvatures of many rows are others."""
STALLED = 1e-6
"""A step that moves no score by more, relative to the largest, and is no shorter than the last one, is rounding."""
MOST_STEPS = 200
"""Newton steps after which an optimum counts as unattainable: digits take 8 at C = 1, 17 at C = 1e6."""


@dataclass(frozen=True, eq=False)
class Problem:
    """1/2 w'R w + sum_i u_i(beta) log(1 + exp(-y_i f_i)), f = Z w.

    Parameters
    ----------
    Z : array of shape (n, p)
        Rows, with the intercept's column last where there is one.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        Weights u0 + beta du, >= 0.
    R : array of shape (p,)
        1, or 0 for a free intercept.
    """

    Z: Float[np.ndarray, "n p"]
    y: Float[np.ndarray, " n"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]
    R: Float[np.ndarray, " p"]

    @cached_property
    def squares(self) -> Float[np.ndarray, " n"]:
        """|z_i|^2."""
        return np.einsum("ij,ij->i", self.Z, self.Z)

    @cached_property
    def single(self) -> Float[np.ndarray, "n p"]:
        """Z in single precision."""
        return self.Z.astype(np.float32)

    def u(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "n b"]:
        """Return the weights of the rows."""
        return self.u0[:, np.newaxis] + self.du[:, np.newaxis] * betas

    def value(
        self, W: Float[np.ndarray, "p b"], F: Float[np.ndarray, "n b"], betas: Float[np.ndarray, " b"]
    ) -> Float[np.ndarray, " b"]:
        """Return P(w, beta)."""
        penalty = np.einsum("pb,p,pb->b", W, self.R, W) / 2.0
        return penalty + (self.u(betas) * np.logaddexp(0.0, -self.y[:, np.newaxis] * F)).sum(axis=0)

    def duals(self, F: Float[np.ndarray, "n b"], betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "n b"]:
        """Return a = u sigma(-y f); at the optimum R w = Z'(y a)."""
        return self.u(betas) * expit(-self.y[:, np.newaxis] * F)

    def gradient(
        self, W: Float[np.ndarray, "p b"], F: Float[np.ndarray, "n b"], betas: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "p b"], Float[np.ndarray, "n b"]]:
        """Return dP/dw and the curvature D of the rows: the Hessian is R + Z'D Z."""
        y, u = self.y[:, np.newaxis], self.u(betas)
        s = expit(-y * F)
        return self.R[:, np.newaxis] * W - self.Z.T @ (u * s * y), u * s * (1.0 - s)

    def curvatures(self, F: Float[np.ndarray, "n b"], betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "n b"]:
        """Return the curvature of the rows alone."""
        s = expit(-self.y[:, np.newaxis] * F)
        return self.u(betas) * s * (1.0 - s)

    def slope_of_shift(
        self, F: Float[np.ndarray, "n b"], betas: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
        """Return the first and second derivative of the losses' sum where all scores move by the same."""
        y, u = self.y[:, np.newaxis], self.u(betas)
        s = expit(-y * F)
        return -(u * s * y).sum(axis=0), (u * s * (1.0 - s)).sum(axis=0)

    def hessian_product(self, D: Float[np.ndarray, "n c"], P: Float[np.ndarray, "p b"]) -> Float[np.ndarray, "p b"]:
        """Return (R + Z'D Z) p for each column, with a D for each or one for all."""
        return self.R[:, np.newaxis] * P + self.Z.T @ (D * (self.Z @ P))

    def rough_solution(
        self, D: Float[np.ndarray, "n 1"], B: Float[np.ndarray, "p 1"], factor: Factor
    ) -> Float[np.ndarray, "p 1"]:
        """Return H^-1 b, roughly, by conjugate gradients with the factor of another Hessian, in its precision."""
        Z = self.single if factor.L.dtype == np.float32 else self.Z
        weights, R = D.astype(Z.dtype), self.R[:, np.newaxis]

        def product(P: Float[np.ndarray, "p 1"]) -> Float[np.ndarray, "p 1"]:
            return R * P + Z.T @ (weights * (Z @ P.astype(Z.dtype)))

        return conjugate.solve(product, factor.solve, B, ROUGHLY, FEW)

    def hessian(self, D: Float[np.ndarray, " n"]) -> Factor:
        """Return the Cholesky factor of R + Z'D Z, in single precision where that will do."""
        curvature = D * self.squares
        # A free intercept has no curvature but the rows'.
        least = min(float(self.R[self.R > 0.0].min(initial=1.0)), float(D.sum()))
        kept = curvature > DROPPED * least / len(D)
        single = float(curvature.sum()) < SINGLE * least
        for Z, jitter in ((self.single, 0.0),) * single + ((self.Z, 0.0), (self.Z, len(self.R) * JITTER)):
            A = Z[kept] * np.sqrt(D[kept]).astype(Z.dtype)[:, np.newaxis]
            (syrk,) = get_blas_funcs(("syrk",), (A,))
            H = syrk(1.0, A.T, lower=1) if A.size else np.zeros(2 * A.shape[1:], dtype=A.dtype, order="F")
            diagonal = np.diag_indices_from(H)
            H[diagonal] = (H[diagonal] + self.R.astype(Z.dtype)) * (1.0 + jitter)
            (potrf,) = lapack.get_lapack_funcs(("potrf",), (H,))
            L, failed = potrf(H, lower=1, overwrite_a=1, clean=0)
            if not failed:
                return Factor(L)
        raise PathError("the Hessian is singular in double precision; raise lambda or rescale the features")


@dataclass(frozen=True, eq=False)
class Factor:
    """A Cholesky factor."""

    L: Any

    def solve(self, B: Float[np.ndarray, "p b"]) -> Float[np.ndarray, "p b"]:
        """Return H^-1 B."""
        if B.size == 0:
            return B
        (potrs,) = lapack.get_lapack_funcs(("potrs",), (self.L,))
        return potrs(self.L, B.astype(self.L.dtype), lower=1)[0].astype(float)


def newton(
    problem: Problem, w: Float[np.ndarray, " p"], beta: float, accuracy: float
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " n"], Factor]:
    """Return the optimum at one beta, its scores there, and a factor of the Hessian from nearby.

    Newton's method stops where a step moves no score by more than `accuracy`, or the next one would not if it shrinks
    as this one did, or where rounding keeps it from getting nearer. A factor serves as it is while it is near, and then
    as the preconditioner of conjugate gradients while these make steps shrink.
    """
    betas, W = np.array([beta]), w[:, np.newaxis].copy()
    F = problem.Z @ W
    factor, before, moved = None, np.inf, 0.0
    for _ in range(MOST_STEPS):
        g, D = problem.gradient(W, F, betas)
        if factor is None:
            factor, moved = problem.hessian(D[:, 0]), 0.0
        is_near = moved <= NEAR
        step = -(factor.solve(g) if is_near else problem.rough_solution(D, g, factor))
        score_step = problem.Z @ step
        size = float(np.abs(score_step).max())
        if size > SAFE:
            along = partial(_value_along, problem, (W, F), (step, score_step), betas)
            share = armijo_share(along, float((g * step).sum()))
            step, score_step = share * step, share * score_step
        W, F, moved = W + step, F + score_step, moved + size
        coming = size * size / before if np.isfinite(before) and size < before else size
        coming = coming if is_near else max(coming, ROUGHLY * size)
        if coming <= accuracy or (size > 0.5 * before and size < STALLED * (1.0 + float(np.abs(F).max()))):
            return W[:, 0], F[:, 0], factor if moved <= NEAR else problem.hessian(D[:, 0])
        if moved > FAR:
            factor = None
        before = size
    raise PathError(
        f"logistic regression: {MOST_STEPS} Newton steps did not reach the optimum at beta = {beta:g}; raise lambda or "
        "rescale the features"
    )


def _value_along(
    problem: Problem,
    here: tuple[Float[np.ndarray, "p 1"], Float[np.ndarray, "n 1"]],
    step: tuple[Float[np.ndarray, "p 1"], Float[np.ndarray, "n 1"]],
    betas: Float[np.ndarray, " 1"],
    share: float,
) -> float:
    """Return the objective where a share of a step is taken.

    Parameters and scores go together: where the search begins, and how far the whole step moves them.
    """
    (W, F), (dW, dF) = here, step
    return float(problem.value(W + share * dW, F + share * dF, betas)[0])
