"""Estimators with an exact path, one a file: what it accepts, its loss, its hyperparameters, and how it is followed.

`contract` has the functions that a file offers. Whoever chooses between learners asks here, and knows no class.
"""

from __future__ import annotations

from typing import Any

from backdoor_curves.learners.exact import linear_svc, logistic, ridge, svc
from backdoor_curves.learners.exact.contract import ExactEstimator
from backdoor_curves.learners.parameters import unknown_parameter

FILES: tuple[ExactEstimator, ...] = (ridge, logistic, linear_svc, svc)


def file_of(estimator: Any) -> ExactEstimator | None:
    """Return the file of an estimator, or of the one that it is a subclass of; None where there is none."""
    return next((file for file in FILES if isinstance(estimator, file.ESTIMATOR)), None)


def is_known(estimator: Any) -> bool:
    """Return whether it is one that a file is about, and no subclass: its fit goes by weights, and by its scores."""
    return any(type(estimator) is file.ESTIMATOR for file in FILES)


def refusal(estimator: Any, n_classes: int) -> str | None:
    """Return why an estimator has no exact path, as the end of a sentence; None where it has one.

    Examples
    --------
    >>> from sklearn.svm import SVC, LinearSVC
    >>> from backdoor_curves.learners.exact import refusal
    >>> refusal(SVC(), 3), refusal(LinearSVC(penalty="l1"), 3)
    (None, "with penalty='l1': it has one with 'l2'")
    """
    file = file_of(estimator)
    if file is None:
        return "here: " + ", ".join(known.ESTIMATOR.__name__ for known in FILES) + " have one"
    if not is_known(estimator):
        return f"as a subclass of {file.ESTIMATOR.__name__}: its fit may do something else"
    if name := unknown_parameter(estimator, file.PARAMETERS):
        return f"with {name}={getattr(estimator, name)!r}: that is a parameter not known here"
    return file.refusal(estimator, n_classes)
