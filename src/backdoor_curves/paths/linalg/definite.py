"""Positive definite matrices: in double precision by LAPACK, in extended precision, which it does not know, here."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Int, Shaped
from scipy.linalg import LinAlgError
from scipy.linalg.blas import dger
from scipy.linalg.lapack import dpotrf, dpotri, dpstrf

Number: TypeAlias = float | np.floating[Any]
"""A number in double precision, or in extended."""


def inverse(A: Shaped[np.ndarray, "m m"]) -> Shaped[np.ndarray, "m m"]:
    """Return the inverse; raises LinAlgError if the matrix is not positive definite in its precision."""
    factor, failed = dpotrf(A, lower=1)
    if failed:
        raise LinAlgError("the rows are dependent")
    B, _ = dpotri(factor, lower=1, overwrite_c=1)
    return np.asarray(np.tril(B) + np.tril(B, -1).T)


def independent(A: Shaped[np.ndarray, "m m"], tolerance: float) -> Int[np.ndarray, " r"]:
    """Return rows that are independent: the largest pivot is taken next, as long as it exceeds the tolerance."""
    if A.dtype == np.float64:
        _, order, rank, _ = dpstrf(A, tol=tolerance, lower=1)
        return np.asarray(order[:rank] - 1)
    left, L = np.diag(A).copy(), np.zeros_like(A)
    chosen: list[int] = []
    while len(chosen) < len(A) and left[j := int(left.argmax())] > tolerance:
        k = len(chosen)
        L[:, k] = (A[:, j] - L[:, :k] @ L[j, :k]) / np.sqrt(left[j])
        left -= L[:, k] ** 2
        chosen.append(j)
        left[chosen] = -np.inf
    return np.array(chosen, dtype=np.intp)


def add_square(factor: Number, x: Shaped[np.ndarray, " m"], A: Shaped[np.ndarray, "m m"]) -> None:
    """Add factor x x' to A, in place."""
    if A.dtype == np.float64 and A.flags.f_contiguous:
        dger(factor, x, x, a=A, overwrite_a=1)
    else:
        A += factor * np.outer(x, x)


def extended_inverse(A: Shaped[np.ndarray, "m m"]) -> Shaped[np.ndarray, "m m"]:
    """Return the inverse of a symmetric matrix by Gauss-Jordan elimination, for types that LAPACK does not know.

    Rows are exchanged for the largest pivot. A Newton step after it would not help: where rows are nearly dependent, it
    turns a residual of 1e-5 on both sides into one of 1e9 on the one side.
    """
    m = len(A)
    R = np.hstack([A, np.eye(m, dtype=A.dtype)])
    for k in range(m):
        largest = k + int(np.abs(R[k:, k]).argmax())
        R[[k, largest]] = R[[largest, k]]
        if R[k, k] == 0.0:
            raise LinAlgError("the rows are dependent")
        R[k] /= R[k, k]
        column = R[:, k].copy()
        column[k] = 0.0
        R -= np.outer(column, R[k])
    return np.asarray((R[:, m:] + R[:, m:].T) / 2)
