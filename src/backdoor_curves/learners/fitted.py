"""A clone of an estimator, fitted at some weights, as the model of a path: its scores, and what of it can be read."""

from __future__ import annotations

import copy
import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int, Shaped
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from backdoor_curves.kernels.precomputed import PrecomputedKernel, numbered
from backdoor_curves.learners.exact import AROUND, file_of
from backdoor_curves.learners.refitted_estimators import by_probabilities
from backdoor_curves.losses.score_encodings import ScoreEncoding, is_in_pairs
from backdoor_curves.paths.refit import Fit, Model
from backdoor_curves.records.one_line import one_line
from backdoor_curves.rows import Rows, n_rows

OF_WEIGHTS = re.compile(r"sample[ _-]?weight", re.IGNORECASE)
"""What a warning or an error of weights that are not used has in it, in scikit-learn's words and those of others."""


@dataclass(frozen=True, eq=False)
class FittedEstimator:
    """A fitted scikit-learn classifier as a `Model`."""

    estimator: Any
    converged: bool
    of_weights: str | None = None
    """What its fit warned of sample weights, in one line."""

    def scores(self, X: Rows) -> Float[np.ndarray, "n columns"]:
        """Return its decision function, or the logarithms of its probabilities (their difference for two classes)."""
        if file_of(self.estimator) is not None or not by_probabilities(self.estimator):
            scores = [np.asarray(part.decision_function(X), dtype=float) for part in self._parts]
            return np.hstack([score.reshape(n_rows(X), -1) for score in scores])
        probabilities = np.clip(self.estimator.predict_proba(X), np.finfo(float).eps, 1.0)
        logs = np.log(probabilities)
        return logs[:, 1:] - logs[:, :1] if logs.shape[1] == 2 else logs

    def coef(self) -> Float[np.ndarray, " p"] | None:
        """Return the coefficients of a linear model, those of all classes in a row."""
        linear = all(hasattr(part, "coef_") for part in self._parts)  # an SVC has them with a linear kernel only
        return np.concatenate([_dense(part.coef_).ravel() for part in self._parts]) if linear else None

    def duals(self, n: int) -> Float[np.ndarray, " n"]:
        """Return the signed dual coefficients of an SVC for two classes, zero but for support vectors."""
        duals = np.zeros(n)
        (machine,) = self._parts
        duals[machine.support_] = _dense(machine.dual_coef_)[0]
        return duals

    @property
    def _parts(self) -> list[Any]:
        """The estimators whose scores its columns are: those of two classes that it is made of, or itself."""
        return self.estimator.estimators_ if file_of(self.estimator) in AROUND else [self.estimator]


def _dense(A: Any) -> Float[np.ndarray, "a b"]:
    return np.atleast_2d(A.toarray() if sp.issparse(A) else A)


def fit_estimator(
    estimator: Any,
    encoding: ScoreEncoding,
    X: Rows,
    y: Shaped[np.ndarray, " n"],
    sample_weight: Float[np.ndarray, " n"],
    start: Model | None,
) -> FittedEstimator:
    """Fit a clone, or continue from a fit where the estimator was built with warm_start=True."""
    if start is not None:
        assert isinstance(start, FittedEstimator)
        estimator = copy.deepcopy(start.estimator)
    else:
        estimator = clone(estimator)
    if is_in_pairs(encoding) and hasattr(estimator, "decision_function_shape"):
        estimator.set_params(decision_function_shape="ovo")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _fit(estimator, X, y, sample_weight)
    complaints = [issubclass(warning.category, ConvergenceWarning) for warning in caught]
    for warning, complaint in zip(caught, complaints, strict=True):
        if not complaint:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return FittedEstimator(estimator, converged=not any(complaints), of_weights=_said_of_weights(caught))


def _fit(estimator: Any, X: Rows, y: Shaped[np.ndarray, " n"], sample_weight: Float[np.ndarray, " n"]) -> None:
    """Fit in place; where that fails for what is asked of it here, its weights or the user's labels, say so."""
    name = type(estimator).__name__
    try:
        estimator.fit(X, y, sample_weight=sample_weight)
    except (TypeError, ValueError) as error:
        if OF_WEIGHTS.search(str(error)) and (sample_weight > 0).all():  # one may refuse weights of 0 by right
            raise TypeError(
                f"estimator: beta is a sample_weight, which {name}.fit hands on, and that fails: {one_line(error)}"
            ) from error
        if "nvalid classes" in str(error):  # xgboost's words for labels that are not 0, 1, ...
            raise ValueError(
                f"labels: numbers from 0 on were expected by {name}: {one_line(error)}; make them before the data are "
                "poisoned, with numpy.unique(y, return_inverse=True)[1]"
            ) from error
        raise


def _said_of_weights(caught: list[warnings.WarningMessage]) -> str | None:
    """Return the first warning of weights; not one of what a later version will do with them."""
    said = (
        one_line(warning.message)
        for warning in caught
        if not issubclass(warning.category, FutureWarning | DeprecationWarning | PendingDeprecationWarning)
    )
    return next((text for text in said if OF_WEIGHTS.search(text)), None)


@dataclass(frozen=True, eq=False)
class FittedOnMatrix:
    """A classifier that was fitted on the kernel matrix of some training rows, as a `Model`."""

    fitted: Model
    columns: Int[np.ndarray, " f"]
    """The training rows that it was fitted on."""

    @property
    def converged(self) -> bool:
        """Whether its solver met its own stopping rule."""
        return self.fitted.converged

    def scores(self, X: Rows) -> Float[np.ndarray, "n columns"]:
        """Return its scores of rows given by their kernel with all training rows."""
        return self.fitted.scores(np.asarray(X)[:, self.columns])

    def coef(self) -> None:
        """Return None: its w is in the kernel's space."""

    def duals(self, n: int) -> Float[np.ndarray, " n"]:
        """Return the signed dual coefficients of the rows that it was fitted on."""
        return self.fitted.duals(n)


def fit_on_matrix(
    fit: Fit,
    kernel: PrecomputedKernel,
    X: Float[np.ndarray, "n 1"],
    y: Shaped[np.ndarray, " n"],
    sample_weight: Float[np.ndarray, " n"],
    start: Model | None,
) -> FittedOnMatrix:
    """Fit a clone on training rows that are known by number: on their part of the kernel matrix."""
    assert start is None  # SVMs have no warm_start
    columns = numbered(X)
    K = kernel.values[np.ix_(columns, columns)]
    return FittedOnMatrix(fit(K, y, sample_weight, None), columns)
