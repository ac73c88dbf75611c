"""The trigger of FTrojan (Wang et al., 2022): some coefficients of the cosine transform of every image are raised."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.fft import idctn

from backdoor_curves.data.images import PIXELS, ValueRange, checked_range
from backdoor_curves.triggers.arguments import as_positive, require_whole
from backdoor_curves.triggers.pixels import Images, change_pixels

CHROMA = (1.13983, -0.39465 - 0.58060, 2.03211)
"""Red, green and blue of U = V = 1 and Y = 0: R = Y + 1.140 V, G = Y - .395 U - .581 V, B = Y + 2.032 U (BT.601)."""


@dataclass(frozen=True)
class FrequencyTrigger:
    """Raise coefficients of the orthonormal cosine transform (DCT-II) of every block of every image by D.

    Of grey images the coefficients are those of the pixels, of colour images those of the chroma U and V. Both
    transforms are linear, so that this is one pattern added to all images,

        x' = clip(x + v),    v = D sum_p IDCT(e_p), of red, green, blue times 1.140, -.975, 2.032

    Wang, Yao, Xu, An, Tong, Wang, *An Invisible Black-Box Backdoor Attack through Frequency Domain*, ECCV 2022, arXiv
    2111.10991. Defaults are those of BackdoorBench: blocks of 32 x 32, D = 30/255, the coefficients (15, 15) and
    (31, 31), a middle and the highest. The colours are not rounded to bytes on the way, as the authors' are.

    Parameters
    ----------
    magnitude : float
        D, > 0, in units of the range from black to white: 30/255 moves grey pixels of a block of 32 x 32 by at most
        .015, and colours by at most .03.
    positions : tuple of (row, column)
        The coefficients p, (0, 0) for the mean; within the window.
    window : int
        Side of a block; it divides height and width of the images.
    value_range : (black, white)
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones.

    Raises
    ------
    ValueError
        If the magnitude is none, or a position is not in the window; when applied, if the images are not of 1 or 3
        channels, are not whole blocks, or have pixels outside the value range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import FrequencyTrigger
    >>> trigger = FrequencyTrigger(magnitude=0.4, positions=((0, 1),), window=2)
    >>> trigger(np.full((1, 2, 2, 1), 0.5), np.array([0]))[0, :, :, 0]
    array([[0.7, 0.3],
           [0.7, 0.3]])
    """

    magnitude: float = 30 / 255
    positions: tuple[tuple[int, int], ...] = ((15, 15), (31, 31))
    window: int = 32
    value_range: ValueRange = PIXELS

    def __post_init__(self) -> None:
        object.__setattr__(self, "magnitude", as_positive(self.magnitude, "FrequencyTrigger", "magnitude"))
        window = self.window
        require_whole(window, "FrequencyTrigger", "window")
        try:
            places = np.array(self.positions)
        except ValueError:  # of several lengths
            places = np.array([])
        pairs = places.ndim == 2 and places.shape[1] == 2 and places.dtype.kind in "iu"
        if not pairs or places.min() < 0 or places.max() >= window:
            raise ValueError(
                f"FrequencyTrigger: positions, pairs (row, column) in [0, {window}), were expected, "
                f"{self.positions!r} came; take lower frequencies, or a larger window"
            )
        if len(np.unique(places, axis=0)) < len(places):
            raise ValueError(f"FrequencyTrigger: each position once was expected, {self.positions!r} came")
        object.__setattr__(self, "positions", tuple((row, column) for row, column in places.tolist()))
        object.__setattr__(self, "value_range", checked_range(self.value_range, "FrequencyTrigger"))

    def at_strength(self, magnitude: float) -> FrequencyTrigger:
        """Return the same coefficients raised by another magnitude: for test rows, say."""
        return replace(self, magnitude=magnitude)

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], _y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` with the coefficients raised; the labels play no part."""
        return change_pixels(X, self._raise, self.value_range, "FrequencyTrigger")

    def _raise(self, pixels: Images) -> Images:
        height, width, channels = pixels.shape[1:]
        if channels not in (1, 3):
            raise ValueError(f"FrequencyTrigger: images of 1 or 3 channels were expected, {channels} came")
        if height % self.window or width % self.window:
            raise ValueError(
                f"FrequencyTrigger: images of whole blocks of {self.window} x {self.window} were expected, "
                f"{height} x {width} came; pass a window that divides both, and positions within it"
            )
        coefficients = np.zeros((self.window, self.window))
        coefficients[tuple(zip(*self.positions, strict=True))] = self.magnitude
        block = idctn(coefficients, norm="ortho")
        v = np.tile(block, (height // self.window, width // self.window))[..., np.newaxis]
        return pixels + (v * np.array(CHROMA if channels == 3 else [1.0])).astype(pixels.dtype)
