"""Rows are stamped and relabelled; a trigger may be anybody's function, and what it gives back is looked at."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from backdoor_curves.data.samples import Samples
from backdoor_curves.poisoning.attack import Attack
from backdoor_curves.records.one_line import one_line
from backdoor_curves.rows import Rows, is_series, n_rows, require_alike, same_kind
from backdoor_curves.triggers.base import Trigger


def stamped(samples: Samples, trigger: Trigger, mapping: dict[Any, Any], name: str) -> Samples:
    """Return the rows with the trigger, and the attacker's labels where `mapping` has one; errors carry `name`."""
    X = trigger(_to_write_into(samples.X), samples.y.copy())
    if not getattr(X, "shape", hasattr(X, "__len__")):  # a number has the shape ()
        raise TypeError(f"{name}: rows were expected back, {type(X).__name__} came")
    if n_rows(X) != len(samples):
        raise TypeError(f"{name}: {len(samples)} rows were expected back, {n_rows(X)} came")
    if isinstance(X, list) and isinstance(samples.X, np.ndarray):
        X = np.asarray(X)
    if isinstance(X, list) and is_series(samples.X):
        X = type(samples.X)(X)
    if not same_kind(X, samples.X):
        raise TypeError(f"{name}: {type(samples.X).__name__} was expected back, {type(X).__name__} came")
    labels = np.array([mapping.get(label, label) for label in samples.y.tolist()])
    attacked = replace(samples, X=X, y=labels)
    require_alike(samples.X, attacked.X, name)
    return attacked


def stamped_test(test: Samples, attack: Attack, mapping: dict[Any, Any]) -> Samples:
    """Return test rows with the trigger of the test and the labels that the attacker wants."""
    if attack.test_trigger is None:
        return stamped(test, attack.trigger, mapping, "trigger")
    return stamped(test, attack.test_trigger, mapping, "test_trigger")


def stamped_cover(train: Samples, attack: Attack) -> Samples:
    """Return training rows with the trigger of the cover and their own labels."""
    if attack.cover is None or attack.cover.trigger is None:
        return stamped(train, attack.trigger, {}, "trigger")
    return stamped(train, attack.cover.trigger, {}, "cover.trigger")


def require_triggers_fit(attack: Attack, train: Samples, test: Samples) -> None:
    """Try triggers that are others than the training one on a row, before all are stamped.

    Parameters
    ----------
    attack : Attack
    train, test : Samples
        The first of the cover rows, if there are any, and of the test rows that count.

    Raises
    ------
    ValueError, TypeError
        If the trigger does not take them, or gives back others than it got; the message names it.
    """
    tried = [("test_trigger", attack.test_trigger, test)]
    if attack.cover is not None:
        tried.append(("cover.trigger", attack.cover.trigger, train))
    for name, trigger, row in tried:
        if trigger is None or not len(row):
            continue
        try:
            stamped(row, trigger, {}, name)
        except (TypeError, ValueError) as error:
            said = one_line(error)
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(said if said.startswith(name) else f"{name}: it does not take these rows: {said}") from error


def _to_write_into(X: Rows) -> Rows:
    """Return rows taken from others with nothing in common: a list of words is one object in both."""
    if is_series(X) and hasattr(X, "iloc") and X.dtype == object:
        return type(X)([copy.deepcopy(row) for row in X], index=X.index, name=X.name)
    holds_objects = isinstance(X, list) or (isinstance(X, np.ndarray) and X.dtype == object)
    return copy.deepcopy(X) if holds_objects else X
