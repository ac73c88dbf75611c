"""When the prediction of a row changes: the betas at which it becomes right and wrong, and the accuracy between them.

Between its flips a prediction stays, so that an accuracy is a step function of beta. Steps are continuous from the
right; at the very beta of a flip a score of exactly 0 may still be counted with the class before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

HALVINGS = 100
"""Bisections of a bracket: from 1 to the last digit of 1e-14; it ends earlier where two neighbours are left."""

ROUNDING = 1e-12
"""What a share of weights may lack by adding them up; one row among a billion is more."""


@dataclass(frozen=True, eq=False)
class Flips:
    """All changes of predictions between right and wrong.

    Parameters
    ----------
    start : bool array of shape (n,)
        Which rows are predicted right from beta = 0 on.
    betas : array of shape (f,)
        Where a prediction changes, ascending, in (0, 1].
    rows : int array of shape (f,)
        Which row's.
    gained : bool array of shape (f,)
        Whether it becomes right.
    weight : array of shape (n,), optional
        What each row counts for in a share; all the same by default.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.curve.flips import flips_on_lines
    >>> flips = flips_on_lines(np.array([0.0, 0.5, 1.0]), np.array([[-1.0], [1.0], [-3.0]]), np.array([True]))
    >>> flips.betas, flips.gained, flips.first(), flips.returns()
    (array([0.25 , 0.625]), array([ True, False]), array([0.25]), array([0.625]))
    """

    start: Bool[np.ndarray, " n"]
    betas: Float[np.ndarray, " f"]
    rows: Int[np.ndarray, " f"]
    gained: Bool[np.ndarray, " f"]
    weight: Float[np.ndarray, " n"] | None = None

    def right(self, betas: Float[np.ndarray, " b"]) -> Bool[np.ndarray, "b n"]:
        """Return which rows are predicted right at each beta."""
        place = np.searchsorted(self.betas, betas, side="right")
        right = np.tile(self.start, (len(betas), 1))
        for f, row in enumerate(self.rows):
            right[place > f, row] = self.gained[f]
        return right

    def first(self) -> Float[np.ndarray, " n"]:
        """Return the first beta at which each row is predicted right: 0 from the start, NaN never."""
        return np.where(self.start, 0.0, self._first_of(self.gained))

    def returns(self) -> Float[np.ndarray, " n"]:
        """Return the first beta at which each row is predicted wrong after it was right: NaN never."""
        return self._first_of(~self.gained)

    def steps(self) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]]:
        """Return the betas at which the share of right predictions changes, the first 0, and the share from there."""
        weight = np.ones(len(self.start)) if self.weight is None else self.weight
        betas, place = np.unique(self.betas, return_inverse=True)
        moved = np.where(self.gained, weight[self.rows], -weight[self.rows])
        changes = np.bincount(place, weights=moved, minlength=len(betas))
        counts = self.start @ weight + np.concatenate([[0.0], np.cumsum(changes)])
        return np.append(0.0, betas), np.clip(counts / weight.sum(), 0.0, 1.0)

    def of_rows(self, chosen: Bool[np.ndarray, " n"]) -> Flips:
        """Return the flips of some of the rows alone."""
        kept, place = chosen[self.rows], np.cumsum(chosen) - 1
        weight = None if self.weight is None else self.weight[chosen]
        return Flips(self.start[chosen], self.betas[kept], place[self.rows[kept]], self.gained[kept], weight)

    def first_beyond(self, share: float) -> float:
        """Return the first beta at which so large a share is right, 0 at once; NaN never, and where there is no row."""
        if not self.start.size:
            return float("nan")
        betas, shares = self.steps()
        reached = betas[shares >= share - ROUNDING]
        return float(reached[0]) if reached.size else float("nan")

    def _first_of(self, chosen: Bool[np.ndarray, " f"]) -> Float[np.ndarray, " n"]:
        found = np.full(len(self.start), np.nan)
        # The last one written is the first one met.
        found[self.rows[chosen][::-1]] = self.betas[chosen][::-1]
        return found


def flips_on_lines(
    nodes: Float[np.ndarray, " k"], scores: Float[np.ndarray, "k n"], wanted: Bool[np.ndarray, " n"]
) -> Flips:
    """Return the flips of scores that are linear between nodes.

    Parameters
    ----------
    nodes : array of shape (k,)
        Ascending; one that stands twice is a jump.
    scores : array of shape (k, n)
        At the nodes.
    wanted : bool array of shape (n,)
        Whether a positive score is right.
    """
    longer = np.flatnonzero(np.diff(nodes) > 0.0)
    s0, s1, start, stop = scores[longer], scores[longer + 1], nodes[longer], nodes[longer + 1]
    # The sign just after the left end of a piece and just before its right end; a score of 0 goes where its line goes.
    positive = np.stack([(s0 > 0.0) | ((s0 == 0.0) & (s1 > 0.0)), (s1 > 0.0) | ((s1 == 0.0) & (s0 > 0.0))], axis=1)
    right = positive.reshape(-1, scores.shape[1]) == wanted
    place, row = np.nonzero(right[1:] != right[:-1])
    piece, at_node = place // 2, place % 2 == 1
    a, b = s0[piece, row], s1[piece, row]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.clip(a / (a - b), 0.0, 1.0)
    betas = np.where(at_node, stop[piece], start[piece] + t * (stop - start)[piece])
    return _in_order(right[0], betas, row, right[place + 1, row])


def side_by_side(parts: Sequence[Flips]) -> Flips:
    """Return the flips of all rows, given those of the first rows, of the next and so on."""
    first = np.cumsum([0, *(len(part.start) for part in parts)])
    rows = np.concatenate([part.rows + at for part, at in zip(parts, first[:-1], strict=True)])
    betas, gained = (np.concatenate([getattr(part, name) for part in parts]) for name in ("betas", "gained"))
    return _in_order(np.concatenate([part.start for part in parts]), betas, rows, gained)


def flips_by_bisection(
    scan: Float[np.ndarray, " s"],
    right: Bool[np.ndarray, "s n"],
    right_at: Callable[[Int[np.ndarray, " f"]], Callable[[Float[np.ndarray, " f"]], Bool[np.ndarray, " f"]]],
) -> Flips:
    """Return the flips of predictions that are known at every beta; two of a row between two of `scan` are missed.

    Parameters
    ----------
    scan : array of shape (s,)
        Betas from 0 to 1.
    right : bool array of shape (s, n)
        Which predictions are right there.
    right_at : callable
        From f rows to a function from f betas, one for each row, to whether its prediction is right there.
    """
    place, row = np.nonzero(right[1:] != right[:-1])
    low, high, after = scan[place], scan[place + 1], right[place + 1, row]
    is_right = right_at(row)
    for _ in range(HALVINGS if row.size else 0):
        middle = (low + high) / 2.0
        passed = is_right(middle) == after
        high, low = np.where(passed, middle, high), np.where(passed, low, middle)
        if (np.nextafter(low, 2.0) >= high).all():
            break
    return _in_order(right[0], high, row, after)


def _in_order(
    start: Bool[np.ndarray, " n"],
    betas: Float[np.ndarray, " f"],
    rows: Int[np.ndarray, " f"],
    gained: Bool[np.ndarray, " f"],
) -> Flips:
    order = np.argsort(betas, kind="stable")
    return Flips(start, betas[order], rows[order], gained[order])
