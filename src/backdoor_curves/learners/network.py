"""TrainedNetwork: cross entropy, an output for each class, and a path that is trained with its slope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from backdoor_curves.data.samples import join
from backdoor_curves.deep.models import layers_for
from backdoor_curves.deep.trained_network import TrainedNetwork
from backdoor_curves.learners.learner import Learner
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.rows import as_floats

if TYPE_CHECKING:
    from backdoor_curves.deep.training import TrainingRows

BETAS = np.array([0.0, 0.0126, 0.0332, 0.0667, 0.1214, 0.2108, 0.3564, 0.5945, 1.0])
"""Where a network is trained if nothing else is asked: even in log(1 + beta / .02), for curves that fall near 0."""


def is_network(estimator: Any) -> bool:
    """Return whether an estimator is a network whose training is a value; a subclass may do something else."""
    return type(estimator) is TrainedNetwork


def require_usable(estimator: Any) -> None:
    """Refuse hyperparameters of no training."""
    estimator.recipe()
    estimator.seeds_used()


def loss(estimator: Any) -> Loss:  # noqa: ARG001
    """Return the cross entropy."""
    return "logistic"


def encoding(estimator: Any, n_classes: int) -> ScoreEncoding:  # noqa: ARG001
    """Return that each class has an output; of two classes their difference is a binary score."""
    return "binary" if n_classes == 2 else "softmax"


def hyperparameters(estimator: Any) -> dict[str, float]:
    """Return what plays the part of lambda: weight decay, of the mean loss of a batch, and how long it is trained."""
    names = ("weight_decay", "epochs", "lr", "batch_size")
    return {name: float(getattr(estimator, name)) for name in names}


def kernel(estimator: Any) -> None:
    """Return None: it has none."""


def balances_weights(estimator: Any) -> bool:  # noqa: ARG001
    """Return that there is nothing to balance."""
    return False


def follow(learner: Learner, betas: Float[np.ndarray, " k"] | None) -> BetaPath:
    """Return the path of a network: its nets of all seeds at some betas, by default BETAS, with their slopes."""
    layers_for("TrainedNetwork")
    from backdoor_curves.deep.follow import network_path

    n_classes = len(learner.classes)
    return network_path(learner.estimator, training_rows(learner), n_classes, BETAS if betas is None else betas)


def training_rows(learner: Learner) -> TrainingRows:
    """Return the victim's training set, in its order."""
    from backdoor_curves.deep.training import TrainingRows

    joined = join(learner.clean, learner.poison, learner.is_poison)
    if sp.issparse(joined.X):
        raise TypeError("estimator: arrays were expected by a network, a sparse matrix came; pass its toarray()")
    return TrainingRows(as_floats(joined.X), joined.y.astype(np.int64), joined.weight, learner.is_poison)
