"""Rows of any kind on disk, without pickle: arrays and CSR matrices are mapped by whoever reads them, once a machine.

Texts, words and frames are read: an estimator takes them as Python's own objects. They come back as they were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from backdoor_curves.data.marked import MarkedSamples
from backdoor_curves.data.samples import Samples
from backdoor_curves.records.npz import write_folder
from backdoor_curves.rows import Rows, is_frame, is_series

CSR = ("data", "indices", "indptr")
KIND = "kind"
"""The part that says what rows are, in JSON."""
PLAIN = (str, int, float, bool, type(None))
"""What arrays of objects, texts and words may hold: JSON gives each of them back as it was."""
NUMPYS = "numpy"
"""The type of a column that is an array of numbers, truths or times."""
COLUMN = "frame."
"""Before the parts of the frame that a series is written as."""
EXTENSIONS = (
    *("string", "str", "boolean", "Float32", "Float64"),
    *(f"{sign}{bits}" for sign in ("Int", "UInt") for bits in (8, 16, 32, 64)),
)
"""Types of pandas' own that come back by their name."""

Parts = Mapping[str, np.ndarray]
"""Arrays by name; what is no array is bytes of JSON."""


def content_hash(*parts: Samples) -> str:
    """Return a hash of the content of rows, labels and weights, shapes and types included; weights of 1 are none.

    Examples
    --------
    >>> from backdoor_curves import Samples
    >>> from backdoor_curves.data.on_disk import content_hash
    >>> one, other = Samples(["win", "hi"], [1, 0]), Samples(["win", "hi "], [1, 0])
    >>> content_hash(one) == content_hash(one), content_hash(one) == content_hash(other)
    (True, False)
    """
    digest = blake2b(digest_size=16)
    for samples in parts:
        plain = isinstance(samples.X, np.ndarray) and samples.X.dtype != object
        arrays = {"X": samples.X} if plain else as_parts(samples.X)
        weights = {"weight": samples.weight} if samples.is_weighted else {}
        weights |= {"is_marked": samples.is_marked} if isinstance(samples, MarkedSamples) else {}
        for array in ({**arrays, "y": samples.y} | weights).values():
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            whole = np.ascontiguousarray(array)
            digest.update(whole.view(np.int64).data if whole.dtype.kind in "mM" else whole.data)
    return digest.hexdigest()


def write_samples(folder: Path, parts: Mapping[str, Samples]) -> None:
    """Write labelled rows to a folder, by name, unless it is there; a folder that can be seen is whole.

    Raises
    ------
    TypeError
        If rows hold what cannot be written, with the column and what it is.
    """
    if folder.is_dir():
        return
    arrays: dict[str, np.ndarray] = {}
    for name, samples in parts.items():
        arrays |= {f"{name}_X.{part}": array for part, array in as_parts(samples.X).items()}
        arrays[f"{name}_y"] = samples.y
        if samples.is_weighted:
            arrays[f"{name}_weight"] = samples.weight
        if isinstance(samples, MarkedSamples):
            arrays[f"{name}_marks"] = samples.is_marked
    write_folder(folder, arrays)


def read_samples(folder: Path, name: str) -> Samples:
    """Return the rows that `write_samples` wrote under a name; arrays are mapped into memory."""
    mapped = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob(f"{name}_*.npy")}
    start = f"{name}_X."
    X = from_parts({part.removeprefix(start): array for part, array in mapped.items() if part.startswith(start)})
    weight = {"weight": mapped[f"{name}_weight"]} if f"{name}_weight" in mapped else {}
    if f"{name}_marks" in mapped:
        return MarkedSamples(X, mapped[f"{name}_y"], is_marked=np.array(mapped[f"{name}_marks"]), **weight)
    return Samples(X, mapped[f"{name}_y"], **weight)


# --- rows as arrays --------------------------------------------------------------------------------------------------


def as_parts(X: Rows) -> dict[str, np.ndarray]:
    """Return rows as named arrays, of which `from_parts` makes them again.

    Raises
    ------
    TypeError
        If they hold what is neither a number nor text.
    """
    if sp.issparse(X):
        kind = "matrix" if sp.isspmatrix(X) else "array"
        return {KIND: _json({"kind": "csr", "of": kind, "shape": X.shape}), **{part: getattr(X, part) for part in CSR}}
    if isinstance(X, np.ndarray) and X.dtype != object:
        return {KIND: _json({"kind": "array"}), "array": X}
    if isinstance(X, np.ndarray):
        said = {"kind": "objects", "shape": X.shape}
        return {KIND: _json(said), "values": _json(_plain(X.ravel().tolist(), "the rows"))}
    if is_frame(X):
        return _of_frame(X)
    if is_series(X):
        frame = _of_frame(X.to_frame("X") if hasattr(X, "iloc") else X.rename("X").to_frame())
        return {KIND: _json({"kind": "series", "name": X.name}), **{f"{COLUMN}{k}": v for k, v in frame.items()}}
    rows = list(X)
    if rows and isinstance(rows[0], list | tuple):
        split = [_plain(row, "the rows") for row in rows]
        return {KIND: _json({"kind": "words", "of": type(rows[0]).__name__}), "values": _json(split)}
    return {KIND: _json({"kind": "list"}), "values": _json(_plain(rows, "the rows"))}


def from_parts(parts: Parts) -> Rows:
    """Return the rows that `as_parts` made arrays of."""
    said = _read(parts[KIND])
    match said["kind"]:
        case "csr":
            made = sp.csr_matrix if said["of"] == "matrix" else sp.csr_array
            return made(tuple(parts[part] for part in CSR), shape=tuple(said["shape"]))
        case "array":
            return parts["array"]
        case "objects":
            rows = np.empty(int(np.prod(said["shape"])), dtype=object)
            rows[:] = _read(parts["values"])
            return rows.reshape(said["shape"])
        case "words":
            rows = _read(parts["values"])
            return rows if said["of"] == "list" else [tuple(row) for row in rows]
        case "list":
            return _read(parts["values"])
        case "series":
            frame = from_parts({k.removeprefix(COLUMN): part for k, part in parts.items() if k.startswith(COLUMN)})
            return (frame.iloc[:, 0] if hasattr(frame, "iloc") else frame.to_series(0)).rename(said["name"])
    return _frame(said, parts)


def _json(value: Any) -> np.ndarray:
    """Return a value as bytes of JSON."""
    return np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)


def _read(array: np.ndarray) -> Any:
    return json.loads(array.tobytes())


def _plain(values: list[Any], where: str) -> list[Any]:
    """Return values as JSON gives them back, and refuse others; numbers of numpy's are Python's."""
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    if other := [value for value in plain if type(value) not in PLAIN]:
        raise TypeError(
            f"numbers and text were expected in {where}, {type(other[0]).__name__} came ({other[0]!r:.50}); convert it"
        )
    return plain


# --- frames ----------------------------------------------------------------------------------------------------------


def _of_frame(X: Any) -> dict[str, np.ndarray]:
    """Return the parts of a DataFrame: an array a column. Its index is left out: rows are rows."""
    of_pandas = hasattr(X, "iloc")
    names = _plain(list(X.columns), "the names of columns")
    columns = [X.iloc[:, k] if of_pandas else X.to_series(k) for k in range(X.shape[1])]
    kind = "pandas" if of_pandas else "polars"
    types = [_type_of(column, name) for column, name in zip(columns, names, strict=True)]
    parts = {KIND: _json({"kind": kind, "names": names, "types": types})}
    for k, (column, of) in enumerate(zip(columns, types, strict=True)):
        if of == NUMPYS:
            parts[str(k)] = np.asarray(column.to_numpy())
            continue
        values = column.astype(object).tolist() if of_pandas else column.to_list()
        gaps = [None if type(value).__name__ in ("NAType", "NaTType") else value for value in values]
        parts[str(k)] = _json(_plain(gaps, f"column {names[k]!r}"))
    return parts


def _type_of(column: Any, name: Any) -> Any:
    """Return the type of a column: numpy's, the name of another one, or the categories that it has."""
    if hasattr(column, "iloc"):
        if isinstance(column.dtype, np.dtype):
            return NUMPYS if column.dtype.kind in "fiubmM" else str(column.dtype)
        if hasattr(column.dtype, "categories"):
            categories = _plain(column.dtype.categories.astype(object).tolist(), f"the categories of column {name!r}")
            return {"categories": categories, "ordered": bool(column.dtype.ordered)}
        if str(column.dtype) in EXTENSIONS:
            return str(column.dtype)
    elif column.dtype.is_numeric() or str(column.dtype) in ("Boolean", "String"):
        return str(column.dtype) if column.null_count() or str(column.dtype) == "String" else NUMPYS
    raise TypeError(
        f"numbers, text or categories were expected in column {name!r}, {column.dtype} came; convert it: a study keeps "
        "rows for its workers"
    )


def _frame(said: dict[str, Any], parts: Parts) -> Rows:
    columns = [(name, of, parts[str(k)]) for k, (name, of) in enumerate(zip(said["names"], said["types"], strict=True))]
    if said["kind"] == "polars":
        import polars as pl

        return pl.DataFrame(
            [
                pl.Series(
                    name, np.array(array) if of == NUMPYS else _read(array), None if of == NUMPYS else getattr(pl, of)
                )
                for name, of, array in columns
            ]
        )
    import pandas as pd

    def series(of: Any, array: np.ndarray) -> Any:
        if of == NUMPYS:
            return pd.Series(np.array(array))
        values = pd.Series(_read(array), dtype=object)
        if isinstance(of, dict):
            return values.astype(pd.CategoricalDtype(of["categories"], of["ordered"]))
        return values if of == "object" else values.astype(of)

    frame = pd.DataFrame({k: series(of, array) for k, (_, of, array) in enumerate(columns)})
    frame.columns = pd.Index([name for name, _, _ in columns])
    return frame
