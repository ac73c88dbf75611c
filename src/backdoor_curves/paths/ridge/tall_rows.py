"""Weighted, centred rows of ridge regression that stay where they are: their normal equations by sums over them.

What `normal_equations.WeightedRows` has as arrays is here made block by block, in double precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float
from scipy.linalg.blas import dsyrk

from backdoor_curves.paths.linalg.row_parts import RowParts, joined, parts_of, plain, sum_of
from backdoor_curves.paths.ridge.centred_rows import CentredRows
from backdoor_curves.rows import Rows


@dataclass(frozen=True, eq=False)
class TallRows(CentredRows):
    """Centred rows and targets, times the square roots of their weights, many more rows than features.

    Parameters
    ----------
    rows : RowParts
        As they came.
    Y : array of shape (n, k)
        Targets, times the roots.
    root : array of shape (n,)
        The square roots of the weights.
    centre : array of shape (d,)
    gram : array of shape (d, d)
        X'X.
    """

    rows: RowParts
    Y: Float[np.ndarray, "n k"]
    root: Float[np.ndarray, " n"]
    centre: Float[np.ndarray, " d"]
    gram: Float[np.ndarray, "d d"]

    @classmethod
    def of(
        cls, X: Rows, Y: Float[np.ndarray, "n k"], weights: Float[np.ndarray, " n"], centre: Float[np.ndarray, " d"]
    ) -> TallRows:
        """Return rows less a centre, and their targets, times the square roots of their weights."""
        rows, root = parts_of(X), np.sqrt(weights)
        (gram,) = sum_of(rows.each(partial(_gram, centre), root))
        gram += np.tril(gram, -1).T
        _require_finite(gram)
        return cls(rows, Y * root[:, np.newaxis], root, centre, gram)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        return self.rows.shape

    def dot(self, W: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "n k"]:
        """Return X W."""
        return np.asarray(joined(self.rows.each(partial(_dot, self.centre, W), self.root)))

    def transposed_dot(self, V: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "d k"]:
        """Return X' V."""
        (product,) = sum_of(self.rows.each(partial(_transposed_dot, self.centre), self.root, V))
        return np.asarray(product)

    def normal_dot(self, W: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "d k"]:
        """Return X' X W."""
        return self.gram @ W

    def transposed(self) -> Float[np.ndarray, "d n"]:
        """Return X' as a dense matrix: of so few rows that it may be made."""
        return np.asarray(joined(self.rows.each(partial(_centred, self.centre), self.root))).T


def mean_of(X: Rows, weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, " d"]:
    """Return the weighted mean of many rows."""
    (sums,) = sum_of(
        parts_of(X).each(partial(_transposed_dot, np.zeros(X.shape[1])), weights, np.ones((len(weights), 1)))
    )
    _require_finite(sums)
    return np.asarray(sums[:, 0] / weights.sum())


def _require_finite(sums: Float[np.ndarray, "*shape"]) -> None:
    """Refuse rows whose sums are no numbers: an entry is none, or too large."""
    if not np.isfinite(sums).all():
        raise ValueError(
            "training rows: finite features were expected, some are NaN, infinite or too large to be squared; drop "
            "these rows or put an imputer before the classifier"
        )


def _gram(centre: Float[np.ndarray, " d"], X: Rows, root: Float[np.ndarray, " k"]) -> tuple[Float[np.ndarray, "d d"]]:
    gram = np.zeros((len(centre),) * 2, order="F")
    for Z, rows in plain(len(centre)).blocks(X, 0):
        Z -= centre
        Z *= root[rows, np.newaxis]
        gram = dsyrk(1.0, Z.T, beta=1.0, c=gram, lower=1, overwrite_c=1)
    return (gram,)


def _dot(
    centre: Float[np.ndarray, " d"], W: Float[np.ndarray, "d c"], X: Rows, root: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "k c"]:
    found = np.empty((X.shape[0], W.shape[1]))
    for Z, rows in plain(len(centre)).blocks(X, W.shape[1]):
        Z -= centre
        found[rows] = (Z @ W) * root[rows, np.newaxis]
    return found


def _transposed_dot(
    centre: Float[np.ndarray, " d"], X: Rows, root: Float[np.ndarray, " k"], V: Float[np.ndarray, "k c"]
) -> tuple[Float[np.ndarray, "d c"]]:
    product = np.zeros((len(centre), V.shape[1]))
    for Z, rows in plain(len(centre)).blocks(X, V.shape[1]):
        Z -= centre
        product += Z.T @ (V[rows] * root[rows, np.newaxis])
    return (product,)


def _centred(centre: Float[np.ndarray, " d"], X: Rows, root: Float[np.ndarray, " k"]) -> Float[np.ndarray, "k d"]:
    return np.concatenate(
        [(Z - centre) * root[rows, np.newaxis] for Z, rows in plain(len(centre)).blocks(X, 0)]
        or [np.empty((0, len(centre)))]
    )
