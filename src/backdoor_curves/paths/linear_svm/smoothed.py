"""The optimum of the smoothed hinge at beta = 0, columns of any sizes: Newton's method by least-squares problems.

The hinge is a parabola within a width of its corner; Newton's method finds its optimum in a few least-squares problems,
columns in units of their size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg import qr, solve_triangular

from backdoor_curves.paths.linear_svm.problem import Problem

WIDTHS = 2.0 * 0.3 ** np.arange(10)
"""Of the parabola. Within the first all rows have curvature, where no penalty to speak of holds a large column; the
last is 4e-5: rows within it begin on the margin, and what is wrong of it is walked off."""
NEWTON_STEPS = 40
NEAR = 1e-6
"""Change of a score with which Newton's method stops: a share of the least width."""
RANK = 1e-15
"""Pivots below this share of the largest are rounding."""


class Smoothed(NamedTuple):
    """The optimum of a smoothed hinge at beta = 0: the scores of the rows, and their duals a."""

    scores: Float[np.ndarray, " n"]
    a: Float[np.ndarray, " n"]


def smoothed_optimum(problem: Problem) -> Smoothed:
    """Return the optimum at beta = 0 of ever sharper smoothed hinges."""
    Phi, kept = _coordinates(problem.Phi[np.arange(len(problem.Phi))]), problem.u0 > 0.0
    sizes = np.abs(Phi).max(axis=0, initial=0.0)
    sizes[sizes == 0.0] = 1.0
    Z, penalty = problem.y[:, np.newaxis] * (Phi / sizes), 1.0 / sizes
    if problem.free:
        Z, penalty = np.column_stack([Z, problem.y]), np.append(penalty, 0.0)
    v, u = np.zeros(Z.shape[1]), problem.u0[kept]
    for width in WIDTHS:
        v = _newton(Z[kept], u, penalty, v, width)
    margins = Z @ v
    share = np.clip((1.0 - margins + WIDTHS[-1]) / (2.0 * WIDTHS[-1]), 0.0, 1.0)
    return Smoothed(problem.y * margins, problem.u0 * share)


def _coordinates(Phi: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n q"]:
    """Return rows in an orthonormal basis of their span, where they have more features than they are rows."""
    if Phi.shape[1] <= len(Phi):
        return Phi
    R, order = qr(Phi.T, mode="r", pivoting=True)
    rows = np.empty((len(Phi), len(Phi)))
    rows[order] = R[: len(Phi)].T
    return rows


def _newton(
    Z: Float[np.ndarray, "n q"],
    u: Float[np.ndarray, " n"],
    penalty: Float[np.ndarray, " q"],
    v: Float[np.ndarray, " q"],
    width: float,
) -> Float[np.ndarray, " q"]:
    """Return the optimum of |penalty v|^2 / 2 + sum u times the smoothed hinge, by Newton's method with line search.

    A step solves the least-squares problem of the rows within the width, whose slopes move; those of others do not.
    """
    for _ in range(NEWTON_STEPS):
        slack = 1.0 - Z @ v
        band, inside = np.abs(slack) <= width, slack > width
        root = np.sqrt(u[band] / (2.0 * width))
        # |penalty v|^2 / 2 + sum_band root^2 (slack + width)^2 / 2 - (sum_inside u z)'v
        A = np.vstack([np.diag(penalty), root[:, np.newaxis] * Z[band]])
        g = penalty**2 * v - u[inside] @ Z[inside] - (root**2 * (slack[band] + width)) @ Z[band]
        step = _least_squares_step(A, g)
        along = Z @ step
        length = line_search(v, step, penalty, slack, along, u, width)
        v = v + length * step
        if np.abs(length * along).max(initial=0.0) <= NEAR:
            break
    return v


def _least_squares_step(A: Float[np.ndarray, "k q"], g: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
    """Return -(A'A)^-1 g by a factorisation of A; what A does not see, it leaves."""
    R, order = qr(A, mode="r", pivoting=True)
    pivots = np.abs(np.diag(R))
    rank = int((pivots > RANK * pivots[0]).sum())
    step, seen = np.zeros_like(g), order[:rank]
    lifted = solve_triangular(R[:rank, :rank], g[seen], trans="T")
    step[seen] = -solve_triangular(R[:rank, :rank], lifted)
    return step


def line_search(
    v: Float[np.ndarray, " q"],
    step: Float[np.ndarray, " q"],
    penalty: Float[np.ndarray, " q"],
    slack: Float[np.ndarray, " n"],
    along: Float[np.ndarray, " n"],
    u: Float[np.ndarray, " n"],
    width: float,
) -> float:
    """Return the length in (0, 1] at which the slope along a step is 0.

    It rises, in straight pieces between the lengths at which a row comes to one end of the parabola.
    """

    def slope(length: float) -> float:
        share = np.clip((slack - length * along + width) / (2.0 * width), 0.0, 1.0)
        return float((penalty * step) @ (penalty * (v + length * step)) - (u * share) @ along)

    if slope(1.0) <= 0.0:
        return 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.concatenate([(slack - width) / along, (slack + width) / along])
    ends = np.unique(np.concatenate([[0.0], ends[(ends > 0.0) & (ends < 1.0)], [1.0]]))
    low, high = 0, len(ends) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if slope(ends[middle]) < 0.0 else (low, middle)
    first, last = slope(ends[low]), slope(ends[high])
    share = -first / (last - first) if last > first else 1.0
    return float(ends[low] + (ends[high] - ends[low]) * min(max(share, 0.0), 1.0))
