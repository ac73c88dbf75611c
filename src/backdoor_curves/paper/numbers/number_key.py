"""Where a published number belongs, and the cell of a study that has the exact one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.paper.numbers.published import Learner
from backdoor_curves.paper.numbers.published_files import Pair
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.sqlite import StoredCell

LEARNERS: dict[Learner, str] = {
    "logistic": "logistic, penalised intercept",
    "ridge": "ridge",
    "svm": "linear-svm",
    "svm-rbf": "rbf-svm",
}
"""What a study calls the learners of the slope files; the svm of curves and paths penalises its intercept."""


@dataclass(frozen=True)
class Place:
    """Where a published number belongs: figure, data, and the setting of its learner.

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
    learner: Learner
    C: float
    gamma: float | None
    rate: float
    seed: int


Key = tuple[Any, ...]


class ExactNumbers:
    """The cells of runs by the place of a published number; curves are read when they are asked for."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._found: dict[Key, tuple[Run, StoredCell]] = {}
        for run in runs:
            for cell in run.cells:
                at = cell.coordinates
                setting = (_digits(at["lambda"]), _digits(at["gamma"]), _digits(at["rate"]), at["seed"])
                if cell.status == "done":
                    self._found[at["data"], at["trigger"], at["learner"], *setting] = run, cell

    def cell(self, place: Place, learner: str) -> StoredCell | None:
        """Return the cell of a place; None if no run has it."""
        found = self._find(place, learner)
        return None if found is None else found[1]

    def curve(self, place: Place) -> BackdoorLearningCurve | None:
        """Return the curve of the place of a curve or a path; None if no run has it."""
        learner = LEARNERS[place.learner] + ", penalised intercept" * (place.learner == "svm")
        found = self._find(place, learner)
        return None if found is None or not found[0].keeps_curve(found[1]) else found[0].curve(found[1])

    def _find(self, place: Place, learner: str) -> tuple[Run, StoredCell] | None:
        data, trigger = f"mnist {place.pair[0]}-{place.pair[1]}", f"random {place.size} x {place.size}"
        setting = (_digits(1 / place.C), _digits(place.gamma), _digits(place.rate), place.seed)
        return self._found.get((data, trigger, learner, *setting))


def _digits(value: float | None) -> float | None:
    """Return a coordinate to six digits: grids of lambda and of 1 / C differ in their last bits."""
    return None if value is None else float(f"{value:.6g}")
