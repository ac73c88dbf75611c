"""The slope of a refitted curve, which is known at its betas only: an estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class SlopeEstimate:
    """A slope from the finite differences of refits: an estimate.

    Parameters
    ----------
    slope : float
        Loss per unit of beta, at the first of the betas.
    error : float
        What the next term of the differences comes to; it does not see what a solver leaves undone.
    betas : array of shape (3,)
        Where the losses were taken.
    """

    slope: float
    error: float
    betas: Float[np.ndarray, " 3"]


def estimated_slope(betas: Float[np.ndarray, " 3"], losses: Float[np.ndarray, " 3"]) -> SlopeEstimate:
    """Return the slope at the first of three betas by the parabola through the losses.

    The error is how far it is from the line through the first two.
    """
    first, second = np.diff(losses) / np.diff(betas)
    slope = first - (second - first) * (betas[1] - betas[0]) / (betas[2] - betas[0])
    return SlopeEstimate(float(slope), float(abs(slope - first)), betas)
