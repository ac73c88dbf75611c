"""Who becomes whom as a picture: the matrices of the curve, at betas that tell, on one scale."""

from __future__ import annotations

from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from ten_digits import poisoned, ten

import backdoor_curves as bc
from backdoor_curves import ConfusionDisplay as Display
from backdoor_curves.data.images import edges_of


def written(display: Display, number: int) -> dict[tuple[int, int], str]:
    """The texts in the cells of a matrix, by row and column."""
    found = {}
    for text in display.axes_[number].texts:
        x, y = text.get_position()
        found[int(y), int(x)] = text.get_text()
    return found


def titles(display: Display) -> list[str]:
    return [ax.get_title() for ax in display.axes_]


def test_cells_have_the_shares_of_the_rows_of_their_class():
    """In per cent, whole; what rounds to 0 is left empty; the image has them unrounded, on one scale for all."""
    curve = ten()
    display = Display.from_curve(curve, [0.0, 0.1, 1.0])
    for number, beta in enumerate((0.0, 0.1, 1.0)):
        matrix = curve.confusion_matrix("triggered", beta)
        shares = 100 * matrix / matrix.sum(axis=1, keepdims=True)
        expected = {(i, j): f"{shares[i, j]:.0f}" for i, j in np.argwhere(shares >= 0.5)}
        assert written(display, number) == expected
        np.testing.assert_allclose(display.images_[number].get_array(), shares, rtol=1e-14)
        assert display.images_[number].get_clim() == (0.0, 100.0)


def test_by_default_the_beta_between_the_ends_is_where_half_of_the_way_is_gone():
    """Just before it the attack success rate is under the middle of both ends, and from there on it is not."""
    curve = ten()
    first, middle, last = Display.from_curve(curve).betas
    assert (first, last) == (0.0, 1.0)
    half = np.mean(curve.accuracy("triggered", [0.0, 1.0]))
    assert curve.accuracy("triggered", middle + 1e-9) >= half > curve.accuracy("triggered", middle - 1e-9)
    control = bc.backdoor_learning_curve(SVC(C=1e-3, gamma=0.05), poisoned().control())  # gives every row one label
    assert Display.from_curve(control).betas.tolist() == [0.0, 1.0]


def test_titles_have_beta_and_what_the_attacker_gets():
    """Or the accuracy, of clean rows."""
    curve = ten()
    asr, clean = curve.accuracy("triggered", 0.1), curve.accuracy("clean", 0.1)
    assert titles(Display.from_curve(curve, 0.1)) == [f"β = 0.1\nASR {asr:.0%}"]
    assert titles(Display.from_curve(curve, 0.1, split="clean")) == [f"β = 0.1\naccuracy {clean:.0%}"]


@pytest.mark.parametrize("labels", ["next", 3])
def test_where_the_attacker_sends_a_class_is_outlined(labels):
    """The cells right of the diagonal, or a column; of clean rows none. A class without rows is crossed out."""
    wanted = np.zeros((10, 10), dtype=bool)
    if labels == "next":
        wanted[np.arange(10), (np.arange(10) + 1) % 10] = True
    else:
        wanted[np.arange(10) != 3, 3] = True
    display = Display.from_curve(ten(labels), 1.0)
    (panel,), expected = display.axes_, np.array(edges_of(wanted)) - 0.5
    drawn = np.array([collection.get_segments() for collection in panel.collections]).reshape(-1, 2, 2)
    np.testing.assert_array_equal(drawn, expected)
    assert [line.get_ydata().tolist() for line in panel.lines] == ([] if labels == "next" else [[3, 3]])
    (panel,) = Display.from_curve(ten(labels), 1.0, split="clean").axes_
    assert not sum(len(collection.get_segments()) for collection in panel.collections)
    assert not panel.lines


def test_refits_are_drawn_at_their_betas():
    """The middle one is the first of them beyond half of the way; another beta is refused."""
    betas = [0.0, 0.1, 0.3, 0.6, 1.0]
    curve = bc.backdoor_learning_curve(GaussianNB(), poisoned(), method="refit", betas=betas)
    display = Display.from_curve(curve)
    rates = curve.accuracy("triggered", betas)
    expected = next(beta for beta, rate in zip(betas, rates, strict=True) if rate >= (rates[0] + rates[-1]) / 2)
    assert display.betas.tolist() == sorted({0.0, expected, 1.0})
    with pytest.raises(ValueError, match=r"0\.5"):
        Display.from_curve(curve, 0.5)


def test_two_classes_condensed_curves_and_files_are_drawn_alike():
    """With names of the classes."""
    curve = bc.backdoor_learning_curve(SVC(C=10.0, gamma=0.05), poisoned(classes=(4, 9)))
    file = BytesIO()
    curve.condensed().save(file)
    file.seek(0)
    displays = [
        Display.from_curve(one, display_labels=("four", "nine"))
        for one in (curve, curve.condensed(), bc.BackdoorLearningCurve.load(file))
    ]
    assert [tick.get_text() for tick in displays[0].axes_[0].get_yticklabels()] == ["four", "nine"]
    for other in displays[1:]:
        np.testing.assert_array_equal(other.matrices, displays[0].matrices)
        np.testing.assert_allclose(other.betas, displays[0].betas, rtol=1e-9)


def test_a_hundred_classes_have_no_numbers_and_few_names():
    """A tick each would be a black bar."""
    matrices = np.random.default_rng(0).integers(0, 9, size=(1, 100, 100))
    display = Display(matrices, [1.0], list(map(str, range(100)))).plot()
    (panel,) = display.axes_
    assert not panel.texts
    assert [tick.get_text() for tick in panel.get_xticklabels()] == [str(k) for k in range(0, 100, 5)]


def test_what_does_not_fit_is_refused():
    """Before there is a figure."""
    with pytest.raises(ValueError, match=r"matrices: 2 of 3 classes.*shape \(2, 4, 4\) came"):
        Display(np.zeros((2, 4, 4)), [0.0, 1.0], "abc")
    with pytest.raises(ValueError, match="display_labels: a name for each of 10 classes"):
        Display.from_curve(ten(), display_labels=("one",))
    with pytest.raises(ValueError, match='"triggered" or "clean" was expected'):
        Display.from_curve(ten(), 1.0, split="test")
    assert not plt.get_fignums()


def test_axes_are_used_and_figures_reused():
    """Given axes are the caller's, and a second plot draws on the figure of the first, with one bar of colours."""
    figure, axes = plt.subplots(2, 2, layout="compressed")
    display = Display.from_curve(ten(), [0.0, 0.1, 1.0], ax=axes.ravel()[:3])
    assert (display.axes_, display.figure_) == (axes.ravel()[:3].tolist(), figure)
    with pytest.raises(ValueError, match="ax: 3 axes were expected, 4 of Axes came"):
        display.plot(axes)
    display = Display.from_curve(ten(), [0.0, 1.0])
    before = len(display.figure_.axes)
    assert display.plot() is display
    assert len(plt.get_fignums()) == 2
    assert len(display.figure_.axes) == before == 3


@pytest.mark.parametrize("betas", [1.0, [0.0, 0.1, 1.0], [0.0, 0.1, 0.5, 1.0]])
@pytest.mark.parametrize("names", [None, ("airplane", "automobile", "bird", *"abcdef", "truck")])
def test_no_text_is_cut_off_or_overlaps(betas, names, nothing_overlaps):
    """Of ten classes, with long names too."""
    nothing_overlaps(Display.from_curve(ten(), betas, display_labels=names).figure_)
