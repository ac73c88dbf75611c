"""A run on disk: whole commits, one writer, and a sentence for everything that can be wrong with a file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time

import pytest
from small_study import done_here, small, tree

from backdoor_curves.study.compute.cell import Outcome
from backdoor_curves.study.store import sqlite as store_module
from backdoor_curves.study.store.run import load_run
from backdoor_curves.study.store.sqlite import (
    Store,
    StoreError,
    read_cells,
    read_facts,
    read_plan,
    read_record,
    read_statuses,
)


@pytest.fixture(scope="module")
def outcomes():
    """Cells with what came of them."""
    plan, found = done_here(small())
    return [(found[planned.key], planned.cell, "hash") for planned in plan.cells]


def test_what_is_put_in_comes_out(tmp_path, outcomes):
    """Numbers to the last digit, records to the last byte."""
    with Store(tmp_path / "run.sqlite") as store:
        store.begin([outcome.key for outcome, _, _ in outcomes], study="{}", version="1")
        for one in outcomes:
            store.add(*one)
    path = tmp_path / "run.sqlite"
    assert read_facts(path) == {"study": "{}", "version": "1"}
    assert read_plan(path) == [outcome.key for outcome, _, _ in outcomes]
    assert read_statuses(path) == {outcome.key: "done" for outcome, _, _ in outcomes}
    for (outcome, cell, _), kept in zip(outcomes, read_cells(path), strict=True):
        assert (kept.key, kept.status, kept.data, kept.reason) == (outcome.key, "done", "hash", "")
        assert kept.numbers == outcome.numbers
        assert kept.cell == cell
        assert {name: read_record(path, kept.key, name) for name in outcome.records} == outcome.records
    assert read_record(path, "another", "curve") is None


def test_a_failed_cell_is_replaced_when_it_is_done_at_last(tmp_path, outcomes):
    """And a cell that is done loses nothing of the first time."""
    outcome, cell, data = outcomes[0]
    with Store(tmp_path / "run.sqlite") as store:
        store.add(Outcome(outcome.key, 0.1, reason="no luck"), cell, data)
    assert [(c.status, c.reason) for c in read_cells(tmp_path / "run.sqlite")] == [("failed", "no luck")]
    for _ in range(2):
        with Store(tmp_path / "run.sqlite") as store:
            store.add(outcome, cell, data)
    assert [(c.status, c.reason) for c in read_cells(tmp_path / "run.sqlite")] == [("done", "")]


def test_commits_are_together_and_soon(tmp_path, outcomes, monkeypatch):
    """A commit costs milliseconds, so cells share it; but none waits for a second."""
    assert store_module.COMMIT_EVERY < 1
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Store(tmp_path / "run.sqlite") as store:
        store.add(*outcomes[0])
        assert store.commit_if_due() == {}
        assert read_statuses(tmp_path / "run.sqlite") == {}
        now[0] += store_module.COMMIT_EVERY
        store.add(*outcomes[1])
        assert store.commit_if_due() == {outcomes[0][0].key: "done", outcomes[1][0].key: "done"}
        assert len(read_statuses(tmp_path / "run.sqlite")) == 2
        assert store.commit() == {}


def test_the_file_is_written_as_promised(tmp_path):
    """Rollback journal and synchronous FULL: what a commit has returned survives a power cut."""
    with Store(tmp_path / "run.sqlite") as store:
        assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_second_coordinator_is_refused_and_a_dead_one_is_not_in_the_way(tmp_path):
    """The system frees the lock however a process ends."""
    with Store(tmp_path / "run.sqlite"), pytest.raises(StoreError, match="another coordinator is at work on this run"):
        Store(tmp_path / "run.sqlite")
    code = (
        "import sys, time, pathlib\nfrom backdoor_curves.study.store.sqlite import Store\n"
        "s = Store(pathlib.Path(sys.argv[1]))\nprint('open', flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "run.sqlite"], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match="another coordinator"):
            Store(tmp_path / "run.sqlite")
        other.kill()
    Store(tmp_path / "run.sqlite").__exit__(None, None, None)


def test_reading_while_it_is_written_is_safe(tmp_path, outcomes):
    """A reader sees all of a commit or nothing of it, and the writer is not stopped."""
    path = tmp_path / "run.sqlite"
    with Store(path) as store:
        for number, one in enumerate(outcomes):
            assert len(read_cells(path)) == number
            store.add(*one)
            store.commit()
        assert len(read_cells(path)) == len(outcomes)


def fill(path, outcomes, pragma):
    """Write the first cell, then the others under a restriction of SQLite's."""
    with Store(path) as store:
        store.add(*outcomes[0])
        store.commit()
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(pragma.format(pages + 1))
        for one in outcomes[1:]:
            store.add(*one)


def test_a_full_disk_is_a_sentence_and_what_was_done_is_kept(tmp_path, outcomes):
    """SQLite is told that the disk ends here; the half-written commit is taken back."""
    path = tmp_path / "run.sqlite"
    with pytest.raises(StoreError, match="the disk is full: make room and run again; what was done before is kept"):
        fill(path, outcomes, "PRAGMA max_page_count = {}")
    assert read_statuses(path) == {outcomes[0][0].key: "done"}
    with Store(path) as store:
        store.add(*outcomes[1])
    assert len(read_statuses(path)) == 2


def test_a_store_that_another_program_holds_is_a_sentence(tmp_path, outcomes, monkeypatch):
    """A shell left open in a transaction, say."""
    monkeypatch.setattr(store_module, "PATIENCE", 0.1)
    path = tmp_path / "run.sqlite"
    Store(path).__exit__(None, None, None)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="another program has held it for"), Store(path) as store:
        store.add(*outcomes[0])
    with pytest.raises(StoreError, match="another program has held it for"):
        read_cells(path)
    other.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"this is no database, but long enough to be one" * 10,
            "the .sqlite store of a run was expected, this file is none, or damaged",
        ),
        (b"SQLite format 3\0" + b"\xff" * 2000, "or damaged; .*move it away and run again"),
    ],
)
def test_a_damaged_file_is_a_sentence_and_left_alone(tmp_path, content, message):
    """It may hold a night's work that somebody can still rescue."""
    path = tmp_path / "run.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=message):
        Store(path)
    with pytest.raises(StoreError, match=message) as caught:
        read_cells(path)
    assert "is kept" not in str(caught.value)  # nothing of it may be
    assert path.read_bytes() == content


def test_an_empty_file_is_no_store_of_an_older_version(tmp_path):
    """Nor is it made one by looking."""
    path = tmp_path / "run.sqlite"
    path.touch()
    with pytest.raises(StoreError, match=r"the \.sqlite store of a run was expected, .* it is empty"):
        read_cells(path)
    assert path.read_bytes() == b""


def test_a_damaged_page_is_a_sentence(tmp_path, outcomes):
    """The middle of the file is overwritten."""
    path = tmp_path / "run.sqlite"
    with Store(path) as store:
        for one in outcomes:
            store.add(*one)
    whole = bytearray(path.read_bytes())
    whole[4096:] = os.urandom(len(whole) - 4096)
    path.write_bytes(whole)
    with pytest.raises(StoreError, match=r"run\.sqlite: "):
        read_cells(path)


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path):
    """It is not ours to add tables to."""
    path = tmp_path / "run.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another database came"):
        Store(path)
    assert path.read_bytes() == before


def test_a_store_of_a_later_version_is_refused_and_an_older_one_is_migrated(tmp_path, outcomes, monkeypatch):
    """A step is added here as a later version would add it."""
    path = tmp_path / "run.sqlite"
    with Store(path) as store:
        store.add(*outcomes[0])
    monkeypatch.setattr(store_module, "STEPS", (*store_module.STEPS, "CREATE TABLE remarks (key TEXT, text TEXT);"))
    monkeypatch.setattr(store_module, "FORMAT", store_module.FORMAT + 1)
    with pytest.raises(StoreError, match="a store of an older version; run its study once to migrate it"):
        read_cells(path)
    with Store(path) as store:
        assert store._connection.execute("SELECT count(*) FROM remarks").fetchone() == (0,)
    assert len(read_cells(path)) == 1
    monkeypatch.undo()
    with pytest.raises(StoreError, match="format 2 or before was expected, 3 came; update backdoor-curves"):
        Store(path)
    with pytest.raises(StoreError, match="update backdoor-curves"):
        read_cells(path)


def test_a_store_of_before_is_refused_with_what_to_do_and_left_alone(tmp_path):
    """It has words in the place of records, and keys of another making: nothing of it could go on."""
    path = tmp_path / "run.sqlite"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE cells (key TEXT PRIMARY KEY, coordinates TEXT NOT NULL)")
        old.execute(f"PRAGMA application_id = {store_module.APPLICATION}")
        old.execute("PRAGMA user_version = 1")
    old.close()
    before = path.read_bytes()
    said = "format 2 or later was expected, 1 came, .* export it with that version, or move it away and run its study"
    for use in (Store, read_cells, lambda found: load_run(found.parent)):
        with pytest.raises(StoreError, match=said):
            use(path)
    assert path.read_bytes() == before


def test_the_record_of_a_cell_that_cannot_be_read_is_a_sentence(tmp_path, outcomes):
    """Of a later version that has forgotten to count its formats, say."""
    path = tmp_path / "run.sqlite"
    with Store(path) as store:
        store.add(*outcomes[0])
        store.commit()
        store._connection.execute("UPDATE cells SET scenario = '{\"data\": 3}'")
        store._connection.commit()
    with pytest.raises(StoreError, match="the record of a cell was expected, another came"):
        read_cells(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_store_is_a_sentence(tmp_path, outcomes):
    """Of a colleague, say."""
    with Store(tmp_path / "run.sqlite") as store:
        store.add(*outcomes[0])
    (tmp_path / "run.sqlite").chmod(0o444)
    with pytest.raises(StoreError, match="read-only"), Store(tmp_path / "run.sqlite") as store:
        store.add(*outcomes[1])


def test_a_store_that_sqlite_may_not_write_is_a_sentence(tmp_path, outcomes):
    """The same by SQLite's own switch, which holds for the superuser too."""
    with pytest.raises(StoreError, match="the file or its folder is read-only"):
        fill(tmp_path / "run.sqlite", outcomes, "PRAGMA query_only = {}")


def test_a_folder_in_the_place_of_the_store_is_a_sentence(tmp_path):
    """Nothing is made beside it but the lock."""
    (tmp_path / "run.sqlite").mkdir()
    with pytest.raises(StoreError, match="it cannot be opened or made here"):
        Store(tmp_path / "run.sqlite")
    assert set(tree(tmp_path)) == {"run.sqlite", ".run.sqlite.lock"}


def test_reading_makes_no_file(tmp_path):
    """A misspelt path is no new run."""
    with pytest.raises(StoreError, match="it cannot be opened"):
        read_cells(tmp_path / "absent.sqlite")
    assert tree(tmp_path) == {}
