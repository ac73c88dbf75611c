"""Classifiers of scikit-learn and those that are like them: which can be used, and who knows what is true of them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from backdoor_curves.learners import network, refitted_estimators
from backdoor_curves.learners.exact import file_of, refusal
from backdoor_curves.learners.exact.contract import Facts
from backdoor_curves.learners.parameters import is_precomputed

AROUND = (OneVsRestClassifier, OneVsOneClassifier)
"""Those that are made of a classifier of two classes."""
WITH_WEIGHTS = (
    "of scikit-learn's, linear models, SVMs, naive Bayes, trees, forests and boosting have it, and neighbours, "
    "discriminant analysis and Gaussian processes have none"
)
"""What helps whoever took one without weights."""
PENALTIES: Mapping[str, float] = MappingProxyType({"C": -1.0, "alpha": 1.0, "weight_decay": 1.0})
"""Parameters of estimators that set the penalty, and the direction in which it grows with them."""


def facts_of(estimator: Any) -> Facts:
    """Return who knows what is true of an estimator: its file, or that of all which are refitted."""
    if network.is_network(estimator):
        return network
    file: Facts | None = file_of(estimator)
    return refitted_estimators if file is None else file


def steps_of(estimator: Any) -> tuple[list[Any], Any]:
    """Return the transformers and what is at the end of a Pipeline, or no transformers and the estimator."""
    steps: list[Any] = []
    last = estimator
    while isinstance(last, Pipeline):
        steps += [step for _, step in last.steps[:-1] if step not in (None, "passthrough")]
        last = last.steps[-1][1]
    return steps, last


def steps_and_last(estimator: Any) -> tuple[list[Any], Any]:
    """Return the transformers and the classifier of a Pipeline, or no transformers and the estimator.

    Raises
    ------
    TypeError, ValueError
        If it is no classifier that has curves.
    """
    steps, last = steps_of(estimator)
    if isinstance(last, type) or not (hasattr(last, "fit") and hasattr(last, "get_params")):
        raise TypeError(
            f"estimator: an unfitted scikit-learn classifier was expected, {last!r} came; it needs fit, predict and, "
            "to be cloned, get_params"
        )
    if isinstance(last, AROUND) and (isinstance(last.estimator, type) or not hasattr(last.estimator, "get_params")):
        raise TypeError(
            f"estimator: {type(last).__name__} around an unfitted classifier was expected, around {last.estimator!r} "
            "it came"
        )
    if not _is_classifier(last):
        raise TypeError(
            f"estimator: a classifier was expected, {type(last).__name__} is none; for ridge take RidgeClassifier"
        )
    if resamplers := [type(step).__name__ for step in steps if hasattr(step, "fit_resample")]:
        raise TypeError(
            f"estimator: steps that transform rows were expected, {resamplers[0]} draws other ones: a row that it "
            "makes or drops has no beta; resample the clean rows before they are poisoned, or pass class_weight"
        )
    _require_usable(last)
    return steps, last


def is_followed(estimator: Any, n_classes: int) -> bool:
    """Return whether a classifier, alone or at the end of Pipelines, has an exact path over rows of features."""
    _, last = steps_of(estimator)
    return refusal(last, n_classes) is None and not is_precomputed(last)


def is_trained(estimator: Any) -> bool:
    """Return whether a classifier, alone or at the end of Pipelines, is a network with the path of its training."""
    return network.is_network(steps_of(estimator)[1])


def _is_classifier(last: Any) -> bool:
    """Return whether its tags say so, or, of one that has none, whether it gives scores beside predictions."""
    if hasattr(last, "__sklearn_tags__"):
        return bool(is_classifier(last))
    kind = getattr(last, "_estimator_type", "classifier")
    return kind == "classifier" and hasattr(last, "predict") and has_scores(type(last))


def has_scores(classifier: Any) -> bool:
    """Return whether a classifier, or its class, has scores."""
    return hasattr(classifier, "decision_function") or hasattr(classifier, "predict_proba")


def _require_usable(last: Any) -> None:
    """Refuse a classifier that has no curve, before anything is fitted."""
    name = type(last).__name__
    if name.endswith("SearchCV"):
        raise ValueError(
            f"estimator: {name} would choose its hyperparameters anew at every beta; fit it first, and pass its "
            "best_estimator_"
        )
    if hasattr(last, "__sklearn_tags__") and not get_tags(last).target_tags.single_output:
        raise TypeError(f"estimator: a classifier of one label a row was expected, {name} is one of several")
    if isinstance(last, AROUND) and not _hands_weights_on() and (why_not := refusal(last, 2)):
        advice = "switch it on, sklearn.set_config(enable_metadata_routing=True), and ask for weights inside"
        if isinstance(last.estimator, Pipeline):
            advice = f"put the steps in front: make_pipeline(step, {name}(classifier))"
        raise TypeError(
            f"estimator: {name} hands weights on with metadata routing only, and has no exact path {why_not}; {advice}"
        )
    if not _takes_weights(last):
        raise TypeError(
            f"estimator: a classifier whose fit takes sample_weight was expected, {name}.fit has none; "
            f"beta is the weight of the poison rows; {WITH_WEIGHTS}"
        )
    if drawing := _resampler_in(last):
        raise TypeError(
            f"estimator: one that is fitted on all rows was expected, {drawing} draws a class's rows by their number, "
            "and a row that is drawn or left out has no beta; resample the clean rows before they are poisoned, or "
            "pass class_weight to one that does not draw"
        )
    if name in ("LogisticRegressionCV", "RidgeClassifierCV"):
        raise ValueError(
            f"estimator: {name} would choose its penalty anew at every beta; choose it first, and pass "
            f"{name.removesuffix('CV')} with it"
        )
    facts_of(last).require_usable(last)
    if not has_scores(type(last)) or getattr(last, "voting", None) == "hard":
        advice = '; a vote has them with voting="soft"' if hasattr(last, "voting") else ""
        raise TypeError(
            f"estimator: a classifier with scores was expected, {name} has neither decision_function nor "
            f"predict_proba{advice}"
        )
    if getattr(last, "warm_start", False) is True and type(last).__module__.startswith("sklearn.ensemble"):
        raise ValueError("warm_start: an ensemble would keep the trees of the beta before; pass warm_start=False")


def _hands_weights_on() -> bool:
    """Return whether weights go where they are asked for: with metadata routing."""
    return bool(get_config()["enable_metadata_routing"])


def _takes_weights(last: Any) -> bool:
    """Return whether its fit takes sample_weight, by name or among other keywords, which it hands on."""
    parameters = inspect.signature(last.fit).parameters.values()
    return has_fit_parameter(last, "sample_weight") or any(one.kind is one.VAR_KEYWORD for one in parameters)


def _resampler_in(last: Any) -> str | None:
    """Return the name of what resamples rows in its fit, itself or a part: by imbalanced-learn's words for it."""
    parts = {"": last} | last.get_params(deep=True)
    for part in parts.values():
        words = part.get_params(deep=False) if hasattr(part, "get_params") and not isinstance(part, type) else {}
        if hasattr(part, "fit_resample") or "sampling_strategy" in words:
            return type(part).__name__
    return None
