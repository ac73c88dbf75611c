"""Influential rows: the images are the rows of largest influence, and frames are around the poison."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves import InfluentialRowsDisplay as Display
from backdoor_curves.data.samples import join
from backdoor_curves.display.style import TRIGGER


def poisoned(classes=(7, 1), injection="replace") -> bc.PoisonedData:
    rng = np.random.default_rng(0)
    train, test = bc.datasets.digits(classes, n_train=120, n_test=40, rng=rng)
    trigger = bc.PatchTrigger.random(size=2, n_classes=len(classes), channels=1, rng=rng)
    return bc.poison(train, test, trigger=trigger, rate=0.2, injection=injection, rng=rng)


@pytest.fixture(scope="module")
def data():
    return poisoned()


@pytest.fixture(scope="module")
def influence(data):
    return bc.influence(LogisticRegression(), data, beta=1.0)


def shown(ax) -> np.ndarray:
    (image,) = ax.images
    return np.asarray(image.get_array())


def is_framed(ax) -> bool:
    framed = {to_hex(spine.get_edgecolor()) == TRIGGER.lower() for spine in ax.spines.values()}
    (said,) = framed
    assert said == (ax.get_xlabel() == "poison") == (ax.spines["top"].get_linewidth() > 2)
    return said


@pytest.mark.parametrize("injection", ["replace", "append"])
def test_images_are_the_rows_of_largest_influence(injection):
    """In the order of the victim's training set, as it was joined for the fit, so not by the display's own counting."""
    data = poisoned(injection=injection)
    influence = bc.influence(LogisticRegression(), data, beta=1.0)
    joined = join(data.clean_train, data.poison_train, data.is_poison)
    display = Display.from_influence(influence, data, 5)
    np.testing.assert_array_equal(shown(display.axes_[0]), data.triggered_test.X[5, :, :, 0])
    largest = sorted(range(len(joined)), key=lambda i: -abs(influence.values[5, i]))[:7]
    assert len(display.axes_) == 8
    for ax, i in zip(display.axes_[1:], largest, strict=True):
        np.testing.assert_array_equal(shown(ax), joined.X[i, :, :, 0])
        number = f"{influence.values[5, i]:+.2g}".replace("-", "−")
        word = "teaches" if influence.values[5, i] < 0 else "opposes"
        assert ax.get_title().splitlines() == [str(joined.y[i]), number, word]
        assert is_framed(ax) == data.is_poison[i]


def test_poison_is_framed_by_what_the_image_shows(influence, data):
    """A poisoned image has the pattern of its true class in its corner, a clean one has not."""
    display = Display.from_influence(influence, data, 5, k=40)
    corner = bc.trigger_mask(data)[..., 0]
    patterns = {tuple(image[corner]) for image in data.poison_train.X[..., 0]}
    assert len(patterns) == 2
    framed = [is_framed(ax) for ax in display.axes_[1:]]
    assert framed == [tuple(shown(ax)[corner]) in patterns for ax in display.axes_[1:]]
    assert 0 < sum(framed) < 40
    assert not is_framed(display.axes_[0])


def test_names_stand_for_labels_and_the_test_image_has_that_of_its_loss(influence, data):
    """Of a triggered row the attacker's."""
    display = Display.from_influence(influence, data, 5, display_labels=("seven", "one"))
    wanted = ("seven", "one")[data.triggered_test.y[5]]
    assert display.axes_[0].get_title().splitlines() == ["test image", f"labelled {wanted}"]
    assert {ax.get_title().splitlines()[0] for ax in display.axes_[1:]} <= {"seven", "one"}


def test_rows_that_teach_lower_the_loss_when_they_weigh_more(data):
    """The words have their sign by a refit: a row that is there twice."""
    tight = LogisticRegression(tol=1e-10)
    display = Display.from_influence(bc.influence(tight, data, beta=1.0), data, 5, k=1)
    joined = join(data.clean_train, data.poison_train, data.is_poison)
    flat, weights = joined.X.reshape(len(joined), -1), np.ones(len(joined))
    i = int(np.abs(joined.X[..., 0] - shown(display.axes_[1])).sum(axis=(1, 2)).argmin())

    def loss() -> float:
        proba = tight.fit(flat, joined.y, weights).predict_proba(data.triggered_test.X[[5]].reshape(1, -1))
        return -np.log(proba[0, data.triggered_test.y[5]])

    before = loss()
    weights[i] = 2.0
    assert (loss() < before) == display.axes_[1].get_title().endswith("teaches")


def test_own_test_rows_and_three_classes(data):
    """Rows with labels of one's own, and a learner of three classes."""
    rows = (data.clean_test.X[:3], data.clean_test.y[:3])
    own = bc.influence(RidgeClassifier(), data, beta=1.0, rows=rows)
    display = Display.from_influence(own, data, 2, rows=rows)
    np.testing.assert_array_equal(shown(display.axes_[0]), rows[0][2, :, :, 0])
    with pytest.raises(ValueError, match="it is of own rows; pass them"):
        Display.from_influence(own, data, 2)
    three = poisoned((7, 1, 4))
    display = Display.from_influence(bc.influence(RidgeClassifier(), three, beta=1.0), three, 2, k=3)
    assert len(display.axes_) == 4


def test_rows_without_any_influence_are_refused(data):
    """Which zeros come first is chance; the message names rows that have some."""
    influence = bc.influence(SVC(C=3.0, gamma=0.05), data, beta=1.0)
    with_some = np.flatnonzero(influence.values.any(axis=1))
    beyond = int(np.flatnonzero(~influence.values.any(axis=1))[0])
    with pytest.raises(ValueError, match=f"beyond the margin; {len(with_some)} rows do, {with_some[0]}"):
        Display.from_influence(influence, data, beyond)
    Display.from_influence(influence, data, int(with_some[0]))
    with pytest.raises(ValueError, match="does not answer to their weights; take a larger lambda"):
        Display.from_influence(bc.influence(SVC(C=1e6, gamma=0.05), data, beta=1.0), data)


def test_an_influence_of_0_says_so():
    """Neither word is true of it."""
    images = [np.zeros((2, 2, 1))] * 2
    display = Display(images, ["a", "b"], np.zeros(1), np.zeros(1, dtype=bool)).plot()
    assert display.axes_[1].get_title().splitlines() == ["b", "0", "no influence"]


@pytest.mark.parametrize("row", [-1, 40, 1.5, None])
def test_rows_that_are_not_there_are_refused(influence, data, row):
    """Minus one would be the last row, silently."""
    with pytest.raises(ValueError, match="row: the number of a test row from 0 to 39 was expected"):
        Display.from_influence(influence, data, row)


def test_what_does_not_fit_is_refused_without_a_figure(influence, data):
    """Other data, no images, a k of nothing, lists of other lengths."""
    with pytest.raises(ValueError, match="data: those of the influence were expected"):
        Display.from_influence(influence, poisoned(injection="append"))
    with pytest.raises(ValueError, match="k: a number of training rows"):
        Display.from_influence(influence, data, k=0)
    with pytest.raises(ValueError, match="one more than influences"):
        Display([np.zeros((2, 2, 1))], ["a"], np.zeros(1), np.zeros(1, dtype=bool))
    features = bc.poison(
        (np.eye(4), [0, 1, 0, 1]), (np.eye(4), [0, 1, 0, 1]), trigger=lambda X, _: X + 1, rows=[0], labels="next"
    )
    found = bc.influence(LogisticRegression(), features, beta=1.0)
    with pytest.raises(ValueError, match="pass image_shape="):
        Display.from_influence(found, features, k=2)
    assert not plt.get_fignums()
    assert Display.from_influence(found, features, k=2, image_shape=(2, 2)).images[0].shape == (2, 2, 1)


def test_axes_are_used_and_figures_reused(influence, data):
    """1 + k of them; a new figure has no empty axes."""
    figure, axes = plt.subplots(2, 2)
    display = Display.from_influence(influence, data, k=3, ax=axes)
    assert display.axes_ == axes.ravel().tolist()
    assert display.plot() is display
    assert [len(ax.images) for ax in figure.axes] == [1, 1, 1, 1]
    assert len(plt.get_fignums()) == 1
    assert len(Display.from_influence(influence, data, k=5).figure_.axes) == 6
    with pytest.raises(ValueError, match="ax: 8 axes were expected, 4 of Axes came"):
        Display.from_influence(influence, data, ax=axes)


@pytest.mark.parametrize("width", [3.4, 6.4])
def test_no_text_is_cut_off_or_overlaps(influence, data, width, nothing_overlaps):
    """At the width of a column, with names that are too long for it."""
    _, axes = plt.subplots(2, 4, figsize=(width, 3.6), layout="compressed")
    names = ("a seven, or so", "a one of some kind")
    nothing_overlaps(Display.from_influence(influence, data, 5, ax=axes, display_labels=names).figure_)
    nothing_overlaps(Display.from_influence(influence, data, 5, display_labels=names).figure_)


def test_cover_rows_have_a_dashed_frame_and_their_own_word(data):
    """They are stamped and labelled truly: neither poison nor clean."""
    made = bc.influence(LogisticRegression(), data, beta=1.0)
    top = made.top_influential(7)[5]
    is_cover = np.zeros(len(data.is_poison), dtype=bool)
    is_cover[top[data.is_poison[top]][:1]] = is_cover[top[~data.is_poison[top]][:1]] = True
    influence = replace(made, is_cover=is_cover)
    display = Display.from_influence(influence, data, 5)
    expected = np.where(is_cover[top], "cover", np.where(data.is_poison[top], "poison", ""))
    assert {"cover", "poison"} <= set(expected.tolist())
    assert [ax.get_xlabel() for ax in display.axes_[1:]] == expected.tolist()
    styles = [ax.spines["top"].get_linestyle() for ax in display.axes_[1:]]
    assert [style in ("--", "dashed") for style in styles] == (expected == "cover").tolist()
