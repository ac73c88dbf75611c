"""From a study to its cells, with their keys, and to groups of cells that share data and kernel matrices.

A cell is the unit of result, a group the unit of work: one learner at one gamma on the data of one seed, at all
lambdas and rates. What a group shares, one kernel matrix over original, stamped and test rows, is a function of the
group alone; so a cell's numbers are the same bit for bit whoever computes it, when, and after which others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.cifar10 import CLASSES as CIFAR10_CLASSES
from backdoor_curves.study.file.config import (
    DataConfig,
    Experiment,
    KeepConfig,
    LearnerConfig,
    PoisonConfig,
    Study,
    TriggerConfig,
)
from backdoor_curves.study.plan.sources import WIDTHS, content_hash, draw, frozen_network, poisoned, write_rows

ALGORITHM = 4
"""Part of every key; raised when the numbers of a cell change by more than rounding."""


class Cell(Struct, frozen=True):
    """One curve of a study by its coordinates."""

    data: DataConfig
    trigger: TriggerConfig
    poison: PoisonConfig
    learner: str
    intercept: str
    method: str
    lam: float
    gamma: float | None
    rate: float
    seed: int
    keep: KeepConfig

    def coordinates(self) -> dict[str, Any]:
        """Return the coordinates as columns of a table."""
        return {
            "data": data_name(self.data),
            "trigger": trigger_name(self.trigger),
            "labels": str(self.poison.labels),
            "injection": self.poison.injection,
            "learner": self.learner if self.intercept == "free" else f"{self.learner}, penalised intercept",
            "lambda": self.lam,
            "gamma": self.gamma,
            "rate": self.rate,
            "seed": self.seed,
        }


def data_name(data: DataConfig) -> str:
    """Return a data set in a word or two.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import DataConfig
    >>> data_name(DataConfig("mnist", (7, (1, 4)), n_train=500, n_test=100))
    'mnist 7-1+4, 500/100 rows'
    """
    if data.name == "toy":
        classes = ""
    elif isinstance(data.classes, str):
        classes = f" {data.classes}"
    else:
        classes = " " + "-".join("+".join(map(str, group)) for group in _groups(data.classes))
    counts = "/".join("all" if n is None else str(n) for n in (data.n_train, data.n_test))
    rows = f", {counts} rows" if counts != "all/all" else ""
    network = ""
    if data.features is not None:
        network = f", {data.features.network}" + (" normalised" if data.features.normalised else "")
    return f"{data.name}{classes}{rows}{network}"


def class_names(data: DataConfig, labels: Sequence[int]) -> list[str]:
    """Return what to call the classes that the rows of a data set have these labels of, in their order.

    A label is a place in `classes`; but of the paper's pairs of CIFAR-10, see `paper.protocol`, the first has label 1.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import DataConfig
    >>> class_names(DataConfig("mnist", (7, (1, 4))), [0, 1]), class_names(DataConfig(), [1])
    (['7', '1+4'], ['odd'])
    >>> class_names(DataConfig("cifar10", (0, 6)), [0, 1])
    ['airplane', 'frog']
    >>> class_names(DataConfig("cifar10", (0, 6), sampling="paper"), [0, 1])
    ['frog', 'airplane']
    """
    own = CIFAR10_CLASSES if data.name == "cifar10" else tuple(map(str, range(10)))
    if data.classes == "all":
        names = list(own)
    elif isinstance(data.classes, str):
        names = data.classes.split("-")
    else:
        names = ["+".join(own[k] for k in group) for group in _groups(data.classes)]
    if data.name == "cifar10" and data.sampling == "paper":
        names.reverse()
    return [names[label] for label in labels]


def _groups(classes: tuple[int | tuple[int, ...], ...]) -> list[tuple[int, ...]]:
    return [entry if isinstance(entry, tuple) else (entry,) for entry in classes]


def trigger_name(trigger: TriggerConfig) -> str:
    """Return a trigger in a word or two."""
    if trigger.kind == "feature":
        return "columns " + ", ".join(f"{c} = {v:g}" for c, v in zip(trigger.columns, trigger.values, strict=False))
    place = "" if trigger.position == "bottom-right" else f", {trigger.position}"
    return f"{trigger.pattern} {trigger.size} x {trigger.size}{place}"


class Planned(NamedTuple):
    """A cell with its key and the number of its group."""

    key: str
    cell: Cell
    group: int


@dataclass(frozen=True)
class Source:
    """The rows of one data set and seed.

    Parameters
    ----------
    hash : str
        Of their content, and of the network that they go through.
    n_train, n_test : int
    width : int
        Features that the learners see.
    pixels : int
        Numbers of an image that goes through a network first; else 0.
    """

    hash: str
    n_train: int
    n_test: int
    width: int
    pixels: int = 0


@dataclass(frozen=True)
class Group:
    """What cells share: all their coordinates but lambda and rate, those that occur, and the rows."""

    number: int
    first: Cell
    lams: tuple[float, ...]
    rates: tuple[float, ...]
    source: Source

    @property
    def table(self) -> str:
        """The name of the table of its features: groups that differ in their learner alone share one; else ""."""
        cell = self.first
        if cell.data.features is None:
            return ""
        kind = (self.source.hash, cell.trigger, cell.poison, self.rates, cell.seed)
        return blake2b(msgspec.json.encode(kind), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Plan:
    """The cells of a study in the order of its tables, and their groups."""

    study: Study
    cells: list[Planned]
    groups: list[Group]

    def shard(self, index: int, count: int) -> list[Planned]:
        """Return the cells of every count-th group from the index-th on, the first being 1."""
        return [planned for planned in self.cells if planned.group % count == index - 1]


def make_plan(
    study: Study, data_dir: str | Path | None = None, offline: bool = False, rows_folder: Path | None = None
) -> Plan:
    """Return the plan of a study; its data are drawn once, and hashed.

    Parameters
    ----------
    study : Study
    data_dir, offline
        As in `datasets.mnist`.
    rows_folder : path, optional
        Where the rows are written for `read_rows`, each source in a folder named by its hash.

    Raises
    ------
    ValueError, OSError
        If the study asks for data that cannot be had.
    """
    sources: dict[tuple[DataConfig, int], Source] = {}

    def source_of(data: DataConfig, seed: int) -> Source:
        name = (data, 0 if data.sampling == "paper" else seed)
        if name not in sources:
            train, test = draw(data, seed, data_dir, offline)
            digest = content_hash(train, test)
            width, pixels = int(train.X[0].size), 0
            if data.features is not None:
                network = frozen_network(data.features, data_dir, offline)
                digest = blake2b(f"{digest}{network.cache_file.stem}".encode(), digest_size=16).hexdigest()
                width, pixels = WIDTHS[data.features.network], width
            if rows_folder is not None:
                write_rows(rows_folder / digest, train, test)
            sources[name] = Source(digest, len(train), len(test), width, pixels)
        return sources[name]

    cells: list[Planned] = []
    groups: list[Group] = []
    known: set[str] = set()
    for experiment in study.experiments:
        numbers: dict[tuple[Any, ...], int] = {}
        for cell in _cells(experiment):
            source = source_of(cell.data, cell.seed)
            key = key_of(cell, source.hash)
            if key in known:  # two experiments may meet in a cell
                continue
            known.add(key)
            shared = (cell.data, cell.trigger, cell.poison, cell.learner, cell.intercept, cell.method, cell.gamma)
            number = numbers.setdefault((*shared, cell.seed), len(groups))
            if number == len(groups):
                groups.append(Group(number, cell, _lams_beside(cell, experiment), experiment.rates, source))
            cells.append(Planned(key, cell, number))
    return Plan(study, cells, groups)


def require_sense(plan: Plan, rows_of: Callable[[Group], tuple[Samples, Samples]]) -> None:
    """Poison the first rows of each kind, so that what cannot be is said before anything is computed.

    Raises
    ------
    ValueError
        If a trigger, labels or rates do not fit the rows.
    """
    seen = set()
    for group in plan.groups:
        cell = group.first
        kind = (cell.data, cell.trigger, cell.poison, group.rates)
        if kind not in seen:
            seen.add(kind)
            poisoned(
                *rows_of(group),
                data=cell.data,
                trigger=cell.trigger,
                policy=cell.poison,
                rates=group.rates,
                seed=cell.seed,
            )


def key_of(cell: Cell, data_hash: str) -> str:
    """Return the key of a cell: a hash of its coordinates, the content of its data and the algorithm's version."""
    return blake2b(msgspec.json.encode((ALGORITHM, data_hash, cell)), digest_size=16).hexdigest()


def _cells(experiment: Experiment) -> Iterator[Cell]:
    """Yield the cells of an experiment, learner by learner, the seeds fastest."""
    for data in experiment.data:
        for trigger in experiment.trigger:
            for poison in experiment.poison:
                for learner, lam, gamma in _settings(experiment.learners):
                    for rate in experiment.rates:
                        for seed in experiment.seeds:
                            yield Cell(
                                data,
                                trigger,
                                poison,
                                learner.kind,
                                learner.intercept,
                                learner.method,
                                lam,
                                gamma,
                                rate,
                                seed,
                                experiment.keep,
                            )


def _lams_beside(cell: Cell, experiment: Experiment) -> tuple[float, ...]:
    """Return all lambdas at which an experiment has the learner of a cell, ascending."""
    kind = cell.learner, cell.intercept, cell.method, cell.gamma
    settings = _settings(experiment.learners)
    return tuple(sorted({lam for of, lam, gamma in settings if (of.kind, of.intercept, of.method, gamma) == kind}))


def _settings(learners: tuple[LearnerConfig, ...]) -> Iterator[tuple[LearnerConfig, float, float | None]]:
    for learner in learners:
        for gamma in learner.gamma or (None,):
            for lam in learner.lam:
                yield learner, lam, gamma
