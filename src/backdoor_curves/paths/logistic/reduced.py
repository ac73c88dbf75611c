"""The optimum of logistic regression in a space of few dimensions, at many betas at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr
from scipy.linalg.blas import dsyrk
from scipy.special import expit

from backdoor_curves.paths.logistic.problem import SAFE, STALLED, Problem

BLOCK = 6
"""Betas that share one Hessian, of the 21 between anchors: it changes little over a quarter of the way."""
MOST_STEPS = 60
"""Newton steps after which the coordinates are left as they are: the full gradient will tell."""


@dataclass(frozen=True, eq=False)
class Span:
    """An orthonormal basis, and the problem in its coordinates.

    Parameters
    ----------
    Q : array of shape (p, r)
        The basis.
    A : array of shape (n, r)
        Z Q, the scores of its vectors.
    R : array of shape (r, r)
        Q' R Q, the penalty.
    """

    Q: Float[np.ndarray, "p r"]
    A: Float[np.ndarray, "n r"]
    R: Float[np.ndarray, "r r"]


def span_of(problem: Problem, vectors: Float[np.ndarray, "p r"]) -> Span:
    """Return the span of vectors, those that depend on the others left out."""
    lengths = np.linalg.norm(vectors, axis=0)
    unit = vectors[:, lengths > 0.0] / lengths[lengths > 0.0]
    if not unit.size:
        return Span(unit[:, :0], problem.Z @ unit[:, :0], np.empty((0, 0)))
    Q, T, _ = qr(unit, mode="economic", pivoting=True, check_finite=False)
    Q = Q[:, np.abs(np.diag(T)) > 1e-13]
    return Span(Q, problem.Z @ Q, (Q.T * problem.R) @ Q)


def solve_in_span(
    problem: Problem,
    span: Span,
    C: Float[np.ndarray, "r b"],
    betas: Float[np.ndarray, " b"],
    accuracy: float,
) -> tuple[Float[np.ndarray, "r b"], Float[np.ndarray, "n b"]]:
    """Return the coordinates of the optima in the span, found from C, and their scores.

    Newton's method for all betas together; neighbours share a Hessian, and all keep it while it makes steps shrink.
    Coordinates that it does not bring to the optimum are left as they are: the full gradient will tell.
    """
    if span.A.shape[1] == 0:
        return C, span.A @ C
    y, u = problem.y[:, np.newaxis], problem.u(betas)
    blocks = np.array_split(np.arange(len(betas)), -(-len(betas) // BLOCK))
    factors: list[tuple[Float[np.ndarray, "r r"], bool | np.ndarray]] = []
    F, before = span.A @ C, np.inf
    for _ in range(MOST_STEPS):
        s = expit(-y * F)
        g = span.R @ C - span.A.T @ (u * s * y)
        if not factors:
            middles = [block[len(block) // 2] for block in blocks]
            try:
                factors = [_hessian(span, u[:, i] * s[:, i] * (1.0 - s[:, i])) for i in middles]
            except LinAlgError:  # beyond all rows no curvature is left
                break
        step = np.hstack(
            [-cho_solve(factor, g[:, block], check_finite=False) for factor, block in zip(factors, blocks, strict=True)]
        )
        score_step = span.A @ step
        sizes = np.abs(score_step).max(axis=0)
        size = float(sizes.max())
        # Far steps are cut to what keeps the curvature's change in bounds; no line search for guesses this good.
        share = np.minimum(1.0, 2.0 * SAFE / np.maximum(sizes, 1e-300))
        C, F = C + share * step, F + share * score_step
        if size <= accuracy or (size > 0.5 * before and size < STALLED * (1.0 + float(np.abs(F).max(initial=0.0)))):
            break
        if size > 0.2 * before:
            factors = []
        before = size
    return C, F


def _hessian(
    span: Span, D: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "r r"], bool | np.ndarray]:  # scipy: since 1.18 an array
    A = span.A * np.sqrt(D)[:, np.newaxis]
    return cho_factor(dsyrk(1.0, A.T, lower=1) + span.R, lower=True, check_finite=False)
