"""From a run to what its page shows: plain frozen records, as many as a page can carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import fsum, prod
from typing import Any, TypeVar

import numpy as np

from backdoor_curves.display.style import HUES
from backdoor_curves.report.page.confusions import Confusion, confusion_of
from backdoor_curves.report.page.series import Series, series_of
from backdoor_curves.search.axes import Axis, typed
from backdoor_curves.search.safe_region import Bounds, JudgedSetting, SafeRegion, safe_regions
from backdoor_curves.study.compute.decision_regions import DecisionRegions
from backdoor_curves.study.compute.explanation import Explanation
from backdoor_curves.study.compute.stamped_images import StampedImages
from backdoor_curves.study.plan.names import learner_name
from backdoor_curves.study.plan.scenario import Learner, Scenario, Setting
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.stored_cell import StoredCell

Record = TypeVar("Record")
Region = SafeRegion[Scenario, Learner]
PER_LEARNER = 6
"""A learner's figures in a scenario take about as much room as so many settings, whatever is in them."""


@dataclass(frozen=True)
class Budget:
    """How much a page may carry; what is beyond is counted on it, and is in the run.

    Parameters
    ----------
    settings : int
        Drawn, with their curves, `PER_LEARNER` more for each learner of a scenario. A scenario is drawn or not; the
        grids of the first are thinned until it fits.
    cells : int
        Whose curves are read and whose keys can be linked to: fewer seeds of each setting where there are more.
    seeds : int
        Of one setting that are read and can be linked to, at most.
    scenarios : int
        Rows of the overview.
    planes : int
        Decision pictures, some 25 kB each.
    explanations : int
        Settings whose models are explained, a row of pictures each.
    confusions : int
        Settings of which it is said who becomes whom, some 5 kB each.
    """

    settings: int = 680
    cells: int = 2500
    seeds: int = 50
    scenarios: int = 200
    planes: int = 24
    explanations: int = 24
    confusions: int = 48


@dataclass(frozen=True)
class Spread:
    """A number over seeds: mean, lowest, highest, and of how many."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, eq=False)
class ShownSetting:
    """A setting as it is shown.

    Parameters
    ----------
    number : int
        Its place on the page.
    setting : JudgedSetting
    cells : tuple of StoredCell
        Those that are done, a seed each.
    n_read : int
        How many of them, the first, have a share in the curves and can be linked to.
    failed : int
        How many of its cells failed.
    numbers : mapping of str to Spread
        The quantities that have a number.
    series : Series, optional
        None where no curve was kept.
    """

    number: int
    setting: JudgedSetting
    cells: tuple[StoredCell, ...] = field(repr=False)
    n_read: int
    failed: int
    numbers: Mapping[str, Spread] = field(repr=False)
    series: Series | None = field(repr=False)

    @property
    def key(self) -> str:
        """The key of its first cell, by which it is linked to; "" without a finished cell."""
        return self.cells[0].key if self.cells else ""

    def mean(self, quantity: str) -> float | None:
        """Return the mean of a quantity over seeds; None where it has none."""
        return self.numbers[quantity].mean if quantity in self.numbers else None


@dataclass(frozen=True, eq=False)
class ShownLearner:
    """A learner in a scenario: its region, and the settings shown; none where the scenario is not drawn.

    Its number is its place among the learners of the page.
    """

    learner: Learner
    number: int
    region: Region
    shown: tuple[ShownSetting, ...] = field(repr=False)

    @property
    def hue(self) -> int:
        """Which colour it has; beyond six they come again."""
        return self.number % len(HUES)

    def of(self, setting: JudgedSetting | None) -> ShownSetting | None:
        """Return a setting of the region as it is shown."""
        return next((one for one in self.shown if one.setting is setting), None)

    @property
    def compared(self) -> list[tuple[str, ShownSetting]]:
        """The settings that are set side by side: "best", the most accurate, and "calm", where that is another one.

        Calm is the safe choice, or the most accurate under the bound, or the least attacked.
        """
        region = self.region
        best, calm = region.best, region.chosen or region.cheapest or region.least_attacked
        found = [("best", self.of(best)), ("calm", None if calm is best else self.of(calm))]
        return [(kind, one) for kind, one in found if one is not None]


@dataclass(frozen=True, eq=False)
class ShownScenario:
    """A scenario as it is shown, with the learners that met it."""

    number: int
    scenario: Scenario
    learners: tuple[ShownLearner, ...] = field(repr=False)

    @property
    def drawn(self) -> bool:
        """Whether the page has room for its figures."""
        return any(learner.shown for learner in self.learners)

    @property
    def shown(self) -> list[ShownSetting]:
        """The settings of all its learners."""
        return [one for learner in self.learners for one in learner.shown]


@dataclass(frozen=True, eq=False)
class Content:
    """All that a page shows.

    Parameters
    ----------
    run : Run
    bounds : Bounds
    scenarios : tuple of ShownScenario
        Those of the overview, in the order of the study.
    learners : tuple of Learner
        By number.
    seeds : tuple of int
    failures : list of (str, list of StoredCell)
        Reasons with their cells, the commonest first.
    planes : mapping of str to DecisionRegions
        Of data in the plane, by the key of the cell.
    explanations : mapping of str to Explanation
        Of the settings that are compared, by the key of the cell.
    confusions : mapping of str to Confusion
        Of these settings, by the key of their first cell, where there are more than two classes.
    images : mapping of str to StampedImages
        What attacks look like, by the key of the cell.
    left_out : tuple of str
        What the page has no room for, a sentence each.
    """

    run: Run
    bounds: Bounds
    scenarios: tuple[ShownScenario, ...]
    learners: tuple[Learner, ...]
    seeds: tuple[int, ...]
    failures: list[tuple[str, list[StoredCell]]]
    planes: Mapping[str, DecisionRegions]
    explanations: Mapping[str, Explanation]
    confusions: Mapping[str, Confusion]
    images: Mapping[str, StampedImages]
    left_out: tuple[str, ...]

    @property
    def drawn(self) -> tuple[ShownScenario, ...]:
        """The scenarios that have figures."""
        return tuple(scenario for scenario in self.scenarios if scenario.drawn)


def content_of(run: Run, bounds: Bounds, budget: Budget | None = None) -> Content:
    """Return what the page of a run shows."""
    budget = budget or Budget()
    regions = safe_regions(run.cells, bounds)
    groups: dict[Scenario, list[Region]] = {}
    for region in regions:
        groups.setdefault(region.scenario, []).append(region)
    listed = list(groups.items())[: budget.scenarios]
    picked = _picked([group for _, group in listed], budget)
    learners = tuple(dict.fromkeys(region.learner for region in regions))
    cells: dict[tuple[Scenario, Setting], list[StoredCell]] = {}
    for cell in run.cells:
        cells.setdefault((cell.scenario, cell.setting), []).append(cell)
    n_settings = sum(len(settings) for group in picked for settings in group)
    most_seeds = max(1, min(budget.seeds, budget.cells // max(1, n_settings)))
    numbers = count()
    scenarios = []
    for number, (scenario, group) in enumerate(listed):
        met = []
        for region, settings in zip(group, picked[number], strict=True):
            found = (cells[scenario, Setting.of(region.learner, one.hyperparameters)] for one in settings)
            shown = tuple(_shown(run, next(numbers), *pair, most_seeds) for pair in zip(settings, found, strict=True))
            met.append(ShownLearner(region.learner, learners.index(region.learner), region, shown))
        scenarios.append(ShownScenario(number, scenario, tuple(met)))
    every = [one for s in scenarios for one in s.shown]
    planes, n_planes = _kept(run, "decision regions", run.decision_regions, every, budget.planes)
    sides = [one for s in scenarios for learner in s.learners for _, one in learner.compared]
    images, _ = _kept(run, "stamped images", run.stamped_images, every, len(every))
    explanations, n_explanations = _kept(run, "explanation", run.explanation, sides, budget.explanations)
    confusions, n_confusions = _confusions(run, sides, budget.confusions)
    return Content(
        run=run,
        bounds=bounds,
        scenarios=tuple(scenarios),
        learners=learners,
        seeds=tuple(sorted({cell.seed for cell in run.cells})),
        failures=_failures(run),
        planes=planes,
        explanations=explanations,
        confusions=confusions,
        images=images,
        left_out=(
            *_left_out(len(groups), scenarios, most_seeds),
            *_rest_of("decision pictures", len(planes), n_planes),
            *_rest_of("explanations", len(explanations), n_explanations),
            *_rest_of("confusion matrices", len(confusions), n_confusions),
        ),
    )


def _shown(run: Run, number: int, setting: JudgedSetting, cells: Sequence[StoredCell], most_seeds: int) -> ShownSetting:
    done = [cell for cell in cells if cell.status == "done"]
    return ShownSetting(
        number=number,
        setting=setting,
        cells=tuple(done),
        n_read=min(len(done), most_seeds),
        failed=len(cells) - len(done),
        numbers=_spreads(done),
        series=series_of(run, done[:most_seeds]),
    )


def _kept(
    run: Run, name: str, read: Callable[[StoredCell], Record | None], of: Sequence[ShownSetting], most: int
) -> tuple[dict[str, Record], int]:
    """Return the records of a name of the first cells of some settings, at most so many, and how many the run has."""
    keys = run.keys_with(name)
    wanted = [one for one in of if one.key in keys]
    return {one.key: found for one in wanted[:most] if (found := read(one.cells[0]))}, len(wanted)


def _confusions(run: Run, of: Sequence[ShownSetting], most: int) -> tuple[dict[str, Confusion], int]:
    """Return who becomes whom in some settings, at most so many, by their keys, and how many of them have it."""
    every = {one.key: found for one in of if (found := confusion_of(run, one.cells[: one.n_read])) is not None}
    return dict(list(every.items())[:most]), len(every)


def _spreads(cells: Sequence[StoredCell]) -> dict[str, Spread]:
    """Return every quantity over the cells that have it."""
    found: dict[str, list[float]] = {}
    for cell in cells:
        for name, value in cell.numbers.items():
            if isinstance(value, int | float):
                found.setdefault(name, []).append(float(value))
    return {name: Spread(fsum(v) / len(v), min(v), max(v), len(v)) for name, v in found.items()}


def _failures(run: Run) -> list[tuple[str, list[StoredCell]]]:
    reasons: dict[str, list[StoredCell]] = {}
    for cell in run.failed:
        reasons.setdefault(cell.reason, []).append(cell)
    return sorted(reasons.items(), key=lambda pair: -len(pair[1]))


# --- what there is room for ------------------------------------------------------------------------------------------


def _picked(groups: Sequence[Sequence[Region]], budget: Budget) -> list[list[list[JudgedSetting]]]:
    """Return the settings to draw of each region of each scenario, as the budget allows; the first scenario always."""
    room = budget.settings
    picked: list[list[list[JudgedSetting]]] = []
    for group in groups:
        settings = [list(region.settings) for region in group]
        if not picked:
            settings = [_thinned(region, max(4, budget.settings // len(group) - PER_LEARNER)) for region in group]
        size = sum(len(shown) + PER_LEARNER for shown in settings)
        fits = not picked or size <= room
        room -= size if fits else 0
        picked.append(settings if fits else [[] for _ in group])
    return picked


def _thinned(region: Region, most: int) -> list[JudgedSetting]:
    """Return at most about so many settings: evenly chosen in each hyperparameter, and those that the verdict names."""
    axes = {axis.name: axis for axis in region.axes}
    if prod(len(axis.values) for axis in axes.values()) <= most:
        return list(region.settings)
    while prod(len(axis.values) for axis in axes.values()) > most and max(len(a.values) for a in axes.values()) > 2:
        longest = max(axes, key=lambda name: len(axes[name].values))
        axes[longest] = Axis(longest, _half_of(axes[longest].values))
    kept = {name: set(map(typed, axis.values)) for name, axis in axes.items()}
    named = (region.best, region.chosen, region.cheapest, region.least_attacked)
    return [
        one
        for one in region.settings
        if all(typed(one.hyperparameters.get(name)) in values for name, values in kept.items()) or one in named
    ]


def _half_of(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return half of the values, the first and the last among them."""
    return tuple(values[round(place)] for place in np.linspace(0, len(values) - 1, max(2, len(values) // 2)))


def _left_out(n_scenarios: int, scenarios: Sequence[ShownScenario], most_seeds: int) -> list[str]:
    """Return what is not on the page, a sentence each."""
    said = []
    if n_scenarios > len(scenarios):
        said.append(f"{n_scenarios - len(scenarios)} of {n_scenarios} scenarios, which come later in the study.")
    if undrawn := sum(not scenario.drawn for scenario in scenarios):
        said.append(f"The figures of {undrawn} of {len(scenarios)} scenarios; these have a row in the overview.")
    for learner in (learner for scenario in scenarios for learner in scenario.learners):
        tried = len(learner.region.settings)
        if 0 < len(learner.shown) < tried:
            said.append(
                f"{tried - len(learner.shown)} of {tried} settings of {learner_name(learner.learner)}: its grid is "
                "drawn evenly thinned, and judged whole."
            )
    unread = sum(len(one.cells) - one.n_read for scenario in scenarios for one in scenario.shown)
    if unread:
        said.append(
            f"The curves of {unread} cells, and links to them: of each setting the first {most_seeds} seeds are here; "
            "all other numbers are of all seeds."
        )
    return said


def _rest_of(what: str, made: int, wanted: int) -> list[str]:
    return [f"The {what} of {wanted - made} of {wanted} settings."] if made < wanted else []
