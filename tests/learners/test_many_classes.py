"""Rows and estimators of K classes that ask for care: followed as their own fits, refitted, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc

CLOSE = {"tol": 1e-10, "max_iter": 10**6}
LEARNERS = {
    "softmax": LogisticRegression(**CLOSE),
    "hinge": LinearSVC(loss="hinge", random_state=0, **CLOSE),
    "squared hinge": LinearSVC(random_state=0, **CLOSE),
    "RBF": SVC(gamma=0.5, decision_function_shape="ovo", tol=1e-10),
    "ridge": RidgeClassifier(),
    "one-vs-rest": OneVsRestClassifier(LogisticRegression(**CLOSE)),
    "one-vs-one": OneVsOneClassifier(SVC(gamma=0.5, tol=1e-10)),
}
SOLVED = 2e-5
"""What lbfgs, liblinear and libsvm at 1e-10 are off by."""


def rows(n: int = 40) -> np.ndarray:
    """Three places in turn."""
    return np.random.default_rng(0).normal(size=(n, 3)) + 1.5 * np.eye(3)[np.arange(n) % 3]


def data_of(y: Any, target: int, tests: Any = None) -> bc.PoisonedData:
    """Poison of six stamped rows that are labelled as the target."""
    X = rows(len(y))
    tests = y if tests is None else tests
    poison = X[:6] + 2.0, np.full(6, target)
    return bc.PoisonedData((X, y), poison, (rows(len(tests)), tests), poison)


def own_scores(model: Any, X: np.ndarray) -> np.ndarray:
    if hasattr(model, "estimators_"):
        return np.column_stack([part.decision_function(X) for part in model.estimators_])
    return model.decision_function(X)


def assert_predicts_as(model: Any, curve: bc.BackdoorLearningCurve, data: bc.PoisonedData, beta: float) -> None:
    """But where scores are equal, as a hinge's are of classes that overlap: there rounding chooses in scikit-learn."""
    top = np.sort(curve.class_scores("clean", beta)[0], axis=1)
    clear = top[:, -1] - top[:, -2] > SOLVED
    np.testing.assert_array_equal(curve.predictions("clean", beta)[0][clear], model.predict(data.clean_test.X)[clear])
    assert clear.any()


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("target", [1, 3], ids=["poison of another class", "poison of its class"])
def test_a_class_of_one_clean_row_is_followed_as_its_own_fits(name, target):
    """At beta = 0 it is that row alone; six poison rows of its label do not trouble it either."""
    y = np.append(np.arange(39) % 3, 3)
    data = data_of(y, target)
    curve = bc.backdoor_learning_curve(LEARNERS[name], data)
    both = np.vstack([data.clean_train.X, data.poison_train.X]), np.append(data.clean_train.y, data.poison_train.y)
    for beta, (X, labels) in ((0.0, data.clean_train), (1.0, both)):
        model = clone(LEARNERS[name]).fit(X, labels)
        ours, own = curve.scores("clean", beta)[0], own_scores(model, data.clean_test.X)
        if curve.info.encoding == "softmax":
            ours, own = log_softmax(ours, axis=1), log_softmax(own, axis=1)
        np.testing.assert_allclose(ours, own, atol=SOLVED)
        assert_predicts_as(model, curve, data, beta)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_class_that_no_test_row_has_changes_nothing_for_those_that_have_others(name):
    """Losses are means over the rows that there are."""
    y = np.arange(40) % 4
    whole = bc.backdoor_learning_curve(LEARNERS[name], data_of(y, 3))
    few = bc.backdoor_learning_curve(LEARNERS[name], data_of(y, 3, tests=y[:2]))
    np.testing.assert_allclose(few.scores("clean", 0.5)[0], whole.scores("clean", 0.5)[0][:2], atol=1e-9)
    assert few.accuracy("clean", 0.5) == np.mean(whole.predictions("clean", 0.5)[0][:2] == y[:2])


MIXED = np.array([0, "a", 1, 2] * 10, dtype=object)
SENTENCES = [
    (
        lambda: data_of(np.arange(40) % 3, 3),
        r"poison_train: labels out of the training classes \[0, 1, 2\] were expected",
    ),
    (lambda: data_of(np.arange(40) % 3, 1, tests=[0, 9]), r"clean_test: labels out of the .* were expected, 9 came"),
    (
        lambda: data_of(np.arange(40) % 3, 1, tests=["0", "1"]),
        r"clean_test: labels out of the .* were expected, '0' came",
    ),
    (lambda: data_of(MIXED, 1), "clean_train: labels of one kind, numbers or text, were expected"),
    (lambda: vanished(), "all rows of class 3 would be replaced, none is left for beta = 0"),
]


def vanished() -> bc.PoisonedData:
    """Poison that replaces all rows of a class: at beta = 0 there would be none, nor at 1."""
    y = np.append(np.arange(39) % 3, 3)
    attack = bc.Attack(lambda X, _: X + 1.0, labels={3: 0})
    return bc.poison((rows(), y), (rows(), y), attack, rate=1.0, rng=np.random.default_rng(0))


@pytest.mark.parametrize(("make", "sentence"), SENTENCES, ids=["all poison", "unknown", "of text", "mixed", "vanished"])
def test_labels_that_make_no_curve_are_refused_by_the_data(make, sentence):
    """Before any learner is asked: at beta = 0 there would be no model of such a class."""
    with pytest.raises(ValueError, match=sentence) as caught:
        make()
    assert "\n" not in str(caught.value)


REFITTED = [
    (LinearSVC(multi_class="crammer_singer", random_state=0, max_iter=10**5), "with multi_class='crammer_singer'"),
    (LinearSVC(penalty="l1", dual=False, random_state=0, **CLOSE), "with penalty='l1'"),
    (LogisticRegression(l1_ratio=0.5, solver="saga", tol=1e-6, max_iter=10**5), "l1_ratio=0.5"),
]


@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")  # of older versions, at this tolerance
@pytest.mark.filterwarnings("ignore:l1_ratio parameter is only used")  # of older versions, without a penalty's name
@pytest.mark.parametrize(("estimator", "reason"), REFITTED, ids=lambda value: repr(value)[:40])
def test_what_couples_columns_or_has_kinks_of_its_own_is_refitted_and_says_so(estimator, reason):
    """`curve.method` says it, method="exact" says why, and its ends are the estimator's own fits."""
    data = data_of(np.arange(40) % 3, 2)
    curve = bc.backdoor_learning_curve(estimator, data, betas=[0.0, 1.0])
    assert (curve.method, curve.exact) == ("refit", False)
    model = clone(estimator).fit(data.clean_train.X, data.clean_train.y)
    assert_predicts_as(model, curve, data, 0.0)
    with pytest.raises(ValueError, match=f"has no exact path .*{reason}"):
        bc.backdoor_learning_curve(estimator, data, method="exact")


def test_liblinear_of_many_classes_is_refused_with_what_helps():
    """In scikit-learn's own words, where it was one fit a class before as that, and around it OneVsRest is followed."""
    data, estimator = data_of(np.arange(40) % 4, 3), LogisticRegression(solver="liblinear", tol=1e-10)
    followed = bc.backdoor_learning_curve(OneVsRestClassifier(estimator), data)
    assert followed.exact
    try:
        estimator.fit(data.clean_train.X, data.clean_train.y)
    except ValueError:
        with pytest.raises(ValueError, match=r"does not support multiclass .* OneVsRestClassifier"):
            bc.backdoor_learning_curve(estimator, data)
    else:  # before scikit-learn 1.8
        refitted = bc.backdoor_learning_curve(estimator, data)
        assert refitted.method == "refit"
        np.testing.assert_allclose(refitted.loss(), followed.loss("triggered", refitted.betas), rtol=1e-4)
    with pytest.raises(ValueError, match="for 4 classes with solver='liblinear': it has one in OneVsRestClassifier"):
        bc.backdoor_learning_curve(estimator, data, method="exact")
