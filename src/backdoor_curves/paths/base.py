"""What every path offers: w(beta) for beta in [0, 1], known at a few nodes and interpolated between them.

Scores and parameters of every learner here are linear in the values that they take at the path's nodes,

    q(beta) = sum_i p_i(beta) q(beta_i),

with weights p that depend on the learner alone: rational functions for ridge, lines for SVMs (exact both), a table for
refits. So a path is stored by its nodes, and one interpolant serves scores, their derivatives, norms and angles alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.paths.product_scores import ProductScores
from backdoor_curves.rows import Rows, n_rows

Weights = Any
"""Weights of k nodes for b betas, shape (b, k): an array, or CSR where only neighbours count."""
Gram = Any
"""Inner products of the parameters at the nodes, shape (k, k); CSR where only some of them are ever needed."""


@runtime_checkable
class Interpolant(Protocol):
    """The weights p(beta) of a path's nodes."""

    @property
    def nodes(self) -> Float[np.ndarray, " k"]:
        """The betas at which the path is known, ascending, the first 0."""
        ...

    @property
    def scan(self) -> Float[np.ndarray, " s"]:
        """Betas dense enough to bracket whatever a curve does between them, ascending."""
        ...

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """The betas in (0, 1) where the formula of the path changes; none for a smooth path or a table."""
        ...

    def weights(self, betas: Float[np.ndarray, " b"]) -> Weights:
        """Return p_i(beta), a row for each beta."""
        ...

    def derivative(self, betas: Float[np.ndarray, " b"], order: int = 1) -> Weights:
        """Return the first or second derivative of p_i from the right, at beta = 1 from the left; refused at jumps."""
        ...

    def quadrature(self) -> tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]]:
        """Return betas and weights that integrate a curve over [0, 1]."""
        ...


class PathError(RuntimeError):
    """A path that cannot be followed to the accuracy that it promises; the message says where, and what to do."""


@dataclass(frozen=True)
class Certificate:
    """How far from the optimum a path may be, for each beta asked; computed from the optimality conditions.

    Parameters
    ----------
    betas : array of shape (b,)
    objective_gap : array of shape (b,)
        Upper bound on (objective - optimum) / objective, relative.
    score_bound : array of shape (b,)
        Upper bound on |f - f*| over the rows asked about, in the units of the scores.
    """

    betas: Float[np.ndarray, " b"]
    objective_gap: Float[np.ndarray, " b"]
    score_bound: Float[np.ndarray, " b"]

    def at(self, betas: Float[np.ndarray, " c"]) -> Certificate:
        """Return the bounds at some of its betas."""
        places = [int(np.flatnonzero(self.betas == beta)[0]) for beta in betas]
        return Certificate(betas, self.objective_gap[places], self.score_bound[places])


@dataclass(frozen=True, eq=False)
class Parameters:
    """The model at some betas: f_c(x) = <coef_c, phi(x)> + intercept_c for each score column c.

    Parameters
    ----------
    coef : array of shape (b, p, columns)
        Of a linear learner w itself, phi(x) = x, p = d. Of a kernel machine its signed dual coefficients y_i a_i, one
        for each of p distinct training rows, phi(x) = k(x_i, x): w is in the kernel's space.
    intercept : array of shape (b, columns)
        0 for a learner without one.
    rows : int array of shape (n,), optional
        Of a kernel machine: which of the distinct rows each training row is, in the order given to the path. None for
        coefficients of features.
    """

    coef: Float[np.ndarray, "b p columns"]
    intercept: Float[np.ndarray, "b columns"]
    rows: Int[np.ndarray, " n"] | None = None


@dataclass(frozen=True, eq=False)
class Tangent:
    """Scores of some rows on a path, and which way it goes: from the right, at beta = 1 from the left.

    Parameters
    ----------
    scores, rates : arrays of shape (b, n, columns), or (n, columns) at one beta
        The scores, and their derivatives in beta.
    """

    scores: Float[np.ndarray, "*b n columns"]
    rates: Float[np.ndarray, "*b n columns"]


@dataclass(frozen=True, eq=False)
class Response:
    """The optimum at one beta: how its scores move with beta, and how they answer to the weights of single rows.

        d f(x) / d weight_i = - G(x, i) q_i        G(x, i) = phi(x)' H^-1 phi(x_i)        q_i = d loss_i / d f_i

    with H the Hessian of the objective, phi(x) = (x, 1) where there is an intercept, and q_i of a row at weight 1. For
    an SVM H^-1 acts on what the margin leaves free, and q_i is 0 but for rows at their bound. With K score columns q_i
    has K entries. G is then a number where all columns have one Hessian (ridge: `influence_through`), a diagonal where
    each has its own, and a K x K matrix for a softmax, which solves one system for each test row, H U = phi(x) g'.

    Parameters
    ----------
    beta : float
    tangent : callable, rows of number x -> Tangent
        Their scores there, of shape (x, columns), and the derivatives in beta.
    rows : int array of shape (r,)
        The training rows whose weight counts, ascending, in the order given to the path; q_i is 0 for the others.
    influence : callable, rows of number x and array of shape (x, columns) -> array of shape (x, r)
        d loss_t / d weight_i = - g_t' G(x_t, i) q_i, given the derivatives g_t of the rows' losses in their scores. It
        holds in memory what it needs for all x rows at once; who asks for many asks in blocks.
    ties : int
        Training rows that are on the margin of an SVM without being held there. What is said here then holds for
        changes that keep them where they are; changes along beta do.
    """

    beta: float
    tangent: Callable[[Rows], Tangent]
    rows: Int[np.ndarray, " r"]
    influence: Callable[[Rows, Float[np.ndarray, "x columns"]], Float[np.ndarray, "x r"]]
    ties: int = 0


class BetaPath(ABC):
    """The optimum of a learner as a function of the poison's weight beta; frozen once built.

    It answers scores, their tangents and gradients, parameters, single rows' weights and a certificate, for one score
    column or many. What is known at nodes (`interpolant`, `nodal_scores`, `nodal_gram`) is asked of `columns`.
    """

    @property
    @abstractmethod
    def method(self) -> str:
        """How the path was followed: "ridge", "svm", "logistic", "squared hinge", "refit" or "network"."""

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether the path answers at every beta in [0, 1], and not only at the betas it was refitted at."""

    interpolant: Interpolant
    zero_weight_share: float = 0.0
    """Share of what poison rows do at weight 1 that they do at weight 0 already; of refits it may be more than 0."""
    n_seeds: int = 1
    """How often a row is scored: by the nets of so many seeds, all rows by one and then by the next."""
    keeps_products: bool = False
    """Whether scores at the nodes are kept as a product of parameters and rows where they would be many."""

    @property
    def columns(self) -> tuple[BetaPath, ...]:
        """The paths of its score columns that have nodes in common, in the order of the columns: here one, itself.

        A path whose columns turn at betas of their own is made of a path for each of them. Its scores, tangents,
        parameters and gradients are theirs side by side; influences, losses over columns and squared norms are sums;
        a score bound is the largest; its knots are those of all. A union of their nodes would be too many to hold.
        """
        return (self,)

    def of_seed(self, place: int) -> BetaPath:
        """Return the path of one seed, by its place among them: here there is one."""
        assert place == 0
        return self

    @abstractmethod
    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n columns"] | ProductScores:
        """Return the scores of the rows X at the nodes; one column for two classes, of many it may be a product."""

    def nodal_scores_by_column(self, X: Rows) -> tuple[Float[np.ndarray, "_ n _"] | ProductScores, ...]:
        """Return the scores of the rows X at the nodes, of each of `columns` at its own."""
        return (self.nodal_scores(X),)

    @abstractmethod
    def nodal_gram(self) -> Gram | None:
        """Return the inner products <w(beta_i), w(beta_j)>, without intercepts; None for a model without a w."""

    @abstractmethod
    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return the model at some betas.

        Raises
        ------
        ValueError
            If the path is one of refits, whose models have parameters of their own.
        """

    def score_gradients(self, X: Rows, beta: float) -> Float[np.ndarray, "columns n d"]:
        """Return the gradient of each score column in its row, at each row of X, in scores per unit of a feature.

        Of scores that are linear in the rows these are the coefficients, the same at each row: a view, to be read.

        Raises
        ------
        ValueError
            If a kernel has no gradient that is known, or if the path is one of refits of no linear model.
        """
        (W,) = self.parameters(np.array([beta])).coef
        return np.broadcast_to(W.T[:, np.newaxis], (W.shape[1], n_rows(X), len(W)))

    @abstractmethod
    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate | None:
        """Return how far the path is from the optimum at each beta, for the scores of one or more sets of rows.

        None where the path has no certificate (refits: a solver that stops says nothing about its distance).
        """

    @property
    def proven_at(self) -> Float[np.ndarray, " k"]:
        """The betas that stand for the whole path where it is held to a tolerance, ascending: its nodes."""
        return self.interpolant.nodes

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """The betas in (0, 1) where the formula of the path changes."""
        return self.interpolant.knots

    @property
    def unconverged(self) -> Float[np.ndarray, " u"]:
        """The betas at which a solver gave up before its own stopping rule was met; none for an exact path."""
        return np.empty(0)

    def scores(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n *columns"]:
        """Return the scores of the rows X: shape (b, n) for two classes, (b, n, columns) for more."""
        scores = combined(self.interpolant.weights(betas), self.nodal_scores(X))
        return scores[..., 0] if scores.shape[-1] == 1 else scores

    def score_derivatives(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n *columns"]:
        """Return d scores / d beta from the right, at beta = 1 from the left; shaped as `scores`, see `tangent`."""
        rates = self.tangent(X, betas).rates
        return rates[..., 0] if rates.shape[-1] == 1 else rates

    @abstractmethod
    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives from the right, at beta = 1 from the left.

        From the conditions of the optimum at each beta, not from the nodes: to rounding, whatever the path's tolerance.

        Raises
        ------
        ValueError
            If the path jumps at one of the betas, or is one of refits, which says nothing between its betas.
        """

    @abstractmethod
    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows, in the order given.

        Raises
        ------
        ValueError
            If the path jumps at beta or is one of refits, or if the intercept of an SVM is free within an interval.
        """


def influence_through(
    coupling: Callable[[Rows], Float[np.ndarray, "x r"]], pulls: Float[np.ndarray, "r columns"]
) -> Callable[[Rows, Float[np.ndarray, "x columns"]], Float[np.ndarray, "x r"]]:
    """Return the influence of rows whose G is a number, the same for all score columns: - G(x_t, i) g_t' q_i.

    Parameters
    ----------
    coupling : callable, rows of number x -> array of shape (x, r)
        G between rows and the training rows whose weight counts; an array of the caller's own.
    pulls : array of shape (r, columns)
        Their q_i.
    """

    def influence(X: Rows, loss_gradients: Float[np.ndarray, "x columns"]) -> Float[np.ndarray, "x r"]:
        values = coupling(X)
        # In the order in memory of the coupling: large arrays are multiplied along it.
        values *= np.matmul(-loss_gradients, pulls.T, out=np.empty_like(values))
        return values

    return influence


def combined(weights: Weights, nodal: Float[np.ndarray, k * shape] | ProductScores) -> Float[np.ndarray, b * shape]:
    """Return sum_i p_i(beta) q(beta_i) for a quantity q of any shape."""
    if isinstance(nodal, ProductScores):
        return np.asarray(nodal.at(weights))
    flat = weights @ nodal.reshape(len(nodal), -1)
    return flat.reshape(weights.shape[0], *nodal.shape[1:])
