"""Logistic regression of many more rows than features: the beta-path to a stated accuracy, by sums over rows.

The objective and its optimum are those of `paths.logistic`. There a Hessian of few rows costs what twenty products with
them do, and series and subspaces save some. Here a pass over the rows is what costs: `sums` makes one serve many betas,
`hessians` makes one Hessian serve those near by, and nodes are halved until the polynomials between them will do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.intercept import FREE, Intercept
from backdoor_curves.paths.interpolation.chebyshev import betas_of
from backdoor_curves.paths.interpolation.halving import FEWER, ROUGH, Nodes, halved, together
from backdoor_curves.paths.interpolation.lagrange import STENCIL, NearestNodes
from backdoor_curves.paths.linalg.place import place_of
from backdoor_curves.paths.linalg.row_parts import RowParts
from backdoor_curves.paths.tall_logistic.hessians import Hessians
from backdoor_curves.paths.tall_logistic.newton import nearby, newton
from backdoor_curves.paths.tall_logistic.path import TallLogisticPath
from backdoor_curves.paths.tall_logistic.sums import AT_ONCE, Sums

ACCURATE = 0.1
"""Accuracy of a node, as a share of the tolerance: polynomials near an end make several times as much of it."""


def tall_logistic_path(
    rows: RowParts,
    y: Float[np.ndarray, " n"],
    u0: Float[np.ndarray, " n"],
    du: Float[np.ndarray, " n"],
    intercept: Intercept = FREE,
    tolerance: float = 1e-6,
) -> TallLogisticPath:
    """Return the path of L2-regularised logistic regression with row weights u0 + beta du.

    Parameters
    ----------
    rows : RowParts
        Clean and poison rows, n with d features: in memory, in a file or on workers, in any precision.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        C times the row weights: u0 for clean rows (du = 0), du for poison rows (u0 = 0).
    intercept : Intercept
        FREE by default.
    tolerance : float
        What a score of a training row may be off, about; a certificate tells what it is.

    Returns
    -------
    TallLogisticPath

    Raises
    ------
    ValueError
        If a feature is NaN or infinite.
    PathError
        If the optimum cannot be found in double precision, or if there is none: a free intercept needs clean rows of
        both classes.

    Notes
    -----
    Some 10 to 40 Hessians of n d^2 / 2, and two or three gradients of 2 n d for each of 50 to 200 nodes. Nothing of the
    size of the rows is made.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.linalg.row_parts import parts_of
    >>> from backdoor_curves.paths.tall_logistic import tall_logistic_path
    >>> X, y = np.array([[-1.0], [1.0], [2.0]]), np.array([-1.0, 1.0, -1.0])
    >>> path = tall_logistic_path(parts_of(X[:2], X[2:]), y, np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    >>> path.scores(X[:2], np.array([0.0])).round(6)
    array([[-0.674832,  0.674832]])
    """
    if intercept.is_free and len(np.unique(y[u0 > 0.0])) < 2:
        raise PathError(
            "a free intercept has no optimum at beta = 0: clean rows of both classes were expected, one came"
        )
    place = place_of(rows, intercept)
    sums = Sums(rows, place, y, u0, du, np.append(place.units.penalty, intercept.penalty))
    known = Hessians()
    start = newton(sums, np.zeros(place.q), 0.0, 0.0, ACCURATE * tolerance, known)
    scale = _scale(sums, start, known)
    nodes = halved(_Level(sums, scale, tolerance, known), start[np.newaxis], scale, tolerance, "logistic regression")
    return TallLogisticPath(NearestNodes(nodes.tau, scale), sums, nodes.W.T.copy(), known, tolerance)


def _scale(sums: Sums, w: Float[np.ndarray, " q"], known: Hessians) -> float:
    """Return the beta by which the score of some poison row would move by 1, at the speed it has at beta = 0."""
    speed = known.near(0.0).solve(sums.pulls_of_beta(w[:, np.newaxis]))[:, 0]
    return 1.0 / max(sums.largest_on_poison(speed), 1.0)


@dataclass(frozen=True, eq=False)
class _Level:
    """How the optima at the new nodes of a level are found: those near each other in the same passes over the rows."""

    sums: Sums
    scale: float
    tolerance: float
    known: Hessians

    def __call__(
        self, nodes: Nodes, tau: Float[np.ndarray, " b"], before: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, "b q"], Float[np.ndarray, " b"]]:
        """Return the optima at new nodes, and how far off the polynomials through the old ones were there."""
        W, error = np.empty((len(tau), nodes.W.shape[1])), np.empty(len(tau))
        rough = before > ROUGH
        for k in np.flatnonzero(rough):
            W[k], error[k] = self._from_afar(nodes, tau[[k]])
        fine = np.flatnonzero(~rough)
        for group in together(tau[fine], AT_ONCE) if len(fine) else []:
            part = fine[group]
            betas, guess = betas_of(tau[part], self.scale), nodes.guess(tau[part], STENCIL).T
            found = nearby(self.sums, guess, betas, tau[part], ACCURATE * self.tolerance, self.known)
            W[part], error[part] = found.W.T, found.moved
        return W, error

    def _from_afar(self, nodes: Nodes, tau: Float[np.ndarray, " 1"]) -> tuple[Float[np.ndarray, " q"], float]:
        """Return the optimum at one node, begun at the polynomial that is best there.

        Over too long a stretch a polynomial of high degree is worse than a line.
        """
        sums, betas = self.sums, betas_of(tau, self.scale)
        guesses = np.vstack([nodes.guess(tau, size) for size in (STENCIL, *FEWER)]).T
        values = sums.totals(guesses, np.repeat(betas, guesses.shape[1])).value
        begun = guesses[:, int(np.nanargmin(values))]
        w = newton(sums, begun, float(betas[0]), float(tau[0]), ACCURATE * self.tolerance, self.known)
        return w, float(sums.largest((w - guesses[:, 0])[:, np.newaxis])[0])
