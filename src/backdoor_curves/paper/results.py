"""What the paper's figures are drawn from: runs and explanations, made or loaded at their first need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.paper.claims.conclusions import TriggerShare
from backdoor_curves.paper.figures import draw as figures
from backdoor_curves.paper.figures.explanations import Explanation, explain_linear_svm
from backdoor_curves.paper.numbers.published_files import PublishedNumbers
from backdoor_curves.poisoning import paper_protocol as protocol
from backdoor_curves.records.one_line import one_line
from backdoor_curves.study.file.config import FeaturesConfig, Study
from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.plan.sources import frozen_network
from backdoor_curves.study.run_study import Progress, Wishes, run_study
from backdoor_curves.study.store.run import Run, load_run, stores_of

Network = Literal["alexnet", "squeezenet"]
DataSet = Literal["mnist", "cifar10"]
Kind = Literal["curves", "slopes"]
DATA_SETS: tuple[DataSet, ...] = get_args(DataSet)
KINDS: tuple[Kind, ...] = get_args(Kind)
T = TypeVar("T")
U = TypeVar("U")
STUDIES = Path(__file__).parent / "studies"
CANNOT = (ValueError, OSError, ImportError, RuntimeError)
"""What is said in a sentence where something cannot be had."""


@dataclass(frozen=True)
class Asked:
    """What is to be reproduced, and with what.

    Parameters
    ----------
    figures : tuple of str
        Names out of `RECIPES`.
    out : path
        The folder of runs, figures, comparison and page.
    wishes : Wishes
        How the studies are run.
    data_dir : path, optional
    offline : bool
    network : {"alexnet", "squeezenet"}
        Of the CIFAR-10 features: the paper's, or the small one in its place.
    published : path, optional
        A folder with the published files.
    kind : {"png", "pdf", "svg"}
        Of the figures' files.
    """

    figures: tuple[str, ...]
    out: Path
    wishes: Wishes
    data_dir: Path | None = None
    offline: bool = False
    network: Network = "alexnet"
    published: Path | None = None
    kind: Literal["png", "pdf", "svg"] = "png"


class Results:
    """What figures are drawn from: each run and explanation is made or loaded at its first need.

    Parameters
    ----------
    asked : Asked
    progress : callable
        Runs an iterator over `Progress` to its end, and shows it.
    stopping : callable
        Whether to begin nothing more.
    published : PublishedNumbers, optional
    say : callable
        Takes a line on what is left out.
    """

    def __init__(
        self,
        asked: Asked,
        progress: Callable[[Iterator[Progress]], Any],
        stopping: Callable[[], bool],
        published: PublishedNumbers | None,
        say: Callable[[str], None],
    ) -> None:
        self.asked = asked
        self.stopping = stopping
        self.published = published
        self.say = say
        self._progress = progress
        self._runs: dict[tuple[DataSet, Kind], Run] = {}

    def run(self, data: DataSet, kind: Kind) -> Run:
        """Return a run of the paper, complete."""
        if (data, kind) not in self._runs:
            study = part_of(self._study_file(data), kind)
            folder = self.asked.out / "runs" / study.name
            asked = self.asked
            doing = run_study(
                study,
                folder,
                asked.wishes,
                data_dir=asked.data_dir,
                offline=asked.offline,
                stopping=self.stopping,
            )
            self._progress(doing)
            found = load_run(folder)
            if found.n_left:
                raise RuntimeError(f"{study.name}: {found.n_left} cells are left; the same command goes on")
            self._runs[data, kind] = found
        return self._runs[data, kind]

    def all_runs(self) -> list[Run]:
        """Return the runs that were needed now, and those that an earlier call has left whole."""
        for data in DATA_SETS:
            for kind in KINDS:
                folder = self.asked.out / "runs" / part_of(self._study_file(data), kind).name
                if (data, kind) not in self._runs and stores_of(folder):
                    found = load_run(folder)
                    if not found.n_left:
                        self._runs[data, kind] = found
        return list(self._runs.values())

    def _study_file(self, data: DataSet) -> Path:
        network = "-squeezenet" if data == "cifar10" and self.asked.network == "squeezenet" else ""
        return STUDIES / f"paper-{data}{network}.toml"

    @cached_property
    def mnist_images(self) -> PoisonedData:
        """7-1 as in the explanations: 2000 training and 1000 test rows, p = .1."""
        rows = protocol.mnist_pair((7, 1), self.asked.data_dir, self.asked.offline, n_train=2000, n_test=1000)
        return protocol.badnet(*rows, rate=0.1, size=6)

    @cached_property
    def cifar10_images(self) -> PoisonedData:
        """Airplane and frog as in the explanations: 5000 training and 1000 test rows or those at hand, p = .15."""
        where = figures.AIRPLANE_FROG, self.asked.data_dir, self.asked.offline
        n_train, n_test = protocol.cifar10_counts(*where)
        rows = protocol.cifar10_pair(*where, n_train=min(5000, n_train), n_test=min(1000, n_test))
        return protocol.badnet(*rows, rate=0.15, size=16)

    def samples(self) -> dict[str, tuple[PoisonedData, Sequence[str]]]:
        """Return poisoned images of each data set at hand, with the names of their classes."""
        makers = {
            "MNIST 7-1, 6 x 6 pixels": lambda: (self.mnist_images, figures.MNIST_NAMES),
            "CIFAR-10 airplane vs frog, 16 x 16 pixels": lambda: (self.cifar10_images, figures.FROG_NAMES),
        }
        return self._at_hand("samples", makers)

    def explanations(self) -> dict[str, tuple[Explanation, Sequence[str]]]:
        """Return the blocks of Figures 14 and 15, of each data set at hand."""
        names: dict[DataSet, Sequence[str]] = {"mnist": figures.MNIST_NAMES, "cifar10": figures.FROG_NAMES}
        makers = {data: partial(self._explanation, data) for data in names}
        found = self._at_hand("Figures 14 and 15", makers)
        return {self._title(data, one): (one, names[data]) for data, one in found.items()}

    def trigger_shares(self) -> list[TriggerShare]:
        """Return how much of their gradients the models of Figure 14 have inside the trigger, of what is kept."""
        shares = []
        for data in DATA_SETS:
            if self._explanation_file(data).is_file():
                found = Explanation.load(self._explanation_file(data))
                clean, poisoned = found.shares.tolist()
                about = f"linear SVM, C = {found.C:g}, {self._title(data, found)}"
                shares.append(TriggerShare(about, clean, poisoned, area=float(found.mask.mean()), n=1))
        return shares

    def _at_hand(self, figure: str, makers: Mapping[T, Callable[[], U]]) -> dict[T, U]:
        """Return what can be made; say what cannot, and fail if nothing can."""
        made: dict[T, U] = {}
        reasons = []
        for name, make in makers.items():
            try:
                made[name] = make()
            except CANNOT as error:
                reasons.append(f"{name}: {one_line(error)}")
        if not made:
            raise ValueError("; ".join(reasons))
        for reason in reasons:
            self.say(f"left out of {figure}: {reason}")
        return made

    def _explanation_file(self, data: DataSet) -> Path:
        network = f"-{self.asked.network}" if data == "cifar10" else ""
        return self.asked.out / "runs" / f"explanation-{data}{network}.npz"

    def _title(self, data: DataSet, found: Explanation) -> str:
        if data == "mnist":
            return "MNIST 7-1"
        rows = f"{found.n_train} training and {found.n_test} test rows"
        return f"CIFAR-10 airplane vs frog, {self.asked.network}, {rows}"

    def _explanation(self, data: DataSet) -> Explanation:
        """Return the arrays of Figures 14 and 15; computed once, then kept in a file."""
        path = self._explanation_file(data)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._explain(data).save(path)
        return Explanation.load(path)

    def _explain(self, data: DataSet) -> Explanation:
        if data == "mnist":
            return explain_linear_svm(self.mnist_images, C=10.0, row=8)
        features = frozen_network(FeaturesConfig(self.asked.network), self.asked.data_dir, self.asked.offline)
        return explain_linear_svm(self.cifar10_images, C=100.0, row=4, features=features)


def part_of(file: Path, kind: Kind) -> Study:
    """Return the slopes or the curves of one of the paper's studies, under a name of its own."""
    study = read_study(file)
    parts = tuple(one for one in study.experiments if (one.seeds == (protocol.SEED,)) == (kind == "curves"))
    return Study(f"{study.name}-{kind}", parts, study.figures)
