"""Scores of many rows at the many nodes of a linear path, kept as the product of parameters and rows that they are.

38,000 nodes of 2000 rows are 600 MB, of a million rows 300 GB; parameters and rows are there anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.paths.linalg.rows_in_place import FeatureRows, RowsInPlace, scores_of

KEPT = 2**26
"""Bytes of scores (64 MiB) that are kept as they are: what a block of them costs anew is more than what that saves."""
SAVES = 4
"""How many times smaller the product must be: each look at it costs products anew."""


@dataclass(frozen=True, eq=False)
class ProductScores:
    """Scores W X' that are made when they are asked for; like an array of shape (k, n, 1).

    Parameters
    ----------
    W : array of shape (k, p)
        Parameters at the nodes.
    rows : array of shape (n, p), or rows in place

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.product_scores import ProductScores
    >>> scores = ProductScores(np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([[3.0, 1.0], [0.0, 1.0], [5.0, 5.0]]))
    >>> scores.shape, np.asarray(scores[:, 1:])[..., 0]
    ((2, 3, 1), array([[ 0.,  5.],
           [ 2., 15.]]))
    """

    W: Float[np.ndarray, "k p"]
    rows: FeatureRows

    @property
    def shape(self) -> tuple[int, int, int]:
        """(k, n, 1)."""
        return len(self.W), len(self.rows), 1

    def __len__(self) -> int:
        return len(self.W)

    def __getitem__(self, at: tuple[slice, slice | Int[np.ndarray, " r"]]) -> ProductScores:
        """Return the product of some nodes and rows: the rows are views where they are a slice."""
        nodes, rows = at
        if isinstance(self.rows, RowsInPlace):
            return ProductScores(self.W[nodes], RowsInPlace(self.rows.X[rows], self.rows.centre, self.rows.column))
        return ProductScores(self.W[nodes], self.rows[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Float[np.ndarray, "k n 1"]:
        """Return all of it."""
        return scores_of(self.rows, self.W)[..., np.newaxis].astype(dtype or float, copy=False)

    def at(self, weights: Any) -> ProductScores:
        """Return the scores where nodes have some weights, shape (b, k) of an array or CSR."""
        return ProductScores(np.asarray(weights @ self.W), self.rows)

    def at_own(self, weights: Any) -> Float[np.ndarray, "n 1"]:
        """Return the score of each row where nodes have the weights of that row, shape (n, k)."""
        W, rows = np.asarray(weights @ self.W), self.rows[np.arange(len(self.rows))]
        return np.einsum("np,np->n", W, rows)[:, np.newaxis]


def nodal_scores(W: Float[np.ndarray, "k p"], rows: RowsInPlace) -> Float[np.ndarray, "k n 1"] | ProductScores:
    """Return the scores of rows for the parameters at the nodes: the product where it is much smaller."""
    product = ProductScores(W, rows)
    k, n, _ = product.shape
    is_smaller = SAVES * (k + n) * W.shape[1] < k * n
    return product if is_smaller and 8.0 * k * n > KEPT else np.asarray(product)
