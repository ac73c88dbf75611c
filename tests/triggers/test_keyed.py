"""Draws keyed by a seed and the content of a row."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from backdoor_curves.rows import take_rows
from backdoor_curves.triggers.keyed import row_generators

NUMBERS = np.random.default_rng(0).normal(size=(6, 3))
TEXTS = ["a mail", "another", "", "é", "a much longer one than all the others", "cf"]
KINDS = {
    "images": NUMBERS.reshape(6, 3, 1, 1).astype(np.float32),
    "numbers": NUMBERS,
    "bytes": np.arange(18, dtype=np.uint8).reshape(6, 3),
    "CSR": sp.csr_matrix(NUMBERS * (NUMBERS > -0.5)),
    "CSC": sp.csc_array(NUMBERS),
    "texts": TEXTS,
    "array of texts": np.array(TEXTS),
    "array of objects": np.array(TEXTS, dtype=object),
    "words": [text.split() + ["end"] * i for i, text in enumerate(TEXTS)],
    "pandas": pd.DataFrame({"age": np.arange(6), "job": TEXTS, "day": pd.date_range("2020", periods=6)}),
    "column of pandas": pd.Series(TEXTS, index=list("fedcba")),
    "polars": pl.DataFrame({"age": np.arange(6), "job": TEXTS}),
    "column of polars": pl.Series(TEXTS),
}


def draws(X, seed=0) -> list[float]:
    return [float(rng.random()) for rng in row_generators(X, seed)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_draws_the_same_alone_and_in_any_company_and_order(kind):
    """Arrays of texts are as wide as the longest of them, and objects have addresses: neither is the row's own."""
    X, order = KINDS[kind], np.array([4, 0, 5, 2, 1, 3])
    X = X.tocsr() if kind == "CSC" else X
    together = draws(KINDS[kind])
    assert len(set(together)) == 6
    assert draws(take_rows(X, order)) == [together[i] for i in order]
    assert [draws(take_rows(X, np.array([i])))[0] for i in range(6)] == together


def test_texts_draw_alike_in_whatever_they_are_kept():
    """A list, an array and a column of the same texts are the same rows to their user."""
    kept = ("texts", "array of texts", "array of objects", "column of pandas", "column of polars")
    assert len({tuple(draws(KINDS[kind])) for kind in kept}) == 1


def test_equal_rows_draw_alike_and_another_seed_draws_otherwise():
    """-0 equals 0."""
    assert len(set(draws(np.array([[0.0, 1.0], [-0.0, 1.0]])))) == 1
    assert not set(draws(NUMBERS, 0)) & set(draws(NUMBERS, 1))


def test_generators_of_rows_are_independent():
    """The mean of 4,000 first draws is within five standard errors (.0046) of 1/2, and neighbours do not correlate."""
    first = np.array(draws(np.arange(4000.0)[:, np.newaxis]))
    assert abs(first.mean() - 0.5) < 5 * 0.0046
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 5 / np.sqrt(4000)


def test_another_process_draws_the_same():
    """Python's own hash of a text is another in each process."""
    code = (
        "from backdoor_curves.triggers.keyed import row_generators\n"
        f"print([float(rng.random()) for rng in row_generators({TEXTS!r}, 0)])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(draws(TEXTS))


@pytest.mark.parametrize("seed", [-1, 1.5, None, True, "0"])
def test_a_seed_is_a_whole_number_of_at_least_0(seed):
    with pytest.raises(ValueError, match="seed, a whole number >= 0, was expected"):
        draws(NUMBERS, seed)
