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
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.rows import Rows

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
class Response:
    """The optimum at one beta: how its scores move with beta, and how they answer to the weights of single rows.

        d f(x) / d weight_i = - G(x, i) q_i        G(x, i) = phi(x)' H^-1 phi(x_i)        q_i = d loss_i / d f_i

    with H the Hessian of the objective, phi(x) = (x, 1) where there is an intercept, and q_i of a row at weight 1. For
    an SVM H^-1 acts on what the margin leaves free, and q_i is 0 but for rows at their bound.

    Parameters
    ----------
    beta : float
    motion : callable, rows of number x -> two arrays of shape (x, columns)
        Their scores and the derivatives of these in beta, see `BetaPath.motion`.
    rows : int array of shape (r,)
        The training rows that pull, in the order given to the path: q_i is 0 for the others.
    pulls : array of shape (r, columns)
        Their q_i.
    coupling : callable, rows of number x -> array of shape (x, r)
        G between rows and those training rows.
    ties : int
        Training rows that are on the margin of an SVM without being held there. What is said here then holds for
        changes that keep them where they are; changes along beta do.
    """

    beta: float
    motion: Callable[[Rows], tuple[Float[np.ndarray, "x columns"], Float[np.ndarray, "x columns"]]]
    rows: Int[np.ndarray, " r"]
    pulls: Float[np.ndarray, "r columns"]
    coupling: Callable[[Rows], Float[np.ndarray, "x r"]]
    ties: int = 0


class BetaPath(ABC):
    """The optimum of a learner as a function of the poison's weight beta; frozen once built."""

    method: ClassVar[str]
    """How the path was followed: "ridge", "svm", "logistic", "squared hinge" or "refit"."""
    exact: ClassVar[bool]
    """Whether the path answers at every beta in [0, 1], and not only at the betas it was refitted at."""
    interpolant: Interpolant

    @abstractmethod
    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n columns"]:
        """Return the scores of the rows X at the nodes; one column for two classes."""

    @abstractmethod
    def nodal_gram(self) -> Gram | None:
        """Return the inner products <w(beta_i), w(beta_j)>, without intercepts; None for a model without a w."""

    @abstractmethod
    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate | None:
        """Return how far the path is from the optimum at each beta, for the scores of one or more sets of rows.

        None where the path has no certificate (refits: a solver that stops says nothing about its distance).
        """

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
        """Return d scores / d beta from the right, at beta = 1 from the left; shaped as `scores`, see `motion`."""
        rates = self.motion(X, betas)[1]
        return rates[..., 0] if rates.shape[-1] == 1 else rates

    @abstractmethod
    def motion(
        self, X: Rows, betas: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "b n columns"], Float[np.ndarray, "b n columns"]]:
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


def combined(weights: Weights, nodal: Float[np.ndarray, k * shape]) -> Float[np.ndarray, b * shape]:
    """Return sum_i p_i(beta) q(beta_i) for a quantity q of any shape."""
    flat = weights @ nodal.reshape(len(nodal), -1)
    return flat.reshape(weights.shape[0], *nodal.shape[1:])
