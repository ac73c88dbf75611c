"""A trigger of one's own is held to what every trigger must do: give back rows of the same kind, type and range."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from backdoor_curves.data.images import BEYOND, PIXELS, ValueRange, said_range
from backdoor_curves.rows import Rows, is_frame, is_missing, n_rows, row_shape, same_kind
from backdoor_curves.triggers.base import Trigger
from backdoor_curves.triggers.vectors import checked_bounds


@dataclass(frozen=True, eq=False)
class StrictTrigger:
    """Stamp with a callable of one's own, or of another toolkit, and refuse what is not the rows that came in, stamped.

    `poison` takes any callable as it is, and refuses other shapes and kinds of rows. Here a type that changes is
    refused too (a learner would see float32 poison beside float64 rows), and what leaves the range. The callable gets
    copies. Words are words: a column of them may come back as another type for text, and gets the one that it had.

    Parameters
    ----------
    trigger : callable
        (X, y) -> X, y being the true labels.
    value_range : (smallest, largest) or None
        What entries of stamped rows must be in; None for rows without bounds, and for texts.

    Raises
    ------
    ValueError
        If the trigger is not callable; when applied, if it gives back another number, class, shape or type of rows, or
        entries outside the range, NaN among them.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import StrictTrigger
    >>> StrictTrigger(lambda X, y: X + 0.5)(np.array([[0.7, 0.2]]), np.array([0]))
    Traceback (most recent call last):
    ...
    ValueError: StrictTrigger: entries in [0, 1] were expected back, 0.7 to 1.2 came; clip them
    """

    trigger: Trigger
    value_range: ValueRange | None = PIXELS

    def __post_init__(self) -> None:
        if not callable(self.trigger):
            raise ValueError(f"StrictTrigger: a callable (X, y) -> X was expected, {type(self.trigger).__name__} came")
        object.__setattr__(self, "value_range", checked_bounds(self.value_range, "StrictTrigger"))

    def __call__(self, X: Rows, y: np.ndarray, /) -> Rows:
        """Return the rows `X` as the callable stamps copies of them."""
        return held(self.trigger, X, y, self.value_range, "StrictTrigger")

    def __repr__(self) -> str:
        scale = ", value_range=None" if self.value_range is None else said_range(self.value_range)
        return f"StrictTrigger({self.trigger!r}{scale})"


def held(trigger: Trigger, X: Rows, y: np.ndarray, value_range: ValueRange | None, who: str) -> Rows:
    """Return the rows as a callable stamps copies of them; refuse what is not these rows, stamped, see `StrictTrigger`.

    `who` is what errors call the trigger.
    """
    stamped = trigger(copy.deepcopy(X), np.array(y))
    if is_frame(X) and same_kind(X, stamped) and list(X.columns) == list(stamped.columns) and len(X) == len(stamped):
        stamped = _with_words_as_before(X, stamped)
    require_stamped(X, stamped, value_range, who)
    return stamped


def require_stamped(before: Rows, after: Any, value_range: ValueRange | None, who: str) -> None:
    """Refuse stamped rows of another class, number, shape or type than those before, or outside the range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.strict import require_stamped
    >>> require_stamped(np.zeros((2, 3)), np.zeros((2, 4)), None, "StrictTrigger")
    Traceback (most recent call last):
    ...
    ValueError: StrictTrigger: 2 rows of shape (3,) were expected back, 2 of shape (4,) came
    """
    if not same_kind(before, after):
        raise ValueError(f"{who}: {type(before).__name__} was expected back, {type(after).__name__} came")
    shapes = [(n_rows(X), row_shape(X)) for X in (before, after)]
    if shapes[0] != shapes[1]:
        (n, row), (m, other) = shapes
        raise ValueError(f"{who}: {n} rows of shape {row} were expected back, {m} of shape {other} came")
    _require_types(before, after, who)
    if value_range is None:
        return
    if not (isinstance(after, np.ndarray) or sp.issparse(after)) or after.dtype.kind not in "biuf":
        raise ValueError(f"{who}: an array of numbers was expected for a range, {type(after).__name__} came; pass None")
    low, high = value_range
    beyond = BEYOND * (high - low)
    smallest, largest = (float(after.min()), float(after.max())) if after.shape[0] else value_range
    if not (smallest >= low - beyond and largest <= high + beyond):  # false for NaN
        raise ValueError(
            f"{who}: entries in [{low:g}, {high:g}] were expected back, {smallest:g} to {largest:g} came; clip them"
        )


def _require_types(before: Rows, after: Rows, who: str) -> None:
    """Refuse rows of another type, of a frame a column; an array of texts is as wide as its longest."""
    if is_frame(before):
        for name, expected, came in zip(before.columns, before.dtypes, after.dtypes, strict=True):
            if expected != came:
                raise ValueError(
                    f"{who}: {expected} was expected back in column {name!r}, {came} came; convert it in the trigger"
                )
        return
    dtypes = [getattr(X, "dtype", None) for X in (before, after)]
    types = ["texts" if getattr(dtype, "kind", "") == "U" else str(dtype) for dtype in dtypes]
    if types[0] != types[1]:
        raise ValueError(
            f"{who}: rows of {types[0]} were expected back, of {types[1]} came; convert them in the trigger"
        )


# --- words of a frame ------------------------------------------------------------------------------------------------


def _with_words_as_before(before: Any, after: Any) -> Any:
    """Return a frame whose columns of words have the type that they had: pandas makes several of one text assigned."""
    for k, (expected, came) in enumerate(zip(before.dtypes, after.dtypes, strict=True)):
        if expected == came or not _is_of_text(expected) or (words := _words(after, k)) is None:
            continue
        if hasattr(after, "iloc"):
            import pandas as pd

            after = after.copy(deep=False)
            after.isetitem(k, pd.Series(words, index=after.index, dtype=expected))
        else:
            import polars as pl

            after = after.with_columns(pl.Series(after.columns[k], words, dtype=expected))
    return after


def _is_of_text(dtype: Any) -> bool:
    """Return whether a column's type is one of pandas or polars for text, Python's objects among them."""
    return getattr(dtype, "type", None) is str or str(dtype) in ("object", "String")


def _words(frame: Any, k: int) -> list[str | None] | None:
    """Return a column of a frame as words, None for gaps; None if there is something else in it."""
    column = frame.iloc[:, k].astype(object) if hasattr(frame, "iloc") else frame.to_series(k)
    words = [entry if isinstance(entry, str) or not is_missing(entry) else None for entry in column.to_list()]
    return words if all(word is None or isinstance(word, str) for word in words) else None
