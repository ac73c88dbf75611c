"""scikit-learn's classifiers: which can be used, and who knows what is true of them."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from backdoor_curves.learners import refitted_estimators
from backdoor_curves.learners.exact import file_of
from backdoor_curves.learners.exact.contract import Facts


def facts_of(estimator: Any) -> Facts:
    """Return who knows what is true of an estimator: its file, or that of all which are refitted."""
    file: Facts | None = file_of(estimator)
    return refitted_estimators if file is None else file


def steps_and_last(estimator: Any) -> tuple[list[Any], Any]:
    """Return the transformers and the classifier of a Pipeline, or no transformers and the estimator."""
    if isinstance(estimator, type) or not isinstance(estimator, BaseEstimator):
        raise TypeError(f"estimator: an unfitted scikit-learn classifier was expected, {estimator!r} came")
    if not is_classifier(estimator):
        raise TypeError(
            f"estimator: a classifier was expected, {type(estimator).__name__} is none; for ridge take RidgeClassifier"
        )
    steps: list[Any] = []
    last = estimator
    while isinstance(last, Pipeline):
        steps += [step for _, step in last.steps[:-1] if step not in (None, "passthrough")]
        last = last.steps[-1][1]
    if resamplers := [type(step).__name__ for step in steps if hasattr(step, "fit_resample")]:
        raise TypeError(
            f"estimator: steps that transform rows were expected, {resamplers[0]} draws other ones: a row that it "
            "makes or drops has no beta; resample the clean rows before they are poisoned, or pass class_weight"
        )
    _require_usable(last)
    return steps, last


def _require_usable(last: Any) -> None:
    """Refuse a classifier that has no curve, before anything is fitted."""
    name = type(last).__name__
    if name.endswith("SearchCV"):
        raise ValueError(
            f"estimator: {name} would choose its hyperparameters anew at every beta; fit it first, and pass its "
            "best_estimator_"
        )
    if not _takes_weights(last):
        raise TypeError(
            f"estimator: a classifier whose fit takes sample_weight was expected, {name}.fit has none; "
            "beta is the weight of the poison rows"
        )
    if name in ("LogisticRegressionCV", "RidgeClassifierCV"):
        raise ValueError(
            f"estimator: {name} would choose its penalty anew at every beta; choose it first, and pass "
            f"{name.removesuffix('CV')} with it"
        )
    facts_of(last).require_usable(last)
    if not (hasattr(last, "decision_function") or hasattr(last, "predict_proba")):
        raise TypeError(
            f"estimator: a classifier with scores was expected, {name} has neither decision_function nor predict_proba"
        )
    if getattr(last, "warm_start", False) is True and type(last).__module__.startswith("sklearn.ensemble"):
        raise ValueError("warm_start: an ensemble would keep the trees of the beta before; pass warm_start=False")


def _takes_weights(last: Any) -> bool:
    """Return whether its fit takes sample_weight, by name or among other keywords, which it hands on."""
    parameters = inspect.signature(last.fit).parameters.values()
    return has_fit_parameter(last, "sample_weight") or any(one.kind is one.VAR_KEYWORD for one in parameters)
