"""Which cell: scenario, setting and seed as frozen records of values. Everything that groups cells groups by these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import msgspec
from msgspec import Struct

from backdoor_curves.study.file.attacks import AttackConfig
from backdoor_curves.study.file.config import (
    DataConfig,
    KeepConfig,
    LabelPolicy,
    LearnerConfig,
    Parameters,
    TriggerConfig,
    Value,
)


class Scenario(Struct, frozen=True):
    """One way to attack.

    Parameters
    ----------
    data : DataConfig
    trigger : TriggerConfig, optional
    policy : LabelPolicy, optional
        Of `[trigger]` and `[poison]`; None where there is an attack, or a source is weighted.
    rate : float in (0, 1]
        Poisoned rows over rows that could be poisoned, or what an attack says.
    attack : AttackConfig, optional
        Of `[[attacks]]`; None where there are trigger and policy.
    code : str
        The hash of functions of one's own that stamp, see `own_trigger.code_of`.
    """

    data: DataConfig
    trigger: TriggerConfig | None
    policy: LabelPolicy | None
    rate: float
    attack: AttackConfig | None = None
    code: str = ""

    @property
    def way(self) -> tuple[TriggerConfig | None, LabelPolicy | None, AttackConfig | None]:
        """What is stamped and how it is labelled, whatever the data and the rate."""
        return self.trigger, self.policy, self.attack


OWN = "estimator"
"""The kind of a learner that is none of the four."""


class Learner(Struct, frozen=True):
    """A learner without its hyperparameters.

    Parameters
    ----------
    kind : str
        As in `[[learners]]`, or "estimator".
    intercept : {"free", "penalised"}
    steps : tuple of str
        Transformers before it, by name.
    estimator : str
        Of one's own: "module:function", or the path of a class.
    name : str
        What tables call it; "" for what the estimator is called.
    parameters : tuple of (name, value)
        That it has in all its settings.
    content : str
        The hash of what came when it was made, see `own_estimators.content_of`.
    """

    kind: str
    intercept: str = "free"
    steps: tuple[str, ...] = ()
    estimator: str = ""
    name: str = ""
    parameters: Parameters = ()
    content: str = ""

    @property
    def sees_rows_as_they_are(self) -> bool:
        """Whether it is one of the four kinds, and no steps are before it."""
        return self.kind != OWN and not self.steps


class Setting(Struct, frozen=True):
    """A learner and its hyperparameters.

    Parameters
    ----------
    learner : Learner
    hyperparameters : tuple of (name, value)
        "lambda" first, the others by their names, in whatever order they came: equal settings are equal. Those of the
        four kinds are floats.
    types : str
        Of the values, where some are no floats: Python takes 1, 1.0 and True for equal, and estimators do not.

    Examples
    --------
    >>> from backdoor_curves.study.plan.scenario import Learner, Setting
    >>> setting = Setting.of(Learner("rbf-svm"), {"gamma": 0.05, "lambda": 1.0})
    >>> setting.hyperparameters, setting.lam, setting.without("lambda").hyperparameters
    ((('lambda', 1.0), ('gamma', 0.05)), 1.0, (('gamma', 0.05),))
    >>> forest = Learner("estimator", estimator="sklearn.ensemble.RandomForestClassifier")
    >>> Setting.of(forest, {"max_features": 1}) == Setting.of(forest, {"max_features": 1.0})
    False
    """

    learner: Learner
    hyperparameters: tuple[tuple[str, Value], ...]
    types: str = ""

    def __post_init__(self) -> None:
        own = self.learner.kind == OWN
        # Of the four kinds a number of numpy's, or a whole one, is that number.
        values = [(name, value if own else float(value)) for name, value in self.hyperparameters]  # type: ignore[arg-type]
        ordered = tuple(sorted(values, key=lambda pair: (pair[0] != "lambda", pair[0])))
        msgspec.structs.force_setattr(self, "hyperparameters", ordered)
        types = "".join(_type_of(value) for _, value in ordered) if own else ""
        msgspec.structs.force_setattr(self, "types", types if types.strip("f") else "")

    @classmethod
    def of(cls, learner: Learner, hyperparameters: Mapping[str, Value]) -> Setting:
        """Return a learner at hyperparameters by name."""
        return cls(learner, tuple(hyperparameters.items()))

    @property
    def values(self) -> dict[str, Any]:
        """The hyperparameters by name."""
        return dict(self.hyperparameters)

    @property
    def lam(self) -> float:
        """Lambda, which each of the four kinds has."""
        return float(self.values["lambda"])

    @property
    def gamma(self) -> float | None:
        """Gamma of an RBF SVM; None for another learner."""
        return None if self.learner.kind == OWN else self.values.get("gamma")

    def without(self, name: str) -> Setting:
        """Return what settings share that differ in one hyperparameter alone."""
        return Setting(self.learner, tuple(pair for pair in self.hyperparameters if pair[0] != name))

    @property
    def beside_strength(self) -> Setting:
        """What settings share that differ in the strength of their penalty alone, lambda or a C: the same kernel."""
        strengths = [name for name, _ in self.hyperparameters if name.rpartition("__")[2] in ("lambda", "C")]
        return Setting(self.learner, tuple(pair for pair in self.hyperparameters if pair[0] not in strengths))


def _type_of(value: Value) -> str:
    """Return a letter for the type of a value, and one for each entry of a tuple."""
    return f"({''.join(map(_type_of, value))})" if isinstance(value, tuple) else type(value).__name__[0]


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


def settings_of(config: LearnerConfig, learner: Learner) -> Iterator[Setting]:
    """Yield the settings of a learner's table, all lambdas of a gamma together; of a grid those of its last name."""
    if config.grid is not None or config.lam is None:
        names = [name for name, _ in config.grid or ()]
        for values in product(*(values for _, values in config.grid or ())):
            yield Setting.of(learner, dict(zip(names, values, strict=True)))
        return
    for gamma in config.gamma or (None,):
        for lam in config.lam:
            yield Setting.of(learner, {"lambda": lam} | ({} if gamma is None else {"gamma": gamma}))
