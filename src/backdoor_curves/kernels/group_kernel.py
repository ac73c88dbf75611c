"""The kernel of a group of cells: all values that its paths ask for, computed once, in one order.

`RememberedKernel` learns batch by batch as rows come, so that the last bits of a value may depend on which cell came
first. Here all rows are known from the start, and what is found later is found by the content of its rows alone. A row
is told by two sums of its 64-bit words with random odd weights, modulo 2^64: a tenth of the price of a cryptographic
hash. Two different rows have both in common with a probability of 2^-90 or less.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64

from backdoor_curves.kernels.cache import CHEAP, RememberedKernel
from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.rows import Rows

FEW = 5000
"""Training rows up to which cells share the path at the smallest lambda of their group. Of more it might take so long
that it cost cells of larger lambdas, which do not need it, their limit; and its kernel matrix would need its room."""
_BLOCK = 64
"""Rows that stay in the cache while they are summed up."""


class GroupKernel(RememberedKernel):
    """A kernel that knows training rows, and test rows against them, from the start, and learns nothing after it.

    Parameters
    ----------
    kernel : callable (A, B) -> array of shape (a, b)
        Symmetric.
    learned : array of shape (n, d)
        All training rows, original and stamped, of all rates.
    tested : array of shape (t, d)
        All test rows.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.functions import linear
    >>> from backdoor_curves.kernels.group_kernel import GroupKernel
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> kernel = GroupKernel(linear, X[:90], X[90:])
    >>> bool((kernel(X[80:10:-1], X[:90]) == kernel(X[:90], X[:90])[80:10:-1]).all())
    True
    """

    def __init__(self, kernel: Kernel, learned: Float[np.ndarray, "n d"], tested: Float[np.ndarray, "t d"]) -> None:
        super().__init__(kernel)
        self._values = np.hstack([kernel(learned, learned), kernel(learned, tested)])
        self._n = len(learned)
        self._weights = np.random.default_rng(0).integers(2**63, size=(2, learned.shape[1]), dtype=np.uint64) * 2 + 1
        signs = self._signs(np.concatenate([learned, tested]))
        self._order = np.argsort(signs[0], kind="stable")
        self._sorted = signs[:, self._order]
        self._last: tuple[Rows, Float[np.ndarray, "n n"]] | None = None

    @property
    def kept(self) -> float:
        """The bytes of what is kept."""
        return float(self._values.nbytes)

    def __call__(self, A: Rows, B: Rows) -> Float[np.ndarray, "a b"]:
        """Return the kernel between the rows of A and B, as an array of the caller's own; of A and A to read only."""
        if A is B and self._last is not None and np.array_equal(self._last[0], A):
            return self._last[1]
        if not (isinstance(A, np.ndarray) and isinstance(B, np.ndarray)) or len(A) * len(B) <= CHEAP:
            return self.kernel(A, B)
        a, known = self._places(A)
        b, also = (a, known) if B is A else self._places(B)
        if not (known.all() and also.all()):
            return self.kernel(A, B)
        if (a < self._n).all():
            values = self._values[np.ix_(a, b)]
            if A is B:  # the next lambda asks for the same again
                values.flags.writeable = False
                self._last = A, values
            return values
        if (b < self._n).all():
            return self._values[np.ix_(b, a)].T
        return self.kernel(A, B)

    def _places(self, X: Float[np.ndarray, "m d"]) -> tuple[Int[np.ndarray, " m"], Bool[np.ndarray, " m"]]:  # type: ignore[override]
        """Return where each row is among all, and whether it is there."""
        signs = self._signs(X)
        found = np.searchsorted(self._sorted[0], signs[0]).clip(max=len(self._order) - 1)
        return self._order[found], (self._sorted[:, found] == signs).all(axis=0)

    def _signs(self, X: Float[np.ndarray, "m d"]) -> UInt64[np.ndarray, "2 m"]:
        """Return two sums a row of its words, modulo 2^64: exact, in whatever order they are added."""
        signs = np.empty((2, len(X)), dtype=np.uint64)
        for start in range(0, len(X), _BLOCK):
            # Adding 0 makes -0.0 the 0.0 that it equals.
            words = (X[start : start + _BLOCK] + 0.0).view(np.uint64)
            words ^= words >> np.uint64(29)  # else the low bits of the sums would see the low bits of the words alone
            for sign, weights in zip(signs, self._weights, strict=True):
                sign[start : start + _BLOCK] = words @ weights
        return signs
