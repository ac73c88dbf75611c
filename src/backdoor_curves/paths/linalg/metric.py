"""Lengths in the metric of a Hessian, where proofs do not depend on the units of the columns.

    H = diag(R) + Z'D Z,    |x|^2 = x'H^-1 x,    R > 0

By as much as a gradient g is not zero, parameters are |g| away from the optimum in the norm of H, and the score of a
row x by |x| |g| at most. A raw column of 1e9 makes x large and its metric small: their product is what it is in any
other unit. The factor is in double precision and may be poor; what it leaves of the equation is measured, and counts in
the norm of R^-1, which is no less.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from backdoor_curves.paths.linalg.rows_in_place import FeatureRows, RowsInPlace, blocks
from backdoor_curves.rows import Rows, as_numbers

JITTER = 1e-14
"""Share of its diagonal added to a matrix that double precision takes for singular: 45 roundings."""
SEEN = 10.0
"""A bound that exceeds by more what is seen of the error is proven anew in this metric: tightness is worth a factor."""
LITTLE = 1e-8
"""A bound so small is not, being a hundredth of what curves ask for; a hundredth of it where the metric is cheap."""
CHEAP = 1e7
"""Multiplications for a matrix of the metric up to which it is: a hundredth of a second."""
MANY = 2**22
"""Entries of A V (32 MiB) from which products A'A V are made with A'A itself, where it is smaller than A."""
ROUNDING = 4 * np.finfo(float).eps
"""Of an inner product, as a share of the sum of its terms' sizes."""


def worth_proving(
    unseen: Float[np.ndarray, " b"], seen: Float[np.ndarray, " b"], shape: tuple[int, int]
) -> Int[np.ndarray, " k"]:
    """Return which bounds are worth a proof in the metric of rows of this shape, given what is seen of the errors."""
    n, p = shape
    little = LITTLE if n * p**2 > CHEAP else LITTLE / 100.0
    return np.flatnonzero(unseen > np.maximum(SEEN * seen, little))


def size_of_terms(rows: Sequence[Rows], sizes: Float[np.ndarray, "d k"]) -> Float[np.ndarray, " k"]:
    """Return the largest sum_j |x_j| s_j over some sets of rows, for each column of sizes s: what a score adds up.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.linalg.metric import size_of_terms
    >>> size_of_terms([np.array([[-1.0, 2.0], [1.0, 1.0]])], np.array([[1.0], [3.0]]))
    array([7.])
    """
    largest = [np.asarray(abs(as_numbers(X)) @ sizes).max(axis=0, initial=0.0) for X in rows]
    return np.max([*largest, np.zeros(sizes.shape[1])], axis=0)


class Lengths(ABC):
    """Lengths in the metric of a Hessian, however it is given."""

    R: Float[np.ndarray, " p"]

    @property
    @abstractmethod
    def _diagonal(self) -> Float[np.ndarray, " p"]:
        """The Hessian's diagonal."""

    @abstractmethod
    def _in_units(self, unit: Float[np.ndarray, " p"]) -> Float[np.ndarray, "p p"]:
        """Return the Hessian in units of the columns, an array of the caller's own; its diagonal need not be right."""

    @abstractmethod
    def _product(self, V: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
        """Return H V."""

    @abstractmethod
    def _sizes(self, V: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
        """Return the sizes of what H V adds up, for V >= 0, times what it loses of them in units of `ROUNDING`."""

    @cached_property
    def _unit(self) -> Float[np.ndarray, " p"]:
        """The unit of each column in which the Hessian's diagonal is 1."""
        return np.asarray(1.0 / np.sqrt(self._diagonal))

    @cached_property
    def _factor(self) -> Any:
        H = self._in_units(self._unit)
        H[np.diag_indices_from(H)] = 1.0
        try:
            return cho_factor(H, lower=True, check_finite=False)
        except LinAlgError:
            H[np.diag_indices_from(H)] += len(H) * JITTER
            return cho_factor(H, lower=True, check_finite=False)

    def solve(self, B: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
        """Return H^-1 B, about."""
        unit = self._unit[:, np.newaxis]
        return unit * cho_solve(self._factor, unit * B, check_finite=False)

    def reach(self, X: Float[np.ndarray, "x p"]) -> Reach:
        """Return how rows answer to gradients.

        With V near H^-1 x and r = x - H V, x'H^-1 x = x'V + r'V + r'H^-1 r.
        """
        B, R = X.T, self.R[:, np.newaxis]
        V = self.solve(B)
        V += self.solve(B - self._product(V))
        sizes = np.abs(B) + self._sizes(np.abs(V)) + R * np.abs(V)
        left = np.abs(B - self._product(V)) + ROUNDING * sizes
        squares = np.einsum("px,px->x", B, V) + np.einsum("px,px->x", left, np.abs(V) + left / R)
        return Reach(V, np.sqrt(np.maximum(squares, 0.0)), np.sqrt(np.einsum("px,px->x", left, left / R)))

    def lengths(self, X: Float[np.ndarray, "x p"]) -> Float[np.ndarray, " x"]:
        """Return bounds on the lengths of rows."""
        return self.reach(X).lengths

    @cached_property
    def unit_lengths(self) -> Float[np.ndarray, " p"]:
        """Bounds on the lengths of the unit vectors: a vector of entries e is no longer than their sum for |e|."""
        return self.lengths(np.eye(len(self.R)))


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """Rows times the roots of their weights, of features that are in place: made a few at a time.

    Parameters
    ----------
    features : FeatureRows
    rows : int array of shape (n,)
        Some of its rows.
    weight : array of shape (n,)
        > 0.
    """

    features: FeatureRows
    rows: Int[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p)."""
        return len(self.rows), self.features.shape[1]

    def parts(self) -> Iterator[Float[np.ndarray, "b p"]]:
        """Yield all of them."""
        for places in blocks(self.features, np.arange(len(self.rows))):
            yield self.features[self.rows[places]] * np.sqrt(self.weight[places])[:, np.newaxis]


@dataclass(frozen=True, eq=False)
class Metric(Lengths):
    """The metric of the Hessian diag(R) + A'A.

    Parameters
    ----------
    A : array of shape (n, p), or weighted rows
        Rows times the roots of their curvatures.
    R : array of shape (p,)
        > 0.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.linalg.metric import Metric
    >>> metric = Metric(np.array([[1e9, 0.0], [0.0, 1e-6]]), np.ones(2))
    >>> metric.lengths(np.array([[1e9, 1e-6], [0.0, 1.0]])).round(6)
    array([1., 1.])
    """

    A: Float[np.ndarray, "n p"] | WeightedRows
    R: Float[np.ndarray, " p"]

    @classmethod
    def of(
        cls,
        features: FeatureRows,
        rows: Int[np.ndarray, " k"],
        weight: Float[np.ndarray, " k"],
        R: Float[np.ndarray, " p"],
    ) -> Metric:
        """Return the metric of some rows and their weights."""
        if isinstance(features, RowsInPlace):
            return cls(WeightedRows(features, rows, weight), R)
        return cls(features[rows] * np.sqrt(weight)[:, np.newaxis], R)

    @property
    def _diagonal(self) -> Float[np.ndarray, " p"]:
        return np.asarray(sum(np.einsum("np,np->p", A, A) for A in self._parts()) + self.R)

    def _in_units(self, unit: Float[np.ndarray, " p"]) -> Float[np.ndarray, "p p"]:
        H = np.zeros((len(self.R), len(self.R)))
        for A in self._parts():
            scaled = A * unit
            H += scaled.T @ scaled
        return H

    def _product(self, V: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
        through = self._gram @ V if self._many(V) else sum(A.T @ (A @ V) for A in self._parts())
        return self.R[:, np.newaxis] * V + through

    def _sizes(self, V: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
        if self._many(V):
            return 2.0 * (self._gram_of_sizes @ V)  # entries of A'A lose as much as a product with them
        return np.asarray(sum(A.T @ (A @ V) for A in map(np.abs, self._parts())))

    def _many(self, V: Float[np.ndarray, "p k"]) -> bool:
        n, p = self.A.shape
        return n > p and n * V.shape[1] > MANY

    @cached_property
    def _gram(self) -> Float[np.ndarray, "p p"]:
        return np.asarray(sum(A.T @ A for A in self._parts()))

    @cached_property
    def _gram_of_sizes(self) -> Float[np.ndarray, "p p"]:
        return np.asarray(sum(A.T @ A for A in map(np.abs, self._parts())))

    def _parts(self) -> Iterator[Float[np.ndarray, "b p"]]:
        return iter([self.A]) if isinstance(self.A, np.ndarray) else self.A.parts()


@dataclass(frozen=True, eq=False)
class MetricOfGram(Lengths):
    """The same given A'A: of many more rows than columns it is the smaller, and its entries have lost some digits.

    Parameters
    ----------
    gram, sizes : arrays of shape (p, p)
        A'A and |A|'|A|.
    R : array of shape (p,)
        > 0.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.linalg.metric import MetricOfGram
    >>> gram = np.diag([1e18, 1e-12])
    >>> MetricOfGram(gram, gram, np.ones(2)).lengths(np.array([[1e9, 1e-6], [0.0, 1.0]])).round(6)
    array([1., 1.])
    """

    gram: Float[np.ndarray, "p p"]
    sizes: Float[np.ndarray, "p p"]
    R: Float[np.ndarray, " p"]

    @property
    def _diagonal(self) -> Float[np.ndarray, " p"]:
        return np.asarray(np.diag(self.gram) + self.R)

    def _in_units(self, unit: Float[np.ndarray, " p"]) -> Float[np.ndarray, "p p"]:
        return unit[:, np.newaxis] * self.gram * unit

    def _product(self, V: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
        return self.R[:, np.newaxis] * V + self.gram @ V

    def _sizes(self, V: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
        return 2.0 * (self.sizes @ V)  # its entries lose as much again as a product with them


@dataclass(frozen=True, eq=False)
class Reach:
    """How rows answer to gradients, x'H^-1 g.

    Parameters
    ----------
    V : array of shape (p, x)
        H^-1 x, nearly.
    lengths : array of shape (x,)
        Bounds on the rows' lengths.
    left : array of shape (x,)
        Bounds on the lengths of x - H V.
    """

    V: Float[np.ndarray, "p x"]
    lengths: Float[np.ndarray, " x"]
    left: Float[np.ndarray, " x"]

    def to(self, g: Float[np.ndarray, " p"], length: float) -> Float[np.ndarray, " x"]:
        """Return bounds on the answers |x'H^-1 g| to a gradient whose length is at most this."""
        return np.minimum(np.abs(g @ self.V) + self.left * length, self.lengths * length)

    def to_unknown(self, sizes: Float[np.ndarray, " p"], length: float) -> Float[np.ndarray, " x"]:
        """Return bounds on the answers to gradients of whose entries the sizes are bounded, and so their length.

        Less than the product of the lengths where what is unknown is nothing to these rows: of two equal columns, say.
        """
        return np.minimum(sizes @ np.abs(self.V) + self.left * length, self.lengths * length)
