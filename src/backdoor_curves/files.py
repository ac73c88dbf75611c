"""Records on disk: named arrays and a JSON header in one .npz file, without pickle, whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


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


def read_record(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of a record; anything else than one of this kind is a ValueError."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(str(arrays.pop("header")))
        found = header.pop("format")
    except (AttributeError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error, EOFError):
        raise ValueError(f"{path}: a file of format {kind!r} was expected; write one with save") from None
    if found != kind:
        raise ValueError(f"{path}: {kind!r} was expected, {found!r} came; update backdoor-curves")
    return header, arrays
