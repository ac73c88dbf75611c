"""Rows as scikit-learn takes them: an array of any shape, a CSR matrix, a DataFrame or a list of texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int

Rows = Any
"""Rows as scikit-learn takes them: an array of any shape, a CSR matrix, a DataFrame or a list (of texts, say)."""


def n_rows(X: Rows) -> int:
    """Return the number of rows of an array, sparse matrix, DataFrame or list."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def row_shape(X: Rows) -> tuple[int, ...]:
    """Return the shape of one row: (d,) or (height, width, channels), say; () for the items of a list."""
    return tuple(X.shape[1:] if hasattr(X, "shape") else ())


def take_rows(X: Rows, rows: Int[np.ndarray, " k"]) -> Rows:
    """Return the given rows of an array, sparse matrix, DataFrame or list, in the order asked, as the same kind."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    return X[rows] if hasattr(X, "shape") else [X[i] for i in rows]


def as_floats(X: Rows) -> Rows:
    """Return rows in double precision: an array, or CSR with each entry once and none of them 0."""
    if not sp.issparse(X):
        return np.asarray(X, dtype=float)
    X = sp.csr_array(X, dtype=float, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


def same_kind(first: Rows, second: Rows) -> bool:
    """Return whether both are arrays (memory-mapped ones too), both sparse, or else of one type."""
    both = (first, second)
    if any(isinstance(X, np.ndarray) for X in both):
        return all(isinstance(X, np.ndarray) for X in both)
    return all(sp.issparse(X) for X in both) or type(first) is type(second)


def stack_rows(first: Rows, second: Rows) -> Rows:
    """Return the rows of `first` followed by those of `second`; both must be of the same kind."""
    if sp.issparse(first) and sp.issparse(second):
        return sp.vstack([first, second], format="csr")
    if not same_kind(first, second):
        raise TypeError(
            f"rows of one kind were expected, {type(first).__name__} and {type(second).__name__} came; convert one"
        )
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat([first, second])
    return np.concatenate([first, second]) if hasattr(first, "shape") else [*first, *second]


def require_alike(first: Rows, second: Rows, name: str) -> None:
    """Refuse rows of another shape than `first`, or with other columns; `name` is what they are called."""
    expected, came = row_shape(first), row_shape(second)
    if expected != came:
        raise ValueError(f"{name}: rows of shape {expected} were expected, of {came} came")
    if hasattr(first, "columns") and hasattr(second, "columns") and list(first.columns) != list(second.columns):
        raise ValueError(
            f"{name}: the columns {list(first.columns)} were expected in this order, {list(second.columns)} came"
        )


def equal_rows(first: Rows, second: Rows) -> bool:
    """Return whether two arrays or two CSR matrices have the same rows in the same order."""
    if sp.issparse(first) != sp.issparse(second) or first.shape != second.shape:
        return False
    return (first != second).nnz == 0 if sp.issparse(first) else np.array_equal(first, second)


def contents(X: Rows) -> Iterator[bytes]:
    """Yield the content of each row of an array or a CSR matrix: equal rows, and only they, have the same."""
    for i in range(n_rows(X)):
        row = X[[i]] if sp.issparse(X) else X[i]
        # Adding 0 makes -0.0 the 0.0 that it equals.
        yield row.indices.tobytes() + (row.data + 0).tobytes() if sp.issparse(X) else (row + 0).tobytes()


def distinct_rows(X: Rows, y: np.ndarray) -> tuple[Int[np.ndarray, " d"], Int[np.ndarray, " n"]]:
    """Return the first of each set of equal rows with equal labels, ascending, and the set that each row belongs to.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.rows import distinct_rows
    >>> distinct_rows(np.array([[1.0], [2.0], [1.0]]), np.array([0, 0, 0]))
    (array([0, 1]), array([0, 1, 0]))
    """
    seen: dict[tuple[bytes, Any], int] = {}
    first: list[int] = []
    group = np.empty(len(y), dtype=np.intp)
    for i, (content, label) in enumerate(zip(contents(X), y.tolist(), strict=True)):
        group[i] = seen.setdefault((content, label), len(seen))
        if group[i] == len(first):
            first.append(i)
    return np.array(first), group
