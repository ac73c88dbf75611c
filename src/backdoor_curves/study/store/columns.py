"""Which cell a row of a table is of, as columns: scenario, learner, hyperparameters, seed; the same for all rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backdoor_curves.study.compute.quantities import ALL_QUANTITIES
from backdoor_curves.study.plan.names import SYMBOLS, learner_name, scenario_words, value_name
from backdoor_curves.study.plan.scenario import OWN, Cell

TAKEN = {
    *("data", "trigger", "labels", "injection", "learner", "rate", "seed", "seconds", "error"),
    *("quantity", "mean", "sd", "low", "high", "n_seeds", "n_cells"),
    *ALL_QUANTITIES,
}
"""Columns of the tables of cells and of statistics; no hyperparameter has one of these names."""


def coordinates(cell: Cell) -> dict[str, Any]:
    """Return scenario, setting and seed as columns of a table: words, and numbers as they are.

    lambda and gamma are there for every cell, None where its learner has none; other hyperparameters by their names.
    """
    values = cell.setting.values
    return {
        **scenario_words(cell.scenario),
        "learner": learner_name(cell.setting.learner),
        **{name: values.get(name) for name in SYMBOLS},
        **{column_of(name): value for name, value in values.items() if name not in SYMBOLS},
        "rate": cell.scenario.rate,
        "seed": cell.seed,
    }


def column_of(name: str) -> str:
    """Return the column of a hyperparameter: its name, with "learner_" before one that another column has.

    Examples
    --------
    >>> from backdoor_curves.study.store.columns import column_of
    >>> column_of("max_depth"), column_of("seed")
    ('max_depth', 'learner_seed')
    """
    return f"learner_{name}" if name in TAKEN else name


def own_names(cells: Iterable[Cell]) -> list[str]:
    """Return the hyperparameters of some cells other than lambda and gamma, in the order in which they come."""
    names = dict.fromkeys(name for cell in cells for name, _ in cell.setting.hyperparameters)
    return [name for name in names if name not in SYMBOLS]


def alike(rows: list[dict[str, Any]], cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """Return rows with the same columns: None where a cell has no such hyperparameter, and words where some are.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import DataConfig
    >>> from backdoor_curves.study.plan.scenario import OWN, Cell, Learner, Scenario, Setting
    >>> from backdoor_curves.study.store.columns import alike
    >>> at = Scenario(DataConfig(), None, None, 0.1)
    >>> forest = Learner(OWN, estimator="sklearn.ensemble.RandomForestClassifier")
    >>> cells = [Cell(at, Setting.of(forest, {"max_depth": depth}), 0) for depth in (2, "None")]
    >>> [row["max_depth"] for row in alike([{"max_depth": 2, "rate": 0.1}, {"rate": 0.1}], cells)]
    ['2', None]
    """
    cells = list(cells)
    if all(cell.setting.learner.kind != OWN for cell in cells):
        return rows
    own = own_names(cells)
    in_words = {name for cell in cells for name, value in cell.setting.hyperparameters if _is_in_words(value)}
    columns = {column_of(name): name for name in (*SYMBOLS, *own)}
    order = [name for name in rows[0] if name not in columns] if rows else []
    place = order.index("rate") if "rate" in order else len(order)
    order[place:place] = columns
    made = []
    for row in rows:
        values: dict[str, Any] = {name: row.get(name) for name in order}
        for column, name in columns.items():
            if name in in_words and values[column] is not None:
                values[column] = value_name(values[column])
        made.append(values)
    return made


def _is_in_words(value: Any) -> bool:
    return isinstance(value, str | bool | tuple)
