"""What rows go through before a learner that takes numbers, by name (scalers, one-hot words, tf-idf), and by default.

Each is a transformer of scikit-learn's own, and frozen as any step is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, OneHotEncoder, StandardScaler

from backdoor_curves.rows import Rows, is_frame, is_missing, is_series, row_shape


def table() -> ColumnTransformer:
    """Return a step for mixed tables: numbers scaled, words one-hot, missing values imputed.

    A missing number is the median of its column; a missing word is a word of its own; a word that the training rows do
    not have is none of theirs. Takes DataFrames of pandas and polars, and arrays of objects.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.learners.preparation import table
    >>> X = np.array([[1.0, "red"], [3.0, "blue"], [None, "red"]], dtype=object)
    >>> table().fit_transform(X).round(2).tolist()
    [[-1.22, 0.0, 1.0], [1.22, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    return ColumnTransformer([("numbers", numbers, number_columns), ("words", _words(), word_columns)])


def _words() -> Pipeline:
    return make_pipeline(FunctionTransformer(as_words), OneHotEncoder(handle_unknown="ignore"))


def as_words(X: Rows) -> Shaped[np.ndarray, "n d"]:
    """Return columns of a table as text, None where there is none: a table has several ways to say so."""
    rows = np.asarray(X, dtype=object)
    entries = [None if is_missing(value) else str(value) for value in rows.ravel().tolist()]
    return np.array(entries, dtype=object).reshape(rows.shape)


def _one_hot() -> ColumnTransformer:
    """Return a step that makes columns of 0 and 1 of words, and leaves numbers as they are."""
    return ColumnTransformer([("words", _words(), word_columns)], remainder="passthrough")


STEPS: Mapping[str, Callable[[], Any]] = {
    "table": table,
    "impute": lambda: SimpleImputer(strategy="median", keep_empty_features=True),
    "standard-scaler": StandardScaler,
    "min-max-scaler": MinMaxScaler,
    "max-abs-scaler": MaxAbsScaler,
    "one-hot": _one_hot,
    "tf-idf": TfidfVectorizer,
    "word-counts": CountVectorizer,
}
"""By the names that a study has for them."""


def default_steps(X: Rows) -> tuple[str, ...]:
    """Return what a learner that takes numbers needs before it: tf-idf of texts, a table of a DataFrame, else nothing.

    Numbers with gaps are imputed.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.learners.preparation import default_steps
    >>> default_steps(["win money"]), default_steps(np.zeros((2, 3))), default_steps(np.array([["a", 1]], dtype=object))
    (('tf-idf',), (), ('table',))
    """
    if is_frame(X) or (isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "OUS"):
        return ("table",)
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind == "f" and np.isnan(X).any():
        return ("impute",)
    return ("tf-idf",) if is_series(X) or not row_shape(X) else ()


# --- columns ---------------------------------------------------------------------------------------------------------


def number_columns(X: Rows) -> list[Any]:
    """Return the columns of numbers of a table, by name in a frame of pandas, else by place; truths are numbers."""
    return [name for name, column in _columns(X) if _is_of_numbers(column)]


def word_columns(X: Rows) -> list[Any]:
    """Return the columns of a table that are not of numbers."""
    return [name for name, column in _columns(X) if not _is_of_numbers(column)]


def _columns(X: Rows) -> list[tuple[Any, Any]]:
    if is_frame(X):
        by_name = hasattr(X, "iloc")  # older versions of scikit-learn find columns of polars by place alone
        return [(name if by_name else place, X[name]) for place, name in enumerate(X.columns)]
    X = np.asarray(X)
    return [(place, X[:, place]) for place in range(X.shape[1])]


def _is_of_numbers(column: Any) -> bool:
    """Return whether a column is of numbers by its type; one of objects by what is in it, where that is known."""
    kind = getattr(column.dtype, "kind", "")
    if hasattr(column.dtype, "is_numeric"):  # of polars
        return bool(column.dtype.is_numeric() or str(column.dtype) == "Boolean")
    if kind != "O":
        return kind in "fiub" and kind != ""
    known = [value for value in column.tolist() if not is_missing(value)]
    return bool(known) and all(isinstance(value, int | float | np.number | np.bool_) for value in known)
