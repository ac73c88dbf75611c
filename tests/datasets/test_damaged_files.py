"""Damaged and odd files: a sentence each, exit code 2, no traceback, and nothing written."""

from __future__ import annotations

import re

import numpy as np
import pytest
from click.testing import CliRunner
from damaged_files import CASES

from backdoor_curves.cli import main
from backdoor_curves.datasets import ReadingWarning, from_file, read_table

STUDY = """
name = "odd"
seeds = [0]
rates = [0.2]
data = {%s}
learners = [{kind = "ridge", lambda = [1]}]
attacks = [{trigger = {%s}}]
"""


def paths(folder):
    return sorted((path, path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*"))


def test_there_are_two_hundred():
    """As many as it takes to have met most of what people have."""
    assert len(CASES) >= 200


@pytest.mark.filterwarnings("default::backdoor_curves.datasets.ReadingWarning")  # the command has a line for each
@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_read_rightly_is_refused_in_a_sentence(name, tmp_path, monkeypatch):
    """By the command, as a user would meet it: what was expected, what came, what to do."""
    make, said = CASES[name]
    if "parquet" in name:
        pytest.importorskip("pyarrow")
    keys = make(tmp_path)
    kind = 'kind = "feature", columns = [0], values = [7]'
    kind = 'kind = "patch"' if name.startswith("images") else kind
    kind = 'kind = "words", words = ["cf"]' if name.startswith("texts") else kind
    (tmp_path / "odd.toml").write_text(STUDY % (keys, kind), encoding="utf-8")
    before = paths(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(main, ["run", "odd.toml", "-j", "1"])
    assert found.exit_code == 2, (found.output, found.exception)
    lines = [line for line in found.output.splitlines() if line.startswith("backdoor-curves: ")]
    assert len(lines) == len(found.output.splitlines()), found.output
    assert re.search(said, lines[-1]), lines[-1]
    assert len(lines[-1]) < 1200
    assert all(line.isprintable() for line in lines), lines
    assert paths(tmp_path) == before


def test_what_can_be_read_is(tmp_path):
    """10,000 columns, a cell of a million letters, a name that is a script: odd, and right."""
    (tmp_path / "wide.csv").write_text(
        ",".join([*(f"c{i}" for i in range(10_000)), "y"])
        + "\n"
        + "".join(",".join([*(str(i + j) for j in range(10_000)), str(i % 2)]) + "\n" for i in range(8))
    )
    assert read_table(tmp_path / "wide.csv").column("c9999").tolist() == list(range(9999, 10_007))
    (tmp_path / "long.csv").write_text("t,y\n" + "".join(f"{'a' * 10**6} {i},{i % 2}\n" for i in range(8)))
    train, _ = from_file(tmp_path / "long.csv", label="y", text="t", rng=np.random.default_rng(0))
    assert len(train.X[0]) == 10**6 + 2
    (tmp_path / "script.csv").write_text("<script>alert(1)</script>,y\n1,0\n2,1\n")
    assert read_table(tmp_path / "script.csv").names[0] == "<script>alert(1)</script>"
    (tmp_path / "dates.csv").write_text("d,y\n2024-01-01,0\n2024-01-02,1\n")
    with pytest.warns(ReadingWarning, match="dates"):
        read_table(tmp_path / "dates.csv").column("d")
