"""What becomes of settings under attack on one fold: by their own fits, and by paths where these are asked.

What fits have in common is made once: poisoned rows for all settings, what steps before the classifier make of them for
all settings of the same steps, and the kernel between all these rows for all penalties.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn import get_config
from sklearn.base import clone

from backdoor_curves.curve import backdoor_learning_curve
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import join
from backdoor_curves.learners.estimators import is_followed, is_trained, steps_of
from backdoor_curves.learners.on_kernel import are_rows_of_numbers, has_kernel_by_name, on_kernel, predicted_on_kernel
from backdoor_curves.learners.shared import Shared
from backdoor_curves.paths.base import PathError
from backdoor_curves.rows import stack_rows


class Victim(NamedTuple):
    """What came of a setting on a fold under an attack, with the poison at full weight: shares of rows.

    Parameters
    ----------
    asr : float
        The attack success rate on the triggered rows of the fold.
    clean_accuracy : float
        On its clean rows, with the poison.
    n_triggered : int
    """

    asr: float
    clean_accuracy: float
    n_triggered: int


def victims(
    estimator: Any, settings: Sequence[Mapping[str, Any]], attacked: Sequence[PoisonedData]
) -> list[list[Victim]]:
    """Return what becomes of each setting under each attack: by its own fit, and its own predictions.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Unfitted.
    settings : sequence of mapping
        Parameters of the estimator.
    attacked : sequence of PoisonedData
        The rows of the fold under each attack.
    """
    machines = [_machine(estimator, setting) for setting in settings]
    found: list[list[Victim]] = [[] for _ in settings]
    for places in _grouped(range(len(machines)), lambda place: _hashed(steps_of(machines[place])[0], place)):
        steps, _ = steps_of(machines[places[0]])
        lasts = {place: steps_of(machines[place])[1] for place in places}
        ordered = sorted(places, key={place: _but_penalty(last) for place, last in lasts.items()}.__getitem__)
        for data in attacked:
            rows = _behind(steps, data)
            kernels: dict[Any, tuple[Any, Any]] = {}
            for place in ordered:
                found[place].append(_victim(lasts[place], rows, kernels))
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


def _but_penalty(last: Any) -> str:
    """Return what tells classifiers apart that differ in more than their penalty: others share a kernel."""
    return repr({name: value for name, value in last.get_params(deep=False).items() if name not in ("C", "alpha")})


def _behind(steps: list[Any], data: PoisonedData) -> PoisonedData:
    """Return the rows behind steps that are fitted on the victim's training set, as its own fit would."""
    if not steps:
        return data
    train = join(data.clean_train, data.poison_train, data.is_poison)
    X, fitted = train.X, []
    for step in steps:
        fitted.append(own := clone(step))
        X = own.fit_transform(X, train.y) if hasattr(own, "fit_transform") else own.fit(X, train.y).transform(X)
    seen = replace(train, X=X)
    tests = {name: getattr(data, name) for name in ("clean_test", "triggered_test")}
    behind = {name: replace(part, X=_through(fitted, part.X)) for name, part in tests.items()}
    clean, poison = (seen.take(np.flatnonzero(rows)) for rows in (~data.is_poison, data.is_poison))
    return replace(data, clean_train=clean, poison_train=poison, **behind)


def _through(fitted: Sequence[Any], X: Any) -> Any:
    for step in fitted:
        X = step.transform(X)
    return X


def _victim(last: Any, data: PoisonedData, kernels: dict[Any, tuple[Any, Any]]) -> Victim:
    """Return what a fit on all rows of the victim does, by its own predictions; `kernels` are kept for the next one."""
    train = join(data.clean_train, data.poison_train, data.is_poison)
    triggered, clean = data.triggered_test, data.clean_test
    weight = {"sample_weight": train.weight} if train.is_weighted else {}
    tested = stack_rows(triggered.X, clean.X)
    if has_kernel_by_name(last) and are_rows_of_numbers(train.X):
        kernel, machine = on_kernel(last, train.X)
        if kernel not in kernels:
            kernels.clear()  # one at a time is kept: machines come in the order of their kernels
            kernels[kernel] = kernel(train.X, train.X), kernel(tested, train.X)
        K, with_tested = kernels[kernel]
        predicted = predicted_on_kernel(machine.fit(K, train.y, **weight), with_tested)
    else:
        predicted = clone(last).fit(train.X, train.y, **weight).predict(tested)
    hits = predicted == np.append(triggered.y, clean.y)
    m = len(triggered)
    asr = float(np.average(hits[:m], weights=triggered.weight))
    return Victim(asr, float(np.average(hits[m:], weights=clean.weight)), m)


class CurveNumbers(NamedTuple):
    """What the way to a victim says, on a fold under an attack.

    Parameters
    ----------
    theta : float
        NaN where there is no curve.
    half_loss_beta : float
        NaN, too, where half of the loss is never reached.
    asr_without_poison : float
        The share of triggered rows that the trigger alone gets, of a fit on the training fold as it was.
    """

    theta: float
    half_loss_beta: float
    asr_without_poison: float


def followed(
    estimator: Any, settings: Sequence[Mapping[str, Any]], attacked: Sequence[PoisonedData]
) -> list[list[CurveNumbers]]:
    """Return what the path of each setting says under each attack; parameters as `victims`."""
    shared = Shared()
    return [[_numbers(_machine(estimator, setting), data, shared) for data in attacked] for setting in settings]


def _machine(estimator: Any, setting: Mapping[str, Any]) -> Any:
    return clone(estimator).set_params(**clone(setting, safe=False))


def _numbers(machine: Any, data: PoisonedData, shared: Shared) -> CurveNumbers:
    theta, half_loss_beta = _curve(machine, data, shared)
    return CurveNumbers(theta, half_loss_beta, _without_poison(machine, data))


def _curve(machine: Any, data: PoisonedData, shared: Shared) -> tuple[float, float]:
    """Return theta and the half-loss beta of an exact path, or of a network's training, which estimates the latter."""
    is_exact = is_followed(machine, len(data.classes))
    if not (is_exact or is_trained(machine)):
        return np.nan, np.nan
    try:
        curve = backdoor_learning_curve(machine, data, method="exact" if is_exact else "auto", shared=shared)
    except PathError:  # rates are of fits, and stand without it
        return np.nan, np.nan
    return curve.theta, curve.half_loss_beta


def _without_poison(machine: Any, data: PoisonedData) -> float:
    train, triggered = data.original_train, data.triggered_test
    assert train is not None  # `poison` keeps it
    weight = {_weight_name(machine): train.weight} if train.is_weighted else {}
    fitted = clone(machine).fit(train.X, train.y, **weight)
    return float(np.average(fitted.predict(triggered.X) == triggered.y, weights=triggered.weight))


def _weight_name(machine: Any) -> str:
    """Return how the weights of the classifier at the end of Pipelines are called; routed ones have their own name."""
    names = []
    while hasattr(machine, "steps") and not get_config()["enable_metadata_routing"]:
        name, machine = machine.steps[-1]
        names.append(name)
    return "__".join([*names, "sample_weight"])
