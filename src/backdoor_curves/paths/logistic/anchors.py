"""From anchor to anchor: the path of logistic regression by a Galerkin method between Taylor series.

An anchor is a beta at which w and its Taylor coefficients are known. Between two of them the optimum is looked for in
the span of their vectors alone (`reduced`): 18 dimensions, where Newton's method costs next to nothing, and up to a
thousand times nearer than the polynomial through the same vectors. What is left is corrected with the Hessians of the
anchors, and measured by that; where it stays too much, an anchor is added.

All of it in tau = log(1 + beta / scale), see `interpolation.chebyshev`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.special import comb, expit, factorial

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.interpolation.chebyshev import betas_of, panel_points, tail
from backdoor_curves.paths.logistic.problem import Factor, Problem, newton
from backdoor_curves.paths.logistic.reduced import solve_in_span, span_of

ORDER = 8
"""Taylor coefficients at an anchor: each costs a solution with its factor, and makes the way to the next factor
longer."""
DEGREE = 20
"""Of the polynomials between anchors: twice what both anchors' series have, so that none of it is lost."""
FIRST_STEP = 1.0
"""From beta = 0 to the next anchor, in tau: there the scores of the poison rows have moved by about 1."""
MOST_ANCHORS = 300
"""Anchors after which a path counts as unattainable: images take 19 at C = 100."""
CORRECTIONS = 4
"""Of the solution between two anchors, where they shrink fast enough to get there: a step that is too long needs an
anchor, not more of them."""
HOPELESS = 1e-1
"""A first correction that moves a score by so much is not followed by others: curvatures have changed by a tenth."""
AIM = 10.0
"""Size of a first correction, in tolerances, that a step to the next anchor aims at: one more correction takes it
within."""
TAIL = 10.0
"""The error of a polynomial over the size of its last coefficients, with room: of a geometric tail that halves it is
2."""
SHARP = 1e-3
"""Accuracy of the anchors, as a share of the tolerance: nothing beside what happens between them."""
TINY = 1e-300
"""Against division by zero."""
NEWTON_START = 1e-3
"""What a score of a first guess may be off in its span: Newton's method squares it."""


@dataclass(frozen=True, eq=False)
class Anchor:
    """The optimum at one beta.

    Parameters
    ----------
    beta, tau : float
    w : array of shape (p,)
    series : array of shape (p, order)
        The Taylor coefficients of w but the first, in t = (b - beta) / (scale + beta); the first of them is dw/dtau.
    factor : Factor
        Of the Hessian nearby.
    """

    beta: float
    tau: float
    w: Float[np.ndarray, " p"]
    series: Float[np.ndarray, "p order"]
    factor: Factor


def follow(
    problem: Problem,
    start: tuple[Float[np.ndarray, " p"], Float[np.ndarray, " n"], Factor],
    scale: float,
    tolerance: float,
) -> tuple[Float[np.ndarray, " edges"], Float[np.ndarray, "points p"]]:
    """Return panels in tau, by their edges, and w at their points, where no score of a training row is off by more.

    Parameters
    ----------
    start : array of shape (p,), array of shape (n,), Factor
        The optimum at beta = 0, its scores, and a factor of the Hessian nearby.

    Raises
    ------
    PathError
        If more anchors than `MOST_ANCHORS` would be needed, or rounding keeps the path from the optimum.
    """
    end = float(np.log1p(1.0 / scale))
    left = _anchor_at(problem, start, 0.0, scale)
    edges, values, step, anchors = [0.0], [], FIRST_STEP, 1
    ahead: list[Anchor] = []
    while left.tau < end:
        if not ahead:
            tau = left.tau + step if left.tau + 1.3 * step < end else end
            ahead.append(_anchor(problem, _extrapolated(problem, left, tau, scale), tau, scale, tolerance))
            anchors += 1
        right = ahead[-1]
        if anchors > MOST_ANCHORS or right.tau <= left.tau:
            raise PathError(
                f"logistic regression: {anchors - 1} anchors did not bring the path beyond beta = {left.beta:g} within "
                f"{tolerance:g}; raise lambda or tolerance, or rescale the features"
            )
        W, error, growth = _between(problem, left, right, scale, tolerance)
        if error > tolerance:
            tau = (left.tau + right.tau) / 2.0
            guess = _best(problem, np.column_stack([W[:, DEGREE // 2], left.w, right.w]), tau, scale)
            ahead.append(_anchor(problem, guess, tau, scale, tolerance))
            anchors += 1
            continue
        step = (right.tau - left.tau) * float(np.clip(growth, 0.5, 2.0))
        left = ahead.pop()
        edges.append(left.tau)
        values.append(W.T)
    return np.array(edges), np.vstack(values)


def _anchor(problem: Problem, guess: Float[np.ndarray, " p"], tau: float, scale: float, tolerance: float) -> Anchor:
    """Return the anchor at tau, found from w nearby."""
    beta = float(betas_of(np.array([tau]), scale)[0])
    return _anchor_at(problem, newton(problem, guess, beta, SHARP * tolerance), tau, scale)


def _anchor_at(
    problem: Problem,
    optimum: tuple[Float[np.ndarray, " p"], Float[np.ndarray, " n"], Factor],
    tau: float,
    scale: float,
) -> Anchor:
    """Return the anchor at tau, given what Newton's method found there."""
    beta, (w, f, factor) = float(betas_of(np.array([tau]), scale)[0]), optimum
    return Anchor(beta, tau, w, taylor(problem, f, beta, scale + beta, factor, ORDER), factor)


def _best(problem: Problem, W: Float[np.ndarray, "p c"], tau: float, scale: float) -> Float[np.ndarray, " p"]:
    """Return the column with the lowest objective: over too long a stretch the polynomial is worse than either end."""
    F = problem.Z @ W
    values = problem.value(W, F, np.repeat(betas_of(np.array([tau]), scale), W.shape[1]))
    return W[:, int(np.nanargmin(values))]


def _extrapolated(problem: Problem, left: Anchor, tau: float, scale: float) -> Float[np.ndarray, " p"]:
    """Return the optimum further on in the span of one anchor's vectors."""
    span = span_of(problem, np.column_stack([left.w, left.series]))
    betas = betas_of(np.array([tau]), scale)
    C, _ = solve_in_span(problem, span, span.Q.T @ left.w[:, np.newaxis], betas, NEWTON_START)
    return (span.Q @ C)[:, 0]


def _between(
    problem: Problem, left: Anchor, right: Anchor, scale: float, tolerance: float
) -> tuple[Float[np.ndarray, "p points"], float, float]:
    """Return w at the points between two anchors, what a score is off there, and by how much a next step may be longer.

    The error is that of the solutions, seen by their last correction, or of the polynomial through them.
    """
    at = panel_points(np.array([left.tau, right.tau]), DEGREE)
    betas = betas_of(at, scale)
    span = span_of(problem, np.column_stack([left.w, left.series, right.w, right.series]))
    C, F = solve_in_span(problem, span, span.Q.T @ hermite(left, right, at), betas, 0.1 * tolerance)
    W, F, sizes = _corrected(problem, (left.factor, right.factor), span.Q @ C, F, betas, tolerance)
    rough = TAIL * tail(F.T)
    longer = (AIM * tolerance / max(sizes[0], TINY)) ** (1.0 / ORDER)
    smoother = (0.5 * tolerance / max(rough, TINY)) ** (1.0 / DEGREE)
    return W, max(sizes[-1], rough), min(longer, smoother)


def hermite(left: Anchor, right: Anchor, tau: Float[np.ndarray, " b"]) -> Float[np.ndarray, "p b"]:
    """Return the polynomial in tau with the w and all derivatives of two anchors, of degree 2 order + 1.

    Source: Hermite's formula for two points, where the polynomials of the values and derivatives at 0 are

        x^k (1 - x)^m sum_{j < m - k} binomial(m - 1 + j, j) x^j,     m = order + 1.
    """
    h, (order, m) = right.tau - left.tau, (left.series.shape[1], left.series.shape[1] + 1)
    k, powers = np.arange(m), _powers_of_t(order)
    many = comb(order + k, k)
    ends = [np.column_stack([end.w, end.series @ powers]) for end in (left, right)]
    x = (tau - left.tau) / h

    def basis(x: Float[np.ndarray, " b"]) -> Float[np.ndarray, "m b"]:
        partial = np.cumsum(many[:, np.newaxis] * x ** k[:, np.newaxis], axis=0)
        return x ** k[:, np.newaxis] * (1.0 - x) ** m * partial[::-1]

    return (ends[0] * h**k) @ basis(x) + (ends[1] * (-h) ** k) @ basis(1.0 - x)


@cache
def _powers_of_t(order: int) -> Float[np.ndarray, "order order"]:
    """Return the Taylor coefficients 1, ..., order in tau of t, ..., t^order, with t = exp(tau) - 1: a row each."""
    t = np.append(0.0, 1.0 / factorial(np.arange(1, order + 1)))
    rows = [np.append(1.0, np.zeros(order))]
    for _ in range(order):
        rows.append(np.convolve(rows[-1], t)[: order + 1])
    return np.array(rows)[1:, 1:]


def _corrected(
    problem: Problem,
    factors: tuple[Factor, Factor],
    W: Float[np.ndarray, "p points"],
    F: Float[np.ndarray, "n points"],
    betas: Float[np.ndarray, " points"],
    tolerance: float,
) -> tuple[Float[np.ndarray, "p points"], Float[np.ndarray, "n points"], list[float]]:
    """Return W nearer to the optima, its scores, and by how much each correction moved a score.

    Newton's corrections with the Hessian of the nearer anchor, left or right, for as long as they shrink fast enough to
    get there.
    """
    half = len(betas) // 2
    halves = slice(0, half), slice(half, None)
    before, sizes = HOPELESS, []
    for remaining in reversed(range(CORRECTIONS)):
        g, _ = problem.gradient(W, F, betas)
        step = np.hstack([-factor.solve(g[:, part]) for factor, part in zip(factors, halves, strict=True)])
        with np.errstate(over="ignore", invalid="ignore"):
            score_step = problem.single @ step.astype(np.float32)
        W, F = W + step, F + score_step
        size = float(np.abs(score_step).max())
        sizes.append(size if np.isfinite(size) else np.inf)  # a step beyond single precision leads nowhere
        if not np.isfinite(size) or size <= tolerance or size * min(size / before, 1.0) ** remaining > tolerance:
            break
        before = size
    return W, F, sizes


def taylor(
    problem: Problem, f: Float[np.ndarray, " n"], beta: float, unit: float, factor: Factor, order: int
) -> Float[np.ndarray, "p order"]:
    """Return the Taylor coefficients 1, ..., order of w(beta + unit t) in t.

    With s = sigma(-y f) and q = s (1 - s), s' = -y f' q gives s_k = -y f_k q_0 + r_k of lower orders, and coefficient k
    of the optimality condition R w = Z'(y u s) is

        (R + Z' u q_0 Z) w_k = Z' y (u r_k + unit du s_{k-1}),     r_k = 1/k sum_{0<j<k} j (-y f_j) q_{k-j}.

    In the precision of the factor: the vectors are used for their span only.
    """
    single = factor.L.dtype == np.float32
    Z = problem.single if single else problem.Z
    y, f = problem.y.astype(Z.dtype), f.astype(Z.dtype)
    u, du = (problem.u0 + beta * problem.du).astype(Z.dtype), (unit * problem.du).astype(Z.dtype)
    R = problem.R.astype(Z.dtype)
    s, F = [expit(-y * f)], [f]
    q = [s[0] * (1 - s[0])]
    series = []
    for k in range(1, order + 1):
        r = sum(((j / k) * (-y * F[j]) * q[k - j] for j in range(1, k)), np.zeros_like(f)).astype(Z.dtype)
        right = Z.T @ (y * (u * r + du * s[k - 1]))
        w = factor.solve(right[:, np.newaxis])[:, 0].astype(Z.dtype)
        w += factor.solve((right - R * w - Z.T @ (u * q[0] * (Z @ w)))[:, np.newaxis])[:, 0].astype(Z.dtype)
        series.append(w)
        F.append(Z @ w)
        s.append(-y * F[k] * q[0] + r)
        q.append(s[k] - sum(s[i] * s[k - i] for i in range(k + 1)))
    return np.column_stack(series).astype(float)
