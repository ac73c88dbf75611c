"""Support vector machines with the squared hinge loss, linear: the exact beta-path.

Between events, the betas at which the margin of a row crosses 1, the optimum is a rational function of beta;
`poison_run` and `feature_run` follow it from event to event, `walk` from one look at all rows to the next. Here the
path becomes a record: polynomials of low degree between the events, in tau = log(1 + beta / scale).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.interpolation.chebyshev import panels_at_points
from backdoor_curves.paths.linalg.coordinates import Space, coordinates, rows_with_column
from backdoor_curves.paths.linalg.rows_in_place import RowsInPlace
from backdoor_curves.paths.squared_hinge.path import SquaredHingePath
from backdoor_curves.paths.squared_hinge.problem import Problem
from backdoor_curves.paths.squared_hinge.series import DEGREE
from backdoor_curves.paths.squared_hinge.start import start
from backdoor_curves.paths.squared_hinge.thin import PARABOLA, as_parabolas
from backdoor_curves.paths.squared_hinge.walk import Walk
from backdoor_curves.rows import Rows

LARGE = 2**26
"""Bytes of rows (64 MiB) beyond which they are left where they are: a copy with the intercept's column is little faster
to use, and as large."""


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
    With p = min(n, d) and k rows watched: O(p^2 + k p) an event where more than p rows are poison, else
    O(k m + m^3) with m poison rows inside their margin; O(n p) a look at all rows, one for some hundred events.

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
    kept = (u0 > 0.0) | (du > 0.0)
    is_large = space.rows.nbytes > LARGE
    Z = RowsInPlace(space.rows, None, intercept.column) if is_large else rows_with_column(space, intercept)
    Z = Z if kept.all() else Z[np.flatnonzero(kept)]
    problem = Problem(Z, y[kept], u0[kept], du[kept])
    walk = Walk(problem, start(problem))
    path, degree = walk.all_stretches(), DEGREE
    if walk.in_features and (thin := as_parabolas(path, walk.reach)):
        path, degree = thin, PARABOLA
    ends = panels_at_points(path.edges, degree, walk.scale).nodes[degree::degree]
    knots = ends[path.event & (path.edges[1:] < walk.end)]
    interpolant = panels_at_points(path.edges, degree, walk.scale, knots)
    return SquaredHingePath(interpolant, problem, kept, space, path.W, intercept)
