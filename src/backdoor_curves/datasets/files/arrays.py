"""An .npz file: named arrays of as many rows, dense or one CSR matrix as scipy names its parts; never unpickled."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import scipy.sparse as sp

from backdoor_curves.datasets.files.columns import WHOLE
from backdoor_curves.datasets.files.content import require_file
from backdoor_curves.datasets.files.table import Column, Table
from backdoor_curves.kernels.memory import available_memory

CSR = ("data", "indices", "indptr", "shape")
"""The parts of a CSR matrix, as `scipy.sparse.save_npz` calls them."""
SPARSE = "X"
"""What the column of a CSR matrix is called."""
SHARE = 0.5
"""Of the free memory, what the arrays of a file may take: they are copied into training and test rows."""


def read_arrays(path: Path, source: str) -> Table:
    """Return the arrays of an .npz file as columns: any array of n rows is one, of images or embeddings too.

    Arrays of numbers and of text are taken, truths as 0 and 1. The arrays "data", "indices", "indptr" and "shape" are
    one CSR matrix, the column "X": `np.savez(path, y=y, data=X.data, indices=X.indices, indptr=X.indptr,
    shape=X.shape)`.

    Parameters
    ----------
    path : path
    source : str
        What it is called in errors.

    Raises
    ------
    ValueError
        If it is no such file, has objects in it, or arrays that do not fit into half of the free memory.
    """
    require_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = dict(_arrays(archive, source))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{source}: an .npz file was expected ({error}); write it with numpy.savez") from None
    if set(CSR) <= arrays.keys():
        arrays = {SPARSE: _csr(arrays, source), **{k: v for k, v in arrays.items() if k not in (*CSR, "format")}}
    if single := [name for name, array in arrays.items() if not array.ndim]:
        raise ValueError(f"{source}: arrays of rows were expected, {single[0]!r} is a single value; leave it out")
    return Table(source, {name: _column(array, name, source) for name, array in arrays.items()})


def _arrays(archive: zipfile.ZipFile, source: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of an archive; what they take is known, and refused, before they are read."""
    room = SHARE * available_memory()
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        with archive.open(member) as stream:
            needed = _size(stream, name, source)
        room -= needed
        if room < 0:
            raise ValueError(
                f"{source}: arrays that fit into half of the free memory were expected, {name!r} has {needed} bytes"
            )
        try:
            with archive.open(member) as stream:
                yield name, np.lib.format.read_array(stream, allow_pickle=False)
        except ValueError as error:
            raise ValueError(f"{source}: a whole array was expected, {name!r} breaks off ({error})") from None


def _size(stream: IO[bytes], name: str, source: str) -> int:
    """Return the bytes that an array takes, by its header."""
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, _, dtype = read(stream)
    except (KeyError, ValueError):
        raise ValueError(f"{source}: arrays were expected, {name!r} is none; leave it out") from None
    if dtype.hasobject or dtype.names is not None:
        kind = "objects" if dtype.hasobject else "records"
        raise ValueError(
            f"{source}: arrays of numbers or text were expected, {name!r} has {kind}, and nothing is unpickled; write "
            "columns of numbers, or texts as an array of dtype str"
        )
    if any(length < 0 for length in shape):
        raise ValueError(f"{source}: arrays were expected, {name!r} has the shape {shape}; write it again")
    return math.prod(shape) * dtype.itemsize


def _csr(arrays: dict[str, np.ndarray], source: str) -> sp.csr_array:
    """Return the CSR matrix whose parts these are, checked entry by entry: what scipy takes unchecked may crash it."""
    data, indices, indptr, shape = (arrays[name] for name in CSR)
    try:
        if "format" in arrays and arrays["format"].item() not in ("csr", b"csr"):
            raise ValueError(f"format 'csr' was expected, {arrays['format'].item()!r} came; take X.tocsr()")
        X = sp.csr_array((data, indices, indptr), shape=tuple(int(length) for length in shape.ravel()))
        X.check_format(full_check=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: the parts of a CSR matrix were expected in {', '.join(CSR)}: {error}") from None
    if data.dtype.kind not in "biuf":
        raise ValueError(f"{source}: numbers were expected in 'data', {data.dtype} came")
    return sp.csr_array(X, dtype=float)


def _column(array: Column, name: str, source: str) -> Column:
    if sp.issparse(array):
        return array
    if array.dtype.kind in "US":
        text = array if array.dtype.kind == "U" else np.char.decode(array, "utf-8", "replace")
        words = np.empty(array.shape, dtype=object)
        words[...] = text.tolist()
        return words
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{source}: arrays of numbers or text were expected, {name!r} is of {array.dtype}; convert it")
    if array.ndim == 1 and array.dtype.kind in "biu" and (abs(array.astype(float)) < WHOLE).all():
        return array.astype(np.int64)
    return array.astype(np.float64, copy=False)
