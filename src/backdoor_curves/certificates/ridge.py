"""Ridge is quadratic: its own Hessian measures how far it moves, and what m flipped labels do is exact.

    H = 2 Z' U Z + 2 alpha E        |z|^2 = z' H^-1 z
    |du|_H^2 <= m peak(max |z| |du|_H)        |df(t)| <= |z_t| |du|_H

with z = (x, 1) where there is an intercept, which is free. Scores are linear in the targets, f(t) = sum_i c_i Y_i.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve, eigvalsh

TIE = 1e-12
"""A lead that is no larger is none: sums of a few thousand terms round by as much."""


@dataclass(frozen=True, eq=False)
class RidgeMetric:
    """The inverse Hessian of a ridge fit, as an inner product of rows.

    Parameters
    ----------
    X : array of shape (n, d)
        The training rows.
    weights : array of shape (n,)
    alpha : float, > 0
    is_free : bool
        Whether there is an intercept.
    """

    X: Float[np.ndarray, "n d"]
    weights: Float[np.ndarray, " n"]
    alpha: float
    is_free: bool

    @cached_property
    def centre(self) -> Float[np.ndarray, " d"]:
        """The weighted mean of the rows: with it at the origin w and b do not see each other."""
        zeros = np.zeros(self.X.shape[1])
        return np.average(self.X, axis=0, weights=self.weights) if self.is_free else zeros

    @cached_property
    def _rooted(self) -> Float[np.ndarray, "n d"]:
        return np.sqrt(2.0 * self.weights)[:, np.newaxis] * (self.X - self.centre)

    @cached_property
    def _factor(self) -> tuple[np.ndarray, bool]:
        V = self._rooted
        inner = V @ V.T if len(V) < V.shape[1] else V.T @ V
        inner[np.diag_indices_from(inner)] += 2.0 * self.alpha
        return cho_factor(inner)

    def _solved(self, T: Float[np.ndarray, "t d"]) -> Float[np.ndarray, "t d"]:
        """Return rows, centred, times the inverse of the Hessian in w."""
        V, T = self._rooted, T - self.centre
        if len(V) < V.shape[1]:  # the matrix inversion lemma
            return (T - cho_solve(self._factor, V @ T.T).T @ V) / (2.0 * self.alpha)
        return cho_solve(self._factor, T.T).T

    @property
    def _of_intercept(self) -> float:
        return 1.0 / (2.0 * float(self.weights.sum())) if self.is_free else 0.0

    def lengths(self, T: Float[np.ndarray, "t d"]) -> Float[np.ndarray, " t"]:
        """Return sqrt(z' H^-1 z) of rows: the roots of their leverages."""
        inner = np.einsum("ij,ij->i", T - self.centre, self._solved(T)) + self._of_intercept
        return np.sqrt(np.maximum(inner, 0.0))

    def longest(self, norm: float) -> float:
        """Return a bound on `lengths` of any row x with |x| <= norm."""
        V = self._rooted
        curvature = 0.0 if len(V) < V.shape[1] else float(eigvalsh(V.T @ V, subset_by_index=(0, 0))[0])
        least = 2.0 * self.alpha + max(0.0, curvature) * (1.0 - 1e-9)
        return float(np.sqrt((norm + np.linalg.norm(self.centre)) ** 2 / least + self._of_intercept))

    def coefficients(self, T: Float[np.ndarray, "t d"]) -> Float[np.ndarray, "t n"]:
        """Return c: the score of a row is the sum of c_i Y_i over the training rows."""
        return 2.0 * self.weights * (self._solved(T) @ (self.X - self.centre).T + self._of_intercept)


def flips_withstood(
    coefficients: Float[np.ndarray, "t n"], scores: Float[np.ndarray, "t k"], y: Int[np.ndarray, " n"], n_classes: int
) -> Int[np.ndarray, " t"]:
    """Return for each row the most training labels, whichever, that may be replaced without turning its class: exact.

    Parameters
    ----------
    coefficients : array of shape (t, n)
        See `RidgeMetric.coefficients`.
    scores : array of shape (t, k)
        One column for two classes.
    y : int array of shape (n,)
        Class indices of the training rows.
    n_classes : int

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.certificates.ridge import flips_withstood
    >>> flips_withstood(np.array([[0.2, 0.3, -0.5]]), np.array([[1.0]]), np.array([1, 1, 0]), 2)
    array([0])
    >>> flips_withstood(np.array([[0.2, 0.3, -0.2]]), np.array([[0.7]]), np.array([1, 1, 0]), 2)
    array([1])
    """
    both = np.hstack([-scores, scores]) if n_classes == 2 else scores
    # Of two classes the second column is the score, and the first, minus it, makes a flip count as in any two columns.
    predicted = both.argmax(axis=1)
    held = np.full(len(scores), len(y))
    for place, (c, own) in enumerate(zip(coefficients, predicted, strict=True)):
        for other in range(n_classes):
            if other == own:
                continue
            lost = np.sort(lost_by_a_flip(c, y, int(own), other, n_classes))[::-1]
            left = both[place, own] - both[place, other] - np.cumsum(lost)
            held[place] = min(held[place], int((left > TIE).sum()))
    return held


def lost_by_a_flip(
    c: Float[np.ndarray, " n"], y: Int[np.ndarray, " n"], own: int, other: int, n_classes: int
) -> Float[np.ndarray, " n"]:
    """Return by how much the score of class `own` less that of `other` falls with the worst new label of each row.

    A row leaves its class, whose column loses 2 c, for another one, whose column gains 2 c.
    """
    here = 2.0 * c * ((y == own) * 1.0 - (y == other))  # what the label that goes did for the difference
    gains = [np.where(y == other, -np.inf, 2.0 * c), np.where(y == own, -np.inf, -2.0 * c)]
    if n_classes > 2:
        third = (y != own) & (y != other) if n_classes == 3 else np.zeros(len(y), dtype=bool)
        gains.append(np.where(third, -np.inf, 0.0))
    return np.maximum(here + np.max(gains, axis=0), 0.0)
