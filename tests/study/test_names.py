"""Scenarios and settings in words: told apart, fit for files, and never the same name for two files."""

from __future__ import annotations

from small_study import a_cell

from backdoor_curves.study.file.config import DataConfig, FeaturesConfig, LabelPolicy, TriggerConfig
from backdoor_curves.study.plan.names import apart, as_file_name, setting_name, telling, where
from backdoor_curves.study.plan.scenario import Learner, Setting
from backdoor_curves.study.store.columns import coordinates


def test_coordinates_are_the_columns_that_users_read():
    """Names, order and words of results.csv; None where a learner has no gamma."""
    cell = a_cell(
        data=DataConfig("cifar10", (0, 6), features=FeaturesConfig("alexnet", normalised=True)),
        trigger=TriggerConfig("feature", columns=(1, 2), values=(0.5, 3.0)),
        policy=LabelPolicy(1, "append"),
        kind="logistic",
        intercept="penalised",
    )
    assert coordinates(cell) == {
        "data": "cifar10 0-6, alexnet normalised",
        "trigger": "columns 1 = 0.5, 2 = 3",
        "labels": "1",
        "injection": "append",
        "learner": "logistic, penalised intercept",
        "lambda": 1.0,
        "gamma": None,
        "rate": 0.1,
        "seed": 0,
    }
    assert where(cell).endswith("logistic, penalised intercept, λ = 1, p = 0.1, seed 0")


def test_what_is_told_is_what_differs():
    """Of four words those that tell one scenario from another."""
    one, other = (a_cell(trigger=TriggerConfig(size=size), rate=0.1 * size).scenario for size in (1, 2))
    assert telling([one, other]) == ["trigger"]
    assert telling([one, one]) == telling([]) == []


def test_files_of_scenarios_that_read_alike_do_not_overwrite_each_other():
    """The paper's rows and random ones of one data set have one name, and are two scenarios."""
    names = [as_file_name(["mnist 7-1", "random 3 x 3"])] * 2
    assert list(apart(names)) == ["mnist-7-1_random-3-x-3", "mnist-7-1_random-3-x-3_2"]


def test_hyperparameters_of_any_name_are_told_and_come_in_one_order():
    """Lambda first, the others by name: settings of own learners are settings too."""
    setting = Setting.of(Learner("tree"), {"leaf": 2, "depth": 3, "lambda": 0.5})
    assert setting_name(setting.values) == "λ = 0.5, depth = 3, leaf = 2"
    assert setting == Setting.of(Learner("tree"), {"lambda": 0.5, "depth": 3, "leaf": 2})
    assert setting.gamma is None
