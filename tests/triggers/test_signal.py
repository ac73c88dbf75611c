"""A wave, a ramp or a triangle added to images."""

from __future__ import annotations

from math import pi, sin

import numpy as np
import pytest

from backdoor_curves import SignalTrigger

FORMS = ("sinusoid", "ramp", "triangle")
DIRECTIONS = ("horizontal", "vertical")
Y = np.zeros(3, dtype=int)


def by_hand(images: np.ndarray, trigger: SignalTrigger) -> np.ndarray:
    """The formulas of the three forms, pixel by pixel."""
    stamped = images.copy()
    for n, i, j, c in np.ndindex(images.shape):
        place, side = (j, images.shape[2]) if trigger.direction == "horizontal" else (i, images.shape[1])
        part = place / side
        v = {
            "sinusoid": sin(2 * pi * trigger.frequency * part),
            "ramp": part,
            "triangle": 2 * part if part <= 0.5 else 2 - 2 * part,
        }[trigger.form]
        stamped[n, i, j, c] = min(max(images[n, i, j, c] + trigger.strength * v, 0.0), 1.0)
    return stamped


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("strength", [0.1, 0.9])
def test_the_signal_is_that_of_its_formula(strength, form, direction):
    """No side is as long as another; at .9 most pixels are clipped."""
    images = np.random.default_rng(0).random((3, 5, 8, 3))
    trigger = SignalTrigger(strength, 1.5, form, direction)
    assert np.allclose(trigger(images, Y), by_hand(images, trigger), rtol=0, atol=1e-15)


@pytest.mark.parametrize("form", FORMS)
def test_directions_are_one_another_turned(form):
    """Rows for columns."""
    images = np.random.default_rng(0).random((3, 5, 8, 1))
    turned = SignalTrigger(form=form, direction="vertical")(images.transpose(0, 2, 1, 3), Y).transpose(0, 2, 1, 3)
    assert np.array_equal(turned, SignalTrigger(form=form)(images, Y))


def test_a_sinusoid_of_whole_waves_has_mean_0_and_half_the_power():
    """On grey images nothing is clipped: f = 6 waves on 32 columns have variance D^2 / 2."""
    moved = SignalTrigger()(np.full((1, 32, 32, 3), 0.5), Y[:1]) - 0.5
    assert abs(moved.mean()) < 1e-15
    assert moved.var() == pytest.approx((40 / 255) ** 2 / 2, rel=1e-12)
    assert np.abs(np.fft.rfft(moved[0, 0, :, 0])).argmax() == 6


def test_strength_at_test_is_in_proportion():
    """The form, the waves and the direction stay."""
    images, trigger = np.full((3, 6, 7), 0.5), SignalTrigger(0.1, 2, direction="vertical")
    assert trigger.at_strength(0.2) == SignalTrigger(0.2, 2, direction="vertical")
    assert np.allclose(trigger.at_strength(0.2)(images, Y) - 0.5, 2 * (trigger(images, Y) - 0.5), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        (SignalTrigger(frequency=4), "a sinusoid on 8 pixels, 4 waves came; take fewer waves, or larger images"),
        (SignalTrigger(frequency=8.0), "a sinusoid on 8 pixels, 8 waves came"),
        (SignalTrigger(form="ramp", direction="vertical"), "a ramp on 1 pixels came"),
    ],
)
def test_a_signal_that_vanishes_is_refused(trigger, message):
    """It would stamp nothing: all pixels are nodes."""
    with pytest.raises(ValueError, match=f"does not vanish was expected, {message}"):
        trigger(np.full((3, 1, 8), 0.5), Y)


def test_more_waves_than_pixels_can_show_are_fewer_the_other_way():
    """6 waves on the 8 columns of scikit-learn's digits are 2 with the sign turned."""
    images = np.full((3, 8, 8), 0.5)
    assert np.allclose(
        SignalTrigger()(images, Y) - 0.5, 0.5 - SignalTrigger(frequency=2)(images, Y), rtol=0, atol=1e-14
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strength": 0}, "SignalTrigger: strength, a number in"),
        ({"strength": 20}, "SignalTrigger: strength, a number in"),
        ({"frequency": 0}, "SignalTrigger: frequency, a number > 0, was expected, 0 came"),
        ({"frequency": np.nan}, "frequency, a number > 0"),
        ({"frequency": "6"}, "frequency, a number > 0"),
        ({"form": "square"}, "form, one of sinusoid, ramp, triangle, was expected, 'square' came"),
        ({"direction": 1}, "direction, one of horizontal, vertical, was expected, 1 came"),
        ({"value_range": (0,)}, "SignalTrigger: value_range"),
    ],
)
def test_what_is_no_signal_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SignalTrigger(**arguments)
