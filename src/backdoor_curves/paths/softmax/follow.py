"""Softmax regression: the beta-path to a stated accuracy.

    P(W, beta) = 1/2 |W|^2 + sum_i u_i(beta) (logsumexp(f_i) - f_i[y_i]),    f_i = W x_i + b,    u(beta) = u0 + beta du

`problem` has this objective in coordinates of its own (`axes`), `newton` its optimum at some betas, `halving` the nodes
between which polynomials will do, and `path` is the record with a certificate.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.intercept import FREE, NONE, Intercept
from backdoor_curves.paths.interpolation.lagrange import NearestNodes
from backdoor_curves.paths.linalg.coordinates import Space, coordinates
from backdoor_curves.paths.softmax.axes import principal_axes
from backdoor_curves.paths.softmax.halving import ACCURATE, Halving
from backdoor_curves.paths.softmax.newton import optima, solve
from backdoor_curves.paths.softmax.path import SoftmaxPath
from backdoor_curves.paths.softmax.preconditioner import Preconditioners
from backdoor_curves.paths.softmax.problem import Problem, Scores, probabilities, rate_of_gradient
from backdoor_curves.rows import Rows

FEW = 200
"""Unknowns whose products take as long in double precision as in single: what takes time is to call them."""
ROUGH_SPEED = 1e-2
"""Accuracy of the speed at beta = 0: it sets a unit."""


def softmax_path(
    X: Rows,
    y: Int[np.ndarray, " n"],
    K: int,
    u0: Float[np.ndarray, " n"],
    du: Float[np.ndarray, " n"],
    intercept: Intercept = FREE,
    tolerance: float = 1e-6,
    space: Space | None = None,
) -> SoftmaxPath:
    """Return the path of L2-regularised softmax regression with row weights u0 + beta du.

    Parameters
    ----------
    X : rows
        Clean and poison rows, shape (n, d).
    y : int array of shape (n,)
        Their classes, in [0, K).
    K : int
        The number of classes, >= 2.
    u0, du : arrays of shape (n,)
        C times the row weights: u0 for clean rows (du = 0), du for poison rows (u0 = 0).
    intercept : Intercept
        FREE by default, or NONE.
    tolerance : float
        What a score of a training row may be off, about; a certificate tells what it is.
    space : Space, optional
        The coordinates of X, where they are at hand (see `paths.linalg.coordinates`).

    Returns
    -------
    SoftmaxPath

    Raises
    ------
    ValueError
        If the intercept is penalised: no solver of a softmax has such a one.
    PathError
        If the optimum cannot be found in double precision, or if there is none: free intercepts need clean rows of all
        classes.

    Notes
    -----
    Some 20 pairs of products with the rows a node, in single precision for the most part; ten classes of MNIST take 100
    nodes at C = 1, and 220 at C = 100. With two classes it is logistic regression with half of lambda.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.softmax import softmax_path
    >>> X, y = np.array([[-1.0], [0.0], [1.0], [2.0]]), np.array([0, 1, 2, 0])
    >>> path = softmax_path(X, y, 3, np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))
    >>> path.scores(X[:3], np.array([0.0])).round(4) + 0.0
    array([[[ 0.5832,  0.0805, -0.6637],
            [-0.0402,  0.0805, -0.0402],
            [-0.6637,  0.0805,  0.5832]]])
    """
    if intercept not in (FREE, NONE):
        raise ValueError(f"intercept: a free one or none was expected of a softmax, a {intercept} one came")
    if intercept.is_free and len(missing := np.setdiff1d(np.arange(K), y[u0 > 0.0])):
        raise PathError(
            f"free intercepts have no optimum at beta = 0: clean rows of all {K} classes were expected, none of class "
            f"{missing[0]} came"
        )
    space = coordinates(X) if space is None else space
    axes = principal_axes(space.rows, about_mean=intercept.is_free)
    rows, R = axes.of(space.rows), np.append(intercept.penalty, axes.penalty)
    Z = np.column_stack([np.ones((len(rows), len(intercept.column))), rows])
    # What is in units of its own may be nearly dependent, and is solved in double precision; so is what costs nothing.
    problem = Problem(Z, y, K, u0, du, R, np.float64 if axes.Q is None or K * Z.shape[1] <= FEW else np.float32)
    known, zero = Preconditioners(problem), np.zeros(1)
    start = optima(problem, np.zeros((K, 1, Z.shape[1])), zero, zero, ACCURATE * tolerance, known)
    scale = _scale(problem, start.F, known)
    nodes = Halving(problem, scale, tolerance, known).from_start(start.W)
    return SoftmaxPath(NearestNodes(nodes.tau, scale), problem, space, axes, nodes.W, intercept, known)


def _scale(problem: Problem, F: Scores, known: Preconditioners) -> float:
    """Return the beta by which a score of some poison row would move by 1, at the speed it has at beta = 0."""
    poison, zero = problem.du > 0.0, np.zeros(1)
    P = probabilities(F)
    right = -rate_of_gradient(problem, P)
    step = solve(problem, P, zero, known.near(0.0, F, 0.0), right, np.array([ROUGH_SPEED]))
    return 1.0 / max(float(np.abs(problem.scores(step.X)[..., poison]).max(initial=0.0)), 1.0)
