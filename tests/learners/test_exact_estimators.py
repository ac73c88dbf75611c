"""The files of estimators with an exact path: what they accept, what they say where they do not, and what they know."""

import inspect

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC, NuSVC

import backdoor_curves as bc
from backdoor_curves.learners.estimators import facts_of
from backdoor_curves.learners.exact import FILES, file_of, refusal, svc
from backdoor_curves.learners.parameters import require_fit_takes


class Own(SVC):
    """A subclass, whose fit could be another."""


def data(n_classes=2):
    rng = np.random.default_rng(0)
    y = np.arange(40) % n_classes
    X = rng.normal(size=(40, 3)) + np.eye(3)[y]
    return bc.PoisonedData((X, y), (X[:4] + 2, (y[:4] + 1) % n_classes), (X, y), (X[:4] + 2, (y[:4] + 1) % n_classes))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.ESTIMATOR.__name__)
def test_a_file_knows_every_parameter_of_its_estimator(file):
    """One that a later scikit-learn brings must be looked at before paths take it."""
    assert set(inspect.signature(file.ESTIMATOR).parameters) <= file.PARAMETERS


REFUSED = [
    (LogisticRegression(solver="liblinear"), 3, "for 3 classes with solver='liblinear'"),
    (LinearSVC(penalty="l1", dual=False), 2, "with penalty='l1'"),
    (LinearSVC(multi_class="crammer_singer"), 3, "with multi_class='crammer_singer'"),
    (LogisticRegression(l1_ratio=0.5, solver="saga"), 2, "l1_ratio=0.5"),
    (LogisticRegression(C=np.inf), 2, "with C=inf"),
    (RidgeClassifier(positive=True), 2, "with positive=True"),
    (Own(), 2, "as a subclass of SVC"),
    (
        NuSVC(nu=0.1),
        2,
        "RidgeClassifier, LogisticRegression, LinearSVC, SVC, OneVsRestClassifier, OneVsOneClassifier have one",
    ),
]


@pytest.mark.parametrize(("estimator", "n_classes", "reason"), REFUSED, ids=lambda value: repr(value))
def test_a_refusal_says_which_parameter_is_the_reason(estimator, n_classes, reason):
    """In the error of method="exact", and without it the learner is refitted."""
    assert reason in refusal(estimator, n_classes)
    with pytest.raises(ValueError, match=f"^method: {type(estimator).__name__} has no exact path ") as caught:
        bc.backdoor_learning_curve(estimator, data(n_classes), method="exact")
    assert reason in str(caught.value)
    assert str(caught.value).endswith('pass method="refit"')


@pytest.mark.parametrize(
    ("estimator", "n_classes"),
    [
        (RidgeClassifier(), 2),
        (RidgeClassifier(), 9),
        (LogisticRegression(), 2),
        (LogisticRegression(), 3),
        (LinearSVC(), 2),
        (SVC(), 2),
    ],
)
def test_an_estimator_that_is_followed_has_no_refusal(estimator, n_classes):
    """Ridge with any number of classes."""
    assert refusal(estimator, n_classes) is None


def test_a_parameter_that_a_file_does_not_know_is_refitted(monkeypatch):
    """Unless it has its default: what it does to the optimum nobody has looked at."""
    monkeypatch.setattr(svc, "PARAMETERS", svc.PARAMETERS - {"shrinking"})
    assert bc.backdoor_learning_curve(SVC(), data()).exact
    assert bc.backdoor_learning_curve(SVC(shrinking=False), data(), betas=[0.0, 1.0]).method == "refit"
    with pytest.raises(ValueError, match="with shrinking=False: that is a parameter not known here"):
        bc.backdoor_learning_curve(SVC(shrinking=False), data(), method="exact")


def test_a_subclass_has_the_loss_and_the_kernel_of_its_class():
    """It is refitted, and what it minimises is told by its scores."""
    assert file_of(Own()) is svc
    facts = facts_of(Own(gamma=0.5))
    assert (facts.loss(Own()), facts.encoding(Own(), 3)) == ("hinge", "one-vs-one")
    assert facts.kernel(Own(gamma=0.5)) == svc.kernel(SVC(gamma=0.5))


def test_only_kernel_machines_have_a_kernel():
    """A forest has none that is known, a matrix has no rows of features."""
    for estimator in (RidgeClassifier(), LogisticRegression(), RandomForestClassifier(), SVC(kernel="precomputed")):
        assert facts_of(estimator).kernel(estimator) is None
    assert facts_of(LinearSVC()).kernel(LinearSVC()) == svc.kernel(SVC(kernel="linear"))


@pytest.mark.parametrize(
    "estimator",
    [
        SVC(gamma=0.5, probability=False),
        SVC(kernel="precomputed"),
        SVC(kernel=lambda *_: pytest.fail("a function of the user's was called")),
        LinearSVC(loss="hinge"),
        LinearSVC(),
        LogisticRegression(),
        LogisticRegression(solver="liblinear", intercept_scaling=2.0),
        LogisticRegression(solver="newton-cholesky", fit_intercept=False),
    ],
    ids=lambda estimator: type(estimator).__name__,  # the repr of a function has its address
)
def test_a_trial_fit_leaves_no_trace(estimator):
    """Not in numpy's global stream, which a later refit may draw from, and not in the estimator."""
    np.random.seed(0)  # noqa: NPY002 - the global stream is what is looked at
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    words = repr(estimator.get_params())
    require_fit_takes(estimator)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert repr(estimator.get_params()) == words
    assert not hasattr(estimator, "classes_")


@pytest.mark.parametrize(
    ("estimator", "fragment"),
    [
        (SVC(degree=-1), "'degree' parameter of SVC"),
        (LinearSVC(tol=-1.0), "'tol' parameter of LinearSVC"),
        (LinearSVC(loss="hinge", dual=False), "loss='hinge' are not supported when dual=False"),
        (LogisticRegression(solver="newton"), "'solver' parameter of LogisticRegression"),
    ],
    ids=lambda value: repr(value),
)
def test_a_trial_fit_refuses_what_a_fit_would(estimator, fragment):
    """In scikit-learn's words; which of them matter to a path is not for the path to say."""
    with pytest.raises(ValueError, match=fragment):
        bc.backdoor_learning_curve(estimator, data())
