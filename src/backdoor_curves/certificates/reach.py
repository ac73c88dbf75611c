"""How far an optimum can move when some training rows come or go: strong convexity, over arrays.

    lambda |dw|^2  <=  a peak(R |dw| + e) + A |dw| + B e,      e = E + r |dw| with a free intercept, else 0

with a the weight of all added rows, R the length of the longest of them, A and B what the removed (or named) rows pull
at w and at b, r the length of the longest training row, and E how far b alone may go (`intercept_room`). A score of the
row t then moves by at most |dw| |phi(t)| + e. `docs/mathematics/certificates.md` has the proof.

Source: the stability of Bousquet and Elisseeff (JMLR 2002), read for rows of any kind and label; peak and E are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import expit, wrightomega

Loss = Literal["hinge", "squared hinge", "logistic", "squared", "softmax"]
"""Of a score column; "softmax" is of all columns at once, whose gradient has at most the length sqrt(2)."""
HALVINGS = 60
"""After so many the upper end of a bracket is within rounding of its root."""
ROUNDED = 1.0 + 1e-12
"""By how much sums of a few thousand terms may be rounded down, generously."""


@dataclass(frozen=True, eq=False)
class FittedColumn:
    """A score column of the fit without poison: minimum of (lambda / 2) |w|^2 + sum_i u_i loss(y_i (<w, phi_i> + b)).

    Parameters
    ----------
    loss : Loss
    lam : float, > 0
    is_free : bool
        Whether b is free; a penalised intercept is a weight of w, and a constant entry of phi.
    worst : float
        How far below 0 the y f of an added row may be; inf with a free intercept.
    y, scores, weights, lengths, pulls : arrays of shape (n,)
        Of the training rows that the column sees: -1 or +1, f, u, |phi|, and an upper bound on u |d loss / d f|.
    slack : float
        By how much the scores may be off.
    """

    loss: Loss
    lam: float
    is_free: bool
    worst: float
    y: Float[np.ndarray, " n"]
    scores: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    lengths: Float[np.ndarray, " n"]
    pulls: Float[np.ndarray, " n"]
    slack: float = 0.0


@dataclass(frozen=True, eq=False)
class Change:
    """What m = 0, 1, ..., M rows do to the objective, at most; arrays of shape (M + 1,).

    Parameters
    ----------
    added : array
        Weight of all rows that are added, of any label and length at most `length`.
    length : float
        |phi| of the longest row that is added.
    pull, push : arrays
        Sums over removed (or named) rows of u |d loss / d f| |phi|, and of u |d loss / d f|, at the fit without poison.
    tilt : array
        Bound on the sum of u |d loss / d f| of all rows that come and go, at any fit: what holds a free intercept.
    """

    added: Float[np.ndarray, " m"]
    length: float
    pull: Float[np.ndarray, " m"]
    push: Float[np.ndarray, " m"]
    tilt: Float[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class Reach:
    """How far the optimum may be from the one without the change: |dw|, and how far that lets b go; inf: anywhere."""

    weights: Float[np.ndarray, " m"]
    intercept: Float[np.ndarray, " m"]


def reach(column: FittedColumn, change: Change) -> Reach:
    """Return how far a column's optimum may move when m rows come or go, for m = 0, ..., M.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.certificates.reach import Change, FittedColumn, reach
    >>> some = np.ones(4)
    >>> column = FittedColumn("hinge", 100.0, False, 1.0, some, some, some, some, some)
    >>> none, m = np.zeros(3), np.arange(3.0)
    >>> reach(column, Change(m, 1.0, none, none, m)).weights.round(4)  # m R / lambda
    array([0.  , 0.01, 0.02])
    """
    room, r = np.zeros_like(change.added), 0.0
    if column.is_free:
        room, r = intercept_room(column, change.tilt), float(column.lengths.max())
    worst, steep = column.worst, steepness(column.loss, column.worst)
    pull, push, R, lam = change.pull, change.push, change.length, column.lam
    slope = change.added * steep * (R + r) + pull + push * r
    offset = np.where(change.added * steep + push > 0.0, (change.added * steep + push) * room, 0.0)
    high = (slope + np.sqrt(slope**2 + 4.0 * lam * offset)) / (2.0 * lam) * ROUNDED
    if not column.is_free:
        low = np.zeros_like(high)
        for _ in range(HALVINGS):  # the right side less the left is concave: it is above 0 from 0 to its root alone
            middle = (low + high) / 2.0
            beyond = lam * middle**2 > ROUNDED * (change.added * peak(column.loss, R * middle, worst) + pull * middle)
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return Reach(high, room + r * high if column.is_free else room)


def steepness(loss: Loss, worst: float) -> float:
    """Return how fast the loss of a row whose y f is at least -worst falls in y f, at most."""
    if loss in ("squared", "squared hinge"):
        return 2.0 * (1.0 + worst)
    return {"hinge": 1.0, "logistic": float(expit(worst)), "softmax": float(np.sqrt(2.0))}[loss]


def peak(loss: Loss, most: Float[np.ndarray, " m"], worst: float) -> Float[np.ndarray, " m"]:
    """Return the largest a |loss'(a - worst)| for a in [0, most]: what a row can do that moves its own margin by a.

    A row that is learned is pulled along with w, and its loss becomes flatter: beyond some a it does no more.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.certificates.reach import peak
    >>> [peak(loss, np.array([0.5, 9.0]), 1.0).round(3).tolist() for loss in ("hinge", "squared hinge", "logistic")]
    [[0.5, 2.0], [1.5, 2.0], [0.311, 0.567]]
    """
    if loss == "softmax":
        return np.sqrt(2.0) * most
    if loss == "hinge":
        return np.minimum(most, 1.0 + worst)
    if loss == "logistic":
        highest = float(np.real(wrightomega(worst - 1.0)))  # where a sigma(worst - a) is largest, less 1
        return np.where(most < 1.0 + highest, most * expit(worst - most), highest)
    c = 1.0 + worst
    return np.where(most < c / 2.0, 2.0 * (c - most) * most, c**2 / 2.0)


def intercept_room(column: FittedColumn, tilt: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Return how far b may go while w stays: as far as the training rows' slopes in b add up to at most `tilt`.

    inf where the rows that come and go outweigh a class, and may take b anywhere.
    """
    positive = float(column.weights[column.y > 0.0].sum())
    negative = float(column.weights[column.y < 0.0].sum())
    held = tilt + (ROUNDED - 1.0) * (positive + negative) < min(positive, negative)
    if column.loss == "hinge":
        # d/db of the sum is -U_+ plus the weights of the rows with y - f below the shift of b: a quantile of these.
        corners = np.argsort(column.y - column.scores, kind="stable")
        places = (column.y - column.scores)[corners]
        total = np.cumsum(column.weights[corners])
        above = places[np.minimum(np.searchsorted(total, (positive + tilt) * ROUNDED, side="right"), len(places) - 1)]
        below = places[np.searchsorted(total, np.maximum(positive - tilt, 0.0) / ROUNDED, side="left")]
        return np.where(held, np.maximum(np.maximum(above, -below), 0.0) + column.slack, np.inf)
    assert column.loss == "logistic"  # of the others the slope has no bound, or b is no number
    rooms = [_logistic_room(column, one) if ok else np.inf for one, ok in zip(tilt, held, strict=True)]
    return np.array(rooms) + column.slack


def _logistic_room(column: FittedColumn, tilt: float) -> float:
    def slope(shift: float) -> float:
        return -float(column.weights @ (column.y * expit(-column.y * (column.scores + shift))))

    if tilt == 0.0:
        return 0.0
    far = 1.0
    while slope(far) < tilt or slope(-far) > -tilt:
        far *= 2.0
    ends = [abs(brentq(lambda shift, side=side: slope(shift) - side * tilt, -far, far)) for side in (1.0, -1.0)]
    return max(ends) * ROUNDED + 1e-11  # brentq's own tolerance is 2e-12


def largest_sums(values: Float[np.ndarray, " n"], n_sums: int) -> Float[np.ndarray, " m"]:
    """Return the sums of the m largest values, m = 0, ..., M; beyond all of them their whole sum."""
    ordered = np.sort(values)[::-1][:n_sums]
    return np.concatenate([[0.0], np.cumsum(ordered), np.full(max(0, n_sums - len(ordered)), ordered.sum())])
