"""The body of a trained net, as a transformer: what it hands to its last layer, with the weights of one beta."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from backdoor_curves.deep.path import NetworkPath


class Body(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Frozen features: the inputs of a net's last linear layer.

    Parameters
    ----------
    path : NetworkPath
        Of one seed.
    beta : float
        One of those at which it was trained.
    """

    def __init__(self, path: NetworkPath, beta: float) -> None:
        self.path = path
        self.beta = beta

    def __sklearn_clone__(self) -> Body:
        """Return itself: it is frozen, and its weights are large."""
        return self

    def fit(self, X: Any, y: Any = None) -> Body:  # noqa: ARG002 - as scikit-learn calls it
        """Return itself: there is nothing to fit."""
        return self

    def transform(self, X: Any) -> Float[np.ndarray, "n features"]:
        """Return what the rows X become before the last layer, in double precision."""
        from backdoor_curves.deep.trained_net import inputs_of_last_layer

        return inputs_of_last_layer(self.path, self.beta, np.asarray(X, dtype=float))
