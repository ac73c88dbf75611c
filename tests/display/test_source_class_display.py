"""Which class falls first as a picture: a strip a class, as the outcomes of the curve say."""

from __future__ import annotations

from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from ten_digits import poisoned, ten

import backdoor_curves as bc
from backdoor_curves import SourceClassDisplay as Display
from backdoor_curves.display.source_classes import HEIGHT


def names(display: Display) -> list[str]:
    return [tick.get_text() for tick in display.ax_.get_yticklabels()]


def beside(display: Display) -> list[str]:
    return [text.get_text() for text in display.ax_.texts if text.get_text() != "half-ASR β"]


def test_strips_are_the_shares_of_each_class():
    """The line of a strip is the attack success rate of its class; what hangs from its top is the third share."""
    curve = ten()
    display = Display.from_curve(curve)
    found = curve.outcomes(display.betas)
    lines = [line for line in display.ax_.lines if len(line.get_xdata()) == len(display.betas)]
    for strip, (line, place) in enumerate(zip(lines, display.order_, strict=True)):
        rises = (strip + HEIGHT / 2 - line.get_ydata()) / HEIGHT
        np.testing.assert_allclose(rises, found.by_class[:, place, 0], atol=1e-12)
        np.testing.assert_allclose(display.elsewhere[:, place], found.by_class[:, place, 2], atol=1e-15)
    assert sum(len(mark.get_xdata()) == 1 for mark in display.ax_.lines) == 10


def test_the_class_that_falls_first_is_on_top_and_its_beta_beside_it():
    """Those that never fall come last, the one with the largest share first."""
    curve = bc.backdoor_learning_curve(LogisticRegression(), poisoned())
    display = Display.from_curve(curve)
    halves, ends = curve.half_asr_betas[display.order_], curve.outcomes(1.0).by_class[display.order_, 0]
    n = int(np.isfinite(halves).sum())
    assert 0 < n < 10
    assert (np.diff(halves[:n]) >= 0).all()
    assert (np.diff(ends[n:]) <= 0).all()
    assert beside(display) == [f"{half:.3g}" for half in halves[:n]] + ["never"] * (10 - n)
    assert names(display) == [str(k) for k in display.order_]
    marks = [line.get_xdata()[0] for line in display.ax_.lines if len(line.get_xdata()) == 1]
    np.testing.assert_array_equal(marks, halves[:n])


def test_a_target_class_has_no_strip():
    """It has no triggered rows."""
    assert sorted(names(Display.from_curve(ten(3)))) == [str(k) for k in range(10) if k != 3]


def test_refits_have_dots_and_a_bound():
    """The first fitted beta at which half of the class has gone; nothing is known before."""
    curve = bc.backdoor_learning_curve(GaussianNB(), poisoned(), method="refit", betas=[0.0, 0.1, 0.3, 1.0])
    display = Display.from_curve(curve)
    np.testing.assert_array_equal(display.betas, curve.betas)
    assert {line.get_marker() for line in display.ax_.lines if len(line.get_xdata()) == 4} == {"."}
    shares = curve.outcomes(curve.betas).by_class[..., 0]
    for place, said in zip(display.order_, beside(display), strict=True):
        reached = curve.betas[shares[:, place] >= 0.5]
        assert said == (f"≤ {reached[0]:.3g}" if reached.size else "never")


def test_two_classes_condensed_curves_and_files_are_drawn_alike():
    """Of two classes there is no third, and no key for it."""
    curve = bc.backdoor_learning_curve(SVC(C=10.0, gamma=0.05), poisoned(classes=(4, 9)))
    file = BytesIO()
    curve.condensed().save(file)
    file.seek(0)
    displays = [
        Display.from_curve(one, display_labels=("four", "nine"))
        for one in (curve, curve.condensed(), bc.BackdoorLearningCurve.load(file))
    ]
    assert [text.get_text() for text in displays[0].ax_.get_legend().get_texts()] == ["to the attacker’s class"]
    for other in displays[1:]:
        np.testing.assert_array_equal(other.attacker, displays[0].attacker)
        assert (names(other), beside(other)) == (names(displays[0]), beside(displays[0]))


def test_what_does_not_fit_is_refused():
    """Before there is a figure."""
    with pytest.raises(ValueError, match=r"attacker, elsewhere: a share for each beta and class, \(2, 3\)"):
        Display([0.0, 1.0], np.zeros((2, 3)), np.zeros((2, 2)), [np.nan] * 3, "abc")
    with pytest.raises(ValueError, match="display_labels: a name for each of 10 classes"):
        Display.from_curve(ten(), display_labels=("one",))
    assert not plt.get_fignums()


def test_axes_are_used_and_figures_reused():
    """As for the curves: given axes are the caller's, and a second plot draws on the figure of the first."""
    figure, (left, right) = plt.subplots(1, 2)
    display = Display.from_curve(ten(), ax=right)
    assert (display.ax_, display.figure_, len(left.lines)) == (right, figure, 0)
    display = Display.from_curve(ten())
    n = len(display.ax_.lines)
    assert display.plot() is display
    assert len(plt.get_fignums()) == 2
    assert len(display.ax_.lines) == n
    height = display.figure_.get_figheight()
    plt.close(display.figure_)
    assert len(display.plot().ax_.lines) == n
    assert display.figure_.get_figheight() == height


@pytest.mark.parametrize("display_labels", [None, ("airplane", "automobile", *"bcdefgh", "truck")])
def test_no_text_is_cut_off_or_overlaps(display_labels, nothing_overlaps):
    """Ten strips and what stands beside them."""
    nothing_overlaps(Display.from_curve(ten(), display_labels=display_labels).figure_)


def test_a_hundred_strips_have_a_line_of_text_each(nothing_overlaps):
    """And the figure is no longer than a page."""
    betas, halves = np.linspace(0.0, 1.0, 11), np.random.default_rng(0).random(100)
    shares = (betas[:, np.newaxis] >= halves) * 0.9
    display = Display(betas, shares, 0.1 * shares, halves, list(map(str, range(100)))).plot()
    nothing_overlaps(display.figure_)
    assert display.figure_.get_figheight() < 14
