"""Poison a data set: choose rows, stamp them with the trigger, give them the attacker's labels."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Literal

import numpy as np
from jaxtyping import Int

from backdoor_curves.data.poisoned import PoisonedData, Poisoning
from backdoor_curves.data.rng import check_rng
from backdoor_curves.data.samples import Samples, as_samples
from backdoor_curves.poisoning.label_policies import label_policy
from backdoor_curves.rows import Rows, changed_rows, is_series, n_rows, require_alike, same_kind
from backdoor_curves.triggers.base import Trigger


def poison(
    train: Samples | tuple[Rows, Any],
    test: Samples | tuple[Rows, Any],
    *,
    trigger: Trigger,
    rate: float | None = None,
    rows: Sequence[int] | Int[np.ndarray, " m"] | None = None,
    labels: Any = "next",
    injection: Literal["replace", "append"] = "replace",
    rng: np.random.Generator | None = None,
) -> PoisonedData:
    """Stamp some training rows with the trigger and relabel them; stamp every test row that counts for the attack.

    Parameters
    ----------
    train, test : Samples or pairs (X, y)
        n training rows and the test rows, with true labels. They are not changed. A stamped row has the weight of the
        row that it was made of.
    trigger : Trigger
        A callable (X, y) -> X with the trigger, `y` being the true labels; the same in training and test.
    rate : float in (0, 1]
        Share of the rows that could be poisoned, those whose label `labels` changes: of rows, not of their weight.
        floor(rate * n_eligible) rows are drawn. For one state of `rng` the rows of a smaller rate are among those of a
        larger one.
    rows : int array of shape (m,)
        The training rows to poison, in place of `rate`.
    labels : "next", a class, or a mapping
        "next" sends class k to class k + 1 and the last to the first (all-to-all). A class is the target of all
        others. A mapping {true class: label} poisons the classes that it names. Rows that already have the label
        that they would get are neither poisoned nor counted in the attack success rate.
    injection : {"replace", "append"}
        Whether the poisoned copy takes the place of its row or joins it.
    rng : numpy Generator
        Source of the random rows; needed with `rate` only.

    Returns
    -------
    PoisonedData
        Clean and poisoned training rows, clean and triggered test rows, the original rows and what was done.

    Raises
    ------
    ValueError
        If not exactly one of `rate` and `rows` is given, if the rate is outside (0, 1] or too small to poison one
        row, if rows do not exist or could not be poisoned, if a class would lose all its rows, or if a label is not a
        class of the training set.
    TypeError
        If the trigger is not callable, or gives back another number or shape of rows.

    Warns
    -----
    UserWarning
        If the trigger leaves rows as they are: their share among the poison and among the triggered test rows.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits("even-odd", rng=rng)
    >>> trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    >>> data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
    >>> len(data.clean_train), len(data.poison_train), len(data.triggered_test)
    (1079, 119, 599)
    """
    train, test = as_samples(train, "train"), as_samples(test, "test")
    if not callable(trigger):
        raise TypeError(f"trigger: a callable (X, y) -> X was expected, {type(trigger).__name__} came")
    if injection not in ("replace", "append"):
        raise ValueError(f'injection: "replace" or "append" was expected, {injection!r} came')
    mapping = label_policy(labels, np.unique(train.y))
    eligible = np.flatnonzero([label in mapping for label in train.y.tolist()])
    rate = float(str(rate)) if isinstance(rate, np.floating) else rate  # 0.29 in single precision is 0.28999999
    chosen = _choose(rate, rows, eligible, len(train), rng)

    counted = np.flatnonzero([label in mapping for label in test.y.tolist()])
    if not counted.size:
        raise ValueError(f"test: rows of a class to attack ({', '.join(map(repr, mapping))}) were expected, none came")
    clean_train = _left(train, chosen) if injection == "replace" else train
    poison_train = _attack(train.take(chosen), trigger, mapping)
    triggered_test = _attack(test.take(counted), trigger, mapping)
    # Taken again: a trigger may write into the rows that it is given.
    _warn_of_rows_as_they_were((train.take(chosen), poison_train), (test.take(counted), triggered_test))
    return PoisonedData(
        clean_train=clean_train,
        poison_train=poison_train,
        clean_test=test,
        triggered_test=triggered_test,
        triggered_true=test.y[counted],
        original_train=train,
        poison_rows=chosen,
        poisoning=Poisoning(
            rate=len(chosen) / len(eligible) if rate is None else float(rate),
            n_eligible=len(eligible),
            labels=mapping,
            injection=injection,
            trigger=repr(trigger),
        ),
    )


def _warn_of_rows_as_they_were(training: tuple[Samples, Samples], test: tuple[Samples, Samples]) -> None:
    """Warn where the trigger has changed nothing in some rows: what becomes of them is no backdoor."""
    unchanged = [~changed_rows(before.X, after.X) for before, after in (training, test)]
    if any(rows.any() for rows in unchanged):
        said = " and ".join(
            f"{rows.sum()} of {len(rows)} {kind} rows ({100 * rows.mean():.3g} %)"
            for kind, rows in zip(("poison", "triggered test"), unchanged, strict=True)
        )
        warnings.warn(
            f"trigger: {said} are as they were before it; look at the units of the rows, and at what it changes",
            stacklevel=3,
        )


def _choose(
    rate: float | None,
    rows: Sequence[int] | Int[np.ndarray, " m"] | None,
    eligible: Int[np.ndarray, " e"],
    n: int,
    rng: np.random.Generator | None,
) -> Int[np.ndarray, " m"]:
    """Return the rows to poison, ascending."""
    if (rate is None) == (rows is None):
        raise ValueError("exactly one of rate and rows was expected, " + ("none came" if rate is None else "both came"))
    if rows is not None:
        return _check_rows(np.asarray(rows), eligible, n)
    if not (isinstance(rate, Real) and not isinstance(rate, bool) and 0 < rate <= 1):
        raise ValueError(f"rate: a number in (0, 1] was expected, {rate!r} came")
    check_rng(rng)
    assert rng is not None  # check_rng refused it
    m = math.floor(rate * len(eligible) + 1e-9)  # 0.29 * 100 is 28.999..., and 29 rows are meant
    if m == 0:
        raise ValueError(
            f"rate: {rate} of {len(eligible)} rows that could be poisoned is not one row; "
            f"take at least 1/{len(eligible)}"
        )
    # A prefix of one permutation: smaller rates are nested in larger ones, which Generator.choice does not give.
    return np.sort(rng.permutation(eligible)[:m])


def _check_rows(rows: np.ndarray, eligible: Int[np.ndarray, " e"], n: int) -> Int[np.ndarray, " m"]:
    if rows.ndim != 1 or not rows.size or rows.dtype.kind not in "iu":
        raise ValueError(f"rows: a list of row numbers was expected, {rows.dtype} of shape {rows.shape} came")
    if rows.min() < 0 or rows.max() >= n or len(np.unique(rows)) < len(rows):
        raise ValueError(f"rows: distinct row numbers in [0, {n}) were expected")
    if (spared := np.setdiff1d(rows, eligible)).size:
        raise ValueError(f"rows: row {spared[0]} already has the label that the attacker would give it; leave it out")
    return np.sort(rows).astype(np.intp)


def _left(train: Samples, chosen: Int[np.ndarray, " m"]) -> Samples:
    """Return the training rows without those that are replaced; some of each class must be left for beta = 0."""
    left = train.take(np.setdiff1d(np.arange(len(train)), chosen))
    if (gone := np.setdiff1d(train.y, left.y)).size:
        raise ValueError(
            f"train: all rows of class {gone.tolist()[0]!r} would be replaced, none is left for beta = 0; "
            'poison fewer, or injection="append"'
        )
    return left


def _attack(samples: Samples, trigger: Trigger, mapping: dict[Any, Any]) -> Samples:
    """Return the rows with the trigger and the attacker's labels."""
    stamped = trigger(_to_write_into(samples.X), samples.y.copy())
    if not getattr(stamped, "shape", hasattr(stamped, "__len__")):  # a number has the shape ()
        raise TypeError(f"trigger: rows were expected back, {type(stamped).__name__} came")
    if n_rows(stamped) != len(samples):
        raise TypeError(f"trigger: {len(samples)} rows were expected back, {n_rows(stamped)} came")
    if isinstance(stamped, list) and isinstance(samples.X, np.ndarray):
        stamped = np.asarray(stamped)
    if isinstance(stamped, list) and is_series(samples.X):
        stamped = type(samples.X)(stamped)
    if not same_kind(stamped, samples.X):
        raise TypeError(f"trigger: {type(samples.X).__name__} was expected back, {type(stamped).__name__} came")
    attacked = replace(samples, X=stamped, y=np.array([mapping[label] for label in samples.y.tolist()]))
    require_alike(samples.X, attacked.X, "trigger")
    return attacked


def _to_write_into(X: Rows) -> Rows:
    """Return rows taken from others with nothing in common: a list of words is one object in both."""
    if is_series(X) and hasattr(X, "iloc") and X.dtype == object:
        return type(X)([copy.deepcopy(row) for row in X], index=X.index, name=X.name)
    holds_objects = isinstance(X, list) or (isinstance(X, np.ndarray) and X.dtype == object)
    return copy.deepcopy(X) if holds_objects else X
