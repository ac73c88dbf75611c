"""What the README shows is true of this version."""

import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def blocks():
    text = README.read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_the_notebook_example_runs(blocks, monkeypatch):
    """It is the first thing that a reader copies."""
    monkeypatch.setattr(mpl, "rcParams", mpl.rcParams | {"backend": "Agg"})
    assert blocks
    for block in blocks:
        exec(block, {})
    plt.close("all")


def test_the_linked_files_are_there():
    """A dead link is the first thing that a reader finds."""
    text = README.read_text(encoding="utf-8")
    local = [target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith("http")]
    assert local
    assert [target for target in local if not (README.parent / target).exists()] == []
