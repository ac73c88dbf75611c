"""Rows as images: greyscale or colour, whatever shape they come in."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from backdoor_curves.rows import Rows

Image = Float[np.ndarray, "height width channels"]
ValueRange = tuple[float, float]
"""Black and white of images."""
PIXELS: ValueRange = (0.0, 1.0)
"""The value range of images where nothing else is said."""
UNITS = (16.0, 255.0, 65535.0)
"""White in other units: of scikit-learn's digits, of bytes, of two bytes."""
BEYOND = 1e-6
"""Share of the range that a pixel may lie outside: resizing in single precision leaves some at 1.0000001."""


def require_range(X: Float[np.ndarray, n * pixels], value_range: ValueRange, who: str) -> None:
    """Refuse images with pixels outside of their range, NaN among them; `who` needs the range.

    Raises
    ------
    ValueError
        With what came, and what to do.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.data.images import require_range
    >>> require_range(np.array([[0.0, 16.0]]), (0.0, 1.0), "PatchTrigger")
    Traceback (most recent call last):
    ...
    ValueError: PatchTrigger: pixels in [0, 1] were expected, 0 to 16 came; divide by 16, or pass value_range=(0, 16)
    """
    low, high = value_range
    if not X.size:
        return
    smallest, largest = float(X.min()), float(X.max())  # NaN if there is one
    beyond = BEYOND * (high - low)
    if smallest >= low - beyond and largest <= high + beyond:
        return
    if np.isnan(smallest):
        raise ValueError(f"{who}: pixels in [{low:g}, {high:g}] were expected, NaN came; drop or mend these images")
    black = min(smallest, 0.0)
    # A little more than white is another fault than another unit.
    white = next((unit for unit in UNITS if 2.0 < largest <= unit), largest)
    advice = f"divide by {white:g}" if white in UNITS and black == 0.0 and (low, high) == PIXELS else "rescale them"
    raise ValueError(
        f"{who}: pixels in [{low:g}, {high:g}] were expected, {smallest:g} to {largest:g} came; {advice}, or pass "
        f"value_range=({black:g}, {white:g})"
    )


def checked_range(value_range: object, who: str) -> ValueRange:
    """Return a value range, two finite numbers of which the first is smaller, as floats."""
    try:
        low, high = (float(end) for end in value_range)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        low = high = np.nan
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"{who}: value_range (black, white), two numbers, was expected, {value_range!r} came")
    return low, high


def said_range(value_range: ValueRange) -> str:
    """Return a value range as an argument of a repr, after those before it; nothing for [0, 1].

    Examples
    --------
    >>> from backdoor_curves.data.images import said_range
    >>> said_range((0, 255)), said_range((0.0, 1.0))
    (', value_range=(0, 255)', '')
    """
    return "" if value_range == PIXELS else f", value_range={value_range}"


def image_of(rows: Rows, row: int, image_shape: tuple[int, ...] | None = None) -> Image:
    """Return a row as an image of 1 or 3 channels; `image_shape` says what a flattened row was."""
    X = rows[[row]].toarray() if sp.issparse(rows) else np.asarray(rows)[[row]]
    given, shape = X.shape[1:], X.shape[1:] if image_shape is None else tuple(image_shape)
    if image_shape is not None and int(np.prod(shape)) != int(np.prod(given)):
        raise ValueError(f"image_shape: the shape of {int(np.prod(given))} pixels was expected, {image_shape} came")
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))):
        raise ValueError(
            f"rows: images of shape (height, width) or (height, width, 1 or 3) were expected, {shape} came; "
            "pass image_shape= for flattened ones"
        )
    return X[0].astype(float).reshape(*shape[:2], -1)


def averaged(images: Float[np.ndarray, "n height width channels"], side: int) -> Float[np.ndarray, "n s s channels"]:
    """Return images of side x side pixels, each the mean of a block of those that were.

    Raises
    ------
    ValueError
        If height and width are no multiples of the side.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.data.images import averaged
    >>> averaged(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    n, height, width, channels = images.shape
    if height % side or width % side:
        raise ValueError(f"side: a divisor of {height} and {width} was expected, {side} came")
    return images.reshape(n, side, height // side, side, width // side, channels).mean(axis=(2, 4))


def strongest_channel(gradient: Image) -> Float[np.ndarray, "height width"]:
    """Return for each pixel the entry of largest magnitude among its channels, with its sign."""
    strongest = np.abs(gradient).argmax(axis=2)[..., np.newaxis]
    return np.take_along_axis(gradient, strongest, axis=2)[..., 0]


def edges_of(mask: Bool[np.ndarray, "height width"]) -> Int[np.ndarray, "edges 2 2"]:
    """Return the border between the pixels of a mask and the others, as edges between corners (x, y) of pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.data.images import edges_of
    >>> edges_of(np.array([[False, True]])).tolist()
    [[[1, 0], [2, 0]], [[1, 1], [2, 1]], [[1, 0], [1, 1]], [[2, 0], [2, 1]]]
    """
    padded = np.pad(mask, 1)
    level = [((x - 1, y), (x, y)) for y, x in np.argwhere(padded[1:] != padded[:-1])]
    upright = [((x, y - 1), (x, y)) for y, x in np.argwhere(padded[:, 1:] != padded[:, :-1])]
    return np.array(level + upright, dtype=int).reshape(-1, 2, 2)
