"""Kernel machines that are fitted on a matrix which others share, and predict as scikit-learn's own do on the rows.

libsvm computes its kernel anew at each fit and each prediction. Here it is computed once for all C, folds and attacks
that see the same rows; the solver is the same, and so are the predictions, but for rounding of the kernel.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.svm import SVC

from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.learners.exact import svc
from backdoor_curves.learners.freezing import numeric_gamma
from backdoor_curves.learners.parameters import is_number
from backdoor_curves.losses.score_encodings import decode
from backdoor_curves.rows import Rows, as_floats, take_rows

NAMES = ("linear", "rbf", "poly", "sigmoid")


def has_kernel_by_name(estimator: Any) -> bool:
    """Return whether an estimator is an SVC, and no subclass, whose kernel is known by name."""
    return type(estimator) is SVC and estimator.kernel in NAMES and estimator.probability is not True


def on_kernel(machine: Any, X: Rows) -> tuple[Kernel, Any]:
    """Return the kernel of an SVC that is to be fitted on some rows, and the SVC that takes the matrix."""
    words = machine.get_params(deep=False)
    gamma = words["gamma"] if is_number(words["gamma"]) else numeric_gamma(words["gamma"], X)
    between = svc.kernel(clone(machine).set_params(gamma=float(gamma)))
    assert between is not None  # it is one by name
    return between, SVC(**words | {"kernel": "precomputed", "gamma": "scale"})


def scores_on_kernel(fitted: Any, K: Float[np.ndarray, "t n"]) -> Float[np.ndarray, "t columns"]:
    """Return the scores of an SVC that was fitted on a matrix: one product for all pairs of classes.

    Parameters
    ----------
    fitted : SVC
        With kernel="precomputed".
    K : array of shape (t, n)
        The kernel of rows with its training rows.

    Returns
    -------
    array of shape (t, columns)
        One column for two classes, positive for the second; else one for each pair, positive for the first.
    """
    if len(fitted.classes_) == 2:
        return K[:, fitted.support_] @ fitted.dual_coef_.T + fitted.intercept_
    # Of the support vectors of class i a row of dual_coef_ is the pair with j, j - 1 for j > i: libsvm leaves i out.
    of_class = np.repeat(np.arange(len(fitted.classes_)), fitted.n_support_)
    coef = np.zeros((len(fitted.intercept_), len(fitted.support_)))
    for pair, (i, j) in enumerate(combinations(range(len(fitted.classes_)), 2)):
        for one, other in ((i, j), (j, i)):
            mine = of_class == one
            coef[pair, mine] = fitted.dual_coef_[other - (other > one), mine]
    return K[:, fitted.support_] @ coef.T + fitted.intercept_


def predicted_on_kernel(fitted: Any, K: Float[np.ndarray, "t n"]) -> np.ndarray:
    """Return the classes that an SVC predicts by its own rule; parameters as `scores_on_kernel`."""
    n_classes = len(fitted.classes_)
    return fitted.classes_[decode(scores_on_kernel(fitted, K), n_classes, svc.encoding(fitted, n_classes))]


class KernelRows:
    """Rows, and their kernel matrices, each computed once.

    Parameters
    ----------
    X : array or CSR of shape (n, d)
    """

    def __init__(self, X: Rows) -> None:
        self.X = as_floats(X)
        self._matrices: dict[Kernel, Float[np.ndarray, "n n"]] = {}

    def matrix(self, kernel: Kernel) -> Float[np.ndarray, "n n"]:
        """Return the matrix of a kernel."""
        if kernel not in self._matrices:
            self._matrices[kernel] = kernel(self.X, self.X)
        return self._matrices[kernel]

    def __getstate__(self) -> dict[str, Any]:
        """Return what goes to another process: the rows."""
        return {"X": self.X, "_matrices": {}}


class NumberedMachine(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An SVC whose rows are numbers of `KernelRows`; its parameters are those of the SVC.

    Parameters
    ----------
    machine : SVC
    rows : KernelRows
    """

    def __init__(self, machine: Any, rows: KernelRows) -> None:
        self.machine, self.rows = machine, rows

    def __sklearn_clone__(self) -> NumberedMachine:
        return NumberedMachine(clone(self.machine), self.rows)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return those of the SVC."""
        return dict(self.machine.get_params(deep))

    def set_params(self, **params: Any) -> NumberedMachine:
        """Set those of the SVC."""
        self.machine.set_params(**params)
        return self

    def fit(self, X: Int[np.ndarray, "n 1"], y: Any, sample_weight: Any = None) -> NumberedMachine:
        """Fit on rows by number."""
        seen = np.ravel(X)
        kernel, machine = on_kernel(self.machine, take_rows(self.rows.X, seen))
        self.seen_, self.kernel_ = seen, kernel
        self.fitted_ = machine.fit(self.rows.matrix(kernel)[np.ix_(seen, seen)], y, sample_weight=sample_weight)
        self.classes_ = self.fitted_.classes_
        return self

    def predict(self, X: Int[np.ndarray, "n 1"]) -> np.ndarray:
        """Return the classes of rows by number."""
        return predicted_on_kernel(self.fitted_, self._between(X))

    def decision_function(self, X: Int[np.ndarray, "n 1"]) -> np.ndarray:
        """Return the scores of rows by number."""
        return self.fitted_.decision_function(self._between(X))

    def _between(self, X: Int[np.ndarray, "n 1"]) -> Float[np.ndarray, "n s"]:
        return self.rows.matrix(self.kernel_)[np.ix_(np.ravel(X), self.seen_)]


def are_rows_of_numbers(X: Any) -> bool:
    """Return whether rows are an array or a sparse matrix of finite numbers, of two dimensions."""
    if sp.issparse(X):
        return bool(np.isfinite(X.data).all()) if X.dtype.kind == "f" else X.dtype.kind in "iub"
    if not (isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "fiub" and X.size):
        return False
    return X.dtype.kind != "f" or bool(np.isfinite(X).all())
