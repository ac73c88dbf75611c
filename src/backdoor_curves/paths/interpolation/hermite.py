"""Hermite's polynomials: a quantity is known at its nodes with its derivative, and estimated between them.

    tau = log(1 + beta / scale),        q(beta) = sum_i h_i(tau) q_i + k_i(tau) (scale + beta_i) q'_i

A cubic on each stretch between two nodes, with the values and derivatives at both; tau, since curves over beta fall
near 0. What is interpolated has 2 k entries at k nodes: the values, then their derivatives in beta.

A derivative is not used between nodes where it says nothing of them, see `hermite_nodes`; at its node it stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

LARGEST_RATIO = 8.0
"""How many times the steeper of the secants beside it a derivative may be: a cubic through it then swings by 4 / 27 of
that, little more than the path rises; where a training is chaotic derivatives are hundreds of times as steep."""
SMALLEST_SCALE = 1e-4
"""Of tau: two poisoned rows among ten thousand do something at a beta of 1e-4 already."""
GAUSS = 8
"""Gauss-Legendre points on a stretch: a loss of cubics is no polynomial, but as smooth as its scores."""
SCAN = 32
"""Betas on a stretch that bracket what a curve does: a cubic turns twice."""


@dataclass(frozen=True, eq=False)
class HermiteNodes:
    """A path that is known at its nodes with its derivatives, and estimated between them.

    Parameters
    ----------
    nodes : array of shape (k,)
        From 0 to 1 at most, ascending.
    scale : float, > 0
        Of tau.
    used : bool array of shape (k,)
        At which nodes the derivative counts between nodes; elsewhere that of a parabola through three of them does.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.interpolation.hermite import HermiteNodes
    >>> nodes = np.array([0.0, 0.1, 0.4, 1.0])
    >>> q, dq = np.log1p(nodes / 0.5), 1.0 / (0.5 + nodes)
    >>> path = HermiteNodes(nodes, 0.5, np.ones(4, dtype=bool))
    >>> bool(abs(path.weights(np.array([0.2])) @ np.append(q, dq) - np.log1p(0.4)) < 1e-15)
    True
    """

    nodes: Float[np.ndarray, " k"]
    scale: float
    used: Bool[np.ndarray, " k"]

    @cached_property
    def tau(self) -> Float[np.ndarray, " k"]:
        """The nodes, as the polynomials see them."""
        return np.log1p(self.nodes / self.scale)

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """None: where one polynomial follows another nothing happens to what they estimate."""
        return np.empty(0)

    @cached_property
    def scan(self) -> Float[np.ndarray, " s"]:
        """Betas even in tau between the nodes, and these."""
        inner = np.linspace(self.tau[:-1], self.tau[1:], SCAN, endpoint=False)[1:].ravel()
        return np.sort(np.append(self.nodes, self._betas(inner)))

    def weights(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b two_k"]:
        """Return what values and derivatives at the nodes count for."""
        return self._combined(betas, *_cubics(self._places(betas)[1]))

    def derivative(self, betas: Float[np.ndarray, " b"], order: int = 1) -> Float[np.ndarray, "b two_k"]:
        """Return the same for the derivative in beta; at a node that is the one that is known there."""
        t = self._places(betas)[1]
        speed = (1.0 / (self.scale + betas))[:, np.newaxis]
        first = self._combined(betas, *_slopes(t), power=1)
        if order == 2:
            return speed**2 * (self._combined(betas, *_bends(t), power=2) - first)
        rates = speed * first
        at = np.abs(betas[:, np.newaxis] - self.nodes) == 0.0
        rates[at.any(axis=1)] = 0.0
        k = len(self.nodes)
        rates[:, k:][at] = 1.0
        return rates

    def quadrature(self) -> tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]]:
        """Return Gauss-Legendre points on the stretches between nodes, which must reach from 0 to 1."""
        if self.nodes[0] != 0.0 or self.nodes[-1] != 1.0:
            raise ValueError(
                f"an area over beta needs a curve from beta = 0 to beta = 1; this one was trained from "
                f"{self.nodes[0]:g} to {self.nodes[-1]:g}"
            )
        x, w = np.polynomial.legendre.leggauss(GAUSS)
        half = np.diff(self.tau)[:, np.newaxis] / 2.0
        betas = self._betas((self.tau[:-1, np.newaxis] + half * (x + 1.0)).ravel())
        return betas, (half * w).ravel() * (self.scale + betas)

    def without(self, node: int) -> HermiteNodes:
        """Return the nodes without one of them, which is then estimated from the others."""
        kept = np.arange(len(self.nodes)) != node
        return HermiteNodes(self.nodes[kept], self.scale, self.used[kept])

    def _betas(self, tau: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
        return self.scale * np.expm1(tau)

    def _places(self, betas: Float[np.ndarray, " b"]) -> tuple[np.ndarray, Float[np.ndarray, " b"]]:
        """Return the node on the left of each beta, and which share of the stretch it has gone."""
        if ((betas < self.nodes[0]) | (betas > self.nodes[-1])).any():
            raise ValueError(
                f"betas: from {self.nodes[0]:g} to {self.nodes[-1]:g} the nets were trained, "
                f"{betas[(betas < self.nodes[0]) | (betas > self.nodes[-1])][0]:g} came"
            )
        left = np.clip(np.searchsorted(self.nodes, betas, side="right") - 1, 0, len(self.nodes) - 2)
        t = (np.log1p(betas / self.scale) - self.tau[left]) / (self.tau[left + 1] - self.tau[left])
        # A node is one end of its stretch, to the last bit.
        t = np.where(betas == self.nodes[left], 0.0, np.where(betas == self.nodes[left + 1], 1.0, t))
        return left, t

    def _combined(
        self,
        betas: Float[np.ndarray, " b"],
        values: Float[np.ndarray, "2 b"],
        slopes: Float[np.ndarray, "2 b"],
        power: int = 0,
    ) -> Float[np.ndarray, "b two_k"]:
        """Return weights of nodes, given those of values and slopes at both ends of each beta's stretch."""
        left = self._places(betas)[0]
        length, b = (self.tau[left + 1] - self.tau[left]), np.arange(len(betas))
        found = np.zeros((len(betas), 2 * len(self.nodes)))
        for side in (0, 1):
            found[b, left + side] += values[side] / length**power
            found += (slopes[side] * length ** (1 - power))[:, np.newaxis] * self._slopes_at_nodes[left + side]
        return found

    @cached_property
    def _slopes_at_nodes(self) -> Float[np.ndarray, "k two_k"]:
        """What the slope in tau at each node is made of: the derivative there, or the values of three nodes."""
        k = len(self.nodes)
        found = np.zeros((k, 2 * k))
        for i in range(k):
            if self.used[i]:
                found[i, k + i] = self.scale + self.nodes[i]
                continue
            first = min(max(i - 1, 0), max(k - 3, 0))
            some = np.arange(first, min(first + 3, k))
            found[i, some] = _slope_of_polynomial(self.tau[some], self.tau[i])
        return found


def hermite_nodes(
    nodes: Float[np.ndarray, " k"],
    scale: float,
    values: Float[np.ndarray, "k n"],
    derivatives: Float[np.ndarray, "k n"],
) -> HermiteNodes:
    """Return nodes at which derivatives are used that are like the secants beside them.

    Where they are far steeper, in root mean square, they are exact and of no use: the path turns between the nodes.

    Parameters
    ----------
    nodes, scale
        Of `HermiteNodes`.
    values, derivatives : arrays of shape (k, n)
        What stands for the path, and its derivatives in beta.
    """
    tau = np.log1p(nodes / scale)
    secants = _size(np.diff(values, axis=0)) / np.diff(tau)
    steepest = np.maximum(np.append(secants, 0.0), np.append(0.0, secants))
    return HermiteNodes(nodes, scale, _size(derivatives) * (scale + nodes) <= LARGEST_RATIO * steepest)


def _size(q: Float[np.ndarray, "k n"]) -> Float[np.ndarray, " k"]:
    return np.sqrt((q**2).mean(axis=1))


def _cubics(t: Float[np.ndarray, " b"]) -> tuple[Float[np.ndarray, "2 b"], Float[np.ndarray, "2 b"]]:
    """Return the weights of the values and of the slopes at 0 and at 1 in a cubic at t."""
    right = t**2 * (3.0 - 2.0 * t)
    return np.stack([1.0 - right, right]), np.stack([t * (1.0 - t) ** 2, -(t**2) * (1.0 - t)])


def _slopes(t: Float[np.ndarray, " b"]) -> tuple[Float[np.ndarray, "2 b"], Float[np.ndarray, "2 b"]]:
    right = 6.0 * t * (1.0 - t)
    return np.stack([-right, right]), np.stack([(1.0 - t) * (1.0 - 3.0 * t), t * (3.0 * t - 2.0)])


def _bends(t: Float[np.ndarray, " b"]) -> tuple[Float[np.ndarray, "2 b"], Float[np.ndarray, "2 b"]]:
    right = 6.0 - 12.0 * t
    return np.stack([-right, right]), np.stack([6.0 * t - 4.0, 6.0 * t - 2.0])


def _slope_of_polynomial(x: Float[np.ndarray, " s"], at: float) -> Float[np.ndarray, " s"]:
    """Return what values at x count for in the derivative, at one of them, of the polynomial through them."""
    centred = x - at
    return np.linalg.solve(np.vander(centred, increasing=True).T, np.eye(len(x))[1])
