"""Ridge regression on +1/-1 targets: the whole beta-path in closed form, for any number of classes.

With Z = [X, 1], square roots of row weights multiplied in, C for the clean rows and P for the poison rows, u = (w, b):

    objective(u, beta) = |Z_C u - Y_C|^2 + beta |Z_P u - Y_P|^2 + alpha |w|^2

    A0 = Z_C' Z_C + alpha diag(1, ..., 1, 0)        A1 = Z_P' Z_P        u0 = A0^-1 Z_C' Y_C
    A1 v = l A0 v,   V' A0 V = I                    R  = V' Z_P' (Y_P - Z_P u0)

    u(beta) = u0 + V [ beta R_j / (1 + beta l_j) ]_j

Only eigenvectors with l > 0 matter, and there are at most m of them. So with m <= d they come from the m x m matrix
G = Z_P A0^-1 Z_P' = U diag(l) U' as V = A0^-1 Z_P' U, R = U' (Y_P - Z_P u0), where V is scaled by sqrt(l) and R by its
inverse. With d > n, A0^-1 is applied through the n x n matrix Z_C Z_C' (matrix inversion lemma).

Centring X at the clean rows' weighted mean makes A0 block diagonal, so that the free intercept costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve, eigh

from backdoor_curves.paths.base import BetaPath, Certificate, Response
from backdoor_curves.paths.interpolation.interpolants import Rational
from backdoor_curves.rows import Rows, n_rows

Intercept = Literal["free", "none"]
LARGEST_POLE = 1e14
"""Beyond it a poison row outweighs alpha by more than double precision holds."""
REFINEMENTS = 3
"""Corrections of a response: with more features than rows, and a small alpha, A^-1 as a difference loses digits."""
ROUNDING = 64 * np.finfo(float).eps
"""Relative rounding that a score is allowed: of the inner product, the interpolation and the centring."""


def ridge_path(
    clean: tuple[Rows, Float[np.ndarray, "n k"], Float[np.ndarray, " n"]],
    poison: tuple[Rows, Float[np.ndarray, "m k"], Float[np.ndarray, " m"]],
    alpha: float,
    intercept: Intercept = "free",
) -> RidgePath:
    """Return the ridge path of clean rows at weight 1 and poison rows at weight beta.

    Parameters
    ----------
    clean, poison : tuples (X, Y, weights)
        Rows (n, d), dense or CSR; targets (n, k), one column a class or one for two classes; row weights (n,), > 0,
        which multiply 1 and beta. A dense `clean` X is copied once, nothing else of that size is made.
    alpha : float
        Penalty on |w|^2, > 0; lambda = 2 alpha.
    intercept : {"free", "none"}
        For a penalised intercept give the rows a constant column s and pass "none": the intercept is s times its
        coefficient.

    Returns
    -------
    RidgePath

    Raises
    ------
    ValueError
        If alpha is so small that the normal equations are singular in floating point.

    Notes
    -----
    O(min(n, d)^2 max(n, d)) once, O(d m) for each of some 40 nodes, and nothing of the size of X for a beta.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.ridge import ridge_path
    >>> rng = np.random.default_rng(0)
    >>> X, y, ones = rng.normal(size=(20, 3)), np.sign(rng.normal(size=(20, 1))), np.ones(20)
    >>> path = ridge_path((X, y, ones), (X[:4] + 1, -y[:4], ones[:4]), alpha=0.5)
    >>> coef, b = path.parameters(np.array([1.0]))
    >>> from sklearn.linear_model import Ridge
    >>> fit = Ridge(alpha=0.5).fit(np.vstack([X, X[:4] + 1]), np.vstack([y, -y[:4]]))
    >>> bool(np.allclose(coef[0, :, 0], fit.coef_) and np.allclose(b[0], fit.intercept_))
    True
    """
    X, Y, weights = clean
    free = intercept == "free"
    centre = np.asarray(weights @ X).ravel() / weights.sum() if free else np.zeros(X.shape[1])
    rows = _Rows.of(X, Y, weights, centre)
    system = _System(rows, _Rows.of(*poison, centre), float(alpha), free)
    try:
        V, v, poles, R = (_few_poison_rows if system.poison.gram is None else _many_poison_rows)(system)
    except np.linalg.LinAlgError:
        raise ValueError("features or weights are too large or all zero in floating point; rescale them") from None
    w0, b0 = system.clean_optimum
    if not poles.max() <= LARGEST_POLE:
        raise ValueError(
            f"alpha = {alpha:g} is too small for these features in floating point; raise it or rescale them"
        )
    return RidgePath(centre, w0, b0, V, v, poles, R, Rational(float(poles.max())), system)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Centred rows and targets, times the square roots of their weights; X'X where it is the smaller matrix."""

    X: Rows
    Y: Float[np.ndarray, "n k"]
    root: Float[np.ndarray, " n"]
    centre: Float[np.ndarray, " d"] | None
    """For a sparse X, which cannot be centred in place: the row to be subtracted in every product."""
    gram: Float[np.ndarray, "d d"] | None

    @classmethod
    def of(
        cls, X: Rows, Y: Float[np.ndarray, "n k"], weights: Float[np.ndarray, " n"], centre: Float[np.ndarray, " d"]
    ) -> _Rows:
        root = np.sqrt(weights)
        weighted, centred = bool((weights != 1.0).any()), bool(centre.any())
        n, d = X.shape
        if sp.issparse(X):
            X = sp.csr_array(sp.diags_array(root) @ X)
        else:
            X = X - centre if centred else X
            # The rows as they came must stay as they are; a centred copy is ours to change.
            X = np.multiply(X, root[:, np.newaxis], out=X if centred else None) if weighted else X
        Y = Y * root[:, np.newaxis]
        rows = cls(X, Y, root, centre if sp.issparse(X) else None, None)
        return rows if n < d else cls(X, Y, root, rows.centre, rows._gram())

    def _gram(self) -> Float[np.ndarray, "d d"]:
        if self.centre is None:
            return np.asarray(self.X.T @ self.X)  # numpy computes the half that a symmetric product needs
        # X'X - n cc' would cancel where the centre is far from 0, so some rows at a time are centred in full.
        gram = np.zeros((self.X.shape[1],) * 2)
        for rows in np.array_split(np.arange(len(self.root)), len(self.root) // 512 + 1):
            block = self.X[rows].toarray() - np.outer(self.root[rows], self.centre)
            gram += block.T @ block
        return gram

    @property
    def weight(self) -> float:
        """The sum of the row weights."""
        return float(self.root @ self.root)

    @cached_property
    def sums(self) -> Float[np.ndarray, " d"]:
        """X' 1, weighted: zero for the clean rows, which are centred."""
        return self.transposed_dot(self.root[:, np.newaxis])[:, 0]

    @cached_property
    def cross(self) -> Float[np.ndarray, "d k"]:
        """X' Y, weighted."""
        return self.transposed_dot(self.Y)

    def dot(self, W: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "n k"]:
        """Return X W."""
        return self.X @ W if self.centre is None else self.X @ W - np.outer(self.root, self.centre @ W)

    def transposed_dot(self, V: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "d k"]:
        """Return X' V."""
        return self.X.T @ V if self.centre is None else self.X.T @ V - np.outer(self.centre, self.root @ V)

    def normal_dot(self, W: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "d k"]:
        """Return X' X W."""
        return self.transposed_dot(self.dot(W)) if self.gram is None else self.gram @ W

    def outer_gram(self) -> Float[np.ndarray, "n n"]:
        """Return X X'."""
        if self.centre is None:
            return np.asarray(self.X @ self.X.T)
        cross = np.outer(self.X @ self.centre, self.root)
        far = self.centre @ self.centre * np.outer(self.root, self.root)
        return (self.X @ self.X.T).toarray() - cross - cross.T + far

    def transposed(self) -> Float[np.ndarray, "d n"]:
        """Return X' as a dense matrix."""
        return self.X.T if self.centre is None else self.X.T.toarray() - np.outer(self.centre, self.root)


@dataclass(frozen=True, eq=False)
class _System:
    """The normal equations (A0 + beta A1) u = Z_C' Y_C + beta Z_P' Y_P."""

    clean: _Rows
    poison: _Rows
    alpha: float
    free: bool

    @cached_property
    def _factor(self) -> tuple[np.ndarray, bool | np.ndarray]:  # scipy: since 1.18 an array
        """The Cholesky factor of A0 without the intercept, or of X_C X_C' + alpha with more columns than rows."""
        A = self.clean.outer_gram() if self.clean.gram is None else self.clean.gram.copy()
        A.flat[:: len(A) + 1] += self.alpha
        try:
            factor: tuple[np.ndarray, bool | np.ndarray] = cho_factor(A, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"alpha = {self.alpha:g} leaves the normal equations singular in floating point; raise it"
            ) from None
        return factor

    def solve(self, C: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "d k"]:
        """Return A0^-1 C for the coefficients; with d > n by (X'X + a)^-1 = (1 - X' (XX' + a)^-1 X) / a."""
        if self.clean.gram is not None:
            return np.asarray(cho_solve(self._factor, C, check_finite=False))
        inner = cho_solve(self._factor, self.clean.dot(C), check_finite=False)
        return (C - self.clean.transposed_dot(inner)) / self.alpha

    @cached_property
    def clean_optimum(self) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        """u0, as coefficients and intercept."""
        C = self.clean
        if C.gram is None:  # A0^-1 X' = X' (XX' + alpha)^-1, which subtracts nothing
            w0 = C.transposed_dot(cho_solve(self._factor, C.Y, check_finite=False))
        else:
            w0 = self.solve(C.cross)
        return w0, C.root @ C.Y / C.weight if self.free else np.zeros(w0.shape[1])

    @cached_property
    def poison_residual(self) -> Float[np.ndarray, "m k"]:
        """Y_P - Z_P u0."""
        w0, b0 = self.clean_optimum
        return self.poison.Y - self.poison.dot(w0) - np.outer(self.poison.root, b0)

    def best_intercept(self, W: Float[np.ndarray, "d k"], betas: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Return the intercept that is optimal for each column of coefficients at its beta."""
        if not self.free:
            return np.zeros(len(betas))
        C, P = self.clean, self.poison
        # The clean rows are centred, so that their part of the scores sums to zero.
        sums = _tile(C.root @ C.Y, W) + betas * (_tile(P.root @ P.Y, W) - P.sums @ W)
        return sums / self.weight(betas)

    def weight(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the sum of all row weights at each beta."""
        return self.clean.weight + betas * self.poison.weight

    def gradient_and_objective(
        self, W: Float[np.ndarray, "d k"], b: Float[np.ndarray, " k"], betas: Float[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        """Return the objective of each column (w, b) and its gradient in w."""
        C, P = self.clean, self.poison
        A0W = C.normal_dot(W) + self.alpha * W
        PZ = P.normal_dot(W) + np.outer(P.sums, b)
        C_y, P_y = _tile(C.cross, W), _tile(P.cross, W)
        gradient = 2.0 * (A0W - C_y + betas * (PZ - P_y))
        # |Z u - Y|^2 multiplied out: the rows of C are too many to be visited for each beta.
        on_clean = (W * (A0W - 2.0 * C_y)).sum(0) + b * (C.weight * b - 2.0 * _tile(C.root @ C.Y, W))
        on_poison = (W * (PZ + np.outer(P.sums, b) - 2.0 * P_y)).sum(0) + b * (
            P.weight * b - 2.0 * _tile(P.root @ P.Y, W)
        )
        squares = _tile(np.square(C.Y).sum(0), W) + betas * _tile(np.square(P.Y).sum(0), W)
        return gradient, np.maximum(on_clean + betas * on_poison + squares, self.alpha * np.square(W).sum(0))


def _tile(columns: Float[np.ndarray, "*d k"], W: Float[np.ndarray, "d bk"]) -> Float[np.ndarray, "*d bk"]:
    """Repeat k columns for every beta in W."""
    return np.tile(columns, W.shape[1] // columns.shape[-1])


def _few_poison_rows(system: _System) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return V, its intercept row, l and R from the m x m matrix G."""
    P = system.poison
    H = system.solve(P.transposed())
    h = P.root / system.clean.weight if system.free else np.zeros(len(P.root))
    G = P.dot(H) + np.outer(P.root, h)
    poles, U = eigh((G + G.T) / 2, check_finite=False)
    return H @ U, h @ U, np.maximum(poles, 0.0), U.T @ system.poison_residual


def _many_poison_rows(system: _System) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return V, its intercept row, l and R from the (d + 1) x (d + 1) matrices A0 and A1."""
    P = system.poison
    assert P.gram is not None
    d = len(P.gram)
    size = d + system.free
    A0, A1 = np.zeros((size, size)), np.zeros((size, size))
    A0[:d, :d] = system.clean.normal_dot(np.eye(d)) if system.clean.gram is None else system.clean.gram
    A0.flat[: d * size : size + 1] += system.alpha
    A1[:d, :d] = P.gram
    rhs = P.transposed_dot(system.poison_residual)
    if system.free:
        A0[d, d], A1[d, d] = system.clean.weight, P.weight
        A1[:d, d] = A1[d, :d] = P.sums
        rhs = np.vstack([rhs, P.root @ system.poison_residual])
    poles, V = eigh(A1, A0, check_finite=False, overwrite_a=True, overwrite_b=True)
    # Scaled as from the m x m matrix, V V' for V l V': directions without poison, l = 0, drop out.
    kept = poles > np.finfo(float).eps * poles.max()
    poles, V = poles[kept], V[:, kept]
    R, V = (V.T @ rhs) / np.sqrt(poles)[:, np.newaxis], V * np.sqrt(poles)
    return V[:d], V[d] if system.free else np.zeros(len(poles)), poles, R


def _as_floats(X: Rows) -> Rows:
    """Return dense or CSR rows in double precision, in which the squares of bytes do not overflow."""
    return X.astype(float, copy=False) if sp.issparse(X) else np.asarray(X, dtype=float)


@dataclass(frozen=True, eq=False)
class RidgePath(BetaPath):
    """The path u(beta) = u0 + V [beta R_j / (1 + beta l_j)]_j; see the module's text."""

    method: ClassVar[str] = "ridge"
    exact: ClassVar[bool] = True

    centre: Float[np.ndarray, " d"]
    """What is subtracted from every row: the clean rows' weighted mean, or zero without a free intercept."""
    coef0: Float[np.ndarray, "d k"]
    intercept0: Float[np.ndarray, " k"]
    directions: Float[np.ndarray, "d q"]
    intercept_directions: Float[np.ndarray, " q"]
    poles: Float[np.ndarray, " q"]
    residuals: Float[np.ndarray, "q k"]
    interpolant: Rational
    system: _System

    def _centred_parameters(
        self, betas: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "d bk"], Float[np.ndarray, " bk"]]:
        """Return w and the intercept for centred rows, a column for each beta and class."""
        phi = betas / (1.0 + np.outer(self.poles, betas))
        steps = (phi[:, :, np.newaxis] * self.residuals[:, np.newaxis, :]).reshape(len(self.poles), -1)
        W = np.tile(self.coef0, len(betas)) + self.directions @ steps
        return W, np.tile(self.intercept0, len(betas)) + self.intercept_directions @ steps

    def parameters(self, betas: Float[np.ndarray, " b"]) -> tuple[Float[np.ndarray, "b d k"], Float[np.ndarray, "b k"]]:
        """Return coefficients (b, d, k) and intercepts (b, k) for the rows as they came; k = 1 for two classes."""
        W, b = self._centred_parameters(betas)
        k = len(self.intercept0)
        return np.moveaxis(W.reshape(len(W), len(betas), k), 0, 1), (b - self.centre @ W).reshape(len(betas), k)

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "nodes n k"]:
        """Return the scores of the rows X at the nodes."""
        return self._scores(X, *self._centred_parameters(self.interpolant.nodes))

    def _scores(self, X: Rows, W: Float[np.ndarray, "d bk"], b: Float[np.ndarray, " bk"]) -> Float[np.ndarray, "b n k"]:
        """Return the scores of the rows X for centred parameters, a column for each beta and class."""
        k = len(self.intercept0)
        n_betas = W.shape[1] // k
        scores = np.empty((n_betas, n_rows(X), k))
        for start in range(0, n_rows(X), 256):
            block = _as_floats(X[start : start + 256])
            # Dense rows are centred first, which loses less than to subtract two large numbers.
            product = block @ W - self.centre @ W if sp.issparse(block) else (block - self.centre) @ W
            product += b
            scores[:, start : start + 256] = np.moveaxis(product.reshape(-1, n_betas, k), 1, 0)
        return scores

    def motion(
        self, X: Rows, betas: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "b n k"], Float[np.ndarray, "b n k"]]:
        """Return the scores of the rows X and their derivatives: V [R_j / (1 + beta l_j)^2]_j."""
        return self._scores(X, *self._polished(betas)), self._scores(X, *self._rates(betas))

    def _rates(self, betas: Float[np.ndarray, " b"]) -> tuple[Float[np.ndarray, "d bk"], Float[np.ndarray, " bk"]]:
        """Return the derivatives of the centred parameters."""
        phi = 1.0 / (1.0 + np.outer(self.poles, betas)) ** 2
        speeds = (phi[:, :, np.newaxis] * self.residuals[:, np.newaxis, :]).reshape(len(self.poles), -1)
        return self.directions @ speeds, self.intercept_directions @ speeds

    @property
    def _refinements(self) -> int:
        """A Cholesky factor of A0 itself needs none."""
        return REFINEMENTS if self.system.clean.gram is None else 0

    def _polished(self, betas: Float[np.ndarray, " b"]) -> tuple[Float[np.ndarray, "d bk"], Float[np.ndarray, " bk"]]:
        """Return the parameters corrected by Newton's method: the residuals that they leave may be far smaller."""
        repeated = np.repeat(betas, len(self.intercept0))
        W, b = self._centred_parameters(betas)
        for _ in range(self._refinements):
            b = self.system.best_intercept(W, repeated)
            gradient, _ = self.system.gradient_and_objective(W, b, repeated)
            W = W - self._solve(gradient / 2.0, repeated)[0]
            b = self.system.best_intercept(W, repeated)
        return W, b

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows, the clean ones first.

        H is 2 A(beta), and q_i = 2 weight_i (f_i - y_i) for each class.
        """
        at = np.array([beta])
        W, b = self._polished(at)
        rates = self._rates(at)
        parts = self.system.clean, self.system.poison
        residuals = [part.root[:, np.newaxis] * (part.dot(W) + np.outer(part.root, b) - part.Y) for part in parts]
        pulls = 2.0 * np.vstack(residuals)

        def motion(X: Rows) -> tuple[Float[np.ndarray, "x k"], Float[np.ndarray, "x k"]]:
            return self._scores(X, W, b)[0], self._scores(X, *rates)[0]

        return Response(beta, motion, np.arange(len(pulls)), pulls, self._coupling(beta))

    def _coupling(self, beta: float) -> Callable[[Rows], Float[np.ndarray, "x n"]]:
        """Return what makes z' (2 A)^-1 z_i of rows x, with z = (x - centre, 1) or without the 1."""
        clean, poison = self.system.clean, self.system.poison
        free = float(self.system.free)

        def coupling(X: Rows) -> Float[np.ndarray, "x n"]:
            X = _as_floats(X)
            rows = np.asarray(X.toarray() if sp.issparse(X) else X) - self.centre
            betas = np.full(len(rows), beta)
            V, v = self._solve(rows.T, betas, free)
            for _ in range(self._refinements):
                off, lacking = self._product(V, v, beta)
                dV, dv = self._solve(rows.T - off, betas, free - lacking)
                V, v = V + dV, v + dv
            columns = [part.dot(V) + np.outer(part.root, v) for part in (clean, poison)]
            roots = [part.root[:, np.newaxis] for part in (clean, poison)]
            # A row without weight pulls at nothing.
            G = [np.divide(c, r, out=np.zeros_like(c), where=r > 0.0) for c, r in zip(columns, roots, strict=True)]
            return np.vstack(G).T / 2.0

        return coupling

    def _product(
        self, V: Float[np.ndarray, "d k"], v: Float[np.ndarray, " k"], beta: float
    ) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        """Return A (V, v), for centred rows."""
        system, C, P = self.system, self.system.clean, self.system.poison
        on_poison = P.normal_dot(V) + np.outer(P.sums, v)
        on_intercept = C.weight * v + beta * (P.sums @ V + P.weight * v) if system.free else np.zeros_like(v)
        return C.normal_dot(V) + system.alpha * V + beta * on_poison, on_intercept

    def nodal_gram(self) -> Float[np.ndarray, "nodes nodes"]:
        """Return <w(beta_i), w(beta_j)> at the nodes, summed over the classes (the Frobenius product)."""
        W = self.parameters(self.interpolant.nodes)[0].reshape(len(self.interpolant.nodes), -1)
        return W @ W.T

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return how far the path is from the optimum.

        The objective is quadratic: with its gradient g at u and A = A0 + beta A1, u - u* is A^-1 g / 2 and the
        objective is g' A^-1 g / 4 above its minimum. So the bound on the scores is the largest |x' A^-1 g / 2| of the
        rows, doubled for the rounding of the solution, and the rounding of a score itself on top.
        """
        lengths = [np.sqrt(_squared_lengths(X).max()) for X in rows]
        blocks = [self._bounds(block, rows, max(lengths)) for block in np.array_split(betas, len(betas) // 64 + 1)]
        return Certificate(betas, *(np.concatenate(parts) for parts in zip(*blocks, strict=True)))

    def _bounds(
        self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows], length: float
    ) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
        """Return the relative gap and the bound on the scores of rows that are at most so long."""
        k = len(self.intercept0)
        repeated = np.repeat(betas, k)
        W, b = self._centred_parameters(betas)
        best = self.system.best_intercept(W, repeated)
        gradient, objective = self.system.gradient_and_objective(W, best, repeated)
        dW, db = self._solve(gradient / 2.0, repeated)
        gap = (gradient * dW).sum(0) / 2.0 + self.system.weight(repeated) * (b - best) ** 2
        off = [np.abs(_as_floats(X) @ dW + (db + b - best - self.centre @ dW)).max(axis=0) for X in rows]
        rounding = ROUNDING * ((length + np.linalg.norm(self.centre)) * np.linalg.norm(W, axis=0) + np.abs(b))
        bound = 2.0 * np.max(off, axis=0) + rounding
        relative = np.maximum(gap, 0.0).reshape(-1, k).sum(1) / objective.reshape(-1, k).sum(1)
        return relative, bound.reshape(-1, k).max(1)

    def _solve(
        self, C: Float[np.ndarray, "d k"], betas: Float[np.ndarray, " k"], c: Float[np.ndarray, " k"] | float = 0.0
    ) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, " k"]]:
        """Return A^-1 (C, c) at the beta of each column: (A0 + beta A1)^-1 = A0^-1 - V diag(beta / (1 + beta l)) V'."""
        inner = self.directions.T @ C + self.intercept_directions[:, np.newaxis] * c
        along = betas / (1.0 + np.outer(self.poles, betas)) * inner
        return self.system.solve(C) - self.directions @ along, (
            c / self.system.clean.weight - self.intercept_directions @ along
        )


def _squared_lengths(X: Rows) -> Float[np.ndarray, " n"]:
    X = _as_floats(X)
    return np.asarray(X.multiply(X).sum(axis=1)).ravel() if sp.issparse(X) else np.einsum("nd,nd->n", X, X)
