"""How any classifier is refitted: a clone for each beta, once it is known that its fit goes by the weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.samples import join
from backdoor_curves.kernels.precomputed import PrecomputedKernel
from backdoor_curves.learners.estimators import facts_of
from backdoor_curves.learners.exact import is_known
from backdoor_curves.learners.fitted import FittedEstimator, fit_estimator, fit_on_matrix
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import is_precomputed
from backdoor_curves.learners.weights import require_predictions_of_scores, zero_weight_share
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.refit import Fit, refit_path
from backdoor_curves.rows import as_floats

REFIT_BETAS = (
    np.array([0, 1, 2, 5, 10, 20, 30, 50, 80, 120, 160, 200, 250, 300, 400, 500, 600, 700, 800, 900, 1000]) / 1000
)
"""Where a learner is refitted if nothing else is asked: dense near 0, where curves fall."""

LARGEST_SAY = 0.05
"""Share of what rows do at weight 1 that they may do at weight 0, unsaid: a jump as high as a curve's line is wide."""


def refit(learner: Learner, betas: Float[np.ndarray, " b"] | None, n_jobs: int | None) -> BetaPath:
    """Return the path of one fit for each beta; by default at REFIT_BETAS."""
    joined = join(learner.clean, learner.poison, learner.is_poison)
    estimator = learner.estimator
    X, fit = joined.X, cast(Fit, partial(fit_estimator, estimator, learner.encoding))
    between = facts_of(estimator).kernel(estimator)
    if is_precomputed(estimator):
        between = matrix = PrecomputedKernel(as_floats(X))
        X, fit = matrix.numbers, cast(Fit, partial(fit_on_matrix, fit, matrix))
    kernel = between if len(learner.classes) == 2 else None  # for pairs of classes there is no single w
    warm = getattr(estimator, "warm_start", False) is True
    betas = REFIT_BETAS if betas is None else betas
    labels = learner.classes[joined.y]  # an estimator inside another may ask for them by name
    known = is_precomputed(estimator) or is_known(estimator)
    share = 0.0 if known else _checked_share(learner, n_jobs)
    path = refit_path(
        fit, X, labels, learner.is_poison, betas, weight=joined.weight, kernel=kernel, warm=warm, n_jobs=n_jobs
    )
    if not known:
        require_predictions_of_scores(learner, cast(Sequence[FittedEstimator], path.models), X)
    return replace(path, zero_weight_share=share)


def _checked_share(learner: Learner, n_jobs: int | None) -> float:
    """Return how much of their say poison rows have at weight 0, and warn where that is much."""
    share = zero_weight_share(learner, n_jobs)
    if share > LARGEST_SAY:
        name = type(learner.estimator).__name__
        warnings.warn(
            f"estimator: a part of the fit of {name} goes by rows whatever their weight (it counts them in leaves or "
            f"bins, say, or hands no weights on): poison rows do {100 * share:.2g} % of what they do at weight 1 at "
            "weight 0 already, and the curve jumps behind beta = 0",
            stacklevel=5,
        )
    return share
