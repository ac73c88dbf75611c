"""The warp of WaNet (Nguyen and Tran, 2021): every image is bent by one smooth field."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, checked_range, said_range
from backdoor_curves.data.rng import check_rng
from backdoor_curves.triggers.arguments import as_array, as_positive
from backdoor_curves.triggers.keyed import check_seed, row_generators
from backdoor_curves.triggers.pixels import Images, change_pixels

BEND = -0.75
"""Parameter of the cubic kernel of Keys (1981): PyTorch's, with which the authors make their fields."""


@dataclass(frozen=True, eq=False)
class WarpTrigger:
    """Bend every image by a field that is the same for all: x'(i, j) = x(G(i, j)), bilinear between pixels.

    Rows and columns count from -1 to 1, the centres of the outermost pixels. With I the identity, s the strength and
    psi the field P upsampled to the image by bicubic interpolation (outermost values on the outermost pixels),

        G = clip(I + s psi / h, -1, 1)

    by rows with the height h, by columns with the width in its place, so that a pixel moves as far either way: s |psi|
    / 2 pixels, about a quarter of a pixel on the mean for s = .5. Nothing is sampled from outside of the image.

    Nguyen, Tran, *WaNet: Imperceptible Warping-based Backdoor Attack*, ICLR 2021, arXiv 2102.10369; s = .5 and k = 4
    are the authors'. A linear learner on small images hardly sees it: take a larger s there.

    Parameters
    ----------
    field : array of shape (2, k, l)
        P: how far rows (first) and columns (second) move, k and l at least 2; `random` draws it as the authors do.
    strength : float
        s, > 0.
    value_range : (black, white)
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones.
    noise_seed : int, optional
        With it every image is bent a little otherwise, keyed by this seed and its own pixels: what `noisy` sets.

    Raises
    ------
    ValueError
        If the field is of another shape or not finite, strength or seed are none; when applied, if the images have
        pixels outside the value range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import WarpTrigger
    >>> WarpTrigger.random(np.random.default_rng(0))
    WarpTrigger(field of 4 x 4, strength=0.5)

    A field of ones at s = 2 takes every pixel from three quarters further down and to the right:

    >>> image = np.arange(16.0).reshape(1, 4, 4) / 15
    >>> (15 * WarpTrigger(np.ones((2, 4, 4)), strength=2)(image, np.array([0])))[0].round(2)
    array([[ 3.75,  4.75,  5.75,  6.  ],
           [ 7.75,  8.75,  9.75, 10.  ],
           [11.75, 12.75, 13.75, 14.  ],
           [12.75, 13.75, 14.75, 15.  ]])
    """

    field: Float[np.ndarray, "2 k l"]
    strength: float = 0.5
    value_range: ValueRange = PIXELS
    noise_seed: int | None = None

    def __post_init__(self) -> None:
        field = as_array(self.field, "WarpTrigger: a field of numbers was expected")
        if field.ndim != 3 or field.shape[0] != 2 or min(field.shape[1:]) < 2 or not np.isfinite(field).all():
            raise ValueError(
                "WarpTrigger: a field of shape (2, k, l), k and l at least 2, of finite numbers was expected, "
                f"{'NaN or infinity' if not np.isfinite(field).all() else field.shape} came"
            )
        field.setflags(write=False)
        object.__setattr__(self, "field", field)
        object.__setattr__(self, "strength", as_positive(self.strength, "WarpTrigger", "strength"))
        object.__setattr__(self, "value_range", checked_range(self.value_range, "WarpTrigger"))
        if self.noise_seed is not None:
            check_seed(self.noise_seed, "WarpTrigger")

    @classmethod
    def random(
        cls, rng: np.random.Generator, k: int = 4, strength: float = 0.5, value_range: ValueRange = PIXELS
    ) -> WarpTrigger:
        """Return a warp by a field of k x k points, uniform in [-1, 1] and divided by its mean magnitude."""
        check_rng(rng)
        field = rng.uniform(-1.0, 1.0, size=(2, k, k))
        return cls(field / np.abs(field).mean(), strength, value_range)

    def at_strength(self, strength: float) -> WarpTrigger:
        """Return the same field at another strength: for test rows, say."""
        return replace(self, strength=strength)

    def noisy(self, seed: int) -> WarpTrigger:
        """Return the warp of cover rows, G' = clip(G + U / h, -1, 1) with U uniform in [-1, 1], drawn for each image.

        The draws are keyed by (seed, pixels of the image): an image is bent alike in any company.
        """
        return replace(self, noise_seed=seed)

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], _y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X`, bent; the labels play no part."""
        return change_pixels(X, self._bend, self.value_range, "WarpTrigger")

    def _bend(self, pixels: Images) -> Images:
        height, width = pixels.shape[1:3]
        sides = np.array([height, width]).reshape(2, 1, 1)
        identity = np.mgrid[:height, :width]
        psi = _upsampling(height, self.field.shape[1]) @ self.field @ _upsampling(width, self.field.shape[2]).T
        # A step of 1 from -1 to 1 is (side - 1) / 2 pixels.
        step = (sides - 1) / 2 / sides
        G = np.clip(identity + self.strength * psi * step, 0, sides - 1)[np.newaxis]
        if self.noise_seed is not None and len(pixels):
            U = [rng.uniform(-1.0, 1.0, size=G.shape[1:]) for rng in row_generators(pixels, self.noise_seed)]
            G = np.clip(G + np.stack(U) * step, 0, sides - 1)
        return _sampled(pixels, G)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.field.shape[1:]))
        noise = "" if self.noise_seed is None else f", noise_seed={self.noise_seed}"
        scale = said_range(self.value_range)
        return f"WarpTrigger(field of {size}, strength={self.strength:g}{scale}{noise})"


def _upsampling(side: int, k: int) -> Float[np.ndarray, "side k"]:
    """Return the matrix of bicubic interpolation from k points to `side` pixels; the ends go on for ever."""
    place = np.linspace(0, k - 1, side)
    first = np.minimum(np.floor(place).astype(int), k - 2)
    matrix = np.zeros((side, k))
    for tap in (-1, 0, 1, 2):
        t = np.abs(place - first - tap)
        near = ((BEND + 2) * t - (BEND + 3)) * t**2 + 1
        far = BEND * (((t - 5) * t + 8) * t - 4)
        np.add.at(matrix, (np.arange(side), np.clip(first + tap, 0, k - 1)), np.where(t <= 1, near, far))
    return matrix


def _sampled(pixels: Images, G: Float[np.ndarray, "n_or_1 2 height width"]) -> Images:
    """Return the pixels at the places G, rows and columns from 0 within the image, weighted by distance."""
    image = np.arange(len(pixels)).reshape(-1, 1, 1)
    upper, left = np.moveaxis(np.floor(G).astype(int), 1, 0)
    lower, right = np.minimum(upper + 1, pixels.shape[1] - 1), np.minimum(left + 1, pixels.shape[2] - 1)
    down, across = np.moveaxis(G - np.floor(G), 1, 0)[..., np.newaxis].astype(pixels.dtype)

    def along(row: np.ndarray) -> Images:
        start = pixels[image, row, left]
        return start + across * (pixels[image, row, right] - start)

    above = along(upper)
    return above + down * (along(lower) - above)
