"""Events one after the other where rows are many and features few: series in w itself, with the inverse Hessian.

With the sums over the active rows, (A + beta B) w = a + beta b (see `sums`), let G = (A + beta0 B)^-1 and
s = 2 (beta0 + scale). In x = tanh((tau - tau0) / 2) (see `poison_run`) the optimum is

    w = sum_k c_k x^k       c_0 = G (a + beta0 b)       c_1 = s G (b - B c_0)       c_k+1 = c_k - s G B c_k,

as long as no row crosses its margin. One that does is a term of rank one in G, and in A or B, all about the same beta0:
an event costs r^2 and a look at the rows that are watched (`watch`), however many there are.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg.blas import dgemv, dger
from scipy.special import comb

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.squared_hinge.problem import Problem
from backdoor_curves.paths.squared_hinge.series import (
    ORDER,
    POWERS,
    accuracy_of_parameters,
    first_crossing,
)
from backdoor_curves.paths.squared_hinge.stretch import SHARES, Here, Stretch
from backdoor_curves.paths.squared_hinge.sums import Sums, inverse

SHORTEST = 1e-11
"""Pieces shorter than this in tau are merged with the next: their ends differ by rounding."""
UPDATES = 64
"""Most changes of G after which it is made anew: a factor is then a small part of what they cost."""
POOR = 1e-3
"""A row all but alone in its direction, by this share, is not taken out of G by an update, which would lose digits."""
STALL = 50
"""Events at one beta, per row, after which ties count as unsolvable: each row may come and go some times."""
FRESH = 0.5
"""Share of what a series is accurate on, beyond which it is begun anew at an event: further on it would end a piece."""
SHIFT = comb(POWERS, POWERS[:, np.newaxis])
SHIFTED = np.maximum(POWERS - POWERS[:, np.newaxis], 0)
"""A polynomial of coefficients c about x has SHIFT x^SHIFTED c about 0."""


class LostError(PathError):
    """The Hessian is singular in double precision."""


class FeatureRun:
    """A run over the rows that are watched, as `stretch.Run` has it.

    Parameters
    ----------
    problem : Problem
    sums : Sums
        Over the active rows, where it begins.
    here : Here
    scale : float
        Of tau.
    watched : int array of shape (k,)
    reach : array of shape (r,)
        What the entries of parameters are multiplied by so that no score is larger than their length.
    """

    def __init__(
        self,
        problem: Problem,
        sums: Sums,
        here: Here,
        scale: float,
        watched: Int[np.ndarray, " k"],
        reach: Float[np.ndarray, " r"],
    ) -> None:
        self.problem, self.sums, self.scale, self.watched, self.reach = problem, sums.copy(), scale, watched, reach
        self.beta, self.active = here.beta, here.active.copy()
        self.Z, self.y = problem.Z[watched], problem.y[watched]
        # What w is off if a row stays active beyond its margin, over how far beyond: margins of active rows count so.
        self.heavy = 1.0 + 2.0 * problem.u(1.0)[watched] * np.einsum("nr,nr->n", self.Z, self.Z)
        self.side = np.where(self.active[watched], self.heavy, -1.0)
        self.slopes = np.asfortranarray((self.Z * (-self.y * self.side)[:, np.newaxis]).T)
        self._centre(here.w)

    def newton_step(self, g: Float[np.ndarray, " r"]) -> Float[np.ndarray, " r"]:
        """Return H^-1 g where the run has ended."""
        return self.G @ g

    def _centre(self, w: Float[np.ndarray, " r"]) -> None:
        """Begin a series about the present beta, with G made anew; w is the optimum there but for rounding."""
        H = self.sums.hessian(self.beta)
        G = inverse(H)
        if G is None:
            raise LostError(f"the path stands still at beta = {self.beta:g}; raise lambda or rescale the features")
        self.G, self.x, self.updates = G, 0.0, 0
        self.beta0, self.tau0 = self.beta, float(np.log1p(self.beta / self.scale))
        self.c0 = w + G @ (self.sums.right(self.beta) - H @ w)
        self._expand()

    def _expand(self) -> None:
        """Make the series of w about beta0, and how far it is accurate."""
        s, G, B = 2.0 * (self.beta0 + self.scale), self.G, self.sums.B
        C = np.empty((ORDER + 1, len(self.c0)))
        C[0] = self.c0
        c = dgemv(s, G, self.sums.b - dgemv(1.0, B, self.c0))
        C[1] = c
        for k in range(2, ORDER + 1):
            c = c - dgemv(s, G, dgemv(1.0, B, c))
            C[k] = c
        self.C = C
        self.series_to, self.piece_to = accuracy_of_parameters(C * self.reach)

    def follow(self, stop: float) -> tuple[Stretch, Here]:
        """Return the pieces up to tau = stop, and the path there."""
        edges, events, parts, standing = [self.tau0], [], [], 0
        while True:
            C = (SHIFT * self.x**SHIFTED) @ self.C
            R = C @ self.slopes
            R[0] += self.side
            x_stop = float(np.tanh((stop - self.tau0) / 2.0))
            x_piece = float(np.tanh((edges[-1] + self.piece_to - self.tau0) / 2.0))
            h, row = first_crossing(R, max(min(x_stop, self.series_to, x_piece) - self.x, 0.0))
            before, self.x = self.x, self.x + h
            done = row is None and self.x >= x_stop
            tau = stop if done else self.tau0 + 2.0 * float(np.arctanh(self.x))
            if tau - edges[-1] > SHORTEST or (done and tau > edges[-1]):
                parts.append((C, self.tau0, before))
                edges.append(tau)
                events.append(row is not None)
                standing = 0
            elif (standing := standing + 1) > STALL * len(self.problem.y):
                raise PathError(f"ties keep the path from going on at beta = {self.beta:g}; rescale the features")
            self.beta = self._beta(self.x)
            w = h**POWERS @ C
            if done:
                self._centre(w)
                W = self._values(np.array(edges), parts, w)
                return Stretch(np.array(edges), W, np.array(events, dtype=bool)), Here(self.beta, w, self.active)
            sound = row is None or self._flip(row)
            if not sound or self.x > FRESH * self.series_to or self.updates >= UPDATES:
                self._centre(w)

    def _flip(self, j: int) -> bool:
        """Let a watched row become active or inactive; return whether G is still good."""
        i = self.watched[j]
        z, y = self.Z[j], float(self.y[j])
        sign = -1.0 if self.active[i] else 1.0
        self.active[i] ^= True
        self.side[j] = self.heavy[j] if sign > 0.0 else -1.0
        self.slopes[:, j] = (-y * self.side[j]) * z
        u0, du = sign * float(self.problem.u0[i]), sign * float(self.problem.du[i])
        self.sums.change(z, y, u0, du)
        e = 2.0 * (u0 + self.beta0 * du)
        g = dgemv(1.0, self.G, z)
        pivot = 1.0 + e * float(z @ g)
        if pivot < POOR:
            return False
        t = e / pivot
        self.c0 = self.c0 + (t * (y - float(z @ self.c0))) * g
        self.G = dger(-t, g, g, a=self.G, overwrite_a=1)
        self.updates += 1
        self._expand()
        return True

    def _beta(self, x: float) -> float:
        return (self.beta0 + x * (self.beta0 + 2.0 * self.scale)) / (1.0 - x)

    def _values(
        self,
        edges: Float[np.ndarray, " j_plus_1"],
        parts: list[tuple[Float[np.ndarray, "order r"], float, float]],
        w: Float[np.ndarray, " r"],
    ) -> Float[np.ndarray, "k r"]:
        """Return w at the points of all pieces, of each but the last; a part is a series, where it begins and ends."""
        if not parts:
            return w[np.newaxis]
        C = np.array([series for series, _, _ in parts])
        tau0, x0 = np.array([where for _, *where in parts]).T
        points = edges[:-1, np.newaxis] + np.diff(edges)[:, np.newaxis] * SHARES[:-1]
        h = np.tanh((points - tau0[:, np.newaxis]) / 2.0) - x0[:, np.newaxis]
        return np.vstack([(h[:, :, np.newaxis] ** POWERS @ C).reshape(-1, len(w)), w])
