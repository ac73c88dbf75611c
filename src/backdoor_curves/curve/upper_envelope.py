"""The largest of several functions that are linear between nodes: which it is, and where another one takes over.

The largest of some lines is convex: a line that is largest at both ends of a piece is so between them. So only pieces
at whose ends another one is largest are looked into, from one crossing to the next.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.curve.predictions import Events
from backdoor_curves.losses.score_encodings import EQUAL


def upper_envelope(
    nodes: Float[np.ndarray, " k"], values: Float[np.ndarray, "k n functions"]
) -> tuple[Int[np.ndarray, " n"], Events]:
    """Return which function of each row is largest at the first node, and the events where another one is from then on.

    Parameters
    ----------
    nodes : array of shape (k,)
        Ascending; one that stands twice is a jump.
    values : array of shape (k, n, functions)
        At the nodes. Of several that are largest, but for rounding, the first counts.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.curve.upper_envelope import upper_envelope
    >>> start, events = upper_envelope(np.array([0.0, 1.0]), np.array([[[2.0, 1.0, 0.0]], [[0.0, 1.0, 3.0]]]))
    >>> start, events.betas, events.to
    (array([0]), array([0.4]), array([2]))
    """
    largest = _first_largest(values)
    piece, row = np.nonzero(largest[:-1] != largest[1:])
    v = values[piece, row]
    d = values[piece + 1, row] - v
    goal, now, t = largest[piece + 1, row], largest[piece, row], np.zeros(len(piece))
    begin, length = nodes[piece], np.diff(nodes)[piece]
    places, parts = [], []
    going = np.arange(len(piece))
    while going.size:
        to, after = _next_above(v[going], d[going], now[going], t[going])
        # A jump goes to the other side at once; and where nothing passes but by rounding, the end decides.
        is_end = (after > 1.0) | (to == now[going]) | (length[going] == 0.0)
        now[going], t[going] = np.where(is_end, goal[going], to), np.where(is_end, 1.0, after)
        places.append(going)
        parts.append(Events(begin[going] + t[going] * length[going], row[going], now[going]))
        going = going[now[going] != goal[going]]
    if not parts:
        return largest[0], Events(np.empty(0), np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp))
    events = Events.joined(parts)
    order = np.argsort(np.concatenate(places), kind="stable")  # piece by piece: of two at one beta the later one holds
    return largest[0], Events(events.betas[order], events.rows[order], events.to[order])


def _first_largest(values: Float[np.ndarray, "k n functions"]) -> Int[np.ndarray, "k n"]:
    """Return `first_of_largest`; a pass for each function is faster than one for each of many short rows."""
    best, least = values[..., 0].copy(), values[..., 0].copy()
    for f in range(1, values.shape[-1]):
        np.maximum(best, values[..., f], out=best)
        np.minimum(least, values[..., f], out=least)
    enough, which = best - EQUAL * np.maximum(np.abs(best), np.abs(least)), np.zeros(best.shape, dtype=np.intp)
    for f in range(values.shape[-1] - 1, -1, -1):
        which[values[..., f] >= enough] = f
    return which


def _next_above(
    v: Float[np.ndarray, "p functions"],
    d: Float[np.ndarray, "p functions"],
    now: Int[np.ndarray, " p"],
    t: Float[np.ndarray, " p"],
) -> tuple[Int[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """Return which of the lines v + t d is the next above line `now` from t on, and when; infinity where none is.

    Only what is above it at the end by more than rounding passes it. Of lines that meet there the one that is highest
    at the end goes on, and of several that are one but for rounding the first.
    """
    p = np.arange(len(now))
    ends, rounding = v + d, EQUAL * np.maximum(np.abs(v), np.abs(v + d)).max(axis=1, keepdims=True)
    ahead, closing = v[p, now, np.newaxis] - v, d - d[p, now, np.newaxis]
    with np.errstate(divide="ignore", invalid="ignore"):
        after = np.where(closing - ahead > rounding, np.maximum(ahead / closing, t[:, np.newaxis]), np.inf)
    first = after.min(axis=1)
    there = v + np.minimum(first, 1.0)[:, np.newaxis] * d
    meets = there >= there.max(axis=1, keepdims=True) - rounding
    highest = np.where(meets, ends, -np.inf)
    return (highest >= highest.max(axis=1, keepdims=True) - rounding).argmax(axis=1), first
