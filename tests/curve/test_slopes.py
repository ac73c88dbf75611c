"""What a curve says of its slope: exact, at every beta, how far it holds, and what refits can say of it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc

SMOOTH = [RidgeClassifier(), LogisticRegression(), LogisticRegression(C=30.0, solver="liblinear")]
HINGES = [SVC(gamma=0.3), LinearSVC(C=0.1, loss="hinge"), SVC(C=10.0, kernel="linear")]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(2)
    train, test = bc.datasets.digits("even-odd", n_train=200, n_test=120, rng=rng)
    trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    return bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)


@pytest.mark.parametrize("estimator", [*SMOOTH, *HINGES, LinearSVC(C=0.05)], ids=str)
def test_slopes_are_differences_of_the_curve(estimator, data):
    """At many betas at once: from the right at 0, central inside; between two kinks of a hinge it is a chord."""
    curve = bc.backdoor_learning_curve(estimator, data, tolerance=1e-6 if estimator in HINGES else 1e-9)
    for split in ("triggered", "clean"):
        if estimator in HINGES:
            ends = np.concatenate([[0.0], curve.kinks(split), [1.0]])
            longer = np.flatnonzero(np.diff(ends) > 1e-6)
            ends, after = ends[longer], ends[longer + 1]
            chords = (curve.loss(split, after) - curve.loss(split, ends)) / (after - ends)
            np.testing.assert_allclose(curve.slope(ends, split), chords, atol=1e-6 * np.abs(chords).max())
            continue
        betas, h = np.array([0.003, 0.1, 0.4, 0.9]), 1e-5
        above, below = (curve.loss(split, betas + k) for k in (h, -h))
        found = curve.slope(betas, split)
        np.testing.assert_allclose(found, (above - below) / (2 * h), rtol=2e-4)
        at_0 = curve.loss(split, h * np.arange(3) / 10)
        assert curve.slope(0.0, split) == pytest.approx((4 * at_0[1] - 3 * at_0[0] - at_0[2]) / (h / 5), rel=1e-3)


@pytest.mark.parametrize("estimator", [*SMOOTH, *HINGES], ids=str)
def test_a_slope_is_the_same_alone_and_among_many(estimator, data):
    """Betas near each other share a preconditioner, which must not show."""
    curve = bc.backdoor_learning_curve(estimator, data)
    betas = np.linspace(0, 1, 33)
    np.testing.assert_allclose(curve.slope(betas)[[0, 7, 32]], [curve.slope(b) for b in betas[[0, 7, 32]]], rtol=1e-9)


@pytest.mark.parametrize("estimator", SMOOTH, ids=str)
def test_the_slope_does_not_depend_on_the_tolerance_of_the_path(estimator, data):
    """It comes from the conditions of the optimum; a coarse path only says where to begin."""
    coarse, fine = (bc.backdoor_learning_curve(estimator, data, tolerance=t) for t in (1e-3, 1e-8))
    betas = [0.0, 0.01, 0.5, 1.0]
    np.testing.assert_allclose(coarse.slope(betas), fine.slope(betas), rtol=1e-9)


def test_the_other_ways_to_say_it(data):
    """Per row, over the loss, and as the paper's theta."""
    curve = bc.backdoor_learning_curve(LogisticRegression(), data)
    slope = curve.slope(0.0)
    assert slope < 0 < curve.theta < 1
    assert curve.theta == pytest.approx(-2 / np.pi * np.arctan(slope))
    assert curve.slope_per_poison_row == pytest.approx(slope / len(data.poison_train))
    assert curve.relative_slope == pytest.approx(slope / curve.loss("triggered", 0.0))


def test_a_positive_slope_is_reported_as_it_is(data):
    """Poison that teaches the right labels raises the loss on rows with the attacker's."""
    honest = bc.PoisonedData(
        data.clean_train,
        (data.triggered_test.X, data.triggered_true),
        data.clean_test,
        data.triggered_test,
        data.triggered_true,
    )
    curve = bc.backdoor_learning_curve(RidgeClassifier(), honest)
    assert curve.slope(0.0) > 0 > curve.theta
    assert curve.slope_per_poison_row > 0
    assert curve.relative_slope > 0


@pytest.mark.parametrize("estimator", HINGES, ids=str)
def test_hinges_are_straight_up_to_their_range_and_no_further(estimator, data):
    """The range is the first kink."""
    curve = bc.backdoor_learning_curve(estimator, data)
    end, slope, start = curve.slope_range, curve.slope(0.0), curve.loss("triggered", 0.0)
    assert end == curve.kinks()[0]
    assert curve.loss("triggered", end) == pytest.approx(start + slope * end, rel=1e-10)
    assert abs(curve.slope(end) / slope - 1) > 1e-9
    assert curve.condensed().slope_range == end


@pytest.mark.parametrize("estimator", SMOOTH, ids=str)
def test_smooth_losses_are_straight_to_a_tenth_up_to_their_range(estimator, data):
    """Terms beyond the second take a little of it back."""
    curve = bc.backdoor_learning_curve(estimator, data)
    end, slope = curve.slope_range, curve.slope(0.0)
    change = curve.loss("triggered", end) - curve.loss("triggered", 0.0)
    assert 0.05 < abs(change / (slope * end) - 1) < 0.2
    h = end / 50
    second = (curve.slope(h) - slope) / h
    assert end == pytest.approx(min(1.0, 0.2 * abs(slope / second)), rel=0.05)


def test_the_range_ends_at_an_event_of_the_squared_hinge(data):
    """Where a training row joins or leaves, the loss bends."""
    curve = bc.backdoor_learning_curve(LinearSVC(C=0.05), data)
    assert 0 < curve.slope_range <= curve.kinks()[0]


def test_a_stored_curve_has_the_slope_at_0_to_the_last_digit(data, tmp_path):
    """And so theta: they stand in tables."""
    for estimator in (LogisticRegression(), SVC(gamma=0.3)):
        curve = bc.backdoor_learning_curve(estimator, data)
        curve.save(tmp_path / "curve.npz")
        for stored in (curve.detached(), curve.condensed(), bc.BackdoorLearningCurve.load(tmp_path / "curve.npz")):
            assert stored.theta == curve.theta
            assert stored.slope(0.0, "clean") == curve.slope(0.0, "clean")
            assert stored.slope_range == pytest.approx(curve.slope_range, rel=1e-9)


def test_refits_estimate_their_slope_with_an_error(data):
    """A tight solver at three betas near 0: the estimate is as good as it says."""
    tight = LogisticRegression(tol=1e-12, solver="newton-cholesky")
    exact = bc.backdoor_learning_curve(tight, data).slope(0.0)
    h = 1e-3
    curve = bc.backdoor_learning_curve(tight, data, method="refit", betas=[0.0, h, 2 * h, 1.0])
    estimate = curve.slope_estimate()
    assert abs(estimate.slope - exact) < estimate.error
    assert estimate.error < 0.1 * abs(exact)
    assert estimate.betas.tolist() == [0.0, h, 2 * h]
    # The parabola is exact where the loss is one, whatever the steps.
    with pytest.raises(ValueError, match="needs an exact path"):
        curve.slope(0.0)


def test_an_estimate_is_for_refits_of_three_betas(data):
    """Exact curves have a slope; two betas have no error estimate."""
    with pytest.raises(ValueError, match="this one is exact, ask for slope"):
        bc.backdoor_learning_curve(RidgeClassifier(), data).slope_estimate()
    with pytest.raises(ValueError, match="three betas or more"):
        bc.backdoor_learning_curve(RidgeClassifier(), data, method="refit", betas=[0.0, 1.0]).slope_estimate()


@pytest.mark.parametrize("beta", [-0.1, 1.1, float("nan"), "0"])
def test_slopes_outside_0_and_1_are_refused(beta, data):
    """beta is a weight from nothing to one."""
    with pytest.raises(ValueError, match=r"numbers in \[0, 1\] were expected"):
        bc.backdoor_learning_curve(RidgeClassifier(), data).slope(beta)


def test_a_loss_of_zero_has_no_relative_slope():
    """And says so in a sentence."""
    X, y = np.array([[-3.0], [3.0], [2.0]]), np.array([0, 1, 1])
    data = bc.PoisonedData((X, y), (np.array([[5.0]]), [1]), (X, y), (np.array([[4.0]]), [1]))
    curve = bc.backdoor_learning_curve(SVC(C=1.0, kernel="linear"), data)
    with pytest.raises(ValueError, match="a triggered loss > 0 at beta = 0 was expected"):
        _ = curve.relative_slope
    assert str(curve.theta) == "0.0"


def test_refits_have_no_slope_range(data):
    """They have an error of their estimate."""
    with pytest.raises(ValueError, match="slope_range needs an exact path"):
        _ = bc.backdoor_learning_curve(RidgeClassifier(), data, method="refit", betas=[0.0, 1.0]).slope_range
