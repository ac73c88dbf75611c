"""Tables as files."""

from __future__ import annotations

import csv
import io
import json

import pytest

from backdoor_curves.report.tables.csv_file import as_csv, as_json_lines, write_parquet
from study.small_study import small_run


def test_csv_and_json_lines_hold_every_digit():
    """Digits lost in a file are lost for good."""
    table = small_run().table()
    read = list(csv.DictReader(io.StringIO(as_csv(table))))
    assert [float(row["area"]) for row in read] == [row["area"] for row in table]
    assert [row["gamma"] for row in read] == [""] * 4
    assert [json.loads(line) for line in as_json_lines(table).splitlines()] == table


def test_an_empty_table_is_an_empty_file():
    """Of a run that has just begun."""
    assert as_csv([]) == "\n"
    assert as_json_lines([]) == ""


def test_pandas_reads_all_three_in_one_line(tmp_path):
    """As the docs show."""
    pd = pytest.importorskip("pandas")
    table = small_run().table()
    (tmp_path / "a.csv").write_text(as_csv(table))
    (tmp_path / "a.jsonl").write_text(as_json_lines(table))
    frames = [pd.read_csv(tmp_path / "a.csv"), pd.read_json(tmp_path / "a.jsonl", lines=True)]
    if pytest.importorskip("pyarrow"):
        write_parquet(table, tmp_path / "a.parquet")
        frames.append(pd.read_parquet(tmp_path / "a.parquet"))
    for frame in frames:
        assert frame.area.tolist() == pytest.approx([row["area"] for row in table], rel=1e-14)
        assert frame.seed.tolist() == [row["seed"] for row in table]
