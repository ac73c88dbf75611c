"""Polynomials through the nearest nodes: the interpolant of smooth paths whose nodes are halved where they need be.

In tau = log(1 + beta / scale), see `chebyshev`. Between two nodes the path is the polynomial through as many nodes on
either side; near an end, through the nodes nearest to it. All values are at nodes: none is thrown away by halving.

Source: Berrut and Trefethen, Barycentric Lagrange Interpolation, SIAM Review 46 (2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from backdoor_curves.paths.interpolation.chebyshev import betas_of

STENCIL = 12
"""Nodes of a polynomial: with 10 or 16 of them as many nodes are needed, and more of them is worse near the ends."""
SCANNED = 3
"""Parts that a stretch between nodes is scanned in: polynomials of degree 11 hardly bend on a tenth of their length."""
GAUSS = 5
"""Points of the quadrature on a stretch: of what twelve nodes know to 1e-7 it leaves 1e-11."""


@dataclass(frozen=True, eq=False)
class NearestNodes:
    """A path that is, between two nodes, the polynomial in tau through the nearest of them.

    Parameters
    ----------
    tau : array of shape (k,)
        The nodes in tau = log(1 + beta / scale), ascending from 0 to log(1 + 1 / scale); at least two.
    scale : float
        > 0.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.interpolation.lagrange import NearestNodes
    >>> interpolant = NearestNodes(np.linspace(0.0, np.log1p(1 / 0.1), 30), scale=0.1)
    >>> q = lambda beta: 1 / (0.1 + beta)
    >>> bool(abs(interpolant.weights(np.array([0.3])) @ q(interpolant.nodes) - q(0.3)) < 1e-9)
    True
    >>> bool(abs(interpolant.derivative(np.array([0.3])) @ q(interpolant.nodes) + q(0.3) ** 2) < 1e-8)
    True
    """

    tau: Float[np.ndarray, " k"]
    scale: float

    @cached_property
    def nodes(self) -> Float[np.ndarray, " k"]:
        """The betas of the nodes; the last is 1 on whichever side of it tau rounds."""
        nodes = betas_of(self.tau, self.scale)
        nodes[-1] = 1.0
        return nodes

    @property
    def middles(self) -> Float[np.ndarray, " m"]:
        """0, the middle of each stretch, and 1: where polynomials are farthest from what they know."""
        return np.concatenate([[0.0], betas_of((self.tau[1:] + self.tau[:-1]) / 2.0, self.scale), [1.0]])

    @cached_property
    def scan(self) -> Float[np.ndarray, " s"]:
        """The nodes, and betas between them."""
        parts = np.arange(SCANNED) / SCANNED
        inside = self.tau[:-1, np.newaxis] + np.diff(self.tau)[:, np.newaxis] * parts
        return np.append(betas_of(inside.ravel(), self.scale), 1.0)

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """None: what changes at a node is less than the accuracy of the path."""
        return np.empty(0)

    def weights(self, betas: Float[np.ndarray, " b"]) -> sp.csr_array:
        """Return the weights of the nodes, a row for each beta."""
        first, local = self._local(betas)
        return self._spread(first, local)

    def derivative(self, betas: Float[np.ndarray, " b"], order: int = 1) -> sp.csr_array:
        """Return the first or second derivatives of the weights from the right, at beta = 1 from the left."""
        first, local = self._local(betas)
        D = self._differentiation(first)
        speed = (1.0 / (self.scale + betas))[:, np.newaxis]
        rates = np.einsum("bs,bst->bt", local, D)
        if order == 2:  # d2/dbeta2 = (dtau/dbeta)^2 (d2/dtau2 - d/dtau)
            rates = speed * (np.einsum("bs,bst->bt", rates, D) - rates)
        return self._spread(first, speed * rates)

    def quadrature(self) -> tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]]:
        """Return Gauss-Legendre points on the stretches between nodes."""
        x, w = np.polynomial.legendre.leggauss(GAUSS)
        half = np.diff(self.tau)[:, np.newaxis] / 2.0
        betas = betas_of((self.tau[:-1, np.newaxis] + half * (x + 1.0)).ravel(), self.scale)
        return betas, (half * w).ravel() * (self.scale + betas)

    @property
    def _size(self) -> int:
        return min(STENCIL, len(self.tau))

    def _local(self, betas: Float[np.ndarray, " b"]) -> tuple[Int[np.ndarray, " b"], Float[np.ndarray, "b s"]]:
        """Return the first node of each beta's polynomial, and the weights of its nodes."""
        tau = np.clip(np.log1p(betas / self.scale), 0.0, self.tau[-1])
        tau[betas == 1.0] = self.tau[-1]
        # Betas are compared as such: a node on its way through tau may round to the stretch before it.
        stretch = np.clip(np.searchsorted(self.nodes, betas, side="right"), 1, len(self.tau) - 1)
        tau = np.where(betas == self.nodes[stretch - 1], self.tau[stretch - 1], tau)
        first = first_nodes(stretch, len(self.tau), self._size)
        return first, lagrange(self.tau[first[:, np.newaxis] + np.arange(self._size)], tau)

    def _differentiation(self, first: Int[np.ndarray, " b"]) -> Float[np.ndarray, "b s s"]:
        """Return the matrices from a polynomial's values at its nodes to its derivative's."""
        x = self.tau[first[:, np.newaxis] + np.arange(self._size)]
        w, own = _barycentric(x), np.eye(self._size, dtype=bool)
        gaps = x[:, :, np.newaxis] - x[:, np.newaxis]
        D = np.divide(w[:, np.newaxis] / w[:, :, np.newaxis], gaps, out=np.zeros_like(gaps), where=~own)
        D[:, own] = -D.sum(axis=2)
        return D

    def _spread(self, first: Int[np.ndarray, " b"], local: Float[np.ndarray, "b s"]) -> sp.csr_array:
        """Return weights of some nodes beside each other as weights of all nodes."""
        b, s = local.shape
        columns = (first[:, np.newaxis] + np.arange(s)).ravel()
        return sp.csr_array((local.ravel(), columns, np.arange(0, b * s + 1, s)), shape=(b, len(self.tau)))


def first_nodes(right: Int[np.ndarray, " b"], k: int, size: int) -> Int[np.ndarray, " b"]:
    """Return the first of the nodes nearest to stretches, given the node on the right of each, out of k."""
    return np.clip(right - size // 2, 0, k - size)


def lagrange(x: Float[np.ndarray, "b s"], t: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b s"]:
    """Return the weights that values at nodes x have in the polynomial through them at t, a row each.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.interpolation.lagrange import lagrange
    >>> lagrange(np.array([[0.0, 1.0, 2.0]]), np.array([0.5]))
    array([[ 0.375,  0.75 , -0.125]])
    """
    distance = t[:, np.newaxis] - x
    at_node = distance == 0.0
    p = _barycentric(x) / np.where(at_node, 1.0, distance)
    p /= p.sum(axis=1, keepdims=True)
    hit = at_node.any(axis=1)
    p[hit] = at_node[hit]
    return p


def _barycentric(x: Float[np.ndarray, "b s"]) -> Float[np.ndarray, "b s"]:
    """Return the barycentric weights of nodes, up to a factor: gaps are in units of the longest."""
    gaps = x[:, :, np.newaxis] - x[:, np.newaxis]
    gaps /= np.where(x.shape[1] > 1, x[:, -1:] - x[:, :1], 1.0)[:, :, np.newaxis]
    gaps += np.eye(x.shape[1])
    return 1.0 / gaps.prod(axis=2)
