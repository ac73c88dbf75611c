"""The path of any learner that takes sample weights: one fit for each beta asked.

This is how backdoor learning curves were drawn so far. It answers at its betas only, and is as accurate as the solver's
stopping rule; the exact paths of this folder are measured against it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int
from joblib import Parallel, delayed

from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.interpolants import Table
from backdoor_curves.rows import Rows, take_rows


@runtime_checkable
class Model(Protocol):
    """A fitted learner."""

    converged: bool

    def scores(self, X: Rows) -> Float[np.ndarray, "n columns"]:
        """Return the scores of the rows X, one column for two classes."""
        ...

    def inner(self, other: Model) -> float | None:
        """Return <w, w'> of two fits, without intercepts; None for a learner without a w."""
        ...


Fit = Callable[[Rows, Int[np.ndarray, " n"], Float[np.ndarray, " n"], Model | None], Model]
"""Fit on rows, labels and sample weights, starting from another fit where one is given."""


@dataclass(frozen=True, eq=False)
class RefitPath(BetaPath):
    """One fitted model for each beta."""

    method: ClassVar[str] = "refit"
    exact: ClassVar[bool] = False

    interpolant: Table
    models: Sequence[Model]

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n columns"]:
        """Return the models' scores of the rows X."""
        return np.stack([model.scores(X) for model in self.models])

    def nodal_gram(self) -> Float[np.ndarray, "k k"] | None:
        """Return the inner products between the models' parameters; None where they have none."""
        k = len(self.models)
        gram = np.empty((k, k))
        for i, j in combinations_with_replacement(range(k), 2):
            product = self.models[i].inner(self.models[j])
            if product is None:
                return None
            gram[i, j] = gram[j, i] = product
        return gram

    def certificate(self, betas: Float[np.ndarray, " b"], reach: float) -> None:
        """Return None: that a solver stopped says nothing about its distance to the optimum."""

    def reach(self, X: Rows) -> float:  # noqa: ARG002 - the base's signature
        """Return 0; no bound uses it."""
        return 0.0

    @property
    def unconverged(self) -> Float[np.ndarray, " u"]:
        """The betas whose solver gave up before its own stopping rule was met."""
        return self.interpolant.nodes[np.array([not model.converged for model in self.models])]


def refit_path(
    fit: Fit,
    X: Rows,
    y: Int[np.ndarray, " n"],
    is_poison: Bool[np.ndarray, " n"],
    betas: Float[np.ndarray, " k"],
    *,
    warm: bool = False,
    n_jobs: int | None = None,
) -> RefitPath:
    """Return the path of one fit for each beta.

    Parameters
    ----------
    fit : callable (X, y, sample_weight, start) -> Model
        How the learner is fitted.
    X, y, is_poison : rows, labels and which of them have weight beta
        In the order in which the learner shall see them. At beta = 0 the poison rows are dropped: many learners use
        a row of weight zero all the same (for a variance, a vocabulary, a batch).
    betas : array of shape (k,)
        Ascending, in [0, 1].
    warm : bool
        Whether each fit starts from the one before; then they cannot run in parallel.
    n_jobs : int, optional
        Fits at once, as joblib counts them; None for one.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        Once, with the betas at which the solver gave up.

    Examples
    --------
    Through `backdoor_learning_curve(estimator, data, method="refit")`.
    """

    if warm:
        models = [_fit_at(fit, X, y, is_poison, betas[0])]
        for beta in betas[1:]:
            models.append(_fit_at(fit, X, y, is_poison, beta, models[-1]))
    else:
        models = Parallel(n_jobs=n_jobs)(delayed(_fit_at)(fit, X, y, is_poison, beta) for beta in betas)
    path = RefitPath(Table(betas), models)
    if path.unconverged.size:
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(
            f"the solver did not converge at {path.unconverged.size} of {len(betas)} betas "
            f"({', '.join(f'{beta:g}' for beta in path.unconverged)}); raise max_iter or loosen tol",
            ConvergenceWarning,
            stacklevel=2,
        )
    return path


def _fit_at(
    fit: Fit,
    X: Rows,
    y: Int[np.ndarray, " n"],
    is_poison: Bool[np.ndarray, " n"],
    beta: float,
    start: Model | None = None,
) -> Model:
    if beta == 0.0:
        kept = np.flatnonzero(~is_poison)
        return fit(take_rows(X, kept), y[kept], np.ones(len(kept)), start)
    return fit(X, y, np.where(is_poison, beta, 1.0), start)
