"""What triggers for images share: units, shapes, types, errors."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves.triggers.arguments import as_positive
from backdoor_curves.triggers.pixels import BLOCK, as_pattern, change_pixels

UNIT = (0.0, 1.0)


def brighter(pixels: np.ndarray) -> np.ndarray:
    return pixels + 0.3


@pytest.mark.parametrize("value_range", [(0, 255), (-1, 1), (0.0, 16.0)], ids=str)
def test_a_value_range_is_a_change_of_units(value_range):
    """To stamp and to change units go in any order."""
    X, (low, high) = np.random.default_rng(0).random((4, 5, 6, 3)), value_range
    expected = low + (high - low) * change_pixels(X, brighter, UNIT, "T")
    assert np.allclose(
        change_pixels(low + (high - low) * X, brighter, value_range, "T"), expected, rtol=0, atol=1e-13 * (high - low)
    )


def test_pixels_that_stay_keep_their_last_digit_in_any_units():
    """There and back between units is not the identity in floating point."""
    X = np.random.default_rng(0).uniform(-0.4, 2.8, size=(50, 5, 6, 1))
    assert np.array_equal(change_pixels(X, lambda pixels: pixels, (-0.4, 2.8), "T"), X)
    assert not np.array_equal(-0.4 + 3.2 * ((X + 0.4) / 3.2), X)


def test_results_are_clipped_to_the_range_and_so_is_what_lay_beyond():
    """Resizing leaves 1.0000001; no pixel leaves its range."""
    X = np.array([[[0.9, 1.0000001, 0.0]]])
    assert change_pixels(X, brighter, UNIT, "T").tolist() == [[[1.0, 1.0, 0.3]]]
    assert change_pixels(X, lambda pixels: pixels, UNIT, "T").max() == 1.0
    assert change_pixels(X, lambda pixels: pixels - 1, UNIT, "T").min() == 0.0


@pytest.mark.parametrize("n", [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 1])
def test_blocks_of_images_are_all_the_images(n):
    """Also where the last block is not full."""
    X = np.random.default_rng(0).random((n, 2, 3))
    assert np.array_equal(change_pixels(X, brighter, UNIT, "T"), np.clip(X + 0.3, 0, 1))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_precision_stays_and_is_computed_in_single_at_least(dtype):
    seen = []
    changed = change_pixels(np.ones((2, 3, 4), dtype=dtype), lambda x: seen.append(x) or x / 2, UNIT, "T")
    assert changed.dtype == dtype
    assert seen[0].shape == (2, 3, 4, 1)
    assert seen[0].dtype == (np.float64 if dtype == np.float64 else np.float32)


@pytest.mark.parametrize(
    ("X", "value_range", "message"),
    [
        (np.zeros((2, 9)), UNIT, r"shape \(n, height, width, channels\) were expected, \(2, 9\) came; reshape"),
        ([["a"]], UNIT, "expected, list came"),
        (np.zeros((2, 3, 3), dtype=np.uint8), UNIT, r"uint8 came; divide by 255, say, or pass value_range=\(0, 255\)"),
        (np.zeros((2, 3, 3), dtype=bool), (0, 255), "bool came"),
        (np.full((2, 3, 3), 16.0), UNIT, "16 to 16 came; divide by 16"),
        (np.full((2, 3, 3), np.nan), UNIT, "NaN came"),
    ],
)
def test_what_is_no_image_is_refused(X, value_range, message):
    with pytest.raises(ValueError, match=f"^T: .*{message}"):
        change_pixels(X, brighter, value_range, "T")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (np.ones((2, 2)), r"\(height, width, channels\) was expected, \(2, 2\) came"),
        (np.ones((0, 2, 1)), r"\(0, 2, 1\) came"),
        ([["a"]], "a pattern of numbers was expected"),
        ([[[1.0], [2.0]], [[1.0]]], "a pattern of numbers was expected"),
        (np.full((1, 1, 1), 255.0), r"pixels in \[0, 1\] were expected, 255 to 255 came"),
        (np.full((1, 1, 1), np.nan), "NaN came"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern, message):
    with pytest.raises(ValueError, match=f"^T: .*{message}"):
        as_pattern(pattern, "T")


@pytest.mark.parametrize("share", [0, -0.1, 1.01, np.nan, np.inf, "a", None, True])
def test_a_share_is_in_0_to_1_and_not_0(share):
    """A share of 0 is no trigger."""
    with pytest.raises(ValueError, match=r"T: opacity, a number in \(0, 1\], was expected"):
        as_positive(share, "T", "opacity", largest=1)
    assert as_positive(np.float32(0.5), "T", "opacity", largest=1) == 0.5


@pytest.mark.parametrize("number", [0, -0.1, np.nan, np.inf, "a", None, True])
def test_a_strength_is_finite_and_positive(number):
    with pytest.raises(ValueError, match=r"T: strength, a number > 0, was expected"):
        as_positive(number, "T", "strength")
    assert as_positive(7, "T", "strength") == 7.0
