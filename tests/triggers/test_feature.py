"""Columns set to values."""

from __future__ import annotations

import numpy as np
import pytest

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
    [(np.int64, 0.5, np.float64), (np.int64, 9, np.int64), (np.float32, 0.5, np.float32), (np.float64, 9, np.float64)],
)
def test_values_are_not_cut_to_the_type_of_the_rows(dtype, value, expected):
    """Counts are integers: .5 in such a column would silently become 0, and the trigger vanish."""
    stamped = FeatureTrigger((1,), (value,))(ROWS.astype(dtype), np.zeros(3))
    assert stamped[:, 1].tolist() == [value] * 3
    assert stamped.dtype == expected


def test_equal_triggers_are_equal():
    """A trigger is a value, and one with tuples can be a key."""
    assert FeatureTrigger((0,), (9.0,)) == FeatureTrigger((0,), (9.0,)) != FeatureTrigger((0,), (8.0,))
    assert len({FeatureTrigger((0,), (9.0,)), FeatureTrigger((0,), (9.0,))}) == 1
