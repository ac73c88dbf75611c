"""The seam where an unfitted scikit-learn estimator becomes a learner: frozen rows, a lambda and a loss.

What would move with beta is fitted once and frozen here: the transformers of a Pipeline, `gamma="scale"` and
`class_weight="balanced"`. On clean and poison rows at weight 1 (`freeze="joined"`) beta = 1 is the victim's own fit;
on clean rows (`freeze="clean"`) beta = 0 is the fit that never saw the poison.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples, join
from backdoor_curves.learners.estimators import facts_of, has_scores, steps_and_last
from backdoor_curves.learners.fitted import fit_estimator
from backdoor_curves.learners.freezing import Freeze, checked, flattening, freeze_parameters, freeze_steps, through
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import is_precomputed
from backdoor_curves.rows import Rows, changed_rows, is_on_workers, row_shape, take_rows


def read_learner(estimator: Any, data: PoisonedData, freeze: Freeze = "joined") -> Learner:
    """Return the learner that an unfitted estimator describes, with its frozen parts fitted on the training rows.

    Raises
    ------
    TypeError
        If `estimator` is no classifier, or if its last step takes no `sample_weight`.
    ValueError
        If labels are fractions, if C or alpha is not a positive number, if class weights do not fit the classes, if a
        feature is NaN or infinite where the estimator takes none, or if with a precomputed kernel rows are not their
        kernel with all training rows, or freeze="clean" would fit steps before it on the clean rows alone.
    """
    if freeze not in ("joined", "clean"):
        raise ValueError(f'freeze: "joined" or "clean" was expected, {freeze!r} came')
    steps, last = steps_and_last(estimator)
    _require_no_fractions(data.classes)
    if any(map(is_on_workers, (data.clean_train.X, data.poison_train.X))):
        _require_sums(steps, last)
    classes, is_poison = data.classes, data.is_poison
    if is_precomputed(last) and steps and freeze == "clean":
        raise ValueError(
            'freeze: "joined" was expected with steps before a precomputed kernel, "clean" came: fitted on the clean '
            "rows they would not know the kernel with the poison rows"
        )
    fitted, clean, poison, flattened = freeze_steps(steps, data.clean_train, data.poison_train, is_poison, freeze)
    _warn_of_erased_triggers(fitted, data)
    flattened = flattened or flattening(clean.X, last)
    clean = replace(clean, X=checked(clean.X, last, "clean_train"), y=np.searchsorted(classes, clean.y))
    poison = replace(poison, X=checked(poison.X, last, "poison_train"), y=np.searchsorted(classes, poison.y))
    if is_precomputed(last):
        _require_columns(clean.X, len(is_poison))

    def fitted_on() -> Samples:
        parts = clean, poison
        if not isinstance(getattr(last, "gamma", None), str):  # then it is their labels that are counted
            parts = replace(clean, X=np.empty((len(clean), 0))), replace(poison, X=np.empty((len(poison), 0)))
        return join(*parts, is_poison) if freeze == "joined" else parts[0]

    frozen = freeze_parameters(clone(last), classes, fitted_on, facts_of(last).balances_weights(last))
    facts, scoring = facts_of(frozen), _with_scores(frozen, clean.X, classes[clean.y])
    return Learner(
        estimator=frozen,
        steps=fitted,
        classes=classes,
        loss=facts.loss(scoring),
        encoding=facts.encoding(scoring, len(classes)),
        hyperparameters=facts.hyperparameters(frozen),
        freeze=freeze,
        flattened=flattened,
        clean=clean,
        poison=poison,
        is_poison=is_poison,
    )


def _require_sums(steps: list[Any], last: Any) -> None:
    """Refuse what needs more of the rows of a dask array than sums over them."""
    if steps or not isinstance(last, RidgeClassifier | LogisticRegression):
        name = type(steps[0] if steps else last).__name__
        raise TypeError(
            f"estimator: RidgeClassifier or LogisticRegression alone were expected for dask arrays, {name} came; "
            "transform the rows before they are poisoned, or pass arrays in memory"
        )


def _with_scores(estimator: Any, X: Rows, y: np.ndarray) -> Any:
    """Return an estimator that has its scores: itself, or a fit, where it takes them from what is fitted inside."""
    if has_scores(estimator):
        return estimator
    fitted = fit_estimator(estimator, "binary", X, y, np.ones(len(y)), None).estimator
    if not has_scores(fitted):
        raise TypeError(
            f"estimator: a classifier with scores was expected, {type(estimator).__name__} has neither "
            "decision_function nor predict_proba with what it holds"
        )
    return fitted


def _require_no_fractions(classes: np.ndarray) -> None:
    """Refuse numbers that are no classes to scikit-learn's classifiers: they take them for a regression's target."""
    if (
        classes.dtype.kind == "f"
        and (fractions := classes[~(np.isfinite(classes) & (classes == np.rint(classes)))]).size
    ):
        raise ValueError(
            f"clean_train: labels that are classes were expected, {len(fractions)} of {len(classes)} distinct ones are "
            f"fractions, the first is {fractions[0]:g}; cut them into classes, or write them as text"
        )


def _warn_of_erased_triggers(steps: tuple[Any, ...], data: PoisonedData) -> None:
    """Warn where frozen steps make of a stamped row what they make of its original: the learner sees no trigger."""
    if not steps or data.original_train is None or data.poison_rows is None:
        return
    poison = np.flatnonzero(~data.is_cover[data.is_poison])
    stamped = take_rows(data.poison_train.X, poison)
    original = take_rows(data.original_train.X, data.poison_rows[poison])
    changed = np.flatnonzero(changed_rows(original, stamped))
    if not changed.size:  # the control has no trigger
        return
    behind = [through(steps, take_rows(X, changed)) for X in (original, stamped)]
    erased = int((~changed_rows(*behind)).sum())
    if erased:
        warnings.warn(
            f"trigger: the frozen steps take it out of {erased} of {changed.size} poison rows "
            f"({100 * erased / changed.size:.3g} %), whose features are those without it (a word that the vocabulary "
            "lacks, a column that is dropped, a value that is clipped); the learner cannot learn it",
            stacklevel=4,
        )


def _require_columns(X: Rows, n: int) -> None:
    """Refuse rows that are not their kernel with n training rows."""
    if sp.issparse(X):
        raise TypeError('kernel: with "precomputed" arrays were expected, a sparse matrix came; pass its toarray()')
    if row_shape(X) != (n,):
        raise ValueError(
            f'kernel: with "precomputed" every row, test rows too, was expected as its kernel with all {n} training '
            f"rows, in the order of data.is_poison (by default the clean rows, then the poison); rows of shape "
            f"{row_shape(X)} came"
        )
