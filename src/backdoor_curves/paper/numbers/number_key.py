"""Where a published number belongs, and the cell of a study that has the exact one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.paper.numbers.published import PublishedLearner
from backdoor_curves.paper.numbers.published_files import Pair
from backdoor_curves.study.file.config import DataConfig, LabelPolicy, TriggerConfig
from backdoor_curves.study.plan.scenario import Learner, Scenario, Setting
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.stored_cell import StoredCell

LEARNERS: dict[PublishedLearner, Learner] = {
    "logistic": Learner("logistic", "penalised"),
    "ridge": Learner("ridge"),
    "svm": Learner("linear-svm"),
    "svm-rbf": Learner("rbf-svm"),
}
"""The learners of the slope files in a study."""
LEARNERS_OF_CURVES = LEARNERS | {"svm": Learner("linear-svm", "penalised")}
"""Those of curves and paths: their svm is liblinear's."""


@dataclass(frozen=True)
class PublishedPlace:
    """Where a published number belongs: figure, data, and the setting of its learner, as the paper has them.

    Parameters
    ----------
    figure : str
        The paper's, "10" for one.
    pair : (int, int)
        Of MNIST.
    size : int
        Side of the trigger in pixels.
    learner : {"logistic", "ridge", "svm", "svm-rbf"}
    C : float
        1 / lambda; for ridge 1 / (2 alpha).
    gamma : float or None
    rate : float
        Of poison, the paper's p.
    seed : int
        Of trigger and poison.
    """

    figure: str
    pair: Pair
    size: int
    learner: PublishedLearner
    C: float
    gamma: float | None
    rate: float
    seed: int


Key = tuple[Scenario, Setting, int]


class ExactNumbers:
    """The cells of runs by the place of a published number; curves are read when they are asked for."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._found: dict[Key, tuple[Run, StoredCell]] = {
            _key(cell.scenario, cell.setting, cell.seed): (run, cell)
            for run in runs
            for cell in run.cells
            if cell.status == "done"
        }

    def cell(self, place: PublishedPlace) -> StoredCell | None:
        """Return the cell of the place of a slope; None if no run has it."""
        found = self._find(place, LEARNERS[place.learner])
        return None if found is None else found[1]

    def curve(self, place: PublishedPlace) -> BackdoorLearningCurve | None:
        """Return the curve of the place of a curve or a path; None if no run has it."""
        found = self._find(place, LEARNERS_OF_CURVES[place.learner])
        return None if found is None or not found[0].keeps_curve(found[1]) else found[0].curve(found[1])

    def _find(self, place: PublishedPlace, learner: Learner) -> tuple[Run, StoredCell] | None:
        data = DataConfig("mnist", place.pair, sampling="paper")
        scenario = Scenario(data, TriggerConfig(size=place.size), LabelPolicy(), place.rate)
        gamma = {} if place.gamma is None else {"gamma": place.gamma}
        return self._found.get(_key(scenario, Setting.of(learner, {"lambda": 1 / place.C, **gamma}), place.seed))


def _key(scenario: Scenario, setting: Setting, seed: int) -> Key:
    """Return which cell it is, with numbers to six digits: grids of lambda and of 1 / C differ in their last bits."""
    at = scenario
    rounded = {name: _digits(value) for name, value in setting.values.items()}
    return replace(at, rate=_digits(at.rate)), Setting.of(setting.learner, rounded), seed


def _digits(value: float) -> float:
    return float(f"{value:.6g}")
