"""What the paper's figures are drawn from: runs and explanations, made or loaded at their first need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from backdoor_curves.data import PoisonedData
from backdoor_curves.paper import figures, protocol
from backdoor_curves.paper.claims import TriggerShare
from backdoor_curves.paper.explanations import Explanation, explain_linear_svm
from backdoor_curves.paper.published import PublishedRow, read_rows
from backdoor_curves.study.config import FeaturesConfig, Study, read_study
from backdoor_curves.study.run import Run, load_run
from backdoor_curves.study.running import Progress, Wishes, run_study
from backdoor_curves.study.sources import frozen_network

Network = Literal["alexnet", "squeezenet"]
DataSet = Literal["mnist", "cifar10"]
Kind = Literal["curves", "slopes"]
STUDIES = Path(__file__).parent / "studies"
PUBLISHED_NAMES = {"linear-svm": "svm", "logistic": "logistic", "ridge": "ridge", "rbf-svm": "svm-rbf"}
"""What the published slope files call our learners."""
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
    """

    def __init__(
        self, asked: Asked, progress: Callable[[Iterator[Progress]], Any], stopping: Callable[[], bool]
    ) -> None:
        self.asked = asked
        self.stopping = stopping
        self._progress = progress
        self._runs: dict[tuple[DataSet, Kind], Run] = {}
        self._blocks: dict[str, tuple[Explanation, Sequence[str]]] = {}

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

    @property
    def runs(self) -> Mapping[tuple[DataSet, Kind], Run]:
        """Those that were needed so far."""
        return self._runs

    def _study_file(self, data: DataSet) -> Path:
        network = "-squeezenet" if data == "cifar10" and self.asked.network == "squeezenet" else ""
        return STUDIES / f"paper-{data}{network}.toml"

    @cached_property
    def published_slopes(self) -> dict[str, list[PublishedRow]] | None:
        """The published slope rows of MNIST 7-1 by learner, if a folder with them was named."""
        if self.asked.published is None:
            return None
        files = {
            learner: self.asked.published / f"{name}_pair7-1_ttypebadnet_tsize3.csv"
            for learner, name in PUBLISHED_NAMES.items()
        }
        return {learner: list(read_rows(file).values()) for learner, file in files.items() if file.is_file()}

    @cached_property
    def has_cifar10(self) -> bool:
        """Whether CIFAR-10 images are at hand."""
        try:
            self.cifar10_images  # noqa: B018 - kept for who asks next
        except CANNOT:
            return False
        return True

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

    def explanation(self, data: DataSet) -> Explanation:
        """Return the arrays of Figures 14 and 15; computed once, then kept in a file."""
        network = f"-{self.asked.network}" if data == "cifar10" else ""
        path = self.asked.out / "runs" / f"explanation-{data}{network}.npz"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._explain(data).save(path)
        return Explanation.load(path)

    def _explain(self, data: DataSet) -> Explanation:
        if data == "mnist":
            return explain_linear_svm(self.mnist_images, C=10.0, row=8)
        features = frozen_network(FeaturesConfig(self.asked.network), self.asked.data_dir, self.asked.offline)
        return explain_linear_svm(self.cifar10_images, C=100.0, row=4, features=features)

    def explanations(self) -> dict[str, tuple[Explanation, Sequence[str]]]:
        """Return the blocks of Figures 14 and 15; CIFAR-10's is left out where it cannot be had, MNIST's never."""
        blocks = self._blocks
        blocks["MNIST 7-1"] = self.explanation("mnist"), figures.MNIST_NAMES
        try:
            found = self.explanation("cifar10")
        except CANNOT:
            return blocks
        rows = f"{found.n_train} training and {found.n_test} test rows"
        blocks[f"CIFAR-10 airplane vs frog, {self.asked.network}, {rows}"] = found, figures.FROG_NAMES
        return blocks

    def trigger_shares(self) -> list[TriggerShare]:
        """Return how much of their gradient the models of Figure 14 have inside the trigger, as far as it was drawn."""
        shares = []
        for title, (found, _) in self._blocks.items():
            clean, poisoned = found.shares.tolist()
            about = f"linear SVM, C = {found.C:g}, {title}"
            shares.append(TriggerShare(about, clean, poisoned, area=float(found.mask.mean()), n=1))
        return shares


def part_of(file: Path, kind: Kind) -> Study:
    """Return the slopes or the curves of one of the paper's studies, under a name of its own."""
    study = read_study(file)
    parts = tuple(one for one in study.experiments if (one.seeds == (protocol.SEED,)) == (kind == "curves"))
    return Study(f"{study.name}-{kind}", parts, study.figures)
