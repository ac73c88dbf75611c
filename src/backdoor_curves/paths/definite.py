"""Positive definite matrices: in double precision by LAPACK, in extended precision, which it does not know, here."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import LinAlgError
from scipy.linalg.blas import dger
from scipy.linalg.lapack import dpotrf, dpotri, dpstrf


def inverse(A: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    """Return the inverse; raises LinAlgError if the matrix is not positive definite in its precision."""
    if A.dtype != np.float64:
        return _inverse(A)
    factor, failed = dpotrf(A, lower=1)
    if failed:
        raise LinAlgError("the rows are dependent")
    B, _ = dpotri(factor, lower=1, overwrite_c=1)
    return np.asarray(np.tril(B) + np.tril(B, -1).T)


def independent(A: Float[np.ndarray, "m m"], tolerance: float) -> Int[np.ndarray, " r"]:
    """Return rows that are independent: the largest pivot is taken next, as long as it exceeds the tolerance."""
    if A.dtype == np.float64:
        _, order, rank, _ = dpstrf(A, tol=tolerance, lower=1)
        return np.asarray(order[:rank] - 1)
    left, L, chosen = np.diag(A).copy(), np.zeros_like(A), []
    while len(chosen) < len(A) and left[j := int(left.argmax())] > tolerance:
        k = len(chosen)
        L[:, k] = (A[:, j] - L[:, :k] @ L[j, :k]) / np.sqrt(left[j])
        left -= L[:, k] ** 2
        chosen.append(j)
        left[chosen] = -np.inf
    return np.array(chosen, dtype=np.intp)


def add_square(factor: float, x: Float[np.ndarray, " m"], A: Float[np.ndarray, "m m"]) -> None:
    """Add factor x x' to A, in place."""
    if A.dtype == np.float64 and A.flags.f_contiguous:
        dger(factor, x, x, a=A, overwrite_a=1)
    else:
        A += factor * np.outer(x, x)


def _inverse(A: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    """Gauss-Jordan elimination; without pivoting, as suits a positive definite matrix."""
    B = A.copy()
    for k in range(len(B)):
        if not B[k, k] > 0.0:
            raise LinAlgError("the rows are dependent")
        pivot, column = B[k, k], B[:, k].copy()
        column[k] = 0.0
        row = B[k] / pivot
        row[k] = 1.0 / pivot
        B[:, k] = 0.0
        B -= np.outer(column, row)
        B[k] = row
    return (B + B.T) / 2
