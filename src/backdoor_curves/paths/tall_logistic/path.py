"""The path of logistic regression of many rows as a record: its optimum at nodes, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.base import BetaPath, Certificate, Parameters, Response, Tangent, influence_through
from backdoor_curves.paths.interpolation.lagrange import NearestNodes
from backdoor_curves.paths.linalg import conjugate_gradients as conjugate
from backdoor_curves.paths.linalg.metric import ROUNDING, SEEN, size_of_terms
from backdoor_curves.paths.linalg.row_parts import Place
from backdoor_curves.paths.logistic.local_proof import Sharper
from backdoor_curves.paths.tall_logistic.hessians import Factor, Hessians, solve_each, surely_factored
from backdoor_curves.paths.tall_logistic.metric_proof import in_the_metric
from backdoor_curves.paths.tall_logistic.optimality import SMALLEST, nearer
from backdoor_curves.paths.tall_logistic.sums import Sums, sigmoid
from backdoor_curves.rows import Rows, as_numbers, squared_lengths

ENOUGH = 0.1
"""Share of what is seen of the error that may stay unseen."""
LITTLE = 1e-10
"""A bound so small is not worth another pass over the rows."""


@dataclass(frozen=True, eq=False)
class TallLogisticPath(BetaPath):
    """The path of logistic regression by its nodes.

    Parameters
    ----------
    interpolant : NearestNodes
    sums : Sums
        The problem.
    nodal : array of shape (q, k)
        w at the nodes, in the place of its rows.
    known : Hessians
        Those that were made on the way: certificates and derivatives use them again.
    tolerance : float
        What it was followed to.
    """

    method: ClassVar[str] = "logistic"
    exact: ClassVar[bool] = True

    interpolant: NearestNodes
    sums: Sums
    nodal: Float[np.ndarray, "q k"]
    known: Hessians
    tolerance: float

    @property
    def proven_at(self) -> Float[np.ndarray, " k"]:
        """The middles between nodes: at the nodes themselves it is nearer to the optimum than elsewhere."""
        return self.interpolant.middles

    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return coefficients and intercepts."""
        W = self._at(betas)
        return Parameters(self._place.coef(W).T[..., np.newaxis], self._place.shift(W)[:, np.newaxis])

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n 1"]:
        """Return the scores of the rows X at the nodes."""
        return self._scores(self.nodal, X).T[:, :, np.newaxis]

    def nodal_gram(self) -> Float[np.ndarray, "k k"]:
        """Return the inner products of the coefficients at the nodes."""
        W = self._place.units.coef(self.nodal[: len(self._place.units.size)])
        return W.T @ W

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives: Newton's method from the nodes, to rounding.

        The optimality condition R w = Z'(y u s), s = sigma(-y f), in beta: (R + Z'D Z) w' = Z'(y du s).
        """
        W, rates = self._optima_and_rates(betas)
        return Tangent(self._scores(W, X).T[..., np.newaxis], self._scores(rates, X).T[..., np.newaxis])

    def _optima_and_rates(
        self, betas: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "q b"], Float[np.ndarray, "q b"]]:
        """Return the optima and their derivatives; those at beta = 0, that most are asked for, are kept."""
        return self._start if len(betas) == 1 and betas[0] == 0.0 else self._solved(betas)

    @cached_property
    def _start(self) -> tuple[Float[np.ndarray, "q 1"], Float[np.ndarray, "q 1"]]:
        return self._solved(np.zeros(1))

    def _solved(self, betas: Float[np.ndarray, " b"]) -> tuple[Float[np.ndarray, "q b"], Float[np.ndarray, "q b"]]:
        if not len(betas):
            return self._at(betas), self._at(betas)
        factors = self._factors(betas)
        W = nearer(self.sums, self._at(betas), betas, factors).W
        pulls = self.sums.pulls_of_beta(W)
        return W, conjugate.solve(lambda V: self.sums.products(W, betas, V), lambda B: solve_each(factors, B), pulls)

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows."""
        sums, betas = self.sums, np.array([beta])
        W, rates = self._optima_and_rates(betas)
        H = sums.hessian(W[:, 0], beta)
        factor, H = surely_factored(H), np.tril(H) + np.tril(H, -1).T

        def inverse(B: Float[np.ndarray, "q k"]) -> Float[np.ndarray, "q k"]:
            V = factor.solve(B)
            return V + factor.solve(B - H @ V)

        def tangent(X: Rows) -> Tangent:
            return Tangent(self._scores(W, X), self._scores(rates, X))

        def coupling(X: Rows) -> Float[np.ndarray, "x n"]:
            answers = inverse(self._place.of(as_numbers(X)).T).T
            return np.hstack(list(sums.rows.each(partial(_coupled, self._place, answers))))

        pulls = -(sums.u0 + sums.du) * sums.y * sigmoid(sums.scores(W[:, 0]), sums.y)
        return Response(beta, tangent, np.arange(len(pulls)), influence_through(coupling, pulls[:, np.newaxis]))

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return bounds from the gradient at a better solution w1, see `optimality`.

        |f - f*| <= |f - f1| + |x| |w1 - w*| is nearly the error itself where w1 is near. Where it is not nearly that,
        it is proven once more, in the metric of the Hessian.
        """
        if not len(betas):
            return Certificate(betas, np.empty(0), np.empty(0))
        W, reach = self._at(betas), self._score_per_length(rows)

        def enough(V: Float[np.ndarray, "q b"]) -> Float[np.ndarray, " b"]:
            return np.maximum(ENOUGH * self._off(W - V, rows), LITTLE) / max(reach, SMALLEST)

        near = nearer(self.sums, W, betas, self._factors(betas), enough)
        off = self._off(W - near.W, rows)
        unseen = reach * (near.length + ROUNDING * np.linalg.norm(W, axis=0)) + near.shift
        bound, best, length = off + unseen, near.W.copy(), near.length.copy()
        for k in np.flatnonzero(unseen > np.maximum(SEEN * off, self.tolerance)):  # each is passes over the rows
            proof, sharper = self._sharper(W[:, [k]], near.W[:, k], float(betas[k]), rows)
            if sharper < bound[k]:
                bound[k], length[k], best[:, k] = sharper, proof.length, proof.w
        value, better = (self.sums.totals(V, betas).value for V in (W, best))
        gap = np.maximum(value - better, 0.0) + length**2 / 2.0 + near.slack + near.total * near.rounding
        relative = gap / np.maximum(value, SMALLEST) + np.sqrt(self.sums.rows.shape[0]) * ROUNDING
        return Certificate(betas, relative, bound)

    def _sharper(
        self, W: Float[np.ndarray, "q 1"], near: Float[np.ndarray, " q"], beta: float, rows: Sequence[Rows]
    ) -> tuple[Sharper, float]:
        """Return what the metric of the Hessian proves at one beta, and with it the bound of the scores."""
        places = [np.empty((0, len(near))), *(self._place.of(as_numbers(X)) for X in rows)]
        proof = in_the_metric(self.sums, near, beta, np.vstack(places))
        off = float(self._off(W - proof.w[:, np.newaxis], rows)[0])
        lost = ROUNDING * float(size_of_terms(rows, np.abs(self._place.coef(W)))[0])
        return proof, off + float(proof.scores.max(initial=0.0)) + lost

    def _off(self, W: Float[np.ndarray, "q b"], rows: Sequence[Rows]) -> Float[np.ndarray, " b"]:
        """Return the largest score of rows for parameters that are a difference."""
        largest = [np.abs(self._scores(W, X)).max(axis=0, initial=0.0) for X in rows]
        return np.asarray(np.max([*largest, np.zeros(W.shape[1])], axis=0))

    def _score_per_length(self, rows: Sequence[Rows]) -> float:
        """Return how much a score can differ where w differs by 1: |x|, with a free intercept |x - x_i|."""
        longest = max((float(np.sqrt(squared_lengths(X).max(initial=0.0))) for X in rows), default=0.0)
        if self._place.intercept.is_free:
            return longest + self.sums.lengths[2]
        return float(np.hypot(longest, np.sqrt(self._place.intercept.shift)))

    def _at(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "q b"]:
        return np.ascontiguousarray((self.interpolant.weights(betas) @ self.nodal.T).T)

    def _factors(self, betas: Float[np.ndarray, " b"]) -> list[Factor]:
        """Return factors of Hessians near those at betas."""
        return [self.known.near(tau) for tau in np.log1p(betas / self.interpolant.scale).tolist()]

    @property
    def _place(self) -> Place:
        return self.sums.place

    def _scores(self, W: Float[np.ndarray, "q k"], X: Rows) -> Float[np.ndarray, "n k"]:
        return np.asarray(as_numbers(X) @ self._place.coef(W)) + self._place.shift(W)


def _coupled(place: Place, answers: Float[np.ndarray, "x q"], X: Rows) -> Float[np.ndarray, "x k"]:
    found = np.empty((len(answers), X.shape[0]))
    for Z, rows in place.blocks(X, len(answers)):
        found[:, rows] = answers @ Z.T
    return found
