"""How an SVM answers while its sets stay: the linear system of the margin, for moving bounds.

With the rows E at their bound, whose signed duals c_E move as the bounds do, and the margin M, where f stays at y,

    S [ db; dc_M ] = -[ 1'; K_ME ] dc_E,  S = [ -1/s^2  1'; 1  K_MM ],     df = K_E dc_E + [ 1  K_M ] [ db; dc_M ]

so that f(x) answers to c_i of a row i in E by G(x, i) = k(x, x_i) - [ 1  k(x, M) ] S^-1 [ 1; k(M, x_i) ]: what is left
of the kernel once the margin holds its rows (`dual` has the sets and S).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int8
from scipy.linalg import LinAlgError

from backdoor_curves.paths.svm.dual import BOUND, MARGIN, Problem
from backdoor_curves.paths.svm.margin import border_of, inverse_for

REFINEMENTS = 2
"""Corrections of a solution of the margin's system."""
RANK = 1e-13
"""Singular values below this share of the largest are 0, where rows of the margin depend on each other."""


@dataclass(frozen=True, eq=False)
class HeldMargin:
    """The margin's system S and its inverse.

    Parameters
    ----------
    problem : Problem
    status : array of shape (n,)
        The set of each row.
    rows : int array of shape (m,)
        The margin.
    border : int
        1 if b is an unknown that the margin or a penalty determines, else 0.
    S, B : arrays of shape (border + m, border + m)
    dependent : int
        How many of the rows depend on the others in floating point. B is then a pseudo-inverse: the duals of least
        norm, of all those that give the same f.
    """

    problem: Problem
    status: Int8[np.ndarray, " n"]
    rows: Int[np.ndarray, " m"]
    border: int
    S: Float[np.ndarray, "w w"]
    B: Float[np.ndarray, "w w"]
    dependent: int

    @classmethod
    def of(cls, problem: Problem, status: Int8[np.ndarray, " n"]) -> HeldMargin:
        """Return the margin of some sets."""
        M = np.flatnonzero(status == MARGIN)
        border = border_of(problem, M)
        S = np.ones((border + len(M),) * 2)
        S[border:, border:] = problem.gram[np.ix_(M, M)]
        S[:border, :border] = problem.corner
        try:
            return cls(problem, status, M, border, S, inverse_for(problem, M), 0)
        except LinAlgError:
            values = np.abs(np.linalg.eigvalsh(S))
            B = np.linalg.pinv(S, rcond=RANK, hermitian=True)
            return cls(problem, status, M, border, S, B, int((values <= RANK * values.max()).sum()))

    def solve(self, R: Float[np.ndarray, "w k"]) -> Float[np.ndarray, "w k"]:
        """Return S^-1 R, refined."""
        V = self.B @ R
        for _ in range(REFINEMENTS):
            V += self.B @ (R - self.S @ V)
        return V

    def direction(self) -> tuple[Float[np.ndarray, " n"], float]:
        """Return the rates in beta of the signed duals and of the intercept while the sets stay as they are.

        Where an empty margin leaves a free intercept, it stays.
        """
        problem, M, border = self.problem, self.rows, self.border
        rates = np.where(self.status == BOUND, problem.y * problem.du, 0.0)
        moving = np.flatnonzero(rates)
        pull = np.append(np.full(border, rates.sum()), rates[moving] @ problem.gram[np.ix_(moving, M)])
        v = -self.solve(pull[:, np.newaxis])[:, 0]
        rates[M] = v[border:]
        return rates, float(v[0]) if border else 0.0

    def held(self, rows: Int[np.ndarray, " r"]) -> Float[np.ndarray, "w r"]:
        """Return S^-1 [1; K_M] for some rows."""
        return self.solve(np.vstack([np.ones((self.border, len(rows))), self.problem.gram[np.ix_(self.rows, rows)]]))

    def left(self, K: Float[np.ndarray, "x mr"], held: Float[np.ndarray, "w r"]) -> Float[np.ndarray, "x r"]:
        """Return G between other rows and some, given the kernel K between the others and the margin and these."""
        m = len(self.rows)
        return K[:, m:] - np.column_stack([np.ones((len(K), self.border)), K[:, :m]]) @ held
