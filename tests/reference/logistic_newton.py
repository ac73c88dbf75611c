"""Logistic regression by Newton's method, written out, with residuals in extended precision.

    1/2 w'R w + sum_i u_i log(1 + exp(-y_i f_i)),    f = Z w

Z has the intercept's column last, if any. Steps come from a least-squares problem in double precision, which loses half
of the digits that the normal equations would lose; the gradient, the scores and w are in extended precision, so that
steps go on to shrink until w is right to the last digits of a double.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.linalg import solve_triangular
from scipy.special import expit

from backdoor_curves.paths.intercept import Intercept

EXTENDED = np.longdouble


@dataclass(frozen=True, eq=False)
class Optimum:
    """The optimum in extended precision; `error` is what a further step would move a score of X by, at most."""

    w: np.ndarray
    objective: EXTENDED
    error: float
    intercept: Intercept

    def scores(self, X):
        return with_column(X, self.intercept).astype(EXTENDED) @ self.w

    @property
    def coef(self):
        return (self.w[:-1] if self.intercept.is_unknown else self.w).astype(float)

    @property
    def b(self):
        return float(self.w[-1]) * self.intercept.scaling if self.intercept.is_unknown else 0.0


def with_column(X, intercept):
    """X with the intercept's column, if any: 1 for a free one, its scaling for a penalised one."""
    X = X.toarray() if sp.issparse(X) else np.asarray(X, dtype=float)
    return np.column_stack([X, np.tile(intercept.column, (len(X), 1))])


def penalty(p, intercept):
    """R."""
    return np.append(np.ones(p - 1), 0.0) if intercept.is_free else np.ones(p)


def objective(Z, R, y, u, w):
    """In the precision of w."""
    return w @ (R * w) / 2 + u @ np.logaddexp(0, -y * (Z @ w))


def optimum(X, y, u, intercept, start=None):
    """Return the optimum, looked for from `start` (the vector w, the intercept's entry last) or 0."""
    rows = with_column(X, intercept).astype(EXTENDED)
    Z, y, u = rows[u > 0], y[u > 0].astype(EXTENDED), u[u > 0].astype(EXTENDED)
    R = penalty(Z.shape[1], intercept).astype(EXTENDED)
    w = np.zeros(len(R), dtype=EXTENDED) if start is None else start.astype(EXTENDED)
    factor, before = None, np.inf
    for _ in range(500):
        wrong = expit(-y * (Z @ w))
        g = R * w - Z.T @ (u * y * wrong)
        if factor is None or before > 1e-2:
            factor = triangle(Z, R, u * wrong * (1 - wrong))
        unit = np.abs(g).max() or EXTENDED(1)
        step = -unit * solve(factor, (g / unit).astype(float))
        along = np.abs(rows @ step).max(initial=0)
        if along <= 1e-17 * (1 + np.abs(rows @ w).max(initial=0)) or (along > before / 4 and before < 1e-9):
            break
        share = EXTENDED(1)
        while (
            along > 1 and objective(Z, R, y, u, w + share * step) > objective(Z, R, y, u, w) + share * (g @ step) / 10
        ):
            share /= 2
        factor = factor if along < before / 10 else None
        w, before = w + share * step, along
    else:
        raise AssertionError("Newton's method did not arrive")
    return Optimum(w, objective(Z, R, y, u, w), float(along), intercept)


def triangle(Z, R, D):
    """The triangle T of T'T = R + Z'D Z, without forming the right-hand side."""
    return np.linalg.qr(np.vstack([np.sqrt(D)[:, np.newaxis] * Z, np.diag(np.sqrt(R))]).astype(float), mode="r")


def solve(T, b):
    return solve_triangular(T, solve_triangular(T, b, trans="T"))


def score_derivatives(X, y, u, du, best):
    """df/dbeta of the training rows from the optimality condition: H dw/dbeta = Z'(y du sigma(-y f))."""
    Z = with_column(X, best.intercept)
    f = np.asarray(best.scores(X), dtype=float)
    wrong = expit(-y * f)
    T = triangle(Z, penalty(Z.shape[1], best.intercept), u * wrong * (1 - wrong))
    return Z @ solve(T, Z.T @ (y * du * wrong))
