"""Active-set steps along the path of the dual, from event to event, as the rows of a working set see it.

Let t move the bounds, u + t du, or the target, h + t dh. While the sets stay, b and c_M move at the rates v that keep
the residual e = K c + b - h zero on the margin, and the balance of the duals as it is:

    S v = -r_M,      de = K~ v + r,       r = K_E (y du)_E - dh

with S the margin's system, E the rows at their bound, and r the rate of the residuals if b and c_M stayed. The next
event is where a margin row reaches 0 or its bound, or where the residual of another row reaches 0. Place 0 of e, de and
r is the balance, which is the intercept's row; K~ has that row and the margin's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int, Int8, Shaped

from backdoor_curves.paths.linalg.definite import Number
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, SIGN, ZERO, Point, Problem, Segment, StalledError
from backdoor_curves.paths.svm.margin_set import MarginSet

RESIDUAL = 1e-15
"""Error of the rates in their linear system, as a length over the size of the terms added up, that is rounding: five
units of it."""
DRIFT = 1e-12
"""Residual that rates may leave on the margin by the end of the path: a thousandth of what a node may be off."""
REFINEMENTS = 4
"""Corrections of the rates, half of them with the inverse at hand, half with a new one: what two do not mend is worn
out."""
BALANCED = 1e-9
"""What the bounds may do to the balance before it counts, as a share of the fastest: what an optimal node may be
off."""
STILL = 1e-12
"""A dual that moves by less for each unit of the one that enters does not move: a linear combination rounds as much."""
TIE = 1e-14
"""Events this near each other happen at the same t: 45 units of rounding, as t is a quotient of sums."""
TINY = 1e-300
"""What is left of a distance that is 0, or that rounding has put beyond it: any number that divides without
overflow."""
NO_STEP = 1e-13
"""A step of this length is none: ten ties long."""
STALL = 3000
"""Steps of no length in a row after which a path counts as stalled, and 500 and 20 a row if there are few rows: ties of
grids take hundreds, a circle has no end."""


@dataclass
class State:
    """The solution that steps move; e and balance are its residuals when all rows were last looked at."""

    a: Shaped[np.ndarray, " n"]
    b: Number
    status: Int8[np.ndarray, " n"]
    e: Shaped[np.ndarray, " n"]
    balance: Number

    @property
    def point(self) -> Point:
        """The solution without its residuals."""
        return Point(self.a, self.b, self.status)


@dataclass
class Direction:
    """What moves: the bounds from u at du, the target from h at dh; and r, the rate of all residuals by that alone."""

    u: Shaped[np.ndarray, " n"]
    h: Shaped[np.ndarray, " n"]
    du: Shaped[np.ndarray, " n"]
    dh: Shaped[np.ndarray, " n"]
    residual_rate: Shaped[np.ndarray, " n"]
    balance_rate: Number
    t: Number = 0.0
    """How far along it the solution is, to 1."""
    last_change: Shaped[np.ndarray, " n"] = field(init=False)
    """By how much each residual changed when all rows were last looked at; alike to begin with."""

    def __post_init__(self) -> None:
        self.last_change = np.ones_like(self.u)


@dataclass
class Ties:
    """What decides between events at one t: chance, and for how many steps in a row nothing has moved."""

    rng: np.random.Generator
    steps_at_one_t: int = 0


class ActiveSetSteps:
    """Steps from one t on; they move the state and the margin set that they are given.

    Parameters
    ----------
    working_set : array of shape (p,)
        The rows that are followed, ascending: the margin and those that may come to it.
    """

    def __init__(
        self,
        problem: Problem,
        state: State,
        direction: Direction,
        margin: MarginSet,
        working_set: Int[np.ndarray, " p"],
        ties: Ties,
    ) -> None:
        self.y, self.scale, self.precision = problem.y, problem.scale, problem.precision
        self.a, self.b, self.status = state.a, state.b, state.status
        self.u, self.du, self.t = direction.u, direction.du, direction.t
        self.margin, self.working_set, self.ties = margin, working_set, ties
        self.place = np.zeros(len(self.y), dtype=np.intp)
        self.place[working_set] = np.arange(1, len(working_set) + 1)
        self.e = np.append(state.balance, state.e[working_set])
        self.r = np.append(direction.balance_rate, direction.residual_rate[working_set])
        self.side = np.append(0.0, SIGN[state.status[working_set]] * self.y[working_set])
        self.can_lose_intercept = problem.free
        margin.keep_columns(working_set, self.place)
        self.moved = margin.index.tolist()
        # Without moving bounds what the balance is off is rounding.
        self.balance_tolerance = BALANCED * float(direction.du.max()) if direction.du.any() else np.inf
        self.steps_at_one_t, self.stall = ties.steps_at_one_t, min(STALL, 500 + 20 * len(self.y))
        self.needs_all_rows = False
        self.segments: list[Segment] = []

    def take(self, steps: int) -> None:
        """Take some steps: to t = 1, or until the rows beyond the working set must be looked at."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for step in range(steps):
                if self.t >= 1.0 or self.needs_all_rows:
                    return
                self._step(is_last=step == steps - 1)

    def _step(self, is_last: bool) -> None:
        if self.steps_at_one_t > self.stall:
            raise StalledError("the sets of the path change without end at one beta")
        if self.can_lose_intercept and not self.margin.size and abs(self.r[0]) > self.balance_tolerance:
            # No row on the margin takes up what the bounds do to the balance.
            self._shift_intercept()
            return
        if self.can_lose_intercept and self.margin.size == 1 and np.isfinite(self.balance_tolerance):
            self._balance_last_row()
        v, de = self._rates()
        da = self.y[self.margin.index] * v[self.margin.border :]
        tau, event = self._next_event(da, de)
        if tau > 0.0:
            self.segments.append(self._segment(v, da))
        self._advance(tau, v, da, de)
        if event is None:
            self.t = 1.0
        is_last |= event is None
        if event is not None and event[1] != MARGIN:
            self._leave(*event)
        # Now no row on the margin is at a limit.
        if is_last:
            self._correct_residual()
        if event is not None and event[1] == MARGIN:
            self.enter(event[0])

    def _segment(self, v: Shaped[np.ndarray, " w"], da: Shaped[np.ndarray, " m"]) -> Segment:
        """Return the segment that begins here."""
        M = self.margin.index.copy()
        db = v[0] if self.margin.has_b else 0.0
        return Segment(self.t, self.b, db, M, self.a[M], da, self.status.copy())

    def _balance_last_row(self) -> None:
        """Let the only row on the margin take what the bounds of the others leave of the balance, to rounding.

        It says where a jump is; steps in which the margin's system was nearly singular have left it off by more.
        """
        k, bound = int(self.margin.index[0]), self.status == BOUND
        a = np.clip(-self.y[k] * (self.y[bound] @ self._bound(bound)), 0.0, self._bound(k))
        self.e += self.y[k] * (a - self.a[k]) * self.margin.row_of(k)
        self.a[k] = a
        db = -self.e[self.place[k]]
        self.b += db
        self.e[1:] += db

    # --- one step ----------------------------------------------------------------------------------------------------

    def _rates(self) -> tuple[Shaped[np.ndarray, " w"], Shaped[np.ndarray, " q"]]:
        """Return the rates of the unknowns and of the residuals.

        The rates of the unknowns' own residuals, which should be 0, are the error of the solution of the linear system.
        An inverse that is no longer good enough to reduce it is computed anew.
        """
        margin, at, rows = self.margin, self.margin.places, self.margin.rows
        allowed = self.precision * DRIFT / (1.0 - self.t)
        v = -(margin.inverse @ self.r[at])
        de = v @ rows
        de += self.r
        for attempt in range(REFINEMENTS):
            error = de[at]
            length = error @ error
            if length <= allowed**2 or length <= (self.precision * RESIDUAL * self._size_of_terms(v)) ** 2:
                break
            if attempt == REFINEMENTS // 2:
                margin.refactor()
            v -= margin.inverse @ error
            de = v @ rows
            de += self.r
        return v, de

    def _size_of_terms(self, v: Shaped[np.ndarray, " w"]) -> float:
        """Return the size of the terms that K~ v adds up."""
        size = np.abs(v)
        return self.scale * float(size.sum()) + ((1.0 - self.scale) * float(size[0]) if self.margin.has_b else 0.0)

    def _next_event(
        self, da: Shaped[np.ndarray, " m"], de: Shaped[np.ndarray, " q"]
    ) -> tuple[Number, tuple[int, int] | None]:
        """Return how far the sets stay as they are, at most to t = 1, and what happens then.

        An event is a row and the set that it goes to; for a row that leaves the margin, its place there.
        """
        M = self.margin.index
        a, du = self.a[M], self.du[M]
        room = self.u[M] + self.t * du - a
        # The rates at which distances change, as a share of what is left of them: < 0 where they shrink.
        of_duals = np.minimum(da / np.maximum(a, TINY), (du - da) / np.maximum(room, TINY))
        of_others = self.side * de / np.maximum(self.side * self.e, TINY)
        rates = np.concatenate([of_duals, of_others])
        first, left = int(rates.argmin()), 1.0 - self.t
        tau = -1.0 / rates[first] if rates[first] < 0.0 else np.inf
        # What happens at the very end is not part of the path, on whichever side of it rounding has put it.
        if not tau < left - TIE * self.precision:
            return left, None
        # Of several rows that meet their limits at once any may go first, but not by a rule: rules can go in circles.
        tied = rates <= -1.0 / (tau + TIE * self.precision)
        if np.count_nonzero(tied) > 1:
            # But none that is away by more than rounding: a large bound is far in a short time.
            (ties,) = tied.nonzero()
            speeds = np.concatenate([self.scale * np.where(da < 0.0, -da, da - du), np.abs(de)])[ties]
            rounding = DRIFT + RESIDUAL * self.scale * float(self.a.sum())
            near = (-1.0 / rates[ties] - tau) * speeds <= rounding * self.precision
            ties = ties[near | (ties == first)]  # the first is, where speeds overflow too
            first = int(ties[0] if len(ties) == 1 else self.ties.rng.choice(ties))
        if first >= len(M):
            place = first - len(M)
            return max(-self.e[place] / de[place], 0.0), (int(self.working_set[place - 1]), MARGIN)
        if da[first] < 0.0:
            return max(-a[first] / da[first], 0.0), (first, ZERO)
        return max(room[first] / (da[first] - du[first]), 0.0), (first, BOUND)

    def _advance(
        self, tau: Number, v: Shaped[np.ndarray, " w"], da: Shaped[np.ndarray, " m"], de: Shaped[np.ndarray, " q"]
    ) -> None:
        self.steps_at_one_t = self.steps_at_one_t + 1 if tau <= NO_STEP * self.precision else 0
        self.a[self.margin.index] += tau * da
        if self.margin.has_b:
            self.b += tau * v[0]
        de *= tau
        self.e += de
        self.t += tau

    def _correct_residual(self) -> None:
        """Take what rounding has left on the margin back, unless that would take a row past its limits."""
        M, at = self.margin.index, self.margin.places
        v = -(self.margin.inverse @ self.e[at])
        a = self.a[M] + self.y[M] * v[self.margin.border :]
        if v.size and (a >= 0.0).all() and (a <= self._bound(M)).all():
            self.a[M] = a
            self.b += v[0] if self.margin.has_b else 0.0
            self.e += v @ self.margin.rows

    # --- events ------------------------------------------------------------------------------------------------------

    def _leave(self, j: int, to: int) -> None:
        """The margin row in place j has reached 0 or its bound."""
        k = int(self.margin.index[j])
        self.margin.remove(j)
        self.a[k] = 0.0 if to == ZERO else self._bound(k)
        self._set_status(k, to)
        self.needs_all_rows |= self.can_lose_intercept and not self.margin.size

    def enter(self, k: int) -> None:
        """The residual of row k has reached 0: it joins the margin, in exchange for another if it depends on them."""
        origin = int(self.status[k])
        self.moved.append(k)
        if origin == BOUND and self.du[k]:
            self.a[k] = self._bound(k)
        self._set_status(k, MARGIN)
        sign = 1.0 if origin == ZERO else -1.0
        while (z := self.margin.append(k)) is not None:
            # Along a_k += s, c_M -= s z nothing else changes, or not by much: go until one of them meets its limit.
            M = self.margin.index
            v = -sign * self.y[k] * z
            da = self.y[M] * v[self.margin.border :]
            room = np.where(da < -STILL * self.precision, -self.a[M] / da, np.inf)
            room = np.where(da > STILL * self.precision, (self._bound(M) - self.a[M]) / da, room)
            own = self._bound(k) - self.a[k] if origin == ZERO else self.a[k]
            j = int(room.argmin()) if len(room) else -1
            step = own if j < 0 else min(own, max(room[j], 0.0))
            self.a[k] += sign * step
            self.a[M] += step * da
            if self.margin.has_b:
                self.b += step * v[0]
            self.needs_all_rows = True  # what did change is looked at before steps go on
            if j < 0 or own <= room[j]:
                self.a[k] = self._bound(k) if origin == ZERO else 0.0
                self._set_status(k, BOUND if origin == ZERO else ZERO)
                return
            self._leave(j, ZERO if da[j] < 0 else BOUND)

    def _shift_intercept(self) -> None:
        """With no row on the margin b is free in an interval; the bounds now pull it to one end, and a row comes in.

        The path jumps, and what it was before counts as a segment.
        """
        rows, need = self.working_set, -np.sign(self.r[0])
        can = (self.status[rows] == BOUND) | (self._bound(rows) + self.du[rows] > 0.0)
        # Rows whose c can move as needed: they come as b moves the other way.
        ready = np.flatnonzero((self.side[1:] * need > 0.0) & can)
        if not ready.size:
            raise StalledError("no row can balance the bounds")
        self.segments.append(self._segment(np.empty(0), np.empty(0)))
        first = ready[np.argmin(np.abs(self.e[1 + ready]))]
        db = -need * abs(self.e[1 + first])
        self.b += db
        self.e[1:] += db
        self.steps_at_one_t += 1
        self.enter(int(rows[first]))

    def _bound(self, k: Any) -> Any:
        """Return the bound of one row or of some."""
        return self.u[k] + self.t * self.du[k]

    def _set_status(self, k: int, status: int) -> None:
        """Move row k to another set, and its moving bound in or out of the rate of the residuals."""
        change = int(status == BOUND) - int(self.status[k] == BOUND)
        self.status[k] = status
        self.side[self.place[k]] = SIGN[status] * self.y[k]
        if change and self.du[k] != 0.0:
            self.r += change * self.y[k] * self.du[k] * self.margin.row_of(k)
