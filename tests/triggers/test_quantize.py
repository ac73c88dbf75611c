"""Images in few levels."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves import QuantizeTrigger

IMAGES = np.random.default_rng(0).random((3, 6, 7, 3))
Y = np.zeros(3, dtype=int)


def diffused(image: np.ndarray, levels: int) -> np.ndarray:
    """Floyd and Steinberg's algorithm on one channel of one image, from pixel to pixel, with a border."""
    left, steps = image.astype(float).tolist(), levels - 1
    height, width = image.shape
    for i in range(height):
        for j in range(width):
            old = left[i][j]
            new = min(max(round(old * steps), 0), steps) / steps
            left[i][j] = new
            if j + 1 < width:
                left[i][j + 1] += (old - new) * 7 / 16
            if i + 1 < height and j > 0:
                left[i + 1][j - 1] += (old - new) * 3 / 16
            if i + 1 < height:
                left[i + 1][j] += (old - new) * 5 / 16
            if i + 1 < height and j + 1 < width:
                left[i + 1][j + 1] += (old - new) * 1 / 16
    return np.array(left)


@pytest.mark.parametrize("levels", [2, 3, 8, 32])
def test_every_pixel_goes_to_the_nearest_level(levels):
    """Among all levels, by distance."""
    known = np.arange(levels) / (levels - 1)
    nearest = known[np.abs(IMAGES[..., np.newaxis] - known).argmin(axis=-1)]
    assert np.array_equal(QuantizeTrigger(levels)(IMAGES, Y), nearest)


@pytest.mark.parametrize("levels", [2, 3, 8])
def test_dithering_is_that_of_floyd_and_steinberg(levels):
    """Each image and channel for itself; levels are the same numbers, for no pixel lies on the edge between two."""
    stamped = QuantizeTrigger(levels, dithering=True)(IMAGES, Y)
    for n in range(len(IMAGES)):
        for c in range(3):
            assert np.array_equal(stamped[n, :, :, c], diffused(IMAGES[n, :, :, c], levels))


def test_dithering_keeps_the_mean_where_rounding_does_not():
    """A grey area of .4 in black and white: errors are passed on, but for what the border loses (less than 1 in 64)."""
    grey = np.full((1, 64, 64, 1), 0.4)
    assert QuantizeTrigger(2)(grey, Y[:1]).mean() == 0.0
    assert abs(QuantizeTrigger(2, dithering=True)(grey, Y[:1]).mean() - 0.4) < 1 / 64


@pytest.mark.parametrize("dithering", [False, True])
def test_no_pixel_moves_by_more_than_its_rounding_and_levels_are_those(dithering):
    """Half a step without dithering; with it the errors of the neighbours, at most half a step in all, come on top."""
    stamped = QuantizeTrigger(8, dithering)(IMAGES, Y)
    assert np.isin(stamped, np.arange(8) / 7).all()
    assert np.abs(stamped - IMAGES).max() <= (2 if dithering else 1) * 0.5 / 7 + 1e-15


def test_bytes_are_those_of_the_levels():
    """8 levels of 255: 0, 36, 73, ..., 255."""
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    stamped = QuantizeTrigger(value_range=(0, 255))(images, Y[:1])
    assert np.unique(stamped).tolist() == [0, 36, 73, 109, 146, 182, 219, 255]


@pytest.mark.parametrize("levels", [1, 0, 2.0, True, None])
def test_fewer_than_two_levels_are_refused(levels):
    with pytest.raises(ValueError, match="QuantizeTrigger: levels, a whole number >= 2, was expected"):
        QuantizeTrigger(levels)
    with pytest.raises(ValueError, match="dithering, True or False, was expected, 'no' came"):
        QuantizeTrigger(dithering="no")
