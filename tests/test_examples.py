"""The notebooks run as they are, and are stored with what they print and draw."""

import json
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))
LARGEST = 800_000
"""Bytes: what a page of a repository still shows."""


def code_cells(path: Path) -> list[dict]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_is_a_notebook():
    """The tests below would pass on none."""
    assert "from_poison_to_explanation.ipynb" in [path.name for path in NOTEBOOKS]


@pytest.fixture(scope="module")
def walked_through() -> dict:
    """The names after all cells of the notebook, run one after the other."""
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mpl, "rcParams", mpl.rcParams | {"backend": "Agg"})
        for cell in code_cells(NOTEBOOKS[0]):
            exec("".join(cell["source"]), names)
        plt.close("all")
    return names


def test_its_cells_run_and_its_text_is_true_of_them(walked_through):
    """What the prose says of the numbers, the numbers say; its pictures are for readers."""
    curve, curves, shares = (walked_through[name] for name in ("curve", "curves", "shares"))
    assert curve.accuracy("triggered", 1.0) > 0.9
    assert min(curve.accuracy("clean", [0.0, 1.0])) > 0.97
    assert 0.3 < shares[1] < 0.4
    assert shares[0] < walked_through["mask"].mean() == pytest.approx(0.0625)
    assert walked_through["ranking"].auc > 0.9
    assert curves[10].accuracy("triggered", 1.0) < 0.05
    assert curves[10].accuracy("clean", 1.0) >= curves[0.1].accuracy("clean", 1.0) - 0.01


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stored(path):
    """Who reads a notebook on a page sees its pictures, in order and without an error or a warning."""
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = [kind for cell in cells for output in cell["outputs"] for kind in output.get("data", {})]
    assert kinds.count("image/png") >= 5
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert path.stat().st_size < LARGEST
