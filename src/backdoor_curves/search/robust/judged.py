"""Columns of a search become a choice: which settings are safe, which one is taken, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import beta as beta_distribution
from scipy.stats import t as students_t

from backdoor_curves.search.robust.victims import CurveNumbers, Victim
from backdoor_curves.search.safe_region import ROUNDING

LEVEL = 0.95
"""Of every interval."""


class NoSafeSettingError(ValueError):
    """No setting of a search is safe; the message says which comes nearest, and what it does."""


@dataclass(frozen=True)
class FrontPoint:
    """A setting that no other one beats in both, accuracy and resistance.

    Parameters
    ----------
    index : int
        Of its row in `cv_results_`.
    params : mapping
    score : float
        Mean test score without poison.
    asr : float
        The highest attack success rate over attacks and rates.
    worst_attack : str
        Which one has it: "name@rate".
    """

    index: int
    params: Mapping[str, Any]
    score: float
    asr: float
    worst_attack: str


def columns_of(found: Sequence[Sequence[Sequence[Victim]]], labels: Sequence[str]) -> dict[str, Any]:
    """Return the columns of `cv_results_` that a search under attack has beside those of scikit-learn's.

    Parameters
    ----------
    found : nested sequence of Victim
        By fold, setting and threat.
    labels : sequence of str
        Of the threats.
    """
    numbers = np.array(found, dtype=float)  # folds, settings, threats, fields
    asr, n = numbers[..., 0], numbers[..., 2]
    columns: dict[str, Any] = {}
    for place, label in enumerate(labels):
        for field, name in enumerate(("asr", "poisoned_accuracy")):
            columns |= _over_folds(numbers[:, :, place, field], f"{name}_{label}")
        low, high = share_interval((asr * n).sum(axis=0)[:, place], n.sum(axis=0)[:, place])
        columns |= {f"low_asr_{label}": low, f"high_asr_{label}": high}
    mean = np.stack([columns[f"mean_asr_{label}"] for label in labels])
    worst = mean.argmax(axis=0)
    columns["worst_attack"] = np.array(labels, dtype=object)[worst]
    columns["worst_asr"] = mean.max(axis=0)
    columns["high_worst_asr"] = np.stack([columns[f"high_asr_{label}"] for label in labels]).max(axis=0)
    return columns


def _over_folds(values: Float[np.ndarray, "folds settings"], name: str) -> dict[str, Float[np.ndarray, " settings"]]:
    """Return a column a fold, their mean and standard deviation."""
    columns = {f"split{fold}_{name}": row for fold, row in enumerate(values)}
    return columns | {f"mean_{name}": values.mean(axis=0), f"std_{name}": values.std(axis=0)}


def curve_columns(
    found: Sequence[Sequence[Sequence[CurveNumbers]]], places: Sequence[int], n_settings: int, labels: Sequence[str]
) -> dict[str, Any]:
    """Return the columns of curves: of the settings in some places, NaN elsewhere.

    Parameters
    ----------
    found : nested sequence of CurveNumbers
        By fold, setting that was followed, and threat.
    places : sequence of int
        Of these settings in `cv_results_`.
    n_settings : int
    labels : sequence of str
        Of the threats.
    """
    folds = len(found)
    numbers = np.full((folds, n_settings, len(labels), len(CurveNumbers._fields)), np.nan)
    if len(places):
        numbers[:, places] = np.array(found, dtype=float)
    columns: dict[str, Any] = {}
    for place, label in enumerate(labels):
        for field, name in enumerate(CurveNumbers._fields):
            values = numbers[:, :, place, field]
            columns |= _over_folds(values, f"{name}_{label}")
            mean, half = values.mean(axis=0), half_width(values)
            columns |= {f"low_{name}_{label}": mean - half, f"high_{name}_{label}": mean + half}
    return columns


def half_width(values: Float[np.ndarray, "folds settings"]) -> Float[np.ndarray, " settings"]:
    """Return half of Student's interval of a mean over folds, too narrow as folds share rows; NaN for one fold."""
    folds = len(values)
    if folds < 2:
        return np.full(values.shape[1], np.nan)
    quantile = float(students_t.ppf((1.0 + LEVEL) / 2.0, folds - 1))
    return quantile * values.std(axis=0, ddof=1) / np.sqrt(folds)


def share_interval(hits: Any, n: Any) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]]:
    """Return Clopper and Pearson's interval of shares of n rows, which covers at least 95 of 100.

    Examples
    --------
    >>> from backdoor_curves.search.robust.judged import share_interval
    >>> [end.round(3).tolist() for end in share_interval([0, 5], [20, 20])]
    [[0.0, 0.087], [0.168, 0.491]]
    """
    hits, n = np.asarray(hits, dtype=float), np.asarray(n, dtype=float)
    tail = (1.0 - LEVEL) / 2.0
    low = np.where(hits > 0, beta_distribution.ppf(tail, np.maximum(hits, 1e-9), n - hits + 1.0), 0.0)
    high = np.where(hits < n, beta_distribution.ppf(1.0 - tail, hits + 1.0, np.maximum(n - hits, 1e-9)), 1.0)
    return low, high


def safe_settings(
    scores: Float[np.ndarray, " s"], asr: Float[np.ndarray, " s"], bound: float, margin: float | None
) -> Bool[np.ndarray, " s"]:
    """Return which settings are under the bound, and within the margin of the best score where there is one."""
    under = asr <= bound + ROUNDING
    return under if margin is None else under & (scores >= np.nanmax(scores) - margin - ROUNDING)


def best_of(scores: Float[np.ndarray, " s"], asr: Float[np.ndarray, " s"], among: Bool[np.ndarray, " s"]) -> int:
    """Return the best score among some settings, of equals the least attacked, of these the first."""
    ranked = np.lexsort((asr.round(12), -scores.round(12), ~among | np.isnan(scores)))
    return int(ranked[0])


def least_of(scores: Float[np.ndarray, " s"], asr: Float[np.ndarray, " s"], margin: float | None) -> int:
    """Return the least attacked setting, within the margin where there is one, of equals that of the best score."""
    known = ~np.isnan(scores)
    within = known if margin is None else known & (scores >= np.nanmax(scores) - margin - ROUNDING)
    return int(np.lexsort((-scores.round(12), asr.round(12), ~within))[0])


def front_of(scores: Float[np.ndarray, " s"], asr: Float[np.ndarray, " s"]) -> Int[np.ndarray, " f"]:
    """Return the settings that none beats in both, from the most accurate to the least attacked.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.search.robust.judged import front_of
    >>> front_of(np.array([0.9, 0.98, 0.97, 0.95]), np.array([0.1, 0.9, 0.9, 0.2]))
    array([1, 3, 0])
    """
    found: list[int] = []
    for place in np.lexsort((asr, -scores)):
        if not np.isnan(scores[place]) and (not found or asr[place] < asr[found[-1]] - ROUNDING):
            found.append(int(place))
    return np.array(found, dtype=np.intp)
