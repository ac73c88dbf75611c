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
    entries whose r_j / |d_j| is below t are at it, and

        |x - z|^2 = sum_{at bound} r_j^2 + t^2 sum_{others} d_j^2

    rises in t: between the two of the sorted r_j / |d_j| where it passes eps^2 it is solved for t, to rounding. Without
    the box x = z + eps d / |d|.

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
    room = np.where(d > 0, 1.0 - Z, Z)[:, d != 0].astype(float)
    length = np.abs(d[d != 0])
    ratio = room / length
    order = np.argsort(ratio, axis=1)
    ratio, room, length = (np.take_along_axis(np.broadcast_to(A, order.shape), order, axis=1)
                           for A in (ratio, room, length))  # fmt: skip
    at_bound = np.cumsum(np.square(room), axis=1)
    others = np.cumsum(np.square(length)[:, ::-1], axis=1)[:, ::-1]
    # Entry i of both: with entries 0, ..., i - 1 at their bounds, and i, ... not.
    at_bound = np.concatenate([np.zeros((len(Z), 1)), at_bound[:, :-1]], axis=1)
    reached = at_bound + np.square(ratio) * others >= eps**2
    first = np.argmax(reached, axis=1)[:, np.newaxis]
    within = np.take_along_axis(at_bound, first, axis=1)
    t = np.sqrt(np.maximum(eps**2 - within, 0.0) / np.take_along_axis(others, first, axis=1))
    # Rounding may put it a last digit outside of the interval that it belongs to.
    least = np.where(first > 0, np.take_along_axis(ratio, np.maximum(first - 1, 0), axis=1), 0.0)
    t = np.clip(t, least, np.take_along_axis(ratio, first, axis=1))
    t = np.where(reached.any(axis=1)[:, np.newaxis], t, ratio[:, -1:])  # the corner: every entry at its bound
    return np.clip(Z + (t * d).astype(Z.dtype), 0.0, 1.0)
