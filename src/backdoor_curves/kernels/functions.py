"""Kernels between two sets of rows: functions of their inner products, (a, d) and (b, d) -> (a, b).

    linear        x'z
    rbf           exp(-gamma |x - z|^2)
    polynomial    (gamma x'z + coef0)^degree
    sigmoid       tanh(gamma x'z + coef0)          in general not positive semidefinite

Rows are arrays or CSR; all is computed in double precision. Equal rows have equal kernels to the last bit, which a
matrix product alone does not promise: it may add up the rows at its edge in another order. A path of an SVM meets a
singular system there, and an almost singular one is worse.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist

from backdoor_curves.kernels.inner_products import Columns
from backdoor_curves.rows import Rows, distinct_rows, take_rows, used_columns

Kernel = Callable[[Rows, Rows], Float[np.ndarray, "a b"]]
"""The kernel matrix between two sets of rows."""
_BLOCK = 32
"""Rows of a matrix that stay in the cache while they are worked on."""
LOST = 1e-13
"""By how much an exponent of the Gaussian kernel may be off: some hundred roundings of a kernel, which is at most 1."""
VANISHED = 40.0
"""Below minus this an exponent's error is none of the kernel: exp(-40) is 4e-18."""


def linear(A: Rows, B: Rows) -> Float[np.ndarray, "a b"]:
    """Return x'z for the rows x of A and z of B.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.functions import linear
    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    array([[11., 17.]])
    """
    return _inner(A, B)[0]


def rbf(A: Rows, B: Rows, gamma: float) -> Float[np.ndarray, "a b"]:
    """Return exp(-gamma |x - z|^2); 1 for equal rows, but for rounding where B is not A.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.functions import rbf
    >>> rbf(np.array([[1.0], [2.0]]), np.array([[1.0]]), gamma=1.0).ravel().round(6)
    array([1.      , 0.367879])
    """
    shifted = A, B
    if isinstance(A, np.ndarray) and isinstance(B, np.ndarray):
        # Distances do not move with the origin. With it at a row a common offset costs no digits, and whole numbers
        # stay whole.
        moved = A - A[0]
        shifted = moved, moved if B is A else B - A[0]
    K, a, b = _inner(*shifted)
    rbf_of_inner(K, (a, b), (A, B), gamma)
    return K


def rbf_of_inner(
    K: Float[np.ndarray, "a b"],
    squares: tuple[Float[np.ndarray, " a"], Float[np.ndarray, " b"]],
    rows: tuple[Rows, Rows],
    gamma: float,
) -> None:
    """Make of inner products of rows, from wherever, the Gaussian kernel in place, given the rows' squares too."""
    (a, b), (A, B) = squares, rows
    for start in range(0, len(K), _BLOCK):
        few = slice(start, start + _BLOCK)
        block, both = K[few], a[few, np.newaxis] + b  # the sum first: it does not see which row is x
        block *= 2.0
        block -= both
        block *= gamma
        if (lost := _lost_distances(block, both, gamma)) is not None:
            block[lost] = -gamma * _squared_distances(A[few], B, lost)
        np.minimum(block, 0.0, out=block)  # a distance of 0 may round to either side
        np.exp(block, out=block)


def _lost_distances(
    exponents: Float[np.ndarray, "r b"], squares: Float[np.ndarray, "r b"], gamma: float
) -> Bool[np.ndarray, "r b"] | None:
    """Return which exponents -gamma |x - z|^2 may be off by more than `LOST`, and matter; None if none is.

    They came of |x|^2 + |z|^2, of which each rounding is a share: far from the origin, little is left of a small
    distance.
    """
    share = 4.0 * gamma * np.finfo(float).eps
    if share * squares.max(initial=0.0) <= LOST:
        return None
    rounding = share * squares
    lost = (rounding > LOST) & (exponents + rounding > -VANISHED)
    return lost if lost.any() else None


def _squared_distances(A: Rows, B: Rows, where: Bool[np.ndarray, "a b"]) -> Float[np.ndarray, " k"]:
    """Return |x - z|^2 for the pairs of rows that are marked, row by row, from the differences of their entries."""
    a, b = (np.flatnonzero(where.any(axis=axis)) for axis in (1, 0))
    A, B = A[a], B[b]
    if sp.issparse(A) and sp.issparse(B):
        used = used_columns(A, B)  # a hashing vectoriser has a million
        A, B = A[:, used], B[:, used]
    near, far = (X.toarray() if sp.issparse(X) else X for X in (A, B))
    return cdist(near, far, "sqeuclidean")[where[np.ix_(a, b)]]


def polynomial(A: Rows, B: Rows, gamma: float, coef0: float, degree: int) -> Float[np.ndarray, "a b"]:
    """Return (gamma x'z + coef0)^degree.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.functions import polynomial
    >>> polynomial(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), gamma=1.0, coef0=1.0, degree=2)
    array([[144.]])
    """
    return polynomial_of_inner(linear(A, B), gamma, coef0, degree)


def polynomial_of_inner(
    K: Float[np.ndarray, "a b"], gamma: float, coef0: float, degree: int
) -> Float[np.ndarray, "a b"]:
    """Return the polynomial kernel, given inner products, which are overwritten."""
    K *= gamma
    K += coef0
    power = np.ones_like(K)
    for _ in range(degree):
        power *= K
    return power


def sigmoid(A: Rows, B: Rows, gamma: float, coef0: float) -> Float[np.ndarray, "a b"]:
    """Return tanh(gamma x'z + coef0).

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.functions import sigmoid
    >>> sigmoid(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]]), gamma=1.0, coef0=0.0)
    array([[0.]])
    """
    K = linear(A, B)
    K *= gamma
    K += coef0
    return np.tanh(K, out=K)


def linear_gradient(c: Float[np.ndarray, " s"], S: Rows, X: Rows) -> Float[np.ndarray, "n d"]:
    """Return the gradient of sum_i c_i k(s_i, x) in x at each row of X, for the linear kernel: sum_i c_i s_i."""
    return np.broadcast_to(np.asarray(S.T @ c), (X.shape[0], S.shape[1]))


def rbf_gradient(c: Float[np.ndarray, " s"], S: Rows, X: Rows, gamma: float) -> Float[np.ndarray, "n d"]:
    """Return the same gradient for the Gaussian kernel: 2 gamma sum_i c_i k(s_i, x) (s_i - x).

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.functions import rbf_gradient
    >>> rbf_gradient(np.ones(1), np.array([[1.0]]), np.array([[0.0], [1.0]]), gamma=0.5).round(6)
    array([[0.606531],
           [0.      ]])
    """
    A = rbf(X, S, gamma) * c
    X = X.toarray() if sp.issparse(X) else X
    return 2.0 * gamma * (np.asarray(A @ S) - A.sum(axis=1, keepdims=True) * X)


def polynomial_gradient(
    c: Float[np.ndarray, " s"], S: Rows, X: Rows, gamma: float, coef0: float, degree: int
) -> Float[np.ndarray, "n d"]:
    """Return the same for the polynomial kernel: degree gamma sum_i c_i (gamma s_i'x + coef0)^(degree - 1) s_i."""
    return degree * gamma * np.asarray((polynomial(X, S, gamma, coef0, degree - 1) * c) @ S)


def sigmoid_gradient(
    c: Float[np.ndarray, " s"], S: Rows, X: Rows, gamma: float, coef0: float
) -> Float[np.ndarray, "n d"]:
    """Return the same gradient for the sigmoid kernel: gamma sum_i c_i (1 - k(s_i, x)^2) s_i."""
    return gamma * np.asarray(((1.0 - sigmoid(X, S, gamma, coef0) ** 2) * c) @ S)


def negative_eigenvalue(K: Float[np.ndarray, "n n"]) -> float:
    """Return the smallest eigenvalue of a symmetric matrix if it is negative by more than rounding, and 0 otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.functions import negative_eigenvalue
    >>> negative_eigenvalue(np.ones((2, 2))), round(negative_eigenvalue(np.array([[0.0, 1.0], [1.0, 0.0]])), 12)
    (0.0, -1.0)
    """
    rounding = len(K) * np.finfo(float).eps * float(np.abs(K).max()) * len(K)
    try:
        # A factorisation that exists is a proof, at a tenth of the price of the eigenvalues.
        np.linalg.cholesky(K + rounding * np.eye(len(K)))
    except np.linalg.LinAlgError:
        smallest = float(np.linalg.eigvalsh(K)[0])
        return smallest if smallest < -rounding else 0.0
    return 0.0


def _inner(A: Rows, B: Rows) -> tuple[Float[np.ndarray, "a b"], Float[np.ndarray, " a"], Float[np.ndarray, " b"]]:
    """Return the inner products of the rows of A and B, and the squares of the rows of each; exact for equal rows."""
    K = _product(A, B)
    if B is A:
        squares = np.diag(K).copy()
        if (first := first_equals(A, squares)) is not None:
            K = K[np.ix_(first, first)]
            squares = squares[first]
        return K, squares, squares
    a, b = squares_of(A), squares_of(B)
    if (first := first_equals(A, a)) is not None:
        K, a = K[first], a[first]
    if (first := first_equals(B, b)) is not None:
        K, b = K[:, first], b[first]
    return K, a, b


def _product(A: Rows, B: Rows) -> Float[np.ndarray, "a b"]:
    """Return the inner products; columns that are almost always 0 are multiplied apart: images have many of them."""
    if sp.issparse(A) or sp.issparse(B):
        K = A @ B.T
        return np.asarray(K.toarray() if sp.issparse(K) else K)
    if min(len(A), len(B)) <= _BLOCK:
        return np.asarray(A @ B.T)
    a, b = Columns.of_both(A, B)
    return a.inner(b)


def squares_of(X: Rows) -> Float[np.ndarray, " n"]:
    """Return the squared length of each row of an array or CSR in double precision."""
    return np.asarray(X.multiply(X).sum(axis=1)).ravel() if sp.issparse(X) else np.einsum("nd,nd->n", X, X)


def first_equals(X: Rows, squares: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"] | None:
    """Return for each row the first that equals it; None if all rows differ. Rows of unlike length are not compared."""
    order = np.argsort(squares)
    alike = np.diff(squares[order]) <= 1e-12 * squares[order][1:]
    candidates = np.sort(order[np.append(alike, False) | np.append(False, alike)])
    if not candidates.size:
        return None
    first, group = distinct_rows(take_rows(X, candidates), np.zeros(len(candidates)))
    if len(first) == len(candidates):
        return None
    equals = np.arange(len(squares))
    equals[candidates] = candidates[first][group]
    return equals
