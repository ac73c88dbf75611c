"""Logistic regression: the beta-path to a stated accuracy.

    P(w, beta) = 1/2 w'R w + sum_i u_i(beta) log(1 + exp(-y_i f_i)),    f = Z w,    u(beta) = u0 + beta du

Z is X with a column for the intercept; R is the identity, but for a 0 where the intercept is free. `problem` has this
objective, `anchors` follows its optimum, and `path` is its record with a certificate.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.intercept import FREE, Intercept
from backdoor_curves.paths.interpolation.chebyshev import compressed
from backdoor_curves.paths.linalg.coordinates import Space, coordinates, rows_with_column
from backdoor_curves.paths.linalg.units import units
from backdoor_curves.paths.logistic.anchors import DEGREE, SHARP, follow, taylor
from backdoor_curves.paths.logistic.path import LogisticPath
from backdoor_curves.paths.logistic.problem import Factor, Problem, newton
from backdoor_curves.rows import Rows


def logistic_path(
    X: Rows,
    y: Float[np.ndarray, " n"],
    u0: Float[np.ndarray, " n"],
    du: Float[np.ndarray, " n"],
    intercept: Intercept = FREE,
    tolerance: float = 1e-6,
    space: Space | None = None,
) -> LogisticPath:
    """Return the path of L2-regularised logistic regression with row weights u0 + beta du.

    Parameters
    ----------
    X : rows
        Clean and poison rows, shape (n, d).
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        C times the row weights: u0 for clean rows (du = 0), du for poison rows (u0 = 0).
    intercept : Intercept
        FREE by default.
    tolerance : float
        What a score of a training row may be off, about; a certificate tells what it is.
    space : Space, optional
        The coordinates of X, where they are at hand (see `paths.linalg.coordinates`).

    Returns
    -------
    LogisticPath

    Raises
    ------
    PathError
        If the optimum cannot be found in double precision, or if there is none: a free intercept needs clean rows of
        both classes.

    Notes
    -----
    About O(n p^2) an anchor, p = min(n, d), in single precision for the most part; MNIST pairs take 3 to 6 anchors at
    C = 0.1 and 12 to 19 at C = 100.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.logistic import logistic_path
    >>> X, y = np.array([[-1.0], [1.0], [2.0]]), np.array([-1.0, 1.0, -1.0])
    >>> path = logistic_path(X, y, np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    >>> path.scores(X[:2], np.array([0.0])).round(6)
    array([[-0.674832,  0.674832]])
    """
    if intercept.is_free and len(np.unique(y[u0 > 0.0])) < 2:
        raise PathError(
            "a free intercept has no optimum at beta = 0: clean rows of both classes were expected, one came"
        )
    space = coordinates(X) if space is None else space
    scaled = units(space.rows, about_mean=intercept.is_free)
    rows = scaled.of(space.rows)
    Z = rows_with_column(space, intercept) if rows is space.rows else intercept.with_column(rows)
    problem = Problem(Z, y, u0, du, np.append(scaled.penalty, intercept.penalty))
    start = newton(problem, np.zeros(problem.Z.shape[1]), 0.0, SHARP * tolerance)
    scale = _scale(problem, *start[1:])
    edges, values = follow(problem, start, scale, tolerance)
    longest = float(np.sqrt(problem.squares.max()))
    interpolant, kept = compressed(edges, DEGREE, scale, values, SHARP * tolerance / max(longest, 1e-300))
    return LogisticPath(interpolant, problem, space, scaled, values[kept].T.copy(), intercept)


def _scale(problem: Problem, f: Float[np.ndarray, " n"], factor: Factor) -> float:
    """Return the beta by which the score of some poison row would move by 1, at the speed it has at beta = 0."""
    (speed,) = taylor(problem, f, 0.0, 1.0, factor, order=1).T
    return 1.0 / max(float(np.abs(problem.Z[problem.du > 0.0] @ speed).max(initial=0.0)), 1.0)
