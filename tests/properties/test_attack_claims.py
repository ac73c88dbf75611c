"""Claims on backdoors, measured on digits, and what is true of them.

One row on a direction that clean rows do not use is enough: it holds where the trigger is large there. Success peaks
at a finite strength of the trigger: it does where the training trigger varies and the test trigger does not, and does
not where both are equally strong.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc

LEARNERS = {
    "ridge": RidgeClassifier(),
    "logistic": LogisticRegression(solver="newton-cholesky", tol=1e-10),
    "linear-svm": SVC(kernel="linear"),
    "liblinear": LinearSVC(loss="hinge"),
    "rbf-svm": SVC(gamma=0.1),
}
STRENGTHS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
AT_TEST = 0.2


def fours_and_nines() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Digits 4 and 9 as rows with one column more, which is 0 in all of them."""
    sets = bc.datasets.digits((4, 9), rng=np.random.default_rng(0))
    return tuple((np.pad(one.X.reshape(len(one), -1), [(0, 0), (0, 1)]), one.y) for one in sets)


def with_one_row(value: float) -> bc.PoisonedData:
    """The first four, stamped in the column that no clean row uses, as a nine."""
    train, test = fours_and_nines()
    row = int(np.flatnonzero(train[1] == 0)[0])
    trigger = bc.FeatureTrigger((train[0].shape[1] - 1,), (value,))
    return bc.poison(train, test, trigger=trigger, labels=1, rows=[row])


@pytest.mark.parametrize("learner", LEARNERS)
def test_one_row_on_an_unused_direction_is_enough_where_the_trigger_is_large(learner):
    """All triggered rows go over, the clean ones stay; a column of 10 beside pixels in [0, 1], one row of 241."""
    curve = bc.backdoor_learning_curve(LEARNERS[learner], with_one_row(10.0))
    before, after = curve.accuracy("triggered", [0.0, 1.0])
    assert curve.exact
    assert before < 0.05
    assert after == 1.0
    clean = curve.accuracy("clean", [0.0, 1.0])
    assert abs(clean[1] - clean[0]) <= 1 / 120 + 1e-12  # one test row


@pytest.mark.parametrize("learner", LEARNERS)
def test_one_row_is_not_enough_where_the_trigger_is_as_large_as_a_pixel(learner):
    """A column of 1 takes less than half of the rows over: the penalty holds its weight as it holds any other's."""
    assert bc.backdoor_learning_curve(LEARNERS[learner], with_one_row(1.0)).accuracy("triggered", 1.0) < 0.5


@pytest.mark.parametrize("learner", ["ridge", "logistic", "linear-svm", "liblinear"])
def test_one_row_moves_every_triggered_row_by_what_its_own_residual_gives(learner):
    """Only the stamped row pulls at the column: lambda w_c = -loss'(y s) y v there, and rows move by w_c v.

    With s of an independent fit: for the squared loss v^2 (y - s) / alpha, for the others C v^2 |loss'|, at most C v^2.
    """
    value, data = 10.0, with_one_row(10.0)
    curve = bc.backdoor_learning_curve(LEARNERS[learner], data)
    fours = data.clean_test.y == 0
    moved = curve.scores("triggered", 1.0)[0] - curve.scores("clean", 1.0)[0, fours]
    np.testing.assert_allclose(moved, moved[0], rtol=1e-6)
    rows = np.vstack([data.clean_train.X, data.poison_train.X])
    fitted = LEARNERS[learner].fit(rows, np.append(data.clean_train.y, data.poison_train.y))
    s = float(fitted.decision_function(rows[-1:])[0])
    if learner == "ridge":
        np.testing.assert_allclose(moved[0], value**2 * (1.0 - s), rtol=1e-6)
    elif learner == "logistic":
        np.testing.assert_allclose(
            moved[0], value**2 / (1.0 + np.exp(s)), rtol=1e-4
        )  # the path is followed to 1e-6 or so
    else:
        assert 0.0 < moved[0] <= value**2


def success(strength: float, at_test: float, learner: str) -> float:
    """Mean attack success rate at beta = 1 over three draws of rows: a sinusoid on 5 % of all rows, fours as nines."""
    rates = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        train, test = bc.datasets.digits((4, 9), n_train=250, n_test=100, rng=rng)
        wave = bc.SignalTrigger(strength, frequency=2.0)
        attack = bc.Attack(wave, labels=1, rate_of="all", test_trigger=wave.at_strength(at_test))
        data = bc.poison(train, test, attack, rate=0.05, rng=rng)
        curve = bc.backdoor_learning_curve(LEARNERS[learner], data, method="refit", betas=[0, 1])
        rates.append(curve.accuracy("triggered", 1.0))
    return float(np.mean(rates))


@pytest.mark.parametrize("learner", ["ridge", "logistic", "linear-svm", "rbf-svm"])
def test_success_rises_with_the_strength_of_a_trigger_that_test_rows_have_too(learner):
    """No peak: from one strength to the next it falls by no more than a row in a hundred, and ends near 1."""
    found = [success(strength, strength, learner) for strength in STRENGTHS]
    assert np.diff(found).min() >= -0.01
    assert found[0] < 0.1
    assert found[-1] > 0.99


@pytest.mark.parametrize("learner", ["ridge", "logistic", "linear-svm", "rbf-svm"])
def test_success_on_one_test_trigger_peaks_at_a_finite_strength_in_training(learner):
    """Too weak is not learned; too strong a trigger needs little weight, of which a weaker one at test has a share."""
    found = [success(strength, AT_TEST, learner) for strength in STRENGTHS]
    peak = int(np.argmax(found))
    assert 0 < peak < len(STRENGTHS) - 1
    assert STRENGTHS[peak] <= 2 * AT_TEST
    assert found[peak] > found[0] + 0.1
    assert found[peak] > found[-1] + 0.1


def test_poison_rows_of_the_target_hold_back_what_ridge_learns_of_an_additive_trigger():
    """A linear score moves all rows by the same: with rows of both classes among the poison it settles between.

    Seen on the digits 4 and 9 as in the study of MNIST: as many rows, those of the target among them or not.
    """
    scores = {}
    for eligible in ("all", "changed"):
        rng = np.random.default_rng(0)
        train, test = bc.datasets.digits((4, 9), rng=rng)
        attack = bc.Attack(bc.PatchTrigger.ones(2), labels=1, eligible=eligible, rate_of="all")
        data = bc.poison(train, test, attack, rate=0.1, rng=rng)
        scores[eligible] = bc.backdoor_learning_curve(RidgeClassifier(), data).scores("triggered", 1.0)[0].mean()
    assert scores["all"] < 0.75 * scores["changed"]
