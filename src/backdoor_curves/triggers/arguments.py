"""Numbers that a trigger is given are checked: one above 0, a whole one, or an array of them."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float


def as_positive(value: Any, who: str, name: str, largest: float = np.inf) -> float:
    """Return a finite number > 0, and at most `largest`, as a float; `name` is what it is called.

    Examples
    --------
    >>> from backdoor_curves.triggers.arguments import as_positive
    >>> as_positive(0, "BlendTrigger", "opacity", largest=1)
    Traceback (most recent call last):
    ...
    ValueError: BlendTrigger: opacity, a number in (0, 1], was expected, 0 came
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0.0 < value <= largest or value == np.inf:
        expected = f"a number in (0, {largest:g}]" if largest < np.inf else "a number > 0"
        raise ValueError(f"{who}: {name}, {expected}, was expected, {value!r} came")
    return float(value)


def require_whole(value: Any, who: str, name: str, least: int = 1, most: int | None = None) -> None:
    """Refuse what is no whole number of at least `least`, and at most `most`; `name` is what it is called.

    Examples
    --------
    >>> from backdoor_curves.triggers.arguments import require_whole
    >>> require_whole(5, "PiecesTrigger", "grid", most=4)
    Traceback (most recent call last):
    ...
    ValueError: PiecesTrigger: grid, a whole number in [1, 4], was expected, 5 came
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        expected = f"a whole number >= {least}" if most is None else f"a whole number in [{least}, {most}]"
        raise ValueError(f"{who}: {name}, {expected}, was expected, {value!r} came")


def as_array(values: Any, expected: str) -> Float[np.ndarray, "*shape"]:
    """Return a copy of numbers as floats; `expected` begins the error, the trigger and what it expects.

    Examples
    --------
    >>> from backdoor_curves.triggers.arguments import as_array
    >>> as_array("no field", "WarpTrigger: a field of numbers was expected")
    Traceback (most recent call last):
    ...
    ValueError: WarpTrigger: a field of numbers was expected
    """
    try:
        return np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(expected) from None
