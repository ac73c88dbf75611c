"""Columns set to values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from backdoor_curves import FeatureTrigger

ROWS = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    ("columns", "values"), [((1,), (9.0,)), ((3, 0), (-1.0, 0.5)), ([2], [7]), (np.array([1]), [2])]
)
def test_only_the_columns_are_set_each_to_its_value(columns, values):
    """By hand, entry by entry; the columns need no order."""
    stamped = FeatureTrigger(columns, values)(ROWS, np.zeros(3))
    value_of = dict(zip(columns, values, strict=True))
    assert stamped.tolist() == [[value_of.get(j, x) for j, x in enumerate(row)] for row in ROWS.tolist()]


def test_the_rows_are_copied():
    """A trigger leaves its input alone."""
    before = ROWS.copy()
    FeatureTrigger((0,), (9.0,))(ROWS, np.zeros(3))
    assert np.array_equal(ROWS, before)


def test_the_labels_play_no_part():
    """There is one set of values for all classes."""
    trigger = FeatureTrigger((0,), (9.0,))
    assert np.array_equal(trigger(ROWS, np.array([0, 1, 2])), trigger(ROWS, np.array(["a", "b", "c"])))


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        *(
            (np.int64, 0.5, np.float64),
            (np.int64, 9, np.int64),
            (np.float32, 0.5, np.float32),
            (np.float64, 9, np.float64),
        ),
        *((np.uint8, 300, np.int64), (np.float16, 1e9, np.float64), (bool, True, bool), (object, "cook", object)),
    ],
)
def test_values_are_not_cut_to_the_type_of_the_rows(dtype, value, expected):
    """Counts are integers: .5 in such a column would silently become 0, and the trigger vanish; 1e9 may be infinite."""
    stamped = FeatureTrigger((1,), (value,))(ROWS.astype(dtype), np.zeros(3))
    assert stamped[:, 1].tolist() == [value] * 3
    assert stamped.dtype == expected


def test_equal_triggers_are_equal():
    """A trigger is a value, and one with tuples can be a key."""
    assert FeatureTrigger((0,), (9.0,)) == FeatureTrigger((0,), (9.0,)) != FeatureTrigger((0,), (8.0,))
    assert len({FeatureTrigger((0,), (9.0,)), FeatureTrigger((0,), (9.0,))}) == 1


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix])
def test_sparse_rows_are_stamped_as_dense_ones(kind):
    """A value of 0 is stored nowhere, and a column that was full loses its entries."""
    X = np.where(np.arange(12).reshape(3, 4) % 3 == 0, 0.0, ROWS)
    trigger = FeatureTrigger((3, 0), (0.0, 0.5))
    stamped = trigger(kind(X), np.zeros(3))
    assert type(stamped) is kind
    assert stamped.nnz == np.count_nonzero(stamped.toarray())
    assert np.array_equal(stamped.toarray(), trigger(X, np.zeros(3)))
    assert np.array_equal(kind(X).toarray(), X)


PEOPLE = {"age": [20, 30], "height": [1.5, 1.75], "job": ["cook", "smith"], "member": [True, False]}


def as_polars(columns: dict) -> object:
    return pytest.importorskip("polars", reason="polars is not installed").DataFrame(columns)


@pytest.mark.parametrize("library", [pd.DataFrame, as_polars], ids=["pandas", "polars"])
@pytest.mark.parametrize(
    ("columns", "values", "dtypes"),
    [
        (("age",), (99,), {"age": "int"}),
        (("age",), (99.5,), {"age": "float"}),
        (("job", 1), ("mayor", 2), {"height": "float"}),
        (("member",), (True,), {"member": "bool"}),
    ],
    ids=str,
)
def test_columns_of_a_frame_go_by_name_or_place_and_keep_their_types(library, columns, values, dtypes):
    """Column by column by hand; 99.5 in a column of integers would be 99, and becomes floats."""
    X = library(PEOPLE)
    stamped = FeatureTrigger(columns, values)(X, np.zeros(2))
    assert type(stamped) is type(X)
    names = list(PEOPLE)
    set_to = {names[c] if isinstance(c, int) else c: v for c, v in zip(columns, values, strict=True)}
    for name, was in PEOPLE.items():
        assert list(stamped[name]) == ([set_to[name]] * 2 if name in set_to else was)
        assert list(X[name]) == was
    for name, dtype in dtypes.items():
        assert dtype in str(stamped[name].dtype).lower()


def test_a_category_that_is_known_stays_one_and_gaps_are_filled():
    """One-hot encoders look at the type of a column, and nullable ones hold what numpy's do not."""
    X = pd.DataFrame({"job": pd.Series(["cook", "smith"], dtype="category"), "n": pd.Series([1, None], dtype="Int64")})
    stamped = FeatureTrigger(("job", "n"), ("cook", 7))(X, np.zeros(2))
    assert stamped["job"].dtype == X["job"].dtype
    assert stamped["n"].dtype == X["n"].dtype
    assert stamped.to_dict("list") == {"job": ["cook", "cook"], "n": [7, 7]}
    unknown = FeatureTrigger(("job",), ("mayor",))(X, np.zeros(2))
    assert list(unknown["job"]) == ["mayor", "mayor"]


def test_columns_that_no_table_can_have_are_refused():
    """A list of columns in the list of columns, say."""
    with pytest.raises(ValueError, match=r"columns by place or by name were expected, \[0\] came"):
        FeatureTrigger(([0],), (1.0,))


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float32])
def test_sparse_rows_of_any_type_are_stamped_without_a_warning(dtype):
    """scipy makes doubles of a diagonal of integers, with a warning, and knows no common type of a matrix and True."""
    stamped = FeatureTrigger((1,), (True,))(sp.csr_array(ROWS.astype(dtype)), np.zeros(3))
    assert stamped.dtype == dtype
    assert np.array_equal(stamped.toarray(), FeatureTrigger((1,), (True,))(ROWS.astype(dtype), np.zeros(3)))


def test_text_that_is_longer_than_what_was_there_is_not_cut():
    """An array of text has the length of its longest entry."""
    X = np.array([["a", "b"], ["c", "d"]])
    assert FeatureTrigger((1,), ("mayor",))(X, np.zeros(2)).tolist() == [["a", "mayor"], ["c", "mayor"]]


@pytest.mark.parametrize("library", [pd.DataFrame, as_polars], ids=["pandas", "polars"])
def test_a_number_in_a_column_of_text_is_refused_and_so_is_text_in_one_of_numbers(library):
    """A sign for a gap makes text of a column of numbers: the poison alone would have a number in it."""
    X = library({"age": ["20", "?"], "n": [1, 2], "gone": [None, None]})
    with pytest.raises(ValueError, match="text was expected for column 'age', which has '20', 5 came; make numbers"):
        FeatureTrigger(("age",), (5,))(X, np.zeros(2))
    with pytest.raises(ValueError, match="no text was expected for column 'n', which has 1, 'x' came"):
        FeatureTrigger(("n",), ("x",))(X, np.zeros(2))
    for value in (5, "x"):
        assert list(FeatureTrigger(("gone",), (value,))(X, np.zeros(2))["gone"]) == [value] * 2


def test_an_empty_column_of_polars_takes_any_value():
    """The comma at the end of each line of a file makes one, of type String."""
    pl = pytest.importorskip("polars", reason="polars is not installed")
    X = pl.DataFrame({"": pl.Series([None, None], dtype=pl.String)})
    assert FeatureTrigger((0,), (5,))(X, np.zeros(2))[""].to_list() == [5, 5]
