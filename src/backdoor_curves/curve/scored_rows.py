"""One set of test rows along a path: its scores, losses and predictions at any beta, and what they do between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.optimize import brentq

from backdoor_curves.curve.condensed_rows import CondensedRows
from backdoor_curves.curve.flips import Flips, flips_by_bisection, flips_on_lines, side_by_side
from backdoor_curves.curve.predictions import of_flips
from backdoor_curves.losses.hinge_integrals import corners, first_at_most, first_half, hinge_integrals
from backdoor_curves.losses.row_losses import Loss, corner_of, row_bends, row_losses, row_rates
from backdoor_curves.losses.score_encodings import ScoreEncoding, decode, encode
from backdoor_curves.paths.base import Interpolant, Tangent, Weights, combined
from backdoor_curves.paths.interpolation.hermite import HermiteNodes
from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear, Table
from backdoor_curves.paths.product_scores import ProductScores

BLOCK = 2**18
"""Scores held at once while losses are summed: 2 MiB, so that they stay in the cache."""
MANY = 2**21
"""Scores held at once where more of them cost less: while flips are looked for, and where each look at them is a
product with all parameters; 16 MiB."""
LINEAR = 0.1
"""Share of its linear part that the quadratic part of a loss may have come to where a slope still says enough."""


def straight_until(first_kink: float, slope: float, bend: float) -> float:
    """Return the beta up to which a loss follows its slope at 0, given its derivatives there."""
    return min(first_kink, 2.0 * LINEAR * abs(slope) / abs(bend)) if bend else first_kink


def half_loss_on(
    scan: Float[np.ndarray, " s"],
    mean_loss: Callable[[Float[np.ndarray, " b"]], Float[np.ndarray, " b"]],
    is_table: bool = False,
) -> float:
    """Return the first beta at which a loss is at most half of that at 0, NaN if there is none: by bisection.

    Parameters
    ----------
    scan : array of shape (s,)
        Betas that bracket it, the first 0.
    mean_loss : callable
    is_table : bool
        Whether nothing is known between these betas but for a line.
    """
    losses = mean_loss(scan)
    half = losses[0] / 2.0
    below = np.flatnonzero(losses <= half)
    if not below.size:
        return float("nan")
    after = int(below[0])
    if after == 0:
        return 0.0
    (left, right), (above, under) = scan[after - 1 : after + 1], losses[after - 1 : after + 1] - half
    if is_table:
        return float(left + (right - left) * above / (above - under))

    def excess(beta: float) -> float:
        # The ends as they were just found: computed alone they may round to the other side of zero.
        return float(above if beta == left else under if beta == right else mean_loss(np.array([beta]))[0] - half)

    return float(brentq(excess, left, right, xtol=1e-15, rtol=1e-14))


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Test rows with their scores at the nodes of a path.

    Parameters
    ----------
    interpolant : Interpolant
        What makes scores at any beta of those at the nodes.
    nodal : array of shape (k, n, columns)
        The scores at the nodes.
    y : int array of shape (n,)
        The class indices that count as right: the true ones, or the attacker's.
    weight : array of shape (n,)
        What each row counts for, > 0: all means are weighted.
    loss, encoding : Loss, ScoreEncoding
        The learner's.
    n_classes : int
    """

    interpolant: Interpolant
    nodal: Float[np.ndarray, "k n columns"] | ProductScores
    y: Int[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    loss: Loss
    encoding: ScoreEncoding
    n_classes: int

    def scores(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n columns"]:
        """Return the scores of all rows."""
        return np.concatenate([scores for _, (scores,) in self._at(self.interpolant.weights(betas))], axis=1)

    def mean_loss(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the mean loss over the rows."""
        total = np.zeros(len(betas))
        for rows, (scores,) in self._at(self.interpolant.weights(betas)):
            total += row_losses(self.loss, self.encoding, scores, self._targets(rows)) @ self.weight[rows]
        return total / self.weight.sum()

    def mean_loss_derivative(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the derivative of the mean loss from the right, at beta = 1 from the left, as the nodes give it."""
        total = np.zeros(len(betas))
        weights, slopes = self.interpolant.weights(betas), self.interpolant.derivative(betas)
        for rows, (scores, rates) in self._at(weights, slopes):
            total += self._loss_rates(scores, rates, betas, rows) @ self.weight[rows]
        return total / self.weight.sum()

    def mean_loss_rate(self, tangent: Tangent, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """Return the same derivative for a tangent of these rows that is known better than from the nodes."""
        return self._mean(self._loss_rates(tangent.scores, tangent.rates, betas, slice(None)))

    def _mean(self, values: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        return values @ self.weight / self.weight.sum()

    def _loss_rates(
        self,
        scores: Float[np.ndarray, "b block columns"],
        rates: Float[np.ndarray, "b block columns"],
        betas: Float[np.ndarray, " b"],
        rows: slice,
    ) -> Float[np.ndarray, "b block"]:
        # Towards the left all rates are reversed, and so is what they do to the loss.
        side = np.where(betas < 1.0, 1.0, -1.0)[:, np.newaxis]
        along = side[..., np.newaxis] * rates
        return side * row_rates(self.loss, self.encoding, scores, along, self._targets(rows), self._tie)

    def linear_until(self) -> float:
        """Return the beta up to which the mean loss follows its slope at 0.

        That is its first kink, or where the quadratic term has come to `LINEAR` times the linear one if that is before.
        """
        is_estimated = isinstance(self.interpolant, HermiteNodes)
        first = 1.0 if is_estimated else float(self.kinks()[:1].min(initial=1.0))
        if self.loss == "hinge":
            return first
        slope, bend = self.start_derivatives()
        return straight_until(first, slope, bend)

    def start_derivatives(self) -> tuple[float, float]:
        """Return the first and the second derivative of the mean loss at 0, as the nodes give them."""
        zero = np.zeros(1)
        scores, rates, bends = (
            combined(p, self.nodal)
            for p in (
                self.interpolant.weights(zero),
                self.interpolant.derivative(zero),
                self.interpolant.derivative(zero, 2),
            )
        )
        how = self.loss, self.encoding, scores
        targets = self._targets(slice(None))
        slope = float(self._mean(row_rates(*how, rates, targets))[0])
        return slope, float(self._mean(row_bends(*how, rates, targets) + row_rates(*how, bends, targets))[0])

    def predicted(self, betas: Float[np.ndarray, " b"]) -> Int[np.ndarray, "b n"]:
        """Return the predicted class indices."""
        at = self._at(self.interpolant.weights(betas))
        return np.concatenate([decode(scores, self.n_classes, self.encoding) for _, (scores,) in at], axis=1)

    def area(self) -> float:
        """Return the integral of the mean loss over [0, 1]: in closed form for hinges on lines."""
        if self._is_on_lines and self.loss in ("hinge", "squared hinge"):
            nodes, squared = self.interpolant.nodes, self.loss == "squared hinge"
            parts = [
                hinge_integrals(nodes, self._margins(rows), squared) @ self._weights(rows)
                for rows in self._blocks(len(nodes))
            ]
            return float(sum(parts) / self.weight.sum())
        betas, weights = self.interpolant.quadrature()
        return float(weights @ self.mean_loss(betas))

    def half_loss_beta(self) -> float:
        """Return the first beta at which the mean loss is at most half of that at 0; NaN if there is none."""
        if self._is_on_lines and self.loss == "hinge":
            return self._half_on_lines()
        return half_loss_on(self.interpolant.scan, self.mean_loss, isinstance(self.interpolant, Table))

    def _half_on_lines(self) -> float:
        """Return it for a hinge on lines: of a product of scores some nodes are looked at after the other."""
        nodes, everything = self.interpolant.nodes, slice(None)
        weights = self._weights(everything)
        if not isinstance(self.nodal, ProductScores):
            return first_half(nodes, self._margins(everything), weights)
        first, step = int(np.searchsorted(nodes, nodes[0], side="right")) - 1, max(1, MANY // len(self.y))
        half = float(self.mean_loss(nodes[first : first + 1])[0]) * float(self.weight.sum()) / 2.0
        for start in range(first, len(nodes) - 1, step):
            some = slice(start, start + step + 1)
            here = replace(self, nodal=self.nodal[some, :])
            found = first_at_most(half, nodes[some], here._margins(everything), weights)
            if not np.isnan(found):
                return found
        return float("nan")

    def kinks(self) -> Float[np.ndarray, " j"]:
        """Return the betas in (0, 1) at which the mean loss may have a corner: the path's knots and its rows' own."""
        knots = self.interpolant.knots
        if isinstance(self.interpolant, Table | HermiteNodes):
            raise ValueError("kinks need an exact path; between the betas of a refitted curve nothing is known")
        if self.loss != "hinge":
            return knots
        if not self._is_on_lines:
            raise ValueError("kinks: the corners of the hinge are known on a piecewise linear path only")
        nodes = self.interpolant.nodes
        own = [corners(nodes, self._margins(rows), self._tie) for rows in self._blocks(len(nodes))]
        return np.unique(np.concatenate([knots, *own]))

    def condensed(self) -> ScoredRows | CondensedRows:
        """Return the rows without their scores where losses and predictions need none: for the hinge on lines."""
        if not (self._is_on_lines and self.loss == "hinge" and self.encoding == "binary"):
            return self
        predictions = of_flips(self.flips, self.y)
        return CondensedRows(*self.mean_loss_on_lines(), predictions, self.y, self.weight)

    def mean_loss_on_lines(self) -> tuple[PiecewiseLinear, Float[np.ndarray, " c"]]:
        """Return the mean hinge loss on a piecewise linear path by its corners; a jump stands twice."""
        nodes = self.interpolant.nodes
        own = np.setdiff1d(self.kinks(), nodes)
        at_nodes = np.zeros(len(nodes))  # on both sides of a jump
        for rows in self._blocks(len(nodes)):
            losses = row_losses(self.loss, self.encoding, np.asarray(self.nodal[:, rows]), self._targets(rows))
            at_nodes += losses @ self.weight[rows]
        betas = np.append(nodes, own)
        means = np.append(at_nodes / self.weight.sum(), self.mean_loss(own))
        order = np.argsort(betas, kind="stable")
        return PiecewiseLinear(betas[order]), means[order]

    @cached_property
    def flips(self) -> Flips:
        """The changes of predictions between right and wrong: in closed form on lines, by bisection elsewhere."""
        if isinstance(self.interpolant, Table):
            raise ValueError(
                "flips need an exact path; between the betas of a refitted curve nothing is known: "
                "compare its predictions there"
            )
        if self._is_on_lines and self.encoding == "binary":
            parts = [self._flips_on_lines(rows) for rows in self._blocks(len(self.nodal), MANY)]
        else:
            parts = [self._flips_by_bisection(rows) for rows in self._blocks(len(self.interpolant.scan), MANY)]
        return replace(side_by_side(parts), weight=self.weight)

    def _flips_on_lines(self, rows: slice) -> Flips:
        return flips_on_lines(self.interpolant.nodes, np.asarray(self.nodal[:, rows])[..., 0], self.y[rows] == 1)

    def _flips_by_bisection(self, rows: slice) -> Flips:
        part, scan = self._part(rows), self.interpolant.scan
        return flips_by_bisection(scan, part.predicted(scan) == part.y, part._right_at)

    def _part(self, rows: slice) -> ScoredRows:
        return replace(self, nodal=self.nodal[:, rows], y=self.y[rows], weight=self.weight[rows])

    def _right_at(self, rows: Int[np.ndarray, " f"]) -> Callable[[Float[np.ndarray, " f"]], Bool[np.ndarray, " f"]]:
        nodal = self.nodal[:, rows]

        def is_right(betas: Float[np.ndarray, " f"]) -> Bool[np.ndarray, " f"]:
            p = self.interpolant.weights(betas)
            if isinstance(nodal, ProductScores):
                scores = nodal.at_own(p)
            else:
                scores = np.einsum("fk,kfc->fc", p.toarray() if sp.issparse(p) else p, nodal)
            return decode(scores, self.n_classes, self.encoding) == self.y[rows]

        return is_right

    @property
    def _is_on_lines(self) -> bool:
        return isinstance(self.interpolant, PiecewiseLinear) and self.encoding != "softmax"

    @cached_property
    def _tie(self) -> float:
        return max([corner_of(np.asarray(self.nodal[:, rows])) for rows in self._blocks(len(self.nodal))], default=0.0)

    def _margins(self, rows: slice) -> Float[np.ndarray, "k columns"]:
        """Return the margins at the nodes, of every score column that concerns a row."""
        targets = self._targets(rows)
        return (np.asarray(self.nodal[:, rows]) * targets)[:, targets != 0.0]

    def _weights(self, rows: slice) -> Float[np.ndarray, " columns"]:
        """Return what each of these margins counts for."""
        targets = self._targets(rows)
        return np.broadcast_to(self.weight[rows, np.newaxis], targets.shape)[targets != 0.0]

    def _targets(self, rows: slice) -> Float[np.ndarray, "block columns"]:
        return encode(self.y[rows], self.n_classes, self.encoding)

    def _at(self, *weights: Weights) -> Iterator[tuple[slice, list[Float[np.ndarray, "b block columns"]]]]:
        """Yield a few rows at a time, and their scores where the nodes have some weights."""
        few = weights[0].shape[0] < len(self.nodal)  # of a product parameters are then combined, and not scores
        products = [self.nodal.at(p) for p in weights] if few and isinstance(self.nodal, ProductScores) else []
        for rows in self._blocks(weights[0].shape[0]):
            if products:
                yield rows, [np.asarray(product[:, rows]) for product in products]
            else:
                nodal = np.asarray(self.nodal[:, rows])
                yield rows, [combined(p, nodal) for p in weights]

    def _blocks(self, n_betas: int, most: int = BLOCK) -> Iterator[slice]:
        """Yield a few rows at a time: the scores of all rows at all betas may be too many to hold."""
        _, n, columns = self.nodal.shape
        most = MANY if isinstance(self.nodal, ProductScores) else most
        step = max(1, most // max(1, n_betas * columns))
        return (slice(start, min(start + step, n)) for start in range(0, n, step))
