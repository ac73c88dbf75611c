"""Spearman's rank correlation between slope and attack success, with an interval over seeds.

The cells of a seed share trigger and poison, and those of a setting share lambda and gamma: only whole seeds are
independent draws, so they are what is resampled. With five of them an interval is too narrow: it covers some 85 % where
95 % are meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from backdoor_curves.study.store.statistics import LEVEL, RESAMPLES


@dataclass(frozen=True)
class RankCorrelation:
    """How far one quantity rises with another.

    Parameters
    ----------
    rho : float in [-1, 1]
        Spearman's; NaN where one of the two does not vary.
    low, high : float
        The 95 % interval from whole seeds drawn with replacement; NaN for fewer than two.
    n : int
        Cells.
    n_seeds : int
    """

    rho: float
    low: float
    high: float
    n: int
    n_seeds: int


def rank_correlation(x: Sequence[float], y: Sequence[float], seeds: Sequence[int]) -> RankCorrelation:
    """Return Spearman's rank correlation of two quantities of cells, with its interval over seeds.

    Parameters
    ----------
    x, y : sequence of float, of n cells
        Finite.
    seeds : sequence of int
        The seed of each cell.

    Returns
    -------
    RankCorrelation

    Raises
    ------
    ValueError
        If the three differ in length.

    Examples
    --------
    >>> from backdoor_curves.paper.claims.rank_correlation import rank_correlation
    >>> found = rank_correlation([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], [0.1, 0.5, 0.9, 0.2, 0.4, 0.8], [1, 1, 1, 2, 2, 2])
    >>> round(found.rho, 3), found.n_seeds
    (0.956, 2)
    """
    if not len(x) == len(y) == len(seeds):
        raise ValueError(f"as many x, y and seeds were expected, {len(x)}, {len(y)} and {len(seeds)} came")
    a, b, of = np.asarray(x, dtype=float), np.asarray(y, dtype=float), np.asarray(seeds)
    members = [np.flatnonzero(of == seed) for seed in dict.fromkeys(seeds)]
    low = high = float("nan")
    if len(members) > 1:
        drawn = np.random.default_rng(len(members)).integers(len(members), size=(RESAMPLES, len(members)))
        samples = [np.concatenate([members[i] for i in line]) for line in drawn]
        found = np.array([spearman(a[sample], b[sample]) for sample in samples])
        if not np.isnan(found).all():
            tail = (1.0 - LEVEL) / 2.0
            low, high = (float(end) for end in np.nanquantile(found, [tail, 1.0 - tail]))
    return RankCorrelation(spearman(a, b), low, high, len(a), len(members))


def spearman(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float:
    """Return Pearson's correlation of the ranks, equals sharing theirs; NaN where one does not vary."""
    if len(a) < 2:
        return float("nan")
    ranks = [rankdata(values) for values in (a, b)]
    p, q = (values - values.mean() for values in ranks)
    size = np.sqrt((p @ p) * (q @ q))
    return float(p @ q / size) if size > 0 else float("nan")
