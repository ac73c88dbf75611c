"""What the active rows add up to: the Hessian and the right side of the optimum's equations, which events change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg.blas import dger
from scipy.linalg.lapack import dpotrf, dpotri

from backdoor_curves.paths.linalg.rows_in_place import curvature, sum_of_rows
from backdoor_curves.paths.squared_hinge.problem import Problem


@dataclass(eq=False)
class Sums:
    """The equations (A + beta B) w = a + beta b of the optimum while the same rows are active.

    Parameters
    ----------
    A, B : arrays of shape (r, r), in the order of columns
        I + 2 sum u0 z z', and 2 sum du z z', over the active rows.
    a, b : arrays of shape (r,)
        2 sum u0 y z, and 2 sum du y z.
    """

    A: Float[np.ndarray, "r r"]
    B: Float[np.ndarray, "r r"]
    a: Float[np.ndarray, " r"]
    b: Float[np.ndarray, " r"]

    def copy(self) -> Sums:
        """Return sums of their own."""
        return Sums(self.A.copy(order="F"), self.B.copy(order="F"), self.a.copy(), self.b.copy())

    def change(self, z: Float[np.ndarray, " r"], y: float, u0: float, du: float) -> None:
        """Add a row of these weights; of negative ones, take it away."""
        if u0 != 0.0:
            self.A = dger(2.0 * u0, z, z, a=self.A, overwrite_a=1)
            self.a += (2.0 * u0 * y) * z
        if du != 0.0:
            self.B = dger(2.0 * du, z, z, a=self.B, overwrite_a=1)
            self.b += (2.0 * du * y) * z

    def hessian(self, beta: float) -> Float[np.ndarray, "r r"]:
        """Return A + beta B."""
        return self.A + beta * self.B

    def right(self, beta: float) -> Float[np.ndarray, " r"]:
        """Return a + beta b."""
        return self.a + beta * self.b


def sums(problem: Problem, active: Bool[np.ndarray, " n"]) -> Sums:
    """Return the sums over the active rows."""
    weights = [np.where(active, 2.0 * u, 0.0) for u in (problem.u0, problem.du)]
    rows = [np.flatnonzero(weight) for weight in weights]
    A, B = (curvature(problem.Z, on, weight[on]) for on, weight in zip(rows, weights, strict=True))
    a, b = (sum_of_rows(problem.Z, weight * problem.y, on) for on, weight in zip(rows, weights, strict=True))
    A.flat[:: len(A) + 1] += 1.0
    return Sums(A.T, B.T, a, b)  # symmetric, in the order of columns


def agree(total: Sums, beta: float, w: Float[np.ndarray, " r"], g: Float[np.ndarray, " r"]) -> None:
    """Let the sums have the gradient g at w, which the rows have there: what they lost in rounding goes to a."""
    total.a += total.hessian(beta) @ w - total.right(beta) - g


def inverse(H: Float[np.ndarray, "r r"]) -> Float[np.ndarray, "r r"] | None:
    """Return the inverse of a positive definite matrix; None for one that double precision takes for singular."""
    L, failed = dpotrf(H, lower=1)
    if failed:
        return None
    G, failed = dpotri(L, lower=1, overwrite_c=1)
    G = np.tril(G)
    G = G + np.tril(G, -1).T
    return np.asfortranarray(G)
