"""OneVsRestClassifier and OneVsOneClassifier around learners of two classes: each column is that learner's own fit."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.data.samples import join
from backdoor_curves.learners.exact import two_class_columns

CLOSE = {"tol": 1e-10, "max_iter": 10**6}
INSIDE = {
    "logistic": LogisticRegression(**CLOSE),
    "logistic, liblinear": LogisticRegression(solver="liblinear", **CLOSE),
    "logistic, balanced": LogisticRegression(class_weight="balanced", **CLOSE),
    "hinge": LinearSVC(loss="hinge", random_state=0, **CLOSE),
    "squared hinge, weighted": LinearSVC(class_weight={0: 1.0, 1: 3.0}, random_state=0, **CLOSE),
    "squared hinge": LinearSVC(random_state=0, **CLOSE),
    "RBF, scale": SVC(tol=1e-10),
    "RBF, weighted": SVC(gamma=0.3, class_weight={0: 1.0, 1: 3.0}, tol=1e-10),
    "linear, balanced": SVC(kernel="linear", C=0.3, class_weight="balanced", tol=1e-10),
    "ridge": RidgeClassifier(),
    "ridge, balanced": RidgeClassifier(class_weight="balanced"),
}
AROUND = {"one-vs-rest": OneVsRestClassifier, "one-vs-one": OneVsOneClassifier}
SOLVED = 2e-5
"""What lbfgs, liblinear and libsvm at 1e-10 are off by at most; scikit-learn's libsvm keeps its kernel in singles."""
BETAS = (0.0, 0.37, 1.0)
every_kind = pytest.mark.parametrize("around", AROUND)
every_learner = pytest.mark.parametrize("inside", INSIDE)


@cache
def data_of(n_classes: int, labels: Any = 1) -> bc.PoisonedData:
    """Classes that overlap, so that pairs vote in circles; poison of one label, so that some pairs see none."""
    rng = np.random.default_rng(0)
    parts = []
    for n in (90, 60):
        y = np.arange(n) % n_classes
        parts.append((rng.normal(size=(n, 4)) + 1.2 * np.eye(6)[y][:, :4], y))
    return bc.poison(*parts, trigger=stamp, rate=0.2, labels=labels, rng=rng)


def stamp(X: np.ndarray, y: np.ndarray) -> np.ndarray:  # noqa: ARG001
    return X + np.array([0.0, 0.0, 0.0, 3.0])


@cache
def curve_of(around: str, inside: str, n_classes: int) -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(AROUND[around](INSIDE[inside]), data_of(n_classes), tolerance=1e-8)


def fitted(estimator: Any, data: bc.PoisonedData, beta: float) -> Any:
    """Its own fit, with weights by metadata routing, of the rows that weigh something."""
    rows = join(data.clean_train, data.poison_train, data.is_poison)
    weight = np.where(data.is_poison, beta, 1.0)
    kept = weight > 0.0
    with sklearn.config_context(enable_metadata_routing=True):
        inside = clone(estimator.estimator).set_fit_request(sample_weight=True)
        model = clone(estimator).set_params(estimator=inside)
        return model.fit(rows.X[kept], rows.y[kept], sample_weight=weight[kept])


def betas_of(inside: str) -> tuple[float, ...]:
    """What hangs on all rows is frozen with the poison at weight 1, and so in a fit at beta = 1 alone."""
    return BETAS[2:] if "balanced" in inside or "scale" in inside else BETAS


@every_learner
@every_kind
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_each_column_is_its_own_fit_and_predictions_are_scikit_learns(around, inside, n_classes):
    """Without metadata routing, which is for the fits that a path has no need of."""
    curve, data = curve_of(around, inside, n_classes), data_of(n_classes)
    assert curve.exact
    for beta in betas_of(inside):
        model = fitted(AROUND[around](INSIDE[inside]), data, beta)
        for split, X in (("clean", data.clean_test.X), ("triggered", data.triggered_test.X)):
            own = np.column_stack([part.decision_function(X) for part in model.estimators_])
            ours = curve.scores(split, beta)[0].reshape(len(X), -1)
            np.testing.assert_allclose(ours, own, atol=SOLVED)
            np.testing.assert_array_equal(curve.predictions(split, beta)[0], model.predict(X))
            if n_classes > 2:
                np.testing.assert_allclose(curve.class_scores(split, beta)[0], model.decision_function(X), atol=SOLVED)


@every_learner
@every_kind
def test_slopes_areas_and_influences_are_of_one_loss(around, inside):
    """The slope by differences, the area by a fine grid, the sum over the poison's influences to rounding."""
    curve, beta, h = curve_of(around, inside, 4), 0.53, 1e-5
    low, high = curve.loss("triggered", [beta - h, beta + h])
    slope = curve.slope(beta)
    assert slope == pytest.approx((high - low) / (2 * h), rel=1e-5, abs=1e-7)
    assert curve.influence(beta).slope == pytest.approx(slope, abs=1e-11)
    grid = np.linspace(0.0, 1.0, 4001)
    # By the trapezoidal rule, off by the second derivative near 0 and the corners.
    assert curve.area() == pytest.approx(np.trapezoid(curve.loss("triggered", grid), grid), abs=1e-5)
    assert curve.certificate([0.0, beta, 1.0]).score_bound.max() < 1e-8
    assert 0.0 < curve.angle(1.0) < 1.0


@pytest.mark.parametrize("inside", ["logistic", "hinge", "RBF, weighted", "ridge"])
@every_kind
def test_curves_are_saved_with_their_predictions(around, inside):
    curve, stream = curve_of(around, inside, 4), BytesIO()
    curve.save(stream)
    stream.seek(0)
    again = bc.BackdoorLearningCurve.load(stream)
    assert (again.info, again.area()) == (curve.info, curve.area())
    assert np.array_equal(again.flip_betas, curve.flip_betas, equal_nan=True)
    np.testing.assert_array_equal(again.predictions("triggered"), curve.predictions("triggered"))


def test_a_class_against_the_rest_is_what_ridge_and_a_linear_svm_do_themselves():
    """Ridge has one system for all columns, LinearSVC fits one after the other: the same optima, by the same road."""
    for estimator in (RidgeClassifier(alpha=0.3), LinearSVC(C=0.3), LinearSVC(C=0.3, loss="hinge")):
        own, made = (bc.backdoor_learning_curve(one, data_of(4)) for one in (estimator, OneVsRestClassifier(estimator)))
        grid = np.linspace(0.0, 1.0, 50)
        np.testing.assert_allclose(made.scores("triggered", grid), own.scores("triggered", grid), atol=1e-11)
        assert (made.area(), made.slope(0.3)) == pytest.approx((own.area(), own.slope(0.3)), rel=1e-11)
        assert made.info.encoding == own.info.encoding == "one-vs-rest"


def test_pairs_that_see_no_poison_stand_still():
    """Of four classes and poison of one label three pairs of six."""
    for inside in ("logistic", "squared hinge", "hinge", "RBF, weighted", "ridge", "ridge, balanced"):
        scores = curve_of("one-vs-one", inside, 4).scores("triggered", [0.0, 0.5, 1.0])
        still = np.abs(np.diff(scores, axis=0)).max(axis=(0, 1)) < 1e-9
        assert still.tolist() == [False, True, True, False, False, True]


def with_rows(data: bc.PoisonedData, of: Any) -> bc.PoisonedData:
    """The same data, its rows of another kind."""
    parts = ("clean_train", "poison_train", "clean_test", "triggered_test")
    return replace(data, original_train=None, **{part: of(getattr(data, part)) for part in parts})


def test_sparse_rows_are_followed_in_the_columns_that_are_used():
    """Two columns of six are empty in training rows."""
    data = data_of(3)

    def wide(rows: bc.Samples) -> bc.Samples:
        return replace(rows, X=sp.csr_array(np.column_stack([rows.X, np.zeros((len(rows), 2))])))

    sparse = with_rows(data, wide)
    for around in AROUND.values():
        for inside in ("logistic", "squared hinge", "ridge", "RBF, weighted"):
            dense, found = (bc.backdoor_learning_curve(around(INSIDE[inside]), one) for one in (data, sparse))
            np.testing.assert_allclose(found.loss(), dense.loss(), atol=1e-7)


def test_frames_are_rows_of_numbers():
    pandas = pytest.importorskip("pandas")
    data = data_of(3)
    framed = with_rows(data, lambda rows: replace(rows, X=pandas.DataFrame(rows.X, columns=list("abcd"))))
    found = bc.backdoor_learning_curve(OneVsRestClassifier(LogisticRegression()), framed)
    dense = bc.backdoor_learning_curve(OneVsRestClassifier(LogisticRegression()), data)
    np.testing.assert_allclose(found.loss(), dense.loss(), rtol=1e-9)


def test_refits_score_the_columns_of_the_path():
    """With weights by routing; by the same loss and the same scores, and with w where the columns have one."""
    data, betas = data_of(3), [0.2, 1.0]
    for around in AROUND.values():
        inside = INSIDE["logistic"]
        with sklearn.config_context(enable_metadata_routing=True):
            asking = around(clone(inside).set_fit_request(sample_weight=True))
            refit = bc.backdoor_learning_curve(asking, data, method="refit", betas=betas)
        exact = bc.backdoor_learning_curve(around(inside), data, betas=betas)
        assert (refit.info.loss, refit.info.encoding) == (exact.info.loss, exact.info.encoding)
        np.testing.assert_allclose(refit.loss(), exact.loss(), atol=SOLVED)
        np.testing.assert_allclose(refit.norm(), exact.norm(), atol=SOLVED)


def test_steps_before_it_are_frozen_and_steps_inside_are_not_taken():
    """Inside, scikit-learn would fit them for each column; before it a scaler is the same to all of them."""
    data = data_of(3)
    before = make_pipeline(StandardScaler(), OneVsRestClassifier(INSIDE["logistic"]))
    inside = OneVsRestClassifier(make_pipeline(StandardScaler(), INSIDE["logistic"]))
    rows = join(data.clean_train, data.poison_train, data.is_poison)
    curve, model = bc.backdoor_learning_curve(before, data), clone(inside).fit(rows.X, rows.y)
    np.testing.assert_array_equal(curve.predictions("triggered", 1.0)[0], model.predict(data.triggered_test.X))
    with pytest.raises(TypeError, match=r"put the steps in front: make_pipeline\(step, OneVsRestClassifier\(class"):
        bc.backdoor_learning_curve(inside, data)


REFUSED = [
    (
        OneVsRestClassifier(GaussianNB()),
        "no exact path around GaussianNB: it has one around RidgeClassifier, .*routing",
    ),
    (
        OneVsOneClassifier(LinearSVC(penalty="l1", dual=False)),
        "around LinearSVC with penalty='l1': it has one .*routing",
    ),
    (OneVsRestClassifier(LogisticRegression(l1_ratio=0.5, solver="saga")), "around LogisticRegression with .*routing"),
    (OneVsRestClassifier(LogisticRegression(C=np.inf)), "around LogisticRegression with C=inf: .*routing"),
    (OneVsRestClassifier(OneVsRestClassifier(SVC())), "no exact path around OneVsRestClassifier: .*routing"),
    (OneVsOneClassifier(SVC(kernel="precomputed")), 'kernel: with "precomputed" SVC or NuSVC alone was expected'),
    (OneVsRestClassifier("logistic"), "around an unfitted classifier was expected, around 'logistic' it came"),
    (OneVsRestClassifier(LogisticRegression(C=-1.0)), "C: a number > 0 was expected, -1.0 came"),
    (OneVsRestClassifier(SVC(class_weight={"ham": 2.0})), r"class_weight: labels out of \[0, 1\] were expected, 'ham'"),
    (OneVsRestClassifier(SVC(class_weight={0: 0.0})), "class_weight: a weight > 0 was expected for both classes"),
    (OneVsRestClassifier(LogisticRegression(tol=-1.0)), "'tol' parameter of LogisticRegression"),
]


@pytest.mark.parametrize(("estimator", "sentence"), REFUSED, ids=lambda value: repr(value)[:60])
def test_what_is_not_followed_is_refused_in_a_sentence(estimator, sentence):
    """That says what is missing: where weights can be handed on it is refitted."""
    with pytest.raises((TypeError, ValueError), match="(?s)" + sentence.replace(".*routing", "")) as caught:
        bc.backdoor_learning_curve(estimator, data_of(3))
    assert "\n" not in str(caught.value)
    assert ("enable_metadata_routing=True" in str(caught.value)) == sentence.endswith("routing")


def test_columns_weighed_alike_are_followed_together_and_others_as_if_they_were(monkeypatch):
    """Two roads to one curve: all columns on one kernel matrix, or each as a learner of its own."""
    data, estimators = data_of(4), [around(SVC(gamma=0.3)) for around in AROUND.values()]
    together = [bc.backdoor_learning_curve(one, data) for one in estimators]
    monkeypatch.setattr(two_class_columns, "_is_same_for_all", lambda *_: False)
    for estimator, curve in zip(estimators, together, strict=True):
        alone = bc.backdoor_learning_curve(estimator, data)
        np.testing.assert_allclose(alone.loss(), curve.loss(), atol=1e-11)
        found, duals = (one.path.parameters(np.array([0.0, 0.4])) for one in (alone, curve))
        X = join(data.clean_train, data.poison_train, np.arange(len(data.is_poison)) >= len(data.clean_train)).X
        K = np.exp(-0.3 * ((X[:, np.newaxis] - data.clean_test.X) ** 2).sum(-1))
        for model in (found, duals):
            first = np.unique(model.rows, return_index=True)[1]
            scores = np.einsum("bpc,px->bxc", model.coef, K[first]) + model.intercept[:, np.newaxis]
            np.testing.assert_allclose(scores, curve.scores("clean", [0.0, 0.4]), atol=1e-9)


def test_a_column_with_the_labels_turned_round_is_seen():
    """The check above would notice: pairs are positive for their second class, as two classes are."""
    curve, data = curve_of("one-vs-one", "ridge", 3), data_of(3)
    model = fitted(OneVsOneClassifier(RidgeClassifier()), data, 1.0)
    own = np.column_stack([part.decision_function(data.clean_test.X) for part in model.estimators_])
    assert np.abs(curve.scores("clean", 1.0)[0] + own).max() > 0.1
