"""What would move with beta, fitted once and held: transformers, `gamma="scale"`, `class_weight="balanced"`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.class_weight import compute_class_weight

from backdoor_curves.data.samples import Samples, join
from backdoor_curves.kernels.precomputed import require_values
from backdoor_curves.learners.parameters import is_number, is_precomputed
from backdoor_curves.rows import Rows

Freeze = Literal["joined", "clean"]


def freeze_steps(
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
        X = transformer.fit_transform(shaped_for(transformer, X), rows.y)
        fitted.append(transformer)
    if freeze == "clean":
        return tuple(fitted), Samples(X, clean.y), Samples(through(tuple(fitted), poison.X), poison.y)
    both = Samples(X, rows.y)
    return tuple(fitted), both.take(np.flatnonzero(~is_poison)), both.take(np.flatnonzero(is_poison))


def through(steps: tuple[Any, ...], X: Rows) -> Rows:
    """Return the rows behind the fitted transformers."""
    for step in steps:
        X = step.transform(shaped_for(step, X))
    return X


def shaped_for(step: Any, X: Rows) -> Rows:
    """Flatten images, unless the step says by its tags that it takes arrays of more axes, or of any kind."""
    tags = get_tags(step)
    takes_images = tags.no_validation or tags.input_tags.three_d_array
    return X if takes_images else _flat(X)


def _flat(X: Rows) -> Rows:
    return X.reshape(len(X), -1) if isinstance(X, np.ndarray) and X.ndim > 2 else X


def checked(X: Rows, estimator: Any, name: str) -> Rows:
    """Return the rows as the last step takes them, images flattened; refuse NaN and infinity where it does not."""
    X = _flat(X)
    if isinstance(X, list) or (isinstance(X, np.ndarray) and X.dtype.kind not in "fiub"):
        kind = f"a list of {type(X[0]).__name__}" if isinstance(X, list) else f"{X.dtype} values"
        raise ValueError(
            f"{name}: numbers were expected by {type(estimator).__name__}, {kind} came; "
            "put the transformer that makes numbers of them before it in a Pipeline"
        )
    values = X.data if sp.issparse(X) else X.to_numpy() if hasattr(X, "to_numpy") else X
    if isinstance(values, np.ndarray) and is_precomputed(estimator):
        require_values(values, name)
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


def freeze_parameters(
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
    scale = scale and not is_precomputed(estimator)
    if balanced and class_weight not in ("balanced", "balanced_subsample"):
        raise ValueError(f'class_weight: None, "balanced" or {{label: weight}} was expected, {class_weight!r} came')
    if isinstance(class_weight, Mapping):
        known = classes.tolist()
        if unknown := [label for label in class_weight if label not in known]:
            raise ValueError(f"class_weight: labels out of {known} were expected, {unknown[0]!r} came")
        if bad := [weight for weight in class_weight.values() if not (is_number(weight) and 0 <= weight < np.inf)]:
            raise ValueError(f"class_weight: finite numbers >= 0 were expected, {bad[0]!r} came")
        by_index = {k: class_weight.get(label, 1.0) for k, label in enumerate(known)}
        estimator.set_params(class_weight=by_index)
    if not (scale or balanced):
        return estimator
    rows = join(clean, poison, is_poison) if freeze == "joined" else clean
    if scale and gamma in ("scale", "auto"):
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
