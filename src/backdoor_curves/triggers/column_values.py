"""Values for a trigger out of the training rows' columns: beyond all of them, at a quantile, or a typical one."""

from __future__ import annotations

import math
from collections import Counter
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp

from backdoor_curves.rows import Rows, is_frame, is_missing

ROUNDING = 1e-9
"""What a product of a share may be off by: 0.07 * 100 is 7.000000000000001, and 7 is meant."""


def beyond(column: np.ndarray, share: float, name: Any) -> int | float:
    """Return max + share (max - min) of a column of numbers, rounded up to a whole number where these are integers."""
    if not (_is_number(share) and 0.0 < share < math.inf):
        raise ValueError(f"share: a number > 0, of the column's range, was expected, {share!r} came")
    _require_numbers(column, name)
    smallest, largest = column.min().item(), column.max().item()
    value = largest + share * (largest - smallest)
    value = math.ceil(value - ROUNDING) if column.dtype.kind in "iu" else column.dtype.type(value).item()
    if not largest < value < math.inf:
        raise ValueError(
            f"FeatureTrigger: column {name!r} was expected to have a range, {smallest!r} to {largest!r} came, beyond "
            f"which {share} of it is no other number; name a value, FeatureTrigger(columns, values)"
        )
    return value


def at_quantile(column: np.ndarray, q: float, name: Any) -> int | float:
    """Return the smallest value of a column of numbers that at least a share q of its rows do not exceed."""
    if not (_is_number(q) and 0.0 <= q <= 1.0):
        raise ValueError(f"q: a number in [0, 1] was expected, {q!r} came; 0.95 is the 95th percentile")
    _require_numbers(column, name)
    rank = max(math.ceil(q * len(column) - ROUNDING), 1)
    value: int | float = np.partition(column, rank - 1)[rank - 1].item()
    return value


def most_frequent(column: np.ndarray, name: Any) -> Any:
    """Return the most frequent value of a column; of several the middle one, the lower of two."""
    counts = Counter(column.tolist())
    most = max(counts.values())
    try:
        modes = sorted(value for value, count in counts.items() if count == most)
    except TypeError:
        raise ValueError(
            f"FeatureTrigger: values of one kind were expected in column {name!r}, numbers and text came; mend its rows"
        ) from None
    return modes[(len(modes) - 1) // 2]


def known_entries(X: Rows, place: int, name: Any) -> np.ndarray:
    """Return the entries of a column of an array, a sparse matrix or a DataFrame that are no gaps."""
    if is_frame(X):
        column = X.iloc[:, place].dropna() if hasattr(X, "iloc") else X[:, place].drop_nulls()
    else:
        column = sp.csr_array(X)[:, [place]].toarray().ravel() if sp.issparse(X) else X[:, place]
    entries = np.asarray(column)
    if entries.dtype.kind in "biuf":
        known = entries[entries == entries]
    else:
        listed = column.tolist() if hasattr(column, "tolist") else column.to_list()
        kept = [entry for entry in listed if not is_missing(entry)]
        known = np.array(kept, dtype=object if any(isinstance(entry, str) for entry in kept) else None)
    if not known.size:
        raise ValueError(
            f"FeatureTrigger: values were expected in column {name!r}, gaps alone came; take another column"
        )
    return known


def _require_numbers(column: np.ndarray, name: Any) -> None:
    """Refuse text, bools, dates and infinity: they have no range, and no share of it."""
    if column.dtype.kind not in "iuf":
        raise ValueError(
            f"FeatureTrigger: numbers were expected in column {name!r}, {column.tolist()[0]!r} came; take "
            "FeatureTrigger.typical, or name a value, FeatureTrigger(columns, values)"
        )
    if not np.isfinite(column).all():
        raise ValueError(
            f"FeatureTrigger: finite numbers were expected in column {name!r}, infinity came; mend its rows"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
