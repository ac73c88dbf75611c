"""The checker of label-consistent attacks (Turner et al., 2019): nine pixels in corners, brighter and darker."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, checked_range
from backdoor_curves.triggers.arguments import as_positive
from backdoor_curves.triggers.patch import CORNERS
from backdoor_curves.triggers.pixels import Images, change_pixels

SIGNS = np.array([[1, -1, -1], [-1, 1, -1], [1, -1, 1]])
"""Rows from above, columns from the side of the image to its middle; the -1 above on the inside is the authors'."""
SIDE = 3


@dataclass(frozen=True)
class CheckerTrigger:
    """Add a checker of 3 x 3 pixels in corners of every image, x' = clip(x + a s) with s = +1 and -1 by turns.

        s    + - -    rows from above, columns from the left side of the image inwards;
             - + -    mirrored on the right side
             + - +

    The entry above on the inside is - where a checker has +: so it is in the authors' code. At a = 1 the pixels are
    white and black, whatever they were.

    Turner, Tsipras, Madry, *Label-Consistent Backdoor Attacks*, arXiv 1912.02771, and their code: bottom right and
    a = 1 by default (there: no amplitude), or all four corners. Both in training and at test; training rows are of the
    target class, keep their label, and are hardened before: see `HardenedTrigger`.

    Parameters
    ----------
    amplitude : float or None
        a, in (0, 1], as a share of the range from black to white; None is 1, which overwrites.
    corners : tuple of {"bottom-right", "bottom-left", "top-right", "top-left"}
        Where it is added; `CheckerTrigger.everywhere()` has all four.
    value_range : (black, white)
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones.

    Raises
    ------
    ValueError
        If the amplitude is none, or a corner is unknown or named twice; when applied, if the images are too small for
        the checkers, or have pixels outside the value range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import CheckerTrigger
    >>> CheckerTrigger(amplitude=0.25)(np.full((1, 3, 4, 1), 0.5), np.array([0]))[0, :, :, 0]
    array([[0.5 , 0.25, 0.25, 0.75],
           [0.5 , 0.25, 0.75, 0.25],
           [0.5 , 0.75, 0.25, 0.75]])
    """

    amplitude: float | None = None
    corners: tuple[str, ...] = ("bottom-right",)
    value_range: ValueRange = PIXELS

    def __post_init__(self) -> None:
        amplitude = 1.0 if self.amplitude is None else self.amplitude
        object.__setattr__(self, "amplitude", as_positive(amplitude, "CheckerTrigger", "amplitude", largest=1))
        object.__setattr__(self, "value_range", checked_range(self.value_range, "CheckerTrigger"))
        corners = self.corners
        known = isinstance(corners, list | tuple) and len(corners) and all(corner in CORNERS[:4] for corner in corners)
        if not known or len(set(corners)) < len(corners):
            raise ValueError(
                f"CheckerTrigger: corners, a tuple of {', '.join(CORNERS[:4])}, each once, were expected, "
                f"{corners!r} came"
            )
        object.__setattr__(self, "corners", tuple(corners))

    @classmethod
    def everywhere(cls, amplitude: float | None = None, value_range: ValueRange = PIXELS) -> CheckerTrigger:
        """Return the checker in all four corners."""
        return cls(amplitude, CORNERS[:4], value_range)

    def at_strength(self, amplitude: float | None) -> CheckerTrigger:
        """Return the same checkers at another amplitude: for test rows, say."""
        return replace(self, amplitude=amplitude)

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], _y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` with the checkers; the labels play no part."""
        return change_pixels(X, self._add, self.value_range, "CheckerTrigger")

    def _add(self, pixels: Images) -> Images:
        height, width = pixels.shape[1:3]
        tall = SIDE * len({corner.split("-")[0] for corner in self.corners})
        wide = SIDE * len({corner.split("-")[1] for corner in self.corners})
        if height < tall or width < wide:
            raise ValueError(
                f"CheckerTrigger: images of {tall} x {wide} pixels at least were expected, {height} x {width} came; "
                "take fewer corners, or larger images"
            )
        s = np.zeros((height, width, 1), dtype=pixels.dtype)
        for corner in self.corners:
            rows = slice(SIDE) if corner.startswith("top") else slice(height - SIDE, None)
            if corner.endswith("left"):
                s[rows, :SIDE, 0] = SIGNS
            else:
                s[rows, width - SIDE :, 0] = SIGNS[:, ::-1]
        return pixels + pixels.dtype.type(self.amplitude) * s
