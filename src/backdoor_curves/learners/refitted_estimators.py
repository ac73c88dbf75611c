"""Estimators that are refitted: NuSVC, SGDClassifier, and any other classifier, whose loss is that which suits it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from sklearn.linear_model import SGDClassifier
from sklearn.svm import NuSVC

from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.learners.exact import svc
from backdoor_curves.learners.parameters import is_number, require_positive
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding

SGD_LOSSES: Mapping[str, Loss] = {
    "hinge": "hinge",
    "squared_hinge": "squared hinge",
    "log_loss": "logistic",
    "squared_error": "squared",
}
"""Losses of SGDClassifier that are known here; for any other the hinge of its scores is reported."""


def require_usable(estimator: Any) -> None:
    """Refuse a C that is no number > 0, and a matrix for a kernel where it is not known how that is fitted."""
    if getattr(estimator, "kernel", None) == "precomputed" and not isinstance(estimator, NuSVC):
        raise ValueError(
            f'kernel: with "precomputed" SVC or NuSVC was expected, {type(estimator).__name__} came; pass the kernel '
            "by name"
        )
    if "C" in estimator.get_params(deep=False):
        require_positive(estimator, "C")


def by_probabilities(estimator: Any) -> bool:
    """Return whether its scores are the logs of its probabilities: of a learner that is not known and has some.

    An ensemble may have both, and predict by its probabilities.
    """
    return not isinstance(estimator, NuSVC | SGDClassifier) and hasattr(estimator, "predict_proba")


def loss(estimator: Any) -> Loss:
    """Return its own loss where that is known, the log loss of its probabilities, or the hinge of its scores."""
    if isinstance(estimator, SGDClassifier):
        return SGD_LOSSES.get(estimator.loss, "hinge")
    return "logistic" if by_probabilities(estimator) else "hinge"


def encoding(estimator: Any, n_classes: int) -> ScoreEncoding:
    """Return pairs of classes for NuSVC, terms of a softmax for probabilities, and classes against the rest."""
    if n_classes == 2:
        return "binary"
    if isinstance(estimator, NuSVC):
        return svc.encoding(estimator, n_classes)
    return "softmax" if by_probabilities(estimator) else "one-vs-rest"


def hyperparameters(estimator: Any) -> dict[str, float]:
    """Return lambda = 1 / C for an estimator that has a C and a penalty, and gamma for one that has a kernel."""
    words = estimator.get_params(deep=False)
    penalised = is_number(words.get("C")) and words.get("penalty", "l2") is not None
    gamma = svc.gamma_of(estimator) if {"kernel", "gamma"} <= words.keys() else {}
    return ({"lambda": 1.0 / float(words["C"])} if penalised else {}) | gamma


def kernel(estimator: Any) -> Kernel | None:
    """Return the kernel of NuSVC; of others none is known."""
    return svc.kernel(estimator) if isinstance(estimator, NuSVC) else None


def balances_weights(estimator: Any) -> bool:
    """Return whether "balanced" adds up the weights of a class: forests do in later versions of scikit-learn."""
    of_a_forest = getattr(estimator, "_validate_y_class_weight", None)
    return of_a_forest is not None and "sample_weight" in inspect.signature(of_a_forest).parameters
