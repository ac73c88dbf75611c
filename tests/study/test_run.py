"""A run as it is read back."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from small_study import WISHES, finished, small, small_run

import backdoor_curves as bc
from backdoor_curves.study.file.config import KeepConfig
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.run_study import run_study
from backdoor_curves.study.store.run import load_run
from backdoor_curves.study.store.sqlite import StoreError


def test_a_run_comes_back_with_its_study_cells_curves_and_hashes():
    """In the order of the study, the public records."""
    run = small_run()
    assert isinstance(run, bc.Run)
    assert run.study == small()
    assert run.version == bc.__version__
    assert (run.n_done, run.n_cells, run.n_left, run.failed) == (4, 4, 0, ())
    assert [cell.key for cell in run.cells] == [planned.key for planned in make_plan(small()).cells]
    assert run.data_hashes == {group.source.hash: 2 for group in make_plan(small()).groups}
    for cell in run.cells:
        curve, control = run.curve(cell), run.curve(cell, control=True)
        assert curve.area() == pytest.approx(cell.numbers["area"], rel=1e-12)
        assert control.area() == pytest.approx(cell.numbers["control_area"], rel=1e-12)
        assert run.arrays(cell) == {}


def test_it_says_which_cells_keep_what():
    """Without reading the records: there may be ten thousand."""
    run = small_run()
    assert run.keys_with("curve") == run.keys_with("control") == {cell.key for cell in run.cells}
    assert run.keys_with("explanation") == run.keys_with("decision regions") == set()
    assert run.decision_regions(run.cells[0]) is None


def test_a_table_has_a_row_a_cell_and_pandas_takes_it():
    """Text for coordinates, numbers for quantities, None for what there is not."""
    run = small_run()
    frame = run.to_frame()
    assert len(frame) == 4
    assert list(frame.columns[:9]) == list(run.cells[0].coordinates)
    assert frame.groupby("rate").area.mean()[0.1] > frame.groupby("rate").area.mean()[0.5]
    assert run.table()[0]["gamma"] is None


def test_a_part_says_that_it_is_one(tmp_path):
    """A part that is taken for the whole is a wrong result."""
    progress = run_study(small(), tmp_path / "small", WISHES, stopping=lambda: True)
    assert next(progress).left == 4
    progress.close()
    run = load_run(tmp_path / "small")
    assert (run.n_done, run.n_cells, run.n_left) == (0, 4, 4)
    finished(small(), tmp_path / "small", shard=(2, 2))
    assert (load_run(tmp_path / "small").n_done, load_run(tmp_path / "small").n_left) == (2, 2)


def test_arrays_are_those_that_were_asked_for(tmp_path):
    """And a curve that was not kept says so."""
    keep = KeepConfig("grid", (0.0, 0.5, 1.0), coefficients=True)
    finished(small(keep=keep, rates=(0.5,), seeds=(0,)), tmp_path / "small")
    run = load_run(tmp_path / "small" / "run.sqlite")
    arrays = run.arrays(run.cells[0])
    np.testing.assert_array_equal(arrays["betas"], [0.0, 0.5, 1.0])
    assert arrays["clean_loss"].shape == (3,)
    assert arrays["coef"].size == 3 * 64
    with pytest.raises(ValueError, match=r"curve: none was kept of this cell; see `keep\.curves`"):
        run.curve(run.cells[0])


def test_no_run_and_an_empty_store_are_sentences(tmp_path):
    """Nothing is made by looking."""
    with pytest.raises(FileNotFoundError, match="no run is there; start one with: backdoor-curves run"):
        load_run(tmp_path / "absent")
    sqlite3.connect(tmp_path / "run.sqlite").close()
    with pytest.raises(StoreError, match="store of a run was expected, this file is none yet: it is empty"):
        load_run(tmp_path)


def test_shards_of_two_studies_are_not_merged(tmp_path):
    """Their tables would be of neither."""
    finished(small(), tmp_path / "a", shard=(1, 2))
    finished(small(seeds=(0, 1, 2)), tmp_path / "b", shard=(2, 2))
    (tmp_path / "b" / "shard-2-of-2.sqlite").rename(tmp_path / "a" / "shard-2-of-2.sqlite")
    with pytest.raises(StoreError, match="cells of the same study as in"):
        load_run(tmp_path / "a")
