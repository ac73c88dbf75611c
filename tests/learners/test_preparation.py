"""Steps by name: what they make of rows of any kind, and which rows get which by default."""

from __future__ import annotations

import typing

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from backdoor_curves.learners.preparation import STEPS, default_steps, number_columns, table, word_columns
from backdoor_curves.study.file.config import Step
from backdoor_curves.study.plan.names import STEP_WORDS

COLUMNS = {"size": [1.0, 3.0, None, 8.0], "town": ["a", None, "b", "a"], "own": [True, False, True, True]}
OBJECTS = np.array(list(zip(*COLUMNS.values(), strict=True)), dtype=object)
TABLES = {
    "pandas": pd.DataFrame(COLUMNS),
    "categories": pd.DataFrame(COLUMNS).astype({"town": "category"}),
    "nullable": pd.DataFrame(COLUMNS).convert_dtypes(),
    "polars": pl.DataFrame(COLUMNS),
    "objects": OBJECTS,
}


def dense(Z):
    return Z.toarray() if sp.issparse(Z) else np.asarray(Z)


@pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)
def test_a_table_is_numbers_scaled_words_one_hot_and_gaps_filled(X):
    """By hand: the median of 1, 3 and 8 is 3; a missing town is a town of its own."""
    Z = dense(table().fit_transform(X))
    size = np.array([1.0, 3.0, 3.0, 8.0])
    own = np.array([1.0, 0.0, 1.0, 1.0])
    towns = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
    scaled = [(column - column.mean()) / column.std() for column in (size, own)]
    np.testing.assert_allclose(Z, np.column_stack([*scaled, towns]), atol=1e-12)  # rounding


@pytest.mark.parametrize("kind", ["pandas", "polars", "objects"])
def test_words_that_the_training_rows_lack_are_no_word_of_theirs(kind):
    """Test rows have them, and a trigger may."""
    X = TABLES[kind]
    fitted = table().fit(X)
    new = {"size": [2.0], "town": ["quokka"], "own": [False]}
    row = {
        "pandas": pd.DataFrame,
        "polars": pl.DataFrame,
        "objects": lambda _: np.array([[2.0, "quokka", False]], dtype=object),
    }
    assert dense(fitted.transform(row[kind](new)))[0, 2:].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)
def test_columns_are_of_numbers_or_of_words(X):
    """Truths are numbers."""
    numbers, words = number_columns(X), word_columns(X)
    assert (numbers, words) in ((["size", "own"], ["town"]), ([0, 2], [1]))


def test_one_hot_leaves_numbers_as_they_are():
    """They pass behind the words."""
    X = TABLES["pandas"].fillna({"size": 0.0})
    Z = dense(STEPS["one-hot"]().fit_transform(X))
    assert Z[:, 3].tolist() == [1.0, 3.0, 0.0, 8.0]


@pytest.mark.parametrize(
    ("X", "steps"),
    [
        (["win money", "hi"], ("tf-idf",)),
        (np.array(["win money", "hi"], dtype=object), ("tf-idf",)),
        (pd.Series(["win money", "hi"]), ("tf-idf",)),
        (pl.Series(["win money", "hi"]), ("tf-idf",)),
        (TABLES["pandas"], ("table",)),
        (TABLES["polars"], ("table",)),
        (OBJECTS, ("table",)),
        (np.zeros((3, 2)), ()),
        (np.zeros((3, 8, 8, 1)), ()),
        (sp.csr_array(np.eye(3)), ()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rows_say_what_they_need(X, steps):
    """Arrays of numbers are taken as they are: images, embeddings, counts."""
    assert default_steps(X) == steps


def test_the_steps_of_files_are_those_that_there_are():
    """Each has a name in one place, and words in another."""
    assert set(typing.get_args(Step)) == set(STEPS)
    assert set(STEP_WORDS) <= set(STEPS)
