"""The path of softmax regression as a record: its optimum at nodes, what follows from it, and how far it is off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.paths.base import BetaPath, Certificate, Parameters, Response, Tangent
from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.interpolation.chebyshev import neighbours
from backdoor_curves.paths.interpolation.lagrange import NearestNodes
from backdoor_curves.paths.linalg.coordinates import Space
from backdoor_curves.paths.linalg.metric import ROUNDING, size_of_terms, worth_proving
from backdoor_curves.paths.softmax.axes import Axes
from backdoor_curves.paths.softmax.metric_proof import NEAR_BY, ROOM, SMALLEST, Sharper, in_the_metric
from backdoor_curves.paths.softmax.optimality import Nearer, Optimality
from backdoor_curves.paths.softmax.preconditioner import Preconditioner, Preconditioners
from backdoor_curves.paths.softmax.problem import Columns, Problem
from backdoor_curves.paths.softmax.response import RowInfluence, optimum_and_rate
from backdoor_curves.rows import Rows, as_numbers, n_rows, squared_lengths

MOST_ENTRIES = 2**23
"""Entries of the factored rows of a proof in the metric of all classes' Hessian: 64 MiB, and half a second. What is
larger is proven without: images have bounds near what is seen of the error."""


@dataclass(frozen=True, eq=False)
class SoftmaxPath(BetaPath):
    """The path of softmax regression by its nodes.

    Parameters
    ----------
    interpolant : NearestNodes
    problem : Problem
    space : Space
        The coordinates of the rows,
    axes : Axes
        and those of the problem in them.
    nodal : array of shape (k, K, p)
        W at the nodes, in these coordinates, the intercepts first.
    intercept : Intercept
    preconditioners : Preconditioners
        Those that were made on the way: certificates and derivatives use them again.
    """

    method: ClassVar[str] = "logistic"
    exact: ClassVar[bool] = True

    interpolant: NearestNodes
    problem: Problem
    space: Space
    axes: Axes
    nodal: Float[np.ndarray, "k K p"]
    intercept: Intercept
    preconditioners: Preconditioners

    @property
    def proven_at(self) -> Float[np.ndarray, " k"]:
        """The middles between nodes: at the nodes themselves it is nearer to the optimum than elsewhere."""
        return self.interpolant.middles

    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return coefficients and intercepts; both add up to 0 over the classes."""
        coef, intercept = self._split(self._at(betas))
        return Parameters(coef.transpose(1, 2, 0), intercept.T)

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n K"]:
        """Return the scores of the rows X at the nodes."""
        return self._scores(self.nodal.swapaxes(0, 1), X)

    def nodal_gram(self) -> Float[np.ndarray, "k k"]:
        """Return the inner products of the coefficients at the nodes, summed over the classes."""
        W = self.axes.coef(self.nodal[..., self._first :]).reshape(len(self.nodal), -1)
        return W @ W.T

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives: Newton's method from the nodes, to rounding.

        The optimality condition R W + sum_i u_i (P_i - Y_i) z_i' = 0 in beta: H W' = - sum_i du_i (P_i - Y_i) z_i'.
        """
        W, rates = np.empty((2, self.problem.K, len(betas), self.problem.Z.shape[1]))
        for group in neighbours(self._tau(betas)):
            found = self._start if not betas[group].any() else self._optimum_and_rate(betas[group])
            W[:, group], rates[:, group] = found
        return Tangent(self._scores(W, X), self._scores(rates, X))

    @cached_property
    def _start(self) -> tuple[Columns, Columns]:
        """The optimum at beta = 0 and its derivative: those that most are asked for."""
        return self._optimum_and_rate(np.zeros(1))

    def _optimum_and_rate(self, betas: Float[np.ndarray, " b"]) -> tuple[Columns, Columns]:
        W = self._at(betas)
        return optimum_and_rate(self.problem, W, betas, self._preconditioner(W, betas))

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows: a system for each test row."""
        betas = np.array([beta])
        W, rates = self._start if beta == 0.0 else self._optimum_and_rate(betas)
        M = self._preconditioner(W, betas)

        def tangent(X: Rows) -> Tangent:
            return Tangent(self._scores(W, X)[0], self._scores(rates, X)[0])

        of_places = RowInfluence(self.problem, W, rates, beta, M)

        def of_rows(X: Rows, loss_gradients: Float[np.ndarray, "x K"]) -> Float[np.ndarray, "x n"]:
            return of_places(self._rows(X), loss_gradients)

        return Response(beta, tangent, np.arange(len(self.problem.y)), of_rows)

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return bounds from the gradient at a better solution, see `optimality`."""
        gap, bound = np.empty(len(betas)), np.empty(len(betas))
        for group in neighbours(self._tau(betas)):
            gap[group], bound[group] = self._bounds(betas[group], rows)
        return Certificate(betas, gap, bound)

    def _bounds(
        self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]
    ) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
        """Return the bounds of the objective and of the scores, at betas near each other."""
        W, optimality = self._at(betas), self._optimality
        near = optimality.nearer(W, betas, self._preconditioner(W, betas))
        off = self._off(W, near.W, rows)
        lengths, longest = self._longest(rows), float(optimality.lengths.max(initial=0.0))
        moved = (longest + near.spread * longest) * near.length + near.shift
        unseen = ROOM * ((lengths + near.spread * longest) * near.length + near.shift)
        unseen += ROUNDING * lengths * np.linalg.norm(W, axis=2).max(axis=0) + near.rounding
        unseen[~(moved < NEAR_BY)] = np.inf
        bound, best, length = off + unseen, near.W.copy(), ROOM * near.length
        for k in self._worth_proving(unseen, off):
            proof, sharper = self._sharper(W[:, [k]], near.W[:, k], float(betas[k]), rows)
            if sharper < bound[k]:
                bound[k], length[k], best[:, k] = sharper, proof.length, proof.W
        return self._gap(W, best, length, near, betas), bound

    def _worth_proving(self, unseen: Float[np.ndarray, " b"], off: Float[np.ndarray, " b"]) -> Int[np.ndarray, " _"]:
        """Return which bounds are worth a proof in the metric, if any can be had."""
        n, p = self.problem.Z.shape
        shape = n * self.problem.K, p * self.problem.K
        return worth_proving(unseen, off, shape) if shape[0] * shape[1] <= MOST_ENTRIES else np.empty(0, dtype=np.intp)

    def _sharper(
        self, W: Columns, near: Float[np.ndarray, "K p"], beta: float, rows: Sequence[Rows]
    ) -> tuple[Sharper, float]:
        """Return what the metric of the Hessian proves at one beta, and with it the bound of the scores."""
        optimality = self._optimality
        places = [optimality.problem.Z[:0, self._first :], *map(optimality.place, rows)]
        proof = in_the_metric(optimality.problem, self.space, near, beta, np.vstack(places))
        off = float(self._off(W, proof.W[:, np.newaxis], rows)[0])
        lost = float(size_of_terms(rows, np.abs(self._split(W)[0][:, 0]).T).max(initial=0.0))
        if self.axes.Q is not None:  # what turning loses
            lost += self._longest(rows) * float(np.linalg.norm(W, axis=2).max())
        return proof, off + float(proof.scores.max(initial=0.0)) + ROUNDING * lost

    def _gap(
        self, W: Columns, best: Columns, length: Float[np.ndarray, " b"], near: Nearer, betas: Float[np.ndarray, " b"]
    ) -> Float[np.ndarray, " b"]:
        """Return the bound of the objective, relative."""
        columns = self._optimality.along_columns(W), best
        value, lower = (self._optimality.problem.value(V, self._optimality.problem.scores(V), betas) for V in columns)
        gap = np.maximum(value - lower, 0.0) + length**2 / 2.0 + near.total * (near.rounding + near.shift)
        return gap / np.maximum(value, SMALLEST) + np.sqrt(len(self.problem.y)) * ROUNDING

    def _longest(self, rows: Sequence[Rows]) -> float:
        """Return the length of the longest row about the centre."""
        centre = self.space.coef(self.axes.centre[:, np.newaxis])[:, 0]
        return max((_longest_about(X, centre) for X in rows), default=0.0)

    def _off(self, W: Columns, better: Columns, rows: Sequence[Rows]) -> Float[np.ndarray, " b"]:
        """Return the largest difference of a score of rows from better parameters, along the columns of the rows."""
        step = W - self._optimality.along_axes(better)
        off = [np.abs(self._scores(step, X)).max(axis=(1, 2), initial=0.0) for X in rows]
        return np.max([*off, np.zeros(W.shape[1])], axis=0)

    @cached_property
    def _optimality(self) -> Optimality:
        return Optimality(self.problem, self.axes, self.space, self.intercept)

    def _preconditioner(self, W: Columns, betas: Float[np.ndarray, " b"]) -> Preconditioner:
        """Return one for betas near each other, made at the middle one if need be."""
        j = len(betas) // 2
        tau = float(self._tau(betas)[j])
        return self.preconditioners.near(tau, self.problem.scores(W[:, j : j + 1]), float(betas[j]))

    def _tau(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        return np.log1p(betas / self.interpolant.scale)

    @property
    def _first(self) -> int:
        """Where the parameters of the features begin."""
        return len(self.intercept.column)

    def _at(self, betas: Float[np.ndarray, " b"]) -> Columns:
        k, *shape = self.nodal.shape
        W = self.interpolant.weights(betas) @ self.nodal.reshape(k, -1)
        return np.ascontiguousarray(np.asarray(W).reshape(len(betas), *shape).swapaxes(0, 1))

    def _split(self, W: Columns) -> tuple[Float[np.ndarray, "K b d"], Float[np.ndarray, "K b"]]:
        """Return coefficients of all features, and intercepts."""
        coef = self.axes.coef(W[..., self._first :])
        intercept = W[..., 0] if self.intercept.is_free else np.zeros(W.shape[:2])
        intercept = intercept - coef @ self.axes.centre
        K, b, p = coef.shape
        of_all = self.space.coef(coef.reshape(K * b, p).T)
        return of_all.T.reshape(K, b, len(of_all)), intercept

    def _rows(self, X: Rows) -> Float[np.ndarray, "x p"]:
        """Return rows in the coordinates of the problem."""
        rows = self.axes.of(self.space.of(X))
        return np.column_stack([np.ones((len(rows), self._first)), rows])

    def _scores(self, W: Columns, X: Rows) -> Float[np.ndarray, "b x K"]:
        coef, intercept = self._split(W)
        K, b = intercept.shape
        scores = np.asarray(as_numbers(X) @ coef.swapaxes(0, 1).reshape(b * K, -1).T).reshape(n_rows(X), b, K)
        return np.ascontiguousarray(scores.swapaxes(0, 1)) + intercept.T[:, np.newaxis]


def _longest_about(X: Rows, centre: Float[np.ndarray, " d"]) -> float:
    """Return the length of the longest row about a centre; of none 0."""
    squares = squared_lengths(X) - 2.0 * np.asarray(as_numbers(X) @ centre) + centre @ centre
    # The rounding of a difference of squares is a share of what they are.
    return float(np.sqrt((squares + 4 * ROUNDING * squared_lengths(X)).max(initial=0.0)))
