"""A run as a folder: whole or not at all, and never in the place of something else."""

from __future__ import annotations

import csv
import json
import os
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from small_study import small, small_results, tree

import backdoor_curves as bc
from backdoor_curves.study import store
from backdoor_curves.study.config import LearnerConfig, Study
from backdoor_curves.study.store import check_folder, failures, write
from backdoor_curves.study.table import as_csv, as_text, legend
from backdoor_curves.study.work import CellResult


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with a whole run."""
    folder = tmp_path_factory.mktemp("runs") / "deep" / "small"
    assert not check_folder(folder, small())
    write(folder, small(), small_results())
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_has_its_files_and_no_others(kept):
    """The layout is a promise to whoever reads the folder tomorrow."""
    keys = [f"ridge_lambda1_p{rate}_seed{seed}" for rate in ("0.1", "0.5") for seed in (0, 1)]
    curves = {f"curves/{key}{suffix}.npz" for key in keys for suffix in ("", "_control")}
    assert set(tree(kept)) == {
        "study.json", "results.csv", "table.txt", "curves", "figures", "figures/ridge.png", *curves
    }  # fmt: skip
    assert [path.name for path in kept.parent.iterdir()] == ["small"]


def test_the_record_says_what_was_run_and_by_which_version(kept):
    """Else a folder cannot be told from another, nor a result from an older program's."""
    record = json.loads((kept / "study.json").read_text())
    assert record["backdoor-curves"] == bc.__version__
    assert msgspec.convert(record["study"], Study) == small()
    assert record["study"]["learners"][0]["lambda"] == [1.0]


def test_the_tables_are_those_of_the_results(kept):
    """What was on the terminal can be read again."""
    assert (kept / "results.csv").read_text(encoding="utf-8") == as_csv(small_results())
    assert (kept / "table.txt").read_text(
        encoding="utf-8"
    ) == f"{as_text(small_results())}\n\n{legend(small_results())}\n"


def test_curves_in_the_folder_give_the_numbers_in_the_csv(kept):
    """Two roads to every number: the file of the cell, and its line; those of another seed differ."""
    for row in rows_of(kept):
        own, others = (f"ridge_lambda1_p{row['rate']}_seed{seed}.npz" for seed in (row["seed"], 1 - int(row["seed"])))
        curve = bc.BackdoorLearningCurve.load(kept / "curves" / own)
        other = bc.BackdoorLearningCurve.load(kept / "curves" / others)
        assert float(row["area"]) == pytest.approx(curve.area(), rel=1e-14)
        assert float(row["area"]) != pytest.approx(other.area(), rel=1e-14)
        assert float(row["asr_at_1"]) == curve.accuracy("triggered", 1.0)
        assert float(row["clean_accuracy_at_0"]) == curve.accuracy("clean", 0.0)
        assert float(row["half_loss_beta"] or "nan") == pytest.approx(curve.half_loss_beta, rel=1e-12, nan_ok=True)


def test_curves_and_controls_are_kept_apart(kept):
    """The control has the same rate and rows; only its file's name says which is which."""
    for result in small_results():
        betas = np.linspace(0, 1, 7)
        for suffix, curve in (("", result.curve), ("_control", result.control)):
            loaded = bc.BackdoorLearningCurve.load(kept / "curves" / f"{result.cell.key}{suffix}.npz")
            np.testing.assert_array_equal(loaded.loss("triggered", betas), curve.loss("triggered", betas))


def test_figures_are_pictures_of_a_sane_size(kept):
    """A picture of one column at 150 dots an inch: neither a stamp nor a wall."""
    png = (kept / "figures" / "ridge.png").read_bytes()
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    assert png.startswith(b"\x89PNG\r\n")
    assert png.rstrip(b"\0").endswith(b"IEND\xaeB`\x82")
    assert 600 < width < 1500
    assert 600 < height < 1500
    assert len(png) > 10_000  # an empty picture of this size takes less


def test_each_learner_has_a_figure_of_its_own(tmp_path):
    """Their losses have different scales."""
    results = list(small_results())
    both = small(learners=[LearnerConfig("ridge", [1.0]), LearnerConfig("logistic", [1.0])])
    others = [replace(result, cell=replace(result.cell, learner="logistic")) for result in results]
    write(tmp_path / "run", both, results + others)
    assert sorted(path.name for path in (tmp_path / "run" / "figures").iterdir()) == ["logistic.png", "ridge.png"]


def test_a_whole_run_is_recognised_and_left_alone(kept):
    """Asked again, nothing is computed."""
    before = tree(kept)
    assert check_folder(kept, small())
    assert tree(kept) == before


def test_another_study_of_this_name_is_refused(kept):
    """Results of two studies in one folder are results of none."""
    before = tree(kept)
    with pytest.raises(ValueError, match="it holds another study of this name; rename yours, remove the folder"):
        check_folder(kept, small(seeds=[0, 1, 2]))
    assert tree(kept) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"mine"),
        ("study.json", b"{}"),
        ("study.json", b"[]"),
        ("study.json", b"\xff"),
        ("study.json", b'{"study": {"name": "small"}}'),
        ("study.json/x", b""),
    ],
)
def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path, name, content):
    """They are not ours."""
    (tmp_path / "small" / name).parent.mkdir(parents=True)
    (tmp_path / "small" / name).write_bytes(content)
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="a new folder was expected, one with other files came"):
        check_folder(tmp_path / "small", small())
    assert tree(tmp_path) == before


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    """It would be in the way at the end, when everything is computed."""
    (tmp_path / "small").write_bytes(b"mine")
    with pytest.raises(ValueError, match="a new folder was expected"):
        check_folder(tmp_path / "small", small())
    assert tree(tmp_path) == {"small": b"mine"}


def test_an_empty_folder_is_taken(tmp_path):
    """Some make it beforehand."""
    (tmp_path / "small").mkdir()
    assert not check_folder(tmp_path / "small", small())
    write(tmp_path / "small", small(), small_results())
    assert check_folder(tmp_path / "small", small())


def test_a_folder_that_cannot_be_written_is_refused_beforehand(tmp_path):
    """Below a regular file nothing can be made; better said before the work than after it."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file: a folder to write to was expected"):
        check_folder(tmp_path / "file" / "runs" / "small", small())
    assert tree(tmp_path) == {"file": b""}


def test_checking_leaves_nothing_behind(tmp_path):
    """A run that is refused later should find the place as it was."""
    assert not check_folder(tmp_path / "a" / "b" / "small", small())
    assert tree(tmp_path) == {}


def broken_after(monkeypatch: pytest.MonkeyPatch, what: str, error: BaseException) -> None:
    """Let `write` fail after some files are there: in the last curve, in the figure, or at the last step."""

    def fails(*_, **__):
        raise error

    if what == "curve":
        real, done = bc.BackdoorLearningCurve.save, []

        def save(curve, path):
            done.append(path)
            real(curve, path) if len(done) < 8 else fails()

        monkeypatch.setattr(bc.BackdoorLearningCurve, "save", save)
    elif what == "figure":
        monkeypatch.setattr(store, "learner_figure", fails)
    else:
        monkeypatch.setattr(store.os, "replace", lambda a, b: fails() if Path(b).name == "small" else os.rename(a, b))


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("what", ["curve", "figure", "rename"])
def test_a_run_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch, what, error):
    """A half-written folder would be taken for a run."""
    broken_after(monkeypatch, what, error)
    with pytest.raises(type(error)):
        write(tmp_path / "small", small(), small_results())
    assert tree(tmp_path) == {}


def test_without_the_draft_something_would_be_left(tmp_path, monkeypatch):
    """The check above must be able to fail: here the run is written in its place at once."""

    @contextmanager
    def in_place(folder):
        folder.mkdir(parents=True)
        yield folder

    monkeypatch.setattr(store, "_beside", in_place)
    broken_after(monkeypatch, "figure", OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path / "small", small(), small_results())
    assert "small/results.csv" in tree(tmp_path)


def test_failed_cells_are_kept_with_their_reasons(tmp_path):
    """A run is whole when all cells were tried; asked again, it still says which failed."""
    results = list(small_results())
    results[1] = CellResult(results[1].cell, None, None, 0.1, 'ValueError: "no", luck')
    write(tmp_path / "small", small(), results)
    assert failures(tmp_path / "small") == ['ValueError: "no", luck']
    assert not (tmp_path / "small" / "curves" / f"{results[1].cell.key}.npz").exists()
    assert check_folder(tmp_path / "small", small())


def test_a_learner_that_failed_everywhere_has_no_figure(tmp_path):
    """There is nothing to draw, and the rest is kept."""
    results = [CellResult(result.cell, None, None, 0.1, "ValueError: no luck") for result in small_results()]
    write(tmp_path / "small", small(), results)
    assert list((tmp_path / "small" / "figures").iterdir()) == []
    assert len(failures(tmp_path / "small")) == 4
