"""What a search found, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def said(params: Mapping[str, Any]) -> str:
    """Return a setting in words.

    Examples
    --------
    >>> from backdoor_curves.search.robust.words import said
    >>> said({"svc__C": 0.1, "svc__kernel": "rbf"})
    "svc__C=0.1, svc__kernel='rbf'"
    """
    return (
        ", ".join(
            f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value!r}" for name, value in params.items()
        )
        or "the estimator as it is"
    )


def verdict(search: Any, metric: str) -> str:
    """Return whether there is a safe setting, which one is taken, what it costs, and what it withstood."""
    results, taken = search.cv_results_, search.best_index_
    scores, safe = results[f"mean_test_{metric}"], results["is_safe"]
    cost = float(np.nanmax(scores) - scores[taken])
    bounds = [] if search.asr is None else [f"a worst ASR of at most {search.asr:g}"]
    bounds += [] if search.margin is None else [f"a score within {search.margin:g} of the best"]
    alone = results[f"mean_asr_without_poison_{results['worst_attack'][taken]}"][taken]
    without = "" if np.isnan(alone) else f"; {alone:.3f} without any poison"
    what = (
        f"{said(results['params'][taken])} has test score {scores[taken]:.3f}, "
        f"{cost:.3f} under the best, and a worst ASR of {results['worst_asr'][taken]:.3f} (95 % up to "
        f"{results['high_worst_asr'][taken]:.3f}{without}), under {results['worst_attack'][taken]}"
    )
    n, n_safe = len(safe), int(safe.sum())
    if n_safe == 0:
        return f"no setting of {n} has {' and '.join(bounds)}: the least attacked, {what}"
    if n_safe == n:
        return f"all {n} settings are safe, {' and '.join(bounds)}: {what}"
    return f"{n_safe} of {n} settings are safe, {' and '.join(bounds)}: {what}"
