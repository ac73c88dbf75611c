"""Parquet: columns with types, read by pyarrow; what is no number becomes words."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backdoor_curves.datasets.files.columns import WHOLE
from backdoor_curves.datasets.files.content import require_file, warn_of_reading
from backdoor_curves.datasets.files.table import Column, LazyColumns, Table


def read_parquet(path: Path, source: str) -> Table:
    """Return the table of a Parquet file; a column is converted when it is first asked for.

    Numbers and truths are numbers, text and categories words, dates and times words in ISO format, which is said.

    Parameters
    ----------
    path : path
    source : str
        What it is called in errors.

    Raises
    ------
    ImportError
        If pyarrow is not installed; the extra `parquet` brings it.
    ValueError
        If it is no such file, has a name twice, or a column of lists or other things.

    Warns
    -----
    ReadingWarning
        If dates are read as words, of a column that is asked for.
    """
    require_file(path)
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ImportError(f'{source}: Parquet needs pyarrow; pip install "backdoor-curves[parquet]"') from None
    try:
        found = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{source}: a Parquet file was expected ({str(error).splitlines()[0]:.120})") from None
    if twice := [name for name in found.column_names if found.column_names.count(name) > 1]:
        raise ValueError(f"{source}: each name of a column once was expected, {twice[0]!r} came twice; rename one")
    readers = {name: partial(_column, found.column(name), name, source) for name in found.column_names}
    return Table(source, LazyColumns(found.num_rows, readers))


def _column(column: Any, name: str, source: str) -> Column:
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    of_numbers = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    if any(is_one(kind) for is_one in of_numbers):
        return _numbers(column.to_pylist())
    if pa.types.is_temporal(kind):
        warn_of_reading(
            f"{source}: column {name!r} has dates or times, which are read as words; drop it, or make numbers of them"
        )
        return _words([None if value is None else str(value) for value in column.to_pylist()])
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _words([value.strip() or None if value else None for value in column.to_pylist()])
    raise ValueError(
        f"{source}: column {name!r}: numbers or text were expected, {column.type} came; write it otherwise"
    )


def _numbers(values: list[Any]) -> Column:
    """Return numbers as the cells of a CSV file would be read: whole where all are and none is missing."""
    if all(isinstance(value, int) and abs(value) < WHOLE for value in values):
        return np.array(values, dtype=np.int64)
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)


def _words(values: list[str | None]) -> Column:
    words = np.empty(len(values), dtype=object)
    words[:] = values
    return words
