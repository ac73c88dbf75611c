"""CSV and TSV: cells between commas, semicolons or tabs, and their names in the first line."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from backdoor_curves.datasets.files.columns import NUMBER, column_of
from backdoor_curves.datasets.files.content import bytes_of, text_of, warn_of_reading
from backdoor_curves.datasets.files.table import LazyColumns, Table

SEPARATORS = (",", ";", "\t")
LOOKED_AT = 200
"""Records by which the separator is found: all of them have as many cells with the right one."""
_LONGEST = 2**31 - 1
"""Characters of a cell, in place of the reader's 131,072: a mail may have more."""
_lock = threading.Lock()


def read_delimited(path: Path, source: str) -> Table:
    """Return the table of a CSV or TSV file, packed by gzip or not; a column is read when it is first asked for.

    Parameters
    ----------
    path : path
    source : str
        What it is called in errors.

    Raises
    ------
    FileNotFoundError, ValueError
        If it is no such file: in another encoding, ragged, without names, or with one twice. Of a column that is asked
        for: if its numbers may be read in two ways.

    Warns
    -----
    ReadingWarning
        If the first column is a number for each row without a name. Of a column that is asked for: if it is read in a
        way that may not be meant.
    """
    text = text_of(bytes_of(path, source), source)
    with _long_cells():
        try:
            lines, (header, *records) = _records(text, _separator(text, source), source)
        except csv.Error as error:
            raise ValueError(f"{source}: a table was expected: {error}; mend its quotes") from None
    header = [name.strip() for name in header]
    if not records:
        raise ValueError(f"{source}: rows below the names of columns were expected, none came")
    if all(NUMBER.fullmatch(name) for name in header if name):
        raise ValueError(
            f"{source}: names of columns were expected in the first line, {header[0]!r:.60} came; write them there"
        )
    columns = dict(zip(range(len(header)), zip(*records, strict=True), strict=True))
    _leave_out_row_numbers(header, columns, source)
    _require_names(header, source)
    places = np.array(lines[1:])
    readers = {
        name: partial(column_of, columns[k], name, source, places) for k, name in enumerate(header) if k in columns
    }
    return Table(source, LazyColumns(len(records), readers), places)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Have the reader take cells of any length."""
    with _lock:
        before = csv.field_size_limit(_LONGEST)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _separator(text: str, source: str) -> str:
    """Return the separator with which the first records have as many cells each, the most; of one column the comma."""
    widths = {}
    for separator in SEPARATORS:
        try:
            found = {len(record) for record in islice(_reader(text, separator), LOOKED_AT) if record}
        except csv.Error:  # quotes that mean something else there
            continue
        if len(found) == 1:
            widths[separator] = found.pop()
    if widths and max(widths.values()) > 1:
        return max(widths, key=lambda one: widths[one])
    first = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    if not first:
        raise ValueError(f"{source}: a table was expected, blank lines came")
    return max(SEPARATORS, key=first.count)  # of a ragged file, which is refused


def _reader(text: str, separator: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)


def _records(text: str, separator: str, source: str) -> tuple[list[int], list[list[str]]]:
    """Return all records but blank lines, after the line each begins in; refuse those of another length than the first.

    A record with line breaks in its cells has several lines.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    same: dict[str, str] = {}  # equal cells are one object: of a column of words a table has few
    lines: list[int] = []
    records: list[list[str]] = []
    end = 0
    for record in reader:
        begin, end = end + 1, reader.line_num
        if not record:
            continue
        if records and len(record) != len(records[0]):
            raise ValueError(
                f"{source}: {len(records[0])} cells in each line were expected, as in the first, {len(record)} came in "
                f"line {begin}; mend it, or put cells with a {_named(separator)} in quotes"
            )
        lines.append(begin)
        records.append([same.setdefault(cell, cell) if len(cell) < 32 else cell for cell in record])
    return lines, records


def _named(separator: str) -> str:
    return {",": "comma", ";": "semicolon", "\t": "tab"}[separator]


def _leave_out_row_numbers(header: list[str], columns: dict[int, tuple[str, ...]], source: str) -> None:
    """Leave out a first column without a name that numbers the rows: pandas writes one unless told otherwise."""
    if header[0] or len(header) == 1:
        return
    n = len(columns[0])
    if list(columns[0]) in ([str(i) for i in range(n)], [str(i) for i in range(1, n + 1)]):
        del columns[0]
        header[0] = " "  # a name that no column of a file has
        warn_of_reading(f"{source}: its first column has no name and numbers the rows; it is left out")


def _require_names(header: list[str], source: str) -> None:
    if "" in header:
        raise ValueError(
            f"{source}: a name for each column was expected, column {header.index('') + 1} has none; name it in the "
            "first line"
        )
    names, counts = np.unique(np.array(header, dtype=object).astype(str), return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"{source}: each name of a column once was expected, {str(names[counts > 1][0])!r:.80} came "
            f"{counts.max()} times; rename one"
        )
