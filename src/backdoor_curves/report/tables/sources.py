"""The table of a run that weighs sources: what a learner is with a source and without, on the rows that are watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backdoor_curves.report.tables.text import aligned, mean_of, path_of, slope_of
from backdoor_curves.study.plan.names import learner_name, scenario_words, setting_name, telling
from backdoor_curves.study.store.statistics import by_setting
from backdoor_curves.study.store.stored_cell import StoredCell

ROUNDING = 1e-9
"""A share of the loss, or a loss, under which a difference is rounding: bounds of exact curves are about as large."""


@dataclass(frozen=True)
class Gain:
    """What a source does to the watched rows: their loss without it less that with it, and the same of mistakes.

    Parameters
    ----------
    loss : array of shape (seeds,)
        > 0 where the source makes the loss less, as a share of the loss without it.
    accuracy : float
        Accuracy with the source less that without it, mean over seeds.
    """

    loss: np.ndarray
    accuracy: float

    @classmethod
    def of(cls, cells: Sequence[StoredCell]) -> Gain | None:
        """Return the gain of a setting; None where no cell is done."""
        done = [cell.numbers for cell in cells if cell.status == "done"]
        if not done:
            return None
        without, with_it = (
            np.array([row[f"triggered_loss_at_{beta}"] for row in done], dtype=float) for beta in (0, 1)
        )
        return cls(
            (without - with_it) / np.maximum(without, ROUNDING),
            float(np.mean([row["asr_at_1"] - row["asr_at_0"] for row in done])),
        )

    @property
    def answer(self) -> str:
        """The verdict in a word."""
        return "yes" if self.verdict.startswith("would be") else "no" if self.verdict.startswith("would") else "?"

    @property
    def verdict(self) -> str:
        """Whether the source would be missed: by the sign of the difference, if all seeds, two at least, have it."""
        if (abs(self.loss) <= ROUNDING).all():
            return "would not be missed: it changes nothing"
        if len(self.loss) < 2:
            return "one seed: ask more whether it would be missed"
        if (self.loss > 0.0).all():
            return "would be missed: with it the loss is less on every seed"
        if (self.loss < 0.0).all():
            return "would not be missed: without it the loss is less on every seed"
        return "cannot be told: seeds differ in the sign"


def of_sources(cells: Sequence[StoredCell]) -> bool:
    """Return whether the cells of a run weigh sources: a study does, or it attacks."""
    return any(cell.scenario.data.has_source for cell in cells)


def source_text(cells: Sequence[StoredCell]) -> str:
    """Return the table of cells as text, a line a setting, in the mean over its seeds."""
    shown = [name for name in telling(cell.scenario for cell in cells) if name in ("data", "trigger")]
    measured = ("loss without", "loss with", "acc. without", "acc. with", "all: acc. without", "with")
    lines = [
        (*("source" if name == "trigger" else name for name in shown), "learner", "setting", *measured, "θ", "path")
    ]
    for group in by_setting(cells):
        first, words = group[0], scenario_words(group[0].scenario)
        done = [cell for cell in group if cell.status == "done"]
        numbers = ("triggered_loss_at_0", "triggered_loss_at_1", "asr_at_0", "asr_at_1")
        both = (*numbers, "clean_accuracy_at_0", "clean_accuracy_at_1")
        lines.append(
            (
                *(words[name] for name in shown),
                learner_name(first.learner),
                setting_name(first.hyperparameters),
                *(mean_of(done, name) for name in both),
                slope_of(done)[0],
                path_of(group),
            )
        )
    return "\n".join(aligned(lines, len(shown) + 2))


def source_legend(cells: Sequence[StoredCell]) -> str:
    """Return what the columns mean, and whether the source would be missed, a line a setting."""
    seeds = len({cell.seed for cell in cells})
    means = f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
    lines = [
        f"without, with: β = 0 and 1, the weight of the source's rows; loss and acc.: of the watched test rows{means}",
        "all: of all test rows; θ = -(2/π) arctan(slope) of the watched loss at β=0, above 0 where a little of the "
        "source makes it less",
        "",
    ]
    for group in by_setting(cells):
        gain, first = Gain.of(group), group[0]
        if gain is not None:
            where = scenario_words(first.scenario)["trigger"]
            lines.append(
                f"{where}, {learner_name(first.learner)}, {setting_name(first.hyperparameters)}: {gain.verdict}"
            )
    return "\n".join(lines)
