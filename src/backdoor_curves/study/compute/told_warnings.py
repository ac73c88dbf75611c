"""Warnings of worker processes: told to the process that they work for, and said there once a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from backdoor_curves.records.one_line import one_line, without_numbers

KNOWN = ("builtins", "backdoor_curves", "sklearn")
"""Packages whose categories the coordinator can be sent; of another one's the nearest that is Python's."""


class ToldWarning(NamedTuple):
    """A warning with the place in the code that it is of."""

    said: str
    category: type[Warning]
    file: str
    line: int


def tell_warnings(tell: Callable[[ToldWarning], None]) -> None:
    """Have this process tell its warnings, in a line each, instead of showing them."""

    def show(message: Any, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
        known = next(one for one in category.__mro__ if one.__module__.partition(".")[0] in KNOWN)
        tell(ToldWarning(one_line(message), known, filename, lineno))

    warnings.showwarning = show


class SaidOnce:
    """Says what workers warn of: the same warning once, though each cell has other numbers in it.

    Examples
    --------
    >>> import warnings
    >>> from backdoor_curves.study.compute.told_warnings import SaidOnce, ToldWarning
    >>> said = SaidOnce()
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     for n in (1, 3):
    ...         said.say(ToldWarning(f"{n} of 10 rows are as they were", UserWarning, "poison.py", 7))
    >>> [str(warning.message) for warning in caught]
    ['1 of 10 rows are as they were']
    """

    def __init__(self) -> None:
        self._known: set[str] = set()

    def say(self, told: ToldWarning) -> None:
        """Warn in this process, unless it has been said with whatever numbers."""
        words = without_numbers(told.said)
        if words not in self._known:
            self._known.add(words)
            warnings.warn_explicit(told.said, told.category, told.file, told.line)
