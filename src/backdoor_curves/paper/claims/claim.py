"""A conclusion of the paper as it is tested: a record, and what the tests share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from backdoor_curves.study.store.stored_cell import StoredCell

Cells = Sequence[StoredCell]
Verdict = Literal["holds", "holds in part", "does not hold"]
NAN = float("nan")
Value = TypeVar("Value", bound=Hashable)


@dataclass(frozen=True)
class Axis:
    """What cells that are compared differ in: its name, its value, and all that they have in common."""

    name: str
    value: Callable[[StoredCell], float]
    others: Callable[[StoredCell], Hashable]


LAMBDA = Axis(
    "lambda", lambda cell: cell.setting.lam, lambda cell: (cell.scenario, cell.setting.without("lambda"), cell.seed)
)
RATE = Axis(
    "rate",
    lambda cell: cell.scenario.rate,
    lambda cell: (cell.scenario.data, cell.scenario.way, cell.setting, cell.seed),
)


@dataclass(frozen=True)
class Measured:
    """A number behind a verdict, with its 95 % interval over seeds (NaN: none) and the number of cells behind it."""

    of: str
    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        interval = "" if np.isnan(self.low) else f" [{self.low:.3g}, {self.high:.3g}]"
        return f"{self.of} {self.value:.3g}{interval}, n = {self.n}"


@dataclass(frozen=True)
class Claim:
    """A conclusion of the paper, tested.

    Parameters
    ----------
    name : str
        Which conclusion; several claims may share it.
    about : str
        The learner and data that this one is about.
    paper : str
        What the paper says, in our words.
    measured : tuple of Measured
    rule : str
        What the verdict goes by.
    verdict : {"holds", "holds in part", "does not hold"}
    """

    name: str
    about: str
    paper: str
    measured: tuple[Measured, ...]
    rule: str
    verdict: Verdict


def varying(cells: Iterable[StoredCell], axis: Axis, quantity: str) -> list[list[StoredCell]]:
    """Return the cells that have the quantity and differ in one coordinate alone, ascending in it; two or more each."""
    known = [cell for cell in cells if cell.numbers.get(quantity) is not None]
    return [sorted(group, key=axis.value) for group in grouped(known, axis.others).values() if len(group) > 1]


def grouped(cells: Iterable[StoredCell], of: Callable[[StoredCell], Value]) -> dict[Value, list[StoredCell]]:
    """Return the cells by a value that they have, in the order of the cells."""
    groups: dict[Value, list[StoredCell]] = {}
    for cell in cells:
        groups.setdefault(of(cell), []).append(cell)
    return groups


def by_share(right: Sequence[bool]) -> Verdict:
    """Return "holds" where all are, "holds in part" where half or more are."""
    if all(right):
        return "holds"
    return "holds in part" if 2 * sum(right) >= len(right) else "does not hold"
