"""What many paths share: a kernel matrix serves every lambda and rate, and a path every lambda beyond its plateau.

Curves of one study differ in lambda, in the rate, in the learner; most of their rows are the same. A `Shared` goes with
them from one to the next and keeps what the next can use:

    kernels       the kernel between any two rows is computed once; rows are known by their content, so that original
                  and stamped rows, of all rates, and the test rows find each other
    numbered      rows by number, with their kernel matrix, for paths of several columns
    on demand     the last few kernel matrices that do not fit, of which rows are computed as they are asked for
    coordinates   of rows with more features than rows, the factor of their Gram matrix
    plateaus      while no clean row is at its bound an SVM's path depends on beta C only

Nothing in a result depends on it, but for the last digits. It is not for several threads at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from backdoor_curves.kernels.cache import GIB, RememberedKernel, WholeMatrices
from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.kernels.numbered import NumberedRows
from backdoor_curves.kernels.on_demand import RowsOnDemand
from backdoor_curves.paths.intercept import FREE, Intercept
from backdoor_curves.paths.linalg.coordinates import Space, coordinates
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.paths.svm.path import SVMPath
from backdoor_curves.rows import Rows, equal_rows

ON_DEMAND = 2
"""Kernel matrices on demand that are kept: of them only one holds rows at a time."""


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
    kernels: dict[Kernel, RememberedKernel] = field(default_factory=dict, repr=False)
    _spaces: list[tuple[Rows, Space]] = field(default_factory=list, repr=False)
    _plateaus: list[_Kept] = field(default_factory=list, repr=False)
    _numbered: list[tuple[Kernel, Rows, NumberedRows]] = field(default_factory=list, repr=False)
    _on_demand: list[tuple[Kernel, Rows, RowsOnDemand]] = field(default_factory=list, repr=False)

    def copy(self) -> Shared:
        """Return one that has all this one has; what is added to it later, this one does not see, but for kernels."""
        spaces, plateaus = list(self._spaces), list(self._plateaus)
        return Shared(self.room, self.kernels, spaces, plateaus, list(self._numbered), list(self._on_demand))

    def kernel(self, kernel: Kernel) -> RememberedKernel:
        """Return the kernel that remembers, one for all that are equal: in name and parameters, or as functions."""
        if kernel not in self.kernels:
            self.kernels[kernel] = RememberedKernel(kernel, self.room)
        return self.kernels[kernel]

    def numbered(self, kernel: Kernel, X: Rows) -> NumberedRows:
        """Return training rows by number, with the values of a kernel that remembers."""
        for known, rows, numbered in self._numbered:
            if known == kernel and equal_rows(rows, X):
                return numbered
        self._numbered.append((kernel, X, NumberedRows(self.kernel(kernel), X, self.room)))
        return self._numbered[-1][2]

    def matrix(self, kernel: Kernel, X: Rows) -> RowsOnDemand:
        """Return a kernel matrix on demand, the same for the same rows."""
        for known, rows, matrix in self._on_demand:
            if known == kernel and equal_rows(rows, X):
                return matrix
        self._on_demand.append((kernel, X, RowsOnDemand(kernel, X)))
        del self._on_demand[:-ON_DEMAND]
        return self._on_demand[-1][2]

    def coordinates(self, X: Rows) -> Space:
        """Return the coordinates of rows, see `paths.linalg.coordinates`."""
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
        intercept: Intercept = FREE,
        is_patient: bool = True,
    ) -> SVMPath:
        """Return the path of an SVM, see `paths.svm`: a kept one where it is the same but for the unit of beta."""
        for kept in self._plateaus:
            if kept.is_of(X, y, kernel, intercept) and (same := kept.path.rescaled(u0, du)) is not None:
                return same
        path = svm_path(X, y, u0, du, kernel, intercept, is_patient)
        self._plateaus.append(_Kept(X, y, kernel, intercept, path))
        return path


@dataclass(eq=False)
class SharedMatrices(Shared):
    """Shares of kernels only the whole matrix of the training rows, and no path: with it bits are those without it."""

    def kernel(self, kernel: Kernel) -> RememberedKernel:
        """Return the kernel that remembers its whole matrices."""
        if kernel not in self.kernels:
            self.kernels[kernel] = WholeMatrices(kernel, self.room)
        return self.kernels[kernel]

    def matrix(self, kernel: Kernel, X: Rows) -> RowsOnDemand:
        """Return a kernel matrix on demand of which nothing is at hand."""
        return RowsOnDemand(kernel, X)

    def svm_path(
        self,
        X: Rows,
        y: Float[np.ndarray, " n"],
        u0: Float[np.ndarray, " n"],
        du: Float[np.ndarray, " n"],
        kernel: Kernel,
        intercept: Intercept = FREE,
        is_patient: bool = True,
    ) -> SVMPath:
        """Return the path of an SVM, followed for itself."""
        return svm_path(X, y, u0, du, kernel, intercept, is_patient)


@dataclass(frozen=True, eq=False)
class _Kept:
    """A path and what it is a path of; to compare rows is cheaper than to hash them."""

    X: Rows
    y: Float[np.ndarray, " n"]
    kernel: Kernel
    intercept: Intercept
    path: SVMPath

    def is_of(self, X: Rows, y: Float[np.ndarray, " n"], kernel: Kernel, intercept: Intercept) -> bool:
        """Return whether the path is of these rows."""
        same = self.kernel is kernel and self.intercept == intercept and np.array_equal(self.y, y)
        return same and equal_rows(self.X, X)
