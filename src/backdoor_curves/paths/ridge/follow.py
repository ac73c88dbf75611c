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

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from scipy.linalg import eigh

from backdoor_curves.paths.intercept import FREE, Intercept
from backdoor_curves.paths.interpolation.interpolants import Rational
from backdoor_curves.paths.linalg.row_parts import are_tall
from backdoor_curves.paths.ridge.centred_rows import CentredRows
from backdoor_curves.paths.ridge.normal_equations import NormalEquations, WeightedRows
from backdoor_curves.paths.ridge.path import RidgePath
from backdoor_curves.paths.ridge.tall_rows import TallRows, mean_of
from backdoor_curves.rows import Rows

LARGEST_POLE = 1e14
"""Beyond it a poison row outweighs alpha by more than double precision holds: two of its sixteen digits are left."""


def ridge_path(
    clean: tuple[Rows, Float[np.ndarray, "n k"], Float[np.ndarray, " n"]],
    poison: tuple[Rows, Float[np.ndarray, "m k"], Float[np.ndarray, " m"]],
    alpha: float,
    intercept: Intercept = FREE,
) -> RidgePath:
    """Return the ridge path of clean rows at weight 1 and poison rows at weight beta.

    Parameters
    ----------
    clean, poison : tuples (X, Y, weights)
        Rows (n, d), dense or CSR; targets (n, k), one column a class or one for two classes; row weights (n,), > 0,
        which multiply 1 and beta. Many dense rows, of any precision, in a file or of dask, stay where they are; of
        fewer a copy is made.
    alpha : float
        Penalty on |w|^2, > 0; lambda = 2 alpha.
    intercept : Intercept
        Free, or none. For a penalised intercept give the rows a constant column s and pass NONE: the intercept is s
        times its coefficient.

    Returns
    -------
    RidgePath

    Raises
    ------
    ValueError
        If the intercept is penalised, or alpha so small that the normal equations are singular in floating point.

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
    >>> model = path.parameters(np.array([1.0]))
    >>> from sklearn.linear_model import Ridge
    >>> fit = Ridge(alpha=0.5).fit(np.vstack([X, X[:4] + 1]), np.vstack([y, -y[:4]]))
    >>> bool(np.allclose(model.coef[0, :, 0], fit.coef_) and np.allclose(model.intercept[0], fit.intercept_))
    True
    """
    if intercept.shift:
        raise ValueError("intercept: a free one or none was expected, a penalised one came; give the rows its column")
    X, Y, weights = clean
    free = intercept.is_free
    centre = _mean(X, weights) if free else np.zeros(X.shape[1])
    system = NormalEquations(_weighted(X, Y, weights, centre), _weighted(*poison, centre), float(alpha), free)
    try:
        V, v, poles, R = (_few_poison_rows if system.poison.gram is None else _many_poison_rows)(system)
    except np.linalg.LinAlgError:
        raise ValueError("features or weights are too large or all zero in floating point; rescale them") from None
    w0, b0 = system.clean_optimum
    largest = float(poles.max(initial=0.0))  # without a poison row it stays where it is
    if not largest <= LARGEST_POLE:
        raise ValueError(
            f"alpha = {alpha:g} is too small for these features in floating point; raise it or rescale them"
        )
    return RidgePath(centre, w0, b0, V, v, poles, R, Rational(largest), system)


def _mean(X: Rows, weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, " d"]:
    return mean_of(X, weights) if _stay(X) else np.asarray(weights @ X).ravel() / weights.sum()


def _weighted(
    X: Rows, Y: Float[np.ndarray, "n k"], weights: Float[np.ndarray, " n"], centre: Float[np.ndarray, " d"]
) -> CentredRows:
    return (TallRows if _stay(X) else WeightedRows).of(X, Y, weights, centre)


def _stay(X: Rows) -> bool:
    """Return whether rows stay where they are: products with sparse ones cost what is not 0."""
    return are_tall(X) and not sp.issparse(X)


def _few_poison_rows(system: NormalEquations) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return V, its intercept row, l and R from the m x m matrix G."""
    P = system.poison
    H = system.solve(P.transposed())
    h = P.root / system.clean.weight if system.free else np.zeros(len(P.root))
    G = P.dot(H) + np.outer(P.root, h)
    # Without poison rows G is empty, which older versions of scipy refuse.
    poles, U = eigh((G + G.T) / 2, check_finite=False) if G.size else (np.zeros(0), G)
    return H @ U, h @ U, np.maximum(poles, 0.0), U.T @ system.poison_residual


def _many_poison_rows(system: NormalEquations) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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
