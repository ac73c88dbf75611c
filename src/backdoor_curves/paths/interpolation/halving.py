"""Nodes of a smooth path: stretches are halved until the polynomials between nodes will do.

In tau = log(1 + beta / scale), see `lagrange`. A stretch gets a node in its middle, begun at the polynomial through the
nodes that are there; how far off that was, and how much less than a level before, tells what the next one would be.
Whoever halves says how optima at the new nodes of a level are found, all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.interpolation.lagrange import first_nodes, lagrange

SHRINKS = 1e-3
"""By what halving a stretch shrinks the error of its polynomial at best: in theory 2^-12."""
SHRINKS_AT_END = 0.1
"""The same next to an end, where all nodes but one are on one side."""
LONGEST = 1.0
"""Stretch between nodes in tau: a path may look straight where a longer one skips what happens."""
SHORTEST = 1e-4
"""Stretch in tau that is not halved again: what does not shrink on the way there is rounding; certificates see it."""
WINDOW = 2.0
"""New nodes in as much of tau are solved together."""
ROUGH = 0.1
"""A polynomial that is off by more may be worse than one through fewer nodes."""
FEWER = (2, 4)
"""Nodes of those."""
MOST_NODES = 3000
"""Nodes after which a path counts as unattainable: images take 220 at C = 100, and 470 of 10,000 rows."""

Values = Any
"""What is known at nodes, an array with a first axis for them."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """Optima at nodes.

    Parameters
    ----------
    tau : array of shape (k,)
        Ascending, from 0 to log(1 + 1 / scale).
    W : array of shape (k, ...)
    """

    tau: Float[np.ndarray, " k"]
    W: Values

    def guess(self, tau: Float[np.ndarray, " b"], size: int) -> Values:
        """Return the polynomials through so many of the nearest nodes, at each tau."""
        size = min(size, len(self.tau))
        right = np.clip(np.searchsorted(self.tau, tau), 1, max(len(self.tau) - 1, 1))
        near = first_nodes(right, len(self.tau), size)[:, np.newaxis] + np.arange(size)
        weights = lagrange(self.tau[near], tau)
        return np.stack([np.tensordot(p, self.W[k], 1) for p, k in zip(weights, near, strict=True)])

    def with_more(self, tau: Float[np.ndarray, " b"], W: Values) -> Nodes:
        """Return these and others."""
        order = np.argsort(np.append(self.tau, tau))
        return Nodes(np.append(self.tau, tau)[order], np.concatenate([self.W, W])[order])


Solve = Callable[[Nodes, Float[np.ndarray, " b"], Float[np.ndarray, " b"]], tuple[Values, Float[np.ndarray, " b"]]]
"""From the nodes that are there, new ones in tau, and how far off polynomials were a level before, to the optima at the
new ones and how far off the polynomials through the old ones were there."""


def halved(solve: Solve, start: Values, scale: float, tolerance: float, name: str) -> Nodes:
    """Return nodes between which polynomials will do, given the optimum at beta = 0.

    Parameters
    ----------
    solve : Solve
    start : array of shape (1, ...)
    scale : float
        Of tau.
    tolerance : float
        What no score of a training row should be off by more, about.
    name : str
        What is followed, for errors.

    Raises
    ------
    PathError
        If more than `MOST_NODES` would be needed.
    """
    end = float(np.log1p(1.0 / scale))
    left, right, before = np.zeros(1), np.array([end]), np.full(1, np.inf)
    nodes = Nodes(np.zeros(1), start)
    nodes = nodes.with_more(right, solve(nodes, right, before)[0])
    while len(left):
        if len(nodes.tau) + len(left) > MOST_NODES:
            raise PathError(
                f"{name}: {len(nodes.tau)} nodes did not bring the path within {tolerance:g}; "
                "raise lambda or tolerance, or rescale the features"
            )
        middle = (left + right) / 2.0
        W, error = solve(nodes, middle, before)
        nodes = nodes.with_more(middle, W)
        at_end = (left == 0.0) | (right == end)
        least = np.where(at_end, SHRINKS_AT_END, SHRINKS)
        # The middle may happen to be where the error changes its sign: two levels shrink it no faster than twice one.
        shrinks = np.divide(error, before, out=np.ones_like(error), where=before > 0.0)
        expected = np.maximum(error * np.clip(shrinks, least, 1.0), before * least**2)
        is_rough = (expected > tolerance) & (right - left > SHORTEST)
        again = is_rough | (right - left > 2.0 * LONGEST)
        left, middle, right, error = left[again], middle[again], right[again], error[again]
        order = np.argsort(np.append(left, middle))
        pairs = (left, middle), (middle, right), (error, error)
        left, right, before = (np.append(*pair)[order] for pair in pairs)
    return nodes


def together(tau: Float[np.ndarray, " b"], most: int) -> list[Int[np.ndarray, " _"]]:
    """Return places of ascending nodes that are near each other, at most so many in each part."""
    windows = np.split(np.arange(len(tau)), np.flatnonzero(np.diff(tau // WINDOW)) + 1)
    return [part for window in windows for part in np.array_split(window, -(-len(window) // most))]
