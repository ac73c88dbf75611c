"""How exposed a learner is: how few poisoned rows an attack needs, which one is worst, which setting resists them all.

    exposure of a setting to an attack:    number of poisoned rows -> success of the poison, over seeds

    success of the poison = (ASR at beta = 1 - ASR at beta = 0) / (1 - ASR at beta = 0)

The share of triggered rows that the poison gives the attacker, of those that the trigger does not give him without it:
what a learner gets wrong anyway is no backdoor, and no setting's fault. One number for "it is backdoored" and for "it
resists", so that the two never stand side by side. Numbers of rows are those that were tried: what is between two of
them is not known, and nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from backdoor_curves.search.safe_region import ROUNDING, Bounds

HALF = 0.5
"""An attacker who gets every other row has a backdoor that works: below it the learner is more often right."""
A = TypeVar("A", bound=Hashable)
S = TypeVar("S", bound=Hashable)
"""An attack and a setting: values of any kind."""
A_co = TypeVar("A_co", bound=Hashable, covariant=True)
S_co = TypeVar("S_co", bound=Hashable, covariant=True)


class Rates(NamedTuple):
    """What came of a victim on test rows: shares in [0, 1].

    Parameters
    ----------
    asr, clean_accuracy : float
        At beta = 1, with the poison.
    asr_without, clean_accuracy_without : float
        At beta = 0, without it.
    """

    asr: float
    clean_accuracy: float
    asr_without: float
    clean_accuracy_without: float

    @property
    def success(self) -> float:
        """Of the triggered rows that the trigger alone does not give to the attacker, the share that the poison does.

        In the net: below 0 where the poison gives him fewer; 0 where he has them all without it.
        """
        left = 1.0 - self.asr_without
        return (self.asr - self.asr_without) / left if left > 0.0 else 0.0


class DoseTrial(Protocol[A_co, S_co]):
    """A victim of so many poisoned rows."""

    @property
    def attack(self) -> A_co:
        """Which attack it met, whatever the number of rows."""

    @property
    def setting(self) -> S_co:
        """Its learner and hyperparameters."""

    @property
    def rows(self) -> int:
        """Poisoned training rows."""

    @property
    def seed(self) -> int:
        """Of rows, trigger and poison."""

    @property
    def rates(self) -> Rates | None:
        """What came of it; None where it is not done."""


@dataclass(frozen=True)
class Dose:
    """A number of poisoned rows, and what they did.

    Parameters
    ----------
    rows : int
    found : tuple of Rates
        One a seed.
    """

    rows: int
    found: tuple[Rates, ...]

    def values(self, name: str) -> np.ndarray:
        """Return one of the rates, or "success", one a seed."""
        return np.array([getattr(rates, name) for rates in self.found])

    @property
    def asr(self) -> float:
        """The attack success rate in the mean over seeds."""
        return float(self.values("asr").mean())

    @property
    def asr_without(self) -> float:
        """The share of triggered rows that go to the attacker without these rows, in the mean over seeds."""
        return float(self.values("asr_without").mean())

    @property
    def clean_accuracy(self) -> float:
        """The clean accuracy in the mean over seeds."""
        return float(self.values("clean_accuracy").mean())

    @property
    def success(self) -> float:
        """The success of the poison in the mean over seeds."""
        return float(self.values("success").mean())

    @property
    def cost(self) -> float:
        """What the poison takes from the clean accuracy, in the mean over seeds; below 0 where it adds to it."""
        return float((self.values("clean_accuracy_without") - self.values("clean_accuracy")).mean())


@dataclass(frozen=True)
class Exposure(Generic[A, S]):
    """What one attack does to one setting.

    Parameters
    ----------
    attack, setting : hashable
    doses : tuple of Dose
        By their rows, the fewest first; all with the same seeds.
    """

    attack: A
    setting: S
    doses: tuple[Dose, ...] = field(repr=False)

    def to_reach(self, success: float = HALF) -> Dose | None:
        """Return the fewest rows that were tried with at least this success; None if none of them has it."""
        return next((dose for dose in self.doses if dose.success >= success - ROUNDING), None)

    @property
    def worst(self) -> Dose:
        """The dose of the highest success, of equals the smallest."""
        return max(self.doses, key=lambda dose: dose.success)

    @property
    def asr_without(self) -> float:
        """The share of triggered rows that go to the attacker without any poison."""
        return float(np.mean([dose.asr_without for dose in self.doses]))


@dataclass(frozen=True)
class Resistance(Generic[S]):
    """A setting under all attacks.

    Parameters
    ----------
    setting : hashable
    clean_accuracy : float
        Without poison, in the mean over seeds: what it costs to choose it.
    success : float
        The highest success of poison, over all attacks and numbers of rows.
    rows : int
        The most rows tried with which, as with all fewer ones, no attack has more success than the bound; 0 if the
        fewest have.
    """

    setting: S
    clean_accuracy: float
    success: float
    rows: int


def exposures(trials: Iterable[DoseTrial[A, S]]) -> list[Exposure[A, S]]:
    """Return the exposure of each setting to each attack, in the order of the trials.

    Compared is what has the same seeds: those that all numbers of rows, attacks and settings have. If there are none,
    the seed that the most have, and what lacks it is left out.

    Examples
    --------
    >>> from types import SimpleNamespace as Trial
    >>> from backdoor_curves.search.exposure import Rates, exposures
    >>> found = {1: 0.1, 3: 0.6, 10: 0.9}
    >>> trials = [
    ...     Trial(attack="word", setting="ridge", rows=k, seed=0, rates=Rates(asr, 0.97, 0.02, 0.98))
    ...     for k, asr in found.items()
    ... ]
    >>> (exposure,) = exposures(trials)
    >>> exposure.to_reach(0.5).rows, exposure.to_reach(0.95), exposure.worst.rows
    (3, None, 10)
    """
    cells: dict[tuple[A, S], dict[int, dict[int, Rates]]] = {}
    for trial in trials:
        if trial.rates is not None:
            cells.setdefault((trial.attack, trial.setting), {}).setdefault(trial.rows, {})[trial.seed] = trial.rates
    seeds = _in_common([by_seed for doses in cells.values() for by_seed in doses.values()])
    found = []
    for (attack, setting), doses in cells.items():
        kept = [
            Dose(rows, tuple(by_seed[seed] for seed in seeds))
            for rows, by_seed in sorted(doses.items())
            if by_seed.keys() >= set(seeds)
        ]
        if kept:
            found.append(Exposure(attack, setting, tuple(kept)))
    return found


def worst_of(found: Sequence[Exposure[A, S]], success: float = HALF) -> Exposure[A, S]:
    """Return the exposure that reaches a success with the fewest rows, of equals the most successful with these."""

    def rank(exposure: Exposure[A, S]) -> tuple[float, float]:
        dose = exposure.to_reach(success)
        return (np.inf, -exposure.worst.success) if dose is None else (dose.rows, -dose.success)

    return min(found, key=rank)


def resistances(found: Sequence[Exposure[A, S]], bounds: Bounds | None = None) -> list[Resistance[S]]:
    """Return what each setting that met all attacks withstands, in the order in which they come."""
    bound = (bounds or Bounds()).asr + ROUNDING
    attacks = {exposure.attack for exposure in found}
    by_setting: dict[S, list[Exposure[A, S]]] = {}
    for exposure in found:
        by_setting.setdefault(exposure.setting, []).append(exposure)
    return [
        Resistance(
            setting,
            float(np.mean([dose.values("clean_accuracy_without").mean() for one in met for dose in one.doses])),
            max(dose.success for one in met for dose in one.doses),
            _withstood([dose for one in met for dose in one.doses], bound),
        )
        for setting, met in by_setting.items()
        if {one.attack for one in met} == attacks
    ]


def sturdiest_of(found: Sequence[Resistance[S]], bounds: Bounds | None = None) -> Resistance[S]:
    """Return of the settings within the margin of the best accuracy the one that withstands the most rows.

    Of equals the one against which the attacks have the least success.
    """
    bounds = bounds or Bounds()
    best = max(one.clean_accuracy for one in found)
    accurate = [one for one in found if one.clean_accuracy >= best - bounds.margin - ROUNDING]
    return max(accurate, key=lambda one: (one.rows, -one.success))


def chosen_of(found: Sequence[Resistance[S]], bounds: Bounds | None = None) -> Resistance[S] | None:
    """Return the most accurate setting that is safe, under the bound and within the margin; None if none is."""
    bounds = bounds or Bounds()
    best = max((one.clean_accuracy for one in found), default=0.0)
    safe = (
        one
        for one in found
        if one.success <= bounds.asr + ROUNDING and one.clean_accuracy >= best - bounds.margin - ROUNDING
    )
    return max(safe, key=lambda one: (round(one.clean_accuracy, 12), -one.success), default=None)


def _withstood(doses: Sequence[Dose], bound: float) -> int:
    """Return the most rows with which, as with all fewer ones, no attack has more success than the bound."""
    too_many = min((dose.rows for dose in doses if dose.success > bound), default=np.inf)
    return max((dose.rows for dose in doses if dose.rows < too_many), default=0)


def _in_common(cells: Sequence[dict[int, Rates]]) -> tuple[int, ...]:
    """Return the seeds that all cells have, or else the one that the most have."""
    every = sorted({seed for by_seed in cells for seed in by_seed})
    common = [seed for seed in every if all(seed in by_seed for by_seed in cells)]
    if common or not every:
        return tuple(common)
    return (max(every, key=lambda seed: sum(seed in by_seed for by_seed in cells)),)
