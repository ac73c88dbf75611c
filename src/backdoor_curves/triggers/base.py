"""What a trigger is."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from backdoor_curves.rows import Rows


class Trigger(Protocol):
    """A function of rows and their true labels; it returns the rows with the trigger and leaves its input alone.

    The same value stamps the training and the test rows, so a trigger with random parts draws them when it is made,
    never when it is applied.
    """

    def __call__(self, X: Rows, y: np.ndarray, /) -> Rows:
        """Return a copy of the rows `X` with the trigger; `y` are their true labels."""
        ...
