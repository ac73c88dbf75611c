"""Linear SVMs with the hinge, in the space of their features: the exact beta-path, without a kernel matrix.

The path is that of `paths.svm`. A kernel matrix adds up what the features say and loses the small ones beside the
large; here each feature keeps its own digits (`margin`), so that raw columns of any sizes can be followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from scipy.linalg import LinAlgError

from backdoor_curves.paths.intercept import FREE, Intercept
from backdoor_curves.paths.linalg.rows_in_place import RowsInPlace, parts_of
from backdoor_curves.paths.linear_svm.many import are_many, nodes_of_many
from backdoor_curves.paths.linear_svm.optimality import ULPS, on_wrong_side
from backdoor_curves.paths.linear_svm.path import LinearSVMPath, Place
from backdoor_curves.paths.linear_svm.problem import Problem
from backdoor_curves.paths.linear_svm.sets import Nodes, Trail
from backdoor_curves.paths.linear_svm.smoothed import smoothed_optimum
from backdoor_curves.paths.linear_svm.start import start
from backdoor_curves.paths.linear_svm.walk import Stretch, Walk, Way
from backdoor_curves.paths.svm.dual import BOUND, ZERO, StalledError
from backdoor_curves.paths.svm.path import NotOptimalError
from backdoor_curves.rows import Rows, distinct_rows, take_rows

SHIFTS = (0.0, 1e-12, 1e-11, 1e-10)
"""Sizes of random shifts of margins and bounds, as a share of both, each for where those before are too small to break
ties: above the rounding of a score. The nodes are those without shifts."""
MOVED = 1e-6
"""By how much an event may move with the shifts: what moves by more was not moved by them, but by rounding."""
OPTIMAL = 1e-9
"""By how much a condition of the optimum may fail at a node: for duals as a share of the largest bound."""
MEND = "raise lambda, remove repeated rows or rescale the features"
CAREFUL = 2**20
"""Numbers of which a careful walk may consist: it looks at all of them at each knot, and keeps the set of each row."""
AT_MOST = 1e-5
"""By how much at most, however fast scores move: an event that was missed is off by more."""


def linear_svm_path(
    X: Rows,
    y: Float[np.ndarray, " n"],
    u0: Float[np.ndarray, " n"],
    du: Float[np.ndarray, " n"],
    intercept: Intercept = FREE,
) -> LinearSVMPath:
    """Return the path of a linear SVM whose dual bounds are u0 + beta du.

    Parameters
    ----------
    X : rows
        Clean and poison rows. Where they are many for their features they stay as they are: sparse or dense, in single
        or double precision, in memory or in a file. Else they are made dense, in double precision.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        C times the row weights: u0 for clean rows (du = 0), du for poison rows (u0 = 0).
    intercept : Intercept
        FREE by default.

    Returns
    -------
    LinearSVMPath

    Raises
    ------
    NotOptimalError
        If ties keep the path from going on, or a node misses the conditions of the optimum by more than rounding.

    Notes
    -----
    O(n d + d m^2) a knot, m <= d + 1 being the rows of the margin; of many rows O(d m) a knot, and O(n d) for some
    hundreds of them (see `screened`). Equal rows with equal labels are merged first.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.linear_svm.follow import linear_svm_path
    >>> X, y = np.array([[-1e9], [1e9], [2e9]]), np.array([-1.0, 1.0, -1.0])
    >>> path = linear_svm_path(X, y, np.array([9.0, 9.0, 0.0]), np.array([0.0, 0.0, 9.0]))
    >>> path.scores(X[:2], np.array([0.0])).round(12)
    array([[-1.,  1.]])
    """
    representatives, group = distinct_rows(X, y)
    if len(representatives) < len(y):
        X, y = take_rows(X, representatives), y[representatives]
    unit, (u0, du) = u0 + du, (np.bincount(group, weights=u) for u in (u0, du))
    place = Place(_centre(X) if intercept.is_free else np.zeros(X.shape[1]), intercept)
    if are_many(X):
        problem = Problem(place.in_place(X), y, u0, du, intercept.is_free)
        try:
            return LinearSVMPath(problem, place, group, unit, nodes_of_many(problem))
        except (NotOptimalError, StalledError, LinAlgError) as failure:
            if X.shape[0] * X.shape[1] > CAREFUL:
                raise NotOptimalError(f"{failure}; {MEND}") from failure
    problem = Problem(place.of(X), y, u0, du, intercept.is_free)
    return LinearSVMPath(problem, place, group, unit, _nodes_of_few(problem))


def _nodes_of_few(problem: Problem) -> Nodes:
    failures: list[Exception] = []
    for shift in SHIFTS:
        try:
            return _nodes(problem, _stretches(problem, shift))
        except (StalledError, NotOptimalError, LinAlgError) as failure:
            failures.append(failure)
    raise NotOptimalError(f"{failures[0]}; {MEND}")


def _centre(X: Rows) -> Float[np.ndarray, " d"]:
    """Return about the mean of the rows: the multiple of the largest power of 2 within each column's spread.

    Whole numbers stay whole about it, and rows that depend on each other stay so, to the last digit.
    """
    rows, total = RowsInPlace(X, None, ()), np.zeros(X.shape[1])
    first = rows[0]
    low, high = first.copy(), first.copy()
    for part in parts_of(rows):
        np.minimum(low, part.min(axis=0), out=low)
        np.maximum(high, part.max(axis=0), out=high)
        total += part.sum(axis=0)
    spread, mean = high - low, total / len(rows)
    unit = np.exp2(np.floor(np.log2(np.where(spread > 0.0, spread, 1.0))))
    return np.where(spread > 0.0, np.round(mean / unit) * unit, first)


def _stretches(problem: Problem, shift: float) -> list[Stretch]:
    """Return the optimum from beta = 0 to 1, at the events that it has with shifts."""
    rng = np.random.default_rng(5)
    of_margins, of_bounds = 1.0 + shift * rng.random((2, len(problem.y)))
    shifted = replace(problem, u0=problem.u0 * of_bounds, du=problem.du * of_bounds)
    targets = problem.y * of_margins
    begin = start(shifted, targets, rng, smoothed_optimum(shifted))
    excess = problem.y * (problem.Phi @ begin.optimum.w + begin.optimum.b - targets)
    status = np.where(problem.u0 > 0.0, begin.status, np.where(excess < 0.0, BOUND, ZERO)).astype(np.int8)
    way = Way(shifted.u0, shifted.du, targets, np.zeros_like(targets))
    found = Walk(shifted, way, status, begin.rows.tolist(), begin.optimum.b, rng).to_end()
    return _without_shifts(problem, found) if shift else found


def _without_shifts(problem: Problem, shifted: Sequence[Stretch]) -> list[Stretch]:
    """Return the same sets, one after the other, for the problem as it is: with its optima, and its events."""
    way, t, found = Way(problem.u0, problem.du, problem.y, np.zeros_like(problem.y)), 0.0, []
    for stretch, after in pairwise([*shifted, shifted[-1]]):
        found.append(stretch.for_problem(problem, way, t))
        event = found[-1].event
        own = t if event is None else t + event.after
        t = max(t, own if abs(own - after.t) <= MOVED else after.t)
    return found


def _nodes(problem: Problem, stretches: Sequence[Stretch]) -> Nodes:
    """Return a node for each stretch, of several at one beta for the last.

    Only an empty margin leaves a free intercept to jump: then there are two, but at 0, which has its right limit only.
    """
    kept: list[Stretch] = []
    for stretch in stretches:
        same = [before for before in kept[-2:] if before.t == stretch.t]
        jumps = problem.free and len(same) == 1 and not same[0].rows.size and same[0].optimum.b != stretch.optimum.b
        if same and not (jumps and stretch.t > 0.0):
            kept.pop()
        kept.append(stretch)
    tolerance = min(OPTIMAL + ULPS * max(stretch.pace for stretch in stretches), AT_MOST)
    for stretch in kept:
        _require_optimal(problem, stretch, tolerance)
    trail = Trail(problem.free)
    for stretch in kept:
        trail.add(stretch.t, stretch.optimum.w, stretch.optimum.b, stretch.status, stretch.rows)
    return trail.nodes()


def _require_optimal(problem: Problem, stretch: Stretch, tolerance: float) -> None:
    """Raise unless duals are within their limits and rows on their side, to a tolerance.

    Both hold at the ends of a stretch, and so between them: they are linear there.
    """
    rows, found, u = stretch.rows, stretch.optimum, problem.bounds(stretch.t)
    duals, excess = problem.y[rows] * found.c, problem.y * (problem.Phi @ found.w + found.b) - 1.0
    beyond = np.maximum(-duals, duals - u[rows]).max(initial=0.0) / problem.bounds(1.0).max()
    wrong = on_wrong_side(stretch.status, excess)[problem.u0 + problem.du > 0.0].max(initial=0.0)
    if not max(beyond, wrong) <= tolerance:
        raise NotOptimalError(f"the path is off by {max(beyond, wrong):.0e} at beta = {stretch.t:g}")
