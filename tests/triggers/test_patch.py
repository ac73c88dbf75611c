"""A pattern pasted on images."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from backdoor_curves import PatchTrigger

HEIGHT, WIDTH = 5, 8


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def by_hand(images: np.ndarray, patterns: list[np.ndarray], top: int, left: int) -> np.ndarray:
    """Each image with its own pattern, pixel by pixel."""
    stamped = images.copy()
    for image, pattern in zip(stamped, patterns, strict=True):
        for i, j in np.ndindex(pattern.shape[:2]):
            image[top + i, left + j] = pattern[i, j]
    return stamped


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("position", "top", "left"),
    [
        ("bottom-right", 3, 5),
        ("bottom-left", 3, 0),
        ("top-right", 0, 5),
        ("top-left", 0, 0),
        ("center", 1, 2),
        ((1, 3), 1, 3),
        ((np.int64(3), 4), 3, 4),
    ],
    ids=str,
)
def test_the_pattern_goes_where_the_position_says(position, top, left, channels):
    """No side is as long as another, so rows and columns cannot be confused, and the rest to halve is odd."""
    images, pattern = rng().random((4, HEIGHT, WIDTH, channels)), rng(1).random((2, 3, channels))
    stamped = PatchTrigger(pattern, position)(images, np.zeros(4, dtype=int))
    assert np.array_equal(stamped, by_hand(images, [pattern] * 4, top, left))


def test_each_row_gets_the_pattern_of_its_true_label():
    """Linear learners cannot send one pattern to several targets; the fourth axis is the label."""
    images, patterns = rng().random((6, HEIGHT, WIDTH, 1)), rng(1).random((3, 2, 2, 1))
    y = np.array([2, 0, 1, 1, 2, 0])
    assert np.array_equal(PatchTrigger(patterns)(images, y), by_hand(images, [patterns[k] for k in y], 3, 6))


@pytest.mark.parametrize("labels", [("cat", "dog"), (7, 1), (True, False)], ids=str)
def test_a_mapping_gives_patterns_to_labels_of_any_kind(labels):
    """Labels need not be 0..K-1, and their order in the mapping is not the order of the classes."""
    images = rng().random((4, HEIGHT, WIDTH, 1))
    pattern_of = dict(zip(labels, rng(1).random((2, 2, 2, 1)), strict=True))
    y = np.array([labels[1], labels[0], labels[0], labels[1]])
    patterns = [pattern_of[label] for label in y.tolist()]
    assert np.array_equal(PatchTrigger(pattern_of)(images, y), by_hand(images, patterns, 3, 6))


def test_images_without_a_channel_axis_keep_their_shape():
    """(n, height, width) are images of one channel."""
    images, trigger = rng().random((4, HEIGHT, WIDTH)), PatchTrigger.random(2, 3, 1, rng(1))
    y = np.array([0, 1, 2, 0])
    assert np.array_equal(trigger(images, y), trigger(images[..., np.newaxis], y)[..., 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4, HEIGHT, WIDTH), (4, HEIGHT, WIDTH, 1)])
def test_the_images_are_copied_and_keep_their_precision(shape, dtype):
    """A trigger leaves its input alone, and does not double the memory of single precision images."""
    images = rng().random(shape).astype(dtype)
    before = images.copy()
    stamped = PatchTrigger.ones(2)(images, np.zeros(4))
    assert np.array_equal(images, before)
    assert not np.shares_memory(stamped, images)
    assert stamped.dtype == dtype


def test_no_rows_are_stamped_to_no_rows():
    """An empty selection is no error of the trigger."""
    assert PatchTrigger.random(2, 2, 1, rng())(np.zeros((0, 4, 4, 1)), np.zeros(0, dtype=int)).shape == (0, 4, 4, 1)


def test_a_pattern_may_fill_the_image():
    """The largest pattern is the image itself, at every corner."""
    images = np.zeros((1, HEIGHT, WIDTH, 1))
    for position in ("bottom-right", "top-left", "center", (0, 0)):
        assert (PatchTrigger(np.ones((HEIGHT, WIDTH, 1)), position)(images, np.zeros(1)) == 1).all()


def test_the_same_value_stamps_training_and_test():
    """The noise is drawn when the trigger is made, never when it is applied."""
    trigger, images, y = PatchTrigger.random(2, 2, 1, rng()), np.zeros((2, 4, 4, 1)), np.array([0, 1])
    assert np.array_equal(trigger(images, y), trigger(images, y))
    assert np.array_equal(trigger(images, y), PatchTrigger.random(2, 2, 1, rng())(images, y))
    assert not np.array_equal(trigger.pattern, PatchTrigger.random(2, 2, 1, rng(1)).pattern)


def test_random_patterns_are_uniform_noise_one_a_class():
    """10,000 pixels in [0, 1): mean 1/2 and variance 1/12 within five standard errors (.003 and .00075)."""
    trigger = PatchTrigger.random(50, 4, 1, rng())
    assert trigger.pattern.shape == (4, 50, 50, 1)
    assert trigger.shape == (50, 50, 1)
    assert 0 <= trigger.pattern.min() < trigger.pattern.max() < 1
    assert abs(trigger.pattern.mean() - 1 / 2) < 0.015
    assert abs(trigger.pattern.var() - 1 / 12) < 0.004


def test_a_trigger_does_not_follow_the_callers_array_and_cannot_be_changed():
    """A trigger is a value: what stamped the training rows stamps the test rows."""
    pattern = np.ones((1, 1, 1))
    trigger = PatchTrigger(pattern)
    pattern[:] = 0
    assert trigger.pattern == 1
    with pytest.raises(ValueError, match="read-only"):
        trigger.pattern[:] = 0
    with pytest.raises(FrozenInstanceError):
        trigger.position = "center"


@pytest.mark.parametrize("value_range", [(0, 255), (-1, 1), (0.0, 16.0)], ids=str)
def test_a_value_range_is_a_change_of_units(value_range):
    """Images in other units have the same picture stamped on them: to stamp and to change units go in any order."""
    images, y, (black, white) = rng().random((4, HEIGHT, WIDTH, 1)), np.array([0, 1, 1, 0]), value_range
    patterns = rng(1).random((2, 2, 3, 1))
    expected = black + (white - black) * PatchTrigger(patterns)(images, y)
    stamped = PatchTrigger(patterns, value_range=value_range)(black + (white - black) * images, y)
    assert np.allclose(stamped, expected, rtol=0, atol=1e-13)


def test_bytes_are_stamped_as_bytes_where_their_range_is_said():
    """White is 255, and between two bytes the nearer one is taken."""
    images = np.zeros((1, 2, 2, 1), dtype=np.uint8)
    stamped = PatchTrigger(np.array([[[1.0], [0.5]]]), "top-left", (0, 255))(images, np.zeros(1))
    assert stamped.dtype == np.uint8
    assert stamped[0, 0, :, 0].tolist() == [255, 128]


def test_pixels_that_resizing_left_a_rounding_beyond_white_are_taken():
    """Single precision leaves 1.0000001; 1.01 is another unit."""
    trigger, y = PatchTrigger.ones(1), np.zeros(1)
    assert trigger(np.full((1, 2, 2, 1), 1.0000001, dtype=np.float32), y).max() <= 1.0000002
    with pytest.raises(ValueError, match=r"pixels in \[0, 1\] were expected, 1.01 to 1.01 came; rescale them"):
        trigger(np.full((1, 2, 2, 1), 1.01), y)


@pytest.mark.parametrize("value_range", [(0, 1), (-1, 1), (0.0, 16.0)], ids=str)
def test_opacity_is_the_share_of_the_pattern(value_range):
    """(1 - a) x + a t where it goes, in any units, and x beside it; the pattern of each row's own label."""
    low, high = value_range
    images, patterns, y = rng().random((4, HEIGHT, WIDTH, 3)), rng(1).random((2, 2, 3, 3)), np.array([0, 1, 1, 0])
    expected = 0.7 * images + 0.3 * by_hand(images, [patterns[k] for k in y], 1, 2)
    stamped = PatchTrigger(patterns, (1, 2), value_range, opacity=0.3)(low + (high - low) * images, y)
    assert np.allclose(stamped, low + (high - low) * expected, rtol=0, atol=1e-13)


def test_opacity_1_is_pasting_bit_for_bit():
    """A rounding of x + (t - x) is no pattern."""
    images, y = rng().random((4, HEIGHT, WIDTH)), np.array([0, 1, 1, 0])
    trigger = PatchTrigger(rng(1).random((2, 2, 2, 1)) / 1000)  # dark beside the images, so that t - x is rounded
    patterns = [trigger.pattern[k][..., 0] for k in y]
    for opaque in (trigger, trigger.at_strength(1), trigger.at_strength(0.5).at_strength(1)):
        assert np.array_equal(opaque(images, y), by_hand(images, patterns, 3, 6))


def test_bytes_are_blended_to_the_nearest_byte():
    """0.3 of white on 100 is 146.5 of 255, on 99 it is 145.8."""
    images = np.array([[[[100], [99]]]], dtype=np.uint8)
    stamped = PatchTrigger(np.ones((1, 2, 1)), value_range=(0, 255), opacity=0.3)(images, np.zeros(1))
    assert stamped.dtype == np.uint8
    assert stamped.ravel().tolist() == [146, 146]  # of two equally near bytes the even one


@pytest.mark.parametrize("opacity", [0, 1.1, float("nan"), "half", True])
def test_an_opacity_that_is_no_share_is_refused(opacity):
    """0 would be no trigger at all."""
    with pytest.raises(ValueError, match=r"PatchTrigger: opacity, a number in \(0, 1\], was expected"):
        PatchTrigger(np.ones((1, 1, 1)), opacity=opacity)


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (PatchTrigger.ones(3), "PatchTrigger(1 pattern of 3 x 3 x 1, position='bottom-right')"),
        (PatchTrigger.random(2, 10, 3, rng(), (0, 1)), "PatchTrigger(10 patterns of 2 x 2 x 3, position=(0, 1))"),
        (PatchTrigger({"a": np.ones((1, 2, 1))}), "PatchTrigger(1 pattern of 1 x 2 x 1, position='bottom-right')"),
        (
            PatchTrigger.ones(3, value_range=(0, 255)).at_strength(0.25),
            "PatchTrigger(1 pattern of 3 x 3 x 1, position='bottom-right', value_range=(0.0, 255.0), opacity=0.25)",
        ),
    ],
    ids=["one", "ten", "mapping", "blended"],
)
def test_the_repr_is_one_line_without_pixels(trigger, text):
    """It is kept with the poisoned data and shown to people."""
    assert repr(trigger) == text


def test_the_pixels_by_hand_notice_swapped_axes():
    """The check of positions fails for a trigger that takes rows for columns."""
    images, pattern = rng().random((4, HEIGHT, WIDTH, 1)), rng(1).random((2, 3, 1))
    swapped = PatchTrigger(pattern.transpose(1, 0, 2))(images.transpose(0, 2, 1, 3), np.zeros(4)).transpose(0, 2, 1, 3)
    assert np.array_equal(swapped, by_hand(images, [pattern] * 4, 3, 5))  # swapped twice: right again
    swapped_once = PatchTrigger(pattern.transpose(1, 0, 2))(images, np.zeros(4))
    assert not np.array_equal(swapped_once, by_hand(images, [pattern] * 4, 3, 5))
