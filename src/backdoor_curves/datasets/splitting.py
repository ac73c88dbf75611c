"""Which rows are trained on and which are tested: each class in its share, rows of one group on one side."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int


def stratified_order(y: Int[np.ndarray, " n"], rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Return all rows in a random order of which every beginning has each class in its share, to a row or so.

    The j-th of the n_k rows of class k, in random order, stands at (j + u_k) / n_k, u_k being uniform in [0, 1).

    Parameters
    ----------
    y : int array of shape (n,)
    rng : numpy Generator

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets.splitting import stratified_order
    >>> y = np.repeat([0, 1], [30, 10])
    >>> y[stratified_order(y, np.random.default_rng(0))[:20]].sum()
    np.int64(5)
    """
    at = np.empty(len(y))
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        at[rng.permutation(rows)] = (np.arange(len(rows)) + rng.random()) / len(rows)
    return np.argsort(at, kind="stable")


def split(
    y: Int[np.ndarray, " n"], groups: np.ndarray | None, share: float, rng: np.random.Generator, source: str
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    """Return the rows to train on and those to test, in a random order of which every beginning is stratified.

    Parameters
    ----------
    y : int array of shape (n,)
        Classes.
    groups : array of shape (n,), optional
        Rows that are equal in it stay on one side.
    share : float in (0, 1)
        Of the rows, to test; each class has one row at least on either side.
    rng : numpy Generator
    source : str
        What the data are called in errors.

    Raises
    ------
    ValueError
        If a class would have no row on one side.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets.splitting import split
    >>> train, test = split(np.arange(8) % 2, np.arange(8) // 2, 0.25, np.random.default_rng(0), "a.csv")
    >>> sorted(np.unique(test // 2).tolist() + np.unique(train // 2).tolist())
    [0, 1, 2, 3]
    """
    order = stratified_order(y, rng)
    is_test = _whole_groups(y, groups, share, rng) if groups is not None else _first_of_each(y, order, share)
    train, test = order[~is_test[order]], order[is_test[order]]
    for label in np.unique(y):
        for side, rows in (("to train on", train), ("to test", test)):
            if not (y[rows] == label).any():
                raise ValueError(
                    f"{source}: rows of each class {side} were expected, class {label} of {len(np.unique(y))} has none "
                    "in its groups there; change test, or leave group out"
                )
    return train, test


def _first_of_each(y: Int[np.ndarray, " n"], order: Int[np.ndarray, " n"], share: float) -> np.ndarray:
    """Return which rows are tested: the first of each class in an order, to the nearest of its share."""
    is_test = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        rows = order[y[order] == label]
        is_test[rows[: min(max(round(share * len(rows)), 1), len(rows) - 1)]] = True
    return is_test


def _whole_groups(y: np.ndarray, groups: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return which rows are tested: groups in random order, as long as classes lack more rows than they would have.

    A group is tested if more than half of its rows are of classes that lack them: so no class has its share missed by
    more than half a group.
    """
    _, group = np.unique(groups.astype(str), return_inverse=True)
    counts: Any = np.zeros((group.max() + 1, int(y.max()) + 1), dtype=np.int64)
    np.add.at(counts, (group, y), 1)
    lacking = share * counts.sum(axis=0)
    tested = np.zeros(len(counts), dtype=bool)
    for k in rng.permutation(len(counts)):
        if 2.0 * np.minimum(counts[k], np.maximum(lacking, 0.0)).sum() >= counts[k].sum():
            tested[k] = True
            lacking = lacking - counts[k]
    return tested[group]
