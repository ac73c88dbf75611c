"""Events one after the other where few rows are poison: series in their duals, with the inverse of their system.

With rows z, parameters w and row weights u(beta) = u0 + beta du,

    P(w, beta) = 1/2 |w|^2 + sum_i u_i(beta) max(0, 1 - y_i z_i'w)^2

is quadratic in w while the same rows are active (margin below 1). Let H = I + 2 sum u0_i z_i z_i' over the active clean
rows, w0 their own optimum, Z the active poison rows, y their labels and D = diag(2 du). Then

    w(beta) = w0 + H^-1 Z' c(beta)       c = beta D^1/2 (I + beta G)^-1 D^1/2 (y - Z w0)       G = D^1/2 Z H^-1 Z' D^1/2

until the margin of some row crosses 1: an event, where w is continuous and its derivative jumps. All that depends on
beta is a system of the size of Z. A clean row k that comes (e = 2 u0_k) or goes (e = -2 u0_k) is a term of rank one,

    H^-1 <- H^-1 - t v v'       w0 <- w0 + t (y_k - z_k'w0) v       v = H^-1 z_k       t = e / (1 + e z_k'v).

Between events c is a series in

    x = (beta - beta0) / (beta + beta0 + 2 scale) = tanh( (tau - tau0) / 2 ),       tau = log(1 + beta / scale),

of which each beta / (1 + beta l), 0 <= l <= 1 / scale, is a geometric series of ratio |x| < 1 or less, however far beta
goes: with S = (I + beta0 G)^-1 and a = beta0 + 2 scale,

    beta (I + beta G)^-1 = (beta0 + a x) sum_k x^k [S (I - a G)]^k S.

So all scores are polynomials in x, whose first crossing asks for no other factorisation.

What is followed are the scores of the rows that are watched (`watch`). Parameters, and all columns H^-1 z, are
combinations of columns H^-1 z for H as it was at the start of the run, with which they are multiplied once, at its end.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg.blas import dger
from scipy.linalg.lapack import dpotrf, dpotrs

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.linalg.rows_in_place import lifted
from backdoor_curves.paths.squared_hinge.problem import Problem, gradient, inverse_hessian
from backdoor_curves.paths.squared_hinge.series import (
    ORDER,
    POWERS,
    SERIES,
    accuracy_of_scores,
    first_crossing,
)
from backdoor_curves.paths.squared_hinge.stretch import SHARES, Here, Stretch

SHORTEST = 1e-11
"""Pieces shorter than this in tau are merged with the next: their ends differ by rounding."""
UPDATES = 192
"""Most changes of H after which it is factored anew: each adds a column to what an event costs, and its rounding."""
POOR = 1e-6
"""A row all but alone in its direction, by this share, is not taken out of H by an update, which would lose six
digits."""
DELICATE = 0.1
"""A row less alone than that, but so much, is taken out with care: an update loses a digit."""
AHEAD = 16
"""Clean rows for which v is computed at once, those next to cross: one product of matrices in place of many with
vectors."""
SPARE = 64
"""Columns that a run has room for beside the active poison and one for each change."""
NEAR = 32.0
"""Above beta times this, a / beta would lose two digits in S a G = (a / beta) (I - S)."""
STALL = 50
"""Events at one beta, per row, after which ties count as unsolvable: each row may come and go some times, and a circle
has no end."""


class PoisonRun:
    """A run over the rows that are watched, and the active poison, as `stretch.Run` has it.

    H^-1 of the active clean rows changes by updates. A column is k scores, of the rows of the run, above what it is of
    the `raw` columns, H^-1 z for H as it was at the start.

    Parameters
    ----------
    problem : Problem
    here : Here
        Where it begins.
    w0 : array of shape (r,)
        The optimum of the active clean rows alone, or near it.
    scale : float
        Of tau.
    watched : int array
    most_updates : int
        Changes of H after which it ends.
    """

    def __init__(
        self,
        problem: Problem,
        here: Here,
        w0: Float[np.ndarray, " r"],
        scale: float,
        watched: Int[np.ndarray, " j"],
        most_updates: int,
    ) -> None:
        self.problem, self.scale, self.beta, self.active = problem, scale, here.beta, here.active.copy()
        is_poison = problem.du > 0.0
        clean = self.active & ~is_poison
        self.inverse = here.inverse or inverse_hessian(problem.Z, np.flatnonzero(clean), problem.u0[clean])
        for _ in range(2):
            w0 = w0 - self.inverse(gradient(problem.Z, problem.y, np.where(clean, problem.u0, 0.0), w0))
        self.w0 = w0
        self.rows = np.union1d(watched, np.flatnonzero(self.active & is_poison))
        self.k = len(self.rows)
        self.Z, self.y, self.u0, self.du = (
            values[self.rows] for values in (problem.Z, problem.y, problem.u0, problem.du)
        )
        self.on, self.is_poison = self.active[self.rows], is_poison[self.rows]
        # What w is off if a row stays active beyond its margin, over how far beyond: margins of active rows count so.
        self.heavy = 1.0 + 2.0 * (self.u0 + self.du) * np.einsum("nr,nr->n", self.Z, self.Z)
        self.poison = np.flatnonzero(self.on & self.is_poison)
        room = len(self.poison) + most_updates + SPARE
        self.raw, self.n_raw = np.empty((len(w0), room), order="F"), 0
        self.base = np.concatenate([self.Z @ w0, np.zeros(room)])
        self.F = self._columns(self.poison)
        self.V, self.t = np.empty((self.k + room, most_updates), order="F"), np.empty(most_updates)
        self.updates, self.known = 0, dict[int, np.ndarray]()

    @property
    def full(self) -> bool:
        """Whether there is no room for what one more change may bring."""
        return self.updates == len(self.t) or self.n_raw + AHEAD + 2 > self.raw.shape[1]

    def _raw(self, W: Float[np.ndarray, "r j"]) -> Float[np.ndarray, "k_plus_room j"]:
        """Return columns of parameters, which become raw ones."""
        j, first = W.shape[1], self.n_raw
        columns = np.zeros((self.k + self.raw.shape[1], j), order="F")
        columns[: self.k] = self.Z @ W
        columns[self.k + first + np.arange(j), np.arange(j)] = 1.0
        self.raw[:, first : first + j] = W
        self.n_raw += j
        return columns

    def _columns(self, rows: Int[np.ndarray, " j"]) -> Float[np.ndarray, "k_plus_room j"]:
        """Return H^-1 z for some rows z, for H as it was at the start."""
        return self._raw(self.inverse(np.ascontiguousarray(self.Z[rows].T)))

    def _parameters(self, column: Float[np.ndarray, " k_plus_room"]) -> Float[np.ndarray, " r"]:
        """Return the parameters of a column."""
        return self.raw[:, : self.n_raw] @ column[self.k : self.k + self.n_raw]

    def _column(self, k: int, next_rows: Int[np.ndarray, " j"]) -> Float[np.ndarray, " k_plus_room"]:
        """Return H^-1 z_k; those of the rows that seem to be next are prepared with it."""
        if k not in self.known:
            rows = [k, *(int(j) for j in next_rows if j not in self.known and j != k)][:AHEAD]
            self.known.update(zip(rows, self._columns(np.array(rows)).T, strict=True))
        j = self.updates
        return self.known[k] - self.V[:, :j] @ (self.t[:j] * self.V[k, :j])

    def _duals(self) -> Float[np.ndarray, "order m"]:
        """Return the coefficients of c in powers of x about the present beta."""
        P, beta, a = self.poison, self.beta, self.beta + 2.0 * self.scale
        c = np.zeros((ORDER + 1, len(P)))
        if len(P):
            root = np.sqrt(2.0 * self.du[P])
            G = self.F[P]
            G *= root
            G *= root[:, np.newaxis]
            system = beta * G
            system.flat[:: len(P) + 1] += 1.0
            factor, _ = dpotrf(system.T, lower=1, overwrite_a=1)
            e, _ = dpotrs(factor, root * (self.y[P] - self.base[P]), lower=1)
            for k in range(ORDER):
                c[k] += beta * e
                c[k + 1] = a * e
                if a < NEAR * beta:
                    S_e, _ = dpotrs(factor, e, lower=1)
                    e = S_e - (a / beta) * (e - S_e)
                else:
                    e, _ = dpotrs(factor, e - a * (G @ e), lower=1)
            c[ORDER] += beta * e
            c *= root
        return c

    def follow(self, stop: float) -> tuple[Stretch, Here]:
        """Return the pieces up to tau = stop, or up to where H is to be factored anew, and the path there."""
        edges, events, parts, standing = [self._tau()], [], [], 0
        while True:
            c, tau0 = self._duals(), self._tau()
            scores = c @ self.F[: self.k].T
            scores[0] += self.base[: self.k]
            side = np.where(self.on, self.heavy, -1.0)
            R = scores * (-side * self.y)
            R[0] += side
            x_stop = float(np.tanh((stop - tau0) / 2.0))
            series_to, piece_to = accuracy_of_scores(scores)
            x, row = first_crossing(R, min(x_stop, series_to, float(np.tanh(piece_to / 2.0))))
            if row is not None and np.abs(R[ORDER - 1 :, row]).max() * x**ORDER > SERIES:
                x, row = 0.9 * x, None  # the event is not known well enough: it is looked at from nearby
            tau = stop if x == x_stop else tau0 + 2.0 * float(np.arctanh(x))
            if tau - edges[-1] > SHORTEST or (x == x_stop and tau > edges[-1]):
                values = self._values(c, tau0, edges[-1], tau)
                parts.append(values[:-1])
                edges.append(tau)
                events.append(row is not None)
                standing = 0
            else:
                values, standing = self._at(c, np.array([x])), standing + 1
                if standing > STALL * len(self.problem.y):
                    raise PathError(f"ties keep the path from going on at beta = {self.beta:g}; rescale the features")
            self.beta = (self.beta + x * (self.beta + 2.0 * self.scale)) / (1.0 - x)
            goes_on = x != x_stop if row is None else self._flip(row, R)
            if not goes_on:
                W = self.w0 + np.vstack([*parts, values[-1:]])[:, : self.n_raw] @ self.raw[:, : self.n_raw].T
                self.w0 = self.w0 + self._parameters(self.base)
                return Stretch(np.array(edges), W, np.array(events, dtype=bool)), Here(self.beta, W[-1], self.active)

    def _flip(self, k: int, R: Float[np.ndarray, "order k"]) -> bool:
        """Let row k become active or inactive; return whether the run can go on with it."""
        self.on[k] ^= True
        self.active[self.rows[k]] ^= True
        if self.is_poison[k]:
            if self.on[k]:
                if self.full:
                    return False
                column = self._column(k, np.empty(0, dtype=np.intp))
                self.F = np.asfortranarray(np.column_stack([self.F, column]))
                self.poison = np.append(self.poison, k)
            else:
                j = np.flatnonzero(self.poison == k)[0]
                self.F[:, j], self.poison[j] = self.F[:, -1], self.poison[-1]
                self.F, self.poison = self.F[:, :-1], self.poison[:-1]
            return True
        if self.full:
            return False
        v = self._column(k, _next(R, ~self.is_poison))
        e = 2.0 * self.u0[k] if self.on[k] else -2.0 * self.u0[k]
        if delicate := 1.0 + e * v[k] < DELICATE:
            v = self._refined(v, k)
        if (pivot := 1.0 + e * v[k]) < POOR:
            return False
        t = e / pivot
        self.base += t * (self.y[k] - self.base[k]) * v
        if self.F.shape[1]:
            # H^-1 is symmetric: v has the scores of k in the poison rows' columns, and more precisely.
            self.F = dger(-t, v, v[self.poison], a=self.F, overwrite_a=1)
        self.V[:, self.updates], self.t[self.updates] = v, t
        self.updates += 1
        if delicate:
            self._polish()
        return True

    def _solve(self, g: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
        """Return H^-1 g for the clean rows' H; its error is relative to g, which should be small."""
        V, t = self.V[:, : self.updates], self.t[: self.updates]
        answers = V[self.k : self.k + self.n_raw].T @ (self.raw[:, : self.n_raw].T @ g)
        return self.inverse(g) - self._parameters(V @ (t * answers))

    def newton_step(self, g: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
        """Return H^-1 g where the run has ended, the poison rows in H."""
        P, step = self.poison, self._solve(g)
        if not len(P):
            return step
        root = np.sqrt(2.0 * self.beta * self.du[P])
        system = np.eye(len(P)) + root * self.F[P] * root[:, np.newaxis]
        return step - self._parameters(self.F @ (root * np.linalg.solve(system, root * (self.Z[P] @ step))))

    def _refined(self, v: Float[np.ndarray, " k_plus_room"], k: int) -> Float[np.ndarray, " k_plus_room"]:
        """Return v = H^-1 z_k with k among the rows of H, anew from what is left of the equation."""
        Z, w, active = self.problem.Z, self._parameters(v), self._clean()
        active[self.rows[k]] = True
        u = np.where(active, 2.0 * self.problem.u0, 0.0)
        for _ in range(2):
            w = w + self._solve(self.Z[k] - w - lifted(Z, u * (Z @ w)))
        return self._raw(w[:, np.newaxis])[:, 0]

    def _polish(self) -> None:
        """Correct w0 by what its gradient says."""
        w = self.w0 + self._parameters(self.base)
        u = np.where(self._clean(), self.problem.u0, 0.0)
        step = self._solve(gradient(self.problem.Z, self.problem.y, u, w))
        self.base -= self._raw(step[:, np.newaxis])[:, 0]

    def _clean(self) -> Bool[np.ndarray, " n"]:
        """Which clean rows are active."""
        return self.active & (self.problem.du == 0.0)

    def _tau(self) -> float:
        return float(np.log1p(self.beta / self.scale))

    def _at(self, c: Float[np.ndarray, "order m"], x: Float[np.ndarray, " p"]) -> Float[np.ndarray, "p room"]:
        """Return w at some x, in raw columns."""
        return x[:, np.newaxis] ** POWERS @ c @ self.F[self.k :].T + self.base[self.k :]

    def _values(
        self, c: Float[np.ndarray, "order m"], tau0: float, left: float, right: float
    ) -> Float[np.ndarray, "p room"]:
        """Return w at the points of a piece."""
        return self._at(c, np.tanh((left + (right - left) * SHARES - tau0) / 2.0))


def _next(R: Float[np.ndarray, "order n"], rows: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " j"]:
    """Return the rows that would cross next if they went on as they do."""
    falling = np.flatnonzero((R[1] < 0.0) & rows)
    return falling[np.argsort(-R[0, falling] / R[1, falling])[: 2 * AHEAD]]
