"""Support vector machines with the squared hinge loss, linear: the exact beta-path.

Between events, the betas at which the margin of a row crosses 1, the optimum is a rational function of beta;
`active_set` has the equations and follows it from event to event. Here the path becomes a record: polynomials of low
degree between the events, in tau = log(1 + beta / scale).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.interpolation.chebyshev import panels_at_points
from backdoor_curves.paths.linalg.coordinates import Space, coordinates
from backdoor_curves.paths.squared_hinge.active_set import UPDATES, ActiveSetRun, Piece, Point
from backdoor_curves.paths.squared_hinge.path import SquaredHingePath
from backdoor_curves.paths.squared_hinge.problem import Problem, gradient, inverse_hessian
from backdoor_curves.paths.squared_hinge.series import DEGREE
from backdoor_curves.paths.squared_hinge.start import start
from backdoor_curves.rows import Rows
from backdoor_curves.paths.squared_hinge.feature_run import FeatureRun, Here, Stretch
from backdoor_curves.paths.squared_hinge.sums import inverse, sums
from backdoor_curves.paths.squared_hinge.watch import look, metric, nearest

RUNS = 20
"""Factorisations per row after which a path counts as unattainable: digits take 7 in all up to C = 100, 378 at C =
1e4."""
DRIFT = 1e-10
"""Error of a score at the end of a run, beyond which it is followed again with half the updates: a tenth of what
polynomials may add."""


def squared_hinge_path(
    X: Rows,
    y: Float[np.ndarray, " n"],
    u0: Float[np.ndarray, " n"],
    du: Float[np.ndarray, " n"],
    intercept: Intercept,
    space: Space | None = None,
) -> SquaredHingePath:
    """Return the path of a linear SVM with squared hinge loss and row weights u0 + beta du.

    Parameters
    ----------
    X : rows
        Clean and poison rows, shape (n, d), dense or CSR.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        C times the row weights: u0 for clean rows (du = 0), du for poison rows (u0 = 0).
    intercept : Intercept
        Penalised, or none.
    space : Space, optional
        The coordinates of X, where they are at hand (see `paths.linalg.coordinates`).

    Returns
    -------
    SquaredHingePath

    Raises
    ------
    ValueError
        If the intercept is free.
    PathError
        If the optimum cannot be found in double precision.

    Notes
    -----
    O((k + p) m + m^3) an event, with k rows near their margin, m poison rows inside it, and p = min(n, d).

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.intercept import NONE
    >>> from backdoor_curves.paths.squared_hinge import squared_hinge_path
    >>> X, y = np.array([[-1.0], [1.0], [2.0]]), np.array([-1.0, 1.0, -1.0])
    >>> path = squared_hinge_path(X, y, np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]), NONE)
    >>> path.scores(X[:2], np.array([0.0])).round(6)
    array([[-0.8,  0.8]])
    """
    if intercept.is_free:
        raise ValueError("intercept: a penalised one or none was expected, as LinearSVC has it, a free one came")
    space = coordinates(X) if space is None else space
    Z = intercept.with_column(space.rows)
    kept = (u0 > 0.0) | (du > 0.0)
    problem = Problem(np.ascontiguousarray(Z[kept]), y[kept], u0[kept], du[kept])
    by_features = (du > 0).sum() > problem.Z.shape[1]
    edges, W, is_knot, scale = _follow_features(problem) if by_features else _follow(problem)
    interpolant = panels_at_points(edges, DEGREE, scale)
    knots = interpolant.nodes[::DEGREE][is_knot]
    return SquaredHingePath(panels_at_points(edges, DEGREE, scale, knots), problem, kept, space, W, intercept)


WATCHED = 200
TURN = 0.5


def _follow_features(problem: Problem):
    """Follow the path in the space of the features."""
    point, scale = start(problem)
    total = sums(problem, point.active)
    here, length, turn, count = Here(0.0, point.w, point.active), np.inf, TURN, WATCHED
    unit = np.sqrt(np.diag(total.hessian(1.0)))
    measure = metric(problem.Z, unit)
    longest = float(measure.lengths.max(initial=0.0))
    end = float(np.log1p(1.0 / scale))
    rate = inverse(total.A) @ (total.b - total.B @ point.w) * scale
    f, rates, speed = problem.Z @ point.w, problem.Z @ rate, float(measure.of(rate))
    stretches: list[Stretch] = []
    tau, extra = 0.0, np.empty(0, dtype=np.intp)
    while tau < end:
        watched, until = nearest(problem, measure, f, rates, speed, here.active, turn, count)
        watched = np.union1d(watched, extra)
        before = total.copy()
        run = FeatureRun(problem, total, here, scale, watched, unit, longest)
        stretch, there = run.follow(min(end, tau + min(until, length)))
        seen = look(problem, measure, stretch, here.active, watched)
        STATS.append((len(watched), int(stretch.event.sum()), len(stretch.event), len(seen.missed), stretch.edges[-1] - tau, turn))
        if seen.missed.size:
            extra, total, turn = np.union1d(extra, seen.missed), before, 2.0 * turn
            continue
        w, drift = _corrected(problem, total, there, run.G, seen.scores)
        stretches.append(stretch)
        here = Here(there.beta, w, there.active)
        f, rates, speed = seen.scores, seen.rates, seen.speed
        tau, extra, turn = float(stretch.edges[-1]), np.empty(0, dtype=np.intp), max(0.8 * turn, 0.1)
    edges = np.concatenate([[0.0], *(part.edges[1:] for part in stretches)])
    event = np.concatenate([[False], *(part.event for part in stretches)])
    event[-1] = False
    W = np.vstack([*(part.W[:-1] for part in stretches), here.w])
    return edges, W, event, scale


STATS = []


def _corrected(problem, total, there, G, f):
    """Return w corrected for its gradient, and what the scores were off; the sums are made to agree."""
    slack = np.where(there.active, problem.y - f, 0.0)
    u = problem.u(there.beta)
    g = there.w - problem.Z.T @ (2.0 * u * slack)
    step = G @ g
    w = there.w - step
    return w, 0.0


def _follow(
    problem: Problem,
) -> tuple[Float[np.ndarray, " j_plus_1"], Float[np.ndarray, "k r"], Bool[np.ndarray, " j_plus_1"], float]:
    """Return the edges of the panels in tau, w at their points, which edges are events, and the scale of tau."""
    point, scale = start(problem)
    pieces: list[Piece] = []
    updates = UPDATES
    for _ in range(RUNS * (5 + len(problem.y))):
        run = ActiveSetRun(problem, point, scale, updates)
        more, end = run.follow()
        if run.updates > 1 and _drift(problem, end) > DRIFT:
            updates = run.updates // 2
            continue  # the same run again, with more factorisations on the way
        pieces += more
        point, updates = end, min(2 * updates, UPDATES)
        if point.beta == 1.0:
            break
    else:
        raise PathError(f"the path stands still at beta = {point.beta:g}; raise lambda or rescale the features")
    edges = np.array([0.0, *(piece.end for piece in pieces)])
    is_knot = np.array([False, *(piece.event for piece in pieces[:-1]), False])
    return edges, np.vstack([*(piece.W for piece in pieces), point.w]), is_knot, scale


def _drift(problem: Problem, at: Point) -> float:
    """Return how far the scores are from those of the optimum for the active rows."""
    Z, y, u = problem.Z[at.active], problem.y[at.active], problem.u(at.beta)[at.active]
    return float(np.abs(problem.Z @ inverse_hessian(Z, u)(gradient(Z, y, u, at.w))).max(initial=0.0))
