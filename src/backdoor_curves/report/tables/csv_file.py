"""The table of a run as a file: CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

Format = Literal["csv", "jsonl", "parquet"]
Table = Sequence[Mapping[str, Any]]


def as_csv(table: Table) -> str:
    """Return a line a row, empty where there is no number.

    Examples
    --------
    >>> print(as_csv([{"lambda": 1.0, "half_loss_beta": None}]), end="")
    lambda,half_loss_beta
    1.0,
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]) if table else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def as_json_lines(table: Table) -> str:
    """Return a JSON object a row, null where there is no number.

    Examples
    --------
    >>> print(as_json_lines([{"lambda": 1.0, "half_loss_beta": None}]), end="")
    {"lambda": 1.0, "half_loss_beta": null}
    """
    return "".join(f"{json.dumps(row)}\n" for row in table)


def write_parquet(table: Table, path: Path) -> None:
    """Write a Parquet file.

    Raises
    ------
    ImportError
        If pyarrow is not installed; the extra `parquet` brings it.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise ImportError('Parquet needs pyarrow; pip install "backdoor-curves[parquet]"') from None
    pyarrow.parquet.write_table(pa.Table.from_pylist([dict(row) for row in table]), path)
