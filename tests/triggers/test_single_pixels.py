"""Single pixels, of which an image has some or all."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from backdoor_curves import PixelTrigger

PLACES = ((0, 1), (-1, -2), (2, 0), (3, 5))
VALUES = np.random.default_rng(1).random((4, 3))
IMAGES = np.random.default_rng(0).random((6, 5, 6, 3))
Y = np.zeros(6, dtype=int)


def set_by_hand(image: np.ndarray, which: tuple[int, ...]) -> np.ndarray:
    """An image with some of the pixels, each set by numpy's own counting from the end."""
    stamped = image.copy()
    for k in which:
        stamped[PLACES[k]] = VALUES[k]
    return stamped


def found_in(stamped: np.ndarray) -> list[tuple[int, ...]]:
    """Which of the pixels each image has."""
    return [tuple(k for k in range(4) if np.array_equal(image[PLACES[k]], VALUES[k])) for image in stamped]


@pytest.mark.parametrize("drawn", [1, 2, 3, 4])
def test_each_image_has_as_many_of_the_pixels_as_are_drawn(drawn):
    """And nothing else changes: by hand, with those that are found."""
    stamped = PixelTrigger(PLACES, VALUES, drawn)(IMAGES, Y)
    found = found_in(stamped)
    assert {len(which) for which in found} == {drawn}
    assert np.array_equal(stamped, [set_by_hand(*pair) for pair in zip(IMAGES, found, strict=True)])


def test_the_whole_trigger_has_all_pixels_in_every_image():
    """The form for test rows; it draws nothing, so no seed plays a part."""
    whole = PixelTrigger(PLACES, VALUES, seed=3).whole()
    assert found_in(whole(IMAGES, Y)) == [(0, 1, 2, 3)] * 6
    assert np.array_equal(whole(IMAGES, Y), PixelTrigger(PLACES, VALUES, drawn=4)(IMAGES, Y))


def test_each_choice_is_as_likely_as_another():
    """2000 images and six pairs of four pixels: 333 each, within five standard errors of 17."""
    many = np.random.default_rng(2).random((2000, 5, 6, 3))
    counts = Counter(found_in(PixelTrigger(PLACES, VALUES, drawn=2)(many, np.zeros(2000))))
    assert len(counts) == 6
    assert all(abs(count - 2000 / 6) < 5 * 17 for count in counts.values())


def test_another_seed_draws_other_pixels():
    """Of 2000 images a quarter gets the same pixel again, within five standard errors."""
    many = np.random.default_rng(2).random((2000, 5, 6, 3))
    first, other = (found_in(PixelTrigger(PLACES, VALUES, seed=seed)(many, np.zeros(2000))) for seed in (0, 1))
    same = np.mean([a == b for a, b in zip(first, other, strict=True)])
    assert abs(same - 1 / 4) < 5 * np.sqrt(3 / 16 / 2000)


def test_the_four_pixels_of_k_way_are_those_of_the_source():
    """Places and bytes as published, on their own size; on MNIST's scaled, and grey."""
    colours = PixelTrigger.k_way((32, 32, 3), seed=5)
    assert colours.places == ((16, 11), (27, 5), (7, 30), (22, 22))
    published = [[92, 0, 24], [88, 112, 110], [0, 32, 46], [11, 49, 95]]
    assert np.allclose(255 * colours.values, published, rtol=0, atol=1e-12)
    assert (colours.drawn, colours.whole().drawn, colours.seed) == (1, 4, 5)
    grey = PixelTrigger.k_way((28, 28, 1))
    assert grey.places == tuple((int(row * 28 / 32), int(column * 28 / 32)) for row, column in colours.places)
    assert np.allclose(grey.values[:, 0], [sum(rgb) / 3 / 255 for rgb in published], rtol=0, atol=1e-15)
    in_bytes = PixelTrigger.k_way((32, 32, 3), value_range=(0, 255)).whole()(
        np.full((1, 32, 32, 3), 7, np.uint8), Y[:1]
    )
    assert in_bytes[0, [16, 27, 7, 22], [11, 5, 30, 22]].tolist() == published


def test_values_are_copied_and_cannot_be_changed():
    """What stamped the training rows stamps the test rows."""
    values = VALUES.copy()
    trigger = PixelTrigger(PLACES, values)
    values[:] = 0
    assert np.array_equal(trigger.values, VALUES)
    with pytest.raises(ValueError, match="read-only"):
        trigger.values[:] = 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), np.ones((0, 1))), r"places, pairs \(row, column\), were expected, \(\) came"),
        ((3, np.ones((1, 1))), r"places, pairs \(row, column\), were expected, 3 came"),
        (((0, 1), np.ones((2, 1))), r"places, pairs \(row, column\), were expected, \(0, 1\) came"),
        ((((0, 0.5),), np.ones((1, 1))), r"places, pairs \(row, column\), were expected"),
        ((((0, 1), (0, 1)), np.ones((2, 1))), "each place once was expected"),
        ((((0, 1),), np.ones((2, 1))), r"values of shape \(1, channels\) were expected, \(2, 1\) came"),
        ((((0, 1),), np.ones(1)), r"values of shape \(1, channels\) were expected, \(1,\) came"),
        ((((0, 1),), [["white"]]), "values, numbers for each pixel, were expected"),
        ((((0, 1),), [[92.0]]), r"values: pixels in \[0, 1\] were expected, 92 to 92 came"),
        ((((0, 1),), np.ones((1, 1)), 2), r"drawn, a whole number in \[1, 1\], was expected, 2 came"),
        ((((0, 1),), np.ones((1, 1)), 0), r"drawn, a whole number in \[1, 1\], was expected, 0 came"),
        ((((0, 1),), np.ones((1, 1)), 1, -1), "seed, a whole number >= 0, was expected, -1 came"),
        ((((0, 1),), np.ones((1, 1)), 1, 0, (1, 0)), "PixelTrigger: value_range"),
    ],
    ids=str,
)
def test_what_is_no_trigger_is_refused(arguments, message):
    """When it is made, not when it is applied."""
    with pytest.raises(ValueError, match=message):
        PixelTrigger(*arguments)


def test_images_that_cannot_have_the_pixels_are_refused():
    """They lack a place, have one under two names, have other channels, or are none."""
    trigger = PixelTrigger(PLACES, VALUES)
    with pytest.raises(ValueError, match=r"places within 4 x 5 were expected, \(3, 5\) came"):
        trigger(np.zeros((1, 4, 5, 3)), Y[:1])
    with pytest.raises(ValueError, match="images of 3 channels were expected, of 1 came"):
        trigger(np.zeros((1, 5, 6)), Y[:1])
    with pytest.raises(ValueError, match="each pixel once was expected"):
        PixelTrigger(((0, 0), (0, -2)), np.ones((2, 1)))(np.zeros((1, 1, 2)), Y[:1])
    with pytest.raises(ValueError, match=r"\(2, 784\) came; reshape flattened rows"):
        trigger(np.zeros((2, 784)), Y[:2])
    with pytest.raises(ValueError, match="larger images were expected, 2 x 2 came: pixels coincide"):
        PixelTrigger.k_way((2, 2, 1))
    with pytest.raises(ValueError, match="1 or 3 channels were expected, 4 came"):
        PixelTrigger.k_way((32, 32, 4))
    with pytest.raises(ValueError, match=r"a shape \(height, width, channels\) was expected, \(28, 28\) came"):
        PixelTrigger.k_way((28, 28))


def test_the_repr_is_one_line_without_values():
    """It is kept with the poisoned data, and says what is drawn."""
    text = "PixelTrigger(1 of 1 pixels of 3, places=((-1, -1),), seed=0)"
    assert repr(PixelTrigger(((-1, -1),), np.ones((1, 3)))) == text
    assert repr(PixelTrigger(((0, 0),), [[1.0]], value_range=(0, 255))).endswith("seed=0, value_range=(0.0, 255.0))")
