"""From a study to its cells, with their keys, and to groups of cells that share data and kernel matrices.

A cell is the unit of result, a group the unit of work: one learner at one gamma on the data of one seed, at all
lambdas and rates. What a group shares, one kernel matrix over original, stamped and test rows, is a function of the
group alone; so a cell's numbers are the same bit for bit whoever computes it, when, and after which others.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from backdoor_curves.data.samples import Samples
from backdoor_curves.learners.reading import read_learner
from backdoor_curves.poisoning.preset import kind_of
from backdoor_curves.records.one_line import error_line, one_line
from backdoor_curves.study.file.config import DataConfig, Experiment, LearnerConfig, Study
from backdoor_curves.study.plan.estimators import estimator, learner_of
from backdoor_curves.study.plan.keys import canonical, key_of
from backdoor_curves.study.plan.known_sources import Source, Sources
from backdoor_curves.study.plan.names import attack_name, learner_name
from backdoor_curves.study.plan.scenario import OWN, Cell, Learner, Scenario, Setting, settings_of
from backdoor_curves.study.plan.sources import poisoned

Learned = Mapping[DataConfig, Sequence[tuple[LearnerConfig, Learner]]]
"""The learners of each of the data, by their tables: their steps may be the data's."""


class Planned(NamedTuple):
    """A cell with its key and the number of its group."""

    key: str
    cell: Cell
    group: int


@dataclass(frozen=True)
class Group:
    """What cells share: all that they are but lambda and rate, those that occur, and the rows.

    `home` is the folder of the study's file, beside which estimators of one's own are looked up.
    """

    number: int
    first: Cell
    lams: tuple[float, ...]
    rates: tuple[float, ...]
    source: Source
    home: Path | None = None

    @property
    def table(self) -> str:
        """The name of the table of its features: groups that differ in their learner alone share one; else ""."""
        cell = self.first
        if cell.scenario.data.features is None:
            return ""
        kind = (self.source.hash, *cell.scenario.way, self.rates, cell.seed)
        return blake2b(canonical(kind).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Plan:
    """The cells of a study in the order of its tables, and their groups."""

    study: Study
    cells: list[Planned]
    groups: list[Group]

    @staticmethod
    def by_group(cells: Sequence[Planned]) -> list[Planned]:
        """Return cells group by group, the groups in the order in which they come, and rate by rate in each."""
        place = {number: place for place, number in enumerate(dict.fromkeys(one.group for one in cells))}
        return sorted(cells, key=lambda one: (place[one.group], one.cell.scenario.rate))

    def shard(self, index: int, count: int) -> list[Planned]:
        """Return the cells of every count-th group from the index-th on, the first being 1."""
        return [planned for planned in self.cells if planned.group % count == index - 1]


def make_plan(
    study: Study,
    data_dir: str | Path | None = None,
    offline: bool = False,
    rows_folder: Path | None = None,
    home: Path | None = None,
) -> Plan:
    """Return the plan of a study; its data are drawn once, and hashed.

    Parameters
    ----------
    study : Study
    data_dir, offline
        As in `datasets.mnist`.
    rows_folder : path, optional
        Where the rows are written for `read_rows`, each source in a folder named by its hash.
    home : path, optional
        The folder of the study's file.

    Raises
    ------
    ValueError, OSError
        If the study asks for data or for estimators that cannot be had.
    """
    sources = Sources(data_dir, offline, rows_folder, home)

    @cache
    def learner(config: LearnerConfig, default: tuple[str, ...]) -> Learner:
        return learner_of(config, default, home)

    def learners_on(experiment: Experiment, data: DataConfig) -> list[tuple[LearnerConfig, Learner]]:
        default = sources.of(data, experiment.seeds[0]).steps
        return [(config, learner(config, default)) for config in experiment.learners]

    cells: list[Planned] = []
    groups: list[Group] = []
    known: set[str] = set()
    for asked in study.experiments:
        numbers: dict[Hashable, int] = {}
        experiment = replace(asked, data=tuple(sources.resolved(data, asked.seeds[0]) for data in asked.data))
        learned = {data: learners_on(experiment, data) for data in experiment.data}
        lams = _lams(learned)
        for cell in _cells(experiment, learned, sources):
            source = sources.of(cell.scenario.data, cell.seed)
            key = key_of(cell, source.hash)
            if key in known:  # two experiments may meet in a cell
                continue
            known.add(key)
            number = numbers.setdefault(_shared(cell), len(groups))
            if number == len(groups):
                beside = _beside(cell.setting), cell.method
                groups.append(Group(number, cell, lams.get(beside, ()), experiment.rates, source, home))
            cells.append(Planned(key, cell, number))
    return Plan(study, cells, groups)


def require_sense(plan: Plan, rows_of: Callable[[Group], tuple[Samples, Samples]]) -> None:
    """Poison the first rows of each kind, so that what cannot be is said before anything is computed.

    Raises
    ------
    ValueError
        If a trigger, labels or rates do not fit the rows, or the rows do not fit steps or an estimator of one's own.
    """
    seen = set()
    for group in plan.groups:
        at, learner = group.first.scenario, group.first.setting.learner
        kind = (at.data, at.way, group.rates, None if learner.sees_rows_as_they_are else learner)
        if kind not in seen:
            seen.add(kind)
            _require_possible(*rows_of(group), group)


def _require_possible(train: Samples, test: Samples, group: Group) -> None:
    cell, rates = group.first, group.rates
    if cell.keep.explanations and kind_of(train.X) != "image":
        raise ValueError("keep.explanations: false was expected: explanations are pictures, and these rows are none")
    try:
        data = poisoned(train, test, cell, rates, group.home)
        for rate in reversed(rates):  # the first rate's is held at the end
            first = data[rate]
        if cell.control:
            first.control()
    except (TypeError, ValueError) as error:
        if cell.scenario.attack is None:
            raise
        raise ValueError(f"attack {attack_name(cell.scenario)!r}: {error}") from error
    data_are_known = cell.setting.learner.sees_rows_as_they_are and not cell.scenario.data.is_own
    if data_are_known or cell.scenario.data.features is not None:
        return
    try:
        read_learner(estimator(cell, group.home), first)
    except Exception as error:  # whatever a step says of rows that it was not made for
        said = one_line(error) if isinstance(error, TypeError | ValueError) else error_line(error)
        raise ValueError(f"{learner_name(cell.setting.learner)}: {said}") from error


def _cells(experiment: Experiment, learned: Learned, sources: Sources) -> Iterator[Cell]:
    """Yield the cells of an experiment, learner by learner, the seeds fastest."""
    for data, (way, control) in product(experiment.data, _ways(experiment)):
        code = sources.code(way, data, experiment.seeds[0])
        for config, learner in learned[data]:
            for setting, rate in product(settings_of(config, learner), experiment.rates):
                scenario = Scenario(data, way[0], way[1], rate, way[2], code)
                for seed in experiment.seeds:
                    yield Cell(scenario, setting, seed, config.method, control, experiment.keep)


def _ways(experiment: Experiment) -> Iterator[tuple[tuple[Any, Any, Any], bool]]:
    """Yield trigger, policy and attack, as `Scenario.way` has them, and whether there is a control."""
    if any(data.has_source for data in experiment.data):
        yield (None, None, None), False
    for trigger, poison in product(experiment.trigger, experiment.poison):
        yield (trigger, poison.policy, None), poison.control
    for entry in experiment.attacks:
        yield (None, None, entry.attack), entry.control


def _shared(cell: Cell) -> Hashable:
    """Return what a cell has in common with the others of its group."""
    at = cell.scenario
    return at.data, at.way, at.code, _beside(cell.setting), cell.seed, cell.method, cell.control


@lru_cache(maxsize=4096)  # the same few settings come again for each rate and seed
def _beside(setting: Setting) -> Setting:
    return setting.beside_strength


def _lams(learned: Learned) -> dict[tuple[Setting, str], tuple[float, ...]]:
    """Return all lambdas, ascending, at which an experiment has a kind with the same other hyperparameters."""
    found: dict[tuple[Setting, str], set[float]] = {}
    for config, learner in {pair: None for pairs in learned.values() for pair in pairs}:
        for setting in settings_of(config, learner) if learner.kind != OWN else ():
            found.setdefault((_beside(setting), config.method), set()).add(setting.lam)
    return {kind: tuple(sorted(lams)) for kind, lams in found.items()}
