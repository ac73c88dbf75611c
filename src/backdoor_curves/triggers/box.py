"""How far vectors go in a direction within a cube or a ball about them, cut by the box [0, 1]: exact."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from backdoor_curves.triggers.vectors import Vectors


def farthest_in_cube(Z: Vectors, d: Float[np.ndarray, " d"], eps: float, *, boxed: bool) -> Vectors:
    """Return argmax d x subject to |x_j - z_j| <= eps and, where `boxed`, x in [0, 1]: clip(z + eps sign(d)).

    The problem falls apart into its entries, so this is exact. Where d is 0 an entry stays as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.box import farthest_in_cube
    >>> farthest_in_cube(np.array([[0.25, 0.95, 0.5]]), np.array([-2.0, 1.0, 0.0]), 0.125, boxed=True)
    array([[0.125, 1.   , 0.5  ]])
    """
    moved = Z + (eps * np.sign(d)).astype(Z.dtype)
    return np.clip(moved, 0.0, 1.0) if boxed else moved


def farthest_in_ball(Z: Vectors, d: Float[np.ndarray, " d"], eps: float, *, boxed: bool) -> Vectors:
    """Return argmax d x subject to |x - z|_2 <= eps and, where `boxed`, x in [0, 1].

    By the conditions of Karush, Kuhn and Tucker x = clip(z + t d), with the multiplier t >= 0 at which the ball is
    reached, or x the corner of the box where that lies within the ball. With r_j the room of entry j to its bound,
    entries whose r_j / |d_j| is at most t are at it, and the distance

        |x - z|^2 = sum_{at bound} r_j^2 + t^2 sum_{others} d_j^2

    rises in t. From t = eps / |d| on, which is too small, the t at which this is eps^2 for the entries that are at
    their bounds so far is never too large, and puts more of them there; when it puts no more it is the multiplier, to
    rounding. There are finitely many entries, and in practice a handful of turns. Without the box x = z + eps d / |d|.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.box import farthest_in_ball
    >>> farthest_in_ball(np.array([[0.0, 0.0], [0.0, 0.7]]), np.array([3.0, 4.0]), 0.5, boxed=True)
    array([[0.3, 0.4],
           [0.4, 1. ]])
    """
    if not d.any():
        return Z
    d = d / np.abs(d).max()
    if not boxed:
        return Z + (eps * d / np.sqrt(np.square(d).sum())).astype(Z.dtype)
    moving = np.square(d) > 0  # not those that are 0, or so small that their square is
    # Row by row in memory: the order in which numpy adds a row up must not depend on how many rows there are.
    room = np.ascontiguousarray(np.where(d > 0, 1.0 - Z, Z)[:, moving], dtype=float)
    length = np.abs(d[moving])
    ratio, room2, length2 = room / length, np.square(room), np.square(length)
    corner, last = room2.sum(axis=1) <= eps**2, ratio.max(axis=1)
    t = np.minimum(np.where(corner, last, eps / np.sqrt(length2.sum())), last)
    n_before = np.full(len(Z), -1)
    while True:
        at_bound = ratio <= t[:, np.newaxis]
        n_at_bound = at_bound.sum(axis=1)
        if np.array_equal(n_at_bound, n_before):
            return np.clip(Z + (t[:, np.newaxis] * d).astype(Z.dtype), 0.0, 1.0)
        left = np.maximum(eps**2 - np.where(at_bound, room2, 0.0).sum(axis=1), 0.0)
        others = np.where(at_bound, 0.0, length2).sum(axis=1)
        # It never falls, but for rounding; where all are at their bounds it stays.
        t = np.clip(np.sqrt(left / np.where(others > 0, others, np.inf)), t, last)
        n_before = n_at_bound
