"""One set of test rows along a path: its scores, losses and predictions at any beta."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.codes import Code, decode, encode
from backdoor_curves.losses import Loss, row_losses
from backdoor_curves.paths.base import Interpolant, combined

_BLOCK = 2**18
"""Scores held at once while losses are summed: 2 MiB, so that they stay in the cache."""


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Test rows with their scores at the nodes of a path.

    Parameters
    ----------
    interpolant : Interpolant
        What makes scores at any beta of those at the nodes.
    nodal : array of shape (k, n, columns)
        The scores at the nodes.
    y : int array of shape (n,)
        The class indices that count as right: the true ones, or the attacker's.
    loss, code : Loss, Code
        The learner's.
    n_classes : int
    """

    interpolant: Interpolant
    nodal: Float[np.ndarray, "k n columns"]
    y: Int[np.ndarray, " n"]
    loss: Loss
    code: Code
    n_classes: int

    def scores(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n columns"]:
        """Return the scores of all rows."""
        return np.concatenate([block for _, block in self._blocks(betas)], axis=1)

    def mean_loss(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the mean loss over the rows."""
        total = np.zeros(len(betas))
        for rows, scores in self._blocks(betas):
            targets = encode(self.y[rows], self.n_classes, self.code)
            total += row_losses(self.loss, self.code, scores, targets).sum(axis=1)
        return total / len(self.y)

    def predicted(self, betas: Float[np.ndarray, " b"]) -> Int[np.ndarray, "b n"]:
        """Return the predicted class indices."""
        blocks = [decode(scores, self.n_classes, self.code) for _, scores in self._blocks(betas)]
        return np.concatenate(blocks, axis=1)

    def _blocks(self, betas: Float[np.ndarray, " b"]) -> Iterator[tuple[slice, Float[np.ndarray, "b block columns"]]]:
        """Yield the scores of a few rows at a time: all betas of all rows may be too many to hold."""
        _, n, columns = self.nodal.shape
        weights = self.interpolant.weights(betas)
        step = max(1, _BLOCK // (len(betas) * columns))
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            yield rows, combined(weights, self.nodal[:, rows])
