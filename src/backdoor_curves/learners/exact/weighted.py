"""Training rows as the paths see them: their classes, or y in {-1, +1} for two, and C times the weights of the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Shaped

from backdoor_curves.data.samples import Samples
from backdoor_curves.kernels.memory import require_room, require_room_for_features
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import require_fit_takes
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.score_encodings import encode
from backdoor_curves.paths.linalg.coordinates import Space, coordinates
from backdoor_curves.rows import Rows, as_floats, stack_rows


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """The training rows, the clean ones first.

    Parameters
    ----------
    X : rows
        In double precision, an array or CSR.
    y : array of shape (n,)
        Class indices (`class_rows`), or -1 for the first of two classes and +1 for the second (`weighted_rows`).
    u0, du : arrays of shape (n,)
        C times the rows' weights: u0 of the clean rows, du of the poison rows at beta = 1, and 0 elsewhere.
    """

    X: Rows
    y: Shaped[np.ndarray, " n"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]


def weighted_rows(learner: Learner) -> WeightedRows:
    """Return the training rows of a learner for two classes whose C is a number; errors as `class_rows`."""
    rows = class_rows(learner)
    return replace(rows, y=encode(rows.y, 2, "binary")[:, 0])


def class_rows(learner: Learner) -> WeightedRows:
    """Return the training rows of a learner whose C is a number, with their class indices.

    Raises
    ------
    ValueError
        If C is infinite, if its fit would not take the parameters, or if a class weighs nothing.
    """
    estimator = learner.estimator
    if np.isinf(estimator.C):
        raise ValueError('C: a finite number was expected, inf came; a path needs lambda > 0, or pass method="refit"')
    require_fit_takes(estimator)
    clean, poison = learner.clean, learner.poison
    u0, du = (float(estimator.C) * row_weights(learner, part) for part in (clean, poison))
    if not ((u0 > 0.0).all() and (du > 0.0).all()):
        raise ValueError("class_weight: a weight > 0 was expected for every class, 0 came")
    X, y = as_floats(stack_rows(clean.X, poison.X)), np.concatenate([clean.y, poison.y])
    return WeightedRows(X, y, np.append(u0, np.zeros_like(du)), np.append(np.zeros_like(u0), du))


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
