"""What becomes of settings under attack on one fold: a curve where the learner is followed, a fit where it is not.

What fits of a fold have in common is made once: the poisoned rows for all settings, what steps before the classifier
make of them for all settings of the same steps, and the kernel between all these rows for all lambdas, attacks and
rates.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.base import clone

from backdoor_curves.curve import backdoor_learning_curve
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import join
from backdoor_curves.learners.estimators import facts_of, is_followed, steps_and_last
from backdoor_curves.learners.freezing import freeze_steps, through
from backdoor_curves.learners.shared import Shared
from backdoor_curves.paths.base import PathError


class Victim(NamedTuple):
    """What came of a setting on a fold under an attack: shares of rows, at beta = 1 where nothing else is said.

    Parameters
    ----------
    asr : float
        The attack success rate on the triggered rows of the fold.
    clean_accuracy : float
        On its clean rows, with the poison.
    theta, half_loss_beta : float
        Of the curve; NaN where the learner is not followed, or never comes to half of its loss.
    n_triggered : int
    """

    asr: float
    clean_accuracy: float
    theta: float
    half_loss_beta: float
    n_triggered: int


def victims(
    estimator: Any, settings: Sequence[Mapping[str, Any]], attacked: Sequence[PoisonedData]
) -> list[list[Victim]]:
    """Return what becomes of each setting under each attack.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Unfitted.
    settings : sequence of mapping
        Parameters of the estimator.
    attacked : sequence of PoisonedData
        The rows of the fold under each attack.
    """
    machines = [clone(estimator).set_params(**clone(setting, safe=False)) for setting in settings]
    found: list[list[Victim]] = [[] for _ in settings]
    n_classes = len(attacked[0].classes)
    followed = [place for place, machine in enumerate(machines) if is_followed(machine, n_classes)]
    for place in sorted(set(range(len(machines))) - set(followed)):
        found[place] = [_fitted(machines[place], data) for data in attacked]
    for places in _grouped(followed, lambda place: _hashed(steps_and_last(machines[place])[0], place)):
        steps, _ = steps_and_last(machines[places[0]])
        behind = [_behind(steps, data) for data in attacked]
        lasts = {place: steps_and_last(machines[place])[1] for place in places}
        kernels = {place: facts_of(last).kernel(last) for place, last in lasts.items()}
        for alike in _grouped(places, kernels.__getitem__):
            shared = Shared()
            for rows, whole in zip(behind, attacked, strict=True):
                for place in alike:
                    found[place].append(_followed(lasts[place], machines[place], rows, whole, shared))
    return found


def _grouped(places: Iterable[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for place in places:
        groups.setdefault(key(place), []).append(place)
    return list(groups.values())


def _hashed(steps: list[Any], place: int) -> Hashable:
    """Return what tells steps apart, by their parameters; those that cannot be pickled stand alone."""
    try:
        return joblib.hash(steps)
    except Exception:  # whatever pickle says of a function of the user's
        return place


def _behind(steps: list[Any], data: PoisonedData) -> PoisonedData:
    """Return the rows behind steps that are fitted on the victim's training set, as its own fit would."""
    if not steps:
        return data
    fitted, clean, poison, _ = freeze_steps(steps, data.clean_train, data.poison_train, data.is_poison, "joined")
    tests = {name: getattr(data, name) for name in ("clean_test", "triggered_test")}
    seen = {name: replace(part, X=through(fitted, part.X)) for name, part in tests.items()}
    return replace(data, clean_train=clean, poison_train=poison, **seen)


def _followed(last: Any, machine: Any, rows: PoisonedData, whole: PoisonedData, shared: Shared) -> Victim:
    """Return what the curve of a classifier says; where its path cannot be followed, what its own fit does."""
    try:
        curve = backdoor_learning_curve(last, rows, method="exact", shared=shared)
    except PathError:
        return _fitted(machine, whole)
    return Victim(
        curve.accuracy("triggered", 1.0),
        curve.accuracy("clean", 1.0),
        curve.theta,
        curve.half_loss_beta,
        len(rows.triggered_test),
    )


def _fitted(machine: Any, data: PoisonedData) -> Victim:
    """Return what a fit on all rows of the victim does, by its own predictions."""
    train = join(data.clean_train, data.poison_train, data.is_poison)
    weight = {"sample_weight": train.weight} if train.is_weighted else {}
    fitted = clone(machine).fit(train.X, train.y, **weight)
    triggered, clean = data.triggered_test, data.clean_test
    asr = float(np.average(fitted.predict(triggered.X) == triggered.y, weights=triggered.weight))
    accuracy = float(np.average(fitted.predict(clean.X) == clean.y, weights=clean.weight))
    return Victim(asr, accuracy, np.nan, np.nan, len(triggered))
