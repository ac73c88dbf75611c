"""The linear system of an SVM's margin while its sets stay, by a factor: for few right-hand sides, at a third of B."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtri

from backdoor_curves.paths.svm.dual import Problem
from backdoor_curves.paths.svm.margin import border_of


@dataclass(frozen=True, eq=False)
class MarginSystem:
    """S = [ -1/s^2  1'; 1  K ] of some rows, the first row and column there if the intercept is an unknown.

    With A = (K + kappa 11')^-1, x = A 1, g = 1'x and p = (1 + kappa corner) g - corner its solution for (s, r) is

        b = (x'r + (kappa g - 1) s) / p,      c = A r + kappa s x - (1 + kappa corner) b x.

    Parameters
    ----------
    L : array of shape (m, m)
        Cholesky factor of K + kappa 11', lower triangle.
    x : array of shape (m,)
    border : int
        1 if the intercept is an unknown, else 0.
    kappa, corner : float
    """

    L: Float[np.ndarray, "m m"]
    x: Float[np.ndarray, " m"]
    border: int
    kappa: float
    corner: float

    @classmethod
    def of(cls, problem: Problem, rows: Int[np.ndarray, " m"]) -> MarginSystem:
        """Return the system of some rows; raises LinAlgError if they are dependent."""
        border, corner = border_of(problem, rows), float(problem.corner)
        kappa = float(problem.kappa) if border else 0.0
        K = problem.gram[np.ix_(rows, rows)]
        K += kappa
        L, failed = dpotrf(K.T, lower=1, overwrite_a=1, clean=0) if rows.size else (K, 0)
        if failed:
            raise LinAlgError("the rows are dependent")
        system = cls(L, np.ones(len(rows)), border, kappa, corner)
        if not border or not rows.size:
            return system
        system = cls(L, system._inner(np.ones((1, len(rows))))[0], border, kappa, corner)
        if not system._pivot > 0.0:
            raise LinAlgError("the rows are dependent")
        return system

    @property
    def _pivot(self) -> float:
        return (1.0 + self.kappa * self.corner) * float(self.x.sum()) - self.corner

    def _inner(self, R: Float[np.ndarray, "k m"]) -> Float[np.ndarray, "k m"]:
        """Return A r for each row r."""
        return np.asarray(dpotrs(self.L, R.T, lower=1)[0].T) if R.size else R

    def solve(self, R: Float[np.ndarray, "k w"]) -> Float[np.ndarray, "k w"]:
        """Return S^-1 r for each row r."""
        if not self.border:
            return self._inner(R)
        if not len(self.x):
            return R / self.corner
        s, r, x, rest = R[:, :1], R[:, 1:], self.x, 1.0 + self.kappa * self.corner
        b = (r @ x[:, np.newaxis] + (self.kappa * x.sum() - 1.0) * s) / self._pivot
        return np.hstack([b, self._inner(r) + (self.kappa * s - rest * b) * x])

    def least_pivot(self) -> float:
        """Return the least squared distance of a row from those before it: infinite without rows."""
        return float(np.square(np.diag(self.L)).min(initial=np.inf))

    def trace(self) -> float:
        """Return the trace of S^-1, the intercept's entry left out."""
        if not len(self.x):
            return 0.0
        inverse, _ = dtrtri(self.L, lower=1)
        whole = float((np.tril(inverse) ** 2).sum())
        if not self.border:
            return whole
        share = (1.0 + self.kappa * self.corner) / self._pivot * self.x
        return max(whole - float(share @ self.x), np.finfo(float).eps * whole)
