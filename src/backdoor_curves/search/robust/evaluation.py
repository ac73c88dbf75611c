"""What a choice comes to where it did not choose: held-out attacks, beside other choices and defences, over seeds."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples, join
from backdoor_curves.records.html import table
from backdoor_curves.rows import take_rows
from backdoor_curves.search.robust.judged import half_width
from backdoor_curves.search.robust.panel import Threat
from backdoor_curves.search.robust.rivals import SANITISERS, by_accuracy, one_standard_error, strongest
from backdoor_curves.search.safe_region import MARGIN

OURS = "robust search"
"""The name of the search's own choice."""


@dataclass(frozen=True)
class Contender:
    """A way to choose or to defend, over seeds.

    Parameters
    ----------
    name : str
    accuracy : array of shape (seeds,)
        Of the fit without poison, on test rows; of sanitised training rows likewise: what the defence costs.
    asr : array of shape (seeds, attacks)
        The attack success rate under each held-out attack; NaN for seeds in which it has no setting.
    """

    name: str
    accuracy: Float[np.ndarray, " seeds"]
    asr: Float[np.ndarray, "seeds attacks"]

    @property
    def worst_asr(self) -> Float[np.ndarray, " seeds"]:
        """The highest over the attacks, of each seed."""
        return self.asr.max(axis=1)


@dataclass(frozen=True)
class RobustEvaluation:
    """What a search and its rivals come to under attacks that had no part in the choice.

    Parameters
    ----------
    attacks : tuple of str
        "name@rate".
    contenders : tuple of Contender
        The search first.
    infeasible : int
        Seeds in which the search found no safe setting; what it then has is the least attacked one.
    n_seeds : int
    asr : float or None
        The bound of the search.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.search.robust.evaluation import Contender, RobustEvaluation
    >>> ours = Contender("robust search", np.array([0.97, 0.98]), np.array([[0.1], [0.2]]))
    >>> RobustEvaluation(("patch@0.1",), (ours,), 0, 2, 0.2)
    held-out attacks patch@0.1; 2 seeds:
    robust search            clean 0.975 ± 0.064   worst ASR 0.150 ± 0.635
    """

    attacks: tuple[str, ...]
    contenders: tuple[Contender, ...] = field(repr=False)
    infeasible: int
    n_seeds: int
    asr: float | None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The table: means over seeds, and half of their 95 % intervals (NaN for one seed)."""
        return [
            {
                "choice": one.name,
                "clean accuracy": _mean(one.accuracy),
                "accuracy ±": _half(one.accuracy),
                "worst ASR": _mean(one.worst_asr),
                "ASR ±": _half(one.worst_asr),
                "seeds": int(np.isfinite(one.accuracy).sum()),
            }
            for one in self.contenders
        ]

    def __repr__(self) -> str:
        lines = [
            f"{row['choice']:24s} clean {row['clean accuracy']:.3f} ± {row['accuracy ±']:.3f}   "
            f"worst ASR {row['worst ASR']:.3f} ± {row['ASR ±']:.3f}"
            for row in self.rows
        ]
        return "\n".join([f"{self.said}:", *lines])

    def _repr_html_(self) -> str:
        return f"<p>{self.said}.</p>{table(self.rows)}"

    @property
    def said(self) -> str:
        """Under which attacks, over how many seeds, and in how many of them no setting was safe."""
        none = f"; in {self.infeasible} of {self.n_seeds} seeds no setting was safe" if self.infeasible else ""
        return f"held-out attacks {', '.join(self.attacks)}; {self.n_seeds} seeds{none}"


def evaluated(
    search: Any, rows: Samples, threats: Sequence[Threat], n_seeds: int, test_size: float
) -> RobustEvaluation:
    """Return what a search, run anew on a part of the rows for each seed, comes to on the others."""
    if not isinstance(n_seeds, int | np.integer) or isinstance(n_seeds, bool) or n_seeds < 1:
        raise ValueError(f"n_seeds: a number of seeds >= 1 was expected, {n_seeds!r} came")
    found = [_of_seed(search, rows, threats, seed, test_size) for seed in range(n_seeds)]
    names = list(dict.fromkeys(name for of_seed, _ in found for name in of_seed))
    missing = (np.nan, [np.nan] * len(threats))
    contenders = [
        Contender(
            name,
            np.array([of_seed.get(name, missing)[0] for of_seed, _ in found]),
            np.array([of_seed.get(name, missing)[1] for of_seed, _ in found], dtype=float),
        )
        for name in names
    ]
    infeasible = sum(not is_safe for _, is_safe in found)
    return RobustEvaluation(tuple(one.label for one in threats), tuple(contenders), infeasible, n_seeds, search.asr)


def _of_seed(
    search: Any, rows: Samples, threats: Sequence[Threat], seed: int, test_size: float
) -> tuple[dict[str, tuple[float, list[float]]], bool]:
    """Return clean accuracy and success rates of each contender, and whether the search's setting is safe."""
    places = np.arange(len(rows))
    first, second = train_test_split(places, test_size=test_size, random_state=seed, stratify=rows.y)
    train, test = rows.take(first), rows.take(second)
    one = clone(search).set_params(on_none="least", random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that no setting is safe is counted
        one.fit(train.X, train.y)
    metric = one._metric()
    chosen = _choices(one, metric)
    attacked = [threat.on(train, test, search.image_shape, [seed, place]) for place, threat in enumerate(threats)]
    machines = {place: _machine(search.estimator, one.cv_results_["params"][place]) for place in {*chosen.values()}}
    done = {place: _tested(machine, train, test, attacked) for place, machine in machines.items()}
    found = {name: done[place] for name, place in chosen.items()}
    plain = machines[chosen["accuracy alone"]]
    for name, sanitiser in SANITISERS.items():
        accuracies, rates = zip(*(_sanitised(plain, sanitiser, data) for data in attacked), strict=True)
        found[name] = float(np.mean(accuracies)), list(rates)
    return found, one.is_safe_


def _choices(search: Any, metric: str) -> dict[str, int]:
    """Return which setting each rule takes; a rule that needs one penalty is left out where there is none."""
    results = search.cv_results_
    margin = MARGIN if search.margin is None else search.margin
    best = float(np.nanmax(results[f"mean_test_{metric}"]))
    chosen = {
        OURS: search.best_index_,
        "accuracy alone": by_accuracy(results, metric),
        "one standard error": one_standard_error(results, metric, search.n_splits_),
        "strongest in the margin": strongest(results, metric, best - margin),
    }
    return {name: place for name, place in chosen.items() if place is not None}


def _machine(estimator: Any, params: Mapping[str, Any]) -> Any:
    return clone(estimator).set_params(**clone(params, safe=False))


def _tested(machine: Any, train: Samples, test: Samples, attacked: Sequence[PoisonedData]) -> tuple[float, list[float]]:
    """Return the clean accuracy of a fit without poison, and the success rate of each attack."""
    clean = clone(machine).fit(train.X, train.y)
    accuracy = float((clean.predict(test.X) == test.y).mean())
    return accuracy, [_asr(machine, *_victims_rows(data), data) for data in attacked]


def _sanitised(machine: Any, sanitiser: Any, data: PoisonedData) -> tuple[float, float]:
    """Return the clean accuracy and the success rate of a fit on what a sanitiser leaves of poisoned rows."""
    X, y = _victims_rows(data)
    kept = sanitiser(machine, X, y, len(data.poison_train))
    fitted = clone(machine).fit(take_rows(X, kept), y[kept])
    accuracy = float((fitted.predict(data.clean_test.X) == data.clean_test.y).mean())
    return accuracy, float((fitted.predict(data.triggered_test.X) == data.triggered_test.y).mean())


def _victims_rows(data: PoisonedData) -> tuple[Any, np.ndarray]:
    rows = join(data.clean_train, data.poison_train, data.is_poison)
    return rows.X, rows.y


def _asr(machine: Any, X: Any, y: np.ndarray, data: PoisonedData) -> float:
    fitted = clone(machine).fit(X, y)
    return float((fitted.predict(data.triggered_test.X) == data.triggered_test.y).mean())


def _mean(values: Float[np.ndarray, " seeds"]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _half(values: Float[np.ndarray, " seeds"]) -> float:
    known = values[np.isfinite(values)]
    return float(half_width(known[:, np.newaxis])[0]) if known.size else float("nan")
