"""A lattice of brighter pixels."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves import LatticeTrigger

Y = np.zeros(3, dtype=int)


@pytest.mark.parametrize("shape", [(3, 5, 8, 3), (3, 4, 7, 1), (3, 1, 1, 1)])
@pytest.mark.parametrize("strength", [10 / 255, 75 / 255, 1.0])
def test_pixels_of_even_row_and_column_are_brighter_and_no_others(shape, strength):
    """Pixel by pixel, clipped at white."""
    images = np.random.default_rng(0).random(shape)
    stamped = LatticeTrigger(strength)(images, Y)
    for n, i, j, c in np.ndindex(shape):
        on = i % 2 == 0 and j % 2 == 0
        assert stamped[n, i, j, c] == (min(images[n, i, j, c] + strength, 1.0) if on else images[n, i, j, c])


def test_bytes_move_by_the_bytes_of_the_paper():
    """10 of 255 is 10, and white stays white."""
    images = np.array([[[0, 0, 250, 0]]], dtype=np.uint8)
    assert LatticeTrigger(value_range=(0, 255))(images, Y[:1]).tolist() == [[[10, 0, 255, 0]]]


def test_strength_at_test_is_another():
    assert LatticeTrigger(10 / 255).at_strength(75 / 255) == LatticeTrigger(75 / 255)


@pytest.mark.parametrize("strength", [0, 10, -0.1, None])
def test_a_strength_that_is_none_is_refused(strength):
    """10 is the strength in bytes, and in [0, 1] it would make the lattice white."""
    with pytest.raises(ValueError, match=r"LatticeTrigger: strength, a number in \(0, 1\], was expected"):
        LatticeTrigger(strength)
    with pytest.raises(ValueError, match="LatticeTrigger: value_range"):
        LatticeTrigger(value_range=(1, 1))
