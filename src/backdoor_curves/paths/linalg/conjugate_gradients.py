"""Conjugate gradients for many systems at once, each with a matrix of its own, with one preconditioner for all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Columns = Float[np.ndarray, "p b"]
Product = Callable[[Columns], Columns]

ACCURACY = 1e-14
"""Of the solutions, relative, in the norm of the preconditioner: 45 roundings."""
MOST_STEPS = 100
"""After which rounding is what keeps the solutions from that; neighbours take 10."""


def solve(
    product: Product, precondition: Product, B: Columns, accuracy: float = ACCURACY, most_steps: int = MOST_STEPS
) -> Columns:
    """Return the columns x_j that solve A_j x_j = b_j, for symmetric positive definite A_j.

    Parameters
    ----------
    product : callable (p, b) -> (p, b)
        X to A_j x_j, column by column.
    precondition : callable (p, b) -> (p, b)
        R to M^-1 R, with M near all of the A_j.
    B : array of shape (p, b)
    accuracy : float
        Of the solutions, relative, in the norm of the preconditioner.
    most_steps : int
        After which they are what they are.

    Notes
    -----
    Hestenes and Stiefel, J. Res. Nat. Bur. Standards 49 (1952), column by column; a column that is solved stays.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.linalg.conjugate_gradients import solve
    >>> diagonals = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> solve(lambda X: diagonals * X, lambda R: R / 2.0, np.ones((2, 2))).round(9)
    array([[1.        , 0.5       ],
           [0.33333333, 0.25      ]])
    """
    X, R = np.zeros_like(B), B.copy()
    if not B.size:
        return X
    Z = precondition(R)
    P, rho = Z.copy(), _dots(R, Z)
    solved = accuracy**2 * rho
    for _ in range(most_steps):
        going = rho > solved
        if not going.any():
            break
        AP = product(P)
        step = np.divide(rho, _dots(P, AP), out=np.zeros_like(rho), where=going)
        X += step * P
        R -= step * AP
        Z = precondition(R)
        before, rho = rho, _dots(R, Z)
        P = Z + np.divide(rho, before, out=np.zeros_like(rho), where=going) * P
    return X


def _dots(A: Columns, B: Columns) -> Float[np.ndarray, " b"]:
    return np.einsum("pb,pb->b", A, B)
