"""From a data file and a few wishes to the study that audits a learner on it, as the text of a study file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from backdoor_curves.data.samples import Samples
from backdoor_curves.learners.estimators import PENALTIES, steps_and_last
from backdoor_curves.poisoning.preset import Kind, kind_of
from backdoor_curves.study.file.attacks import AttackEntry
from backdoor_curves.study.plan.own_estimators import own_estimator

ROWS = (1, 3, 10, 30)
"""Poisoned rows that an attacker may slip in by hand; beside them `SHARE` of the training rows."""
SHARE = 0.01
"""Of the training rows: what an attacker can reach who has a hand on a source of them."""
NEAR = 0.4
"""How far from a whole number a rate times the rows may be: below a half, which attacks round up and Python to even."""
MOST = 0.5
"""Share of the rows that an attack may change that it does at most: with more the poison is the data."""
LAMBDAS = (1.0, 10.0, 100.0)
"""Of the learner that is audited by default: scikit-learn's, and two stronger ones, which are what resists."""
FACTORS = (1.0, 10.0, 100.0)
"""Likewise of the penalty of an estimator of one's own: its alpha, its weight_decay, or one over its C."""
DECAY = 1e-3
"""What is multiplied in place of a weight decay of none: a hundred times as much is what resists a small trigger."""
FEW_BETAS = (0.0, 0.01, 0.05, 0.2, 0.5, 1.0)
"""Of learners that are refitted: the audit asks for both ends, and the page for a curve between."""


@dataclass(frozen=True)
class Learners:
    """The learners of an audit as a table of a study file, and which hyperparameters are the user's own.

    Parameters
    ----------
    table : mapping of str to value
        `[[learners]]`.
    as_given : mapping of str to value
    title : str
        In a word or two, for the first line of the file.
    """

    table: Mapping[str, Any]
    as_given: Mapping[str, Any]
    title: str


def learners_of(kind: Kind, estimator: str | None, home: Path | None) -> Learners:
    """Return the learner that is audited, and its neighbours: logistic regression, or the user's own.

    Parameters
    ----------
    kind : {"text", "table", "image"}
        Of the rows.
    estimator : str, optional
        "module:function", or the path of a class.
    home : path, optional
        Where it is looked up first.

    Raises
    ------
    ValueError
        If there is no such estimator.

    Examples
    --------
    >>> from backdoor_curves.study.audit.proposal import learners_of
    >>> learners_of("text", None, None).as_given
    {'lambda': 1.0}
    >>> learners_of("table", "sklearn.svm.LinearSVC", None).table["grid"]
    {'C': [1.0, 0.1, 0.01]}
    """
    if estimator is None:
        before = {"steps": ["table"]} if kind == "table" else {}
        title = "logistic regression" + {"text": " on tf-idf", "table": ", numbers scaled, words one-hot"}.get(kind, "")
        return Learners({"kind": "logistic", "lambda": list(LAMBDAS), **before}, {"lambda": 1.0}, title)
    made = own_estimator(estimator, (), home)
    values = made.get_params(deep=True)
    _, last = steps_and_last(made)
    own = [name for name in values if name.rpartition("__")[2] in PENALTIES and _is_of(last, values, name)]
    if not own:
        return Learners({"estimator": estimator}, {}, estimator)
    grid = _neighbours(own[0].rpartition("__")[2], float(values[own[0]]))
    return Learners({"estimator": estimator, "grid": {own[0]: grid}}, {own[0]: grid[0]}, estimator)


def _neighbours(penalty: str, given: float) -> list[float]:
    """Return the value of a penalty that was given, and two that penalise more."""
    if penalty == "C":
        return [_rounded(given / factor) for factor in FACTORS]
    if penalty == "weight_decay" and given == 0.0:
        return [given, *(_rounded(DECAY * factor) for factor in FACTORS[1:])]
    return [_rounded(given * factor) for factor in FACTORS]


def _is_of(last: Any, values: Mapping[str, Any], name: str) -> bool:
    """Return whether a parameter is the last step's own penalty, as a number."""
    holder = values.get(name.rpartition("__")[0], last) if "__" in name else last
    return holder is last and isinstance(values[name], int | float) and not isinstance(values[name], bool)


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")  # .1 * 10 is 1


def rates_of(train: Samples, target: int, rows: Sequence[int] = (), shares: Sequence[float] = ()) -> dict[int, float]:
    """Return the rates at which rows are poisoned, by their number: those asked for, or the usual ones.

    Parameters
    ----------
    train : Samples
        With labels 0, ..., K - 1.
    target : int
        The attacker's class, whose rows are not changed.
    rows, shares : sequences
        Numbers of rows, and shares of the training rows; without either `ROWS` and `SHARE`.

    Raises
    ------
    ValueError
        If none of them is between one row and half of the rows that an attack may change.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.data.samples import Samples
    >>> from backdoor_curves.study.audit.proposal import rates_of
    >>> train = Samples(np.zeros((500, 2)), np.arange(500) % 2)
    >>> rates_of(train, target=1)
    {1: 0.002, 3: 0.006, 5: 0.01, 10: 0.02, 30: 0.06}
    """
    n, n_each = len(train), np.bincount(train.y)
    room = int(MOST * min(n - n_each[target], n_each[target]))  # with clean labels it is the target's rows
    if not rows and not shares:
        rows, shares = ROWS, (SHARE,)
    wanted = {*rows, *(round(share * n) for share in shares)}
    kept = sorted(k for k in wanted if 1 <= k <= room)
    if not kept:
        raise ValueError(
            f"rows: between 1 and {room} poisoned rows were expected, half of the smaller of the rows with and without "
            f"the attacker's label, {sorted(wanted)} came; ask for fewer, or give it more data"
        )
    return {k: _rate(k, n) for k in kept}


def _rate(k: int, n: int) -> float:
    """Return the shortest rate that is k of n rows, however halves are rounded."""
    rates = (float(f"{k / n:.{digits}g}") for digits in range(1, 18))
    return next(rate for rate in rates if abs(rate * n - k) < NEAR)


def study_text(
    name: str,
    data: Mapping[str, Any],
    train: Samples,
    learners: Learners,
    attacks: Sequence[AttackEntry],
    rates: Mapping[int, float],
    seeds: Sequence[int],
    asr: float,
) -> str:
    """Return the study file of an audit.

    Parameters
    ----------
    name : str
        Of the study.
    data : mapping
        `[data]`.
    train : Samples
        The training rows of one seed.
    learners : Learners
    attacks : sequence of AttackEntry
    rates : mapping of int to float
        By numbers of rows.
    seeds : sequence of int
    asr : float
        The attack success rate that counts as a backdoor.
    """
    rows = ", ".join(map(str, rates))
    lines = [
        f"# An audit: how few poisoned rows backdoor {learners.title}, and which setting resists.",
        "#",
        "#   backdoor-curves run audit.toml",
        "#",
        f"# The rates are {rows} of {len(train)} training rows ({kind_of(train.X)}), the same for all attacks.",
        "",
        f"name = {json.dumps(name)}",
        f"data = {toml(data)}",
        f"rates = {toml(list(rates.values()))}",
        f"seeds = {toml(list(seeds))}",
        "figures = false",
        f"keep = {toml({'betas': list(FEW_BETAS), 'certificate': True})}",
        f"audit = {toml({'as_given': dict(learners.as_given), 'asr': asr})}",
        *("", "[[learners]]", *(f"{key} = {toml(value)}" for key, value in learners.table.items())),
    ]
    for attack in attacks:
        table = {key: value for key, value in _as_table(attack).items() if value != _DEFAULT.get(key)}
        lines += ["", "[[attacks]]", *(f"{key} = {toml(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _as_table(attack: AttackEntry) -> dict[str, Any]:
    return dict(msgspec.to_builtins(attack))


_DEFAULT = _as_table(AttackEntry())


def toml(value: Any) -> str:
    """Return a value as TOML has it in a line.

    Examples
    --------
    >>> from backdoor_curves.study.audit.proposal import toml
    >>> toml({"lambda": [0.1, 1], "as it is": True, "none": None})
    '{lambda = [0.1, 1], "as it is" = true}'
    """
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {toml(part)}" for key, part in value.items() if part is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # nan, inf
    return json.dumps(value)


def _key(key: str) -> str:
    plain = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if plain else json.dumps(key)
