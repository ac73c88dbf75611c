"""Support vector machines with the hinge loss: the exact beta-path, for any kernel.

The optimum is piecewise linear in beta; `homotopy` has the equations and follows it from knot to knot. Here the path
becomes a record: a node at each knot, from which scores, norms and a certificate follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int8
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from backdoor_curves.paths.base import BetaPath, Certificate
from backdoor_curves.paths.homotopy import BOUND, MARGIN, ZERO, Homotopy, Problem, Segment, StalledError, start
from backdoor_curves.paths.interpolants import PiecewiseLinear
from backdoor_curves.rows import Rows, distinct_rows, n_rows, take_rows

CrossKernel = Callable[[Rows, Rows], Float[np.ndarray, "a b"]]
"""The kernel matrix between two sets of rows."""

OPTIMAL = 1e-9
"""Largest relative duality gap of a node, and of its distance from the bounds over the largest bound."""
PERTURBATIONS = (0.0, 1e-7, 1e-6)
"""Sizes of the random shifts of the margins that break ties; none unless the path fails without."""


def svm_path(
    X: Rows,
    y: Float[np.ndarray, " n"],
    u0: Float[np.ndarray, " n"],
    du: Float[np.ndarray, " n"],
    kernel: CrossKernel,
    scaling: float | None = None,
) -> SVMPath:
    """Return the path of an SVM whose dual bounds are u0 + beta du.

    Parameters
    ----------
    X : rows
        Clean and poison rows.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        C times the row weights: u0 for clean rows (du = 0), du for poison rows (u0 = 0).
    kernel : callable (A, B) -> array of shape (a, b)
        Positive semidefinite.
    scaling : float, optional
        None for a free intercept; s for a penalised one, a constant column s; 0 for none.

    Returns
    -------
    SVMPath

    Raises
    ------
    NotOptimalError
        If the conditions of the optimum fail at a node by more than rounding, or ties keep the path from going on, even
        with perturbed margins: as they may where C times the smallest eigenvalue of the margin's kernel matrix is
        beyond double precision. No such path is returned.

    Notes
    -----
    O(n |M| + |M|^2) a knot, M being the margin set. Equal rows with equal labels are merged first: their duals only
    occur as a sum.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.svm import svm_path
    >>> X, y = np.array([[-1.0], [1.0], [2.0]]), np.array([-1.0, 1.0, -1.0])
    >>> path = svm_path(X, y, np.array([9.0, 9.0, 0.0]), np.array([0.0, 0.0, 9.0]), lambda A, B: A @ B.T)
    >>> path.scores(X[:2], np.array([0.0]))
    array([[-1.,  1.]])
    """
    representatives, group = distinct_rows(X, y)
    X, y = take_rows(X, representatives), y[representatives]
    u0, du = (np.bincount(group, weights=u) for u in (u0, du))
    K = kernel(X, X)
    shift = 0.0 if scaling is None else scaling**2
    problem = Problem(K + shift, y, u0, du, free=scaling is None)
    failures: list[RuntimeError] = []
    for size in PERTURBATIONS:
        try:
            path = SVMPath(X, kernel, problem, shift, _nodes(_follow(problem, size)), size)
            _require_optimal(path)
        except (StalledError, NotOptimalError) as failure:
            failures.append(failure)
        else:
            return path
    raise NotOptimalError(f"{failures[0]}; raise lambda, remove repeated rows or rescale the features") from failures[0]


class NotOptimalError(RuntimeError):
    """The path left the optimum; the message says where."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """The solution at the nodes: betas, intercepts, sets, and the duals of the margin rows one node after another."""

    betas: Float[np.ndarray, " k"]
    b: Float[np.ndarray, " k"]
    status: Int8[np.ndarray, "k n"]
    margin_duals: Sequence[Float[np.ndarray, " _"]]
    """For each node the duals of its margin rows, in row order."""


@dataclass(frozen=True, eq=False)
class SVMPath(BetaPath):
    """The path of an SVM by its nodes.

    Parameters
    ----------
    X : rows
        The distinct training rows.
    kernel : callable
    problem : Problem
        The dual that was followed, with s^2 in its kernel matrix.
    shift : float
        That s^2; 0 with a free intercept.
    at : Nodes
    perturbation : float
        Size of the shifts of the margins that ties asked for; their effect has been taken out of the nodes.
    """

    method: ClassVar[str] = "svm"
    exact: ClassVar[bool] = True

    X: Rows
    kernel: CrossKernel
    problem: Problem
    shift: float
    at: Nodes
    perturbation: float

    @cached_property
    def interpolant(self) -> PiecewiseLinear:  # type: ignore[override]
        """Lines between the nodes."""
        return PiecewiseLinear(self.at.betas)

    @cached_property
    def nodal_duals(self) -> Float[np.ndarray, "k n"]:
        """The dual coefficients a at the nodes, >= 0."""
        bounds = self.problem.u0 + self.at.betas[:, np.newaxis] * self.problem.du
        A = np.where(self.at.status == BOUND, bounds, 0.0)
        for row, status, duals in zip(A, self.at.status, self.at.margin_duals, strict=True):
            row[status == MARGIN] = duals
        return A

    def duals(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n"]:
        """Return the dual coefficients of the distinct rows, >= 0."""
        return self.interpolant.weights(betas) @ self.nodal_duals

    def intercepts(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the intercepts; a penalised one is s^2 times the sum of the signed duals."""
        return self.interpolant.weights(betas) @ self._nodal_intercepts

    @property
    def _nodal_intercepts(self) -> Float[np.ndarray, " k"]:
        return self.at.b + self.shift * (self.nodal_duals @ self.problem.y)

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n 1"]:
        """Return the scores of the rows X at the nodes."""
        scores = (self.nodal_duals * self.problem.y) @ self.kernel(self.X, X)
        scores += self._nodal_intercepts[:, np.newaxis]
        return scores[..., np.newaxis]

    def nodal_gram(self) -> sp.csr_array:
        """Return <w(beta_i), w(beta_j)> where it is needed: for neighbours, and with the first node."""
        A = self.nodal_duals * self.problem.y
        V = A @ self.problem.K - self.shift * A.sum(axis=1, keepdims=True)
        squares, beside = np.einsum("kn,kn->k", A, V), np.einsum("kn,kn->k", A[:-1], V[1:])
        gram = sp.lil_array(sp.diags_array([beside, squares, beside], offsets=[-1, 0, 1]))
        gram[0, :] = gram[:, 0] = A @ V[0]
        return sp.csr_array(gram)

    def _reach(self, X: Rows) -> float:
        """Return the largest length of a row of X in the kernel's space, and that of the training rows on top."""
        squares = np.concatenate([np.diag(self.kernel(block, block)) for block in _few_at_a_time(X)])
        return float(np.sqrt(max(squares.max(), 0.0)) + np.sqrt(np.diag(self.problem.K).max()))

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return the duality gap, and what the residual of the margin says of the scores.

        With the sets as they are, the optimum differs by the solution of the margin's linear system for its residual r:
        |w - w*|^2 = r' Q_MM^-1 r, and at a margin row f* = y. Conditions on the other rows that fail by rounding count
        as a residual of that size.
        """
        reach = max((self._reach(X) for X in rows), default=0.0)
        A = self.duals(betas)
        F = (A * self.problem.y) @ self.problem.K + (self.interpolant.weights(betas) @ self.at.b)[:, np.newaxis]
        bounds = self.problem.u0 + betas[:, np.newaxis] * self.problem.du
        status = self.at.status[self._node_before(betas)]
        parts = [self._bounds(*row, reach) for row in zip(A, F, bounds, status, strict=True)]
        gap, bound = np.array(parts).T
        return Certificate(betas, gap, bound)

    def _node_before(self, betas: Float[np.ndarray, " b"]) -> np.ndarray:
        return np.clip(np.searchsorted(self.at.betas, betas, side="right") - 1, 0, len(self.at.betas) - 1)

    def _bounds(
        self,
        a: Float[np.ndarray, " n"],
        f: Float[np.ndarray, " n"],
        u: Float[np.ndarray, " n"],
        status: Int8[np.ndarray, " n"],
        reach: float,
    ) -> tuple[float, float]:
        """Return the relative duality gap and the bound on the scores at one beta."""
        y, K, free = self.problem.y, self.problem.K, self.problem.free
        gradient = y * f - 1.0
        square = float(a @ (gradient + 1.0)) - (float(a @ y) * float(f[0] - (a * y) @ K[0]) if free else 0.0)
        primal = square / 2.0 + float(u @ np.maximum(0.0, -gradient))
        gap = max(0.0, primal - (float(a.sum()) - square / 2.0)) / max(primal, np.finfo(float).tiny)
        M = np.flatnonzero(status == MARGIN)
        wrong = np.maximum(0.0, np.where(status == ZERO, -gradient, np.where(status == BOUND, gradient, 0.0)))
        outside = max(0.0, float((-a).max()), float((a - u).max()))
        violation = float(wrong.max()) + outside * float(np.diag(K).max())
        if not M.size:
            return gap, violation
        r = gradient[M]
        try:
            block = K[np.ix_(M, M)] * np.outer(y[M], y[M]) + self.problem.kappa * np.outer(y[M], y[M])
            factor = cho_factor(block, lower=True, check_finite=False)
        except LinAlgError:
            return gap, float("inf")
        # The norm of the inverse from its trace: at most m times too large, and cheap.
        inverse = cho_solve(factor, np.eye(len(M)), check_finite=False)
        length = np.sqrt(max(float(r @ inverse @ r), 0.0)) + violation * np.sqrt(float(np.trace(inverse)))
        return gap, float(length * reach + np.abs(r).max() + violation)


def _follow(problem: Problem, size: float) -> list[Segment]:
    """Return the segments of the path, the last one a point at beta = 1; on the way margins are off by up to `size`."""
    n = len(problem.y)
    perturbation = size * np.random.default_rng(5).random(n)
    homotopy = start(problem, perturbation)
    waiting = np.flatnonzero(homotopy.idle)
    homotopy.status[waiting] = np.where(homotopy.g[waiting] < 0.0, BOUND, ZERO)
    homotopy.idle = np.zeros(n, dtype=bool)
    segments = [*homotopy.follow(np.zeros(n), problem.du, record=True), homotopy.here(1.0)]
    return [_unperturbed(problem, segment, perturbation) for segment in segments] if size else segments


def _unperturbed(problem: Problem, segment: Segment, perturbation: Float[np.ndarray, " n"]) -> Segment:
    """Return the solution at the start of a segment for margins 1: the same homotopy, in q, at a fixed beta."""
    n, u = len(problem.y), problem.u0 + segment.start * problem.du
    a = np.where(segment.status == BOUND, u, 0.0)
    a[segment.margin] = segment.a
    homotopy = Homotopy(problem, a, segment.b, segment.status, 1.0 + perturbation, u, np.zeros(n, dtype=bool))
    homotopy.follow(-perturbation, np.zeros(n))
    return homotopy.here(segment.start)


def _nodes(segments: Sequence[Segment]) -> Nodes:
    """Return a node for the start of each segment, and another before it where the intercept jumps."""
    kept: list[Segment] = []
    for segment in segments:
        if kept:
            before = kept[-1].at(segment.start)
            # Only an empty margin leaves the intercept free to jump.
            if not before.margin.size and before.b != segment.b:
                kept.append(before)
        kept.append(segment)
    order = [np.argsort(segment.margin) for segment in kept]
    return Nodes(
        betas=np.array([segment.start for segment in kept]),
        b=np.array([segment.b for segment in kept]),
        status=np.array([segment.status for segment in kept]),
        margin_duals=[segment.a[places] for segment, places in zip(kept, order, strict=True)],
    )


def _few_at_a_time(X: Rows) -> list[Rows]:
    """Return the rows in blocks, whose kernels with themselves are cheap."""
    n = n_rows(X)
    return [take_rows(X, rows) for rows in np.array_split(np.arange(n), n // 32 + 1)]


def _require_optimal(path: SVMPath) -> None:
    """Raise unless every node meets the conditions of the optimum."""
    y, nodes, A = path.problem.y, path.at.betas, path.nodal_duals
    bounds = path.problem.u0 + nodes[:, np.newaxis] * path.problem.du
    F = (A * y) @ path.problem.K
    square = np.einsum("kn,kn->k", A * y, F)
    slack = np.maximum(0.0, 1.0 - y * (F + path.at.b[:, np.newaxis]))
    primal = square / 2.0 + (bounds * slack).sum(axis=1)
    gap = (primal - A.sum(axis=1) + square / 2.0) / np.maximum(primal, np.finfo(float).tiny)
    outside = np.maximum(-A, A - bounds).max(axis=1) / bounds.max()
    worst = np.maximum(gap, outside)
    if worst.max() > OPTIMAL:
        raise NotOptimalError(f"the path is off by {worst.max():.0e} at beta = {nodes[worst.argmax()]:g}")
