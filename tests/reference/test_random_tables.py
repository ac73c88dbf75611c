"""Random tables in short: `benchmarks/random_tables.py` has 10,000 of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from backdoor_curves.learners.exact import weighted
from reference import table_claims as claims
from reference.table_cases import Column, Table, tables

TABLE = Table(
    container="pandas",
    columns=(Column("float64"), Column("boolean"), Column("Int64", scale=2)),
    n=40,
    n_classes=2,
    labels="rare",
    a_label_is_missing=False,
    rate=0.25,
    injection="append",
    steps="columns",
    learner="logistic",
    C=1.0,
    class_weight="balanced",
    freeze="joined",
    seed=1,
)
RAW = replace(TABLE, rate=0.5, injection="replace", class_weight=None, freeze="clean")
ONCE_WRONG = {
    "the names of large columns of polars": replace(
        RAW,
        container="polars",
        columns=(Column("Float64", offset=1.0, habit="repeats the one before"), Column("Boolean", offset=-30.0)),
        n=20,
        labels="objects",
        steps="none",
        learner="linear SVC",
        C=1e4,
        seed=4294967295,
    ),
    "ties of rows whose speeds overflow": replace(
        RAW,
        container="csc",
        columns=(Column("float64", habit="constant"), *(Column("float64", scale=scale) for scale in (0, 9, 1, 3))),
        n=80,
        labels="boolean",
        steps="imputed",
        learner="hinge",
        seed=600,
    ),
}
"""Tables of a search of 10,000, by what met an error of another library."""
SCALED = ("standard", "minmax", "columns", "tfidf")


def is_small(table):
    """Few rows, and scaled ones but for ridge: others take their time."""
    return table.n <= 20 and (table.learner == "ridge" or table.steps in SCALED)


def test_a_random_table_is_followed_to_the_fits_or_refused_in_a_sentence():
    """Always the same tables, since their number is small: types, scales, gaps, labels, libraries, learners."""
    kinds: Counter[str] = Counter()

    # A deadline would assert a time, and a machine under load misses it.
    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(tables().filter(is_small))
    def search(table):
        outcome = claims.outcome_of(table)
        kinds[outcome.kind] += 1
        assert outcome.kind != "wrong", outcome.said

    search()
    assert kinds["followed"] > 10


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_tables_that_were_once_wrong_are_followed_or_refused_in_a_sentence(name):
    outcome = claims.outcome_of(ONCE_WRONG[name])
    assert outcome.kind != "wrong", outcome.said


@pytest.mark.parametrize("learner", ["logistic", "squared hinge", "RBF SVC"])
def test_a_path_without_its_class_weights_is_noticed(learner, monkeypatch):
    """The check itself: such a curve is that of another learner."""
    table = replace(TABLE, learner=learner)
    assert claims.outcome_of(table).kind == "followed"
    monkeypatch.setattr(weighted, "row_weights", lambda _, samples: samples.weight)
    outcome = claims.outcome_of(table)
    assert outcome.kind == "wrong"
    assert outcome.said.startswith("scores off by")
