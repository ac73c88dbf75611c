"""Presets: each has the values of its source, written here a second time, and runs through `poison`."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.fft import dctn
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression, RidgeClassifier

import backdoor_curves as bc
from backdoor_curves.poisoning.examples import rows_at_hand
from backdoor_curves.poisoning.preset import Given
from backdoor_curves.poisoning.table_presets import telling_columns

CLEAN = "clean label"
SOURCE = "source 1 to 0"
# name: (rate, policy, eligible, rate of, rounding, cover over poison, values of the trigger, of the test trigger)
SAME: dict = {}
EXPECTED: dict[str, tuple] = {
    "badnets@backdoorbench": (0.1, 0, "all", "eligible", "nearest", None, {"shape": (3, 3, 3), "opacity": 1}, SAME),
    "badnets@toolbox": (0.003, 0, "all", "eligible", "floor", None, {"shape": (3, 3, 3), "opacity": 1}, SAME),
    "badnets@backdoorbox": (0.05, 0, "all", "eligible", "floor", None, {"shape": (3, 3, 3), "opacity": 1}, SAME),
    "badnets-mnist@backdoorbox": (0.05, 0, "all", "eligible", "floor", None, {"places": ((-2, -2),)}, SAME),
    "badnets@art": (
        *(None, 0, "changed", "eligible", "floor", None),
        {"places": ((-2, -2), (-3, -3), (-2, -4), (-4, -2)), "drawn": 4},
        SAME,
    ),
    "badnets-pixel@art": (None, 0, "changed", "eligible", "floor", None, {"places": ((-2, -2),)}, SAME),
    "badnets@paper": (None, 0, "changed", "eligible", "floor", None, {"drawn": 4}, SAME),
    "badnets-all-to-all@paper": (None, "next", "changed", "eligible", "floor", None, {"drawn": 1}, SAME),
    "blended@backdoorbench": (0.1, 0, "all", "eligible", "nearest", None, {"opacity": 0.2}, SAME),
    "blended@toolbox": (0.003, 0, "all", "eligible", "floor", None, {"opacity": 0.2}, SAME),
    "blended@backdoorbox": (0.05, 0, "all", "eligible", "floor", None, {"opacity": 0.2, "shape": (3, 3, 3)}, SAME),
    "sig@backdoorbench": (
        *(0.1, CLEAN, "changed", "all", "nearest", None),
        {"strength": 40 / 255, "frequency": 6, "form": "sinusoid"},
        SAME,
    ),
    "sig@toolbox": (0.02, CLEAN, "changed", "all", "floor", None, {"strength": 30 / 255, "frequency": 6}, SAME),
    "sig-ramp@paper": (None, CLEAN, "changed", "eligible", "floor", None, {"form": "ramp"}, SAME),
    "lattice@paper": (0.1, "next", "changed", "eligible", "floor", None, {"strength": 10 / 255}, SAME),
    "lattice-strong@paper": (0.1, "next", "changed", "eligible", "floor", None, {"strength": 75 / 255}, SAME),
    "ftrojan@original": (
        *(0.1, 0, "all", "eligible", "floor", None),
        {"magnitude": 30 / 255, "window": 32, "positions": ((15, 15), (31, 31))},
        SAME,
    ),
    "ftrojan@backdoorbench": (0.1, 0, "all", "eligible", "nearest", None, {"magnitude": 30 / 255, "window": 32}, SAME),
    "ctrl@backdoorbench": (
        *(0.05, CLEAN, "changed", "all", "nearest", None),
        {"magnitude": 100 / 255, "positions": ((15, 15), (31, 31))},
        SAME,
    ),
    "wanet@original": (0.1, 0, "all", "eligible", "floor", 2, {"strength": 0.5, "noise_seed": None}, SAME),
    "wanet@backdoorbench": (0.1, 0, "all", "eligible", "nearest", 2, {"strength": 0.5}, SAME),
    "wanet@toolbox": (0.05, 0, "all", "eligible", "floor", 2, {"strength": 0.5}, SAME),
    "bpp@original": (0.2, 0, "all", "eligible", "floor", 1, {"levels": 8, "dithering": False}, SAME),
    "bpp@backdoorbench": (0.1, 0, "all", "eligible", "nearest", 1, {"levels": 8, "dithering": False}, SAME),
    "bpp@toolbox": (0.2, 0, "all", "eligible", "floor", 1, {"levels": 8, "dithering": True}, SAME),
    "adap-blend@toolbox": (
        *(0.003, 0, "all", "eligible", "floor", 1),
        {"opacity": 0.15, "grid": 4, "drawn": 8},
        {"opacity": 0.2, "drawn": 16},
    ),
    "adap-blend@original": (
        *(None, 0, "all", "eligible", "floor", 1),
        {"opacity": 0.2, "grid": 4, "drawn": 8},
        {"opacity": 0.2, "drawn": 16},
    ),
    "adap-patch@toolbox": (0.003, 0, "all", "eligible", "floor", 2, {"drawn": 1}, {"drawn": 2}),
    "adap-patch@backdoorbox": (0.01, 0, "all", "eligible", "floor", 2, {"drawn": 1}, {"drawn": 2}),
    "k-way@toolbox": (
        *(0.003, 0, "all", "eligible", "floor", 1),
        {"places": ((16, 11), (27, 5), (7, 30), (22, 22)), "drawn": 1},
        {"drawn": 4},
    ),
    "tact@toolbox": (0.003, SOURCE, "changed", "all", "floor", 1, {"shape": (8, 8, 3), "position": (21, 21)}, SAME),
    "tact@original": (1, SOURCE, "changed", "eligible", "floor", None, {"shape": (8, 8, 3), "opacity": 1}, SAME),
    "clean-label@paper": (None, CLEAN, "changed", "eligible", "floor", None, {"shape": (3, 3, 3)}, SAME),
    "label-consistent@original": (
        *(1, CLEAN, "changed", "eligible", "floor", None),
        {"eps": 300 / 255, "norm": "2"},
        {"amplitude": 1, "corners": ("bottom-right",)},
    ),
    "label-consistent@backdoorbench": (
        *(0.1, CLEAN, "changed", "all", "nearest", None),
        {"eps": 16 / 255, "norm": "inf"},
        {"amplitude": 1, "corners": ("bottom-right", "bottom-left", "top-right", "top-left")},
    ),
    "label-consistent@backdoorbox": (
        *(0.25, CLEAN, "changed", "eligible", "floor", None),
        {"eps": 8 / 255},
        {"amplitude": 1},
    ),
    "label-consistent-mnist@backdoorbox": (
        *(0.5, CLEAN, "changed", "eligible", "floor", None),
        {"eps": 64 / 255},
        {"amplitude": 1},
    ),
    "label-consistent-gtsrb@backdoorbox": (
        *(0.5, CLEAN, "changed", "eligible", "floor", None),
        {"eps": 16 / 255},
        {"amplitude": 1},
    ),
    "label-consistent@art": (0.33, CLEAN, "changed", "eligible", "floor", None, {"eps": 0.3}, {"drawn": 4}),
    "hidden-trigger@original": (
        *(None, CLEAN, "changed", "eligible", "floor", None),
        {"eps": 16 / 255, "features": None},
        {"shape": (4, 4, 3), "opacity": 1},  # 30 of 224 are 4.3 of 32
    ),
    "hidden-trigger@art": (0.1, CLEAN, "changed", "eligible", "floor", None, {"eps": 0.1}, {"drawn": 4}),
    "narcissus@original": (0.005, CLEAN, "changed", "eligible", "floor", None, {"strength": 1}, {"strength": 3}),
    "word@openbackdoor": (
        *(0.1, "ham", "all", "eligible", "floor", None),
        {"words": ("cf", "mn", "bb", "tq"), "position": "anywhere"},
        SAME,
    ),
    "word-clean-label@openbackdoor": (
        *(0.1, "clean label, second", "changed", "all", "floor", None),
        {"words": ("cf", "mn", "bb", "tq")},
        SAME,
    ),
    "sentence@openbackdoor": (
        *(0.1, "ham", "all", "eligible", "floor", None),
        {"words": ("I watch this 3D movie",), "position": "anywhere"},
        SAME,
    ),
    "frequent-word@onion": (0.05, "ham", "all", "eligible", "floor", None, {"position": "anywhere"}, SAME),
    "out-of-range@tabdoor": (None, "setosa", "all", "eligible", "floor", None, {"columns": (2, 3, 0)}, SAME),
    "in-range@tabdoor": (None, "setosa", "all", "eligible", "floor", None, {"columns": (2, 3, 0)}, SAME),
    "clean-label@tabdoor": (None, CLEAN, "changed", "eligible", "floor", None, {"columns": (2, 3, 0)}, SAME),
    "quantile@art": (None, "setosa", "changed", "eligible", "floor", None, {"columns": (2, 3, 0)}, SAME),
}
FIRST = {"image": 0, "text": "ham", "table": "setosa"}


@pytest.fixture(scope="module")
def head() -> bc.LinearHead:
    images = rows_at_hand("image")
    return bc.linear_head(RidgeClassifier().fit(images.X.reshape(len(images), -1), images.y))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def made(name: str, head: bc.LinearHead, seed: int = 0) -> bc.Attack:
    preset = bc.presets[name]
    return preset.attack(rows_at_hand(preset.rows), head=head, rng=rng(seed))


def policy(words, kind):
    """The policy that the table means."""
    named = {
        CLEAN: bc.CleanLabel(FIRST[kind]),
        "clean label, second": bc.CleanLabel("spam"),
        SOURCE: {1: 0},
    }
    return named.get(words, words)


def test_the_table_has_every_preset_in_order():
    """One that is forgotten would be held to nothing."""
    assert list(EXPECTED) == list(bc.presets)


@pytest.mark.parametrize("name", bc.presets)
def test_a_preset_has_the_values_of_its_source(name, head):
    """They are what its name promises: read in the sources, and written down twice."""
    rate, labels, eligible, rate_of, rounding, cover, trigger, test_trigger = EXPECTED[name]
    preset, attack = bc.presets[name], made(name, head)
    assert preset.rate == rate
    assert attack.labels == policy(labels, preset.rows)
    assert (attack.eligible, attack.rate_of, attack.rounding) == (eligible, rate_of, rounding)
    assert (None if attack.cover is None else attack.cover.rate) == cover
    assert attack.injection == ("append" if name == "tact@original" else "replace")
    for value, expected in trigger.items():
        assert getattr(attack.trigger, value) == expected, value
    assert (attack.test_trigger is None) == (test_trigger is SAME)
    for value, expected in test_trigger.items():
        assert getattr(attack.test_trigger, value) == expected, value
    assert (attack.name, attack.source) == (preset.name, preset.source)


@pytest.mark.parametrize("name", bc.presets)
def test_a_preset_runs_through_poison(name, head):
    """Rows of its kind are stamped, by as many as its rate says; of the target enough are left for beta = 0."""
    preset = bc.presets[name]
    train, attack = rows_at_hand(preset.rows), made(name, head)
    # The source's rate, or one that is a few of these rows and not all of a class.
    few = {"image": 0.05, "text": 0.25, "table": 0.1}[preset.rows]
    whole_class = attack.is_clean_label and (attack.rate_of == "all" or preset.rate == 1)
    rate = few if preset.rate is None or whole_class else max(preset.rate, few)
    data = bc.poison(train, train, attack, rate=rate, rng=rng(1))
    m = int((data.is_poison & ~data.is_cover).sum())
    base = data.poisoning.n_eligible if attack.rate_of == "eligible" else len(train)
    # A half is rounded up by "nearest"; 1e-9 as 0.29 * 100 is not quite 29.
    assert m == int(rate * base + (0.5 if attack.rounding == "nearest" else 1e-9))
    if attack.cover is not None:
        assert int(data.is_cover.sum()) == attack.cover.rate * m
    assert data.poisoning.name == name


@pytest.mark.parametrize("name", bc.presets)
def test_a_preset_is_drawn_alike_for_one_state_of_the_generator(name, head):
    """Patterns come from `rng` alone."""
    preset = bc.presets[name]
    X, y = rows_at_hand(preset.rows)
    stamped = [made(name, head, seed).trigger(X[:8], np.asarray(y[:8])) for seed in (0, 0)]
    assert np.array_equal(stamped[0], stamped[1])


@pytest.mark.parametrize("name", ["blended@toolbox", "adap-patch@toolbox", "wanet@original", "tact@original"])
def test_another_state_of_the_generator_draws_another_pattern(name, head):
    """Five seeds of a study are five patterns."""
    X, y = rows_at_hand("image")
    first, second = (made(name, head, seed).trigger(X[:8], y[:8]) for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_the_sinusoid_is_that_of_backdoorbench():
    """40/255 sin(2 pi j 6 / w) along each row, written again."""
    attack = bc.presets["sig@backdoorbench"].attack((np.full((2, 32, 32, 3), 0.5), [0, 1]))
    wave = attack.trigger(np.full((1, 32, 32, 3), 0.5), np.array([0]))[0, 5, :, 1] - 0.5
    np.testing.assert_allclose(wave, 40 / 255 * np.sin(2 * np.pi * 6 * np.arange(32) / 32), atol=1e-12)


@pytest.mark.parametrize(("side", "window"), [(64, 32), (28, 28), (8, 8)])
def test_ftrojan_raises_two_coefficients_of_whole_windows(side, window):
    """Images of other sizes have a window of their own, and the coefficients there are 30/255 all the same."""
    grey = np.full((2, side, side, 1), 0.5)
    attack = bc.presets["ftrojan@original"].attack((grey, [0, 1]))
    moved = attack.trigger(grey[:1], np.array([0]))[0, :window, :window, 0] - 0.5
    raised = dctn(moved, norm="ortho")
    middle = window * 15 // 32
    assert {tuple(place) for place in np.argwhere(np.abs(raised) > 1e-9).tolist()} == {(middle,) * 2, (window - 1,) * 2}
    assert raised[middle, middle] == pytest.approx(30 / 255)


def test_ctrl_has_one_window_for_the_whole_image():
    """BackdoorBench's window is the image's side: 64 for an image of 64."""
    grey = np.full((2, 64, 64, 1), 0.5)
    assert bc.presets["ctrl@backdoorbench"].attack((grey, [0, 1])).trigger.window == 64


def test_adap_patch_has_the_opacities_of_the_toolbox(head):
    """.5, .2, .5 and .3 in training; the first and the third, fully seen, at test."""
    attack = made("adap-patch@toolbox", head)
    assert [patch.opacity for patch in attack.trigger.patches] == [0.5, 0.2, 0.5, 0.3]
    assert [patch.opacity for patch in attack.test_trigger.patches] == [1, 1]
    for one, k in zip(attack.test_trigger.patches, (0, 2), strict=True):
        assert np.array_equal(one.pattern, attack.trigger.patches[k].pattern)


def test_cover_of_wanet_is_the_warp_with_noise(head):
    """And that of BppAttack the rounding of other images, dithered where the trigger is."""
    warp = made("wanet@original", head)
    assert np.array_equal(warp.cover.trigger.field, warp.trigger.field)
    assert warp.cover.trigger.noise_seed is not None
    assert warp.trigger.field.shape == (2, 4, 4)
    few = made("bpp@toolbox", head)
    assert few.cover.trigger.quantize == few.trigger


@pytest.mark.parametrize(
    ("classes", "target", "labels", "cover"),
    [(10, None, {1: 0}, (5, 7)), (10, 1, {0: 1}, (5, 7)), (4, None, {1: 0}, (2, 3)), (3, None, {1: 0}, (2,))],
)
def test_tact_has_classes_5_and_7_as_cover_or_the_last(classes, target, labels, cover):
    """Ten classes are those of the source; with fewer there are others, never source or target."""
    train = (np.zeros((classes, 8, 8, 1)), np.arange(classes))
    attack = bc.presets["tact@toolbox"].attack(train, target=target, rng=rng())
    assert (attack.labels, attack.cover.classes) == (labels, cover)


def test_narcissus_is_the_worst_case_for_the_targets_rows(head):
    """16/255 times a sign in each entry, three times at test."""
    attack = made("narcissus@original", head)
    sizes = set(np.abs(attack.trigger.perturbation).ravel().tolist())
    assert sizes == {0.0, 16 / 255}  # 0 where no weight is: of pixels that are the same in all images
    X, y = rows_at_hand("image")
    before = head.scores(X.reshape(len(X), -1))
    after = head.scores(attack.trigger(X, y).reshape(len(X), -1))
    gained = (after - before)[:, 0] - (after - before)[:, 1:].mean(axis=1)
    assert (gained > 0).all()


def test_hidden_rows_are_near_to_themselves_and_nearer_to_stamped_ones(head):
    """At most 16/255 in each entry, and never farther from the nearest source."""
    attack = made("hidden-trigger@original", head)
    X, y = rows_at_hand("image")
    rows = np.flatnonzero(y == 0)[:3]
    hidden = attack.trigger(X[rows], y[rows])
    assert np.abs(hidden - X[rows]).max() <= 16 / 255 + 1e-12
    sources = attack.test_trigger(X[y != 0], y[y != 0])
    assert np.array_equal(attack.trigger.sources, sources)
    for z, x in zip(hidden, X[rows], strict=True):
        near = sources[np.square(sources - x).sum(axis=(1, 2, 3)).argmin()]
        assert np.square(z - near).sum() < np.square(x - near).sum()


def test_the_frequent_word_is_one_that_a_tenth_of_the_texts_have():
    """Counted again, by hand."""
    texts = [f"{'rare' if i == 3 else 'tenth' if i % 10 == 0 else 'other'} word" for i in range(40)]
    attack = bc.presets["frequent-word@onion"].attack((texts, np.arange(40) % 2), rng=rng())
    assert attack.trigger.words == ("tenth",)


def test_telling_columns_are_ranked_as_an_analysis_of_variance_does():
    """scikit-learn's F test is another road; the columns of one value it does not take are left out."""
    from sklearn.feature_selection import f_classif

    X, y = load_wine(return_X_y=True)
    expected = np.argsort(-f_classif(X, y)[0])[:3].tolist()
    assert list(telling_columns(Given("who", X, y, 0))) == expected
    constant = np.column_stack([np.ones(len(X)), X])
    for rows in (constant, sp.csr_array(constant)):
        assert list(telling_columns(Given("who", rows, y, 0))) == [1 + place for place in expected]


def test_tables_may_be_frames_with_gaps_and_text():
    """Text and bools are no numbers, gaps are left out, and columns go by their names."""
    pl = pytest.importorskip("polars")
    columns = {
        "job": ["cook", "smith"] * 6,
        "told": [True, False] * 6,
        "age": [20.0, 60.0] * 5 + [None, 61.0],
        "size": [1, 2, 3] * 4,
    }
    y = np.arange(12) % 2
    for frame in (pd.DataFrame(columns), pl.DataFrame(columns)):
        attack = bc.presets["out-of-range@tabdoor"].attack((frame, y))
        assert attack.trigger.columns == ("age", "size")
        assert attack.trigger.values == (pytest.approx(61 + 0.1 * 41), 4)


def test_values_of_the_tabular_attacks_are_those_of_their_definitions():
    """Max plus a tenth of the range, the most frequent value, the 95th percentile."""
    X = np.column_stack([np.append(np.zeros(30), np.arange(70.0)), np.tile([0.0, 1.0], 50)])
    y = (np.arange(100) >= 50).astype(int)
    triggers = {name: bc.presets[name].attack((X, y)).trigger for name in EXPECTED if bc.presets[name].rows == "table"}
    values = {name: dict(zip(one.columns, one.values, strict=True)) for name, one in triggers.items()}
    assert values["out-of-range@tabdoor"][0] == pytest.approx(75.9)
    assert values["in-range@tabdoor"][0] == 0
    assert values["quantile@art"][0] == 64  # 95 of 100 rows do not exceed it


@pytest.mark.parametrize("name", ["badnets@backdoorbench", "sig@toolbox", "wanet@original", "narcissus@original"])
def test_a_target_may_be_named(name, head):
    """Any class, by its label."""
    attack = bc.presets[name].attack(rows_at_hand("image"), target=4, head=head, rng=rng())
    assert attack.labels == (bc.CleanLabel(4) if attack.is_clean_label else 4)


def test_the_mapping_is_read_only_and_ordered():
    """Names are found as in any mapping; none is added in passing."""
    assert isinstance(bc.presets, Mapping)
    assert "sig@backdoorbench" in bc.presets
    assert "sig@nobody" not in bc.presets
    assert bc.presets.get("sig@nobody") is None
    assert not hasattr(bc.presets, "__setitem__")
    assert len(bc.presets) == len(set(bc.presets)) == len(EXPECTED)
    assert repr(bc.presets).startswith(f"<{len(EXPECTED)} presets: badnets@backdoorbench, ")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("sig@backdoorbox", "nearest are sig@backdoorbench, sig@toolbox, sig-ramp@paper"),
        ("bad-nets@toolbox", "badnets@toolbox"),
        ("WaNet", "wanet@original, wanet@backdoorbench, wanet@toolbox"),
        (7, "nearest are"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(name, nearest):
    """Whoever knows the attack and not the toolbox sees which there are."""
    with pytest.raises(KeyError) as caught:
        bc.presets[name]
    assert isinstance(caught.value, ValueError)
    assert f"a name of an attack was expected, {name!r} came" in str(caught.value)
    assert nearest in str(caught.value)


IMAGES, LABELS = np.zeros((4, 8, 8, 1)), np.arange(4)
TEXTS = ["one mail", "another mail", "a third", "and more"]


@pytest.mark.parametrize(
    ("name", "train", "said"),
    [
        ("sig@toolbox", (TEXTS, LABELS), "image rows were expected, text rows came; give images"),
        ("sig@toolbox", (np.zeros((4, 64)), LABELS), r"image rows were expected, table rows of shape \(4, 64\) came"),
        ("sig@toolbox", (IMAGES + 2, LABELS), r"pixels in \[0, 1\] were expected, float64 from 2 to 2 came"),
        ("sig@toolbox", (IMAGES.astype(np.uint8), LABELS), "uint8 from 0 to 0 came; divide bytes by 255"),
        ("sig@toolbox", (IMAGES * np.nan, LABELS), "float64 from nan to nan came"),
        ("sig@toolbox", (np.zeros((4, 8, 8, 1, 1)), LABELS), r"images were expected, shape \(4, 8, 8, 1, 1\) came"),
        ("word@openbackdoor", (IMAGES, LABELS), "text rows were expected, image rows"),
        ("quantile@art", (TEXTS, LABELS), "table rows were expected, text rows came; give an array"),
        ("quantile@art", (np.ones((4, 2)), LABELS), "a column of numbers that differ was expected, none came"),
        ("tact@toolbox", (IMAGES, LABELS % 2), r"3 classes or more were expected, \[0, 1\] came; take another attack"),
        ("badnets@toolbox", (IMAGES, LABELS * 0), r"2 classes or more were expected, \[0\] came"),
        ("narcissus@original", (IMAGES, LABELS), "head, a LinearHead, was expected, NoneType came"),
        ("ftrojan@original", (np.zeros((4, 9, 7, 1)), LABELS), "images of whole blocks were expected, 9 x 7 came"),
    ],
)
def test_rows_that_a_preset_is_not_for_are_refused_with_a_sentence(name, train, said):
    """What was expected, what came, what to do, and which attack asks."""
    with pytest.raises(ValueError, match=f"preset '{re.escape(name)}': .*{said}"):
        bc.presets[name].attack(train, rng=rng())


def test_wrong_targets_and_missing_generators_are_refused():
    """A class that is none, a target where there is none, and a seed in place of a generator."""
    with pytest.raises(ValueError, match=r"target, a class of \[0, 1, 2, 3\], was expected, 9 came"):
        bc.presets["badnets@toolbox"].attack((IMAGES, LABELS), target=9)
    with pytest.raises(ValueError, match="no target was expected, 1 came; it sends each class to the next one"):
        bc.presets["lattice@paper"].attack((IMAGES, LABELS), target=1)
    for generator in (None, 0):
        with pytest.raises(TypeError, match="rng: a numpy Generator was expected"):
            bc.presets["blended@toolbox"].attack((IMAGES, LABELS), rng=generator)


def test_grey_images_of_two_axes_and_strings_for_labels_are_taken():
    """Rows are as users have them."""
    train = (np.zeros((4, 8, 8)), ["no", "yes", "no", "yes"])
    attack = bc.presets["badnets@backdoorbench"].attack(train)
    assert attack.labels == "no"
    assert attack.trigger(train[0], np.array(train[1])).shape == (4, 8, 8)


def test_presets_go_through_pickle_by_name():
    """Worker processes get them; the one that comes out is the one that went in."""
    for preset in bc.presets.values():
        assert pickle.loads(pickle.dumps(preset)) is preset


def test_every_preset_says_its_source_and_ends_its_sentences():
    """The list is read in one go."""
    for preset in bc.presets.values():
        assert re.search(r"arXiv \d{4}\.\d{5}|ICLR 2023|USENIX Security 2021|pull request 2800", preset.source), (
            preset.name
        )
        assert preset.about.endswith(".")
        assert not preset.ours or preset.ours.endswith(".")
        assert re.fullmatch(r"[a-z-]+@[a-z]+", preset.name)


def test_a_preset_becomes_a_curve():
    """The end of the road: a curve of a learner, which the attack of BackdoorBox wins."""
    train, test = bc.datasets.digits("even-odd", rng=rng())
    data = bc.poison(train, test, bc.presets["badnets@backdoorbox"].attack(train), rate=0.05, rng=rng(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lbfgs may stop early; what is asked here is coarse
        curve = bc.backdoor_learning_curve(LogisticRegression(max_iter=1000), data)
    assert curve.accuracy("triggered", 1.0) > 0.9
