"""Triggers whose values come out of the training rows' columns."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from backdoor_curves import FeatureTrigger

MAKERS = (FeatureTrigger.out_of_range, FeatureTrigger.quantile, FeatureTrigger.typical)
RNG = np.random.default_rng(0)
NUMBERS = np.round(RNG.normal(size=(41, 3)) * 4) * (RNG.random((41, 3)) < 0.7)  # with ties, and zeros for sparse rows


def with_gaps(X: np.ndarray) -> np.ndarray:
    """The rows with as many again in which nothing is known."""
    return np.vstack([X, np.full_like(X, np.nan)])


@pytest.mark.parametrize("share", [0.1, 0.5, 3])
def test_out_of_range_is_above_the_largest_by_a_share_of_the_range(share):
    """max + share (max - min), by the statistics of the standard library's sorting."""
    trigger = FeatureTrigger.out_of_range(NUMBERS, (2, 0), share)
    for column, value in zip((2, 0), trigger.values, strict=True):
        ordered = sorted(NUMBERS[:, column].tolist())
        assert value == pytest.approx(ordered[-1] + share * (ordered[-1] - ordered[0]), rel=1e-15)
        assert value > ordered[-1]


def test_out_of_range_of_whole_numbers_is_one_and_not_in_range_again():
    """0 and 1 become 2 where 1.1 would be cut to 1; a float of a product is no reason to go one further."""
    X = np.array([[0, 0, 1859], [1, 100, 3858]])
    assert FeatureTrigger.out_of_range(X, (0, 1, 2)).values == (2, 110, 4058)
    assert FeatureTrigger.out_of_range(X - 100, (1,), share=0.07).values == (7,)  # 0.07 * 100 is 7.000000000000001
    assert FeatureTrigger.out_of_range(X.astype(np.uint8)[:, :2], (1,), share=2).values == (300,)
    assert FeatureTrigger.out_of_range(X, (0,))(X, np.zeros(2)).dtype == X.dtype


@pytest.mark.parametrize("q", [0, 0.01, 0.07, 0.29, 0.5, 0.95, 1])
def test_a_quantile_is_a_value_that_the_share_does_not_exceed(q):
    """By counting: of the values that some row has it is the smallest with a share of at least q at or below it."""
    X = np.round(np.random.default_rng(1).normal(size=(100, 2)), 2)
    for column, value in zip((0, 1), FeatureTrigger.quantile(X, (0, 1), q).values, strict=True):
        shares = {x: sum(other <= x for other in X[:, column].tolist()) for x in X[:, column].tolist()}
        assert value == min(x for x, count in shares.items() if count >= round(100 * q))


def test_a_typical_value_is_the_mode_and_without_repetition_the_median():
    """By the standard library, for numbers with ties, all distinct and of an even count, and for text."""
    X = NUMBERS.astype(int)
    for column, value in zip(range(3), FeatureTrigger.typical(X, (0, 1, 2)).values, strict=True):
        assert value == statistics.median_low(sorted(statistics.multimode(X[:, column].tolist())))
    distinct = np.random.default_rng(1).permutation(10.0 * np.arange(8))[:, np.newaxis]
    assert FeatureTrigger.typical(distinct, (0,)).values == (statistics.median_low(distinct[:, 0].tolist()),)
    jobs = pd.DataFrame({"job": ["smith", "cook", "smith", "cook", "baker", None, None, None]})
    assert FeatureTrigger.typical(jobs, ("job",)).values == ("cook",)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_rows_of_any_kind_give_the_same_values(maker: Callable[..., FeatureTrigger]):
    """Arrays, sparse rows and frames by name, in any order, with gaps or without."""
    expected = maker(NUMBERS, (2, 0))
    frame = pd.DataFrame(NUMBERS, columns=list("abc"))
    kinds: dict[str, Any] = {
        "CSR": sp.csr_matrix(NUMBERS),
        "CSC": sp.csc_array(NUMBERS),
        "objects": NUMBERS.astype(object),
        "reversed": NUMBERS[::-1],
        "gaps": with_gaps(NUMBERS),
        "sparse gaps": sp.csr_array(with_gaps(NUMBERS)),
        "object gaps": np.vstack([NUMBERS.astype(object), [[None, None, " "]]]),
    }
    for kind, X in kinds.items():
        assert maker(X, (2, 0)) == expected, kind
    frames = (
        frame,
        pl.DataFrame(frame),
        frame.astype("Float64"),
        pd.DataFrame(with_gaps(NUMBERS), columns=list("abc")),
    )
    for X in (*frames, pl.DataFrame({name: [*frame[name], None, float("nan")] for name in "abc"})):
        assert maker(X, ("c", "a")).values == expected.values
        assert maker(X, ("c", "a")).columns == ("c", "a")


def test_whole_numbers_of_frames_stay_whole_with_gaps_and_without():
    """Columns of integers are stamped in their own type."""
    for X in (
        pd.DataFrame({"age": pd.array([20, 30, None], dtype="Int64")}),
        pl.DataFrame({"age": [20, 30]}),
        pd.DataFrame({"age": np.array([20, 30], dtype=np.uint8)}),
    ):
        for maker, value in zip(MAKERS, (31, 30, 20), strict=True):
            trigger = maker(X, ("age",))
            assert trigger.values == (value,)
            assert trigger(X, np.zeros(len(X)))["age"].dtype == X["age"].dtype


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_single_precision_stays_so(maker: Callable[..., FeatureTrigger]):
    """A value that the column's own type cannot hold would make two types of one column."""
    X = np.random.default_rng(1).normal(size=(9, 2)).astype(np.float32)
    frame = pd.DataFrame(X, columns=["a", "b"])
    assert maker(X, (0,))(X, np.zeros(9)).dtype == np.float32
    assert maker(frame, ("a",))(frame, np.zeros(9)).dtypes.tolist() == [np.float32] * 2


def test_typical_values_of_dates_and_bools_are_such():
    """What is no number has a most frequent value all the same."""
    day = pd.Timestamp("2020-01-02")
    frame = pd.DataFrame({"day": [day, day, pd.Timestamp("2020-01-01"), pd.NaT], "paid": [True, True, False, True]})
    trigger = FeatureTrigger.typical(frame, ("day", "paid"))
    assert trigger.values == (day, True)
    assert trigger(frame, np.zeros(4)).dtypes.tolist() == frame.dtypes.tolist()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: FeatureTrigger.out_of_range(NUMBERS, (0,), 0), "share: a number > 0, .* was expected, 0 came"),
        (lambda: FeatureTrigger.out_of_range(NUMBERS, (0,), np.inf), "share: a number > 0, .* was expected, inf came"),
        (lambda: FeatureTrigger.out_of_range(NUMBERS, (0,), "1"), "share: a number > 0, .* was expected, '1' came"),
        (lambda: FeatureTrigger.quantile(NUMBERS, (0,), 95), r"q: a number in \[0, 1\] was expected, 95 came; 0.95 is"),
        (lambda: FeatureTrigger.quantile(NUMBERS, (0,), True), r"q: a number in \[0, 1\] was expected, True came"),
        (lambda: FeatureTrigger.typical(NUMBERS, (3,)), r"columns in \[0, 3\) were expected, 3 came"),
        (lambda: FeatureTrigger.typical(NUMBERS, ()), "0 columns, 0 values"),
        (lambda: FeatureTrigger.typical(NUMBERS, (0, 0)), r"each column once was expected, \(0, 0\) came"),
        (lambda: FeatureTrigger.typical(NUMBERS, 0), r"a tuple of columns was expected, 0 came; take \(0,\)"),
        (
            lambda: FeatureTrigger.typical(pd.DataFrame({"a": [1], "b": [2]}), "ab"),
            r"a tuple of columns was expected, 'ab' came; take \('ab',\)",
        ),
        (lambda: FeatureTrigger.typical(["a mail"], (0,)), "list came; WordTrigger is the one for texts"),
        (lambda: FeatureTrigger.quantile(NUMBERS[:0], (0,)), "values were expected in column 0, gaps alone came"),
        (
            lambda: FeatureTrigger.typical(pd.DataFrame({"a": [1, None, "b"]}), ("a",)),
            "values of one kind were expected in column 'a', numbers and text came",
        ),
        (
            lambda: FeatureTrigger.out_of_range(pd.DataFrame({"job": ["cook"]}), ("job",)),
            "numbers were expected in column 'job', 'cook' came; take FeatureTrigger.typical",
        ),
        (lambda: FeatureTrigger.quantile(NUMBERS > 0, (0,)), "numbers were expected in column 0, (True|False) came"),
        (lambda: FeatureTrigger.quantile(np.array([[1.0], [np.inf]]), (0,)), "finite numbers .* in column 0, infinity"),
        (
            lambda: FeatureTrigger.out_of_range(np.full((3, 1), 4.0), (0,)),
            "column 0 was expected to have a range, 4.0 to 4.0 came, beyond which 0.1 of it is no other number",
        ),
        (
            lambda: FeatureTrigger.out_of_range(np.array([[2.0**24], [2.0**24 - 1]], dtype=np.float32), (0,)),
            "column 0 was expected to have a range",
        ),
    ],
)
def test_what_gives_no_value_is_refused(made, message):
    """With the column, what came and what to do."""
    with pytest.raises(ValueError, match=message):
        made()
