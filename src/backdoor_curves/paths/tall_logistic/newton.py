"""Optima of logistic regression of many rows: Newton's method, with a Hessian of its own where it is far from one.

From afar steps are Newton's own, and shortened until the objective falls. From nearby, at many betas at once, Hessians
are those that `hessians` makes of what is known; where steps shrink slowly, one more is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.line_search import armijo_share
from backdoor_curves.paths.tall_logistic.hessians import Factor, Hessians, solve_each
from backdoor_curves.paths.tall_logistic.sums import Sums

SAFE = 1.0
"""Steps that move no score by more need no line search: the logistic loss changes its curvature by e at most."""
SLOW = 0.1
"""Steps that shrink by less want another Hessian: it costs some twenty steps, and serves all betas near by."""
OLD = 0.3
"""The same for one beta from afar, which it serves alone."""
STALLED = 0.5
"""Steps that shrink by less where they move no score by more than `ROUNDING` are rounding."""
ROUNDING = 1e-6
"""That, of scores of size 1: rounding of the gradient in the flattest direction."""
MOST_STEPS = 200
"""Steps after which an optimum counts as unattainable: tables take 10."""
MOST_NEARBY = 40
"""Steps from nearby, after which a beta is looked for from afar."""
TINY = 1e-300
"""Against division by zero."""


@dataclass(frozen=True, eq=False)
class Optima:
    """Optima at some betas.

    Parameters
    ----------
    W : array of shape (q, b)
    moved : array of shape (b,)
        By how much the largest change of a score led there from where it began, about.
    """

    W: Float[np.ndarray, "q b"]
    moved: Float[np.ndarray, " b"]


def newton(
    sums: Sums, w: Float[np.ndarray, " q"], beta: float, tau: float, accuracy: float, known: Hessians
) -> Float[np.ndarray, " q"]:
    """Return the optimum at one beta, from afar, until no score is off by more than the accuracy, about.

    The last Hessian is kept.

    Raises
    ------
    PathError
        If it does not get there.
    """
    betas, W = np.array([beta]), w[:, np.newaxis].copy()
    factor: Factor | None = None
    g, before = sums.gradients(W, betas).g, np.inf
    for _ in range(MOST_STEPS):
        if factor is None:
            factor = known.add(tau, sums.hessian(W[:, 0], beta))
        step = -factor.solve(g)
        reached = sums.gradients(W + step, betas, step)
        size = float(reached.moved[0])
        along = partial(_value_along, sums, W, step, betas)
        if size > SAFE and (share := armijo_share(along, float((g * step).sum()))) < 1.0:
            step = share * step
            reached = sums.gradients(W + step, betas)
        W, g = W + step, reached.g
        coming = size * size / before if np.isfinite(before) and size < before else size
        if coming <= accuracy or (size > STALLED * before and size < ROUNDING):
            return W[:, 0]
        if size > OLD * before or size > SAFE:
            factor = None
        before = size
    raise PathError(
        f"logistic regression: {MOST_STEPS} Newton steps did not reach the optimum at beta = {beta:g}; raise lambda or "
        "rescale the features"
    )


def _value_along(
    sums: Sums,
    W: Float[np.ndarray, "q 1"],
    step: Float[np.ndarray, "q 1"],
    betas: Float[np.ndarray, " 1"],
    share: float,
) -> float:
    """Return the objective where a share of a step is taken."""
    return float(sums.totals(W + share * step, betas).value[0])


def nearby(
    sums: Sums,
    W: Float[np.ndarray, "q b"],
    betas: Float[np.ndarray, " b"],
    tau: Float[np.ndarray, " b"],
    accuracy: float,
    known: Hessians,
) -> Optima:
    """Return the optima at some betas from nearby, until no score is off by more than the accuracy, about.

    All of them are looked for in the same passes over the rows. Those that do not get nearer are looked for from afar.
    """
    start, W = W, W.copy()
    factors = [known.near(each) for each in tau]
    on, moved, last = np.arange(len(betas)), np.zeros(len(betas)), np.full(len(betas), np.nan)
    step: Float[np.ndarray, "q _"] | None = None
    for _ in range(MOST_NEARBY):
        found = sums.gradients(W[:, on], betas[on], step)
        moved[on] += found.moved
        step = -solve_each([factors[k] for k in on], found.g)
        length = np.sqrt(np.maximum(-(found.g * step).sum(axis=0), 0.0))
        shrink = length / np.maximum(last[on], TINY)  # NaN of a first step
        last[on], size = length, found.moved * shrink
        W[:, on] += step
        is_rounding = (shrink > STALLED) & (size < ROUNDING)
        done = (size * np.minimum(shrink, 1.0) <= accuracy) | is_rounding | (length <= TINY)
        lost = ~done & ((shrink > 1.0) | (found.moved > SAFE))
        slow = ~done & ~lost & (shrink > SLOW)
        for k in on[lost]:
            W[:, k] = newton(sums, start[:, k], float(betas[k]), float(tau[k]), accuracy, known)
            moved[k] = float(sums.largest(W[:, [k]] - start[:, [k]])[0])
        if slow.any():
            k = on[np.flatnonzero(slow)[np.argmax(size[slow])]]
            known.add(float(tau[k]), sums.hessian(W[:, k], float(betas[k])))
            factors = [known.near(each) for each in tau]
        going = ~done & ~lost
        on, step = on[going], step[:, going]
        if not len(on):
            return Optima(W, moved)
    for k in on:
        W[:, k] = newton(sums, W[:, k], float(betas[k]), float(tau[k]), accuracy, known)
    return Optima(W, moved)
