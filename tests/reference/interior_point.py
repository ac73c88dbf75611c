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


def solve(K, y, u, free, tied=1e-15, near=None):
    """Return the optimum of min 1/2 a'Qa - sum(a), 0 <= a <= u, and y'a = 0 if `free`; Q_ij = y_i y_j K_ij.

    Bounds of both classes that differ by less than `tied` of their sum count as balanced: at a jump they are to within
    rounding, and every intercept in an interval is optimal. With duals `near`, those are polished instead of PIQP's:
    the proof does not ask where a solution comes from.
    """
    kept = np.flatnonzero(u > 0)
    dual = _Dual(K[np.ix_(kept, kept)], y[kept], u[kept].astype(EXTENDED), free, tied)
    rough, status = dual.by_piqp() if near is None else dual.sorted(near[kept].astype(EXTENDED))
    found = [(dual.proof(dual.feasible(rough)), dual.feasible(rough), np.inf)]
    for system in (_LeastNorm, _Pivoted):
        found += [(dual.proof(a), a, error) for a, error in dual.polished(rough, status.copy(), system)]
        (gap, objective, low, high), best, error = min(found, key=lambda candidate: candidate[0][0])
        if gap <= 1e-13 * abs(objective):
            break
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

        Its variables are x = a / v with v the smaller of the bound and 1 / K, of the size that a dual has where no
        bound holds it: bounds may be ten orders of magnitude apart, or never reached.
        """
        v = np.minimum(self.u.astype(float), 1 / max(float(np.diag(self.K).max()), np.finfo(float).tiny))
        unit = float(v.max())
        top = (self.u / v).astype(float)
        solver = piqp.DenseSolver()
        solver.settings.eps_abs, solver.settings.eps_rel = 1e-12, 1e-12
        equality = ((self.y * v / unit)[np.newaxis], np.zeros(1)) if self.free else (None, None)
        Q = self.K.astype(float) * np.outer(self.y * v, self.y * v) / unit
        solver.setup(Q, -v / unit, *equality, None, None, None, np.zeros(len(v)), top)
        solver.solve()
        x = np.clip(solver.result.x, 0, top)
        status = np.where(x * v / unit < solver.result.z_bl, ZERO, BETWEEN)
        status[(top - x) * v / unit < solver.result.z_bu] = BOUND
        return v * x.astype(EXTENDED), status

    def sorted(self, a):
        """Return duals and their sets: at a limit are those within rounding of it."""
        return a, np.where(a <= 1e-15 * self.u, ZERO, np.where(a >= (1 - 1e-15) * self.u, BOUND, BETWEEN))

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

    def polished(self, a, status, system):
        """Yield solutions of the linear system of ever better sets, with what is left in |w| where these are strict.

        One row at a time leaves the rows in between where a step would take it past a limit, and one joins them where
        its gradient has the wrong sign.
        """
        K, y, u = self.K, self.y, self.u
        a = self.feasible(np.where(status == ZERO, 0, np.where(status == BOUND, u, a)))
        # A row that took up what the balance lacked is at its limit no more: only on the margin it finds back.
        status[(a > 0) & (a < u)] = BETWEEN
        low, high = optimal_intercepts(self.offsets(a), y, u, self.tied) if self.free else (0.0, 0.0)
        b = (EXTENDED(low) + high) / 2
        for _ in range(3 * len(y)):
            M = np.flatnonzero(status == BETWEEN)
            margin = system(K[np.ix_(M, M)] * np.outer(y[M], y[M]), y[M], self.free)
            for _ in range(6):
                da, db = margin.solve(-(y * (self.offsets(a) + b) - 1)[M], -(y @ a)) if M.size else (np.zeros(0), 0.0)
                room = np.where(da < 0, a[M], (u - a)[M]) / np.maximum(np.abs(da), 1e-300)
                step = min(1.0, room.min(initial=1.0))
                a[M] += step * da
                b += step * db
                if step < 1:
                    break
            if step < 1:
                row = int(np.argmin(room))
                status[M[row]] = ZERO if da[row] < 0 else BOUND
                continue
            moved = K[:, M] @ (y[M] * da)
            left = float(np.sqrt(max(da @ (y[M] * moved[M]), 0)))
            g = y * (self.offsets(a) + b) - 1
            side = np.where(status == ZERO, g, np.where(status == BOUND, -g, np.inf))
            # What the system leaves out it does not see: the residual itself must be rounding.
            exact = np.abs(g[M]).max(initial=0.0) <= 1e-18 * (len(M) + float(np.abs(a).sum()) * np.abs(K).max())
            apart = (np.minimum(a, u - a)[M] > 10 * abs(da)).all() and (side > 10 * (abs(moved).max() + abs(db))).all()
            strict = M.size > 0 and exact and apart
            yield self.feasible(a), (10 * left if strict else np.inf)
            if side.min() > -1e-16:
                return
            status[np.argmin(side)] = BETWEEN


class _LeastNorm:
    """The system Q da + y db = r, y'da = s by a pseudo-inverse; without `free` db = 0 and s is no matter."""

    def __init__(self, Q, y, free):
        Q = Q.astype(float)
        self.free, self.size = free, float(np.diag(Q).mean()) if len(y) else 1.0
        self.size = self.size or 1.0
        if free:
            column = self.size * y[:, np.newaxis]
            Q = np.block([[Q, column], [column.T, np.zeros((1, 1))]])
        self.inverse = np.linalg.pinv(Q, rcond=1e-14, hermitian=True)

    def solve(self, r, s):
        if not self.free:
            return self.inverse @ r.astype(float), 0.0
        v = self.inverse @ np.append(r, self.size * s).astype(float)
        return v[:-1], v[-1] * self.size


class _Pivoted:
    """The same by a pivoted Cholesky factor of Q + kappa y y' in extended precision, for all but singular systems."""

    def __init__(self, Q, y, free):
        self.y, self.free = y.astype(EXTENDED), free
        self.kappa = EXTENDED(np.diag(Q).mean() if free and len(y) else 0.0)
        A = Q.astype(EXTENDED) + self.kappa * np.outer(self.y, self.y)
        self.order, self.L, rest = np.arange(len(y)), np.zeros_like(A), np.diag(A).copy()
        floor, self.rank = 1e-17 * rest.max(initial=0), 0
        while self.rank < len(y):
            k = self.rank
            j = k + int(np.argmax(rest[k:]))
            if rest[j] <= floor:
                break
            for swapped in (self.order, rest, self.L):
                swapped[[k, j]] = swapped[[j, k]]
            self.L[k, k] = np.sqrt(rest[k])
            below = A[self.order[k + 1 :], self.order[k]] - self.L[k + 1 :, :k] @ self.L[k, :k]
            self.L[k + 1 :, k] = below / self.L[k, k]
            rest[k + 1 :] -= self.L[k + 1 :, k] ** 2
            self.rank += 1

    def solve(self, r, s):
        P, da, db = self.order[: self.rank], np.zeros_like(self.y), EXTENDED(0)
        da[P] = self.inverse_times(r[P])
        if self.free and self.rank:
            z = self.inverse_times(self.y[P])
            db = (self.y[P] @ da[P] - s) / (self.y[P] @ z)
            da[P] -= db * z
            db += self.kappa * s
        return da, db

    def inverse_times(self, r):
        L, x = self.L, r.astype(EXTENDED)
        for k in range(self.rank):
            x[k] = (x[k] - L[k, :k] @ x[:k]) / L[k, k]
        for k in reversed(range(self.rank)):
            x[k] = (x[k] - L[k + 1 : self.rank, k] @ x[k + 1 :]) / L[k, k]
        return x
