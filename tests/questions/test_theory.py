"""What is measured is what the slope of a trigger on unused pixels says, as far as the pixels are unused."""

import numpy as np
import pytest

from backdoor_curves.questions.ask import kept_answers, read_answer

LAWS = {
    ("poison-rows", "mnist"): 0.5,
    ("patch-size", "mnist"): 0.25,
    ("image-side", "mnist"): 0.25,
    ("penalty", "mnist"): 2.0,
    ("clean-rows-unused-pixel", "digits"): 1.0,
}
"""Of ridge's half-loss beta under a doubling, docs/mathematics/unused-pixels.md, where both of its conditions hold.

The corner of MNIST is nearly unused and one pixel of the digits is; and the rate 2 m |delta|^2 / lambda, which is to be
large, is about 2 * 50 * 16 / 200 = 8 for the square and 2 * 30 / 2 = 30 for the pixel (of MNIST, at its penalty, 1/2).
"""
NEARLY = 0.25
"""In powers of two: a few images have ink in the corner, and the law is the limit of a strong trigger."""


@pytest.mark.parametrize(("name", "data"), LAWS)
def test_ridge_follows_the_law(name, data):
    """Rows, length of the trigger, penalty, and clean rows: each with its power."""
    (found,) = (one for one in read_answer(kept_answers()[name]).evidence if one.data == data)
    (ridge,) = (one for one in found.of("half_loss_beta") if one.setting == "Ridge")
    assert abs(np.log2(ridge.effect.estimate) - np.log2(LAWS[name, data])) < NEARLY


def test_used_pixels_weaken_the_trigger():
    """In the middle, where images vary, no learner is at half of its loss as early as in the corner, on both data."""
    for evidence in read_answer(kept_answers()["place"]).evidence:
        centre = [one.effect for one in evidence.of("half_loss_beta") if one.level == "centre"]
        assert len(centre) == 4
        assert all(effect.low > 1 for effect in centre)


def test_clean_rows_speak_against_a_trigger_where_they_use_its_pixels():
    """The digits' bottom right has ink, the pixel at the top left has none: the first gains more by more clean rows."""
    used, unused = (read_answer(kept_answers()[name]).first for name in ("clean-rows", "clean-rows-unused-pixel"))
    pairs = list(zip(used.of("half_loss_beta"), unused.of("half_loss_beta"), strict=True))
    assert len(pairs) == 4
    assert all(one.effect.low > other.effect.high for one, other in pairs if one.setting != "RBF SVM")
