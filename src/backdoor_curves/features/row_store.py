"""Rows of numbers kept in one SQLite file, each under a key: what is there is whole, whoever else writes or dies."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float

_ASKED_AT_ONCE = 500
"""Keys a query; SQLite takes 999 at least."""
_CHECK = 8
"""Bytes of a row's own hash."""


class RowStore:
    """A file of rows by key; many processes may read and write it at once.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made if they are not there.
    dtype : numpy dtype
        Of the rows.

    Raises
    ------
    OSError, sqlite3.Error
        If it cannot be made or is no such file; all methods may raise the latter.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with RowStore(Path(folder) / "rows.sqlite", np.dtype(np.float32)) as store:
    ...         store.add([b"one"], np.array([[1.0, 2.0]], np.float32))
    ...         dict(store.find([b"one", b"two"]))
    {b'one': array([1., 2.], dtype=float32)}
    """

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, timeout=60.0)
        try:
            with self._file:
                self._file.execute("CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, content BLOB NOT NULL)")
        except sqlite3.Error:
            self._file.close()
            raise

    def __enter__(self) -> RowStore:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def find(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, Float[np.ndarray, " d"]]]:
        """Yield the rows that are there, in any order; one that is not as it was written counts as not there."""
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            asked = keys[start : start + _ASKED_AT_ONCE]
            marks = ",".join("?" * len(asked))
            for key, content in self._file.execute(f"SELECT key, content FROM rows WHERE key IN ({marks})", asked):
                values = content[:-_CHECK]
                if content[-_CHECK:] == _check(key, values):
                    yield key, np.frombuffer(values, self._dtype)

    def add(self, keys: Sequence[bytes], rows: Float[np.ndarray, "n d"]) -> None:
        """Keep rows, all or none; a key that is there already takes the new row."""
        contents = (row.astype(self._dtype, copy=False).tobytes() for row in rows)
        with self._file:
            self._file.executemany(
                "INSERT OR REPLACE INTO rows VALUES (?, ?)",
                ((key, values + _check(key, values)) for key, values in zip(keys, contents, strict=True)),
            )


def _check(key: bytes, values: bytes) -> bytes:
    return blake2b(values, digest_size=_CHECK, key=key).digest()
