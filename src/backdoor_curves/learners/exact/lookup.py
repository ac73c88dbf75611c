"""Which of some files is about an estimator, and why it has no exact path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from backdoor_curves.learners.exact.contract import ExactEstimator
from backdoor_curves.learners.parameters import unknown_parameter

File = TypeVar("File", bound=ExactEstimator)


def file_among(files: Sequence[File], estimator: Any) -> File | None:
    """Return the file of an estimator, or of the one that it is a subclass of; None where there is none."""
    return next((file for file in files if isinstance(estimator, file.ESTIMATOR)), None)


def refusal_among(files: Sequence[ExactEstimator], estimator: Any, n_classes: int) -> str | None:
    """Return why an estimator has no exact path, as the end of a sentence; None where it has one."""
    file = file_among(files, estimator)
    if file is None:
        return "here: " + ", ".join(known.ESTIMATOR.__name__ for known in files) + " have one"
    if type(estimator) is not file.ESTIMATOR:
        return f"as a subclass of {file.ESTIMATOR.__name__}: its fit may do something else"
    if name := unknown_parameter(estimator, file.PARAMETERS):
        return f"with {name}={getattr(estimator, name)!r}: that is a parameter not known here"
    return file.refusal(estimator, n_classes)
