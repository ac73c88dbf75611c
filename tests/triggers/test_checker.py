"""The checker in corners."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves import CheckerTrigger

IMAGES = np.random.default_rng(0).random((3, 7, 9, 3))
Y = np.zeros(3, dtype=int)
LAST = {(-1, -1): 1, (-1, -2): -1, (-1, -3): 1, (-2, -1): -1, (-2, -2): 1, (-2, -3): -1, (-3, -1): 1, (-3, -2): -1,
        (-3, -3): -1}  # fmt: skip
"""Signs at the bottom right by row and column counted from the last: the list of the authors' code."""


def signs(height: int, width: int, corners: tuple[str, ...]) -> np.ndarray:
    """By their list: on the left columns count from the first, and above rows stand as they do below."""
    s = np.zeros((height, width))
    for (row, column), sign in LAST.items():
        for corner in corners:
            i = height + row if corner.startswith("bottom") else 3 + row
            s[i, width + column if corner.endswith("right") else -1 - column] = sign
    return s


@pytest.mark.parametrize("amplitude", [0.1, 32 / 255, 1.0])
@pytest.mark.parametrize(
    "corners", [("bottom-right",), ("top-left", "bottom-right"), CheckerTrigger.everywhere().corners]
)
def test_pixels_rise_and_fall_by_the_amplitude(corners, amplitude):
    """clip(x + a s) with s of the authors' list, pixel by pixel."""
    stamped = CheckerTrigger(amplitude, corners)(IMAGES, Y)
    s = signs(7, 9, corners)[np.newaxis, :, :, np.newaxis]
    expected = np.minimum(np.maximum(IMAGES + amplitude * s, 0.0), 1.0)
    assert np.allclose(stamped, expected, rtol=0, atol=1e-15)
    assert np.count_nonzero(s) == 9 * len(corners)


def test_no_amplitude_overwrites():
    """White where the sign is +, black where it is -: so the authors' code has it at its maximum."""
    s, stamped = signs(7, 9, ("bottom-right",)), CheckerTrigger()(IMAGES, Y)
    assert (stamped[:, s == 1] == 1).all()
    assert (stamped[:, s == -1] == 0).all()
    assert CheckerTrigger(None) == CheckerTrigger(1.0) == CheckerTrigger(0.5).at_strength(None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CheckerTrigger(0), r"CheckerTrigger: amplitude, a number in \(0, 1\], was expected, 0 came"),
        (lambda: CheckerTrigger(1.5), r"amplitude, a number in \(0, 1\], was expected, 1.5 came"),
        (lambda: CheckerTrigger(corners="bottom-right"), "corners, a tuple of bottom-right, .* 'bottom-right' came"),
        (lambda: CheckerTrigger(corners=()), r"corners, a tuple of .*, each once, were expected, \(\) came"),
        (lambda: CheckerTrigger(corners=("center",)), r"corners, a tuple of .* \('center',\) came"),
        (lambda: CheckerTrigger(corners=("top-left",) * 2), "each once, were expected"),
        (lambda: CheckerTrigger()(IMAGES[:, :2], Y), "images of 3 x 3 pixels at least were expected, 2 x 9 came"),
        (lambda: CheckerTrigger.everywhere()(IMAGES[:, :, :5], Y), "images of 6 x 6 pixels at least were expected"),
        (lambda: CheckerTrigger()(IMAGES.reshape(3, -1), Y), "reshape flattened rows before they are stamped"),
    ],
)
def test_what_cannot_be_stamped_is_refused(make, message):
    """A sentence each; checkers that would overlap among them."""
    with pytest.raises(ValueError, match=message):
        make()
