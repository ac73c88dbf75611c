"""Which rows are watched on a stretch of the path, and the proof that no other row has crossed its margin there.

At the beginning of a stretch the rows are chosen that could be the first to cross. At its end the scores of all rows are
known at some points of it, through which a polynomial goes; between them they are off by no more than the length of a
row times that of what w is off the same polynomial.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.paths.interpolation.chebyshev import chebyshev_points
from backdoor_curves.paths.squared_hinge.feature_run import Stretch
from backdoor_curves.paths.squared_hinge.problem import Problem
from backdoor_curves.paths.squared_hinge.series import DEGREE, INTERPOLATION, bernstein_from_points

LEBESGUE = 2.0
"""A polynomial of degree 4 exceeds its values at the Chebyshev points by no more than this factor (1.8)."""


@dataclass(frozen=True, eq=False)
class Metric:
    """Lengths of rows and of parameters: |z'v| <= |z| |v|, with columns in units of the Hessian's diagonal.

    Parameters
    ----------
    unit : array of shape (r,)
        What the entries of v are multiplied by.
    lengths : array of shape (n,)
        Those of the rows.
    """

    unit: Float[np.ndarray, " r"]
    lengths: Float[np.ndarray, " n"]

    def of(self, V: Float[np.ndarray, "*k r"]) -> Float[np.ndarray, "*k"]:
        """Return the lengths of parameters."""
        return np.sqrt(((V * self.unit) ** 2).sum(axis=-1))


def metric(Z: Float[np.ndarray, "n r"], unit: Float[np.ndarray, " r"]) -> Metric:
    """Return the metric of some units."""
    return Metric(unit, np.sqrt(np.einsum("nr,nr,r->n", Z, Z, unit**-2.0, optimize=False)))


def tube(stretch: Stretch) -> Float[np.ndarray, "q r"]:
    """Return w at the points of one polynomial in tau over the whole stretch."""
    a, b = stretch.edges[0], stretch.edges[-1]
    points = a + (b - a) * (chebyshev_points(DEGREE)[1:-1] + 1.0) / 2.0
    piece = np.clip(np.searchsorted(stretch.edges, points) - 1, 0, len(stretch.edges) - 2)
    inside = [
        lagrange_at(stretch.W[DEGREE * k : DEGREE * k + DEGREE + 1], *stretch.edges[k : k + 2], t)
        for k, t in zip(piece, points, strict=True)
    ]
    return np.vstack([stretch.W[0], *inside, stretch.W[-1]])


def lagrange_at(
    W: Float[np.ndarray, "q r"], left: float, right: float, t: Float[np.ndarray, " k"] | float
) -> Float[np.ndarray, "*k r"]:
    """Return the polynomial through values at the Chebyshev points between left and right."""
    s = (2.0 * np.asarray(t) - left - right) / (right - left)
    return np.polynomial.chebyshev.chebvander(s, DEGREE) @ (TO_CHEBYSHEV @ W)


TO_CHEBYSHEV = np.linalg.inv(np.polynomial.chebyshev.chebvander(chebyshev_points(DEGREE), DEGREE))


@dataclass(frozen=True, eq=False)
class Look:
    """What all rows say of a stretch.

    Parameters
    ----------
    missed : array of rows that are not proven to have stayed on their side, watched ones aside
    scores, rates : arrays of shape (n,)
        The scores at its end, and about how they go on in tau.
    speed : float
        How fast w goes, in the metric.
    """

    missed: Int[np.ndarray, " k"]
    scores: Float[np.ndarray, " n"]
    rates: Float[np.ndarray, " n"]
    speed: float


def look(
    problem: Problem,
    measure: Metric,
    stretch: Stretch,
    active: Bool[np.ndarray, " n"],
    watched: Int[np.ndarray, " k"],
) -> Look:
    """Look at all rows at the end of a stretch; `active` are those that were at its beginning."""
    W5 = tube(stretch)
    a, b = stretch.edges[0], stretch.edges[-1]
    share = (chebyshev_points(DEGREE)[:-1] + 1.0) / 2.0
    points = np.append((stretch.edges[:-1, np.newaxis] + np.diff(stretch.edges)[:, np.newaxis] * share).ravel(), b)
    off = LEBESGUE * float(measure.of(stretch.W - lagrange_at(W5, a, b, points)).max())
    T = bernstein_from_points(DEGREE) @ W5
    S = T @ problem.Z.T
    low, high, positive = S.min(axis=0), S.max(axis=0), problem.y > 0.0
    slack = np.where(
        active, 1.0 - np.where(positive, high, -low), np.where(positive, low, -high) - 1.0
    )
    doubtful = slack <= off * measure.lengths + INTERPOLATION
    doubtful[watched] = False
    rows = np.flatnonzero(doubtful)
    missed = rows[~_stay(problem, stretch, rows, active[rows])] if rows.size else rows
    unit = 4.0 / (b - a)
    return Look(missed, S[-1].copy(), unit * (S[-1] - S[-2]), unit * float(measure.of(T[-1] - T[-2])))


def _stay(
    problem: Problem, stretch: Stretch, rows: Int[np.ndarray, " k"], active: Bool[np.ndarray, " k"]
) -> Bool[np.ndarray, " k"]:
    """Return which rows stay on their side on all pieces."""
    S = stretch.W @ problem.Z[rows].T
    sign = np.where(active, 1.0, -1.0)
    slack = sign - (sign * problem.y[rows]) * S
    j = len(stretch.edges) - 1
    nodes = DEGREE * np.arange(j)[:, np.newaxis] + np.arange(DEGREE + 1)
    least = (bernstein_from_points(DEGREE) @ slack[nodes]).min(axis=(0, 1))
    return least > INTERPOLATION


def nearest(
    problem: Problem, measure: Metric, f: Float[np.ndarray, " n"], rates: Float[np.ndarray, " n"],
    speed: float, active: Bool[np.ndarray, " n"], turn: float, count: int,
) -> tuple[Int[np.ndarray, " k"], float]:
    """Return the rows that may be first to cross, and up to how far in tau no other does if w turns no more than that."""
    sign = np.where(active, problem.y, -problem.y)
    slack = np.abs(np.where(active, 1.0, -1.0) - sign * f)
    toward = np.maximum(sign * rates, 0.0) + (turn * speed) * measure.lengths
    when = slack / np.maximum(toward, np.finfo(float).tiny)
    if count >= len(f):
        return np.arange(len(f)), np.inf
    until = max(float(np.partition(when, count)[count]), 1e-9)
    return np.flatnonzero(when <= until), until
