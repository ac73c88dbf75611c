"""Parameters of an estimator, in its own words: which are numbers, which are known here, which its fit would take."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Hashable
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.class_weight import compute_class_weight

SPARED = {"C": 1.0, "class_weight": None, "max_iter": 1, "random_state": 0, "verbose": 0, "n_jobs": None}
"""What a trial fit is spared: what was checked before, to converge, to draw from numpy's global stream, to print, and
to start processes."""

BALANCED_BY_WEIGHT = "sample_weight" in inspect.signature(compute_class_weight).parameters
"""Whether this scikit-learn has "balanced" add up the weights of a class where it knows them: from 1.7 on."""


def is_number(value: Any) -> bool:
    """Return whether a parameter is a number; a bool is none."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def is_precomputed(estimator: Any) -> bool:
    """Return whether a learner sees, in place of features, the kernel of a row with the training rows."""
    if getattr(estimator, "kernel", None) != "precomputed" or not hasattr(estimator, "__sklearn_tags__"):
        return False
    return bool(get_tags(estimator).input_tags.pairwise)


def takes_gaps(estimator: Any) -> bool:
    """Return whether an estimator takes NaN by its tags; one that has none is left to say so itself."""
    return not hasattr(estimator, "__sklearn_tags__") or bool(get_tags(estimator).input_tags.allow_nan)


def require_positive(estimator: Any, name: str, largest: float = np.inf) -> None:
    """Refuse a parameter that is no number > 0, or that is beyond the largest."""
    value = getattr(estimator, name)
    if not (is_number(value) and 0 < value <= largest):
        raise ValueError(f"{name}: a number > 0 was expected, {value!r} came")


def require_fit_takes(estimator: Any) -> None:
    """Refuse parameters that the estimator's own fit would refuse, in its own words: it is fitted on two rows.

    An exact path calls no fit, and would follow a learner that scikit-learn does not know.
    """
    words = estimator.get_params(deep=False)
    words |= {name: value for name, value in SPARED.items() if name in words}
    if callable(words.get("kernel")):
        words["kernel"] = "linear"  # a function of the user's is not called on rows that are none of his
    kind: Any = type(estimator)
    can_be_known = all(isinstance(value, Hashable) for value in words.values())
    (_try_fit if can_be_known else _try_fit.__wrapped__)(kind, tuple(words.items()))


@lru_cache(maxsize=1000)
def _try_fit(kind: Any, words: tuple[tuple[str, Any], ...]) -> None:
    """Fit an estimator of these words, and raise what it raises; words that it took are taken at once the next time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two rows and one iteration nothing is to be said
        kind(**dict(words)).fit(np.eye(2), [0, 1])


def unknown_parameter(estimator: Any, known: frozenset[str]) -> str | None:
    """Return the name of a parameter that is not among the known ones and is not at its default; None if all are.

    A later scikit-learn may add one that changes the optimum.
    """
    signature = inspect.signature(type(estimator)).parameters
    changed = (name for name in sorted(signature.keys() - known) if getattr(estimator, name) != signature[name].default)
    return next(changed, None)
