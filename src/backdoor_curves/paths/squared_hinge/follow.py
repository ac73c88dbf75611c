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
from backdoor_curves.paths.linalg.coordinates import Space, coordinates, rows_with_column
from backdoor_curves.paths.squared_hinge.active_set import UPDATES, ActiveSetRun, Piece, Point
from backdoor_curves.paths.squared_hinge.path import SquaredHingePath
from backdoor_curves.paths.squared_hinge.problem import Problem, gradient, inverse_hessian
from backdoor_curves.paths.squared_hinge.series import DEGREE
from backdoor_curves.paths.squared_hinge.start import start
from backdoor_curves.rows import Rows

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
    Z = rows_with_column(space, intercept)
    kept = (u0 > 0.0) | (du > 0.0)
    problem = Problem(Z if kept.all() else Z[kept], y[kept], u0[kept], du[kept])
    edges, W, is_knot, scale = _follow(problem)
    interpolant = panels_at_points(edges, DEGREE, scale)
    knots = interpolant.nodes[::DEGREE][is_knot]
    return SquaredHingePath(panels_at_points(edges, DEGREE, scale, knots), problem, kept, space, W, intercept)


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
