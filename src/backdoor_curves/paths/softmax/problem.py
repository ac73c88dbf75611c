"""The objective of softmax regression at many betas at once.

Arrays of parameters have shape (K, b, p) for K classes and b betas, those of scores (K, b, n): sums over classes are
sums of whole arrays, and products with the rows are one product of matrices for all classes and betas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

Columns = Shaped[np.ndarray, "K b p"]
Scores = Shaped[np.ndarray, "K b n"]
Product = Callable[[Columns], Columns]


@dataclass(frozen=True, eq=False)
class Problem:
    """1/2 <W, W R> + sum_i u_i(beta) (logsumexp(f_i) - f_i[y_i]), f_i = W z_i.

    At the optimum the classes' parameters add up to 0: by the penalty, and those of a free intercept, which are known
    up to a constant, by choice. Rounding leaves a mean in gradients, which no step can follow, and it is taken out.

    Parameters
    ----------
    Z : array of shape (n, p)
        Rows, with the intercept's column first where there is one.
    y : int array of shape (n,)
        The classes of the rows, in [0, K).
    K : int
        The number of classes.
    u0, du : arrays of shape (n,)
        Weights u0 + beta du, >= 0.
    R : array of shape (p,)
        The penalty: > 0, or 0 for a free intercept.
    working : dtype
        The precision of products that steps are made of; gradients and scores are in double precision.
    """

    Z: Float[np.ndarray, "n p"]
    y: Int[np.ndarray, " n"]
    K: int
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]
    R: Float[np.ndarray, " p"]
    working: Any = np.float32

    @cached_property
    def rough(self) -> Shaped[np.ndarray, "n p"]:
        """Z in the working precision."""
        return self.Z.astype(self.working)

    @cached_property
    def rough_penalty(self) -> Shaped[np.ndarray, " p"]:
        """R in the working precision."""
        return self.R.astype(self.working)

    @cached_property
    def rough_squares(self) -> Shaped[np.ndarray, "n p"]:
        """The squares of the entries of Z."""
        return np.square(self.rough)

    @cached_property
    def squares(self) -> Float[np.ndarray, " n"]:
        """|z_i|^2."""
        return np.einsum("ij,ij->i", self.Z, self.Z)

    def u(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n"]:
        """Return the weights of the rows."""
        return self.u0 + betas[:, np.newaxis] * self.du

    def scores(self, W: Columns) -> Scores:
        """Return W z_i, in the precision of W."""
        return self._product(W, self._rows(W).T)

    def pull_back(self, F: Scores) -> Columns:
        """Return sum_i F_i z_i, in the precision of F."""
        return self._product(F, self._rows(F))

    def _rows(self, like: np.ndarray) -> Shaped[np.ndarray, "n p"]:
        return self.Z if like.dtype == np.float64 else self.rough

    @staticmethod
    def _product(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        K, b, _ = A.shape
        return (A.reshape(K * b, -1) @ B).reshape(K, b, -1) if A.size else np.zeros((K, b, B.shape[1]), A.dtype)

    def value(self, W: Columns, F: Scores, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return P(W, beta)."""
        penalty = np.einsum("kbp,p->b", np.square(W), self.R) / 2.0
        rows = np.arange(len(self.y))
        ahead = F - F[self.y, :, rows].T
        ahead[self.y, :, rows] = -np.inf  # what is left of small losses has its digits where the own class is apart
        top = ahead.max(axis=0)
        others = top + np.log(np.exp(ahead - top).sum(axis=0))
        return penalty + np.einsum("bn,bn->b", self.u(betas), np.logaddexp(0.0, others))

    def residuals(self, P: Scores, betas: Float[np.ndarray, " b"]) -> Scores:
        """Return u (P - Y): the derivatives of the rows' losses in their scores, times their weights.

        Of a row's own class it is minus the sum of the others, which keeps its digits where P is nearly 1.
        """
        g, rows = self.u(betas) * P, np.arange(len(self.y))
        g[self.y, :, rows] = 0.0
        g[self.y, :, rows] = -g.sum(axis=0).T
        return g

    def gradient(self, W: Columns, P: Scores, betas: Float[np.ndarray, " b"]) -> Columns:
        """Return dP/dW, the mean over classes taken out; P are the probabilities at W."""
        return without_mean(self.R * W + self.pull_back(self.residuals(P, betas)))

    def hessian(self, P: Scores, betas: Float[np.ndarray, " b"]) -> Product:
        """Return the product with the Hessian, V to R V + sum_i u_i (diag P_i - P_i P_i') V z_i z_i'.

        In the precision of P; a column for each beta.
        """
        R = self.R.astype(P.dtype)
        u = self.u(betas).astype(P.dtype)

        def product(V: Columns) -> Columns:
            F = self.scores(V)
            F -= (P * F).sum(axis=0)
            F *= P
            F *= u
            return R * V + self.pull_back(F)

        return product


def probabilities(F: Scores) -> Scores:
    """Return the softmax of scores over the classes."""
    P = np.exp(F - F.max(axis=0))
    P /= P.sum(axis=0)
    return P


def rate_of_gradient(problem: Problem, P: Scores) -> Columns:
    """Return how gradients move with beta where parameters stay: sum_i du_i (P_i - Y_i) z_i."""
    unit = replace(problem, u0=problem.du, du=np.zeros_like(problem.du))
    return without_mean(problem.pull_back(unit.residuals(P, np.zeros(P.shape[1]))))


def without_mean(A: np.ndarray) -> np.ndarray:
    """Return what is left where the mean over the classes is taken out."""
    return A - A.mean(axis=0)


def dots(A: Columns, B: Columns) -> Float[np.ndarray, " b"]:
    """Return the inner products of columns, in double precision."""
    return np.einsum("kbp,kbp->kb", A, B).sum(axis=0, dtype=float)


def largest_curvatures(P: Scores, u: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
    """Return bounds on the largest eigenvalues of u (diag P - P P'), by their trace and by Gershgorin's circles."""
    own = P * (1.0 - P)
    return u * np.minimum(own.sum(axis=0), 2.0 * own.max(axis=0))
