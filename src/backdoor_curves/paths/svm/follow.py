"""Support vector machines with the hinge loss: the exact beta-path, for any kernel.

The optimum is piecewise linear in beta; `dual` has the equations and `homotopy` follows it from knot to knot. Here a
path is attempted, in one way after the other, and proven before it is returned as a record (`path`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter

import numpy as np
from jaxtyping import Float

from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.paths.intercept import FREE, Intercept
from backdoor_curves.paths.interpolation.interpolants import SHORTEST
from backdoor_curves.paths.svm.active_set import TIE
from backdoor_curves.paths.svm.corrections import corrections
from backdoor_curves.paths.svm.dual import BOUND, IDLE, MARGIN, ZERO, Number, Problem, Segment, StalledError
from backdoor_curves.paths.svm.homotopy import Homotopy
from backdoor_curves.paths.svm.path import EXTENDED, OPTIMAL, Nodes, NotOptimalError, SVMPath
from backdoor_curves.paths.svm.start import start
from backdoor_curves.rows import Rows, distinct_rows, take_rows

BETWEEN = 4.0
"""By how much the gap in the middle between two nodes counts, as far as it is above theirs: beside it may be more."""
ATTEMPTS = (
    (0.0, None, True),
    (1e-7, None, True),
    (1e-6, None, True),
    (0.0, None, False),
    (0.0, 1.0, True),
    (0.0, 30.0, True),
    (0.0, 1e3, True),
)
"""Ways to follow a path, each for where those before fail: size of the random shifts of the margins that break ties;
for extended precision, a ridge in units of the kernel matrix's noise; whether the start sets dependent rows apart."""
DOUBLE = 4
"""How many of them are in double precision."""
INNER = 50
"""Stretches of a path within one segment of a perturbed one, after which it counts as stalled."""
ENOUGH = 1e-6
"""Bound on the error of the training rows' scores with which no other way is tried: what curves ask for by default."""
CLEAR = 1e-8
"""Rounding of a score that hides no event."""
NEARLY = 1e-4
"""Rows depend on each other, nearly, if less than this share of their squared length is left."""


def svm_path(
    X: Rows,
    y: Float[np.ndarray, " n"],
    u0: Float[np.ndarray, " n"],
    du: Float[np.ndarray, " n"],
    kernel: Kernel,
    intercept: Intercept = FREE,
) -> SVMPath:
    """Return the path of an SVM whose dual bounds are u0 + beta du.

    Parameters
    ----------
    X : rows
        Clean and poison rows.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        C times the row weights: u0 for clean rows (du = 0), du for poison rows (u0 = 0).
    kernel : callable (A, B) -> array of shape (a, b)
        Positive semidefinite.
    intercept : Intercept
        FREE by default.

    Returns
    -------
    SVMPath

    Raises
    ------
    NotOptimalError
        If the conditions of the optimum fail at a node by more than rounding, or ties keep the path from going on, even
        with perturbed margins: as they may where C times the smallest eigenvalue of the margin's kernel matrix is
        beyond double precision. No such path is returned.

    Notes
    -----
    O(n |M| + |M|^2) a knot, M being the margin set. Equal rows with equal labels are merged first: their duals only
    occur as a sum. Besides the kernel matrix little is held: a few |M| x n arrays, and a byte for each row and knot.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.functions import linear
    >>> from backdoor_curves.paths.svm.follow import svm_path
    >>> X, y = np.array([[-1.0], [1.0], [2.0]]), np.array([-1.0, 1.0, -1.0])
    >>> path = svm_path(X, y, np.array([9.0, 9.0, 0.0]), np.array([0.0, 0.0, 9.0]), linear)
    >>> path.scores(X[:2], np.array([0.0]))
    array([[-1.,  1.]])
    """
    group, unit = np.arange(len(y)), u0 + du
    if _may_repeat(X):
        representatives, group = distinct_rows(X, y)
        X, y = take_rows(X, representatives), y[representatives]
        u0, du = (np.bincount(group, weights=u) for u in (u0, du))
    problem = Problem(kernel(X, X), y, u0, du, intercept)
    failures: list[RuntimeError] = []
    best: tuple[float, SVMPath] | None = None
    small = len(problem.y) <= EXTENDED
    for size, ridge, apart in ATTEMPTS if small else ATTEMPTS[:DOUBLE]:
        try:
            segments, is_sure = _follow(problem, size, ridge, apart)
            path = SVMPath(X, kernel, group, unit, problem, _nodes(segments, problem), size)
            enough = OPTIMAL / 10 if small else OPTIMAL
            plain = not size and ridge is None and _distance(path, enough).max() <= enough
            if not plain:
                path = _refined(path, everywhere=ridge is not None)
                _require_optimal(path)
        except (StalledError, NotOptimalError) as failure:
            failures.append(failure)
        else:
            if is_sure or not small or (doubt := _doubt(path)) <= ENOUGH:
                return path
            best = min(best or (doubt, path), (doubt, path), key=itemgetter(0))
    if best:
        return best[1]
    raise NotOptimalError(f"{failures[0]}; raise lambda, remove repeated rows or rescale the features") from failures[0]


def _may_repeat(X: Rows) -> bool:
    """Return whether some rows may be equal: for arrays, whether two have the same sum with random weights."""
    if not isinstance(X, np.ndarray) or X.dtype.kind != "f" or X.ndim != 2:
        return True
    weights = np.random.default_rng(0).random(X.shape[1])
    sums, largest = np.sort(X @ weights), float(np.linalg.norm(X))  # no entry is larger, and it takes one look
    rounding = 2 * X.shape[1] * np.finfo(X.dtype).eps * largest * float(weights.sum())
    return bool((np.diff(sums) <= rounding).any())


def _follow(problem: Problem, size: float, ridge: float | None, apart: bool) -> tuple[list[Segment], bool]:
    """Return the segments of the path, the last one a point at beta = 1; on the way margins are off by up to `size`.

    And whether none of its events may be missing: by a perturbation, by the rounding of large bounds, or by rows of the
    margin that nearly depend on each other.
    """
    n = len(problem.y)
    perturbation = size * np.random.default_rng(5).random(n)
    if ridge is None:
        homotopy = start(problem, perturbation, apart)
    else:
        near, problem = problem, problem.extended(ridge * problem.noise)
        try:
            point, h = start(near, perturbation).point, problem.y * (1.0 + perturbation)
            homotopy = Homotopy(problem, point.a.astype(h.dtype), point.b, point.status, h, problem.u0)
            homotopy.repair()
        except StalledError:
            homotopy = start(problem, perturbation)
    point = homotopy.point
    waiting = np.flatnonzero(point.status == IDLE)
    point.status[waiting] = np.where(problem.y[waiting] * point.e[waiting] < 0.0, BOUND, ZERO)
    segments = [*homotopy.follow(np.zeros(n), problem.du), homotopy.here(1.0)]
    rounding = float(np.finfo(float).eps * problem.scale * problem.bounds(1.0).sum())
    is_clear = rounding <= CLEAR and float(homotopy.margin.least) >= NEARLY
    if not size:
        return segments, is_clear
    ends = [segment.start for segment in segments[1:]] + [1.0]
    pairs = zip(segments, ends, strict=True)
    return [part for segment, end in pairs for part in _unperturbed(problem, segment, end, perturbation)], False


def _unperturbed(
    problem: Problem, segment: Segment, end: Number, perturbation: Float[np.ndarray, " n"]
) -> list[Segment]:
    """Return a segment for margins 1: at its start by the same homotopy in h at a fixed beta, then on to its end.

    The events of the two paths are not the same, so that one segment may become several; of a path that stalls the
    first is kept.
    """
    u, off = problem.bounds(segment.start), problem.y * perturbation
    homotopy = Homotopy(problem, segment.duals(np.arange(len(u)), u), segment.b, segment.status, problem.y + off, u)
    homotopy.follow(-off, np.zeros_like(u))
    first, length = homotopy.here(segment.start), end - segment.start
    if not length > 0.0:
        return [first]
    homotopy.limit = homotopy.stretches + INNER
    try:
        inner = homotopy.follow(np.zeros_like(u), length * problem.du)
    except StalledError:
        return [first]
    later = [part._replace(start=segment.start + length * part.start) for part in inner if part.start > 0.0]
    return [first, *later]


def _nodes(segments: Sequence[Segment], problem: Problem) -> Nodes:
    """Return a node for the start of each segment; two at one beta are a jump, which at 0 has its right limit only."""
    kept: list[Segment] = []
    for segment in map(problem.rounded, segments):
        same = [before for before in kept[-2:] if before.start == segment.start]
        # Only an empty margin leaves a free intercept to jump.
        jumps = problem.free and len(same) == 1 and not same[0].margin.size and same[0].b != segment.b
        if jumps and segment.start <= TIE:  # at 0, wherever rounding has put it
            kept, segment = [], segment._replace(start=0.0)
        elif same and not jumps:
            kept.pop()
        kept.append(segment)
    return Nodes(
        betas=np.array([segment.start for segment in kept]),
        b=np.array([segment.b for segment in kept]),
        status=np.array([segment.status for segment in kept]),
        margin_duals=[segment.a[segment.margin.argsort()] for segment in kept],
    )


def _distance(path: SVMPath, enough: float) -> Float[np.ndarray, " k"]:
    """Return by how much the nodes miss the conditions of the optimum, in the units of `OPTIMAL`."""
    return np.maximum(path.nodal_gap(enough), path._all.outside() / path.problem.bounds(1.0).max())


def _doubt(path: SVMPath) -> float:
    """Return how far the scores of the training rows may be off, at the nodes and between them: infinite if unknown."""
    return float(path.score_bound(_with_middles(path.at.betas), path.X).max())


def _with_middles(nodes: Float[np.ndarray, " k"]) -> Float[np.ndarray, " b"]:
    """Return the betas of the nodes, and after them those in the middle between two."""
    return np.append(nodes, (nodes[:-1] + nodes[1:]) / 2)


def _corrected(path: SVMPath) -> Nodes:
    """Return the nodes without the residual of the margin, summed up in extended precision, where limits allow it."""
    at, problem = path.at, path.problem
    # A node keeps its sets: what a row outside its margin were corrected by would be lost.
    lacking = corrections(path._all, at.status, events=0)
    A = path.nodal_duals + problem.y * lacking.c
    inside = ((A >= 0.0) & (problem.u0 + np.outer(at.betas, problem.du) >= A)).all(axis=1)
    duals = [a[s == MARGIN] if i else d for a, s, i, d in zip(A, at.status, inside, at.margin_duals, strict=True)]
    return replace(at, b=at.b + np.where(inside, lacking.b, 0.0), margin_duals=duals)


def _refined(path: SVMPath, everywhere: bool) -> SVMPath:
    """Return the path with nodes that extended precision has made optimal: all, or those that are not.

    Where it would cost too much, without the residual of the margin alone.
    """
    at, duals = path.at, path.nodal_duals
    b, status, margin_duals = at.b.copy(), at.status.copy(), list(at.margin_duals)
    distance = _distance(path, OPTIMAL / 10)
    off = np.flatnonzero((distance > OPTIMAL / 10) | everywhere)
    if not path.can_be_refined(off).size:
        return replace(path, at=_corrected(path)) if (distance > OPTIMAL).any() else path
    for k in off:
        try:
            best = path.refinement.optimum(at.betas[k], duals[k], b[k], status[k])
        except StalledError:
            if distance[k] > OPTIMAL:
                raise
            continue
        b[k], status[k] = best.b, best.status
        margin_duals[k] = best.a[best.status == MARGIN].astype(float)
    return replace(path, at=replace(at, b=b, status=status, margin_duals=margin_duals))


def _require_optimal(path: SVMPath) -> None:
    """Raise unless every node meets the conditions of the optimum, and the middle between two nodes."""
    nodes, outside = path.at.betas, path._all.outside() / path.problem.bounds(1.0).max()
    betas = _with_middles(nodes)
    worst = path.gap(betas, enough=OPTIMAL / BETWEEN)
    at, middle = worst[: len(nodes)], worst[len(nodes) :]
    # What the nodes have too is rounding, and between two nodes at one beta is nothing else.
    beside = (BETWEEN - 1.0) * (np.diff(nodes) > SHORTEST)
    middle += beside * np.maximum(middle - np.maximum(at[:-1], at[1:]), 0.0)
    np.maximum(at, outside, out=at)
    if worst.max() > OPTIMAL:
        raise NotOptimalError(f"the path is off by {worst.max():.0e} at beta = {betas[worst.argmax()]:g}")
