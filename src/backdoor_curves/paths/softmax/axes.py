"""Principal axes: rows of moderate size turned so that few coordinates have most of their variance.

Turning changes nothing but how well a part of the coordinates stands for all of them, which a preconditioner lives off.
Rows with large columns are not turned: what small columns say would drown in the rounding of large ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.linalg.units import units


@dataclass(frozen=True, eq=False)
class Axes:
    """Where rows are taken about, in which units, and along which axes: z = ((x - centre) / size) Q.

    Parameters
    ----------
    centre : array of shape (p,)
        0 where no free intercept takes what it moves.
    size : array of shape (p,)
        Powers of 2; 1 but for large columns.
    Q : array of shape (p, p), optional
        Orthonormal, the axis of the largest variance first; None where the columns stay what they are.
    """

    centre: Float[np.ndarray, " p"]
    size: Float[np.ndarray, " p"]
    Q: Float[np.ndarray, "p p"] | None

    @property
    def penalty(self) -> Float[np.ndarray, " p"]:
        """What |w|^2 has for each coordinate's square where w is of the columns as they came."""
        return 1.0 / self.size**2

    def of(self, rows: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n p"]:
        """Return rows in these coordinates."""
        rows = (rows - self.centre) / self.size
        return rows if self.Q is None else rows @ self.Q

    def coef(self, W: Float[np.ndarray, "*shape p"]) -> Float[np.ndarray, "*shape p"]:
        """Return parameters of the columns as they came."""
        return (W if self.Q is None else W @ self.Q.T) / self.size

    def turned(self, coef: Float[np.ndarray, "*shape p"]) -> Float[np.ndarray, "*shape p"]:
        """Return parameters of these coordinates, given those of the columns as they came."""
        coef = coef * self.size
        return coef if self.Q is None else coef @ self.Q


def principal_axes(rows: Float[np.ndarray, "n p"], about_mean: bool) -> Axes:
    """Return the axes of rows; about their means where a free intercept takes what this moves.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.softmax.axes import principal_axes
    >>> X = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    >>> np.abs(principal_axes(X, about_mean=True).of(X)).round(9)
    array([[1.41421356, 0.        ],
           [0.        , 0.        ],
           [1.41421356, 0.        ]])
    """
    scaled = units(rows, about_mean)
    centre = rows.mean(axis=0) if about_mean and len(rows) else np.zeros(rows.shape[1])
    if (scaled.size != 1.0).any() or not rows.size:
        return Axes(centre, scaled.size, None)
    centred = rows - centre
    _, Q = np.linalg.eigh(centred.T @ centred)
    return Axes(centre, scaled.size, np.ascontiguousarray(Q[:, ::-1]))
