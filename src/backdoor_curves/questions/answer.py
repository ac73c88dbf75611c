"""A run becomes an answer: means of each level, effects between levels, and whether they hold on other data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from types import MappingProxyType

import numpy as np
from jaxtyping import Float
from msgspec import Struct
from msgspec.structs import fields, replace

from backdoor_curves.questions.effects import Effect, contrasts, mean_interval, paired_effects
from backdoor_curves.questions.levels import (
    level_names,
    level_numbers,
    level_of,
    ordered_levels,
    others_of,
    setting_titles,
)
from backdoor_curves.study.compute.quantities import certified_share
from backdoor_curves.study.file.config import DataConfig, QuestionConfig
from backdoor_curves.study.plan.names import data_name
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.stored_cell import StoredCell

LEVEL = 0.95
"""Of all intervals of effects on one data set together (Bonferroni), and of each mean by itself."""
MEASURES: Mapping[str, bool] = MappingProxyType(
    {"half_loss_beta": True, "asr_at_1": False, "clean_accuracy_at_1": False}
)
"""What effects are of, and whether by ratio."""
SHOWN: Mapping[str, bool] = MappingProxyType(
    {
        **MEASURES,
        "theta": False,
        "slope_at_0": False,
        certified_share(3): False,
        "moved_l2": False,
        "n_poison": False,
    }
)
"""What a page lists of each level, and whether its mean is geometric."""
NEVER = 1.0
"""In place of a half-loss β that is not reached on [0, 1]: it is larger, and effects are larger than said."""


class Mean(Struct, frozen=True, array_like=True):
    """A number of a level over seeds, with an interval by itself; `n_never` of a half-loss β that is not reached."""

    setting: str
    level: str
    quantity: str
    mean: float
    low: float
    high: float
    n: int
    n_never: int = 0


class Contrast(Struct, frozen=True, array_like=True):
    """What one step on the axis does to a measure, for one setting: a doubling where `level` is "", or to a level."""

    setting: str
    level: str
    measure: str
    effect: Effect
    n_never: int
    is_monotone: bool


class Evidence(Struct, frozen=True):
    """What one data set says.

    Parameters
    ----------
    data : str
        Its name.
    about : str
        The same with classes and rows, as tables have it.
    levels, settings : tuple of str
    numbers : tuple of float
        Of the levels; () where they have none.
    seeds : int
    cells : int
    seconds : float
        That its cells took where they were computed, one after the other.
    means : tuple of Mean
    contrasts : tuple of Contrast
    """

    data: str
    about: str
    levels: tuple[str, ...]
    settings: tuple[str, ...]
    numbers: tuple[float, ...]
    seeds: int
    cells: int
    seconds: float
    means: tuple[Mean, ...]
    contrasts: tuple[Contrast, ...]

    def of(self, measure: str) -> tuple[Contrast, ...]:
        """Return the contrasts of a measure."""
        return tuple(one for one in self.contrasts if one.measure == measure)


class Answer(Struct, frozen=True):
    """The answer to a question, on the data set that decides, and on others."""

    name: str
    question: QuestionConfig
    evidence: tuple[Evidence, ...]

    @property
    def first(self) -> Evidence:
        """What the data set says that decides."""
        return self.evidence[0]

    def held(self, other: Evidence) -> tuple[int, int]:
        """Return how many effects that are decided on the first data set have the same sign, decided, on another."""
        signs = {(one.setting, one.level): one.effect.sign for one in other.of(self.question.measure)}
        decided = [one for one in self.first.of(self.question.measure) if one.effect.sign]
        return sum(signs.get((one.setting, one.level)) == one.effect.sign for one in decided), len(decided)

    @property
    def p(self) -> float:
        """The smallest p of what decides on the first data set, times their number (Bonferroni); 1 without any."""
        found = [one.effect.p for one in self.first.of(self.question.measure)]
        return min(1.0, min(found) * len(found)) if found else 1.0


def evidence_of(run: Run, question: QuestionConfig) -> Evidence:
    """Return what a run on one data set says.

    Raises
    ------
    ValueError
        If cells failed or are left, or if levels, settings and seeds do not make one cell each.
    """
    cells = _whole(run)
    levels = ordered_levels(cells, question.axis)
    names, numbers = level_names(levels, question), level_numbers(levels, question)
    settings = list(dict.fromkeys(others_of(cell, question.axis) for cell in cells))
    titles = setting_titles(settings)
    seeds = sorted({cell.seed for cell in cells})
    found = {(others_of(cell, question.axis), level_of(cell, question.axis), cell.seed): cell for cell in cells}
    if not len(found) == len(cells) == len(settings) * len(levels) * len(seeds):
        raise ValueError(
            f"{run.study.name}: one cell for each of {len(settings)} settings, {len(levels)} levels and {len(seeds)} "
            f"seeds was expected, {len(cells)} came; something else differs than question.axis"
        )
    by = contrasts(numbers, len(levels))
    level = 1.0 - (1.0 - LEVEL) / (len(settings) * len(by) * len(MEASURES))
    steps = [""] if numbers is not None else names[1:]
    means: list[Mean] = []
    effects: list[Contrast] = []
    for setting, title in zip(settings, titles, strict=True):
        rows = [[found[setting, one, seed] for one in levels] for seed in seeds]
        means += _means(title, names, rows)
        effects += _effects(title, steps, rows, by, level)
    return Evidence(
        cells[0].scenario.data.name,
        data_name(_common_data(cells)),
        tuple(names),
        tuple(titles),
        () if numbers is None else tuple(numbers.tolist()),
        len(seeds),
        len(cells),
        sum(cell.seconds for cell in cells),
        tuple(means),
        tuple(effects),
    )


def _whole(run: Run) -> Sequence[StoredCell]:
    """Return the cells of a run that has them all."""
    if run.n_left or run.failed:
        why = run.failed[0].reason if run.failed else f"{run.n_left} are left"
        raise ValueError(f"{run.study.name}: a whole run was expected, but of {run.n_cells} cells {why}")
    return run.cells


def _common_data(cells: Sequence[StoredCell]) -> DataConfig:
    """Return what the data of all cells share: what differs is the axis, and no part of their name."""
    every = list(dict.fromkeys(cell.scenario.data for cell in cells))
    plain = {field.name: field.default for field in fields(DataConfig)} | {"classes": "all"}
    differ = [name for name in plain if len({getattr(data, name) for data in every}) > 1]
    return replace(every[0], **{name: plain[name] for name in differ})


def _effects(
    title: str,
    steps: Sequence[str],
    rows: Sequence[Sequence[StoredCell]],
    by: Float[np.ndarray, "k l"],
    level: float,
) -> list[Contrast]:
    """Return the effects of each step on each measure that all cells of a setting have."""
    made = []
    for measure, is_ratio in MEASURES.items():
        values, n_never = _values(rows, measure)
        if not np.isnan(values).any():
            monotone = _is_monotone(values, is_ratio)
            effects = paired_effects(values, by, is_ratio=is_ratio, level=level)
            made += [
                Contrast(title, step, measure, effect, n_never, monotone)
                for step, effect in zip(steps, effects, strict=True)
            ]
    return made


def _values(rows: Sequence[Sequence[StoredCell]], measure: str) -> tuple[Float[np.ndarray, "n l"], int]:
    """Return a measure by seed and level, NaN where there is none, and how often a half-loss β is never reached."""
    values = np.array([[_or_nan(cell.numbers.get(measure)) for cell in row] for row in rows])
    if measure != "half_loss_beta":
        return values, 0
    never = np.isnan(values)
    return np.where(never, NEVER, values), int(never.sum())


def _means(title: str, names: Sequence[str], rows: Sequence[Sequence[StoredCell]]) -> list[Mean]:
    found = []
    for quantity, (column, name) in product(SHOWN, enumerate(names)):
        values, never = _values([[row[column]] for row in rows], quantity)
        some = values[~np.isnan(values)]
        if len(some):
            ends = mean_interval(some, is_ratio=SHOWN[quantity], level=LEVEL)
            found.append(Mean(title, name, quantity, *ends, len(some), never))
    return found


def _is_monotone(values: Float[np.ndarray, "n l"], is_ratio: bool) -> bool:
    """Whether the means over seeds only rise, or only fall, along the levels."""
    steps = np.diff((np.log(values) if is_ratio else values).mean(axis=0))
    return bool((steps >= 0).all() or (steps <= 0).all())


def _or_nan(value: object) -> float:
    return float(value) if isinstance(value, int | float) else np.nan
