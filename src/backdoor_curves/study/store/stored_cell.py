"""A cell as a run has it: which it is, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backdoor_curves.study.plan.scenario import Cell, Learner, Scenario, Setting
from backdoor_curves.study.store.columns import coordinates


@dataclass(frozen=True)
class StoredCell:
    """A cell of a store, without its curves and arrays.

    Parameters
    ----------
    key : str
    status : {"done", "failed"}
    cell : Cell
        Which it is: scenario, setting, seed.
    data : str
        The hash of its rows.
    numbers : mapping of str to number or None
        Its quantities; empty where it failed.
    reason : str
        Why it failed; "" where it is done.
    seconds : float
    """

    key: str
    status: str
    cell: Cell
    data: str
    numbers: Mapping[str, Any]
    reason: str
    seconds: float

    @property
    def scenario(self) -> Scenario:
        """Which attack it met."""
        return self.cell.scenario

    @property
    def setting(self) -> Setting:
        """Its learner and hyperparameters."""
        return self.cell.setting

    @property
    def learner(self) -> Learner:
        """Its learner."""
        return self.setting.learner

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Its hyperparameters by name."""
        return self.setting.values

    @property
    def seed(self) -> int:
        """Of its rows, trigger and poison."""
        return self.cell.seed

    @property
    def coordinates(self) -> dict[str, Any]:
        """Which cell it is, as columns of a table: words and numbers."""
        return coordinates(self.cell)

    @property
    def clean_accuracy(self) -> float | None:
        """That of the victim, at beta = 1; None where it failed."""
        return self.numbers.get("clean_accuracy_at_1")

    @property
    def asr(self) -> float | None:
        """The attack success rate of the victim, at beta = 1; None where it failed."""
        return self.numbers.get("asr_at_1")

    @property
    def is_trained(self) -> bool:
        """Whether it is of a network: with the slope of its training, and without a bound to an optimum."""
        return self.numbers.get("slope_at_0") is not None and self.numbers.get("score_bound") is None
