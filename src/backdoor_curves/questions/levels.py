"""Where on a question's axis a cell is, and with which others it is compared."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.study.file.config import QuestionConfig
from backdoor_curves.study.plan.names import attack_name, learner_title, setting_name, value_name
from backdoor_curves.study.plan.scenario import Setting
from backdoor_curves.study.store.stored_cell import StoredCell


def level_of(cell: StoredCell, axis: str) -> Any:
    """Return the value that a cell has on an axis.

    Raises
    ------
    ValueError
        If it has none.
    """
    if axis == "learner":
        return learner_title(cell.learner)
    if axis == "attack":
        return attack_name(cell.scenario)
    if axis in cell.hyperparameters:
        return cell.hyperparameters[axis]
    found: Any = cell.scenario
    for name in axis.split("."):
        if not hasattr(found, name):
            known = ", ".join(["learner", "attack", "rate", *cell.hyperparameters])
            raise ValueError(
                f"question.axis: one of {known}, or a field of the scenario such as data.n_train, was expected, "
                f"{axis!r} came"
            )
        found = getattr(found, name)
    return found


def others_of(cell: StoredCell, axis: str) -> Setting | None:
    """Return what the cells share that are compared: learner and hyperparameters, without the axis."""
    return None if axis == "learner" else cell.setting.without(axis)


def setting_titles(settings: Sequence[Setting | None]) -> list[str]:
    """Return what to call settings: by their learner, with hyperparameters where a learner has several."""
    learners = [None if one is None else one.learner for one in settings]
    titles = []
    for one in settings:
        if one is None:
            titles.append("")
        elif learners.count(one.learner) == 1:
            titles.append(learner_title(one.learner))
        else:
            titles.append(f"{learner_title(one.learner)}, {setting_name(one.values)}")
    return titles


def ordered_levels(cells: Sequence[StoredCell], axis: str) -> list[Hashable]:
    """Return the levels of cells: numbers ascending, others as the study has them."""
    found = list(dict.fromkeys(level_of(cell, axis) for cell in cells))
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in found)
    return sorted(found) if numbers else found


def level_names(levels: Sequence[Any], question: QuestionConfig) -> list[str]:
    """Return what levels are called: by the question, or by their values.

    Raises
    ------
    ValueError
        If the question names more or fewer.
    """
    _require_as_many(levels, question.levels, "levels")
    return list(question.levels or map(value_name, levels))


def level_numbers(levels: Sequence[Any], question: QuestionConfig) -> Float[np.ndarray, " l"] | None:
    """Return the numbers of levels, all above 0; None where they have none and a level is compared with the first."""
    _require_as_many(levels, question.numbers, "numbers")
    found = question.numbers or levels
    if all(isinstance(one, int | float) and not isinstance(one, bool) and one > 0 for one in found):
        return np.array(found, dtype=float)
    return None


def _require_as_many(levels: Sequence[Hashable], given: Sequence[Any], name: str) -> None:
    if given and len(given) != len(levels):
        raise ValueError(f"question.{name}: one for each of {len(levels)} levels was expected, {len(given)} came")
