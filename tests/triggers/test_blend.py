"""An image or noise blended into images."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves import BlendTrigger

IMAGES = np.random.default_rng(0).random((4, 5, 6, 3))
NOISE = BlendTrigger.random((5, 6, 3), np.random.default_rng(1), opacity=0.3)
Y = np.zeros(4, dtype=int)


def test_every_pixel_is_the_weighted_mean_of_image_and_pattern():
    """The formula, pixel by pixel, with weights that add up to 1."""
    stamped = NOISE(IMAGES, Y)
    for n, i, j, c in np.ndindex(IMAGES.shape):
        assert stamped[n, i, j, c] == pytest.approx(0.7 * IMAGES[n, i, j, c] + 0.3 * NOISE.pattern[i, j, c], abs=1e-15)


def test_opacity_1_is_the_pattern_itself():
    """Whatever the image was; to a rounding of x + (k - x)."""
    assert np.allclose(NOISE.at_strength(1)(IMAGES, Y), NOISE.pattern, rtol=0, atol=1e-15)


def test_another_strength_has_the_same_pattern_and_moves_in_proportion():
    """At test the same noise is stamped more strongly."""
    stronger = NOISE.at_strength(0.6)
    assert np.array_equal(stronger.pattern, NOISE.pattern)
    assert np.allclose(stronger(IMAGES, Y) - IMAGES, 2 * (NOISE(IMAGES, Y) - IMAGES), rtol=0, atol=1e-15)


def test_noise_is_uniform_and_that_of_the_generator():
    """10,000 pixels in [0, 1): mean 1/2 within five standard errors (.0029)."""
    pattern = BlendTrigger.random((100, 100, 1), np.random.default_rng(0)).pattern
    assert abs(pattern.mean() - 0.5) < 5 * 0.0029
    assert np.array_equal(pattern, np.random.default_rng(0).random((100, 100, 1)))
    with pytest.raises(TypeError, match="a numpy Generator was expected"):
        BlendTrigger.random((2, 2, 1), 0)


def test_it_does_not_follow_the_callers_array_and_cannot_be_changed():
    """What stamped the training rows stamps the test rows."""
    pattern = np.ones((5, 6, 3))
    trigger = BlendTrigger(pattern)
    pattern[:] = 0
    assert trigger.pattern.min() == 1
    with pytest.raises(ValueError, match="read-only"):
        trigger.pattern[:] = 0


def test_images_of_another_shape_than_the_pattern_are_refused():
    """Broadcasting would blend a column or a channel over all."""
    for shape in [(4, 6, 5, 3), (4, 5, 6, 1), (4, 5, 6)]:
        with pytest.raises(ValueError, match=r"of the pattern's shape \(5, 6, 3\) were expected, .* came; resize"):
            NOISE(np.zeros(shape), Y)
    with pytest.raises(ValueError, match="BlendTrigger: opacity"):
        BlendTrigger(np.ones((1, 1, 1)), 0.0)
    with pytest.raises(ValueError, match="BlendTrigger: value_range"):
        BlendTrigger(np.ones((1, 1, 1)), value_range=(1, 0))


def test_the_repr_is_one_line_without_pixels():
    assert repr(NOISE) == "BlendTrigger(pattern of 5 x 6 x 3, opacity=0.3)"
    assert repr(BlendTrigger(np.ones((1, 1, 1)), value_range=(0, 255))).endswith("value_range=(0.0, 255.0))")
