"""Where a linear SVM's path begins: the optimum at beta = 0, from Newton's method for a smoothed hinge, made exact.

The hinge is a parabola within a width of its corner; Newton's method finds that optimum in a few least-squares
problems, columns in units of their size. Its sets have an exact optimum for margins of their own, from which a walk
leads to 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int8
from scipy.linalg import qr, solve_triangular

from backdoor_curves.paths.linear_svm.margin import Margin
from backdoor_curves.paths.linear_svm.problem import BOUND, MARGIN, ZERO, Optimum, Problem, Pull, pull_of
from backdoor_curves.paths.linear_svm.walk import Entering, Stretch, Walk, Way, exchange

WIDTHS = 2.0 * 0.3 ** np.arange(10)
"""Of the parabola. Within the first all rows have curvature, where no penalty to speak of holds a large column; the
last is 4e-5: rows within it begin on the margin, and what is wrong of it is walked off."""
NEWTON_STEPS = 40
NEAR = 1e-6
"""Change of a score with which Newton's method stops: a share of the least width."""
RANK = 1e-15
"""Pivots below this share of the largest are rounding."""
ROOM = 1e-4
"""By how much at most rows on the wrong side are put to the right one, each by another amount: so no ties begin."""


class Smoothed(NamedTuple):
    """The optimum of a smoothed hinge at beta = 0: the scores of the rows, and their duals a."""

    scores: Float[np.ndarray, " n"]
    a: Float[np.ndarray, " n"]


def start(problem: Problem, targets: Float[np.ndarray, " n"], rng: np.random.Generator) -> Stretch:
    """Return the optimum at beta = 0 for margins at some scores; rows that have no bound there count as ZERO."""
    y, u = problem.y, problem.u0
    sets = _first_sets(problem, smoothed_optimum(problem), targets)
    status, found = sets.status, sets.optimum
    scores = problem.Phi @ found.w + found.b
    # Every row on its side of a target of its own.
    room = ROOM * rng.random(len(y))
    own = y * targets
    own = np.where(status == ZERO, np.minimum(own, y * scores - room), own)
    own = np.where(status == BOUND, np.maximum(own, y * scores + room), own)
    own[sets.margin] = (y * scores)[sets.margin]
    way = Way(u, np.zeros_like(u), y * own, targets - y * own, sets.imbalance)
    return Walk(problem, way, status, sets.margin, found.b, rng).to_end()[-1]


class Sets(NamedTuple):
    """Sets of the rows, the optimum that they have, and what a free intercept's balance is off."""

    status: Int8[np.ndarray, " n"]
    margin: list[int]
    optimum: Optimum
    imbalance: float


def _first_sets(problem: Problem, near: Smoothed, targets: Float[np.ndarray, " n"]) -> Sets:
    """Return sets whose duals are within their limits: a row of the margin that is beyond goes to it."""
    y, u, clean = problem.y, problem.u0, np.flatnonzero(problem.u0 > 0.0)
    a, margin = _basic(problem, near.a, clean[(near.a[clean] > 0.0) & (near.a[clean] < u[clean])])
    status = np.where(2.0 * a > u, BOUND, ZERO)
    status[u == 0.0] = ZERO
    status[margin] = MARGIN
    while True:
        if problem.free and len(margin) <= 1:
            return _one_row(problem, near, status, margin, targets)
        rows = np.array(margin, dtype=np.intp)
        found = Margin.of(problem, rows).optimum(pull_of(problem, status, u, targets))
        duals = y[rows] * found.c
        beyond = np.maximum(-duals, duals - u[rows])
        if not (beyond > 0.0).any():
            return Sets(status, margin, found, 0.0)
        j = int(beyond.argmax())
        status[margin.pop(j)] = ZERO if duals[j] < 0.0 else BOUND


def _basic(
    problem: Problem, a: Float[np.ndarray, " n"], between: Int[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " n"], list[int]]:
    """Return duals that make the same w and are at a limit but for independent rows, and these rows.

    Those with most room come first; a row that depends on them goes to its nearer limit, or one of them does.
    """
    a, u, margin = a.copy(), problem.u0, list[int]()
    for row in between[np.argsort(-np.minimum(a, u - a)[between], kind="stable")].tolist():
        rows = np.array(margin, dtype=np.intp)
        z = Margin.of(problem, rows).combination(row, is_one=len(margin) == problem.Phi.shape[1] + problem.free)
        if z is None:
            margin.append(row)
            continue
        up = 2.0 * a[row] > u[row]
        entering = Entering(row, 1.0 if up else -1.0, float(u[row] - a[row] if up else a[row]))
        moved = exchange(problem, rows, z, entering, a[rows], u[rows])
        a[rows] = np.clip(a[rows] + moved.step * moved.rates, 0.0, u[rows])
        a[row] += entering.sign * moved.step
        if moved.leaves is None:
            a[row] = u[row] if up else 0.0
            continue
        leaving = margin[moved.leaves]
        a[leaving] = 0.0 if moved.to == ZERO else u[leaving]
        margin.remove(leaving)
        margin.append(row)
    return a, margin


def _one_row(
    problem: Problem,
    near: Smoothed,
    status: Int8[np.ndarray, " n"],
    margin: list[int],
    targets: Float[np.ndarray, " n"],
) -> Sets:
    """Return sets with one row on the margin, that holds the intercept with half of its bound."""
    y, u, clean = problem.y, problem.u0, np.flatnonzero(problem.u0 > 0.0)
    row = margin[0] if margin else int(clean[np.abs(near.scores - targets)[clean].argmin()])
    status[row] = MARGIN
    pull = pull_of(problem, status, u, targets)
    held = Pull(pull.w, 0.5 * float(y[row] * u[row]), targets)
    return Sets(status, [row], Margin.of(problem, np.array([row])).optimum(held), held.balance - pull.balance)


def smoothed_optimum(problem: Problem) -> Smoothed:
    """Return the optimum at beta = 0 of ever sharper smoothed hinges."""
    Phi, kept = _coordinates(problem.Phi), problem.u0 > 0.0
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
        length = _line_search(v, step, penalty, slack, along, u, width)
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


def _line_search(
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
