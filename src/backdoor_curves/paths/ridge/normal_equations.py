"""The normal equations of ridge regression at any beta: weighted, centred rows, and the products and factors of them.

With Z = [X, 1] the objective's minimum solves (A0 + beta A1) u = Z_C' Y_C + beta Z_P' Y_P (`follow` has A0 and A1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

from backdoor_curves.paths.ridge.centred_rows import CentredRows
from backdoor_curves.rows import Rows


@dataclass(frozen=True, eq=False)
class WeightedRows(CentredRows):
    """Centred rows and targets, times the square roots of their weights; X'X where it is the smaller matrix."""

    X: Rows
    Y: Float[np.ndarray, "n k"]
    root: Float[np.ndarray, " n"]
    centre: Float[np.ndarray, " d"] | None
    """For a sparse X, which cannot be centred in place: the row to be subtracted in every product."""
    gram: Float[np.ndarray, "d d"] | None

    @classmethod
    def of(
        cls, X: Rows, Y: Float[np.ndarray, "n k"], weights: Float[np.ndarray, " n"], centre: Float[np.ndarray, " d"]
    ) -> WeightedRows:
        """Return rows less a centre, and their targets, times the square roots of their weights."""
        root = np.sqrt(weights)
        weighted, centred = bool((weights != 1.0).any()), bool(centre.any())
        n, d = X.shape
        if sp.issparse(X):
            X = sp.csr_array(sp.diags_array(root) @ X)
        else:
            X = X - centre if centred else X
            # The rows as they came must stay as they are; a centred copy is ours to change.
            X = np.multiply(X, root[:, np.newaxis], out=X if centred else None) if weighted else X
        Y = Y * root[:, np.newaxis]
        rows = cls(X, Y, root, centre if sp.issparse(X) else None, None)
        return rows if n < d else cls(X, Y, root, rows.centre, rows._gram())

    def _gram(self) -> Float[np.ndarray, "d d"]:
        if self.centre is None:
            return np.asarray(self.X.T @ self.X)  # numpy computes the half that a symmetric product needs
        # X'X - n cc' would cancel where the centre is far from 0, so some rows at a time are centred in full.
        gram = np.zeros((self.X.shape[1],) * 2)
        for rows in np.array_split(np.arange(len(self.root)), len(self.root) // 512 + 1):
            block = self.X[rows].toarray() - np.outer(self.root[rows], self.centre)
            gram += block.T @ block
        return gram

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        return len(self.root), self.X.shape[1]

    def dot(self, W: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "n k"]:
        """Return X W."""
        return self.X @ W if self.centre is None else self.X @ W - np.outer(self.root, self.centre @ W)

    def transposed_dot(self, V: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "d k"]:
        """Return X' V."""
        return self.X.T @ V if self.centre is None else self.X.T @ V - np.outer(self.centre, self.root @ V)

    def normal_dot(self, W: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "d k"]:
        """Return X' X W."""
        return self.transposed_dot(self.dot(W)) if self.gram is None else self.gram @ W

    def outer_gram(self) -> Float[np.ndarray, "n n"]:
        """Return X X'."""
        if self.centre is None:
            return np.asarray(self.X @ self.X.T)
        cross = np.outer(self.X @ self.centre, self.root)
        products = (self.X @ self.X.T).toarray()
        products -= cross
        products -= cross.T
        products += self.centre @ self.centre * np.outer(self.root, self.root)
        return np.asarray(products)

    def transposed(self) -> Float[np.ndarray, "d n"]:
        """Return X' as a dense matrix."""
        return self.X.T if self.centre is None else self.X.T.toarray() - np.outer(self.centre, self.root)


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """The normal equations (A0 + beta A1) u = Z_C' Y_C + beta Z_P' Y_P."""

    clean: CentredRows
    poison: CentredRows
    alpha: float
    free: bool

    @cached_property
    def _factor(self) -> tuple[np.ndarray, bool | np.ndarray]:  # scipy: since 1.18 an array
        """The Cholesky factor of A0 without the intercept, or of X_C X_C' + alpha with more columns than rows."""
        if isinstance(self.clean, WeightedRows) and self.clean.gram is None:
            A = self.clean.outer_gram()
        else:
            A = np.array(self.clean.gram)
        A.flat[:: len(A) + 1] += self.alpha
        try:
            factor: tuple[np.ndarray, bool | np.ndarray] = cho_factor(A, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"alpha = {self.alpha:g} leaves the normal equations singular in floating point; raise it"
            ) from None
        return factor

    def solve(self, C: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "d k"]:
        """Return A0^-1 C for the coefficients; with d > n by (X'X + a)^-1 = (1 - X' (XX' + a)^-1 X) / a."""
        if self.clean.gram is not None:
            return np.asarray(cho_solve(self._factor, C, check_finite=False))
        inner = cho_solve(self._factor, self.clean.dot(C), check_finite=False)
        return (C - self.clean.transposed_dot(inner)) / self.alpha

    @cached_property
    def clean_optimum(self) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        """u0, as coefficients and intercept."""
        C = self.clean
        if C.gram is None:  # A0^-1 X' = X' (XX' + alpha)^-1, which subtracts nothing
            w0 = C.transposed_dot(cho_solve(self._factor, C.Y, check_finite=False))
        else:
            w0 = self.solve(C.cross)
        return w0, C.root @ C.Y / C.weight if self.free else np.zeros(w0.shape[1])

    @cached_property
    def poison_residual(self) -> Float[np.ndarray, "m k"]:
        """Y_P - Z_P u0."""
        w0, b0 = self.clean_optimum
        return self.poison.Y - self.poison.dot(w0) - np.outer(self.poison.root, b0)

    def best_intercept(self, W: Float[np.ndarray, "d k"], betas: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Return the intercept that is optimal for each column of coefficients at its beta."""
        if not self.free:
            return np.zeros(len(betas))
        C, P = self.clean, self.poison
        # The clean rows are centred, so that their part of the scores sums to zero.
        sums = _tile(C.root @ C.Y, W) + betas * (_tile(P.root @ P.Y, W) - P.sums @ W)
        return sums / self.weight(betas)

    def weight(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the sum of all row weights at each beta."""
        return self.clean.weight + betas * self.poison.weight

    def gradient_and_objective(
        self, W: Float[np.ndarray, "d k"], b: Float[np.ndarray, " k"], betas: Float[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        """Return the objective of each column (w, b) and its gradient in w."""
        C, P = self.clean, self.poison
        A0W = C.normal_dot(W) + self.alpha * W
        PZ = P.normal_dot(W) + np.outer(P.sums, b)
        C_y, P_y = _tile(C.cross, W), _tile(P.cross, W)
        gradient = 2.0 * (A0W - C_y + betas * (PZ - P_y))
        # |Z u - Y|^2 multiplied out: the rows of C are too many to be visited for each beta.
        on_clean = (W * (A0W - 2.0 * C_y)).sum(0) + b * (C.weight * b - 2.0 * _tile(C.root @ C.Y, W))
        on_poison = (W * (PZ + np.outer(P.sums, b) - 2.0 * P_y)).sum(0) + b * (
            P.weight * b - 2.0 * _tile(P.root @ P.Y, W)
        )
        squares = _tile(np.square(C.Y).sum(0), W) + betas * _tile(np.square(P.Y).sum(0), W)
        return gradient, np.maximum(on_clean + betas * on_poison + squares, self.alpha * np.square(W).sum(0))


def _tile(columns: Float[np.ndarray, "*d k"], W: Float[np.ndarray, "d bk"]) -> Float[np.ndarray, "*d bk"]:
    """Repeat k columns for every beta in W."""
    return np.tile(columns, W.shape[1] // columns.shape[-1])
