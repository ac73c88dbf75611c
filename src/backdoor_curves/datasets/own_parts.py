"""Which column of a table is what, which rows are tested and which are of a source: from a file to rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backdoor_curves.data.marked import MarkedSamples
from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.condition import Condition
from backdoor_curves.datasets.files.content import warn_of_reading
from backdoor_curves.datasets.files.folders import LABEL, NAME
from backdoor_curves.datasets.files.images import IMAGE
from backdoor_curves.datasets.files.read import read_table
from backdoor_curves.datasets.files.table import Table
from backdoor_curves.datasets.files.texts import TEXT
from backdoor_curves.datasets.labelled import Labelled, drawn, labelled, marks_of, parted
from backdoor_curves.datasets.own_classes import Label, chosen_classes, labels_of
from backdoor_curves.datasets.own_rows import column_names, feature_names, said_of_names
from backdoor_curves.datasets.sampling import check_count
from backdoor_curves.rows import stack_rows

Reader = Callable[[Path], Table]


@dataclass(frozen=True, eq=False)
class OwnRows:
    """Rows of one's own, with what their classes and columns are called.

    Parameters
    ----------
    train, test : Samples
        Labels are places in `classes`.
    classes : tuple of labels and of tuples of labels
        The labels that each class has in the data; several are merged.
    columns : tuple of str
        Names of the columns of a table; empty of texts and images.
    """

    train: Samples
    test: Samples
    classes: tuple[Label | tuple[Label, ...], ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowsOfSource:
    """Training rows that are to be weighted with beta, and the test rows whose loss is asked for.

    Parameters
    ----------
    suspect : Condition, optional
        For which rows it holds; its column is no feature unless it is named.
    file : path, optional
        Where such rows are instead, with the columns of the data.
    watch : Condition, optional
        Of test rows; by default all are watched.
    """

    suspect: Condition | None = None
    file: Path | None = None
    watch: Condition | None = None


@dataclass(frozen=True)
class Parts:
    """Which column is what, and which labels are classes, as in `from_file`.

    With a `source` its training rows are marked, and the test rows that are watched.
    """

    label: str = LABEL
    text: str | None = None
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    group: str | None = None
    classes: tuple[Label | Sequence[Label], ...] = ()
    positive: Label | None = None
    source: RowsOfSource | None = None


def own_rows(
    parts: Parts,
    path: Path,
    test: float | Path,
    counts: tuple[int | None, int | None],
    rng: np.random.Generator | None,
    read: Reader = read_table,
) -> OwnRows:
    """Return the rows of a file with the names of their classes and columns.

    Parameters
    ----------
    parts : Parts
    path : path
    test : float or path
        A share of the rows, or the file of the test rows.
    counts : (int or None, int or None)
        Training and test rows to draw; None for all.
    rng : numpy Generator, optional
        Needed where rows are drawn.
    read : callable
        From a path to its table.
    """
    _require_sense(parts, test, counts)
    table = read(path)
    parts = _of_folder(parts, table)
    names = feature_names(table, parts.text, parts.columns, parts.drop, _beside(parts, table))
    features = table.select(names)
    if not parts.text and (said := said_of_names(features, names)):
        warn_of_reading(said)
    labels = labels_of(table.column(parts.label, "label"), parts.label, table.source, table.place)
    classes = chosen_classes(labels, parts.classes, parts.positive, table.source)
    whole = labelled(table, parts.label, names, classes, others_are_left_out=True)
    if isinstance(test, Path):
        other = labelled(read(test), parts.label, names, classes, others_are_left_out=bool(parts.classes))
        train, tested = drawn(whole, counts[0], "n_train", rng), drawn(other, counts[1], "n_test", rng)
    else:
        train, tested = parted(whole, test, parts.group, counts, rng)
    rows = [part.samples(names, parts.text, features) for part in (train, tested)]
    if (source := parts.source) is not None:
        of_file: Samples | None = None
        if source.file is not None:
            more = labelled(read(source.file), parts.label, names, classes, bool(parts.classes))
            of_file = more.samples(names, parts.text, features)
        rows = [_of_source(rows[0], train, source, of_file), _watched(rows[1], tested, source)]
    groups = tuple(group[0] if len(group) == 1 else group for group in classes.groups)
    return OwnRows(rows[0], rows[1], groups, () if parts.text else column_names(rows[0].X, names))


def _of_source(rows: Samples, train: Labelled, source: RowsOfSource, of_file: Samples | None) -> MarkedSamples:
    """Return the training rows with those of the source marked; those of a file follow the others."""
    if of_file is not None:
        X, y = stack_rows(rows.X, of_file.X), np.concatenate([rows.y, of_file.y])
        return MarkedSamples(X, y, is_marked=np.arange(len(y)) >= len(rows))
    assert source.suspect is not None  # one or the other
    marks = marks_of(train, source.suspect.rows(train.table, "suspect"))
    if not marks.any() or marks.all():
        came = "all" if marks.any() else "none"
        raise ValueError(
            f"{train.table.source}: suspect: a part of the training rows was expected, {came} came; train on more rows"
        )
    return MarkedSamples(rows.X, rows.y, is_marked=marks)


def _watched(rows: Samples, tested: Labelled, source: RowsOfSource) -> MarkedSamples:
    """Return the test rows with those marked that are watched."""
    watch = source.watch
    marks = np.ones(len(rows), dtype=bool) if watch is None else marks_of(tested, watch.rows(tested.table, "watch"))
    if not marks.any():
        raise ValueError(f"{tested.table.source}: watch: some of the test rows were expected, none came; test more")
    return MarkedSamples(rows.X, rows.y, is_marked=marks)


def _require_sense(parts: Parts, test: float | Path, counts: tuple[int | None, int | None]) -> None:
    for name, n in zip(("n_train", "n_test"), counts, strict=True):
        if n is not None:
            check_count(name, n)
    if not isinstance(test, Path) and not 0.0 < test < 1.0:
        raise ValueError(f"test: a share of the rows in (0, 1) was expected, {test!r} came; test_file names a file")
    if isinstance(test, Path) and parts.group is not None:
        raise ValueError("group: no group was expected beside test_file: the rows are on two sides already")
    if sum(map(bool, (parts.text, parts.columns, parts.drop))) > 1:
        raise ValueError("columns: one of text, columns and drop was expected, several came")
    if parts.classes and parts.positive is not None:
        raise ValueError("classes: one of classes and positive was expected, both came")


def _of_folder(parts: Parts, table: Table) -> Parts:
    """Return what is which column of a folder's table, where nothing is said: its texts, or its images."""
    if NAME not in table.columns or parts.text or parts.columns or parts.drop:
        return parts
    if TEXT in table.columns:
        return replace(parts, text=TEXT)
    return replace(parts, columns=(IMAGE,)) if IMAGE in table.columns else parts


def _beside(parts: Parts, table: Table) -> list[str]:
    """Return the columns that are no features unless they are named: the label first."""
    suspect = None if parts.source is None else parts.source.suspect
    beside = {"label": parts.label, "group": parts.group, "suspect": None if suspect is None else suspect.column}
    for role, name in beside.items():
        if name is not None:
            table.require(name, role)
    return [name for name in beside.values() if name is not None]
