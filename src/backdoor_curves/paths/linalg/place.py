"""Where many rows are placed: which of their features count, and in what units, found in two passes over them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.linalg.row_parts import Place, RowParts, plain, sum_of
from backdoor_curves.paths.linalg.units import LARGE, Units, sizes
from backdoor_curves.rows import Rows


def place_of(rows: RowParts, intercept: Intercept) -> Place:
    """Return where rows are placed: as `linalg.units` and `linalg.coordinates` do with rows at hand.

    Raises
    ------
    ValueError
        If a feature is NaN or infinite.
    """
    n, d = rows.shape
    sums, squares = sum_of(rows.each(_Moments(np.zeros(d))))
    if not (np.isfinite(sums).all() and np.isfinite(squares).all()):
        raise ValueError(
            "training rows: finite features were expected, some are NaN, infinite or too large to be squared; drop "
            "these rows or put an imputer before the classifier"
        )
    spread, mean = np.sqrt(squares / max(n, 1)), np.zeros(d)
    large = spread > LARGE
    if intercept.is_free and large.any():
        mean[large] = sums[large] / n
        _, about = sum_of(rows.each(_Moments(mean)))
        spread[large] = np.sqrt(about[large] / n)
    size = sizes(spread)
    kept = np.flatnonzero(squares > 0.0)
    if len(kept) == d:
        return Place(None, Units(mean, size), intercept, d)
    return Place(kept, Units(mean[kept], size[kept]), intercept, d)


class _Moments:
    """Sums and squares of columns about a centre."""

    def __init__(self, centre: Float[np.ndarray, " d"]) -> None:
        self.centre = centre

    def __call__(self, X: Rows) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
        d = X.shape[1]
        sums, squares = np.zeros(d), np.zeros(d)
        for Z, _ in plain(d).blocks(X, 0):
            Z -= self.centre
            sums += Z.sum(axis=0)
            squares += np.einsum("np,np->p", Z, Z)
        return sums, squares
