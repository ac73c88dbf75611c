"""Rows in as few coordinates as they need: linear models see inner products only.

With more rows than features these are the features that are not zero throughout. With fewer rows than features they are
the rows of a Cholesky factor of the Gram matrix, K = L L': an orthonormal basis of the rows' span, never formed. The
basis of long rows, whose squares would lose what is small beside them, is formed, by QR, and that of few rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.linalg import qr, solve_triangular
from scipy.linalg.lapack import dpstrf

from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.rows import Rows, as_numbers, squared_lengths

RANK = 1e-13
"""A row is in the span of others if less than this share of the longest row's square is left of it: what 450 roundings
make of a 0."""
LONG = 1e4
"""Square of a row's length up to which a Gram matrix will do: its rounding is then below 1e-9 of the scores for duals
that add up to a thousand. Longer dense rows are factored themselves, at four times the cost."""
QUICK = 1e7
"""Products of a Gram matrix up to which dense rows are factored themselves, whatever their lengths: in milliseconds."""
ROUNDING = 4 * np.finfo(float).eps
"""Of an inner product of rows, as a share of the longest row's square; times the root of their number, of an orthogonal
factorisation, as a share of the longest row."""

Columned: TypeAlias = dict[Intercept, Float[np.ndarray, "n q"]]
"""Rows with the column of an intercept."""


@dataclass(frozen=True, eq=False)
class Features:
    """The features that are not zero throughout.

    Parameters
    ----------
    rows : array of shape (n, p)
        The rows in these coordinates: the array itself, if it has them all.
    kept : int array of shape (p,)
        Which features they are.
    d : int
        The number of all features.
    """

    error: ClassVar[float] = 0.0
    moved: ClassVar[float] = 0.0

    rows: Float[np.ndarray, "n p"]
    kept: Int[np.ndarray, " p"]
    d: int
    columned: Columned = field(default_factory=dict, init=False, repr=False)

    def coef(self, W: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "d k"]:
        """Return parameters of all features."""
        coef = np.zeros((self.d, W.shape[1]))
        coef[self.kept] = W
        return coef

    def of(self, X: Rows) -> Float[np.ndarray, "x p"]:
        """Return other rows in these coordinates."""
        part = as_numbers(X)[:, self.kept]
        return np.asarray(part.toarray() if sp.issparse(part) else part)


@dataclass(frozen=True, eq=False)
class GramFactor:
    """Coordinates in an orthonormal basis of the rows' span.

    Parameters
    ----------
    rows : array of shape (n, p)
        L, a row for each row.
    basis : rows
        p rows that span the others.
    T : array of shape (p, p)
        Their rows of L, lower triangular: the basis is basis' T^-T.
    error : float
        What an inner product of two rows may be off in these coordinates: by what is left of a row outside of the span,
        and by rounding.
    """

    moved: ClassVar[float] = 0.0

    rows: Float[np.ndarray, "n p"]
    basis: Rows
    T: Float[np.ndarray, "p p"]
    error: float
    columned: Columned = field(default_factory=dict, init=False, repr=False)

    def coef(self, W: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "d k"]:
        """Return parameters of all features."""
        return np.asarray(self.basis.T @ solve_triangular(self.T, W, lower=True, trans="T", check_finite=False))

    def of(self, X: Rows) -> Float[np.ndarray, "x p"]:
        """Return the part of other rows that is in the span, in these coordinates."""
        inner = self.basis @ as_numbers(X).T
        inner = inner.toarray() if sp.issparse(inner) else inner
        return np.asarray(solve_triangular(self.T, inner, lower=True, check_finite=False)).T


@dataclass(frozen=True, eq=False)
class Orthonormal:
    """Coordinates in an orthonormal basis of the rows' span, at hand.

    Parameters
    ----------
    rows : array of shape (n, p)
        The rows in these coordinates.
    Q : array of shape (d, p)
        The basis, a column each.
    moved : float
        How far a row may be from what its coordinates say, in any direction: by the rounding of the factors.
    """

    error: ClassVar[float] = 0.0

    rows: Float[np.ndarray, "n p"]
    Q: Float[np.ndarray, "d p"]
    moved: float
    columned: Columned = field(default_factory=dict, init=False, repr=False)

    def coef(self, W: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "d k"]:
        """Return parameters of all features."""
        return self.Q @ W

    def of(self, X: Rows) -> Float[np.ndarray, "x p"]:
        """Return the part of other rows that is in the span, in these coordinates."""
        return np.asarray(as_numbers(X) @ self.Q)


Space: TypeAlias = Features | Orthonormal | GramFactor


def rows_with_column(space: Space, intercept: Intercept) -> Float[np.ndarray, "n q"]:
    """Return the rows of a space with the intercept's column: one array for all paths in it, to be read only."""
    if intercept not in space.columned:
        space.columned[intercept] = np.ascontiguousarray(intercept.with_column(space.rows))
    return space.columned[intercept]


def coupling_through(
    inverse: Callable[[Float[np.ndarray, "r k"]], Float[np.ndarray, "r k"]],
    Z: Float[np.ndarray, "n r"],
    place: Callable[[Rows], Float[np.ndarray, "x r"]],
) -> Callable[[Rows], Float[np.ndarray, "x n"]]:
    """Return what makes z' H^-1 z_i of rows x, given the product with H^-1.

    z is x in its place, the coordinates of the problem.
    """

    def coupling(X: Rows) -> Float[np.ndarray, "x n"]:
        return inverse(place(X).T).T @ Z.T

    return coupling


def coordinates(X: Rows) -> Space:
    """Return the coordinates of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.linalg.coordinates import coordinates
    >>> X = np.random.default_rng(0).normal(size=(3, 5))
    >>> space = coordinates(X)
    >>> w = space.coef(np.ones((3, 1)))
    >>> bool(np.allclose(X @ w, space.rows @ np.ones((3, 1))))
    True
    """
    n, d = X.shape
    used = np.flatnonzero(np.asarray(abs(X).max(axis=0).todense()) if sp.issparse(X) else X.any(axis=0))
    if len(used) <= n:
        part = X if len(used) == d else X[:, used]  # no copy is made where none is needed
        return Features(part.toarray() if sp.issparse(part) else np.ascontiguousarray(part), used, d)
    if not sp.issparse(X) and (n * n * d <= QUICK or float(squared_lengths(X).max()) > LONG):
        Q, R, order = qr(X.T, mode="economic", pivoting=True, check_finite=False)
        pivots = np.abs(np.diag(R))
        rank = int((pivots > n * np.finfo(float).eps * pivots[0]).sum())
        rows = np.empty((n, rank))
        rows[order] = R[:rank].T
        return Orthonormal(rows, np.ascontiguousarray(Q[:, :rank]), ROUNDING * np.sqrt(n) * float(pivots[0]))
    gram: Any = X @ X.T
    K = np.array(gram.toarray() if sp.issparse(gram) else gram, order="F")
    squares = np.diag(K).copy()
    L, order, rank, _ = dpstrf(K, lower=1, tol=RANK * float(squares.max()), overwrite_a=1)
    order = order - 1
    rows = np.empty((n, rank))
    rows[order] = np.tril(L[:, :rank])
    left = float((squares - np.einsum("ij,ij->i", rows, rows)).max())
    return GramFactor(rows, X[order[:rank]], np.tril(L[:rank, :rank]), max(left, 0.0) + ROUNDING * float(squares.max()))
