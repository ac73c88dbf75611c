"""A curve of several seeds is the mean of their curves: each of them, and how far they are apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from backdoor_curves.curve.live import Live
from backdoor_curves.curve.scored_rows import ScoredRows
from backdoor_curves.curve.stored import Stored

if TYPE_CHECKING:
    from backdoor_curves.curve.record import BackdoorLearningCurve


@dataclass(frozen=True, eq=False)
class Band:
    """A quantity over seeds.

    Parameters
    ----------
    mean, sd, low, high : floats or arrays of one shape
        Mean, standard deviation (of the sample, NaN for one seed), least and largest.
    """

    mean: Any
    sd: Any
    low: Any
    high: Any


def band(curves: tuple[BackdoorLearningCurve, ...], quantity: Callable[[BackdoorLearningCurve], Any]) -> Band:
    """Return a quantity of each curve over all of them."""
    values = np.stack([np.asarray(quantity(curve), dtype=float) for curve in curves])
    one = values[0] * np.nan
    parts = values.mean(axis=0), values.std(axis=0, ddof=1) if len(values) > 1 else one, values.min(0), values.max(0)
    return Band(*(part if part.ndim else float(part) for part in parts))


def curve_of_seed(curve: BackdoorLearningCurve, place: int) -> BackdoorLearningCurve:
    """Return the curve of one seed's nets, by its place among the seeds."""
    n, true, known = curve.info.n_seeds, curve.triggered_true, curve.source
    return replace(
        curve,
        info=replace(curve.info, n_seeds=1),
        triggered=_of_seed(curve.triggered, place, n),
        clean=_of_seed(curve.clean, place, n),
        triggered_true=None if true is None else np.split(true, n)[place],
        source=replace(known, path=known.path.of_seed(place)) if isinstance(known, Live) else Stored(None, None, None),
    )


def _of_seed(rows: Any, place: int, n_seeds: int) -> ScoredRows:
    """Return the rows of one seed: they stand one seed after the other."""
    assert isinstance(rows, ScoredRows)  # nets of all seeds are known at the same nodes
    some = slice(place * len(rows.y) // n_seeds, (place + 1) * len(rows.y) // n_seeds)
    return replace(rows, nodal=rows.nodal[:, some], y=rows.y[some], weight=rows.weight[some])
