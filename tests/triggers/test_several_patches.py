"""Several patches, of which an image has one or chosen ones."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves import PatchesTrigger, PatchTrigger

IMAGES = np.random.default_rng(0).random((12, 6, 8, 3))
Y = np.zeros(12, dtype=int)
SQUARES = np.random.default_rng(1).random((3, 2, 2, 3))
PLACES, OPACITIES = ((0, 0), (3, 5), (1, 1)), (0.5, 0.2, 1.0)
"""The first and the third overlap in one pixel."""
TRIGGER = PatchesTrigger(
    tuple(PatchTrigger(*one, opacity=a) for one, a in zip(zip(SQUARES, PLACES, strict=True), OPACITIES, strict=True))
)


def blended_by_hand(x: np.ndarray, i: int, opacity: float) -> np.ndarray:
    """One image with patch i, pixel by pixel: (1 - a) x + a t."""
    stamped = x.copy()
    for row in range(2):
        for column in range(2):
            at = (PLACES[i][0] + row, PLACES[i][1] + column)
            stamped[at] = (1 - opacity) * x[at] + opacity * SQUARES[i, row, column]
    return stamped


def which(x: np.ndarray, stamped: np.ndarray) -> int:
    """The one patch that an image has."""
    found = [i for i, a in enumerate(OPACITIES) if np.allclose(stamped, blended_by_hand(x, i, a), rtol=0, atol=1e-15)]
    (one,) = found
    return one


def test_each_image_has_one_patch_at_its_own_opacity():
    """x (1 - a) + a t in one of three places, and x everywhere else; each of the three is drawn."""
    drawn = [which(x, after) for x, after in zip(IMAGES, TRIGGER(IMAGES, Y), strict=True)]
    assert set(drawn) == {0, 1, 2}


def test_groups_are_equal_in_expectation():
    """3000 images and three patches: 1000 each, within five standard errors of 26."""
    many = np.random.default_rng(2).random((3000, 6, 8, 3))
    stamped = TRIGGER(many, np.zeros(3000))
    counts = np.bincount([which(x, after) for x, after in zip(many, stamped, strict=True)])
    assert len(counts) == 3
    assert (abs(counts - 1000) < 5 * 26).all()


def test_test_rows_have_the_chosen_patches_fully_seen_and_the_later_on_top():
    """Stamped one after the other, in the order that they were chosen in, at opacity 1 or the one named."""
    for chosen, opacity in [((0, 2), 1.0), ((2, 0), 1.0), ((1,), 0.7)]:
        expected = IMAGES
        for i in chosen:
            expected = np.stack([blended_by_hand(x, i, opacity) for x in expected])
        assert np.allclose(TRIGGER.whole(chosen, opacity)(IMAGES, Y), expected, rtol=0, atol=1e-15)
    assert np.array_equal(TRIGGER.whole()(IMAGES, Y), TRIGGER.whole((0, 1, 2))(IMAGES, Y))


def test_another_seed_draws_other_patches():
    """And the same one the same."""
    one, again, other = (PatchesTrigger(TRIGGER.patches, seed=seed)(IMAGES, Y) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_ours_are_four_squares_in_the_corners_at_the_opacities_of_adap_patch():
    """Four a quarter of the shorter side, .5, .2, .5, .3; patterns and seed come from the generator."""
    trigger = PatchesTrigger.random((16, 20, 3), np.random.default_rng(0))
    assert [patch.opacity for patch in trigger.patches] == [0.5, 0.2, 0.5, 0.3]
    assert [patch.position for patch in trigger.patches] == ["bottom-right", "bottom-left", "top-right", "top-left"]
    assert {patch.shape for patch in trigger.patches} == {(4, 4, 3)}
    again, other = (PatchesTrigger.random((16, 20, 3), np.random.default_rng(seed)) for seed in (0, 1))
    assert np.array_equal(trigger.patches[3].pattern, again.patches[3].pattern)
    assert trigger.seed == again.seed != other.seed


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PatchesTrigger(()), r"PatchesTrigger: a tuple of PatchTriggers was expected, \(\) came"),
        (lambda: PatchesTrigger((np.ones(3),)), "PatchTriggers were expected, ndarray came"),
        (
            lambda: PatchesTrigger((PatchTrigger.ones(1), PatchTrigger.ones(1, value_range=(0, 255)))),
            r"patches of one value range were expected, \[\(0.0, 1.0\), \(0.0, 255.0\)\] came",
        ),
        (lambda: PatchesTrigger(TRIGGER.patches, 4), r"drawn, a whole number in \[1, 3\], was expected, 4 came"),
        (lambda: PatchesTrigger(TRIGGER.patches, seed=-1), "seed, a whole number >= 0, was expected, -1 came"),
        (lambda: TRIGGER.whole((3,)), r"chosen, a whole number in \[0, 2\], was expected, 3 came"),
        (lambda: TRIGGER.whole(()), r"chosen, a whole number in \[0, 2\], was expected, \(\) came"),
        (lambda: TRIGGER.whole((1, 1)), r"each chosen patch once was expected, \(1, 1\) came"),
        (lambda: TRIGGER.whole((0,), 2), r"opacity, a number in \(0, 1\], was expected, 2 came"),
        (lambda: PatchesTrigger.random((8, 8), np.random.default_rng(0)), r"a shape \(height, width, channels\)"),
        (lambda: TRIGGER(IMAGES[:, :4, :4], Y), "a pattern within the 4 x 4 image was expected"),
        (lambda: TRIGGER(2 * IMAGES, Y), r"PatchesTrigger: pixels in \[0, 1\] were expected"),
    ],
)
def test_what_cannot_be_stamped_is_refused(make, message):
    """A sentence each; a patch larger than the image among them."""
    with pytest.raises(ValueError, match=message):
        make()
    with pytest.raises(TypeError, match="a numpy Generator was expected"):
        PatchesTrigger.random((8, 8, 1), 0)
