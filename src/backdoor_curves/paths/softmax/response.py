"""Optima of softmax regression to rounding, their derivatives, and how they answer to the weights of single rows.

    H W' = - sum_i du_i (P_i - Y_i) z_i'
    influence[t, i] = - (u0_i + du_i) (P_i - Y_i)' U_t z_i,    H U_t = g_t z_t'

One system for each test row, whose g_t is known, and not one for each row and class. Systems are solved in the working
precision and corrected with what is left in double, until that is rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.softmax.factored import Factored, factored
from backdoor_curves.paths.softmax.newton import TINY, applied, solve
from backdoor_curves.paths.softmax.preconditioner import Preconditioner
from backdoor_curves.paths.softmax.problem import (
    Columns,
    Problem,
    Scores,
    probabilities,
    rate_of_gradient,
    without_mean,
)

POLISHING = 2
"""Newton steps from the path to the optimum: the first squares an error of 1e-6, the second is for coarser paths."""
CORRECTIONS = 6
"""Of a solution, at most: three are enough where single precision knows four digits."""
EXACT = 1e-13
"""Share of a right-hand side that a solution may leave: 450 roundings."""
SHARE = 1e-5
"""Share that one solution in the working precision leaves: what single precision has to give."""
OF_ROWS = 2e-10
"""The same as EXACT where there is a system for each of many rows: two solutions, and slopes to nine digits."""
MANY = 100
"""Rows from which on a factor is worth its cost, if at all."""
EXPECTED = 300
"""Rows that are then expected: they come in blocks."""
CONTRACTS = 0.1
"""What a correction with a factor leaves, at most, of what there was: single precision leaves 1e-5. Else the matrix was
nearly singular, and conjugate gradients do better."""
SAFE = 10.0
"""Times what the corrections so far promise, the next may leave: columns differ by three."""
ENTRIES = 2**20
"""Scores at once, of all classes and rows and some test rows: 8 MiB, of which a solution holds some eight."""


def optimum_and_rate(
    problem: Problem, W: Columns, betas: Float[np.ndarray, " b"], M: Preconditioner
) -> tuple[Columns, Columns]:
    """Return the optima at betas near each other, found from W nearby, and their derivatives."""
    for _ in range(POLISHING):
        P = probabilities(problem.scores(W))
        W = W + solved(problem, P, betas, M, -problem.gradient(W, P, betas))
    P = probabilities(problem.scores(W))
    return W, solved(problem, P, betas, M, -rate_of_gradient(problem, P))


@dataclass(frozen=True, eq=False)
class RowInfluence:
    """What the weights of training rows do to the losses of others, at one optimum.

    Parameters
    ----------
    problem : Problem
    W, rates : arrays of shape (K, 1, p)
        The optimum and its derivative
    beta : float
        at this beta.
    M : Preconditioner
    """

    problem: Problem
    W: Columns
    rates: Columns
    beta: float
    M: Preconditioner

    @cached_property
    def shares(self) -> Scores:
        """The probabilities of the classes."""
        return probabilities(self.problem.scores(self.W))

    @cached_property
    def pulls(self) -> Float[np.ndarray, "K n"]:
        """The derivatives of the rows' losses in their scores, at their full weight."""
        full = self.problem.u0 + self.problem.du
        return replace(self.problem, u0=full, du=np.zeros_like(full)).residuals(self.shares, np.zeros(1))[:, 0]

    @cached_property
    def factor(self) -> Factored | None:
        """The factor for many rows, where it is worth its cost."""
        return factored(self.problem, self.shares[:, 0], self.beta, EXPECTED)

    def __call__(
        self, Z: Float[np.ndarray, "x p"], loss_gradients: Float[np.ndarray, "x K"]
    ) -> Float[np.ndarray, "x n"]:
        """Return d loss_t / d weight_i, given the derivatives of the losses of rows Z in their scores."""
        problem, g = self.problem, without_mean(loss_gradients.T)
        M = self.M if len(Z) < MANY else self.factor or self.M
        values = np.empty((len(Z), len(problem.y)))
        most = max(1, ENTRIES // (problem.K * len(problem.y)))
        for part in np.array_split(np.arange(len(Z)), -(-len(Z) // most) or 1):
            right = g[:, part, np.newaxis] * Z[part]
            U = self._along_the_path(self._solved(M, right), right)
            values[part] = -np.einsum("kxn,kn->xn", problem.scores(U), self.pulls)
        return values

    def _solved(self, M: Preconditioner | Factored, right: Columns) -> Columns:
        if isinstance(M, Factored) and M.is_whole:
            return refined(self.problem, self.shares, self.beta, M, right)
        betas, P = np.full(right.shape[1], self.beta), np.repeat(self.shares, right.shape[1], axis=1)
        return solved(self.problem, P, betas, M, right, OF_ROWS)

    def _along_the_path(self, U: Columns, right: Columns) -> Columns:
        """Return solutions that are exact along the derivative, which is known better: influences add up to slopes.

        By so much of the derivative V as makes what is left of the equations orthogonal to it, <B - H U, V> = 0.
        """
        V, pull = self.rates[:, 0], -rate_of_gradient(self.problem, self.shares)[:, 0]  # H V
        missing = np.einsum("kxp,kp->x", right, V) - np.einsum("kxp,kp->x", U, pull)
        return U + (missing / max(float((V * pull).sum()), TINY))[:, np.newaxis] * V[:, np.newaxis]


def solved(
    problem: Problem,
    P: Scores,
    betas: Float[np.ndarray, " b"],
    M: Preconditioner | Factored,
    B: Columns,
    exact: float = EXACT,
) -> Columns:
    """Return X with H X = B but for that share of B, in the norm of the preconditioner, or as near as corrections go.

    What is left after the last one is not looked at: it is the share that it was solved to.
    """
    product, X, left = problem.hessian(P, betas), np.zeros_like(B), B
    size, before = np.zeros(len(betas)), np.full(len(betas), np.inf)
    for _ in range(CORRECTIONS):
        step = solve(problem, P, betas, M, left, np.full(len(betas), SHARE))
        size = np.maximum(size, step.length)  # of B itself, at first
        if not (step.length < before).any():
            break
        X = X + step.X
        if (SHARE * step.length <= exact * size).all():
            break
        left, before = without_mean(B - product(X)), step.length
    return X


def refined(problem: Problem, P: Float[np.ndarray, "K 1 n"], beta: float, M: Factored, B: Columns) -> Columns:
    """Return X with H X = B but for OF_ROWS of B, in the norm of a factor of the whole, all columns at one beta.

    Each correction is a product with the rows and a solution with the factor. The last one is known by those before.
    """
    betas = np.array([beta])
    product, step = problem.hessian(P, betas), applied(problem, M, B)
    X, size = step.X, step.length
    for _ in range(CORRECTIONS):
        before, step = step.length, applied(problem, M, without_mean(B - product(X)))
        X = X + step.X
        contracts = step.length / np.maximum(before, TINY)
        if (SAFE * contracts * step.length <= OF_ROWS * size).all():
            return X
        if (contracts > CONTRACTS).any():
            break
    columns, left = B.shape[1], without_mean(B - product(X))
    return X + solved(problem, np.repeat(P, columns, axis=1), betas.repeat(columns), M, left, OF_ROWS)
