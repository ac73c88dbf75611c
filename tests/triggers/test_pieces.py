"""Pieces of a pattern, of which an image has some or all."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from backdoor_curves import BlendTrigger, PiecesTrigger

IMAGES = np.random.default_rng(0).random((6, 8, 12, 3))
PATTERN = np.random.default_rng(1).random((8, 12, 3))
Y = np.zeros(6, dtype=int)


def pieces_in(changed: np.ndarray, tall: int, wide: int) -> list[tuple[int, ...]]:
    """Which of the pieces of `tall` x `wide` pixels each image has; each is changed throughout or not at all."""
    n, height, width, channels = changed.shape
    blocks = changed.reshape(n, height // tall, tall, width // wide, wide, channels)
    any_of, all_of = blocks.any(axis=(2, 4, 5)), blocks.all(axis=(2, 4, 5))
    assert np.array_equal(any_of, all_of)
    return [tuple(np.flatnonzero(image).tolist()) for image in all_of.reshape(n, -1)]


@pytest.mark.parametrize(("grid", "drawn"), [(4, 8), (4, 1), (4, 16), (2, 3), (1, 1)])
def test_each_image_has_as_many_pieces_as_are_drawn_blended_in(grid, drawn):
    """x + a M (k - x), with M made of the pieces that are found, by Kronecker's product."""
    stamped = PiecesTrigger(PATTERN, 0.3, grid, drawn)(IMAGES, Y)
    tall, wide = 8 // grid, 12 // grid
    for x, after, which in zip(IMAGES, stamped, pieces_in(stamped != IMAGES, tall, wide), strict=True):
        assert len(which) == drawn
        pieces = np.isin(np.arange(grid**2), which).reshape(grid, grid)
        mask = np.kron(pieces, np.ones((tall, wide)))[..., np.newaxis]
        assert np.allclose(after, (1 - 0.3 * mask) * x + 0.3 * mask * PATTERN, rtol=0, atol=1e-15)


def test_the_whole_trigger_is_the_pattern_blended():
    """The form for test rows: all pieces, at an opacity of its own."""
    trigger = PiecesTrigger(PATTERN)
    assert np.array_equal(trigger.whole(0.2)(IMAGES, Y), BlendTrigger(PATTERN, 0.2)(IMAGES, Y))
    assert (trigger.opacity, trigger.drawn, trigger.whole(0.2).opacity, trigger.whole(0.2).drawn) == (0.15, 8, 0.2, 16)


def test_each_choice_is_as_likely_as_another():
    """2000 images and six pairs of four pieces: 333 each, within five standard errors of 17."""
    many = np.random.default_rng(2).random((2000, 2, 2, 1))
    stamped = PiecesTrigger(np.ones((2, 2, 1)), 1, grid=2, drawn=2)(many, np.zeros(2000))
    counts = Counter(pieces_in(stamped == 1, 1, 1))
    assert len(counts) == 6
    assert all(abs(count - 2000 / 6) < 5 * 17 for count in counts.values())


def test_another_seed_draws_other_pieces():
    """And the same one the same pieces; a generator gives the pattern and the seed."""
    first, again, other = (PiecesTrigger(PATTERN, seed=seed)(IMAGES, Y) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    one, two = (PiecesTrigger.random((8, 12, 3), np.random.default_rng(seed)) for seed in (0, 1))
    assert one.seed != two.seed
    assert np.array_equal(one.pattern, np.random.default_rng(0).random((8, 12, 3)))


@pytest.mark.parametrize("side", [4, 5, 7, 10, 28])
def test_pieces_of_sides_that_the_grid_does_not_divide_differ_by_a_pixel(side):
    """With all pieces but one an image misses a rectangle, of floor or ceil of side / 4 pixels each way."""
    many = np.random.default_rng(2).random((60, side, side, 1))
    missed = PiecesTrigger(np.ones((side, side, 1)), 1, drawn=15)(many, np.zeros(60)) != 1
    corners = set()
    for image in missed[..., 0]:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert image[np.ix_(rows, columns)].all()
        assert {len(rows), len(columns)} <= {side // 4, -(-side // 4)}
        corners.add((int(rows[0]), int(columns[0])))
    assert len(corners) > 10  # of 16; 60 draws miss more than five with a probability under 1e-8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"opacity": 0}, r"PiecesTrigger: opacity, a number in \(0, 1\], was expected, 0 came"),
        ({"grid": 0}, r"grid, a whole number in \[1, 8\], was expected, 0 came"),
        ({"grid": 9}, r"grid, a whole number in \[1, 8\], was expected, 9 came"),
        ({"grid": 2.0}, r"grid, a whole number in \[1, 8\], was expected, 2.0 came"),
        ({"drawn": 17}, r"drawn, a whole number in \[1, 16\], was expected, 17 came"),
        ({"drawn": True}, r"drawn, a whole number in \[1, 16\], was expected, True came"),
        ({"seed": 0.5}, "seed, a whole number >= 0, was expected, 0.5 came"),
        ({"value_range": (1, 0)}, "PiecesTrigger: value_range"),
    ],
    ids=str,
)
def test_what_is_no_trigger_is_refused(arguments, message):
    """When it is made, not when it is applied."""
    with pytest.raises(ValueError, match=message):
        PiecesTrigger(PATTERN, **arguments)


def test_patterns_and_images_that_do_not_fit_are_refused():
    """Broadcasting would blend a column or a channel over all."""
    with pytest.raises(
        ValueError, match=r"a pattern of shape \(height, width, channels\) was expected, \(8, 12\) came"
    ):
        PiecesTrigger(PATTERN[..., 0])
    for shape in [(4, 12, 8, 3), (4, 8, 12, 1), (4, 8, 12)]:
        with pytest.raises(ValueError, match=r"of the pattern's shape \(8, 12, 3\) were expected, .* came; resize"):
            PiecesTrigger(PATTERN)(np.zeros(shape), Y[:4])
    with pytest.raises(TypeError, match="a numpy Generator was expected"):
        PiecesTrigger.random((8, 8, 1), 0)


def test_the_repr_is_one_line_without_pixels():
    """It is kept with the poisoned data, and says what is drawn."""
    assert repr(PiecesTrigger(PATTERN)) == "PiecesTrigger(8 of 4^2 pieces of 8 x 12 x 3, opacity=0.15, seed=0)"
