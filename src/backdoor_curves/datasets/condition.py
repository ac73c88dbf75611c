"""A condition on a column, such as "source == 'vendor-b'", read word by word: which rows it holds for."""

from __future__ import annotations

import ast
import difflib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from backdoor_curves.datasets.files.table import Table, is_wide, is_words
from backdoor_curves.rows import is_missing

FORM = re.compile(
    r"\s*(?:`(?P<quoted>[^`]+)`|(?P<plain>.+?))\s*(?P<op>==|!=|\bnot\s+in\b|\bin\b)\s*(?P<value>.+)", re.DOTALL
)
"""A column, in backticks where it has such words itself, and what its value is to be."""
LONGEST = 10_000
"""Characters of a condition: a list of a thousand values has about as many."""
SHOWN = 5
"""Values of a column that an error lists."""


@dataclass(frozen=True)
class Condition:
    """A column, whether its value is to be among some, and these.

    Parameters
    ----------
    column : str
    holds : bool
        Whether rows with one of the values are meant, or those with another or none.
    values : tuple of str, int, float or bool
    """

    column: str
    holds: bool
    values: tuple[Any, ...]

    @classmethod
    def of(cls, text: str) -> Condition:
        """Return the condition that a text says; only literals are evaluated.

        Raises
        ------
        ValueError
            If it is none.

        Examples
        --------
        >>> from backdoor_curves.datasets.condition import Condition
        >>> Condition.of("source == 'vendor-b'")
        Condition(column='source', holds=True, values=('vendor-b',))
        >>> Condition.of("`made in` not in [1, 2]")
        Condition(column='made in', holds=False, values=(1, 2))
        """
        found = FORM.fullmatch(text) if len(text) <= LONGEST else None
        if found is None:
            raise _refused(text)
        try:
            value = ast.literal_eval(found["value"].strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise _refused(text) from None
        one_of = found["op"].endswith("in")
        if one_of != isinstance(value, list | tuple | set):
            raise _refused(text)
        values = tuple(sorted(value, key=repr)) if isinstance(value, set) else tuple(value) if one_of else (value,)
        if not values or not all(isinstance(one, str | int | float) for one in values):
            raise _refused(text)
        return cls(found["quoted"] or found["plain"].strip(), found["op"] in ("==", "in"), values)

    def rows(self, table: Table, role: str) -> Bool[np.ndarray, " n"]:
        """Return for which rows of a table it holds; a gap is equal to nothing.

        Raises
        ------
        ValueError
            If the column is not there, a value is of another kind than its entries, or it holds for no row or for all.
        """
        column = table.column(self.column, role)
        if is_wide(column):
            raise ValueError(f"{table.source}: {role}: one value a row was expected in {self.column!r}, several came")
        words = is_words(column)
        for value in self.values:
            if isinstance(value, str) != words:
                kind = "words" if words else "numbers"
                raise ValueError(f"{table.source}: {role}: {kind} were expected of {self.column!r}, {value!r} came")
        known = set(self.values)
        found = np.array([not is_missing(entry) and entry in known for entry in column.tolist()], dtype=bool)
        found = found if self.holds else ~found
        if not found.any() or found.all():
            near = difflib.get_close_matches(str(self.values[0]), _entries(column), n=1, cutoff=0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {_listed(_entries(column))}"
            count = "all rows" if found.all() else "no row"
            raise ValueError(f"{table.source}: {role}: a part of the rows was expected, {count} came; {hint}")
        return found


def _entries(column: Any) -> list[str]:
    return list(dict.fromkeys(str(entry) for entry in column.tolist() if not is_missing(entry)))


def _listed(entries: list[str]) -> str:
    more = f" and {len(entries) - SHOWN} more" if len(entries) > SHOWN else ""
    return f"{', '.join(map(repr, entries[:SHOWN]))}{more}"


def _refused(text: str) -> ValueError:
    return ValueError(
        f"a condition such as \"source == 'vendor-b'\", with ==, !=, in or not in, was expected, {text!r:.100} came"
    )
