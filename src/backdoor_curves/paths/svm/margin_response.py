"""How an SVM answers while its sets stay: derivatives of its duals, intercept and scores, from the margin's system.

With the rows E at their bound, whose signed duals c_E move as the bounds do, and the margin M, where f stays at y,

    S [ db; dc_M ] = -[ 1'; K_ME ] dc_E,        df = K_E dc_E + [ 1  K_M ] [ db; dc_M ]

(`margin_system` has S), so that f(x) answers to c_i of a row i in E by

    G(x, i) = k(x, x_i) - [ 1  k(x, M) ] S^-1 [ 1; k(M, x_i) ],

what is left of the kernel once the margin's rows have taken up what they can: its Schur complement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int8

from backdoor_curves.paths.svm.dual import BOUND, MARGIN, Problem
from backdoor_curves.paths.svm.margin_system import MarginSystem, RefinedInverse


@dataclass(frozen=True, eq=False)
class MarginResponse:
    """The derivatives of an optimum with known sets.

    Parameters
    ----------
    problem : Problem
    status : array of shape (n,)
        The set of each row.
    rows : int array of shape (m,)
        The margin.
    border : int
        1 if b is an unknown that the margin or a penalty determines, else 0.
    inverse : RefinedInverse
    """

    problem: Problem
    status: Int8[np.ndarray, " n"]
    rows: Int[np.ndarray, " m"]
    border: int
    inverse: RefinedInverse

    @classmethod
    def of(cls, problem: Problem, status: Int8[np.ndarray, " n"]) -> MarginResponse:
        """Return the response of some sets."""
        M = np.flatnonzero(status == MARGIN)
        system = MarginSystem.of(problem, M)
        return cls(problem, status, M, system.border, RefinedInverse.of(system))

    @property
    def dependent(self) -> int:
        """How many of the margin's rows depend on the others."""
        return self.inverse.dependent

    def direction(self) -> tuple[Float[np.ndarray, " n"], float]:
        """Return the derivatives in beta of the signed duals and of the intercept.

        Where an empty margin leaves a free intercept, it stays.
        """
        problem, M, border = self.problem, self.rows, self.border
        rates = np.where(self.status == BOUND, problem.y * problem.du, 0.0)
        moving = np.flatnonzero(rates)
        right = np.append(np.full(border, rates.sum()), rates[moving] @ problem.matrix.block(moving, M))
        v = -self.inverse.solve(right[:, np.newaxis])[:, 0]
        rates[M] = v[border:]
        return rates, float(v[0]) if border else 0.0

    def margin_weights(self, rows: Int[np.ndarray, " r"]) -> Float[np.ndarray, "w r"]:
        """Return S^-1 [ 1; k(M, x_i) ] for some rows: what the margin takes up of a unit of their duals."""
        ones = np.ones((self.border, len(rows)))
        return self.inverse.solve(np.vstack([ones, self.problem.matrix.block(self.rows, rows)]))

    def schur_complement(
        self, K: Float[np.ndarray, "x mr"], weights: Float[np.ndarray, "w r"]
    ) -> Float[np.ndarray, "x r"]:
        """Return G between other rows and some, from the kernel of the others with the margin and with these."""
        m = len(self.rows)
        return K[:, m:] - np.column_stack([np.ones((len(K), self.border)), K[:, :m]]) @ weights
