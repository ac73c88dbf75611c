"""Slopes against accuracies: every mark is a curve, and what has no mark is counted."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves import SlopeDisplay as Display
from backdoor_curves.display import SlopePoint

LAMBDAS = (0.1, 1.0, 10.0)


def poisoned(rate: float = 0.2, seed: int = 0) -> bc.PoisonedData:
    rng = np.random.default_rng(seed)
    y = np.arange(160) % 2
    X = rng.normal(size=(160, 3)) + 0.8 * y[:, None]
    trigger = bc.FeatureTrigger((2,), (4.0,))
    return bc.poison((X[:80], y[:80]), (X[80:], y[80:]), trigger=trigger, rate=rate, rng=rng)


def logistic(lam: float, seed: int = 0, rate: float = 0.2) -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(LogisticRegression(C=1 / lam), poisoned(rate, seed))


def rbf(lam: float, gamma: float) -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(SVC(C=1 / lam, gamma=gamma), poisoned())


def point(slopes, learner="", lam=1.0, gamma=None) -> SlopePoint:
    slopes = np.array(slopes)
    return SlopePoint(learner, lam, gamma, slopes, np.full(slopes.shape, 0.5), np.full(slopes.shape, 0.9))


def texts(display: Display) -> list[str]:
    return [text.get_text() for text in display.ax_.texts]


def labels(display: Display) -> list[str]:
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@pytest.fixture(scope="module")
def curves():
    return [logistic(lam) for lam in LAMBDAS]


@pytest.fixture(scope="module")
def seeds():
    return [logistic(lam, seed) for seed in range(3) for lam in LAMBDAS]


@pytest.mark.parametrize("axis", ["theta", "slope"])
def test_lines_are_what_the_curves_say(curves, axis):
    """Solid the attack success rate, dashed the clean accuracy, at beta = 1; joined in the order of lambda."""
    display = Display.from_curves(curves[::-1], axis=axis)
    assert [line.get_linestyle() for line in display.lines_] == ["-", "--"]
    for line, split in zip(display.lines_, ("triggered", "clean"), strict=True):
        x = [curve.theta if axis == "theta" else -curve.slope(0.0) for curve in curves]
        np.testing.assert_array_equal(line.get_xdata(), x)
        np.testing.assert_array_equal(line.get_ydata(), [curve.accuracy(split, 1.0) for curve in curves])
    assert display.ax_.get_xscale() == "log"
    assert all(low <= value <= high for (low, high) in [display.ax_.get_xlim()] for value in x)


def test_marks_are_circles_and_squares_that_grow_with_lambda(curves):
    """Told apart without colour, and by lambda without a label at each."""
    circles, squares = Display.from_curves(curves).ax_.collections
    assert len(circles.get_paths()[0].vertices) > 8
    assert len(squares.get_paths()[0].vertices) == 5
    for marks in (circles, squares):
        assert (np.diff(marks.get_sizes()) > 0).all()


def test_seeds_become_their_mean_with_bars_from_the_lowest_to_the_highest(curves, seeds):
    """The range that was seen, in both directions."""
    display = Display.from_curves({"Logistic": seeds}, axis="slope")
    for line, split in zip(display.lines_, ("triggered", "clean"), strict=True):
        x = -np.array([curve.slope(0.0) for curve in seeds]).reshape(3, 3)
        y = np.array([curve.accuracy(split, 1.0) for curve in seeds]).reshape(3, 3)
        np.testing.assert_allclose(line.get_xdata(), x.mean(axis=0), rtol=1e-14)
        np.testing.assert_allclose(line.get_ydata(), y.mean(axis=0), rtol=1e-14)
    (bars_in_x, bars_in_y), *_ = [container.lines[2] for container in display.ax_.containers[::-1]]
    ends = np.array([segment[:, 0] for segment in bars_in_x.get_segments()])
    np.testing.assert_allclose(ends, np.column_stack([x.min(axis=0), x.max(axis=0)]), rtol=1e-12)
    ends = np.array([segment[:, 1] for segment in bars_in_y.get_segments()])
    np.testing.assert_allclose(ends, np.column_stack([y.min(axis=0), y.max(axis=0)]), rtol=1e-12)
    assert not Display.from_curves(curves).ax_.containers


def test_each_gamma_of_one_learner_is_a_line_and_a_colour():
    """Gammas ascend in the legend, whatever the order of the curves."""
    display = Display.from_curves([rbf(lam, gamma) for gamma in (0.03, 0.1) for lam in (1.0, 0.1)])
    assert labels(display)[:2] == ["γ = 0.03", "γ = 0.1"]
    solid = display.lines_[::2]
    assert [len(line.get_xdata()) for line in solid] == [2, 2]
    assert len({to_rgb(line.get_color()) for line in solid}) == 2
    np.testing.assert_array_equal(solid[0].get_xdata(), [rbf(lam, 0.03).theta for lam in (0.1, 1.0)])


def test_learners_have_hues_and_keep_their_order(curves):
    """The legend follows the mapping; then come the two marks, and the sizes of the smallest and largest lambda."""
    display = Display.from_curves({"RBF": [rbf(1.0, 0.1), rbf(1.0, 0.03)], "Logistic": curves})
    assert labels(display) == [
        *("RBF, γ = 0.03", "RBF, γ = 0.1", "Logistic", "attack success rate", "clean accuracy"),
        *("λ = 0.1", "λ = 10"),
    ]
    assert len({to_rgb(line.get_color()) for line in display.lines_}) == 3
    assert len(display.lines_) == 6


def test_theta_that_is_not_positive_is_left_out_and_counted():
    """A log axis has no place for it; who is not told would take the rest for all."""
    display = Display([point([-1.0, 2.0, 0.0]), point([-3.0], lam=2.0), point([1.0], lam=4.0)]).plot()
    assert texts(display) == ["3 of 5 curves left out: θ ≤ 0"]
    np.testing.assert_allclose(display.lines_[0].get_xdata(), [0.5, 2 / np.pi * np.arctan(3.0)])
    assert not texts(Display([point([-1.0])]).plot())


def test_the_raw_slope_shows_every_sign():
    """Linear around 0, logarithmic beyond; nothing is left out."""
    display = Display([point([-100.0]), point([1e-3], lam=2.0), point([0.0], lam=3.0)]).plot(axis="slope")
    assert display.ax_.get_xscale() == "symlog"
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), [100.0, -1e-3, 0.0])
    low, high = display.ax_.get_xlim()
    assert low < -1e-3
    assert high > 100
    assert not texts(display)
    assert Display([point([0.0])]).plot(axis="slope").ax_.get_xscale() == "symlog"


def test_both_axes_have_the_same_colours_and_sizes():
    """Whoever looks from one to the other must find the same learner."""
    display = Display([point([1.0], "against"), point([-1.0], "with", 0.1), point([-2.0], "with", 1e3)]).plot()
    with_alone = display.lines_[0].get_color()
    (sizes,) = {tuple(marks.get_sizes()) for marks in display.ax_.collections}
    display.plot(axis="slope")
    assert display.lines_[2].get_color() == with_alone != display.lines_[0].get_color()
    assert tuple(display.ax_.collections[-1].get_sizes()) == sizes


def test_no_place_for_any_curve_is_an_error():
    """An empty figure would say nothing."""
    with pytest.raises(ValueError, match='theta > 0 was expected on its log axis, 2 of 2 have none; pass axis="slope"'):
        Display([point([1.0, 0.0])]).plot()
    assert not plt.get_fignums()


def test_refitted_curves_are_refused(curves):
    """A difference of two fits is no slope; the message names the learner and the way out."""
    refitted = bc.backdoor_learning_curve(LogisticRegression(), poisoned(), method="refit")
    with pytest.raises(ValueError, match=r"exact curves were expected.*'Refit' was refitted.*slope_estimate"):
        Display.from_curves({"Exact": curves, "Refit": refitted})
    assert not plt.get_fignums()


def test_several_rates_under_one_name_are_refused():
    """They are no seeds of each other."""
    with pytest.raises(ValueError, match=r"one poison rate a name was expected, 'L' has 0\.1, 0\.2"):
        Display.from_curves({"L": [logistic(1.0), logistic(1.0, rate=0.1)]})


def test_what_is_no_axis_and_no_curve_is_refused(curves):
    """Before there is a figure."""
    with pytest.raises(ValueError, match='axis: "theta" or "slope" was expected'):
        Display.from_curves(curves, axis="Theta")
    for nothing in ([], {}, {"Ridge": []}):
        with pytest.raises(ValueError, match="at least one curve was expected, none came"):
            Display.from_curves(nothing)
    with pytest.raises(ValueError, match="points: at least one was expected"):
        Display([]).plot()
    assert not plt.get_fignums()


def test_three_classes_are_drawn_where_the_learner_is_exact():
    """Ridge has a slope for any number of classes."""
    rng = np.random.default_rng(0)
    train, test = bc.datasets.digits((0, 1, 2), rng=rng)
    trigger = bc.PatchTrigger.random(size=2, n_classes=3, channels=1, rng=rng)
    curve = bc.backdoor_learning_curve(
        RidgeClassifier(), bc.poison(train, test, trigger=trigger, rate=0.1, labels="next", rng=rng)
    )
    assert Display.from_curves(curve).lines_[0].get_xdata().tolist() == [curve.theta]


def test_curves_from_files_and_condensed_ones_are_drawn_alike(curves, tmp_path):
    """What can be drawn can be saved and drawn tomorrow."""
    curves[0].save(tmp_path / "curve.npz")
    kept = [bc.BackdoorLearningCurve.load(tmp_path / "curve.npz"), *(curve.condensed() for curve in curves[1:])]
    for line, first in zip(Display.from_curves(kept).lines_, Display.from_curves(curves).lines_, strict=True):
        np.testing.assert_array_equal(line.get_data(), first.get_data())


def test_axes_are_used_and_figures_reused(curves):
    """As for the curves: given axes are the caller's, and a second plot draws on the figure of the first."""
    figure, (left, right) = plt.subplots(1, 2)
    display = Display.from_curves(curves, ax=right)
    assert (display.ax_, display.figure_, len(left.lines)) == (right, figure, 0)
    assert len(plt.get_fignums()) == 1
    assert display.plot(axis="slope") is display
    assert len(plt.get_fignums()) == 1
    assert len(right.lines) == len(display.lines_) == 2


@pytest.mark.parametrize("width", [3.4, 6.4])
@pytest.mark.parametrize("axis", ["theta", "slope"])
def test_no_text_is_cut_off_or_overlaps(seeds, axis, width, nothing_overlaps):
    """At the width of a column, with a name that is too long for it and a note of what was left out."""
    _, ax = plt.subplots(figsize=(width, 4.2), layout="constrained")
    groups = Display.from_curves({"Frozen features of a network, linear head": seeds, "RBF": rbf(1.0, 0.1)}, ax=ax)
    ax.clear()
    display = Display([*groups.points, point([2.0], "against", 1e4), point([-1e-5], "hardly")])
    nothing_overlaps(display.plot(ax, axis=axis).figure_)
