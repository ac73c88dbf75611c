"""Hessians that were made on the way, and what they say of those between them.

A Hessian of n rows costs n q^2, a gradient n q. Between nodes where the Hessian is known it is nearly the polynomial in
tau through them; its factor costs q^3 / 3, which is little where rows are many. Steps then shrink by what that is off,
and not by what has changed since the last Hessian.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import lapack

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.interpolation.lagrange import lagrange
from backdoor_curves.paths.linalg.metric import JITTER

NEAREST = 4
"""Hessians that a polynomial goes through: with more of them it bends where they are far apart."""


@dataclass(frozen=True, eq=False)
class Factor:
    """A Cholesky factor."""

    L: Any

    def solve(self, B: Float[np.ndarray, "q b"]) -> Float[np.ndarray, "q b"]:
        """Return H^-1 B."""
        if B.size == 0:
            return B
        return np.asarray(lapack.dpotrs(self.L, B, lower=1)[0])


def factored(H: Float[np.ndarray, "q q"]) -> Factor | None:
    """Return the factor of a matrix given by its lower half; None where it is not positive definite."""
    L, failed = lapack.dpotrf(H, lower=1, clean=0)
    return None if failed else Factor(L)


def surely_factored(H: Float[np.ndarray, "q q"]) -> Factor:
    """Return the factor of a Hessian, which is positive definite but for rounding.

    Raises
    ------
    PathError
        If it is not even with a little more on its diagonal.
    """
    factor = factored(H)
    if factor is None:
        H = H.copy(order="F")
        H[np.diag_indices_from(H)] *= 1.0 + len(H) * JITTER
        factor = factored(H)
    if factor is None:
        raise PathError("the Hessian is singular in double precision; raise lambda or rescale the features")
    return factor


@dataclass(eq=False)
class Hessians:
    """Those at some tau, by their lower halves."""

    tau: list[float] = field(default_factory=list)
    known: list[Float[np.ndarray, "q q"]] = field(default_factory=list)

    def add(self, tau: float, H: Float[np.ndarray, "q q"]) -> Factor:
        """Keep one, in place of another at the same tau, and return its factor."""
        factor = surely_factored(H)
        if tau in self.tau:
            self.known[self.tau.index(tau)] = H
        else:
            self.tau.append(tau)
            self.known.append(H)
        return factor

    def near(self, tau: float) -> Factor:
        """Return the factor of the polynomial through the nearest ones; of the nearest where that is no Hessian."""
        known = np.array(self.tau)
        distance = np.abs(known - tau)
        if known.min() < tau < known.max() and distance.min() > 0.0:
            nearest = np.argsort(distance)[:NEAREST]
            nearest = nearest[np.argsort(known[nearest])]
            (weights,) = lagrange(known[np.newaxis, nearest], np.array([tau]))
            H = sum(weight * self.known[k] for weight, k in zip(weights, nearest, strict=True))
            if (factor := factored(H)) is not None:
                return factor
        return surely_factored(self.known[int(np.argmin(distance))])


def solve_each(factors: list[Factor], B: Float[np.ndarray, "q b"]) -> Float[np.ndarray, "q b"]:
    """Return the solutions for each column with a factor of its own."""
    return np.column_stack([factor.solve(B[:, [j]])[:, 0] for j, factor in enumerate(factors)])
