"""Hinge losses along a path that is piecewise linear: their integrals, corners and halves, in closed form.

With slack s = 1 - margin, linear between two nodes a distance h apart, from s0 to s1, and p = max(0, s):

    integral of p      = h t (p0 + p1) / 2
    integral of p^2    = h t (p0^2 + p0 p1 + p1^2) / 3

where t is the part of the piece on which the slack is positive: (p0 + p1) / (|s0| + |s1|) where s changes its sign, and
otherwise 1 (or anything, with both p = 0). A node that stands twice is a jump: a piece of length 0.
The sum of the hinges of many rows is convex on each piece, with a corner where a slack crosses 0.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

ROUNDING = 1e-14
"""What a slack may be off."""
Margins = Float[np.ndarray, "k n"]


def hinge_integrals(nodes: Float[np.ndarray, " k"], margins: Margins, squared: bool = False) -> Float[np.ndarray, " n"]:
    """Return the integral of the hinge, or of its square, of each column of margins at the nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.hinge_integrals import hinge_integrals
    >>> hinge_integrals(np.array([0.0, 1.0]), np.array([[0.0], [2.0]]))
    array([0.25])
    """
    slack = 1.0 - margins
    positive = np.maximum(slack, 0.0)
    p0, p1 = positive[:-1], positive[1:]
    part = np.where(_changes_sign(slack), (p0 + p1) / _at_least_tiny(np.abs(slack[:-1]) + np.abs(slack[1:])), 1.0)
    mean = (p0**2 + p0 * p1 + p1**2) / 3.0 if squared else (p0 + p1) / 2.0
    return np.diff(nodes) @ (part * mean)


def corners(nodes: Float[np.ndarray, " k"], margins: Margins, tie: float) -> Float[np.ndarray, " c"]:
    """Return the betas between nodes at which a margin crosses 1, ascending; one within `tie` of 1 does not.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.hinge_integrals import corners
    >>> corners(np.array([0.0, 1.0]), np.array([[0.0, 2.0], [4.0, 3.0]]), tie=1e-12)
    array([0.25])
    """
    slack = 1.0 - margins
    slack[np.abs(slack) <= tie] = 0.0
    piece, column = np.nonzero(_changes_sign(slack) & (np.diff(nodes) > 0.0)[:, np.newaxis])
    s0, s1 = slack[piece, column], slack[piece + 1, column]
    return np.unique(nodes[piece] + np.diff(nodes)[piece] * (s0 / (s0 - s1)))


def first_half(
    nodes: Float[np.ndarray, " k"], margins: Margins, weights: Float[np.ndarray, " n"] | None = None
) -> float:
    """Return the first beta at which the sum of the hinges is at most half of that at beta = 0; NaN if there is none.

    Parameters
    ----------
    nodes : array of shape (k,)
    margins : array of shape (k, n)
    weights : array of shape (n,), optional
        What each hinge counts for in the sum, > 0; 1 by default.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.losses.hinge_integrals import first_half
    >>> first_half(np.array([0.0, 1.0]), np.array([[-1.0], [3.0]]))
    0.25
    """
    counts = np.ones(margins.shape[1]) if weights is None else weights
    first = int(np.searchsorted(nodes, nodes[0], side="right")) - 1
    half = float((counts * np.maximum(1.0 - margins[first], 0.0)).sum()) / 2.0
    return first_at_most(half, nodes[first:], margins[first:], counts)


def first_at_most(
    level: float, nodes: Float[np.ndarray, " k"], margins: Margins, counts: Float[np.ndarray, " n"]
) -> float:
    """Return the first beta from the first node on at which the weighted sum of the hinges is at most a level."""
    slack = counts * (1.0 - margins)  # weighted slacks are lines too, with corners where they were
    total = np.maximum(slack, 0.0).sum(axis=1)
    # A loss that rests at half of its first value has reached it, on whichever side of it a sum rounds.
    reached = (1.0 + 100 * ROUNDING) * level + ROUNDING * float(counts.sum())
    if total[0] <= reached:
        return float(nodes[0])
    for i in _pieces_that_may_reach(reached, slack, total):
        t = _first_in_piece(level, reached, slack[i], slack[i + 1]) if nodes[i + 1] > nodes[i] else None
        if t is None and total[i + 1] <= reached:
            t = 1.0
        if t is not None:
            return float(nodes[i] + t * (nodes[i + 1] - nodes[i]))
    return float("nan")


def _pieces_that_may_reach(level: float, slack: Margins, total: Float[np.ndarray, " k"]) -> np.ndarray:
    """Return the pieces at whose right end, or above which by its tangents, a convex total is at most `level`."""
    d = np.diff(slack, axis=0)
    s0, s1 = slack[:-1], slack[1:]
    slope0 = np.where((s0 > 0.0) | ((s0 == 0.0) & (d > 0.0)), d, 0.0).sum(axis=1)
    slope1 = np.where((s1 > 0.0) | ((s1 == 0.0) & (d < 0.0)), d, 0.0).sum(axis=1)
    dips = (slope0 < 0.0) & (slope1 > 0.0)
    t = np.where(dips, (total[:-1] - total[1:] + slope1) / np.where(dips, slope1 - slope0, 1.0), 0.0)
    lowest = total[:-1] + np.clip(t, 0.0, 1.0) * slope0
    return np.flatnonzero((total[1:] <= level) | (dips & (lowest <= level * (1.0 + 1e-9))))


def _first_in_piece(
    level: float, reached: float, s0: Float[np.ndarray, " n"], s1: Float[np.ndarray, " n"]
) -> float | None:
    """Return the first t in [0, 1] at which the sum of the positive slacks comes to `level`; None if it does not.

    It has come to it in the first interval between corners at whose end it is at most `reached`, a little more.
    """
    crossing = s0 * s1 < 0.0
    ts = np.concatenate([[0.0], np.unique(s0[crossing] / (s0 - s1)[crossing]), [1.0]])
    sums = np.array([np.maximum(0.0, (1.0 - t) * s0 + t * s1).sum() for t in ts])
    below = np.flatnonzero(sums <= reached)
    if not below.size:
        return None
    j = int(below[0])
    if j == 0:
        return 0.0
    part = (sums[j - 1] - level) / (sums[j - 1] - sums[j])
    return float(ts[j - 1] + (ts[j] - ts[j - 1]) * min(part, 1.0))


def _changes_sign(slack: Margins) -> np.ndarray:
    return (slack[:-1] > 0.0) & (slack[1:] < 0.0) | (slack[:-1] < 0.0) & (slack[1:] > 0.0)


def _at_least_tiny(x: Margins) -> Margins:
    return np.maximum(x, np.finfo(float).tiny)
