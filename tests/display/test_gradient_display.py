"""Gradients in the input: the colours are the gradients, the outline is the trigger, the share is its share."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves import GradientDisplay as Display


def digits(classes=(7, 1), flat: bool = False) -> bc.PoisonedData:
    rng = np.random.default_rng(0)
    train, test = bc.datasets.digits(classes, n_train=120, n_test=40, rng=rng)
    trigger = bc.PatchTrigger.random(size=2, n_classes=len(classes), channels=1, position="top-right", rng=rng)
    data = bc.poison(train, test, trigger=trigger, rate=0.2, rng=rng)
    if not flat:
        return data

    def flattened(rows):
        return rows.X.reshape(len(rows), -1), rows.y

    return bc.PoisonedData(
        flattened(data.clean_train),
        flattened(data.poison_train),
        flattened(data.clean_test),
        flattened(data.triggered_test),
        original_train=flattened(data.original_train),
        poison_rows=data.poison_rows,
        poisoning=data.poisoning,
    )


def in_colour() -> bc.PoisonedData:
    rng = np.random.default_rng(0)
    X, y = rng.random((80, 5, 6, 3)), np.arange(80) // 2 % 2
    X[y == 1, :2] *= 0.5
    trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=3, rng=rng)
    return bc.poison((X[:60], y[:60]), (X[60:], y[60:]), trigger=trigger, rate=0.2, rng=rng)


SVM = SVC(C=10.0, gamma=0.05)


@pytest.fixture(scope="module")
def data():
    return digits()


@pytest.fixture(scope="module")
def curve(data):
    return bc.backdoor_learning_curve(SVM, data)


def titles(display: Display) -> list[str]:
    return [ax.get_title() for ax in display.axes_]


def test_the_pictures_are_the_gradients_and_the_image(curve, data):
    """At beta = 0 and 1, of the class that each model predicts."""
    display = Display.from_curve(curve, data, 3)
    X = data.triggered_test.X[[3]]
    for beta, drawn in zip((0.0, 1.0), display.images_, strict=True):
        expected = bc.input_gradient(curve, X, beta, of="predicted")[0, :, :, 0]
        np.testing.assert_array_equal(drawn.get_array(), expected)
    (image,) = display.axes_[2].images
    np.testing.assert_array_equal(image.get_array(), X[0, :, :, 0])
    assert image.get_clim() == (0.0, 1.0)


def test_the_gradient_is_that_of_the_score_of_the_predicted_class(curve, data):
    """By differences of scores, so not by the function that is drawn from."""
    X, h = data.triggered_test.X[[3]], 1e-5
    (_, drawn) = Display.from_curve(curve, data, 3).images_
    sign = np.sign(curve.path.scores(X.reshape(1, -1), np.ones(1)).ravel()[0])
    for pixel in [(0, 6), (3, 4), (7, 1)]:
        above, below = X.copy(), X.copy()
        above[(0, *pixel, 0)] += h
        below[(0, *pixel, 0)] -= h
        s = [curve.path.scores(Z.reshape(1, -1), np.ones(1)).ravel()[0] for Z in (above, below)]
        assert drawn.get_array()[pixel] == pytest.approx(sign * (s[0] - s[1]) / (2 * h), rel=1e-6)


def test_both_gradients_have_one_scale_that_is_symmetric(curve, data):
    """Otherwise the weak gradient of the clean model would look as strong as the other."""
    display = Display.from_curve(curve, data, 3)
    largest = max(np.abs(drawn.get_array()).max() for drawn in display.images_)
    for drawn in display.images_:
        assert drawn.get_clim() == (-largest, largest)
        assert drawn.norm(0.0) == 0.5
        assert drawn.norm(largest / 4) - 0.5 == pytest.approx(0.25)  # the root of a quarter of a half
    assert display.colorbar_.mappable is display.images_[0]


def test_the_outline_is_around_the_trigger(curve, data):
    """Its length is the border's, and all of it is where the trigger ends: here top right, 2 x 2."""
    display = Display.from_curve(curve, data, 3)
    for ax in display.axes_:
        (border,) = ax.collections
        edges = np.array(border.get_segments())
        assert len(edges) == 8
        assert (edges.reshape(-1, 2).min(axis=0) == (5.5, -0.5)).all()
        assert (edges.reshape(-1, 2).max(axis=0) == (7.5, 1.5)).all()


def test_an_outline_follows_any_mask(curve, data):
    """Two pixels that touch at a corner have two squares around them, eight edges."""
    mask = np.zeros((8, 8, 1), dtype=bool)
    mask[[2, 3], [2, 3]] = True
    (border,) = Display.from_curve(curve, data, 3, mask=mask).axes_[0].collections
    middles = np.array(border.get_segments()).mean(axis=1)
    for row, column in ((2, 2), (3, 3)):
        around = np.array([(column, row - 0.5), (column, row + 0.5), (column - 0.5, row), (column + 0.5, row)])
        assert all(np.hypot(*(middles - place).T).min() == 0.0 for place in around)
    assert len(middles) == 8


def test_shares_are_those_of_trigger_share(curve, data):
    """And stand above the pictures, with what each model predicts."""
    display = Display.from_curve(curve, data, 3, display_labels=("seven", "one"))
    X, mask = data.triggered_test.X[[3]], bc.trigger_mask(data)
    expected = [bc.trigger_share(bc.input_gradient(curve, X, beta), mask)[0] for beta in (0.0, 1.0)]
    np.testing.assert_allclose(display.shares_, expected, rtol=1e-14)
    predicted = [("seven", "one")[int(label)] for label in curve.predictions("triggered", [0.0, 1.0])[:, 3]]
    for title, share, name in zip(titles(display), expected, predicted, strict=False):
        assert title.splitlines()[1:] == [f"predicts {name}", f"{share:.0%} in trigger"]


def test_colour_images_show_the_strongest_channel_with_its_sign():
    """The share is over all channels, the picture has one number a pixel."""
    data = in_colour()
    curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
    display = Display.from_curve(curve, data, 1)
    X = data.triggered_test.X[[1]]
    G = bc.input_gradient(curve, X, 1.0, of="predicted")[0]
    drawn = np.asarray(display.images_[1].get_array())
    assert drawn.shape == (5, 6)
    for pixel in np.ndindex(5, 6):
        assert drawn[pixel] == max(G[pixel], key=abs)
    assert display.shares_[1] == bc.trigger_share(G[None], bc.trigger_mask(data))[0]
    np.testing.assert_array_equal(display.axes_[2].images[0].get_array(), X[0])


def test_three_classes_are_explained_by_the_class_that_is_predicted():
    """Where the learner has a score for each class."""
    data = digits((7, 1, 4))
    curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
    display = Display.from_curve(curve, data, 0)
    predicted = int(curve.predictions("triggered", 1.0)[0, 0])
    scores = bc.input_gradient(curve, data.triggered_test.X[[0]], 1.0)
    np.testing.assert_array_equal(display.images_[1].get_array(), scores[0, :, :, 0, predicted])


def test_flattened_rows_are_drawn_with_their_shape(curve, data):
    """The same picture as of images, and without the shape an error that names the argument."""
    flat = digits(flat=True)
    flat_curve = bc.backdoor_learning_curve(SVM, flat)
    display = Display.from_curve(flat_curve, flat, 3, image_shape=(8, 8))
    for drawn, other in zip(display.images_, Display.from_curve(curve, data, 3).images_, strict=True):
        np.testing.assert_allclose(drawn.get_array(), other.get_array(), rtol=1e-9, atol=1e-12)
    for shape, said in ((None, "pass image_shape="), ((8, 9), "64 pixels was expected"), ((4, 4, 4), "1 or 3")):
        with pytest.raises(ValueError, match=said):
            Display.from_curve(flat_curve, flat, 3, image_shape=shape)


def test_gradients_of_ones_own_are_drawn_from_arrays():
    """A network's, say; flat ones too, which have no share."""
    image, mask = np.zeros((4, 5)), np.arange(20).reshape(4, 5) > 17
    gradients = np.stack([np.zeros((4, 5)), np.arange(20.0).reshape(4, 5)])
    display = Display(gradients, image, mask).plot()
    assert titles(display)[0].splitlines() == ["clean, β = 0", "no gradient"]
    assert titles(display)[1].splitlines()[-1] == f"{(18 + 19) / 190:.0%} in trigger"
    Display(np.zeros((2, 4, 5)), image, mask).plot()


def test_pixels_outside_of_0_and_1_are_brought_into_it():
    """Scaled images are shown as they are, not cut off."""
    image = np.linspace(-1, 3, 20).reshape(4, 5)
    shown = Display(np.ones((2, 4, 5)), image, np.ones((4, 5), dtype=bool)).plot().axes_[2].images[0].get_array()
    np.testing.assert_allclose(shown, (image + 1) / 4)


@pytest.mark.parametrize("row", [-1, 99, 1.0, True, "0"])
def test_rows_that_are_not_there_are_refused(curve, data, row):
    """Minus one would be the last row, silently."""
    with pytest.raises(ValueError, match="row: the number of a test row from 0 to 39 was expected"):
        Display.from_curve(curve, data, row)


def test_what_does_not_fit_is_refused_without_a_figure(curve, data, tmp_path):
    """Other data, masks, names, shapes; and a curve from a file, whose model is gone."""
    with pytest.raises(ValueError, match="data: those of the curve were expected"):
        Display.from_curve(curve, digits((1, 7)), 0)
    with pytest.raises(ValueError, match="mask: a bool"):
        Display.from_curve(curve, data, 0, mask=np.ones((4, 4, 1), dtype=bool))
    with pytest.raises(ValueError, match="display_labels: a name for each of 2 classes was expected, 3 came"):
        Display.from_curve(curve, data, 0, display_labels="abc")
    with pytest.raises(ValueError, match=r"two of the shape of the image, \(2, 4, 5\)"):
        Display(np.zeros((2, 5, 4)), np.zeros((4, 5)), np.ones((4, 5), dtype=bool))
    curve.save(tmp_path / "curve.npz")
    with pytest.raises(ValueError, match="compute the curve anew"):
        Display.from_curve(bc.BackdoorLearningCurve.load(tmp_path / "curve.npz"), data, 0)
    texts = bc.poison(
        (["a", "b", "c", "d"], [0, 1, 0, 1]),
        (["a", "b"], [0, 1]),
        trigger=lambda X, _: [x + " q" for x in X],
        rows=[0],
    )
    with pytest.raises(ValueError, match="data: those of the curve were expected"):
        Display.from_curve(curve, texts, 0)
    assert not plt.get_fignums()


def test_axes_are_used_and_figures_reused(curve, data):
    """Three of them, no more and no less; a second plot leaves one colour bar."""
    figure, axes = plt.subplots(1, 3)
    display = Display.from_curve(curve, data, 0, ax=axes)
    assert display.axes_ == list(axes)
    assert display.figure_ is figure
    for _ in range(2):
        assert display.plot() is display
        assert len(figure.axes) == 4
        assert len(display.axes_[0].images) == 1
    assert len(plt.get_fignums()) == 1
    plt.close(figure)
    assert display.plot().figure_ is not figure
    for wrong in (axes[:2], axes[0], [1, 2, 3]):
        with pytest.raises(ValueError, match="ax: 3 axes were expected"):
            display.plot(wrong)


@pytest.mark.parametrize("width", [3.4, 6.4])
def test_no_text_is_cut_off_or_overlaps(curve, data, width, nothing_overlaps):
    """At the width of a column, with names that are too long for it."""
    _, axes = plt.subplots(1, 3, figsize=(width, 3.2), layout="compressed")
    names = ("a seven, or what looks like one", "a one of some kind")
    nothing_overlaps(Display.from_curve(curve, data, 3, ax=axes, display_labels=names).figure_)
    nothing_overlaps(Display.from_curve(curve, data, 3, display_labels=names).figure_)
