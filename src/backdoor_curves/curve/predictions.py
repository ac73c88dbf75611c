"""Which class each row is predicted as, over beta: a step function of a row, told by its changes.

Of scores that are linear between nodes all changes are known in closed form: of one score where it crosses 0, of pairs
of classes where one of them does, of a score for each class where the largest is overtaken (`upper_envelope`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.curve.flips import Flips


@dataclass(frozen=True, eq=False)
class Events:
    """Rows and the classes that they are predicted as from some betas on; it need not be another class than before.

    Parameters
    ----------
    betas : array of shape (e,)
    rows, to : int arrays of shape (e,)
        Of several events of a row at one beta the last one holds.
    """

    betas: Float[np.ndarray, " e"]
    rows: Int[np.ndarray, " e"]
    to: Int[np.ndarray, " e"]

    @classmethod
    def joined(cls, parts: Sequence[Events]) -> Events:
        """Return the events of several, one after the other."""
        columns = ([getattr(part, name) for part in parts] for name in ("betas", "rows", "to"))
        return cls(*map(np.concatenate, columns))


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predicted classes of some rows at every beta; continuous from the right.

    Parameters
    ----------
    start : int array of shape (n,)
        The class indices from beta = 0 on.
    betas : array of shape (c,)
        Where a prediction changes, ascending.
    rows : int array of shape (c,)
        Which row's.
    to : int array of shape (c,)
        The class index from there on.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.curve.predictions import Predictions
    >>> found = Predictions(np.array([2, 0]), np.array([0.3, 0.6]), np.array([0, 0]), np.array([1, 0]))
    >>> found.at(np.array([0.0, 0.3, 1.0])).tolist()
    [[2, 0], [1, 0], [0, 0]]
    >>> found.flips(np.array([1, 1])).first()
    array([0.3, nan])
    """

    start: Int[np.ndarray, " n"]
    betas: Float[np.ndarray, " c"]
    rows: Int[np.ndarray, " c"]
    to: Int[np.ndarray, " c"]

    @classmethod
    def of_events(cls, start: Int[np.ndarray, " n"], events: Events) -> Predictions:
        """Return the changes among events, which may come in any order."""
        betas, rows, to = events.betas, events.rows, events.to
        order = np.lexsort((np.arange(len(betas)), betas, rows))
        betas, rows, to = betas[order], rows[order], to[order]
        last = np.append((rows[1:] != rows[:-1]) | (betas[1:] != betas[:-1]), True)[: len(rows)]
        betas, rows, to = betas[last], rows[last], to[last]
        changes = to != _before(start, rows, to)
        betas, rows, to = betas[changes], rows[changes], to[changes]
        order = np.argsort(betas, kind="stable")
        return cls(start, betas[order], rows[order], to[order])

    def at(self, betas: Float[np.ndarray, " b"]) -> Int[np.ndarray, "b n"]:
        """Return the predicted class indices at some betas."""
        now, done = self.start.copy(), 0
        found = np.empty((len(betas), len(now)), dtype=now.dtype)
        for k in np.argsort(betas, kind="stable"):
            passed = int(np.searchsorted(self.betas, betas[k], side="right"))
            now[self.rows[done:passed]] = self.to[done:passed]  # of a row that changes twice the last is written last
            found[k], done = now, passed
        return found

    def flips(self, y: Int[np.ndarray, " n"], weight: Float[np.ndarray, " n"] | None = None) -> Flips:
        """Return the changes between right and wrong, where the class indices y are right."""
        order = np.argsort(self.rows, kind="stable")
        rows, to = self.rows[order], self.to[order]
        is_right = to == y[rows]
        flips = np.sort(order[is_right != (_before(self.start, rows, to) == y[rows])])
        betas, rows, to = self.betas[flips], self.rows[flips], self.to[flips]
        return Flips(self.start == y, betas, rows, to == y[rows], weight)


def of_flips(flips: Flips, y: Int[np.ndarray, " n"]) -> Predictions:
    """Return the predictions of rows of two classes, given where those of the class indices y are right."""
    of_rows = y[flips.rows]
    to = np.where(flips.gained, of_rows, 1 - of_rows)
    return Predictions(np.where(flips.start, y, 1 - y), flips.betas, flips.rows, to)


def _before(
    start: Int[np.ndarray, " n"], rows: Int[np.ndarray, " c"], to: Int[np.ndarray, " c"]
) -> Int[np.ndarray, " c"]:
    """Return the class before each change, of changes that are row by row in order."""
    before = np.empty_like(to)
    before[1:] = to[:-1]
    first = np.append(True, rows[1:] != rows[:-1])[: len(rows)]
    before[first] = start[rows[first]]
    return before
