"""What answers for a curve from a file: what was known of its path when it was kept; what needs the path is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from jaxtyping import Float

from backdoor_curves.curve.info import Split
from backdoor_curves.curve.scored_curve import ScoredTests
from backdoor_curves.paths.base import Certificate, Gram


@dataclass(frozen=True, eq=False)
class Stored:
    """The source of a curve from a file, or of one that was detached; it has the methods of `Live`.

    Parameters
    ----------
    checked : Certificate, optional
        At the betas of the curve; None for refits.
    grams : tuple of arrays or CSR of shape (k, k), optional
        The inner products of w between the nodes, one of each interpolant; None for a learner that has no w.
    start_slopes : mapping of str to float, optional
        The slopes at beta = 0, by split; None for refits.
    """

    checked: Certificate | None
    grams: tuple[Gram, ...] | None
    start_slopes: Mapping[Split, float] | None

    def certificate(self, betas: Float[np.ndarray, " b"]) -> Certificate | None:
        """Return how far the curve may be from the optimum's, at its own betas."""
        if self.checked is None or np.array_equal(betas, self.checked.betas):
            return self.checked
        raise ValueError("certificate: a curve from a file has the certificate of its own betas only")

    def slope(self, split: Split, rows: ScoredTests, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the slopes of the mean loss of test rows: at 0 as they were, beyond from the nodes."""
        if self.start_slopes is None:
            return rows.mean_loss_derivative(betas)
        slopes, beyond = np.full(len(betas), self.start_slopes[split]), betas > 0.0
        if beyond.any():
            slopes[beyond] = rows.mean_loss_derivative(betas[beyond])
        return slopes

    def live_for(self, what: str) -> NoReturn:
        """Refuse what needs the path or the training rows."""
        raise ValueError(f"{what}: a curve from a file keeps the scores of its test rows only; compute the curve anew")

    def stored(self, rows: object, betas: object) -> Stored:  # noqa: ARG002  # as `Live` has it
        """Return itself."""
        return self
