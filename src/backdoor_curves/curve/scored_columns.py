"""One set of test rows along a path whose score columns have nodes of their own: what adds up, column by column.

A row's loss is a sum over the columns that concern it, so that means, areas and slopes are sums over the columns too:
each column is a learner of two classes, of the rows that it concerns. A prediction needs the scores of all columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.curve.columns_on_lines import predictions_on_lines
from backdoor_curves.curve.common_nodes import sum_of_lines
from backdoor_curves.curve.condensed_rows import CondensedRows
from backdoor_curves.curve.flips import Flips, flips_by_bisection
from backdoor_curves.curve.predictions import Predictions
from backdoor_curves.curve.scored_rows import BLOCK, ScoredRows, half_loss_on, straight_until
from backdoor_curves.losses.hinge_integrals import first_half
from backdoor_curves.losses.row_losses import Loss, corner_of, row_rates
from backdoor_curves.losses.score_encodings import ScoreEncoding, decode, encode
from backdoor_curves.paths.base import Interpolant, Tangent
from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear


@dataclass(frozen=True, eq=False)
class ScoredColumns:
    """Test rows with the scores of each column at its nodes.

    Parameters
    ----------
    interpolants : tuple of Interpolant
        One a column: what makes its scores at any beta of those at its nodes.
    nodal : tuple of arrays of shape (k_c, n)
        The scores of each column at its k_c nodes.
    y, weight, loss, encoding, n_classes
        As in `ScoredRows`.
    """

    interpolants: tuple[Interpolant, ...]
    nodal: tuple[Float[np.ndarray, "_ n"], ...]
    y: Int[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    loss: Loss
    encoding: ScoreEncoding
    n_classes: int

    # --- scores and predictions --------------------------------------------------------------------------------------

    def scores(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n columns"]:
        """Return the scores of all rows."""
        return self._scores(betas, slice(None))

    def _scores(
        self, betas: Float[np.ndarray, " b"], rows: slice | Int[np.ndarray, " r"]
    ) -> Float[np.ndarray, "b r columns"]:
        columns = zip(self.interpolants, self.nodal, strict=True)
        return np.stack([part.weights(betas) @ scores[:, rows] for part, scores in columns], axis=-1)

    def predicted(self, betas: Float[np.ndarray, " b"]) -> Int[np.ndarray, "b n"]:
        """Return the predicted class indices."""
        blocks = [decode(self._scores(betas, rows), self.n_classes, self.encoding) for rows in self._blocks(len(betas))]
        return np.concatenate(blocks, axis=1)

    @cached_property
    def predictions(self) -> Predictions:
        """The predicted classes at all betas, in closed form, of columns on lines."""
        lines = [part for part in self.interpolants if isinstance(part, PiecewiseLinear)]
        return predictions_on_lines(lines, self.nodal, self.n_classes, self.encoding)

    @cached_property
    def flips(self) -> Flips:
        """The changes of predictions between right and wrong: in closed form on lines, by bisection elsewhere."""
        if self._are_lines:
            return self.predictions.flips(self.y, self.weight)
        found = flips_by_bisection(self.scan, self.predicted(self.scan) == self.y, self._right_at)
        return replace(found, weight=self.weight)

    def _right_at(self, rows: Int[np.ndarray, " f"]) -> Callable[[Float[np.ndarray, " f"]], Bool[np.ndarray, " f"]]:
        def is_right(betas: Float[np.ndarray, " f"]) -> Bool[np.ndarray, " f"]:
            columns = zip(self.interpolants, self.nodal, strict=True)
            scores = [(part.weights(betas) * scores[:, rows].T).sum(axis=1) for part, scores in columns]
            return decode(np.stack(scores, axis=-1), self.n_classes, self.encoding) == self.y[rows]

        return is_right

    @property
    def scan(self) -> Float[np.ndarray, " s"]:
        """Betas dense enough to bracket what columns do: of the betas of all as many as those of one."""
        together = np.unique(np.concatenate([part.scan for part in self.interpolants]))
        return np.append(together[: -1 : len(self.interpolants)], 1.0)

    @property
    def _are_lines(self) -> bool:
        return all(isinstance(part, PiecewiseLinear) for part in self.interpolants)

    def _blocks(self, n_betas: int) -> Iterator[slice]:
        """Yield a few rows at a time."""
        n, step = len(self.y), max(1, BLOCK // max(1, n_betas * len(self.nodal)))
        return (slice(start, min(start + step, n)) for start in range(0, n, step))

    # --- losses ------------------------------------------------------------------------------------------------------

    @cached_property
    def columns(self) -> tuple[tuple[float, ScoredRows], ...]:
        """Of each column the rows that it concerns, as those of a learner of two classes, and their share of weight.

        A column that concerns no row here is left out.
        """
        found = []
        for part, scores, target in zip(self.interpolants, self.nodal, self._targets.T, strict=True):
            rows = np.flatnonzero(target)
            if not rows.size:
                continue
            nodal = (scores if len(rows) == len(target) else scores[:, rows])[..., np.newaxis]
            right = (target[rows] > 0.0).astype(np.intp)
            share = float(self.weight[rows].sum() / self.weight.sum())
            found.append((share, ScoredRows(part, nodal, right, self.weight[rows], self.loss, "binary", 2)))
        return tuple(found)

    def mean_loss(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the mean loss over the rows."""
        return np.sum([share * rows.mean_loss(betas) for share, rows in self.columns], axis=0)

    def mean_loss_derivative(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the derivative of the mean loss from the right, at beta = 1 from the left, as the nodes give it."""
        return np.sum([share * rows.mean_loss_derivative(betas) for share, rows in self.columns], axis=0)

    def mean_loss_rate(self, tangent: Tangent, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the same derivative for a tangent of these rows that is known better than from the nodes."""
        # Towards the left all rates are reversed, and so is what they do to the loss.
        side = np.where(betas < 1.0, 1.0, -1.0)[:, np.newaxis]
        tie = max(corner_of(scores) for scores in self.nodal)
        along = side[..., np.newaxis] * tangent.rates
        rates = side * row_rates(self.loss, self.encoding, tangent.scores, along, self._targets, tie)
        return rates @ self.weight / self.weight.sum()

    def area(self) -> float:
        """Return the integral of the mean loss over [0, 1]."""
        return float(sum(share * rows.area() for share, rows in self.columns))

    def half_loss_beta(self) -> float:
        """Return the first beta at which the mean loss is at most half of that at 0; NaN if there is none."""
        if self._are_lines and self.loss == "hinge":
            lines, losses = self._mean_loss_on_lines
            return first_half(lines.nodes, 1.0 - losses[:, np.newaxis])  # the margin of a row whose hinge it is
        return half_loss_on(self.scan, self.mean_loss)

    def linear_until(self) -> float:
        """Return the beta up to which the mean loss follows its slope at 0; see `ScoredRows.linear_until`."""
        first = float(self.kinks()[:1].min(initial=1.0))
        if self.loss == "hinge":
            return first
        slope, bend = np.sum([share * np.array(rows.start_derivatives()) for share, rows in self.columns], axis=0)
        return straight_until(first, float(slope), float(bend))

    def kinks(self) -> Float[np.ndarray, " j"]:
        """Return the betas in (0, 1) at which the mean loss may have a corner: columns' knots, and their rows' own."""
        return np.unique(np.concatenate([rows.kinks() for _, rows in self.columns]))

    def condensed(self) -> ScoredColumns | CondensedRows:
        """Return the rows without their scores where losses and predictions need none: for the hinge on lines."""
        if not (self._are_lines and self.loss == "hinge"):
            return self
        return CondensedRows(*self._mean_loss_on_lines, self.predictions, self.y, self.weight)

    @cached_property
    def _mean_loss_on_lines(self) -> tuple[PiecewiseLinear, Float[np.ndarray, " c"]]:
        """The mean hinge loss by its corners: the sum of the columns'."""
        lines, losses = zip(*(rows.mean_loss_on_lines() for _, rows in self.columns), strict=True)
        return sum_of_lines(lines, [share * some for (share, _), some in zip(self.columns, losses, strict=True)])

    @cached_property
    def _targets(self) -> Float[np.ndarray, "n columns"]:
        return encode(self.y, self.n_classes, self.encoding)
