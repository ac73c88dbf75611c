"""Rows as images: greyscale or colour, whatever shape they come in."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from backdoor_curves.rows import Rows

Image = Float[np.ndarray, "height width channels"]


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
