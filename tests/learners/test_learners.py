"""Where an estimator becomes arrays: what is frozen, what is passed on, and what is refused."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier

import backdoor_curves as bc
from backdoor_curves.data.samples import join
from backdoor_curves.kernels import by_name, memory
from backdoor_curves.learners.exact import hinge
from backdoor_curves.learners.reading import read_learner
from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.svm.path import NotOptimalError

BETAS = [0.0, 0.5, 1.0]


def poisoned(n=90, labels=(0, 1), kind=np.asarray, seed=0, **changes):
    """Overlapping classes with the given labels, unbalanced; `kind` turns every X into the type it is to be."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(2 * n, 4)), 2)
    index = np.minimum(rng.integers(0, 2 * len(labels), 2 * n), len(labels) - 1)
    X[:, 0] += index
    y = np.array(labels)[index]
    trigger = bc.FeatureTrigger((3,), (5.0,))
    plain = bc.poison((X[:n], y[:n]), (X[n:], y[n:]), trigger=trigger, rate=0.2, rng=rng)
    splits = ("clean_train", "poison_train", "clean_test", "triggered_test")
    parts = {name: (kind(getattr(plain, name).X), getattr(plain, name).y) for name in splits}
    return bc.PoisonedData(**parts | changes, triggered_true=plain.triggered_true)


def images(seed=0):
    rng = np.random.default_rng(seed)
    train, test = bc.datasets.digits((3, 8), n_train=80, n_test=40, rng=rng)
    return bc.poison(train, test, trigger=bc.PatchTrigger.random(2, 2, 1, rng), rate=0.2, rng=rng)


def victims_rows(data):
    return join(data.clean_train, data.poison_train, data.is_poison)


# --- what is frozen --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", ["scale", "auto"])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("freeze", ["joined", "clean"])
def test_gamma_is_what_scikit_learn_makes_of_the_frozen_rows(freeze, kind, gamma):
    """It is a function of the rows' variance, so it would move with them."""
    data = poisoned(kind=kind)
    rows = victims_rows(data) if freeze == "joined" else data.clean_train
    learner = read_learner(SVC(gamma=gamma), data, freeze)
    assert learner.estimator.gamma == pytest.approx(SVC(gamma=gamma).fit(*rows)._gamma, rel=1e-13)
    assert learner.hyperparameters["gamma"] == learner.estimator.gamma


def test_gamma_of_constant_features_is_1():
    """So scikit-learn has it, for want of a variance."""
    y = np.array([0, 1, 0, 1])
    X = np.zeros((4, 2))
    data = bc.PoisonedData((X, y), (X[:1], [1]), (X, y), (X[:1], [1]))
    assert read_learner(SVC(), data).estimator.gamma == 1.0


@pytest.mark.parametrize("estimator", [RidgeClassifier, LogisticRegression, LinearSVC, SVC])
@pytest.mark.parametrize("freeze", ["joined", "clean"])
def test_balanced_class_weights_are_counted_once(freeze, estimator):
    """n / (K n_k) on the frozen rows, for every learner in the same way and for every beta."""
    data = poisoned(labels=("ham", "spam"))
    y = (victims_rows(data) if freeze == "joined" else data.clean_train).y
    learner = read_learner(estimator(class_weight="balanced"), data, freeze)
    expected = [len(y) / (2 * (y == label).sum()) for label in ("ham", "spam")]
    assert list(learner.estimator.class_weight.values()) == pytest.approx(expected, rel=1e-15)


BALANCED = [
    RidgeClassifier(alpha=0.7, class_weight="balanced"),
    LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=10_000),
    SVC(class_weight="balanced", gamma=0.3, tol=1e-10),
]


@pytest.mark.parametrize("estimator", BALANCED, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("labels", [(0, 1), ("ham", "spam"), ("b", "a", "c")])
def test_balanced_weights_give_the_victims_fit_at_the_end(labels, estimator):
    """With freeze="joined" beta = 1 is what scikit-learn does with all rows, whatever the labels are called."""
    data = poisoned(labels=labels)
    curve = bc.backdoor_learning_curve(estimator, data, betas=BETAS)
    if isinstance(estimator, SVC):
        estimator = clone(estimator).set_params(decision_function_shape="ovo")
    fit = clone(estimator).fit(*victims_rows(data))
    scores = curve.scores("clean", 1.0)[0]
    # lbfgs at tol 1e-10; libsvm keeps its kernel in single precision
    np.testing.assert_allclose(scores, fit.decision_function(data.clean_test.X), atol=1e-6)
    assert curve.accuracy("clean", 1.0) == fit.score(*data.clean_test)


@pytest.mark.parametrize("estimator", [RidgeClassifier(), SVC(gamma=0.3, tol=1e-10), LogisticRegression(tol=1e-10)])
def test_class_weights_are_given_in_the_users_labels(estimator):
    """Classes are indices inside, and the dictionary must follow them; a class not named has weight 1."""
    data = poisoned(labels=("spam", "ham"))
    weighted = estimator.set_params(class_weight={"spam": 3.0})
    curve = bc.backdoor_learning_curve(weighted, data, betas=BETAS)
    fit = clone(weighted).fit(*victims_rows(data))
    np.testing.assert_allclose(
        curve.scores("triggered", 1.0)[0], fit.decision_function(data.triggered_test.X), atol=1e-6
    )


def test_class_weights_of_unknown_labels_are_refused():
    """A misspelt class would silently have weight 1."""
    with pytest.raises(ValueError, match=r"class_weight: labels out of \['ham', 'spam'\] were expected, 'spma' came"):
        bc.backdoor_learning_curve(RidgeClassifier(class_weight={"spma": 2.0}), poisoned(labels=("ham", "spam")))


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_class_weights_that_are_no_weights_are_refused(weight):
    """A negative weight has no optimum, and scikit-learn takes it for some learners."""
    with pytest.raises(ValueError, match="class_weight: finite numbers >= 0 were expected"):
        bc.backdoor_learning_curve(RidgeClassifier(class_weight={1: weight}), poisoned())


PIPELINES = [
    make_pipeline(StandardScaler(), RidgeClassifier(alpha=0.7)),
    make_pipeline(StandardScaler(), PCA(2, random_state=0), SVC(C=2.0, tol=1e-10)),
    Pipeline([("inner", make_pipeline(StandardScaler(), "passthrough")), ("none", None), ("last", GaussianNB())]),
    make_pipeline(StandardScaler(), make_pipeline(PCA(3), LogisticRegression(tol=1e-10))),
]


def decision(fit, X):
    if hasattr(fit, "decision_function"):
        return fit.decision_function(X)
    logs = np.log(fit.predict_proba(X))
    return logs[:, 1] - logs[:, 0]


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame], ids=["array", "frame"])
@pytest.mark.parametrize("pipeline", PIPELINES, ids=["ridge", "svc", "nested map", "nested classifier"])
def test_pipeline_ends_in_the_victims_fit_or_begins_in_the_clean_one(pipeline, kind):
    """Frozen joined, beta = 1 is Pipeline.fit on all rows; frozen clean, beta = 0 is Pipeline.fit on clean rows."""
    data = poisoned(kind=kind)
    for freeze, beta, rows in (("joined", 1.0, victims_rows(data)), ("clean", 0.0, data.clean_train)):
        fit = clone(pipeline).fit(*rows)
        for method in ("refit", "auto"):
            curve = bc.backdoor_learning_curve(pipeline, data, freeze=freeze, betas=BETAS, method=method)
            # Two ways to solve the same well-conditioned system, or the same solver on rows equal but for rounding; but
            # libsvm keeps its kernel in single precision, and lbfgs stops where it can go no lower.
            atol = 1e-9 if curve.method in ("ridge", "refit") else 1e-5
            for split, samples in (("clean", data.clean_test), ("triggered", data.triggered_test)):
                np.testing.assert_allclose(curve.scores(split, beta)[0], decision(fit, samples.X), atol=atol)


def test_freezing_matters():
    """A trigger far out changes the scaling: what is frozen on is part of the result, and is written down."""
    data, pipeline = poisoned(), make_pipeline(StandardScaler(), RidgeClassifier())
    joined, clean = (bc.backdoor_learning_curve(pipeline, data, freeze=freeze) for freeze in ("joined", "clean"))
    assert abs(joined.loss("triggered", 1.0) - clean.loss("triggered", 1.0)) > 1e-6
    assert (joined.info.freeze, clean.info.freeze) == ("joined", "clean")


def test_transformers_that_treat_their_own_rows_in_another_way_are_followed():
    """Pipeline.fit calls fit_transform, so the frozen map must do the same to the rows that it is fitted on."""

    class Halves(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):  # noqa: ARG002
            return self

        def fit_transform(self, X, y=None):  # noqa: ARG002
            return X / 2

        def transform(self, X):
            return X

    data, pipeline = poisoned(), make_pipeline(Halves(), RidgeClassifier())
    fit = clone(pipeline).fit(*victims_rows(data))
    scores = bc.backdoor_learning_curve(pipeline, data).scores("clean", 1.0)[0]
    np.testing.assert_allclose(scores, fit.decision_function(data.clean_test.X), atol=1e-12)


# --- exact SVMs ------------------------------------------------------------------------------------------------------


def squares(A, B):
    """A kernel of the user's own: (1 + x'z)^2."""
    return polynomial_kernel(A, B, degree=2, gamma=1.0, coef0=1.0)


EXACT_SVMS = {
    "rbf": SVC(C=2.0, gamma=0.3),
    "scale": SVC(C=0.5),
    "linear": SVC(C=0.3, kernel="linear"),
    "poly": SVC(C=0.1, kernel="poly", degree=2, gamma=0.5, coef0=1.0),
    "own": SVC(C=0.1, kernel=squares),
    "weighted": SVC(C=0.5, gamma=0.3, class_weight={0: 0.5, 1: 2.0}),
    "balanced": LinearSVC(C=0.3, loss="hinge", class_weight="balanced"),
    "penalised": LinearSVC(C=0.3, loss="hinge"),
    "scaled": LinearSVC(C=0.3, loss="hinge", intercept_scaling=3.0),
    "none": LinearSVC(C=0.3, loss="hinge", fit_intercept=False),
}


@pytest.mark.parametrize("name", EXACT_SVMS)
def test_svms_are_followed_exactly_and_agree_with_their_refits(name):
    """libsvm and liblinear at tight tolerances; libsvm keeps its kernel in single precision, which is 5e-5 here."""
    estimator = clone(EXACT_SVMS[name]).set_params(tol=1e-10, max_iter=10**7)
    betas = np.sort(np.random.default_rng(5).random(4))
    data = poisoned()
    exact = bc.backdoor_learning_curve(estimator, data, betas=betas)
    refit = bc.backdoor_learning_curve(estimator, data, betas=betas, method="refit")
    assert (exact.method, exact.exact, refit.method, refit.exact) == ("svm", True, "refit", False)
    assert exact.certificate().score_bound.max() < 1e-8
    for split in ("triggered", "clean"):
        np.testing.assert_allclose(exact.scores(split), refit.scores(split), atol=5e-5)
    np.testing.assert_allclose(exact.norm(), refit.norm(), rtol=1e-4)
    assert np.abs(exact.scores("clean")).max() > 0.1


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix, pd.DataFrame, lambda X: X.reshape(len(X), 2, 2)])
@pytest.mark.parametrize("name", ["rbf", "linear", "own", "penalised"])
def test_exact_svms_take_rows_of_any_kind(name, kind):
    """The numbers are the same, so the curve is: a sparse product rounds in another order."""
    one, other = (bc.backdoor_learning_curve(EXACT_SVMS[name], poisoned(kind=k)) for k in (np.asarray, kind))
    assert other.method == "svm"
    for split in ("triggered", "clean"):
        np.testing.assert_allclose(other.loss(split), one.loss(split), atol=1e-8)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_exact_svms_compute_in_double_precision_whatever_comes(dtype):
    """Bytes would overflow and single precision would miss the tolerance."""
    data = images()
    parts = [getattr(data, name) for name in ("clean_train", "poison_train", "clean_test", "triggered_test")]
    whole = [((16 * X).round().reshape(len(X), -1), y) for X, y in parts]
    for estimator in (SVC(C=1.0), SVC(C=1e-3, kernel=squares), LinearSVC(C=0.01, loss="hinge")):
        expected = bc.backdoor_learning_curve(estimator, bc.PoisonedData(*whole))
        narrow = bc.PoisonedData(*((X.astype(dtype), y) for X, y in whole))
        curve = bc.backdoor_learning_curve(estimator, narrow)
        np.testing.assert_allclose(curve.loss("triggered"), expected.loss("triggered"), atol=1e-9)


def test_rows_given_twice_are_rows_of_double_weight():
    """Equal rows meet at the margin; their duals are only known together."""
    data = poisoned()
    twice = bc.PoisonedData(
        *((np.vstack([X, X]), np.append(y, y)) for X, y in (data.clean_train, data.poison_train)),
        data.clean_test,
        data.triggered_test,
    )
    for estimator in (SVC(C=0.5, gamma=0.3), LinearSVC(C=0.1, loss="hinge")):
        one = bc.backdoor_learning_curve(clone(estimator).set_params(C=2 * estimator.C), data)
        np.testing.assert_allclose(bc.backdoor_learning_curve(estimator, twice).loss(), one.loss(), atol=1e-9)


def test_an_svm_for_one_class_is_refused():
    """With a weight of 0 for a class there is nothing to tell apart, and scikit-learn fits none either."""
    for weights in ({0: 0.0}, {1: 0.0}):
        with pytest.raises(ValueError, match="class_weight: a weight > 0 was expected for both classes"):
            bc.backdoor_learning_curve(SVC(class_weight=weights), poisoned())


def test_sigmoid_kernels_are_followed_only_where_they_are_kernels():
    """With few rows in many dimensions and a small gamma tanh is nearly linear; in general it is indefinite."""
    with pytest.raises(ValueError, match=r'kernel: one that is positive semidefinite .* eigenvalue -.*method="refit"'):
        bc.backdoor_learning_curve(SVC(kernel="sigmoid", gamma=1.0), poisoned())
    assert bc.backdoor_learning_curve(
        SVC(kernel="sigmoid", gamma=1.0), poisoned(), method="refit", betas=BETAS
    ).betas.size
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 60)), np.arange(20) % 2
    data = bc.PoisonedData((X, y), (rng.normal(size=(3, 60)) + 1, [1] * 3), (X, y), (X + 1, [1] * 20))
    assert bc.backdoor_learning_curve(SVC(kernel="sigmoid", gamma=1e-3), data).exact


def distance(A, B):
    """No kernel: the opposite of one."""
    return ((np.asarray(A)[:, np.newaxis] - B) ** 2).sum(-1)


def lopsided(A, B):
    return np.asarray(A @ B.T) * np.arange(1, len(A) + 1)[:, np.newaxis]


@pytest.mark.parametrize("kernel", [distance, lopsided, lambda A, B: np.full((len(A), len(B)), np.nan)])
def test_functions_that_are_no_kernels_are_refused(kernel):
    """Indefinite, not symmetric, not finite: there is no unique optimum to follow."""
    with pytest.raises(
        ValueError, match=r'kernel: .* positive semidefinite|kernel: a symmetric matrix .*method="refit"'
    ):
        bc.backdoor_learning_curve(SVC(kernel=kernel), poisoned())


def test_what_couples_its_columns_and_subclasses_are_refitted():
    """Three classes at once by Crammer and Singer are no three problems, and a subclass may do anything."""

    class Own(SVC):
        pass

    coupled = LinearSVC(multi_class="crammer_singer", tol=0.1, max_iter=10**5, random_state=0)
    assert bc.backdoor_learning_curve(coupled, poisoned(labels=(0, 1, 2)), betas=BETAS).method == "refit"
    assert bc.backdoor_learning_curve(Own(), poisoned(), betas=BETAS).method == "refit"
    with pytest.raises(ValueError, match="method: LinearSVC has no exact path with multi_class='crammer_singer'"):
        bc.backdoor_learning_curve(coupled, poisoned(labels=(0, 1, 2)), method="exact")


@pytest.mark.parametrize(
    ("estimator", "fragment"),
    [
        (SVC(C=np.inf), "C: a finite number was expected, inf came"),
        (SVC(gamma=-1.0), "'gamma' parameter of SVC"),
        (SVC(kernel="rbff"), "'kernel' parameter of SVC"),
        (LinearSVC(loss="hinge", intercept_scaling=-1.0), "'intercept_scaling' parameter"),
    ],
)
def test_parameters_that_no_fit_would_take_are_refused(estimator, fragment):
    """The exact path calls no fit, which would have refused them."""
    with pytest.raises(ValueError, match=fragment):
        bc.backdoor_learning_curve(estimator, poisoned())


@pytest.mark.parametrize("estimator", [SVC(), SVC(kernel="linear"), LinearSVC(loss="hinge")])
def test_a_kernel_matrix_that_would_not_fit_is_refused_before_it_is_computed(estimator, monkeypatch):
    """Not after an hour, and not by the system."""
    monkeypatch.setattr(memory, "available_memory", lambda: 1000.0)
    monkeypatch.setattr(by_name, "_as_floats", lambda *_: pytest.fail("the kernel was asked for"))
    with pytest.raises(MemoryError, match=r'90 training rows needs .* GiB, .* draw fewer rows or pass method="refit"'):
        bc.backdoor_learning_curve(estimator, poisoned())


def test_a_path_that_cannot_be_followed_is_an_error_that_says_what_to_do(monkeypatch):
    """A refit in its place would be a silent change of meaning."""

    def lost(*_):
        raise NotOptimalError("the path is off by 1e-03 at beta = 0.5; raise lambda")

    monkeypatch.setattr(hinge, "svm_path", lost)
    with pytest.raises(PathError, match=r'off by 1e-03 at beta = 0.5; raise lambda; or pass method="refit"'):
        bc.backdoor_learning_curve(SVC(), poisoned())


# --- what X may be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [RidgeClassifier(), LogisticRegression(max_iter=1000), SVC()])
@pytest.mark.parametrize(
    "kind",
    [
        sp.csr_array,
        sp.csr_matrix,
        pd.DataFrame,
        lambda X: X.tolist(),
        lambda X: X.reshape(len(X), 2, 2),
        lambda X: X.reshape(len(X), 2, 1, 2),
    ],
    ids=["csr_array", "csr_matrix", "frame", "list", "three axes", "images"],
)
def test_rows_may_be_of_any_kind(kind, estimator):
    """The numbers are the same, so the curve is."""
    array, other = (bc.backdoor_learning_curve(estimator, poisoned(kind=k), betas=BETAS) for k in (np.asarray, kind))
    for split in ("triggered", "clean"):
        # gamma="scale" of a sparse X is computed by another formula, and lbfgs sees sums in another order.
        np.testing.assert_allclose(other.loss(split), array.loss(split), rtol=1e-5)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_ridge_computes_in_double_precision_whatever_comes(dtype, kind):
    """Bytes would overflow and single precision would miss the tolerance."""
    data = images()
    parts = [getattr(data, name) for name in ("clean_train", "poison_train", "clean_test", "triggered_test")]
    whole = [((16 * X).round().reshape(len(X), -1), y) for X, y in parts]
    expected = bc.backdoor_learning_curve(RidgeClassifier(), bc.PoisonedData(*whole))
    narrow = bc.PoisonedData(*((kind(X.astype(dtype)), y) for X, y in whole))
    curve = bc.backdoor_learning_curve(RidgeClassifier(), narrow)
    np.testing.assert_allclose(curve.loss("triggered"), expected.loss("triggered"), rtol=1e-10)
    bounds = [c.certificate(0.5).score_bound[0] for c in (curve, expected)]
    assert max(bounds) < 1e-9


def test_images_are_flattened_for_a_transformer_of_rows_only():
    """A scaler wants rows, a transformer of images wants images: its tags say which it is."""
    shapes = {}

    def see(name):
        def note(X):
            shapes.setdefault(name, X.shape[1:])
            return X

        return note

    class ThreeAxes(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):  # noqa: ARG002
            return self

        def transform(self, X):
            return see("tagged")(X)

        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.three_d_array = True
            return tags

    pipeline = make_pipeline(
        FunctionTransformer(see("any"), validate=False),
        ThreeAxes(),
        FunctionTransformer(see("checked"), validate=True),
        StandardScaler(),
        RidgeClassifier(),
    )
    data = images()
    curve = bc.backdoor_learning_curve(pipeline, data)
    assert shapes == {"any": (8, 8, 1), "tagged": (8, 8, 1), "checked": (64,)}
    flat = make_pipeline(StandardScaler(), RidgeClassifier())
    assert np.array_equal(curve.loss("clean"), bc.backdoor_learning_curve(flat, data).loss("clean"))


def test_texts_without_a_vectoriser_are_refused():
    """The learner's own error would be about floats."""
    texts, y = ["a", "b", "c", "d"], [0, 1, 0, 1]
    data = bc.PoisonedData((texts, y), (["x"], [1]), (texts, y), (["x"], [1]))
    with pytest.raises(ValueError, match=r"clean_train: numbers were expected by RidgeClassifier, .* in a Pipeline"):
        bc.backdoor_learning_curve(RidgeClassifier(), data)
    vectorised = make_pipeline(CountVectorizer(token_pattern=r"\w"), RidgeClassifier())
    assert bc.backdoor_learning_curve(vectorised, data).exact


# --- what passes through ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        RidgeClassifier(class_weight="balanced"),
        SVC(),
        make_pipeline(StandardScaler(), SVC(class_weight={0: 2.0})),
        LogisticRegression(warm_start=True),
    ],
    ids=["ridge", "svc", "pipeline", "warm"],
)
def test_estimator_is_neither_changed_nor_fitted(estimator):
    """It is the user's; its steps too."""
    before = repr(estimator.get_params())
    attributes = {id(part): set(vars(part)) for part in (estimator, *getattr(estimator, "named_steps", {}).values())}
    bc.backdoor_learning_curve(estimator, poisoned(), betas=BETAS)
    assert repr(estimator.get_params()) == before
    for part in (estimator, *getattr(estimator, "named_steps", {}).values()):
        assert set(vars(part)) == attributes[id(part)]


@pytest.mark.parametrize(
    ("estimator", "loss", "codes"),
    [
        (RidgeClassifier(), "squared", ("binary", "one-vs-rest")),
        (LogisticRegression(), "logistic", ("binary", "softmax")),
        (SVC(), "hinge", ("binary", "one-vs-one")),
        (NuSVC(nu=0.1), "hinge", ("binary", "one-vs-one")),
        (LinearSVC(), "squared hinge", ("binary", "one-vs-rest")),
        (LinearSVC(loss="hinge"), "hinge", ("binary", "one-vs-rest")),
        (SGDClassifier(loss="log_loss"), "logistic", ("binary", "one-vs-rest")),
        (SGDClassifier(loss="squared_error"), "squared", ("binary", "one-vs-rest")),
        (DecisionTreeClassifier(), "logistic", ("binary", "softmax")),
        (Perceptron(), "hinge", ("binary", "one-vs-rest")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseEstimator) else None,
)
def test_reported_loss_is_the_one_that_the_estimator_minimises(estimator, loss, codes):
    """A curve of another loss than the learner's own would not fall as it learns."""
    for labels, code in zip(((0, 1), (0, 1, 2)), codes, strict=True):
        learner = read_learner(estimator, poisoned(labels=labels))
        assert (learner.loss, learner.encoding) == (loss, code)


FITTED_BY_WEIGHT = [
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    RandomForestClassifier(5, max_depth=3, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5, random_state=0),
    AdaBoostClassifier(n_estimators=3, random_state=0),
    BaggingClassifier(SVC(gamma=0.3), n_estimators=3, random_state=0),
    BaggingClassifier(LogisticRegression(), n_estimators=3, random_state=0),
]


def of_counted_rows(estimator):
    """Expect the warning of an estimator that counts rows in its leaves, whatever their weight."""
    counts = isinstance(estimator, HistGradientBoostingClassifier)
    return pytest.warns(UserWarning, match="goes by rows whatever their weight") if counts else nullcontext()


@pytest.mark.parametrize("labels", [(0, 1), (0, 1, 2)])
@pytest.mark.parametrize("estimator", FITTED_BY_WEIGHT, ids=lambda e: type(e).__name__)
def test_any_classifier_with_weights_predicts_as_itself(estimator, labels):
    """Loss and accuracy are of its own probabilities and predictions, not of scores that only look like them."""
    data = poisoned(labels=labels)
    with of_counted_rows(estimator):
        curve = bc.backdoor_learning_curve(estimator, data, betas=BETAS)
    fit = clone(estimator).fit(*victims_rows(data), sample_weight=np.ones(len(data.is_poison)))
    assert curve.accuracy("clean", 1.0) == fit.score(*data.clean_test)
    own = log_loss(data.clean_test.y, fit.predict_proba(data.clean_test.X))
    assert curve.loss("clean", 1.0) == pytest.approx(own, rel=1e-9)  # both clip at the machine epsilon


def test_lambda_is_in_the_papers_labels():
    """Figures are labelled by lambda: 1 / C, and 2 alpha for ridge."""
    cases = {RidgeClassifier(alpha=0.25): 0.5, LogisticRegression(C=4.0): 0.25, SVC(C=np.float32(0.5), gamma=0.1): 2.0}
    for estimator, expected in cases.items():
        found = read_learner(estimator, poisoned()).hyperparameters
        assert found["lambda"] == expected
        assert all(type(value) is float for value in found.values())  # they are written to JSON


# --- what is refused -------------------------------------------------------------------------------------------------

REFUSED = {
    "class": (RidgeClassifier, TypeError, ["unfitted scikit-learn classifier", "class"]),
    "no estimator": ("ridge", TypeError, ["unfitted scikit-learn classifier", "'ridge' came"]),
    "regressor": (Ridge(), TypeError, ["a classifier was expected", "Ridge is none", "RidgeClassifier"]),
    "kernel regressor": (SVR(), TypeError, ["a classifier was expected"]),
    "transformer": (StandardScaler(), TypeError, ["a classifier was expected"]),
    "regressor pipeline": (make_pipeline(StandardScaler(), Ridge()), TypeError, ["a classifier was expected"]),
    "neighbours": (KNeighborsClassifier(), TypeError, ["sample_weight", "KNeighborsClassifier.fit has none"]),
    "process": (GaussianProcessClassifier(), TypeError, ["sample_weight", "GaussianProcessClassifier"]),
    "neighbours pipeline": (
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        TypeError,
        ["sample_weight", "KNeighborsClassifier"],
    ),
    "precomputed": (SVC(kernel="precomputed"), ValueError, ["kernel", "precomputed", "all", "training rows", "came"]),
    "alpha 0": (RidgeClassifier(alpha=0.0), ValueError, ["alpha: a number > 0", "0.0 came"]),
    "alpha -1": (RidgeClassifier(alpha=-1), ValueError, ["alpha: a number > 0", "-1 came"]),
    "alpha inf": (RidgeClassifier(alpha=np.inf), ValueError, ["alpha: a number > 0"]),
    "alpha list": (RidgeClassifier(alpha=[1.0]), ValueError, ["alpha: a number > 0"]),
    "C 0": (LogisticRegression(C=0), ValueError, ["C: a number > 0", "0 came"]),
    "C -1": (SVC(C=-1.0), ValueError, ["C: a number > 0"]),
    "C nan": (LinearSVC(C=np.nan), ValueError, ["C: a number > 0"]),
    "C True": (SVC(C=True), ValueError, ["C: a number > 0"]),
    "C in pipeline": (make_pipeline(StandardScaler(), SVC(C=0.0)), ValueError, ["C: a number > 0"]),
    "warm forest": (RandomForestClassifier(warm_start=True), ValueError, ["warm_start", "trees of the beta before"]),
    "warm boosting": (HistGradientBoostingClassifier(warm_start=True), ValueError, ["warm_start"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_estimators_that_make_no_curve_are_refused_by_name(case):
    """One line: what was expected, what came, what to do."""
    estimator, error, fragments = REFUSED[case]
    with pytest.raises(error) as caught:
        bc.backdoor_learning_curve(estimator, poisoned(), betas=BETAS)
    message = str(caught.value)
    assert "\n" not in message
    assert all(fragment in message for fragment in fragments), message


def test_exact_is_refused_where_there_is_no_exact_path():
    """A refit in its place would be a silent change of meaning."""
    for estimator in (GaussianNB(), RidgeClassifier(positive=True)):
        with pytest.raises(ValueError, match=r'has no exact path .* pass method="refit"'):
            bc.backdoor_learning_curve(estimator, poisoned(), method="exact")
    assert bc.backdoor_learning_curve(RidgeClassifier(positive=True), poisoned(), betas=BETAS).method == "refit"


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, sp.csr_array], ids=["array", "frame", "csr"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("split", ["clean_train", "poison_train", "clean_test", "triggered_test"])
def test_features_that_are_not_finite_are_refused_and_the_split_named(split, value, kind):
    """They would spread over the whole curve."""
    X, y = getattr(poisoned(), split)
    X = X.copy()
    X[0, 1] = value
    data = poisoned(kind=kind, **{split: (kind(X), y)})
    for estimator in (RidgeClassifier(), SVC(kernel="linear")):
        with pytest.raises(ValueError, match=f"{split}: finite features were expected, 1 are NaN or infinite"):
            bc.backdoor_learning_curve(estimator, data, betas=BETAS)


def test_huge_but_finite_features_are_not_called_infinite():
    """Their sum overflows, they do not."""
    X, y = poisoned().clean_test
    data = poisoned(clean_test=(np.full_like(X, 1e308), y))
    assert read_learner(GaussianNB(), data).test_rows(data.clean_test, "clean_test").X.max() == 1e308


def test_missing_values_reach_a_learner_that_takes_them():
    """HistGradientBoosting splits on them, and an imputer fills them in."""
    X, y = poisoned(200).clean_train
    X = X.copy()
    X[::7, 1] = np.nan
    data = poisoned(200, clean_train=(X, y))
    forest = HistGradientBoostingClassifier(max_iter=3)
    with of_counted_rows(forest):
        assert np.isfinite(bc.backdoor_learning_curve(forest, data, betas=BETAS).loss()).all()
    filled = make_pipeline(FunctionTransformer(np.nan_to_num), RidgeClassifier())
    assert np.isfinite(bc.backdoor_learning_curve(filled, data).loss()).all()


@pytest.mark.parametrize("estimator", [RidgeClassifierCV(), LogisticRegressionCV()])
def test_a_penalty_chosen_inside_fit_is_refused(estimator):
    """It would be chosen anew at every beta, and the curve would mix the choice with the learning."""
    with pytest.raises(ValueError, match="would choose its penalty anew at every beta; choose it first"):
        curve_of(estimator)


def test_a_nu_svc_has_no_lambda():
    """Its attribute C = 0 is no parameter."""
    assert "lambda" not in curve_of(NuSVC(nu=0.2)).info.hyperparameters


def test_hyperparameters_are_those_that_are_used():
    """A callable kernel has no gamma, and without a penalty there is no lambda."""
    assert set(curve_of(SVC(kernel=lambda A, B: A @ B.T)).info.hyperparameters) == {"lambda"}
    assert curve_of(LogisticRegression(C=np.inf, solver="newton-cholesky")).info.hyperparameters == {"lambda": 0.0}


def test_gamma_scale_of_small_integers_does_not_overflow():
    """Counts in a sparse matrix are often bytes."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 18, size=(40, 6)).astype(np.uint8), np.arange(40) % 2
    data = bc.PoisonedData(*((sp.csr_array(A), b) for A, b in ((X, y), (X[:5], 1 - y[:5]), (X, y), (X[:5], 1 - y[:5]))))
    joined = np.vstack([X, X[:5]]).astype(float)
    gamma = bc.backdoor_learning_curve(SVC(), data, betas=[0, 1]).info.hyperparameters["gamma"]
    assert gamma == pytest.approx(1 / (6 * joined.var()), rel=1e-12)


def test_a_misspelt_class_weight_is_refused():
    """scikit-learn would refuse it at the first fit; the closed form has none."""
    with pytest.raises(ValueError, match='class_weight: None, "balanced" or'):
        curve_of(RidgeClassifier(class_weight="balance"))


class OnlyPredicts(ClassifierMixin, BaseEstimator):
    def fit(self, X, y, sample_weight=None):  # noqa: ARG002 - what scikit-learn calls
        return self

    def predict(self, X):
        return np.zeros(len(X))


def test_a_classifier_without_scores_is_refused_before_it_is_fitted():
    """There is no loss without a score."""
    with pytest.raises(TypeError, match="neither decision_function nor predict_proba"):
        curve_of(OnlyPredicts())


def curve_of(estimator):
    """The curve on two Gaussian classes."""
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, 3)) + y[:, np.newaxis]
    data = bc.PoisonedData((X, y), (X[:4] + 2, 1 - y[:4]), (X, y), (X[:4] + 2, 1 - y[:4]))
    return bc.backdoor_learning_curve(
        estimator, data, **({} if isinstance(estimator, RidgeClassifier) else {"betas": [0, 1]})
    )
