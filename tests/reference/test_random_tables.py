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
    library="pandas",
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


@pytest.mark.parametrize("learner", ["logistic", "squared hinge", "RBF SVC"])
def test_a_path_without_its_class_weights_is_noticed(learner, monkeypatch):
    """The check itself: such a curve is that of another learner."""
    table = replace(TABLE, learner=learner)
    assert claims.outcome_of(table).kind == "followed"
    monkeypatch.setattr(weighted, "class_weights", lambda _, samples: 0.0 * samples.y + 1.0)
    outcome = claims.outcome_of(table)
    assert outcome.kind == "wrong"
    assert outcome.said.startswith("scores off by")
