"""A file or folder of one's own becomes a training and a test set: features, labels, classes, and a split."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from backdoor_curves.data.rng import check_rng
from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.files.content import warn_of_reading
from backdoor_curves.datasets.files.folders import LABEL, NAME
from backdoor_curves.datasets.files.images import IMAGE
from backdoor_curves.datasets.files.read import read_table
from backdoor_curves.datasets.files.table import Table
from backdoor_curves.datasets.files.texts import TEXT
from backdoor_curves.datasets.own_classes import Classes, Label, chosen_classes, labels_of, places_of
from backdoor_curves.datasets.own_rows import column_names, feature_names, rows_of
from backdoor_curves.datasets.sampling import check_count
from backdoor_curves.datasets.splitting import split, stratified_order
from backdoor_curves.rows import is_missing

TEST = 0.25
"""The share that is tested where nothing is said, as in scikit-learn's `train_test_split`."""


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


def from_file(
    path: str | os.PathLike[str],
    *,
    label: str = LABEL,
    text: str | None = None,
    columns: Sequence[str] = (),
    drop: Sequence[str] = (),
    test: float = TEST,
    test_file: str | os.PathLike[str] | None = None,
    group: str | None = None,
    classes: Sequence[Label | Sequence[Label]] = (),
    positive: Label | None = None,
    n_train: int | None = None,
    n_test: int | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[Samples, Samples]:
    """Return training and test rows of a file, or of a folder of images or texts with a folder for each class.

    Parameters
    ----------
    path : path
        As in `read_table`.
    label : str
        The column of the labels, words or whole numbers; of a folder it is "label".
    text : str, optional
        The column of texts that are the rows; of a folder of texts it is "text".
    columns, drop : sequence of str
        The columns that are features, in this order, or those that are none; by default all beside label and group.
    test : float in (0, 1)
        The share of the rows that is tested, of each class.
    test_file : path, optional
        Where the test rows are instead, with the same columns.
    group : str, optional
        A column: rows that are equal in it stay on one side, mails of one sender, say.
    classes : sequence of labels, or of sequences of labels that are merged into one class
        Which are classes, and in which order; rows of others are left out, which is said. By default all, numbers
        ascending before words by alphabet.
    positive : label, optional
        The second of two classes; the first are all others.
    n_train, n_test : int, optional
        Rows to draw, each class in its share. None takes all, in the order of the file.
    rng : numpy Generator
        Source of the split and of the rows drawn; for one state of it smaller sets are the first rows of larger ones.

    Returns
    -------
    train, test : Samples
        Labels are int64 places in `classes`. Rows are texts, images in [0, 1], or float64 of shape (n, d) with NaN for
        gaps where all columns are numbers; else a DataFrame of pandas, or polars, or an array of objects, by what is
        installed.

    Raises
    ------
    FileNotFoundError, ValueError
        In one sentence, if it cannot be read rightly, a column is not there, labels are missing, or classes are too few
        or too small.
    TypeError
        If rows are to be drawn and `rng` is no numpy Generator.

    Warns
    -----
    ReadingWarning
        If something is read in a way that may not be meant, or rows are left out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "loans.csv"
    ...     _ = path.write_text("age,income,paid\\n" + "20,1.5,yes\\n31,2.5,no\\n" * 10)
    ...     train, test = bc.datasets.from_file(path, label="paid", rng=np.random.default_rng(0))
    >>> train.X.shape, test.X.shape, np.bincount(test.y).tolist()
    ((16, 2), (4, 2), [2, 2])
    """
    found = own_rows(
        Parts(label, text, tuple(columns), tuple(drop), group, tuple(classes), positive),
        Path(path),
        test if test_file is None else Path(test_file),
        (n_train, n_test),
        rng,
    )
    return found.train, found.test


@dataclass(frozen=True)
class Parts:
    """Which column is what, and which labels are classes, as in `from_file`."""

    label: str = LABEL
    text: str | None = None
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    group: str | None = None
    classes: tuple[Label | Sequence[Label], ...] = ()
    positive: Label | None = None


def own_rows(
    parts: Parts,
    path: Path,
    test: float | Path,
    counts: tuple[int | None, int | None],
    rng: np.random.Generator | None,
    read: Callable[[Path], Table] = read_table,
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
    labels = labels_of(table.column(parts.label, "label"), parts.label, table.source)
    classes = chosen_classes(labels, parts.classes, parts.positive, table.source)
    names = feature_names(table, parts.text, parts.columns, parts.drop, _beside(parts, table))
    rows, y = _of_classes(labels, classes, table.source)
    if isinstance(test, Path):
        other = read(test)
        test_labels = labels_of(other.column(parts.label, "label"), parts.label, other.source)
        test_rows, test_y = _of_classes(test_labels, classes, other.source, is_test=not parts.classes)
        orders = _order(y, counts[0], rng), _order(test_y, counts[1], rng)
    else:
        other, test_rows, test_y = table, rows, y
        groups = None if parts.group is None else _group_of(table, parts.group)[rows]
        check_rng(rng)
        assert rng is not None  # check_rng refused it
        orders = split(y, groups, test, rng, table.source)
    train_at, test_at = (
        _first(order, n, name) for order, n, name in zip(orders, counts, ("n_train", "n_test"), strict=True)
    )
    train_X = rows_of(table.select(names).take(rows[train_at]), parts.text)
    test_X = rows_of(other.select(names).take(test_rows[test_at]), parts.text)
    return OwnRows(
        Samples(train_X, y[train_at]),
        Samples(test_X, test_y[test_at]),
        tuple(group[0] if len(group) == 1 else group for group in classes.groups),
        () if parts.text else column_names(train_X, names),
    )


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
    if parts.group is not None:
        table.column(parts.group, "group")
    return [parts.label] if parts.group is None else [parts.label, parts.group]


def _of_classes(
    labels: np.ndarray, classes: Classes, source: str, is_test: bool = False
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Return the rows whose labels are in a class, and their places; that others are left out is said.

    Of test rows, where no classes were chosen, others are refused: they are of a class that was never trained on.
    """
    y = places_of(labels, classes)
    rows = np.flatnonzero(y >= 0)
    left_out = len(y) - len(rows)
    if left_out and is_test:
        first = int((y < 0).argmax())
        raise ValueError(
            f"{source}: labels of the training rows were expected, {labels[first]!r:.60} came in row {first}; choose "
            "classes, or leave such rows out"
        )
    if left_out:
        warn_of_reading(
            f"{source}: {left_out} of {len(y)} rows are of other classes than {', '.join(classes.names)}, and left out"
        )
    return rows, y[rows]


def _group_of(table: Table, name: str) -> np.ndarray:
    """Return a column by which rows belong together; gaps are refused: nobody knows which belong together."""
    column = table.column(name, "group")
    if getattr(column, "ndim", 2) != 1:
        raise ValueError(f"{table.source}: one value a row was expected in the group {name!r}, several came")
    if missing := [i for i, value in enumerate(column.tolist()) if is_missing(value)]:
        raise ValueError(
            f"{table.source}: a group for each row was expected in {name!r}, {len(missing)} are missing, the first of "
            f"row {missing[0]}; fill them in, or leave these rows out"
        )
    return np.asarray(column)


def _order(y: Int[np.ndarray, " n"], n: int | None, rng: np.random.Generator | None) -> Int[np.ndarray, " n"]:
    """Return rows in a random order if some are to be drawn, else in that of the file."""
    if n is None:
        return np.arange(len(y))
    check_rng(rng)
    assert rng is not None  # check_rng refused it
    return stratified_order(y, rng)


def _first(order: Int[np.ndarray, " m"], n: int | None, name: str) -> Int[np.ndarray, " k"]:
    """Return the first n rows of an order, or all in the order of the file."""
    if n is None:
        return np.sort(order)
    if n > len(order):
        raise ValueError(f"{name}: at most {len(order)} rows were expected, there are no more, {n} came; ask for fewer")
    return order[:n]
