"""From a study to its cells, and from a cell to its curve."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC

from backdoor_curves.curve import BackdoorLearningCurve, backdoor_learning_curve
from backdoor_curves.data import PoisonedData, Samples
from backdoor_curves.datasets import digits, mnist, toy
from backdoor_curves.following import Method
from backdoor_curves.paths.base import PathError
from backdoor_curves.poisoning import poison
from backdoor_curves.study.config import Study
from backdoor_curves.triggers import FeatureTrigger, PatchTrigger, Trigger


@dataclass(frozen=True)
class Cell:
    """One curve of a study: a learner with its hyperparameters, a rate and a seed."""

    learner: str
    lam: float
    gamma: float | None
    rate: float
    seed: int
    method: Method = "auto"

    @property
    def key(self) -> str:
        """A name for files, unique in a study."""
        gamma = "" if self.gamma is None else f"_gamma{_short(self.gamma)}"
        return f"{self.learner}_lambda{_short(self.lam)}{gamma}_p{_short(self.rate)}_seed{self.seed}"


@dataclass(frozen=True)
class CellResult:
    """What came of a cell: its curve, and its control where the study asks for one; or the reason why not."""

    cell: Cell
    curve: BackdoorLearningCurve | None
    control: BackdoorLearningCurve | None
    seconds: float
    error: str = ""


def _short(number: float) -> str:
    """Return a number as short as it can be told from every other."""
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)


def cells(study: Study) -> list[Cell]:
    """Return the cells of a study, learner by learner."""
    return [
        Cell(learner.kind, lam, gamma, rate, seed, learner.method)
        for learner in study.learners
        for gamma in (learner.gamma or (None,))
        for lam in learner.lam
        for rate in study.rates
        for seed in study.seeds
    ]


def estimator(cell: Cell) -> Any:
    """Return the scikit-learn estimator of a cell: C = 1 / lambda, alpha = lambda / 2.

    The intercept is free in all of them. Solvers and tolerances are those that come closest to the optimum.
    """
    C = 1.0 / cell.lam
    if cell.learner == "logistic":
        return LogisticRegression(C=C, solver="newton-cholesky", tol=1e-8)
    if cell.learner == "ridge":
        return RidgeClassifier(alpha=cell.lam / 2.0)
    if cell.learner == "linear-svm":
        return SVC(C=C, kernel="linear")
    return SVC(C=C, gamma=cell.gamma)


def poisoned_data(
    study: Study, seed: int, data_dir: str | Path | None = None, offline: bool = False
) -> dict[float, PoisonedData]:
    """Return the poisoned data of one seed by rate: the same rows, test set and trigger, nested poison rows."""
    for_rows, for_trigger, for_poison = np.random.SeedSequence(seed).spawn(3)
    train, test = _drawn(study, np.random.default_rng(for_rows), data_dir, offline)
    trigger = _trigger(study, train, np.random.default_rng(for_trigger))
    return {
        rate: poison(
            train,
            test,
            trigger=trigger,
            rate=rate,
            labels=study.poison.labels,
            injection=study.poison.injection,
            rng=np.random.default_rng(for_poison),
        )
        for rate in study.rates
    }


def compute(
    study: Study, n_jobs: int, data_dir: str | Path | None = None, offline: bool = False
) -> Iterator[CellResult]:
    """Yield the results of all cells as they come, from `n_jobs` processes.

    Raises
    ------
    ValueError, OSError
        If the study asks for data that cannot be had; before any cell is computed.
    """
    data = {seed: poisoned_data(study, seed, data_dir, offline) for seed in study.seeds}
    tasks = (delayed(run_cell)(cell, data[cell.seed][cell.rate], study.poison.control) for cell in cells(study))
    yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)


def run_cell(cell: Cell, data: PoisonedData, control: bool = False) -> CellResult:
    """Return the curve of a cell; one that cannot be had is a result too, with its reason."""
    start = time.perf_counter()

    def curve(on: PoisonedData) -> BackdoorLearningCurve:
        return backdoor_learning_curve(estimator(cell), on, method=cell.method).condensed()

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the curve keeps the betas in `missed`
            poisoned, unstamped = curve(data), curve(data.control()) if control else None
    except (ValueError, TypeError, PathError, ArithmeticError, MemoryError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())  # scikit-learn's run over several lines
        return CellResult(cell, None, None, time.perf_counter() - start, reason)
    return CellResult(cell, poisoned, unstamped, time.perf_counter() - start)


def _drawn(
    study: Study, rng: np.random.Generator, data_dir: str | Path | None, offline: bool
) -> tuple[Samples, Samples]:
    config = study.data
    classes: Any = config.classes
    if not isinstance(classes, str):
        classes = tuple(tuple(entry) if isinstance(entry, list) else entry for entry in classes)
    if config.name == "toy":
        return toy(config.n_train or 200, config.n_test or 400, rng=rng)
    if config.name == "mnist":
        return mnist(classes, n_train=config.n_train, n_test=config.n_test, rng=rng, data_dir=data_dir, offline=offline)
    return digits(classes, n_train=config.n_train, n_test=config.n_test, rng=rng)


def _trigger(study: Study, train: Samples, rng: np.random.Generator) -> Trigger:
    config = study.trigger
    if config.kind == "feature":
        return FeatureTrigger(tuple(config.columns), tuple(config.values))
    channels = train.X.shape[-1]
    if config.pattern == "ones":
        return PatchTrigger.ones(config.size, channels, config.position)
    return PatchTrigger.random(config.size, int(train.y.max()) + 1, channels, rng, config.position)
