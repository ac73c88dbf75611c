"""Pieces of a blended pattern: each image gets some of them, as in Adap-Blend (Qi et al., 2023), or all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from backdoor_curves.data.images import PIXELS, ValueRange, checked_range, said_range
from backdoor_curves.data.rng import check_rng
from backdoor_curves.triggers.arguments import as_positive, require_whole
from backdoor_curves.triggers.keyed import check_seed, drawn_subsets
from backdoor_curves.triggers.pixels import Images, as_pattern, blended, change_pixels


@dataclass(frozen=True, eq=False)
class PiecesTrigger:
    """Blend some pieces of a pattern into every image, x' = x + a m (k - x), with m 1 on the pieces drawn and else 0.

    The pattern k is cut into `grid` x `grid` pieces; which of them an image gets is drawn from `seed` and the image
    itself: it gets the same alone and among others. Test rows have all, and a larger opacity: `trigger.whole(0.2)`.

    Qi et al., *Revisiting the Assumption of Latent Separability for Backdoor Defenses*, ICLR 2023 (Adap-Blend).
    Defaults are those of backdoor-toolbox: 8 of 16 pieces, a = .15 in training and .2 at test; the authors' own code
    has .2 unless it is told otherwise.

    Parameters
    ----------
    pattern : array of shape (height, width, channels)
        The image k, as large as those that it is blended into; values in [0, 1], black to white.
    opacity : float
        The share a of the pattern, in (0, 1].
    grid : int
        Pieces along each side, >= 1. Row i of a height h is in piece floor(i grid / h), and columns likewise.
    drawn : int
        How many of the pieces an image gets, in [1, grid^2].
    seed : int
        At least 0. Of the draws; without any it plays no part.
    value_range : (black, white)
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones.

    Raises
    ------
    ValueError
        If an argument is none of these, or a side of the pattern has fewer pixels than pieces; when applied, if the
        images are of another shape than the pattern, or have pixels outside the value range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import PiecesTrigger
    >>> trigger = PiecesTrigger(np.ones((2, 2, 1)), opacity=0.25, grid=2, drawn=1)
    >>> trigger(np.zeros((1, 2, 2, 1)), np.array([0]))[0, :, :, 0]
    array([[0.  , 0.  ],
           [0.  , 0.25]])
    >>> trigger.whole(0.5)(np.zeros((1, 2, 2, 1)), np.array([0]))[0, :, :, 0]
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """

    pattern: Float[np.ndarray, "height width channels"]
    opacity: float = 0.15
    grid: int = 4
    drawn: int = 8
    seed: int = 0
    value_range: ValueRange = PIXELS

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", as_pattern(self.pattern, "PiecesTrigger"))
        object.__setattr__(self, "opacity", as_positive(self.opacity, "PiecesTrigger", "opacity", largest=1.0))
        require_whole(self.grid, "PiecesTrigger", "grid", most=min(self.pattern.shape[:2]))
        require_whole(self.drawn, "PiecesTrigger", "drawn", most=self.grid**2)
        check_seed(self.seed, "PiecesTrigger")
        object.__setattr__(self, "value_range", checked_range(self.value_range, "PiecesTrigger"))

    @classmethod
    def random(
        cls,
        shape: tuple[int, int, int],
        rng: np.random.Generator,
        opacity: float = 0.15,
        value_range: ValueRange = PIXELS,
    ) -> PiecesTrigger:
        """Return 8 of 16 pieces of uniform noise in [0, 1) of the images' shape; the seed comes from `rng` too."""
        check_rng(rng)
        return cls(rng.random(shape), opacity, seed=int(rng.integers(2**32)), value_range=value_range)

    def whole(self, opacity: float) -> PiecesTrigger:
        """Return the trigger with all pieces at another opacity: for test rows, say."""
        return replace(self, drawn=self.grid**2, opacity=opacity)

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], _y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` with the pieces blended in; the labels play no part."""
        return change_pixels(X, self._blend, self.value_range, "PiecesTrigger")

    def _blend(self, pixels: Images) -> Images:
        everywhere = blended(pixels, self.pattern, self.opacity, "PiecesTrigger")
        return np.where(self._mask(pixels), everywhere, pixels)

    def _mask(self, pixels: Images) -> Bool[np.ndarray, "n height width 1"]:
        """Return where each image has a piece."""
        height, width = pixels.shape[1:3]
        rows, columns = (np.arange(side) * self.grid // side for side in (height, width))
        piece = rows[:, np.newaxis] * self.grid + columns
        has = np.zeros((len(pixels), self.grid**2), dtype=bool)
        np.put_along_axis(has, drawn_subsets(pixels, self.grid**2, self.drawn, self.seed), values=True, axis=1)
        return has[:, piece][..., np.newaxis]

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.pattern.shape))
        pieces = f"{self.drawn} of {self.grid}^2 pieces"
        scale = said_range(self.value_range)
        return f"PiecesTrigger({pieces} of {size}, opacity={self.opacity:g}, seed={self.seed}{scale})"
