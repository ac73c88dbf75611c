"""A kernel that is known by its values alone, as scikit-learn's kernel="precomputed" has it.

A row is its kernel with all training rows. Of the training rows themselves a path takes some, in and out: it has them
by number, a table of one column, and looks up in other rows what it needs of them.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve

from backdoor_curves.rows import distinct_rows

LARGEST = float(np.finfo(np.float32).max)
"""The largest value that libsvm, which keeps a kernel in single precision, can hold."""


class PrecomputedKernel:
    """The kernel between training rows, by number, and any rows, by their kernel with all training rows.

    Parameters
    ----------
    values : array of shape (n, n)
        The kernel matrix of the training rows; n > 1.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.precomputed import PrecomputedKernel
    >>> X, test = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 2.0]]), np.array([[3.0, 1.0]])
    >>> kernel = PrecomputedKernel(X @ X.T)
    >>> kernel(kernel.numbers[[2, 0]], test @ X.T)
    array([[5.],
           [3.]])
    """

    def __init__(self, values: Float[np.ndarray, "n n"]) -> None:
        self.values = values

    @property
    def numbers(self) -> Float[np.ndarray, "n 1"]:
        """The training rows, by number."""
        return np.arange(len(self.values), dtype=float)[:, np.newaxis]

    @property
    def distinct_numbers(self) -> Float[np.ndarray, "n 1"]:
        """The training rows; those whose kernels are all equal are one row, and have the first one's number."""
        first, group = distinct_rows(self.values, np.zeros(len(self.values)))
        return self.numbers[first[group]]

    def __call__(self, A: Float[np.ndarray, "a c"], B: Float[np.ndarray, "b d"]) -> Float[np.ndarray, "a b"]:
        """Return the kernel between rows, by number or by their kernels."""
        if _by_number(B):
            return self.values[np.ix_(numbered(A), numbered(B))] if _by_number(A) else _floats(A)[:, numbered(B)]
        if _by_number(A):
            return _floats(B)[:, numbered(A)].T
        return np.asarray(_floats(A) @ cho_solve(self._factor, _floats(B).T))

    @cached_property
    def _factor(self) -> tuple[Float[np.ndarray, "n n"], bool | np.ndarray]:  # scipy: since 1.18 an array
        """The Cholesky factor of the matrix, with a ridge of the size of its rounding.

        A solution gives what two rows have in common in the span of the training rows: all that these can see of them.
        """
        n = len(self.values)
        ridge = n * np.finfo(float).eps * float(np.abs(self.values).max()) * n
        factor, lower = cho_factor(self.values + ridge * np.eye(n), lower=True)
        return factor, lower


def require_values(K: np.ndarray, name: str) -> None:
    """Refuse values that are no kernel's, or that libsvm cannot hold; `name` is what the rows are called.

    Raises
    ------
    ValueError
        If one is NaN or infinite, or beyond single precision.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.precomputed import require_values
    >>> require_values(np.eye(2), "clean_train")
    """
    if bad := int((~np.isfinite(K)).sum()):
        raise ValueError(
            f"{name}: finite kernel values were expected, {bad} are NaN or infinite; mend the kernel or the features "
            "that it is taken of (a row that is dropped takes its column along, in test rows too)"
        )
    if (largest := float(np.abs(K).max(initial=0.0))) > LARGEST:
        raise ValueError(
            f"{name}: kernel values up to {LARGEST:.1e} were expected, for libsvm has them in single precision, "
            f"{largest:.1e} came; divide all rows by a number, and multiply C by it"
        )


def numbered(X: Float[np.ndarray, "r 1"]) -> Int[np.ndarray, " r"]:
    """Return the numbers of training rows."""
    return X[:, 0].astype(np.intp)


def _by_number(X: Float[np.ndarray, "r c"]) -> bool:
    return X.shape[1] == 1


def _floats(X: Float[np.ndarray, "t n"]) -> Float[np.ndarray, "t n"]:
    return np.asarray(X, dtype=float)
