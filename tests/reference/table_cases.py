"""Tables as people have them: columns of many types and scales, gaps, labels of every kind, of five libraries."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse as sp
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc

N_TEST = 12
WORDS = ("red", "green", "blue", "a b", "", "Ünï", "7")

NUMPY = ("float64", "float32", "float16", "int64", "int8", "uint8", "bool", "objects", "decimals", "digits")
PANDAS = (
    *("float64", "float32", "int64", "uint8", "bool", "objects", "decimals", "Int64", "Float64", "boolean"),
    *("int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]", "decimals[pyarrow]"),
    *("text", "category", "string[pyarrow]", "categories of numbers", "dates", "digits"),
)
POLARS = ("Float64", "Float32", "Int64", "UInt8", "Boolean", "Decimal", "String", "Categorical", "Datetime")
SPARSE = ("float64", "float32", "int64", "bool")
KINDS = {"numpy": NUMPY, "pandas": PANDAS, "polars": POLARS, "csr": SPARSE, "csc": SPARSE, "texts": ("text",)}
TEXTUAL = {"text", "category", "string[pyarrow]", "categories of numbers", "dates", "digits"} | {
    *("String", "Categorical", "Datetime")
}
"""Kinds that scikit-learn's scalers have no numbers of."""
LABELS = (
    *("int", "float", "bool", "text", "signs", "list", "objects"),
    *("category", "Int64", "boolean", "string", "polars", "polars categories", "fractions", "rare"),
)
TRIGGER = " zebra"
ITERATIONS = 20_000
"""Of libsvm, which takes hours to come near the optimum of some raw tables; a path asks for none."""


@dataclass(frozen=True)
class Column:
    """A column: its type, the power of ten that it is in, what is added to it in that unit, and its habits."""

    kind: str
    scale: int = 0
    offset: float = 0.0
    gaps: float = 0.0
    habit: str = "as drawn"


@dataclass(frozen=True)
class Table:
    """A table, what is done to it, and the learner that is asked for its curve; the rest is drawn from the seed."""

    container: str
    columns: tuple[Column, ...]
    n: int
    n_classes: int
    labels: str
    a_label_is_missing: bool
    rate: float
    injection: str
    steps: str
    learner: str
    C: float
    class_weight: str | None
    freeze: str
    seed: int


def tables() -> st.SearchStrategy[Table]:
    """Return the strategy of all tables."""
    return st.sampled_from(("numpy", "numpy", "pandas", "pandas", "pandas", "polars", "csr", "csc", "texts")).flatmap(
        _of_container
    )


def _of_container(container: str) -> st.SearchStrategy[Table]:
    kinds = st.sampled_from(KINDS[container])
    if container in ("pandas", "polars"):  # half of them without text, so that more are followed
        kinds = st.sampled_from([kind for kind in KINDS[container] if kind not in TEXTUAL]) | kinds
    column = st.builds(
        Column,
        kinds,
        st.sampled_from((0, 0, 0, -6, -3, 1, 2, 3, 6, 9)),
        st.sampled_from((0.0, 0.0, 1.0, -30.0)),
        st.sampled_from((0.0,) * 18 + (0.1, 0.5)),
        st.sampled_from(("as drawn",) * 5 + ("few values", "constant", "repeats the one before")),
    )
    widths = st.sampled_from((1, 2, 3, 4, 5, 8, 15, 30))
    columns = widths.flatmap(lambda d: st.lists(column, min_size=d, max_size=d).map(tuple))
    if container in ("numpy", "csr", "csc"):  # of one type
        columns = st.tuples(kinds, columns).map(lambda pair: tuple(_as_kind(one, pair[0]) for one in pair[1]))
    return st.builds(
        Table,
        st.just(container),
        columns
        if container != "texts"
        else st.builds(Column, kinds, gaps=st.sampled_from((0.0,) * 9 + (0.1,))).map(_one),
        st.sampled_from((8, 12, 20, 20, 40, 40, 80, 200, 400)),
        st.sampled_from((2,) * 12 + (3, 3, 1)),
        st.sampled_from(LABELS),
        st.sampled_from((False,) * 19 + (True,)),
        st.sampled_from((0.15, 0.25, 0.5)),
        st.sampled_from(("replace", "append")),
        st.sampled_from(("none", "standard", "minmax", "columns", "columns", "imputed"))
        if container != "texts"
        else st.just("tfidf"),
        st.sampled_from(("logistic", "liblinear", "ridge", "squared hinge", "hinge", "linear SVC", "RBF SVC")),
        st.sampled_from((1.0, 1.0, 1e-4, 1e4)),
        st.sampled_from((None, None, "balanced")),
        st.sampled_from(("joined", "clean")),
        st.integers(0, 2**32 - 1),
    )


def _as_kind(column: Column, kind: str) -> Column:
    return Column(kind, column.scale, column.offset, column.gaps, column.habit)


def _one(column: Column) -> tuple[Column, ...]:
    return (column,)


# --- the table -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Made:
    """The rows of a table, training rows first, their plain labels, and the labels as the user has them."""

    X: Any
    plain: np.ndarray
    y: Any
    n: int


def make(table: Table) -> Made:
    """Return the rows of a table."""
    rng = np.random.default_rng(table.seed)
    n = table.n + N_TEST
    classes = np.append(np.arange(table.n) % table.n_classes, np.arange(N_TEST) % table.n_classes)
    if table.labels == "rare" and table.n_classes == 2:
        classes[: table.n] = np.arange(table.n) < 2
    if table.container == "texts":
        X: Any = _texts(table, classes, rng)
    else:
        drawn = []
        for k, column in enumerate(table.columns):
            repeats = column.habit == "repeats the one before" and k > 0
            drawn.append(drawn[-1] if repeats else _drawn(column, classes, rng))
        gaps = [rng.random(n) < column.gaps for column in table.columns]
        X = _in_container(table, drawn, gaps)
    plain, y = _labels(table, classes, rng)
    return Made(X, plain, y, table.n)


def _drawn(column: Column, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return numbers with some signal, in the unit of the column."""
    values = rng.normal(size=len(classes)) + rng.choice([0.0, 0.5, 2.0]) * classes + column.offset
    if column.habit == "few values":
        values = np.round(values)
    if column.habit == "constant":
        values = np.full(len(classes), values[0])
    return values * 10.0**column.scale


def _texts(table: Table, classes: np.ndarray, rng: np.random.Generator) -> Any:
    words = [
        " ".join(rng.choice(["ab", "cd", "ef", "gh", "spam", "win"], size=rng.integers(1, 6))) + " ok" * int(c == 1)
        for c in classes
    ]
    (column,) = table.columns
    if column.gaps:
        words[0] = None if table.seed % 2 else np.nan
    as_ = (list, np.array, lambda w: np.array(w, dtype=object), pd.Series, pl.Series)[table.seed % 5]
    return as_(words) if not (column.gaps and table.seed % 5 in (1, 4)) else list(words)


def _in_container(table: Table, drawn: list[np.ndarray], gaps: list[np.ndarray]) -> Any:
    if table.container == "pandas":
        columns = [_of_pandas(one.kind, *rest) for one, *rest in zip(table.columns, drawn, gaps, strict=True)]
        frame = pd.concat(columns, axis=1)
        frame.columns = [f"c{k}" for k in range(len(columns))]
        frame.index = np.arange(len(frame))[::-1] if table.seed % 2 else frame.index
        return frame
    if table.container == "polars":
        columns = [_of_polars(one.kind, *rest) for one, *rest in zip(table.columns, drawn, gaps, strict=True)]
        return pl.DataFrame({f"c{k}": column for k, column in enumerate(columns)})
    kind = table.columns[0].kind
    if table.container == "numpy":
        return np.column_stack([_of_numpy(kind, *pair) for pair in zip(drawn, gaps, strict=True)])
    values = np.column_stack([np.where(np.abs(v) < np.median(np.abs(v)), 0.0, v) for v in drawn])
    if kind.startswith("float"):
        values[np.column_stack(gaps)] = np.nan
    values = _whole(values, kind)
    make_sparse = (sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.csc_array)
    return make_sparse[2 * (table.container == "csc") + table.seed % 2](values)


def _whole(values: np.ndarray, kind: str) -> np.ndarray:
    """Return numbers of a type, what is too large for it at its ends."""
    if kind == "bool":
        return values > np.median(values)
    dtype = np.dtype(kind)
    ends = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    return np.clip(np.rint(values) if dtype.kind in "iu" else values, float(ends.min), float(ends.max)).astype(dtype)


def _of_numpy(kind: str, values: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    if kind in ("objects", "decimals", "digits"):
        as_ = {"objects": lambda v: int(v) if abs(v) > 2 else float(v), "decimals": _decimal, "digits": "{:.3g}".format}
        found = np.array([as_[kind](v) for v in values.tolist()], dtype=object)
        found[gaps] = None if kind == "decimals" else np.nan
        return found
    if kind.startswith("float"):
        values = np.where(gaps, np.nan, values)
    return _whole(values, kind)


def _decimal(value: float) -> Decimal:
    return Decimal(f"{value:.6g}")


def _of_pandas(kind: str, values: np.ndarray, gaps: np.ndarray) -> pd.Series:
    if kind in ("float64", "float32", "int64", "uint8", "bool", "objects", "decimals", "digits"):
        return pd.Series(_of_numpy(kind, values, gaps))
    if kind in ("text", "category", "string[pyarrow]"):
        words = pd.Series(np.array(WORDS, dtype=object)[_few(values)])
        return words.mask(gaps).astype({"text": object}.get(kind, kind))
    if kind == "categories of numbers":
        return pd.Series(_few(values)).where(~gaps).astype("category")
    if kind == "dates":
        return pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(_few(values), unit="D")).mask(gaps)
    if kind == "decimals[pyarrow]":
        import pyarrow as pa

        decimals = [None if gap else _decimal(round(v, 4)) for v, gap in zip(values.tolist(), gaps, strict=True)]
        return pd.Series(pd.array(decimals, dtype=pd.ArrowDtype(pa.decimal128(38, 10))))
    if kind in ("boolean", "bool[pyarrow]"):
        return pd.Series(values > np.median(values), dtype=kind).mask(gaps)
    whole = np.rint(values) if kind.lower().startswith("int") else values
    return pd.Series(whole).astype(kind).mask(gaps)


def _of_polars(kind: str, values: np.ndarray, gaps: np.ndarray) -> pl.Series:
    if kind in ("String", "Categorical"):
        found = pl.Series([WORDS[k] for k in _few(values)], dtype=pl.String)
    elif kind == "Datetime":
        found = pl.Series(np.datetime64("2020-01-01", "us") + _few(values) * np.timedelta64(86_400_000_000, "us"))
    elif kind == "Boolean":
        found = pl.Series(values > np.median(values))
    elif kind == "Decimal":
        found = pl.Series([_decimal(round(v, 4)) for v in values.tolist()], dtype=pl.Decimal(38, 10))
    else:
        found = pl.Series(_whole(values, kind.lower()))
    found = found.cast(pl.Categorical) if kind == "Categorical" else found
    listed = [None if gap else value for value, gap in zip(found.to_list(), gaps.tolist(), strict=True)]
    return pl.Series(listed, dtype=found.dtype) if gaps.any() else found


def _few(values: np.ndarray) -> np.ndarray:
    """Return which of seven words or days a number stands for."""
    spread = values.std() or 1.0
    return np.clip(np.rint((values - values.mean()) / spread) + 3, 0, len(WORDS) - 1).astype(int)


def _labels(table: Table, classes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
    """Return the labels as plain values, and as the user has them."""
    names: dict[str, list[Any]] = {
        "float": [0.0, 1.0, 2.0],
        "bool": [False, True, True],
        "text": ["ham", "spam", "Ünï"],
        "signs": [-1, 1, 3],
        "fractions": [0.5, 1.5, 2.25],
    }
    textual = ("text", "objects", "category", "string", "polars", "polars categories", "rare")
    known = names["text"] if table.labels in textual else names.get(table.labels, [0, 1, 2])
    plain = np.array([known[c] for c in classes])
    y: Any = plain.tolist()
    if table.a_label_is_missing:
        y[int(rng.integers(table.n))] = None
    if table.labels in ("float", "fractions", "int", "bool", "text", "signs"):
        y = np.array(y) if not table.a_label_is_missing else np.array(y, dtype=object)
    elif table.labels in ("objects", "rare"):
        y = np.array(y, dtype=object)
    elif table.labels in ("category", "Int64", "boolean", "string"):
        y = pd.Series(y if table.labels != "boolean" else [None if v is None else v > 0 for v in y])
        y = y.astype(table.labels)
        plain = plain > 0 if table.labels == "boolean" else plain
    elif table.labels.startswith("polars"):
        y = pl.Series(y, dtype=pl.Categorical if table.labels == "polars categories" else None)
    return plain, y


# --- the attack and the learner --------------------------------------------------------------------------------------


def trigger_of(table: Table) -> Any:
    """Return what stamps the rows: the last column takes its largest value or another word, texts one more word."""
    if table.container == "texts":
        return _more_text
    column = table.columns[-1]
    names = table.container in ("pandas", "polars")
    last = f"c{len(table.columns) - 1}" if names and table.seed % 2 else len(table.columns) - 1
    value: Any = 3.0 * 10.0**column.scale
    if column.kind in TEXTUAL:
        days = pd.Timestamp("2021-01-01").to_pydatetime()
        value = {"dates": days, "Datetime": days, "categories of numbers": 5, "digits": "33"}.get(column.kind, "blue")
    elif "bool" in column.kind.lower():
        value = True
    elif "int" in column.kind.lower():
        value = int(min(value, 100))
    return bc.FeatureTrigger((last,), (value,))


def _more_text(X: Any, _y: Any) -> Any:
    if isinstance(X, pl.Series | pd.Series):
        return X + TRIGGER
    more = [one + TRIGGER if isinstance(one, str) else one for one in X]
    return more if isinstance(X, list) else np.array(more, dtype=object if X.dtype == object else None)


def estimator_of(table: Table) -> Any:
    """Return the Pipeline, as a user would write it."""
    # liblinear refuses three classes, and says so itself.
    name = "logistic" if (table.learner, table.n_classes) == ("liblinear", 3) else table.learner
    C, weights = table.C, {"class_weight": table.class_weight}
    last = {
        "logistic": LogisticRegression(C=C, **weights),
        "liblinear": LogisticRegression(C=C, solver="liblinear", **weights),
        "ridge": RidgeClassifier(alpha=1.0 / C, **weights),
        "squared hinge": LinearSVC(C=C, random_state=0, **weights),
        "hinge": LinearSVC(C=C, loss="hinge", random_state=0, **weights),
        "linear SVC": SVC(C=C, kernel="linear", max_iter=ITERATIONS, **weights),
        "RBF SVC": SVC(C=C, max_iter=ITERATIONS, **weights),
    }[name]
    return last if table.steps == "none" else Pipeline([*steps_of(table).steps, ("last", last)])


def steps_of(table: Table) -> Pipeline:
    """Return the steps before the classifier."""
    sparse = table.container in ("csr", "csc")
    scaler = StandardScaler(with_mean=not sparse)
    if table.steps == "columns" and table.container in ("pandas", "polars"):
        numbers = make_pipeline(SimpleImputer(), StandardScaler())
        words = OneHotEncoder(handle_unknown="ignore")
        textual = [k for k, column in enumerate(table.columns) if column.kind in TEXTUAL]
        others = [k for k in range(len(table.columns)) if k not in textual]
        if table.container == "pandas" and table.seed % 2:
            textual = make_column_selector(dtype_include=["object", "category", "string"])
        return make_pipeline(ColumnTransformer([("numbers", numbers, others), ("words", words, textual)]))
    return {
        "standard": make_pipeline(scaler),
        "minmax": make_pipeline(MaxAbsScaler() if sparse else MinMaxScaler()),
        "columns": make_pipeline(SimpleImputer(), scaler),
        "imputed": make_pipeline(SimpleImputer(strategy="median")),
        "tfidf": make_pipeline(TfidfVectorizer(token_pattern=r"\w+")),
    }[table.steps]
