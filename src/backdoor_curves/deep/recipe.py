"""How a network is trained, as a value: all that its training hangs on beside its rows, its seed and beta."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Rows of a batch, as the data have them, and what to draw from -> as many rows of the same shape."""
Schedule = Literal["cosine"] | Callable[[float], float] | None


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a training, checked; `TrainedNetwork` says what they are.

    Examples
    --------
    >>> from backdoor_curves.deep.recipe import Recipe
    >>> Recipe(epochs=2, batch_size=10, lr=0.1, schedule="cosine").lr_at(5, 10)
    0.05
    """

    epochs: int
    batch_size: int
    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    optimizer: Literal["sgd", "adam"] = "sgd"
    schedule: Schedule = None
    augment: Augment | None = None

    def __post_init__(self) -> None:
        for name, what in (("epochs", "epochs"), ("batch_size", "rows")):
            require_count(name, getattr(self, name), what)
        _require_number("lr", self.lr, "a number > 0", lambda value: 0.0 < value < math.inf)
        _require_number("momentum", self.momentum, "a number in [0, 1)", lambda value: 0.0 <= value < 1.0)
        _require_number("weight_decay", self.weight_decay, "a number >= 0", lambda value: 0.0 <= value < math.inf)
        if self.optimizer not in ("sgd", "adam"):
            raise ValueError(f'optimizer: "sgd" or "adam" was expected, {self.optimizer!r} came')
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise ValueError('nesterov: it needs optimizer="sgd" and a momentum > 0; pass both, or nesterov=False')
        if self.schedule not in (None, "cosine") and not callable(self.schedule):
            raise ValueError(
                'schedule: None, "cosine" or a function of the share of the training that is done was expected, '
                f"{self.schedule!r} came"
            )
        if self.augment is not None and not callable(self.augment):
            raise TypeError(f"augment: a function (rows, rng) -> rows was expected, {self.augment!r} came")

    def lr_at(self, step: int, steps: int) -> float:
        """Return the learning rate of a step, counted from 0, of so many."""
        if self.schedule is None:
            return float(self.lr)
        done = step / steps
        factor = (1.0 + math.cos(math.pi * done)) / 2.0 if self.schedule == "cosine" else self.schedule(done)
        return float(self.lr * factor)


def require_count(name: str, value: Any, what: str) -> None:
    """Refuse what is no whole number >= 1."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}: a number of {what}, 1 or more, was expected, {value!r} came")


def _require_number(name: str, value: Any, expected: str, is_usable: Callable[[float], bool]) -> None:
    if not isinstance(value, Real) or isinstance(value, bool) or not is_usable(float(value)):
        raise ValueError(f"{name}: {expected} was expected, {value!r} came")
