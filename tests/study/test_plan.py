"""Cells, keys and groups."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from small_study import changed, four_learners, small

from backdoor_curves.study.file.config import DataConfig, KeepConfig, LabelPolicy, LearnerConfig, TriggerConfig
from backdoor_curves.study.file.study_file import built_in_study
from backdoor_curves.study.plan import keys
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.plan.keys import key_of
from backdoor_curves.study.store.columns import coordinates


def test_cells_go_learner_by_learner_and_seeds_run_fastest():
    """The table and results.csv keep this order, so that seeds of one setting stand together."""
    study = small(learners=(LearnerConfig("ridge", (1.0, 2.0)), LearnerConfig("rbf-svm", (3.0,), (0.1, 0.2))))
    order = [planned.cell for planned in make_plan(study).cells]
    assert [(c.setting.learner.kind, c.setting.lam, c.setting.gamma) for c in order[::4]] == [
        ("ridge", 1.0, None),
        ("ridge", 2.0, None),
        ("rbf-svm", 3.0, 0.1),
        ("rbf-svm", 3.0, 0.2),
    ]
    assert [(c.scenario.rate, c.seed) for c in order[:4]] == [(0.1, 0), (0.1, 1), (0.5, 0), (0.5, 1)]


def test_keys_are_unique_and_the_same_each_time():
    """A key names a cell on disk: two cells of one key would be one, and a new key each time none."""
    close = small(learners=(LearnerConfig("ridge", (1.0, 1.0 + 1e-15, 1e-9)),), rates=(0.1, 0.1 + 1e-15))
    for study in (built_in_study(), close):
        keys = [planned.key for planned in make_plan(study).cells]
        assert len(set(keys)) == len(keys)
        assert keys == [planned.key for planned in make_plan(study).cells]


@pytest.mark.parametrize(
    "changes",
    [
        {"lam": 2.0},
        {"rate": 0.2},
        {"seed": 7},
        {"method": "refit"},
        {"trigger": TriggerConfig(size=1)},
        {"data": DataConfig(n_train=61, n_test=40)},
        {"keep": KeepConfig(knots=True)},
        {"keep": KeepConfig(explanations=True)},
        {"kind": "logistic"},
        {"intercept": "penalised"},
        {"gamma": 0.1},
        {"policy": LabelPolicy(1)},
        {"control": False},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_key_changes_with_every_coordinate(changes):
    """What is computed or kept differently is another cell."""
    cell = make_plan(small()).cells[0].cell
    assert key_of(changed(cell, **changes), "a") != key_of(cell, "a")


def test_a_key_changes_with_the_data_and_the_algorithm(monkeypatch):
    """Numbers of other rows or of another method must not pass for these."""
    cell = make_plan(small()).cells[0].cell
    before = key_of(cell, "a")
    assert key_of(cell, "b") != before
    monkeypatch.setattr(keys, "ALGORITHM", 99)
    assert key_of(cell, "a") != before


def test_a_group_has_all_lambdas_and_rates_of_one_learner_gamma_and_seed():
    """What shares a kernel matrix is together, and nothing else is."""
    plan = make_plan(four_learners(seeds=(0, 1)))
    assert len(plan.groups) == 5 * 2
    for group in plan.groups:
        cells = [planned.cell for planned in plan.cells if planned.group == group.number]
        alike = {(c.setting.without("lambda"), c.method, c.seed) for c in cells}
        assert len(alike) == 1
        assert len(cells) == len({c.setting.lam for c in cells}) * len(group.rates)


def test_work_goes_group_by_group_and_rate_by_rate():
    """A process holds the rows of one group, and there of one rate: to go to and fro would make them each time."""
    plan = make_plan(small(seeds=(0, 1)))
    ordered = plan.by_group(plan.cells)
    assert sorted(one.key for one in ordered) == sorted(one.key for one in plan.cells)
    changes = [
        (before.group != after.group, before.cell.scenario.rate != after.cell.scenario.rate)
        for before, after in pairwise(ordered)
    ]
    assert sum(group for group, _ in changes) == len(plan.groups) - 1
    rates = {one.cell.scenario.rate for one in plan.cells}
    assert len(rates) > 1
    assert sum(group or rate for group, rate in changes) == len(plan.groups) * len(rates) - 1


def test_a_cell_of_two_experiments_is_one():
    """It is computed once, where it first stands."""
    study = small()
    twice = msgspec.structs.replace(study, experiments=study.experiments * 2)
    assert make_plan(twice).cells == make_plan(study).cells
    more = msgspec.structs.replace(study, experiments=(*study.experiments, *small(seeds=(1, 2)).experiments))
    assert len(make_plan(more).cells) == len(make_plan(study).cells) + 2


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_shards_are_the_whole_without_overlap(count):
    """Whatever the number of parts, groups stay together."""
    plan = make_plan(four_learners())
    parts = [plan.shard(index, count) for index in range(1, count + 1)]
    assert sorted(p.key for part in parts for p in part) == sorted(p.key for p in plan.cells)
    homes = [{p.group for p in part} for part in parts]
    assert sum(map(len, homes)) == len(set().union(*homes))


def test_data_that_cannot_be_had_are_an_error_of_the_plan():
    """Else hours pass before the sentence comes."""
    with pytest.raises(ValueError, match="at most 1797 rows"):
        make_plan(small(data=(DataConfig(n_train=5000),)))


def test_names_of_coordinates_tell_apart_what_differs():
    """They are columns of the tables."""
    plan = make_plan(small(trigger=(TriggerConfig(size=1), TriggerConfig(pattern="ones", position="center"))))
    rows = [coordinates(planned.cell) for planned in plan.cells]
    assert {row["trigger"] for row in rows} == {"random 1 x 1", "ones 2 x 2, center"}
    assert {row["data"] for row in rows} == {"digits even-odd, 60/40 rows"}
    groups = {(p.cell.scenario.trigger, p.group) for p in plan.cells}
    assert len(groups) == 4  # two triggers, two seeds
    assert replace(plan.groups[0]) == plan.groups[0]
    assert np.isclose(rows[0]["rate"], 0.1)
