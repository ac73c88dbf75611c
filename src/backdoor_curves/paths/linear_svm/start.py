"""Where a linear SVM's path begins: the optimum at beta = 0, from Newton's method for a smoothed hinge, made exact.

The hinge is a parabola within a width of its corner; Newton's method finds that optimum in a few least-squares
problems, columns in units of their size. Its sets have an exact optimum for margins of their own, from which a walk
leads to 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int8

from backdoor_curves.paths.linear_svm.margin import Margin, are_independent
from backdoor_curves.paths.linear_svm.problem import Optimum, Problem, Pull, pull_of
from backdoor_curves.paths.linear_svm.smoothed import Smoothed
from backdoor_curves.paths.linear_svm.walk import Entering, Stretch, Walk, Way, exchange
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, ZERO

ROOM = 1e-4
"""By how much at most rows on the wrong side are put to the right one, each by another amount: so no ties begin."""


def start(
    problem: Problem, targets: Float[np.ndarray, " n"], rng: np.random.Generator, near: Smoothed, room: float = ROOM
) -> Stretch:
    """Return the optimum at beta = 0 for margins at some scores; rows that have no bound there count as ZERO.

    It begins with an optimum of the smoothed hinge, and puts rows on their side by `room` at most.
    """
    y, u = problem.y, problem.u0
    sets = _first_sets(problem, near, targets)
    status, found = sets.status, sets.optimum
    scores = problem.Phi @ found.w + found.b
    # Every row on its side of a target of its own.
    beside = room * rng.random(len(y))
    own = y * targets
    own = np.where(status == ZERO, np.minimum(own, y * scores - beside), own)
    own = np.where(status == BOUND, np.maximum(own, y * scores + beside), own)
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
    status = np.where(2.0 * a > u, BOUND, ZERO).astype(np.int8)
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
    between = between[np.argsort(-np.minimum(a, u - a)[between], kind="stable")]
    if are_independent(problem, between):
        return a, between.tolist()
    for row in between.tolist():
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
