"""Active-set steps of the squared hinge: from event to event, where the margin of a row crosses 1.

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
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg.blas import dger
from scipy.linalg.lapack import dpotrf, dpotrs

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.interpolation.chebyshev import chebyshev_points
from backdoor_curves.paths.squared_hinge.problem import Problem, gradient, inverse_hessian
from backdoor_curves.paths.squared_hinge.series import (
    DEGREE,
    ORDER,
    POWERS,
    SERIES,
    accurate_to,
    first_crossing,
)

SHORTEST = 1e-11
"""Pieces shorter than this in tau are merged with the next: their ends differ by rounding."""
UPDATES = 128
"""Most changes of H after which it is factored anew: each adds a column of all rows to what an event costs, and its
rounding."""
POOR = 1e-6
"""A row all but alone in its direction, by this share, is not taken out of H by an update, which would lose six
digits."""
DELICATE = 0.1
"""A row less alone than that, but so much, is taken out with care: an update loses a digit."""
AHEAD = 16
"""Clean rows for which v is computed at once, those next to cross: one product of matrices in place of many with
vectors."""
STALL = 50
"""Events at one beta, per row, after which ties count as unsolvable: each row may come and go some times, and a circle
has no end."""


@dataclass(frozen=True, eq=False)
class Point:
    """The path at one beta: w, the optimum w0 of the active clean rows alone, and which rows are active."""

    beta: float
    w: Float[np.ndarray, " r"]
    w0: Float[np.ndarray, " r"]
    active: Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Piece:
    """One panel of the path: where it ends in tau, w at its points but the last, and whether it ends in an event."""

    end: float
    W: Float[np.ndarray, "p r"]
    event: bool


class ActiveSetRun:
    """Events one after the other along which H^-1 changes by updates, up to the next factorisation.

    Columns of length n + r hold the scores of all rows above parameters.
    """

    def __init__(self, problem: Problem, start: Point, scale: float, most_updates: int) -> None:
        self.problem, self.scale, self.beta = problem, scale, start.beta
        self.n, self.r = problem.Z.shape
        self.active, self.is_poison = start.active.copy(), problem.du > 0.0
        clean = self.active & ~self.is_poison
        Z, y, u = problem.Z[clean], problem.y[clean], problem.u0[clean]
        self.inverse = inverse_hessian(Z, u)
        w0 = start.w0
        for _ in range(2):
            w0 = w0 - self.inverse(gradient(Z, y, u, w0))
        self.base = np.concatenate([problem.Z @ w0, w0])
        # What w is off if a row stays active beyond its margin, over how far beyond: margins of active rows count so.
        self.heavy = 1.0 + 2.0 * problem.u(1.0) * np.einsum("nr,nr->n", problem.Z, problem.Z)
        self.poison = np.flatnonzero(self.active & self.is_poison)
        self.F = self._columns(self.poison)
        self.V, self.t = np.empty((self.n + self.r, most_updates), order="F"), np.empty(most_updates)
        self.updates, self.known = 0, dict[int, np.ndarray]()

    def _columns(self, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, "n_plus_r k"]:
        """Return H^-1 z for some rows z, for H as it was at the start."""
        Z = self.problem.Z
        V = np.empty((self.n + self.r, len(rows)), order="F")
        V[self.n :] = self.inverse(np.ascontiguousarray(Z[rows].T))
        V[: self.n] = Z @ V[self.n :]
        return V

    def _column(self, k: int, next_rows: Int[np.ndarray, " j"]) -> Float[np.ndarray, " n_plus_r"]:
        """Return H^-1 z_k; those of the rows that seem to be next are prepared with it."""
        if k not in self.known:
            rows = [k, *(int(j) for j in next_rows if j not in self.known and j != k)][:AHEAD]
            self.known.update(zip(rows, self._columns(np.array(rows)).T, strict=True))
        j = self.updates
        return self.known[k] - self.V[:, :j] @ (self.t[:j] * self.V[k, :j])

    def series(self) -> Float[np.ndarray, "order n_plus_r"]:
        """Return the coefficients of scores and parameters in powers of x about the present beta."""
        P, beta, a = self.poison, self.beta, self.beta + 2.0 * self.scale
        c = np.zeros((ORDER + 1, len(P)))
        if len(P):
            root = np.sqrt(2.0 * self.problem.du[P])
            G = self.F[P] * root
            G *= root[:, np.newaxis]
            system = beta * G
            system.flat[:: len(P) + 1] += 1.0
            factor, _ = dpotrf(system.T, lower=1, overwrite_a=1)
            e, _ = dpotrs(factor, root * (self.problem.y[P] - self.base[P]), lower=1)
            for k in range(ORDER):
                c[k] += beta * e
                c[k + 1] = a * e
                e, _ = dpotrs(factor, e - a * (G @ e), lower=1)
            c[ORDER] += beta * e
            c *= root
        series = c @ self.F.T
        series[0] += self.base
        return series

    def follow(self) -> tuple[list[Piece], Point]:
        """Return the pieces of this run and the point where it ends."""
        pieces: list[Piece] = []
        edge, standing = self._tau(), 0
        end = float(np.log1p(1.0 / self.scale))
        while True:
            series = self.series()
            side = np.where(self.active, self.heavy, -1.0)
            R = series[:, : self.n] * (-side * self.problem.y)
            R[0] += side
            x_end = float(np.tanh((end - self._tau()) / 2.0))
            x, row = first_crossing(R, min(x_end, accurate_to(series[:, : self.n])))
            if row is not None and np.abs(R[ORDER - 1 :, row]).max() * x**ORDER > SERIES:
                x, row = 0.9 * x, None  # the event is not known well enough: it is looked at from nearby
            tau = end if x == x_end else self._tau() + 2.0 * np.arctanh(x)
            if tau - edge > SHORTEST or (x == x_end and tau > edge):
                pieces.append(Piece(tau, self._values(series, edge, tau), row is not None))
                edge, standing = tau, 0
            elif (standing := standing + 1) > STALL * self.n:
                raise PathError(f"ties keep the path from going on at beta = {self.beta:g}; rescale the features")
            w = x**POWERS @ series[:, self.n :]
            self.beta = 1.0 if x == x_end else self._beta(x)
            goes_on = x != x_end if row is None else self._flip(row, R)
            if not goes_on:
                return pieces, Point(self.beta, w, self.base[self.n :].copy(), self.active)

    def _flip(self, k: int, R: Float[np.ndarray, "n order"]) -> bool:
        """Let row k become active or inactive; return whether the run can go on with it."""
        self.active[k] ^= True
        if self.is_poison[k]:
            if self.active[k]:
                column = self._column(k, np.empty(0, dtype=np.intp))
                self.F = np.asfortranarray(np.column_stack([self.F, column]))
                self.poison = np.append(self.poison, k)
            else:
                j = np.flatnonzero(self.poison == k)[0]
                self.F[:, j], self.poison[j] = self.F[:, -1], self.poison[-1]
                self.F, self.poison = self.F[:, :-1], self.poison[:-1]
            return True
        if self.updates == len(self.t):
            return False
        v = self._column(k, _next(R, ~self.is_poison))
        e = 2.0 * self.problem.u0[k] if self.active[k] else -2.0 * self.problem.u0[k]
        if delicate := 1.0 + e * v[k] < DELICATE:
            v = self._refined(v, k)
        if (pivot := 1.0 + e * v[k]) < POOR:
            return False
        t = e / pivot
        self.base += t * (self.problem.y[k] - self.base[k]) * v
        if self.F.shape[1]:
            # H^-1 is symmetric: v has the scores of k in the poison rows' columns, and more precisely.
            self.F = dger(-t, v, v[self.poison], a=self.F, overwrite_a=1)
        self.V[:, self.updates], self.t[self.updates] = v, t
        self.updates += 1
        if delicate:
            self._polish()
        return True

    def _solve(self, g: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
        """Return H^-1 g; its error is relative to g, which should be small."""
        V, t = self.V[self.n :, : self.updates], self.t[: self.updates]
        return self.inverse(g) - V @ (t * (V.T @ g))

    def _refined(self, v: Float[np.ndarray, " n_plus_r"], k: int) -> Float[np.ndarray, " n_plus_r"]:
        """Return v = H^-1 z_k with k among the rows of H, anew from what is left of the equation."""
        A = np.append(np.flatnonzero(self.active & ~self.is_poison), k)
        Z, u, w = self.problem.Z[A], self.problem.u0[A], v[self.n :]
        for _ in range(2):
            w = w + self._solve(self.problem.Z[k] - w - Z.T @ (2.0 * u * (Z @ w)))
        return np.concatenate([self.problem.Z @ w, w])

    def _polish(self) -> None:
        """Correct w0 by what its gradient says."""
        A = np.flatnonzero(self.active & ~self.is_poison)
        w = self.base[self.n :]
        w = w - self._solve(gradient(self.problem.Z[A], self.problem.y[A], self.problem.u0[A], w))
        self.base = np.concatenate([self.problem.Z @ w, w])

    def _tau(self) -> float:
        return float(np.log1p(self.beta / self.scale))

    def _beta(self, x: float) -> float:
        return (self.beta + x * (self.beta + 2.0 * self.scale)) / (1.0 - x)

    def _values(
        self, series: Float[np.ndarray, "order n_plus_r"], left: float, right: float
    ) -> Float[np.ndarray, "p r"]:
        """Return w at the points of a panel but its last."""
        points = left + (right - left) * (chebyshev_points(DEGREE)[:-1] + 1.0) / 2.0
        x = np.tanh((points - self._tau()) / 2.0)
        return x[:, np.newaxis] ** POWERS @ series[:, self.n :]


def _next(R: Float[np.ndarray, "order n"], rows: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " j"]:
    """Return the rows that would cross next if they went on as they do."""
    falling = np.flatnonzero((R[1] < 0.0) & rows)
    return falling[np.argsort(-R[0, falling] / R[1, falling])[: 2 * AHEAD]]
