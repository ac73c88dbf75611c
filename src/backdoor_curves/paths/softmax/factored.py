"""The Hessian of all classes by its Cholesky factor, which is dear to make: for many systems at one beta.

A solution is looked for with nothing in the last class, and its mean over the classes is taken out afterwards: that
changes none of the differences between classes, which are all that the rows see. Among the others the Hessian is

    sum_{k < l} (e_k - e_l)(e_k - e_l)' x sum_i u_i P_ik P_il z_i z_i' + (1 - 1 1' / K) x R

of a matrix for each pair of classes, to which only the rows count that waver between the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from scipy.linalg import lapack
from scipy.linalg.blas import get_blas_funcs

from backdoor_curves.paths.softmax.preconditioner import factor_of
from backdoor_curves.paths.softmax.problem import Columns, Problem, without_mean

LARGEST = 10_000
"""Unknowns whose matrix is factored: 400 MB in single precision."""
LIGHT = 0.1
"""Curvature along an axis, in that of the penalty, that the diagonal alone does justice; a tenth costs the same."""
STEPS = (16.0, 2.0)
"""Of conjugate gradients to ten digits with a factor along the heavier axes, and of corrections with one along all."""
STEPS_WITHOUT = 36.0
"""Without a factor."""
FAINT = 1e-3
"""Share of the least penalty that rows left out of pairs of classes may have together: no step more."""


@dataclass(frozen=True, eq=False)
class Factored:
    """A factor along the first axes, and the inverse of the diagonal along the others.

    Parameters
    ----------
    L : array of shape ((K - 1) r, (K - 1) r)
        Lower.
    minor : array of shape (K, p - r)
    """

    L: Shaped[np.ndarray, "m m"]
    minor: Shaped[np.ndarray, "K rest"]

    @property
    def is_whole(self) -> bool:
        """Whether it is the inverse but for rounding."""
        return not self.minor.size

    def __call__(self, G: Columns) -> Columns:
        """Return what the inverse makes of gradients."""
        K, b, _ = G.shape
        r = len(self.L) // (K - 1)
        out = np.zeros_like(G)
        np.multiply(self.minor[:, np.newaxis], G[..., r:], out=out[..., r:])
        (potrs,) = lapack.get_lapack_funcs(("potrs",), (self.L,))
        found, _ = potrs(self.L, G[:-1, :, :r].swapaxes(0, 1).reshape(b, -1).T, lower=1)
        out[:-1, :, :r] = found.T.reshape(b, K - 1, r).swapaxes(0, 1)
        return without_mean(out)


def factored(problem: Problem, P: Float[np.ndarray, "K n"], beta: float, systems: int) -> Factored | None:
    """Return a factor at one beta, along some axes or all, where so many systems are worth its cost; else None.

    Raises
    ------
    PathError
        If rounding leaves the Hessian far from positive.
    """
    K, (n, p) = len(P), problem.Z.shape
    u = problem.u(np.array([beta]))[0]
    D = (u * P * (1.0 - P)).astype(problem.working)
    diagonal = D @ problem.rough_squares + problem.rough_penalty
    heavy = np.flatnonzero((diagonal > (1.0 + LIGHT) * problem.rough_penalty).any(axis=0))
    product = 4.0 * K * n * p

    def cost(r: int) -> float:
        m = (K - 1.0) * r
        return m**3 / 3.0 + K * (K - 1) / 2.0 * n * r**2 + systems * STEPS[r == p] * (product + 2.0 * m**2)

    along = (int(heavy[-1]) + 1 if heavy.size else 1, p)
    r = min((r for r in along if (K - 1) * r <= LARGEST), key=cost, default=p)
    if (K - 1) * r > LARGEST or cost(r) > systems * STEPS_WITHOUT * product:
        return None
    return Factored(factor_of(lambda: among_others(problem, P, u, r)), 1.0 / diagonal[:, r:])


def among_others(
    problem: Problem, P: Float[np.ndarray, "K n"], u: Float[np.ndarray, " n"], r: int
) -> Shaped[np.ndarray, "m m"]:
    """Return the Hessian of all classes but the last along the first r axes: its lower triangle, by columns."""
    K, Z, R = len(P), problem.rough[:, :r], problem.rough_penalty[:r]
    H = np.zeros(((K - 1) * r, (K - 1) * r), Z.dtype, order="F")
    blocks, axis = H.T.reshape(K - 1, r, K - 1, r), np.arange(r)  # [l, :, k] is the transpose of that of k and l
    (syrk,) = get_blas_funcs(("syrk",), (Z,))
    penalties = problem.R[problem.R > 0.0]
    faint = FAINT * float(penalties.min(initial=1.0)) / (K * max(len(Z), 1))
    for k in range(K):
        for other in range(k):
            d = u * P[k] * P[other]
            some = np.flatnonzero(d * problem.squares > faint)
            A = Z[some] * np.sqrt(d[some]).astype(Z.dtype)[:, np.newaxis]
            pair = syrk(1.0, A.T, lower=1) if A.size else np.zeros((r, r), Z.dtype, order="F")
            blocks[other, :, other] += pair.T
            if k < K - 1:
                blocks[k, :, k] += pair.T
                blocks[other, :, k] = -(pair + np.tril(pair, -1).T)
                blocks[other, axis, k, axis] -= R / K
    for k in range(K - 1):
        blocks[k, axis, k, axis] += R * (1.0 - 1.0 / K)
    return H
