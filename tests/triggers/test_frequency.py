"""Raised coefficients of the cosine transform."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dctn, idctn

from backdoor_curves import FrequencyTrigger

Y = np.zeros(2, dtype=int)
TO_YUV = np.array([[0.299, 0.587, 0.114], [-0.14713, -0.28886, 0.436], [0.615, -0.51499, -0.10001]])
SMALL = FrequencyTrigger(0.05, ((1, 2), (3, 3)), window=4)


def by_hand(images: np.ndarray, trigger: FrequencyTrigger) -> np.ndarray:
    """As the authors tell it: to YUV, to frequencies block by block, raise, and back."""
    colours = images.shape[3] == 3
    stamped = images @ TO_YUV.T if colours else images.copy()
    for image in stamped:
        for c in (1, 2) if colours else (0,):
            for top in range(0, image.shape[0], trigger.window):
                for left in range(0, image.shape[1], trigger.window):
                    block = np.s_[top : top + trigger.window, left : left + trigger.window, c]
                    coefficients = dctn(image[block], norm="ortho")
                    for position in trigger.positions:
                        coefficients[position] += trigger.magnitude
                    image[block] = idctn(coefficients, norm="ortho")
    return np.clip(stamped @ np.linalg.inv(TO_YUV).T if colours else stamped, 0, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("trigger", "height", "width"), [(FrequencyTrigger(), 32, 32), (SMALL, 8, 12), (SMALL.at_strength(2), 4, 8)]
)
def test_coefficients_are_raised_and_no_others(trigger, height, width, channels):
    """There and back through colours and frequencies; matrices of YUV are published to 5 digits, D is at most 2."""
    images = np.random.default_rng(0).random((2, height, width, channels))
    assert np.allclose(trigger(images, Y), by_hand(images, trigger), rtol=0, atol=5e-5)


def test_the_difference_has_these_coefficients_alone():
    """Of grey images far from black and white, to rounding."""
    moved = FrequencyTrigger()(np.full((2, 32, 32), 0.5), Y) - 0.5
    coefficients = dctn(moved[0], norm="ortho")
    expected = np.zeros((32, 32))
    expected[15, 15] = expected[31, 31] = 30 / 255
    assert np.allclose(coefficients, expected, rtol=0, atol=1e-14)
    assert np.abs(moved).max() < 0.015


def test_colours_keep_their_brightness():
    """U and V alone are raised: Y = .299 R + .587 G + .114 B stays, to the 5 digits of the matrices."""
    moved = FrequencyTrigger()(np.full((2, 32, 32, 3), 0.5), Y) - 0.5
    assert np.abs(moved @ TO_YUV[0]).max() < 1e-4 * np.abs(moved).max()


def test_strength_at_test_is_another():
    assert SMALL.at_strength(0.5) == FrequencyTrigger(0.5, ((1, 2), (3, 3)), 4)
    assert FrequencyTrigger(positions=[[1, 2]], window=4).positions == ((1, 2),)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 28, 28), "whole blocks of 32 x 32 were expected, 28 x 28 came; pass a window that divides both"),
        ((2, 32, 48, 3), "32 x 48 came"),
        ((2, 32, 32, 2), "1 or 3 channels were expected, 2 came"),
    ],
)
def test_images_without_whole_blocks_or_of_other_channels_are_refused(shape, message):
    with pytest.raises(ValueError, match=f"FrequencyTrigger: .*{message}"):
        FrequencyTrigger()(np.zeros(shape), Y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"magnitude": 0}, "magnitude, a number > 0, was expected, 0 came"),
        (
            {"window": 16},
            r"positions, pairs \(row, column\) in \[0, 16\), were expected, \(\(15, 15\), \(31, 31\)\) came",
        ),
        ({"window": 0}, "window, a whole number >= 1, was expected, 0 came"),
        ({"positions": ()}, "positions, pairs"),
        ({"positions": (15, 15)}, "positions, pairs"),
        ({"positions": ((1, 2), (1,))}, "positions, pairs"),
        ({"positions": ((1.5, 2),)}, "positions, pairs"),
        ({"positions": ((-1, 2),)}, "positions, pairs"),
        ({"positions": ((1, 2), (1, 2))}, "each position once was expected"),
        ({"value_range": 1}, "FrequencyTrigger: value_range"),
    ],
)
def test_what_is_no_frequency_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        FrequencyTrigger(**arguments)
