"""Attacks side by side: who takes in what, how fast, and how far it moves a row; means and intervals over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.plan.names import attack_name, labels_name, learner_name, setting_name, with_its_name
from backdoor_curves.study.plan.scenario import Scenario, Setting
from backdoor_curves.study.store.statistics import bootstrap_interval, by_setting
from backdoor_curves.study.store.stored_cell import StoredCell


@dataclass(frozen=True)
class Interval:
    """A number over seeds.

    Parameters
    ----------
    mean : float
        Of the seeds that have it.
    low, high : float
        The 95 % bootstrap interval of the mean; NaN for one seed.
    n_seeds, n_cells : int
        Seeds that have it, and all that are done: some never reach a half-loss.
    """

    mean: float
    low: float
    high: float
    n_seeds: int
    n_cells: int


@dataclass(frozen=True)
class Comparison:
    """Several attacks on the same data at the same rate.

    Parameters
    ----------
    data : DataConfig
    rate : float
    scenarios : tuple of Scenario
        One an attack, in the order of the study.
    settings : tuple of Setting
        Those that met any of them.
    numbers : mapping of (Scenario, Setting) to mapping of str to Interval
        The quantities that have a number.
    """

    data: DataConfig
    rate: float
    scenarios: tuple[Scenario, ...]
    settings: tuple[Setting, ...]
    numbers: Mapping[tuple[Scenario, Setting], Mapping[str, Interval]] = field(repr=False)

    @property
    def names(self) -> dict[Scenario, str]:
        """What each attack is called, with its labels where two are called alike."""
        plain = {scenario: attack_name(scenario) for scenario in self.scenarios}
        alike = [name for name in plain.values() if list(plain.values()).count(name) > 1]
        return {
            at: f"{name}, {with_its_name('labels', labels_name(at))}" if name in alike else name
            for at, name in plain.items()
        }

    def number(self, scenario: Scenario, setting: Setting, quantity: str) -> Interval | None:
        """Return a quantity of an attack on a setting; None where there is none."""
        return self.numbers.get((scenario, setting), {}).get(quantity)

    def most_accurate(self) -> list[Setting]:
        """Return for each learner the setting of the highest clean accuracy in the mean over the attacks."""
        found: dict[object, tuple[float, Setting]] = {}
        for setting in self.settings:
            values = [self.number(at, setting, "clean_accuracy_at_1") for at in self.scenarios]
            known = [value.mean for value in values if value is not None]
            mean = float(np.mean(known)) if known else -1.0
            if setting.learner not in found or mean > found[setting.learner][0]:
                found[setting.learner] = mean, setting
        return [setting for _, setting in found.values()]


def comparisons(cells: Sequence[StoredCell]) -> list[Comparison]:
    """Return what can be laid side by side of a run: two attacks or more on the same data at the same rate.

    Parameters
    ----------
    cells : sequence of StoredCell
        As `Run.cells` has them; those that failed are left out.

    Returns
    -------
    list of Comparison
        Empty where each of the data has one attack.
    """
    done = [cell for cell in cells if cell.status == "done"]
    groups: dict[tuple[DataConfig, float], list[list[StoredCell]]] = {}
    for group in by_setting(done):
        groups.setdefault((group[0].scenario.data, group[0].scenario.rate), []).append(group)
    return [
        Comparison(
            data=data,
            rate=rate,
            scenarios=scenarios,
            settings=tuple(dict.fromkeys(group[0].setting for group in found)),
            numbers={(group[0].scenario, group[0].setting): _intervals(group) for group in found},
        )
        for (data, rate), found in groups.items()
        if len(scenarios := tuple(dict.fromkeys(group[0].scenario for group in found))) > 1
    ]


def _intervals(cells: Sequence[StoredCell]) -> dict[str, Interval]:
    """Return the quantities of a setting's cells, a seed each."""
    values: dict[str, list[float]] = {}
    for cell in cells:
        for name, value in cell.numbers.items():
            if isinstance(value, int | float):
                values.setdefault(name, []).append(float(value))
    return {
        name: Interval(float(np.mean(known)), *bootstrap_interval(np.array(known)), len(known), len(cells))
        for name, known in values.items()
    }


# --- as text ---------------------------------------------------------------------------------------------------------


def as_markdown(comparison: Comparison, quantity: str, percent: bool = False) -> str:
    """Return a quantity as a table in Markdown: an attack a line, a setting a column, mean and interval in a cell.

    A number that some seeds lack has how many have it.
    """
    head = [f"{learner_name(one.learner)}, {setting_name(one.values)}" for one in comparison.settings]
    lines = ["| attack | " + " | ".join(head) + " |", "|---" * (1 + len(head)) + "|"]
    for scenario, name in comparison.names.items():
        found = [comparison.number(scenario, setting, quantity) for setting in comparison.settings]
        lines.append(f"| {name} | " + " | ".join(in_words(one, percent) for one in found) + " |")
    return "\n".join(lines)


def in_words(found: Interval | None, percent: bool = False) -> str:
    """Return a number with its interval.

    Examples
    --------
    >>> from backdoor_curves.report.tables.attacks import Interval, in_words
    >>> in_words(Interval(0.973, 0.961, 0.98, 5, 5), percent=True), in_words(Interval(0.03, 0.02, 0.04, 3, 5))
    ('97.3 [96.1, 98.0]', '0.03 [0.02, 0.04] (3 of 5)')
    """
    if found is None:
        return "–"
    said = f"{figure(found.mean, percent)}"
    if np.isfinite(found.low):
        said += f" [{figure(found.low, percent)}, {figure(found.high, percent)}]"
    return said + (f" ({found.n_seeds} of {found.n_cells})" if found.n_seeds < found.n_cells else "")


def figure(value: float, percent: bool) -> str:
    """Return a number in three digits, or in per cent."""
    return f"{100 * value:.1f}" if percent else f"{value:.3g}"
