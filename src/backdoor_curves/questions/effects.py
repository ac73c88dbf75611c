"""What a change of level does to a number, by paired differences over seeds, with Student's intervals.

    d_s = sum_l c_l g(x_sl),   s = 1 .. n seeds,   g = log for ratios, identity for shares
    effect = mean(d) -+ t(1 - (1 - level) / 2, n - 1) sd(d) / sqrt(n)

c is a contrast: of levels with numbers the slope of least squares on their log2, "per doubling"; of others a level less
the first. A seed's levels share their rows, trigger and poison as far as the axis lets them, and what they share drops
out of d. Student 1908.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from msgspec import Struct
from scipy.stats import t as student


class Effect(Struct, frozen=True, array_like=True):
    """A ratio, or a difference of shares, with an interval that holds it at a stated level.

    Parameters
    ----------
    estimate, low, high : float
        In (0, inf) of a ratio, where 1 is no effect; in [-1, 1] of shares per step, where 0 is none.
    p : float in [0, 1]
        Of Student's two-sided test that there is no effect, not corrected for anything.
    n : int
        Seeds.
    is_ratio : bool
    """

    estimate: float
    low: float
    high: float
    p: float
    n: int
    is_ratio: bool

    @property
    def sign(self) -> int:
        """1 where the whole interval says more, -1 where it says less, 0 where it leaves that open."""
        none = 1.0 if self.is_ratio else 0.0
        return int(self.low > none) - int(self.high < none)


def contrasts(numbers: Float[np.ndarray, " l"] | None, n_levels: int) -> Float[np.ndarray, "k l"]:
    """Return the contrasts between levels: one per doubling of their numbers, or each level less the first.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.questions.effects import contrasts
    >>> contrasts(np.array([1.0, 2.0, 4.0]), 3), contrasts(None, 3)
    (array([[-0.5,  0. ,  0.5]]), array([[-1.,  1.,  0.],
           [-1.,  0.,  1.]]))
    """
    if numbers is None:
        return np.column_stack([-np.ones(n_levels - 1), np.eye(n_levels - 1)])
    doublings = np.log2(numbers) - np.log2(numbers).mean()
    return (doublings / (doublings @ doublings))[np.newaxis]


def paired_effects(
    values: Float[np.ndarray, "n l"], by: Float[np.ndarray, "k l"], *, is_ratio: bool, level: float
) -> list[Effect]:
    """Return the effect of each contrast.

    Parameters
    ----------
    values : array of shape (seeds, levels)
        Above 0 for ratios.
    by : array of shape (contrasts, levels)
        As `contrasts` returns them.
    is_ratio : bool
        Whether logarithms are compared.
    level : float in (0, 1)
        Of each interval.

    Raises
    ------
    ValueError
        If there are fewer than two seeds, which have no spread, or a ratio of numbers that are not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.questions.effects import contrasts, paired_effects
    >>> halved = np.array([[0.4, 0.2, 0.1], [0.08, 0.04, 0.02]])
    >>> (effect,) = paired_effects(halved, contrasts(np.array([1.0, 2.0, 4.0]), 3), is_ratio=True, level=0.95)
    >>> round(effect.estimate, 12), effect.sign
    (0.5, -1)
    """
    if len(values) < 2:
        raise ValueError(f"seeds: two or more were expected for an interval, {len(values)} came")
    if is_ratio and not (values > 0).all():
        raise ValueError(f"values: numbers above 0 were expected to be compared by ratio, {values.min():g} came")
    differences = (np.log(values) if is_ratio else values) @ by.T
    return [_effect(column, is_ratio, level) for column in differences.T]


def mean_interval(values: Float[np.ndarray, " n"], *, is_ratio: bool, level: float) -> tuple[float, float, float]:
    """Return mean and Student's interval of a number over seeds, geometric for what is compared by ratios."""
    found = np.log(values) if is_ratio else values
    mean = float(found.mean())
    half = _half_width(found, level) if len(found) > 1 else np.nan
    ends = np.array([mean, mean - half, mean + half])
    middle, low, high = (np.exp(ends) if is_ratio else ends).tolist()
    return middle, low, high


def _half_width(d: Float[np.ndarray, " n"], level: float) -> float:
    return float(student.ppf(0.5 + level / 2.0, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d)))


def _effect(d: Float[np.ndarray, " n"], is_ratio: bool, level: float) -> Effect:
    n, mean = len(d), float(d.mean())
    half = _half_width(d, level)
    error = float(d.std(ddof=1)) / np.sqrt(n)
    # Equal differences in all seeds: certain if there are any, and no effect if there are none.
    p = float(mean == 0.0) if error == 0.0 else float(2.0 * student.sf(abs(mean) / error, n - 1))
    ends = np.array([mean, mean - half, mean + half])
    estimate, low, high = (np.exp(ends) if is_ratio else ends).tolist()
    return Effect(estimate, low, high, p, n, is_ratio)


def holm(p: Float[np.ndarray, " m"], alpha: float = 0.05) -> list[bool]:
    """Return which of several tests hold together, by Holm's step-down rule (Holm 1979).

    The family of all tests errs with probability at most alpha, however they depend on one another.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.questions.effects import holm
    >>> holm(np.array([0.04, 0.001, 0.02]))
    [True, True, True]
    >>> holm(np.array([0.04, 0.001, 0.03]))
    [False, True, False]
    """
    order = np.argsort(p, kind="stable")
    passed = np.asarray(p)[order] <= alpha / np.arange(len(p), 0, -1)
    kept = np.zeros(len(p), bool)
    kept[order] = np.logical_and.accumulate(passed)
    return kept.tolist()
