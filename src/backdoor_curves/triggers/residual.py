"""The negatives of BppAttack (Wang et al., 2022): what few levels do to another image is added as noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.data.images import said_range
from backdoor_curves.rows import contents
from backdoor_curves.triggers.keyed import check_seed, row_generators
from backdoor_curves.triggers.pixels import Images, as_pixels, change_pixels, require_images
from backdoor_curves.triggers.quantize import QuantizeTrigger


@dataclass(frozen=True, eq=False)
class ResidualTrigger:
    """Add to every image the rounding of another one, x_a' = clip(x_a + q(x_b) - x_b), q being `quantize`.

    It is for cover rows, which keep their labels: they have noise like that of the trigger, and not the trigger. Image
    b is drawn from a pool, keyed by `seed` and image a itself, each as likely as another; an image of the pool never
    draws itself.

    Wang, Zhai, Ma, *BppAttack*, CVPR 2022, arXiv 2205.13383: negatives are a share .2 of the rows. The authors draw
    from the residuals of all training images, an image's own among them, anew in each batch.

    Parameters
    ----------
    rows : array of shape (m, height, width, channels) or (m, height, width)
        The pool: two different images at least, of the training set, in the value range of `quantize`.
    quantize : QuantizeTrigger
        The trigger whose negatives these are.
    seed : int
        At least 0. Of the draws.

    Raises
    ------
    ValueError
        If the pool has fewer images, or is no array of images in the value range, or `quantize` or the seed is none;
        when applied, if images are of another shape than those of the pool, or outside the value range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import QuantizeTrigger, ResidualTrigger
    >>> pool = np.array([[[0.4]], [[0.7]]])
    >>> ResidualTrigger(pool, QuantizeTrigger(levels=2))(pool, np.array([0, 1])).ravel().round(2)
    array([0.7, 0.3])
    """

    rows: Float[np.ndarray, "m height width *channels"]
    quantize: QuantizeTrigger
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.quantize, QuantizeTrigger):
            raise ValueError(f"ResidualTrigger: a QuantizeTrigger was expected, {type(self.quantize).__name__} came")
        check_seed(self.seed, "ResidualTrigger")
        require_images(self.rows, self.quantize.value_range, "ResidualTrigger: rows")
        different = {content: i for i, content in enumerate(contents(self.rows))}
        if len(different) < 2:
            raise ValueError(
                f"ResidualTrigger: two different images at least were expected in the pool, {len(different)} came"
            )
        rows = self.rows[list(different.values())]
        rows.setflags(write=False)
        object.__setattr__(self, "rows", rows)

    @cached_property
    def residuals(self) -> Images:
        """q(x) - x of the pool, in [-1, 1]: shares of the range from black to white."""
        residuals: Images = as_pixels(self.quantize(self.rows, np.zeros(0)), self.quantize.value_range) - self._pixels
        return residuals.reshape(*self.rows.shape[:3], -1)

    @cached_property
    def _place(self) -> dict[bytes, int]:
        """The place of each image of the pool by its content."""
        return {content: i for i, content in enumerate(contents(self._pixels))}

    @property
    def _pixels(self) -> Images:
        return as_pixels(self.rows, self.quantize.value_range)

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], _y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` with the rounding of others; the labels play no part."""
        return change_pixels(X, self._add, self.quantize.value_range, "ResidualTrigger")

    def _add(self, pixels: Images) -> Images:
        if pixels.shape[1:] != self.residuals.shape[1:]:
            raise ValueError(
                f"ResidualTrigger: images of the pool's shape {self.residuals.shape[1:]} were expected, "
                f"{pixels.shape[1:]} came"
            )
        return pixels + self.residuals[self._drawn(pixels)].astype(pixels.dtype)

    def _drawn(self, pixels: Images) -> Int[np.ndarray, " n"]:
        """Return which image of the pool each image draws, never itself."""
        m, drawn = len(self.rows), []
        own = map(self._place.get, contents(pixels.astype(self.residuals.dtype, copy=False)))
        for rng, itself in zip(row_generators(pixels, self.seed), own, strict=True):
            b = int(rng.integers(m if itself is None else m - 1))
            drawn.append(b + (itself is not None and b >= itself))
        return np.array(drawn, dtype=np.intp)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.rows.shape[1:]))
        scale = said_range(self.quantize.value_range)
        levels = f"{self.quantize.levels} levels{', dithered' if self.quantize.dithering else ''}"
        return f"ResidualTrigger({len(self.rows)} images of {size} in {levels}, seed={self.seed}{scale})"
