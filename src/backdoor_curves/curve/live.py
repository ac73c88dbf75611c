"""What only a curve just computed has, and no file keeps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from backdoor_curves.curve.scored_rows import ScoredRows
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.learners.learner import Learner
from backdoor_curves.paths.base import BetaPath, Certificate, Gram
from backdoor_curves.rows import Rows


@dataclass(frozen=True, eq=False)
class Live:
    """The path of a curve, its learner, and the test rows as they came and frozen."""

    path: BetaPath
    learner: Learner
    data: PoisonedData
    tests: tuple[Rows, Rows]
    checked: Certificate | None

    def certificate(self, betas: Float[np.ndarray, " b"]) -> Certificate | None:
        """Return how far the curve may be from the optimum's; it is looked up where it was computed before."""
        if self.checked is None or not np.isin(betas, self.checked.betas).all():
            return self.path.certificate(betas, self.tests)
        return self.checked.at(betas)

    def slope(self, rows: ScoredRows, X: Rows, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the slopes of the mean loss of some rows, a few betas at a time."""
        blocks = np.array_split(betas, len(betas) // 64 + 1)
        return np.concatenate([rows.mean_loss_rate(self.path.tangent(X, block), block) for block in blocks])

    @cached_property
    def gram(self) -> Gram | None:
        """Computed when first asked for: it may cost as much as the path."""
        return self.path.nodal_gram()
