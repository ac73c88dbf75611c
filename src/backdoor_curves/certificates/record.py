"""What a certificate says: how many rows each prediction holds, and how far its scores can move."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.losses.score_encodings import ScoreEncoding, decode, is_in_pairs, pairs
from backdoor_curves.records.one_line import one_line

What = Literal["append", "remove", "replace", "flip"]
CHANGES: dict[str, str] = {
    "append": "appended",
    "remove": "removed",
    "replace": "replaced",
    "flip": "with another label",
}


@dataclass(frozen=True, eq=False)
class Bounds:
    """How far the scores of test rows can move when m rows change, for m = 0, ..., M.

    Parameters
    ----------
    lengths : array of shape (t,)
        |phi| of the test rows.
    weights, intercepts : arrays of shape (M + 1, columns)
        How far w and b of each column may go.
    slack : float
        By how much the scores may be off.
    """

    lengths: Float[np.ndarray, " t"]
    weights: Float[np.ndarray, "m columns"]
    intercepts: Float[np.ndarray, "m columns"]
    slack: float

    def at(self, m: Int[np.ndarray, " t"]) -> Float[np.ndarray, "t columns"]:
        """Return the bounds of each row, each for its own number of rows."""
        return self.weights[m] * self.lengths[:, np.newaxis] + self.intercepts[m] + self.slack


@dataclass(frozen=True, eq=False)
class PredictionCertificate:
    """Which predictions of a learner hold, whatever m training rows are changed; from `certify`.

    Parameters
    ----------
    change : {"append", "remove", "replace", "flip"}
        What is done to m training rows.
    radius : int array of shape (t,)
        For each test row the most rows with which its predicted class surely stays; 0 if not even one, at most `limit`.
    limit : int
        Up to which m was asked.
    predicted, labels : arrays of shape (t,)
        The classes that the fit without poison predicts, and the labels of the test rows.
    scores : array of shape (t, columns)
        Of that fit, in scikit-learn's order of columns.
    weight : array of shape (t,)
        Of the test rows, in shares.
    row_norm : float
        How long an added row may be as the classifier sees it; inf where that does not count (RBF), NaN where none is
        added.
    frozen : tuple of str
        What of the estimator hangs on the training rows and was held; a row that moves it, too, is not covered.
    estimator : str
    bounds : Bounds or None
        On which it rests; None for flips, which are counted.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import LinearSVC
    >>> train = [[-1.0], [-1.0], [1.0], [1.0]], [0, 0, 1, 1]
    >>> found = bc.certify(LinearSVC(C=0.1, loss="hinge"), train, ([[-1.0], [0.2]], [0, 1]))
    >>> found.radius, found.share(1)
    (array([1, 0]), 0.5)
    >>> found  # doctest: +NORMALIZE_WHITESPACE
    LinearSVC(C=0.1, loss='hinge'), right and held with so many rows appended: 1: 0.500, 3: 0.000
    (rows no longer than 1)
    """

    change: What
    radius: Int[np.ndarray, " t"] = field(repr=False)
    limit: int
    predicted: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    scores: Float[np.ndarray, "t columns"] = field(repr=False)
    weight: Float[np.ndarray, " t"] = field(repr=False)
    row_norm: float
    frozen: tuple[str, ...]
    estimator: str
    bounds: Bounds | None = field(repr=False)

    def holds(self, m: int) -> Bool[np.ndarray, " t"]:
        """Return which predictions no m rows, nor fewer, can turn.

        Raises
        ------
        ValueError
            If m is no whole number in [0, limit].
        """
        return self.radius >= self._asked(m)

    def share(self, m: int) -> float:
        """Return the share of test rows that are predicted as their label whatever m rows do: the certified accuracy.

        With m = 0 it is the accuracy. Errors as `holds`.
        """
        right = (self.predicted == self.labels) & self.holds(m)
        return float(np.average(right, weights=self.weight))

    def score_bounds(self, m: int) -> Float[np.ndarray, "t columns"]:
        """Return how far the scores of each row can move with m rows, in the units of the scores; inf: anywhere.

        Raises
        ------
        ValueError
            As `holds`; of flips, which are counted exactly and not by a bound.
        """
        if self.bounds is None:
            raise ValueError(f"change: one with bounds was expected, {self.change!r} is counted exactly, see radius")
        return self.bounds.at(np.full(len(self.radius), self._asked(m)))

    def _asked(self, m: Any) -> int:
        if not isinstance(m, int | np.integer) or isinstance(m, bool) or not 0 <= m <= self.limit:
            raise ValueError(f"m: a number of rows in [0, {self.limit}] was expected, {m!r} came")
        return int(m)

    def __repr__(self) -> str:
        some = sorted({m for m in (1, 3, 10, 30) if m <= self.limit})
        said = ", ".join(f"{m}: {self.share(m):.3f}" for m in some)
        return (
            f"{one_line(self.estimator)}, right and held with so many rows {CHANGES[self.change]}: {said}{self._given}"
        )

    @property
    def _given(self) -> str:
        given = [] if not np.isfinite(self.row_norm) else [f"rows no longer than {self.row_norm:.4g}"]
        given += [f"{', '.join(self.frozen)} held"] if self.frozen else []
        return f" ({'; '.join(given)})" if given else ""


def withstood(
    scores: Float[np.ndarray, "t columns"], bounds: Bounds, encoding: ScoreEncoding, n_classes: int
) -> Int[np.ndarray, " t"]:
    """Return the largest m with which each row's class surely stays; bounds grow with m, so it is found by halving."""
    low, high = np.zeros(len(scores), dtype=np.intp), np.full(len(scores), len(bounds.weights) - 1)
    while (low < high).any():
        middle = (low + high + 1) // 2
        held = is_held(scores, bounds.at(middle), encoding, n_classes)
        low, high = np.where(held, middle, low), np.where(held, high, middle - 1)
    return low


def is_held(
    scores: Float[np.ndarray, "t columns"],
    bounds: Float[np.ndarray, "t columns"],
    encoding: ScoreEncoding,
    n_classes: int,
) -> Bool[np.ndarray, " t"]:
    """Return which rows keep their class when each score moves by no more than its bound.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.certificates.record import is_held
    >>> is_held(np.array([[0.5], [-0.5]]), np.array([[0.4], [0.6]]), "binary", 2)
    array([ True, False])
    >>> is_held(np.array([[0.9, 0.1, -1.0]]), np.array([[0.3, 0.4, 2.0]]), "one-vs-rest", 3)
    array([False])
    """
    if encoding == "binary":
        return (np.abs(scores) > bounds)[:, 0]
    rows, own = np.arange(len(scores)), decode(scores, n_classes, encoding)
    if not is_in_pairs(encoding):
        best, room = scores[rows, own], bounds[rows, own]
        leads = best[:, np.newaxis] - scores > room[:, np.newaxis] + bounds
        leads[rows, own] = True
        return leads.all(axis=1)
    surely, above_below = np.abs(scores) > bounds, pairs(n_classes, encoding)
    won, lost = np.zeros((2, len(scores), n_classes), dtype=int)
    for c, (above, below) in enumerate(zip(*above_below, strict=True)):
        winner, loser = (np.where(scores[:, c] > 0.0, one, other) for one, other in ((above, below), (below, above)))
        np.add.at(won, (rows, winner), surely[:, c])
        np.add.at(lost, (rows, loser), surely[:, c])
    votes = n_classes - 1 - lost  # at most
    votes[rows, own] = -1
    return won[rows, own] > votes.max(axis=1)
