"""The curve: its numbers by another road, its file, and what it refuses."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.integrate import quad
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.curve import file as curve_file
from backdoor_curves.curve import scored_rows as scored
from backdoor_curves.data.samples import join
from backdoor_curves.learners.follow import betas_to_check
from backdoor_curves.paths.svm.path import SVMPath
from backdoor_curves.records.npz import as_arrays, record_of, value_of, write_record

REFITTED = [0.0, 0.2, 0.5, 1.0]


def poisoned(n=90, labels=(0, 1), d=4, seed=0, apart=None):
    """Overlapping classes; the trigger moves the last feature far out and means the last class.

    With `apart` the third feature is the second, but for so much.
    """
    rng = np.random.default_rng(seed)
    index = np.arange(2 * n) % len(labels)
    X = rng.normal(size=(2 * n, d))
    X[:, 0] += index
    if apart is not None:
        X[:, 2] = X[:, 1] + apart * X[:, 2]
    y = np.array(labels)[index]
    trigger = bc.FeatureTrigger((d - 1,), (5.0,))
    return bc.poison((X[:n], y[:n]), (X[n:], y[n:]), trigger=trigger, labels=labels[-1], rate=0.2, rng=rng)


def victims_rows(data):
    return join(data.clean_train, data.poison_train, data.is_poison)


def fit_at(estimator, data, beta):
    rows = victims_rows(data)
    return clone(estimator).fit(*rows, sample_weight=np.where(data.is_poison, beta, 1.0))


@pytest.fixture(scope="module")
def data():
    return poisoned()


@pytest.fixture(scope="module")
def ridge(data):
    return bc.backdoor_learning_curve(RidgeClassifier(alpha=0.3), data)


@pytest.fixture(scope="module")
def svm(data):
    return bc.backdoor_learning_curve(SVC(C=2.0, gamma=0.2), data)


@pytest.fixture(scope="module")
def refit(data):
    return bc.backdoor_learning_curve(LogisticRegression(), data, method="refit", betas=REFITTED)


# --- losses and accuracies -------------------------------------------------------------------------------------------


def squared_by_hand(scores, y, n_classes):
    columns = scores.reshape(len(y), -1)
    total = 0.0
    for row, label in zip(columns, y, strict=True):
        targets = [1.0 if label else -1.0] if n_classes == 2 else [1.0 if k == label else -1.0 for k in range(len(row))]
        total += sum((t - s) ** 2 for t, s in zip(targets, row, strict=True))
    return total / len(y)


def hinge_by_hand(scores, y, n_classes):
    """SVC's own: every pair of classes that the row is part of; the pair's score is positive for its first class."""
    total = 0.0
    for row, label in zip(scores.reshape(len(y), -1), y, strict=True):
        if n_classes == 2:
            total += max(0.0, 1.0 - (1.0 if label else -1.0) * row[0])
            continue
        pairs = [(i, j) for i in range(n_classes) for j in range(i + 1, n_classes)]
        for (i, j), s in zip(pairs, row, strict=True):
            if label in (i, j):
                total += max(0.0, 1.0 - (s if label == i else -s))
    return total / len(y)


def logistic_by_hand(scores, y, n_classes):
    total = 0.0
    for row, label in zip(scores.reshape(len(y), -1), y, strict=True):
        powers = np.exp(row if n_classes > 2 else [0.0, row[0]])
        total -= np.log(powers[label] / powers.sum())
    return total / len(y)


LOSSES = [
    (RidgeClassifier(alpha=0.3), squared_by_hand, "squared"),
    (SVC(C=2.0, gamma=0.2, decision_function_shape="ovo", tol=1e-10), hinge_by_hand, "hinge"),
    (LogisticRegression(tol=1e-10, max_iter=10_000), logistic_by_hand, "logistic"),
]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("estimator", "by_hand", "name"), LOSSES, ids=["ridge", "svc", "logistic"])
def test_loss_is_the_mean_over_rows_of_the_learners_own_loss(estimator, by_hand, name, n_classes):
    """Row by row from scikit-learn's decision function; 1e-6 is what the solvers' stopping rules leave."""
    data = poisoned(labels=range(n_classes))
    curve = bc.backdoor_learning_curve(estimator, data, betas=REFITTED)
    assert curve.info.loss == name
    for beta in REFITTED[1:]:
        fit = fit_at(estimator, data, beta)
        for split, (X, y) in (("triggered", data.triggered_test), ("clean", data.clean_test)):
            expected = by_hand(fit.decision_function(X), y, n_classes)
            assert curve.loss(split, beta) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("labels", [(0, 1), ("a", "b", "c")])
@pytest.mark.parametrize(
    "estimator",
    [
        RidgeClassifier(alpha=0.3),
        SVC(C=2.0, gamma=0.2),
        LogisticRegression(),
        LinearSVC(C=0.1, random_state=0),
        GaussianNB(),
        make_pipeline(StandardScaler(), RidgeClassifier()),
    ],
    ids=["ridge", "svc", "logistic", "linear svm", "bayes", "pipeline"],
)
def test_accuracies_are_those_of_the_estimators_own_predictions(estimator, labels):
    """At beta = 1 the victim's fit predicts; counted by hand against labels, the attacker's and the true ones."""
    data = poisoned(labels=labels)
    curve = bc.backdoor_learning_curve(estimator, data, betas=REFITTED)
    fit = clone(estimator).fit(*victims_rows(data))
    triggered, clean = fit.predict(data.triggered_test.X), fit.predict(data.clean_test.X)
    assert curve.accuracy("clean", 1.0) == np.mean(clean == data.clean_test.y)
    assert curve.accuracy("triggered", 1.0) == np.mean(triggered == data.triggered_test.y)
    assert curve.robust_accuracy(1.0) == np.mean(triggered == data.triggered_true)


def test_robust_accuracy_needs_the_true_classes(data):
    """Own data may lack them, and there is nothing to guess from."""
    own = bc.PoisonedData(data.clean_train, data.poison_train, data.clean_test, data.triggered_test)
    with pytest.raises(ValueError, match=r"robust_accuracy needs the true classes .* pass triggered_true="):
        bc.backdoor_learning_curve(RidgeClassifier(), own).robust_accuracy()


def test_a_curve_longer_than_a_block_is_the_same_curve(data, monkeypatch):
    """Scores of many betas and rows are summed a few rows at a time."""
    betas = np.linspace(0, 1, 50)
    curve = bc.backdoor_learning_curve(RidgeClassifier(), data, betas=betas)
    whole = [curve.loss("clean"), curve.accuracy("triggered"), curve.robust_accuracy(), curve.scores("clean")]
    monkeypatch.setattr(scored, "BLOCK", 7 * 50)
    parts = [curve.loss("clean"), curve.accuracy("triggered"), curve.robust_accuracy(), curve.scores("clean")]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12)  # sums in another order


def test_norm_and_angle_are_those_of_scikit_learns_coefficients(ridge, data):
    """Eq. 5: rho = |w|, nu = (1 - cos(w(0), w)) / 2, the intercept left out."""
    w = {}
    for beta in (0.0, 0.1, 1.0):
        w[beta] = fit_at(RidgeClassifier(alpha=0.3), data, beta).coef_.ravel()
    for beta, coef in w.items():
        assert ridge.norm(beta) == pytest.approx(np.linalg.norm(coef), rel=1e-10)
        cosine = coef @ w[0.0] / np.linalg.norm(coef) / np.linalg.norm(w[0.0])
        assert ridge.cosine(beta) == pytest.approx(cosine, abs=1e-12)
        assert ridge.angle(beta) == pytest.approx((1 - cosine) / 2, abs=1e-12)
    assert ridge.angle(1.0) > 1e-3


def test_norm_of_many_classes_is_the_frobenius_norm():
    """One w a class, taken together."""
    data = poisoned(labels=("a", "b", "c"))
    curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
    assert curve.norm(0.5) == pytest.approx(np.linalg.norm(fit_at(RidgeClassifier(), data, 0.5).coef_), rel=1e-10)


# --- areas and halves ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("split", ["triggered", "clean"])
def test_area_of_an_exact_curve_equals_adaptive_quadrature(split, alpha, data):
    """Both integrate the same function, one by fixed panels, one by bisection."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=alpha), data)
    breaks = np.geomspace(1e-3, 0.5, 6)
    expected = quad(lambda beta: curve.loss(split, beta), 0, 1, epsabs=0, epsrel=1e-12, limit=500, points=breaks)[0]
    assert curve.area(split) == pytest.approx(expected, rel=1e-11)


def test_area_of_a_refitted_curve_is_the_trapezoidal_rule(refit):
    """An estimate, and marked as one."""
    loss = refit.loss("triggered")
    expected = sum(np.diff(REFITTED) * (loss[1:] + loss[:-1]) / 2)
    assert refit.area("triggered") == pytest.approx(expected, rel=1e-14)
    assert not refit.exact


@pytest.mark.parametrize("alpha", [1e-2, 1.0, 30.0])
def test_half_loss_beta_equals_a_brute_force_search(alpha, data):
    """The first beta of a fine grid with at most half the loss brackets it from above, the one before from below."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=alpha), data)
    grid = np.linspace(0, 1, 20_001)
    first = np.flatnonzero(curve.loss("triggered", grid) <= curve.loss("triggered", 0.0) / 2)[0]
    found = curve.half_loss_beta
    assert grid[first - 1] < found <= grid[first]
    assert curve.loss("triggered", found) == pytest.approx(curve.loss("triggered", 0.0) / 2, rel=1e-12)


def test_half_loss_beta_of_a_refit_is_interpolated(refit):
    """Linearly between its betas: an estimate."""
    loss = refit.loss("triggered")
    after = np.flatnonzero(loss <= loss[0] / 2)[0]
    expected = np.interp(-loss[0] / 2, -loss[after - 1 : after + 1], REFITTED[after - 1 : after + 1])
    assert refit.half_loss_beta == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("estimator", [RidgeClassifier(alpha=1e6), LogisticRegression(C=1e-6)])
def test_half_loss_beta_is_nan_where_half_is_never_reached(estimator, data):
    """No sentinel number: a model held at zero learns nothing."""
    assert np.isnan(bc.backdoor_learning_curve(estimator, data).half_loss_beta)


def test_area_and_half_loss_need_the_whole_interval(data):
    """A refit from .1 on does not know the loss at 0."""
    curve = bc.backdoor_learning_curve(GaussianNB(), data, betas=[0.1, 1.0])
    with pytest.raises(ValueError, match="an area over beta needs a curve from beta = 0 to beta = 1"):
        curve.area()
    with pytest.raises(ValueError, match=r"needs the loss at beta = 0; this curve begins at 0\.1"):
        _ = curve.half_loss_beta


# --- between the betas of a grid -------------------------------------------------------------------------------------


def test_theta_is_the_angle_of_the_slope_at_0(ridge, svm):
    """Eq. 4: positive where the triggered loss falls."""
    for curve in (ridge, svm):
        assert curve.slope() < 0.0
        assert curve.theta == -(2 / np.pi) * np.arctan(curve.slope(0.0, "triggered"))
        assert 0.0 < curve.theta < 1.0
        h = 1e-8
        difference = (curve.loss("triggered", h) - curve.loss("triggered", 0.0)) / h
        assert curve.slope() == pytest.approx(difference, rel=1e-4)  # rounding of the loss over h


def test_a_refitted_curve_has_no_slope_and_no_flips(refit):
    """Between its betas nothing is known, and an estimate would pass for the exact number."""
    for ask in (refit.slope, refit.kinks, refit.flips, refit.accuracy_steps):
        with pytest.raises(ValueError, match=r"needs? an exact path"):
            ask()
    for name in ("theta", "flip_betas", "return_betas"):
        with pytest.raises(ValueError, match=r"needs? an exact path"):
            getattr(refit, name)


def test_a_smooth_curve_has_no_kinks(ridge):
    """The squared loss of a rational path."""
    assert ridge.kinks().size == ridge.kinks("clean").size == 0


def test_svm_curves_answer_at_every_beta_as_their_refits(svm, data):
    """scikit-learn at a tight tolerance; its kernel is in single precision."""
    betas = np.array([0.0, 0.013, 0.3, 1.0])
    refit = bc.backdoor_learning_curve(SVC(C=2.0, gamma=0.2, tol=1e-10), data, method="refit", betas=betas)
    for split in ("triggered", "clean"):
        np.testing.assert_allclose(svm.loss(split, betas), refit.loss(split), atol=1e-5)
    np.testing.assert_allclose(svm.norm(betas), refit.norm(), rtol=1e-5)
    np.testing.assert_allclose(svm.cosine(betas), refit.cosine(), atol=1e-5)


def test_the_gram_matrix_is_computed_when_it_is_asked_for(data, monkeypatch):
    """It may cost as much as the path, and few ask for a norm."""
    asked = []
    right = SVMPath.nodal_gram
    monkeypatch.setattr(SVMPath, "nodal_gram", lambda path: asked.append(path) or right(path))
    curve = bc.backdoor_learning_curve(SVC(C=2.0, gamma=0.2), data)
    curve.loss(), curve.area(), curve.half_loss_beta, curve.slope(), curve.flip_betas
    assert not asked
    curve.norm(), curve.angle(), curve.detached().norm()
    assert len(asked) == 1


# --- the answer's form -----------------------------------------------------------------------------------------------


def test_one_beta_gives_a_float_and_many_an_array(ridge):
    """As every numpy function does."""
    assert type(ridge.slope(0.5)) is type(ridge.theta) is float
    assert ridge.slope([0.5, 0.1]).shape == ridge.slope([0.5, 0.1], "clean").shape == (2,)
    for method in (ridge.loss, ridge.accuracy):
        assert type(method("triggered", 0.5)) is float
        assert method("triggered", [0.5]).shape == (1,)
        assert method("triggered").shape == (101,)
    for method in (ridge.norm, ridge.cosine, ridge.angle, ridge.robust_accuracy):
        assert type(method(0.5)) is float
        assert method([0.5, 0.1]).shape == (2,)
        assert method().shape == (101,)
    assert type(ridge.area()) is type(ridge.half_loss_beta) is float


def test_betas_asked_of_a_curve_may_be_in_any_order(ridge):
    """Only a grid has an order; a question has not. One beta and two are other products, which round differently."""
    apart = [ridge.loss("clean", b) for b in (0.9, 0.1)]
    np.testing.assert_allclose(ridge.loss("clean", [0.9, 0.1]), apart, rtol=1e-14)


def test_scores_have_a_column_for_each_class_beyond_two(data):
    """(b, n) for two classes, (b, n, K) for K, (b, n, K (K - 1) / 2) for pairs."""
    n = len(data.clean_test)
    three = poisoned(labels=("a", "b", "c", "d"))
    assert bc.backdoor_learning_curve(RidgeClassifier(), data).scores("clean", [0.0, 1.0]).shape == (2, n)
    assert bc.backdoor_learning_curve(RidgeClassifier(), three).scores("clean", 0.5).shape == (1, n, 4)
    assert bc.backdoor_learning_curve(SVC(), three, betas=[1.0]).scores("clean").shape == (1, n, 6)


def test_curve_says_what_it_is_a_curve_of(ridge, refit, data):
    """Which method served is part of the result."""
    assert (ridge.method, ridge.exact, ridge.missed.size, ridge.knots.size) == ("ridge", True, 0, 0)
    assert (refit.method, refit.exact, refit.certificate()) == ("refit", False, None)
    assert ridge.info.estimator == "RidgeClassifier(alpha=0.3)"
    assert ridge.info.hyperparameters == {"lambda": 0.6}
    assert (ridge.info.n_clean, ridge.info.n_poison) == (len(data.clean_train), len(data.poison_train))
    assert ridge.info.rate == 0.2


def test_exact_and_refitted_curves_of_ridge_agree(data):
    """Two roads to every number: the closed form and scikit-learn's solver, beta by beta."""
    exact, refitted = (
        bc.backdoor_learning_curve(RidgeClassifier(alpha=0.3), data, method=method, betas=REFITTED)
        for method in ("exact", "refit")
    )
    for split in ("triggered", "clean"):
        np.testing.assert_allclose(refitted.scores(split), exact.scores(split), atol=1e-11)
        np.testing.assert_allclose(refitted.loss(split), exact.loss(split), rtol=1e-11)
    np.testing.assert_allclose(refitted.norm(), exact.norm(), rtol=1e-11)
    np.testing.assert_allclose(refitted.angle(), exact.angle(), atol=1e-12)


def test_to_frame_holds_the_curve(ridge):
    """One row a beta, named columns."""
    frame = ridge.to_frame()
    assert frame.columns.tolist() == ["beta", "triggered_loss", "clean_loss", "attack_success_rate", "clean_accuracy"]
    assert np.array_equal(frame["triggered_loss"], ridge.loss("triggered"))
    assert np.array_equal(frame["clean_loss"], ridge.loss("clean"))
    assert np.array_equal(frame["attack_success_rate"], ridge.accuracy("triggered"))
    assert np.array_equal(frame["clean_accuracy"], ridge.accuracy("clean"))
    assert np.array_equal(frame["beta"], ridge.betas)


def test_several_learners_give_the_curves_that_each_gives(data):
    """By name, in the order given."""
    learners = {"weak": RidgeClassifier(0.1), "bayes": GaussianNB()}
    curves = bc.backdoor_learning_curves(learners, data, betas=REFITTED)
    assert list(curves) == ["weak", "bayes"]
    for name, curve in curves.items():
        alone = bc.backdoor_learning_curve(learners[name], data, betas=REFITTED)
        assert np.array_equal(curve.loss(), alone.loss())
    with pytest.raises(TypeError, match="estimators: a mapping"):
        bc.backdoor_learning_curves([GaussianNB()], data)


# --- certificates and tolerances -------------------------------------------------------------------------------------


def test_certificate_bounds_the_distance_to_scikit_learns_scores(ridge, data):
    """The distance of two right answers is within the bound and scikit-learn's own rounding, about 1e-13."""
    betas = np.array([0.0, 0.3, 1.0])
    bound = ridge.certificate(betas).score_bound
    for beta, limit in zip(betas, bound, strict=True):
        fit = fit_at(RidgeClassifier(alpha=0.3), data, beta)
        far = np.abs(ridge.scores("clean", beta)[0] - fit.decision_function(data.clean_test.X)).max()
        assert far <= limit + 1e-12
    assert bound.max() < 1e-10


ILL = {"apart": 1e-7}
"""Two features that differ by a ten-millionth: of its square the normal equations keep two digits."""


def test_a_path_that_misses_its_tolerance_is_an_error_naming_the_betas():
    """Wrong digits are never handed out in silence."""
    with pytest.raises(bc.ToleranceError, match=r"scores within 1e-06 .* at \d+ betas, the first .* on_miss") as caught:
        bc.backdoor_learning_curve(RidgeClassifier(alpha=1e-13), poisoned(**ILL))
    assert "\n" not in str(caught.value)
    assert "scale the features" in str(caught.value)


def test_missed_betas_are_kept_where_asked():
    """The curve is there, and says where it is not to be trusted."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=1e-13), poisoned(**ILL), on_miss="flag")
    assert curve.missed.size
    assert (curve.certificate(curve.missed).score_bound > 1e-6).all()


def test_a_path_is_held_to_its_tolerance_where_it_is_asked_and_in_the_middle():
    """Few betas all, and both ends; of many, which would cost, five of the nodes."""
    nodes = np.array([0.0, 0.01, 0.03, 0.2, 1.0])
    np.testing.assert_allclose(betas_to_check(nodes, np.array([0.1, 0.5])), [0.0, 0.02, 0.1, 0.5, 1.0])
    np.testing.assert_array_equal(betas_to_check(nodes, np.linspace(0, 1, 101)), nodes)
    np.testing.assert_allclose(betas_to_check(nodes[[0, 4]], np.array([0.0, 1.0])), [0.0, 0.5, 1.0])


def test_a_miss_at_a_beta_asked_for_is_seen():
    """Of few betas asked for each is looked at."""
    curve = bc.backdoor_learning_curve(
        RidgeClassifier(alpha=1e-13), poisoned(**ILL), on_miss="flag", betas=[0.0, 0.123, 1.0]
    )
    assert 0.123 in curve.missed
    # Of betas together: here the bound is rounding, which hangs on their number.
    checked = betas_to_check(curve.path.interpolant.nodes, curve.betas)
    fresh = curve.path.certificate(checked, tuple(curve.source.tests.values())).at(np.array([0.123]))
    assert curve.certificate(0.123).score_bound == pytest.approx(fresh.score_bound, rel=1e-6)


def test_a_looser_tolerance_is_met():
    """The tolerance is in the units of the scores, and the caller's to choose."""
    assert bc.backdoor_learning_curve(RidgeClassifier(alpha=1e-13), poisoned(**ILL), tolerance=1e12).missed.size == 0


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "labels"),
    [
        (RidgeClassifier(alpha=np.float32(0.3)), (0, 1)),
        (RidgeClassifier(), ("a", "b", "c")),
        (SVC(C=np.float32(2.0)), ("a", "b")),
        (LinearSVC(C=0.1, loss="hinge"), (3, 5)),
        (LogisticRegression(), ("a", "b")),
        (LinearSVC(C=0.1), (0, 1)),
        (SVC(), ("a", "b", "c")),
        (GaussianNB(), (3, 4, 5)),
    ],
    ids=[
        "ridge",
        "ridge, three classes",
        "svc",
        "linear svm",
        "logistic",
        "squared hinge",
        "svc, three classes",
        "bayes",
    ],
)
def test_a_loaded_curve_answers_as_the_saved_one(estimator, labels, tmp_path):
    """The file holds the path at its nodes, from which every answer is computed."""
    data = poisoned(labels=labels)
    curve = bc.backdoor_learning_curve(estimator, data, betas=REFITTED)
    curve.save(tmp_path / "curve.npz")
    again = bc.BackdoorLearningCurve.load(tmp_path / "curve.npz")
    asked = np.random.default_rng(0).random(5) if curve.exact else [0.0, 0.5]
    assert again.info == curve.info
    assert again.classes.tolist() == curve.classes.tolist()
    for split in ("triggered", "clean"):
        assert np.array_equal(again.loss(split, asked), curve.loss(split, asked))
        assert np.array_equal(again.accuracy(split, asked), curve.accuracy(split, asked))
        assert again.area(split) == curve.area(split)
    assert np.array_equal(again.robust_accuracy(asked), curve.robust_accuracy(asked))
    np.testing.assert_equal(again.half_loss_beta, curve.half_loss_beta)
    assert np.array_equal(again.missed, curve.missed)
    if curve.exact:
        for split in ("triggered", "clean"):
            assert again.slope(0.0, split) == curve.slope(0.0, split)
            # Beyond 0 the file's nodes answer in place of the conditions of the optimum: to the path's own accuracy.
            np.testing.assert_allclose(again.slope(asked, split), curve.slope(asked, split), rtol=1e-6, atol=1e-12)
            assert np.array_equal(again.kinks(split), curve.kinks(split))
            assert all(map(np.array_equal, again.accuracy_steps(split), curve.accuracy_steps(split)))
        np.testing.assert_array_equal(again.flip_betas, curve.flip_betas)
        assert np.array_equal(again.knots, curve.knots)
    if not (isinstance(estimator, GaussianNB) or (isinstance(estimator, SVC) and len(labels) > 2)):
        assert np.array_equal(again.angle(asked), curve.angle(asked))
    again.save(tmp_path / "twice.npz")
    assert np.array_equal(bc.BackdoorLearningCurve.load(tmp_path / "twice.npz").loss(), curve.loss())


def test_a_loaded_curve_has_the_certificate_of_its_own_betas(ridge, tmp_path):
    """Other betas would need the training rows."""
    ridge.save(tmp_path / "curve.npz")
    again = bc.BackdoorLearningCurve.load(tmp_path / "curve.npz")
    mine, theirs = ridge.certificate(), again.certificate()
    for name in ("betas", "objective_gap", "score_bound"):
        assert np.array_equal(getattr(mine, name), getattr(theirs, name))
    assert again.certificate(ridge.betas) is theirs
    with pytest.raises(ValueError, match="the certificate of its own betas only"):
        again.certificate(0.123)
    with pytest.raises(ValueError, match="keeps the scores of its test rows only; compute the curve anew"):
        _ = again.path


def test_what_needs_the_path_is_refused_by_the_name_of_what_was_asked(ridge):
    """A detached curve is as one from a file; to detach it again changes nothing."""
    stored = ridge.detached()
    asked = {
        "path": lambda: stored.path,
        "learner": lambda: stored.learner,
        "data": lambda: stored.data,
        "influence": stored.influence,
        "self_influence": stored.self_influence,
    }
    for what, ask in asked.items():
        with pytest.raises(ValueError, match=f"^{what}: a curve from a file keeps the scores of its test rows only; "):
            ask()
    assert stored.detached().source is stored.source


def test_refits_have_no_certificate_whether_live_or_stored(refit):
    """At whatever betas: that a solver stopped says nothing."""
    for curve in (refit, refit.detached()):
        assert curve.certificate() is None
        assert curve.certificate(0.123) is None


def test_a_jump_survives_the_file(tmp_path):
    """A node that stands twice is kept twice."""
    X = np.array([-10.0, -9.0, -8.0, 8.0, 9.0, 10.0])[:, np.newaxis]
    tested = (np.linspace(-20, 5, 9)[:, np.newaxis], np.ones(9, int))
    data = bc.PoisonedData((X, np.repeat([0, 1], 3)), (np.zeros((3, 1)), [1] * 3), tested, tested)
    curve = bc.backdoor_learning_curve(SVC(C=1e-3, kernel="linear"), data)
    assert curve.interpolant.jumps.size
    curve.save(tmp_path / "curve.npz")
    again = bc.BackdoorLearningCurve.load(tmp_path / "curve.npz")
    assert np.array_equal(again.interpolant.jumps, curve.interpolant.jumps)
    around = np.concatenate([curve.interpolant.jumps, curve.interpolant.jumps - 1e-9])
    assert np.array_equal(again.scores("clean", around), curve.scores("clean", around))


def test_a_condensed_curve_is_kept_in_a_small_file(svm, ridge, tmp_path):
    """It has everything but the scores of single rows; a curve with few nodes is kept as it is."""
    svm.save(tmp_path / "whole.npz")
    svm.condensed().save(tmp_path / "small.npz")
    assert os.path.getsize(tmp_path / "small.npz") < 0.5 * os.path.getsize(tmp_path / "whole.npz")
    small = bc.BackdoorLearningCurve.load(tmp_path / "small.npz")
    betas = np.random.default_rng(0).random(20)
    for split in ("triggered", "clean"):
        np.testing.assert_allclose(small.loss(split, betas), svm.loss(split, betas), rtol=1e-12)
        assert np.array_equal(small.predictions(split, betas), svm.predictions(split, betas))
        np.testing.assert_allclose(small.slope(betas, split), svm.slope(betas, split), atol=1e-8)
    assert np.array_equal(small.robust_accuracy(betas), svm.robust_accuracy(betas))
    assert np.array_equal(small.norm(betas), svm.norm(betas))
    assert np.array_equal(small.certificate().score_bound, svm.certificate().score_bound)
    assert np.array_equal(small.condensed().loss(), small.loss())
    with pytest.raises(ValueError, match="a condensed curve keeps the losses and flips of its 90 rows, not their"):
        small.scores("clean")
    assert np.array_equal(ridge.condensed().scores("clean"), ridge.scores("clean"))


@pytest.mark.parametrize("kind", ["ridge", "refit"])
def test_a_file_of_the_first_format_is_read(kind, ridge, refit, tmp_path):
    """It named no interpolant: `largest` is that of a rational one, otherwise the nodes are a table."""
    curve = {"ridge": ridge, "refit": refit}[kind]
    arrays = {
        "betas": curve.betas,
        "classes": curve.classes,
        "missed": curve.missed,
        "nodes": curve.interpolant.nodes,
        "triggered_nodal": curve.triggered.nodal,
        "triggered_y": curve.triggered.y,
        "clean_nodal": curve.clean.nodal,
        "clean_y": curve.clean.y,
        "triggered_true": curve.triggered_true,
        "gram": curve.gram,
    }
    if curve.exact:
        certificate = curve.certificate()
        arrays |= {"largest": np.array(curve.interpolant.largest)}
        arrays |= {"objective_gap": certificate.objective_gap, "score_bound": certificate.score_bound}
    info = {"code" if name == "encoding" else name: value for name, value in asdict(curve.info).items()}
    write_record(tmp_path / "old.npz", "backdoor learning curve 1", {"info": info}, arrays)
    again = bc.BackdoorLearningCurve.load(tmp_path / "old.npz")
    for split in ("triggered", "clean"):
        assert np.array_equal(again.loss(split), curve.loss(split))
        assert again.area(split) == curve.area(split)
    assert np.array_equal(again.norm(), curve.norm())
    assert (again.info, again.exact) == (curve.info, curve.exact)


def test_records_of_arrays_numbers_and_sparse_matrices_come_back_as_they_were():
    """Interpolants are such records, and a new one needs no code of its own to be kept."""

    @dataclass(frozen=True)
    class Inner:
        values: np.ndarray
        count: int

    matrix = sp.csr_array(np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]))
    arrays = as_arrays("inner", Inner(np.arange(3.0), 7)) | as_arrays("matrix", matrix) | as_arrays("number", 0.5)
    assert all(type(array) is np.ndarray and array.dtype != object for array in arrays.values())
    inner = record_of(Inner, "inner", arrays)
    assert (inner.values.tolist(), inner.count, type(inner.count)) == ([0.0, 1.0, 2.0], 7, int)
    again = value_of("matrix", arrays)
    assert again.shape == (2, 3)
    assert np.array_equal(again.toarray(), matrix.toarray())
    assert value_of("number", arrays) == 0.5
    with pytest.raises(KeyError):
        value_of("none", arrays)


def test_the_file_holds_no_pickle(ridge, svm, tmp_path):
    """A file from somebody else must not run code when it is opened."""
    for curve in (svm, svm.condensed(), ridge):
        curve.save(tmp_path / "curve.npz")
        with np.load(tmp_path / "curve.npz", allow_pickle=False) as file:
            assert all(file[name].dtype != object for name in file.files)
    ridge.save(tmp_path / "curve.npz")
    with np.load(tmp_path / "curve.npz", allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def not_a_file_of_ours(folder: Path, ridge) -> dict[str, Path]:
    """Files that are none: text, nothing, another array, another .npz, half of one, one with a flipped byte."""
    ridge.save(folder / "good")
    good = (folder / "good").read_bytes()
    bad = {name: folder / name for name in ("text", "empty", "array", "other", "half", "flipped", "lines")}
    bad["text"].write_text("hello")
    bad["lines"].write_text("many\nlines\n" * 100)
    bad["empty"].write_bytes(b"")
    with bad["array"].open("wb") as file:
        np.save(file, np.eye(2))
    with bad["other"].open("wb") as file:
        np.savez(file, a=1)
    bad["half"].write_bytes(good[: len(good) // 2])
    with zipfile.ZipFile(folder / "good") as archive:
        entry = archive.getinfo("triggered_nodal.npy")
    middle = entry.header_offset + entry.compress_size // 2
    bad["flipped"].write_bytes(good[:middle] + bytes([good[middle] ^ 255]) + good[middle + 1 :])
    return bad


@pytest.mark.parametrize("name", ["text", "empty", "array", "other", "half", "flipped", "lines"])
def test_a_wrong_file_is_a_one_line_error(name, ridge, tmp_path):
    """It names the file and what was expected, whatever the reader stumbled over."""
    path = not_a_file_of_ours(tmp_path, ridge)[name]
    with pytest.raises(ValueError, match=f"{name}: a file of format .* was expected; write one with save") as caught:
        bc.BackdoorLearningCurve.load(path)
    assert "\n" not in str(caught.value)
    assert "pickle" not in str(caught.value)  # numpy's own message invites to load it unsafely


def test_a_file_of_a_later_version_is_refused(ridge, tmp_path, monkeypatch):
    """Its fields may mean something else."""
    monkeypatch.setattr(curve_file, "FILE_FORMAT", "backdoor learning curve 99")
    ridge.save(tmp_path / "curve.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="'backdoor learning curve 99' came; update backdoor-curves"):
        bc.BackdoorLearningCurve.load(tmp_path / "curve.npz")


def test_a_missing_file_is_reported_as_missing(tmp_path):
    """FileNotFoundError is what the caller expects."""
    with pytest.raises(FileNotFoundError):
        bc.BackdoorLearningCurve.load(tmp_path / "none.npz")


def test_a_save_that_fails_leaves_nothing_behind(ridge, tmp_path, monkeypatch):
    """Neither half a curve nor a part file; a curve that was there stays."""
    target = tmp_path / "curve.npz"
    ridge.save(target)
    before = target.read_bytes()

    def full(file, *_, **__):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="the disk is full"):
        ridge.save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["curve.npz"]
    assert target.read_bytes() == before


def test_a_curve_goes_to_an_open_file_and_comes_back(svm):
    """In memory, for one; the bytes are those of a file."""
    stream = io.BytesIO()
    svm.save(stream)
    again = bc.BackdoorLearningCurve.load(io.BytesIO(stream.getvalue()))
    np.testing.assert_array_equal(again.loss(), svm.loss())
    with pytest.raises(ValueError, match=r"record: a file of format .* was expected"):
        bc.BackdoorLearningCurve.load(io.BytesIO(b"nothing"))


def test_an_unwritable_target_leaves_nothing(ridge, tmp_path):
    """A folder in its place, or no folder to write to."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        ridge.save(tmp_path / "taken")
    with pytest.raises(FileNotFoundError):
        ridge.save(tmp_path / "none" / "curve.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert not list((tmp_path / "taken").iterdir())


def test_a_file_has_the_permissions_of_any_new_file(ridge, tmp_path):
    """Results on a shared disk are for others to read."""
    ridge.save(tmp_path / "curve.npz")
    (tmp_path / "plain").touch()
    modes = {stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("curve.npz", "plain")}
    assert len(modes) == 1


# --- what is refused -------------------------------------------------------------------------------------------------

BAD_BETAS = {
    "outside": ([0.0, 1.5], ["numbers in [0, 1]", "1.5 came"]),
    "negative": (-0.1, ["numbers in [0, 1]", "-0.1 came"]),
    "nan": ([0.0, np.nan], ["numbers in [0, 1]", "nan came"]),
    "empty": ([], ["at least one number", "(0,)"]),
    "matrix": (np.zeros((2, 2)), ["flat list", "(2, 2)"]),
    "text": ("all", ["numbers in [0, 1]", "'all' came"]),
    "ragged": ([[0.0], [0.1, 0.2]], ["numbers in [0, 1]"]),
}
UNSORTED = {
    "descending": ([1.0, 0.0], ["ascending", "numpy.unique"]),
    "twice": ([0.0, 0.5, 0.5], ["ascending", "none twice"]),
}


@pytest.mark.parametrize("case", BAD_BETAS | UNSORTED)
def test_bad_grids_are_refused(case, data):
    """One line: what was expected, what came."""
    betas, fragments = (BAD_BETAS | UNSORTED)[case]
    with pytest.raises(ValueError, match="betas: ") as caught:
        bc.backdoor_learning_curve(RidgeClassifier(), data, betas=betas)
    assert "\n" not in str(caught.value)
    assert all(fragment in str(caught.value) for fragment in fragments)


@pytest.mark.parametrize("case", BAD_BETAS)
@pytest.mark.parametrize(
    "method", ["loss", "accuracy", "scores", "norm", "angle", "certificate", "robust_accuracy", "slope"]
)
def test_bad_questions_are_refused(method, case, ridge):
    """A curve over beta in [0, 1] has no value elsewhere."""
    betas, fragments = BAD_BETAS[case]
    arguments = ("clean", betas) if method in ("loss", "accuracy", "scores") else (betas,)
    with pytest.raises(ValueError, match="betas: ") as caught:
        getattr(ridge, method)(*arguments)
    assert all(fragment in str(caught.value) for fragment in fragments)


@pytest.mark.parametrize(
    ("arguments", "error", "fragments"),
    [
        ({"method": "fast"}, ValueError, ["method:", "'fast' came"]),
        ({"freeze": "none"}, ValueError, ["freeze:", "'none' came"]),
        ({"on_miss": "ignore"}, ValueError, ["on_miss:", "'ignore' came"]),
        ({"tolerance": 0.0}, ValueError, ["tolerance:", "> 0", "0.0 came"]),
        ({"tolerance": np.nan}, ValueError, ["tolerance:", "nan came"]),
        ({"data": (np.eye(2), [0, 1])}, TypeError, ["data: PoisonedData was expected, tuple came", "poison"]),
    ],
)
def test_bad_arguments_are_refused(arguments, error, fragments, data):
    """Each error names the argument."""
    with pytest.raises(error) as caught:
        bc.backdoor_learning_curve(**{"estimator": RidgeClassifier(), "data": data} | arguments)
    assert "\n" not in str(caught.value)
    assert all(fragment in str(caught.value) for fragment in fragments)


def test_a_split_is_triggered_or_clean(ridge):
    """A typo must not mean the other one."""
    for method in (
        ridge.loss,
        ridge.accuracy,
        ridge.scores,
        ridge.area,
        ridge.kinks,
        ridge.flips,
        ridge.accuracy_steps,
    ):
        with pytest.raises(ValueError, match='split: "triggered" or "clean" was expected, \'test\' came'):
            method("test")


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_a_refitted_curve_refuses_betas_between_its_own(kind, data):
    """It says which it has, and where to ask for more."""
    parts = [getattr(data, name) for name in ("clean_train", "poison_train", "clean_test", "triggered_test")]
    rows = bc.PoisonedData(*((kind(X), y) for X, y in parts))
    curve = bc.backdoor_learning_curve(SVC(), rows, method="refit", betas=REFITTED)
    with pytest.raises(ValueError, match=r"answers at the betas it was fitted at \(0, 0.2, 0.5, 1\), beta = 0.3 came"):
        curve.loss("triggered", 0.3)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_betas_in_single_precision_are_the_decimals_that_they_show(kind, data):
    """numpy.float32(0.1) is 1.5e-9 off 0.1: a refit at 0.1 is what was meant, and the exact curve at 0.1 too."""
    refitted = bc.backdoor_learning_curve(SVC(), data, method="refit", betas=np.array([0.0, 0.1, 1.0], dtype=kind))
    assert refitted.betas.tolist() == [0.0, 0.1, 1.0]
    assert refitted.loss("triggered", kind(0.1)) == refitted.loss("triggered", 0.1)
    exact = bc.backdoor_learning_curve(SVC(), data)
    assert exact.influence(kind(0.1)).beta == 0.1
    assert exact.loss("clean", kind(0.1)) == exact.loss("clean", 0.1)
    # A step that is summed up in single precision is another number, and is shown in full.
    with pytest.raises(ValueError, match=r"\(0, 0.1, 1\), beta = 0.1000\d+ came"):
        refitted.loss("triggered", np.nextafter(kind(0.1), kind(1.0)))


# --- the checks themselves -------------------------------------------------------------------------------------------


def test_a_sum_in_place_of_the_mean_is_noticed(monkeypatch):
    """The check by hand fails for a curve of sums over test rows, as the paper's Eq. 1 has them."""
    right = bc.BackdoorLearningCurve.loss

    def summed(self, split="triggered", betas=None):
        return right(self, split, betas) * len(self._rows(split).y)

    monkeypatch.setattr(bc.BackdoorLearningCurve, "loss", summed)
    with pytest.raises(AssertionError, match="comparison failed"):
        test_loss_is_the_mean_over_rows_of_the_learners_own_loss(*LOSSES[0], n_classes=2)


def test_an_angle_that_does_not_exist_is_refused(data):
    """With w(0) = 0 there is no direction to turn from."""
    flat = bc.PoisonedData(
        *((np.zeros_like(X), y) for X, y in (data.clean_train, data.poison_train, data.clean_test, data.triggered_test))
    )
    curve = bc.backdoor_learning_curve(RidgeClassifier(), flat)
    with pytest.raises(ValueError, match="need a w that is not zero"):
        curve.angle()


def test_a_file_with_parts_missing_is_refused(ridge, tmp_path):
    """An older or a later version keeps other parts."""
    ridge.save(tmp_path / "curve.npz")
    with np.load(tmp_path / "curve.npz") as stored:
        kept = {name: stored[name] for name in stored.files if name != "betas"}
    np.savez(tmp_path / "less.npz", **kept)
    with pytest.raises(ValueError, match="parts of the curve are missing"):
        bc.BackdoorLearningCurve.load(tmp_path / "less.npz")
