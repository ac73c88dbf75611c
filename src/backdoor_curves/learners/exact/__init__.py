"""Estimators with an exact path, one a file: what it accepts, its loss, its hyperparameters, and how it is followed.

`contract` has the functions that a file offers. Whoever chooses between learners asks here, and knows no class.
"""

from __future__ import annotations

from typing import Any

from backdoor_curves.learners.exact import one_vs_one, one_vs_rest
from backdoor_curves.learners.exact.contract import ExactEstimator
from backdoor_curves.learners.exact.lookup import file_among, refusal_among
from backdoor_curves.learners.exact.two_class_columns import INNER

AROUND: tuple[ExactEstimator, ...] = (one_vs_rest, one_vs_one)
"""Those that are made of others."""
FILES: tuple[ExactEstimator, ...] = (*INNER, *AROUND)


def file_of(estimator: Any) -> ExactEstimator | None:
    """Return the file of an estimator, or of the one that it is a subclass of; None where there is none.

    One around another has one where that other has.
    """
    file = file_among(FILES, estimator)
    return None if file in AROUND and file_among(INNER, estimator.estimator) is None else file


def is_known(estimator: Any) -> bool:
    """Return whether it is one that a file is about, and no subclass: its fit goes by weights, and by its scores."""
    file = file_of(estimator)
    if file is None or type(estimator) is not file.ESTIMATOR:
        return False
    return file not in AROUND or is_known(estimator.estimator)


def refusal(estimator: Any, n_classes: int) -> str | None:
    """Return why an estimator has no exact path, as the end of a sentence; None where it has one.

    Examples
    --------
    >>> from sklearn.svm import SVC, LinearSVC
    >>> from backdoor_curves.learners.exact import refusal
    >>> refusal(SVC(), 3), refusal(LinearSVC(penalty="l1"), 3)
    (None, "with penalty='l1': it has one with 'l2'")
    """
    return refusal_among(FILES, estimator, n_classes)
