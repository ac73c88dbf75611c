"""Classifiers of many classes made of classifiers of two, a score column each: what is true of both kinds of them.

A column is a two-class learner of its own: of all rows where a class stands against the rest, of the rows of two
classes where these are a pair. It sees labels 0 and 1, and so do class weights and gamma="scale" inside: they are
frozen for each column alone. Columns with the same parameters are followed together, as those of LinearSVC are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import clone

from backdoor_curves.data.samples import Samples, join
from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.learners.exact import linear_svc, logistic, ridge, svc
from backdoor_curves.learners.exact.contract import OfTwoClasses
from backdoor_curves.learners.exact.lookup import file_among, refusal_among
from backdoor_curves.learners.freezing import freeze_parameters
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding, encode, is_in_pairs
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.columns import PathOfColumns

INNER: tuple[OfTwoClasses, ...] = (ridge, logistic, linear_svc, svc)
"""The files of those that may stand inside."""


def _file_inside(estimator: Any) -> OfTwoClasses:
    file = file_among(INNER, estimator.estimator)
    assert file is not None  # around others it has no file, see `learners.exact.file_of`
    return file


def require_usable(estimator: Any) -> None:
    """Refuse what its estimator refuses of itself, and rows that are their kernel."""
    inner = estimator.estimator
    _file_inside(estimator).require_usable(inner)
    if getattr(inner, "kernel", None) == "precomputed":
        raise ValueError(
            f'kernel: with "precomputed" SVC or NuSVC alone was expected, {type(estimator).__name__} around '
            f"{type(inner).__name__} came; SVC itself takes many classes, in pairs"
        )


def refusal(estimator: Any, n_classes: int) -> str | None:  # noqa: ARG001
    """Return why its columns have no exact path."""
    inner = estimator.estimator
    name = type(inner).__name__
    if file_among(INNER, inner) is None:
        return f"around {name}: it has one around " + ", ".join(known.ESTIMATOR.__name__ for known in INNER)
    reason = refusal_among(INNER, inner, 2)
    return reason and f"around {name} {reason}"


def loss(estimator: Any) -> Loss:
    """Return the loss of its estimator: a row's is the sum over the columns that concern it."""
    return _file_inside(estimator).loss(estimator.estimator)


def hyperparameters(estimator: Any) -> dict[str, float]:
    """Return those of its estimator."""
    return _file_inside(estimator).hyperparameters(estimator.estimator)


def kernel(estimator: Any) -> Kernel | None:
    """Return the kernel of its estimator; None where its gamma is yet to be made of rows."""
    inner = estimator.estimator
    return None if isinstance(getattr(inner, "gamma", None), str) else _file_inside(estimator).kernel(inner)


def balances_weights(estimator: Any) -> bool:
    """Return what its estimator says."""
    return _file_inside(estimator).balances_weights(estimator.estimator)


def follow(learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:
    """Return the paths of all columns: together where they have the same parameters, else one by one."""
    file, inner = _file_inside(learner.estimator), learner.estimator.estimator
    if learner.encoding in file.TOGETHER and _is_same_for_all(inner, learner.encoding):
        frozen = _frozen(inner, file, learner)
        return file.follow(replace(learner, estimator=frozen), tolerance, shared)
    targets = encode(np.concatenate([learner.clean.y, learner.poison.y]), len(learner.classes), learner.encoding)
    paths = tuple(file.follow(_two_class_learner(learner, target), tolerance, shared) for target in targets.T)
    return paths[0] if len(paths) == 1 else PathOfColumns(paths, tuple(map(np.flatnonzero, targets.T)))


def _is_same_for_all(inner: Any, encoding: ScoreEncoding) -> bool:
    """Return whether nothing inside hangs on the rows of a column: class weights do, and of pairs their scale."""
    has_scale = isinstance(getattr(inner, "gamma", None), str) and inner.gamma == "scale"
    return inner.class_weight is None and not (is_in_pairs(encoding) and has_scale)


def _two_class_learner(learner: Learner, target: Float[np.ndarray, " n"]) -> Learner:
    """Return the learner of one column: of the rows that it sees, with labels 0 and 1, and its parameters frozen."""
    n, inner = len(learner.clean), learner.estimator.estimator
    clean, poison = _of_column(learner.clean, target[:n]), _of_column(learner.poison, target[n:])
    is_poison = np.arange(len(clean) + len(poison)) >= len(clean)
    column = replace(learner, classes=np.arange(2), encoding="binary", clean=clean, poison=poison, is_poison=is_poison)
    return replace(column, estimator=_frozen(inner, _file_inside(learner.estimator), column))


def _of_column(samples: Samples, target: Float[np.ndarray, " n"]) -> Samples:
    rows = np.flatnonzero(target)
    some = samples if len(rows) == len(target) else samples.take(rows)
    return replace(some, y=(target[rows] > 0.0).astype(np.intp))


def _frozen(inner: Any, file: OfTwoClasses, learner: Learner) -> Any:
    """Return the estimator inside with what hangs on the rows of a learner as numbers."""

    def fitted_on() -> Samples:
        clean = learner.clean
        return join(clean, learner.poison, learner.is_poison) if learner.freeze == "joined" else clean

    return freeze_parameters(clone(inner), learner.classes, fitted_on, file.balances_weights(inner))
