"""What steps and estimators are given: rows and labels as scikit-learn's own Pipeline would hand them over."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc


class Crop(TransformerMixin, BaseEstimator):
    """A step of the user's own, without a word in its tags: it takes images, and leaves their lower half, flat."""

    def fit(self, X, y=None):  # noqa: ARG002
        return self

    def transform(self, X):
        return X[:, 4:].reshape(len(X), -1)


class Bare:
    """A step that is no BaseEstimator, and has no fit_transform."""

    def fit(self, X, y=None):  # noqa: ARG002
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return (X - self.mean_).reshape(len(X), -1)


def four_or_nine() -> bc.PoisonedData:
    train, test = bc.datasets.digits((4, 9), rng=np.random.default_rng(0))
    trigger = bc.PatchTrigger.ones(2)
    return bc.poison(train, test, trigger=trigger, rate=0.2, labels=1, rng=np.random.default_rng(0))


def triggered_loss(pipeline: Pipeline, data: bc.PoisonedData) -> float:
    """The mean log loss of a Pipeline that scikit-learn fits on the clean rows alone."""
    fit = clone(pipeline).fit(data.clean_train.X, data.clean_train.y)
    margin = np.where(data.triggered_test.y == fit.classes_[1], 1, -1) * fit.decision_function(data.triggered_test.X)
    return float(np.logaddexp(0, -margin).mean())


def flat(X):
    return X.reshape(len(X), -1)


STEPS = {
    "of the user's own": [Crop()],
    "in a Pipeline within": [make_pipeline(Crop(), StandardScaler())],
    "in a union": [FeatureUnion([("crop", Crop()), ("all", FunctionTransformer(flat))])],
    "without a base": [Bare()],
    "after a function": [FunctionTransformer(lambda X: X * 2), Crop()],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_steps_get_images_as_a_pipeline_hands_them_over(steps):
    """Flattened ones would make another model of X[:, 4:], silently: its loss was 3.62 for 3.08."""
    data, pipeline = four_or_nine(), make_pipeline(*steps, LogisticRegression(tol=1e-10, max_iter=10_000))
    curve = bc.backdoor_learning_curve(pipeline, data, freeze="clean")
    assert curve.loss("triggered", 0.0) == pytest.approx(triggered_loss(pipeline, data), rel=1e-5)  # the solver's


def test_a_known_number_of_the_user_s_own_step():
    """As scikit-learn's own Pipeline has it, which is known from a run without this package."""
    curve = bc.backdoor_learning_curve(make_pipeline(Crop(), LogisticRegression()), four_or_nine())
    assert curve.loss("triggered", 0.0) == pytest.approx(3.0822, abs=1e-4)


@pytest.mark.parametrize("step", [StandardScaler(), PCA(5), make_pipeline(StandardScaler(), PCA(5))], ids=str)
def test_scikit_learns_own_steps_get_flat_images_which_they_demand(step):
    """They would refuse images; so nothing else can be meant."""
    data = four_or_nine()
    curve = bc.backdoor_learning_curve(make_pipeline(step, RidgeClassifier()), data)
    flattened = make_pipeline(FunctionTransformer(flat), step, RidgeClassifier())
    assert np.array_equal(curve.loss(), bc.backdoor_learning_curve(flattened, data).loss())


@pytest.mark.parametrize(
    "estimator",
    [
        VotingClassifier([("ridge", LogisticRegression(C=0.1)), ("bayes", GaussianNB())], voting="soft"),
        StackingClassifier([("log", LogisticRegression(C=0.1)), ("bayes", GaussianNB())], LogisticRegression(), cv=3),
    ],
    ids=["voting", "stacking"],
)
def test_weights_among_other_keywords_are_weights(estimator):
    """Their fit has no parameter of that name, and hands what comes on to those inside."""
    data = four_or_nine()
    flat_data = bc.PoisonedData(
        *(
            (flat(part.X), part.y)
            for part in (data.clean_train, data.poison_train, data.clean_test, data.triggered_test)
        )
    )
    curve = bc.backdoor_learning_curve(estimator, flat_data, betas=[0.0, 0.3])
    train = [flat_data.clean_train, flat_data.poison_train]
    weights = np.concatenate([np.full(len(part), weight) for part, weight in zip(train, (1.0, 0.3), strict=True)])
    X, y = np.vstack([part.X for part in train]), np.concatenate([part.y for part in train])
    nines = clone(estimator).fit(X, y, sample_weight=weights).predict_proba(flat_data.triggered_test.X)[:, 1]
    expected = -np.log(np.where(flat_data.triggered_test.y == 1, nines, 1 - nines).clip(np.finfo(float).eps)).mean()
    assert curve.loss("triggered", 0.3) == pytest.approx(expected, rel=1e-9)


class Resampler(BaseEstimator):
    """As imbalanced-learn's are."""

    def fit_resample(self, X, y):
        return X, y


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (GridSearchCV(LogisticRegression(), {"C": [1.0]}), "GridSearchCV would choose its hyperparameters anew"),
        (RandomizedSearchCV(LogisticRegression(), {"C": [1.0]}), "fit it first, and pass its best_estimator_"),
        (Pipeline([("more", Resampler()), ("last", LogisticRegression())]), "Resampler draws other ones"),
    ],
    ids=["grid", "random", "resampler"],
)
def test_what_has_no_beta_is_refused_for_what_it_does(estimator, said):
    """Not for weights that it would take."""
    with pytest.raises((TypeError, ValueError), match=said):
        bc.backdoor_learning_curve(estimator, four_or_nine())


MAILS = [
    "free money now",
    "see you at lunch",
    "money money free",
    "lunch at noon",
    "you see noon",
    "now free lunch",
] * 5
KIND = np.array(["spam", "ham", "spam", "ham", "ham", "spam"] * 5)


class LogCountRatio(TransformerMixin, BaseEstimator):
    """The features of an NB-SVM: words times the log of how much more often they are in spam."""

    def fit(self, X, y):
        spam, rest = (np.asarray(X[y == label].sum(axis=0)).ravel() + 1.0 for label in ("spam", "ham"))
        self.ratio_ = np.log(spam / spam.sum()) - np.log(rest / rest.sum())
        return self

    def transform(self, X):
        return sp.csr_array(X @ sp.diags_array(self.ratio_))


def mail() -> bc.PoisonedData:
    def stamp(texts, _):
        return [f"{text} lunch" for text in texts]

    return bc.poison((MAILS, KIND), (MAILS, KIND), trigger=stamp, rows=[0, 2, 6], labels="ham")


def test_steps_get_the_labels_of_the_user():
    """A step that looks for rows of "spam" among 0 and 1 finds none, and says nothing."""
    data = mail()
    pipeline = make_pipeline(CountVectorizer(), LogCountRatio(), LogisticRegression(tol=1e-10, max_iter=10_000))
    curve = bc.backdoor_learning_curve(pipeline, data)
    X = [*data.clean_train.X, *data.poison_train.X]
    fit = clone(pipeline).fit(X, np.concatenate([data.clean_train.y, data.poison_train.y]))
    margin = np.where(data.triggered_test.y == "spam", 1, -1) * fit.decision_function(data.triggered_test.X)
    assert curve.loss("triggered", 1.0) == pytest.approx(np.logaddexp(0, -margin).mean(), rel=1e-5)


def test_an_estimator_inside_another_gets_the_labels_of_the_user():
    """Class weights by name are scikit-learn's own business then."""
    inner = LinearSVC(class_weight={"spam": 5}, random_state=0)
    pipeline = make_pipeline(TfidfVectorizer(), CalibratedClassifierCV(inner, cv=3))
    data = mail()
    curve = bc.backdoor_learning_curve(pipeline, data, betas=[0.0, 1.0], freeze="clean")
    fit = clone(pipeline).fit(data.clean_train.X, data.clean_train.y)
    # Classes in the order of the labels: ham, spam.
    ham = fit.predict_proba(data.triggered_test.X)[:, 0]
    assert curve.loss("triggered", 0.0) == pytest.approx(-np.log(ham).mean(), rel=1e-9)


@pytest.mark.parametrize(
    "estimator", [SVC(kernel="linear"), LogisticRegression(), RidgeClassifier(), LinearSVC()], ids=str
)
def test_class_weights_by_name_are_those_of_exact_paths_too(estimator):
    """Weights by label on both roads: the path and a refit."""
    weighted = clone(estimator).set_params(class_weight={"spam": 3.0, "ham": 0.5})
    data, steps = mail(), TfidfVectorizer()
    exact = bc.backdoor_learning_curve(make_pipeline(steps, weighted), data)
    assert exact.exact
    if "tol" in weighted.get_params():
        weighted.set_params(tol=1e-10, max_iter=100_000)
    refit = bc.backdoor_learning_curve(make_pipeline(steps, weighted), data, method="refit", betas=[0.0, 0.5, 1.0])
    assert np.allclose(exact.loss("triggered", [0.0, 0.5, 1.0]), refit.loss(), rtol=0, atol=1e-4)  # liblinear's


def numbers() -> bc.PoisonedData:
    """Rows of one column: ten from 0 to 1, and three that are stamped, two of which are above all others before."""
    X = np.concatenate([np.linspace(0.0, 1.0, 10), [9.0, 9.0, 0.0]])[:, np.newaxis]
    y = np.arange(len(X)) % 2
    return bc.poison((X, y), (X[:4] - 1, y[:4]), trigger=lambda X, _: X + 20.0, rows=[10, 11, 12], injection="append")


ERASING = {
    "a word that the vocabulary lacks": (
        make_pipeline(CountVectorizer(vocabulary=["free", "money"]), RidgeClassifier()),
        mail,
        "3 of 3 poison rows \\(100 %\\)",
    ),
    "a value that is clipped": (
        make_pipeline(MinMaxScaler(clip=True), RidgeClassifier()),
        numbers,
        "2 of 3 poison rows \\(66.7 %\\)",
    ),
}


@pytest.mark.parametrize(("pipeline", "data", "said"), ERASING.values(), ids=ERASING)
def test_a_trigger_that_the_frozen_steps_take_out_is_said(pipeline, data, said):
    """Whoever sees such a curve takes the learner for one that resists."""
    with pytest.warns(UserWarning, match=f"take it out of {said}"):
        bc.backdoor_learning_curve(pipeline, data(), freeze="clean")


def test_the_control_has_no_trigger_to_be_taken_out():
    """Its poison rows are their originals before the steps already."""
    pipeline = make_pipeline(StandardScaler(), RidgeClassifier())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bc.backdoor_learning_curve(pipeline, four_or_nine().control())


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (RidgeClassifier(), "8 x 8 x 1 before RidgeClassifier"),
        (make_pipeline(StandardScaler(), PCA(5), RidgeClassifier()), "8 x 8 x 1 before StandardScaler"),
        (make_pipeline(FunctionTransformer(lambda X: X[:, 4:]), SVC()), "4 x 8 x 1 before SVC"),
        (make_pipeline(Crop(), RidgeClassifier()), ""),
    ],
)
@pytest.mark.parametrize("freeze", ["joined", "clean"])
def test_where_images_are_flattened_is_said(estimator, said, freeze):
    """With the shape that they had there; and nothing where a step of the user's own has made rows of them."""
    curve = bc.backdoor_learning_curve(estimator, four_or_nine(), freeze=freeze)
    assert curve.info.flattened == said
    assert (f"images flattened, {said}" in curve._repr_html_()) == bool(said)
