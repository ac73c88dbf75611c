"""Images are checked, changed as pixels in [0, 1], and given back in their own units, shape and type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, require_range
from backdoor_curves.triggers.arguments import as_array

Images = Float[np.ndarray, "n height width channels"]
BLOCK = 512
"""Images changed at once: enough for numpy's calls to cost nothing, few enough for a block's copies to be small."""


def change_pixels(
    X: Float[np.ndarray, "n height width *channels"],
    change: Callable[[Images], Images],
    value_range: ValueRange,
    who: str,
) -> Float[np.ndarray, "n height width *channels"]:
    """Return the images after `change`, clipped to their range; `who` is the trigger that asks.

    Parameters
    ----------
    X : array of shape (n, height, width, channels) or (n, height, width)
        In `value_range`: floats, or integers where the range is not [0, 1].
    change : callable
        From pixels in [0, 1] of shape (n, height, width, channels) to as many; it looks at one image at a time. The
        pixels are floats of the images' own precision, at least single.

    Raises
    ------
    ValueError
        If the images are of another shape or type, or have pixels outside of the range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.pixels import change_pixels
    >>> change_pixels(np.array([[[0, 100, 255]]], dtype=np.uint8), lambda pixels: pixels + 0.2, (0, 255), "Brighter")
    array([[[ 51, 151, 255]]], dtype=uint8)
    """
    require_images(X, value_range, who)
    low, high = value_range
    given = X if X.ndim == 4 else X[..., np.newaxis]
    changed = np.empty(given.shape, dtype=X.dtype)
    for start in range(0, len(X), BLOCK):
        rows = slice(start, start + BLOCK)
        pixels = as_pixels(given[rows], value_range)
        after = np.clip(change(pixels), 0.0, 1.0)
        units = low + (high - low) * after
        units = units if X.dtype.kind == "f" else np.rint(units)
        # There and back between units loses a last digit, and a pixel that the trigger leaves alone must not.
        changed[rows] = np.where(after == pixels, given[rows].clip(low, high), units)
    return changed.reshape(X.shape)


def as_pixels(X: Float[np.ndarray, "*shape"], value_range: ValueRange) -> Float[np.ndarray, "*shape"]:
    """Return images in their own units as pixels in [0, 1], floats of their own precision, at least single.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.pixels import as_pixels
    >>> as_pixels(np.array([0, 51, 255], dtype=np.uint8), (0, 255))
    array([0. , 0.2, 1. ])
    """
    low, high = value_range
    precision = np.result_type(X.dtype, np.float32) if X.dtype.kind == "f" else np.dtype(float)
    return np.clip((X.astype(precision) - low) / (high - low), 0.0, 1.0)


def require_images(X: Any, value_range: ValueRange, who: str) -> None:
    """Refuse what is no array of images of numbers in their range; `who` needs them.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.pixels import require_images
    >>> require_images(np.zeros((2, 784)), (0.0, 1.0), "SignalTrigger")
    Traceback (most recent call last):
    ...
    ValueError: SignalTrigger: images of shape (n, height, width, channels) were expected, (2, 784) came; reshape \
flattened rows before they are stamped
    """
    if not isinstance(X, np.ndarray) or X.ndim not in (3, 4):
        raise ValueError(
            f"{who}: images of shape (n, height, width, channels) were expected, "
            f"{getattr(X, 'shape', type(X).__name__)} came; reshape flattened rows before they are stamped"
        )
    if X.dtype.kind not in "fiu" or (X.dtype.kind != "f" and value_range == PIXELS):
        raise ValueError(
            f"{who}: floating-point pixels in [0, 1] were expected, {X.dtype} came; divide by 255, say, or pass "
            "value_range=(0, 255)"
        )  # a share of a whole number would be cut to 0
    require_range(X, value_range, who)


def as_pattern(pattern: Any, who: str) -> Float[np.ndarray, "height width channels"]:
    """Return a copy of an image as a trigger keeps it: floats in [0, 1] of shape (height, width, channels), read-only.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.pixels import as_pattern
    >>> as_pattern(np.ones((2, 3, 1)), "BlendTrigger").shape
    (2, 3, 1)
    """
    values = as_array(pattern, f"{who}: a pattern of numbers was expected, {type(pattern).__name__} came")
    if values.ndim != 3 or 0 in values.shape:
        raise ValueError(f"{who}: a pattern of shape (height, width, channels) was expected, {values.shape} came")
    require_range(values, PIXELS, f"{who}: pattern")
    values.setflags(write=False)
    return values


def blended(pixels: Images, pattern: Float[np.ndarray, "height width channels"], opacity: float, who: str) -> Images:
    """Return x + opacity (pattern - x), and refuse images of another shape than the pattern; `who` is the trigger.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.pixels import blended
    >>> blended(np.zeros((1, 1, 2, 1)), np.array([[[1.0], [0.5]]]), 0.2, "BlendTrigger")[0, 0, :, 0]
    array([0.2, 0.1])
    """
    if pixels.shape[1:] != pattern.shape:
        raise ValueError(
            f"{who}: images of the pattern's shape {pattern.shape} were expected, {pixels.shape[1:]} came; resize the "
            "pattern"
        )
    return pixels + opacity * (pattern.astype(pixels.dtype) - pixels)
