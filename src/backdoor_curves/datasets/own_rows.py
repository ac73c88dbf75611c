"""Columns of a table become rows: texts, numbers, images, or a frame where words stand beside numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int

from backdoor_curves.datasets.files.table import Table, is_wide, is_words
from backdoor_curves.rows import Rows

FEW = 50
"""Entries of a column under which many words say little: there is no harm in as many features."""
OWN = 0.5
"""Words a row of a column that names its rows, as ids and dates do: of a class each word has many rows."""


def rows_of(table: Table, text: str | None) -> Rows:
    """Return the rows of a table's columns.

    Parameters
    ----------
    table : Table
        The columns that are features, and no others.
    text : str, optional
        A column of texts, to be the rows.

    Returns
    -------
    list of str
        Of a column of texts; "" where it is empty.
    array or CSR matrix
        A wide column as it is; columns of numbers as float64 of shape (n, d), gaps NaN.
    DataFrame, or array of objects
        Of words beside numbers: of pandas, or else of polars, or of neither an array. Gaps are NaN and None.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets.files.table import Table
    >>> from backdoor_curves.datasets.own_rows import rows_of
    >>> rows_of(Table("a.csv", {"age": np.array([20, 31]), "paid": np.array([0.5, np.nan])}), None)
    array([[20. ,  0.5],
           [31. ,  nan]])
    """
    if text is not None:
        return _texts(table, text)
    wide = [name for name, column in table.columns.items() if is_wide(column)]
    if wide:
        if len(table.names) > 1:
            raise ValueError(
                f"{table.source}: {wide[0]!r} alone, or columns of one value a row, were expected as features, "
                f"{len(table.names)} came; choose with columns"
            )
        only = table.columns[wide[0]]
        if is_words(only):
            raise ValueError(f"{table.source}: numbers were expected in {wide[0]!r}, which is no column, text came")
        return only
    if not any(map(is_words, table.columns.values())):
        return np.column_stack([column.astype(float) for column in table.columns.values()])
    return _mixed(table)


def _texts(table: Table, text: str) -> list[str]:
    column = table.column(text, "text")
    if not is_words(column) or is_wide(column):
        raise ValueError(f"{table.source}: texts were expected in column {text!r}, numbers came; list it in columns")
    return [word or "" for word in column.tolist()]


def _mixed(table: Table) -> Rows:
    """Return a frame of the library that is there; its types are said, so that no version makes others of them."""
    if find_spec("pandas") is not None:
        import pandas as pd

        return pd.DataFrame(
            {
                name: pd.Series(column, dtype=object if is_words(column) else column.dtype)
                for name, column in table.columns.items()
            }
        )
    if find_spec("polars") is not None:
        import polars as pl

        return pl.DataFrame(
            [
                pl.Series(name, column.tolist(), dtype=pl.String) if is_words(column) else pl.Series(name, column)
                for name, column in table.columns.items()
            ]
        )
    rows = np.empty((len(table), len(table.names)), dtype=object)
    for k, column in enumerate(table.columns.values()):
        rows[:, k] = column.tolist()
    return rows


def feature_names(
    table: Table, text: str | None, columns: Sequence[str], drop: Sequence[str], beside: Sequence[str]
) -> list[str]:
    """Return the names of the columns that are features: `text`, or `columns`, or all but `drop` and those `beside`.

    Raises
    ------
    ValueError
        If one is not there, or has another part already; if none is left.
    """
    for name in (*columns, *drop):
        table.require(name, "columns" if name in columns else "drop")
    if text is not None:
        table.require(text, "text")
        columns = [text]
    if both := [name for name in columns if name in beside[:1]]:
        raise ValueError(f"{table.source}: features beside the label were expected, {both[0]!r} came; leave it out")
    if twice := [name for name in columns if list(columns).count(name) > 1]:
        raise ValueError(f"{table.source}: columns: each name once was expected, {twice[0]!r} came twice")
    names = list(columns) or [name for name in table.names if name not in drop and name not in beside]
    if not names:
        raise ValueError(f"{table.source}: a column beside the label was expected, none is left; drop fewer")
    return names


def names_of_rows(table: Table, names: Iterable[str]) -> list[str]:
    """Return which of some columns are of words that tell single rows apart: an id, a date, a free text.

    A learner would have a feature for each of them, thousands that no other row shares. Numbers are none.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets.files.table import Table
    >>> from backdoor_curves.datasets.own_rows import names_of_rows
    >>> ids, jobs = (np.array([f"{i % n}" for i in range(60)], dtype=object) for n in (60, 3))
    >>> names_of_rows(Table("a.csv", {"id": ids, "job": jobs, "age": np.arange(60)}), ["id", "job", "age"])
    ['id']
    """
    return [name for name in names if _names_rows(table.column(name))]


def _names_rows(column: Any) -> bool:
    if not is_words(column) or is_wide(column):
        return False
    known = [word for word in column.tolist() if word is not None]
    return len(known) >= FEW and len(set(known)) >= OWN * len(known)


def said_of_names(table: Table, names: Iterable[str]) -> str:
    """Return what is to be said of columns that name rows, in a sentence; "" where none does."""
    found = [f"column {name!r} has {len(set(table.column(name)))}" for name in names_of_rows(table, names)]
    if not found:
        return ""
    return (
        f"{table.source}: {', '.join(found)} different words in {len(table)} rows, and each becomes a feature of its "
        "own; drop what only tells rows apart"
    )


def said_of_infinities(table: Table, rows: Int[np.ndarray, " k"]) -> str:
    """Return where some rows of a table have a first infinite number, in a sentence; "" where all are finite.

    Few learners take it, and the others no longer know which column and which row it was.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets.files.table import Table
    >>> from backdoor_curves.datasets.own_rows import said_of_infinities
    >>> said_of_infinities(Table("a.csv", {"age": np.array([20, np.inf])}, np.array([2, 3])), np.array([0, 1]))
    "a.csv: column 'age' has inf in line 3, which hardly any learner takes; mend it, or empty the cell"
    """
    for name, column in table.columns.items():
        if is_words(column):
            continue
        values = column.data if sp.issparse(column) else column
        if not (infinite := np.isinf(values)).any():
            continue
        owners = column.tocoo().row[infinite] if sp.issparse(column) else np.nonzero(infinite)[0]
        if (bad := rows[np.isin(rows, owners)]).size:
            return (
                f"{table.source}: column {name!r} has {values[infinite][owners == bad[0]][0]:g} in "
                f"{table.place(bad[0])}, which hardly any learner takes; mend it, or empty the cell"
            )
    return ""


def column_names(X: Rows, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns of rows that are a table, else none: texts and images have no columns."""
    width: Any = X.shape[1] if getattr(X, "ndim", 2) == 2 and hasattr(X, "shape") else None
    return tuple(names) if width == len(names) else ()
