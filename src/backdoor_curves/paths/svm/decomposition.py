"""An approximate solution of the dual by decomposition: some rows at a time, so that no kernel matrix is needed.

With signed duals c in [l, h] and F = K c - y, rows that may go up (c < h) or down (c > l) are optimal as soon as -F of
the former nowhere exceeds -F of the latter: in between lies the intercept. A working set of the rows that fail most is
solved by itself (two duals at a time, Platt 1998, the second by its gain, Fan, Chen and Lin 2005), and F follows with
its rows of K: half of the working set are rows of the one before, whose kernel is at hand (Joachims 1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.kernels.matrix import KernelMatrix

TOGETHER = 512
"""Rows of a working set: fewer need more products, more need more kernel values that a later set does not use."""
ROUNDS = 2000
"""Working sets after which it stops: at large C it would take minutes for what the homotopy then does in a few
steps."""
CLOSER = 0.1
"""The share of what rows fail by that is left in a working set: less is undone by the next."""
PAIRS = 20
"""Pairs of duals, for each row of a working set, after which it is left as it is."""
ALL_PAIRS, PAIRS_EACH = 100_000, 100
"""Pairs of duals in all, and for each row, after which it stops: libsvm's limit; images take one or two a row, noise
14. Of raw columns working sets use up theirs, round after round, in vain."""
LEAST_CURVATURE = 1e-12
"""Of a pair of rows, over the largest squared length: equal rows have none."""
FLAT = float(np.sqrt(np.finfo(float).tiny))
"""The least curvature where all rows are 0: what is divided by it stays a number."""


@dataclass
class _Rows:
    """Some rows: their signed duals between their limits, and F."""

    c: Float[np.ndarray, " r"]
    low: Float[np.ndarray, " r"]
    high: Float[np.ndarray, " r"]
    F: Float[np.ndarray, " r"]

    def ascents(self) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"]]:
        """Return -F of the rows that may go up, -inf for others; and of those that may go down, inf for others."""
        return np.where(self.c < self.high, -self.F, -np.inf), np.where(self.c > self.low, -self.F, np.inf)


def solve_by_parts(
    matrix: KernelMatrix, y: Float[np.ndarray, " n"], u: Float[np.ndarray, " n"], tolerance: float
) -> tuple[Float[np.ndarray, " n"], float]:
    """Return duals and a free intercept, whose scores are optimal to a tolerance, or as near as its limits lead.

    Parameters
    ----------
    matrix : KernelMatrix of n rows
    y : array of shape (n,)
        -1 and +1; both occur among rows of bounds > 0.
    u : array of shape (n,)
        Upper bounds of the duals, >= 0.
    tolerance : float
        In the units of the scores.
    """
    rows = _Rows(np.zeros_like(y), np.where(y > 0.0, 0.0, -u), np.where(y > 0.0, u, 0.0), -y)
    before = np.empty(0, dtype=np.intp)
    rng, pairs = np.random.default_rng(0), ALL_PAIRS + PAIRS_EACH * len(y)
    for _ in range(ROUNDS):
        up, down = rows.ascents()
        gap = up.max() - down.min()
        if gap <= tolerance or not pairs:
            break
        chosen = _working_set(up, down, before, rng)
        part = _Rows(*(values[chosen] for values in (rows.c, rows.low, rows.high, rows.F)))
        matrix.hold(chosen)
        closer = max(tolerance / 2.0, CLOSER * gap)
        pairs -= _solve(matrix.block(chosen, chosen), part, closer, min(pairs, PAIRS * len(chosen)))
        change = part.c - rows.c[chosen]
        moved = np.flatnonzero(change)
        if not moved.size:
            break
        rows.F += matrix.sum_of(change[moved], chosen[moved])
        rows.c[chosen], before = part.c, chosen
    up, down = rows.ascents()
    free = np.isfinite(up) & np.isfinite(down)
    b = float(-rows.F[free].mean()) if free.any() else float(up.max() + down.min()) / 2.0
    return np.abs(rows.c), b


def _working_set(
    up: Float[np.ndarray, " n"], down: Float[np.ndarray, " n"], before: Int[np.ndarray, " r"], rng: np.random.Generator
) -> Int[np.ndarray, " w"]:
    """Return the rows that fail most, and of those before as many."""
    middle, quarter = (up.max() + down.min()) / 2.0, TOGETHER // 4
    off = [np.where(np.isfinite(up), up - middle, -np.inf), np.where(np.isfinite(down), middle - down, -np.inf)]
    for side in off:
        side[before] = -np.inf
    found = [np.argpartition(-side, min(quarter, len(side) - 1))[:quarter] for side in off]
    new = np.concatenate([rows[side[rows] > 0.0] for rows, side in zip(found, off, strict=True)])
    kept = before[: TOGETHER // 2] if len(before) <= TOGETHER // 2 else rng.choice(before, TOGETHER // 2, replace=False)
    return np.union1d(new, kept)


def _solve(K: Float[np.ndarray, "w w"], rows: _Rows, tolerance: float, pairs: int) -> int:
    """Solve a working set, in place, two duals at a time, and return how many pairs that took."""
    square = np.diag(K)
    least = max(LEAST_CURVATURE * float(square.max()), FLAT)
    for taken in range(pairs):
        up, down = rows.ascents()
        i = int(up.argmax())
        gain = up[i] - down
        if gain.max() <= tolerance:
            return taken
        curvature = np.maximum(square[i] + square - 2.0 * K[i], least)
        j = int((np.maximum(gain, 0.0) ** 2 / curvature).argmax())
        step = min(gain[j] / curvature[j], rows.high[i] - rows.c[i], rows.c[j] - rows.low[j])
        rows.c[i] = rows.high[i] if step == rows.high[i] - rows.c[i] else rows.c[i] + step
        rows.c[j] = rows.low[j] if step == rows.c[j] - rows.low[j] else rows.c[j] - step
        rows.F += step * (K[i] - K[j])
    return pairs
