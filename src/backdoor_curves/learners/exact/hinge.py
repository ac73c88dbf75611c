"""The hinge with a kernel, of one score column or of many: followed by a kernel matrix, or in the space of features."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from backdoor_curves.kernels.by_name import GivenKernel, Linear, Sigmoid
from backdoor_curves.kernels.functions import Kernel, negative_eigenvalue
from backdoor_curves.kernels.memory import require_room, require_room_for_features
from backdoor_curves.kernels.numbered import NumberedRows
from backdoor_curves.kernels.on_demand import RowsOnDemand, is_on_demand
from backdoor_curves.learners.exact.weighted import WeightedColumns
from backdoor_curves.learners.shared import Shared
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.columns import PathOfColumns
from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.linear_svm.follow import linear_svm_path
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.paths.svm.path import NotOptimalError, SVMPath
from backdoor_curves.rows import Rows, squared_lengths

ROUNDED, DROWNED = 1e-9, 1e-6
"""What the rounding of a kernel matrix may do to a score, beyond which linear machines of few features are followed
without one: a thousandth of what curves ask for; and those of many, which takes longer: what curves ask for."""
FEW = 100
"""Features whose factorisation at each knot costs no more than the knot's other work."""
MANY, EACH = 2000, 10
"""Rows from which on linear machines are followed in the space of their features, and rows for each feature: it takes
half of the time that a kernel matrix does, or less, and memory grows as n d and not as n^2."""
LOOKED_AT = 5
"""Betas at which a doubtful path is proven once more: a bound that is too large is so at most of them."""


def follow_hinge(
    columns: WeightedColumns, kernel: Kernel, intercept: Intercept, tolerance: float, shared: Shared | None
) -> BetaPath:
    """Return the path of the hinge with a kernel; what is no kernel of the training rows is refused.

    Where paths share, the kernel remembers its values, and a path serves smaller C on its plateau. Linear machines are
    followed in the space of their features where rows are many, and where a kernel matrix loses too much, does not lead
    on or proves too little: all columns, so that their parameters are of one kind.
    """
    if not isinstance(kernel, Linear):
        return _by_kernel(columns, kernel, intercept, shared)
    if _are_many(columns):
        with suppress(NotOptimalError):
            return _in_features(columns, intercept)
    few = columns.X.shape[1] <= FEW
    if sp.issparse(columns.X) and not few:
        return _by_kernel(columns, kernel, intercept, shared)
    if _lost_of_scores(columns) > (ROUNDED if few else DROWNED):
        with suppress(NotOptimalError):
            return _in_features(columns, intercept)
        return _by_kernel(columns, kernel, intercept, shared)
    try:
        path = _by_kernel(columns, kernel, intercept, shared, is_patient=not few)
        if not (few and _is_doubtful(path, columns.X, tolerance)):
            return path
    except NotOptimalError:
        return _in_features(columns, intercept)
    with suppress(NotOptimalError):
        return _in_features(columns, intercept)
    return path


def _are_many(columns: WeightedColumns) -> bool:
    """Return whether each column sees many rows, and many for each feature."""
    rows = min(len(members) for members in columns.members)
    return rows >= max(MANY, EACH * columns.X.shape[1])


def _is_doubtful(path: BetaPath, X: Rows, tolerance: float) -> bool:
    """Return whether a column has more rows on its margin than features, and so is not proven to the tolerance.

    Rows that depend on each other are known to a kernel matrix but for its rounding, and in features to a few digits.
    """
    if not isinstance(path, PathOfColumns):
        return False
    parts = [part for part in path.paths if isinstance(part, SVMPath)]
    if max(len(duals) for part in parts for duals in part.at.margin_duals) <= X.shape[1]:
        return False
    found = path.certificate(np.linspace(0.0, 1.0, LOOKED_AT), [X])
    return not found.score_bound.max() <= tolerance


def _lost_of_scores(columns: WeightedColumns) -> float:
    """Return what the rounding of a linear kernel's matrix may do to a score, were all rows at their bounds."""
    return float(np.finfo(float).eps * squared_lengths(columns.X).max() * (columns.u0 + columns.du).sum())


def _in_features(columns: WeightedColumns, intercept: Intercept) -> BetaPath:
    parts = [columns.column(c, columns.X) for c in range(columns.targets.shape[1])]
    paths = tuple(linear_svm_path(part.X, part.y, part.u0, part.du, intercept) for part in parts)
    return paths[0] if len(paths) == 1 else PathOfColumns(paths, columns.members)


def _by_kernel(
    columns: WeightedColumns, kernel: Kernel, intercept: Intercept, shared: Shared | None, is_patient: bool = True
) -> BetaPath:
    if is_on_demand(kernel, len(columns.u0)):
        return _by_rows_of_kernel(columns, kernel, intercept, shared, is_patient)
    require_room(len(columns.u0))
    path_of = svm_path if shared is None else shared.svm_path
    is_doubtful = isinstance(kernel, GivenKernel | Sigmoid)
    if columns.targets.shape[1] > 1:
        numbered = NumberedRows(kernel, columns.X) if shared is None else shared.numbered(kernel, columns.X)
        if is_doubtful:
            require_kernels_of_columns(numbered, columns, "change gamma or coef0")
        return numbered_path(numbered, columns, intercept, partial(path_of, is_patient=is_patient))
    rows, between = columns.column(0, columns.X), kernel if shared is None else shared.kernel(kernel)
    if is_doubtful:
        require_positive_semidefinite(between(rows.X, rows.X), len(rows.y), "change gamma or coef0")
    return path_of(rows.X, rows.y, rows.u0, rows.du, between, intercept, is_patient)


def _by_rows_of_kernel(
    columns: WeightedColumns, kernel: Kernel, intercept: Intercept, shared: Shared | None, is_patient: bool
) -> BetaPath:
    """Return the path without a kernel matrix, which would not fit; of a function or a sigmoid it must be looked at.

    Paths that share use each other's rows of it.
    """
    require_room_for_features(len(columns.u0), 0 if sp.issparse(columns.X) else columns.X.shape[1])
    matrix_of = RowsOnDemand if shared is None else shared.matrix
    parts = [columns.column(c, columns.X) for c in range(columns.targets.shape[1])]
    paths = tuple(
        svm_path(part.X, part.y, part.u0, part.du, kernel, intercept, is_patient, matrix_of) for part in parts
    )
    return paths[0] if len(paths) == 1 else PathOfColumns(paths, columns.members)


def numbered_path(
    numbered: NumberedRows, columns: WeightedColumns, intercept: Intercept, path_of: Callable[..., SVMPath] = svm_path
) -> PathOfColumns:
    """Return the path of several columns, each by its block of the kernel matrix."""
    parts = [columns.column(c, numbered.numbers) for c in range(columns.targets.shape[1])]
    paths = tuple(path_of(part.X, part.y, part.u0, part.du, numbered, intercept) for part in parts)
    return PathOfColumns(paths, columns.members, numbered)


def require_kernels_of_columns(numbered: NumberedRows, columns: WeightedColumns, mend: str) -> None:
    """Refuse a kernel that is none on the rows that some column sees; what the others see is not asked."""
    if all(len(rows) == len(columns.u0) for rows in columns.members):
        require_positive_semidefinite(numbered.gram, len(numbered.gram), mend)
        return
    for rows in columns.members:
        numbers = np.unique(numbered.numbers[rows])
        require_positive_semidefinite(numbered(numbers, numbers), len(numbers), mend)


def require_positive_semidefinite(K: Float[np.ndarray, "n n"], n: int, mend: str) -> None:
    """Refuse a kernel of which the matrix of its n training rows shows that it is none; `mend` says what helps."""
    if K.shape != (n, n) or not np.isfinite(K).all() or not np.allclose(K, K.T, rtol=1e-9, atol=1e-12):
        raise ValueError(
            f"kernel: a symmetric matrix of shape ({n}, {n}) with finite entries was expected of the training rows, "
            f'another of shape {K.shape} came; mend it or pass method="refit"'
        )
    if negative := negative_eigenvalue(K):
        largest = float(np.linalg.eigvalsh(K)[-1])
        if largest > n * np.finfo(float).eps * -negative:
            share = f"{negative / largest:.1e} of the largest"
        else:
            share, mend = "and none above 0", "larger values mean more alike: turn its sign if they do not"
        raise ValueError(
            f"kernel: one that is positive semidefinite on the training rows was expected, its matrix has the "
            f"eigenvalue {negative:.3g}, {share}: the optimum need not be unique, and there is no path to it; {mend}, "
            'or pass method="refit"'
        )
