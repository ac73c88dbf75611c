"""What answers for a curve just computed: its path, its learner and its data, which no file keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from backdoor_curves.curve.condensed_rows import CondensedRows
from backdoor_curves.curve.info import Split
from backdoor_curves.curve.scored_curve import ScoredTests
from backdoor_curves.curve.stored import Stored
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.learners.learner import Learner
from backdoor_curves.paths.base import BetaPath, Certificate, Gram
from backdoor_curves.rows import Rows, n_rows

BLOCK = 64
"""Betas at once where slopes are asked for: scores of 64 x 1000 rows are half a megabyte, and stay in the cache."""
SCORES = 2**23
"""Scores at once, of one column: of a million rows those at 8 betas, 64 MB."""
COLUMNS = 6400
"""Score columns at once, those of all betas: of 1000 rows 50 MB; pairs of a hundred classes are 5000 at each beta."""


@dataclass(frozen=True, eq=False)
class Live:
    """The source of a curve just computed; it has the methods of `Stored`, and answers all.

    Parameters
    ----------
    path : BetaPath
    learner : Learner
        With its frozen parts and training rows.
    data : PoisonedData
    tests : mapping of str to rows
        The test rows behind the frozen map, by split.
    checked : Certificate, optional
        As it was computed with the curve; None for refits.
    """

    path: BetaPath
    learner: Learner
    data: PoisonedData
    tests: Mapping[Split, Rows]
    checked: Certificate | None

    def certificate(self, betas: Float[np.ndarray, " b"]) -> Certificate | None:
        """Return how far the curve may be from the optimum's; it is looked up where it was computed before."""
        if self.checked is None or not np.isin(betas, self.checked.betas).all():
            return self.path.certificate(betas, tuple(self.tests.values()))
        return self.checked.at(betas)

    @cached_property
    def grams(self) -> tuple[Gram, ...] | None:
        """Computed when first asked for: it may cost as much as the path."""
        found = [column.nodal_gram() for column in self.path.columns]
        return None if any(gram is None for gram in found) else tuple(found)

    def slope(self, split: Split, rows: ScoredTests, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the slopes of the mean loss of test rows, from the conditions of the optimum."""
        assert not isinstance(rows, CondensedRows)  # rows are condensed where a source is stored
        X = self.tests[split]
        at_once = min(BLOCK, max(1, COLUMNS // len(self.path.columns)), max(1, SCORES // max(1, n_rows(X))))
        blocks = np.array_split(betas, max(1, -(-len(betas) // at_once)))
        return np.concatenate([rows.mean_loss_rate(self.path.tangent(X, block), block) for block in blocks])

    def live_for(self, what: str) -> Live:  # noqa: ARG002 - `Stored` refuses by this name
        """Return itself."""
        return self

    def stored(self, rows: Mapping[Split, ScoredTests], betas: Float[np.ndarray, " b"]) -> Stored:
        """Return what a file keeps of all this for a curve of these test rows, reported at these betas."""
        slopes = None
        if self.path.exact:
            slopes = {split: float(self.slope(split, some, np.zeros(1))[0]) for split, some in rows.items()}
        return Stored(self.certificate(betas), self.grams, slopes)
