"""Records on disk: named arrays and a JSON header in one .npz file, without pickle, whole or not at all."""

from __future__ import annotations

import io
import json
import os
import shutil
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import scipy.sparse as sp

from backdoor_curves.records.full_disk import naming

T = TypeVar("T")
MANY = 2**16
"""Bytes of floats from which on they are scores, of digits without a pattern: those shrink by a tenth at most."""


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a name to write a file under, which becomes the path when all is written: a file that can be seen is whole.

    The name ends as the path does. If something goes wrong nothing is left, and an OSError names the path, not the
    draft.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise FileExistsError(f"{path}: a file was expected, a device or a pipe came, which a file would replace")
    draft = path.with_name(f".{uuid.uuid4().hex}.{path.name}")
    with naming(path):
        try:
            yield draft
            draft.replace(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise


def write_folder(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as .npy files that processes map into memory; a folder that can be seen is whole."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    with naming(folder):
        draft.mkdir(parents=True)
        try:
            for name, array in arrays.items():
                np.save(draft / f"{name}.npy", array, allow_pickle=False)
            draft.rename(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def write_record(to: Path | BinaryIO, kind: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a record to an open file, or to a path, under another name first: a file that can be seen is whole."""
    named = {"header": np.array(json.dumps({"format": kind, **header})), **arrays}
    if not isinstance(to, Path):
        with naming(str(getattr(to, "name", "the open file"))):
            _write_arrays(to, named)
        return
    with whole(to) as draft, open(draft, "xb") as file:
        _write_arrays(file, named)


def _write_arrays(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz as numpy does, but for many floats, which are left as they are: to deflate them takes long."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            is_digits = array.dtype.kind == "f" and array.nbytes > MANY
            entry.compress_type = zipfile.ZIP_STORED if is_digits else zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read_record(at: Path | BinaryIO, kind: str, *older: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of a record of this kind, or an older one; anything else is a ValueError."""
    said = at if isinstance(at, Path) else "record"
    try:
        with open(at, "rb") if isinstance(at, Path) else nullcontext(at) as file, zipfile.ZipFile(file) as stored:
            arrays = {name.removesuffix(".npy"): _array(stored.read(name)) for name in stored.namelist()}
        header = json.loads(str(arrays.pop("header")))
        found = header.pop("format")
    except (AttributeError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error, EOFError):
        raise ValueError(f"{said}: a file of format {kind!r} was expected; write one with save") from None
    if found not in (kind, *older):
        raise ValueError(f"{said}: {kind!r} was expected, {found!r} came; update backdoor-curves")
    return header, arrays


def _array(content: bytes) -> np.ndarray:
    """Return the array of a .npy file; members are read whole, as numpy does not: they are many and small."""
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)


def write_fields(to: Path | BinaryIO, record: Any) -> None:
    """Write the arrays, numbers and texts that a frozen record has as an .npz file, to a path or an open file."""
    np.savez_compressed(to, **{field.name: getattr(record, field.name) for field in fields(record)})


def read_fields(kind: type[T], at: Path | BinaryIO) -> T:
    """Return the record of this kind that `write_fields` wrote."""
    with np.load(at, allow_pickle=False) as arrays:
        return kind(**{name: array if array.ndim else array.item() for name, array in arrays.items()})


def as_arrays(name: str, value: Any) -> dict[str, np.ndarray]:
    """Return an array, a number, a CSR matrix, or a frozen record of these as named arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.records.npz import as_arrays
    >>> from backdoor_curves.paths.interpolation.interpolants import Rational
    >>> as_arrays("interpolant", Rational(2.0))
    {'interpolant.largest': array(2.)}
    """
    if sp.issparse(value):
        parts = {part: getattr(value, part) for part in ("data", "indices", "indptr", "shape")}
    elif hasattr(value, "__dataclass_fields__"):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
    else:
        return {name: np.asarray(value)}
    return {key: array for part, value in parts.items() for key, array in as_arrays(f"{name}.{part}", value).items()}


def value_of(name: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """Return the array, number or CSR matrix that `as_arrays` has put under this name; KeyError if there is none."""
    if f"{name}.indptr" in arrays:
        data, indices, indptr, shape = (arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr", "shape"))
        return sp.csr_array((data, indices, indptr), shape=tuple(shape.tolist()))
    array = arrays[name]
    return array if array.ndim else array.item()


def record_of(kind: type[T], name: str, arrays: Mapping[str, np.ndarray]) -> T:
    """Return the frozen record of this kind that `as_arrays` has put under this name; KeyError if there is none."""
    values = {field.name: value_of(f"{name}.{field.name}", arrays) for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**values)
