"""Who becomes whom over beta: the confusion matrix of a curve beside that of refits, and what it adds up to."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import confusion_matrix as sklearns
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.curve.flips import Flips

BETAS = (0.0, 0.03, 0.17, 0.46, 0.83, 1.0)
LEARNERS = {
    "one-vs-one": SVC(C=10.0, gamma=0.05, tol=1e-10),
    "ties broken": SVC(C=2.0, gamma=0.05, tol=1e-10, break_ties=True, decision_function_shape="ovr"),
    "one-vs-rest, hinge": LinearSVC(C=0.1, loss="hinge", tol=1e-10, max_iter=2_000_000),
    "one-vs-rest, squared hinge": LinearSVC(C=0.1, tol=1e-12, max_iter=200_000),
    "softmax": LogisticRegression(tol=1e-10, max_iter=10_000),
    "ridge": RidgeClassifier(),
}


@cache
def poisoned(labels: str | int = "next", digits: tuple[int, ...] = (1, 4, 7, 9)) -> bc.PoisonedData:
    rng = np.random.default_rng(3)
    train, test = bc.datasets.digits(tuple((one,) for one in digits), rng=rng)
    trigger = bc.PatchTrigger.random(size=2, n_classes=len(digits), channels=1, rng=rng)
    return bc.poison(train, test, trigger=trigger, labels=labels, rate=0.15, rng=rng)


@cache
def curve_of(name: str, labels: str | int = "next") -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(LEARNERS[name], poisoned(labels))


def true_of(data: bc.PoisonedData, split: str) -> np.ndarray:
    return data.triggered_true if split == "triggered" else data.clean_test.y


@pytest.mark.parametrize("split", ["triggered", "clean"])
@pytest.mark.parametrize("name", LEARNERS)
def test_it_is_sklearns_matrix_of_independent_fits(name, split):
    """Fits of scikit-learn's own at a tight tolerance, at six betas.

    A row within the solver's error of a tie may go either way: at most one of 240 differs, and mostly none.
    """
    data, curve = poisoned(), curve_of(name)
    X = np.concatenate([data.clean_train.X, data.poison_train.X])
    y = np.concatenate([data.clean_train.y, data.poison_train.y])
    tests = data.triggered_test if split == "triggered" else data.clean_test
    found, off = curve.confusion_matrix(split, BETAS), 0
    for beta, matrix in zip(BETAS, found, strict=True):
        weight = np.where(np.arange(len(y)) < len(data.clean_train), 1.0, beta)
        rows = weight > 0.0
        fitted = LEARNERS[name].fit(X[rows].reshape(rows.sum(), -1), y[rows], sample_weight=weight[rows])
        predicted = fitted.predict(tests.X.reshape(len(tests), -1))
        expected = sklearns(true_of(data, split), predicted, labels=data.classes)
        off += np.abs(matrix - expected).sum() / 2
    assert off <= 1


@pytest.mark.parametrize("name", LEARNERS)
def test_rows_are_the_classes_and_the_diagonal_the_accuracy(name):
    """Whatever beta: nothing is lost, and right is right."""
    data, curve = poisoned(), curve_of(name)
    betas = np.random.default_rng(0).random(20)
    for split in ("triggered", "clean"):
        found = curve.confusion_matrix(split, betas)
        sizes = np.bincount(true_of(data, split), minlength=4)
        np.testing.assert_array_equal(found.sum(axis=2), np.tile(sizes, (20, 1)))
        right = curve.accuracy("clean", betas) if split == "clean" else curve.robust_accuracy(betas)
        np.testing.assert_allclose(found.trace(axis1=1, axis2=2) / sizes.sum(), right, rtol=1e-14)


def test_the_columns_where_the_attacker_sends_them_are_the_attack_success_rate_by_source_class():
    """All to one: one column. Each to the next: the place to the right of the diagonal."""
    betas = np.linspace(0.0, 1.0, 9)
    for labels in (2, "next"):
        curve = curve_of("one-vs-one", labels)
        found, outcomes = curve.confusion_matrix("triggered", betas), curve.outcomes(betas)
        for place, true in enumerate(outcomes.classes):
            to = 2 if labels == 2 else (true + 1) % 4
            share = found[:, true, to] / found[:, true].sum(axis=1)
            np.testing.assert_allclose(share, outcomes.by_class[:, place, 0], rtol=1e-14)
            assert curve.wanted[true].tolist() == [k == to for k in range(4)]
        everywhere = found[:, curve.wanted].sum(axis=1) / found.sum(axis=(1, 2))
        np.testing.assert_allclose(everywhere, curve.accuracy("triggered", betas), rtol=1e-14)
    assert not curve_of("one-vs-one", 2).confusion_matrix("triggered", 0.3)[2].any()  # the target has no rows


@pytest.mark.parametrize("name", LEARNERS)
def test_it_is_kept_by_files_and_condensed_curves(name, tmp_path):
    """To the last row, at any beta."""
    curve, betas = curve_of(name), np.random.default_rng(1).random(30)
    curve.condensed().save(tmp_path / "curve.npz")
    again = bc.BackdoorLearningCurve.load(tmp_path / "curve.npz")
    for split in ("triggered", "clean"):
        expected = curve.confusion_matrix(split, betas)
        np.testing.assert_array_equal(curve.condensed().confusion_matrix(split, betas), expected)
        np.testing.assert_array_equal(again.confusion_matrix(split, betas), expected)
    np.testing.assert_allclose(again.half_asr_betas, curve.half_asr_betas, rtol=1e-12)


def test_two_classes_have_one_too():
    """Of each to the other, what is beside the diagonal is the attack success rate."""
    curve = bc.backdoor_learning_curve(SVC(C=10.0, gamma=0.05), poisoned(digits=(4, 9)))
    betas = [0.05, 1.0]
    found = curve.confusion_matrix("triggered", betas)
    assert found.shape == (2, 2, 2)
    swapped = (found[:, 0, 1] + found[:, 1, 0]) / found.sum(axis=(1, 2))
    np.testing.assert_allclose(swapped, curve.accuracy("triggered", betas))


def test_one_beta_has_one_matrix_and_none_asks_for_those_of_the_curve():
    """As accuracies have it."""
    curve = curve_of("ridge")
    assert curve.confusion_matrix("clean", 0.5).shape == (4, 4)
    assert curve.confusion_matrix("clean").shape == (len(curve.betas), 4, 4)
    assert curve.confusion_matrix("clean", np.float32(0.1)).shape == (4, 4)


def test_refits_answer_at_their_betas_alone():
    """Between them nothing is known, as for accuracies."""
    curve = bc.backdoor_learning_curve(GaussianNB(), poisoned(), method="refit", betas=[0.0, 1.0])
    found = curve.confusion_matrix("triggered", [0.0, 1.0])
    np.testing.assert_allclose(found.trace(axis1=1, axis2=2) / found.sum(axis=(1, 2)), curve.robust_accuracy())
    for asked in (curve.accuracy, curve.confusion_matrix):
        with pytest.raises(ValueError, match=r"0\.5"):
            asked("triggered", 0.5)
    with pytest.raises(ValueError, match="flips need an exact path"):
        _ = curve.half_asr_betas


def test_weights_of_rows_are_added_up():
    """Twice the weight counts as two rows."""
    data = poisoned()
    twice = np.random.default_rng(0).integers(1, 3, size=len(data.clean_test))
    weighted = replace(data, clean_test=replace(data.clean_test, weight=twice.astype(float)))
    curve = bc.backdoor_learning_curve(RidgeClassifier(), weighted)
    predicted = curve.predictions("clean", 0.4)[0]
    expected = sklearns(np.repeat(data.clean_test.y, twice), np.repeat(predicted, twice))
    np.testing.assert_array_equal(curve.confusion_matrix("clean", 0.4), expected)


def test_true_classes_must_be_known_and_splits_named():
    """A matrix of triggered rows by the attacker's labels would be another one."""
    unknown = replace(curve_of("ridge"), triggered_true=None)
    assert unknown.confusion_matrix("clean", 0.5).sum() == len(poisoned().clean_test)
    for asked in (
        lambda: unknown.confusion_matrix("triggered", 0.5),
        lambda: unknown.half_asr_betas,
        lambda: unknown.wanted,
    ):
        with pytest.raises(ValueError, match="needs the true classes of the triggered rows; pass triggered_true="):
            asked()
    with pytest.raises(ValueError, match='"triggered" or "clean" was expected'):
        unknown.confusion_matrix("test", 0.5)


@pytest.mark.parametrize("name", LEARNERS)
def test_half_of_a_class_is_gone_at_its_half_asr_beta_and_not_before(name):
    """By the attack success rate by source class just there, just before, and on a dense grid up to there."""
    curve = curve_of(name)
    halves = curve.half_asr_betas
    assert np.isfinite(halves).any()
    for place, half in enumerate(halves):
        if np.isnan(half):
            assert (curve.outcomes(np.linspace(0.0, 1.0, 401)).by_class[:, place, 0] < 0.5).all()
            continue
        # A flip is known to 1e-12 or better.
        assert curve.outcomes(min(half + 1e-9, 1.0)).by_class[place, 0] >= 0.5
        before = np.append(np.linspace(0.0, half, 200, endpoint=False), half - 1e-9)
        assert half == 0.0 or (curve.outcomes(before).by_class[:, place, 0] < 0.5).all()


def test_a_target_class_has_no_half_asr_beta():
    """It has no triggered rows."""
    halves = curve_of("one-vs-one", 2).half_asr_betas
    assert np.isnan(halves).tolist() == [False, False, True, False]


def test_flips_of_some_rows_are_those_rows_flips():
    """With weights; rows that come back are not counted twice."""
    start, weight = np.array([False, True, False, False]), np.array([1.0, 5.0, 2.0, 1.0])
    betas, rows, gained = np.array([0.2, 0.3, 0.5, 0.7]), np.array([0, 2, 0, 3]), np.array([True, True, False, True])
    flips = Flips(start, betas, rows, gained, weight)
    chosen = flips.of_rows(np.array([True, False, True, True]))
    betas, shares = chosen.steps()
    np.testing.assert_array_equal(betas, [0.0, 0.2, 0.3, 0.5, 0.7])
    np.testing.assert_array_equal(shares, [0.0, 0.25, 0.75, 0.5, 0.75])
    assert chosen.first_beyond(0.5) == 0.3
    assert np.isnan(chosen.first_beyond(0.8))
    assert np.isnan(flips.of_rows(np.zeros(4, dtype=bool)).first_beyond(0.5))
    assert flips.of_rows(start).first_beyond(0.5) == 0.0
