"""Parameter deviation as a picture: rho over nu, as the curves say."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import backdoor_curves as bc
from backdoor_curves import DeviationDisplay as Display


def poisoned(seed: int = 0, rate: float = 0.2) -> bc.PoisonedData:
    rng = np.random.default_rng(seed)
    y = np.arange(160) % 2
    X = rng.normal(size=(160, 3)) + 0.8 * y[:, None]
    trigger = bc.FeatureTrigger((2,), (4.0,))
    return bc.poison((X[:80], y[:80]), (X[80:], y[80:]), trigger=trigger, rate=rate, rng=rng)


def ridge(alpha: float = 1.0, seed: int = 0, rate: float = 0.2) -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(RidgeClassifier(alpha=alpha), poisoned(seed, rate))


def refit(betas) -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(LogisticRegression(), poisoned(), method="refit", betas=betas)


def labels(display: Display) -> list[str]:
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def marked(display: Display) -> list[tuple[float, float]]:
    return [tuple(marks.get_offsets()[0].tolist()) for marks in display.ax_.collections]


def test_a_line_is_rho_over_nu():
    """By the coefficients themselves: an independent road, for a ridge classifier."""
    curve = ridge()
    (line,) = Display.from_curves(curve).lines_
    w = curve.path.parameters(np.array([0.0, 0.5, 1.0])).coef.reshape(3, -1)
    rho = np.linalg.norm(w, axis=1)
    nu = (1 - w @ w[0] / rho / rho[0]) / 2
    for x, y in zip(nu, rho, strict=True):
        assert np.hypot(line.get_xdata() - x, line.get_ydata() - y).min() < 1e-6 * y


def test_marks_stand_at_their_betas():
    """Each mark has a form of its own, which the legend names."""
    curve = ridge()
    display = Display.from_curves(curve)
    assert marked(display) == [(curve.angle(beta), curve.norm(beta)) for beta in (0.0, 0.1, 0.5, 1.0)]
    assert labels(display)[-4:] == ["β = 0", "β = 0.1", "β = 0.5", "β = 1"]
    assert len({marks.get_paths()[0].vertices.tobytes() for marks in display.ax_.collections}) == 4


def test_refits_have_dots_and_only_the_marks_that_were_fitted():
    """Between its betas nothing is known."""
    curve = refit([0.0, 0.3, 0.5, 1.0])
    display = Display.from_curves(curve)
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_xdata(), curve.angle(curve.betas))
    assert line.get_marker() == "."
    assert len(marked(display)) == 3
    assert Display.from_curves(ridge()).lines_[0].get_marker() == "None"


def test_the_legend_has_what_tells_curves_apart_and_the_attack_success_rate():
    """Lambda, gamma and rate where they differ; of seeds the range."""
    by_lambda = Display.from_curves({"Ridge": [ridge(10.0), ridge(1.0)]})
    rates = [ridge(alpha).accuracy("triggered", 1.0) for alpha in (1.0, 10.0)]
    assert labels(by_lambda)[:2] == [f"Ridge, λ = 2, ASR {rates[0]:.2f}", f"Ridge, λ = 20, ASR {rates[1]:.2f}"]
    assert labels(Display.from_curves(ridge()))[0] == f"ASR {rates[0]:.2f}"
    by_rate = Display.from_curves([ridge(), ridge(rate=0.1)])
    assert [label.split(",")[0] for label in labels(by_rate)[:2]] == ["p = 0.1", "p = 0.2"]


def test_seeds_share_a_colour_and_a_key_and_each_has_its_line():
    """The spread of a mean of two numbers would have to be drawn in two directions at each beta."""
    curves = [ridge(seed=seed) for seed in range(3)]
    display = Display.from_curves(curves)
    rates = sorted(curve.accuracy("triggered", 1.0) for curve in curves)
    assert labels(display)[0] == f"ASR {rates[0]:.2f}–{rates[-1]:.2f}"
    assert len(display.lines_) == 3
    assert len({to_rgb(line.get_color()) for line in display.lines_}) == 1


def test_sizes_that_differ_more_than_tenfold_have_a_log_axis():
    """Or the smaller ones would lie on the edge; otherwise zero is in sight."""
    assert Display.from_curves([ridge(1.0), ridge(10.0)]).ax_.get_ylim()[0] == 0.0
    assert Display.from_curves([ridge(1.0), ridge(1e5)]).ax_.get_yscale() == "log"


def test_svms_are_drawn_in_the_space_of_their_kernel():
    """rho^2 = a' K a, by the duals."""
    curve = bc.backdoor_learning_curve(SVC(C=1.0, gamma=0.3), poisoned())
    a = curve.path.duals(np.ones(1))[0] * curve.path.problem.y
    squared = ((curve.path.X[:, None] - curve.path.X) ** 2).sum(axis=-1)
    expected = np.sqrt(a @ np.exp(-0.3 * squared) @ a)
    assert Display.from_curves(curve).lines_[0].get_ydata()[-1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("estimator", "method"),
    [(DecisionTreeClassifier(), "auto"), (SVC(), "refit")],
    ids=["a tree", "refitted pairs of classes"],
)
def test_learners_without_weights_are_refused(estimator, method):
    """Before there is a figure, by name."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 3
    data = bc.poison((X, y), (X, y), trigger=lambda X, _: X + 1, rate=0.2, rng=rng)
    curve = bc.backdoor_learning_curve(estimator, data, method=method, betas=[0.0, 1.0])
    with pytest.raises(ValueError, match="need a parameter vector w"):
        Display.from_curves(curve)
    assert not plt.get_fignums()


def test_refits_without_beta_1_and_no_curves_are_refused():
    """The legend has the attack success rate there."""
    with pytest.raises(ValueError, match="beta"):
        Display.from_curves(refit([0.0, 0.5]))
    for nothing in ([], {}, {"Ridge": []}):
        with pytest.raises(ValueError, match="at least one curve was expected, none came"):
            Display.from_curves(nothing)
    assert not plt.get_fignums()


def test_axes_are_used_and_figures_reused():
    """As for the curves."""
    figure, (left, right) = plt.subplots(1, 2)
    display = Display.from_curves(ridge(), ax=right)
    assert (display.ax_, display.figure_, len(left.lines)) == (right, figure, 0)
    assert display.plot() is display
    assert len(plt.get_fignums()) == 1
    assert len(right.lines) == len(display.lines_) == 1


@pytest.mark.parametrize("width", [3.4, 6.4])
def test_no_text_is_cut_off_or_overlaps(width, nothing_overlaps):
    """At the width of a column, with a name that is too long for it."""
    _, ax = plt.subplots(figsize=(width, 4.2), layout="constrained")
    curves = {"Frozen features of a network, linear head": [ridge(1.0), ridge(1e3)], "refit": refit([0.0, 0.5, 1.0])}
    nothing_overlaps(Display.from_curves(curves, ax=ax).figure_)


def test_a_text_over_another_would_be_noticed(nothing_overlaps):
    """The check above must be able to fail, in both ways."""
    figure = Display.from_curves(ridge()).figure_
    figure.axes[0].set_title("A title")
    nothing_overlaps(figure)
    over = figure.axes[0].set_xlabel("β = 0.1", labelpad=20)
    with pytest.raises(AssertionError):
        nothing_overlaps(figure)
    over.set_text("")
    figure.text(0.9, 0.5, "a text that runs out of the figure")
    with pytest.raises(AssertionError):
        nothing_overlaps(figure)
