"""What many paths share: a kernel matrix serves every lambda and rate, and a path every lambda beyond its plateau.

Curves of one study differ in lambda, in the rate, in the learner; most of their rows are the same. A `Shared` goes with
them from one to the next and keeps what the next can use:

    kernels       the kernel between any two rows is computed once; rows are known by their content, so that original
                  and stamped rows, of all rates, and the test rows find each other
    coordinates   of rows with more features than rows, the factor of their Gram matrix
    plateaus      while no clean row is at its bound an SVM's path depends on beta C only

Nothing in a result depends on it, but for the last digits. It is not for several threads at once.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.kernels import Kernel
from backdoor_curves.paths.coordinates import Features, GramFactor, coordinates
from backdoor_curves.paths.svm import svm_path
from backdoor_curves.paths.svm_record import SVMPath
from backdoor_curves.rows import Rows, contents, equal_rows, n_rows, take_rows

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
    >>> from backdoor_curves.paths.shared import RememberedKernel
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


@dataclass(eq=False)
class Shared:
    """What paths on the same rows share; pass one to all curves of the same data.

    Parameters
    ----------
    room : float
        Bytes that each kernel may keep.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import SVC
    >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
    >>> shared = bc.Shared()
    >>> curves = [bc.backdoor_learning_curve(SVC(C=C, gamma=0.5), data, shared=shared) for C in (0.1, 1.0, 10.0)]
    >>> len(shared.kernels)
    1
    """

    room: float = 2 * GIB
    kernels: dict[Hashable, RememberedKernel] = field(default_factory=dict, repr=False)
    _spaces: list[tuple[Rows, Features | GramFactor]] = field(default_factory=list, repr=False)
    _plateaus: list[_Kept] = field(default_factory=list, repr=False)

    def copy(self) -> Shared:
        """Return one that has all this one has; what is added to it later, this one does not see, but for kernels."""
        return Shared(self.room, self.kernels, list(self._spaces), list(self._plateaus))

    def kernel(self, key: Hashable, kernel: Kernel) -> RememberedKernel:
        """Return the kernel that remembers, one for each key: its name and parameters, or the function itself."""
        if key not in self.kernels:
            self.kernels[key] = RememberedKernel(kernel, self.room)
        return self.kernels[key]

    def coordinates(self, X: Rows) -> Features | GramFactor:
        """Return the coordinates of rows, see `paths.coordinates`."""
        for known, space in self._spaces:
            if equal_rows(known, X):
                return space
        self._spaces.append((X, coordinates(X)))
        return self._spaces[-1][1]

    def svm_path(
        self,
        X: Rows,
        y: Float[np.ndarray, " n"],
        u0: Float[np.ndarray, " n"],
        du: Float[np.ndarray, " n"],
        kernel: Kernel,
        scaling: float | None = None,
    ) -> SVMPath:
        """Return the path of an SVM, see `paths.svm`: a kept one where it is the same but for the unit of beta."""
        for kept in self._plateaus:
            if kept.is_of(X, y, kernel, scaling) and (same := kept.path.rescaled(u0, du)) is not None:
                return same
        path = svm_path(X, y, u0, du, kernel, scaling)
        self._plateaus.append(_Kept(X, y, kernel, scaling, path))
        return path


@dataclass(frozen=True, eq=False)
class _Kept:
    """A path and what it is a path of; to compare rows is cheaper than to hash them."""

    X: Rows
    y: Float[np.ndarray, " n"]
    kernel: Kernel
    scaling: float | None
    path: SVMPath

    def is_of(self, X: Rows, y: Float[np.ndarray, " n"], kernel: Kernel, scaling: float | None) -> bool:
        """Return whether the path is of these rows."""
        same = self.kernel is kernel and self.scaling == scaling and np.array_equal(self.y, y)
        return same and equal_rows(self.X, X)
