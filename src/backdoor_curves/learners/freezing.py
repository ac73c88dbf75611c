"""What would move with beta, fitted once and held: transformers, `gamma="scale"`, `class_weight="balanced"`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool
from sklearn.base import clone
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object

from backdoor_curves.data.samples import Samples, join
from backdoor_curves.kernels.precomputed import require_values
from backdoor_curves.learners.parameters import is_number, is_precomputed, takes_gaps
from backdoor_curves.records.one_line import one_line
from backdoor_curves.rows import Rows, as_numbers, is_frame, no_number, row_shape

Freeze = Literal["joined", "clean"]


def freeze_steps(
    steps: list[Any], clean: Samples, poison: Samples, is_poison: Bool[np.ndarray, " n"], freeze: Freeze
) -> tuple[tuple[Any, ...], Samples, Samples, str]:
    """Fit the transformers one after the other, as Pipeline.fit does, with the user's labels.

    Weights of rows go to those alone that request them.

    Return them, the rows behind them, and which images were flattened on the way, see `flattening`.
    """
    if not steps:
        return (), clean, poison, ""
    fitted, flattened = [], ""
    rows = join(clean, poison, is_poison) if freeze == "joined" else clean
    X = rows.X
    for step in steps:
        transformer = clone(step, safe=False)  # a step need not be a BaseEstimator
        if demands_flat_rows(transformer):
            flattened = flattened or flattening(X, transformer)
        with _named(transformer, X):
            X = _fit_transform(transformer, shaped_for(transformer, X), rows)
        fitted.append(transformer)
    if freeze == "clean":
        return tuple(fitted), replace(clean, X=X), replace(poison, X=through(tuple(fitted), poison.X)), flattened
    both = replace(rows, X=X)
    return tuple(fitted), both.take(np.flatnonzero(~is_poison)), both.take(np.flatnonzero(is_poison)), flattened


def through(steps: tuple[Any, ...], X: Rows) -> Rows:
    """Return the rows behind the fitted transformers."""
    for step in steps:
        with _named(step, X):
            X = step.transform(shaped_for(step, X))
    return X


@contextmanager
def _named(step: Any, X: Rows) -> Iterator[None]:
    """Name the step that refuses rows, and the texts that are missing where some are."""
    try:
        yield
    except (AttributeError, TypeError, ValueError) as error:
        gaps = [] if row_shape(X) else [i for i, text in enumerate(X) if not isinstance(text, str | bytes)]
        if gaps:
            raise ValueError(
                f"estimator: its step {type(step).__name__} expects a text for each row, {len(gaps)} of {len(X)} are "
                f"none, the first is {X[gaps[0]]!r} of row {gaps[0]}; leave these rows out, or write an empty text"
            ) from error
        if isinstance(error, AttributeError):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"estimator: its step {type(step).__name__} refuses these rows: {one_line(error)}") from error


def _fit_transform(transformer: Any, X: Rows, labelled: Samples) -> Rows:
    """Return the rows that a step was fitted on behind it: some treat those in another way than others."""
    y = labelled.y
    asks = labelled.is_weighted and get_routing_for_object(transformer).consumes("fit", ["sample_weight"])
    weight = {"sample_weight": labelled.weight} if asks else {}
    if hasattr(transformer, "fit_transform"):
        return transformer.fit_transform(X, y, **weight)
    return transformer.fit(X, y, **weight).transform(X)


def shaped_for(step: Any, X: Rows) -> Rows:
    """Return rows as a step gets them: images as they are, but flat where a step of scikit-learn's own demands it."""
    return _flat(X) if demands_flat_rows(step) else X


def demands_flat_rows(step: Any) -> bool:
    """Return whether a step takes arrays of shape (n, d) alone: scikit-learn's own, unless its tags say otherwise.

    What it would refuse is flattened for it; a step of the user's own gets what a Pipeline would hand it.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer, StandardScaler
    >>> from backdoor_curves.learners.freezing import demands_flat_rows
    >>> crop = FunctionTransformer(lambda X: X[:, 2:])
    >>> demands_flat_rows(StandardScaler()), demands_flat_rows(make_pipeline(crop, StandardScaler()))
    (True, False)
    """
    if isinstance(step, Pipeline):
        inner = [one for _, one in step.steps if one not in (None, "passthrough")]
        return bool(inner) and demands_flat_rows(inner[0])
    if isinstance(step, FeatureUnion):
        branches = [one for _, one in step.transformer_list if one not in ("drop", "passthrough")]
        return bool(branches) and all(map(demands_flat_rows, branches))
    if not hasattr(step, "__sklearn_tags__"):
        return False
    tags = get_tags(step)
    return _fits_as_scikit_learn(step) and not (tags.no_validation or tags.input_tags.three_d_array)


def _fits_as_scikit_learn(estimator: Any) -> bool:
    """Return whether its fit is one of scikit-learn's own."""
    return bool(type(estimator).fit.__module__.startswith("sklearn."))


def takes_images(classifier: Any) -> bool:
    """Return whether a classifier takes rows of more than one axis, by its tags."""
    return hasattr(classifier, "__sklearn_tags__") and bool(get_tags(classifier).input_tags.three_d_array)


def flattening(X: Rows, step: Any) -> str:
    """Return which images are flattened before a step that takes rows of two dimensions; nothing of other rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import SVC
    >>> from backdoor_curves.learners.freezing import flattening
    >>> flattening(np.zeros((3, 8, 8, 1)), SVC())
    '8 x 8 x 1 before SVC'
    """
    is_flat = not isinstance(X, np.ndarray) or X.ndim <= 2 or takes_images(step)
    return "" if is_flat else f"{' x '.join(map(str, X.shape[1:]))} before {type(step).__name__}"


def _flat(X: Rows) -> Rows:
    return X.reshape(len(X), -1) if isinstance(X, np.ndarray) and X.ndim > 2 else X


def checked(X: Rows, estimator: Any, name: str) -> Rows:
    """Return the rows as the last step takes them; refuse NaN and infinity where it does not.

    Images are flattened, unless its tags say that it takes them.
    """
    X = _of_numbers(X if takes_images(estimator) else _flat(X), estimator, name)
    values = X.data if sp.issparse(X) else _numbers_of(X) if is_frame(X) else X
    if isinstance(values, np.ndarray) and is_precomputed(estimator):
        require_values(values, name)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and not takes_gaps(estimator):
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
    if row_shape(X) == (0,):
        raise ValueError(f"{name}: rows of one feature or more were expected, of none came; the steps leave no column")
    return X


def _of_numbers(X: Rows, estimator: Any, name: str) -> Rows:
    """Return rows as they are, but objects and Decimals as floats; refuse what is no numbers to an estimator."""
    came = ""
    if not isinstance(X, np.ndarray) and not row_shape(X):
        came = f"a {type(X).__name__} of {type(next(iter(X))).__name__}"
    elif isinstance(X, np.ndarray) and X.dtype.kind not in "fiubO":
        came = f"{X.dtype} values"
    elif isinstance(X, np.ndarray) and X.dtype.kind == "O":
        try:
            return X.astype(float)
        except (TypeError, ValueError):
            came = no_number(X)
    elif is_frame(X) and not _is_plain(X) and _demands_numbers(estimator):
        numbers = X if _has_dates(X) else _numbers_of(X)
        if numbers is not X:
            return numbers
        came = no_number(X)
    if came:
        raise ValueError(
            f"{name}: numbers were expected by {type(estimator).__name__}, {came} came; "
            "put the transformer that makes numbers of them before it in a Pipeline"
        )
    return X


def _is_plain(frame: Any) -> bool:
    """Return whether all columns of a DataFrame are of floats, integers or bools: no objects, text, dates, Decimals."""
    if hasattr(frame, "iloc"):
        return all(dtype.kind in "fiub" for dtype in frame.dtypes)
    return all(dtype.is_float() or dtype.is_integer() or str(dtype) == "Boolean" for dtype in frame.dtypes)


def _has_dates(frame: Any) -> bool:
    """Return whether a column is of dates or spans of time, which pandas may count in nanoseconds."""
    if hasattr(frame, "iloc"):
        return any(dtype.kind in "mM" for dtype in frame.dtypes)
    return any(dtype.is_temporal() for dtype in frame.dtypes)


def _demands_numbers(estimator: Any) -> bool:
    """Return whether an estimator is of scikit-learn's own that knows no categories, and has no other inside."""
    if isinstance(estimator, OneVsRestClassifier | OneVsOneClassifier) and not isinstance(
        estimator.estimator, Pipeline
    ):
        return _demands_numbers(estimator.estimator)
    tags = get_tags(estimator)
    takes_others = {"estimator", "estimators", "categorical_features"} & estimator.get_params(deep=False).keys()
    return _fits_as_scikit_learn(estimator) and not (tags.no_validation or takes_others)


def _numbers_of(frame: Any) -> Any:
    """Return a DataFrame as an array of floats, gaps NaN; as it is where a column holds no numbers."""
    words = {"dtype": float, "na_value": np.nan} if hasattr(frame, "iloc") else {}  # of polars gaps are NaN already
    try:
        return np.asarray(frame.to_numpy(**words), dtype=float)
    except (TypeError, ValueError):
        return frame


def freeze_parameters(
    estimator: Any, classes: np.ndarray, fitted_on: Callable[[], Samples], balances_weights: bool
) -> Any:
    """Return the estimator with gamma as a number, and class weights as numbers by label.

    `fitted_on` gives the rows that they are fitted on, with class indices, where that is asked for; `balances_weights`
    says whether the estimator's "balanced" adds up the weights of a class, or counts its rows.
    """
    gamma, class_weight = getattr(estimator, "gamma", None), getattr(estimator, "class_weight", None)
    scale, balanced = (isinstance(value, str) for value in (gamma, class_weight))
    scale = scale and not is_precomputed(estimator)
    if balanced and class_weight not in ("balanced", "balanced_subsample"):
        raise ValueError(f'class_weight: None, "balanced" or {{label: weight}} was expected, {class_weight!r} came')
    if isinstance(class_weight, Mapping):
        known = classes.tolist()
        if unknown := [label for label in class_weight if label not in known]:
            raise ValueError(f"class_weight: labels out of {known} were expected, {unknown[0]!r} came")
        if bad := [weight for weight in class_weight.values() if not (is_number(weight) and 0 <= weight < np.inf)]:
            raise ValueError(f"class_weight: finite numbers >= 0 were expected, {bad[0]!r} came")
        estimator.set_params(class_weight={label: class_weight.get(label, 1.0) for label in known})
    if not (scale or balanced):
        return estimator
    rows = fitted_on()
    if scale and gamma in ("scale", "auto"):
        estimator.set_params(gamma=numeric_gamma(gamma, rows.X))
    if class_weight == "balanced":
        sizes = np.bincount(rows.y, weights=rows.weight if balances_weights else None, minlength=len(classes))
        weights = sizes.sum() / (len(classes) * sizes)
        estimator.set_params(class_weight=dict(zip(classes.tolist(), weights.tolist(), strict=True)))
    return estimator


def numeric_gamma(gamma: str, X: Rows) -> float:
    """Return what scikit-learn makes of gamma="scale", 1 / (d Var(X)), and "auto", 1 / d, on the rows X."""
    d = X.shape[1]
    if gamma == "auto":
        return 1.0 / d
    X = as_numbers(X)
    variance = X.multiply(X).mean() - X.mean() ** 2 if sp.issparse(X) else X.var()
    return float(1.0 / (d * variance)) if variance != 0 else 1.0
