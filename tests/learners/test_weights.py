"""A refitted estimator goes by the weights of the poison rows, or it is refused, or what it does is said."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier

import backdoor_curves as bc
from backdoor_curves.learners.reading import read_learner
from backdoor_curves.learners.weights import zero_weight_share

BETAS = [0.0, 1e-9, 0.5, 1.0]


def poisoned(labels=("ham", "spam"), n=90, seed=0):
    """Overlapping classes, and a trigger far out that sends the rows of the first class to the second."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 4))
    index = rng.integers(0, 2, 2 * n)
    X[:, 0] += index
    y = np.array(labels)[index]
    trigger = bc.FeatureTrigger((3,), (5.0,))
    both = (X[:n], y[:n]), (X[n:], y[n:])
    return bc.poison(*both, trigger=trigger, rate=0.3, labels=labels[1], rng=rng, injection="append")


def weights_at(data, beta):
    return np.where(data.is_poison, beta, 1.0)


def fit_at(estimator, data, beta):
    """Return the estimator's own fit with the poison rows behind the clean ones, at weight beta."""
    X = np.vstack([data.clean_train.X, data.poison_train.X])
    y = np.concatenate([data.clean_train.y, data.poison_train.y])
    return clone(estimator).fit(X, y, sample_weight=weights_at(data, beta))


def triggered_loss(fit, data):
    """Return the log loss of triggered rows, all of the second class."""
    return -np.log(fit.predict_proba(data.triggered_test.X)[:, 1]).mean()


# --- what drops the weights ------------------------------------------------------------------------------------------


class Ignores(LogisticRegression):
    """Takes weights, and does nothing with them."""

    def fit(self, X, y, sample_weight=None):  # noqa: ARG002 - that is the fault
        return super().fit(X, y)


class TakesAnything(ClassifierMixin, BaseEstimator):
    """Takes keywords, and does nothing with them."""

    def fit(self, X, y, **words):  # noqa: ARG002 - that is the fault
        self.model_ = LogisticRegression().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


class SaysSo(Ignores):
    """Ignores them, and warns."""

    def fit(self, X, y, sample_weight=None):
        warnings.warn("sample_weight is not\nused here", stacklevel=2)
        return super().fit(X, y, sample_weight)


class IgnoresAndDraws(BaggingClassifier):
    """Ignores them, and draws rows: by a seed of its own at each fit."""

    def fit(self, X, y, sample_weight=None):  # noqa: ARG002 - that is the fault
        return super().fit(X, y)


CALIBRATED = CalibratedClassifierCV(make_pipeline(StandardScaler(), LogisticRegression()), cv=3)
DROPPING = {
    "ignores": (Ignores(), "it ignores their weights"),
    "takes anything": (TakesAnything(), "it ignores their weights"),
    "draws": (IgnoresAndDraws(LogisticRegression(), n_estimators=3), "it ignores their weights"),
    "says so": (SaysSo(), 'it warns "sample_weight is not used here"'),
    "calibrated pipeline": (
        CALIBRATED,
        r'warns "Since Pipeline .*put its steps in front: make_pipeline\(step, Calibrated',
    ),
    "calibrated neighbours": (CalibratedClassifierCV(KNeighborsClassifier(), cv=3), "Since KNeighborsClassifier"),
    "calibrated twice": (CalibratedClassifierCV(CALIBRATED, cv=2), "a part of that of CalibratedClassifierCV does not"),
    "vote": (VotingClassifier([("a", GaussianNB()), ("b", CALIBRATED)], voting="soft"), "a part of that of Voting"),
    "in a pipeline": (make_pipeline(StandardScaler(), CALIBRATED), "Since Pipeline"),
}


@pytest.mark.parametrize(("estimator", "said"), DROPPING.values(), ids=DROPPING)
@pytest.mark.parametrize("seed", [0, 1])
def test_an_estimator_that_drops_the_weights_is_refused(estimator, said, seed):
    """Its poison rows would be whole ones at every beta > 0, and its curve a curve of nothing."""
    with pytest.raises(TypeError, match=said) as caught:
        bc.backdoor_learning_curve(estimator, poisoned(seed=seed), betas=BETAS)
    assert "\n" not in str(caught.value)


def test_what_was_dropped_is_whole():
    """The fault by an independent road: of the refused estimator a fit at weight 1e-9 is far from that without."""
    data = poisoned()
    with pytest.warns(UserWarning, match="sample weights will only be used for the calibration"):
        tiny = fit_at(CALIBRATED, data, 1e-9)
    absent = clone(CALIBRATED).fit(*data.clean_train)
    steps_in_front = make_pipeline(StandardScaler(), CalibratedClassifierCV(LogisticRegression(), cv=3))
    curve = bc.backdoor_learning_curve(steps_in_front, data, betas=[0.0, 1e-9, 1.0])
    gone = triggered_loss(absent, data)
    dropped = abs(triggered_loss(tiny, data) - gone)
    assert dropped > 0.3
    # With the steps in front what is left is that folds are of other rows, and the steps frozen on the poison too.
    assert np.abs(curve.loss()[:2] - gone).max() < dropped / 2


class Resampling(ClassifierMixin, BaseEstimator):
    """An ensemble in the words of imbalanced-learn."""

    def __init__(self, sampling_strategy="auto"):
        self.sampling_strategy = sampling_strategy

    def fit(self, X, y, sample_weight=None):  # noqa: ARG002 - it is not called
        raise AssertionError("it was fitted")

    def predict_proba(self, X):
        return np.zeros((len(X), 2))


@pytest.mark.parametrize(
    "estimator",
    [Resampling(), VotingClassifier([("a", GaussianNB()), ("b", Resampling())], voting="soft")],
    ids=["itself", "inside"],
)
def test_ensembles_that_resample_are_refused_before_they_are_fitted(estimator):
    """A row is drawn or it is not: weight 0 does not make it absent from the count that classes are balanced by."""
    with pytest.raises(TypeError, match=r"Resampling draws a class's rows by their number, .* has no beta"):
        bc.backdoor_learning_curve(estimator, poisoned())


# --- what goes by them -----------------------------------------------------------------------------------------------

HONEST = {
    "bayes": GaussianNB(),
    "tree": DecisionTreeClassifier(),
    "extra trees": ExtraTreesClassifier(5),
    "forest": RandomForestClassifier(5),
    "forest with a seed": RandomForestClassifier(5, random_state=3),
    "forest with a stream": RandomForestClassifier(5, random_state=np.random.RandomState(3)),
    "gradient boosting": GradientBoostingClassifier(n_estimators=5),
    "boosting": AdaBoostClassifier(n_estimators=3),  # at weight 0 its logarithm warns: of a trial, not of the curve
    "bagging": BaggingClassifier(LogisticRegression(), n_estimators=3),
    "calibrated": CalibratedClassifierCV(LinearSVC(), cv=3),
    "stack": StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], cv=3),
    "vote": VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"),
    "sgd": SGDClassifier(),  # it stops by losses that are not weighted, which does less than another seed
    "perceptron": Perceptron(),
    "nu": NuSVC(nu=0.2),
}


@pytest.mark.parametrize("estimator", HONEST.values(), ids=HONEST)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_estimator_that_goes_by_the_weights_is_not_suspected(estimator, seed):
    """What it draws or folds by the number of rows is no weight that was dropped."""
    learner = read_learner(estimator, poisoned(seed=seed))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A floor under variances is of all rows: 1e-9 of the largest.
        assert zero_weight_share(learner) == pytest.approx(0.0, abs=1e-6)


def test_a_check_draws_nothing_from_the_users_streams():
    """Whoever seeds numpy before a curve gets the curve that was there before the check was."""
    stream = np.random.RandomState(3)
    before = stream.get_state()[1].copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    for state in (None, stream):
        zero_weight_share(read_learner(RandomForestClassifier(3, random_state=state), poisoned()))
    after = stream.get_state()[1], np.random.get_state()[1]  # noqa: NPY002
    assert all((was == now).all() for was, now in zip(before, after, strict=True))


def test_rows_that_are_counted_whatever_their_weight_are_said():
    """Leaves need 20 rows, of weight 0 or not: the curve's first step is not the poison's doing."""
    data, estimator = poisoned(), HistGradientBoostingClassifier(max_iter=10)
    with pytest.warns(
        UserWarning, match=r"part of the fit of HistGrad.*poison rows do \d+ % of what they do at weight 1"
    ):
        curve = bc.backdoor_learning_curve(estimator, data, betas=BETAS)
    share = curve.info.zero_weight_share
    assert 0.05 < share < 1.0
    # Independently: scikit-learn's own fit moves when a row of weight 0 is another one.
    X = np.vstack([data.clean_train.X, data.poison_train.X])
    y = np.concatenate([data.clean_train.y, data.poison_train.y])
    moved = X.copy()
    moved[data.is_poison] = X[0]
    fits = [clone(estimator).fit(rows, y, sample_weight=weights_at(data, 0.0)) for rows in (X, moved)]
    assert np.abs(np.subtract(*(fit.predict_proba(X) for fit in fits))).max() > 0.01


def test_the_share_is_kept_with_the_curve(tmp_path):
    """A figure that is drawn later can say it too."""
    with pytest.warns(UserWarning, match="goes by rows whatever their weight"):
        curve = bc.backdoor_learning_curve(HistGradientBoostingClassifier(max_iter=5), poisoned(), betas=BETAS)
    curve.save(tmp_path / "curve.npz")
    assert bc.BackdoorLearningCurve.load(tmp_path / "curve.npz").info == curve.info


class WholeRows(LogisticRegression):
    """Leaves out rows of weight 0, and takes all others for whole ones."""

    def fit(self, X, y, sample_weight=None):
        some = np.ones(len(y), dtype=bool) if sample_weight is None else sample_weight > 0
        return super().fit(X[some], y[some])


def test_a_curve_that_is_a_step_is_said():
    """The fits at all betas > 0 are one fit; a tree with pure leaves may do so by right."""
    with pytest.warns(UserWarning, match="WholeRows scores all test rows alike at every beta > 0"):
        bc.backdoor_learning_curve(WholeRows(), poisoned(), betas=BETAS)


# --- what takes them in a way of its own -----------------------------------------------------------------------------


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def weighted(estimator, does=True):
    return estimator.set_fit_request(sample_weight=does)


@pytest.mark.usefixtures("routing")
def test_weights_are_routed_where_that_is_asked_for():
    """Then a Pipeline inside gets them, and the curve is that of the estimator's own fits."""
    pipe = make_pipeline(weighted(StandardScaler()), weighted(LogisticRegression()))
    data = poisoned()
    for estimator in (OneVsRestClassifier(weighted(GaussianNB())), CalibratedClassifierCV(pipe, cv=3)):
        for n_jobs in (None, 2):  # other processes have the configuration too
            curve = bc.backdoor_learning_curve(estimator, data, betas=BETAS, n_jobs=n_jobs)
            own = triggered_loss(fit_at(estimator, data, 0.5), data)
            assert curve.loss("triggered", 0.5) == pytest.approx(own, rel=1e-9)


@pytest.mark.usefixtures("routing")
def test_weights_that_are_routed_past_a_part_are_said():
    """Nothing warns of it: the part asked for none."""
    parts = [("a", weighted(LogisticRegression())), ("b", weighted(GaussianNB(), False))]
    with pytest.warns(UserWarning, match="or hands no weights on"):
        curve = bc.backdoor_learning_curve(VotingClassifier(parts, voting="soft"), poisoned(), betas=BETAS)
    assert curve.info.zero_weight_share > 0.1


@pytest.mark.usefixtures("routing")
def test_a_classifier_that_predicts_by_a_threshold_is_refused():
    """Accuracies are of the scores, and would not be its own."""
    strict = FixedThresholdClassifier(weighted(LogisticRegression()), threshold=0.9)
    with pytest.raises(TypeError, match=r"FixedThresholdClassifier predicts another one for \d+ of \d+ training rows"):
        bc.backdoor_learning_curve(strict, poisoned(), betas=BETAS)


class HandsOn(LogisticRegression):
    """Hands all keywords on to what takes none, as networks of skorch do."""

    def fit(self, X, y, **words):
        return super().fit(X, y) if not words else self.forward(X, **words)

    def forward(self, X):  # noqa: ARG002 - it is about the words
        raise AssertionError("it took them")


HANDED_ON = {
    "network": HandsOn(),
    "one versus rest": OneVsRestClassifier(LogisticRegression()),
    "threshold": FixedThresholdClassifier(LogisticRegression()),
}


@pytest.mark.parametrize("estimator", HANDED_ON.values(), ids=HANDED_ON)
def test_weights_that_cannot_be_handed_on_are_refused_in_the_words_of_the_fit(estimator):
    """The reason is its own, and so is the way out: metadata routing."""
    with pytest.raises(TypeError, match=r"beta is a sample_weight, which \w+.fit hands on, .*(_routing|keyword)"):
        # One versus rest has a path, for which no fit is asked to take weights.
        bc.backdoor_learning_curve(estimator, poisoned(), method="refit", betas=BETAS)


def test_a_vote_by_hand_and_several_labels_a_row_are_refused_for_what_they_are():
    """Not for weights, nor for a shape of y that the user never gave."""
    hard = VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())])
    with pytest.raises(TypeError, match=r'neither decision_function nor predict_proba; .* voting="soft"'):
        bc.backdoor_learning_curve(hard, poisoned())
    with pytest.raises(TypeError, match="one label a row was expected, ClassifierChain is one of several"):
        bc.backdoor_learning_curve(ClassifierChain(LogisticRegression()), poisoned())


@pytest.mark.parametrize(
    "final", [None, LogisticRegression(), SGDClassifier(random_state=0)], ids=["none", "log", "sgd"]
)
def test_a_stack_has_the_scores_of_its_last_part(final):
    """It shows them once it is fitted; of its own default there is nothing to see before."""
    stack = StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], final, cv=3)
    data = poisoned()
    curve = bc.backdoor_learning_curve(stack, data, betas=[0.0, 1.0])
    own, X = fit_at(stack, data, 1.0), data.triggered_test.X
    by_probabilities = hasattr(own, "predict_proba")
    expected = np.diff(np.log(own.predict_proba(X)))[:, 0] if by_probabilities else own.decision_function(X)
    np.testing.assert_allclose(curve.scores("triggered", 1.0)[0], expected, rtol=1e-9)
    assert curve.info.loss == ("logistic" if by_probabilities else "hinge")


class Bare:
    """A classifier without scikit-learn's base class: cloned by get_params, known by its methods."""

    def __init__(self, smoothing=1e-9):
        self.smoothing = smoothing

    def get_params(self, deep=True):  # noqa: ARG002 - scikit-learn's clone passes it
        return {"smoothing": self.smoothing}

    def set_params(self, **words):
        vars(self).update(words)
        return self

    def fit(self, X, y, sample_weight=None):
        self.model = GaussianNB(var_smoothing=self.smoothing).fit(X, y, sample_weight)
        return self

    def predict(self, X):
        return self.model.predict(X)

    def predict_proba(self, X):
        return self.model.predict_proba(X)


@pytest.mark.parametrize("steps", [(), (StandardScaler(),)], ids=["alone", "in a pipeline"])
def test_a_classifier_is_known_by_what_it_does(steps):
    """As scikit-learn's clone and Pipeline take it."""
    curves = [
        bc.backdoor_learning_curve(make_pipeline(*steps, last) if steps else last, poisoned(), betas=BETAS)
        for last in (Bare(), GaussianNB())
    ]
    assert np.array_equal(curves[0].loss(), curves[1].loss())


class FromZero(LogisticRegression):
    """Takes the labels 0, 1, ... alone, as xgboost does, and gives no bools back."""

    def fit(self, X, y, sample_weight=None):
        if not np.array_equal(np.unique(y), [0, 1]):
            raise ValueError(
                f"Invalid classes inferred from unique values of `y`.  Expected: [0 1], got {np.unique(y)}"
            )
        return super().fit(X, np.asarray(y, dtype=int), sample_weight)


def test_labels_that_an_estimator_does_not_take_are_refused_with_what_to_do():
    """They are the user's, and the victim's own fit would fail too."""
    with pytest.raises(ValueError, match=r"numbers from 0 on were expected by FromZero: Invalid .*numpy.unique\(y"):
        bc.backdoor_learning_curve(FromZero(), poisoned(), betas=BETAS)
    for labels in ((0, 1), (False, True)):
        curve = bc.backdoor_learning_curve(FromZero(), poisoned(labels=labels), betas=BETAS)
        assert curve.accuracy("clean", 0.0) > 0.5
