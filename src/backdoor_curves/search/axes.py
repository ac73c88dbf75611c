"""The axes along which settings differ: a hyperparameter each, of numbers or of words, with its values in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Hyperparameters = Mapping[str, Any]
"""Of a setting, by name."""
ALWAYS = "lambda"
"""A learner with it has an axis for each hyperparameter, also for one of a single value."""
EVENER = 0.5
"""Steps count as geometric where their logarithms are at least twice as even: rounded series are not quite even."""


@dataclass(frozen=True)
class Axis:
    """A hyperparameter and the values that settings have of it.

    Parameters
    ----------
    name : str
    values : tuple
        Numbers ascending; words and truths after them, in the order in which they came.
    """

    name: str
    values: tuple[Any, ...]

    @property
    def is_of_numbers(self) -> bool:
        """Whether all its values are numbers; a truth is none."""
        return all(map(_is_number, self.values))

    @property
    def is_geometric(self) -> bool:
        """Whether its values lie evenly on a logarithmic axis, rather than on a linear one.

        Examples
        --------
        >>> from backdoor_curves.search.axes import Axis
        >>> [Axis("C", values).is_geometric for values in ((1, 10, 100), (1, 2, 3), (2, 4, 8, 16), (0.0, 1.0))]
        [True, False, True, False]
        """
        if not (self.is_of_numbers and self.values and min(self.values) > 0):
            return False
        if len(self.values) == 2:  # a decade apart nobody writes numbers that are meant evenly
            return bool(self.values[1] / self.values[0] >= 10)
        return _unevenness(np.log(self.values)) < EVENER * _unevenness(np.asarray(self.values, dtype=float))

    def place(self, hyperparameters: Hyperparameters) -> int:
        """Return the place of a setting on the axis."""
        return self._places[typed(hyperparameters[self.name])]

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {typed(value): place for place, value in enumerate(self.values)}


def axes_of(settings: Iterable[Hyperparameters]) -> list[Axis]:
    """Return the axes of some settings: the hyperparameters in which they differ, in their order.

    Of a learner with a lambda all of them are; of settings that differ in nothing there is none.

    Examples
    --------
    >>> from backdoor_curves.search.axes import axes_of
    >>> axes_of({"depth": depth, "rule": word, "trees": 10} for depth in (8, 2) for word in ("gini", "entropy"))
    [Axis(name='depth', values=(2, 8)), Axis(name='rule', values=('gini', 'entropy'))]
    """
    found: dict[str, dict[Any, Any]] = {}
    for setting in settings:
        for name, value in setting.items():
            found.setdefault(name, {}).setdefault(typed(value), value)
    names = [name for name, values in found.items() if len(values) > 1 or ALWAYS in found]
    return [Axis(name, in_order(found[name].values())) for name in names]


def in_order(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return values as an axis has them: numbers ascending, then the others as they came.

    Examples
    --------
    >>> from backdoor_curves.search.axes import in_order
    >>> in_order(["None", 8, 2, True])
    (2, 8, 'None', True)
    """
    given = list(values)
    return (*sorted(value for value in given if _is_number(value)), *(one for one in given if not _is_number(one)))


def typed(value: Any) -> Any:
    """Return a value with its type: Python takes 1, 1.0 and True for equal, and estimators do not."""
    return type(value), tuple(map(typed, value)) if type(value) is tuple else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _unevenness(values: np.ndarray) -> float:
    """Return how much the steps between values differ, in units of their mean."""
    steps = np.diff(values)
    return float(steps.std() / steps.mean()) if steps.size else 0.0
