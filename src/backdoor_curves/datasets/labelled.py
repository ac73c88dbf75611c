"""Rows of a table with their classes: which of them are trained on, and which are tested."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from backdoor_curves.data.rng import check_rng
from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.files.content import warn_of_reading
from backdoor_curves.datasets.files.table import Table, is_wide, is_words
from backdoor_curves.datasets.own_classes import Classes, labels_of, places_of
from backdoor_curves.datasets.own_rows import rows_of, said_of_infinities
from backdoor_curves.datasets.splitting import split, stratified_order
from backdoor_curves.rows import is_missing


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows of a table and the places of their classes.

    Parameters
    ----------
    table : Table
    rows, y : int arrays of shape (n,)
    """

    table: Table
    rows: Int[np.ndarray, " n"]
    y: Int[np.ndarray, " n"]

    def take(self, at: Int[np.ndarray, " k"]) -> Labelled:
        """Return some of the rows, in the order asked."""
        return replace(self, rows=self.rows[at], y=self.y[at])

    def samples(self, names: list[str], text: str | None, like: Table | None = None) -> Samples:
        """Return columns of the rows, see `rows_of`; with `like` the columns must be of the kinds of that table's."""
        features = self.table.select(names)
        features = features if like is None or like is self.table else _alike(features, like)
        return Samples(rows_of(features.take(self.rows), text), self.y)


def labelled(
    table: Table, label: str, features: Iterable[str], classes: Classes, others_are_left_out: bool
) -> Labelled:
    """Return the rows of a table that are of a class; that others are left out is said, or else they are refused.

    Raises
    ------
    ValueError
        If labels are missing or of a class that is none.

    Warns
    -----
    ReadingWarning
        If rows are left out, or a feature has an infinite number.
    """
    labels = labels_of(table.column(label, "label"), label, table.source, table.place)
    y = places_of(labels, classes)
    rows = np.flatnonzero(y >= 0)
    n_left_out = len(y) - len(rows)
    if n_left_out and not others_are_left_out:
        first = int((y < 0).argmax())
        raise ValueError(
            f"{table.source}: labels of the training rows were expected, {labels[first]!r:.60} came in "
            f"{table.place(first)}; choose classes, or leave such rows out"
        )
    if n_left_out:
        warn_of_reading(
            f"{table.source}: {n_left_out} of {len(y)} rows are of other classes than {', '.join(classes.names)}, and "
            "left out"
        )
    if said := said_of_infinities(table.select(features), rows):
        warn_of_reading(said)
    return Labelled(table, rows, y[rows])


def parted(
    whole: Labelled,
    share: float,
    group: str | None,
    counts: tuple[int | None, int | None],
    rng: np.random.Generator | None,
) -> tuple[Labelled, Labelled]:
    """Return the rows to train on and those to test, see `split`; of each so many are drawn, or all."""
    check_rng(rng)
    assert rng is not None  # check_rng refused it
    groups = None if group is None else _group_of(whole.table, group)[whole.rows]
    train, test = split(whole.y, groups, share, rng, whole.table.source)
    return whole.take(_first(train, counts[0], "n_train")), whole.take(_first(test, counts[1], "n_test"))


def drawn(whole: Labelled, n: int | None, name: str, rng: np.random.Generator | None) -> Labelled:
    """Return so many of the rows, each class in its share, or all in their order; `name` is what n is called."""
    if n is None:
        return whole
    check_rng(rng)
    assert rng is not None  # check_rng refused it
    return whole.take(_first(stratified_order(whole.y, rng), n, name))


def _first(order: Int[np.ndarray, " m"], n: int | None, name: str) -> Int[np.ndarray, " k"]:
    """Return the first n rows of an order, or all in the order of the file."""
    if n is None:
        return np.sort(order)
    if n > len(order):
        raise ValueError(f"{name}: at most {len(order)} rows were expected, there are no more, {n} came; ask for fewer")
    return order[:n]


def _group_of(table: Table, name: str) -> np.ndarray:
    """Return a column by which rows belong together; gaps are refused: nobody knows which belong together."""
    column = table.column(name, "group")
    if is_wide(column):
        raise ValueError(f"{table.source}: one value a row was expected in the group {name!r}, several came")
    if missing := [i for i, value in enumerate(column.tolist()) if is_missing(value)]:
        raise ValueError(
            f"{table.source}: a group for each row was expected in {name!r}, {len(missing)} are missing, the first in "
            f"{table.place(missing[0])}; fill them in, or leave these rows out"
        )
    return np.asarray(column)


def _alike(table: Table, like: Table) -> Table:
    """Return a table whose columns are of the kinds of another's; a column of gaps alone is of any kind."""
    columns = {}
    for name, column in table.columns.items():
        other = like.column(name)
        gaps = not is_wide(column) and not is_words(column) and bool(np.isnan(column.astype(float)).all())
        if not is_wide(other) and is_words(other) and gaps:
            column = np.full(len(table), None, dtype=object)  # the column as the other table has it
        if (is_wide(column), is_words(column)) != (is_wide(other), is_words(other)):
            kinds = ["words" if is_words(one) else "numbers" for one in (other, column)]
            raise ValueError(
                f"{table.source}: {kinds[0]} were expected in column {name!r}, as in {like.source}, {kinds[1]} came"
            )
        columns[name] = column
    return Table(table.source, columns, table.lines)


def marks_of(found: Labelled, holds: Bool[np.ndarray, " m"]) -> Bool[np.ndarray, " n"]:
    """Return for which of the rows something holds that is known of all rows of their table."""
    return holds[found.rows]
