"""The squared hinge's objective: quadratic while the same rows are active, with its gradient and inverse Hessian there.

    P(w, beta) = 1/2 |w|^2 + sum_i u_i(beta) max(0, 1 - y_i z_i'w)^2,        u(beta) = u0 + beta du

A row is active if its margin y z'w is below 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from backdoor_curves.paths.linalg.metric import JITTER
from backdoor_curves.paths.linalg.rows_in_place import FeatureRows, curvature, lifted, squares_of_rows


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows with the column of the intercept, labels -1 and +1, and weights u0 + beta du; u0 or du is 0 for each row."""

    Z: FeatureRows
    y: Float[np.ndarray, " n"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]

    def u(self, beta: float) -> Float[np.ndarray, " n"]:
        """Return the row weights."""
        return self.u0 + beta * self.du

    @cached_property
    def lengths(self) -> Float[np.ndarray, " n"]:
        """|z| of each row."""
        return np.sqrt(squares_of_rows(self.Z, np.ones(self.Z.shape[1])))

    def value(self, w: Float[np.ndarray, " r"], beta: float) -> float:
        """Return P(w, beta)."""
        return float(w @ w) / 2.0 + float(self.u(beta) @ np.maximum(0.0, 1.0 - self.y * (self.Z @ w)) ** 2)


LONG = 1e12
"""Trace of 2 Z' diag(u) Z up to which fewer rows than columns make the smaller factor: beside more than that, rounding
leaves less than four digits of the 1 that the rows leave free."""

InverseHessian = Callable[[Float[np.ndarray, "r ..."]], Float[np.ndarray, "r ..."]]


def inverse_hessian(
    Z: FeatureRows, rows: Int[np.ndarray, " k"], u: Float[np.ndarray, " k"], refined: bool = False
) -> InverseHessian:
    """Return the product with (I + 2 sum u_i z_i z_i')^-1, over some rows of Z and their weights u > 0.

    It is through the smaller of two Cholesky factors. Refined, it is corrected once for its residual.
    """
    n, r = len(rows), Z.shape[1]
    if not n * r:
        return lambda B: B
    few = Z[rows] if n < r else Z[rows[:0]]
    if n < r and float(2.0 * u @ np.einsum("nr,nr->n", few, few)) < LONG:
        S = few @ few.T
        S.flat[:: n + 1] += 0.5 / u
        small = cho_factor(S, lower=True, overwrite_a=True, check_finite=False)

        def inverse(B: Float[np.ndarray, "r ..."]) -> Float[np.ndarray, "r ..."]:
            return B - few.T @ cho_solve(small, few @ B, check_finite=False)

        def product(V: Float[np.ndarray, "r k"]) -> Float[np.ndarray, "r k"]:
            return V + few.T @ (2.0 * u[:, np.newaxis] * (few @ V))

    else:
        H = curvature(Z, rows, 2.0 * u)
        H.flat[:: r + 1] += 1.0
        factor = _factor(H)

        def inverse(B: Float[np.ndarray, "r ..."]) -> Float[np.ndarray, "r ..."]:
            return cho_solve(factor, B, check_finite=False)

        def product(V: Float[np.ndarray, "r k"]) -> Float[np.ndarray, "r k"]:
            return H @ V

    def corrected(B: Float[np.ndarray, "r k"]) -> Float[np.ndarray, "r k"]:
        V = inverse(B)
        return V + inverse(B - product(V))

    return corrected if refined else inverse


def _factor(H: Float[np.ndarray, "r r"]) -> Any:
    """Return the Cholesky factor of a Hessian; of one that double precision takes for singular, with some more."""
    try:
        return cho_factor(H, lower=True, check_finite=False)
    except LinAlgError:
        return cho_factor(H + np.diag(len(H) * JITTER * np.diag(H)), lower=True, check_finite=False)


def gradient(
    Z: FeatureRows, y: Float[np.ndarray, " n"], u: Float[np.ndarray, " n"], w: Float[np.ndarray, " r"]
) -> Float[np.ndarray, " r"]:
    """Return the gradient of the quadratic for which all rows of weight u > 0 are active."""
    return w - lifted(Z, 2.0 * u * (y - Z @ w))
