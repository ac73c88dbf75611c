"""Which labels of a column are classes, in which order, and which rows are of them."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from backdoor_curves.rows import is_missing

Label = str | int
Group = tuple[Label, ...]
FEW = 2
"""Rows that a class needs: one to train on, one to test."""
MOST_CLASSES = 1000
"""More classes are a column of names or of measurements: a learner would have as many score columns."""
LONGEST = 200
"""Characters of a label: it stands in titles and tables."""
SHOWN = 10
"""Classes that an error lists."""


@dataclass(frozen=True)
class Classes:
    """Classes by their labels in the data; the place of a class is its label in `Samples`.

    Parameters
    ----------
    groups : tuple of tuples of labels
        The labels that each class has, one unless several are merged.

    Examples
    --------
    >>> from backdoor_curves.datasets.own_classes import Classes
    >>> Classes((("ham",), ("ad", "fraud"))).names
    ('ham', 'ad+fraud')
    """

    groups: tuple[Group, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What classes are called."""
        return tuple("+".join(map(str, group)) for group in self.groups)


def labels_of(column: Any, name: str, source: str, place: Callable[[int], str] = "row {}".format) -> np.ndarray:
    """Return a column as labels, an array of objects: str, or int for whole numbers.

    Parameters
    ----------
    column : array of shape (n,)
    name, source : str
        Of the column and where it is from, for errors.
    place : callable
        What errors call a row; by default its number, counted from 0 as Python does.

    Raises
    ------
    ValueError
        If some are missing (with their number and the first row), or are fractions.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets.own_classes import labels_of
    >>> labels_of(np.array([1.0, 0.0]), "paid", "a.csv").tolist()
    [1, 0]
    """
    if getattr(column, "ndim", 2) != 1:
        raise ValueError(f"{source}: one label a row was expected in {name!r}, rows of shape {column.shape[1:]} came")
    missing = np.array([is_missing(value) for value in column.tolist()], dtype=bool)
    if missing.any():
        count = f"{missing.sum()} of {len(missing)} " + ("is" if missing.sum() == 1 else "are")
        raise ValueError(
            f"{source}: a label for each row was expected in {name!r}, {count} missing, the first in "
            f"{place(int(missing.argmax()))}; label these rows or leave them out"
        )
    if column.dtype.kind == "f":
        if (bad := np.flatnonzero(~(column == np.floor(column)) | np.isinf(column))).size:
            raise ValueError(
                f"{source}: classes were expected in {name!r}, {column[bad[0]]:g} came in {place(int(bad[0]))}; a "
                "number to be predicted is no class: cut it into ranges"
            )
        column = column.astype(np.int64)
    labels = np.empty(len(column), dtype=object)
    labels[:] = column.tolist()
    return labels


def chosen_classes(
    labels: np.ndarray, wanted: Sequence[Label | Sequence[Label]], positive: Label | None, source: str
) -> Classes:
    """Return the classes that are wanted, or all in order, words by alphabet; `positive` is last, the others are one.

    Parameters
    ----------
    labels : array of objects
    wanted : sequence of labels and of sequences of labels
        The latter are merged into one class. Empty for all.
    positive : label, optional
        The second of two classes, the first being all others.
    source : str

    Raises
    ------
    ValueError
        If there are fewer than two classes or too many, one is not there, comes twice or has one row alone.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets.own_classes import chosen_classes
    >>> y = np.array(["b", "a", "c", "a", "b", "c"], dtype=object)
    >>> chosen_classes(y, (), None, "a.csv").names, chosen_classes(y, ("c", "a"), None, "a.csv").names
    (('a', 'b', 'c'), ('c', 'a'))
    >>> chosen_classes(y, (), "a", "a.csv").names
    ('b+c', 'a')
    """
    counts = Counter(labels.tolist())
    known = sorted(counts, key=lambda label: (isinstance(label, str), label))
    if len(known) < 2:
        raise ValueError(f"{source}: labels of two classes or more were expected, {known[0]!r} alone came")
    if positive is not None:
        _require_known([positive], known, source)
        groups: list[Group] = [tuple(label for label in known if label != positive), (positive,)]
    elif wanted:
        groups = [tuple(one) if isinstance(one, list | tuple) else (one,) for one in wanted]  # type: ignore[misc]
        flat = [label for group in groups for label in group]
        _require_known(flat, known, source)
        if twice := [label for label, times in Counter(flat).items() if times > 1]:
            raise ValueError(f"{source}: classes: each label once was expected, {twice[0]!r} came twice")
    else:
        groups = [(label,) for label in known]
    if not 2 <= len(groups) <= MOST_CLASSES or not all(groups):
        raise ValueError(
            f"{source}: 2 to {MOST_CLASSES} classes were expected, {len(groups)} came, {_listed(known)}; choose "
            "another label, or some classes"
        )
    for group in groups:
        require_printable(group, source)
        if sum(counts[label] for label in group) < FEW:
            raise ValueError(
                f"{source}: {FEW} rows of each class or more were expected, {group[0]!r} has one; leave it out with "
                "classes, or merge it with another"
            )
    return Classes(tuple(groups))


def require_printable(labels: Sequence[Label], source: str) -> None:
    """Refuse labels that a terminal or a table would not show as they are."""
    if bad := [label for label in labels if not str(label).isprintable() or len(str(label)) > LONGEST]:
        raise ValueError(
            f"{source}: labels of at most {LONGEST} printable characters were expected, {bad[0]!r:.60} came"
        )


def places_of(labels: np.ndarray, classes: Classes) -> Int[np.ndarray, " n"]:
    """Return the place of each label's class; -1 for labels of none."""
    place = {label: k for k, group in enumerate(classes.groups) for label in group}
    return np.array([place.get(label, -1) for label in labels.tolist()], dtype=np.int64)


def _require_known(asked: Sequence[Label], known: Sequence[Label], source: str) -> None:
    for label in asked:
        if label not in known or isinstance(label, bool):
            words = [str(one) for one in known]
            near = difflib.get_close_matches(str(label), words, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near and near[0] != str(label) else f"there are {_listed(known)}"
            raise ValueError(f"{source}: a class out of its labels was expected, {label!r} came; {hint}")


def _listed(known: Sequence[Label]) -> str:
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"{', '.join(f'{label!r:.40}' for label in known[:SHOWN])}{more}"
