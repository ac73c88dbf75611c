"""A learner: an estimator with everything frozen that would move with beta, and its training rows as it sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from backdoor_curves.data.samples import Samples
from backdoor_curves.learners.freezing import Freeze, checked, through
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding


@dataclass(frozen=True, eq=False)
class Learner:
    """An estimator with everything frozen that would move with beta, and its training rows as it sees them.

    Parameters
    ----------
    estimator : scikit-learn classifier
        The last step, unfitted, with a numeric gamma and explicit class weights.
    steps : tuple of fitted transformers
        The frozen map before it.
    classes : array of shape (K,)
        The labels, in the order of the class indices.
    loss, encoding : Loss, ScoreEncoding
        What the estimator minimises, and what its score columns stand for.
    hyperparameters : dict
        `lambda` (1/C, or 2 alpha for ridge) and, for kernels that have it, `gamma`.
    freeze : "joined" or "clean"
        What the frozen parts were fitted on.
    flattened : str
        The shape of images that were flattened, and before which step; empty where none were.
    clean, poison : Samples
        Training rows after the frozen map, labels as class indices.
    is_poison : bool array
        Where the poison rows stand in the victim's training set.
    """

    estimator: Any
    steps: tuple[Any, ...]
    classes: np.ndarray
    loss: Loss
    encoding: ScoreEncoding
    hyperparameters: dict[str, float]
    freeze: Freeze
    flattened: str
    clean: Samples
    poison: Samples
    is_poison: Bool[np.ndarray, " n_plus_m"]

    def test_rows(self, samples: Samples, name: str) -> Samples:
        """Return test rows through the frozen map, with labels as class indices."""
        X = checked(through(self.steps, samples.here().X), self.estimator, name)
        return replace(samples, X=X, y=self.index(samples.y))

    def index(self, labels: np.ndarray) -> Int[np.ndarray, " n"]:
        """Return the class indices of labels."""
        return np.searchsorted(self.classes, labels)
