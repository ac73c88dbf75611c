"""A bound in the metric of the Hessian for many rows: as in `logistic.optimality`, by sums over the rows.

With H the Hessian at w1, |w1 - w*|_H <= e^d |g| if no training score moves by more than d on the way, where curvatures
then change by the factor e^d at most; and d <= max |z| |w1 - w*|_H. A row's score is off by x'H^-1 g, and by
(e^d - 1) |x| |g| at most because H is not the Hessian all the way. A free intercept is minimised out: rows are about
their mean, weighted by their curvatures, and the intercept's own direction has the curvatures' sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.linalg.metric import ROUNDING, MetricOfGram
from backdoor_curves.paths.linalg.row_parts import Place, largest_of, sum_of
from backdoor_curves.paths.tall_logistic.sums import Sums, sigmoid
from backdoor_curves.rows import Rows

ROOM = 1.2
"""For the way to the optimum, on which curvatures change by exp(0.1) = 1.11 (see NEAR_BY), and rounding."""
NEAR_BY = 0.1
"""How far scores may move for that."""
SHARPENINGS = 3
"""Newton steps with a factor of the very Hessian."""
SMALLEST = 1e-100
"""A smaller sum of curvatures is none."""


@dataclass(frozen=True, eq=False)
class Sharper:
    """Parameters near the optimum at one beta: their distance in the metric of the Hessian, and what scores are off.

    Parameters
    ----------
    w : array of shape (q,)
    length : float
        Infinite where nothing is proven.
    scores : array of shape (x,)
    """

    w: Float[np.ndarray, " q"]
    length: float
    scores: Float[np.ndarray, " x"]


def in_the_metric(sums: Sums, w: Float[np.ndarray, " q"], beta: float, rows: Float[np.ndarray, "x q"]) -> Sharper:
    """Return parameters still nearer at one beta, and what the scores of rows may be off there."""
    best = here = Local.at(sums, w, beta)
    for _ in range(SHARPENINGS):
        here = Local.at(sums, here.w - here.newton_step, beta)
        if not here.seen < best.seen:
            break
        best = here
    change = ROOM * best.length * best.longest
    if not change < NEAR_BY:  # it is proven if what it allows leads to no more than itself
        return Sharper(best.w, np.inf, np.full(len(rows), np.inf))
    return Sharper(best.w, ROOM * best.length, best.off(rows, float(np.expm1(change))))


class _First(NamedTuple):
    """Sums of the curvatures, of rows times curvatures, of signed duals and of duals."""

    total: float
    mean: Float[np.ndarray, " p"]
    slope: float
    duals: float


class _Second(NamedTuple):
    """Of rows about their mean: the Gram matrix with the curvatures, that of their sizes, what pulls at w, what that
    loses at most, and the sum of the curvatures times the squares of what is unknown of a score."""

    gram: Float[np.ndarray, "p p"]
    sizes: Float[np.ndarray, "p p"]
    pull: Float[np.ndarray, " p"]
    pulls: Float[np.ndarray, " p"]
    unknown: float


@dataclass(frozen=True, eq=False)
class Local:
    """The problem about w at one beta: the gradient, and the Hessian's metric."""

    sums: Sums
    w: Float[np.ndarray, " q"]
    beta: float
    first: _First
    second: _Second

    @classmethod
    def at(cls, sums: Sums, w: Float[np.ndarray, " q"], beta: float) -> Local:
        """Return it, in two passes over the rows."""
        first = _First(*sum_of(sums.rows.each(partial(_first, sums.place, w, beta), *sums.known)))
        is_free = sums.place.intercept.is_free
        total = max(first.total, SMALLEST)
        mean = first.mean[:-1] / total if is_free else np.zeros(len(w))
        first = _First(total, mean, -first.slope if is_free else 0.0, first.duals)
        work = partial(_second, sums.place, w, beta, mean)
        return cls(sums, w, beta, first, _Second(*sum_of(sums.rows.each(work, *sums.known))))

    @property
    def _is_free(self) -> bool:
        return self.sums.place.intercept.is_free

    @property
    def _penalty(self) -> Float[np.ndarray, " p"]:
        return self.sums.R[:-1] if self._is_free else self.sums.R

    @property
    def _parameters(self) -> Float[np.ndarray, " p"]:
        return self.w[:-1] if self._is_free else self.w

    @cached_property
    def metric(self) -> MetricOfGram:
        """The metric of R + the Gram matrix."""
        return MetricOfGram(self.second.gram, self.second.sizes, self._penalty)

    @cached_property
    def gradient(self) -> Float[np.ndarray, " p"]:
        """Of the parameters with a penalty, the intercept minimised out."""
        return self._penalty * self._parameters - self.second.pull

    @property
    def newton_step(self) -> Float[np.ndarray, " q"]:
        """By how much w is off, to first order."""
        step = self.metric.solve(self.gradient[:, np.newaxis])[:, 0]
        if not self._is_free:
            return step
        return np.append(step, self.first.slope / self.first.total - self.first.mean @ step)

    @cached_property
    def lost(self) -> Float[np.ndarray, " p"]:
        """Bounds on what the entries of the gradient lose in rounding, as sums."""
        return ROUNDING * (self.second.pulls + np.abs(self._penalty * self._parameters))

    @cached_property
    def seen(self) -> float:
        """A bound on the length of the gradient as it is computed."""
        return float(self.metric.lengths(self.gradient[np.newaxis])[0])

    @cached_property
    def unseen(self) -> float:
        """A bound on the length of what it loses."""
        return float(self.metric.unit_lengths @ self.lost)

    @cached_property
    def of_scores(self) -> float:
        """A bound on what is unknown of the gradient as the scores are: what moves them by d moves it by Z'D d."""
        return ROUNDING * float(np.sqrt(self.second.unknown))

    @cached_property
    def of_shift(self) -> float:
        """A bound on the length of the free intercept's slope, with what its sum loses in rounding."""
        if not self._is_free:
            return 0.0
        return (abs(self.first.slope) + ROUNDING * self.first.duals) / float(np.sqrt(self.first.total))

    @cached_property
    def length(self) -> float:
        """A bound on the gradient's length."""
        return self.seen + self.unseen + self.of_scores + self.of_shift

    @property
    def shift(self) -> float:
        """The length of the free intercept's own direction."""
        return 1.0 / float(np.sqrt(self.first.total)) if self._is_free else 0.0

    @cached_property
    def longest(self) -> float:
        """A bound on the length of the longest training row, with the intercept's column."""
        work = partial(_longest, self.sums.place, self.metric, self.first.mean)
        return float(np.hypot(largest_of(self.sums.rows.each(work)), self.shift))

    def off(self, rows: Float[np.ndarray, "x q"], change: float) -> Float[np.ndarray, " x"]:
        """Return what the scores of rows may be off, where the Hessian changes by this share."""
        features = rows[:, :-1] if self._is_free else rows
        reach = self.metric.reach(features - self.first.mean)
        answers = reach.to(self.gradient, self.seen) + reach.to_unknown(self.lost, self.unseen)
        lengths = np.hypot(reach.lengths, self.shift)
        return answers + self.shift * self.of_shift + lengths * (self.of_scores + change * self.length)


def _first(
    place: Place, w: Float[np.ndarray, " q"], beta: float, X: Rows, *known: Float[np.ndarray, " k"]
) -> tuple[float, Float[np.ndarray, " q"], float, float]:
    total, mean, slope, duals = 0.0, np.zeros(len(w)), 0.0, 0.0
    for Z, rows in place.blocks(X, 4):
        y, a, D = _duals(Z @ w, beta, known, rows)
        total, mean = total + float(D.sum()), mean + D @ Z
        slope, duals = slope + float(y @ a), duals + float(a.sum())
    return total, mean, slope, duals


def _second(
    place: Place,
    w: Float[np.ndarray, " q"],
    beta: float,
    mean: Float[np.ndarray, " p"],
    X: Rows,
    *known: Float[np.ndarray, " k"],
) -> _Second:
    p = len(mean)
    gram, sizes, pull, pulls, unknown = np.zeros((p, p)), np.zeros((p, p)), np.zeros(p), np.zeros(p), 0.0
    for Z, rows in place.blocks(X, 2 * p):
        y, a, D = _duals(Z @ w, beta, known, rows)
        unknown += float(D @ (np.abs(Z) @ np.abs(w)) ** 2)
        about = Z[:, :p] - mean
        pull += about.T @ (y * a)
        pulls += np.abs(about).T @ a
        about *= np.sqrt(D)[:, np.newaxis]
        gram += about.T @ about
        np.abs(about, out=about)
        sizes += about.T @ about
    return _Second(gram, sizes, pull, pulls, unknown)


def _duals(
    f: Float[np.ndarray, " r"], beta: float, known: tuple[Float[np.ndarray, " k"], ...], rows: slice
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"], Float[np.ndarray, " r"]]:
    """Return y, the duals and the curvatures."""
    y, u0, du = (values[rows] for values in known)
    s, u = sigmoid(f, y), u0 + beta * du
    return y, u * s, u * s * (1.0 - s)


def _longest(place: Place, metric: MetricOfGram, mean: Float[np.ndarray, " p"], X: Rows) -> float:
    p = len(mean)
    lengths = (metric.lengths(Z[:, :p] - mean).max(initial=0.0) for Z, _ in place.blocks(X, 6 * p))
    return float(max(lengths, default=0.0))
