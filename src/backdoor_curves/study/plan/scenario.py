"""Which cell: scenario, setting and seed as frozen records of values. Everything that groups cells groups by these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Struct

from backdoor_curves.study.file.attacks import AttackConfig
from backdoor_curves.study.file.config import DataConfig, KeepConfig, LabelPolicy, LearnerConfig, TriggerConfig


class Scenario(Struct, frozen=True):
    """One way to attack.

    Parameters
    ----------
    data : DataConfig
    trigger : TriggerConfig, optional
    policy : LabelPolicy, optional
        Of `[trigger]` and `[poison]`; None where there is an attack.
    rate : float in (0, 1]
        Poisoned rows over rows that could be poisoned, or what an attack says.
    attack : AttackConfig, optional
        Of `[[attacks]]`; None where there are trigger and policy.
    """

    data: DataConfig
    trigger: TriggerConfig | None
    policy: LabelPolicy | None
    rate: float
    attack: AttackConfig | None = None

    @property
    def way(self) -> tuple[TriggerConfig | None, LabelPolicy | None, AttackConfig | None]:
        """What is stamped and how it is labelled, whatever the data and the rate."""
        return self.trigger, self.policy, self.attack


class Learner(Struct, frozen=True):
    """A learner without its hyperparameters.

    Parameters
    ----------
    kind : str
        As in `[[learners]]`.
    intercept : {"free", "penalised"}
    """

    kind: str
    intercept: str = "free"


class Setting(Struct, frozen=True):
    """A learner and its hyperparameters.

    Parameters
    ----------
    learner : Learner
    hyperparameters : tuple of (name, value)
        "lambda" first, the others by their names, in whatever order they came: equal settings are equal.

    Examples
    --------
    >>> from backdoor_curves.study.plan.scenario import Learner, Setting
    >>> setting = Setting.of(Learner("rbf-svm"), {"gamma": 0.05, "lambda": 1.0})
    >>> setting.hyperparameters, setting.lam, setting.without("lambda").hyperparameters
    ((('lambda', 1.0), ('gamma', 0.05)), 1.0, (('gamma', 0.05),))
    """

    learner: Learner
    hyperparameters: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        values = [(name, float(value)) for name, value in self.hyperparameters]  # a number of numpy's for one
        ordered = sorted(values, key=lambda pair: (pair[0] != "lambda", pair[0]))
        msgspec.structs.force_setattr(self, "hyperparameters", tuple(ordered))

    @classmethod
    def of(cls, learner: Learner, hyperparameters: Mapping[str, float]) -> Setting:
        """Return a learner at hyperparameters by name."""
        return cls(learner, tuple(hyperparameters.items()))

    @property
    def values(self) -> dict[str, float]:
        """The hyperparameters by name."""
        return dict(self.hyperparameters)

    @property
    def lam(self) -> float:
        """Lambda, which every learner of a study has."""
        return self.values["lambda"]

    @property
    def gamma(self) -> float | None:
        """Gamma; None for a learner that has none."""
        return self.values.get("gamma")

    def without(self, name: str) -> Setting:
        """Return what settings share that differ in one hyperparameter alone."""
        return Setting(self.learner, tuple(pair for pair in self.hyperparameters if pair[0] != name))


class Cell(Struct, frozen=True):
    """One curve of a study: which, by scenario, setting and seed; how it is computed, and what is kept of it.

    Parameters
    ----------
    scenario : Scenario
    setting : Setting
    seed : int
        Of rows, trigger and poison.
    method : {"auto", "exact", "refit"}
        As in `backdoor_learning_curve`.
    control : bool
        Whether the same rows are poisoned without the trigger, too.
    keep : KeepConfig
    """

    scenario: Scenario
    setting: Setting
    seed: int
    method: str = "auto"
    control: bool = False
    keep: KeepConfig = KeepConfig()


def settings_of(config: LearnerConfig) -> Iterator[Setting]:
    """Yield the settings of a learner's table, all lambdas of a gamma together."""
    learner = Learner(config.kind, config.intercept)
    for gamma in config.gamma or (None,):
        for lam in config.lam:
            yield Setting.of(learner, {"lambda": lam} | ({} if gamma is None else {"gamma": gamma}))
