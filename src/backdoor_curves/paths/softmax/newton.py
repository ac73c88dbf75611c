"""Optima of softmax regression at many betas at once: Newton's method, its steps by conjugate gradients.

Steps are in the working precision, gradients and scores in double: what a step is off by, the next gradient tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.line_search import ARMIJO, SHORTEST
from backdoor_curves.paths.softmax.factored import Factored
from backdoor_curves.paths.softmax.preconditioner import Preconditioner, Preconditioners
from backdoor_curves.paths.softmax.problem import Columns, Problem, Scores, dots, probabilities, without_mean

MOST_STEPS = 200
"""Newton steps after which an optimum counts as unattainable: images take 20 from 0 at C = 100."""
MOST_ITERATIONS = 100
"""Iterations of a step: what is left then, the next step takes up."""
REFRESH = 20
"""Iterations that show that a preconditioner has got old."""
FAR = 3.0
"""Scores that have moved by more have other curvatures: an older preconditioner may take large errors for small."""
SAFE = 0.5
"""Steps that move no score by more need no line search: curvatures change by a factor of e at most."""
ROUGHLY = 3.0
"""What is left may be so many times what the preconditioner makes of the gradient."""
LOOSE, TIGHT = 0.1, 1e-4
"""Shares of the gradient to which a step is solved, at most and at least: single precision has little more to give."""
AIMED = 0.3
"""Share of what is left after a step that conjugate gradients may leave of the accuracy."""
ROUNDING = 1e-13
"""Of scores of size 1: 450 roundings, of sums of a thousand terms."""
STALLED = 1e-6
"""A step that moves no score by more, relative to the largest, and is not half of the last one, is rounding."""
TINY = 1e-300
"""Against division by zero."""


@dataclass(frozen=True, eq=False)
class Optima:
    """Optima at some betas.

    Parameters
    ----------
    W : array of shape (K, b, p)
    F : array of shape (K, b, n)
        Their scores.
    moved : array of shape (b,)
        By how much the largest change of a score led there from where it began.
    """

    W: Columns
    F: Scores
    moved: Float[np.ndarray, " b"]


def optima(
    problem: Problem,
    W: Columns,
    betas: Float[np.ndarray, " b"],
    tau: Float[np.ndarray, " b"],
    accuracy: float,
    known: Preconditioners,
) -> Optima:
    """Return the optima at betas near each other in tau, from W nearby, until no score is off by more, about.

    Raises
    ------
    PathError
        If Newton's method does not get there.
    """
    W, F = W.copy(), problem.scores(W)
    start, on = F.copy(), np.arange(len(betas))
    middle = len(betas) // 2
    M = known.kept(tau[middle], F[:, middle : middle + 1], betas[middle])
    before, away = np.full(len(betas), np.inf), 0.0
    for _ in range(MOST_STEPS):
        P = probabilities(F[:, on])
        G = problem.gradient(W[:, on], P, betas[on])
        left = np.maximum(_left(problem, M, G), TINY)
        share = np.clip(np.maximum(AIMED * accuracy / left, 0.1 * left), TIGHT, LOOSE)
        step = solve(problem, P, betas[on], M, -G, share)
        V, along = step.X, problem.scores(step.X)
        size = np.abs(along).max(axis=(0, 2), initial=0.0)
        t = _shares(problem, (W[:, on], F[:, on]), (V, along), -dots(G, V), betas[on], size)
        W[:, on] += t[:, np.newaxis] * V
        F[:, on] += t[:, np.newaxis] * along
        away += float((t * size).max())
        largest = 1.0 + np.abs(F[:, on]).max(axis=(0, 2), initial=0.0)
        is_rounding = (size <= ROUNDING * largest) | ((size > 0.5 * before[on]) & (size < STALLED * largest))
        before[on] = size
        going = (np.maximum(share, size) * size > accuracy) & ~is_rounding
        is_old = step.iterations > REFRESH or (away > FAR and not going.all())
        on = on if away > FAR else on[going]
        if not len(on):
            break
        if is_old:
            j, away = on[len(on) // 2], 0.0
            M = known.renewed(tau[j], F[:, j : j + 1], betas[j])
    else:
        raise PathError(
            f"softmax regression: {MOST_STEPS} Newton steps did not reach the optimum at beta = {betas[on[0]]:g}; "
            "raise lambda or rescale the features"
        )
    return Optima(W, F, np.abs(F - start).max(axis=(0, 2), initial=0.0))


@dataclass(frozen=True, eq=False)
class Step:
    """Solutions of some systems.

    Parameters
    ----------
    X : array of shape (K, b, p)
    iterations : int
        That they took.
    length : array of shape (b,)
        The right-hand sides' lengths in the norm of the preconditioner.
    """

    X: Columns
    iterations: int
    length: Float[np.ndarray, " b"]


def applied(problem: Problem, M: Preconditioner | Factored, B: Columns) -> Step:
    """Return what the preconditioner alone makes of B: a solution where it is the inverse."""
    unit = np.maximum(np.abs(B).max(axis=(0, 2), initial=0.0), TINY)
    r = (B / unit[:, np.newaxis]).astype(problem.working)
    z = M(r)
    return Step(without_mean(z.astype(float)) * unit[:, np.newaxis], 0, unit * np.sqrt(np.maximum(dots(r, z), 0.0)))


def solve(
    problem: Problem,
    P: Scores,
    betas: Float[np.ndarray, " b"],
    M: Preconditioner | Factored,
    B: Columns,
    shares: Float[np.ndarray, " b"],
) -> Step:
    """Return X with H X = B, about; H has the probabilities P, a Hessian a column.

    Hestenes and Stiefel, J. Res. Nat. Bur. Standards 49 (1952), in the working precision, until what is left is a share
    of B, in the norm of the preconditioner; a column that is solved is left out.
    """
    X, on, iterations = np.zeros_like(B), np.arange(len(betas)), 0
    unit = np.maximum(np.abs(B).max(axis=(0, 2), initial=0.0), TINY)
    r, P = (B / unit[:, np.newaxis]).astype(problem.working), P.astype(problem.working)
    z, x, product = M(r), np.zeros_like(r), problem.hessian(P, betas)
    d, rz = z, dots(r, z)
    solved, length = shares**2 * rz, rz
    while iterations < MOST_ITERATIONS:
        going = rz > solved
        if not going.all():
            X[:, on[~going]] = x[:, ~going]
            on, rz, solved = on[going], rz[going], solved[going]
            r, d, x, P = (A[:, going] for A in (r, d, x, P))
            product = problem.hessian(P, betas[on])
        if not len(on):
            break
        Hd = product(d)
        a = (rz / dots(d, Hd)).astype(r.dtype)[:, np.newaxis]
        x += a * d
        r -= a * Hd
        z = M(r)
        last, rz = rz, dots(r, z)
        d = z + (rz / last).astype(r.dtype)[:, np.newaxis] * d
        iterations += 1
    X[:, on] = x
    return Step(without_mean(X) * unit[:, np.newaxis], iterations, unit * np.sqrt(length))


def _left(problem: Problem, M: Preconditioner, G: Columns) -> Float[np.ndarray, " b"]:
    """Return what scores are off by, about, given the gradients: in units in which single precision has no limits."""
    unit = np.maximum(np.abs(G).max(axis=(0, 2), initial=0.0), TINY)
    step = M((G / unit[:, np.newaxis]).astype(problem.working))
    return ROUGHLY * unit * np.abs(problem.scores(step)).max(axis=(0, 2), initial=0.0)


def _shares(
    problem: Problem,
    here: tuple[Columns, Scores],
    step: tuple[Columns, Scores],
    fall: Float[np.ndarray, " b"],
    betas: Float[np.ndarray, " b"],
    size: Float[np.ndarray, " b"],
) -> Float[np.ndarray, " b"]:
    """Return the largest of 1, 1/2, 1/4, ... of long steps by which the objectives fall enough (Armijo); 1 of others.

    Parameters and scores go together: where the search begins, and how far the whole steps move them.
    """
    t, far = np.ones(len(betas)), np.flatnonzero(size > SAFE)
    (W, F), (V, along) = here, step
    value = problem.value(W[:, far], F[:, far], betas[far])
    while len(far):
        s = t[far, np.newaxis]
        reached = problem.value(W[:, far] + s * V[:, far], F[:, far] + s * along[:, far], betas[far])
        high = (reached > value - ARMIJO * t[far] * fall[far]) & (t[far] > SHORTEST)
        far, value = far[high], value[high]
        t[far] /= 2.0
    return t
