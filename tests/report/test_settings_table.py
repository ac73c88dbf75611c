"""The table of settings: a quantity with a heading has a column, whatever the quantity and the hyperparameters are."""

from __future__ import annotations

import pytest
from runs import cell, made_up, numbers

from backdoor_curves.report.page import settings_table as module
from backdoor_curves.report.page.content import content_of
from backdoor_curves.report.page.settings_table import settings_table
from backdoor_curves.search.safe_region import Bounds
from backdoor_curves.study.compute.quantities import ALL_QUANTITIES, Quantity


def table_of(cells, folder):
    (learner,) = content_of(made_up(cells, folder), Bounds()).scenarios[0].learners
    return settings_table(learner)


def test_a_quantity_that_is_added_is_a_column(tmp_path, monkeypatch):
    """One line with a heading: its mean over seeds is on the page, a share in per cent."""
    more = {"flips": Quantity(float, "flips"), "share": Quantity(float, "share", is_share=True)}
    monkeypatch.setattr(module, "ALL_QUANTITIES", {**ALL_QUANTITIES, **more})
    cells = [(cell(seed=k), numbers() | {"flips": 3.0 + k, "share": 0.25}) for k in (0, 1)]
    table = table_of(cells, tmp_path)
    assert table.quantities[-2:] == ["flips", "share"]
    assert table.lines[0].quantities[-2:] == ["3.5", "25.0"]


@pytest.mark.parametrize(
    ("found", "heading", "said"),
    [
        ({"slope_at_0": -2.0}, "slope", "-2"),
        ({"slope_estimate_at_0": -2.0}, "slope", "≈ -2"),
        ({}, "slope", "–"),
        ({"half_loss_beta": 0.125}, "half-loss β", "0.125 (1 of 2)"),
        ({}, "half-loss β", "never"),
        ({"score_bound": 3e-9}, "score bound", "3e-09"),
        ({}, "score bound", "refit"),
        ({}, "clean acc.", "–"),
    ],
)
def test_what_is_missing_is_said_in_its_own_way(tmp_path, found, heading, said):
    """An estimate is marked, a half-loss that some seeds never reach is counted, the worst bound stands for all."""
    table = table_of([(cell(seed=0), found), (cell(seed=1), {})], tmp_path)
    assert table.lines[0].quantities[table.quantities.index(heading)] == said


def test_hyperparameters_have_columns_of_their_own(tmp_path):
    """By the symbols of those that are known, in one order."""
    table = table_of([(cell(kind="rbf-svm", gamma=0.5), numbers())], tmp_path)
    assert (table.hyperparameters, table.lines[0].hyperparameters) == (["λ", "γ"], ["1", "0.5"])
