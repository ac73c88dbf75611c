"""The walk of a linear SVM from one problem to another, from event to event.

Bounds and targets move at constant rates, and while the sets stay so do w, b and the duals.

An event is a row that comes to the margin (y f = k), or a row of the margin whose dual comes to 0 or to its bound. All
values are those of the factored margin, not sums of steps: nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from backdoor_curves.paths.linear_svm.margin import Margin
from backdoor_curves.paths.linear_svm.problem import Optimum, Problem, Pull, pull_of
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, ZERO, StalledError

TIE = 1e-14
"""Events as near as this share of the way happen at once."""
STALL = 100
"""Steps of no length in a row after which a walk counts as stalled, and 2 a row: the rows of a tie come and go once, a
circle has no end."""
STILL = 1e-12
"""A dual that moves by less for each unit of the one that enters does not move: a combination rounds as much."""


@dataclass(frozen=True, eq=False)
class Way:
    """What moves, for t from 0 to 1.

    Parameters
    ----------
    u, du : arrays of shape (n,)
        Bounds u + t du.
    targets, turn : arrays of shape (n,)
        Scores y k that the margin is at, targets + t turn.
    imbalance : float
        The signed duals add up to (1 - t) times it, of a free intercept.
    """

    u: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]
    targets: Float[np.ndarray, " n"]
    turn: Float[np.ndarray, " n"]
    imbalance: float = 0.0

    @cached_property
    def is_absent(self) -> Bool[np.ndarray, " n"]:
        """Which rows have no bound and get none."""
        return (self.u == 0.0) & (self.du == 0.0)

    def at(self, t: float) -> Float[np.ndarray, " n"]:
        """Return the targets at t."""
        return self.targets + t * self.turn

    def pull(self, problem: Problem, status: Int8[np.ndarray, " n"], t: float) -> Pull:
        """Return the pull at t."""
        pull = pull_of(problem, status, self.u + t * self.du, self.at(t))
        return Pull(pull.w, pull.balance + (1.0 - t) * self.imbalance, pull.targets)

    def rate(self, problem: Problem, status: Int8[np.ndarray, " n"]) -> Pull:
        """Return the derivative of the pull."""
        pull = pull_of(problem, status, self.du, self.turn)
        return Pull(pull.w, pull.balance - self.imbalance, pull.targets)


class Event(NamedTuple):
    """A row goes to another set after some of the way."""

    after: float
    row: int
    to: int


@dataclass(frozen=True, eq=False)
class Stretch:
    """The optimum from one t on, while its sets stay.

    Parameters
    ----------
    t : float
    rows : int array of shape (m,)
        The margin, in the order in which it was factored.
    status : array of shape (n,)
        The set of each row.
    optimum : Optimum
        Where it begins.
    pace : float
        How fast the score of a row moves, at most: times the rounding of t, what is not known of it.
    event : Event, optional
        What ends it; None at the end of the way, and where a free intercept jumps.
    """

    t: float
    rows: Int[np.ndarray, " m"]
    status: Int8[np.ndarray, " n"]
    optimum: Optimum
    pace: float = 0.0
    event: Event | None = None

    def for_problem(self, problem: Problem, way: Way, t: float) -> Stretch:
        """Return the optimum that the sets have for another problem and way, from some t to the same event."""
        factored = Margin.of(problem, self.rows)
        now, speed = (factored.optimum(p) for p in (way.pull(problem, self.status, t), way.rate(problem, self.status)))
        b = now.b if len(self.rows) or not problem.free else self.optimum.b
        stretch = replace(self, t=t, optimum=now._replace(b=b))
        if self.event is None:
            return stretch
        return replace(stretch, event=stretch.retimed(self.event, problem, way, speed))

    def retimed(self, event: Event, problem: Problem, way: Way, speed: Optimum) -> Event:
        """Return when the row of an event comes to where it goes: after nan, where it is there and does not move."""
        _, row, to = event
        now = self.optimum
        if to == MARGIN:
            left = float(way.at(self.t)[row] - problem.Phi[row] @ now.w - now.b)
            rate = float(problem.Phi[row] @ speed.w + speed.b - way.turn[row])
        else:
            (j,) = np.flatnonzero(self.rows == row)
            bound = int(to == BOUND)
            left = bound * (way.u[row] + self.t * way.du[row]) - problem.y[row] * now.c[j]
            rate = problem.y[row] * speed.c[j] - bound * way.du[row]
        return event._replace(after=left / rate if rate else np.nan)


@dataclass
class Walk:
    """A walk, from its first sets on.

    Parameters
    ----------
    problem, way
    status, margin
        The sets, and the rows of the margin in the order in which they came; changed in place.
    b : float
        The intercept to begin with: it counts where the margin is empty and the intercept free.
    rng : Generator
        Decides between events at one t.
    """

    problem: Problem
    way: Way
    status: Int8[np.ndarray, " n"]
    margin: list[int]
    b: float
    rng: np.random.Generator
    t: float = 0.0
    stretches: list[Stretch] = field(default_factory=list)

    def to_end(self) -> list[Stretch]:
        """Return the optimum all along the way, and at its end."""
        still, most = 0, STALL + 2 * len(self.status)
        while self.t < 1.0:
            length = self.step()
            still = still + 1 if length <= TIE else 0
            if still > most:
                raise StalledError("the sets of the path change without end at one beta")
        self._look(self._factored())
        return self.stretches

    # --- one step ----------------------------------------------------------------------------------------------------

    def step(self) -> float:
        """Go to the next event and return how far that was."""
        factored = self._factored()
        now, rate = self._look(factored), self.way.rate(self.problem, self.status)
        if self.problem.free and not self.margin and self._is_off_balance(rate.balance):
            self._shift_intercept(now, rate.balance)
            return 0.0
        speed = factored.optimum(rate)
        rates = self.problem.Phi @ speed.w + speed.b
        event = self._next(factored.rows, now, speed, rates)
        length = 1.0 - self.t if event is None else event.after
        self.t = 1.0 if event is None else self.t + length
        self.b = now.b + length * speed.b
        if event is None:
            return length
        self.stretches[-1] = replace(self.stretches[-1], event=event, pace=float(np.abs(rates).max(initial=0.0)))
        if event.to == MARGIN:
            self._enter(event.row, factored, now.c + length * speed.c)
        else:
            self._leave(event.row, event.to)
        return length

    def _factored(self) -> Margin:
        return Margin.of(self.problem, np.array(self.margin, dtype=np.intp))

    def _look(self, factored: Margin) -> Optimum:
        """Return the optimum here, and keep it; a free intercept stays where no row of the margin says what it is."""
        now = factored.optimum(self.way.pull(self.problem, self.status, self.t))
        if self.problem.free and not self.margin:
            now = now._replace(b=self.b)
        self.stretches.append(Stretch(self.t, factored.rows, self.status.copy(), now))
        return now

    def _is_off_balance(self, rate: float) -> bool:
        return abs(rate) > STILL * float(self.way.du.max(initial=0.0) + abs(self.way.imbalance))

    def _next(
        self, rows: Int[np.ndarray, " m"], now: Optimum, speed: Optimum, rates: Float[np.ndarray, " n"]
    ) -> Event | None:
        """Return the next event, given the rates of all scores; None beyond the end."""
        problem, way = self.problem, self.way
        u, du = way.u[rows] + self.t * way.du[rows], way.du[rows]
        a, da = problem.y[rows] * now.c, problem.y[rows] * speed.c
        side = _side(problem, self.status)
        e = side * (problem.Phi @ now.w + now.b - way.at(self.t))
        de = side * (rates - way.turn)
        e[rows] = de[rows] = 0.0
        de[way.is_absent] = 0.0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            to_zero = np.where(da < 0.0, np.maximum(a, 0.0) / -da, np.inf)
            to_bound = np.where(da > du, np.maximum(u - a, 0.0) / (da - du), np.inf)
            to_margin = np.where(de < 0.0, np.maximum(e, 0.0) / -de, np.inf)
        times = np.concatenate([to_zero, to_bound, to_margin])
        tau = float(times.min(initial=np.inf))
        if not tau < 1.0 - self.t - TIE:
            return None
        (ties,) = np.nonzero(times <= tau + TIE)
        first = int(ties[0] if len(ties) == 1 else self.rng.choice(ties))
        m = len(rows)
        if first < m:
            return Event(tau, int(rows[first]), ZERO)
        if first < 2 * m:
            return Event(tau, int(rows[first - m]), BOUND)
        return Event(tau, first - 2 * m, MARGIN)

    # --- events ------------------------------------------------------------------------------------------------------

    def _leave(self, row: int, to: int) -> None:
        self.margin.remove(row)
        self.status[row] = to

    def _enter(self, row: int, factored: Margin, c: Float[np.ndarray, " m"]) -> None:
        """Let a row come to the margin, whose signed duals are c, in exchange for another if it depends on those."""
        problem, origin = self.problem, self.status[row]
        self.status[row] = MARGIN
        rows = factored.rows
        z = factored.combination(row)
        if z is None:
            self.margin.append(row)
            return
        u = self.way.u + self.t * self.way.du
        a = np.clip(problem.y[rows] * c, 0.0, u[rows])
        moved = exchange(problem, rows, z, Entering(row, 1.0 if origin == ZERO else -1.0, u[row]), a, u[rows])
        if moved.leaves is None:
            self.status[row] = BOUND if origin == ZERO else ZERO
            return
        self._leave(int(rows[moved.leaves]), moved.to)
        self.margin.append(row)

    def _shift_intercept(self, now: Optimum, rate: float) -> None:
        """With no row on the margin b is free in an interval: the bounds pull it to one end, and a row comes in.

        Those are ready whose signed dual can move as the balance asks: it grows, or shrinks, and b goes the other way.
        """
        problem, need = self.problem, np.sign(rate)
        has_bound = self.way.u + self.t * self.way.du + self.way.du > 0.0
        ready = np.flatnonzero(has_bound & (_side(problem, self.status) == need))
        if not ready.size:
            raise StalledError("no row can balance the bounds")
        e = problem.Phi[ready] @ now.w + now.b - self.way.at(self.t)[ready]
        first = int(np.abs(e).argmin())
        self.b = now.b - float(e[first])
        self.status[ready[first]] = MARGIN
        self.margin.append(int(ready[first]))


class Entering(NamedTuple):
    """A row whose dual is to grow, sign 1, or to shrink, -1, by at most some room."""

    row: int
    sign: float
    room: float


class Exchange(NamedTuple):
    """How far a dual has gone, at which rates those of the margin went with it, and which of them leaves, if any."""

    step: float
    rates: Float[np.ndarray, " m"]
    leaves: int | None
    to: int


def exchange(
    problem: Problem,
    rows: Int[np.ndarray, " m"],
    z: Float[np.ndarray, " m"],
    entering: Entering,
    a: Float[np.ndarray, " m"],
    u: Float[np.ndarray, " m"],
) -> Exchange:
    """Return how far the dual of a row that is z' Phi_M may go with those of the margin, so that w stays as it is.

    Along a_row += s, c_M -= s z nothing else changes: until the row or one of the margin meets its limit.
    """
    rates = -entering.sign * problem.y[entering.row] * problem.y[rows] * z
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(rates < -STILL, a / -rates, np.where(rates > STILL, (u - a) / rates, np.inf))
    j = int(room.argmin()) if len(room) else -1
    if j < 0 or entering.room <= room[j]:
        return Exchange(entering.room, rates, None, ZERO)
    return Exchange(float(room[j]), rates, j, ZERO if rates[j] < 0.0 else BOUND)


def _side(problem: Problem, status: Int8[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return the sign that f - y k has of rows outside the margin."""
    return np.where(status == ZERO, problem.y, -problem.y)
