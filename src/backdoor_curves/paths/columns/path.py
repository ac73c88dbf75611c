"""The path of several score columns that turn at betas of their own: a path for each, asked side by side.

The objective is the sum of the columns' objectives, over the rows that each of them sees:

    P(w_1, w_2, ..., beta) = sum_c ( 1/2 |w_c|^2 + sum_{i in c} u_i(beta) loss(t_ic f_c(x_i)) ),      t_ic = -1 or +1.

No term has two columns in it, so that the optimum is theirs side by side, G of an influence is a diagonal, and what
adds up over rows adds up over columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.kernels.numbered import NumberedRows
from backdoor_curves.paths.base import BetaPath, Certificate, Parameters, Response, Tangent
from backdoor_curves.rows import Rows, n_rows


@dataclass(frozen=True, eq=False)
class PathOfColumns(BetaPath):
    """The path of several columns.

    Parameters
    ----------
    paths : tuple of BetaPath
        One a column, each with one score.
    members : tuple of int arrays
        The training rows that each path was given, ascending, in the order given to this one.
    kernel : NumberedRows, optional
        That of paths whose rows are numbers; None for paths over rows of features.
    """

    paths: tuple[BetaPath, ...]
    members: tuple[Int[np.ndarray, " _"], ...]
    kernel: NumberedRows | None = None

    @property
    def method(self) -> str:
        """How the paths were followed."""
        return self.paths[0].method

    @property
    def exact(self) -> bool:
        """Whether all of them answer at every beta."""
        return all(path.exact for path in self.paths)

    @property
    def columns(self) -> tuple[BetaPath, ...]:
        """The paths of the columns."""
        return self.paths

    @property
    def proven_at(self) -> Float[np.ndarray, " k"]:
        """The betas that stand for all columns, ascending."""
        return np.unique(np.concatenate([path.proven_at for path in self.paths]))

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """The betas in (0, 1) where the formula of a column changes."""
        return np.unique(np.concatenate([path.knots for path in self.paths]))

    # --- scores ------------------------------------------------------------------------------------------------------

    def scores(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n columns"]:
        """Return the scores of the rows X."""
        seen = self._seen(X)
        return np.stack([path.scores(seen, betas) for path in self.paths], axis=-1)

    def nodal_scores_by_column(self, X: Rows) -> tuple[Float[np.ndarray, "_ n 1"], ...]:
        """Return the scores of the rows X of each column at its own nodes."""
        seen = self._seen(X)
        return tuple(np.asarray(path.nodal_scores(seen)) for path in self.paths)

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives from the right, at beta = 1 from the left."""
        seen = self._seen(X)
        return _side_by_side([path.tangent(seen, betas) for path in self.paths])

    def score_gradients(self, X: Rows, beta: float) -> Float[np.ndarray, "columns n d"]:
        """Return the gradient of each column's score at each row of X."""
        return np.concatenate([path.score_gradients(X, beta) for path in self.paths])

    def _seen(self, X: Rows) -> Rows:
        return X if self.kernel is None else self.kernel.seen(X)

    # --- parameters --------------------------------------------------------------------------------------------------

    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return the models of all columns; of kernels signed duals of the training rows that are told apart.

        Raises
        ------
        ValueError
            If some columns were followed by a kernel matrix and some in features: ask those of `columns`.
        """
        found = [path.parameters(betas) for path in self.paths]
        intercept = np.concatenate([one.intercept for one in found], axis=-1)
        own = [one.rows for one in found if one.rows is not None]
        if not own:
            return Parameters(np.concatenate([one.coef for one in found], axis=-1), intercept)
        if len(own) < len(found):
            raise ValueError(
                f"parameters: {len(own)} of {len(found)} columns have duals and the others coefficients of features; "
                "ask those of path.columns"
            )
        numbers = np.arange(1 + max(rows[-1] for rows in self.members)) if self.kernel is None else self.kernel.numbers
        coef = np.zeros((len(found), 1 + int(numbers.max()), len(betas)))
        for duals, one, distinct, rows in zip(coef, found, own, self.members, strict=True):
            # A column's own rows are distinct in features and label: of one number there may be two.
            _, first = np.unique(distinct, return_index=True)
            np.add.at(duals, numbers[rows[first]], one.coef[..., 0].T)
        return Parameters(coef.T, intercept, numbers)

    def nodal_scores(self, X: Rows) -> NoReturn:
        """Refuse: there are no nodes in common."""
        raise ValueError(f"nodal scores of {n_rows(X)} rows: {NODES}")

    def nodal_gram(self) -> NoReturn:
        """Refuse: there are no nodes in common."""
        raise ValueError(f"nodal inner products: {NODES}")

    # --- what single rows do, and how exact all is -------------------------------------------------------------------

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows."""
        found = [path.response(beta) for path in self.paths]
        pulling = [rows[one.rows] for rows, one in zip(self.members, found, strict=True)]
        rows = np.unique(np.concatenate(pulling))
        places = [np.searchsorted(rows, own) for own in pulling]

        def tangent(X: Rows) -> Tangent:
            seen = self._seen(X)
            return _side_by_side([one.tangent(seen) for one in found])

        def influence(X: Rows, loss_gradients: Float[np.ndarray, "x columns"]) -> Float[np.ndarray, "x r"]:
            seen, values = self._seen(X), np.zeros((n_rows(X), len(rows)))
            for c, (one, place) in enumerate(zip(found, places, strict=True)):
                g = loss_gradients[:, [c]]
                if place.size and g.any():  # most pairs of classes do not concern a row
                    values[:, place] += one.influence(seen, g)
            return values

        return Response(beta, tangent, rows, influence, sum(one.ties for one in found))

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return the largest of the columns' bounds; of the objective, which is a sum, that is a bound as well."""
        seen = [self._seen(X) for X in rows]
        found = [path.certificate(betas, seen) for path in self.paths]
        gaps, bounds = zip(*((one.objective_gap, one.score_bound) for one in found if one is not None), strict=True)
        return Certificate(betas, np.max(gaps, axis=0), np.max(bounds, axis=0))


NODES = "the columns of this path have nodes of their own; ask those of path.columns"


def _side_by_side(tangents: Sequence[Tangent]) -> Tangent:
    return Tangent(
        np.concatenate([one.scores for one in tangents], axis=-1),
        np.concatenate([one.rates for one in tangents], axis=-1),
    )
