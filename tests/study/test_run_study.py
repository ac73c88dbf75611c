"""A run from its study to its end: stopped, killed, split, changed, it comes to the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import msgspec
import pytest
from small_study import FAULTY, WISHES, content, finished, four_learners, processes_with, small, tree

from backdoor_curves.study.file.config import LearnerConfig
from backdoor_curves.study.run_study import Progress, run_study, store_path
from backdoor_curves.study.store import sqlite as store
from backdoor_curves.study.store.run import load_run
from backdoor_curves.study.store.sqlite import StoreError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of all learners by one process, and what it keeps."""
    folder = tmp_path_factory.mktemp("whole") / "small"
    assert finished(four_learners(), folder) == Progress(16, 0, 16)
    return content(folder)


def test_two_processes_keep_the_same_bits_as_one(whole, tmp_path):
    """Where a cell is computed, and after which others, is no part of its result."""
    finished(four_learners(), tmp_path / "small", n_jobs=2)
    assert content(tmp_path / "small") == whole


def test_two_shards_keep_the_same_bits_together(whole, tmp_path):
    """Each has a file of its own; reading makes them one."""
    first = finished(four_learners(), tmp_path / "small", shard=(1, 2))
    assert load_run(tmp_path / "small").n_left == 16 - first.done > 0
    second = finished(four_learners(), tmp_path / "small", shard=(2, 2))
    assert first.done + second.done == 16
    assert content(tmp_path / "small") == whole
    assert sorted(path.name for path in (tmp_path / "small").glob("*.sqlite")) == [
        "shard-1-of-2.sqlite",
        "shard-2-of-2.sqlite",
    ]
    assert load_run(tmp_path / "small").n_done == 16


def test_a_run_takes_what_shards_have_done(tmp_path):
    """Nothing is computed twice."""
    first = finished(small(), tmp_path / "small", shard=(1, 2))
    progress = list(run_study(small(), tmp_path / "small", WISHES))
    assert progress[0] == Progress(first.done, 0, 4)
    assert progress[-1] == Progress(4, 0, 4)


def test_a_stopped_run_goes_on_and_keeps_the_same_bits(whole, tmp_path, monkeypatch):
    """Stopped in the middle of a group, after every few cells; each is committed at once here."""
    monkeypatch.setattr(store, "COMMIT_EVERY", 0.0)
    stops, last = 0, Progress(0, 0, 16)
    while last.left:
        signs: list[Progress] = []
        for progress in run_study(four_learners(), tmp_path / "small", WISHES, stopping=lambda s=signs: len(s) > 5):
            signs.append(progress)  # noqa: PERF402 - the run looks at it
        assert signs[-1].done > last.done
        stops, last = stops + 1, signs[-1]
    assert last == Progress(16, 0, 16)
    assert stops > 1
    assert content(tmp_path / "small") == whole


DRIVER = """
import sys, pathlib
sys.path[:0] = sys.argv[2].split(":")
from small_study import FAULTY, WISHES, four_learners
from dataclasses import replace
from backdoor_curves.study.run_study import run_study
if __name__ == "__main__":
    for progress in run_study(four_learners(), pathlib.Path(sys.argv[1]), replace(WISHES, n_jobs=2)):
        print(progress.done, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are looked for in /proc")
def test_kill_9_loses_nothing_that_was_acknowledged_and_leaves_no_orphan(whole, tmp_path):
    """The coordinator is killed at its first, its second... sign of life; 100 kills are in benchmarks/kills.py."""
    (tmp_path / "driver.py").write_text(DRIVER)
    token = f"token-{os.getpid()}-{time.time_ns()}"
    command = [sys.executable, str(tmp_path / "driver.py"), str(tmp_path / "small"), os.path.dirname(__file__)]
    for signs_of_life in (1, 2, None):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "TOKEN": token}) as driver:
            acknowledged = 0
            for number, line in enumerate(driver.stdout, start=1):
                acknowledged = int(line)
                if number == signs_of_life:
                    time.sleep(0.3)
                    driver.send_signal(signal.SIGKILL)
            driver.wait()
        deadline = time.monotonic() + 5
        while processes_with(token) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_with(token) == []
        kept = load_run(tmp_path / "small")
        assert kept.n_done >= acknowledged
        assert not kept.failed
    assert content(tmp_path / "small") == whole


def test_failed_cells_stay_failed_until_they_are_tried_again(in_workers, tmp_path, monkeypatch):
    """A worker that fails at one lambda, and then one that does not."""
    in_workers("raise ValueError('no luck,\\n   none')")
    folder = tmp_path / "small"
    study = small(learners=(LearnerConfig("ridge", (1.0, FAULTY)),))
    assert finished(study, folder) == Progress(4, 4, 8)
    assert list(run_study(study, folder, WISHES)) == [Progress(4, 4, 8)]
    assert {cell.reason for cell in load_run(folder).failed} == {"ValueError: no luck, none"}
    monkeypatch.setenv("PYTHONPATH", "")
    assert finished(study, folder, retry_failed=True) == Progress(8, 0, 8)
    assert not load_run(folder).failed


def test_a_changed_study_says_which_cells_stay_valid(tmp_path):
    """One lambda goes, one comes; the other's cells are taken as they are."""
    folder = tmp_path / "small"
    finished(small(learners=(LearnerConfig("ridge", (1.0, 2.0)),)), folder)
    changed = small(learners=(LearnerConfig("ridge", (2.0, 3.0)),))
    with pytest.raises(ValueError, match="of 8 kept cells 4 stay valid, 4 are no longer asked for, and 4 are to be"):
        finished(changed, folder)
    assert load_run(folder).n_cells == 8
    progress = list(run_study(changed, folder, replace(WISHES, accept_changes=True)))
    assert progress[0] == Progress(4, 0, 8)
    assert progress[-1] == Progress(8, 0, 8)
    assert [cell.setting.lam for cell in load_run(folder).cells[::4]] == [2.0, 3.0]
    # and back again: nothing was deleted
    study = small(learners=(LearnerConfig("ridge", (1.0, 2.0)),))
    assert next(run_study(study, folder, replace(WISHES, accept_changes=True))) == Progress(8, 0, 8)


def test_a_change_that_touches_no_cell_is_none(tmp_path):
    """Figures are drawn afterwards."""
    finished(small(), tmp_path / "small")
    assert finished(msgspec.structs.replace(small(), figures=False), tmp_path / "small") == Progress(4, 0, 4)


def test_a_group_too_large_for_memory_is_refused_beforehand(tmp_path):
    """With both numbers; nothing is computed, nothing but an empty store is left."""
    with pytest.raises(ValueError, match=r"ridge on 60 training rows needs 0.3 GiB, 0.1 GiB are allowed"):
        finished(small(), tmp_path / "small", memory=0.1 * 2**30)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"notes.txt": b"mine"}, "a new folder was expected, one with other files came"),
        ({"study.json": b"{}"}, "a new folder was expected, a run of an older version came"),
    ],
)
def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path, files, message):
    """They are not ours."""
    for name, what in files.items():
        (tmp_path / name).write_bytes(what)
    before = tree(tmp_path)
    with pytest.raises(StoreError, match=message):
        finished(small(), tmp_path)
    assert tree(tmp_path) == before


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    """It would be in the way."""
    (tmp_path / "small").write_bytes(b"mine")
    with pytest.raises(StoreError, match="a new folder was expected, a file came"):
        finished(small(), tmp_path / "small")


def test_rows_are_removed_in_the_end(tmp_path):
    """They are written for the workers alone."""
    finished(small(), tmp_path / "small")
    assert {path for path in tree(tmp_path) if "rows" in path} == set()
    assert store_path(tmp_path, (2, 3)).name == "shard-2-of-3.sqlite"
