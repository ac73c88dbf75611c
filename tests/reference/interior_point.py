"""The dual of a support vector machine by an interior-point method, with a proof of how near the optimum it is.

PIQP (another algorithm, by other authors) finds a solution in double precision. At C = 100 a relative gap of 1e-11
still leaves 1e-4 in the scores, so its solution is polished: with the sets that it identifies (rows at 0, at their
bound, in between) the conditions of the optimum are a linear system, whose residual is computed and reduced in extended
precision. A row that turns out to be in the wrong set changes it, and the better of both solutions is kept.

The proof needs neither. For any feasible a and any b, with g_i = y_i f_i - 1,

    1/2 |w - w*|^2  <=  primal - dual  =  sum_i  a_i max(0, g_i) + (u_i - a_i) max(0, -g_i),

a sum of terms >= 0, in extended precision. Where the sets are strict (no row at the edge of two of them by more than
the last correction moves it), the last correction itself says what is left, which is far less.
"""

from dataclasses import dataclass

import numpy as np
import piqp

ZERO, BETWEEN, BOUND = 0, 1, 2
EXTENDED = np.longdouble


@dataclass(frozen=True, eq=False)
class Optimum:
    """Duals `a`, the interval of optimal intercepts, the objective, and what is proved of them.

    `gap` bounds objective - optimum relative to the objective, `error` bounds |w - w*| and so, times the length of a
    row in the kernel's space, the error of its score without the intercept. The interval's ends are off by `error`
    times the longest training row at most.
    """

    a: np.ndarray
    y: np.ndarray
    low: float
    high: float
    objective: float
    gap: float
    error: float

    @property
    def intercept(self):
        return (self.low + self.high) / 2

    def is_unique(self, tolerance=1e-9):
        """Whether one intercept is optimal; the objective then has no flat part."""
        return self.high - self.low <= tolerance * (1 + abs(self.high))

    def offsets(self, cross):
        """The scores without the intercept, from the kernel matrix (training rows, other rows)."""
        used = np.flatnonzero(self.a)
        return ((self.a * self.y)[used] @ cross[used].astype(EXTENDED)).astype(float)


def solve(K, y, u, free, tied=1e-15):
    """Return the optimum of min 1/2 a'Qa - sum(a), 0 <= a <= u, and y'a = 0 if `free`; Q_ij = y_i y_j K_ij.

    Bounds of both classes that differ by less than `tied` of their sum count as balanced: at a jump they are to within
    rounding, and every intercept in an interval is optimal.
    """
    kept = np.flatnonzero(u > 0)
    dual = _Dual(K[np.ix_(kept, kept)], y[kept], u[kept].astype(EXTENDED), free, tied)
    rough, status = dual.by_piqp()
    found = [(dual.feasible(rough), np.inf), *dual.polished(rough, status)]
    proved = [(dual.proof(a), a, error) for a, error in found]
    (gap, objective, low, high), best, error = min(proved, key=lambda candidate: candidate[0][0])
    a = np.zeros(len(y), dtype=EXTENDED)
    a[kept] = best
    error = min(float(np.sqrt(2 * gap)), error)
    return Optimum(a, y, low, high, float(objective), float(gap / max(abs(objective), np.finfo(float).tiny)), error)


def optimal_intercepts(h, y, u, tied):
    """Return the interval of b that minimises sum_i u_i max(0, 1 - y_i (h_i + b)).

    The slope in b rises by u_i where b passes y_i - h_i. Errors of h move the interval by their size and no further,
    however small the slopes are; a slope below `tied` times the sum of u counts as none.
    """
    order = np.argsort(y - h)
    kinks, rises = (y - h)[order], u[order]
    slope = np.cumsum(rises) - u[y > 0].sum()  # to the right of each kink
    flat = tied * float(u.sum())
    first = int(np.argmax(slope >= -flat))
    last = first + 1 if abs(slope[first]) <= flat and first + 1 < len(kinks) else first
    return float(kinks[first]), float(kinks[last])


@dataclass(frozen=True, eq=False)
class _Dual:
    K: np.ndarray
    y: np.ndarray
    u: np.ndarray
    free: bool
    tied: float

    def by_piqp(self):
        """PIQP's solution and the set of each row: there its distance from a limit is below that limit's multiplier.

        Its variables are x = a / u in [0, 1]: bounds may be ten orders of magnitude apart.
        """
        u = (self.u / self.u.max()).astype(float)
        solver = piqp.DenseSolver()
        solver.settings.eps_abs, solver.settings.eps_rel = 1e-12, 1e-12
        equality = ((self.y * u)[np.newaxis], np.zeros(1)) if self.free else (None, None)
        Q = float(self.u.max()) * (self.K * np.outer(self.y * u, self.y * u))
        solver.setup(Q, -u, *equality, None, None, None, np.zeros(len(u)), np.ones(len(u)))
        solver.solve()
        x = np.clip(solver.result.x, 0, 1)
        status = np.where(x * u < solver.result.z_bl, ZERO, BETWEEN)
        status[(1 - x) * u < solver.result.z_bu] = BOUND
        return self.u * x.astype(EXTENDED), status

    def offsets(self, a):
        used = np.flatnonzero(a)
        return (a * self.y)[used] @ self.K[used].astype(EXTENDED)

    def proof(self, a):
        """Return the gap, the objective and the optimal intercepts of a feasible a."""
        h = self.offsets(a)
        low, high = optimal_intercepts(h, self.y, self.u, self.tied) if self.free else (0.0, 0.0)
        g = self.y * (h + (low + high) / EXTENDED(2)) - 1
        left = abs(self.y @ a) * abs(g).max() if self.free else 0
        gap = (a * np.maximum(g, 0)).sum() + ((self.u - a) * np.maximum(-g, 0)).sum() + left
        return gap, (a * self.y) @ h / 2 - a.sum(), low, high

    def feasible(self, a):
        """Inside the bounds, and balanced by the rows that have most room."""
        a = np.clip(a, 0, self.u)
        for _ in range(3 if self.free else 0):
            excess = self.y @ a
            room = np.where(self.y * excess > 0, a, self.u - a)
            row = int(np.argmax(np.minimum(room, np.where(self.u - a > 0, a, 0)) if room.any() else room))
            a[row] = np.clip(a[row] - self.y[row] * excess, 0, self.u[row])
        return a

    def polished(self, a, status):
        """Yield solutions of the linear system of ever better sets, with what is left in |w| where these are strict."""
        K, y, u = self.K, self.y, self.u
        for _ in range(30):
            a = np.where(status == ZERO, 0, np.where(status == BOUND, u, a))
            M = np.flatnonzero(status == BETWEEN)
            inverse, border = self.bordered_inverse(M)
            low, high = optimal_intercepts(self.offsets(a), y, u, self.tied) if self.free else (0.0, 0.0)
            b, length = (EXTENDED(low) + high) / 2, np.inf
            g = y * (self.offsets(a) + b) - 1
            step = moved = np.zeros(len(M))
            for _ in range(6 if M.size else 0):
                r = np.append(-g[M], -(y @ a) * border if self.free else []).astype(float)
                step = inverse @ r
                a[M] += step[: len(M)]
                b += step[len(M)] * border if self.free else 0
                moved = K[:, M] @ (y[M] * step[: len(M)])
                length = float(np.sqrt(max(step[: len(M)] @ (y[M] * moved[M]), 0)))
                g = y * (self.offsets(a) + b) - 1
            room = np.minimum(a, u - a)[M] - 10 * abs(step[: len(M)])
            side = np.where(status == ZERO, g, np.where(status == BOUND, -g, np.inf))
            drift = 10 * (np.abs(moved).max(initial=0.0) + (abs(step[-1] * border) if self.free and M.size else 0))
            # What the pseudo-inverse leaves out it does not see: the residual itself must be rounding.
            exact = np.abs(g[M]).max(initial=0.0) <= 1e-18 * (len(M) + float(np.abs(a).sum()) * np.abs(K).max())
            strict = M.size > 0 and exact and (room > 0).all() and (side > drift).all()
            yield self.feasible(a), (10 * length if strict else np.inf)
            wrong = [(BETWEEN, side < -1e-15), (ZERO, (status == BETWEEN) & (a < 0))]
            wrong.append((BOUND, (status == BETWEEN) & (a > u)))
            if strict or not any(rows.any() for _, rows in wrong):
                return
            for new, rows in wrong:
                status = np.where(rows, new, status)

    def bordered_inverse(self, M):
        """The pseudo-inverse of [[Q_MM, s y], [s y', 0]], s of the size of Q, and s; no border without `free`."""
        Q = self.K[np.ix_(M, M)] * np.outer(self.y[M], self.y[M])
        s = float(np.diag(self.K).mean()) or 1.0
        if self.free:
            column = s * self.y[M][:, np.newaxis]
            Q = np.block([[Q, column], [column.T, np.zeros((1, 1))]])
        return np.linalg.pinv(Q, rcond=1e-14, hermitian=True), s
