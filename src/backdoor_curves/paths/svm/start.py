"""Where an SVM's path begins: the solution at beta = 0, from libsvm or by decomposition, made exact."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Shaped
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from backdoor_curves.kernels.matrix import WholeMatrix
from backdoor_curves.paths.svm.decomposition import solve_by_parts
from backdoor_curves.paths.svm.dual import BOUND, IDLE, MARGIN, SIGN, ZERO, Point, Problem
from backdoor_curves.paths.svm.homotopy import Homotopy

LIBSVM_STEPS = 100_000
"""Steps after which libsvm stops: at large C it would take minutes for what the homotopy then does in a few steps."""

TOLERANCE = 1e-4
"""Of libsvm, on scores: its last digits take longer than the homotopy from here."""
AT_LIMIT = 1e-9
"""Duals of libsvm this near a limit, over the largest bound, are at it but for rounding."""
ROOM = 1e-4
"""By how much at most rows on the wrong side are put to the right one: as much as libsvm's tolerance puts them off."""


def start(problem: Problem, perturbation: Shaped[np.ndarray, " n"], separates_dependent_rows: bool = True) -> Homotopy:
    """Return the solution at beta = 0, for margins 1 + perturbation.

    libsvm solves the clean rows approximately, always with a free intercept; its solution is exact for another h, and h
    is then moved to where it should be. Another intercept than the free one moves h too. Rows that libsvm left between
    their limits, but that depend on the others there, are put to a side like those on the wrong one, or are ties.
    """
    y, u = problem.y, problem.u0
    clean = u > 0.0
    matrix = problem.matrix
    a, b = _libsvm(problem, matrix) if isinstance(matrix, WholeMatrix) else solve_by_parts(matrix, y, u, TOLERANCE)
    small = AT_LIMIT * float(u.max())
    status = np.where(a <= small, ZERO, np.where(a >= u - small, BOUND, MARGIN)).astype(np.int8)
    a = np.where(status == ZERO, 0.0, np.where(status == BOUND, u, a))
    status[~clean] = IDLE
    margin = np.flatnonzero(status == MARGIN)
    if problem.free and margin.size:
        a[margin[0]] -= (y @ a) * y[margin[0]]
    e = problem.expansion(y * a) + b - y
    # Rows on the wrong side are put a little to the right side, each by another amount: no ties to begin with.
    room = y * ROOM * np.random.default_rng(0).random(len(y))
    off = np.where(status == MARGIN, e, 0.0)
    off = np.where((status == ZERO) & (y * e < 0.0), e - room, off)
    off = np.where((status == BOUND) & (y * e > 0.0), e + room, off)
    h = y + off
    if not problem.free:
        balanced = problem.shift * float(y @ a)
        h, b = h + (balanced - b), balanced
    homotopy = Homotopy(problem, Point(a, b, status), h, u)
    if separates_dependent_rows:  # libsvm may leave hundreds there, for as many dimensions as there are
        sets = homotopy.state.status
        homotopy.move_target(np.where((status == MARGIN) & (sets != MARGIN), -SIGN[sets] * room, 0.0))
    h = homotopy.h
    homotopy.follow(y * (1.0 + perturbation) - h, np.zeros_like(u))
    return homotopy


def _libsvm(problem: Problem, matrix: WholeMatrix) -> tuple[Shaped[np.ndarray, " n"], float]:
    """Return dual coefficients and intercept of the clean rows, as good as libsvm makes them."""
    # Weights of size 1, since libsvm's own tolerances are absolute; all but 0 for the others, which saves a copy of K.
    scale = float(problem.u0.max())
    fit = SVC(C=scale, kernel="precomputed", tol=TOLERANCE, max_iter=LIBSVM_STEPS)
    # Of a positive semidefinite matrix no entry exceeds the largest on the diagonal: it is looked at in its place.
    with warnings.catch_warnings(), config_context(assume_finite=bool(np.isfinite(problem.scale))):
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(matrix.values, problem.y, sample_weight=np.maximum(problem.u0 / scale, 1e-100))
    a = np.zeros_like(problem.y)
    a[fit.support_] = np.abs(fit.dual_coef_[0])
    a[problem.u0 == 0.0] = 0.0
    return a, float(fit.intercept_[0])
