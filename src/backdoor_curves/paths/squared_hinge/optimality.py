"""How far parameters of a squared hinge's path are from the optimum, by the gradient that they leave.

Rows that are active and stay so make a quadratic, whose Hessian H the objective's exceeds everywhere. So w is within
|g| of the optimum, in the norm of I or in that of H; where no row can change its side on so short a way, the optimum is
w - H^-1 g.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.paths.linalg.coordinates import Space
from backdoor_curves.paths.linalg.metric import ROUNDING, Metric
from backdoor_curves.paths.linalg.rows_in_place import absolute_lifted, absolute_scores, blocks, lifted
from backdoor_curves.paths.squared_hinge.problem import InverseHessian, Problem, gradient, inverse_hessian

REFINEMENTS = 5
"""Newton steps by which a certificate comes to the optimum: one does it where no row changes its side, each more is for
such rows."""
AT_ONCE = 2**25
"""Bytes of rows whose lengths are bounded at a time: 32 MiB, a small part of what is in memory by then."""
NONE = np.empty(0, dtype=np.intp)
"""No rows."""
SHARPENINGS = 3
"""Newton steps in the metric of the Hessian: each brings the digits that its factor has."""


@dataclass(frozen=True, eq=False)
class Nearer:
    """w near the optimum w* at one beta, and what is left.

    Parameters
    ----------
    w : array of shape (r,)
    rest : array of shape (r,)
        w* = w - rest where rows keep their sides on the way; 0 elsewhere,
    distance : float
        where |w* - w| <= distance.
    terms : float
        The size of the terms that add up to w.
    """

    w: Float[np.ndarray, " r"]
    rest: Float[np.ndarray, " r"]
    distance: float
    terms: float


def nearer(problem: Problem, w: Float[np.ndarray, " r"], beta: float) -> Nearer:
    """Return w near the optimum after some Newton steps: P is 1-strongly convex, so that it is within |g|.

    If one row can change its side, w* is that of one of two quadratics; if more can, let H be without such rows.
    """
    u, lengths = problem.u(beta), problem.lengths
    w, factored = _after_newton(problem, u, w)
    slack = 1.0 - problem.y * (problem.Z @ w)
    active = (slack > 0.0) & (u > 0.0)
    terms = float((2.0 * u * lengths) @ np.maximum(slack, 0.0))
    g = _gradient(problem, active, u, w)
    unsure = (np.abs(slack) <= lengths * np.linalg.norm(g)) & (u > 0.0)
    sure, nothing = active & ~unsure, np.zeros_like(w)

    def step(on: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " r"]:
        inverse = factored.inverse if (on == factored.on).all() else _inverse(problem, on, u)
        return inverse(_gradient(problem, on, u, w))

    if not unsure.any():
        return Nearer(w, step(sure), 0.0, terms)
    if unsure.sum() == 1:
        return Nearer(w, nothing, max(float(np.linalg.norm(step(on))) for on in (sure, sure | unsure)), terms)
    return Nearer(w, nothing, float(np.sqrt(max(float(g @ _inverse(problem, sure, u)(g)), 0.0))), terms)


def _gradient(
    problem: Problem, on: Bool[np.ndarray, " n"], u: Float[np.ndarray, " n"], w: Float[np.ndarray, " r"]
) -> Float[np.ndarray, " r"]:
    return gradient(problem.Z, problem.y, np.where(on, u, 0.0), w)


def _inverse(problem: Problem, on: Bool[np.ndarray, " n"], u: Float[np.ndarray, " n"]) -> InverseHessian:
    return inverse_hessian(problem.Z, np.flatnonzero(on), u[on])


class _Factored(NamedTuple):
    """The rows of a Hessian, and the product with its inverse."""

    on: Bool[np.ndarray, " n"]
    inverse: InverseHessian


def _after_newton(
    problem: Problem, u: Float[np.ndarray, " n"], w: Float[np.ndarray, " r"]
) -> tuple[Float[np.ndarray, " r"], _Factored]:
    """Return the w of the shortest gradient, and the last Hessian.

    A row on its margin may go to and fro, and then the steps do not end.
    """
    best, least, factored = (
        w,
        np.inf,
        _Factored(np.zeros(len(u), dtype=bool), inverse_hessian(problem.Z, NONE, u[NONE])),
    )
    for _ in range(REFINEMENTS):
        f = problem.Z @ w
        active = (problem.y * f < 1.0) & (u > 0.0)
        g = w - lifted(problem.Z, np.where(active, 2.0 * u * (problem.y - f), 0.0))
        length, stays = float(np.linalg.norm(g)), bool((active == factored.on).all())
        settled = stays and length >= least / 2.0  # rounding alone is left
        if length < least:
            best, least = w, length
        if settled:
            break
        factored = factored if stays else _Factored(active, _inverse(problem, active, u))
        w = w - factored.inverse(g)
    return best, factored


def in_the_metric(
    problem: Problem, space: Space, w: Float[np.ndarray, " r"], beta: float, rows: Float[np.ndarray, "x r"]
) -> Sharper:
    """Return w still nearer to the optimum at one beta, and what the scores of rows may be off there.

    Let rows S be active at w, and P_S have the squares of their slacks in place of the hinges'. Its Hessian is at least
    H, that of the rows S, so that its optimum is within |g| of w in the norm of H. If no row of S can lose its slack on
    that way, P has the same optimum there.
    """
    best = here = _Local(problem, space, w, beta)
    for _ in range(SHARPENINGS):
        here = _Local(problem, space, here.w - here.newton_step, beta)
        if not here.distance < best.distance:
            break
        best = here
    while (lost := best.sure & best.unsure).any():
        best = _Local(problem, space, best.w, beta, best.sure & ~lost)
    return Sharper(best.w, best.distance, best.off(rows))


@dataclass(frozen=True, eq=False)
class Sharper:
    """w near the optimum at one beta, its distance in the metric of the Hessian, and what scores of rows are off.

    Parameters
    ----------
    w : array of shape (r,)
    length : float
    scores : array of shape (x,)
    """

    w: Float[np.ndarray, " r"]
    length: float
    scores: Float[np.ndarray, " x"]


@dataclass(frozen=True, eq=False)
class _Local:
    """The problem about w at one beta: the gradient, in the metric of some of the active rows, by default all."""

    problem: Problem
    space: Space
    w: Float[np.ndarray, " r"]
    beta: float
    chosen: Bool[np.ndarray, " n"] | None = None

    @cached_property
    def u(self) -> Float[np.ndarray, " n"]:
        return self.problem.u(self.beta)

    @cached_property
    def slack(self) -> Float[np.ndarray, " n"]:
        return 1.0 - self.problem.y * (self.problem.Z @ self.w)

    @cached_property
    def active(self) -> Bool[np.ndarray, " n"]:
        return (self.slack > 0.0) & (self.u > 0.0)

    @cached_property
    def sure(self) -> Bool[np.ndarray, " n"]:
        return self.active if self.chosen is None else self.chosen

    @cached_property
    def duals(self) -> Float[np.ndarray, " n"]:
        return np.where(self.active, 2.0 * self.u * self.slack, 0.0)

    @cached_property
    def gradient(self) -> Float[np.ndarray, " r"]:
        return self.w - lifted(self.problem.Z, self.problem.y * self.duals)

    @cached_property
    def metric(self) -> Metric:
        rows, penalty = np.flatnonzero(self.sure), np.ones(len(self.w))
        return Metric.of(self.problem.Z, rows, 2.0 * self.u[rows], penalty)

    @property
    def newton_step(self) -> Float[np.ndarray, " r"]:
        return self.metric.solve(self.gradient[:, np.newaxis])[:, 0]

    @cached_property
    def lost(self) -> Float[np.ndarray, " r"]:
        """Bounds on what the entries of the gradient lose in rounding, as sums."""
        return ROUNDING * (absolute_lifted(self.problem.Z, self.duals) + np.abs(self.w))

    @cached_property
    def lost_of_scores(self) -> Float[np.ndarray, " n"]:
        """Bounds on what the rows' scores lose."""
        of_rows = self.space.error * self.duals.sum() + self.space.moved * np.linalg.norm(self.w)
        return ROUNDING * absolute_scores(self.problem.Z, self.w) + of_rows

    @cached_property
    def seen(self) -> float:
        """A bound on the length of the gradient as it is computed."""
        return float(self.metric.lengths(self.gradient[np.newaxis])[0])

    @cached_property
    def of_sums(self) -> float:
        """A bound on the length of what it loses as sums,"""
        return float(self.metric.unit_lengths @ self.lost)

    @cached_property
    def of_scores(self) -> float:
        """and as the scores do: what moves those of sure rows by d moves it by A'd, that of others by z d each."""
        others = self.active & ~self.sure
        apart = float(2.0 * (self.u * self.lost_of_scores)[others] @ self._lengths(np.flatnonzero(others)))
        return float(np.sqrt(2.0 * self.u[self.sure] @ self.lost_of_scores[self.sure] ** 2)) + apart

    @cached_property
    def of_rows(self) -> float:
        """and as the rows do: the metric is no longer than that of I."""
        return self.space.moved * float(self.duals.sum())

    @cached_property
    def distance(self) -> float:
        """A bound on |w - w*| in the norm of the Hessian."""
        return self.seen + self.of_sums + self.of_scores + self.of_rows

    @cached_property
    def unsure(self) -> Bool[np.ndarray, " n"]:
        """Which rows may change their side on so short a way."""
        way = self._lengths(np.arange(len(self.u))) * self.distance + self.lost_of_scores
        return (np.abs(self.slack) <= way) & (self.u > 0.0)

    def _lengths(self, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Return bounds on the lengths of some rows in the metric, which makes several arrays of their size."""
        parts = [self.metric.lengths(self.problem.Z[some]) for some in blocks(self.problem.Z, rows, AT_ONCE)]
        return np.concatenate([np.zeros(0), *parts])

    def off(self, rows: Float[np.ndarray, "x r"]) -> Float[np.ndarray, " x"]:
        """Return what the scores of rows may be off."""
        reach = self.metric.reach(rows)
        if self.unsure.any():
            return reach.lengths * self.distance
        answers = reach.to(self.gradient, self.seen) + reach.to_unknown(self.lost, self.of_sums)
        return answers + reach.lengths * (self.of_scores + self.of_rows)
