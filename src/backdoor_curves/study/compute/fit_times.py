"""How long an estimator of one's own takes: it is fitted once on rows of the study, and a cell has so many fits."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backdoor_curves.data.samples import Samples, join
from backdoor_curves.learners.estimators import is_trained
from backdoor_curves.learners.fitted import fit_estimator
from backdoor_curves.learners.network import BETAS as NETWORK_BETAS
from backdoor_curves.learners.reading import read_learner
from backdoor_curves.learners.refit import REFIT_BETAS
from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.plan.cells import Group, Plan
from backdoor_curves.study.plan.estimators import estimator, followed_as
from backdoor_curves.study.plan.names import learner_name
from backdoor_curves.study.plan.scenario import Cell, Setting
from backdoor_curves.study.plan.sources import poisoned

TRIALS = 4
"""Fits beside those at the betas, which show that a fit goes by its weights: two at weight 0, and often two at 1."""
OF_A_NET = 2
"""Fits that a network's training at a beta takes as long as, its tangent with it: 0.7 to 4 were measured, in stacks."""
PATIENCE = 20.0
"""Seconds of fits that a check is worth; settings that come later are taken to be like those before."""


@dataclass(frozen=True)
class FitTime:
    """What a cell of a learner takes.

    Parameters
    ----------
    fits : int
        Of a cell.
    seconds : float
        Of one fit, and of the scores of all test rows.
    is_measured : bool
        Whether it was fitted at this setting; else the seconds are the mean of its others.
    """

    fits: int
    seconds: float
    is_measured: bool


Measured = Mapping[tuple[DataConfig, Setting], FitTime]


def fit_times(
    plan: Plan, rows_of: Callable[[Group], tuple[Samples, Samples]], patience: float = PATIENCE
) -> dict[tuple[DataConfig, Setting], FitTime]:
    """Return how long cells of refitted estimators of one's own take, by data and setting; of others nothing.

    Parameters
    ----------
    plan : Plan
    rows_of : callable
        The training and test rows of a group.
    patience : float
        Seconds after which nothing more is measured.
    """
    found: dict[tuple[DataConfig, Setting], FitTime] = {}
    unmeasured: dict[tuple[DataConfig, Setting], tuple[Cell, Group]] = {}
    first = {(one.cell.scenario.data, one.cell.setting): one for one in reversed(plan.cells)}
    start = time.perf_counter()
    for at, (_, cell, number) in reversed(first.items()):
        group = plan.groups[number]
        if cell.scenario.data.features or followed_as(cell, group.source.n_classes, group.home) is not None:
            continue
        if found and time.perf_counter() - start > patience:
            unmeasured[at] = cell, group
        else:
            found[at] = FitTime(_fits_of(cell, group.home), _seconds_of_one(cell, group, *rows_of(group)), True)
    for at, (cell, group) in unmeasured.items():
        alike = [one.seconds for (_, setting), one in found.items() if setting.learner == cell.setting.learner]
        alike = alike or [one.seconds for one in found.values()]
        found[at] = FitTime(_fits_of(cell, group.home), float(np.mean(alike)), False)
    return found


def _fits_of(cell: Cell, home: Path | None = None) -> int:
    if is_trained(estimator(cell, home)) and cell.method != "refit":
        return OF_A_NET * len(cell.keep.betas or NETWORK_BETAS)
    return (len(cell.keep.betas) or len(REFIT_BETAS)) + TRIALS


def _seconds_of_one(cell: Cell, group: Group, train: Samples, test: Samples) -> float:
    """Return the seconds of a fit at beta = 1 and of the scores of the test rows; rows go through steps before."""
    data = poisoned(train, test, cell, group.rates, group.home)[cell.scenario.rate]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its convergence its cells will tell
        learner = read_learner(estimator(cell, group.home), data)
        joined = join(learner.clean, learner.poison, learner.is_poison)
        tested = [learner.test_rows(rows, "test").X for rows in (data.triggered_test, data.clean_test)]
        y = learner.classes[joined.y]
        start = time.perf_counter()
        fitted = fit_estimator(learner.estimator, learner.encoding, joined.X, y, joined.weight, None)
        for X in tested:
            fitted.scores(X)
    return time.perf_counter() - start


def in_words(found: Measured) -> list[str]:
    """Return a line for each learner that is refitted: fits of a cell, and seconds of a fit."""
    lines = []
    for learner in dict.fromkeys(setting.learner for _, setting in found):
        times = [one for (_, setting), one in found.items() if setting.learner == learner]
        seconds = [one.seconds for one in times]
        between = f"{min(seconds):.2g}" + (f" to {max(seconds):.2g}" if len(times) > 1 else "")
        measured = sum(one.is_measured for one in times)
        share = "measured" if measured == len(times) else f"measured at {measured} of {len(times)} settings"
        lines.append(f"{learner_name(learner)}: {times[0].fits} fits a cell of {between} s each, {share}")
    return lines
