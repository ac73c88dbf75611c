"""The linear system of an SVM's margin, and its factorisations: what b and the margin's duals solve while sets stay.

With the signed duals c_M of the margin's rows and the intercept's own entry, corner = -1/s^2 or 0 if it is free,

    S [ b; c_M ] = [ s; r ],        S = [ corner  1'   ]
                                        [   1     K_MM ]

has the balance of the duals in its first row and the scores of the margin's rows below. The first row and column are
there if the intercept is an unknown: not without one, nor for a free one that no row on the margin determines.

S is indefinite, but A = (K_MM + kappa 11')^-1 is of a positive definite matrix, and with x = A 1 and g = 1'x

    b = (x'r + (kappa g - 1) s) / p,      c_M = A r + (kappa s - (1 + kappa corner) b) x,
    p = (1 + kappa corner) g - corner.

Each factorisation is for one use: `inverse` is what the active-set steps start from and update row by row
(`margin_set`), `Cholesky` costs a third of it where right-hand sides are few, and `RefinedInverse` is what derivatives
are taken from: it does without independent rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtri

from backdoor_curves.paths.linalg import definite
from backdoor_curves.paths.linalg.definite import Number
from backdoor_curves.paths.svm.dual import Problem

REFINEMENTS = 2
"""Corrections of a derivative: each shrinks its error by rounding times condition number, at worst 1e-3 (see RANK)."""
RANK = 1e-13
"""Singular values below this share of the largest are 0: n roundings of the largest make as much of it, n = 450."""


@dataclass(frozen=True, eq=False)
class MarginSystem:
    """S of some rows.

    Parameters
    ----------
    K : array of shape (m, m)
        Their kernel matrix.
    border : int
        1 if the intercept is an unknown, else 0.
    corner : float
        -1/s^2 for a penalised intercept, 0 for a free one.
    kappa : float
        Any number > 0 that makes K + kappa 11' positive definite; 0 without the border.
    """

    K: Shaped[np.ndarray, "m m"]
    border: int
    corner: Number
    kappa: Number

    @classmethod
    def of(cls, problem: Problem, rows: Int[np.ndarray, " m"]) -> MarginSystem:
        """Return the system of some rows of a problem."""
        border = int(problem.has_intercept and bool(rows.size or problem.corner))
        return cls(problem.matrix.block(rows, rows), border, problem.corner, problem.kappa if border else 0.0)

    @property
    def definite(self) -> Shaped[np.ndarray, "m m"]:
        """K + kappa 11'."""
        return self.K + self.kappa

    def matrix(self) -> Shaped[np.ndarray, "w w"]:
        """Return S."""
        S = np.ones((self.border + len(self.K),) * 2, dtype=self.K.dtype)
        S[self.border :, self.border :] = self.K
        S[: self.border, : self.border] = self.corner
        return S

    def product(self, V: Float[np.ndarray, "k w"]) -> Float[np.ndarray, "k w"]:
        """Return S v for each row v."""
        b, c = V[:, : self.border].sum(axis=1, keepdims=True), V[:, self.border :]
        balance = c.sum(axis=1, keepdims=True) + self.corner * b
        return np.hstack([balance[:, : self.border], c @ self.K + b])

    def pivot(self, x: Shaped[np.ndarray, " m"]) -> Number:
        """Return p, given x = A 1; raises LinAlgError unless it is > 0, as it is where rows are independent."""
        p: Number = (1.0 + self.kappa * self.corner) * x.sum() - self.corner
        if not p > 0.0:
            raise LinAlgError("the rows are dependent")
        return p


def inverse(system: MarginSystem) -> Shaped[np.ndarray, "w w"]:
    """Return S^-1; raises LinAlgError if the rows are dependent."""
    K, corner, kappa = system.K, system.corner, system.kappa
    if not len(K):
        return np.full((system.border,) * 2, 1.0 / corner if corner else 0.0, dtype=K.dtype)
    if K.dtype != np.float64:
        return _extended_inverse(system)
    A = definite.inverse(system.definite)
    if not system.border:
        return A
    x = A.sum(axis=1)
    p, rest = system.pivot(x), 1.0 + kappa * corner
    B = np.empty_like(A, shape=(len(A) + 1, len(A) + 1))
    B[0, 0] = (kappa * x.sum() - 1.0) / p
    B[0, 1:] = B[1:, 0] = x / p
    B[1:, 1:] = A - np.outer(rest / p * x, x)
    return B


def _extended_inverse(system: MarginSystem) -> Shaped[np.ndarray, "w w"]:
    """Return the same in extended precision: of S as a whole, with the border in units of the kernel."""
    if not system.border:
        return definite.extended_inverse(system.K)
    S, kappa = system.matrix(), system.kappa
    S[0] = S[:, 0] = kappa
    S[0, 0] = system.corner * kappa**2
    B = definite.extended_inverse(S)
    B[0] *= kappa
    B[:, 0] *= kappa
    return B


@dataclass(frozen=True, eq=False)
class Cholesky:
    """S by the Cholesky factor of K + kappa 11'.

    Parameters
    ----------
    system : MarginSystem
    L : array of shape (m, m)
        The factor, lower triangle.
    x : array of shape (m,)
        A 1, where there is a border.
    """

    system: MarginSystem
    L: Float[np.ndarray, "m m"]
    x: Float[np.ndarray, " m"]

    @classmethod
    def of(cls, system: MarginSystem) -> Cholesky:
        """Return the factorisation of a system; raises LinAlgError if its rows are dependent."""
        ones = np.ones(len(system.K))
        if not len(system.K):
            return cls(system, system.K, ones)
        L, failed = dpotrf(system.definite.T, lower=1, overwrite_a=1, clean=0)
        if failed:
            raise LinAlgError("the rows are dependent")
        if not system.border:
            return cls(system, L, ones)
        x = dpotrs(L, ones[:, np.newaxis], lower=1)[0][:, 0]
        system.pivot(x)
        return cls(system, L, x)

    def _inner(self, R: Float[np.ndarray, "k m"]) -> Float[np.ndarray, "k m"]:
        """Return A r for each row r."""
        return np.asarray(dpotrs(self.L, R.T, lower=1)[0].T) if R.size else R

    def solve(self, R: Float[np.ndarray, "k w"]) -> Float[np.ndarray, "k w"]:
        """Return S^-1 r for each row r."""
        system = self.system
        if not system.border:
            return self._inner(R)
        if not len(self.x):
            return R / system.corner
        s, r, x, kappa = R[:, :1], R[:, 1:], self.x, system.kappa
        b = (r @ x[:, np.newaxis] + (kappa * x.sum() - 1.0) * s) / system.pivot(x)
        return np.hstack([b, self._inner(r) + (kappa * s - (1.0 + kappa * system.corner) * b) * x])

    def least_pivot(self) -> float:
        """Return the least squared distance of a row from those before it: infinite without rows."""
        return float(np.square(np.diag(self.L)).min(initial=np.inf))

    def trace(self) -> float:
        """Return the trace of S^-1, the intercept's entry left out."""
        if not len(self.x):
            return 0.0
        triangle, _ = dtrtri(self.L, lower=1)
        whole = float((np.tril(triangle) ** 2).sum())
        if not self.system.border:
            return whole
        share = (1.0 + self.system.kappa * self.system.corner) / self.system.pivot(self.x) * self.x
        return max(whole - float(share @ self.x), np.finfo(float).eps * whole)


@dataclass(frozen=True, eq=False)
class RefinedInverse:
    """S by its inverse, corrected for its residual; of dependent rows by its pseudo-inverse.

    Parameters
    ----------
    S, B : arrays of shape (border + m, border + m)
        The pseudo-inverse gives the duals of least norm, of all those that give the same scores.
    dependent : int
        How many of the rows depend on the others in floating point.
    """

    S: Float[np.ndarray, "w w"]
    B: Float[np.ndarray, "w w"]
    dependent: int

    @classmethod
    def of(cls, system: MarginSystem) -> RefinedInverse:
        """Return the inverse of a system."""
        S = system.matrix()
        try:
            return cls(S, inverse(system), 0)
        except LinAlgError:
            values = np.abs(np.linalg.eigvalsh(S))
            B = np.linalg.pinv(S, rcond=RANK, hermitian=True)
            return cls(S, B, int((values <= RANK * values.max()).sum()))

    def solve(self, R: Float[np.ndarray, "w k"]) -> Float[np.ndarray, "w k"]:
        """Return S^-1 R."""
        V = self.B @ R
        for _ in range(REFINEMENTS):
            V += self.B @ (R - self.S @ V)
        return V
