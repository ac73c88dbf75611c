"""Fewer nodes for a path of many events: where pieces are short, parabolas say what polynomials of degree 4 do."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.squared_hinge.series import DEGREE, INTERPOLATION
from backdoor_curves.paths.squared_hinge.stretch import Stretch, through

PARABOLA = 2
"""The lower degree. Its points on a piece are the first, the middle and the last of those of degree 4."""
BETWEEN = 2.1
"""What two polynomials through these three points differ by is at most so many times what they do at the other two."""


def as_parabolas(stretch: Stretch, reach: Float[np.ndarray, " r"]) -> Stretch | None:
    """Return the same pieces in as many parabolas as they need, if that makes fewer nodes; else None.

    Parameters
    ----------
    stretch : Stretch
    reach : array of shape (r,)
        What the entries of parameters are multiplied by so that no score is larger than their length.
    """
    edges, W, j = stretch.edges, stretch.W, len(stretch.event)
    first = DEGREE * np.arange(j)
    ends, middle, last = W[first], W[first + 2], W[first + DEGREE]
    t = np.sin(np.pi / 4.0)  # where the other two points are, either side of the middle
    off = np.zeros(j)
    for at, sign in ((first + 1, -1.0), (first + 3, 1.0)):
        parabola = middle + sign * t * (last - ends) / 2.0 + t**2 * ((ends + last) / 2.0 - middle)
        off = np.maximum(off, np.sqrt((((W[at] - parabola) * reach) ** 2).sum(axis=1)))
    parts = np.ceil(np.cbrt(np.maximum(BETWEEN * off / INTERPOLATION, 1.0))).astype(int)
    if PARABOLA * parts.sum() >= DEGREE * j:
        return None
    points = [edges[k] + (edges[k + 1] - edges[k]) * np.arange(2 * s) / (2 * s) for k, s in enumerate(parts)]
    values = [
        W[[i, i + 2]] if s == 1 else through(W[i : i + DEGREE + 1], edges[k], edges[k + 1], points[k])
        for k, (i, s) in enumerate(zip(first, parts, strict=True))
    ]
    event = np.zeros(parts.sum(), dtype=bool)
    event[np.cumsum(parts) - 1] = stretch.event
    return Stretch(np.append(np.concatenate(points)[::2], edges[-1]), np.vstack([*values, W[-1:]]), event)
