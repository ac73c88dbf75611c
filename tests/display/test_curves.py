"""The picture: every line is a curve, and looks like what it is."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves import BackdoorLearningCurveDisplay as Display

REFITTED = [0.0, 0.1, 0.4, 1.0]


def poisoned(rate: float = 0.2, seed: int = 0) -> bc.PoisonedData:
    rng = np.random.default_rng(seed)
    y = np.arange(160) % 2
    X = rng.normal(size=(160, 3)) + 0.8 * y[:, None]
    trigger = bc.FeatureTrigger((2,), (4.0,))
    return bc.poison((X[:80], y[:80]), (X[80:], y[80:]), trigger=trigger, rate=rate, rng=rng)


def ridge(rate: float = 0.2, seed: int = 0, alpha: float = 1.0) -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(RidgeClassifier(alpha=alpha), poisoned(rate, seed))


def refit(seed: int = 0, betas=REFITTED) -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(LogisticRegression(), poisoned(seed=seed), method="refit", betas=betas)


@pytest.fixture(scope="module")
def seeds():
    return [ridge(seed=seed) for seed in range(3)]


def luminance(color) -> float:
    return float(np.dot(to_rgb(color), (0.2126, 0.7152, 0.0722)))


def labels(display: Display) -> list[str]:
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
def test_lines_are_the_curves(seeds, quantity):
    """The triggered rows solid, then the clean ones dashed, at every point as the curve says."""
    display = Display.from_curves(seeds[0], quantity=quantity)
    assert [line.get_linestyle() for line in display.lines_] == ["-", "--"]
    for line, split in zip(display.lines_, ("triggered", "clean"), strict=True):
        betas, values = line.get_data()
        np.testing.assert_array_equal(values, getattr(seeds[0], quantity)(split, betas))
        assert (betas[0], betas[-1]) == (0.0, 1.0)
        assert np.diff(betas).max() < 0.01  # finer than a figure can show


def test_lines_of_another_curve_would_be_noticed(seeds):
    """The check above must be able to fail."""
    betas, values = Display.from_curves(seeds[1]).lines_[0].get_data()
    assert not np.allclose(values, seeds[0].loss("triggered", betas))


def test_one_curve_a_list_and_a_mapping_draw_the_same(seeds):
    """A mapping adds the learner's name to the legend, no more."""
    displays = [Display.from_curves(curves) for curves in (seeds[0], seeds[:1], {"Ridge": seeds[0]})]
    for display in displays[1:]:
        for line, first in zip(display.lines_, displays[0].lines_, strict=True):
            np.testing.assert_array_equal(line.get_data(), first.get_data())
    assert labels(displays[0])[0] == "p = 0.2"
    assert labels(displays[2])[0] == "Ridge, p = 0.2"


def test_seeds_become_their_mean_with_a_band_from_the_lowest_to_the_highest(seeds):
    """The band is the range that was seen, not a confidence that was assumed."""
    display = Display.from_curves(seeds)
    assert len(display.lines_) == 2
    bands = display.ax_.collections
    for line, band, split in zip(display.lines_, bands, ("triggered", "clean"), strict=True):
        betas, values = line.get_data()
        all_values = np.stack([curve.loss(split, betas) for curve in seeds])
        np.testing.assert_allclose(values, all_values.mean(axis=0), rtol=1e-14)
        corners = band.get_paths()[0].vertices
        for beta, low, high in zip(betas, all_values.min(axis=0), all_values.max(axis=0), strict=True):
            at = corners[corners[:, 0] == beta, 1]
            assert (at.min(), at.max()) == (low, high)


def test_one_seed_has_no_band(seeds):
    """A range of one is a line."""
    assert not Display.from_curves(seeds[0]).ax_.collections


def test_each_rate_is_a_line_and_the_higher_one_darker(seeds):
    """One hue a learner, its strength the rate: read without the legend."""
    display = Display.from_curves([ridge(0.4), *seeds, ridge(0.1)])
    assert labels(display)[:3] == ["p = 0.1", "p = 0.2", "p = 0.4"]
    light = [luminance(line.get_color()) for line in display.lines_]
    assert light == sorted(light, reverse=True)
    assert light[::2] == light[1::2]
    assert len(set(light)) == 3


def test_each_learner_has_a_hue_and_the_order_is_kept(seeds):
    """The legend follows the mapping."""
    display = Display.from_curves({"weak": seeds[0], "strong": ridge(alpha=100.0), "refit": refit()})
    assert labels(display)[:3] == ["weak, p = 0.2", "strong, p = 0.2", "refit, p = 0.2"]
    assert len({line.get_color() for line in display.lines_}) == 3
    assert len(display.lines_) == 6


def test_the_control_is_dotted_and_drawn_last(seeds):
    """It is no attack, so it must not look like one."""
    control = bc.backdoor_learning_curve(RidgeClassifier(), poisoned().control())
    for given in (control, [control]):
        *_, line = Display.from_curves(seeds[0], control=given).lines_
        betas, values = line.get_data()
        assert line.get_linestyle() == ":"
        np.testing.assert_array_equal(values, control.loss("triggered", betas))
    assert labels(Display.from_curves(seeds[0], control=control))[1] == "the same rows without the trigger"


def test_refits_have_a_mark_at_each_beta_and_exact_curves_none(seeds):
    """Between its marks a refit is a guess."""
    display = Display.from_curves({"exact": seeds[0], "refit": refit()})
    exact, refitted = display.lines_[:2], display.lines_[2:]
    assert {line.get_marker() for line in exact} == {"None"}
    assert {line.get_marker() for line in refitted} == {"."}
    for line in refitted:
        np.testing.assert_array_equal(line.get_xdata(), REFITTED)


def test_an_exact_svm_is_drawn_as_what_it_is():
    """Its own loss, without marks; a condensed curve, which a study keeps, gives the same picture."""
    curve = bc.backdoor_learning_curve(SVC(C=1.0, gamma=0.3), poisoned())
    displays = [Display.from_curves(c, quantity=q) for q in ("loss", "accuracy") for c in (curve, curve.condensed())]
    assert displays[0].ax_.get_ylabel() == "mean hinge loss"
    for display, other in (displays[:2], displays[2:]):
        for line, same in zip(display.lines_, other.lines_, strict=True):
            assert line.get_marker() == "None"
            np.testing.assert_allclose(same.get_data(), line.get_data(), atol=1e-12)


def test_refits_at_different_betas_are_refused():
    """There is no beta at which both are known, so no mean."""
    with pytest.raises(ValueError, match="pass the same betas="):
        Display.from_curves([refit(0), refit(1, [0.0, 0.5, 1.0])])


def test_from_estimator_computes_what_it_draws():
    """It is the curve of the same estimator, with its name, and the control where asked."""
    for estimator in (RidgeClassifier(alpha=1.0), make_pipeline(StandardScaler(), RidgeClassifier(alpha=1.0))):
        curve = bc.backdoor_learning_curve(estimator, poisoned())
        display = Display.from_estimator(estimator, poisoned(), control=True)
        betas, values = display.lines_[0].get_data()
        np.testing.assert_array_equal(values, curve.loss("triggered", betas))
        assert labels(display)[0] == "RidgeClassifier, p = 0.2"
        assert [line.get_linestyle() for line in display.lines_] == ["-", "--", ":"]
    betas = Display.from_estimator(RidgeClassifier(), poisoned(), method="refit", betas=REFITTED).lines_[0].get_xdata()
    np.testing.assert_array_equal(betas, REFITTED)


def test_axes_that_are_given_are_drawn_on_and_no_figure_is_opened(seeds):
    """Figures with many panels are the caller's."""
    figure, (left, right) = plt.subplots(1, 2)
    display = Display.from_curves(seeds[0], ax=right)
    assert (display.ax_, display.figure_) == (right, figure)
    assert (len(left.lines), len(right.lines)) == (0, 2)
    assert len(plt.get_fignums()) == 1


def test_an_array_of_axes_is_taken_where_it_has_one(seeds):
    """`plt.subplots` may give an array; of several axes nobody can know which is meant."""
    figure, axes = plt.subplots(1, 2, squeeze=False)
    assert Display.from_curves(seeds[0], ax=axes[:, :1]).ax_ is axes[0, 0]
    for kind in (Display, bc.SlopeDisplay, bc.DeviationDisplay):
        with pytest.raises(ValueError, match="ax: 1 axes were expected, 2 of Axes came; pass one of them"):
            kind.from_curves(seeds[0], ax=axes)
        with pytest.raises(ValueError, match="ax: 1 axes were expected, 1 of Figure came"):
            kind.from_curves(seeds[0], ax=figure)
        with pytest.raises(ValueError, match="ax: 1 axes were expected, 0 of nothing came"):
            kind.from_curves(seeds[0], ax=[])


def test_plot_right_after_from_curves_redraws_its_figure(seeds):
    """`from_curves(...).plot()` in a notebook must not show two figures, nor each line twice."""
    display = Display.from_curves(seeds)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is first
    assert len(plt.get_fignums()) == 1
    assert len(display.ax_.lines) == len(display.lines_) == 2
    display.plot(quantity="accuracy")
    assert len(display.ax_.lines) == 2
    assert display.ax_.get_ylabel() == "share of test rows"


def test_plot_after_its_figure_was_closed_opens_another(seeds):
    """What nobody can see any more is not drawn on."""
    display = Display.from_curves(seeds[0])
    closed = display.figure_
    plt.close(closed)
    display.plot()
    assert display.figure_ is not closed
    assert len(plt.get_fignums()) == 1


def test_accuracies_have_an_axis_from_zero_to_one_and_names_of_their_own(seeds):
    """Accuracies of several figures are compared; a cut axis would mislead."""
    display = Display.from_curves(seeds[0], quantity="accuracy")
    low, high = display.ax_.get_ylim()
    assert low <= 0.0
    assert high >= 1.0
    assert labels(display)[-2:] == ["attack success rate", "clean accuracy"]
    assert labels(Display.from_curves(seeds[0]))[-2:] == ["triggered test rows", "clean test rows"]


def test_the_axis_names_the_loss_that_is_drawn(seeds):
    """Losses of two kinds on one axis are not to be compared, so none is named."""
    assert Display.from_curves(seeds[0]).ax_.get_ylabel() == "mean squared loss"
    assert Display.from_curves({"a": seeds[0], "b": refit()}).ax_.get_ylabel() == "mean loss, each learner's own"
    assert Display.from_curves(seeds[0]).ax_.get_xlim() == (0.0, 1.0)


def covers(ax) -> bool:
    """Whether every point of every line and band, and zero, is within the limits."""
    low, high = ax.get_ylim()
    points = [line.get_ydata() for line in ax.lines]
    points += [path.vertices[:, 1] for band in ax.collections for path in band.get_paths()]
    values = np.concatenate(points)
    return low <= min(0.0, values.min()) and values.max() <= high


@pytest.mark.parametrize("share", [False, True, "row"])
@pytest.mark.parametrize("order", [1, -1])
def test_no_curve_is_cut_off(seeds, share, order):
    """Regression: on axes that share their limits the first panel's froze those of the others."""
    groups = [seeds, [ridge(seed=seed, alpha=1e4) for seed in range(2)]][::order]
    _, axes = plt.subplots(1, 2, sharey=share)
    for ax, group in zip(axes, groups, strict=True):
        Display.from_curves(group, ax=ax)
    heights = [max(line.get_ydata().max() for line in ax.lines) for ax in axes]
    assert max(heights) > 1.5 * min(heights)
    assert all(covers(ax) for ax in axes)


def test_a_frozen_axis_would_be_noticed(seeds):
    """The check above must be able to fail."""
    ax = Display.from_curves(seeds).ax_
    ax.set_ylim(0, 0.5)
    assert not covers(ax)


@pytest.mark.parametrize("quantity", ["los", None, "asr"])
def test_a_quantity_that_is_none_is_refused_without_a_figure(seeds, quantity):
    """An empty figure would be left on the screen."""
    with pytest.raises(ValueError, match='quantity: "loss" or "accuracy" was expected'):
        Display.from_curves(seeds[0], quantity=quantity)
    assert not plt.get_fignums()


@pytest.mark.parametrize("nothing", [[], {}, {"Ridge": []}])
def test_no_curve_at_all_is_refused(nothing):
    """A loop that found no files should hear of it."""
    with pytest.raises(ValueError, match="at least one curve was expected, none came"):
        Display.from_curves(nothing)
    assert not plt.get_fignums()


def test_curves_from_files_are_drawn_as_those_just_computed(seeds, tmp_path):
    """What can be drawn can be saved and drawn tomorrow."""
    seeds[0].save(tmp_path / "curve.npz")
    kept = Display.from_curves(bc.BackdoorLearningCurve.load(tmp_path / "curve.npz"))
    for line, first in zip(kept.lines_, Display.from_curves(seeds[0]).lines_, strict=True):
        np.testing.assert_array_equal(line.get_data(), first.get_data())


@pytest.mark.parametrize("convention", ["parts", "mixture"])
def test_a_second_axis_reads_beta_in_another_convention(seeds, convention):
    """Its marks stand at the betas that the convention's values are, and its words have the formula."""
    display = Display.from_curves(seeds, second_axis=convention)
    display.figure_.canvas.draw()
    (above,) = display.ax_.child_axes
    info = seeds[0].info
    low, high = bc.betas_in(convention, [0.0, 1.0], info.n_clean, info.n_poison)
    assert above.get_xlim() == pytest.approx((low, high), abs=1e-12)
    for value in above.get_xticks():
        if low <= value <= high:
            beta = bc.betas_from(convention, value, info.n_clean, info.n_poison)
            x, _ = display.ax_.transData.transform((beta.item(), 0.0))
            assert above.transData.transform((value, 0.0))[0] == pytest.approx(x, abs=1e-6)
    assert f"p = {info.n_poison / (info.n_poison + info.n_clean):.3g}" in above.get_xlabel()


def test_a_second_axis_of_two_shares_of_poison_is_refused(seeds):
    """The same beta would be two values; and what is no convention has none."""
    with pytest.raises(ValueError, match="second_axis: curves of one share of poison were expected"):
        Display.from_curves([seeds[0], ridge(0.4)], second_axis="parts")
    with pytest.raises(ValueError, match=r"second_axis: None, \"parts\" or \"mixture\" was expected, 'sums' came"):
        Display.from_curves(seeds, second_axis="sums")
