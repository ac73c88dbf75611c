"""The records that everyone shares: labelled rows, and a training and test set with a backdoor in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from backdoor_curves.rows import (
    Rows,
    are_words,
    as_csr,
    as_labels,
    as_weights,
    brought_here,
    is_on_workers,
    n_rows,
    stack_rows,
    take_rows,
)


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows, their labels and their weights; unpacks as `X, y = samples`.

    Parameters
    ----------
    X : array of shape (n, ...), CSR matrix, DataFrame, column of one, list of length n, or dask array of shape (n, d)
        The rows. Images have shape (n, height, width, channels) and values in [0, 1]. A list is one of texts, of lists
        of words, or of rows of one length, which become an array.
    y : array-like of shape (n,)
        One label a row, none missing, all numbers or all text.
    weight : array-like of shape (n,), optional
        What a row counts for, a finite number > 0: that of a training row multiplies its loss (that of a poison row
        beta times its loss), and means over test rows are weighted. 1 for every row by default.

    Raises
    ------
    TypeError
        If `X` is not rows.
    ValueError
        If `y` is not one-dimensional, has another length than `X`, lacks labels, or mixes numbers and text; if a
        weight is no finite number > 0.

    Examples
    --------
    >>> from backdoor_curves import Samples
    >>> X, y = Samples([[0.0], [1.0]], ["ham", "spam"])
    >>> y
    array(['ham', 'spam'], dtype='<U4')
    >>> Samples([[0.0], [1.0]], ["ham", "spam"], weight=[1, 3]).weight
    array([1., 3.])
    """

    X: Rows
    y: np.ndarray
    weight: Float[np.ndarray, " n"] = None  # type: ignore[assignment]  # an array from `__post_init__` on

    def __post_init__(self) -> None:
        X, y = self.X, as_labels(self.y)
        if isinstance(X, str) or not getattr(X, "shape", isinstance(X, Sequence)):  # a number has the shape ()
            raise TypeError(
                f"rows (an array, a CSR matrix, a DataFrame or a list) were expected, {type(X).__name__} came"
            )
        if is_on_workers(X):
            _require_known_chunks(X)
        if sp.issparse(X):
            object.__setattr__(self, "X", as_csr(X))
        elif are_words(X) or (isinstance(X, Sequence) and any(isinstance(row, str) for row in X)):
            object.__setattr__(self, "X", list(X))
        elif isinstance(X, Sequence) and n_rows(X):
            object.__setattr__(self, "X", _as_array(X))
        if y.ndim != 1 or len(y) != n_rows(X):
            raise ValueError(f"one label a row was expected: {n_rows(X)} rows, labels of shape {y.shape}")
        object.__setattr__(self, "y", y)
        object.__setattr__(self, "weight", as_weights(self.weight, len(y)))

    def __len__(self) -> int:
        return len(self.y)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.X, self.y))

    def __repr__(self) -> str:
        shape = getattr(self.X, "shape", (len(self),))
        weights = f", weights from {self.weight.min():g} to {self.weight.max():g}" if self.is_weighted else ""
        return f"Samples({type(self.X).__name__} of shape {tuple(shape)}, {len(np.unique(self.y))} classes{weights})"

    @property
    def is_weighted(self) -> bool:
        """Whether a row has another weight than 1."""
        return bool((self.weight != 1.0).any())

    def take(self, rows: Int[np.ndarray, " k"]) -> Samples:
        """Return the given rows, in the order asked."""
        return Samples(take_rows(self.X, rows), self.y[rows], self.weight[rows])

    def here(self) -> Samples:
        """Return the same in memory where the rows are those of a dask array."""
        return replace(self, X=brought_here(self.X)) if is_on_workers(self.X) else self


def _require_known_chunks(X: Any) -> None:
    """Refuse a dask array that does not know how many rows it has, or that is no table."""
    if X.ndim != 2:
        raise ValueError(f"a dask array of shape (n, d) was expected, one of {X.ndim} dimensions came; reshape it")
    if any(size != size for size in X.shape):  # NaN stands for what is not known
        raise ValueError(
            "a dask array that knows its rows was expected, one of unknown chunks came; call X.compute_chunk_sizes() "
            "first"
        )


def _as_array(rows: Sequence[Any]) -> np.ndarray:
    """Return a list of rows as an array; of rows with text an array of objects, in which numbers and gaps stay such."""
    try:
        array = np.asarray(rows)
        return array if array.dtype.kind not in "US" else np.array(rows, dtype=object)
    except ValueError:
        raise ValueError(
            "rows of one length, texts or lists of words were expected, a ragged list came; what is a row of another "
            "kind goes into an array of objects"
        ) from None


def as_samples(pair: Samples | tuple[Rows, Any], name: str) -> Samples:
    """Return `pair` as `Samples`; a pair (X, y) is taken wherever Samples are. Errors carry `name`."""
    if isinstance(pair, Samples):
        return pair
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise TypeError(f"{name}: Samples or a pair (X, y) were expected, {type(pair).__name__} came")
    try:
        return Samples(*pair)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def join(clean: Samples, poison: Samples, is_poison: Bool[np.ndarray, " n_plus_m"]) -> Samples:
    """Return clean and poison rows as one training set, the poison where `is_poison` says."""
    order = np.empty(len(is_poison), dtype=np.intp)
    order[~is_poison], order[is_poison] = np.arange(len(clean)), len(clean) + np.arange(len(poison))
    X, y = stack_rows(clean.X, poison.X), np.concatenate([clean.y, poison.y])
    weight = np.concatenate([clean.weight, poison.weight])
    return Samples(X if (order[:-1] < order[1:]).all() else take_rows(X, order), y[order], weight[order])
