"""Where a learner is safe: settings about as accurate as its best, of which the attack gets few rows; if there are any.

    safe    clean accuracy >= best clean accuracy of the learner - margin    and    ASR <= bound

of the victim (beta = 1), in the mean over seeds. Who picks the most accurate safe setting from the same seeds that its
numbers come from reports the best of many draws; so each seed is also left out once: the setting is chosen on the other
seeds, and what it then comes to on the seed that was left out is the honest estimate.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from backdoor_curves.search.axes import Axis, Hyperparameters, axes_of, typed

MARGIN = 0.02
"""Two rows in a hundred: what a user may be asked to pay for resistance."""
ASR = 0.2
"""An attacker who gets one row in five is not rid of, but has no backdoor to rely on."""
ROUNDING = 1e-12
"""So that a setting at the very edge of the margin is within it, whatever 0.98 - 0.02 is in binary; equals likewise."""
S = TypeVar("S", bound=Hashable)
L = TypeVar("L", bound=Hashable)
"""A scenario and a learner: values of any kind."""
S_co = TypeVar("S_co", bound=Hashable, covariant=True)
L_co = TypeVar("L_co", bound=Hashable, covariant=True)


class TrialLike(Protocol[S_co, L_co]):
    """What is to be known of a victim: a cell of a run (`StoredCell`), or a `Trial` of your own."""

    @property
    def scenario(self) -> S_co:
        """Which attack it met."""

    @property
    def learner(self) -> L_co:
        """Which learner it is of."""

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Those that it was trained with."""

    @property
    def seed(self) -> int:
        """Of rows, trigger and poison."""

    @property
    def clean_accuracy(self) -> float | None:
        """At beta = 1; None where it is not done."""

    @property
    def asr(self) -> float | None:
        """The attack success rate at beta = 1; None where it is not done."""


@dataclass(frozen=True)
class Trial(Generic[S, L]):
    """A victim: which attack it met, at which setting it was trained, and what came of it.

    Parameters
    ----------
    scenario, learner : hashable
        Values of any kind: what differs in them is not compared.
    hyperparameters : mapping of str to value
        "lambda" and whatever else the learner has.
    seed : int
    clean_accuracy, asr : float in [0, 1], or None
        At beta = 1; None where it is not done.
    """

    scenario: S
    learner: L
    hyperparameters: Hyperparameters
    seed: int
    clean_accuracy: float | None
    asr: float | None


@dataclass(frozen=True)
class Bounds:
    """What "safe" means.

    Parameters
    ----------
    margin : float in [0, 1]
        How far below the best clean accuracy of its learner a safe setting may be, as a share of rows.
    asr : float in [0, 1]
        The largest attack success rate that a safe setting may have.

    Raises
    ------
    ValueError
        If one is outside [0, 1].
    """

    margin: float = MARGIN
    asr: float = ASR

    def __post_init__(self) -> None:
        for name in ("margin", "asr"):
            if not 0.0 <= (value := getattr(self, name)) <= 1.0:
                raise ValueError(f"{name}: a share of rows in [0, 1] was expected, {value:g} came")


@dataclass(frozen=True)
class JudgedSetting:
    """The hyperparameters of a learner in a region, with its means over seeds.

    Parameters
    ----------
    hyperparameters : mapping of str to value
    clean_accuracy, asr : float in [0, 1]
        At beta = 1, in the mean over the region's seeds; over its own where it is not judged; NaN if it has none.
    seeds : tuple of int
        The seeds that are done.
    judged : bool
        Whether it has all seeds of the region; one that lacks some is neither safe nor the best.
    safe : bool
    """

    hyperparameters: Hyperparameters
    clean_accuracy: float
    asr: float
    seeds: tuple[int, ...]
    judged: bool
    safe: bool

    @property
    def lam(self) -> float:
        """Lambda, of a learner that has one."""
        return float(self.hyperparameters["lambda"])

    @property
    def gamma(self) -> float | None:
        """Gamma; None for a learner that has none."""
        return self.hyperparameters.get("gamma")


@dataclass(frozen=True)
class LeftOut:
    """What the setting that the other seeds choose comes to on a seed that they do not see.

    Parameters
    ----------
    seed : int
    chosen : mapping of str to value, or None
        The hyperparameters of the most accurate safe setting of the other seeds; None where they have none.
    clean_accuracy, asr, best_clean_accuracy : float, or None
        On this seed alone: of the chosen setting, and of the best setting there.
    safe : bool
        Whether the chosen setting is safe on this seed.
    """

    seed: int
    chosen: Hyperparameters | None
    clean_accuracy: float | None
    asr: float | None
    best_clean_accuracy: float
    safe: bool


@dataclass(frozen=True)
class SafeRegion(Generic[S, L]):
    """The settings of one learner in one scenario, and which of them are safe.

    Parameters
    ----------
    scenario, learner : hashable
        As the trials have them.
    bounds : Bounds
        What safe means here.
    seeds : tuple of int
        On which settings are compared: those that give the most cells, ties to the more seeds. Empty if none is done.
    settings : tuple of JudgedSetting
        In the order of the trials.
    left_out : tuple of LeftOut
        One a seed; empty for fewer than two seeds.
    """

    scenario: S
    learner: L
    bounds: Bounds
    seeds: tuple[int, ...]
    settings: tuple[JudgedSetting, ...] = field(repr=False)
    left_out: tuple[LeftOut, ...] = field(repr=False)

    @property
    def safe(self) -> tuple[JudgedSetting, ...]:
        """The safe settings; empty where there is no safe region."""
        return tuple(setting for setting in self.settings if setting.safe)

    @property
    def best(self) -> JudgedSetting | None:
        """The most accurate setting, whatever the attack does to it; None if none is judged."""
        return max((setting for setting in self.settings if setting.judged), key=_preference, default=None)

    @property
    def chosen(self) -> JudgedSetting | None:
        """The most accurate safe setting; None if there is none. Equals are ranked by ASR, then by lambda."""
        return max(self.safe, key=_preference, default=None)

    @property
    def cheapest(self) -> JudgedSetting | None:
        """The most accurate setting under the bound on the ASR, whatever accuracy that costs; None if there is none."""
        under = (one for one in self.settings if one.judged and one.asr <= self.bounds.asr + ROUNDING)
        return max(under, key=_preference, default=None)

    @property
    def least_attacked(self) -> JudgedSetting | None:
        """The setting with the lowest ASR, whatever its accuracy; None if none is judged."""
        judged = (setting for setting in self.settings if setting.judged)
        return min(judged, key=lambda one: (one.asr, -one.clean_accuracy), default=None)

    @property
    def axes(self) -> list[Axis]:
        """The hyperparameters in which its settings differ."""
        return axes_of(setting.hyperparameters for setting in self.settings)

    def safe_along(self, axis: Axis) -> tuple[Any, ...]:
        """Return the values of an axis at which some setting is safe, whatever its other hyperparameters."""
        places = {axis.place(setting.hyperparameters) for setting in self.safe}
        return tuple(axis.values[place] for place in sorted(places))

    @property
    def held_out_clean_accuracy(self) -> float | None:
        """The clean accuracy of what the other seeds choose, in the mean over seeds left out; None if never chosen."""
        return _mean([one.clean_accuracy for one in self.left_out])

    @property
    def held_out_asr(self) -> float | None:
        """The attack success rate of what the other seeds choose, likewise: the honest estimate."""
        return _mean([one.asr for one in self.left_out])


def safe_regions(trials: Iterable[TrialLike[S, L]], bounds: Bounds | None = None) -> list[SafeRegion[S, L]]:
    """Return the safe region of each learner in each scenario.

    Parameters
    ----------
    trials : iterable of TrialLike
        `Run.cells`, or records of your own. Those without both rates, failed cells for one, count as not done.
    bounds : Bounds, optional
        By default within .02 of the best clean accuracy, and an attack success rate of at most .2.

    Returns
    -------
    list of SafeRegion
        In the order of the trials, those without a finished one among them.

    Examples
    --------
    >>> from backdoor_curves.search.safe_region import Trial, safe_regions
    >>> cells = [(1.0, 0, 0.98, 0.9), (1.0, 1, 0.98, 0.8), (100.0, 0, 0.96, 0.1), (100.0, 1, 0.97, 0.2)]
    >>> trials = [Trial("patch", "ridge", {"lambda": lam}, *found) for lam, *found in cells]
    >>> (region,) = safe_regions(trials)
    >>> region.best.lam, region.chosen.lam, round(region.chosen.asr, 3), round(region.held_out_asr, 3)
    (1.0, 100.0, 0.15, 0.15)
    """
    bounds = bounds or Bounds()
    places: dict[tuple[S, L], list[TrialLike[S, L]]] = {}
    for trial in trials:
        places.setdefault((trial.scenario, trial.learner), []).append(trial)
    return [_region(found, bounds) for found in places.values()]


# --- one region ------------------------------------------------------------------------------------------------------

Point = tuple[float, float]
"""Clean accuracy and attack success rate."""
Points = dict[int, Point]
"""By seed."""
Key = tuple[tuple[str, Any], ...]
"""Hyperparameters as a value, by name, each with its type."""


def _region(trials: Sequence[TrialLike[S, L]], bounds: Bounds) -> SafeRegion[S, L]:
    found: dict[Key, Points] = {}
    named: dict[Key, Hyperparameters] = {}
    for trial in trials:
        key = _key_of(trial.hyperparameters)
        named.setdefault(key, trial.hyperparameters)
        points = found.setdefault(key, {})
        if trial.clean_accuracy is not None and trial.asr is not None:
            points[trial.seed] = float(trial.clean_accuracy), float(trial.asr)
    seeds = _comparable(found)
    judged = {key: points for key, points in found.items() if seeds and points.keys() >= set(seeds)}
    means = {key: _over(points, seeds) for key, points in judged.items()}
    safe = _safe(means, bounds)
    settings = []
    for key, points in found.items():
        accuracy, asr = means[key] if key in means else _over(points, tuple(points))
        settings.append(JudgedSetting(named[key], accuracy, asr, tuple(points), key in means, key in safe))
    left_out = [_left_out(seed, len(seeds), judged, means, named, bounds) for seed in seeds] if len(seeds) > 1 else []
    return SafeRegion(
        scenario=trials[0].scenario,
        learner=trials[0].learner,
        bounds=bounds,
        seeds=seeds,
        settings=tuple(settings),
        left_out=tuple(left_out),
    )


def _key_of(hyperparameters: Hyperparameters) -> Key:
    items = tuple(sorted(hyperparameters.items()))
    if set(map(type, hyperparameters.values())) <= {float}:  # as of the four kinds: no two types to tell apart
        return items
    return tuple((name, typed(value)) for name, value in items)


def _comparable(found: Mapping[Key, Points]) -> tuple[int, ...]:
    """Return the seeds on which the most cells can be compared: every setting counted has all of them."""
    candidates = {frozenset(points): tuple(points) for points in found.values() if points}
    cells = {seeds: sum(len(seeds) for points in found.values() if points.keys() >= seeds) for seeds in candidates}
    best = max(candidates, key=lambda seeds: (cells[seeds], len(seeds)), default=None)
    return () if best is None else candidates[best]


def _left_out(
    seed: int,
    n_seeds: int,
    judged: Mapping[Key, Points],
    means: Mapping[Key, Point],
    named: Mapping[Key, Hyperparameters],
    bounds: Bounds,
) -> LeftOut:
    unseen = {key: points[seed] for key, points in judged.items()}
    seen = {key: _without(mean, unseen[key], n_seeds) for key, mean in means.items()}
    best = max(accuracy for accuracy, _ in unseen.values())
    chosen = max(_safe(seen, bounds), key=lambda key: _rank(*seen[key], named[key]), default=None)
    if chosen is None:
        return LeftOut(seed, None, None, None, best, False)
    return LeftOut(seed, dict(named[chosen]), *unseen[chosen], best, chosen in _safe(unseen, bounds))


def _safe(points: Mapping[Key, Point], bounds: Bounds) -> set[Key]:
    best = max((accuracy for accuracy, _ in points.values()), default=0.0)
    return {
        key
        for key, (accuracy, asr) in points.items()
        if accuracy >= best - bounds.margin - ROUNDING and asr <= bounds.asr + ROUNDING
    }


def _over(points: Points, seeds: Sequence[int]) -> Point:
    if not seeds:
        return float("nan"), float("nan")
    accuracy, asr = np.mean([points[seed] for seed in seeds], axis=0)
    return float(accuracy), float(asr)


def _without(mean: Point, point: Point, n: int) -> Point:
    """Return the mean of n points without one of them."""
    accuracy, asr = ((n * whole - part) / (n - 1) for whole, part in zip(mean, point, strict=True))
    return accuracy, asr


def _preference(setting: JudgedSetting) -> tuple[float, float, float]:
    return _rank(setting.clean_accuracy, setting.asr, setting.hyperparameters)


def _rank(accuracy: float, asr: float, hyperparameters: Hyperparameters) -> tuple[float, float, float]:
    """Return what the better setting has more of: accuracy; then resistance, then regularisation if it has a lambda."""
    return round(accuracy, 12), -round(asr, 12), float(hyperparameters.get("lambda", 0.0))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
