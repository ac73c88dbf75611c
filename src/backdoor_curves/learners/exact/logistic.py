"""LogisticRegression: log loss with the L2 penalty, for two classes or a softmax; followed to a stated accuracy."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression

from backdoor_curves.learners.exact import linear_svc
from backdoor_curves.learners.exact.in_used_features import in_used_features
from backdoor_curves.learners.exact.weighted import (
    TallColumns,
    WeightedRows,
    class_rows,
    coordinates_of,
    tall_columns,
    weighted_columns,
)
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import BALANCED_BY_WEIGHT, require_positive
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.intercept import FREE, NONE, Intercept
from backdoor_curves.paths.linalg.coordinates import Space
from backdoor_curves.paths.logistic import logistic_path
from backdoor_curves.paths.softmax import softmax_path
from backdoor_curves.paths.tall_logistic import tall_logistic_path
from backdoor_curves.rows import is_on_workers

ESTIMATOR = LogisticRegression
PARAMETERS = frozenset(
    {"C", "class_weight", "dual", "fit_intercept", "intercept_scaling", "l1_ratio", "max_iter", "multi_class"}
    | {"n_jobs", "penalty", "random_state", "solver", "tol", "verbose", "warm_start"}
)
TOGETHER: frozenset[ScoreEncoding] = frozenset({"binary", "one-vs-rest", "one-vs-one of classifiers"})
MARGIN = 0.3
"""Share of the tolerance on scores that the path is followed to: test rows may be farther out than training rows."""


def require_usable(estimator: Any) -> None:
    """Refuse a C that is no number > 0."""
    require_positive(estimator, "C")


def refusal(estimator: Any, n_classes: int) -> str | None:
    """Return why it has no exact path: other penalties have none here, and C = inf has no lambda."""
    words = estimator.get_params(deep=False)
    if n_classes > 2 and estimator.solver == "liblinear":
        return f"for {n_classes} classes with solver='liblinear': it has one in OneVsRestClassifier, or as a softmax"
    # "deprecated" stands for the L2 penalty since scikit-learn 1.8, which has l1_ratio say what the penalty is.
    if words.get("penalty", "deprecated") not in ("l2", "deprecated") or words.get("l1_ratio"):
        return f"with penalty={words.get('penalty')!r}, l1_ratio={words.get('l1_ratio')!r}: it has one with L2's alone"
    if reason := _other_classes(words.get("multi_class", "deprecated"), n_classes):
        return reason
    return None if np.isfinite(estimator.C) else "with C=inf: a path needs lambda > 0"


def _other_classes(multi_class: str, n_classes: int) -> str | None:
    """Return why classes are not taken as they are by default: two by one score, more by a softmax."""
    if n_classes == 2 and multi_class == "multinomial":
        # It has the penalty of two vectors: half of lambda.
        return f"with multi_class={multi_class!r}: a softmax over two classes is another learner"
    if n_classes > 2 and multi_class == "ovr":
        return f"with multi_class={multi_class!r}: one fit a class is another learner than a softmax"
    return None


def loss(estimator: Any) -> Loss:  # noqa: ARG001
    """Return the loss log(1 + exp(-y f)), or minus the log of the softmax."""
    return "logistic"


def encoding(estimator: Any, n_classes: int) -> ScoreEncoding:
    """Return that the columns are the terms of a softmax, or, in older versions of scikit-learn, one fit a class."""
    if n_classes == 2:
        return "binary"
    one_fit_a_class = estimator.solver == "liblinear" or estimator.get_params(deep=False).get("multi_class") == "ovr"
    return "one-vs-rest" if one_fit_a_class else "softmax"


def hyperparameters(estimator: Any) -> dict[str, float]:
    """Return lambda = 1 / C; none where there is no penalty."""
    unpenalised = estimator.get_params(deep=False).get("penalty", "l2") is None
    return {} if unpenalised else {"lambda": 1.0 / float(estimator.C)}


def kernel(estimator: Any) -> None:
    """Return None: it is followed in the space of its features."""


def intercept(estimator: Any) -> Intercept:
    """Return its intercept: free, or none; liblinear penalises it."""
    if estimator.solver == "liblinear":
        return linear_svc.intercept(estimator)
    return FREE if estimator.fit_intercept else NONE


def balances_weights(estimator: Any) -> bool:  # noqa: ARG001
    """Return whether "balanced" adds up the weights of a class: it does in later versions of scikit-learn."""
    return BALANCED_BY_WEIGHT


def follow(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:
    """Return the path, to a share of the tolerance on the training rows; liblinear penalises the intercept."""
    return in_used_features(learner, partial(_follow, tolerance=tolerance, shared=shared))


def _follow(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:
    if learner.encoding == "softmax":
        return _follow_softmax(learner, tolerance, shared)
    estimator = learner.estimator
    unknown = intercept(estimator)

    if (tall := tall_columns(learner)) is not None:

        def tall_path_of(columns: TallColumns, y: Float[np.ndarray, " n"]) -> BetaPath:
            return tall_logistic_path(columns.rows, y, columns.u0, columns.du, unknown, MARGIN * tolerance)

        return tall.followed(tall_path_of)

    def path_of(rows: WeightedRows, space: Space) -> BetaPath:
        return logistic_path(rows.X, rows.y, rows.u0, rows.du, unknown, MARGIN * tolerance, space)

    return weighted_columns(learner).followed(path_of, shared)


def _follow_softmax(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:
    if any(map(is_on_workers, (learner.clean.X, learner.poison.X))):
        raise ValueError(
            f"classes: two were expected of a dask array, {len(learner.classes)} came: a softmax needs its rows in "
            "memory; RidgeClassifier does not"
        )
    rows, K = class_rows(learner), len(learner.classes)
    unknown = intercept(learner.estimator)
    if unknown.is_free:
        _require_clean_rows(learner)
    space = coordinates_of(rows.X, shared)
    return softmax_path(rows.X, rows.y, K, rows.u0, rows.du, unknown, MARGIN * tolerance, space)


def _require_clean_rows(learner: Learner) -> None:
    """Refuse classes whose rows are all poison: without weight at beta = 0 they leave a free intercept no optimum."""
    empty = np.flatnonzero(np.bincount(learner.clean.y, minlength=len(learner.classes)) == 0)
    if empty.size:
        label = learner.classes.tolist()[int(empty[0])]
        raise ValueError(
            f"classes: clean rows of each were expected, all rows of {label!r} are poison, and its intercept has no "
            "optimum at beta = 0, where they weigh nothing; poison fewer of its rows, leave the class out, or pass "
            "fit_intercept=False"
        )
