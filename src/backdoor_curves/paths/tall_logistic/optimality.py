"""How far parameters of logistic regression of many rows are from the optimum, by the gradient that they leave.

As in `logistic.optimality`: P is strongly convex by its penalty alone, a free intercept minimised out. To minimise it
out would be passes over the rows; here it is bounded. With g_b the derivative in the intercept b and S the sum of the
curvatures, the best intercept is within r = |g_b| e^r / S of b, and there the gradient in w is another by |g_b| e^2r
times the longest row at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.linalg.metric import ROUNDING
from backdoor_curves.paths.tall_logistic.hessians import Factor, solve_each
from backdoor_curves.paths.tall_logistic.sums import Sums

REFINEMENTS = 12
"""Steps by which a certificate comes near the optimum: each but shrinks what is left by what its Hessian is off."""
SHRINKS = 0.5
"""Steps that shrink what is left by less are rounding."""
ROOM = 1.2
"""For the way to the best intercept, which is shorter than `NEAR_BY`: exp(2 x 0.09)."""
NEAR_BY = 0.08
"""How far the intercept may be from its best, to first order."""
SMALLEST = 1e-100
"""A smaller sum of curvatures is none."""
EPS = np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class Nearer:
    """Parameters nearer to the optimum at some betas, and what is known of them there.

    Parameters
    ----------
    W : array of shape (q, b)
    length : array of shape (b,)
        Bound on the distance of the coefficients from the optimum, in the norm of the penalty, what is lost in rounding
        included.
    shift : array of shape (b,)
        Bound on what the free intercept is off for these coefficients.
    slack : array of shape (b,)
        Bound on what that costs the objective.
    rounding : array of shape (b,)
        What rounding leaves unknown of a score of a training row.
    total : array of shape (b,)
        Sums of the duals.
    """

    W: Float[np.ndarray, "q b"]
    length: Float[np.ndarray, " b"]
    shift: Float[np.ndarray, " b"]
    slack: Float[np.ndarray, " b"]
    rounding: Float[np.ndarray, " b"]
    total: Float[np.ndarray, " b"]


def nearer(
    sums: Sums,
    W: Float[np.ndarray, "q b"],
    betas: Float[np.ndarray, " b"],
    factors: list[Factor],
    enough: Callable[[Float[np.ndarray, "q b"]], Float[np.ndarray, " b"]] | None = None,
) -> Nearer:
    """Return parameters nearer to the optima at some betas.

    Steps are Newton's with factors of Hessians nearby, and end where they no longer shrink what is left, or where that
    is `enough` for parameters which are so near.
    """
    g = sums.gradients(W, betas).g
    best, pull, shortest = W, g, _distance(sums, g)
    for _ in range(REFINEMENTS):
        if enough is not None and (shortest <= enough(best)).all():
            break
        W = W - solve_each(factors, g)
        g = sums.gradients(W, betas).g
        length, before = _distance(sums, g), shortest
        is_nearer = length < shortest
        best, pull = np.where(is_nearer, W, best), np.where(is_nearer, g, pull)
        shortest = np.minimum(length, shortest)
        if not (length < SHRINKS * before).any():
            break
    return _bounded(sums, best, pull, betas)


def _distance(sums: Sums, g: Float[np.ndarray, "q b"]) -> Float[np.ndarray, " b"]:
    """Return a bound on the distance of the coefficients from the optimum, but for rounding."""
    penalised = sums.R > 0.0
    length = np.sqrt(np.square(g[penalised]).T @ (1.0 / sums.R[penalised]))
    return length + ROOM * sums.lengths[1] * np.abs(g[-1]) if sums.place.intercept.is_free else length


def _bounded(
    sums: Sums, W: Float[np.ndarray, "q b"], g: Float[np.ndarray, "q b"], betas: Float[np.ndarray, " b"]
) -> Nearer:
    """Return what is known of parameters that leave these gradients."""
    longest, farthest, _ = sums.lengths
    _, total, curvature = sums.totals(W, betas)
    rounding = ROUNDING * longest * np.linalg.norm(W, axis=0)
    # What moves the scores by d moves the gradient by Z'D d, in the norm of the inverse Hessian |D^1/2 d| at most.
    length = _distance(sums, g) + np.sqrt(curvature) * rounding + EPS * farthest * total
    shift, slack = np.zeros((2, len(betas)))
    if sums.place.intercept.is_free:
        pull = np.abs(g[-1]) + EPS * total
        shift = ROOM * pull / np.maximum(curvature, SMALLEST)
        slack = shift * pull / 2.0
        length = np.where(shift < ROOM * NEAR_BY, length + ROOM * farthest * EPS * total, np.inf)
    return Nearer(W, length, shift, slack, rounding, total)
