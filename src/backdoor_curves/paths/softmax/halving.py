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


def halved(problem: Problem, start: Columns, scale: float, tolerance: float, known: Preconditioners) -> Nodes:
    """Return nodes between which no score of a training row is off by more, about, given the optimum at beta = 0.

    Raises
    ------
    PathError
        If more than `MOST_NODES` would be needed, or rounding keeps Newton's method from an optimum.
    """
    end = float(np.log1p(1.0 / scale))
    nodes = Nodes(np.zeros(1), start.swapaxes(0, 1))
    W, _ = _solved(problem, nodes, np.array([end]), np.full(1, np.inf), scale, tolerance, known)
    nodes = nodes.with_more(np.array([end]), W)
    left, right, before = np.zeros(1), np.array([end]), np.full(1, np.inf)
    while len(left):
        if len(nodes.tau) + len(left) > MOST_NODES:
            raise PathError(
                f"softmax regression: {len(nodes.tau)} nodes did not bring the path within {tolerance:g}; raise lambda "
                "or tolerance, or rescale the features"
            )
        middle = (left + right) / 2.0
        W, error = _solved(problem, nodes, middle, before, scale, tolerance, known)
        nodes = nodes.with_more(middle, W)
        at_end = (left == 0.0) | (right == end)
        shrinks = np.clip(error / before, np.where(at_end, SHRINKS_AT_END, SHRINKS), 1.0)
        again = (error * shrinks > tolerance) & (right - left > SHORTEST) | (right - left > 2.0 * LONGEST)
        left, middle, right, error = left[again], middle[again], right[again], error[again]
        order = np.argsort(np.append(left, middle))
        left, right, before = (np.append(*pair)[order] for pair in ((left, middle), (middle, right), (error, error)))
    return nodes


def _solved(
    problem: Problem,
    nodes: Nodes,
    tau: Float[np.ndarray, " b"],
    before: Float[np.ndarray, " b"],
    scale: float,
    tolerance: float,
    known: Preconditioners,
) -> tuple[Columns, Float[np.ndarray, " b"]]:
    """Return the optima at new nodes, and how far off the polynomials through the old ones were there."""
    W, error = np.empty((problem.K, len(tau), problem.Z.shape[1])), np.empty(len(tau))
    for part in _together(tau, max(1, ENTRIES // (problem.K * len(problem.y)))):
        betas, guess = betas_of(tau[part], scale), nodes.guess(tau[part], STENCIL)
        begun, off = _best(problem, nodes, guess, tau[part], betas) if (before[part] > ROUGH).any() else (guess, None)
        found = optima(problem, begun, betas, tau[part], ACCURATE * tolerance, known)
        W[:, part] = found.W
        error[part] = found.moved
        if off is not None:
            error[part] = np.abs(off - found.F).max(axis=(0, 2))
    return W, error


def _best(
    problem: Problem, nodes: Nodes, guess: Columns, tau: Float[np.ndarray, " b"], betas: Float[np.ndarray, " b"]
) -> tuple[Columns, np.ndarray]:
    """Return the guess with the lowest objective, out of polynomials of several degrees, and the scores of the first.

    Over too long a stretch a polynomial of high degree is worse than a line.
    """
    scores = problem.scores(guess)
    best, lowest = guess.copy(), problem.value(guess, scores, betas)
    for size in FEWER:
        other = nodes.guess(tau, size)
        value = problem.value(other, problem.scores(other), betas)
        lower = value < lowest
        best[:, lower], lowest = other[:, lower], np.minimum(value, lowest)
    return best, scores


def _together(tau: Float[np.ndarray, " b"], most: int) -> list[Int[np.ndarray, " _"]]:
    """Return places of ascending nodes that are near each other, at most so many in each part."""
    windows = np.split(np.arange(len(tau)), np.flatnonzero(np.diff(tau // WINDOW)) + 1)
    return [part for window in windows for part in np.array_split(window, -(-len(window) // most))]
