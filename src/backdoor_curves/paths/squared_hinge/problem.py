"""The squared hinge's objective: quadratic while the same rows are active, with its gradient and inverse Hessian there.

    P(w, beta) = 1/2 |w|^2 + sum_i u_i(beta) max(0, 1 - y_i z_i'w)^2,        u(beta) = u0 + beta du

A row is active if its margin y z'w is below 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from backdoor_curves.paths.linalg.metric import JITTER


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows with the column of the intercept, labels -1 and +1, and weights u0 + beta du; u0 or du is 0 for each row."""

    Z: Float[np.ndarray, "n r"]
    y: Float[np.ndarray, " n"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]

    def u(self, beta: float) -> Float[np.ndarray, " n"]:
        """Return the row weights."""
        return self.u0 + beta * self.du

    def value(self, w: Float[np.ndarray, " r"], beta: float) -> float:
        """Return P(w, beta)."""
        return float(w @ w) / 2.0 + float(self.u(beta) @ np.maximum(0.0, 1.0 - self.y * (self.Z @ w)) ** 2)


LONG = 1e12
"""Trace of 2 Z' diag(u) Z up to which fewer rows than columns make the smaller factor: beside more than that, rounding
leaves less than four digits of the 1 that the rows leave free."""

InverseHessian = Callable[[Float[np.ndarray, "r ..."]], Float[np.ndarray, "r ..."]]


def inverse_hessian(Z: Float[np.ndarray, "n r"], u: Float[np.ndarray, " n"], refined: bool = False) -> InverseHessian:
    """Return the product with (I + 2 Z' diag(u) Z)^-1, through the smaller of two Cholesky factors.

    Refined, it is corrected once for its residual.
    """
    n, r = Z.shape
    if not Z.size:
        return lambda B: B
    if n < r and float(2.0 * u @ np.einsum("nr,nr->n", Z, Z)) < LONG:
        S = Z @ Z.T
        S.flat[:: n + 1] += 0.5 / u
        small = cho_factor(S, lower=True, overwrite_a=True, check_finite=False)

        def inverse(B: Float[np.ndarray, "r ..."]) -> Float[np.ndarray, "r ..."]:
            return B - Z.T @ cho_solve(small, Z @ B, check_finite=False)

        def product(V: Float[np.ndarray, "r k"]) -> Float[np.ndarray, "r k"]:
            return V + Z.T @ (2.0 * u[:, np.newaxis] * (Z @ V))

    else:
        weighted = Z * np.sqrt(2.0 * u)[:, np.newaxis]
        H = weighted.T @ weighted
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
    Z: Float[np.ndarray, "n r"], y: Float[np.ndarray, " n"], u: Float[np.ndarray, " n"], w: Float[np.ndarray, " r"]
) -> Float[np.ndarray, " r"]:
    """Return the gradient of the quadratic for which all these rows are active."""
    return w - Z.T @ (2.0 * u * (y - Z @ w))
