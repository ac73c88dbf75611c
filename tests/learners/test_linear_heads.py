"""Fitted linear classifiers as the heads that triggers are made for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from backdoor_curves import linear_head

X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.array(["cat", "dog", "hen"])[np.argmax(X[:, :3], axis=1)]
LINEAR = (
    LogisticRegression(),
    RidgeClassifier(),
    LinearSVC(random_state=0),
    LinearSVC(fit_intercept=False, random_state=0),
    SGDClassifier(random_state=0),
)


@pytest.mark.parametrize("estimator", LINEAR, ids=str)
def test_the_head_has_the_scores_of_the_classifier(estimator):
    """scikit-learn's decision function; of two classes the difference of both scores, positive for the second."""
    fitted = estimator.fit(X, Y)
    assert np.allclose(linear_head(fitted).scores(X), fitted.decision_function(X), rtol=1e-12)
    assert linear_head(fitted).classes == ("cat", "dog", "hen")
    fitted = estimator.fit(X, Y == "cat")
    scores = linear_head(fitted).scores(X)
    assert np.allclose(scores[:, 1] - scores[:, 0], fitted.decision_function(X), rtol=1e-12)


def test_a_linear_svm_of_two_classes_has_one_and_of_more_none():
    """Of three classes there are as many pairs as classes: they are told apart by their duals."""
    fitted = SVC(kernel="linear").fit(X, Y == "cat")
    scores = linear_head(fitted).scores(X)
    assert np.allclose(scores[:, 1] - scores[:, 0], fitted.decision_function(X), rtol=1e-9)
    with pytest.raises(ValueError, match="a score for each class was expected, SVC with scores of pairs of 3 classes"):
        linear_head(SVC(kernel="linear").fit(X, Y))


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LogisticRegression(), "a fitted linear classifier, with coef_, was expected, LogisticRegression came"),
        (GaussianNB().fit(X, Y), "a fitted linear classifier, with coef_, was expected, GaussianNB came"),
        (SVC().fit(X, Y), "a fitted linear classifier, with coef_, was expected, SVC came"),
        (make_pipeline(StandardScaler(), LinearSVC()).fit(X, Y), "without steps before it was expected, Pipeline came"),
    ],
    ids=str,
)
def test_what_has_no_head_is_refused(estimator, message):
    """A sentence each; a Pipeline's weights are of other rows than those that are stamped."""
    with pytest.raises(ValueError, match=message):
        linear_head(estimator)
