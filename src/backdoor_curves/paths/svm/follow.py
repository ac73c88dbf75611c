"""Support vector machines with the hinge loss: the exact beta-path, for any kernel.

The optimum is piecewise linear in beta; `dual` has the equations and `homotopy` follows it from knot to knot. Here a
path is attempted, in one way after the other, and proven before it is returned as a record (`path`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter

import numpy as np
from jaxtyping import Float

from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.kernels.matrix import KernelMatrix
from backdoor_curves.kernels.on_demand import kernel_matrix
from backdoor_curves.paths.intercept import FREE, Intercept
from backdoor_curves.paths.svm.attempts import ATTEMPTS, Attempt, follow
from backdoor_curves.paths.svm.dual import Problem, StalledError
from backdoor_curves.paths.svm.extended_precision import ExtendedPrecision
from backdoor_curves.paths.svm.path import OPTIMAL, Nodes, NotOptimalError, SVMPath
from backdoor_curves.paths.svm.refine import kkt_violation, refined, require_optimal, score_error_bound
from backdoor_curves.rows import Rows, distinct_rows, may_repeat, take_rows

SCORE_TOLERANCE = 1e-6
"""Bound on the error of the training rows' scores with which no other way is tried: what curves ask for by default."""

EFFORT, LITTLE_EFFORT = 2e9, 2e7
"""Kernel entries that a path may take in extended precision, those of all rows for each round: twice what any random
problem took; and a hundredth of it where rounding alone may move a score by more than SCORE_TOLERANCE: raw columns, on
which a path was refused after half a minute as after two seconds."""


def svm_path(
    X: Rows,
    y: Float[np.ndarray, " n"],
    u0: Float[np.ndarray, " n"],
    du: Float[np.ndarray, " n"],
    kernel: Kernel,
    intercept: Intercept = FREE,
    is_patient: bool = True,
    matrix_of: Callable[[Kernel, Rows], KernelMatrix] = kernel_matrix,
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
    is_patient : bool
        Whether to go on in extended precision where double precision does not prove the scores to `SCORE_TOLERANCE`.
        Who has another way does not ask for it.
    matrix_of : callable
        How the kernel matrix of the distinct rows is had: by default in memory if it fits, and its rows on demand if
        not.

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
    if may_repeat(X):
        representatives, group = distinct_rows(X, y)
        X, y = take_rows(X, representatives), y[representatives]
        u0, du = (np.bincount(group, weights=u) for u in (u0, du))
    problem = Problem(matrix_of(kernel, X), y, u0, du, intercept)
    problem.effort.left = EFFORT if is_patient and problem.rounding <= SCORE_TOLERANCE else LITTLE_EFFORT
    extended = ExtendedPrecision(problem)
    attempts = ATTEMPTS if is_patient else [attempt for attempt in ATTEMPTS if attempt.precision == "double"]
    path, doubt = _proven(
        problem, extended, attempts, lambda nodes, shift: SVMPath(X, kernel, group, unit, problem, nodes, shift)
    )
    if doubt > SCORE_TOLERANCE and not is_patient:
        raise NotOptimalError(
            f"scores may be off by {doubt:.0e} in double precision; raise lambda or rescale the features"
        )
    problem.effort.left = np.inf  # what is asked of a path are single solutions
    return path


def _proven(
    problem: Problem,
    extended: ExtendedPrecision,
    attempts: Sequence[Attempt],
    record: Callable[[Nodes, float], SVMPath],
) -> tuple[SVMPath, float]:
    """Return the path of the first attempt that is proven, or the least doubtful of all, and the doubt."""
    tolerance = OPTIMAL / 10 if extended.is_cheap else OPTIMAL
    failures: list[RuntimeError] = []
    doubtful: list[tuple[float, SVMPath]] = []
    for attempt in attempts:
        if attempt.precision == "extended" and not extended.is_cheap:
            continue
        try:
            found = follow(problem, attempt)
            path = record(found.nodes, attempt.shift)
            if not attempt.is_plain or kkt_violation(path, tolerance).max() > tolerance:
                path = refined(path, everywhere=attempt.precision == "extended")
                require_optimal(path)
        except (StalledError, NotOptimalError) as failure:
            failures.append(failure)
            continue
        error = 0.0 if found.is_complete or not extended.is_cheap else score_error_bound(path)
        if error <= SCORE_TOLERANCE:
            return path, error
        doubtful.append((error, path))
    if doubtful:
        error, path = min(doubtful, key=itemgetter(0))
        return path, error
    raise NotOptimalError(f"{failures[0]}; raise lambda, remove repeated rows or rescale the features") from failures[0]
