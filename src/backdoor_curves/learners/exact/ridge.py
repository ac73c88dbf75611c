"""RidgeClassifier: squared loss to +1/-1 targets, any number of classes, in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from sklearn.linear_model import RidgeClassifier

from backdoor_curves.data.samples import Samples
from backdoor_curves.kernels.memory import require_bytes
from backdoor_curves.learners.exact.in_used_features import in_used_features
from backdoor_curves.learners.exact.weighted import row_weights
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import require_positive
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding, encode
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.intercept import FREE, NONE, Intercept
from backdoor_curves.paths.linalg.row_parts import are_tall
from backdoor_curves.paths.ridge import ridge_path
from backdoor_curves.rows import Rows

ESTIMATOR = RidgeClassifier
PARAMETERS = frozenset(
    {"alpha", "class_weight", "copy_X", "fit_intercept", "max_iter", "positive", "random_state", "solver", "tol"}
)
TOGETHER: frozenset[ScoreEncoding] = frozenset({"binary", "one-vs-rest"})


def require_usable(estimator: Any) -> None:
    """Refuse an alpha that is no finite number > 0."""
    require_positive(estimator, "alpha", largest=np.finfo(float).max)


def refusal(estimator: Any, n_classes: int) -> str | None:  # noqa: ARG001
    """Return why it has no exact path: a sign that is asked of w is no linear equation."""
    return "with positive=True: its optimum solves no linear equations" if estimator.positive else None


def loss(estimator: Any) -> Loss:  # noqa: ARG001
    """Return the loss (1 - y f)^2."""
    return "squared"


def encoding(estimator: Any, n_classes: int) -> ScoreEncoding:  # noqa: ARG001
    """Return that each class has a column of its own, against the rest."""
    return "binary" if n_classes == 2 else "one-vs-rest"


def hyperparameters(estimator: Any) -> dict[str, float]:
    """Return lambda = 2 alpha: it minimises |Y - f|^2 + alpha |w|^2 without a half."""
    return {"lambda": 2.0 * float(estimator.alpha)}


def kernel(estimator: Any) -> None:
    """Return None: it is followed in the space of its features."""


def intercept(estimator: Any) -> Intercept:
    """Return its intercept: free, or none."""
    return FREE if estimator.fit_intercept else NONE


def balances_weights(estimator: Any) -> bool:  # noqa: ARG001
    """Return that "balanced" counts the rows of a class."""
    return False


def follow(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:  # noqa: ARG001
    """Return the path in closed form, exact to rounding."""
    return in_used_features(learner, _follow)


def _follow(learner: Learner) -> BetaPath:
    estimator = learner.estimator
    _require_room(len(learner.clean), len(learner.poison), learner.clean.X.shape[1])

    def arrays(samples: Samples) -> tuple[Rows, Float[np.ndarray, "n k"], Float[np.ndarray, " n"]]:
        stay = sp.issparse(samples.X) or are_tall(samples.X)
        X = samples.X if stay else np.asarray(samples.X, dtype=float)
        return X, encode(samples.y, len(learner.classes), learner.encoding), row_weights(learner, samples)

    return ridge_path(
        arrays(learner.clean),
        arrays(learner.poison),
        alpha=float(estimator.alpha),
        intercept=intercept(estimator),
    )


def _require_room(n: int, m: int, d: int) -> None:
    """Refuse normal equations that would not fit: a Gram matrix and its factor, and what the poison rows do to w."""
    poison = 3.0 * d * m if m < d else 5.0 * d**2
    require_bytes(
        8.0 * (2.0 * min(n, d) ** 2 + poison),
        f"ridge: the normal equations of {n} clean and {m} poison rows with {d} features",
        'draw fewer rows, use fewer features (min_df=, say), or pass method="refit"',
    )
