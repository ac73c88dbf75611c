"""Randomness enters every function as a numpy Generator."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_rng(rng: Any) -> None:
    """Raise a TypeError unless `rng` is a numpy Generator: a seed or a legacy RandomState is not one.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.data.rng import check_rng
    >>> check_rng(np.random.default_rng(0))
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng: a numpy Generator was expected, {type(rng).__name__} came; numpy.random.default_rng(seed) makes one"
        )
