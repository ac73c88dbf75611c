"""Linear learners on sparse rows: followed in the features that some training row uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import scipy.sparse as sp

from backdoor_curves.learners.learner import Learner
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.used_features import PathInUsedFeatures
from backdoor_curves.rows import used_columns


def in_used_features(learner: Learner, follow: Callable[[Learner], BetaPath]) -> BetaPath:
    """Follow a learner in the features that its training rows use, and return its path for rows of all features.

    For learners with an L2 penalty on w that are followed in the space of their features. Kernels are not: their
    values between rows are remembered by the rows' content, which needs all features, and cost what is not 0.
    """
    clean, poison = learner.clean, learner.poison
    if not sp.issparse(clean.X):
        return follow(learner)
    used, d = used_columns(clean.X, poison.X), clean.X.shape[1]
    if len(used) in (0, d):
        return follow(learner)
    few_clean, few_poison = (replace(part, X=sp.csr_array(part.X)[:, used]) for part in (clean, poison))
    return PathInUsedFeatures(follow(replace(learner, clean=few_clean, poison=few_poison)), used, d)
