"""Nodes of the path of softmax regression: what is halved, and how the new nodes of a level are found together.

See `interpolation.halving`. All new nodes of a level that are near each other are solved at once, so that products with
the rows have many columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.interpolation.chebyshev import betas_of
from backdoor_curves.paths.interpolation.halving import FEWER, ROUGH, Nodes, halved, together
from backdoor_curves.paths.interpolation.lagrange import STENCIL
from backdoor_curves.paths.softmax.newton import optima
from backdoor_curves.paths.softmax.preconditioner import Preconditioners
from backdoor_curves.paths.softmax.problem import Columns, Problem

ACCURATE = 0.1
"""Accuracy of a node, as a share of the tolerance: polynomials near an end make several times as much of it."""
ENTRIES = 2**23
"""Scores at once, of all classes, rows and betas: 64 MiB, of which a Newton step holds some six."""


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
        """Return nodes between which polynomials will do, W of shape (k, K, p), given the optimum at beta = 0.

        Raises
        ------
        PathError
            If too many would be needed, or rounding keeps Newton's method from an optimum.
        """
        return halved(self._solved, start.swapaxes(0, 1), self.scale, self.tolerance, "softmax regression")

    def _solved(
        self, nodes: Nodes, tau: Float[np.ndarray, " b"], before: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "b K p"], Float[np.ndarray, " b"]]:
        """Return the optima at new nodes, and how far off the polynomials through the old ones were there.

        How far off polynomials were a level before says whether they are worth beginning at.
        """
        problem, error = self.problem, np.empty(len(tau))
        W = np.empty((problem.K, len(tau), problem.Z.shape[1]))
        for part in together(tau, max(1, ENTRIES // (problem.K * len(problem.y)))):
            betas, guess = betas_of(tau[part], self.scale), _guess(nodes, tau[part], STENCIL)
            begun = self._best(nodes, guess, tau[part], betas) if (before[part] > ROUGH).any() else guess
            found = optima(problem, begun, betas, tau[part], ACCURATE * self.tolerance, self.known)
            W[:, part] = found.W
            error[part] = (
                np.abs(found.F - problem.scores(guess)).max(axis=(0, 2)) if begun is not guess else found.moved
            )
        return W.swapaxes(0, 1), error

    def _best(
        self, nodes: Nodes, guess: Columns, tau: Float[np.ndarray, " b"], betas: Float[np.ndarray, " b"]
    ) -> Columns:
        """Return the guess with the lowest objective, out of polynomials of several degrees.

        Over too long a stretch a polynomial of high degree is worse than a line.
        """
        problem, best = self.problem, guess.copy()
        lowest = problem.value(guess, problem.scores(guess), betas)
        for size in FEWER:
            other = _guess(nodes, tau, size)
            value = problem.value(other, problem.scores(other), betas)
            lower = value < lowest
            best[:, lower], lowest = other[:, lower], np.minimum(value, lowest)
        return best


def _guess(nodes: Nodes, tau: Float[np.ndarray, " b"], size: int) -> Columns:
    return np.ascontiguousarray(nodes.guess(tau, size).swapaxes(0, 1))
