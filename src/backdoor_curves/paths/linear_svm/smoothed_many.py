"""The optimum of the smoothed hinge at beta = 0 where rows are many: Newton's method by a Hessian of the order of w.

    min  |w|^2 / 2 + sum_i u_i h(k_i - y_i f_i),        h(s) = (s + width)^2 / (4 width) within the width of its corner

The Hessian is I + sum u_i / (2 width) phi_i phi_i' over the rows within the width: few, and fewer as it shrinks. The
optimum of a width that is not the last one is only to be near.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve

from backdoor_curves.paths.linalg.rows_in_place import curvature, lifted, sum_of_rows
from backdoor_curves.paths.linear_svm.problem import Problem
from backdoor_curves.paths.linear_svm.smoothed import Smoothed, line_search

SHRINK = 0.3
WIDTHS = 0.5 * SHRINK ** np.arange(13)
"""Of the parabola. The last is 3e-7: within it are the rows of the margin, and others only if they depend on those."""
STEPS = 60
NEAR, NEAREST = 0.1, 1e-3
"""Change of a score, as a share of the width, with which Newton's method ends; and at the last width."""
UNPENALISED = 1e-12
"""What a free intercept's curvature has beside that of rows, as a share of all bounds: there may be none within the
width."""


def smoothed_optimum_of_many(problem: Problem, targets: Float[np.ndarray, " n"]) -> Smoothed:
    """Return the optimum at beta = 0 of ever sharper smoothed hinges, for margins at some scores."""
    v, f = np.zeros(problem.Phi.shape[1] + problem.free), np.zeros(len(problem.y))
    before = v, f
    for width in WIDTHS:
        # As a width shrinks the optimum goes along a line, but where rows leave the band.
        ahead = v + SHRINK * (v - before[0]), f + SHRINK * (f - before[1])
        before = v, f
        v, f = _newton(problem, targets, *ahead, width, NEAREST if width == WIDTHS[-1] else NEAR)
    return Smoothed(f, problem.u0 * _share(problem.y * (targets - f), WIDTHS[-1]))


def _share(slack: Float[np.ndarray, " n"], width: float) -> Float[np.ndarray, " n"]:
    return np.clip((slack + width) / (2.0 * width), 0.0, 1.0)


def _newton(
    problem: Problem,
    targets: Float[np.ndarray, " n"],
    v: Float[np.ndarray, " q"],
    f: Float[np.ndarray, " n"],
    width: float,
    near: float,
) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, " n"]]:
    """Return the optimum for a width, and the scores there, from others; by Newton's method with line search."""
    y, u, free = problem.y, problem.u0, problem.free
    penalty = np.ones(len(v))
    penalty[len(v) - free :] = 0.0
    for _ in range(STEPS):
        slack = y * (targets - f)
        c = y * u * _share(slack, width)
        g = penalty * v - (np.append(lifted(problem.Phi, c), c.sum()) if free else lifted(problem.Phi, c))
        band = np.flatnonzero((np.abs(slack) <= width) & (u > 0.0))
        H = _curvature(problem, band, u[band] / (2.0 * width))
        H[np.diag_indices(len(v))] += np.maximum(penalty, UNPENALISED * u.sum())
        step = -cho_solve(cho_factor(H, overwrite_a=True), g)
        rates = problem.Phi @ step[:-1] + step[-1] if free else problem.Phi @ step
        length = line_search(v, step, penalty, slack, y * rates, u, width)
        v, f = v + length * step, f + length * rates
        if np.abs(length * rates).max() <= near * width:
            break
    return v, f


def _curvature(
    problem: Problem, rows: Int[np.ndarray, " k"], weight: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "q q"]:
    """Return sum_i weight_i phi_i phi_i' over some rows, with a 1 after phi if there is a free intercept."""
    H = curvature(problem.Phi, rows, weight)
    if not problem.free:
        return H
    all_weights = np.zeros(len(problem.y))
    all_weights[rows] = weight
    beside = sum_of_rows(problem.Phi, all_weights, rows)[:, np.newaxis]
    return np.block([[H, beside], [beside.T, weight.sum()]])
