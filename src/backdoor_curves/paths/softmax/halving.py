"""Nodes of the path of softmax regression: stretches are halved until the polynomials between nodes will do.

In tau = log(1 + beta / scale), see `interpolation.lagrange`. A stretch gets a node in its middle, begun at the
polynomial through the nodes that are there; how far off that was, and how much less than a level before, tells what the
next one would be. All new nodes of a level that are near each other are solved together, so that products with the rows
have many columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.interpolation.chebyshev import betas_of
from backdoor_curves.paths.interpolation.lagrange import STENCIL, first_nodes, lagrange
from backdoor_curves.paths.softmax.newton import optima
from backdoor_curves.paths.softmax.preconditioner import Preconditioners
from backdoor_curves.paths.softmax.problem import Columns, Problem

ACCURATE = 0.1
"""Accuracy of a node, as a share of the tolerance: polynomials near an end make several times as much of it."""
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
ENTRIES = 2**23
"""Scores at once, of all classes, rows and betas: 64 MiB, of which a Newton step holds some six."""
MOST_NODES = 3000
"""Nodes after which a path counts as unattainable: images take 220 at C = 100, and 470 of 10,000 rows."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """Optima at nodes.

    Parameters
    ----------
    tau : array of shape (k,)
        Ascending, from 0 to log(1 + 1 / scale).
    W : array of shape (k, K, p)
    """

    tau: Float[np.ndarray, " k"]
    W: Float[np.ndarray, "k K p"]

    def guess(self, tau: Float[np.ndarray, " b"], size: int) -> Columns:
        """Return the polynomials through so many of the nearest nodes."""
        size = min(size, len(self.tau))
        right = np.clip(np.searchsorted(self.tau, tau), 1, max(len(self.tau) - 1, 1))
        near = first_nodes(right, len(self.tau), size)[:, np.newaxis] + np.arange(size)
        weights = lagrange(self.tau[near], tau)
        return np.stack([np.tensordot(p, self.W[k], 1) for p, k in zip(weights, near, strict=True)], axis=1)

    def with_more(self, tau: Float[np.ndarray, " b"], W: Columns) -> Nodes:
        """Return these and others."""
        order = np.argsort(np.append(self.tau, tau))
        return Nodes(np.append(self.tau, tau)[order], np.concatenate([self.W, W.swapaxes(0, 1)])[order])


@dataclass(frozen=True, eq=False)
class Halving:
    """What nodes are found with.

    Parameters
    ----------
    problem : Problem
    scale : float
        Of tau.
    tolerance : float
        What no score of a training row should be off by more, about.
    known : Preconditioners
    """

    problem: Problem
    scale: float
    tolerance: float
    known: Preconditioners

    def from_start(self, start: Columns) -> Nodes:
        """Return nodes between which polynomials will do, given the optimum at beta = 0.

        Raises
        ------
        PathError
            If more than `MOST_NODES` would be needed, or rounding keeps Newton's method from an optimum.
        """
        end = float(np.log1p(1.0 / self.scale))
        left, right, before = np.zeros(1), np.array([end]), np.full(1, np.inf)
        nodes = Nodes(np.zeros(1), start.swapaxes(0, 1))
        nodes = nodes.with_more(right, self._solved(nodes, right, before)[0])
        while len(left):
            if len(nodes.tau) + len(left) > MOST_NODES:
                raise PathError(
                    f"softmax regression: {len(nodes.tau)} nodes did not bring the path within {self.tolerance:g}; "
                    "raise lambda or tolerance, or rescale the features"
                )
            middle = (left + right) / 2.0
            W, error = self._solved(nodes, middle, before)
            nodes = nodes.with_more(middle, W)
            at_end = (left == 0.0) | (right == end)
            shrinks = np.clip(error / before, np.where(at_end, SHRINKS_AT_END, SHRINKS), 1.0)
            is_rough = (error * shrinks > self.tolerance) & (right - left > SHORTEST)
            again = is_rough | (right - left > 2.0 * LONGEST)
            left, middle, right, error = left[again], middle[again], right[again], error[again]
            order = np.argsort(np.append(left, middle))
            pairs = (left, middle), (middle, right), (error, error)
            left, right, before = (np.append(*pair)[order] for pair in pairs)
        return nodes

    def _solved(
        self, nodes: Nodes, tau: Float[np.ndarray, " b"], before: Float[np.ndarray, " b"]
    ) -> tuple[Columns, Float[np.ndarray, " b"]]:
        """Return the optima at new nodes, and how far off the polynomials through the old ones were there.

        How far off polynomials were a level before says whether they are worth beginning at.
        """
        problem, error = self.problem, np.empty(len(tau))
        W = np.empty((problem.K, len(tau), problem.Z.shape[1]))
        for part in _together(tau, max(1, ENTRIES // (problem.K * len(problem.y)))):
            betas, guess = betas_of(tau[part], self.scale), nodes.guess(tau[part], STENCIL)
            begun = self._best(nodes, guess, tau[part], betas) if (before[part] > ROUGH).any() else guess
            found = optima(problem, begun, betas, tau[part], ACCURATE * self.tolerance, self.known)
            W[:, part] = found.W
            error[part] = (
                np.abs(found.F - problem.scores(guess)).max(axis=(0, 2)) if begun is not guess else found.moved
            )
        return W, error

    def _best(
        self, nodes: Nodes, guess: Columns, tau: Float[np.ndarray, " b"], betas: Float[np.ndarray, " b"]
    ) -> Columns:
        """Return the guess with the lowest objective, out of polynomials of several degrees.

        Over too long a stretch a polynomial of high degree is worse than a line.
        """
        problem, best = self.problem, guess.copy()
        lowest = problem.value(guess, problem.scores(guess), betas)
        for size in FEWER:
            other = nodes.guess(tau, size)
            value = problem.value(other, problem.scores(other), betas)
            lower = value < lowest
            best[:, lower], lowest = other[:, lower], np.minimum(value, lowest)
        return best


def _together(tau: Float[np.ndarray, " b"], most: int) -> list[Int[np.ndarray, " _"]]:
    """Return places of ascending nodes that are near each other, at most so many in each part."""
    windows = np.split(np.arange(len(tau)), np.flatnonzero(np.diff(tau // WINDOW)) + 1)
    return [part for window in windows for part in np.array_split(window, -(-len(window) // most))]
