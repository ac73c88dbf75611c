"""Over seeds: mean, standard deviation and bootstrap interval of every quantity, with the number of seeds behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

LEVEL = 0.95
RESAMPLES = 2000
NOT_QUANTITIES = ("seconds", "error", "method")


def bootstrap_interval(values: Float[np.ndarray, " n"], level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean; NaN for fewer than two values.

    The resamples are those of one fixed stream for each n, so that an interval is a function of its values. With five
    seeds such an interval is too narrow (it covers some 85 % where 95 % are meant): read it beside n.

    Parameters
    ----------
    values : array of shape (n,)
    level : float in (0, 1)

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.study.store.statistics import bootstrap_interval
    >>> low, high = bootstrap_interval(np.array([1.0, 2.0, 3.0]))
    >>> 1.0 <= low < 2.0 < high <= 3.0
    True
    """
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(n).integers(n, size=(RESAMPLES, n))
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(values[drawn].mean(axis=1), [tail, 1.0 - tail])
    return float(low), float(high)


def over_seeds(table: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each setting and quantity of a table of cells.

    Parameters
    ----------
    table : sequence of rows
        As `Run.table` gives them: coordinates up to `seed`, then quantities.

    Returns
    -------
    list of dict
        The coordinates without the seed, `quantity`, `mean`, `sd` (None for one seed), `low` and `high` (the 95 %
        bootstrap interval of the mean), `n_seeds` with a number, and `n_cells` that were tried: a half-loss that some
        seeds never reach has fewer seeds than cells.
    """
    return [
        {**_setting(rows[0]), "quantity": name, **_summary([row[name] for row in rows])}
        for rows in by_setting(table)
        for name in _quantities(rows[0])
        if any(row[name] is not None for row in rows)
    ]


def by_setting(table: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return the rows of each setting, all coordinates but the seed, in the order of the table."""
    settings: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in table:
        settings.setdefault(tuple(_setting(row).values()), []).append(row)
    return list(settings.values())


def _summary(found: Sequence[Any]) -> dict[str, Any]:
    values = np.array([value for value in found if value is not None], dtype=float)
    low, high = bootstrap_interval(values)
    several = len(values) > 1
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if several else None,
        "low": low if several else None,
        "high": high if several else None,
        "n_seeds": len(values),
        "n_cells": len(found),
    }


def _setting(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the coordinates of a row without its seed."""
    names = list(row)
    return {name: row[name] for name in names[: names.index("seed")]}


def _quantities(row: Mapping[str, Any]) -> list[str]:
    names = list(row)
    return [name for name in names[names.index("seed") + 1 :] if name not in NOT_QUANTITIES]
