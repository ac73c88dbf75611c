"""A bound in the metric of the Hessian at one beta, however the rows are kept: at hand, or by sums over them.

With H the Hessian at w1, |w1 - w*|_H <= e^d |g| if no training score moves by more than d on the way, where curvatures
then change by the factor e^d at most; and d <= max |z| |w1 - w*|_H. A row's score is off by x'H^-1 g, and by
(e^d - 1) |x| |g| at most because H is not the Hessian all the way. A free intercept is minimised out: rows are about
their mean, weighted by their curvatures, and the intercept's own direction has the curvatures' sum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.linalg.metric import ROUNDING, Lengths

ROOM = 1.2
"""For the rounding errors of a factor in single precision, and for the way to the optimum, on which curvatures change
by exp(0.1) = 1.11 (see NEAR_BY)."""
NEAR_BY = 0.1
"""How far scores may move for that."""
SHARPENINGS = 3
"""Newton steps with a factor of the very Hessian: one more than two digits each need from what REFINEMENTS leave."""
SMALLEST = 1e-100
"""A smaller sum of curvatures, or share of a Hessian, is none."""


@dataclass(frozen=True, eq=False)
class Sharper:
    """Parameters near the optimum at one beta: their distance in the metric of the Hessian, and what scores are off.

    Parameters
    ----------
    w : array of shape (p,)
    length : float
        Infinite where nothing is proven.
    scores : array of shape (x,)
    """

    w: Float[np.ndarray, " p"]
    length: float
    scores: Float[np.ndarray, " x"]


class Local(ABC):
    """The problem about w at one beta: the gradient, and the Hessian's metric."""

    w: Float[np.ndarray, " p"]

    @property
    @abstractmethod
    def is_free(self) -> bool:
        """Whether the last of w is an intercept without penalty."""

    @property
    @abstractmethod
    def penalty(self) -> Float[np.ndarray, " q"]:
        """R of the parameters that have one."""

    @property
    @abstractmethod
    def metric(self) -> Lengths:
        """The metric of the Hessian, the intercept minimised out."""

    @property
    @abstractmethod
    def total(self) -> float:
        """The curvatures' sum."""

    @property
    @abstractmethod
    def mean(self) -> Float[np.ndarray, " q"]:
        """What rows are taken about."""

    @property
    @abstractmethod
    def slope(self) -> float:
        """Of the intercept; 0 where it is none or penalised."""

    @property
    @abstractmethod
    def pull(self) -> Float[np.ndarray, " q"]:
        """What signed duals make of the rows about their mean."""

    @property
    @abstractmethod
    def pulls(self) -> Float[np.ndarray, " q"]:
        """What duals make of these rows' sizes."""

    @property
    @abstractmethod
    def total_of_duals(self) -> float:
        """The duals' sum."""

    @property
    @abstractmethod
    def of_scores(self) -> float:
        """A bound on what is unknown of the gradient as the scores are: what moves them by d moves it by Z'D d."""

    @property
    def of_rows(self) -> float:
        """A bound on what is unknown of it as the rows are, which the metric has no longer than the norm of R^-1."""
        return 0.0

    @property
    @abstractmethod
    def longest(self) -> float:
        """A bound on the length of the longest training row, with the intercept's column."""

    def features(self, rows: Float[np.ndarray, "x p"]) -> Float[np.ndarray, "x q"]:
        """Return rows without the column of a free intercept."""
        return rows[:, :-1] if self.is_free else rows

    @property
    def _parameters(self) -> Float[np.ndarray, " q"]:
        return self.w[:-1] if self.is_free else self.w

    @cached_property
    def gradient(self) -> Float[np.ndarray, " q"]:
        """Of the parameters with a penalty, the intercept minimised out."""
        return self.penalty * self._parameters - self.pull

    @property
    def newton_step(self) -> Float[np.ndarray, " p"]:
        """By how much w is off, to first order."""
        step = self.metric.solve(self.gradient[:, np.newaxis])[:, 0]
        return np.append(step, self.slope / self.total - self.mean @ step) if self.is_free else step

    @cached_property
    def lost(self) -> Float[np.ndarray, " q"]:
        """Bounds on what the entries of the gradient lose in rounding, as sums."""
        return ROUNDING * (self.pulls + np.abs(self.penalty * self._parameters))

    @cached_property
    def seen(self) -> float:
        """A bound on the length of the gradient as it is computed."""
        return float(self.metric.lengths(self.gradient[np.newaxis])[0])

    @cached_property
    def unseen(self) -> float:
        """A bound on the length of what it loses."""
        return float(self.metric.unit_lengths @ self.lost)

    @cached_property
    def of_shift(self) -> float:
        """A bound on the length of the free intercept's slope, with what its sum loses in rounding."""
        if not self.is_free:
            return 0.0
        return (abs(self.slope) + ROUNDING * self.total_of_duals) / float(np.sqrt(self.total))

    @cached_property
    def length(self) -> float:
        """A bound on the gradient's length."""
        return self.seen + self.unseen + self.of_scores + self.of_rows + self.of_shift

    @property
    def shift(self) -> float:
        """The length of the free intercept's own direction."""
        return 1.0 / float(np.sqrt(self.total)) if self.is_free else 0.0

    def off(self, rows: Float[np.ndarray, "x p"], change: float) -> Float[np.ndarray, " x"]:
        """Return what the scores of rows may be off, where the Hessian changes by this share."""
        reach = self.metric.reach(self.features(rows) - self.mean)
        answers = reach.to(self.gradient, self.seen) + reach.to_unknown(self.lost, self.unseen)
        lengths = np.hypot(reach.lengths, self.shift)
        return answers + self.shift * self.of_shift + lengths * (self.of_scores + self.of_rows + change * self.length)


def sharper(
    local: Callable[[Float[np.ndarray, " p"]], Local], w: Float[np.ndarray, " p"], rows: Float[np.ndarray, "x p"]
) -> Sharper:
    """Return parameters still nearer than w, and what the scores of rows may be off there.

    Parameters
    ----------
    local : callable (w) -> Local
        The problem about other parameters, at the same beta.
    """
    best = here = local(w)
    for _ in range(SHARPENINGS):
        here = local(here.w - here.newton_step)
        if not here.seen < best.seen:
            break
        best = here
    change = ROOM * best.length * best.longest
    if not change < NEAR_BY:  # it is proven if what it allows leads to no more than itself
        return Sharper(best.w, np.inf, np.full(len(rows), np.inf))
    return Sharper(best.w, ROOM * best.length, best.off(rows, float(np.expm1(change))))
