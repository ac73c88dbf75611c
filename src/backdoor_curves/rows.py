"""Rows as scikit-learn takes them: an array of any shape, a CSR matrix, a DataFrame or a list of texts."""

from __future__ import annotations

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


def stack_rows(first: Rows, second: Rows) -> Rows:
    """Return the rows of `first` followed by those of `second`; both must be of the same kind."""
    if sp.issparse(first) and sp.issparse(second):
        return sp.vstack([first, second], format="csr")
    if type(first) is not type(second):
        raise TypeError(
            f"rows of one kind were expected, {type(first).__name__} and {type(second).__name__} came; convert one"
        )
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat([first, second])
    return np.concatenate([first, second]) if hasattr(first, "shape") else [*first, *second]
