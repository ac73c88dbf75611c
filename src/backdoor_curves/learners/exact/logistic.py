"""LogisticRegression: log loss with the L2 penalty; its path for two classes is followed to a stated accuracy."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from backdoor_curves.learners.exact.in_used_features import in_used_features
from backdoor_curves.learners.exact.linear_svc import liblinear_intercept
from backdoor_curves.learners.exact.weighted import coordinates_of, weighted_rows
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import BALANCED_BY_WEIGHT, require_positive
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.intercept import FREE
from backdoor_curves.paths.logistic import logistic_path

ESTIMATOR = LogisticRegression
PARAMETERS = frozenset(
    {"C", "class_weight", "dual", "fit_intercept", "intercept_scaling", "l1_ratio", "max_iter", "multi_class"}
    | {"n_jobs", "penalty", "random_state", "solver", "tol", "verbose", "warm_start"}
)
MARGIN = 0.3
"""Share of the tolerance on scores that the path is followed to: test rows may be farther out than training rows."""


def require_usable(estimator: Any) -> None:
    """Refuse a C that is no number > 0."""
    require_positive(estimator, "C")


def refusal(estimator: Any, n_classes: int) -> str | None:
    """Return why it has no exact path: the softmax and other penalties have none here, and C = inf has no lambda."""
    words = estimator.get_params(deep=False)
    if n_classes != 2:
        return f"for {n_classes} classes: it has one for two"
    # "deprecated" stands for the L2 penalty since scikit-learn 1.8, which has l1_ratio say what the penalty is.
    if words.get("penalty", "deprecated") not in ("l2", "deprecated") or words.get("l1_ratio"):
        return f"with penalty={words.get('penalty')!r}, l1_ratio={words.get('l1_ratio')!r}: it has one with L2's alone"
    # A softmax over two classes has the penalty of two vectors: half of lambda.
    if words.get("multi_class", "deprecated") not in ("deprecated", "auto", "ovr"):
        return f"with multi_class={words['multi_class']!r}: a softmax over two classes is another learner"
    return None if np.isfinite(estimator.C) else "with C=inf: a path needs lambda > 0"


def loss(estimator: Any) -> Loss:  # noqa: ARG001
    """Return the loss log(1 + exp(-y f)), or minus the log of the softmax."""
    return "logistic"


def encoding(estimator: Any, n_classes: int) -> ScoreEncoding:  # noqa: ARG001
    """Return that the columns are the classes' terms of a softmax."""
    return "binary" if n_classes == 2 else "softmax"


def hyperparameters(estimator: Any) -> dict[str, float]:
    """Return lambda = 1 / C; none where there is no penalty."""
    unpenalised = estimator.get_params(deep=False).get("penalty", "l2") is None
    return {} if unpenalised else {"lambda": 1.0 / float(estimator.C)}


def kernel(estimator: Any) -> None:
    """Return None: it is followed in the space of its features."""


def balances_weights(estimator: Any) -> bool:  # noqa: ARG001
    """Return whether "balanced" adds up the weights of a class: it does in later versions of scikit-learn."""
    return BALANCED_BY_WEIGHT


def follow(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:
    """Return the path, to a share of the tolerance on the training rows; liblinear penalises the intercept."""
    return in_used_features(learner, partial(_follow, tolerance=tolerance, shared=shared))


def _follow(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:
    rows, estimator = weighted_rows(learner), learner.estimator
    is_free = estimator.fit_intercept and estimator.solver != "liblinear"
    intercept = FREE if is_free else liblinear_intercept(estimator)
    space = coordinates_of(rows.X, shared)
    return logistic_path(rows.X, rows.y, rows.u0, rows.du, intercept, MARGIN * tolerance, space)
