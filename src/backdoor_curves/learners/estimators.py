"""scikit-learn's classifiers: which can be used, what they minimise, and how a fitted one answers."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.utils.validation import has_fit_parameter

from backdoor_curves.kernels.functions import (
    Kernel,
    linear,
    linear_gradient,
    polynomial,
    polynomial_gradient,
    rbf,
    rbf_gradient,
    sigmoid,
    sigmoid_gradient,
)
from backdoor_curves.kernels.precomputed import PrecomputedKernel, numbered
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding
from backdoor_curves.paths.refit import Model
from backdoor_curves.rows import Rows, n_rows


def steps_and_last(estimator: Any) -> tuple[list[Any], Any]:
    """Return the transformers and the classifier of a Pipeline, or no transformers and the estimator."""
    if isinstance(estimator, type) or not isinstance(estimator, BaseEstimator):
        raise TypeError(f"estimator: an unfitted scikit-learn classifier was expected, {estimator!r} came")
    if not is_classifier(estimator):
        raise TypeError(
            f"estimator: a classifier was expected, {type(estimator).__name__} is none; for ridge take RidgeClassifier"
        )
    steps: list[Any] = []
    last = estimator
    while isinstance(last, Pipeline):
        steps += [step for _, step in last.steps[:-1] if step not in (None, "passthrough")]
        last = last.steps[-1][1]
    _require_usable(last)
    return steps, last


def _require_usable(last: Any) -> None:
    """Refuse a classifier that has no curve, before anything is fitted."""
    if not has_fit_parameter(last, "sample_weight"):
        raise TypeError(
            f"estimator: a classifier whose fit takes sample_weight was expected, {type(last).__name__}.fit has none; "
            "beta is the weight of the poison rows"
        )
    if getattr(last, "kernel", None) == "precomputed" and not is_precomputed(last):
        raise ValueError(
            f'kernel: with "precomputed" SVC or NuSVC was expected, {type(last).__name__} came; pass the kernel by name'
        )
    names = {"alpha"} if isinstance(last, RidgeClassifier) else {"C"} & last.get_params(deep=False).keys()
    for name in names:
        value = getattr(last, name)
        if not (is_number(value) and value > 0 and (name == "C" or value < np.inf)):
            raise ValueError(f"{name}: a number > 0 was expected, {value!r} came")
    if type(last).__name__ in ("LogisticRegressionCV", "RidgeClassifierCV"):
        raise ValueError(
            f"estimator: {type(last).__name__} would choose its penalty anew at every beta; choose it first, and pass "
            f"{type(last).__name__.removesuffix('CV')} with it"
        )
    if not (hasattr(last, "decision_function") or hasattr(last, "predict_proba")):
        raise TypeError(
            f"estimator: a classifier with scores was expected, {type(last).__name__} has neither decision_function "
            "nor predict_proba"
        )
    if getattr(last, "warm_start", False) is True and type(last).__module__.startswith("sklearn.ensemble"):
        raise ValueError("warm_start: an ensemble would keep the trees of the beta before; pass warm_start=False")


def is_precomputed(estimator: Any) -> bool:
    """Return whether a learner sees, in place of features, the kernel of a row with the training rows."""
    return isinstance(estimator, SVC | NuSVC) and estimator.kernel == "precomputed"


def is_number(value: Any) -> bool:
    """Return whether a parameter is a number; a bool is none."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


_OWN_LOSS = (RidgeClassifier, LogisticRegression, SVC, NuSVC, LinearSVC, SGDClassifier)
"""Learners whose loss is a function of their decision function, and known here."""


def loss_and_encoding(estimator: Any, n_classes: int) -> tuple[Loss, ScoreEncoding]:
    """Return the loss that the estimator minimises; for one unknown here, the one that suits what it offers.

    That is the log loss of its probabilities, clipped to the machine epsilon, or the hinge of its decision function.
    """
    many: ScoreEncoding = "binary" if n_classes == 2 else "one-vs-rest"
    pairs: ScoreEncoding = "binary" if n_classes == 2 else "one-vs-one"
    softmax: ScoreEncoding = "binary" if n_classes == 2 else "softmax"
    if isinstance(estimator, RidgeClassifier):
        return "squared", many
    if isinstance(estimator, LogisticRegression):
        return "logistic", softmax
    if isinstance(estimator, SVC | NuSVC):
        return "hinge", pairs
    if isinstance(estimator, LinearSVC):
        return ("hinge" if estimator.loss == "hinge" else "squared hinge"), many
    if isinstance(estimator, SGDClassifier):
        own: Mapping[str, Loss] = {
            "hinge": "hinge",
            "squared_hinge": "squared hinge",
            "log_loss": "logistic",
            "squared_error": "squared",
        }
        return own.get(estimator.loss, "hinge"), many
    if hasattr(estimator, "predict_proba"):
        return "logistic", softmax
    return "hinge", many


def kernel_of(estimator: Any) -> Kernel | None:
    """Return the kernel of an SVM, between rows of any kind; None for any other learner."""
    kernel = _kernel_of(estimator)
    if kernel is None:
        return None

    def between(A: Rows, B: Rows) -> Float[np.ndarray, "a b"]:
        floats = as_floats(A)
        K: Any = kernel(floats, floats if B is A else as_floats(B))
        return np.asarray(K.toarray() if sp.issparse(K) else K, dtype=float)

    return between


def _kernel_of(estimator: Any) -> Kernel | None:
    if isinstance(estimator, LinearSVC):
        return linear
    if not isinstance(estimator, SVC | NuSVC):
        return None
    gamma, coef0, degree = estimator.gamma, estimator.coef0, estimator.degree
    own: Mapping[Any, Kernel] = {
        "linear": linear,
        "rbf": partial(rbf, gamma=gamma),
        "poly": partial(polynomial, gamma=gamma, coef0=coef0, degree=degree),
        "sigmoid": partial(sigmoid, gamma=gamma, coef0=coef0),
    }
    return estimator.kernel if callable(estimator.kernel) else own.get(estimator.kernel)


def kernel_gradient_of(estimator: Any) -> Callable[..., Float[np.ndarray, "n d"]]:
    """Return the gradient of a kernel expansion in x, a function (c, S, X) as in `kernels`."""
    if isinstance(estimator, LinearSVC):
        return linear_gradient
    gamma, coef0, degree = estimator.gamma, estimator.coef0, estimator.degree
    own: Mapping[Any, Callable[..., Float[np.ndarray, "n d"]]] = {
        "linear": linear_gradient,
        "rbf": partial(rbf_gradient, gamma=gamma),
        "poly": partial(polynomial_gradient, gamma=gamma, coef0=coef0, degree=degree),
        "sigmoid": partial(sigmoid_gradient, gamma=gamma, coef0=coef0),
    }
    if callable(estimator.kernel) or is_precomputed(estimator):
        raise ValueError(
            "a gradient in the input needs a kernel by name; that of a function, or of a matrix, is unknown here"
        )
    return own[estimator.kernel]


def kernel_key(estimator: Any) -> Hashable:
    """Return what tells the kernel of an SVM from every other."""
    if isinstance(estimator, LinearSVC) or estimator.kernel == "linear":
        return "linear"
    if callable(estimator.kernel):
        return estimator.kernel
    return estimator.kernel, estimator.gamma, estimator.coef0, estimator.degree


def as_floats(X: Rows) -> Rows:
    """Return rows in double precision, as scikit-learn's SVMs see them: an array, or CSR with each entry once."""
    if not sp.issparse(X):
        return np.asarray(X, dtype=float)
    X = sp.csr_array(X, dtype=float, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


@dataclass(frozen=True, eq=False)
class FittedEstimator:
    """A fitted scikit-learn classifier as a `Model`."""

    estimator: Any
    converged: bool

    def scores(self, X: Rows) -> Float[np.ndarray, "n columns"]:
        """Return its decision function, or the logarithms of its probabilities (their difference for two classes).

        An ensemble may have both, and predict by its probabilities: they are the scores of a learner unknown here.
        """
        if isinstance(self.estimator, _OWN_LOSS) or not hasattr(self.estimator, "predict_proba"):
            scores = np.asarray(self.estimator.decision_function(X), dtype=float)
            return scores.reshape(n_rows(X), -1)
        probabilities = np.clip(self.estimator.predict_proba(X), np.finfo(float).eps, 1.0)
        logs = np.log(probabilities)
        return logs[:, 1:] - logs[:, :1] if logs.shape[1] == 2 else logs

    def coef(self) -> Float[np.ndarray, " p"] | None:
        """Return the coefficients of a linear model, those of all classes in a row."""
        linear = hasattr(self.estimator, "coef_")  # an SVC has them with a linear kernel only
        return _dense(self.estimator.coef_).ravel() if linear else None

    def duals(self, n: int) -> Float[np.ndarray, " n"]:
        """Return the signed dual coefficients of an SVC for two classes, zero but for support vectors."""
        duals = np.zeros(n)
        duals[self.estimator.support_] = _dense(self.estimator.dual_coef_)[0]
        return duals


def _dense(A: Any) -> Float[np.ndarray, "a b"]:
    return np.atleast_2d(A.toarray() if sp.issparse(A) else A)


def fit_estimator(
    estimator: Any,
    n_classes: int,
    X: Rows,
    y: Int[np.ndarray, " n"],
    sample_weight: Float[np.ndarray, " n"],
    start: Model | None,
) -> FittedEstimator:
    """Fit a clone, or continue from a fit where the estimator was built with warm_start=True."""
    if start is not None:
        assert isinstance(start, FittedEstimator)
        estimator = copy.deepcopy(start.estimator)
    else:
        estimator = clone(estimator)
    if n_classes > 2 and isinstance(estimator, SVC | NuSVC):
        estimator.set_params(decision_function_shape="ovo")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, y, sample_weight=sample_weight)
    complaints = [issubclass(warning.category, ConvergenceWarning) for warning in caught]
    for warning, complaint in zip(caught, complaints, strict=True):
        if not complaint:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return FittedEstimator(estimator, converged=not any(complaints))


@dataclass(frozen=True, eq=False)
class FittedOnMatrix:
    """A classifier that was fitted on the kernel matrix of some training rows, as a `Model`."""

    fitted: FittedEstimator
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
    estimator: Any,
    n_classes: int,
    kernel: PrecomputedKernel,
    X: Float[np.ndarray, "n 1"],
    y: Int[np.ndarray, " n"],
    sample_weight: Float[np.ndarray, " n"],
    start: Model | None,
) -> FittedOnMatrix:
    """Fit a clone on training rows that are known by number: on their part of the kernel matrix."""
    assert start is None  # SVMs have no warm_start
    columns = numbered(X)
    K = kernel.values[np.ix_(columns, columns)]
    return FittedOnMatrix(fit_estimator(estimator, n_classes, K, y, sample_weight, None), columns)
