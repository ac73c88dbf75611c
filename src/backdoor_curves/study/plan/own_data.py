"""Data of one's own in a study: a file, or what a function returns for a seed; its classes and columns."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from backdoor_curves.data.samples import Samples, as_samples
from backdoor_curves.datasets.condition import Condition
from backdoor_curves.datasets.files.folders import LABEL
from backdoor_curves.datasets.files.read import read_table
from backdoor_curves.datasets.own_classes import chosen_classes, labels_of, places_of
from backdoor_curves.datasets.own_file import TEST
from backdoor_curves.datasets.own_parts import OwnRows, Parts, Reader, RowsOfSource, own_rows
from backdoor_curves.records.one_line import error_line
from backdoor_curves.rows import is_frame
from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.plan.own_code import found_by_name

KEPT = 3
"""Tables that a plan keeps while it draws its seeds: the rows, and those of a test file and of a source."""


def reader() -> Reader:
    """Return a function that reads tables, and knows the last ones: each seed of a study draws from the same."""
    return lru_cache(maxsize=KEPT)(read_table)


def own_data(data: DataConfig, seed: int, home: Path | None, read: Reader = read_table) -> OwnRows:
    """Return the rows of data of one's own for a seed.

    Those of a file are `datasets.from_file(..., rng=numpy.random.default_rng(seed))`, those of a call what the function
    returns, its labels as places in the classes.

    Parameters
    ----------
    data : DataConfig
        With a file or a call.
    seed : int
    home : path, optional
        The folder of the study's file.
    read : callable
        From a path to its table.

    Raises
    ------
    ValueError, OSError
        In one sentence, if they cannot be had.
    """
    if data.call is not None:
        return _called(data, data.call, seed, home)
    assert data.file is not None  # one or the other
    beside = Path() if home is None else home
    return own_rows(
        Parts(
            data.label or LABEL,
            data.text,
            data.columns,
            data.drop,
            data.group,
            () if isinstance(data.classes, str) else data.classes,
            data.positive,
            _source(data, beside) if data.has_source else None,
        ),
        beside / data.file,
        (data.test or TEST) if data.test_file is None else beside / data.test_file,
        (data.n_train, data.n_test),
        np.random.default_rng(seed),
        read,
    )


def _source(data: DataConfig, beside: Path) -> RowsOfSource:
    return RowsOfSource(
        None if data.suspect is None else Condition.of(data.suspect),
        None if data.poison is None else beside / data.poison,
        None if data.watch is None else Condition.of(data.watch),
    )


def resolved(data: DataConfig, found: OwnRows) -> DataConfig:
    """Return data with the names of their classes and columns, by which a study speaks of them; the same rows."""
    return replace(data, classes=found.classes, positive=None, columns=found.columns or data.columns, drop=())


def _called(data: DataConfig, call: str, seed: int, home: Path | None) -> OwnRows:
    """Return what a function returns for a seed."""
    function = found_by_name(call, home)
    if not callable(function):
        raise ValueError(f"{call!r}: a function (seed) -> (train, test) was expected, {type(function).__name__} came")
    try:
        made = function(seed)
    except (Exception, SystemExit) as error:  # whatever a function of one's own does
        raise ValueError(f"{call!r}: rows were expected for seed {seed}, it raises {error_line(error)}") from error
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise ValueError(f"{call!r}: a pair (train, test) was expected, {_said(made)} came")
    try:
        train, test = (as_samples(part, name) for part, name in zip(made, ("train", "test"), strict=True))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{call!r}: {error}") from error
    for name, part in (("train", train), ("test", test)):
        if not len(part):
            raise ValueError(f"{call!r}: {name}: rows were expected, none came")
    labels = [labels_of(_column(part.y), "its labels", repr(call)) for part in (train, test)]
    wanted = () if isinstance(data.classes, str) else data.classes
    classes = chosen_classes(labels[0], wanted, data.positive, repr(call))
    columns = tuple(map(str, train.X.columns)) if is_frame(train.X) else ()
    parts = []
    for part, own in zip((train, test), labels, strict=True):
        y = places_of(own, classes)
        if not wanted and (y < 0).any():
            raise ValueError(f"{call!r}: test labels out of {classes.names} were expected, {own[y < 0][0]!r} came")
        rows = np.flatnonzero(y >= 0)
        kept = part if len(rows) == len(y) else part.take(rows)
        parts.append(Samples(kept.X, y[rows], kept.weight))
    groups = tuple(group[0] if len(group) == 1 else group for group in classes.groups)
    return OwnRows(parts[0], parts[1], groups, columns)


def _column(y: np.ndarray) -> np.ndarray:
    """Return labels as a column: truths as 0 and 1, words as objects."""
    return y.astype(np.int64) if y.dtype.kind == "b" else y.astype(object) if y.dtype.kind in "US" else y


def _said(made: Any) -> str:
    return f"{type(made).__name__} of {len(made)}" if isinstance(made, tuple | list) else type(made).__name__
