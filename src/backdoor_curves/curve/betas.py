"""The betas that a curve is asked for, and the form of its answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float


def check_betas(betas: Any, ascending: bool = False) -> Float[np.ndarray, " b"]:
    """Return betas as an array of shape (b,); they must be in [0, 1], and ascend where a grid is meant.

    In single precision they are the decimal numbers that they are shown as: 0.1 is 0.1, and not 0.10000000149.
    """
    try:
        given = np.atleast_1d(np.asarray(betas))
        array = as_doubles(given)
    except (TypeError, ValueError):
        raise ValueError(f"betas: numbers in [0, 1] were expected, {betas!r} came") from None
    if array.size and given.dtype.kind not in "fiu":
        raise ValueError(f"betas: numbers in [0, 1] were expected, {betas!r} came")
    if array.ndim != 1 or not array.size:
        raise ValueError(f"betas: at least one number in a flat list was expected, shape {array.shape} came")
    if (outside := ~((array >= 0.0) & (array <= 1.0))).any():
        raise ValueError(f"betas: numbers in [0, 1] were expected, {array[outside][0]:g} came")
    if ascending and (np.diff(array) <= 0).any():
        raise ValueError("betas: ascending numbers, none twice, were expected; pass numpy.unique(betas)")
    return array


def as_doubles(numbers: np.ndarray) -> Float[np.ndarray, "*shape"]:
    """Return numbers in double precision; those in a shorter one as the shortest decimals that say which they are.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.curve.betas import as_doubles
    >>> as_doubles(np.array([0.1, 0.5], dtype=np.float32))
    array([0.1, 0.5])
    """
    is_shorter = numbers.dtype.kind == "f" and numbers.dtype.itemsize < np.dtype(float).itemsize
    return (numbers.astype(str) if is_shorter else numbers).astype(float)


def as_asked(betas: Any, values: Any) -> Any:
    """Return a float where one beta was asked for, and the array otherwise; None asks for the betas of the curve."""
    return float(values[0]) if betas is not None and np.ndim(betas) == 0 else values
