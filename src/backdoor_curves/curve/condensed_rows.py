"""Test rows of an SVM without their scores: the mean hinge loss by its corners, the predictions by their changes.

Scores at 600 nodes of 1000 rows are 5 MB, and a study holds many curves. The mean hinge loss is piecewise linear, and
predictions change at a few betas only: both are kept exactly in a hundredth of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.curve.flips import Flips
from backdoor_curves.curve.predictions import Predictions
from backdoor_curves.losses.hinge_integrals import first_half, hinge_integrals
from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear


@dataclass(frozen=True, eq=False)
class CondensedRows:
    """Test rows of a learner by what their scores come to.

    Parameters
    ----------
    lines : PiecewiseLinear
        Between the corners of the mean loss; a jump stands twice.
    losses : array of shape (c,)
        The mean loss at the corners.
    predictions : Predictions
        Their predicted classes.
    y : int array of shape (n,)
        The class indices that count as right.
    weight : array of shape (n,)
        What each row counts for, > 0, in the mean loss and in shares.
    """

    lines: PiecewiseLinear
    losses: Float[np.ndarray, " c"]
    predictions: Predictions
    y: Int[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]

    def scores(self, betas: Float[np.ndarray, " b"]) -> NoReturn:
        """Refuse."""
        raise ValueError(
            f"scores: a condensed curve keeps the losses and flips of its {len(self.y)} rows, not their scores "
            f"(at {len(betas)} betas); use the curve before `condensed`, or `detached`"
        )

    def mean_loss(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the mean loss over the rows."""
        return self.lines.weights(betas) @ self.losses

    def mean_loss_derivative(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return its derivative from the right, at beta = 1 from the left."""
        return self.lines.derivative(betas) @ self.losses

    def predicted(self, betas: Float[np.ndarray, " b"]) -> Int[np.ndarray, "b n"]:
        """Return the predicted class indices."""
        return self.predictions.at(betas)

    @cached_property
    def flips(self) -> Flips:
        """The changes of predictions between right and wrong."""
        return self.predictions.flips(self.y, self.weight)

    def area(self) -> float:
        """Return the integral of the mean loss over [0, 1]."""
        return float(hinge_integrals(self.lines.nodes, self._margin)[0])

    def half_loss_beta(self) -> float:
        """Return the first beta at which the mean loss is at most half of that at 0; NaN if there is none."""
        return first_half(self.lines.nodes, self._margin)

    def linear_until(self) -> float:
        """Return the beta up to which the mean loss follows its slope at 0: its first kink."""
        return float(self.kinks()[:1].min(initial=1.0))

    def kinks(self) -> Float[np.ndarray, " j"]:
        """Return the betas in (0, 1) at which the mean loss has a corner."""
        return self.lines.knots

    def condensed(self) -> CondensedRows:
        """Return itself."""
        return self

    @property
    def _margin(self) -> Float[np.ndarray, "c 1"]:
        """The margin of a single row whose hinge is the mean loss."""
        return 1.0 - self.losses[:, np.newaxis]
