"""OneVsRestClassifier around another: a two-class learner for each class against the rest; the largest score wins."""

from __future__ import annotations

from typing import Any

from sklearn.multiclass import OneVsRestClassifier

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

ESTIMATOR = OneVsRestClassifier
PARAMETERS = frozenset({"estimator", "n_jobs", "verbose"})


def encoding(estimator: Any, n_classes: int) -> ScoreEncoding:  # noqa: ARG001
    """Return that each class has a column of its own, against the rest; of two classes the second."""
    return "binary" if n_classes == 2 else "one-vs-rest"
