"""The path of a linear SVM as a record: w, b and the sets at each knot, from which all else about it follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from backdoor_curves.paths.base import BetaPath, Certificate, Gram, Parameters, Response, Tangent, influence_through
from backdoor_curves.paths.intercept import Intercept, refuse_free_interval
from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear
from backdoor_curves.paths.linalg.rows_in_place import RowsInPlace, scores_of
from backdoor_curves.paths.linear_svm.margin import Margin
from backdoor_curves.paths.linear_svm.optimality import Solution, distance_to_optimum
from backdoor_curves.paths.linear_svm.problem import Optimum, Problem, pull_of
from backdoor_curves.paths.linear_svm.sets import Nodes
from backdoor_curves.paths.product_scores import ProductScores, nodal_scores
from backdoor_curves.paths.svm.dual import BOUND, MARGIN
from backdoor_curves.paths.svm.path import TIED
from backdoor_curves.rows import Rows, as_numbers

FEW = 2000
"""Nodes whose inner products are all kept: 32 MB, and the rest of them is never asked for."""


def dense(X: Rows) -> Float[np.ndarray, "n d"]:
    """Return rows of numbers as an array in double precision."""
    X = as_numbers(X)
    return np.asarray(X.toarray() if sp.issparse(X) else X, dtype=float)


@dataclass(frozen=True, eq=False)
class Place:
    """Where rows are in the features of the problem: about a centre, and with an intercept's column.

    Parameters
    ----------
    centre : array of shape (d,)
        0 but for a free intercept.
    intercept : Intercept
    """

    centre: Float[np.ndarray, " d"]
    intercept: Intercept

    def of(self, X: Rows) -> Float[np.ndarray, "x p"]:
        """Return the features of rows."""
        rows = dense(X) - self.centre
        return rows if self.intercept.is_free else self.intercept.with_column(rows)

    def in_place(self, X: Rows) -> RowsInPlace:
        """Return the same of rows of any floating type, or CSR, which stay as they are."""
        if not sp.issparse(X) and not (isinstance(X, np.ndarray) and X.dtype.kind == "f"):
            X = np.asarray(as_numbers(X), dtype=float)
        column = () if self.intercept.is_free else self.intercept.column
        return RowsInPlace(X, self.centre if self.centre.any() else None, column)

    def parameters(self, W: Float[np.ndarray, "b p"], b: Float[np.ndarray, " b"]) -> Parameters:
        """Return coefficients of the rows as they come, and their intercepts."""
        coef = W[:, : len(self.centre)]
        if self.intercept.is_free:
            b = b - coef @ self.centre
        elif self.intercept.is_unknown:
            b = self.intercept.scaling * W[:, -1]
        return Parameters(coef[..., np.newaxis], b[:, np.newaxis])


@dataclass(frozen=True, eq=False)
class LinearSVMPath(BetaPath):
    """The path of a linear SVM by its nodes.

    Parameters
    ----------
    problem : Problem
        Of the distinct training rows.
    place : Place
    group : array of shape (rows given,)
        Which of the distinct rows each row given is.
    unit : array of shape (rows given,)
        The bound of each row given at weight 1.
    at : Nodes
    """

    method: ClassVar[str] = "svm"
    exact: ClassVar[bool] = True
    keeps_products: ClassVar[bool] = True  # type: ignore[misc]

    problem: Problem
    place: Place
    group: Int[np.ndarray, " r"]
    unit: Float[np.ndarray, " r"]
    at: Nodes

    @cached_property
    def interpolant(self) -> PiecewiseLinear:  # type: ignore[override]
        """Lines between the nodes."""
        return PiecewiseLinear(self.at.betas)

    @property
    def proven_at(self) -> Float[np.ndarray, " k"]:
        """The middles of its pieces: where it turns rounding of beta alone may move a score of large features."""
        return self.interpolant.middles

    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return the coefficients and the intercepts at some betas."""
        weights = self.interpolant.weights(betas)
        return self.place.parameters(weights @ self.at.W, weights @ self.at.b)

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n 1"] | ProductScores:
        """Return the scores of the rows X at the nodes."""
        rows = self.place.in_place(X)
        if not self.place.intercept.is_free:
            return nodal_scores(self.at.W, rows)
        return nodal_scores(np.column_stack([self.at.W, self.at.b]), replace(rows, column=(1.0,)))

    def scores(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n"]:
        """Return the scores of the rows X at some betas."""
        weights = self.interpolant.weights(betas)
        return scores_of(self.place.in_place(X), weights @ self.at.W) + (weights @ self.at.b)[:, np.newaxis]

    def nodal_gram(self) -> Gram:
        """Return <w(beta_i), w(beta_j)> without intercepts, of many nodes for neighbours and with the first alone."""
        W = self.at.W[:, : len(self.place.centre)]
        return W @ W.T if len(W) <= FEW else neighbours_and_first(W)

    # --- derivatives -------------------------------------------------------------------------------------------------

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives from the right, at beta = 1 from the left."""
        pieces, place = np.unique(self.interpolant.pieces(betas), return_inverse=True)
        rates = [self._rate(int(piece)) for piece in pieces]
        Phi = self.place.in_place(X)
        slopes = np.array([Phi @ rate.w + rate.b for rate in rates])[place]
        return Tangent(self.scores(X, betas)[..., np.newaxis], slopes[..., np.newaxis])

    def _rate(self, piece: int) -> Optimum:
        """Return the derivatives of w, b and the margin's duals in a piece; a free intercept without margin stays."""
        problem, status = self.problem, self.at.sets.at(piece)
        return self._margin(piece).optimum(pull_of(problem, status, problem.du, np.zeros_like(problem.y)))

    def _margin(self, piece: int) -> Margin:
        return Margin.of(self.problem, self.at.sets.margin_at(piece))

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows."""
        problem, at = self.problem, np.array([beta])
        piece = int(self.interpolant.pieces(at)[0])
        status, margin = self.at.sets.at(piece), self._margin(piece)
        u = problem.bounds(beta)
        a = problem.y[margin.rows] * margin.optimum(pull_of(problem, status, u, problem.y)).c
        # At a limit a row of the margin holds it on one side only.
        at_limit = np.minimum(a, u[margin.rows] - a) <= TIED * problem.bounds(1.0).max()
        if problem.free and at_limit.all():
            refuse_free_interval(beta)
        weights = self.interpolant.weights(at)
        w, b = (weights @ self.at.W)[0], float((weights @ self.at.b)[0])
        excess = problem.y * (problem.Phi @ w + b) - 1.0
        beside = (np.abs(excess) <= TIED) & (status != MARGIN) & (problem.u0 + problem.du > 0.0)
        bound = np.flatnonzero(status == BOUND)
        rows = np.flatnonzero((status == BOUND)[self.group])
        pulls, place = -self.unit[rows] * problem.y[self.group[rows]], np.searchsorted(bound, self.group[rows])
        beyond, rate = margin.rest(problem.Phi[bound]), self._rate(piece)

        def coupling(X: Rows) -> Float[np.ndarray, "x r"]:
            return (margin.rest(self.place.of(X)).T @ beyond)[:, place]

        def tangent(X: Rows) -> Tangent:
            Phi = self.place.in_place(X)
            return Tangent((Phi @ w + b)[:, np.newaxis], (Phi @ rate.w + rate.b)[:, np.newaxis])

        ties = int(beside.sum() + at_limit.sum())
        return Response(beta, tangent, rows, influence_through(coupling, pulls[:, np.newaxis]), ties)

    # --- proof -------------------------------------------------------------------------------------------------------

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return the duality gap, and how far the scores of the rows are from the optimum's (see `optimality`)."""
        placed = [self.place.in_place(X) for X in rows]
        weights = self.interpolant.weights(betas)
        W, b = weights @ self.at.W, weights @ self.at.b
        pieces = np.clip(np.searchsorted(self.at.betas, betas, side="right") - 1, 0, len(self.at.betas) - 1)
        found = [
            distance_to_optimum(
                self.problem,
                Solution(float(beta), w, float(intercept), self.at.sets.at(piece), self.at.sets.margin_at(piece)),
                placed,
            )
            for beta, w, intercept, piece in zip(betas, W, b, pieces.tolist(), strict=True)
        ]
        return Certificate(
            betas, np.array([bound.objective_gap for bound in found]), np.array([bound.scores for bound in found])
        )


def neighbours_and_first(W: Float[np.ndarray, "k p"]) -> sp.csr_array:
    """Return the inner products of w with itself, with the w before and after, and with the first."""
    k, i = len(W), np.arange(len(W))
    squares, beside, first = np.einsum("ij,ij->i", W, W), np.einsum("ij,ij->i", W[1:], W[:-1]), W[2:] @ W[0]
    zero, later = np.zeros(k - 2, dtype=np.intp), i[2:]
    values = np.concatenate([squares, beside, beside, first, first])
    row, column = [i, i[:-1], i[1:], zero, later], [i, i[1:], i[:-1], later, zero]
    return sp.csr_array((values, (np.concatenate(row), np.concatenate(column))), shape=(k, k))
