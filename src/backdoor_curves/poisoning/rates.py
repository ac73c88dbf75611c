"""How many rows a rate comes to, of poison and of cover; and a rate that is a weight."""

from __future__ import annotations

import math
from numbers import Real

from backdoor_curves.poisoning.attack import Attack, is_positive

ROUNDING = 1e-9
"""What a product of a rate and a number of rows may lack: 0.29 * 100 is 28.999..., and 29 rows are meant."""


def n_poison(attack: Attack, rate: float, n_eligible: int, n: int) -> int:
    """Return how many rows an attack poisons at a rate.

    Parameters
    ----------
    attack : Attack
    rate : float in (0, 1]
    n_eligible, n : int
        Rows that may be drawn, and all training rows.

    Raises
    ------
    ValueError
        If the rate is outside (0, 1], less than one row, or more rows than may be drawn.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.poisoning.rates import n_poison
    >>> attack = bc.Attack(bc.FeatureTrigger((0,), (9.0,)), labels=0, rate_of="all", rounding="nearest")
    >>> n_poison(attack, 0.1, n_eligible=40, n=68)
    7
    """
    if not (is_positive(rate) and rate <= 1):
        raise ValueError(f"rate: a number in (0, 1] was expected, {rate!r} came")
    base = base_of(attack, n_eligible, n)
    rows = "rows that could be poisoned" if attack.rate_of == "eligible" else "training rows"
    m = _whole(rate * base, attack)
    if m == 0:
        raise ValueError(f"rate: {rate} of {base} {rows} is not one row; take at least 1/{base}")
    if m > n_eligible:
        raise ValueError(
            f"rate: {rate} of {base} {rows} are {m}, of which {n_eligible} could be poisoned; "
            f"take at most {n_eligible}/{base}"
        )
    return m


def n_cover(attack: Attack, m: int, n_eligible: int, n: int) -> int:
    """Return how many cover rows go with m poison rows, 0 for an attack that has none; the others as in `n_poison`.

    Raises
    ------
    ValueError
        If the cover has no rate, or one of less than a row.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.poisoning.rates import n_cover
    >>> n_cover(bc.Attack(bc.FeatureTrigger((0,), (9.0,)), cover=bc.Cover(2.0)), 7, n_eligible=40, n=68)
    14
    """
    if attack.cover is None:
        return 0
    if attack.cover.rate is None:
        raise ValueError("cover: a rate or cover_rows were expected, neither came; Cover(rate) draws some")
    base = m if attack.cover.of == "poison" else base_of(attack, n_eligible, n)
    c = _whole(attack.cover.rate * base, attack)
    if c == 0:
        rows = "poison rows" if attack.cover.of == "poison" else "rows"
        raise ValueError(f"cover: {attack.cover.rate} of {base} {rows} is not one row; raise its rate, or leave it out")
    return c


def base_of(attack: Attack, n_eligible: int, n: int) -> int:
    """Return how many rows the rate of an attack is a rate of."""
    return n_eligible if attack.rate_of == "eligible" else n


def _whole(rows: float, attack: Attack) -> int:
    return math.floor(rows + (0.5 if attack.rounding == "nearest" else 0.0) + ROUNDING)


def mixture_beta(p: float) -> float:
    """Return the beta at which all rows stamped and appended are the mixture (1 - p) clean + p poison: p / (1 - p).

    Some tools stamp every row and minimise (1 - p) S_clean + p S_poison + lambda / 2 |w|^2, sums over the same n rows.
    Divided by 1 - p that is the problem of a curve at beta = p / (1 - p) with lambda / (1 - p) in place of lambda: take
    C (1 - p) for C (of ridge alpha / (1 - p) for alpha). The data are those of
    `Attack(..., eligible="all", injection="append")` at rate 1, for which nothing is drawn. TrojanZoo does it with
    `train_mode="loss"`.

    Parameters
    ----------
    p : float in [0, 1/2]
        The share of the poison in the mixture; above one half beta would exceed 1.

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    ValueError
        If p is outside [0, 1/2].

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> bc.mixture_beta(0.2)
    0.25
    """
    if not (isinstance(p, Real) and not isinstance(p, bool) and 0.0 <= float(p) <= 0.5):
        raise ValueError(f"p: a share in [0, 1/2] was expected, {p!r} came; beyond it beta = p / (1 - p) exceeds 1")
    return float(p) / (1.0 - float(p))
