"""Inner products without rounding: where terms are much larger than what they add up to, what double precision leaves.

A product of two numbers is one number and the rounding of it, and both are numbers in double precision (Dekker, *A
floating-point technique for extending the available precision*, 1971); `math.fsum` adds up any numbers and rounds once.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

HALVES = 2.0**27 + 1.0
"""Splits the 53 digits of a number in two halves, whose products have no rounding."""


def exact_sums(
    A: Float[np.ndarray, "k p"], x: Float[np.ndarray, " p"], *others: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """Return A x and others, added up exactly and rounded once; entries up to 1e150.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.linalg.exact_sums import exact_sums
    >>> A, x = np.array([[1e16, 1.0, -1e16]]), np.ones(3)
    >>> (A @ x).item(), exact_sums(A, x).item()
    (0.0, 1.0)
    """
    products, rounding = _two_products(A, x)
    rows = np.column_stack([products, rounding, *others])
    return np.array([math.fsum(row) for row in rows.tolist()])


def _two_products(
    a: Float[np.ndarray, "k p"], b: Float[np.ndarray, " p"]
) -> tuple[Float[np.ndarray, "k p"], Float[np.ndarray, "k p"]]:
    """Return products and their rounding: what both add up to is exact."""
    product, (a1, a2), (b1, b2) = a * b, _halves(a), _halves(b)
    return product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2


def _halves(a: Float[np.ndarray, "*shape"]) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Return two numbers with half of the digits each, that add up to one."""
    large = HALVES * a
    first = large - (large - a)
    return first, a - first
