"""Labelled rows of which some are marked: those of a source among training rows, those that are watched among tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.rows import take_rows


@dataclass(frozen=True, eq=False, repr=False)
class MarkedSamples(Samples):
    """Rows with marks.

    Parameters
    ----------
    X, y, weight
        As of `Samples`.
    is_marked : bool array of shape (n,)
        None for no row.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.data.marked import MarkedSamples
    >>> rows = MarkedSamples(np.eye(3), [0, 1, 0], is_marked=np.array([True, False, True]))
    >>> rows.marked.y.tolist(), rows.others.y.tolist()
    ([0, 0], [1])
    """

    is_marked: Bool[np.ndarray, " n"] = None  # type: ignore[assignment]  # an array from `__post_init__` on

    def __post_init__(self) -> None:
        super().__post_init__()
        marks = np.zeros(len(self.y), dtype=bool) if self.is_marked is None else np.asarray(self.is_marked)
        if marks.shape != self.y.shape or marks.dtype != bool:
            raise ValueError(f"is_marked: a bool for each of {len(self.y)} rows was expected, shape {marks.shape} came")
        object.__setattr__(self, "is_marked", marks)

    def take(self, rows: Int[np.ndarray, " k"]) -> MarkedSamples:
        """Return the given rows, in the order asked, with their marks."""
        return MarkedSamples(take_rows(self.X, rows), self.y[rows], self.weight[rows], self.is_marked[rows])

    @property
    def marked(self) -> Samples:
        """The rows with a mark, in their order."""
        return self._plain(np.flatnonzero(self.is_marked))

    @property
    def others(self) -> Samples:
        """The rows without."""
        return self._plain(np.flatnonzero(~self.is_marked))

    def _plain(self, rows: Int[np.ndarray, " k"]) -> Samples:
        return Samples(take_rows(self.X, rows), self.y[rows], self.weight[rows])


def weighted_source(train: MarkedSamples, test: MarkedSamples) -> PoisonedData:
    """Return data whose marked training rows have weight beta, and whose marked test rows stand for triggered ones.

    No attack is made: all rows keep their labels, and the triggered loss is the loss on the rows that are watched.

    Raises
    ------
    ValueError
        If no row is left on one side, or the others lack a class.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.data.marked import MarkedSamples, weighted_source
    >>> rows = MarkedSamples(np.eye(4), [0, 1, 0, 1], is_marked=np.array([True, False, False, False]))
    >>> weighted_source(rows, rows).rates.n_poison
    1
    """
    return PoisonedData(
        clean_train=train.others, poison_train=train.marked, clean_test=_plain(test), triggered_test=test.marked
    )


def _plain(samples: Samples) -> Samples:
    return Samples(samples.X, samples.y, samples.weight)
