"""The dual of a support vector machine while its bounds or its linear term move: a homotopy, step by step.

The dual, with Q_ij = y_i y_j K_ij and upper bounds u(beta) = u0 + beta du (du = 0 for clean rows, u0 = 0 for poison),

    min  1/2 a'Q a - q'a    over 0 <= a <= u(beta), and y'a = 0 with a free intercept;    q = 1

is solved where the gradient g = Q a + b y - q sorts every row into one of three sets:

    ZERO     a = 0,  g >= 0       classified with a margin above 1
    MARGIN   g = 0,  0 <= a <= u  on the margin
    BOUND    a = u,  g <= 0       inside the margin

While the sets stay, a, b and g are affine in beta: with M the margin set and E the rows at their bound,

    [ Q_MM  y_M ] [ da_M ]   [ dq_M - Q_ME du_E ]
    [ y_M'   0  ] [ db   ] = [      - y_E' du_E ]        dg = Q_.M da_M + Q_.E du_E + y db - dq

A set changes where a margin row reaches 0 or u, or where the gradient of another row reaches 0. Those betas are the
knots. The same homotopy in q, at fixed bounds, makes an approximate solution exact, which is how a path begins and how
it gets rid of rounding errors on the way: with a nearly singular margin block a change of a row by much may go with a
change of the gradient by nothing, so that only a homotopy, which heeds the limits, can take an error back.

Q + kappa y y' in place of Q changes nothing under y'a = 0 and keeps the margin block positive definite: one code
serves both intercepts (a penalised one is a constant column, K + s^2, and no equality).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Int8
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.linalg.blas import dger
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

ZERO, MARGIN, BOUND = 0, 1, 2

DEPENDENT = 1e-13
"""A row is in the span of the margin rows if less than this share of its length is left."""
SUSPECT = 1e-6
"""A row of which less than this share is left makes the margin poor: its block is factored anew at each change."""
RESIDUAL = 1e-13
"""Largest error of a direction in its linear system, over the size of the terms that are added up."""
REFINEMENTS = 4
"""Corrections of a direction, half of them with the inverse at hand and half with a new one."""
REFRESH = 25
"""Steps after which the inverse and the gradient are computed anew."""
DRIFT = 1e-12
"""Error of the gradient that is repaired, but for larger rounding errors in its sum."""
REPAIRS = 4
"""Attempts to repair a solution at one beta; what is left then is rounding, or is found by the final check."""
TIE = 1e-14
"""Events within this distance happen at the same beta."""
LIBSVM_STEPS = 100_000
"""Steps after which libsvm stops: at large C it would take minutes for what the homotopy then does in a few steps."""
STALL = 3000
"""Steps of almost no length in a row after which the path counts as stalled."""


class StalledError(RuntimeError):
    """Ties make the path go round in circles; perturbed margins break them."""


@dataclass(frozen=True, eq=False)
class Problem:
    """The dual as a function of beta, without its linear term.

    Parameters
    ----------
    K : array of shape (n, n)
        The kernel matrix, s^2 added for a penalised intercept.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        Upper bounds u0 + beta du, both >= 0: the row weights times C.
    free : bool
        Whether there is a free intercept.
    """

    K: Float[np.ndarray, "n n"]
    y: Float[np.ndarray, " n"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]
    free: bool

    @property
    def kappa(self) -> float:
        """The multiple of y y' added to Q with a free intercept: of the size of Q itself."""
        return max(float(np.mean(np.diag(self.K))), np.finfo(float).tiny) if self.free else 0.0


@dataclass(frozen=True, eq=False)
class Segment:
    """The solution from `start` to the next segment: a and b move at constant rates."""

    start: float
    b: float
    db: float
    margin: Int[np.ndarray, " m"]
    a: Float[np.ndarray, " m"]
    da: Float[np.ndarray, " m"]
    status: Int8[np.ndarray, " n"]

    def at(self, beta: float) -> Segment:
        """Return the segment from a later beta on."""
        step = beta - self.start
        return replace(self, start=beta, b=self.b + step * self.db, a=self.a + step * self.da)


class MarginSet:
    """The margin rows: their rows of Q, and the inverse of their block, kept up to date one row at a time."""

    def __init__(self, problem: Problem) -> None:
        self.K, self.y, self.kappa, self.free = problem.K, problem.y, problem.kappa, problem.free
        self.size = 0
        self.scale = float(np.diag(problem.K).max()) + problem.kappa
        self._allocate(64)

    def _allocate(self, capacity: int) -> None:
        kept = self.size
        before: tuple[Any, Any, Any] | None = (self.index, self.rows, self._inverse[:kept, :kept]) if kept else None
        self._index, self._rows = np.zeros(capacity, dtype=np.intp), np.empty((capacity, len(self.y)))
        self._inverse: Any = np.zeros((capacity, capacity), order="F")
        if before is not None:
            self._index[:kept], self._rows[:kept], self._inverse[:kept, :kept] = before

    @property
    def index(self) -> Int[np.ndarray, " m"]:
        """Which rows are in the set, in its own order; a view."""
        return self._index[: self.size]

    @property
    def rows(self) -> Float[np.ndarray, "m n"]:
        """Q_M., with kappa y y' added; a view."""
        return self._rows[: self.size]

    def row_of(self, k: int) -> Float[np.ndarray, " n"]:
        """Return row k of Q + kappa y y'."""
        row = self.K[k] + self.kappa
        row *= self.y
        row *= self.y[k]
        return row

    def append(self, k: int) -> Float[np.ndarray, " m"] | None:
        """Add row k; if it is a combination of the others, return their coefficients z instead: Q_k. = z'Q_M.."""
        if self.size + 1 >= len(self._index):
            self._allocate(len(self._index) + len(self._index) // 4 + 64)
        m, row = self.size, self.row_of(k)
        z = self._inverse[:m, :m] @ row[self.index]
        pivot = row[k] - row[self.index] @ z
        if m and (pivot <= SUSPECT * row[k] or self.is_poor):
            z, pivot = self._measure(row[self.index], row[k])
        if pivot <= DEPENDENT * row[k]:
            return z
        border = np.zeros(len(self._index))
        border[:m], border[m] = z, -1.0
        dger(1.0 / pivot, border, border, a=self._inverse, overwrite_a=1)
        self._rows[m], self._index[m] = row, k
        self.size += 1
        return None

    @property
    def is_poor(self) -> bool:
        """Whether some row is almost a combination of the others: updates of the inverse then lose too many digits."""
        left = 1.0 / np.diagonal(self._inverse)[: self.size]
        return bool((np.abs(left) < SUSPECT * self.scale).any())

    def _measure(self, c: Float[np.ndarray, " m"], d: float) -> tuple[Float[np.ndarray, " m"], float]:
        """Return the coefficients and the pivot of a row, by Cholesky: an inverse would double the digits lost."""
        factor = self._factor()
        w = solve_triangular(factor, c, lower=True, check_finite=False)
        return solve_triangular(factor, w, lower=True, trans="T", check_finite=False), float(d - w @ w)

    def remove(self, j: int) -> None:
        """Take out the row in place j."""
        last, A, poor = self.size - 1, self._inverse, self.is_poor
        if j != last:
            A[: last + 1, [j, last]] = A[: last + 1, [last, j]]
            A[[j, last], : last + 1] = A[[last, j], : last + 1]
            self._rows[j], self._index[j] = self._rows[last], self._index[last]
        column = A[:, last].copy()
        dger(-1.0 / column[last], column, column, a=A, overwrite_a=1)
        A[:, last] = A[last, :] = 0.0
        self.size = last
        if poor:
            self.refactor()

    def refactor(self) -> None:
        """Compute the inverse anew, by Cholesky."""
        m = self.size
        if m:
            self._inverse[:] = 0.0
            self._inverse[:m, :m] = cho_solve((self._factor(), True), np.eye(m), check_finite=False)

    def _factor(self) -> Float[np.ndarray, "m m"]:
        try:
            return cholesky(self.rows[:, self.index], lower=True, check_finite=False)
        except LinAlgError as error:
            raise StalledError("the rows on the margin have become dependent") from error

    def solve(self, r: Float[np.ndarray, " m"], s: float) -> tuple[Float[np.ndarray, " m"], float]:
        """Return da, db with Q_MM da + y_M db = r and, with a free intercept, y_M' da = s."""
        A = self._inverse[: self.size, : self.size]
        x = A @ r
        if not self.free or not self.size:
            return x, 0.0
        y = self.y[self.index]
        Ay = A @ y
        db = (y @ x - s) / (y @ Ay)
        return x - db * Ay, float(db)


class Homotopy:
    """A solution that follows its problem while q or the bounds move; t runs from 0 to 1.

    Rows in `idle` (poison rows before the path begins: their bounds are 0) take no part.
    """

    def __init__(
        self,
        problem: Problem,
        a: Float[np.ndarray, " n"],
        b: float,
        status: Int8[np.ndarray, " n"],
        q: Float[np.ndarray, " n"],
        u: Float[np.ndarray, " n"],
        idle: Bool[np.ndarray, " n"],
    ) -> None:
        self.problem, self.y = problem, problem.y
        self.a, self.b, self.q, self.u = a.copy(), float(b), q.copy(), u.copy()
        self.status, self.idle = status.copy(), idle
        self.margin = MarginSet(problem)
        self.dq = self.du = np.zeros_like(a)
        self.v_bound, self.s_bound, self.ds = np.zeros_like(a), 0.0, 0.0
        self.zero_steps = self.since = 0
        self.rng = np.random.default_rng(7)
        wanted = np.flatnonzero(status == MARGIN)
        # One by one, so that dependent rows are exchanged: nothing else may count as margin meanwhile.
        self.status[wanted] = np.where(self.a[wanted] > 0.5 * self.u[wanted], BOUND, ZERO)
        self._refresh_gradient()
        for k in wanted:
            if self.status[k] != MARGIN:
                self._enter(int(k))

    # --- following ---------------------------------------------------------------------------------------------------

    def follow(self, dq: Float[np.ndarray, " n"], du: Float[np.ndarray, " n"], record: bool = False) -> list[Segment]:
        """Move q to q + dq and u to u + du, and return the segments on the way if they are to be recorded."""
        self._aim(dq, du)
        segments: list[Segment] = []
        t = 0.0
        while t < 1.0:
            if self._is_due():
                self.repair()
                self._aim(dq, du)
            t = self._step(t, segments if record else None)
        return segments

    def repair(self) -> None:
        """Take what rounding has done to the conditions of the optimum back, at fixed bounds.

        The solution is exact for another q, from which the homotopy goes back to where q should be. To correct the
        margin at once instead could move rows past their limits, by much where its block is nearly singular.
        """
        q = self.q
        for _ in range(REPAIRS):
            self._refresh()
            off = self._error()
            if np.abs(off).max() <= self.tolerance and abs(self._imbalance()) <= self.tolerance_of_balance:
                break
            self.q = q + off
            self.g -= off
            self._aim(-off, np.zeros_like(q), -self._imbalance())
            t = 0.0
            while t < 1.0:
                t = self._step(t)
            self.q = q
        self._refresh()

    def _aim(self, dq: Float[np.ndarray, " n"], du: Float[np.ndarray, " n"], ds: float = 0.0) -> None:
        """Set the rates of q, of u and of y'a, which is 0 but for rounding."""
        self.dq, self.du, self.ds = dq, du, ds
        moving = np.flatnonzero((self.status == BOUND) & (du != 0.0))
        weights = self.y[moving] * du[moving]
        self.v_bound = self.y * (weights @ self.problem.K[moving] + self.problem.kappa * weights.sum())
        self.s_bound = -float(weights.sum())

    def _step(self, t: float, segments: list[Segment] | None = None) -> float:
        """Go from t to the next event, and return where that is."""
        self.since += 1
        if self._is_unbalanced():
            self._shift_intercept()
            return t
        da, db, dg = self._direction()
        tau, event = self._next_event(da, dg, 1.0 - t)
        if segments is not None and tau > 0.0:
            segments.append(self._segment(t, da, db))
        self._count(tau)
        self._advance(tau, da, db, dg)
        if event is None:
            return 1.0
        self._apply(event)
        return t + tau

    def _direction(self) -> tuple[Float[np.ndarray, " m"], float, Float[np.ndarray, " n"]]:
        """Return the rates of a on the margin, of b and of the gradient.

        The gradient's rate on the margin, which should be 0, is the error of the solution of the linear system. An
        inverse that is no longer good enough to reduce it is computed anew.
        """
        M = self.margin.index
        s = self.s_bound + self.ds
        da, db = self.margin.solve(self.dq[M] - self.v_bound[M], s)
        dg = self._gradient_direction(da, db)
        for attempt in range(REFINEMENTS):
            if not len(M) or np.abs(dg[M]).max() <= RESIDUAL * self.margin.scale * np.abs(da).sum():
                break
            if attempt == REFINEMENTS // 2:
                self.margin.refactor()
            more, shift = self.margin.solve(-dg[M], s - float(self.y[M] @ da))
            da, db = da + more, db + shift
            dg = self._gradient_direction(da, db)
        # y'a moves by ds, and kappa y y'a with it, which is no part of Q: b takes it up.
        return da, db + self.problem.kappa * self.ds, dg

    def _gradient_direction(self, da: Float[np.ndarray, " m"], db: float) -> Float[np.ndarray, " n"]:
        dg = da @ self.margin.rows
        dg += self.v_bound
        dg -= self.dq
        if self.problem.free:
            dg += db * self.y
        return dg

    def _next_event(
        self, da: Float[np.ndarray, " m"], dg: Float[np.ndarray, " n"], left: float
    ) -> tuple[float, tuple[str, int] | None]:
        """Return how far the sets stay as they are, at most `left`, and what happens then."""
        M = self.margin.index
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            to_zero = np.where(da < 0.0, -self.a[M] / da, np.inf)
            closing = da - self.du[M]
            to_bound = np.where(closing > 0.0, (self.u[M] - self.a[M]) / closing, np.inf)
        side = self._side()
        approach = dg * side
        coming = np.flatnonzero(approach < 0.0)
        to_margin = -(self.g[coming] * side[coming]) / approach[coming]
        distances = np.concatenate([to_zero, to_bound, to_margin])
        if not distances.size or not (tau := float(distances.min())) < left:
            return left, None
        tau = max(tau, 0.0)
        # Of several rows that meet their limits at once any may go first, but not by a rule: rules can go in circles.
        ties = np.flatnonzero(distances <= tau + TIE)
        first = int(ties[0] if len(ties) == 1 else self.rng.choice(ties))
        m = len(M)
        if first < m:
            return tau, ("to zero", first)
        if first < 2 * m:
            return tau, ("to bound", first - m)
        return tau, ("to margin", int(coming[first - 2 * m]))

    def _side(self) -> Float[np.ndarray, " n"]:
        """Return the sign that the gradient of each row must keep: +1 at zero, -1 at the bound, 0 elsewhere."""
        side = np.where(self.status == ZERO, 1.0, np.where(self.status == BOUND, -1.0, 0.0))
        side[self.idle] = 0.0
        return side

    def _advance(self, tau: float, da: Float[np.ndarray, " m"], db: float, dg: Float[np.ndarray, " n"]) -> None:
        M = self.margin.index
        self.a[M] += tau * da
        self.b += tau * db
        self.q += tau * self.dq
        self.u += tau * self.du
        bound = self.status == BOUND
        self.a[bound] = self.u[bound]
        self.g += tau * dg

    def _count(self, tau: float) -> None:
        self.zero_steps = self.zero_steps + 1 if tau <= 1e-13 else 0
        if self.zero_steps > STALL:
            raise StalledError("the sets of the path change without end at one beta")

    # --- events ------------------------------------------------------------------------------------------------------

    def _apply(self, event: tuple[str, int]) -> None:
        what, where = event
        if what == "to margin":
            self._enter(where)
        else:
            self._leave(where, ZERO if what == "to zero" else BOUND)

    def _leave(self, j: int, status: int) -> None:
        """The margin row in place j has reached 0 or its bound."""
        k = int(self.margin.index[j])
        limit = 0.0 if status == ZERO else self.u[k]
        self._move(limit - self.a[k], k)
        self.margin.remove(j)
        self.a[k] = limit
        self._set_status(k, status)

    def _move(self, step: float, k: int, v: Float[np.ndarray, " m"] | None = None) -> None:
        """Add `step` to a_k and step * v to the margin, and what comes of it to the gradient."""
        if not step:
            return
        M = self.margin.index
        change, balance = self.margin.row_of(k), self.y[k]
        self.a[k] += step
        if v is not None:
            self.a[M] += step * v
            change, balance = change + v @ self.margin.rows, balance + self.y[M] @ v
        self.b += float(step * self.problem.kappa * balance)
        self.g += step * change

    def _enter(self, k: int) -> None:
        """The gradient of row k has reached 0: it joins the margin, in exchange for another if it depends on them."""
        origin = int(self.status[k])
        self._set_status(k, MARGIN)
        sign = 1.0 if origin == ZERO else -1.0
        while (z := self.margin.append(k)) is not None:
            # Along a_k += s, a_M -= s z nothing else changes, or not by much: go until one of them meets its limit.
            M = self.margin.index
            v = -sign * z
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                room = np.where(v < -1e-12, -self.a[M] / v, np.where(v > 1e-12, (self.u[M] - self.a[M]) / v, np.inf))
            own = self.u[k] - self.a[k] if origin == ZERO else self.a[k]
            j = int(room.argmin()) if len(room) else -1
            step = own if j < 0 else min(own, max(float(room[j]), 0.0))
            self._move(sign * step, k, -z)
            self.since += REFRESH  # what did change is repaired at once
            if j < 0 or own <= room[j]:
                self.a[k] = self.u[k] if origin == ZERO else 0.0
                self._set_status(k, BOUND if origin == ZERO else ZERO)
                return
            self._leave(j, ZERO if v[j] < 0 else BOUND)

    def _is_unbalanced(self) -> bool:
        """Return whether the bounds move y'a while no row is on the margin to take it up."""
        pull = abs(self.s_bound) > 1e-9 * float(np.abs(self.du).max())
        return self.problem.free and not self.margin.size and pull

    def _shift_intercept(self) -> None:
        """With no row on the margin b is free in an interval; the bounds now pull it to one end, and a row comes in."""
        pull = np.sign(self.s_bound)
        side = self._side()
        # db moves the gradients by y db; s_bound > 0 asks for rows that can raise y'a: they come as b falls.
        ready = np.flatnonzero((side * self.y * pull > 0) & ((side < 0) | (self.u + self.du > 0)))
        if not ready.size:
            raise StalledError("no row can balance the bounds")
        k = int(ready[np.argmin(np.abs(self.g[ready]))])
        db = -pull * abs(self.g[k])
        self.b += db
        self.g += db * self.y
        self._enter(k)

    def _set_status(self, k: int, status: int) -> None:
        """Move row k to another set, and its moving bound in or out of the sums over E."""
        change = int(status == BOUND) - int(self.status[k] == BOUND)
        self.status[k] = status
        if change and self.du[k] != 0.0:
            self.v_bound = self.v_bound + change * self.du[k] * self.margin.row_of(k)
            self.s_bound -= change * float(self.y[k] * self.du[k])

    # --- rounding ----------------------------------------------------------------------------------------------------

    def _is_due(self) -> bool:
        return self.since > REFRESH or bool(np.abs(self.g[self.margin.index]).max(initial=0.0) > self.tolerance)

    def _refresh(self) -> None:
        """Compute the inverse and the gradient anew."""
        self.since = 0
        self.margin.refactor()
        self._refresh_gradient()

    def _refresh_gradient(self) -> None:
        used = np.flatnonzero(self.a)
        weights = self.y[used] * self.a[used]
        scores = weights @ self.problem.K[used] + self.b
        self.g = self.y * scores - self.q
        rounding = 2 * np.finfo(float).eps * float(np.abs(weights).sum())
        self.tolerance = max(DRIFT, rounding * self.margin.scale)
        self.tolerance_of_balance = rounding

    def _imbalance(self) -> float:
        """Return y'a, as far as the margin can change it."""
        return float(self.y @ self.a) if self.problem.free and self.margin.size else 0.0

    def _error(self) -> Float[np.ndarray, " n"]:
        """Return what q is off by: the solution is optimal for q plus this. Wrong signs are corrected with room."""
        side = self._side()
        wrong = (self.g * side < -self.tolerance) | (self.status == MARGIN)
        room = np.where(self.status == MARGIN, 1.0, 1.0 + self.rng.random(len(side)))
        return np.where(wrong & ~self.idle, self.g * room, 0.0)

    def here(self, t: float) -> Segment:
        """Return the solution as it stands, as a segment without length."""
        self.repair()
        return self._segment(t, np.zeros(self.margin.size), 0.0)

    def _segment(self, t: float, da: Float[np.ndarray, " m"], db: float) -> Segment:
        M = self.margin.index.copy()
        return Segment(t, self.b, db, M, self.a[M], da, self.status.astype(np.int8))


# --- the beginning ---------------------------------------------------------------------------------------------------


def start(problem: Problem, perturbation: Float[np.ndarray, " n"]) -> Homotopy:
    """Return the solution at beta = 0, for margins 1 + perturbation.

    libsvm solves the clean rows approximately, always with a free intercept; its solution is exact for another q, and q
    is then moved to where it should be. Without a free intercept b moves into q first: the gradient is the same.
    """
    n, y = len(problem.y), problem.y
    clean = problem.u0 > 0.0
    a, b = _libsvm(problem, np.flatnonzero(clean))
    small = 1e-9 * problem.u0.max()
    status = np.full(n, MARGIN, dtype=np.int8)
    status[a <= small] = ZERO
    status[clean & (a >= problem.u0 - small)] = BOUND
    a = np.where(status == ZERO, 0.0, np.where(status == BOUND, problem.u0, a))
    margin = np.flatnonzero(status == MARGIN)
    if problem.free and margin.size:
        a[margin[0]] -= (y @ a) * y[margin[0]]
    used = np.flatnonzero(a)
    gradient = y * ((y[used] * a[used]) @ problem.K[used] + b) - 1.0
    # Rows on the wrong side are put a little to the right side, each by another amount: no ties to begin with.
    off = np.where(status == MARGIN, gradient, 0.0)
    apart = 1e-4 * np.random.default_rng(0).random(n)
    off = np.where((status == ZERO) & (gradient < 0.0), gradient - apart, off)
    off = np.where((status == BOUND) & (gradient > 0.0), gradient + apart, off)
    off[~clean] = 0.0
    q = 1.0 + off
    if not problem.free:
        q, b = q - b * y, 0.0
    homotopy = Homotopy(problem, a, b, status, q, problem.u0, idle=~clean)
    homotopy.follow(1.0 + perturbation - q, np.zeros(n))
    return homotopy


def _libsvm(problem: Problem, rows: Int[np.ndarray, " c"]) -> tuple[Float[np.ndarray, " n"], float]:
    """Return dual coefficients and intercept of some rows, as good as libsvm makes them."""
    # Weights of size 1, since libsvm's own tolerances are absolute.
    scale = float(problem.u0[rows].max())
    fit = SVC(C=scale, kernel="precomputed", tol=1e-4, max_iter=LIBSVM_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(problem.K[np.ix_(rows, rows)], problem.y[rows], sample_weight=problem.u0[rows] / scale)
    a = np.zeros(len(problem.y))
    a[rows[fit.support_]] = np.abs(fit.dual_coef_[0])
    return a, float(fit.intercept_[0])
