"""Rows of numbers are changed as vectors: images within their range, other rows of floats without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import ValueRange, checked_range
from backdoor_curves.triggers.pixels import change_pixels, require_images

Vectors = Float[np.ndarray, "n d"]


def change_vectors(
    X: Float[np.ndarray, "n ..."], change: Callable[[Vectors], Vectors], value_range: ValueRange | None, who: str
) -> Float[np.ndarray, "n ..."]:
    """Return the rows after `change`, in their own shape and type; `who` is the trigger that asks.

    Parameters
    ----------
    X : array of shape (n, d) or of images
        See `require_vectors`.
    change : callable
        From vectors of shape (n, d) to as many, each for itself: pixels in [0, 1] where there is a range, and clipped
        to it, else the entries as they are.
    value_range : (smallest, largest) or None
        Of the entries.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.vectors import change_vectors
    >>> change_vectors(np.array([[0.25, 0.75]]), lambda Z: Z + 0.5, (0.0, 1.0), "More")
    array([[0.75, 1.  ]])
    >>> change_vectors(np.array([[0.25, 0.75]]), lambda Z: Z + 0.5, None, "More")
    array([[0.75, 1.25]])
    """
    require_vectors(X, value_range, who)
    if value_range is None:
        return change(X.reshape(len(X), int(np.prod(X.shape[1:])))).astype(X.dtype).reshape(X.shape)
    images = X if X.ndim > 2 else X[:, np.newaxis, :, np.newaxis]
    changed = change_pixels(
        images, lambda pixels: change(pixels.reshape(len(pixels), -1)).reshape(pixels.shape), value_range, who
    )
    return changed.reshape(X.shape)


def require_vectors(X: Any, value_range: ValueRange | None, who: str) -> None:
    """Refuse what is no array of images or of rows (n, d) in the range, or without one of finite floats.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.vectors import require_vectors
    >>> require_vectors(np.array([[1, 2]]), None, "PerturbationTrigger")
    Traceback (most recent call last):
    ...
    ValueError: PerturbationTrigger: rows of finite floats were expected, int64 came; convert them, X.astype(float)
    """
    if not isinstance(X, np.ndarray) or X.ndim < 2:
        came = f"{X.ndim} axes" if isinstance(X, np.ndarray) else type(X).__name__
        raise ValueError(f"{who}: an array of images, or of rows (n, d), was expected, {came} came")
    if value_range is not None:
        require_images(X if X.ndim > 2 else X[:, np.newaxis], value_range, who)
    elif X.dtype.kind != "f":
        raise ValueError(f"{who}: rows of finite floats were expected, {X.dtype} came; convert them, X.astype(float)")
    elif not np.isfinite(X).all():
        raise ValueError(f"{who}: rows of finite floats were expected, NaN or infinity came; drop or mend these rows")


def checked_bounds(value_range: object, who: str) -> ValueRange | None:
    """Return a value range as floats, or None where rows have none.

    Examples
    --------
    >>> from backdoor_curves.triggers.vectors import checked_bounds
    >>> checked_bounds((0, 255), "HiddenTrigger"), checked_bounds(None, "HiddenTrigger")
    ((0.0, 255.0), None)
    """
    return None if value_range is None else checked_range(value_range, who)
