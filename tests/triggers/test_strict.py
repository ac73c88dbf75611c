"""Triggers of others, held to what every trigger must do."""

from __future__ import annotations

import numpy as np
import pandas as pd
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
    with pytest.raises(ValueError, match=r"rows of \[.*int64.*\] were expected back, of \[.*float64.*\] came"):
        StrictTrigger(lambda X, y: X / 2, None)(pd.DataFrame({"age": [1, 2]}), Y[:2])  # noqa: ARG005
