"""Weights of test rows: every mean and share that a curve answers with is weighted, live, condensed and from a file."""

from __future__ import annotations

import io
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import accuracy_score, hinge_loss, log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.curve.scored_rows import ScoredRows
from backdoor_curves.curve.stored import Stored
from backdoor_curves.metrics import attack_success_rate, clean_accuracy, robust_accuracy

BETAS = np.array([0.0, 0.13, 0.5, 1.0])
STEPS = np.linspace(0.0, 1.0, 50)
LEARNERS = {
    "ridge": (RidgeClassifier(), 2),
    "ridge, three classes": (RidgeClassifier(), 3),
    "logistic": (LogisticRegression(), 2),
    "SVC": (SVC(gamma=0.3), 2),
    "LinearSVC": (LinearSVC(), 2),
    "bayes": (GaussianNB(), 2),
    "SVC, three classes": (SVC(gamma=0.3), 3),
}
every_learner = pytest.mark.parametrize("name", LEARNERS)


def poisoned(n_classes=2, n=60):
    rng = np.random.default_rng(0)
    y = np.arange(2 * n) % n_classes
    X = rng.normal(size=(2 * n, 4)) + np.eye(n_classes, 4)[y]
    trigger = bc.FeatureTrigger((3,), (4.0,))
    return bc.poison((X[:n], y[:n]), (X[n:], y[n:]), trigger=trigger, rate=0.2, rng=rng)


def weighted(data, weights):
    """The data with weights of its test rows: those of the clean ones; all of them are triggered here."""
    tests = {part: replace(getattr(data, part), weight=weights) for part in ("clean_test", "triggered_test")}
    return replace_parts(data, **tests)


def replace_parts(data, **parts):
    names = ("clean_train", "poison_train", "clean_test", "triggered_test", "triggered_true")
    return bc.PoisonedData(**{name: getattr(data, name) for name in names} | parts)


def with_copies(data, copies):
    rows = np.repeat(np.arange(len(copies)), copies)
    tests = {part: getattr(data, part).take(rows) for part in ("clean_test", "triggered_test")}
    return replace_parts(data, **tests, triggered_true=data.triggered_true[rows])


def loaded(curve):
    file = io.BytesIO()
    curve.save(file)
    file.seek(0)
    return bc.BackdoorLearningCurve.load(file)


def answers(curve):
    """All that is a mean or a share of test rows."""
    found = {"robust": curve.robust_accuracy(BETAS), "half": curve.half_loss_beta}
    for split in ("triggered", "clean"):
        found |= {("loss", split): curve.loss(split, BETAS), ("accuracy", split): curve.accuracy(split, BETAS)}
        found |= {("area", split): curve.area(split)}
        if curve.exact:
            found |= {("slope", split): curve.slope(0.0 if isinstance(curve.source, Stored) else BETAS, split)}
            betas, shares = curve.accuracy_steps(split)
            found |= {("steps", split): shares[np.searchsorted(betas, STEPS, side="right") - 1]}
    if curve.exact:
        found |= {"theta": curve.theta, "range": curve.slope_range, "per row": curve.slope_per_poison_row}
        found |= {"relative": curve.relative_slope}
    else:
        found |= {"estimate": curve.slope_estimate().slope}
    return found


def check_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in found.items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-10, atol=1e-12, err_msg=str(key))


@every_learner
def test_an_integer_weight_is_that_many_copies_of_a_test_row(name):
    """Of everything that a curve says; weights that are all the same say nothing."""
    estimator, n_classes = LEARNERS[name]
    data = poisoned(n_classes)
    copies = np.random.default_rng(1).integers(1, 6, len(data.clean_test))
    curves = [
        bc.backdoor_learning_curve(estimator, some, betas=BETAS)
        for some in (weighted(data, copies), weighted(data, 0.01 * copies), with_copies(data, copies))
    ]
    expected = answers(curves[2])
    check_same(answers(curves[0]), expected)
    check_same(answers(curves[1]), expected)
    plain = answers(bc.backdoor_learning_curve(estimator, data, betas=BETAS))
    assert not np.allclose(plain["loss", "clean"], expected["loss", "clean"], rtol=1e-4)
    assert [curve.info.weighted_test for curve in curves] == [True, True, False]


@every_learner
def test_a_stored_and_a_condensed_curve_are_weighted_too(name):
    """The weights go to the file; what is asked of it are the same means."""
    estimator, n_classes = LEARNERS[name]
    data = poisoned(n_classes)
    weights = np.random.default_rng(1).uniform(0.1, 4.0, len(data.clean_test))
    curve = bc.backdoor_learning_curve(estimator, weighted(data, weights), betas=BETAS)
    expected = answers(curve.detached())
    for other in (curve.condensed(), loaded(curve), loaded(curve.condensed())):
        check_same(answers(other), expected)
        np.testing.assert_array_equal(other.clean.weight, weights)
        assert other.info == curve.info
        if curve.exact:  # beyond 0 from the nodes: of smooth paths to 1e-6
            for split in ("triggered", "clean"):
                assert other.slope(0.47, split) == pytest.approx(curve.slope(0.47, split), rel=1e-5)


@pytest.mark.parametrize("estimator", [SVC(gamma=0.3, C=10.0), RidgeClassifier(), LinearSVC()], ids=str)
def test_half_of_the_weighted_loss_is_where_copies_have_it(estimator):
    """With one target, that learners reach: at another beta than without weights."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    X = rng.normal(size=(120, 4)) + np.eye(2, 4)[y]
    train, test = (X[:60], y[:60]), (X[60:], y[60:])
    data = bc.poison(train, test, trigger=bc.FeatureTrigger((3,), (4.0,)), labels=1, rate=0.4, rng=rng)
    copies = rng.integers(1, 6, len(data.triggered_test))
    rows = np.repeat(np.arange(len(copies)), copies)
    parts = [
        {"triggered_test": replace(data.triggered_test, weight=copies)},
        {"triggered_test": data.triggered_test.take(rows), "triggered_true": data.triggered_true[rows]},
        {},
    ]
    curves = [bc.backdoor_learning_curve(estimator, replace_parts(data, **part)) for part in parts]
    weighted, repeated, plain = (curve.half_loss_beta for curve in curves)
    assert weighted == pytest.approx(repeated, rel=1e-9)
    assert curves[0].condensed().half_loss_beta == pytest.approx(repeated, rel=1e-9)
    assert abs(weighted - plain) > 1e-6  # a thousand times what two roads differ by


def test_a_file_without_weights_says_nothing_of_them():
    """And is read as before; so files that were written before are."""
    file = io.BytesIO()
    curve = bc.backdoor_learning_curve(SVC(gamma=0.3), poisoned())
    curve.condensed().save(file)
    file.seek(0)
    assert not [name for name in np.load(file) if "weight" in name]
    assert (loaded(curve.condensed()).clean.weight == 1.0).all()


@pytest.mark.parametrize("name", ["ridge", "logistic", "SVC", "LinearSVC", "ridge, three classes"])
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_influences_add_up_to_the_weighted_slope(name, beta):
    """With weights in training and test: of the poison rows, in the mean over test rows."""
    estimator, n_classes = LEARNERS[name]
    data, rng = poisoned(n_classes), np.random.default_rng(1)
    parts = {
        part: replace(getattr(data, part), weight=rng.uniform(0.2, 3.0, len(getattr(data, part))))
        for part in ("clean_train", "poison_train", "clean_test", "triggered_test")
    }
    data = replace_parts(data, **parts)
    curve = bc.backdoor_learning_curve(estimator, data, tolerance=1e-9)
    for split in ("triggered", "clean"):
        found = bc.influence(estimator, data, beta, rows=split)
        assert found.slope == pytest.approx(curve.slope(beta, split), rel=1e-8, abs=1e-10)
        own = curve.influence(beta, rows=parts[f"{split}_test"])
        assert own.slope == pytest.approx(found.slope, rel=1e-12)
    h = 1e-4
    if 0.0 < beta < 1.0 and not ((curve.knots > beta - h) & (curve.knots < beta + h)).any():
        difference = (curve.loss("clean", beta + h) - curve.loss("clean", beta - h)) / (2 * h)
        assert curve.slope(beta, "clean") == pytest.approx(difference, rel=1e-4, abs=1e-6)


def test_a_ranking_hears_the_test_rows_by_their_weight():
    """A row that counts for nearly nothing says nearly nothing about who is suspicious."""
    values = np.array([[-1.0, -2.0, 0.0], [-2.0, -1.0, 0.0]])
    for weight, first in (([1.0, 1e-6], 1), ([1e-6, 1.0], 0)):
        found = bc.Influence(values, np.array([True, False, False]), 0.0, 0, weight=np.array(weight))
        assert found.poison_ranking().order[0] == first


def test_losses_and_accuracies_are_scikit_learns_with_sample_weight():
    """Of the curve's own scores."""
    data = poisoned()
    weights = np.random.default_rng(1).uniform(0.1, 4.0, len(data.clean_test))
    data = weighted(data, weights)
    for estimator in (LogisticRegression(), SVC(gamma=0.3)):
        curve = bc.backdoor_learning_curve(estimator, data)
        for beta in BETAS:
            for split, rows in (("clean", data.clean_test), ("triggered", data.triggered_test)):
                scores = curve.scores(split, beta)[0]
                if curve.info.loss == "hinge":
                    expected = hinge_loss(rows.y, scores, sample_weight=weights)
                else:
                    expected = log_loss(rows.y, 1.0 / (1.0 + np.exp(-scores)), sample_weight=weights)
                assert curve.loss(split, beta) == pytest.approx(expected, rel=1e-10)
                share = accuracy_score(rows.y, curve.predictions(split, beta)[0], sample_weight=weights)
                assert curve.accuracy(split, beta) == pytest.approx(share, rel=1e-12)


def test_metrics_are_shares_of_weight():
    """As accuracy_score has them; a wrong weight is refused as that of Samples is."""
    assert clean_accuracy([0, 1, 1], [0, 1, 0], [1, 2, 5]) == 3 / 8
    assert robust_accuracy([0, 1, 1], [[0, 1, 0], [0, 0, 1]], [1, 2, 5]).tolist() == [3 / 8, 6 / 8]
    assert attack_success_rate([1, 1, 1], [1, 0, 1], weight=[1, 2, 5]) == 6 / 8
    assert attack_success_rate([1, 1, 1], [1, 0, 1], [0, 0, 1], weight=[1, 2, 5]) == 1 / 3
    with pytest.raises(ValueError, match="weight: one number a row was expected, of 3 rows"):
        clean_accuracy([0, 1, 1], [0, 1, 0], [1, 2])
    with pytest.raises(ValueError, match="leave out rows that weigh nothing"):
        attack_success_rate([1, 1], [1, 0], weight=[1, 0])


def test_what_is_weighted_says_so():
    """The notebook's caption and the axis of a picture."""
    data = poisoned()
    curves = [
        bc.backdoor_learning_curve(RidgeClassifier(), some)
        for some in (data, weighted(data, np.arange(1.0, 1.0 + len(data.clean_test))))
    ]
    for curve, said in zip(curves, ("mean squared loss", "weighted mean squared loss"), strict=True):
        assert f": {said} over beta" in curve._repr_html_()
        assert bc.BackdoorLearningCurveDisplay.from_curves({"ridge": curve}).ax_.get_ylabel() == said
    plt.close("all")


def test_means_that_forget_weights_are_noticed(monkeypatch):
    """One after the other: the losses, their rates, and the corners of a hinge."""
    for method in ("_mean", "_weights"):
        with monkeypatch.context() as patch:
            if method == "_mean":
                patch.setattr(ScoredRows, method, lambda self, values: values.mean(axis=-1))  # noqa: ARG005
            else:
                right = ScoredRows._weights
                patch.setattr(ScoredRows, method, lambda self, rows, right=right: np.ones_like(right(self, rows)))
            with pytest.raises(AssertionError, match="Not equal to tolerance"):
                test_an_integer_weight_is_that_many_copies_of_a_test_row("SVC")
