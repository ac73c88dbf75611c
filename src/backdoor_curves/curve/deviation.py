"""Parameter deviation: how far and where to the poison moves a model.

    rho(beta) = |w(beta)|        nu(beta) = (1 - cos(w(0), w(beta))) / 2    in [0, 1]

From the inner products of w between the nodes of a path alone: so for linear learners in the space of the features, for
SVMs in that of their kernel, and for K classes by Frobenius' product, a sum over columns. The intercept is no part.

Source: Cinà et al., Backdoor Learning Curves (arXiv 2106.07214), Eq. 5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from backdoor_curves.paths.base import Gram, Interpolant, Weights

Betas = Float[np.ndarray, " b"]
Columns = Sequence[tuple[Interpolant, Gram]]


def norms(interpolant: Interpolant, gram: Gram, betas: Betas) -> Float[np.ndarray, " b"]:
    """Return rho, >= 0.

    Parameters
    ----------
    interpolant : Interpolant
        Of k nodes.
    gram : array or CSR of shape (k, k)
        <w(beta_i), w(beta_j)> at the nodes.
    betas : array of shape (b,)

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.curve.deviation import norms
    >>> from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear
    >>> w = np.array([[3.0, 0.0], [3.0, 8.0]])
    >>> norms(PiecewiseLinear(np.array([0.0, 1.0])), w @ w.T, np.array([0.0, 0.5]))
    array([3., 5.])
    """
    return norms_of([(interpolant, gram)], betas)


def cosines(interpolant: Interpolant, gram: Gram, betas: Betas) -> Float[np.ndarray, " b"]:
    """Return the cosine between w(0) and w(beta), in [-1, 1]; NaN where one of them is 0. Parameters as `norms`."""
    return cosines_of([(interpolant, gram)], betas)


def angles(interpolant: Interpolant, gram: Gram, betas: Betas) -> Float[np.ndarray, " b"]:
    """Return nu = (1 - cosine) / 2, in [0, 1]: 0 for the same direction, 1/2 for a right angle. Parameters as `norms`.

    Near 0 it has half of the digits of a double: 1e-16 of 1.
    """
    return angles_of([(interpolant, gram)], betas)


def norms_of(columns: Columns, betas: Betas) -> Float[np.ndarray, " b"]:
    """Return rho of a w whose columns have nodes of their own, given the interpolant and the inner products of each."""
    squares = np.zeros(len(betas))
    for interpolant, gram in columns:
        p = interpolant.weights(betas)
        squares += (_dense(p @ gram) * _dense(p)).sum(axis=1)
    # Of a w that is 0 rounding leaves a square of either sign.
    return np.sqrt(np.maximum(squares, 0.0))


def cosines_of(columns: Columns, betas: Betas) -> Float[np.ndarray, " b"]:
    """Return the cosines of such a w; see `cosines`."""
    along, zero = np.zeros(len(betas)), np.zeros(1)
    for interpolant, gram in columns:
        along += (interpolant.weights(betas) @ _dense(interpolant.weights(zero) @ gram).T)[:, 0]
    return np.clip(along / (norms_of(columns, zero) * norms_of(columns, betas)), -1.0, 1.0)


def angles_of(columns: Columns, betas: Betas) -> Float[np.ndarray, " b"]:
    """Return nu of such a w; see `angles`."""
    return (1.0 - cosines_of(columns, betas)) / 2.0


def _dense(A: Weights) -> Float[np.ndarray, "a b"]:
    return A.toarray() if sp.issparse(A) else A
