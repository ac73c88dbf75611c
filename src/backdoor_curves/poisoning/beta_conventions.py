"""What others call beta: weights of the poison that are not a row's, converted to the weight of a row and back.

    ours       sum_clean loss + beta sum_poison loss
    parts      mean_clean loss + b mean_poison loss                    b = beta m / n
    mixture    (1 - q) mean_clean loss + q mean_poison loss            q = beta m / (n + beta m)

of n clean and m poison rows; m / n = p / (1 - p) where p is the share of the poison of all. Each is ours divided by a
number, which leaves the optimum where it is if the penalty is divided by it, too.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

Convention = Literal["parts", "mixture"]
CONVENTIONS: tuple[Convention, ...] = ("parts", "mixture")


def betas_in(convention: Convention, betas: Any, n_clean: int, n_poison: int) -> Float[np.ndarray, ...]:
    """Return what a convention calls weights beta of the poison rows.

    Parameters
    ----------
    convention : {"parts", "mixture"}
        "parts" is mean_clean + b mean_poison, as the networks of the paper's later version were trained; "mixture" is
        (1 - q) mean_clean + q mean_poison, as TrojanZoo does with all rows stamped and appended.
    betas : array of any shape
        Of rows, >= 0, in the sense of this package.
    n_clean, n_poison : int
        Training rows of weight 1 and of weight beta: `curve.info.n_clean`, `curve.info.n_poison`.

    Returns
    -------
    array of that shape
        b, or q in [0, 1).

    Raises
    ------
    ValueError
        If there is no such convention, or a number is out of its range.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> bc.betas_in("parts", [0.0, 1.0], n_clean=950, n_poison=50).round(4).tolist()  # p / (1 - p) of p = .05
    [0.0, 0.0526]
    >>> bc.betas_in("mixture", [0.0, 1.0], n_clean=950, n_poison=50).tolist()
    [0.0, 0.05]
    """
    weight = _values("betas", betas, np.inf) * _ratio(convention, n_clean, n_poison)
    return weight if convention == "parts" else weight / (1.0 + weight)


def betas_from(convention: Convention, values: Any, n_clean: int, n_poison: int) -> Float[np.ndarray, ...]:
    """Return the weights beta of the poison rows that a convention's values are.

    Parameters
    ----------
    convention, n_clean, n_poison
        As in `betas_in`.
    values : array of any shape
        b >= 0, or q in [0, 1).

    Returns
    -------
    array of that shape
        Above 1 where a poison row weighs more than a clean one: curves end at 1.

    Raises
    ------
    ValueError
        As in `betas_in`.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> bc.betas_from("parts", 1.0, n_clean=950, n_poison=50).item()  # where both means count alike: of 19 clean rows
    19.0
    """
    ratio = _ratio(convention, n_clean, n_poison)
    if convention == "parts":
        return _values("values", values, np.inf) / ratio
    share = _values("values", values, 1.0)
    return share / (1.0 - share) / ratio


def _ratio(convention: Convention, n_clean: int, n_poison: int) -> float:
    if convention not in CONVENTIONS:
        raise ValueError(f'convention: "parts" or "mixture" was expected, {convention!r} came')
    for name, n in (("n_clean", n_clean), ("n_poison", n_poison)):
        if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
            raise ValueError(f"{name}: a number of rows, 1 or more, was expected, {n!r} came")
    return int(n_poison) / int(n_clean)


def _values(name: str, values: Any, end: float) -> Float[np.ndarray, ...]:
    found = np.asarray(values, dtype=float)
    if not ((found >= 0.0) & (found < end)).all():
        expected = "finite numbers >= 0" if end == np.inf else "shares in [0, 1)"
        raise ValueError(f"{name}: {expected} were expected, {values!r} came")
    return found
