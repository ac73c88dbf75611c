"""A bound in the metric of the Hessian for many rows (see `logistic.local_proof`), by sums over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.linalg.metric import ROUNDING, MetricOfGram
from backdoor_curves.paths.linalg.row_parts import Place, largest_of, sum_of
from backdoor_curves.paths.logistic.local_proof import SMALLEST, Local, Sharper, sharper
from backdoor_curves.paths.tall_logistic.sums import Sums, sigmoid
from backdoor_curves.rows import Rows


def in_the_metric(sums: Sums, w: Float[np.ndarray, " q"], beta: float, rows: Float[np.ndarray, "x q"]) -> Sharper:
    """Return parameters still nearer at one beta, and what the scores of rows may be off there."""
    return sharper(lambda w: LocalSums.at(sums, w, beta), w, rows)


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
class LocalSums(Local):
    """The problem about w at one beta, of rows that are summed over."""

    sums: Sums
    w: Float[np.ndarray, " q"]
    beta: float
    first: _First
    second: _Second

    @classmethod
    def at(cls, sums: Sums, w: Float[np.ndarray, " q"], beta: float) -> LocalSums:
        """Return it, in two passes over the rows."""
        first = _First(*sum_of(sums.rows.each(partial(_first, sums.place, w, beta), *sums.known)))
        is_free = sums.place.intercept.is_free
        total = max(first.total, SMALLEST)
        mean = first.mean[:-1] / total if is_free else np.zeros(len(w))
        first = _First(total, mean, -first.slope if is_free else 0.0, first.duals)
        work = partial(_second, sums.place, w, beta, mean)
        return cls(sums, w, beta, first, _Second(*sum_of(sums.rows.each(work, *sums.known))))

    @property
    def is_free(self) -> bool:
        """Whether the last of w is an intercept without penalty."""
        return self.sums.place.intercept.is_free

    @property
    def penalty(self) -> Float[np.ndarray, " p"]:
        """R of the parameters that have one."""
        return self.sums.R[:-1] if self.is_free else self.sums.R

    @cached_property
    def metric(self) -> MetricOfGram:
        """The metric of R + the Gram matrix."""
        return MetricOfGram(self.second.gram, self.second.sizes, self.penalty)

    @property
    def total(self) -> float:
        """The curvatures' sum."""
        return self.first.total

    @property
    def mean(self) -> Float[np.ndarray, " p"]:
        """What rows are taken about."""
        return self.first.mean

    @property
    def slope(self) -> float:
        """Of the intercept."""
        return self.first.slope

    @property
    def pull(self) -> Float[np.ndarray, " p"]:
        """What signed duals make of the rows about their mean."""
        return self.second.pull

    @property
    def pulls(self) -> Float[np.ndarray, " p"]:
        """What duals make of these rows' sizes."""
        return self.second.pulls

    @property
    def total_of_duals(self) -> float:
        """The duals' sum."""
        return self.first.duals

    @property
    def of_scores(self) -> float:
        """A bound on what is unknown of the gradient as the scores are."""
        return ROUNDING * float(np.sqrt(self.second.unknown))

    @cached_property
    def longest(self) -> float:
        """A bound on the length of the longest training row, with the intercept's column."""
        work = partial(_longest, self.sums.place, self.metric, self.mean)
        return float(np.hypot(largest_of(self.sums.rows.each(work)), self.shift))


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
