"""Each classifier of scikit-learn, and of libraries like it, is followed, refitted, or refused for a true reason."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sklearn
from scipy.special import log_softmax
from sklearn.utils import all_estimators

from learners.classifier_table import (
    LABELS,
    NAMES,
    PAGE,
    SCIKIT_LEARNS,
    TABLES,
    fitted,
    reason_of,
    row_of,
    rows_on,
    small_data,
    tried,
    version_of,
    versions_on,
    victims_rows,
)

ALL = [(name, classifier) for name, classifiers in TABLES.items() for classifier in classifiers]
PAGE_TEXT = PAGE.read_text(encoding="utf-8")
CLASSIFIERS = pytest.mark.parametrize(("table", "classifier"), ALL, ids=lambda value: str(value))


def require_library(classifier):
    if version_of(classifier.package) is None:
        pytest.skip(f"{classifier.package} is not installed")


def own_scores(fit, X, curve):
    """Return a fit's logs of probabilities, clipped as scikit-learn clips them, or its decision function.

    Of columns that are fits of two classes, theirs.
    """
    last = fit.steps[-1][1] if hasattr(fit, "steps") else fit
    if curve.exact and hasattr(last, "estimators_"):
        behind = fit[:-1].transform(X) if hasattr(fit, "steps") else X
        return np.column_stack([part.decision_function(behind) for part in last.estimators_])
    if curve.info.loss == "logistic" and curve.info.encoding != "one-vs-rest":
        return np.log(np.clip(fit.predict_proba(X), np.finfo(float).eps, 1))
    return fit.decision_function(X).reshape(len(X), -1)


def logs_of_probabilities(scores):
    """Return the logs that scores stand for, of two classes or more."""
    both = np.column_stack([np.zeros(len(scores)), scores]) if scores.shape[1] == 1 else scores
    return log_softmax(both, axis=1)


def assert_ends_are_its_own_fits(classifier, data):
    """Frozen joined, beta = 1 is the victim's own fit, and frozen clean, beta = 0 that of who never saw the poison."""
    for freeze, beta, rows in (("joined", 1.0, victims_rows(data)), ("clean", 0.0, data.clean_train)):
        curve = tried(classifier, data, freeze).curve
        with sklearn.config_context(enable_metadata_routing=classifier.routing):
            estimator = classifier.make()
            if curve.info.encoding == "one-vs-one":
                estimator.set_params(decision_function_shape="ovo")
            # With weights of 1 some draw other rows than without; a Pipeline hands none on.
            needs_none = hasattr(estimator, "steps") or (curve.exact and hasattr(estimator, "estimator"))
            ones = {} if needs_none else {"sample_weight": np.ones(len(rows))}
            fit = fitted(estimator, rows, **ones)
        # lbfgs, liblinear and libsvm at 1e-8, libsvm with its kernel in single precision; a refit is the same fit, and
        # what it gives are probabilities in single precision at worst.
        tolerance = 1e-4 if curve.exact else 1e-5
        for split, (X, y) in (("clean", data.clean_test), ("triggered", data.triggered_test)):
            ours = curve.scores(split, beta)[0].reshape(len(X), -1)
            own = own_scores(fit, X, curve)
            if curve.info.encoding == "softmax" or own.shape[1] > ours.shape[1]:
                ours = logs_of_probabilities(ours)
            np.testing.assert_allclose(ours, own, rtol=tolerance, atol=tolerance)
            assert curve.accuracy(split, beta) == np.mean(np.asarray(fit.predict(X)).ravel() == y)


@CLASSIFIERS
@pytest.mark.parametrize("n_classes", LABELS)
@pytest.mark.filterwarnings("ignore")  # of solvers that stop, of classes on their way out: none is about the curve
def test_a_classifier_is_followed_or_refused_for_a_true_reason(table, classifier, n_classes):  # noqa: ARG001
    """By an independent road: its own fits at both ends, or its own behaviour where it is refused."""
    require_library(classifier)
    data = small_data((classifier.labels or LABELS)[n_classes])
    outcome = tried(classifier, data)
    if outcome.curve is not None:
        assert_ends_are_its_own_fits(classifier, data)
        return
    reason = reason_of(outcome.refusal)
    assert "\n" not in outcome.refusal
    with sklearn.config_context(enable_metadata_routing=classifier.routing):
        assert reason.holds(classifier.make(), victims_rows(data)), outcome.refusal


@CLASSIFIERS
@pytest.mark.filterwarnings("ignore")  # as above
def test_the_page_says_what_becomes_of_a_classifier(table, classifier):
    """With the versions that the page names, to the letter; with others it is told what to do in other words."""
    require_library(classifier)
    library = NAMES.get(classifier.package, classifier.package)
    line, known = rows_on(PAGE_TEXT, table).get(classifier.written), versions_on(PAGE_TEXT)
    here = {"scikit-learn": version_of("sklearn"), library: version_of(classifier.package)}
    if any(known[name] != version for name, version in here.items()):
        others = ", ".join(f"{name} {version}" for name, version in here.items())
        pytest.skip(f"the page was made with other versions than {others}")
    assert row_of(classifier) == line


def test_every_classifier_of_scikit_learn_is_tried():
    """Those of a later version too, and none is tried that is not there."""
    found = {f"`{name}`" for name, _ in all_estimators(type_filter="classifier")}
    assert {re.sub(r"\(.*\)", "", classifier.written) for classifier in SCIKIT_LEARNS} == found
