"""Images bent by a smooth field."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline
from scipy.ndimage import map_coordinates

from backdoor_curves import WarpTrigger
from backdoor_curves.triggers.keyed import row_generators

IMAGES = np.random.default_rng(0).random((3, 6, 9, 3))
Y = np.zeros(3, dtype=int)
WARP = WarpTrigger.random(np.random.default_rng(1), strength=1.5)


def psi_by_splines(points: np.ndarray, side: int) -> np.ndarray:
    """Upsample the first axis: the cubic kernel of parameter a is the Hermite spline of slopes -a (p_k+1 - p_k-1)."""
    ends = np.concatenate([points[:1], points, points[-1:]])
    spline = CubicHermiteSpline(np.arange(len(points)), points, 0.75 * (ends[2:] - ends[:-2]))
    return spline(np.linspace(0, len(points) - 1, side))


def by_hand(images: np.ndarray, warp: WarpTrigger, noise: np.ndarray | float = 0.0) -> np.ndarray:
    """G in units from -1 to 1 as the paper has it, splines for the field, scipy's sampling."""
    n, height, width, channels = images.shape
    field = np.moveaxis(warp.field, 0, 2)
    psi = psi_by_splines(psi_by_splines(field, height).transpose(1, 0, 2), width).transpose(1, 0, 2)
    identity = np.stack(np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij"), axis=2)
    G = np.clip(identity + warp.strength * psi / np.array([height, width]), -1, 1)
    G = np.clip(G + noise * np.ones((n, 1, 1, 1)) / np.array([height, width]), -1, 1)
    places = (G + 1) / 2 * (np.array([height, width]) - 1)
    return np.stack(
        [
            np.stack(
                [map_coordinates(images[i, :, :, c], np.moveaxis(places[i], 2, 0), order=1) for c in range(channels)],
                axis=2,
            )
            for i in range(n)
        ]
    )


@pytest.mark.parametrize("strength", [0.5, 1.5, 20.0])
@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 2, 5)])
def test_the_warp_is_that_of_splines_and_of_scipys_sampling(strength, shape):
    """At 20 most places are clipped to the border."""
    warp = WarpTrigger(np.random.default_rng(2).normal(size=shape), strength)
    assert np.allclose(warp(IMAGES, Y), by_hand(IMAGES, warp), rtol=0, atol=1e-12)


def test_noise_is_the_draw_of_each_image():
    """U / h on top of the field, clipped again."""
    U = np.stack([rng.uniform(-1, 1, size=(2, 6, 9)) for rng in row_generators(IMAGES, 5)])
    assert np.allclose(WARP.noisy(5)(IMAGES, Y), by_hand(IMAGES, WARP, np.moveaxis(U, 1, 3)), rtol=0, atol=1e-12)
    assert not np.allclose(WARP.noisy(5)(IMAGES, Y), WARP.noisy(6)(IMAGES, Y), rtol=0, atol=1e-3)


def test_square_images_are_bent_as_pytorch_bends_them():
    """The authors' own calls: bicubic upsampling with aligned corners, and grid_sample; theirs have columns first."""
    torch = pytest.importorskip("torch")
    from torch.nn.functional import grid_sample, interpolate

    images = np.random.default_rng(3).random((2, 32, 32, 3))
    columns_first = torch.tensor(WARP.field[::-1].copy())[None]
    psi = interpolate(columns_first, size=32, mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    line = torch.linspace(-1, 1, 32, dtype=torch.float64)
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    G = torch.clamp(torch.stack([columns, rows], 2)[None] + WARP.strength * psi / 32, -1, 1)
    bent = grid_sample(torch.tensor(images).permute(0, 3, 1, 2), G.repeat(2, 1, 1, 1), align_corners=True)
    assert np.allclose(WARP(images, Y[:2]), bent.permute(0, 2, 3, 1).numpy(), rtol=0, atol=1e-12)


def test_an_even_field_is_a_shift_and_an_even_image_stays():
    """A field of ones at s = 2h / (h - 1) takes each pixel from one further down and to the right."""
    images = np.random.default_rng(4).random((3, 6, 6, 1))
    shifted = WarpTrigger(np.ones((2, 3, 3)), 2 * 6 / 5)(images, Y)
    assert np.allclose(shifted[:, :-1, :-1], images[:, 1:, 1:], rtol=0, atol=1e-14)
    assert np.array_equal(WARP(np.full((3, 6, 9), 0.3), Y), np.full((3, 6, 9), 0.3))


def test_the_first_part_of_a_field_moves_rows_and_the_second_columns():
    field = np.zeros((2, 4, 4))
    field[0] = 1
    rows_alone = np.broadcast_to(np.linspace(0, 1, 7)[:, np.newaxis], (3, 7, 8))
    columns_alone = np.broadcast_to(np.linspace(0, 1, 8), (3, 7, 8))
    assert (WarpTrigger(field)(rows_alone, Y)[:, :-1] > rows_alone[:, :-1]).all()
    assert np.array_equal(WarpTrigger(field)(columns_alone, Y), columns_alone)


def test_random_fields_have_mean_magnitude_1_and_another_strength_the_same_field():
    """As the authors draw it; a quarter of a pixel on the mean at s = .5."""
    assert np.abs(WARP.field).mean() == pytest.approx(1, abs=1e-14)
    assert WARP.field.shape == (2, 4, 4)
    stronger = WARP.noisy(3).at_strength(4)
    assert (stronger.strength, stronger.noise_seed) == (4.0, 3)
    assert np.array_equal(stronger.field, WARP.field)
    with pytest.raises(TypeError, match="a numpy Generator was expected"):
        WarpTrigger.random(0)
    with pytest.raises(ValueError, match="read-only"):
        WARP.field[:] = 0


def test_images_of_one_pixel_a_side_stay():
    """There is nowhere to go."""
    assert WARP(np.full((3, 1, 1), 0.4), Y).tolist() == [[[0.4]]] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((3, 4, 4)),), r"shape \(2, k, l\), k and l at least 2, .* was expected, \(3, 4, 4\) came"),
        ((np.ones((2, 1, 4)),), r"\(2, 1, 4\) came"),
        ((np.full((2, 2, 2), np.nan),), "NaN or infinity came"),
        (("a",), "a field of numbers was expected"),
        ((np.ones((2, 2, 2)), 0), "WarpTrigger: strength, a number > 0, was expected, 0 came"),
        ((np.ones((2, 2, 2)), 1, (0, 1), -1), "WarpTrigger: seed, a whole number >= 0, was expected, -1 came"),
        ((np.ones((2, 2, 2)), 1, (1, 0)), "WarpTrigger: value_range"),
    ],
)
def test_what_is_no_warp_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        WarpTrigger(*arguments)


def test_the_repr_is_one_line_without_the_field():
    assert repr(WARP) == "WarpTrigger(field of 4 x 4, strength=1.5)"
    noisy = WarpTrigger(np.ones((2, 2, 3)), 1, (0, 255), 7)
    assert repr(noisy) == "WarpTrigger(field of 2 x 3, strength=1, value_range=(0.0, 255.0), noise_seed=7)"
