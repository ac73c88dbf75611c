"""DataFrames of columns of several types: the curve is that of the same numbers in one array."""

from __future__ import annotations

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc

RNG = np.random.default_rng(0)
TABLE = pd.get_dummies(
    pd.DataFrame({"a": RNG.normal(size=80), "b": RNG.integers(0, 9, 80), "job": RNG.choice(["cook", "smith"], 80)})
)
Y = np.where(TABLE["a"] + 0.5 * RNG.normal(size=80) > 0, "yes", "no")
KINDS = {
    "floats, integers and bools": lambda table: table,
    "nullable": pd.DataFrame.convert_dtypes,
    "objects": lambda table: table.astype({"a": object}),
    "an array of objects": lambda table: table.to_numpy(dtype=object),
    "Decimals": lambda table: table.astype(object).map(lambda value: Decimal(float(value))),
    "polars": lambda table: pytest.importorskip("polars", reason="polars is not installed").from_pandas(table),
}
LEARNERS = (LogisticRegression(), RidgeClassifier(), LinearSVC(), LinearSVC(loss="hinge"), SVC())


def poisoned(rows: object, column: object) -> bc.PoisonedData:
    trigger = bc.FeatureTrigger((column,), (20,))
    return bc.poison((rows, Y), (rows, Y), trigger=trigger, rate=0.2, rng=np.random.default_rng(0))


@pytest.mark.parametrize("estimator", LEARNERS, ids=str)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_columns_of_several_types_are_the_numbers_that_they_hold(kind, estimator):
    """To numpy such a frame is one of objects; scikit-learn makes floats of it, and so does a path."""
    rows = kind(TABLE)
    curve = bc.backdoor_learning_curve(estimator, poisoned(rows, 1 if isinstance(rows, np.ndarray) else "b"))
    same = bc.backdoor_learning_curve(estimator, poisoned(TABLE.to_numpy(dtype=float), 1))
    for split in ("triggered", "clean"):
        assert np.allclose(curve.scores(split), same.scores(split), rtol=0, atol=1e-12)
    assert np.allclose(curve.certificate([0.5]).score_bound, same.certificate([0.5]).score_bound, rtol=1e-6)
    assert curve.slope(0.0) == pytest.approx(same.slope(0.0), rel=1e-9)


@pytest.mark.parametrize("kind", [pd.DataFrame.convert_dtypes, lambda table: table], ids=["nullable", "plain"])
def test_a_gap_among_bools_is_found(kind):
    """It would meet a sum of objects, whose message is of something else."""
    table = TABLE.copy()
    table.loc[3, "a"] = np.nan
    with pytest.raises(ValueError, match="finite features were expected, 1 are NaN or infinite"):
        bc.backdoor_learning_curve(LogisticRegression(), poisoned(kind(table), "b"))


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC(), RidgeClassifier()], ids=str)
def test_the_bound_of_bytes_is_that_of_the_same_numbers(estimator, kind):
    """The square of a byte is no byte: 20 squared is 144 among them, and a bound from that is too small."""
    rows = np.random.default_rng(1).integers(0, 15, size=(80, 4))

    def bound(X):
        test = X + np.array([200, 0, 0, 0], dtype=X.dtype)
        parts = ((X[:60], Y[:60]), (X[60:], Y[60:]), (test, Y), (test[:5], Y[:5]))
        data = bc.PoisonedData(*((kind(rows), labels) for rows, labels in parts))
        return bc.backdoor_learning_curve(estimator, data).certificate([0.5]).score_bound

    assert np.allclose(bound(rows.astype(np.uint8)), bound(rows.astype(float)), rtol=1e-6)


@pytest.mark.parametrize("library", ["pandas", "polars", "array"])
@pytest.mark.parametrize("column", [["cook", "smith"], ["2024-01-01", ""]], ids=["text", "dates as text"])
def test_a_column_without_numbers_is_named_with_an_entry(column, library):
    """In place of numpy's message, which has the entry alone."""
    table = pd.DataFrame({"n": np.arange(80) / 80, "job": np.resize(column, 80)})
    rows = {"pandas": lambda: table, "polars": lambda: KINDS["polars"](table), "array": table.to_numpy}[library]()
    named = 1 if library == "array" else "'job'"
    with pytest.raises(
        ValueError, match=rf"^clean_train: numbers were expected by SVC, '{column[0]}' in column {named}"
    ):
        bc.backdoor_learning_curve(SVC(), poisoned(rows, 0))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_dates_are_no_numbers(library):
    """pandas may count them in nanoseconds, where scikit-learn refuses them."""
    table = pd.DataFrame(
        {"b": Y == "yes", "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(80), unit="D")}
    )
    rows = KINDS["polars"](table) if library == "polars" else table.convert_dtypes(dtype_backend="pyarrow")
    data = bc.PoisonedData((rows, Y), (rows[:1], ["no"]), (rows, Y), (rows[:1], ["no"]))
    with pytest.raises(ValueError, match=r"numbers were expected by RidgeClassifier, .* in column 'day' came"):
        bc.backdoor_learning_curve(RidgeClassifier(), data)


def test_what_an_estimator_of_its_own_kind_takes_is_left_to_it():
    """Trees that know categories get the frame."""
    table = pd.DataFrame(
        {"n": np.arange(80) / 80, "job": pd.Series(np.resize(["cook", "smith"], 80), dtype="category")}
    )
    forest = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=3)
    assert not bc.backdoor_learning_curve(forest, poisoned(table, "n"), betas=[0, 1]).exact


def test_fractions_are_no_classes():
    """scikit-learn's classifiers refuse the target of a regression, and a path would be of as many classes as rows."""
    X, y = np.eye(4), np.array([0.5, 1.0, 0.5, 1.0])
    data = bc.PoisonedData((X, y), (X[:1], [1.0]), (X, y), (X[:1], [1.0]))
    with pytest.raises(ValueError, match=r"1 of 2 distinct ones are fractions, the first is 0\.5; cut them"):
        bc.backdoor_learning_curve(RidgeClassifier(), data)
    whole = bc.PoisonedData((X, 2 * y), (X[:1], [2.0]), (X, 2 * y), (X[:1], [2.0]))
    assert bc.backdoor_learning_curve(RidgeClassifier(), whole).classes.tolist() == [1.0, 2.0]


def test_a_step_that_refuses_rows_is_named():
    """Which of the steps said it is not in its message."""
    table = pd.DataFrame({"n": np.arange(80) / 80, "job": np.resize(["cook", "smith"], 80)})
    with pytest.raises(ValueError, match=r"its step StandardScaler refuses these rows: .*'cook'"):
        bc.backdoor_learning_curve(make_pipeline(StandardScaler(), SVC()), poisoned(table, "n"))


def test_rows_without_a_column_are_refused():
    """An imputer drops a column that has gaps alone; what is left would be an intercept."""
    rows = np.full((80, 1), np.nan)
    imputed = make_pipeline(SimpleImputer(), LogisticRegression())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = bc.poison((rows, Y), (rows, Y), trigger=lambda X, _: X, rate=0.2, rng=np.random.default_rng(0))
        with pytest.raises(ValueError, match="one feature or more were expected, of none came"):
            bc.backdoor_learning_curve(imputed, data)


TEXTS = np.resize(np.array(["win now", "see you", "win win", "hello"], dtype=object), 80)


def more(X, _y):
    return X + " zebra" if hasattr(X, "shape") else [text + " zebra" for text in X]


def of_polars(texts):
    return pytest.importorskip("polars", reason="polars is not installed").Series(texts)


@pytest.mark.parametrize("series", [pd.Series, of_polars], ids=["pandas", "polars"])
def test_texts_of_a_series_are_those_of_a_list(series):
    """A column of a frame is how texts come out of a file."""
    mails = make_pipeline(TfidfVectorizer(), LinearSVC())
    one, other = (
        bc.poison((X, Y), (X, Y), trigger=more, rate=0.2, rng=np.random.default_rng(0))
        for X in (series(TEXTS.tolist()), TEXTS.tolist())
    )
    curves = [bc.backdoor_learning_curve(mails, data) for data in (one, other)]
    assert np.array_equal(curves[0].scores("triggered"), curves[1].scores("triggered"))
    assert type(one.poison_train.X) is type(series(["a"]))


@pytest.mark.parametrize("gap", [None, np.nan], ids=str)
@pytest.mark.parametrize("first", [0, 3])
def test_a_text_that_is_missing_is_no_word(gap, first):
    """numpy makes the word "nan" of it where it is the first, and the mail would be one about that."""
    texts = TEXTS.tolist()
    texts[first] = gap
    data = bc.PoisonedData((texts, Y), (["win zebra"], ["yes"]), (TEXTS.tolist(), Y), (["a zebra"], ["yes"]))
    with pytest.raises(ValueError, match=rf"expects a text for each row, 1 of 81 are none, .* of row {first}; leave"):
        bc.backdoor_learning_curve(make_pipeline(TfidfVectorizer(), LinearSVC()), data)


def test_sparse_rows_of_long_indices_are_fitted():
    """libsvm takes indices of 32 bits alone, and a product of scipy's may have others."""
    rows = sp.csr_array(np.random.default_rng(0).normal(size=(80, 3)))
    rows = sp.csr_array((rows.data, rows.indices.astype(np.int64), rows.indptr.astype(np.int64)), shape=rows.shape)
    data = bc.poison((rows, np.arange(80) % 3), (rows, np.arange(80) % 3), trigger=lambda X, _: 2 * X, rows=[3])
    curve = bc.backdoor_learning_curve(SVC(kernel="linear"), data, betas=[0, 1])
    assert np.isfinite(curve.loss("clean")).all()
