"""The one seam where a scikit-learn estimator becomes frozen rows, a lambda and a loss; `following` goes on.

What would move with beta is fitted once and frozen here: the transformers of a Pipeline, `gamma="scale"` and
`class_weight="balanced"`. On clean and poison rows at weight 1 (`freeze="joined"`) beta = 1 is the victim's own fit;
on clean rows (`freeze="clean"`) beta = 0 is the fit that never saw the poison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Int
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.learners.estimators import is_number, is_precomputed, loss_and_encoding, steps_and_last
from backdoor_curves.learners.freezing import Freeze, checked, freeze_parameters, freeze_steps, through
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding
from backdoor_curves.rows import Rows, row_shape


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
    freeze : "joined" or "clean"
        What the frozen parts were fitted on.
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
    freeze: Freeze
    clean: Samples
    poison: Samples
    is_poison: Bool[np.ndarray, " n_plus_m"]

    def test_rows(self, samples: Samples, name: str) -> Samples:
        """Return test rows through the frozen map, with labels as class indices."""
        return Samples(checked(through(self.steps, samples.X), self.estimator, name), self.index(samples.y))

    def index(self, labels: np.ndarray) -> Int[np.ndarray, " n"]:
        """Return the class indices of labels."""
        return np.searchsorted(self.classes, labels)

    @property
    def hyperparameters(self) -> dict[str, float]:
        """`lambda` (1/C, or 2 alpha for ridge) and, for kernels that have it, `gamma`."""
        found = {}
        parameters = self.estimator.get_params(deep=False)
        if isinstance(self.estimator, RidgeClassifier):
            found["lambda"] = 2.0 * float(self.estimator.alpha)
        elif is_number(parameters.get("C")) and parameters.get("penalty", "l2") is not None:
            found["lambda"] = 1.0 / float(parameters["C"])
        if parameters.get("kernel") in ("rbf", "poly", "sigmoid") and is_number(parameters["gamma"]):
            found["gamma"] = float(parameters["gamma"])
        return found


def read_learner(estimator: Any, data: PoisonedData, freeze: Freeze = "joined") -> Learner:
    """Return the learner that an unfitted estimator describes, with its frozen parts fitted on the training rows.

    Raises
    ------
    TypeError
        If `estimator` is no classifier, or if its last step takes no `sample_weight`.
    ValueError
        If C or alpha is not a positive number, if class weights do not fit the classes, if a feature is NaN or
        infinite where the estimator takes none, or if with a precomputed kernel rows are not their kernel with all
        training rows, or freeze="clean" would fit steps before it on the clean rows alone.
    """
    if freeze not in ("joined", "clean"):
        raise ValueError(f'freeze: "joined" or "clean" was expected, {freeze!r} came')
    steps, last = steps_and_last(estimator)
    classes = data.classes
    clean = Samples(data.clean_train.X, np.searchsorted(classes, data.clean_train.y))
    poison = Samples(data.poison_train.X, np.searchsorted(classes, data.poison_train.y))
    is_poison = data.is_poison
    if is_precomputed(last) and steps and freeze == "clean":
        raise ValueError(
            'freeze: "joined" was expected with steps before a precomputed kernel, "clean" came: fitted on the clean '
            "rows they would not know the kernel with the poison rows"
        )
    fitted, clean, poison = freeze_steps(steps, clean, poison, is_poison, freeze)
    clean = Samples(checked(clean.X, last, "clean_train"), clean.y)
    poison = Samples(checked(poison.X, last, "poison_train"), poison.y)
    if is_precomputed(last):
        _require_columns(clean.X, len(is_poison))
    frozen = freeze_parameters(clone(last), classes, clean, poison, is_poison, freeze)
    loss, encoding = loss_and_encoding(frozen, len(classes))
    return Learner(frozen, fitted, classes, loss, encoding, freeze, clean, poison, is_poison)


def _require_columns(X: Rows, n: int) -> None:
    """Refuse rows that are not their kernel with n training rows."""
    if sp.issparse(X):
        raise TypeError('kernel: with "precomputed" arrays were expected, a sparse matrix came; pass its toarray()')
    if row_shape(X) != (n,):
        raise ValueError(
            f'kernel: with "precomputed" every row, test rows too, was expected as its kernel with all {n} training '
            f"rows, in the order of data.is_poison (by default the clean rows, then the poison); rows of shape "
            f"{row_shape(X)} came"
        )
