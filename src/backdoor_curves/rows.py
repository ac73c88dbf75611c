"""Rows as scikit-learn takes them (arrays, CSR, DataFrames and their columns, lists), their labels and weights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from numbers import Number
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

Rows = Any
"""Rows as scikit-learn takes them: an array of any shape, a CSR matrix, a DataFrame or one of its columns, or a list of
texts or of lists of words."""


def n_rows(X: Rows) -> int:
    """Return the number of rows of an array, sparse matrix, DataFrame or list."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def row_shape(X: Rows) -> tuple[int, ...]:
    """Return the shape of one row: (d,) or (height, width, channels), say; () for the items of a list."""
    return tuple(X.shape[1:] if hasattr(X, "shape") else ())


def is_frame(X: Rows) -> bool:
    """Return whether X is a DataFrame, of pandas or of polars."""
    return hasattr(X, "columns") and hasattr(X, "shape")


def is_series(X: Rows) -> bool:
    """Return whether X is one column of a DataFrame, of pandas or of polars: texts, say."""
    return hasattr(X, "to_numpy") and hasattr(X, "name") and not hasattr(X, "columns")


def is_on_workers(X: Rows) -> bool:
    """Return whether rows are a dask array, which is asked without importing dask."""
    return type(X).__module__.split(".")[0] == "dask"


def brought_here(X: Rows) -> Rows:
    """Return rows as they are, but those of a dask array as an array in memory."""
    return np.asarray(X) if is_on_workers(X) else X


def are_words(X: Rows) -> bool:
    """Return whether X is a list of lists of words, of any lengths: texts that are split already.

    Examples
    --------
    >>> from backdoor_curves.rows import are_words
    >>> are_words([["win", "money"], ["hi"]]), are_words(["win money", "hi"]), are_words([[1.0], [2.0]])
    (True, False, False)
    """
    if not isinstance(X, list | tuple) or not all(isinstance(row, list | tuple) for row in X):
        return False
    return len(X) > 0 and all(isinstance(word, str) for row in X for word in row)


def as_csr(X: Rows) -> Rows:
    """Return a sparse matrix as CSR, with indices of 32 bits where these are enough: libsvm takes no others."""
    X = sp.csr_matrix(X) if sp.isspmatrix(X) else sp.csr_array(X)
    if X.indices.dtype == np.int32 or max(*X.shape, X.nnz) > np.iinfo(np.int32).max:
        return X
    return type(X)((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape)


def take_rows(X: Rows, rows: Int[np.ndarray, " k"]) -> Rows:
    """Return the given rows of an array, sparse matrix, DataFrame or list, in the order asked, as the same kind."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if is_frame(X) or is_series(X):  # of polars
        return X[rows.tolist()]
    return X[rows] if hasattr(X, "shape") else [X[i] for i in rows]


def as_floats(X: Rows) -> Rows:
    """Return rows in double precision: an array, or CSR with each entry once and none of them 0."""
    if not sp.issparse(X):
        return np.asarray(X, dtype=float)
    X = sp.csr_array(X, dtype=float, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


def as_numbers(X: Rows) -> Rows:
    """Return rows that can be multiplied, an array or CSR in double precision; not copied where they are.

    A DataFrame of columns of several types, bools beside floats say, is one of objects to numpy, and squares of bytes
    overflow.
    """
    return X.astype(float, copy=False) if sp.issparse(X) else np.asarray(X, dtype=float)


def no_number(X: Rows) -> str:
    """Return which column of an array or a DataFrame has the first entry that is no number, and that entry.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.rows import no_number
    >>> no_number(np.array([[1.5, 2], [3, "cook"]], dtype=object))
    "'cook' in column 1"
    """
    names = list(X.columns) if is_frame(X) else range(X.shape[1])
    for k, name in enumerate(names):
        column = _column(X, k) if is_frame(X) else X[:, k]
        if column.dtype.kind in "mM":  # of which some versions of numpy make a number of nanoseconds
            return f"{next(iter(column))!r} in column {name!r}"
        for value in column.tolist():
            try:
                float(value)
            except (TypeError, ValueError):
                if not is_missing(value) or isinstance(value, str):
                    return f"{value!r} in column {name!r}"
    return f"{type(X).__name__} of other things"


def squared_lengths(X: Rows) -> Float[np.ndarray, " n"]:
    """Return |x|^2 of each row of an array, a CSR matrix or a DataFrame of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.rows import squared_lengths
    >>> squared_lengths(np.array([[3, 200]], dtype=np.uint8))
    array([40009.])
    """
    X = as_numbers(X)
    return np.asarray(X.multiply(X).sum(axis=1)).ravel() if sp.issparse(X) else np.einsum("ij,ij->i", X, X)


def used_columns(*parts: Rows) -> Int[np.ndarray, " p"]:
    """Return the columns that are not 0 throughout some sparse rows of one width, ascending.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from backdoor_curves.rows import used_columns
    >>> used_columns(sp.csr_array([[0, 3, 0, 0]]), sp.csr_array([[0, 1, 0, 2]])).tolist()
    [1, 3]
    """
    used = np.zeros(parts[0].shape[1], dtype=bool)
    for X in parts:
        used[X.tocsr().indices[X.tocsr().data != 0]] = True
    return np.flatnonzero(used)


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
    if is_frame(first) or is_series(first):
        import polars as pl

        return pl.concat([first, second], how="vertical_relaxed" if is_frame(first) else "vertical")
    return np.concatenate([first, second]) if hasattr(first, "shape") else [*first, *second]


def require_alike(first: Rows, second: Rows, name: str) -> None:
    """Refuse rows of another shape than `first`, or with other columns; `name` is what they are called."""
    if are_words(first) != are_words(second):
        kinds = ["lists of words" if are_words(X) else "rows that are none" for X in (first, second)]
        raise ValueError(f"{name}: {kinds[0]} were expected, {kinds[1]} came")
    expected, came = row_shape(first), row_shape(second)
    if expected != came:
        raise ValueError(f"{name}: rows of shape {expected} were expected, of {came} came")
    if hasattr(first, "columns") and hasattr(second, "columns") and list(first.columns) != list(second.columns):
        raise ValueError(
            f"{name}: the columns {list(first.columns)} were expected in this order, {list(second.columns)} came"
        )


def changed_rows(before: Rows, after: Rows) -> Bool[np.ndarray, " n"]:
    """Return which rows differ in any entry from those before; both of one kind and shape, a gap equals a gap.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.rows import changed_rows
    >>> changed_rows(np.array([[1.0, np.nan], [1.0, 2.0]]), np.array([[1.0, np.nan], [1.0, 3.0]]))
    array([False,  True])
    """
    if sp.issparse(before):
        return np.asarray(abs(sp.csr_array(before) - sp.csr_array(after)).sum(axis=1)).ravel() != 0.0
    if is_frame(before):
        columns = [_column(before, k) for k in range(before.shape[1])]
        changes = (changed_entries(c, _column(after, k)) for k, c in enumerate(columns))
        return np.asarray(np.any(list(changes), axis=0))
    if not isinstance(before, np.ndarray):  # a list or a Series, of texts say
        before, after = (np.array([*rows, None], dtype=object)[:-1] for rows in (before, after))
    return np.asarray(changed_entries(before, after).reshape(len(before), -1).any(axis=1))


def changed_entries(before: np.ndarray, after: np.ndarray) -> Bool[np.ndarray, ...]:
    """Return which entries of an array differ from those before; NaN equals NaN, and any gap any other."""
    if "O" in (before.dtype.kind, after.dtype.kind):
        pairs = zip(before.ravel().tolist(), after.ravel().tolist(), strict=True)
        found = [not (is_missing(a) if is_missing(b) else not is_missing(a) and a == b) for a, b in pairs]
        return np.array(found, dtype=bool).reshape(before.shape)
    return np.asarray((before != after) & ((before == before) | (after == after)))


def _column(X: Rows, k: int) -> np.ndarray:
    return np.asarray(X.iloc[:, k] if hasattr(X, "iloc") else X[:, k])


def is_missing(value: Any) -> bool:
    """Return whether a value says that there is none: None, NaN, NaT, pandas.NA, or text without a letter.

    Examples
    --------
    >>> from backdoor_curves.rows import is_missing
    >>> is_missing(float("nan")), is_missing(" "), is_missing(0)
    (True, True, False)
    """
    if isinstance(value, str | bytes):
        return not value.strip()
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # pandas.NA is neither equal to itself nor unequal; a list of arrays, say, is there
        return type(value).__name__ == "NAType"


def as_labels(y: Any, name: str = "") -> np.ndarray:
    """Return labels as an array of one kind; one axis is the caller's to check. Errors begin with `name`, if given.

    Raises
    ------
    ValueError
        If some are missing (the message has their number and the first row), or numbers and text are mixed.

    Examples
    --------
    >>> from backdoor_curves.rows import as_labels
    >>> as_labels(["ham", None])
    Traceback (most recent call last):
    ...
    ValueError: a label for each row was expected, 1 of 2 is missing, of row 1; label these rows or leave them out
    """
    who = f"{name}: " if name else ""
    try:
        labels = np.asarray(y)
    except ValueError:
        raise ValueError(
            f"{who}one label a row was expected, a ragged list came; several labels are no class"
        ) from None
    if labels.ndim != 1:
        return labels
    missing = np.flatnonzero(_missing(labels))
    if missing.size:
        count = f"{missing.size} of {len(labels)} " + ("is" if missing.size == 1 else "are")
        first = f"of row {missing[0]}" if missing.size == 1 else f"the first of row {missing[0]}"
        raise ValueError(
            f"{who}a label for each row was expected, {count} missing, {first}; label these rows or leave them out"
        )
    if labels.dtype != object:
        return labels
    kinds = sorted({_kind(label) for label in labels.tolist()})
    if kinds not in (["numbers"], ["text"]):
        raise ValueError(
            f"labels of one kind, numbers or text, were expected, {' and '.join(kinds)} came; convert them"
        )
    return np.array(labels.tolist())  # text from a DataFrame becomes a plain string array, which files can hold


def as_weights(weight: Any, n: int) -> Float[np.ndarray, " n"]:
    """Return the weights of n rows as an array: finite numbers > 0, all 1 where None was given.

    A row of weight 0 is refused. Some learners and steps of a Pipeline would use it all the same (for a variance, a
    vocabulary, the counts of classes) and others would not: only who leaves it out says what is meant.

    Raises
    ------
    ValueError
        If there is not one number a row, or if some are missing, infinite, negative or 0 (the message has their number
        and the first row).

    Examples
    --------
    >>> from backdoor_curves.rows import as_weights
    >>> as_weights([2, 0.5], 2), as_weights(None, 2)
    (array([2. , 0.5]), array([1., 1.]))
    >>> as_weights([2, 0], 2)
    Traceback (most recent call last):
    ...
    ValueError: weight: finite numbers > 0 were expected, 1 of 2 is none, of row 1: 0; leave out rows that weigh nothing
    """
    if weight is None:
        return np.ones(n)
    given = np.asarray(weight)
    if given.shape != (n,):
        raise ValueError(f"weight: one number a row was expected, of {n} rows, shape {given.shape} came")
    if given.dtype == object and all(map(_is_real, given.tolist())):
        given = np.array([np.nan if is_missing(one) else float(one) for one in given.tolist()])
    if given.dtype.kind not in "iuf":
        came = "text" if given.dtype.kind in "US" else f"{given.dtype} values"
        raise ValueError(f"weight: one number a row was expected, {came} came; convert them")
    weights = given.astype(float)
    bad = np.flatnonzero(~((weights > 0.0) & (weights < np.inf)))
    if bad.size:
        count = f"{bad.size} of {n} is none, of" if bad.size == 1 else f"{bad.size} of {n} are none, the first of"
        weighs_nothing = not weights[bad].any()
        mend = "leave out rows that weigh nothing" if weighs_nothing else "mend these weights, or leave these rows out"
        raise ValueError(f"weight: finite numbers > 0 were expected, {count} row {bad[0]}: {weights[bad[0]]:g}; {mend}")
    return weights


def _is_real(weight: Any) -> bool:
    """Return whether a weight out of a table of objects is a number, or missing: files and frames hold Decimals."""
    return is_missing(weight) or (isinstance(weight, Number) and not isinstance(weight, bool | complex))


def _missing(labels: np.ndarray) -> Bool[np.ndarray, " n"]:
    if labels.dtype.kind in "fc":
        return np.isnan(labels)
    if labels.dtype.kind in "mM":
        return np.isnat(labels)
    if labels.dtype.kind in "biu":
        return np.zeros(len(labels), dtype=bool)
    return np.array([is_missing(label) for label in labels.tolist()], dtype=bool)


def _kind(label: Any) -> str:
    """Return what kind a label is; numpy has bools and integers with numbers, and files can hold no Decimals."""
    if isinstance(label, str | bytes):
        return "text"
    plain = isinstance(label, Number | np.bool_) and np.asarray(label).dtype != object
    return "numbers" if plain else f"{type(label).__name__} objects"


def equal_rows(first: Rows, second: Rows) -> bool:
    """Return whether two arrays or two CSR matrices have the same rows in the same order."""
    if sp.issparse(first) != sp.issparse(second) or first.shape != second.shape:
        return False
    return (first != second).nnz == 0 if sp.issparse(first) else np.array_equal(first, second)


def contents(X: Rows) -> Iterator[bytes]:
    """Yield the content of each row of an array or a CSR matrix: equal rows, and only they, have the same."""
    # Adding 0 makes -0.0 the 0.0 that it equals.
    if not sp.issparse(X):
        yield from ((row + 0).tobytes() for row in X)
        return
    for start, stop in pairwise(X.indptr.tolist()):  # scipy takes a millisecond for a row
        yield X.indices[start:stop].tobytes() + (X.data[start:stop] + 0).tobytes()


def may_repeat(X: Rows) -> bool:
    """Return whether some rows may be equal: for arrays, whether two have the same sum with random weights.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.rows import may_repeat
    >>> may_repeat(np.array([[1.0], [2.0], [1.0]])), may_repeat(np.array([3, 4]))
    (True, False)
    """
    if isinstance(X, np.ndarray) and X.ndim == 1:
        return len(np.unique(X)) < len(X)
    return bool(_may_repeat(X).any())


def _may_repeat(X: Rows) -> Bool[np.ndarray, " n"]:
    """Return which rows may be equal to another: of arrays of floats those with sums that are, but for rounding."""
    if not isinstance(X, np.ndarray) or X.dtype.kind != "f" or X.ndim != 2:
        return np.ones(n_rows(X), dtype=bool)
    weights = np.random.default_rng(0).random(X.shape[1]).astype(X.dtype)
    sums, largest = X @ weights, float(np.linalg.norm(X))  # no entry is larger, and it takes one look
    rounding = 2 * X.shape[1] * np.finfo(X.dtype).eps * largest * float(weights.sum())
    order = np.argsort(sums, kind="stable")
    same = np.flatnonzero(np.diff(sums[order]) <= rounding)
    found = np.zeros(len(X), dtype=bool)
    found[order[same]] = found[order[same + 1]] = True
    return found


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
    same, doubtful = np.arange(len(y)), np.flatnonzero(_may_repeat(X))  # the first row that each row is equal to
    labels = y[doubtful].tolist()
    for i, content, label in zip(doubtful.tolist(), contents(take_rows(X, doubtful)), labels, strict=True):
        same[i] = seen.setdefault((content, label), i)
    first, group = np.unique(same, return_inverse=True)
    return first, group
