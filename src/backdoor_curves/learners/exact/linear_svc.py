"""LinearSVC: hinge or squared hinge of linear scores, liblinear's penalised intercept; K classes one-vs-rest."""

from __future__ import annotations

from functools import partial
from typing import Any

from sklearn.svm import LinearSVC

from backdoor_curves.kernels.by_name import Linear
from backdoor_curves.learners.exact.hinge import follow_hinge
from backdoor_curves.learners.exact.in_used_features import in_used_features
from backdoor_curves.learners.exact.weighted import WeightedRows, weighted_columns
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import BALANCED_BY_WEIGHT, require_positive
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.intercept import NONE, Intercept, penalised
from backdoor_curves.paths.linalg.coordinates import Space
from backdoor_curves.paths.squared_hinge import squared_hinge_path

ESTIMATOR = LinearSVC
PARAMETERS = frozenset(
    {"C", "class_weight", "dual", "fit_intercept", "intercept_scaling", "loss", "max_iter", "multi_class", "penalty"}
    | {"random_state", "tol", "verbose"}
)
TOGETHER: frozenset[ScoreEncoding] = frozenset({"binary", "one-vs-rest", "one-vs-one of classifiers"})


def require_usable(estimator: Any) -> None:
    """Refuse a C that is no number > 0."""
    require_positive(estimator, "C")


def refusal(estimator: Any, n_classes: int) -> str | None:  # noqa: ARG001
    """Return why it has no exact path: |w|_1 has kinks of its own, and Crammer and Singer couple the columns."""
    if estimator.penalty != "l2":
        return f"with penalty={estimator.penalty!r}: it has one with 'l2'"
    if estimator.multi_class != "ovr":
        return f"with multi_class={estimator.multi_class!r}: it has one with 'ovr'"
    return None


def loss(estimator: Any) -> Loss:
    """Return the loss max(0, 1 - y f), or its square."""
    return "hinge" if estimator.loss == "hinge" else "squared hinge"


def encoding(estimator: Any, n_classes: int) -> ScoreEncoding:  # noqa: ARG001
    """Return that each class has a column of its own, against the rest."""
    return "binary" if n_classes == 2 else "one-vs-rest"


def hyperparameters(estimator: Any) -> dict[str, float]:
    """Return lambda = 1 / C."""
    return {"lambda": 1.0 / float(estimator.C)}


def kernel(estimator: Any) -> Linear:  # noqa: ARG001
    """Return the linear kernel, without the constant that a penalised intercept adds to it."""
    return Linear()


def intercept(estimator: Any) -> Intercept:
    """Return liblinear's intercept: the weight of a constant column, penalised as the others are."""
    return penalised(float(estimator.intercept_scaling)) if estimator.fit_intercept else NONE


def balances_weights(estimator: Any) -> bool:  # noqa: ARG001
    """Return whether "balanced" adds up the weights of a class: liblinear's does in later versions of scikit-learn."""
    return BALANCED_BY_WEIGHT


def follow(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:
    """Return the path, exact to rounding: of the hinge as that of any SVM, of its square in the rows' coordinates."""
    estimator = learner.estimator
    if estimator.loss == "hinge":
        return follow_hinge(weighted_columns(learner), kernel(estimator), intercept(estimator), tolerance, shared)
    return in_used_features(learner, partial(_follow_squared_hinge, shared=shared))


def _follow_squared_hinge(learner: Learner, shared: Shared | None) -> BetaPath:
    """Return the path of the squared hinge, column by column."""
    unknown = intercept(learner.estimator)

    def path_of(rows: WeightedRows, space: Space) -> BetaPath:
        return squared_hinge_path(rows.X, rows.y, rows.u0, rows.du, unknown, space)

    return weighted_columns(learner).followed(path_of, shared)
