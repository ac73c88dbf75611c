"""Which rows are watched on a stretch of the path, and the proof that no other row has crossed its margin there.

At the beginning of a stretch the rows are chosen that could be the first to cross. At its end the scores of all rows
are known on a thread through it, one polynomial for all its pieces; the path's own are off it by no more than the
length of a row times the distance of w from the thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.paths.linalg.rows_in_place import scores_of, squares_of_columns, squares_of_rows
from backdoor_curves.paths.squared_hinge.problem import Problem
from backdoor_curves.paths.squared_hinge.series import DEGREE, INTERPOLATION, bernstein_from_points
from backdoor_curves.paths.squared_hinge.stretch import Stretch, through

LEBESGUE = 2.0
"""A polynomial of degree 4 exceeds its values at the Chebyshev points by no more than this factor (1.8)."""
SOON = 1e-9
"""Rows that might cross within so little of tau are watched however many they are: ties."""
BERNSTEIN_FORM = bernstein_from_points(DEGREE)


@dataclass(frozen=True, eq=False)
class Lengths:
    """Lengths with |z'v| <= |z| |v| for rows z and parameters v, each column in a unit of its own.

    Parameters
    ----------
    unit : array of shape (r,)
        What the entries of v are multiplied by.
    rows : array of shape (n,)
        The lengths of the rows.
    """

    unit: Float[np.ndarray, " r"]
    rows: Float[np.ndarray, " n"]

    def of(self, V: Float[np.ndarray, "k r"]) -> float:
        """Return the largest length of some parameters."""
        V = V * self.unit
        return float(np.sqrt(np.einsum("kr,kr->k", V, V).max(initial=0.0)))

    @property
    def longest(self) -> float:
        """The largest length of a row."""
        return float(self.rows.max(initial=0.0))


def lengths_of(problem: Problem) -> Lengths:
    """Return lengths in units in which each column of the rows has the same size."""
    size = np.sqrt(squares_of_columns(problem.Z))
    unit = np.where(size > 0.0, size, 1.0)
    return Lengths(unit, np.sqrt(squares_of_rows(problem.Z, unit**-2.0)))


@dataclass(frozen=True, eq=False)
class Motion:
    """All rows at the beginning of a stretch.

    Parameters
    ----------
    scores, rates : arrays of shape (n,)
        The scores, and about how they go on in tau: nothing is proven by that.
    """

    scores: Float[np.ndarray, " n"]
    rates: Float[np.ndarray, " n"]


def nearest(
    problem: Problem, active: Bool[np.ndarray, " n"], motion: Motion, turn: float, count: int
) -> tuple[Int[np.ndarray, " k"], float]:
    """Return the rows that seem to be the first to cross, and how far in tau others seem not to.

    turn : float
        By how much rates may change, over their root mean square.
    """
    n = len(motion.scores)
    if count >= n:
        return np.arange(n), np.inf
    slack = np.abs(1.0 - problem.y * motion.scores)
    turned = turn * np.linalg.norm(motion.rates) / np.sqrt(n) + np.finfo(float).tiny
    when = slack / (np.maximum(np.where(active, problem.y, -problem.y) * motion.rates, 0.0) + turned)
    until = max(float(np.partition(when, count)[count]), SOON)
    return np.flatnonzero(when <= until), until


def look(
    problem: Problem,
    lengths: Lengths,
    stretch: Stretch,
    active: Bool[np.ndarray, " n"],
    watched: Int[np.ndarray, " k"],
) -> tuple[Motion, Int[np.ndarray, " m"]]:
    """Return all rows at the end of a stretch, and which of them are not proven to have stayed on their side.

    `active` are those that were at its beginning; of the rows that were watched all is known.
    """
    thread, a, b = stretch.thread(), float(stretch.edges[0]), float(stretch.edges[-1])
    off = LEBESGUE * lengths.of(stretch.W - through(thread, a, b, stretch.points))
    T = BERNSTEIN_FORM @ thread
    S = scores_of(problem.Z, T)
    low, high, positive = S.min(axis=0), S.max(axis=0), problem.y > 0.0
    slack = np.where(active, 1.0 - np.where(positive, high, -low), np.where(positive, low, -high) - 1.0)
    doubtful = slack <= off * lengths.rows + INTERPOLATION
    doubtful[watched] = False
    rows = np.flatnonzero(doubtful)
    unit = DEGREE / (b - a)
    motion = Motion(S[-1].copy(), unit * (S[-1] - S[-2]))
    return motion, rows[~_stay(problem, stretch, rows, active[rows])]


def _stay(
    problem: Problem, stretch: Stretch, rows: Int[np.ndarray, " k"], active: Bool[np.ndarray, " k"]
) -> Bool[np.ndarray, " k"]:
    """Return which rows stay on their side of the margin on each piece."""
    sign = np.where(active, 1.0, -1.0)
    slack = sign - (sign * problem.y[rows]) * (stretch.W @ problem.Z[rows].T)
    nodes = DEGREE * np.arange(len(stretch.event))[:, np.newaxis] + np.arange(DEGREE + 1)
    return np.asarray((BERNSTEIN_FORM @ slack[nodes]).min(axis=(0, 1), initial=np.inf) > INTERPOLATION)
