"""A run on disk: one SQLite file, to which one coordinator adds what is done and what failed.

    facts      what was run: the study and the version
    plan       the keys of all cells that the study asks for, in the order of its tables
    cells      a row a cell: which it is, its records as JSON, and "done" with its numbers or "failed" with the reason;
               nothing "running" is ever on disk
    records    curves and arrays of a cell, as .npz files have them

With the rollback journal and synchronous = FULL a commit is on disk when it returns, whole or not at all, and others
may read while it is written. Cells are committed together, at most a second after they came.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from backdoor_curves.study.compute.cell import Outcome
from backdoor_curves.study.file.config import KeepConfig
from backdoor_curves.study.plan.scenario import Cell, Scenario, Setting
from backdoor_curves.study.store.stored_cell import StoredCell

SUFFIX = ".sqlite"
APPLICATION = 0x6263_7276  # "bcrv", so that another program's file is not taken for ours
STEPS = (
    """
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE plan (position INTEGER PRIMARY KEY, key TEXT NOT NULL);
    CREATE TABLE cells (
        key TEXT PRIMARY KEY,
        status TEXT NOT NULL CHECK (status IN ('done', 'failed')),
        scenario TEXT NOT NULL,
        setting TEXT NOT NULL,
        seed INTEGER NOT NULL,
        method TEXT NOT NULL,
        control INTEGER NOT NULL,
        keep TEXT NOT NULL,
        data TEXT NOT NULL,
        numbers TEXT NOT NULL,
        reason TEXT NOT NULL,
        seconds REAL NOT NULL
    );
    CREATE TABLE records (
        key TEXT NOT NULL REFERENCES cells (key),
        name TEXT NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (key, name)
    );
    """,
)
"""The first makes a store of format `FIRST`, each other the next one: older stores are migrated by what they lack."""
COLUMNS = "key, status, scenario, setting, seed, method, control, keep, data, numbers, reason, seconds"
PLACES = ", ".join("?" * (COLUMNS.count(",") + 1))
FIRST = 2
"""The oldest format that is read: one of format 1 has words in the place of records, and keys of another making."""
FORMAT = FIRST + len(STEPS) - 1
PATIENCE = 30.0
"""Seconds to wait for another program that holds the file."""
COMMIT_EVERY = 0.5
"""Seconds between commits: with the work between two looks at the clock a cell is on disk within one."""


Record = TypeVar("Record", bound=msgspec.Struct)


class StoreError(OSError):
    """A store that cannot be read or written; the message says which, why, and what to do."""


class Store:
    """The store of one coordinator, open for writing; `with` closes it and keeps what came.

    Parameters
    ----------
    path : path
        A .sqlite file; made if it is not there.

    Raises
    ------
    StoreError
        If it is no store, is read-only, is of a later version, or another coordinator writes to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[tuple[Outcome, Cell, str]] = []
        self._last = time.monotonic()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{path.parent}: a folder to write to was expected ({error.strerror}); pass another --out"
            ) from None
        self._lock = _lock(path)
        try:
            self._connection = _opened(path)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if not isinstance(error, StoreError):
                self.commit()
        finally:
            self._connection.close()
            self._lock.close()

    def begin(self, keys: Sequence[str], **facts: str) -> None:
        """Write what the run is, at once: the keys of all its cells in order, and facts. Kept cells stay."""
        with _worded(self.path), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(facts.items()))
            self._connection.execute("DELETE FROM plan")
            self._connection.executemany("INSERT INTO plan VALUES (?, ?)", list(enumerate(keys)))

    def add(self, outcome: Outcome, cell: Cell, data_hash: str) -> None:
        """Take what came of a cell; it is on disk after the next commit."""
        self._waiting.append((outcome, cell, data_hash))

    def commit_if_due(self) -> dict[str, str]:
        """Commit if the last one is long enough ago; return the status of the cells that went to disk."""
        return self.commit() if time.monotonic() - self._last >= COMMIT_EVERY else {}

    def commit(self) -> dict[str, str]:
        """Put all that came on disk; return the status of each of these cells by its key."""
        self._last = time.monotonic()
        waiting = self._waiting
        if not waiting:
            return {}
        with _worded(self.path), self._connection:
            keys = [(outcome.key,) for outcome, _, _ in waiting]
            self._connection.executemany("DELETE FROM records WHERE key = ?", keys)  # of a cell that is tried again
            self._connection.executemany(
                f"INSERT OR REPLACE INTO cells ({COLUMNS}) VALUES ({PLACES})", [_row(*one) for one in waiting]
            )
            self._connection.executemany(
                "INSERT INTO records VALUES (?, ?, ?)",
                [(o.key, name, content) for o, _, _ in waiting for name, content in o.records.items()],
            )
        self._waiting = []
        return {outcome.key: _status(outcome) for outcome, _, _ in waiting}


def _status(outcome: Outcome) -> str:
    return "failed" if outcome.reason else "done"


def _as_json(record: msgspec.Struct) -> str:
    return msgspec.json.encode(record).decode()


def _row(outcome: Outcome, cell: Cell, data_hash: str) -> tuple[Any, ...]:
    return (
        outcome.key,
        _status(outcome),
        *(_as_json(part) for part in (cell.scenario, cell.setting)),
        cell.seed,
        cell.method,
        cell.control,
        _as_json(cell.keep),
        data_hash,
        json.dumps(dict(outcome.numbers)),
        outcome.reason,
        outcome.seconds,
    )


# --- opening ---------------------------------------------------------------------------------------------------------


def _opened(path: Path) -> sqlite3.Connection:
    """Return a connection to a store of the present format, made or migrated if need be."""
    with _worded(path):
        connection = sqlite3.connect(path, timeout=PATIENCE)
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = FULL")
            found = _format(connection, path)
            with connection:
                for step in STEPS[max(found - FIRST + 1, 0) :]:
                    for statement in filter(str.strip, step.split(";")):
                        connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
        except BaseException:
            connection.close()
            raise
    return connection


def _format(connection: sqlite3.Connection, path: Path) -> int:
    """Return the format of a file, 0 for an empty one; refuse what is no store, or one that cannot be read here."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION and tables:
        raise StoreError(
            f"{path}: the .sqlite store of a run was expected, another database came; name a run, or another --out"
        )
    if found > FORMAT:
        raise StoreError(f"{path}: format {FORMAT} or before was expected, {found} came; update backdoor-curves")
    if 0 < found < FIRST:
        raise StoreError(
            f"{path}: format {FIRST} or later was expected, {found} came, of an earlier development version: export it "
            "with that version, or move it away and run its study again"
        )
    return int(found)


def lock_of(path: Path) -> Path:
    """Return the file beside a store that its coordinator locks."""
    return path.with_name(f".{path.name}.lock")


def _lock(path: Path) -> sqlite3.Connection:
    """Return a lock that only one coordinator can hold; the system frees it when its process ends, however it ends.

    It is SQLite's own lock on an empty file beside the store: readers of the store do not meet it.
    """
    with _worded(path):
        connection = sqlite3.connect(lock_of(path), timeout=0.2, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if "locked" in str(error):
                raise StoreError(
                    f"{path}: another coordinator is at work on this run; wait for it, or end it"
                ) from None
            raise
    return connection


@contextmanager
def _worded(path: Path) -> Iterator[None]:
    """Word SQLite's errors: what to do, and whether what was done stays done."""
    try:
        yield
    except sqlite3.Error as error:
        said = str(error)
        for part, meaning in _MEANINGS.items():
            if part in said:
                raise StoreError(f"{path}: {meaning}") from None
        raise StoreError(f"{path}: {said}; what was done before is kept") from None


_KEPT = "; what was done before is kept"
_MEANINGS = {
    "disk is full": f"the disk is full: make room and run again{_KEPT}",
    "readonly": f"the file or its folder is read-only: make it writable, or pass another --out{_KEPT}",
    "unable to open": f"it cannot be opened or made here: pass another --out{_KEPT}",
    "locked": f"another program has held it for {PATIENCE:g} s: close that and run again{_KEPT}",
    "not a database": "the .sqlite store of a run was expected, this file is none, or damaged; name the folder of a "
    "run or the .sqlite file in it, and where this was one, move it away and run again",
    "malformed": "the file is damaged: move it away and run again, or restore a copy",
    "disk I/O error": f"the disk refuses to read or write: look at the disk and run again{_KEPT}",
}


# --- reading ---------------------------------------------------------------------------------------------------------


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that only reads, also while a coordinator writes.

    Raises
    ------
    StoreError
        If the file is no store, damaged, or of a later version.
    """
    with _worded(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
        try:
            if not (found := _format(connection, path)):
                raise StoreError(
                    f"{path}: the .sqlite store of a run was expected, this file is none yet: it is empty; run its "
                    "study, or name the folder of a run"
                )
            if found < FORMAT:
                raise StoreError(f"{path}: a store of an older version; run its study once to migrate it")
            yield connection
        finally:
            connection.close()


def read_facts(path: Path) -> dict[str, str]:
    """Return what a store says of its run."""
    with reading(path) as connection:
        return dict(connection.execute("SELECT name, value FROM facts"))


def read_statuses(path: Path) -> dict[str, str]:
    """Return the status of each cell of a store by its key."""
    with reading(path) as connection:
        return dict(connection.execute("SELECT key, status FROM cells"))


def read_plan(path: Path) -> list[str]:
    """Return the keys of all cells that the study of a store asks for, in order."""
    with reading(path) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM plan ORDER BY position")]


def read_cells(path: Path) -> list[StoredCell]:
    """Return the cells of a store, without their records."""
    with reading(path) as connection:
        try:
            return [_stored(*row) for row in connection.execute(f"SELECT {COLUMNS} FROM cells")]
        except msgspec.DecodeError as error:
            raise StoreError(
                f"{path}: the record of a cell was expected, another came ({error}); update backdoor-curves"
            ) from None


def read_keys(path: Path, record: str) -> list[str]:
    """Return the keys of the cells that have a record of this name."""
    with reading(path) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM records WHERE name = ?", (record,))]


def _stored(key: str, status: str, *rest: Any) -> StoredCell:
    scenario, setting, seed, method, control, keep, data, numbers, reason, seconds = rest
    cell = Cell(
        _as_record(scenario, Scenario),
        _as_record(setting, Setting),
        seed,
        method,
        bool(control),
        _as_record(keep, KeepConfig),
    )
    return StoredCell(key, status, cell, data, json.loads(numbers), reason, seconds)


@lru_cache(maxsize=4096)  # thousands of cells have a few scenarios and settings
def _as_record(text: str, record: type[Record]) -> Record:
    return msgspec.json.decode(text, type=record)


def read_record(path: Path, key: str, name: str) -> bytes | None:
    """Return a record of a cell; None where there is none."""
    with reading(path) as connection:
        row = connection.execute("SELECT content FROM records WHERE key = ? AND name = ?", (key, name)).fetchone()
        return None if row is None else bytes(row[0])
