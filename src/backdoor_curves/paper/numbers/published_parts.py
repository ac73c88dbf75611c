"""What published files have in common: their betas ascend, their numbers are finite, and a fault names the file."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float


def ascending_betas(values: Any) -> Float[np.ndarray, " betas"]:
    """Return betas; refuse others than such that ascend from 0 to at most 1."""
    betas = finite("betas", values)
    if betas.ndim != 1 or not betas.size or betas[0] != 0 or betas[-1] > 1 or (np.diff(betas) <= 0).any():
        raise ValueError("betas that ascend from 0 to at most 1 were expected")
    return betas


def finite(name: str, values: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return finite numbers, of a shape if one is given; refuse others."""
    array = np.asarray(values, dtype=float)
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name}: shape {shape} was expected, {array.shape} came")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: finite numbers were expected, NaN or an infinity came")
    return array


def require_same(path: Path, what: str, found: set[str], expected: set[str]) -> None:
    """Refuse names that are missing or unknown."""
    if found != expected:
        wrong = [f"{sign} {', '.join(sorted(names))}" for sign, names in _sides(found, expected) if names]
        raise ValueError(f"the published {what} were expected in {path.name}: {'; '.join(wrong)}")


def _sides(found: set[str], expected: set[str]) -> list[tuple[str, set[str]]]:
    return [("there is no", expected - found), ("unknown:", found - expected)]


DAMAGE = (AttributeError, EOFError, KeyError, StopIteration, TypeError, ValueError, csv.Error)


@contextmanager
def worded(path: Path) -> Iterator[None]:
    """Name the file in whatever keeps it from being read."""
    try:
        yield
    except (*DAMAGE, zipfile.BadZipFile, zlib.error) as error:
        said = str(error) if type(error) is ValueError else f"it is damaged ({type(error).__name__}: {error})"
        raise ValueError(f"{path}: a published file was expected: {said}; take it anew from its source") from None
