"""The path of an SVM as a record: the solution at each knot, from which all else about it follows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int, Int8

from backdoor_curves.kernels.by_name import expansion_gradient
from backdoor_curves.kernels.functions import Kernel, linear
from backdoor_curves.paths.base import (
    BetaPath,
    Certificate,
    Parameters,
    PathError,
    Response,
    Tangent,
    influence_through,
)
from backdoor_curves.paths.intercept import refuse_free_interval
from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear
from backdoor_curves.paths.svm.correction import EXCESS, Correction, correction
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, ZERO, Point, Problem, StalledError
from backdoor_curves.paths.svm.duality_gap import DualityGap, GapInStretches, joined
from backdoor_curves.paths.svm.extended_precision import ExtendedPrecision
from backdoor_curves.paths.svm.kernel_sums import KernelSums, blocks_of, longest
from backdoor_curves.paths.svm.margin_response import MarginResponse
from backdoor_curves.paths.svm.solutions import Solutions
from backdoor_curves.rows import Rows, n_rows, take_rows

OPTIMAL = 1e-9
"""Largest relative duality gap of a node, and of its distance from the bounds over the largest bound: double precision
proves it of nearly all paths."""
STRETCH = 512
"""Nodes that are proven together, up to twice as many: the rows that change their set among more are more than those
of a margin."""
SEVERAL = 8
"""Betas from which on it pays to have their duals first, if the nodes beside them are more."""
SAME = 1e-12
"""Bounds that differ by no more than this share are the same: C and weights are multiplied in another order."""
TIED = 1e-9
"""A margin this close to 1 is on it: what an optimal node may be off."""


class NotOptimalError(PathError):
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
        `kernels.functions.linear` itself is told apart from other functions: scores are then had by way of w.
    group : array of shape (rows given,)
        Which of the distinct rows each row given is.
    unit : array of shape (rows given,)
        The bound of each row given at weight 1.
    problem : Problem
        The dual that was followed.
    at : Nodes
    perturbation : float
        Size of the shifts of the margins that ties asked for; their effect has been taken out of the nodes.
    """

    method: ClassVar[str] = "svm"
    exact: ClassVar[bool] = True

    X: Rows
    kernel: Kernel
    group: Int[np.ndarray, " r"]
    unit: Float[np.ndarray, " r"]
    problem: Problem
    at: Nodes
    perturbation: float

    @cached_property
    def interpolant(self) -> PiecewiseLinear:  # type: ignore[override]
        """Lines between the nodes."""
        return PiecewiseLinear(self.at.betas)

    @cached_property
    def sums(self) -> KernelSums:
        """The sums over its rows that scores are."""
        return KernelSums(self.X, self.kernel)

    # --- duals -------------------------------------------------------------------------------------------------------

    def _solutions(self, nodes: Int[np.ndarray, " k"]) -> Solutions:
        """Return the solutions at some nodes."""
        status, betas = self.at.status[nodes], self.at.betas[nodes]
        at_bound = (status == BOUND).all(axis=0)
        moving = np.flatnonzero(~(at_bound | (status == ZERO).all(axis=0)))
        bounds = self.problem.u0[moving] + np.outer(betas, self.problem.du[moving])
        sets = status[:, moving]
        A = np.where(sets == BOUND, bounds, 0.0)
        if len(nodes):
            # Margin rows in row order, node after node: as the entries of a mask come.
            A[sets == MARGIN] = np.concatenate([self.at.margin_duals[node] for node in nodes])
        return Solutions(self.problem, betas, self.at.b[nodes], moving, A, at_bound)

    @cached_property
    def nodal_solutions(self) -> Solutions:
        """The solutions at the nodes."""
        return self._solutions(np.arange(len(self.at.betas)))

    @cached_property
    def nodal_gap(self) -> GapInStretches:
        """The duality gap at the nodes."""
        ends = np.linspace(0, len(self.at.betas) - 1, max(1, len(self.at.betas) // STRETCH) + 1).astype(int).tolist()
        parts, first = [], None
        for start, end in pairwise(ends):
            nodes = np.arange(start, end + 1)
            solutions = self._solutions(nodes)
            parts.append(DualityGap(solutions, self.at.status[start : end + 1], first))
            if first is None and len(ends) > 2:
                first = self.problem.y * self.problem.expansion(solutions.some(nodes[:1]).duals()[0] * self.problem.y)
        return GapInStretches(tuple(parts))

    @cached_property
    def extended(self) -> ExtendedPrecision:
        """The problem in extended precision, for solutions of which double precision has too few digits."""
        return ExtendedPrecision(self.problem)

    @property
    def nodal_duals(self) -> Float[np.ndarray, "k n"]:
        """The dual coefficients a at the nodes, >= 0."""
        return self.nodal_solutions.duals()

    def duals(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n"]:
        """Return the dual coefficients of the distinct rows, >= 0."""
        nodes, weights = _of_few(self.interpolant.weights(betas))
        return weights @ self._solutions(nodes).duals()

    def intercepts(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the intercepts; a penalised one is s^2 times the sum of the signed duals."""
        return self.interpolant.weights(betas) @ self.at.b

    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return the signed duals of the distinct rows and the intercepts."""
        coef, b = self.duals(betas) * self.problem.y, self.intercepts(betas)
        return Parameters(coef[..., np.newaxis], b[:, np.newaxis], self.group)

    # --- scores and norms --------------------------------------------------------------------------------------------

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n 1"]:
        """Return the scores of the rows X at the nodes."""
        parts = [stretch.solutions for stretch in self.nodal_gap.stretches]
        if self.kernel is linear or len(parts) == 1:
            return joined([self._scores(part, X) for part in parts])[..., np.newaxis]
        used = np.unique(np.concatenate([part.used() for part in parts]))
        scores = np.empty((len(self.at.betas), n_rows(X)))
        for block in blocks_of(used, X):
            K = self.kernel(take_rows(self.X, used), take_rows(X, block))
            of_parts = [part.summed(K[np.searchsorted(used, part.used())]) for part in parts]
            scores[:, block] = joined(of_parts)
        return (scores + self.at.b[:, np.newaxis])[..., np.newaxis]

    def scores(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n"]:
        """Return the scores of the rows X: lines between those at the nodes beside each beta."""
        nodes, weights = _of_few(self.interpolant.weights(betas))
        solutions = self._solutions(nodes)
        if len(nodes) <= len(betas) or len(betas) < SEVERAL:
            return weights @ self._scores(solutions, X)
        rows, C = solutions.expansion()
        return self.sums.of(rows, weights @ C, X) + (weights @ solutions.b)[:, np.newaxis]

    def score_gradients(self, X: Rows, beta: float) -> Float[np.ndarray, "1 n d"]:
        """Return the gradient of the score at each row of X, by that of the kernel."""
        c = self.parameters(np.array([beta])).coef[0, :, 0]
        used = np.flatnonzero(c)
        return expansion_gradient(self.kernel, c[used], take_rows(self.X, used), X)[np.newaxis]

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives from the right, at beta = 1 from the left."""
        pieces, place = np.unique(self.interpolant.pieces(betas), return_inverse=True)
        C, db = zip(*(self._direction(int(piece)) for piece in pieces), strict=True)
        both, b = np.vstack([self.duals(betas) * self.problem.y, *C]), np.append(self.intercepts(betas), db)
        found = self._expanded(both, b, X)
        scores, rates = found[: len(betas)], found[len(betas) :][place]
        return Tangent(scores[..., np.newaxis], rates[..., np.newaxis])

    def _direction(self, piece: int) -> tuple[Float[np.ndarray, " n"], float]:
        return self._start if piece == 0 else MarginResponse.of(self.problem, self.at.status[piece]).direction()

    @cached_property
    def _start(self) -> tuple[Float[np.ndarray, " n"], float]:
        """Where the path goes from its first node: what most is asked for."""
        return MarginResponse.of(self.problem, self.at.status[0]).direction()

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows."""
        (piece,) = self.interpolant.pieces(np.array([beta]))
        status, problem = self.at.status[piece], self.problem
        at, M = np.array([beta]), np.flatnonzero(status == MARGIN)
        a, u = self.duals(at)[0], problem.bounds(beta)
        # At a limit a row of the margin holds it on one side only.
        at_limit = np.minimum(a, u - a)[M] <= TIED * problem.bounds(1.0).max()
        if problem.free and at_limit.all():
            refuse_free_interval(beta)
        margins = problem.y * (problem.expansion(a * problem.y) + self.intercepts(at))
        margin = MarginResponse.of(problem, status)
        rates, db = margin.direction()
        both, b = np.vstack([a * problem.y, rates]), np.append(self.intercepts(at), db)
        beside = (np.abs(margins - 1.0) <= TIED) & (status != MARGIN)
        ties = int(beside.sum() + at_limit.sum()) + margin.dependent
        bound = np.flatnonzero(status == BOUND)
        needed, weights = take_rows(self.X, np.append(margin.rows, bound)), margin.margin_weights(bound)
        rows = np.flatnonzero((status == BOUND)[self.group])
        pulls, place = -self.unit[rows] * problem.y[self.group[rows]], np.searchsorted(bound, self.group[rows])

        def coupling(X: Rows) -> Float[np.ndarray, "x r"]:
            return margin.schur_complement(self.kernel(X, needed), weights)[:, place]

        def tangent(X: Rows) -> Tangent:
            return Tangent(*self._expanded(both, b, X)[..., np.newaxis])

        return Response(beta, tangent, rows, influence_through(coupling, pulls[:, np.newaxis]), ties)

    def _scores(self, solutions: Solutions, X: Rows) -> Float[np.ndarray, "k x"]:
        """Return the scores of the rows X for some solutions."""
        rows, C = solutions.expansion()
        return self.sums.of(rows, C, X) + solutions.b[:, np.newaxis]

    def _expanded(self, C: Float[np.ndarray, "k n"], b: Float[np.ndarray, " k"], X: Rows) -> Float[np.ndarray, "k x"]:
        """Return sum_i c_i k(x_i, x) + b over all training rows."""
        used = np.flatnonzero(C.any(axis=0))
        return self.sums.of(used, C[:, used], X) + b[:, np.newaxis]

    @cached_property
    def _gram(self) -> sp.csr_array:
        inner, k = self.nodal_gap.inner, len(self.at.betas)
        # Of a w that is 0 rounding leaves as good as 0 of either sign.
        squares, beside, first = np.maximum(inner.squares, 0.0), inner.beside, inner.first
        i, later = np.arange(k), np.arange(2, k)
        zero = np.zeros_like(later)
        values = np.concatenate([squares, beside, beside, first[2:], first[2:]])
        row, column = [i, i[:-1], i[1:], zero, later], [i, i[1:], i[:-1], later, zero]
        return sp.csr_array((values, (np.concatenate(row), np.concatenate(column))), shape=(k, k))

    def nodal_gram(self) -> sp.csr_array:
        """Return <w(beta_i), w(beta_j)> where it is needed: for neighbours, and with the first node."""
        return self._gram

    # --- another lambda ----------------------------------------------------------------------------------------------

    def rescaled(self, u0: Float[np.ndarray, " r"], du: Float[np.ndarray, " r"]) -> SVMPath | None:
        """Return the path for other bounds of the rows given, if it is part of this one; None if it is not.

        While no clean row is at its bound, only the bounds beta du of the poison rows count. So the path for bounds
        that are r times these, r <= 1, is this one from 0 to r in another unit of beta, if no clean row is at its bound
        or beyond the new one there.

        Parameters
        ----------
        u0, du : arrays of shape (rows given,)
            Bounds u0 + beta du, as for `svm_path`.
        """
        before = self.problem
        u0, du = (np.bincount(self.group, weights=u, minlength=len(before.y)) for u in (u0, du))
        r = float(du.sum() / before.du.sum()) if before.du.any() else 1.0
        if r > 1.0 + SAME or not (_equal(u0, r * before.u0) and _equal(du, r * before.du)):
            return None
        if abs(r - 1.0) <= SAME:
            return self
        part = self._until(r)
        problem = replace(before, u0=u0, du=du)
        path = replace(self, unit=r * self.unit, problem=problem, at=replace(part, betas=part.betas / r))
        clean = u0 > 0.0
        if (part.status[:, clean] == BOUND).any() or (path.nodal_duals > problem.u0 + part.betas[:, None] * before.du)[
            :, clean
        ].any():
            return None
        return path

    def _until(self, beta: float) -> Nodes:
        """Return the nodes up to some beta, and one there."""
        at, last = self.at, int(self._node_before(np.array([beta]))[0])
        margin = at.status[last] == MARGIN
        return Nodes(
            np.append(at.betas[: last + 1], beta),
            np.append(at.b[: last + 1], self.intercepts(np.array([beta]))),
            np.vstack([at.status[: last + 1], at.status[last]]),
            [*at.margin_duals[: last + 1], self.duals(np.array([beta]))[0, margin]],
        )

    # --- proof -------------------------------------------------------------------------------------------------------

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return the duality gap, and how far the scores of the rows are from the optimum's.

        With the sets as they are, the optimum differs by the solution of the margin's linear system for its residual:
        its scores are the error, all but rounding. Conditions on other rows that fail by rounding count to first order,
        as a residual of that size.
        """
        solutions = self._solutions_at(betas)
        status, A = self._sets(solutions), solutions.duals()
        found = correction(solutions, status)
        for k in found.uncertain(self.problem.scale) if self.extended.is_cheap else ():
            point = Point(A[k], solutions.b[k], status[k])
            with suppress(StalledError):
                found = found.with_optimum(int(k), point, self.extended.optimum(betas[k], point), self.problem)
        bounds = [self._score_bound(X, solutions, found) for X in rows]
        return Certificate(betas, self.gap(betas), np.max([np.zeros(len(betas)), *bounds], axis=0))

    def score_bound(self, betas: Float[np.ndarray, " b"], X: Rows) -> Float[np.ndarray, " b"]:
        """Return how far the scores of some rows may be from the optimum's, without a look in extended precision."""
        solutions = self._solutions_at(betas)
        return self._score_bound(X, solutions, correction(solutions, self._sets(solutions)))

    def gap(self, betas: Float[np.ndarray, " b"], tolerance: float = OPTIMAL) -> Float[np.ndarray, " b"]:
        """Return the relative duality gap, looked for until it is within the tolerance (see `duality_gap`)."""
        solutions = self._solutions_at(betas)
        return DualityGap(solutions, self._sets(solutions)).proven(tolerance, self.extended)

    def _solutions_at(self, betas: Float[np.ndarray, " b"]) -> Solutions:
        """Return the solutions at some betas."""
        return Solutions.of_duals(self.problem, betas, self.intercepts(betas), self.duals(betas))

    def _score_bound(self, X: Rows, solutions: Solutions, found: Correction) -> Float[np.ndarray, " b"]:
        A = solutions.duals()
        used = np.flatnonzero(A.any(axis=0) | found.c.any(axis=0))
        blocks = blocks_of(used, X)
        if len(blocks) > 1:
            return np.max([self._score_bound(take_rows(X, block), solutions, found) for block in blocks], axis=0)
        K = self.sums.kernel_with(used, X)
        error = np.abs(found.c[:, used] @ K + found.b[:, np.newaxis]).max(axis=1)
        size = np.abs(K)
        # The sum of s terms in floating point is off by sqrt(s) units in the last place and rarely by more.
        terms = (A[:, used] @ size).max(axis=1) + np.abs(solutions.b)
        rounding = (2.0 * np.sqrt(len(used)) + 4.0) * np.finfo(float).eps / 2 * terms
        unmet = np.zeros_like(error)
        if found.violation.any():
            unmet = found.violation * (
                1.0 + found.inverse_norm * (longest(self.kernel, X) + np.sqrt(self.problem.scale))
            )
        return error + rounding + unmet + found.remainder * max(1.0, float(size.max(initial=0.0)))

    def _sets(self, solutions: Solutions) -> Int8[np.ndarray, "b n"]:
        """Return the set of each row from the node before each solution's beta on, or else the one that its dual is in.

        Where more rows are on the margin than determine it, the path goes from the duals of one node to those of the
        next along a line: a row at a limit at the one may be inside at the other, or at the other limit.
        """
        status, duals, u = self.at.status[self._node_before(solutions.betas)], solutions.duals(), solutions.bounds()
        nearly = EXCESS * u.max(axis=1, keepdims=True)
        at_zero, at_bound = duals <= nearly, u - duals <= nearly
        fits = (status == MARGIN) | ((status == ZERO) & at_zero) | ((status == BOUND) & at_bound)
        own = np.where(at_zero, ZERO, np.where(at_bound, BOUND, MARGIN))
        return np.where(fits, status, own).astype(np.int8)

    def _node_before(self, betas: Float[np.ndarray, " b"]) -> Int[np.ndarray, " b"]:
        return np.clip(np.searchsorted(self.at.betas, betas, side="right") - 1, 0, len(self.at.betas) - 1)


def _equal(u: Float[np.ndarray, " n"], v: Float[np.ndarray, " n"]) -> bool:
    return bool((np.abs(u - v) <= SAME * v).all())


def _of_few(weights: sp.csr_array) -> tuple[Int[np.ndarray, " j"], sp.csr_array]:
    """Return the nodes that count, and the weights of those."""
    nodes = np.unique(weights.indices)
    return nodes, weights[:, nodes]
