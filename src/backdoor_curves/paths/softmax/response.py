"""Optima of softmax regression to rounding, their derivatives, and how they answer to the weights of single rows.

    H W' = - sum_i du_i (P_i - Y_i) z_i'
    influence[t, i] = - (u0_i + du_i) (P_i - Y_i)' U_t z_i,    H U_t = g_t z_t'

One system for each test row, whose g_t is known, and not one for each row and class. Systems are solved in the working
precision and corrected with what is left in double, until that is rounding.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.softmax.newton import TINY, solve
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
"""Share of a right-hand side that a solution leaves: 450 roundings."""
SHARE = 1e-5
"""Share that one solution in the working precision leaves."""
ENTRIES = 2**22
"""Scores at once, of all classes and rows and some test rows: 32 MiB, of which a solution holds some eight."""


def optimum_and_rate(
    problem: Problem, W: Columns, betas: Float[np.ndarray, " b"], M: Preconditioner
) -> tuple[Columns, Columns]:
    """Return the optima at betas near each other, found from W nearby, and their derivatives."""
    for _ in range(POLISHING):
        P = probabilities(problem.scores(W))
        W = W + solved(problem, P, betas, M, -problem.gradient(W, P, betas))
    P = probabilities(problem.scores(W))
    return W, solved(problem, P, betas, M, -rate_of_gradient(problem, P))


def influence(
    problem: Problem,
    W: Columns,
    beta: float,
    M: Preconditioner,
    Z: Float[np.ndarray, "x p"],
    loss_gradients: Float[np.ndarray, "x K"],
) -> Float[np.ndarray, "x n"]:
    """Return d loss_t / d weight_i at the optimum W, given the derivatives of the losses of rows Z in their scores."""
    P = probabilities(problem.scores(W))
    full = problem.u0 + problem.du
    pulls = Problem(problem.Z, problem.y, problem.K, full, 0.0 * full, problem.R).residuals(P, np.zeros(1))[:, 0]
    g = without_mean(loss_gradients.T)
    values = np.empty((len(Z), len(problem.y)))
    most = max(1, ENTRIES // (problem.K * len(problem.y)))
    for part in np.array_split(np.arange(len(Z)), -(-len(Z) // most) or 1):
        right = g[:, part, np.newaxis] * Z[part]
        betas, many = np.full(len(part), beta), np.repeat(P, len(part), axis=1)
        U = solved(problem, many, betas, M, right)
        values[part] = -np.einsum("kxn,kn->xn", problem.scores(U), pulls)
    return values


def solved(problem: Problem, P: Scores, betas: Float[np.ndarray, " b"], M: Preconditioner, B: Columns) -> Columns:
    """Return X with H X = B to rounding, or as near as corrections come."""
    product, X, left = problem.hessian(P, betas), np.zeros_like(B), B
    size = before = np.sqrt(_squares(B))
    for _ in range(CORRECTIONS):
        step, _ = solve(problem, P, betas, M, left, np.full(len(betas), SHARE))
        nearer = X + step
        left = without_mean(B - product(nearer))
        now = np.sqrt(_squares(left))
        X = np.where((now < before)[:, np.newaxis], nearer, X)
        if (now <= EXACT * np.maximum(size, TINY)).all() or (now > 0.1 * before).any():
            break
        before = now
    return X


def _squares(A: Columns) -> Float[np.ndarray, " b"]:
    return np.einsum("kbp,kbp->b", A, A)
