"""Other ways to choose a setting from the same columns, and to clean training rows before a fit.

Sanitisers return the rows that they keep, and never the last row of a class. Each is told how many rows are poisoned,
and drops half as many again: more than a defender knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors

from backdoor_curves.learners.estimators import PENALTIES
from backdoor_curves.search.safe_region import ROUNDING

NEIGHBOURS = 10
"""Of k-nearest neighbours: few enough that a patch of poison is seen, and enough for a majority."""
SPARE = 1.5
"""Rows dropped over rows poisoned, as in spectral signatures (Tran et al., NeurIPS 2018)."""


# --- choices ---------------------------------------------------------------------------------------------------------


def by_accuracy(results: Mapping[str, Any], metric: str) -> int:
    """Return the setting of the best test score, as GridSearchCV takes it."""
    return int(np.nanargmax(results[f"mean_test_{metric}"]))


def strongest(results: Mapping[str, Any], metric: str, least: float) -> int | None:
    """Return the setting of the strongest penalty with at least some score, of equals the best; None without one."""
    scores = results[f"mean_test_{metric}"]
    names = [name for name in results["params"][0] if name.rpartition("__")[2] in PENALTIES]
    if len(names) != 1:
        return None
    (name,) = names
    sign = PENALTIES[name.rpartition("__")[2]]
    strength = np.array([sign * float(one.get(name, np.nan)) for one in results["params"]])
    ranked = np.lexsort((-scores, -strength, ~(scores >= least - ROUNDING)))
    return int(ranked[0])


def one_standard_error(results: Mapping[str, Any], metric: str, folds: int) -> int | None:
    """Return the strongest penalty within one standard error of the best score (Breiman et al., CART, 1984)."""
    scores = results[f"mean_test_{metric}"]
    best = int(np.nanargmax(scores))
    error = results[f"std_test_{metric}"][best] / np.sqrt(folds)
    return strongest(results, metric, float(scores[best] - error))


# --- sanitisers ------------------------------------------------------------------------------------------------------


def by_loss(estimator: Any, X: Any, y: np.ndarray, n_poison: int) -> Int[np.ndarray, " kept"]:
    """Keep all but the rows that a fit on all of them finds hardest: the least margin of their own label."""
    fitted = clone(estimator).fit(X, y)
    if hasattr(fitted, "decision_function"):
        scores = np.asarray(fitted.decision_function(X), dtype=float)
    else:
        scores = np.log(np.clip(fitted.predict_proba(X), 1e-12, None))
        scores = scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores
    places = np.searchsorted(fitted.classes_, y)
    if scores.ndim == 1:
        return _without(np.where(places == 1, -scores, scores), y, n_poison)
    if scores.shape[1] != len(fitted.classes_):  # pairs of classes: what is predicted wrong is hard
        return _without((fitted.predict(X) != y).astype(float), y, n_poison)
    own = scores[np.arange(len(y)), places]
    others = scores.copy()
    others[np.arange(len(y)), places] = -np.inf
    return _without(others.max(axis=1) - own, y, n_poison)


def by_neighbours(estimator: Any, X: Any, y: np.ndarray, n_poison: int) -> Int[np.ndarray, " kept"]:
    """Keep all but the rows whose nearest neighbours have other labels (Peri et al., 2019, on the rows as they are)."""
    Z = features_of(estimator, X, y)
    near = NearestNeighbors(n_neighbors=min(NEIGHBOURS + 1, len(y))).fit(Z).kneighbors(Z, return_distance=False)[:, 1:]
    return _without((y[near] != y[:, np.newaxis]).mean(axis=1), y, n_poison)


def by_spectrum(estimator: Any, X: Any, y: np.ndarray, n_poison: int) -> Int[np.ndarray, " kept"]:
    """Keep all but the rows of each class farthest along its first singular vector (Tran et al., NeurIPS 2018).

    The same number of rows of each class are dropped, as nobody says which one the attacker wants.
    """
    Z, kept = features_of(estimator, X, y), []
    classes = np.unique(y)
    for label in classes:
        rows = np.flatnonzero(y == label)
        part = Z[rows].toarray() if sp.issparse(Z) else np.asarray(Z[rows], dtype=float)
        centred = part - part.mean(axis=0)
        _, _, right = np.linalg.svd(centred, full_matrices=False)
        drop = min(round(SPARE * n_poison / len(classes)), len(rows) - 1)
        kept.append(rows[np.argsort(np.abs(centred @ right[0]), kind="stable")[: len(rows) - drop]])
    return np.sort(np.concatenate(kept))


SANITISERS: Mapping[str, Callable[[Any, Any, np.ndarray, int], Int[np.ndarray, " kept"]]] = {
    "sanitised by loss": by_loss,
    "sanitised by neighbours": by_neighbours,
    "sanitised by spectrum": by_spectrum,
}


def features_of(estimator: Any, X: Any, y: np.ndarray) -> Any:
    """Return rows as the classifier at the end of a Pipeline sees them; without steps before it as they are."""
    steps = getattr(estimator, "steps", [])[:-1]
    for _, step in steps:
        if step not in (None, "passthrough"):
            X = clone(step).fit(X, y).transform(X)
    return X


def _without(suspicion: np.ndarray, y: np.ndarray, n_poison: int) -> Int[np.ndarray, " kept"]:
    """Return the rows but for the most suspicious ones."""
    order = np.argsort(suspicion, kind="stable")
    kept = order[: max(1, len(y) - round(SPARE * n_poison))]
    for label in np.setdiff1d(y, y[kept]):
        kept = np.append(kept, order[y[order] == label][0])
    return np.sort(kept)
