"""Over seeds: mean, standard deviation and bootstrap interval of every quantity, with the number of seeds behind it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.study.compute.quantities import ALL_QUANTITIES
from backdoor_curves.study.store.columns import alike
from backdoor_curves.study.store.stored_cell import StoredCell

LEVEL = 0.95
RESAMPLES = 2000


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


def over_seeds(cells: Sequence[StoredCell]) -> list[dict[str, Any]]:
    """Return a row for each scenario, setting and quantity of some cells.

    Parameters
    ----------
    cells : sequence of StoredCell
        As `Run.cells` has them.

    Returns
    -------
    list of dict
        The coordinates without the seed, `quantity`, `mean`, `sd` (None for one seed), `low` and `high` (the 95 %
        bootstrap interval of the mean), `n_seeds` with a number, and `n_cells` that were tried: a half-loss that some
        seeds never reach has fewer seeds than cells.
    """
    rows = []
    for group in by_setting(cells):
        at = {name: value for name, value in group[0].coordinates.items() if name != "seed"}
        for quantity in ALL_QUANTITIES:
            found = [cell.numbers.get(quantity) for cell in group]
            if quantity != "method" and any(value is not None for value in found):
                rows.append({**at, "quantity": quantity, **_summary(found)})
    return alike(rows, (cell.cell for cell in cells))


def by_setting(cells: Iterable[StoredCell]) -> list[list[StoredCell]]:
    """Return the cells of each scenario and setting, a seed each, in the order of the cells."""
    groups: dict[Hashable, list[StoredCell]] = {}
    for cell in cells:
        groups.setdefault((cell.scenario, cell.setting), []).append(cell)
    return list(groups.values())


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
