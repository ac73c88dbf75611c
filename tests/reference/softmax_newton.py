"""Softmax regression by Newton's method, written out, with residuals in extended precision.

    1/2 |W|^2 + sum_i u_i (logsumexp(f_i) - f_i[y_i]),    f_i = W z_i

The Hessian of all classes is formed in double precision, and equal shifts of all intercepts, which cost nothing, get a
curvature there; gradient, scores and W are in extended precision, so that steps go on to shrink until W is right to the
last digits of a double.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

EXTENDED = np.longdouble


@dataclass(frozen=True, eq=False)
class Optimum:
    """The optimum in extended precision, W of shape (K, p); `error` is what a further step would move a score of X."""

    W: np.ndarray
    objective: EXTENDED
    error: float
    free: bool

    def scores(self, X):
        return with_column(X, self.free).astype(EXTENDED) @ self.W.T


def with_column(X, free):
    """X with a column of ones, the last, for free intercepts."""
    X = X.toarray() if sp.issparse(X) else np.asarray(X, dtype=float)
    return np.column_stack([X, np.ones(len(X))]) if free else X


def probabilities(F):
    E = np.exp(F - F.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def penalised(W, free):
    """W without its intercepts."""
    return W * np.append(np.ones(W.shape[1] - free), np.zeros(int(free)))


def objective(Z, y, u, W, free):
    """In the precision of W: small losses keep their digits, as the own class is set apart."""
    F, own = Z @ W.T, (np.arange(len(y)), y)
    ahead = F - F[own][:, np.newaxis]
    ahead[own] = -np.inf
    top = np.maximum(ahead.max(axis=1), 0)
    others = np.exp(ahead - top[:, np.newaxis]).sum(axis=1)
    losses = np.where(top > 0, top + np.log(np.exp(-top) + others), np.log1p(others))
    return (penalised(W, free) ** 2).sum() / 2 + u @ losses


def gradient(Z, y, u, W, free):
    """In the precision of W; of a row's own class minus the sum of the others, which keeps its digits."""
    P = probabilities(Z @ W.T)
    own = np.arange(len(y)), y
    P[own] = 0
    P[own] = -P.sum(axis=1)
    return penalised(W, free) + (P * u[:, np.newaxis]).T @ Z


def hessian(Z, u, W, free):
    """Of all classes, in double precision, (K p, K p)."""
    Z, u, (K, p) = Z.astype(float), u.astype(float), W.shape
    P = probabilities(Z @ W.T.astype(float))
    H = np.zeros((K, p, K, p))
    for k in range(K):
        for other in range(K):
            d = u * P[:, k] * ((k == other) - P[:, other])
            H[k, :, other] = (Z.T * d) @ Z
    R = np.append(np.ones(p - free), np.zeros(int(free)))
    return H.reshape(K * p, K * p) + np.diag(np.tile(R, K))


def solve(H, G):
    """H^-1 G of a gradient (K, p) that adds up to 0 over the classes.

    Equal parameters of all classes have the penalty alone, and intercepts nothing: they get a curvature of their own,
    which what adds up to 0 does not see.
    """
    K, p = G.shape
    of_columns = np.diag(H).reshape(K, p).mean(axis=0) / K
    H = H + np.kron(np.ones((K, K)), np.diag(of_columns))
    unit = 1.0 / np.sqrt(np.diag(H))  # columns have units of their own
    scaled = np.linalg.solve(H * unit * unit[:, np.newaxis], unit * np.asarray(G, dtype=float).ravel())
    return (unit * scaled).reshape(K, p)


def optimum(X, y, K, u, free=True, start=None):
    """Return the optimum, looked for from `start` (K, p), the intercepts last, or 0."""
    rows = with_column(X, free).astype(EXTENDED)
    on = u > 0
    Z, y, u = rows[on], np.asarray(y)[on], u[on].astype(EXTENDED)
    W = np.zeros((K, Z.shape[1]), dtype=EXTENDED) if start is None else start.astype(EXTENDED)
    before, H = np.inf, None
    for _ in range(500):
        G = gradient(Z, y, u, W, free)
        G = G - G.mean(axis=0)
        if H is None or before > 1e-3:
            H = hessian(Z, u, W, free)
        unit = np.abs(G).max() or EXTENDED(1)
        step = -unit * solve(H, G / unit).astype(EXTENDED)
        along = float(np.abs(rows @ step.T).max(initial=0))
        if along <= 1e-17 * (1 + np.abs(rows @ W.T).max(initial=0)) or (along > before / 4 and before < 1e-9):
            break
        share, value, fall = EXTENDED(1), objective(Z, y, u, W, free), (G * step).sum()
        while along > 1 and share > 1e-12 and objective(Z, y, u, W + share * step, free) > value + share * fall / 10:
            share /= 2
        H = H if along < before / 10 else None
        W, before = W + share * step, along
    else:
        raise AssertionError("Newton's method did not arrive")
    return Optimum(W - W.mean(axis=0), objective(Z, y, u, W, free), along, free)


def score_derivatives(X, y, u, du, best):
    """df/dbeta of the training rows from the optimality condition: H dW/dbeta = - sum_i du_i (P_i - Y_i) z_i'."""
    Z = with_column(X, best.free)
    P = probabilities(np.asarray(best.scores(X), dtype=float))
    P[np.arange(len(y)), y] -= 1
    pull = (P * du[:, np.newaxis]).T @ Z
    return Z @ solve(hessian(Z, u, best.W, best.free), pull - pull.mean(axis=0)).T * -1.0


def polished(X, y, u, start, accuracy=1e-10, most=6):
    """The optimum near `start` (K, p), free intercepts last, where a Hessian of all classes is too large to form.

    Newton's method by conjugate gradients with the diagonal for preconditioner, in double precision; gradients are in
    extended precision. `error` is a proof: the objective is 1-strongly convex in the coefficients, and intercepts
    follow by a mean of the rows weighted by matrices, so that a score is off by `reach` times the gradient's length.
    """
    rows = with_column(X, True)
    Z, W, on = rows.astype(EXTENDED), start.astype(EXTENDED), u > 0
    Z, y, u = Z[on], np.asarray(y)[on], u[on]
    for _ in range(most):
        G = gradient(Z, y, u.astype(EXTENDED), W, True)
        P = probabilities(rows[on] @ W.T.astype(float))
        error = float(np.linalg.norm((G - G.mean(axis=0)).astype(float))) * reach(X, rows[on], u, P)
        if error <= accuracy:
            break
        W = W - conjugate_gradients(rows[on], u, P, np.asarray(G, dtype=float))
    return Optimum(W - W.mean(axis=0), objective(Z, y, u, W, True), error, True)


def reach(X, Z, u, P):
    """By how much a score of X moves, at most, where coefficients move by 1, with the curvatures at P.

    Twice over, since the gradient of the intercepts counts too, and curvatures change a little on the way.
    """
    weighted = u[:, np.newaxis] * P
    B = np.diag(weighted.sum(axis=0)) - weighted.T @ P
    longest = np.linalg.norm(Z[:, :-1], axis=1).max(), np.linalg.norm(X, axis=1).max()
    spread = np.sqrt((weighted * (1 - P)).sum() / np.linalg.eigvalsh(B)[1])
    return 2 * (longest[1] + spread * longest[0] + 1 / np.linalg.eigvalsh(B)[1])


def conjugate_gradients(Z, u, P, G, share=1e-4, most=3000):
    """H^-1 G of a gradient (K, p), to a share of it, without forming H."""
    free = np.append(np.ones(Z.shape[1] - 1), 0.0)

    def product(V):
        F = Z @ V.T
        F = u[:, np.newaxis] * P * (F - (P * F).sum(axis=1, keepdims=True))
        return free * V + F.T @ Z

    diagonal = free + (u[:, np.newaxis] * P * (1 - P)).T @ Z**2
    G = G - G.mean(axis=0)
    V, r = np.zeros_like(G), G.copy()
    z = r / diagonal
    z -= z.mean(axis=0)
    d, rz = z, (r * z).sum()
    stop = share**2 * rz
    for _ in range(most):
        Hd = product(d)
        a = rz / (d * Hd).sum()
        V, r = V + a * d, r - a * Hd
        z = r / diagonal
        z -= z.mean(axis=0)
        last, rz = rz, (r * z).sum()
        if rz <= stop:
            break
        d = z + rz / last * d
    return V
