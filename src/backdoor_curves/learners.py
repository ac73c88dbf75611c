"""The one seam where a scikit-learn estimator becomes arrays, a lambda, a loss and a path.

What would move with beta is fitted once and frozen here: the transformers of a Pipeline, `gamma="scale"` and
`class_weight="balanced"`. On clean and poison rows at weight 1 (`freeze="joined"`) beta = 1 is the victim's own fit;
on clean rows (`freeze="clean"`) beta = 0 is the fit that never saw the poison.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.utils import get_tags
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import has_fit_parameter

from backdoor_curves.codes import Code, encode
from backdoor_curves.data import PoisonedData, Samples, join
from backdoor_curves.losses import Loss
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.refit import Fit, Kernel, Model, refit_path
from backdoor_curves.paths.ridge import ridge_path
from backdoor_curves.rows import Rows, n_rows

Freeze = Literal["joined", "clean"]
Method = Literal["auto", "exact", "refit"]

REFIT_BETAS = (
    np.array([0, 1, 2, 5, 10, 20, 30, 50, 80, 120, 160, 200, 250, 300, 400, 500, 600, 700, 800, 900, 1000]) / 1000
)
"""Where a learner without an exact path is refitted if nothing else is asked: dense near 0, where curves fall."""


@dataclass(frozen=True, eq=False)
class Learner:
    """An estimator with everything frozen that would move with beta, and its training rows as it sees them.

    Parameters
    ----------
    estimator : scikit-learn classifier
        The last step, unfitted, with a numeric gamma and explicit class weights.
    steps : tuple of fitted transformers
        The frozen map before it.
    classes : array of shape (K,)
        The labels, in the order of the class indices.
    loss, code : Loss, Code
        What the estimator minimises, and what its score columns stand for.
    freeze : "joined" or "clean"
        What the frozen parts were fitted on.
    clean, poison : Samples
        Training rows after the frozen map, labels as class indices.
    is_poison : bool array
        Where the poison rows stand in the victim's training set.
    """

    estimator: Any
    steps: tuple[Any, ...]
    classes: np.ndarray
    loss: Loss
    code: Code
    freeze: Freeze
    clean: Samples
    poison: Samples
    is_poison: Bool[np.ndarray, " n_plus_m"]

    def test_rows(self, samples: Samples, name: str) -> Samples:
        """Return test rows through the frozen map, with labels as class indices."""
        return Samples(_checked(_through(self.steps, samples.X), self.estimator, name), self.index(samples.y))

    def index(self, labels: np.ndarray) -> Int[np.ndarray, " n"]:
        """Return the class indices of labels."""
        return np.searchsorted(self.classes, labels)

    @property
    def hyperparameters(self) -> dict[str, float]:
        """`lambda` (1/C, or 2 alpha for ridge) and, for kernels that have it, `gamma`."""
        found = {}
        parameters = self.estimator.get_params(deep=False)
        if isinstance(self.estimator, RidgeClassifier):
            found["lambda"] = 2.0 * float(self.estimator.alpha)
        elif _is_number(parameters.get("C")) and parameters.get("penalty", "l2") is not None:
            found["lambda"] = 1.0 / float(parameters["C"])
        if parameters.get("kernel") in ("rbf", "poly", "sigmoid") and _is_number(parameters["gamma"]):
            found["gamma"] = float(parameters["gamma"])
        return found


def read_learner(estimator: Any, data: PoisonedData, freeze: Freeze = "joined") -> Learner:
    """Return the learner that an unfitted estimator describes, with its frozen parts fitted on the training rows.

    Raises
    ------
    TypeError
        If `estimator` is no classifier, or if its last step takes no `sample_weight`.
    ValueError
        If C or alpha is not a positive number, if class weights do not fit the classes, if a feature is NaN or
        infinite where the estimator takes none, or if the kernel is precomputed.
    """
    if freeze not in ("joined", "clean"):
        raise ValueError(f'freeze: "joined" or "clean" was expected, {freeze!r} came')
    steps, last = _steps_and_last(estimator)
    classes = data.classes
    clean = Samples(data.clean_train.X, np.searchsorted(classes, data.clean_train.y))
    poison = Samples(data.poison_train.X, np.searchsorted(classes, data.poison_train.y))
    is_poison = data.is_poison
    fitted, clean, poison = _freeze_steps(steps, clean, poison, is_poison, freeze)
    clean = Samples(_checked(clean.X, last, "clean_train"), clean.y)
    poison = Samples(_checked(poison.X, last, "poison_train"), poison.y)
    frozen = _freeze_parameters(clone(last), classes, clean, poison, is_poison, freeze)
    loss, code = _loss_and_code(frozen, len(classes))
    return Learner(frozen, fitted, classes, loss, code, freeze, clean, poison, is_poison)


def follow(
    learner: Learner, method: Method = "auto", betas: Float[np.ndarray, " b"] | None = None, n_jobs: int | None = None
) -> BetaPath:
    """Return the path of a learner: the exact one where there is one, or refits at `betas`.

    Raises
    ------
    ValueError
        If `method` is unknown, or "exact" for a learner that has no exact path.
    """
    if method not in ("auto", "exact", "refit"):
        raise ValueError(f'method: "auto", "exact" or "refit" was expected, {method!r} came')
    if method != "refit" and type(learner.estimator) is RidgeClassifier and not learner.estimator.positive:
        return _follow_ridge(learner)
    if method == "exact":
        name = type(learner.estimator).__name__
        raise ValueError(f'method: {name} has no exact path (RidgeClassifier has); pass method="refit"')
    joined = join(learner.clean, learner.poison, learner.is_poison)
    warm = getattr(learner.estimator, "warm_start", False) is True
    fit = cast(Fit, partial(_fit, learner.estimator, len(learner.classes)))
    grid = REFIT_BETAS if betas is None else betas
    kernel = _kernel(learner.estimator) if len(learner.classes) == 2 else None
    return refit_path(fit, joined.X, joined.y, learner.is_poison, grid, kernel=kernel, warm=warm, n_jobs=n_jobs)


# --- reading the estimator -------------------------------------------------------------------------------------------


def _steps_and_last(estimator: Any) -> tuple[list[Any], Any]:
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
    if not has_fit_parameter(last, "sample_weight"):
        raise TypeError(
            f"estimator: a classifier whose fit takes sample_weight was expected, {type(last).__name__}.fit has none; "
            "beta is the weight of the poison rows"
        )
    if getattr(last, "kernel", None) == "precomputed":
        raise ValueError(
            'kernel: "precomputed" cannot follow rows in and out; pass the kernel by name or as a function'
        )
    names = {"alpha"} if isinstance(last, RidgeClassifier) else {"C"} & last.get_params(deep=False).keys()
    for name in names:
        value = getattr(last, name)
        if not (_is_number(value) and value > 0 and (name == "C" or value < np.inf)):
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
    return steps, last


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


_OWN_LOSS = (RidgeClassifier, LogisticRegression, SVC, NuSVC, LinearSVC, SGDClassifier)
"""Learners whose loss is a function of their decision function, and known here."""


def _loss_and_code(estimator: Any, n_classes: int) -> tuple[Loss, Code]:
    """Return the loss that the estimator minimises; for one unknown here, the one that suits what it offers.

    That is the log loss of its probabilities, clipped to the machine epsilon, or the hinge of its decision function.
    """
    many: Code = "binary" if n_classes == 2 else "one-vs-rest"
    pairs: Code = "binary" if n_classes == 2 else "one-vs-one"
    softmax: Code = "binary" if n_classes == 2 else "softmax"
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


# --- freezing --------------------------------------------------------------------------------------------------------


def _freeze_steps(
    steps: list[Any], clean: Samples, poison: Samples, is_poison: Bool[np.ndarray, " n"], freeze: Freeze
) -> tuple[tuple[Any, ...], Samples, Samples]:
    """Fit the transformers one after the other, as Pipeline.fit does; return them and the rows behind them."""
    if not steps:
        return (), clean, poison
    fitted = []
    rows = join(clean, poison, is_poison) if freeze == "joined" else clean
    X = rows.X
    for step in steps:
        transformer = clone(step)
        # fit_transform, as Pipeline does: some transformers treat the rows that they were fitted on in another way.
        X = transformer.fit_transform(_shaped_for(transformer, X), rows.y)
        fitted.append(transformer)
    if freeze == "clean":
        return tuple(fitted), Samples(X, clean.y), Samples(_through(tuple(fitted), poison.X), poison.y)
    both = Samples(X, rows.y)
    return tuple(fitted), both.take(np.flatnonzero(~is_poison)), both.take(np.flatnonzero(is_poison))


def _through(steps: tuple[Any, ...], X: Rows) -> Rows:
    for step in steps:
        X = step.transform(_shaped_for(step, X))
    return X


def _shaped_for(step: Any, X: Rows) -> Rows:
    """Flatten images, unless the step says by its tags that it takes arrays of more axes, or of any kind."""
    tags = get_tags(step)
    takes_images = tags.no_validation or tags.input_tags.three_d_array
    return X if takes_images else _flat(X)


def _flat(X: Rows) -> Rows:
    return X.reshape(len(X), -1) if isinstance(X, np.ndarray) and X.ndim > 2 else X


def _checked(X: Rows, estimator: Any, name: str) -> Rows:
    """Return the rows as the last step takes them, images flattened; refuse NaN and infinity where it does not."""
    X = _flat(X)
    if isinstance(X, list) or (isinstance(X, np.ndarray) and X.dtype.kind not in "fiub"):
        kind = f"a list of {type(X[0]).__name__}" if isinstance(X, list) else f"{X.dtype} values"
        raise ValueError(
            f"{name}: numbers were expected by {type(estimator).__name__}, {kind} came; "
            "put the transformer that makes numbers of them before it in a Pipeline"
        )
    values = X.data if sp.issparse(X) else X.to_numpy() if hasattr(X, "to_numpy") else X
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and not get_tags(estimator).input_tags.allow_nan:
        # A sum is finite unless a term is not, or it overflows; only then are the entries looked at.
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(values.sum())
        bad = ~np.isfinite(values) if suspicious else np.zeros(1, dtype=bool)
        if bad.any():
            raise ValueError(
                f"{name}: finite features were expected, {bad.sum()} are NaN or infinite; "
                "drop these rows or put an imputer before the classifier"
            )
    if isinstance(X, np.ndarray) and X.ndim == 1:
        raise ValueError(f"{name}: rows of shape (n, d) were expected, shape {X.shape} came")
    return X


def _freeze_parameters(
    estimator: Any,
    classes: np.ndarray,
    clean: Samples,
    poison: Samples,
    is_poison: Bool[np.ndarray, " n"],
    freeze: Freeze,
) -> Any:
    """Return the estimator with gamma as a number, and class weights as numbers by class index."""
    gamma, class_weight = getattr(estimator, "gamma", None), getattr(estimator, "class_weight", None)
    scale, balanced = (isinstance(value, str) for value in (gamma, class_weight))
    if balanced and class_weight not in ("balanced", "balanced_subsample"):
        raise ValueError(f'class_weight: None, "balanced" or {{label: weight}} was expected, {class_weight!r} came')
    if isinstance(class_weight, Mapping):
        known = classes.tolist()
        if unknown := [label for label in class_weight if label not in known]:
            raise ValueError(f"class_weight: labels out of {known} were expected, {unknown[0]!r} came")
        if bad := [weight for weight in class_weight.values() if not (_is_number(weight) and 0 <= weight < np.inf)]:
            raise ValueError(f"class_weight: finite numbers >= 0 were expected, {bad[0]!r} came")
        by_index = {k: class_weight.get(label, 1.0) for k, label in enumerate(known)}
        estimator.set_params(class_weight=by_index)
    if not (scale or balanced):
        return estimator
    rows = join(clean, poison, is_poison) if freeze == "joined" else clean
    if gamma in ("scale", "auto"):
        estimator.set_params(gamma=_numeric_gamma(gamma, rows.X))
    if class_weight == "balanced":
        weights = compute_class_weight("balanced", classes=np.arange(len(classes)), y=rows.y)
        estimator.set_params(class_weight=dict(enumerate(weights.tolist())))
    return estimator


def _numeric_gamma(gamma: str, X: Rows) -> float:
    """Return what scikit-learn makes of gamma="scale", 1 / (d Var(X)), and "auto", 1 / d, on the rows X."""
    d = X.shape[1]
    if gamma == "auto":
        return 1.0 / d
    X = X.astype(float) if sp.issparse(X) else np.asarray(X, dtype=float)
    variance = X.multiply(X).mean() - X.mean() ** 2 if sp.issparse(X) else X.var()
    return float(1.0 / (d * variance)) if variance != 0 else 1.0


# --- the paths -------------------------------------------------------------------------------------------------------


def _follow_ridge(learner: Learner) -> BetaPath:
    estimator = learner.estimator

    def arrays(samples: Samples) -> tuple[Rows, Float[np.ndarray, "n k"], Float[np.ndarray, " n"]]:
        X = samples.X if sp.issparse(samples.X) else np.asarray(samples.X, dtype=float)
        per_class = np.array([float((estimator.class_weight or {}).get(k, 1)) for k in range(len(learner.classes))])
        return X, encode(samples.y, len(learner.classes), learner.code), per_class[samples.y]

    return ridge_path(
        arrays(learner.clean),
        arrays(learner.poison),
        alpha=float(estimator.alpha),
        intercept="free" if estimator.fit_intercept else "none",
    )


def _kernel(estimator: Any) -> Kernel | None:
    """Return the kernel of an SVM as a function of rows, and None for any other learner."""
    if not isinstance(estimator, SVC | NuSVC):
        return None
    if callable(estimator.kernel):
        return lambda X: estimator.kernel(X, X)
    parameters = {"gamma": estimator.gamma, "degree": estimator.degree, "coef0": estimator.coef0}
    return partial(pairwise_kernels, metric=estimator.kernel, filter_params=True, **parameters)


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


def _fit(
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
