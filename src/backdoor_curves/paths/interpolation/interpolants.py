"""The interpolants of the paths: a table for refits, rational functions for ridge, lines for SVMs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.linalg import qr, solve_triangular

SHORTEST = 1e-12
"""Pieces no longer than this have no slope of their own: their ends differ by rounding as much as by the path."""


@dataclass(frozen=True, eq=False)
class Table:
    """A path known at its nodes only.

    Parameters
    ----------
    nodes : array of shape (k,)
        The betas of the table, ascending.
    """

    nodes: Float[np.ndarray, " k"]

    @property
    def scan(self) -> Float[np.ndarray, " k"]:
        """The nodes."""
        return self.nodes

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """None."""
        return np.empty(0)

    def weights(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b k"]:
        """Return 1 at the node that each beta is; any other beta is refused."""
        distance = np.abs(betas[:, np.newaxis] - self.nodes)
        nearest = distance.argmin(axis=1)
        if (missing := np.flatnonzero(distance.min(axis=1) > 1e-12)).size:
            known = ", ".join(f"{beta:g}" for beta in self.nodes)
            raise ValueError(
                f"a refitted curve answers at the betas it was fitted at ({known}), beta = "
                f"{float(betas[missing[0]])!r} came; pass it in betas= when the curve is computed"
            )
        return np.eye(len(self.nodes))[nearest]

    def derivative(self, betas: Float[np.ndarray, " b"], order: int = 1) -> NoReturn:  # noqa: ARG002
        """Refuse: between refits nothing is known."""
        raise ValueError(
            "a derivative over beta needs an exact path; a refitted curve is known at its own betas only, and the "
            "difference of two fits is as good as the solver's stopping rule over their distance"
        )

    def quadrature(self) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Return the trapezoidal rule on the nodes, which must reach from 0 to 1."""
        if self.nodes[0] != 0.0 or self.nodes[-1] != 1.0:
            raise ValueError(
                f"an area over beta needs a curve from beta = 0 to beta = 1; this one was fitted from "
                f"{self.nodes[0]:g} to {self.nodes[-1]:g}"
            )
        steps = np.diff(self.nodes)
        return self.nodes, (np.append(steps, 0.0) + np.append(0.0, steps)) / 2


@dataclass(frozen=True, eq=False)
class PiecewiseLinear:
    """A path that is linear between its nodes; a node that stands twice is a jump, from its left to its right value.

    Parameters
    ----------
    nodes : array of shape (k,)
        From 0 to 1, ascending, a jump twice. At a jump the path has its right value.
    """

    nodes: Float[np.ndarray, " k"]

    @cached_property
    def scan(self) -> Float[np.ndarray, " s"]:
        """The nodes, each once."""
        return np.unique(self.nodes)

    @property
    def middles(self) -> Float[np.ndarray, " m"]:
        """0, the middle of each piece that has a length, and 1: there a beta is not near where the path turns."""
        left, right = self.nodes[:-1], self.nodes[1:]
        return np.concatenate([[0.0], ((left + right) / 2)[right - left > SHORTEST], [1.0]])

    @property
    def jumps(self) -> Float[np.ndarray, " j"]:
        """The nodes that stand twice."""
        return self.nodes[:-1][np.diff(self.nodes) == 0.0]

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """The nodes in (0, 1)."""
        return self.scan[(self.scan > 0.0) & (self.scan < 1.0)]

    def weights(self, betas: Float[np.ndarray, " b"]) -> sp.csr_array:
        """Return the shares of the two nodes around each beta."""
        k = len(self.nodes)
        left = np.clip(np.searchsorted(self.nodes, betas, side="right") - 1, 0, k - 2)
        start, stop = self.nodes[left], self.nodes[left + 1]
        # A piece without length is met at the end only, where the path jumps at 1: its right value holds.
        share = np.where(stop > start, (betas - start) / np.where(stop > start, stop - start, 1.0), 1.0)
        share = np.clip(share, 0.0, 1.0)
        return _of_neighbours(left, 1.0 - share, share, k)

    def pieces(self, betas: Float[np.ndarray, " b"]) -> Int[np.ndarray, " b"]:
        """Return the node where the piece to the right of a beta begins, at beta = 1 to the left; a jump has none."""
        at_jump = betas[np.isin(betas, self.jumps)]
        if at_jump.size:
            raise ValueError(f"the path jumps at beta = {float(at_jump[0])!r} and has no slope there; ask beside it")
        # A piece that rounding has left between events at one beta has ends too close for a slope.
        left = np.flatnonzero(np.diff(self.nodes) > SHORTEST)
        return left[np.minimum(np.searchsorted(self.nodes[left + 1], betas, side="right"), len(left) - 1)]

    def derivative(self, betas: Float[np.ndarray, " b"], order: int = 1) -> sp.csr_array:
        """Return the slopes of the lines to the right of each beta, at beta = 1 to the left; a jump has none."""
        left = self.pieces(betas)
        slope = 1.0 / (self.nodes[left + 1] - self.nodes[left]) if order == 1 else np.zeros(len(left))
        return _of_neighbours(left, -slope, slope, len(self.nodes))

    def quadrature(self) -> tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]]:
        """Return two Gauss-Legendre points a piece: right for curves that are cubic between the nodes."""
        x, w = np.polynomial.legendre.leggauss(2)
        half = np.diff(self.nodes)[:, np.newaxis] / 2
        return (self.nodes[:-1, np.newaxis] + half * (x + 1.0)).ravel(), (half * w).ravel()


def _of_neighbours(
    left: Int[np.ndarray, " b"], at_left: Float[np.ndarray, " b"], at_right: Float[np.ndarray, " b"], k: int
) -> sp.csr_array:
    """Return weights for two nodes beside each other."""
    columns, values = np.column_stack([left, left + 1]).ravel(), np.column_stack([at_left, at_right]).ravel()
    return sp.csr_array((values, columns, np.arange(0, 2 * len(left) + 1, 2)), shape=(len(left), k))


@dataclass(frozen=True, eq=False)
class Rational:
    """A path made of the functions phi_l(beta) = beta (1 + l) / (1 + beta l) with poles -1/l, 0 <= l <= `largest`.

    There are as many such functions as poison rows, but as functions of beta they are nearly dependent: 8 values of
    beta (largest = 0.1) to 62 (1e6) determine all others to 4e-14. Those are the nodes. They are found by a pivoted QR
    decomposition over a fine grid of betas and l (an interpolative decomposition), and depend on `largest` alone.

    Parameters
    ----------
    largest : float
        The largest l, >= 0.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.interpolation.interpolants import Rational
    >>> interpolant = Rational(largest=1e3)
    >>> q = lambda beta: 1 + beta / (1 + 77.0 * beta)
    >>> p = interpolant.weights(np.array([0.5]))
    >>> bool(abs(p @ q(interpolant.nodes) - q(0.5)) < 1e-13)
    True
    """

    largest: float

    @cached_property
    def _poles(self) -> Float[np.ndarray, " l"]:
        """24 values of l a decade: with 12 the weights between them are good to 1e-11 only."""
        decades = np.log10(1.0 + self.largest)
        return np.asarray(np.expm1(np.linspace(0.0, np.log1p(self.largest), int(24 * decades) + 24)))

    @cached_property
    def scan(self) -> Float[np.ndarray, " s"]:
        """0, and 40 betas a decade from a thousandth of the shortest scale on which anything changes."""
        shortest = 1e-3 / (1.0 + self.largest)
        return np.append(0.0, np.geomspace(shortest, 1.0, int(-40 * np.log10(shortest))))

    def _basis(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "l b"]:
        return betas * (1.0 + self._poles[:, np.newaxis]) / (1.0 + betas * self._poles[:, np.newaxis])

    @cached_property
    def nodes(self) -> Float[np.ndarray, " k"]:
        """0, where every phi vanishes, and the betas whose phi span all others."""
        R, order = qr(self._basis(self.scan[1:]), mode="r", pivoting=True)
        strength = np.abs(np.diag(R))
        rank = int((strength > 1e-15 * strength[0]).sum())
        return np.append(0.0, np.sort(self.scan[1:][order[:rank]]))

    @cached_property
    def _factor(self) -> tuple[Float[np.ndarray, "l r"], Float[np.ndarray, "r r"]]:
        Q, R = qr(self._basis(self.nodes[1:]), mode="economic")
        return Q, R

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """None."""
        return np.empty(0)

    def weights(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b k"]:
        """Return p(beta): the least-squares fit of phi(beta) by phi(nodes); the rest of the weight is w(0)'s."""
        Q, R = self._factor
        p = solve_triangular(R, Q.T @ self._basis(betas)).T
        return np.column_stack([1.0 - p.sum(axis=1), p])

    def derivative(self, betas: Float[np.ndarray, " b"], order: int = 1) -> Float[np.ndarray, "b k"]:
        """Return dp / dbeta: the same fit of phi' = (1 + l) / (1 + beta l)^2 by phi(nodes); or the second derivative.

        The weights are of the size of 1 / beta, at 0 of `largest`, and so are the errors of what is summed with them:
        a derivative is good to 1e-12 over beta, or times `largest`, for scores of size 1.
        """
        Q, R = self._factor
        poles = self._poles[:, np.newaxis]
        rates = (1.0 + poles) / (1.0 + betas * poles) ** 2
        if order == 2:
            rates *= -2.0 * poles / (1.0 + betas * poles)
        p = solve_triangular(R, Q.T @ rates).T
        return np.column_stack([-p.sum(axis=1), p])

    def quadrature(self) -> tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]]:
        """Return Gauss-Legendre points on panels that grow with the distance to the poles."""
        first = 1.0 / (1.0 + self.largest)
        edges = np.append(0.0, np.geomspace(first, 1.0, int(np.log2(1.0 / first)) + 2))
        x, w = np.polynomial.legendre.leggauss(16)
        half = np.diff(edges)[:, np.newaxis] / 2
        return (edges[:-1, np.newaxis] + half * (x + 1.0)).ravel(), (half * w).ravel()
