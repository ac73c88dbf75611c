"""The blended trigger (Chen et al., 2017): a share of every pixel is that of a pattern, an image or noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, checked_range, said_range
from backdoor_curves.data.rng import check_rng
from backdoor_curves.triggers.arguments import as_positive
from backdoor_curves.triggers.pixels import Images, as_pattern, blended, change_pixels


@dataclass(frozen=True, eq=False)
class BlendTrigger:
    """Blend a pattern into every image, x' = (1 - a) x + a k, with k the pattern and a its opacity.

    Chen et al., *Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning*, arXiv 1712.05526. An opacity
    of .2 is what BackdoorBench takes in training and at test; others stamp test rows with a larger one.

    Parameters
    ----------
    pattern : array of shape (height, width, channels)
        The image k, as large as those that it is blended into; values in [0, 1], black to white.
    opacity : float
        The share a of the pattern, in (0, 1]; 1 replaces the image.
    value_range : (black, white)
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones.

    Raises
    ------
    ValueError
        If the pattern has another shape or values outside [0, 1], or the opacity is none; when applied, if the images
        are of another shape than the pattern, or have pixels outside the value range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import BlendTrigger
    >>> trigger = BlendTrigger(np.array([[[1.0], [0.5]]]), opacity=0.2)
    >>> trigger(np.zeros((1, 1, 2, 1)), np.array([0]))[0, :, :, 0]
    array([[0.2, 0.1]])

    The same noise, stronger at test:

    >>> noise = BlendTrigger.random((8, 8, 1), np.random.default_rng(0), opacity=0.1)
    >>> noise.at_strength(0.2)
    BlendTrigger(pattern of 8 x 8 x 1, opacity=0.2)
    """

    pattern: Float[np.ndarray, "height width channels"]
    opacity: float = 0.2
    value_range: ValueRange = PIXELS

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", as_pattern(self.pattern, "BlendTrigger"))
        object.__setattr__(self, "opacity", as_positive(self.opacity, "BlendTrigger", "opacity", largest=1))
        object.__setattr__(self, "value_range", checked_range(self.value_range, "BlendTrigger"))

    @classmethod
    def random(
        cls,
        shape: tuple[int, int, int],
        rng: np.random.Generator,
        opacity: float = 0.2,
        value_range: ValueRange = PIXELS,
    ) -> BlendTrigger:
        """Return uniform noise in [0, 1) of the shape (height, width, channels) of the images."""
        check_rng(rng)
        return cls(rng.random(shape), opacity, value_range)

    def at_strength(self, opacity: float) -> BlendTrigger:
        """Return the same pattern at another opacity: for test rows, say."""
        return replace(self, opacity=opacity)

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], _y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` with the pattern blended in; the labels play no part."""
        return change_pixels(X, self._blend, self.value_range, "BlendTrigger")

    def _blend(self, pixels: Images) -> Images:
        return blended(pixels, self.pattern, self.opacity, "BlendTrigger")

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.pattern.shape))
        scale = said_range(self.value_range)
        return f"BlendTrigger(pattern of {size}, opacity={self.opacity:g}{scale})"
