"""A conclusion of the paper as it is tested: a record, and what the tests share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Row = Mapping[str, Any]
"""Of `Run.table`."""
Verdict = Literal["holds", "holds in part", "does not hold"]
NAN = float("nan")
SETTING = ("data", "trigger", "labels", "injection", "learner", "lambda", "gamma", "rate", "seed")
"""What says which cell a row is of."""


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


def varying(table: Sequence[Row], name: str, quantity: str) -> list[list[Row]]:
    """Return the rows that have the quantity and differ in one coordinate alone, ascending in it; two or more each."""
    known = [row for row in table if row[quantity] is not None]
    fixed = tuple(one for one in SETTING if one != name)
    return [sorted(rows, key=lambda row: row[name]) for rows in grouped(known, fixed).values() if len(rows) > 1]


def grouped(rows: Iterable[Row], names: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Return the rows by their values of some columns, in the order of the rows."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups


def by_share(right: Sequence[bool]) -> Verdict:
    """Return "holds" where all are, "holds in part" where half or more are."""
    if all(right):
        return "holds"
    return "holds in part" if 2 * sum(right) >= len(right) else "does not hold"
