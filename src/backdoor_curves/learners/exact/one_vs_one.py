"""OneVsOneClassifier around another: a two-class learner for each pair of classes; votes win, and sums break ties."""

from __future__ import annotations

from typing import Any

from sklearn.multiclass import OneVsOneClassifier

from backdoor_curves.learners.exact.two_class_columns import (
    balances_weights,
    follow,
    hyperparameters,
    kernel,
    loss,
    refusal,
    require_usable,
)
from backdoor_curves.losses.score_encodings import ScoreEncoding

__all__ = ["ESTIMATOR", "PARAMETERS", "balances_weights", "encoding", "follow", "hyperparameters", "kernel"]
__all__ += ["loss", "refusal", "require_usable"]

ESTIMATOR = OneVsOneClassifier
PARAMETERS = frozenset({"estimator", "n_jobs"})


def encoding(estimator: Any, n_classes: int) -> ScoreEncoding:  # noqa: ARG001
    """Return that each pair of classes has a column of its own; of two classes the one."""
    return "binary" if n_classes == 2 else "one-vs-one of classifiers"
