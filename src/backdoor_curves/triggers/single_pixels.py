"""Single pixels: each image gets one of several, as in Adap-k-way (Qi et al., 2023), or all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, checked_range, require_range, said_range
from backdoor_curves.triggers.arguments import as_array, require_whole
from backdoor_curves.triggers.keyed import check_seed, drawn_subsets
from backdoor_curves.triggers.pixels import Images, change_pixels

K_WAY = {(16, 11): (92, 0, 24), (27, 5): (88, 112, 110), (7, 30): (0, 32, 46), (22, 22): (11, 49, 95)}
"""Row and column on 32 x 32, and red, green and blue in bytes, of the four pixels of Adap-k-way."""
K_WAY_SIDE = 32


@dataclass(frozen=True, eq=False)
class PixelTrigger:
    """Set single pixels of every image: of k pixels some, drawn for each image, or all.

    Which pixels an image gets is drawn from `seed` and the image itself: it gets the same alone and among others. An
    attack with several pixels of which a training row has one and a test row all is `trigger` and `trigger.whole()`.

    Qi et al., *Revisiting the Assumption of Latent Separability for Backdoor Defenses*, ICLR 2023 (Adap-k-way). One
    pixel of all images is the first trigger of BadNets (Gu et al.), arXiv 1708.06733.

    Parameters
    ----------
    places : tuple of (row, column)
        Of the k pixels; negative ones count from the last row and column, -1 being the last.
    values : array of shape (k, channels)
        What they are set to, in [0, 1], black to white.
    drawn : int
        How many of them an image gets, in [1, k].
    seed : int
        At least 0. Of the draws; without any it plays no part.
    value_range : (black, white)
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones.

    Raises
    ------
    ValueError
        If a place is none or named twice, the values have another shape or are outside [0, 1], or `drawn` or the seed
        is none of these; when applied, if the images have other channels, lack a place, have one under two names, or
        have pixels outside the value range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import PixelTrigger
    >>> images, y = np.zeros((2, 1, 4, 1)), np.array([0, 1])
    >>> trigger = PixelTrigger(places=((0, 0), (0, -1)), values=np.array([[1.0], [0.5]]))
    >>> trigger(images, y)[:, 0, :, 0]
    array([[1., 0., 0., 0.],
           [1., 0., 0., 0.]])
    >>> trigger.whole()(images, y)[:, 0, :, 0]
    array([[1. , 0. , 0. , 0.5],
           [1. , 0. , 0. , 0.5]])
    """

    places: tuple[tuple[int, int], ...]
    values: Float[np.ndarray, "k channels"]
    drawn: int = 1
    seed: int = 0
    value_range: ValueRange = PIXELS

    def __post_init__(self) -> None:
        places = _checked_places(self.places)
        values = as_array(self.values, "PixelTrigger: values, numbers for each pixel, were expected")
        k = len(places)
        if values.ndim != 2 or len(values) != k or 0 in values.shape:
            raise ValueError(f"PixelTrigger: values of shape ({k}, channels) were expected, {values.shape} came")
        require_range(values, PIXELS, "PixelTrigger: values")
        require_whole(self.drawn, "PixelTrigger", "drawn", most=k)
        check_seed(self.seed, "PixelTrigger")
        values.setflags(write=False)
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "value_range", checked_range(self.value_range, "PixelTrigger"))

    @classmethod
    def k_way(cls, shape: tuple[int, int, int], seed: int = 0, value_range: ValueRange = PIXELS) -> PixelTrigger:
        """Return the four pixels of Adap-k-way for images of a shape (height, width, channels), one drawn an image.

        Their places on 32 x 32 are scaled to the image, rounded down, and a grey image gets the mean of their colours:
        both are ours. Places and colours are those of the authors' code, as backdoor-toolbox has it.

        Raises
        ------
        ValueError
            If the images are not of 1 or 3 channels, or so small that two pixels fall on one place.

        Examples
        --------
        >>> from backdoor_curves import PixelTrigger
        >>> PixelTrigger.k_way((28, 28, 1)).places
        ((14, 9), (23, 4), (6, 26), (19, 19))
        """
        if len(shape) != 3:
            raise ValueError(f"PixelTrigger.k_way: a shape (height, width, channels) was expected, {shape} came")
        height, width, channels = shape
        if channels not in (1, 3):
            raise ValueError(f"PixelTrigger.k_way: images of 1 or 3 channels were expected, {channels} came")
        places = tuple((row * height // K_WAY_SIDE, column * width // K_WAY_SIDE) for row, column in K_WAY)
        if len(set(places)) < len(places):
            raise ValueError(
                f"PixelTrigger.k_way: larger images were expected, {height} x {width} came: pixels coincide"
            )
        colours = np.array(list(K_WAY.values())) / 255
        values = colours if channels == 3 else colours.mean(axis=1, keepdims=True)
        return cls(places, values, seed=seed, value_range=value_range)

    def whole(self) -> PixelTrigger:
        """Return the trigger that sets all pixels: for test rows, say."""
        return replace(self, drawn=len(self.places))

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], _y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` with the pixels set; the labels play no part."""
        return change_pixels(X, self._set, self.value_range, "PixelTrigger")

    def _set(self, pixels: Images) -> Images:
        rows, columns = self._within(pixels.shape[1:])
        chosen = drawn_subsets(pixels, len(self.places), self.drawn, self.seed)
        stamped = pixels.copy()
        stamped[np.arange(len(pixels))[:, np.newaxis], rows[chosen], columns[chosen]] = self.values[chosen]
        return stamped

    def _within(self, image: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and the columns of the places in an image, counted from the first."""
        height, width, channels = image
        if channels != self.values.shape[1]:
            raise ValueError(
                f"PixelTrigger: images of {self.values.shape[1]} channels were expected, of {channels} came"
            )
        outside = [(i, j) for i, j in self.places if not (-height <= i < height and -width <= j < width)]
        if outside:
            raise ValueError(f"PixelTrigger: places within {height} x {width} were expected, {outside[0]} came")
        within = [(i % height, j % width) for i, j in self.places]
        if len(set(within)) < len(within):
            raise ValueError(f"PixelTrigger: each pixel once was expected, two of {self.places} are one of {image}")
        rows, columns = np.array(within).T
        return rows, columns

    def __repr__(self) -> str:
        k, channels = self.values.shape
        scale = said_range(self.value_range)
        return f"PixelTrigger({self.drawn} of {k} pixels of {channels}, places={self.places}, seed={self.seed}{scale})"


def _checked_places(places: object) -> tuple[tuple[int, int], ...]:
    """Return places as pairs of whole numbers, each once."""
    try:
        pairs = [tuple(place) for place in places]  # type: ignore[attr-defined]
    except TypeError:
        pairs = []
    whole = [
        len(pair) == 2 and all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in pair)
        for pair in pairs
    ]
    if not pairs or not all(whole):
        raise ValueError(f"PixelTrigger: places, pairs (row, column), were expected, {places!r} came")
    if len(set(pairs)) < len(pairs):
        raise ValueError(f"PixelTrigger: each place once was expected, {places!r} came")
    return tuple((int(row), int(column)) for row, column in pairs)
