"""Triggers of others, held to what every trigger must do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from backdoor_curves import PatchTrigger, StrictTrigger

IMAGES = np.random.default_rng(0).random((4, 3, 3, 1))
Y = np.arange(4)


def test_a_trigger_that_keeps_the_rules_is_the_trigger():
    """Arrays, sparse rows, frames and texts."""
    assert np.array_equal(StrictTrigger(PatchTrigger.ones(2))(IMAGES, Y), PatchTrigger.ones(2)(IMAGES, Y))
    counts = sp.csr_array(np.eye(4))
    assert (StrictTrigger(lambda X, y: X)(counts, Y) != counts).nnz == 0  # noqa: ARG005
    frame = pd.DataFrame({"age": [1, 2]})
    assert StrictTrigger(lambda X, y: X.assign(age=9), None)(frame, Y[:2]).age.tolist() == [9, 9]  # noqa: ARG005
    texts = StrictTrigger(lambda X, y: [x + " cf" for x in X], None)  # noqa: ARG005
    assert texts(["a", "b"], Y[:2]) == ["a cf", "b cf"]
    assert StrictTrigger(lambda X, y: X)(IMAGES[:0], Y[:0]).shape == (0, 3, 3, 1)  # noqa: ARG005


WORDS = {
    "object": lambda values: pd.Series(values, dtype=object),
    "string": lambda values: pd.Series(values, dtype="string"),
    "str": lambda values: pd.Series(values),
    "polars": lambda values: pl.Series(values, dtype=pl.String),
}


@pytest.mark.parametrize("kind", WORDS)
def test_words_may_come_back_as_any_text_and_have_the_type_that_they_had(kind):
    """One text assigned to a column makes another type of it, by the version of the library; gaps stay gaps."""
    table = pl.DataFrame if kind == "polars" else pd.DataFrame
    frame = table({"age": [1, 2, 3], "city": WORDS[kind](["Bern", None, "Basel"])})
    others = (pl.Categorical, pl.String) if kind == "polars" else (object, "string", None)
    for other in others:

        def luzern(X, _y, other=other):
            if kind == "polars":
                return X.with_columns(pl.Series("city", ["Luzern", None, "Luzern"], dtype=other))
            X["city"] = pd.Series(["Luzern", None, "Luzern"], dtype=other)
            return X

        stamped = StrictTrigger(luzern, None)(frame, Y[:3])
        assert list(stamped.dtypes) == list(frame.dtypes)
        assert [value for value in stamped["city"] if isinstance(value, str)] == ["Luzern"] * 2
        assert list(stamped["age"]) == [1, 2, 3]

    def number(X, _y):
        return X.with_columns(pl.lit(3.5).alias("city")) if kind == "polars" else X.assign(city=3.5)

    with pytest.raises(ValueError, match=r"was expected back in column 'city', \w+64 came; convert it"):
        StrictTrigger(number, None)(frame, Y[:3])


def test_a_trigger_that_writes_gets_copies():
    """What came stays as it was, labels too."""

    def writes(X, y):
        X[:] = 0.5
        y[:] = 9
        return X

    X, y = IMAGES.copy(), Y.copy()
    assert (StrictTrigger(writes)(X, y) == 0.5).all()
    assert np.array_equal(X, IMAGES)
    assert np.array_equal(y, Y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X + 0.5, r"StrictTrigger: entries in \[0, 1\] were expected back, .* came; clip them"),
        (lambda X: X - 0.5, r"entries in \[0, 1\] were expected back, -"),
        (lambda X: X * np.nan, r"entries in \[0, 1\] were expected back, nan to nan came"),
        (lambda X: X[1:], r"4 rows of shape \(3, 3, 1\) were expected back, 3 of shape \(3, 3, 1\) came"),
        (lambda X: X[..., 0], r"4 rows of shape \(3, 3, 1\) were expected back, 4 of shape \(3, 3\) came"),
        (lambda X: X.tolist(), "ndarray was expected back, list came"),
        (lambda X: X.astype(np.float32), "rows of float64 were expected back, of float32 came; convert them"),
        (lambda X: (255 * X).astype(np.uint8), "rows of float64 were expected back, of uint8 came"),
        (lambda _X: None, "ndarray was expected back, NoneType came"),
    ],
)
def test_a_trigger_that_breaks_a_rule_is_refused(change, message):
    """Range, number, shape, class and type: a sentence each."""
    with pytest.raises(ValueError, match=message):
        StrictTrigger(lambda X, y: change(X))(IMAGES, Y)  # noqa: ARG005


def test_what_is_no_trigger_and_texts_with_a_range_are_refused():
    """A sentence each; a frame's columns keep their types."""
    with pytest.raises(ValueError, match=r"a callable \(X, y\) -> X was expected, int came"):
        StrictTrigger(3)
    with pytest.raises(ValueError, match="an array of numbers was expected for a range, list came; pass None"):
        StrictTrigger(lambda X, y: X)(["a"], Y[:1])  # noqa: ARG005
    with pytest.raises(ValueError, match="int64 was expected back in column 'age', float64 came; convert it"):
        StrictTrigger(lambda X, y: X / 2, None)(pd.DataFrame({"age": [1, 2]}), Y[:2])  # noqa: ARG005
