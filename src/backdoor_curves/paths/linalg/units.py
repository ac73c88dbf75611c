"""Columns about their means and in units of their spread, where they are large: what else is small beside them drowns.

Timestamps, incomes and counts as they come make Hessians whose entries differ by 1e18, and vectors of which only some
coordinates have digits. Only those columns are changed, so that rows of moderate size stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LARGE = 256.0
"""Root of the mean square above which a column is changed: images stay what they are, in bytes too, whose squares take
five of sixteen digits."""


@dataclass(frozen=True, eq=False)
class Units:
    """The unit of each column and what stands for its 0: (x - centre) / size.

    Parameters
    ----------
    centre : array of shape (p,)
    size : array of shape (p,)
        Powers of 2, > 0, by which to divide rounds nothing.
    """

    centre: Float[np.ndarray, " p"]
    size: Float[np.ndarray, " p"]

    @property
    def penalty(self) -> Float[np.ndarray, " p"]:
        """What |w|^2 has for each coordinate's square where w is of the columns as they came."""
        return 1.0 / self.size**2

    def of(self, rows: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n p"]:
        """Return rows in these units."""
        return (rows - self.centre) / self.size if self.centre.any() or (self.size != 1.0).any() else rows

    def coef(self, W: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
        """Return parameters of the columns as they came."""
        return W / self.size[:, np.newaxis]


def units(rows: Float[np.ndarray, "n p"], about_mean: bool) -> Units:
    """Return units in which no column is large; about their means where a free intercept takes what this moves.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.linalg.units import units
    >>> found = units(np.array([[0.5, 1e9], [1.0, 3e9]]), about_mean=True)
    >>> found.centre, np.log2(found.size)
    (array([0.e+00, 2.e+09]), array([ 0., 30.]))
    """
    spread, mean = _root_mean_square(rows), np.zeros(rows.shape[1])
    if about_mean and (large := spread > LARGE).any():
        mean[large] = rows[:, large].mean(axis=0)
        spread[large] = _root_mean_square(rows[:, large] - mean[large])
    return Units(mean, sizes(spread))


def sizes(spread: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
    """Return the unit of columns of some root of the mean square: a power of 2 where that is large, else 1."""
    return np.where(spread > LARGE, 2.0 ** np.round(np.log2(np.maximum(spread, 1.0))), 1.0)


def _root_mean_square(rows: Float[np.ndarray, "n p"]) -> Float[np.ndarray, " p"]:
    return np.sqrt(np.einsum("np,np->p", rows, rows) / max(len(rows), 1))
