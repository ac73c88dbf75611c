"""Curves of attacks with cover rows, clean labels and all rows stamped: each against fits with weights of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.data.samples import Samples, join

K2 = {
    "ridge": RidgeClassifier(2.0),
    "logistic": LogisticRegression(C=2.0, solver="newton-cholesky", tol=1e-12),
    "svm": SVC(C=2.0, gamma=0.5, tol=1e-9),
    "linear svm": SVC(C=2.0, kernel="linear", tol=1e-9),
    "squared hinge": LinearSVC(C=2.0, tol=1e-12, max_iter=10**6, random_state=0),
}
learners = pytest.mark.parametrize("estimator", K2.values(), ids=K2)
injections = pytest.mark.parametrize("injection", ["replace", "append"])
TOLERANCE = 5e-5
"""Of a score: libsvm's linear fits are off by up to 2e-5 at the tolerance above, all others by less than 3e-6."""


def rows(n: int, seed: int, classes: int = 2) -> Samples:
    y = np.arange(n) % classes
    X = np.random.default_rng(seed).normal(size=(n, 4))
    X[:, 0] += 1.5 * y
    return Samples(X, y, weight=0.5 + np.arange(n) % 3)


def stamp(X, y):  # noqa: ARG001
    return np.column_stack([X[:, :3], X[:, 3] + 2.0])


def noisy(X, y):  # noqa: ARG001
    return np.column_stack([X[:, :2], X[:, 2] + 1.0, X[:, 3] + 2.0])


def covered(weight: str, injection: str, classes: int = 2, labels=0) -> bc.PoisonedData:
    cover = bc.Cover(0.5, trigger=noisy, weight=weight)
    attack = bc.Attack(stamp, labels, injection=injection, cover=cover)
    return bc.poison(rows(80, 0, classes), rows(40, 1, classes), attack, rate=0.4, rng=np.random.default_rng(2))


def scores_of_fit(estimator, X, y, weight, at) -> np.ndarray:
    return estimator.fit(X, y, sample_weight=weight).decision_function(at)


def by_hand(data: bc.PoisonedData) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The victim's rows, and which of them are poison, cover, made anew from the originals and the row numbers."""
    train, (X, y) = data.original_train, data.original_train
    cover = data.cover_rows
    poison = np.setdiff1d(data.poison_rows, cover)
    stamped, covering = stamp(X[poison], y[poison]), noisy(X[cover], y[cover])
    if data.poisoning.injection == "replace":
        X, y, weight = X.copy(), y.copy(), train.weight
        X[poison], X[cover], y[poison] = stamped, covering, 0
        places = np.arange(len(train))
        return X, y, weight, np.where(np.isin(places, poison), 1, np.where(np.isin(places, cover), 2, 0))
    X = np.concatenate([X, stamped, covering])
    y = np.concatenate([y, np.zeros(len(poison), dtype=int), y[cover]])
    weight = np.concatenate([train.weight, train.weight[poison], train.weight[cover]])
    return X, y, weight, np.repeat([0, 1, 2], [len(train), len(poison), len(cover)])


@learners
@injections
@pytest.mark.parametrize("weight", ["beta", "one"])
@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_a_curve_is_the_fit_with_beta_on_the_poison_and_beta_or_one_on_the_cover(estimator, injection, weight, beta):
    """Rows stamped by hand and weighted by hand; at beta = 0 those that weigh nothing are left out."""
    data = covered(weight, injection)
    X, y, own, kind = by_hand(data)
    factor = np.array([1.0, beta, beta if weight == "beta" else 1.0])[kind]
    used = factor > 0.0
    curve = bc.backdoor_learning_curve(estimator, data, tolerance=1e-7)
    at = data.triggered_test.X
    expected = scores_of_fit(estimator, X[used], y[used], (factor * own)[used], at)
    np.testing.assert_allclose(curve.scores("triggered", beta)[0], expected, atol=TOLERANCE)


@injections
def test_beta_0_is_the_clean_fit_where_cover_is_weighted_with_beta(injection):
    """Exactly: the refit at beta = 0 is scikit-learn's own on the rows that were never stamped, which are no other."""
    data = covered("beta", injection)
    curve = bc.backdoor_learning_curve(LogisticRegression(), data, method="refit", betas=[0.0, 1.0])
    touched = data.poison_rows if injection == "replace" else np.empty(0, dtype=int)
    clean = data.original_train.take(np.setdiff1d(np.arange(80), touched))
    expected = scores_of_fit(LogisticRegression(), clean.X, clean.y, clean.weight, data.clean_test.X)
    assert np.array_equal(curve.scores("clean", 0.0)[0], expected)


def test_the_weight_of_the_cover_matters():
    """What is compared above is not the same thing twice."""
    curves = [bc.backdoor_learning_curve(RidgeClassifier(), covered(weight, "append")) for weight in ("beta", "one")]
    one, other = (curve.scores("clean", 0.0) for curve in curves)
    assert np.abs(one - other).max() > 1e-3
    np.testing.assert_allclose(*(curve.scores("clean", 1.0) for curve in curves), atol=1e-10)


@learners
@pytest.mark.parametrize("weight", ["beta", "one"])
def test_the_slope_is_the_sum_of_influences_over_rows_of_weight_beta(estimator, weight):
    """Cover rows of weight beta move with it, those of weight 1 do not; a finite difference of the curve agrees."""
    data = covered(weight, "replace")
    curve = bc.backdoor_learning_curve(estimator, data, tolerance=1e-7)
    found = curve.influence(0.4)
    moved = found.values[:, data.is_poison].sum(axis=1)
    weights = data.triggered_test.weight
    assert np.average(moved, weights=weights) == pytest.approx(curve.slope(0.4), rel=1e-6)
    h = 1e-5  # the paths are smooth or lines between knots; the error of a chord is of its size times their bend
    chord = (curve.loss("triggered", 0.4 + h) - curve.loss("triggered", 0.4 - h)) / (2 * h)
    assert curve.slope(0.4) == pytest.approx(chord, rel=1e-2, abs=1e-4)
    assert np.array_equal(found.is_cover, data.is_cover)
    assert np.array_equal(bc.influence(estimator, data, 0.4).is_cover, data.is_cover)


@learners
def test_the_influence_of_a_cover_row_is_the_derivative_in_its_weight(estimator):
    """A cover row is weighted a little more and all is fitted again."""
    data = covered("beta", "replace")
    place = int(np.flatnonzero(data.is_cover)[3])
    column = bc.backdoor_learning_curve(estimator, data, tolerance=1e-8).influence(0.4).values[:, place]
    which = int(data.is_poison[:place].sum())
    h, losses = 1e-4, []
    for change in (-h, h):
        weight = data.poison_train.weight.copy()
        own = weight[which]
        weight[which] = own * (1.0 + change / 0.4)  # beta times it moves by the change, in units of its own weight
        moved = replace(data, poison_train=replace(data.poison_train, weight=weight))
        one = bc.backdoor_learning_curve(estimator, moved, tolerance=1e-8)
        single = [
            replace(one.triggered, y=one.triggered.y[[j]], nodal=one.triggered.nodal[:, [j]],
                    weight=one.triggered.weight[[j]]).mean_loss(np.array([0.4]))[0]
            for j in range(len(data.triggered_test))
        ]  # fmt: skip
        losses.append(np.array(single))
    chord = (losses[1] - losses[0]) / (2 * h)
    # A row at a corner of its hinge, or on a knot between the two, has another chord; three quarters must agree.
    agree = np.isclose(chord, column, rtol=1e-2, atol=1e-4)
    assert agree.mean() > 0.75


def test_the_ranking_looks_for_poison_and_not_for_cover():
    """Cover rows have true labels; who finds them has found no poison."""
    data = covered("beta", "append")
    found = bc.influence(RidgeClassifier(), data, 1.0)
    ranking = found.poison_ranking()
    assert ranking.k == data.rates.n_poison == int((data.is_poison & ~data.is_cover).sum())
    assert ranking.auc > replace(found, is_cover=None).poison_ranking().auc


def test_the_mask_is_that_of_the_poisons_trigger():
    """The cover's own trigger changes a column that the poison's leaves."""
    assert bc.trigger_mask(covered("beta", "replace")).tolist() == [False, False, False, True]


def test_a_curve_says_how_many_cover_rows_there_are_and_keeps_it(tmp_path):
    """In its info, and in its file."""
    for weight in ("beta", "one"):
        data = covered(weight, "replace")
        curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
        assert (curve.info.n_cover, curve.info.n_poison) == (data.rates.n_cover, len(data.poison_train))
        curve.save(tmp_path / "curve.npz")
        assert bc.BackdoorLearningCurve.load(tmp_path / "curve.npz").info == curve.info


@pytest.mark.parametrize("weight", ["beta", "one"])
def test_success_is_counted_on_triggered_rows_of_other_classes_alone(weight):
    """Whatever the cover: the curve's accuracy is the share of these rows by hand."""
    data = covered(weight, "replace", classes=3, labels={1: 0})
    curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
    assert set(data.triggered_true.tolist()) == {1}
    hits = curve.predictions("triggered", 1.0)[0] == 0
    assert curve.accuracy("triggered", 1.0) == pytest.approx(np.average(hits, weights=data.triggered_test.weight))


@learners
def test_all_rows_stamped_and_appended_are_the_mixture(estimator):
    """(1 - p) clean + p poison, by weights in scikit-learn's own fit, at C; the curve at p / (1 - p), at C (1 - p)."""
    # With strong penalties, since where classes are nearly separated C matters little, and one that is off is not seen.
    name, strong = ("alpha", 40.0) if isinstance(estimator, RidgeClassifier) else ("C", 0.05)
    train, p = rows(60, 0), 0.2
    data = bc.poison(train, rows(40, 1), bc.Attack(stamp, 0, eligible="all", injection="append"), rate=1)
    X, y = np.concatenate([train.X, stamp(*train)]), np.append(train.y, np.zeros(60, dtype=int))
    weight = np.append((1 - p) * train.weight, p * train.weight)
    expected = scores_of_fit(clone(estimator).set_params(**{name: strong}), X, y, weight, data.triggered_test.X)

    def at_the_mixture(value: float) -> np.ndarray:
        curve = bc.backdoor_learning_curve(clone(estimator).set_params(**{name: value}), data, tolerance=1e-7)
        return curve.scores("triggered", bc.mixture_beta(p))[0]

    scaled = strong / (1 - p) if name == "alpha" else strong * (1 - p)
    np.testing.assert_allclose(at_the_mixture(scaled), expected, atol=TOLERANCE)
    assert np.abs(at_the_mixture(strong) - expected).max() > 10 * TOLERANCE


@learners
@injections
def test_a_clean_label_curve_is_the_fit_with_stamped_rows_of_the_target(estimator, injection):
    """Their labels are true; at beta = 1 it is the victim's own fit."""
    attack = bc.Attack(stamp, bc.CleanLabel(0), injection=injection)
    data = bc.poison(rows(80, 0), rows(40, 1), attack, rate=0.5, rng=np.random.default_rng(2))
    X, y = join(data.clean_train, data.poison_train, data.is_poison)
    assert (data.poison_train.y == 0).all()
    own = join(data.clean_train, data.poison_train, data.is_poison).weight
    curve = bc.backdoor_learning_curve(estimator, data, tolerance=1e-7)
    expected = scores_of_fit(estimator, X, y, own, data.triggered_test.X)
    np.testing.assert_allclose(curve.scores("triggered", 1.0)[0], expected, atol=TOLERANCE)
    assert set(data.triggered_true.tolist()) == {1}


def test_own_rows_may_have_cover():
    """Marked in the victim's order, the clean rows first: the same curve as of the data that poison made."""
    made = covered("beta", "append")
    own = bc.PoisonedData(
        made.clean_train, made.poison_train, made.clean_test, made.triggered_test, is_cover=made.is_cover
    )
    one, other = (bc.backdoor_learning_curve(RidgeClassifier(), data) for data in (made, own))
    assert np.array_equal(one.scores("triggered"), other.scores("triggered"))
    assert np.array_equal(other.influence(1.0).is_cover, made.is_cover)
    assert own.rates.n_cover == made.rates.n_cover


# Outcomes


def outcomes_by_loop(predicted, wanted, true, weight) -> list[float]:
    """The three shares, row by row."""
    sums = [0.0, 0.0, 0.0]
    for p, a, t, w in zip(predicted, wanted, true, weight, strict=True):
        sums[0 if p == a else 1 if p == t else 2] += w
    return [part / sum(sums) for part in sums]


OF_CLASSES = {
    "two classes": (2, RidgeClassifier(), {}),
    "two classes, condensed": (2, SVC(gamma=0.5), {}),
    "three classes": (3, RidgeClassifier(), {}),
    "three classes, refitted": (3, SVC(), {"betas": [0.0, 0.5, 1.0]}),
    "a forest": (3, RandomForestClassifier(5, min_samples_leaf=5, random_state=0), {"betas": [0.0, 0.5, 1.0]}),
}


@pytest.mark.filterwarnings("ignore:estimator. a part of the fit")
@pytest.mark.parametrize(("classes", "estimator", "how"), OF_CLASSES.values(), ids=OF_CLASSES)
def test_outcomes_are_those_of_a_loop_over_the_triggered_rows(classes, estimator, how):
    """Micro and by source class, weighted, with the numbers of rows; for one beta and for several."""
    train, test = rows(120, 0, classes), rows(90, 1, classes)
    attack = bc.Attack(stamp, "next", injection="append")
    data = bc.poison(train, test, attack, rate=0.3, rng=np.random.default_rng(0))
    curve = bc.backdoor_learning_curve(estimator, data, **how)
    if classes == 2 and curve.method == "svm":
        curve = curve.condensed()
    betas = [0.0, 0.5, 1.0]
    found = curve.outcomes(betas)
    wanted, true, weight = data.triggered_test.y, data.triggered_true, data.triggered_test.weight
    for k, beta in enumerate(betas):
        predicted = curve.predictions("triggered", beta)[0]
        one = curve.outcomes(beta)
        expected = outcomes_by_loop(predicted, wanted, true, weight)
        assert [one.attacker, one.true, one.elsewhere] == pytest.approx(expected, abs=1e-14)
        assert [found.attacker[k], found.true[k], found.elsewhere[k]] == pytest.approx(expected, abs=1e-14)
        for c, label in enumerate(found.classes):
            of = true == label
            by_class = outcomes_by_loop(predicted[of], wanted[of], true[of], weight[of])
            assert one.by_class[c].tolist() == pytest.approx(by_class, abs=1e-14)
            assert found.by_class[k, c].tolist() == pytest.approx(by_class, abs=1e-14)
            assert found.n_by_class[c] == of.sum()
    assert found.n == len(wanted)
    np.testing.assert_allclose(found.attacker, curve.accuracy("triggered", betas), atol=1e-14)
    np.testing.assert_allclose(found.true, curve.robust_accuracy(betas), atol=1e-14)
    if classes == 3:
        assert (np.asarray(found.elsewhere) > 0.0).any()


def test_outcomes_of_a_saved_curve_are_the_same(tmp_path):
    """The true classes are in the file."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(), covered("beta", "append", classes=3))
    curve.save(tmp_path / "curve.npz")
    again = bc.BackdoorLearningCurve.load(tmp_path / "curve.npz")
    assert str(again.outcomes(0.5)) == str(curve.outcomes(0.5))


def test_outcomes_need_the_true_classes():
    """Own data may lack them."""
    data = replace(covered("beta", "append"), triggered_true=None)
    with pytest.raises(ValueError, match="outcomes needs the true classes of the triggered rows; pass triggered_true="):
        bc.backdoor_learning_curve(RidgeClassifier(), data).outcomes(0.5)
