"""A kernel that remembers: rows are known by their content, and the value for two of them is computed once."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.kernels.by_name import expansion_gradient
from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.rows import Rows, contents, n_rows, take_rows

GIB = 2.0**30
CHEAP = 64**2
"""Kernel values that are computed sooner than looked up."""


class RememberedKernel:
    """A kernel that computes the value for two rows once.

    Parameters
    ----------
    kernel : callable (A, B) -> array of shape (a, b)
        Symmetric.
    room : float
        Bytes that it may keep; what does not fit any more is computed each time.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.cache import RememberedKernel
    >>> calls = []
    >>> def kernel(A, B):
    ...     calls.append((len(A), len(B)))
    ...     return A @ B.T
    >>> remembered = RememberedKernel(kernel)
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> bool(np.allclose(remembered(X, X), X @ X.T)), bool(np.allclose(remembered(X[10:], X), X[10:] @ X.T))
    (True, True)
    >>> calls
    [(100, 100)]
    """

    def __init__(self, kernel: Kernel, room: float = 2 * GIB) -> None:
        self.kernel, self.room = kernel, room
        self._batches: list[Rows] = []
        self._known: dict[bytes, tuple[int, int]] = {}
        self._blocks: dict[tuple[int, int], Float[np.ndarray, "a b"]] = {}

    def __call__(self, A: Rows, B: Rows) -> Float[np.ndarray, "a b"]:
        """Return the kernel between the rows of A and B, as an array of the caller's own."""
        if n_rows(A) * n_rows(B) <= CHEAP or not self._has_room_for(A, B):
            return self.kernel(A, B)
        a = self._places(A)
        b = a if B is A else self._places(B)
        K = np.empty((len(a), len(b)))
        for i in np.unique(a[:, 0]):
            rows = np.flatnonzero(a[:, 0] == i)
            for j in np.unique(b[:, 0]):
                columns = np.flatnonzero(b[:, 0] == j)
                K[np.ix_(rows, columns)] = self._block(int(i), int(j))[np.ix_(a[rows, 1], b[columns, 1])]
        return K

    def gradient(self, c: Float[np.ndarray, " s"], S: Rows, X: Rows) -> Float[np.ndarray, "n d"]:
        """Return the gradient of an expansion in the kernel; refused where the kernel itself has none."""
        return expansion_gradient(self.kernel, c, S, X)

    @property
    def kept(self) -> float:
        """The bytes of what is kept."""
        return float(sum(block.nbytes for block in self._blocks.values()))

    def _has_room_for(self, A: Rows, B: Rows) -> bool:
        """Whether all pairs could be kept; an estimate from above, since most rows may be known."""
        return self.kept + 8.0 * (n_rows(A) + n_rows(B)) ** 2 <= self.room

    def _places(self, X: Rows) -> Int[np.ndarray, "n 2"]:
        """Return the batch and the place in it of each row; those not seen before become a batch."""
        keys = [blake2b(content, digest_size=16).digest() for content in contents(X)]
        new = {key: i for i, key in enumerate(keys) if key not in self._known}
        if new:
            for place, key in enumerate(new):
                self._known[key] = (len(self._batches), place)
            self._batches.append(take_rows(X, np.fromiter(new.values(), dtype=np.intp)))
        return np.array([self._known[key] for key in keys])

    def _block(self, i: int, j: int) -> Float[np.ndarray, "a b"]:
        """Return the kernel between two batches, computed when it is first asked for."""
        if i > j:
            return self._block(j, i).T
        if (i, j) not in self._blocks:
            left = self._batches[i]
            self._blocks[i, j] = self.kernel(left, left if i == j else self._batches[j])
        return self._blocks[i, j]


class WholeMatrices(RememberedKernel):
    """A kernel that remembers the matrices of rows with themselves, whole, and computes all else as it is asked for.

    A matrix is thus the same to the last bit whether it is remembered or not, whoever asked first.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.kernels.cache import WholeMatrices
    >>> calls = []
    >>> remembered = WholeMatrices(lambda A, B: calls.append(1) or A @ B.T)
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> bool((remembered(X, X) == remembered(X, X)).all()), len(calls)
    (True, 1)
    """

    def __init__(self, kernel: Kernel, room: float = 2 * GIB) -> None:
        super().__init__(kernel, room)
        self._whole: dict[bytes, Float[np.ndarray, "n n"]] = {}

    def __call__(self, A: Rows, B: Rows) -> Float[np.ndarray, "a b"]:
        """Return the kernel between the rows of A and B, as an array of the caller's own."""
        if A is not B or n_rows(A) ** 2 <= CHEAP or self.kept + 8.0 * n_rows(A) ** 2 > self.room:
            return self.kernel(A, B)
        digest = blake2b(digest_size=16)
        for content in contents(A):
            digest.update(content)
        key = digest.digest()
        if key not in self._whole:
            self._whole[key] = self.kernel(A, A)
        return self._whole[key].copy()

    @property
    def kept(self) -> float:
        """The bytes of what is kept."""
        return float(sum(matrix.nbytes for matrix in self._whole.values()))
