"""The table of who becomes whom, of the settings that are compared: shares in per cent on their colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backdoor_curves.report.page.confusions import Confusion
from backdoor_curves.report.page.content import ShownLearner, ShownSetting
from backdoor_curves.report.page.words import number, shown

STEPS = 9
"""Of the colours of a cell, which are those of the maps."""
LONGEST = 40
"""Characters of a class's name."""


@dataclass(frozen=True)
class CellView:
    """A share in per cent, "" where it rounds to 0, and the classes of its colour and its rim."""

    said: str
    class_: str


@dataclass(frozen=True)
class LineView:
    """A class: its name, where its rows go, and the half-ASR beta in words."""

    name: str
    cells: list[CellView]
    half: str


@dataclass(frozen=True)
class ConfusionView:
    """A setting's matrix as the template takes it."""

    kind: str
    setting: ShownSetting
    names: list[str]
    lines: list[LineView]
    n_seeds: int
    has_halves: bool


def compared_confusions(learner: ShownLearner, kept: Mapping[str, Confusion]) -> list[ConfusionView]:
    """Return the matrices of the settings that are compared, with their kind; none where a run kept none."""
    return [_view(kind, one, kept[one.key]) for kind, one in learner.compared if one.key in kept]


def _view(kind: str, setting: ShownSetting, found: Confusion) -> ConfusionView:
    rows = found.matrix.sum(axis=1, keepdims=True)
    shares = np.divide(found.matrix, rows, out=np.zeros_like(found.matrix), where=rows > 0.0)
    names = [shown(name, LONGEST) for name in found.names]
    lines = []
    for k, name in enumerate(names):
        half = "" if found.half_asr_betas is None or not rows[k] else _in_words(float(found.half_asr_betas[k]))
        cells = [_cell(float(share), bool(to)) for share, to in zip(shares[k], found.wanted[k], strict=True)]
        lines.append(LineView(name, cells, half))
    return ConfusionView(kind, setting, names, lines, found.n_seeds, found.half_asr_betas is not None)


def _cell(share: float, wanted: bool) -> CellView:
    said = f"{100 * share:.0f}"
    step = f"b{min(int(share * STEPS), STEPS - 1)}" if said != "0" else ""
    return CellView("" if said == "0" else said, " ".join(filter(None, [step, "to" if wanted else ""])))


def _in_words(half: float) -> str:
    return "never" if half == np.inf else number(half)
