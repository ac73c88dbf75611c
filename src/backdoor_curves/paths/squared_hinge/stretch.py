"""A stretch of the path: its pieces between events, each a polynomial in tau through its points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from backdoor_curves.paths.interpolation.chebyshev import chebyshev_points
from backdoor_curves.paths.squared_hinge.problem import InverseHessian
from backdoor_curves.paths.squared_hinge.series import DEGREE

SHARES = (chebyshev_points(DEGREE) + 1.0) / 2.0
"""Where the points of a piece are, as shares of its length."""
COEFFICIENTS = np.linalg.inv(np.polynomial.chebyshev.chebvander(chebyshev_points(DEGREE), DEGREE))
"""From the values at these points to Chebyshev coefficients."""


@dataclass(frozen=True, eq=False)
class Here:
    """The path at one beta: w, the active rows, and the inverse Hessian of the clean ones, where it is at hand."""

    beta: float
    w: Float[np.ndarray, " r"]
    active: Bool[np.ndarray, " n"]
    inverse: InverseHessian | None = None


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some pieces of the path, one after the other.

    Parameters
    ----------
    edges : array of shape (j + 1,)
        Where they begin and end, in tau.
    W : array of shape (j DEGREE + 1, r)
        w at their points; neighbours share the one between them.
    event : array of shape (j,)
        Whether they end in an event.
    """

    edges: Float[np.ndarray, " j_plus_1"]
    W: Float[np.ndarray, "k r"]
    event: Bool[np.ndarray, " j"]

    @property
    def points(self) -> Float[np.ndarray, " k"]:
        """Their points in tau."""
        inside = self.edges[:-1, np.newaxis] + np.diff(self.edges)[:, np.newaxis] * SHARES[:-1]
        return np.append(inside.ravel(), self.edges[-1])

    def thread(self) -> Float[np.ndarray, "q r"]:
        """Return w at the points of one polynomial over the whole stretch."""
        a, b = self.edges[0], self.edges[-1]
        inside = []
        for t in a + (b - a) * SHARES[1:-1]:
            k = int(np.clip(np.searchsorted(self.edges, t) - 1, 0, len(self.edges) - 2))
            own = self.W[DEGREE * k : DEGREE * (k + 1) + 1]
            inside.append(through(own, self.edges[k], self.edges[k + 1], np.array([t])))
        return np.vstack([self.W[:1], *inside, self.W[-1:]])


def through(
    W: Float[np.ndarray, "q r"], left: float, right: float, tau: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "k r"]:
    """Return the polynomial through values at the points between left and right."""
    s = (2.0 * tau - left - right) / (right - left)
    return np.polynomial.chebyshev.chebvander(s, DEGREE) @ (COEFFICIENTS @ W)


@runtime_checkable
class Run(Protocol):
    """Events one after the other over rows that are watched."""

    def follow(self, stop: float) -> tuple[Stretch, Here]:
        """Return the pieces up to tau = stop or less, and the path where they end."""
        ...

    def newton_step(self, g: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
        """Return H^-1 g where the run has ended; its error is relative to g, which should be small."""
        ...
