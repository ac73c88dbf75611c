"""The path of a linear SVM with many more rows than features: rows stay where they are, and are screened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.linalg import LinAlgError

from backdoor_curves.paths.linear_svm.problem import Problem
from backdoor_curves.paths.linear_svm.screened import ScreenedWalk
from backdoor_curves.paths.linear_svm.sets import Nodes
from backdoor_curves.paths.linear_svm.smoothed_many import WIDTHS, smoothed_optimum_of_many
from backdoor_curves.paths.linear_svm.start import start
from backdoor_curves.paths.linear_svm.walk import Way
from backdoor_curves.paths.svm.dual import BOUND, ZERO, StalledError
from backdoor_curves.paths.svm.path import NotOptimalError
from backdoor_curves.rows import Rows

MANY, EACH = 1000, 2
"""Rows from which on they are screened, and rows for each feature: with fewer looking at all of them costs no more."""
SHIFTS = (0.0, 1e-12, 1e-11)
"""Sizes of random shifts of margins and bounds, as a share of both, where ties ask for them: the nodes are off by so
little that it is left in them."""


def are_many(X: Rows) -> bool:
    """Return whether rows are so many for their features that a walk screens them."""
    return bool(X.shape[0] >= max(MANY, EACH * X.shape[1]))


def nodes_of_many(problem: Problem) -> Nodes:
    """Return the nodes of the path.

    Raises
    ------
    NotOptimalError, StalledError, LinAlgError
        If ties or columns of very different sizes keep double precision from following it by these means.
    """
    failures: list[Exception] = []
    for shift in SHIFTS:
        try:
            return _nodes(problem, shift)
        except (StalledError, NotOptimalError, LinAlgError) as failure:
            failures.append(failure)
    raise failures[0]


def _nodes(problem: Problem, shift: float) -> Nodes:
    rng, n = np.random.default_rng(5), len(problem.y)
    of_margins, of_bounds = 1.0 + shift * rng.random((2, n))
    shifted = replace(problem, u0=problem.u0 * of_bounds, du=problem.du * of_bounds)
    targets: Float[np.ndarray, " n"] = problem.y * of_margins
    near = smoothed_optimum_of_many(shifted, targets)
    begin = start(shifted, targets, rng, near, room=float(WIDTHS[-1]))
    excess = problem.y * (problem.Phi @ begin.optimum.w + begin.optimum.b - targets)
    status = np.where(problem.u0 > 0.0, begin.status, np.where(excess < 0.0, BOUND, ZERO)).astype(np.int8)
    way = Way(shifted.u0, shifted.du, targets, np.zeros(n))
    return ScreenedWalk(shifted, way, status, begin.rows.tolist(), begin.optimum.b, rng).to_end().nodes()
