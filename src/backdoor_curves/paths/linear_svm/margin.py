"""The margin of a linear SVM: what its rows make of w, b and their duals, by an orthogonal factorisation.

While the sets stay, the optimum is the point of the margin f_M = h that the pull p leads to:

    w = p + A c,        A'w + b 1 = h_M,        1'c = t,        A = Phi_M'   (p x m)

A free intercept is taken out with the first row of the margin: columns are then the differences phi_i - phi_1, and p is
p + t phi_1. With A = Q R, and Q = [Q1 Q2] square,

    w = Q [ R^-T h; Q2'p ],        c = R^-1 (R^-T h - Q1'p).

Householder's Q is applied and never formed, columns are pivoted, and features sorted by size: the rounding of each
feature is then a share of that feature's own size, whatever the sizes of the others (Cox and Higham, *Stability of
Householder QR factorization for weighted least squares problems*, 1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import dgeqp3, dormqr, dtrtrs

from backdoor_curves.paths.linear_svm.problem import Optimum, Problem, Pull

DEPENDENT = 1e-11
"""A row is in the span of the margin if of no feature more is left than this share of what makes it up."""
CLEARLY = 1e-6
"""Least pivot, as a share of the largest, of rows that are independent beyond doubt."""
CORRECTIONS = 4
"""Of the margin's scores; each leaves what rounding makes of the one before, and one does where sizes are alike."""


@dataclass(frozen=True, eq=False)
class Margin:
    """The factorisation of some rows of a problem.

    Parameters
    ----------
    problem : Problem
    rows : int array of shape (m,)
        Of a free intercept the first is the one that others are compared with.
    order : int array of shape (p,)
        Features by size, the largest first.
    columns : array of shape (p, q)
        A in that order, unfactored; q = m - 1 for a free intercept, else m.
    qr, tau, pivots
        Householder vectors below R, their factors, and the order of the columns.
    """

    problem: Problem
    rows: Int[np.ndarray, " m"]
    order: Int[np.ndarray, " p"]
    columns: Float[np.ndarray, "p q"]
    qr: Float[np.ndarray, "p q"]
    tau: Float[np.ndarray, " q"]
    pivots: Int[np.ndarray, " q"]

    @classmethod
    def of(cls, problem: Problem, rows: Int[np.ndarray, " m"]) -> Margin:
        """Return the factorisation of independent rows; raises LinAlgError if they are not."""
        order = problem.order
        Phi = problem.Phi[rows]
        A = np.asfortranarray((Phi[1:] - Phi[:1] if problem.free and len(rows) else Phi)[:, order].T)
        if not A.size:
            return cls(problem, rows, order, A, A, np.zeros(0), np.zeros(0, dtype=np.intp))
        qr, pivots, tau, _, _ = dgeqp3(A)
        if A.shape[1] > A.shape[0] or not np.diag(qr).all():
            raise LinAlgError("the rows are dependent")
        return cls(problem, rows, order, A, qr, tau, pivots.astype(np.intp) - 1)

    @property
    def R(self) -> Float[np.ndarray, "q q"]:  # noqa: N802 - the letter of the formulas
        """The triangle, of pivoted columns."""
        return self.qr[: len(self.tau)]

    def _rotated(self, V: Float[np.ndarray, "p k"], back: bool = False) -> Float[np.ndarray, "p k"]:
        """Return Q'V, or Q V back, of vectors whose features are in order."""
        if not len(self.tau) or not V.shape[1]:
            return V
        work = max(1, V.shape[1]) * 64
        return np.asarray(dormqr("L", "N" if back else "T", self.qr, self.tau, np.asfortranarray(V), work)[0])

    def _forward(self, h: Float[np.ndarray, "q k"]) -> Float[np.ndarray, "q k"]:
        """Return R^-T h."""
        return np.asarray(dtrtrs(self.R, h[self.pivots], trans=1)[0]) if h.size else h

    def _backward(self, v: Float[np.ndarray, "q k"]) -> Float[np.ndarray, "q k"]:
        """Return R^-1 v, one entry a column."""
        c = np.empty_like(v)
        c[self.pivots] = dtrtrs(self.R, v)[0] if v.size else v
        return c

    # --- optima ------------------------------------------------------------------------------------------------------

    def optimum(self, pull: Pull) -> Optimum:
        """Return what the margin's rows make of a pull: w, b and their signed duals."""
        Phi, q, h = self.problem.Phi[self.rows], len(self.tau), pull.targets[self.rows]
        has_b = self.problem.free and len(self.rows) > 0
        p = (pull.w + pull.balance * Phi[0] if has_b else pull.w)[self.order]
        g = h[1:] - h[0] if has_b else h
        y = self._rotated(p[:, np.newaxis])
        lifted = self._forward(g[:, np.newaxis])
        c = self._backward(lifted - y[:q])[:, 0]
        y[:q] = lifted
        w = np.empty_like(p)
        w[self.order] = self._on_margin(self._rotated(y, back=True)[:, 0], g)
        if not has_b:
            return Optimum(w, 0.0, c)
        return Optimum(w, float(np.mean(h - Phi @ w)), np.append(pull.balance - c.sum(), c))

    def _on_margin(self, w: Float[np.ndarray, " p"], h: Float[np.ndarray, " q"]) -> Float[np.ndarray, " p"]:
        """Return w with what rounding has left of A'w - h taken out of it."""
        off, before = self.columns.T @ w - h, np.inf
        for _ in range(CORRECTIONS):
            size = float(np.abs(off).max(initial=0.0))
            if not 0.0 < size < before / 2:
                break
            trial = w - self._lifted(off)
            left = self.columns.T @ trial - h
            if not np.abs(left).max() < size:
                break
            w, off, before = trial, left, size
        return w

    def _lifted(self, g: Float[np.ndarray, " q"]) -> Float[np.ndarray, " p"]:
        """Return the shortest v with A'v = g, features in order."""
        y = np.zeros((len(self.order), 1))
        y[: len(g)] = self._forward(g[:, np.newaxis])
        return self._rotated(y, back=True)[:, 0]

    # --- other vectors -----------------------------------------------------------------------------------------------

    def split(
        self, V: Float[np.ndarray, "k p"], ones: Float[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, "m k"], Float[np.ndarray, "r k"]]:
        """Return the coefficients of vectors in the margin's rows, and the rest in coordinates of what is left of them.

        Parameters
        ----------
        V : array of shape (k, p)
        ones : array of shape (k,)
            What they have in the place of a free intercept's 1.
        """
        q, free = len(self.tau), self.problem.free and len(self.rows)
        V = V - np.outer(ones, self.problem.Phi[self.rows[0]]) if free else V
        Y = self._rotated(V[:, self.order].T)
        z = self._backward(Y[:q])
        return np.vstack([ones - z.sum(axis=0), z]) if free else z, Y[q:]

    def rest(self, rows: Float[np.ndarray, "k p"]) -> Float[np.ndarray, "r k"]:
        """Return what is left of rows beside the margin, in coordinates that keep inner products."""
        return self.split(rows, np.ones(len(rows)))[1]

    def combination(self, row: int, is_one: bool = False) -> Float[np.ndarray, " m"] | None:
        """Return z with phi_row = sum_i z_i phi_i over the margin, sum z = 1 for a free intercept; None if none is.

        It must hold in every feature, to the rounding of that feature, unless it is known that there is one.
        """
        problem = self.problem
        if problem.free and not len(self.rows):
            return None
        phi, Phi = problem.Phi[row], problem.Phi[self.rows]
        z = self.split(phi[np.newaxis], np.ones(1))[0][:, 0]
        size = np.abs(phi) + np.abs(z).sum() * np.abs(Phi).max(axis=0, initial=0.0)
        return z if is_one or (np.abs(phi - z @ Phi) <= DEPENDENT * size).all() else None


def are_independent(problem: Problem, rows: Int[np.ndarray, " m"]) -> bool:
    """Return whether some rows are independent beyond doubt: none is within a millionth of the span of the others."""
    if len(rows) > problem.Phi.shape[1] + problem.free or not len(rows):
        return not len(rows)
    try:
        pivots = np.abs(np.diag(Margin.of(problem, rows).R))
    except LinAlgError:
        return False
    return bool(pivots.min(initial=np.inf) > CLEARLY * pivots.max(initial=0.0))
