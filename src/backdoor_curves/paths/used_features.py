"""A path in the features that its training rows use, asked about rows of all features.

A hashing vectoriser has a million columns, of which some thousand are other than 0 in any training row. Where the
penalty is on |w|^2, the optimum's w is 0 in all the others, at every beta: so a path over the used ones alone is the
path, and what test rows have in the others does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from backdoor_curves.kernels.memory import require_bytes
from backdoor_curves.paths.base import BetaPath, Certificate, Gram, Interpolant, Parameters, Response, Tangent
from backdoor_curves.paths.product_scores import ProductScores
from backdoor_curves.rows import Rows, as_numbers


@dataclass(frozen=True, eq=False)
class PathInUsedFeatures(BetaPath):
    """The path of a linear learner over its used features, which answers for rows of all features.

    Parameters
    ----------
    narrow : BetaPath
        The path over the used features, with as many coefficients.
    used : int array of shape (p,)
        Which features they are, ascending.
    d : int
        The number of all features.
    """

    narrow: BetaPath
    used: Int[np.ndarray, " p"]
    d: int

    @property
    def method(self) -> str:
        """How the path was followed."""
        return self.narrow.method

    @property
    def exact(self) -> bool:
        """Whether the path answers at every beta."""
        return self.narrow.exact

    @property
    def interpolant(self) -> Interpolant:  # type: ignore[override]
        """The weights of its nodes."""
        return self.narrow.interpolant

    @property
    def keeps_products(self) -> bool:  # type: ignore[override]
        """Whether scores at the nodes may be a product."""
        return self.narrow.keeps_products

    @property
    def columns(self) -> tuple[BetaPath, ...]:
        """The paths of its score columns that have nodes in common."""
        return tuple(replace(self, narrow=path) for path in self.narrow.columns)

    @property
    def proven_at(self) -> Float[np.ndarray, " k"]:
        """The betas that stand for the whole path where it is held to a tolerance."""
        return self.narrow.proven_at

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """The betas in (0, 1) where the formula of the path changes."""
        return self.narrow.knots

    def scores(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n *columns"]:
        """Return the scores of the rows X, as the narrow path has them: its columns may have nodes of their own."""
        return self.narrow.scores(self._used_of(X), betas)

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n columns"] | ProductScores:
        """Return the scores of the rows X at the nodes."""
        return self.narrow.nodal_scores(self._used_of(X))

    def nodal_scores_by_column(self, X: Rows) -> tuple[Float[np.ndarray, "_ n _"] | ProductScores, ...]:
        """Return the scores of the rows X at the nodes, of each column at its own."""
        return self.narrow.nodal_scores_by_column(self._used_of(X))

    def nodal_gram(self) -> Gram | None:
        """Return the inner products of w between the nodes: the other coefficients are 0."""
        return self.narrow.nodal_gram()

    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return coefficients of all features, and intercepts; `narrow.parameters` has those that are not 0 always.

        Raises
        ------
        MemoryError
            If the coefficients would not fit.
        """
        require_bytes(
            8.0 * len(betas) * self.d,
            f"parameters: coefficients of {self.d} features at {len(betas)} betas",
            "ask at fewer betas, or path.narrow for those of the features path.used",
        )
        found = self.narrow.parameters(betas)
        return replace(found, coef=self._widened(found.coef, axis=1))

    def score_gradients(self, X: Rows, beta: float) -> Float[np.ndarray, "columns n d"]:
        """Return the coefficients of all features as the gradient at each row: a view, since they are the same."""
        W = self._widened(self.narrow.parameters(np.array([beta])).coef[0], axis=0)
        return np.broadcast_to(W.T[:, np.newaxis], (W.shape[1], X.shape[0], self.d))

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate | None:
        """Return how far the path is from the optimum: in the other features by nothing."""
        return self.narrow.certificate(betas, [self._used_of(X) for X in rows])

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives."""
        return self.narrow.tangent(self._used_of(X), betas)

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows."""
        found = self.narrow.response(beta)

        def tangent(X: Rows) -> Tangent:
            return found.tangent(self._used_of(X))

        def influence(X: Rows, loss_gradients: Float[np.ndarray, "x columns"]) -> Float[np.ndarray, "x r"]:
            return found.influence(self._used_of(X), loss_gradients)

        return replace(found, tangent=tangent, influence=influence)

    def _used_of(self, X: Rows) -> Rows:
        X = as_numbers(X)
        return sp.csr_array(X)[:, self.used] if sp.issparse(X) else X[:, self.used]

    def _widened(self, coef: Float[np.ndarray, "*shape"], axis: int) -> Float[np.ndarray, "*wide"]:
        """Return coefficients of all features, given those of the used ones along an axis."""
        wide = np.zeros((*coef.shape[:axis], self.d, *coef.shape[axis + 1 :]))
        wide[(slice(None),) * axis + (self.used,)] = coef
        return wide
