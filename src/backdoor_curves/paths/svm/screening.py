"""Screening: rows of which a product in single precision proves on which side of the margin they are, at all betas.

Of the rows that never move most are far from the margin. Their gradients need no digits: a product in single precision
with a bound on its rounding says that those of dual 0 have a margin above 1 and those at their bound one below, in all
solutions. What such rows add to the duality gap is then known without a look at each (`duality_gap`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from backdoor_curves.paths.svm.solutions import FEW, Solutions

ON_MARGIN = 1e-6
"""Rows short of the margin by no more are on it but for rounding, and a longer w takes that over: one longer by more
would prove nothing, as 1e-6 already costs 1e-9 unless slacks are a thousand times |w|^2."""
UNIT = float(np.finfo(np.float32).eps) / 2
"""The unit of rounding of single precision."""
SUMMED = 256
"""Products that single precision adds up at a time: the more, the larger the bound on their rounding; the fewer, the
slower the products."""
SUBNORMAL = 8.0
"""What a product with a factor below 2^-126 may be off by, in units of rounding: such a factor is off by 2^-150, the
other is below 2^128, which makes 2^-22, 4 units, and either may be the small one."""


@dataclass(frozen=True, eq=False)
class Screened:
    """The rows that are on the side of the margin where they should be, in all solutions, and the others.

    Parameters
    ----------
    others : array of shape (r,)
        The rows of which that is not known.
    at_bound : array of shape (e,)
        Those at their bound of which it is.
    sums : array of shape (s, 2)
        The columns R of those (`Solutions.columns`), summed up with the weights u0 and du.
    """

    others: Int[np.ndarray, " r"]
    at_bound: Int[np.ndarray, " e"]
    sums: Float[np.ndarray, "s 2"]


def screen(solutions: Solutions) -> Screened:
    """Return which rows single precision proves to be on the side where they should be; of few solutions none."""
    n, problem = len(solutions.at_bound), solutions.problem
    sums = np.zeros((len(solutions.moving) + 2, 2))
    if len(solutions.betas) <= FEW:
        return Screened(np.arange(n), np.empty(0, dtype=np.intp), sums)
    steady, proven = np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    steady[solutions.moving] = False
    problem.matrix.hold(solutions.moving)
    C = np.column_stack([solutions.coefficients, solutions.b])
    for rows in solutions.blocks(np.flatnonzero(steady)):
        R, at_bound = solutions.columns(rows), solutions.at_bound[rows]
        F, error = _in_single(C, np.vstack([R, problem.y[rows]]))
        low, high = F.min(axis=0), F.max(axis=0)
        on_side = np.where(at_bound, high + error < 1.0 - ON_MARGIN, low - error > 1.0)
        proven[rows] = on_side & np.isfinite(low) & np.isfinite(high)
        bound = at_bound & proven[rows]
        sums += R[:, bound] @ np.column_stack([u[rows[bound]] for u in (problem.u0, problem.du)])
    return Screened(np.flatnonzero(~proven), np.flatnonzero(proven & solutions.at_bound), sums)


@np.errstate(over="ignore", invalid="ignore")
def _in_single(
    C: Float[np.ndarray, "k s"], R: Float[np.ndarray, "s r"]
) -> tuple[Float32[np.ndarray, "k r"], Float[np.ndarray, " r"]]:
    """Return C R in single precision, and by how much a column may be off.

    A sum of s products c r is off by no more than s + 3 units of rounding of sum |c r|, in whatever order it is added
    up: s for the sum, the others for c, r and the bound itself; the sum of t such sums by t more. `SUBNORMAL` is what
    each comes with on top where a factor is smaller than single precision has in full. What is larger than it has makes
    F infinite, or no number.
    """
    C32, R32 = C.astype(np.float32), R.astype(np.float32)
    F = C32[:, :SUMMED] @ R32[:SUMMED]
    for first in range(SUMMED, len(R), SUMMED):
        F += C32[:, first : first + SUMMED] @ R32[first : first + SUMMED]
    terms = np.abs(C).max(axis=0) @ np.abs(R)
    return F, UNIT * ((min(len(R), SUMMED) + len(R) / SUMMED + 4.0) * terms + SUBNORMAL * (len(R) + 4.0))
