"""The rounding of other images, added."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves import QuantizeTrigger, ResidualTrigger

POOL = np.random.default_rng(0).random((5, 3, 4, 3))
OTHERS = np.random.default_rng(1).random((40, 3, 4, 3))
Y = np.zeros(40, dtype=int)
QUANTIZE = QuantizeTrigger(4)


def rounding(x: np.ndarray, levels: int = 4) -> np.ndarray:
    """q(x) - x by the nearest of the levels, found by trying all."""
    grid = np.linspace(0, 1, levels)
    return grid[np.abs(x[..., np.newaxis] - grid).argmin(axis=-1)] - x


def drawn(X: np.ndarray, stamped: np.ndarray, atol: float = 1e-12) -> list[int]:
    """Which image of the pool each image has the rounding of."""
    places = []
    for x, after in zip(X, stamped, strict=True):
        found = [b for b, r in enumerate(rounding(POOL)) if np.allclose(after, (x + r).clip(0, 1), rtol=0, atol=atol)]
        (place,) = found
        places.append(place)
    return places


def test_each_image_gets_the_rounding_of_one_of_the_pool():
    """clip(x_a + q(x_b) - x_b) with one b that is found by trying all; over images all of them are drawn."""
    assert set(drawn(OTHERS, ResidualTrigger(POOL, QUANTIZE)(OTHERS, Y))) == set(range(5))


def test_each_other_image_is_as_likely():
    """2000 images and five of the pool: 400 each, within five standard errors of 18."""
    many = np.random.default_rng(2).random((2000, 3, 4, 3))
    counts = np.bincount(drawn(many, ResidualTrigger(POOL, QUANTIZE)(many, np.zeros(2000))))
    assert (abs(counts - 400) < 5 * 18).all()


def test_an_image_of_the_pool_never_draws_itself_and_each_other_one():
    """Else it would have the whole trigger under its own label. 200 seeds, an image that is there twice, bytes too."""
    twice = np.concatenate([POOL, POOL[:1]])
    bytes_ = np.rint(255 * twice).astype(np.uint8)
    own = QuantizeTrigger(4, value_range=(0, 255))
    places = [drawn(POOL, ResidualTrigger(twice, QUANTIZE, seed)(POOL, Y[:5])) for seed in range(200)]
    for i in range(5):
        assert {row[i] for row in places} == set(range(5)) - {i}
    for seed in range(20):
        assert (ResidualTrigger(bytes_, own, seed)(bytes_, Y) != own(bytes_, Y)).reshape(6, -1).any(axis=1).all()
        assert not np.array_equal(ResidualTrigger(POOL[:2], QUANTIZE, seed)(POOL, Y), QUANTIZE(POOL, Y))


def test_another_seed_draws_others():
    """And the same one the same."""
    one, again, other = (ResidualTrigger(POOL, QUANTIZE, seed)(OTHERS, Y) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_pool_is_kept_as_it_was():
    """A trigger is a value: rows that change later, or are written to, do not change it."""
    rows = POOL.copy()
    trigger = ResidualTrigger(rows, QUANTIZE)
    rows[:] = 0.0
    assert np.array_equal(trigger(OTHERS, Y), ResidualTrigger(POOL, QUANTIZE)(OTHERS, Y))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResidualTrigger(POOL[[0, 0]], QUANTIZE), "two different images at least were expected in the pool, 1"),
        (lambda: ResidualTrigger(POOL[:0], QUANTIZE), "two different images at least were expected in the pool, 0"),
        (lambda: ResidualTrigger(2 * POOL, QUANTIZE), r"ResidualTrigger: rows: pixels in \[0, 1\] were expected"),
        (lambda: ResidualTrigger(POOL, np.rint), "a QuantizeTrigger was expected, ufunc came"),
        (lambda: ResidualTrigger(POOL, QUANTIZE, 0.5), "seed, a whole number >= 0, was expected, 0.5 came"),
        (
            lambda: ResidualTrigger(POOL, QUANTIZE)(OTHERS[:, :2], Y),
            r"images of the pool's shape \(3, 4, 3\) were expected, \(2, 4, 3\) came",
        ),
    ],
)
def test_what_cannot_be_added_is_refused(make, message):
    """A sentence each."""
    with pytest.raises(ValueError, match=message):
        make()


def test_the_repr_is_one_line_without_pixels():
    """It is kept with the poisoned data."""
    trigger = ResidualTrigger(POOL, QuantizeTrigger(4, dithering=True), seed=3)
    assert repr(trigger) == "ResidualTrigger(5 images of 3 x 4 x 3 in 4 levels, dithered, seed=3)"
