"""The series of all scores about one beta: how far they hold, and where the first margin crosses 1.

They are polynomials in x = tanh((tau - tau0) / 2), a column a row (`poison_run` has x and tau).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.polynomial.polynomial import polypow, polyroots
from scipy.special import comb

from backdoor_curves.paths.interpolation.chebyshev import chebyshev_points

ORDER = 7
"""Of the series in x: at |x| = 1/2, the most that is allowed, what comes next is below 1/128 of its coefficient; each
term costs a look at all rows."""
DEGREE = 4
"""Of the polynomials in tau that the path is stored as: most pieces end in an event before a higher one would pay."""
SERIES = 1e-11
"""Largest last term of the series: a hundredth of what the polynomials through it may be off."""
INTERPOLATION = 1e-9
"""Largest error of a stored polynomial, in the scores: a thousandth of what curves ask for."""
SLACK = 1e-12
"""A margin may be on the wrong side of 1 by so much: rounding alone makes no events."""
LEAST = 1e-3 * SLACK
"""Room that a row on its margin has at least: nothing beside the slack, and no 0 to divide by."""
BACK = 1e-4
"""A margin that is on the wrong side and will be back within so little of x is where rounding has put it: at rates of
1e-8 and more."""
POWERS = np.arange(ORDER + 1)
BERNSTEIN = comb(POWERS[:, np.newaxis], POWERS) / comb(ORDER, POWERS)
"""From the coefficients of a polynomial to those of its Bernstein form on [0, 1], between which it stays."""
TANH = np.array([0.0, 1.0, 0.0, -1 / 3, 0.0, 2 / 15, 0.0, -17 / 315])
"""The series of the hyperbolic tangent, to ORDER."""
IN_TAU = np.array([np.pad(polypow(TANH, k), (0, ORDER))[: ORDER + 1] for k in POWERS]).T
"""From the coefficients of a series in x = tanh(s) to those of the series in s."""


CHECKED = np.vstack([np.eye(ORDER + 1)[ORDER - 1 :], IN_TAU[DEGREE + 1 :]])
"""The terms of a series that say how far it is accurate: its last two, and those in tau beyond the stored degree."""
STORED = [(INTERPOLATION * 4.0**DEGREE / float(comb(k, DEGREE + 1)), 1.0 / k) for k in range(DEGREE + 1, ORDER + 1)]
"""What bounds s = (tau - tau0) / 2 for each of the latter, see `accuracy`."""
TINY = float(np.finfo(float).tiny)


def accuracy(sizes: list[float]) -> tuple[float, float]:
    """Return the x up to which a series is accurate, and the longest piece in tau for its polynomials.

    At Chebyshev points a polynomial of degree q in s = (tau - tau0) / 2, over a length h, is off by no more than
    binomial(k, q + 1) h^k / 4^q for a term s^k.

    Parameters
    ----------
    sizes : list
        Of the terms `CHECKED` in the scores. Of the last two the larger counts: any one may happen to be small.
    """
    last, before, *higher = sizes
    series = min((SERIES / max(last, before, TINY)) ** (1.0 / ORDER), 0.5)
    pieces = [(bound / (size + TINY)) ** power for size, (bound, power) in zip(higher, STORED, strict=True)]
    return series, 2.0 * min(pieces)


def accuracy_of_scores(f: Float[np.ndarray, "order n"]) -> tuple[float, float]:
    """Return how far the series of scores are accurate."""
    return accuracy(np.abs(CHECKED @ f).max(axis=1, initial=0.0).tolist())


def accuracy_of_parameters(C: Float[np.ndarray, "order r"]) -> tuple[float, float]:
    """Return how far the series of parameters is accurate, in units in which no score is more than their length."""
    Q = CHECKED @ C
    return accuracy(np.sqrt(np.einsum("kr,kr->k", Q, Q)).tolist())


def first_crossing(R: Float[np.ndarray, "order n"], limit: float) -> tuple[float, int | None]:
    """Return the first x in [0, limit] at which one of the polynomials becomes negative, and which; or (limit, None).

    A polynomial all of whose Bernstein coefficients on [0, x] are positive has no root there. R is changed.
    """
    if R.shape[1] == 0:
        return limit, None
    R[0] += SLACK
    room, slope = R[0], R[1]
    if room.min() <= 0.0 and (now := np.flatnonzero((room <= 0.0) & (room + BACK * slope < 0.0))).size:
        return 0.0, int(now[0])
    np.maximum(room, LEAST, out=room)
    fastest = -float((slope / room).min())
    end = min(1.1 / fastest, limit) if fastest * limit > 1.1 else limit
    while True:
        candidates = np.flatnonzero(((BERNSTEIN * end**POWERS) @ R).min(axis=0) < 0.0)
        if candidates.size:
            roots = [_first_root(R[:, i], end) for i in candidates]
            if (first := min(roots)) <= end:
                return first, int(candidates[roots.index(first)])
        if end == limit:
            return limit, None
        end = min(4.0 * end, limit)


def _first_root(p: Float[np.ndarray, " order"], end: float) -> float:
    """Return the first root of a polynomial in (0, end], or infinity."""
    x, step, coefficients = 0.0, np.inf, p.tolist()[::-1]
    for _ in range(8):
        value = slope = 0.0
        for c in coefficients:
            slope = slope * x + value
            value = value * x + c
        if slope == 0.0:
            break
        step = value / slope
        x -= step
        if not 0.0 < x <= 2.0 * end or abs(step) <= 1e-15 * x:
            break
    if 0.0 < x <= end and abs(step) <= 1e-12 * x and (BERNSTEIN @ (p * (x * (1.0 - 1e-9)) ** POWERS)).min() >= 0.0:
        return float(x)
    roots = polyroots(p * end**POWERS)
    real = roots.real[(np.abs(roots.imag) < 1e-8) & (roots.real > 0.0) & (roots.real <= 1.0)]
    return float(end * real.min(initial=np.inf))


def bernstein_from_points(degree: int) -> Float[np.ndarray, "q q"]:
    """Return the matrix from a polynomial's values at the Chebyshev points to the coefficients it stays between."""
    s, k = (chebyshev_points(degree)[:, np.newaxis] + 1.0) / 2.0, np.arange(degree + 1)
    return np.linalg.inv(comb(degree, k) * s**k * (1.0 - s) ** (degree - k))
