"""SVC: hinge with any kernel, also a precomputed one, and a free intercept; of K classes a path for each pair."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.svm import SVC

from backdoor_curves.data.samples import join
from backdoor_curves.kernels.by_name import RBF, GivenKernel, Linear, Polynomial, Sigmoid
from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.kernels.memory import require_room
from backdoor_curves.kernels.numbered import NumberedRows
from backdoor_curves.kernels.precomputed import PrecomputedKernel
from backdoor_curves.learners.exact.hinge import (
    follow_hinge,
    numbered_path,
    require_kernels_of_columns,
    require_positive_semidefinite,
)
from backdoor_curves.learners.exact.weighted import WeightedColumns, weighted_columns
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import is_number, require_positive
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.intercept import FREE, Intercept
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.rows import as_floats

ESTIMATOR = SVC
PARAMETERS = frozenset(
    {"C", "break_ties", "cache_size", "class_weight", "coef0", "decision_function_shape", "degree", "gamma", "kernel"}
    | {"max_iter", "probability", "random_state", "shrinking", "tol", "verbose"}
)
TOGETHER: frozenset[ScoreEncoding] = frozenset({"binary", "one-vs-rest", "one-vs-one of classifiers"})
SYMMETRIC = 1e-9
"""Share of its largest entry by which a kernel matrix may differ from its transpose: more is not double precision."""


def require_usable(estimator: Any) -> None:
    """Refuse a C that is no number > 0, and ties broken by scores that it would not give."""
    require_positive(estimator, "C")
    if estimator.break_ties and estimator.decision_function_shape == "ovo":
        raise ValueError(
            'break_ties: decision_function_shape="ovr" was expected with it, "ovo" came, with which predict refuses'
        )


def refusal(estimator: Any, n_classes: int) -> str | None:  # noqa: ARG001
    """Return None: more than two classes are a path for each pair of them."""
    return None


def loss(estimator: Any) -> Loss:  # noqa: ARG001
    """Return the loss max(0, 1 - y f)."""
    return "hinge"


def encoding(estimator: Any, n_classes: int) -> ScoreEncoding:
    """Return that each pair of classes has a column of its own, and by which rule the pairs predict."""
    if n_classes == 2:
        return "binary"
    return "one-vs-one, ties broken" if estimator.break_ties else "one-vs-one"


def hyperparameters(estimator: Any) -> dict[str, float]:
    """Return lambda = 1 / C, and gamma where the kernel has it."""
    return {"lambda": 1.0 / float(estimator.C)} | gamma_of(estimator)


def gamma_of(estimator: Any) -> dict[str, float]:
    """Return gamma where the kernel has it as a number; none for a linear kernel, a function or a matrix."""
    has_gamma = estimator.kernel in ("rbf", "poly", "sigmoid") and is_number(estimator.gamma)
    return {"gamma": float(estimator.gamma)} if has_gamma else {}


def kernel(estimator: Any) -> Kernel | None:
    """Return the kernel by name, or the function that was given; None for a matrix, and for a name that is none."""
    match estimator.kernel:
        case "linear":
            return Linear()
        case "rbf":
            return RBF(estimator.gamma)
        case "poly":
            return Polynomial(estimator.gamma, float(estimator.coef0), estimator.degree)
        case "sigmoid":
            return Sigmoid(estimator.gamma, float(estimator.coef0))
        case given if callable(given):
            return GivenKernel(given)
    return None


def intercept(estimator: Any) -> Intercept:  # noqa: ARG001
    """Return libsvm's intercept, which is free."""
    return FREE


def balances_weights(estimator: Any) -> bool:  # noqa: ARG001
    """Return that "balanced" counts the rows of a class."""
    return False


def follow(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:
    """Return the path, exact to rounding."""
    columns, between = weighted_columns(learner), kernel(learner.estimator)
    if between is None:  # of a name that is no kernel's a fit says so: what is left is a matrix
        return _follow_matrix(learner, columns)
    return follow_hinge(columns, between, FREE, tolerance, shared)


def _follow_matrix(learner: Learner, columns: WeightedColumns) -> BetaPath:
    """Return the path of an SVM whose rows are their kernel with all training rows, in the victim's order."""
    require_room(len(learner.is_poison))
    K = as_floats(join(learner.clean, learner.poison, learner.is_poison).X)
    if (off := np.abs(K - K.T).max()) > SYMMETRIC * np.abs(K).max():
        raise ValueError(
            f"kernel: a symmetric matrix was expected of the training rows, one that is off by {off:.1e} came; its "
            "columns are the training rows in the order of data.is_poison (by default the clean rows, then the "
            "poison), and what is rounding goes with (K + K.T) / 2"
        )
    kernel, mend = PrecomputedKernel((K + K.T) / 2), "clip its eigenvalues or add that much to its diagonal"
    order = np.append(np.flatnonzero(~learner.is_poison), np.flatnonzero(learner.is_poison))
    numbers = kernel.distinct_numbers[order]
    if len(learner.classes) > 2:
        numbered = NumberedRows(kernel, numbers)
        require_kernels_of_columns(numbered, columns, mend)
        return numbered_path(numbered, columns, FREE)
    require_positive_semidefinite(K, len(K), mend)
    rows = columns.column(0, numbers)
    return svm_path(rows.X, rows.y, rows.u0, rows.du, kernel, FREE)
