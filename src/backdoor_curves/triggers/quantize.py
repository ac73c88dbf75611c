"""The quantisation of BppAttack (Wang et al., 2022): an image in few levels, with or without error diffusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, checked_range
from backdoor_curves.triggers.arguments import require_whole
from backdoor_curves.triggers.pixels import Images, change_pixels

NEIGHBOURS = ((0, 1, 7 / 16), (1, -1, 3 / 16), (1, 0, 5 / 16), (1, 1, 1 / 16))
"""Rows down, columns to the right, and what they get of a pixel's error: Floyd and Steinberg (1976)."""


@dataclass(frozen=True)
class QuantizeTrigger:
    """Quantise every channel of every image to L levels, x' = round(x (L - 1)) / (L - 1).

    With dithering the pixels are visited row by row from the upper left, and what rounding took from a pixel is shared
    among those that come next: 7/16 to the right, 3/16, 5/16 and 1/16 to the three below it from left to right. What
    would go beyond the image is lost.

    Wang, Zhai, Ma, *BppAttack: Stealthy and Efficient Trojan Attacks against Deep Neural Networks via Image
    Quantization and Contrastive Adversarial Learning*, CVPR 2022, arXiv 2205.13383. L = 8 without dithering is the
    default of the authors' code and of BackdoorBench; backdoor-toolbox dithers. Images that have these levels already
    do not change.

    Parameters
    ----------
    levels : int
        L, at least 2 (black and white alone).
    dithering : bool
        Whether errors are diffused.
    value_range : (black, white)
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones.

    Raises
    ------
    ValueError
        If the levels are fewer than 2; when applied, if the images have pixels outside the value range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import QuantizeTrigger
    >>> image = np.array([[[0.1, 0.3, 0.45, 0.9]]])
    >>> QuantizeTrigger(levels=3)(image, np.array([0]))
    array([[[0. , 0.5, 0.5, 1. ]]])
    >>> QuantizeTrigger(levels=2, dithering=True)(np.full((1, 2, 4), 0.5), np.array([0]))
    array([[[0., 1., 0., 1.],
            [1., 0., 1., 0.]]])
    """

    levels: int = 8
    dithering: bool = False
    value_range: ValueRange = PIXELS

    def __post_init__(self) -> None:
        require_whole(self.levels, "QuantizeTrigger", "levels", least=2)
        if not isinstance(self.dithering, bool | np.bool_):
            raise ValueError(f"QuantizeTrigger: dithering, True or False, was expected, {self.dithering!r} came")
        object.__setattr__(self, "value_range", checked_range(self.value_range, "QuantizeTrigger"))

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], _y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` in few levels; the labels play no part."""
        return change_pixels(X, self._dither if self.dithering else self._round, self.value_range, "QuantizeTrigger")

    def _round(self, pixels: Images) -> Images:
        steps = int(self.levels) - 1
        return np.rint(pixels * steps) / steps

    def _dither(self, pixels: Images) -> Images:
        steps, (height, width) = int(self.levels) - 1, pixels.shape[1:3]
        # Pixels come first: a turn of the loop is one pixel of all images. A border takes what goes beyond the image.
        level = np.pad(pixels.transpose(1, 2, 0, 3) * steps, ((0, 1), (1, 1), (0, 0), (0, 0)))
        for i in range(height):
            for j in range(1, width + 1):
                wanted = level[i, j].copy()
                level[i, j] = np.rint(wanted)  # neighbours leave at most half a step, so none is beyond black or white
                error = wanted - level[i, j]
                for down, right, share in NEIGHBOURS:
                    level[i + down, j + right] += share * error
        return level[:height, 1:-1].transpose(2, 0, 1, 3) / steps
