"""Which classes and which rows of a data set are taken: shared by the loaders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, Integer

Classes = Sequence[int | Sequence[int]] | np.ndarray | str
"""K >= 2 classes, each an int or a group of ints that become one class, or the name of a grouping."""

Groups = tuple[tuple[int, ...], ...]
"""K groups of the data set's own classes; the place of a group is its label."""

DIGIT_GROUPINGS: Mapping[str, Groups] = {"even-odd": ((0, 2, 4, 6, 8), (1, 3, 5, 7, 9))}
"""The groupings of digits that have a name."""


def class_groups(classes: Classes, known: Sequence[int], groupings: Mapping[str, Groups]) -> Groups:
    """Return the classes asked for as K groups; group k is what the loader labels k.

    Parameters
    ----------
    classes : sequence of K >= 2 entries, or str
        Each entry an int class, or a tuple of ints merged into one class. The order counts: in `(7, 1)` class 7 gets
        label 0. "all" is every class apart; the names in `groupings` are taken too.
    known : sequence of int
        The data set's classes.
    groupings : mapping of str to groups
        The groupings of this data set that have a name.

    Returns
    -------
    tuple of K tuples of int
        Disjoint groups of known classes, in the order asked.

    Raises
    ------
    ValueError
        If a name or a class is unknown, if a class comes twice, or if there are fewer than two entries.

    Examples
    --------
    >>> class_groups((7, (1, 4)), range(10), {})
    ((7,), (1, 4))
    >>> class_groups("all", range(3), {})
    ((0,), (1,), (2,))
    """
    if isinstance(classes, str):
        named = {"all": tuple((label,) for label in known), **groupings}
        if classes not in named:
            names = " or ".join(f'"{name}"' for name in named)
            raise ValueError(f"classes: {names} or a sequence of classes was expected, {classes!r} came")
        return named[classes]
    if not isinstance(classes, Sequence | np.ndarray):
        raise ValueError(f"classes: a name or a sequence of classes, as (7, 1), was expected, {classes!r} came")
    groups = tuple(_group(entry, known) for entry in classes)
    if len(groups) < 2:
        raise ValueError(f"classes: two classes or more were expected, {len(groups)} came; add another, as in (7, 1)")
    flat = [label for group in groups for label in group]
    if twice := [label for label in known if flat.count(label) > 1]:
        raise ValueError(f"classes: each class once was expected, {twice[0]} came twice; leave one out")
    return groups


def _group(entry: Any, known: Sequence[int]) -> tuple[int, ...]:
    """Return one entry of `classes` as a tuple of known classes."""
    merged = list(entry) if isinstance(entry, Sequence | np.ndarray) and not isinstance(entry, str) else [entry]
    for label in merged:
        if isinstance(label, bool) or not isinstance(label, int | np.integer) or label not in known:
            among = ", ".join(map(str, known))
            raise ValueError(f"classes: classes out of {among} were expected, {label!r} came; choose among these")
    if not merged:
        raise ValueError("classes: at least one class in a group was expected, an empty group came; leave it out")
    return tuple(int(label) for label in merged)


def check_count(name: str, value: Any) -> None:
    """Raise a ValueError that carries `name` unless `value` is a positive int.

    Examples
    --------
    >>> check_count("n_train", 100)
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name}: a positive int was expected, {value!r} came; give a number of rows, at least 1")


def grouped_rows(
    labels: Integer[np.ndarray, " n"], groups: Groups
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " a"]]:
    """Return the rows whose class is in a group, in file order, and their new labels 0..K-1.

    Examples
    --------
    >>> grouped_rows(np.array([1, 5, 7, 1]), ((7,), (1,)))
    (array([0, 2, 3]), array([1, 0, 1]))
    """
    place = {label: k for k, group in enumerate(groups) for label in group}
    y = np.array([place.get(label, -1) for label in labels.tolist()], dtype=np.int64)
    rows = np.flatnonzero(y >= 0)
    return rows, y[rows]


def sample_rows(
    labels: Integer[np.ndarray, " n"], groups: Groups, n: int | None, *, name: str, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Return rows of the groups drawn without replacement, and their labels 0..K-1.

    Parameters
    ----------
    labels : int array of shape (n_rows,)
        The data set's own labels.
    groups : K groups of classes
        As `class_groups` gives them.
    n : int or None
        Rows to draw. They come in random order, and for one state of `rng` those of a smaller n come first among
        those of a larger one. None takes every row of the groups, in file order.
    name : str
        What `n` is called in errors.
    rng : numpy Generator
        Source of the random rows. It advances by the same amount whatever `n` is.

    Returns
    -------
    rows : int array of shape (m,)
        Row numbers in [0, n_rows).
    y : int array of shape (m,)
        Their labels, in [0, K).

    Raises
    ------
    ValueError
        If the groups have fewer than n rows.

    Examples
    --------
    >>> sample_rows(np.array([1, 5, 7, 1]), ((7,), (1,)), None, name="n_train", rng=np.random.default_rng(0))
    (array([0, 2, 3]), array([1, 0, 1]))
    """
    rows, y = grouped_rows(labels, groups)
    # Drawn even when every row is taken, so that the number of training rows never changes which test rows follow.
    order = rng.permutation(len(rows))
    if n is None:
        return rows, y
    if n > len(rows):
        raise ValueError(
            f"{name}: at most {len(rows)} rows were expected, as there are no more of these classes, {n} came; "
            "ask for fewer or leave it out to take all"
        )
    return rows[order[:n]], y[order[:n]]
