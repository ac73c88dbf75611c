"""Training rows as the paths see them: their classes, or what score columns should say, and C times their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from backdoor_curves.data.samples import Samples
from backdoor_curves.kernels.memory import require_room, require_room_for_features
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import require_fit_takes
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.score_encodings import encode, is_in_pairs
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.columns import PathOfColumns
from backdoor_curves.paths.linalg.coordinates import Space, coordinates
from backdoor_curves.paths.linalg.row_parts import RowParts, are_tall, parts_of
from backdoor_curves.rows import Rows, as_floats, stack_rows, take_rows


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """The training rows of one score column, or of all at once, the clean ones first.

    Parameters
    ----------
    X : rows
        In double precision, an array or CSR.
    y : array of shape (n,)
        What the scores of a column should say: with two classes -1 for the first, +1 for the second; or class indices.
    u0, du : arrays of shape (n,)
        C times the rows' weights: u0 of the clean rows, du of the poison rows at beta = 1, and 0 elsewhere.
    """

    X: Rows
    y: Shaped[np.ndarray, " n"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class WeightedColumns:
    """The training rows of a learner, and what each of its score columns should say of them, the clean ones first.

    Parameters
    ----------
    X, u0, du
        As in `WeightedRows`.
    targets : array of shape (n, columns)
        -1, +1, or 0 where a column does not see the row (`losses.score_encodings.encode`).
    """

    X: Rows
    targets: Float[np.ndarray, "n columns"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]

    @property
    def members(self) -> tuple[Int[np.ndarray, " r"], ...]:
        """The rows that each column sees, ascending."""
        return tuple(np.flatnonzero(target) for target in self.targets.T)

    def column(self, c: int, X: Rows) -> WeightedRows:
        """Return what column c sees, of these rows or others in their places: their numbers, say."""
        rows = np.flatnonzero(self.targets[:, c])
        seen = X if len(rows) == len(self.targets) else take_rows(X, rows)
        return WeightedRows(seen, self.targets[rows, c], self.u0[rows], self.du[rows])

    def followed(self, path_of: Callable[[WeightedRows, Space], BetaPath], shared: Shared | None) -> BetaPath:
        """Return the path of the column, or of several that are followed one by one; each in its rows' coordinates."""
        parts = [self.column(c, self.X) for c in range(self.targets.shape[1])]
        whole = coordinates_of(self.X, shared) if any(part.X is self.X for part in parts) else None
        paths = tuple(
            path_of(part, coordinates_of(part.X, None) if whole is None or part.X is not self.X else whole)
            for part in parts
        )
        return paths[0] if len(paths) == 1 else PathOfColumns(paths, self.members)


@dataclass(frozen=True, eq=False)
class TallColumns:
    """The training rows of a learner where they are, and what each of its score columns should say of all of them.

    Parameters
    ----------
    rows : RowParts
        The clean ones first.
    targets, u0, du
        As in `WeightedColumns`; each column sees all rows.
    """

    rows: RowParts
    targets: Float[np.ndarray, "n columns"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]

    def followed(self, path_of: Callable[[TallColumns, Float[np.ndarray, " n"]], BetaPath]) -> BetaPath:
        """Return the path of the column, or of several that are followed one by one, given their targets."""
        paths = tuple(path_of(self, target) for target in self.targets.T)
        members = (np.arange(len(self.targets)),) * len(paths)
        return paths[0] if len(paths) == 1 else PathOfColumns(paths, members)


def tall_columns(learner: Learner) -> TallColumns | None:
    """Return the training rows of a learner where they are; None where they are few, or columns see some of them."""
    parts = learner.clean.X, learner.poison.X
    if not are_tall(*parts) or is_in_pairs(learner.encoding):
        return None
    y, u0, du = _labels_and_weights(learner)
    return TallColumns(parts_of(*parts), encode(y, len(learner.classes), learner.encoding), u0, du)


def weighted_columns(learner: Learner) -> WeightedColumns:
    """Return the training rows of a learner whose C is a number, for each score column; errors as `class_rows`."""
    rows = class_rows(learner)
    targets = encode(rows.y, len(learner.classes), learner.encoding)
    return WeightedColumns(rows.X, targets, rows.u0, rows.du)


def class_rows(learner: Learner) -> WeightedRows:
    """Return the training rows of a learner whose C is a number, with their class indices.

    Raises
    ------
    ValueError
        If C is infinite, if its fit would not take the parameters, or if a class weighs nothing.
    """
    X = as_floats(stack_rows(learner.clean.X, learner.poison.X))
    return WeightedRows(X, *_labels_and_weights(learner))


def _labels_and_weights(
    learner: Learner,
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return the class indices of the training rows, the clean ones first, and their u0 and du."""
    estimator = learner.estimator
    if np.isinf(estimator.C):
        raise ValueError('C: a finite number was expected, inf came; a path needs lambda > 0, or pass method="refit"')
    require_fit_takes(estimator)
    clean, poison = learner.clean, learner.poison
    u0, du = (float(estimator.C) * row_weights(learner, part) for part in (clean, poison))
    if not ((u0 > 0.0).all() and (du > 0.0).all()):
        every = "both classes" if len(learner.classes) == 2 else "every class"
        raise ValueError(f"class_weight: a weight > 0 was expected for {every}, 0 came")
    y = np.concatenate([clean.y, poison.y])
    return y, np.append(u0, np.zeros_like(du)), np.append(np.zeros_like(u0), du)


def row_weights(learner: Learner, samples: Samples) -> Float[np.ndarray, " n"]:
    """Return the weight of each training row, its own times that of its class, as scikit-learn multiplies them."""
    by_class = learner.estimator.class_weight or {}
    return np.array([float(by_class.get(label, 1)) for label in learner.classes.tolist()])[samples.y] * samples.weight


def coordinates_of(X: Rows, shared: Shared | None) -> Space:
    """Return rows in as few coordinates as they need; refused where those, or their Gram matrix, would not fit."""
    n, d = X.shape
    if n < d:
        require_room(n)
    else:
        require_room_for_features(n, d)
    return coordinates(X) if shared is None else shared.coordinates(X)
