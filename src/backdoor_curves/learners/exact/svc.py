"""SVC: hinge with any kernel, also a precomputed one, and a free intercept; followed for two classes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from sklearn.svm import SVC

from backdoor_curves.data.samples import join
from backdoor_curves.kernels.by_name import RBF, GivenKernel, Linear, Polynomial, Sigmoid
from backdoor_curves.kernels.functions import Kernel, negative_eigenvalue
from backdoor_curves.kernels.memory import require_room
from backdoor_curves.kernels.precomputed import PrecomputedKernel
from backdoor_curves.learners.exact.weighted import WeightedRows, weighted_rows
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import is_number, require_positive
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.intercept import FREE, Intercept
from backdoor_curves.paths.linear_svm.follow import linear_svm_path
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.paths.svm.path import NotOptimalError
from backdoor_curves.rows import as_floats, squared_lengths

ESTIMATOR = SVC
PARAMETERS = frozenset(
    {"C", "break_ties", "cache_size", "class_weight", "coef0", "decision_function_shape", "degree", "gamma", "kernel"}
    | {"max_iter", "probability", "random_state", "shrinking", "tol", "verbose"}
)
ROUNDED, DROWNED = 1e-9, 1e-6
"""What the rounding of a kernel matrix may do to a score, beyond which linear machines of few features are followed
without one: a thousandth of what curves ask for; and those of many, which takes longer: what curves ask for."""
FEW = 100
"""Features whose factorisation at each knot costs no more than the knot's other work."""
SYMMETRIC = 1e-9
"""Share of its largest entry by which a kernel matrix may differ from its transpose: more is not double precision."""


def require_usable(estimator: Any) -> None:
    """Refuse a C that is no number > 0."""
    require_positive(estimator, "C")


def refusal(estimator: Any, n_classes: int) -> str | None:  # noqa: ARG001
    """Return why it has no exact path: more than two classes are a path for each pair of them."""
    return None if n_classes == 2 else f"for {n_classes} classes: it has one for two"


def loss(estimator: Any) -> Loss:  # noqa: ARG001
    """Return the loss max(0, 1 - y f)."""
    return "hinge"


def encoding(estimator: Any, n_classes: int) -> ScoreEncoding:  # noqa: ARG001
    """Return that each pair of classes has a column of its own."""
    return "binary" if n_classes == 2 else "one-vs-one"


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
            return Polynomial(estimator.gamma, estimator.coef0, estimator.degree)
        case "sigmoid":
            return Sigmoid(estimator.gamma, estimator.coef0)
        case given if callable(given):
            return GivenKernel(given)
    return None


def balances_weights(estimator: Any) -> bool:  # noqa: ARG001
    """Return that "balanced" counts the rows of a class."""
    return False


def follow(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:  # noqa: ARG001
    """Return the path, exact to rounding."""
    rows, between = weighted_rows(learner), kernel(learner.estimator)
    if between is None:  # of a name that is no kernel's a fit says so: what is left is a matrix
        return _follow_matrix(learner, rows)
    return follow_hinge(rows, between, FREE, shared)


def follow_hinge(rows: WeightedRows, kernel: Kernel, intercept: Intercept, shared: Shared | None) -> BetaPath:
    """Return the path of the hinge with a kernel; what is no kernel of the training rows is refused.

    Where paths share, the kernel remembers its values, and a path serves smaller C on its plateau. Linear machines are
    followed in the space of their features where a kernel matrix loses too much, or does not lead on.
    """
    if not isinstance(kernel, Linear):
        return _follow_by_kernel(rows, kernel, intercept, shared)
    few = rows.X.shape[1] <= FEW
    if sp.issparse(rows.X) and not few:
        return _follow_by_kernel(rows, kernel, intercept, shared)

    def in_features() -> BetaPath:
        return linear_svm_path(rows.X, rows.y, rows.u0, rows.du, intercept)

    if _lost_of_scores(rows) > (ROUNDED if few else DROWNED):
        with suppress(NotOptimalError):
            return in_features()
        return _follow_by_kernel(rows, kernel, intercept, shared)
    try:
        return _follow_by_kernel(rows, kernel, intercept, shared, is_patient=not few)
    except NotOptimalError:
        return in_features()


def _lost_of_scores(rows: WeightedRows) -> float:
    """Return what the rounding of a linear kernel's matrix may do to a score, were all rows at their bounds."""
    return float(np.finfo(float).eps * squared_lengths(rows.X).max() * (rows.u0 + rows.du).sum())


def _follow_by_kernel(
    rows: WeightedRows, kernel: Kernel, intercept: Intercept, shared: Shared | None, is_patient: bool = True
) -> BetaPath:
    require_room(len(rows.y))
    between = kernel if shared is None else shared.kernel(kernel)
    if isinstance(kernel, GivenKernel | Sigmoid):
        _require_positive(between(rows.X, rows.X), len(rows.y), "change gamma or coef0")
    path_of = svm_path if shared is None else shared.svm_path
    return path_of(rows.X, rows.y, rows.u0, rows.du, between, intercept, is_patient)


def _follow_matrix(learner: Learner, rows: WeightedRows) -> BetaPath:
    """Return the path of an SVM whose rows are their kernel with all training rows, in the victim's order."""
    require_room(len(learner.is_poison))
    K = as_floats(join(learner.clean, learner.poison, learner.is_poison).X)
    if (off := np.abs(K - K.T).max()) > SYMMETRIC * np.abs(K).max():
        raise ValueError(
            f"kernel: a symmetric matrix was expected of the training rows, one that is off by {off:.1e} came; its "
            "columns are the training rows in the order of data.is_poison (by default the clean rows, then the "
            "poison), and what is rounding goes with (K + K.T) / 2"
        )
    _require_positive(K, len(K), "clip its eigenvalues or add that much to its diagonal")
    kernel = PrecomputedKernel((K + K.T) / 2)
    order = np.append(np.flatnonzero(~learner.is_poison), np.flatnonzero(learner.is_poison))
    return svm_path(kernel.distinct_numbers[order], rows.y, rows.u0, rows.du, kernel, FREE)


def _require_positive(K: Float[np.ndarray, "n n"], n: int, mend: str) -> None:
    """Refuse a kernel of which the matrix of its n training rows shows that it is none; `mend` says what helps."""
    if K.shape != (n, n) or not np.isfinite(K).all() or not np.allclose(K, K.T, rtol=1e-9, atol=1e-12):
        raise ValueError(
            f"kernel: a symmetric matrix of shape ({n}, {n}) with finite entries was expected of the training rows, "
            f'another of shape {K.shape} came; mend it or pass method="refit"'
        )
    if negative := negative_eigenvalue(K):
        largest = float(np.linalg.eigvalsh(K)[-1])
        if largest > n * np.finfo(float).eps * -negative:
            share = f"{negative / largest:.1e} of the largest"
        else:
            share, mend = "and none above 0", "larger values mean more alike: turn its sign if they do not"
        raise ValueError(
            f"kernel: one that is positive semidefinite on the training rows was expected, its matrix has the "
            f"eigenvalue {negative:.3g}, {share}: the optimum need not be unique, and there is no path to it; {mend}, "
            'or pass method="refit"'
        )
