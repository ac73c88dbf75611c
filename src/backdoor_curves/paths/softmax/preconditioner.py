"""An inverse of the Hessian of softmax regression, roughly: what makes conjugate gradients take 10 steps and not 100.

The Hessian couples all classes on all axes: of 7850 unknowns for ten classes of images, it is never formed. Its parts:

    coupled    all classes together, along the first axes: sum_i u_i (diag P_i - P_i P_i') x z_i z_i' + R
    apart      each class alone, along the axes where rows add to the penalty: sum_i u_i P_ik (1 - P_ik) z_i z_i' + R
    minor      the diagonal alone, along the others

The first two overlap and are added; what they make of it has its mean over the classes taken out. Where the heavier
axes are few, the first has them all, and there are none apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.linalg import lapack
from scipy.linalg.blas import get_blas_funcs

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.softmax.problem import Columns, Problem, Scores, probabilities, without_mean

FEW = 200
"""Unknowns that are all coupled, whatever their curvature: of a table, whose columns may be alike."""
WHOLE = 1000
"""Unknowns along the heavier axes that are all coupled: so many are inverted in the time of ten products with rows."""
COUPLED = 500
"""Unknowns that are coupled where there are more: a quarter fewer steps than without; twice as many change little."""
LIGHT = 0.3
"""Curvature along an axis, in that of the penalty, that the diagonal alone does justice."""
ROWS = 4000
"""Rows that blocks are made of where there are more, about: drawn in proportion to their curvature."""
DROPPED = 1e-3
"""Share of the least curvature that rows left out may have together."""
FAINT = 0.1
"""Share of the least curvature that rows left out of a class's blocks may have together: a tenth of a step more."""
NEAR = 0.5
"""Optima so near in tau share a preconditioner; half as far again, and steps double."""
JITTERS = (0.0, 1e-6, 1e-4, 1e-2)
"""Shares of its diagonal added to a matrix, the next where rounding leaves it no factor."""
KEPT = 2.0**28
"""Bytes of preconditioners kept for betas that come again: 60 of ten classes of images."""


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """Its parts, of which any may be empty.

    Parameters
    ----------
    coupled : array of shape (K r, K r)
        An inverse along the first r axes, of all classes.
    apart : array of shape (K, q, q)
        Inverses along the first q axes, one for each class; q = 0 where all is coupled.
    minor : array of shape (K, p - max(q, r))
        The inverse of the diagonal along the others.
    """

    coupled: Shaped[np.ndarray, "Kr Kr"]
    apart: Shaped[np.ndarray, "K q q"]
    minor: Shaped[np.ndarray, "K rest"]

    def __call__(self, G: Columns) -> Columns:
        """Return what the inverse makes of gradients."""
        K, b, p = G.shape
        q, r = self.apart.shape[1], len(self.coupled) // K
        out = np.empty_like(G)
        first = p - self.minor.shape[1]
        np.multiply(self.minor[:, np.newaxis], G[..., first:], out=out[..., first:])
        if q:
            np.matmul(G[..., :q], self.apart, out=out[..., :q])
        together = (G[..., :r].swapaxes(0, 1).reshape(b, K * r) @ self.coupled).reshape(b, K, r).swapaxes(0, 1)
        out[..., :r] = out[..., :r] + together if q else together
        return without_mean(out)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self.coupled.nbytes + self.apart.nbytes + self.minor.nbytes


def preconditioner(problem: Problem, P: Float[np.ndarray, "K n"], beta: float) -> Preconditioner:
    """Return the preconditioner at one beta, given the probabilities there."""
    K, p = P.shape[0], problem.Z.shape[1]
    u = problem.u(np.array([beta]))[0]
    D = (u * P * (1.0 - P)).astype(problem.working)
    diagonal = D @ problem.rough_squares + problem.rough_penalty
    heavy = np.flatnonzero((diagonal > (1.0 + LIGHT) * problem.rough_penalty).any(axis=0))
    q = p if K * p <= FEW else int(heavy[-1]) + 1 if heavy.size else 1
    rows, shares = _rows(D.sum(axis=0) * problem.squares, float(D.sum()))
    few = _Part(problem.rough[rows, :q], P[:, rows], u[rows] / shares, problem.R[:q])
    is_whole = K * q <= WHOLE
    coupled = inverse(few.coupled(q if is_whole else max(COUPLED // K, 1)))
    apart = np.empty((K, 0, 0), coupled.dtype) if is_whole else few.apart()
    return Preconditioner(coupled, apart, 1.0 / diagonal[:, q:])


def _rows(size: Float[np.ndarray, " n"], total: float) -> tuple[np.ndarray, np.ndarray]:
    """Return rows that stand for all, and with what chance each was drawn; heavy ones are there for certain."""
    rows = np.flatnonzero(size > DROPPED * min(1.0, total) / len(size))
    if len(rows) <= ROWS:
        return rows, np.ones(len(rows))
    chance = np.minimum(1.0, ROWS * size[rows] / size[rows].sum())
    chance = np.minimum(1.0, chance * (ROWS / chance.sum()))
    drawn = np.random.default_rng(0).random(len(rows)) < chance
    return rows[drawn], chance[drawn]


@dataclass(frozen=True, eq=False)
class _Part:
    """A few rows along a few axes."""

    Z: Shaped[np.ndarray, "n q"]
    P: Float[np.ndarray, "K n"]
    u: Float[np.ndarray, " n"]
    R: Float[np.ndarray, " q"]

    @cached_property
    def squares(self) -> Shaped[np.ndarray, " n"]:
        return np.einsum("nq,nq->n", self.Z, self.Z)

    def of_class(self, k: int) -> Int[np.ndarray, " _"]:
        """Return the rows that have curvature between a class and the others: where classes are apart, few."""
        size = self.u * self.P[k] * (1.0 - self.P[k]) * self.squares
        return np.flatnonzero(size > FAINT * min(1.0, float(size.sum())) / max(len(size), 1))

    def coupled(self, r: int) -> Shaped[np.ndarray, "Kr Kr"]:
        """Return the Hessian of all classes along the first r axes."""
        K, dtype = len(self.P), self.Z.dtype
        H = np.zeros((K, r, K, r), dtype)
        for k in range(K):
            some = self.of_class(k)
            Z, P, u = self.Z[some, :r], self.P[:, some], self.u[some]
            for other in range(k + 1):
                d = u * P[k] * ((1.0 - P[k]) if other == k else -P[other])
                H[k, :, other] = Z.T @ (Z * d.astype(dtype)[:, np.newaxis])
            H[k, np.arange(r), k, np.arange(r)] += self.R[:r].astype(dtype)
        # Equal parameters of all classes have the penalty alone, intercepts nothing: on what adds up to 0 this changes
        # nothing, and the inverse keeps its digits.
        for j in range(r):
            H[:, j, :, j] += max(float(H[np.arange(K), j, np.arange(K), j].mean()), float(np.finfo(dtype).tiny))
        return H.reshape(K * r, K * r)

    def apart(self) -> Shaped[np.ndarray, "K q q"]:
        """Return the inverses of the Hessians of single classes."""
        q = self.Z.shape[1]
        inverses = np.empty((len(self.P), q, q), self.Z.dtype)
        for k, p in enumerate(self.P):
            some = self.of_class(k)
            root = np.sqrt(self.u[some] * p[some] * (1.0 - p[some]))
            A = self.Z[some] * root.astype(self.Z.dtype)[:, np.newaxis]
            (syrk,) = get_blas_funcs(("syrk",), (A,))
            H = syrk(1.0, A.T, lower=1) if A.size else np.zeros((q, q), A.dtype, order="F")
            H[np.diag_indices(q)] += self.R.astype(H.dtype)
            inverses[k] = inverse(H)
        return inverses


def inverse(H: Shaped[np.ndarray, "q q"]) -> Shaped[np.ndarray, "q q"]:
    """Return the inverse of a positive definite matrix given by its lower triangle, about where it is nearly singular.

    Raises
    ------
    PathError
        If rounding leaves it far from positive.
    """
    if not H.size:
        return H
    L = factor(H)
    (potri,) = lapack.get_lapack_funcs(("potri",), (L,))
    found, _ = potri(L, lower=1, overwrite_c=1)
    found[np.diag_indices_from(found)] /= 2.0
    return np.asarray(found + found.T)  # above the diagonal there are zeros


def factor(H: Shaped[np.ndarray, "q q"]) -> Any:
    """Return the Cholesky factor of a positive definite matrix given by its lower triangle; errors as `inverse`."""
    return factor_of(lambda: H.copy(order="F"))


def factor_of(made: Callable[[], Shaped[np.ndarray, "q q"]]) -> Any:
    """Return the same of a matrix by columns that is made anew where rounding left it no factor, and overwritten."""
    for jitter in JITTERS:
        A = made()
        A[np.diag_indices_from(A)] *= 1.0 + jitter
        (potrf,) = lapack.get_lapack_funcs(("potrf",), (A,))
        L, failed = potrf(A, lower=1, overwrite_a=1, clean=1)
        if not failed:
            return L
    raise PathError("the Hessian is singular in this precision; raise lambda or rescale the features")


@dataclass(eq=False)
class Preconditioners:
    """Those that were made as a path was followed, each for the betas near its own."""

    problem: Problem
    made: list[tuple[float, Preconditioner]] = field(default_factory=list)

    def near(self, tau: float, F: Scores, beta: float) -> Preconditioner:
        """Return one made near tau; where there is none a new one, from the scores F (K, 1, n) at this beta.

        It keeps none: what a path answers does not hang on what it was asked before.
        """
        at, known = min(self.made, key=lambda each: abs(each[0] - tau), default=(np.inf, None))
        return known if known is not None and abs(at - tau) <= NEAR else self._new(F, beta)

    def kept(self, tau: float, F: Scores, beta: float) -> Preconditioner:
        """Return the same, and keep a new one."""
        found = self.near(tau, F, beta)
        return found if any(each is found for _, each in self.made) else self._keep(tau, found)

    def renewed(self, tau: float, F: Scores, beta: float) -> Preconditioner:
        """Return a new one at tau, and keep it in the place of those next to it."""
        self.made[:] = [(at, each) for at, each in self.made if abs(at - tau) > NEAR / 2.0]
        return self._keep(tau, self._new(F, beta))

    def _new(self, F: Scores, beta: float) -> Preconditioner:
        return preconditioner(self.problem, probabilities(F)[:, 0], beta)

    def _keep(self, tau: float, made: Preconditioner) -> Preconditioner:
        self.made.append((tau, made))
        while sum(each.nbytes for _, each in self.made) > KEPT and len(self.made) > 1:
            del self.made[0]
        return made
