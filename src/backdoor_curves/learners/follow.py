"""From a learner to its path: which learners are followed exactly, and in which words of their estimators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any, Literal, cast

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

from backdoor_curves.data.samples import Samples, join
from backdoor_curves.kernels.functions import negative_eigenvalue
from backdoor_curves.kernels.memory import require_room
from backdoor_curves.kernels.precomputed import PrecomputedKernel
from backdoor_curves.learners.estimators import (
    as_floats,
    fit_estimator,
    fit_on_matrix,
    is_precomputed,
    kernel_key,
    kernel_of,
)
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.score_encodings import encode
from backdoor_curves.paths.base import BetaPath, Certificate, PathError
from backdoor_curves.paths.intercept import FREE, NONE, Intercept, penalised
from backdoor_curves.paths.linalg.coordinates import Features, GramFactor, coordinates
from backdoor_curves.paths.logistic import logistic_path
from backdoor_curves.paths.refit import Fit, refit_path
from backdoor_curves.paths.ridge import ridge_path
from backdoor_curves.paths.squared_hinge import squared_hinge_path
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.rows import Rows, n_rows, stack_rows

Method = Literal["auto", "exact", "refit"]

REFIT_BETAS = (
    np.array([0, 1, 2, 5, 10, 20, 30, 50, 80, 120, 160, 200, 250, 300, 400, 500, 600, 700, 800, 900, 1000]) / 1000
)
"""Where a learner without an exact path is refitted if nothing else is asked: dense near 0, where curves fall."""
MARGIN = 0.3
"""Share of the tolerance on scores that a path is followed to: test rows may be farther out than training rows."""
MOST_CHECKED = 21
"""Betas asked for that are all checked; as many as refits have."""

SYMMETRIC = 1e-9
"""Share of its largest entry by which a kernel matrix may differ from its transpose: more is not double precision."""


class ToleranceError(PathError):
    """A path is farther from the optimum than its tolerance; the message names the betas."""


def check_tolerance(tolerance: Any) -> None:
    """Refuse a tolerance that is no number > 0."""
    if not (isinstance(tolerance, Real) and not isinstance(tolerance, bool) and 0.0 < float(tolerance) < np.inf):
        raise ValueError(f"tolerance: a number > 0 was expected, {tolerance!r} came")


def betas_to_check(nodes: Float[np.ndarray, " k"], asked: Float[np.ndarray, " b"]) -> Float[np.ndarray, " c"]:
    """Return where a path is held to its tolerance; `certificate` answers for any other beta.

    At the betas asked for, at both ends, and in the middle of the path, between two of its nodes; of many betas asked
    for, at five of the nodes instead.
    """
    if len(asked) > MOST_CHECKED:
        return nodes[np.unique(np.linspace(0, len(nodes) - 1, 5).round().astype(int))]
    half = len(nodes) // 2
    return np.union1d(asked, [nodes[0], nodes[half - 1 : half + 1].mean(), nodes[-1]])


def missed_betas(
    path: BetaPath, certificate: Certificate | None, tolerance: float, on_miss: str = "raise"
) -> Float[np.ndarray, " f"]:
    """Return the betas where a certificate exceeds the tolerance, or raise; of refits the unconverged ones."""
    if certificate is None:
        return path.unconverged
    missed = certificate.betas[~(certificate.score_bound <= tolerance)]
    if missed.size and on_miss == "raise":
        raise ToleranceError(
            f"scores within {tolerance:g} of the optimum's were expected; at {missed.size} betas, the first "
            f"{missed[0]:g}, the bound is up to {certificate.score_bound.max():.1e}; raise lambda or tolerance, "
            'scale the features, or pass on_miss="flag"'
        )
    return missed


def follow(
    learner: Learner,
    method: Method = "auto",
    betas: Float[np.ndarray, " b"] | None = None,
    n_jobs: int | None = None,
    tolerance: float = 1e-6,
    shared: Shared | None = None,
) -> BetaPath:
    """Return the path of a learner: the exact one where there is one, or refits at `betas`.

    There is one for RidgeClassifier, and with two classes for SVC, LinearSVC and LogisticRegression with the L2
    penalty. A subclass of these is refitted: its `fit` may do something else.

    Parameters
    ----------
    learner : Learner
    method : {"auto", "exact", "refit"}
        "auto" takes the exact path where there is one, and never a refit in its place.
    betas : array of shape (b,), optional
        Where to refit, by default REFIT_BETAS.
    n_jobs : int, optional
        Refits at once.
    tolerance : float
        For paths that are followed to a stated accuracy (logistic regression), in the units of the scores.
    shared : Shared, optional
        What it may use of other paths on the same rows, and leave to them.

    Raises
    ------
    ValueError
        If `method` is unknown, or "exact" for a learner that has no exact path; if a kernel is not positive
        semidefinite on the training rows.
    MemoryError
        If the kernel matrix of an exact path would not fit.
    PathError
        If rounding keeps the exact path from the optimum. It does not become a refit unless that is asked for.
    """
    if method not in ("auto", "exact", "refit"):
        raise ValueError(f'method: "auto", "exact" or "refit" was expected, {method!r} came')
    exactly = None if method == "refit" else _exact_way(learner, tolerance, shared)
    if exactly is not None:
        try:
            return exactly()
        except PathError as failure:
            raise PathError(f'{failure}; or pass method="refit"') from failure
    if method == "exact":
        raise ValueError(
            f"method: {type(learner.estimator).__name__} has no exact path for {len(learner.classes)} classes and its "
            "parameters (RidgeClassifier has; for two classes SVC, LinearSVC and LogisticRegression have, with the L2 "
            'penalty); pass method="refit"'
        )
    return _refitted(learner, REFIT_BETAS if betas is None else betas, n_jobs)


def _refitted(learner: Learner, betas: Float[np.ndarray, " b"], n_jobs: int | None) -> BetaPath:
    joined = join(learner.clean, learner.poison, learner.is_poison)
    estimator, n_classes = learner.estimator, len(learner.classes)
    X, fit, between = joined.X, cast(Fit, partial(fit_estimator, estimator, n_classes)), kernel_of(estimator)
    if is_precomputed(estimator):
        between = matrix = PrecomputedKernel(as_floats(X))
        X, fit = matrix.numbers, cast(Fit, partial(fit_on_matrix, estimator, n_classes, matrix))
    kernel = None if between is None or n_classes > 2 else lambda X: between(X, X)
    warm = getattr(estimator, "warm_start", False) is True
    return refit_path(fit, X, joined.y, learner.is_poison, betas, kernel=kernel, warm=warm, n_jobs=n_jobs)


def _exact_way(learner: Learner, tolerance: float, shared: Shared | None) -> Callable[[], BetaPath] | None:
    """Return what follows a learner exactly; None where there is no such path."""
    estimator, kind = learner.estimator, type(learner.estimator)
    if kind is RidgeClassifier and not estimator.positive:
        return partial(_follow_ridge, learner)
    if len(learner.classes) != 2:
        return None
    if kind is SVC:
        return (
            partial(_follow_precomputed, learner)
            if is_precomputed(estimator)
            else partial(_follow_svm, learner, shared)
        )
    if kind is LinearSVC and estimator.penalty == "l2" and estimator.multi_class == "ovr":
        return partial(_follow_svm if estimator.loss == "hinge" else _follow_squared_hinge, learner, shared)
    if kind is LogisticRegression and _has_l2_penalty(estimator):
        return partial(_follow_logistic, learner, tolerance, shared)
    return None


def _has_l2_penalty(estimator: Any) -> bool:
    """Return whether 1/2 |w|^2 is the penalty, in the words of this scikit-learn or of one before 1.8."""
    words = estimator.get_params(deep=False)
    by_name = words.get("penalty", "deprecated") in ("l2", "deprecated")
    # A softmax over two classes has the penalty of two vectors: half of lambda.
    alone = words.get("multi_class", "deprecated") in ("deprecated", "auto", "ovr")
    return bool(by_name and not words.get("l1_ratio") and alone and np.isfinite(estimator.C))


# --- learner by learner ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Training rows, the clean ones first, with y in {-1, +1} and C times their weights.

    That is u0 for clean rows, and du for poison rows at beta = 1.
    """

    X: Rows
    y: Float[np.ndarray, " n"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]


def _weighted(learner: Learner) -> _Weighted:
    """Return the training rows of a learner for two classes, as all paths but ridge see them."""
    estimator = learner.estimator
    estimator._validate_params()  # as its fit would, which is never called
    if np.isinf(estimator.C):
        raise ValueError('C: a finite number was expected, inf came; a path needs lambda > 0, or pass method="refit"')
    clean, poison = learner.clean, learner.poison
    u0, du = (float(estimator.C) * _class_weights(learner, part) for part in (clean, poison))
    if not ((u0 > 0.0).all() and (du > 0.0).all()):
        raise ValueError("class_weight: a weight > 0 was expected for both classes, 0 came")
    y = encode(np.concatenate([clean.y, poison.y]), 2, "binary")[:, 0]
    X = as_floats(stack_rows(clean.X, poison.X))
    return _Weighted(X, y, np.append(u0, np.zeros_like(du)), np.append(np.zeros_like(u0), du))


def _class_weights(learner: Learner, samples: Samples) -> Float[np.ndarray, " n"]:
    """Return the class weight of each row."""
    by_class = learner.estimator.class_weight or {}
    return np.array([float(by_class.get(k, 1)) for k in range(len(learner.classes))])[samples.y]


def _penalised_intercept(estimator: Any) -> Intercept:
    """Return liblinear's intercept, if any: the weight of a constant column."""
    return penalised(float(estimator.intercept_scaling)) if estimator.fit_intercept else NONE


def _follow_ridge(learner: Learner) -> BetaPath:
    estimator = learner.estimator

    def arrays(samples: Samples) -> tuple[Rows, Float[np.ndarray, "n k"], Float[np.ndarray, " n"]]:
        X = samples.X if sp.issparse(samples.X) else np.asarray(samples.X, dtype=float)
        return X, encode(samples.y, len(learner.classes), learner.encoding), _class_weights(learner, samples)

    return ridge_path(
        arrays(learner.clean),
        arrays(learner.poison),
        alpha=float(estimator.alpha),
        intercept=FREE if estimator.fit_intercept else NONE,
    )


def _follow_svm(learner: Learner, shared: Shared | None) -> BetaPath:
    estimator = learner.estimator
    require_room(len(learner.clean) + len(learner.poison))
    rows = _weighted(learner)
    kernel = kernel_of(estimator)
    assert kernel is not None
    if shared is not None:
        kernel = shared.kernel(kernel_key(estimator), kernel)
    if type(estimator) is SVC and (callable(estimator.kernel) or estimator.kernel == "sigmoid"):
        _require_positive(kernel(rows.X, rows.X), n_rows(rows.X), "change gamma or coef0")
    intercept = _penalised_intercept(estimator) if type(estimator) is LinearSVC else FREE
    follow_svm = svm_path if shared is None else shared.svm_path
    return follow_svm(rows.X, rows.y, rows.u0, rows.du, kernel, intercept)


def _follow_precomputed(learner: Learner) -> BetaPath:
    """Follow an SVM whose rows are their kernel with all training rows, in the victim's order."""
    require_room(len(learner.is_poison))
    rows, K = _weighted(learner), as_floats(join(learner.clean, learner.poison, learner.is_poison).X)
    if (off := np.abs(K - K.T).max()) > SYMMETRIC * np.abs(K).max():
        raise ValueError(
            f"kernel: a symmetric matrix was expected of the training rows, one that is off by {off:.1e} came; its "
            "columns are the training rows in the order of data.is_poison (by default the clean rows, then the "
            "poison), and what is rounding goes with (K + K.T) / 2"
        )
    _require_positive(K, len(K), "clip its eigenvalues or add that much to its diagonal")
    kernel = PrecomputedKernel((K + K.T) / 2)
    order = np.append(np.flatnonzero(~learner.is_poison), np.flatnonzero(learner.is_poison))
    return svm_path(kernel.distinct_numbers[order], rows.y, rows.u0, rows.du, kernel)


def _follow_squared_hinge(learner: Learner, shared: Shared | None) -> BetaPath:
    rows, intercept = _weighted(learner), _penalised_intercept(learner.estimator)
    return squared_hinge_path(rows.X, rows.y, rows.u0, rows.du, intercept, _space(rows.X, shared))


def _follow_logistic(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:
    rows, estimator = _weighted(learner), learner.estimator
    is_free = estimator.solver != "liblinear" and estimator.fit_intercept
    intercept = FREE if is_free else _penalised_intercept(estimator)
    space = _space(rows.X, shared)
    return logistic_path(rows.X, rows.y, rows.u0, rows.du, intercept, MARGIN * tolerance, space)


def _space(X: Rows, shared: Shared | None) -> Features | GramFactor:
    """Return rows in as few coordinates as they need; refused where their Gram matrix would not fit."""
    n, d = X.shape
    if n < d:
        require_room(n)
    return coordinates(X) if shared is None else shared.coordinates(X)


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
