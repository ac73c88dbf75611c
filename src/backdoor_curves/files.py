"""Records on disk: named arrays and a JSON header in one .npz file, without pickle, whole or not at all."""

from __future__ import annotations

import io
import json
import os
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import scipy.sparse as sp

T = TypeVar("T")


def write_record(path: Path, kind: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a record under another name first: a file that can be seen is whole."""
    text = np.array(json.dumps({"format": kind, **header}))
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(draft, "xb") as file:
            named: dict[str, Any] = {"header": text, **arrays}
            np.savez_compressed(file, **named)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_record(path: Path | BinaryIO, kind: str, *older: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of a record of this kind, or an older one; anything else is a ValueError."""
    try:
        with open(path, "rb") if isinstance(path, Path) else path as file, zipfile.ZipFile(file) as stored:
            arrays = {name.removesuffix(".npy"): _array(stored.read(name)) for name in stored.namelist()}
        header = json.loads(str(arrays.pop("header")))
        found = header.pop("format")
    except (AttributeError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error, EOFError):
        raise ValueError(f"{path}: a file of format {kind!r} was expected; write one with save") from None
    if found not in (kind, *older):
        raise ValueError(f"{path}: {kind!r} was expected, {found!r} came; update backdoor-curves")
    return header, arrays


def _array(content: bytes) -> np.ndarray:
    """Return the array of a .npy file; members are read whole, as numpy does not: they are many and small."""
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)


def as_arrays(name: str, value: Any) -> dict[str, np.ndarray]:
    """Return an array, a number, a CSR matrix, or a frozen record of these as named arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.files import as_arrays
    >>> from backdoor_curves.paths.interpolants import Rational
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
