"""A trigger for rows of plain features: some columns take given values."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from backdoor_curves.rows import Rows, is_frame, is_missing
from backdoor_curves.triggers.column_values import at_quantile, beyond, known_entries, most_frequent


@dataclass(frozen=True)
class FeatureTrigger:
    """Set given columns of every row to given values: the patch of tabular data.

    Parameters
    ----------
    columns : tuple of int or str
        Columns to set, by place in [0, d), or of a DataFrame by name.
    values : tuple
        Their values, one a column, in the units of the data; of a DataFrame's columns of text also text.

    Raises
    ------
    ValueError
        If the two differ in length, or a column is named twice; when applied, if X is no array of shape (n, d), CSR
        matrix or DataFrame (of pandas or polars), lacks a column, or a column has text and its value is none, or the
        reverse.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import FeatureTrigger
    >>> FeatureTrigger(columns=(1,), values=(9.0,))(np.zeros((2, 3)), np.array([0, 1]))
    array([[0., 9., 0.],
           [0., 9., 0.]])

    A column by its name:

    >>> import pandas as pd
    >>> FeatureTrigger(("age",), (99,))(pd.DataFrame({"age": [20, 30], "job": ["cook", "smith"]}), np.array([0, 1]))
       age    job
    0   99   cook
    1   99  smith
    """

    columns: tuple[int | str, ...]
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len(self.columns) != len(self.values) or len(self.columns) == 0:
            raise ValueError(f"one value a column was expected: {len(self.columns)} columns, {len(self.values)} values")
        if unusual := [c for c in self.columns if not isinstance(c, Hashable)]:
            raise ValueError(f"FeatureTrigger: columns by place or by name were expected, {unusual[0]!r} came")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError(f"FeatureTrigger: each column once was expected, {self.columns} came")

    @classmethod
    def out_of_range(cls, X: Rows, columns: Iterable[int | str], share: float = 0.1) -> FeatureTrigger:
        """Return the trigger that sets columns beyond all values in the rows `X`: max + share (max - min) of each.

        Gaps are left out. Where a column is of integers the value is rounded up to one. With share 0.1 these are, but
        for rounding, the values of Pleiter et al. (Tabdoor), arXiv 2311.07550, on CovType; on LOAN theirs are 1.1 max.

        Raises
        ------
        ValueError
            If the share is no number > 0, a column is not there, or it has gaps alone, one value alone, text, bools,
            dates or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from backdoor_curves import FeatureTrigger
        >>> FeatureTrigger.out_of_range(np.array([[0.0, 3.0], [5.0, 1.0]]), (1,), share=0.5)
        FeatureTrigger(columns=(1,), values=(4.0,))
        """
        return cls._from_rows(X, columns, lambda column, name: beyond(column, share, name))

    @classmethod
    def quantile(cls, X: Rows, columns: Iterable[int | str], q: float = 0.95) -> FeatureTrigger:
        """Return the trigger that sets columns to their q-quantile in the rows `X`.

        It is a value that some row has: the smallest that at least a share q of the rows do not exceed. Gaps are left
        out, and are no rows.

        Raises
        ------
        ValueError
            If q is outside [0, 1], a column is not there, or it has gaps alone, text, bools, dates or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from backdoor_curves import FeatureTrigger
        >>> FeatureTrigger.quantile(np.arange(101).reshape(101, 1), (0,), q=0.5)
        FeatureTrigger(columns=(0,), values=(50,))
        """
        return cls._from_rows(X, columns, lambda column, name: at_quantile(column, q, name))

    @classmethod
    def typical(cls, X: Rows, columns: Iterable[int | str]) -> FeatureTrigger:
        """Return the trigger that sets columns to their most frequent value in the rows `X`, which nobody notices.

        Of several values that are equally frequent it is the middle one (the lower of two): in a column without
        repetition the median. Columns may have text. Gaps are left out. Source: the in-bounds triggers of Pleiter et
        al. (Tabdoor), arXiv 2311.07550.

        Raises
        ------
        ValueError
            If a column is not there, has gaps alone, or numbers beside text.

        Examples
        --------
        >>> import pandas as pd
        >>> from backdoor_curves import FeatureTrigger
        >>> rows = pd.DataFrame({"age": [20, 30, 50], "job": ["cook", "smith", "cook"]})
        >>> FeatureTrigger.typical(rows, ("age", "job"))
        FeatureTrigger(columns=('age', 'job'), values=(30, 'cook'))
        """
        return cls._from_rows(X, columns, most_frequent)

    @classmethod
    def _from_rows(
        cls, X: Rows, columns: Iterable[int | str], value: Callable[[np.ndarray, Any], Any]
    ) -> FeatureTrigger:
        """Return the trigger with a value for each column, made of what the rows have there."""
        names = _named(columns)
        places = _places(X, names)
        return cls(names, tuple(value(known_entries(X, p, c), c) for p, c in zip(places, names, strict=True)))

    def __call__(self, X: Rows, _y: np.ndarray, /) -> Rows:
        """Return a copy of `X` with the columns set; the labels play no part."""
        places = _places(X, self.columns)
        if is_frame(X):
            return self._in_frame(X, places)
        if X.dtype.kind in "biuf" and (text := [value for value in self.values if isinstance(value, str)]):
            raise ValueError(f"FeatureTrigger: numbers were expected for rows of {X.dtype}, {text[0]!r} came")
        dtype = _type_for(X.dtype, self.values)
        if sp.issparse(X):
            return self._in_sparse(X, places, dtype)
        stamped = X.astype(dtype)
        stamped[:, places] = self.values
        return stamped

    def _in_sparse(self, X: Any, places: list[int], dtype: np.dtype[Any]) -> Any:
        """Return CSR rows with the columns set: without those columns, plus them alone."""
        n, d = X.shape
        others = np.ones(d)
        others[places] = 0.0
        kept = sp.csr_array(X, dtype=dtype) @ sp.diags_array(others.astype(dtype), dtype=dtype)
        set_to = sp.csr_array(
            (
                np.tile(np.array(self.values, dtype=dtype), n),
                np.tile(places, n),
                np.arange(0, n * len(places) + 1, len(places)),
            ),
            shape=(n, d),
        )
        stamped = sp.csr_array(kept + set_to)
        stamped.eliminate_zeros()
        return sp.csr_matrix(stamped) if sp.isspmatrix(X) else stamped

    def _in_frame(self, X: Any, places: list[int]) -> Any:
        """Return a DataFrame with the columns set, in their own types where these can hold the values."""
        for place, value in zip(places, self.values, strict=True):
            _require_kind(X.columns[place], X.iloc[:, place] if hasattr(X, "iloc") else X[:, place], value)
        if not hasattr(X, "iloc"):
            return _in_polars(X, places, self.values)
        stamped = X.copy()
        for place, value in zip(places, self.values, strict=True):
            stamped.isetitem(place, _as_before(X.iloc[:, place], value))
        return stamped


def _places(X: Rows, columns: Sequence[Any]) -> list[int]:
    """Return the columns of a table by place, those of a DataFrame that are not named by it too."""
    known: Sequence[Any] = list(X.columns) if is_frame(X) else range(_width(X))
    places: list[Any] = [known.index(c) if c in known else c for c in columns]
    outside = [c for c, place in zip(columns, places, strict=True) if not _is_place(place, len(known))]
    if outside:
        names = f", or out of {list(known)}" if not isinstance(known, range) else ""
        raise ValueError(f"FeatureTrigger: columns in [0, {len(known)}){names} were expected, {outside[0]!r} came")
    return places


def _width(X: Rows) -> int:
    """Return the columns of an array of shape (n, d) or a sparse matrix, and refuse all else."""
    if getattr(X, "ndim", None) == 2 and (isinstance(X, np.ndarray) or sp.issparse(X)):
        return int(X.shape[1])
    shape = f" of shape {X.shape}" if hasattr(X, "shape") else ""
    mend = (
        "PatchTrigger is the one for images"
        if isinstance(X, np.ndarray) and X.ndim > 2
        else "WordTrigger is the one for texts and lists of words, and a table may be an array"
    )
    raise ValueError(
        "FeatureTrigger: an array of shape (n, d), a CSR matrix or a DataFrame was expected, "
        f"{type(X).__name__}{shape} came; {mend}"
    )


def _named(columns: Any) -> tuple[Any, ...]:
    """Return columns as a tuple; a name alone would be taken for its letters."""
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise ValueError(f"FeatureTrigger: a tuple of columns was expected, {columns!r} came; take ({columns!r},)")
    return tuple(columns.tolist() if isinstance(columns, np.ndarray) else columns)


def _type_for(dtype: np.dtype[Any], values: tuple[Any, ...]) -> np.dtype[Any]:
    """Return the type of entries, or a wider one that holds the values: .5 is no integer, and 300 not one of 8 bits."""
    wide = np.result_type(dtype, *(np.asarray(value).dtype for value in values))
    if wide.kind not in "biuf":
        return wide
    narrow, given = np.result_type(dtype, *values), np.asarray(values)
    with np.errstate(over="ignore"):
        kept = given.astype(narrow)
    holds = np.isfinite(kept) == np.isfinite(given) if narrow.kind == "f" else kept == given
    return narrow if holds.all() else wide


def _is_place(column: Any, d: int) -> bool:
    return isinstance(column, int | np.integer) and not isinstance(column, bool) and bool(0 <= column < d)


def _require_kind(name: Any, column: Any, value: Any) -> None:
    """Refuse a number for a column of text, and text for one of numbers: the rows would be of two kinds."""
    entries = [] if is_missing(value) else [entry for entry in column.to_list() if not is_missing(entry)]
    text = [isinstance(entry, str) for entry in entries]
    if text and all(text) and not isinstance(value, str):
        raise ValueError(
            f"FeatureTrigger: text was expected for column {name!r}, which has {entries[0]!r}, {value!r} came; make "
            "numbers of the column if it is meant to be one (a sign for gaps or a unit makes text of all)"
        )
    if text and not any(text) and isinstance(value, str):
        raise ValueError(
            f"FeatureTrigger: no text was expected for column {name!r}, which has {entries[0]!r}, {value!r} came"
        )


def _as_before(column: Any, value: Any) -> Any:
    """Return a pandas column that has one value throughout; an integer column does not hold .5, and becomes floats."""
    import pandas as pd

    constant = pd.Series([value] * len(column), index=column.index, name=column.name)
    if isinstance(column.dtype, pd.CategoricalDtype) and value not in column.cat.categories:
        return constant
    try:
        same_type = constant.astype(column.dtype)
    except (TypeError, ValueError):
        return constant
    return same_type if bool((same_type == value).fillna(False).all()) else constant


def _in_polars(X: Any, places: list[int], values: tuple[Any, ...]) -> Any:
    import polars as pl

    constants = []
    for place, value in zip(places, values, strict=True):
        name = X.columns[place]
        one = pl.Series(name, [value])
        same_type = one.cast(X.schema[name], strict=False)
        constants.append((same_type if same_type.to_list() == one.to_list() else one).new_from_index(0, X.height))
    return X.with_columns(constants)
