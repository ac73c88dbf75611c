"""The path of any learner that takes sample weights: one fit for each beta asked.

This is how backdoor learning curves were drawn so far. It answers at its betas only, and is as accurate as the solver's
stopping rule; the exact paths of this folder are measured against it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NoReturn, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from sklearn.utils.parallel import Parallel, delayed  # they take scikit-learn's configuration along

from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.interpolation.interpolants import Table
from backdoor_curves.rows import Rows, n_rows, take_rows


@runtime_checkable
class Model(Protocol):
    """A fitted learner."""

    converged: bool

    def scores(self, X: Rows) -> Float[np.ndarray, "n columns"]:
        """Return the scores of the rows X, one column for two classes."""
        ...

    def coef(self) -> Float[np.ndarray, " p"] | None:
        """Return w, the intercept left out; None for a learner that has no w or does not hold it."""
        ...

    def duals(self, n: int) -> Float[np.ndarray, " n"]:
        """Return the signed dual coefficients of the n rows it was fitted on; asked of kernel machines only."""
        ...


Fit = Callable[[Rows, Shaped[np.ndarray, " n"], Float[np.ndarray, " n"], Model | None], Model]
"""Fit on rows, labels and sample weights, starting from another fit where one is given."""


@dataclass(frozen=True, eq=False)
class RefitPath(BetaPath):
    """One fitted model for each beta."""

    method: ClassVar[str] = "refit"
    exact: ClassVar[bool] = False

    interpolant: Table
    models: Sequence[Model]
    fitted_on: Sequence[Int[np.ndarray, " _"]]
    """The rows of `X` behind each model."""
    X: Rows
    kernel: Kernel | None
    zero_weight_share: float = 0.0

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n columns"]:
        """Return the models' scores of the rows X."""
        return np.stack([model.scores(X) for model in self.models])

    def parameters(self, betas: Float[np.ndarray, " b"]) -> NoReturn:
        """Refuse: each model has parameters of its own kind."""
        raise ValueError(
            f"parameters need an exact path; those of a refit, at {len(betas)} betas, are its models': see `models`"
        )

    def score_gradients(self, X: Rows, beta: float) -> Float[np.ndarray, "columns n d"]:
        """Return the coefficients of a linear model that was refitted at this beta, the same at each row."""
        coef = self.models[int(np.argmax(self.interpolant.weights(np.array([beta]))[0]))].coef()
        if coef is None:
            raise ValueError(
                "a gradient in the input is known for learners with an exact path and for linear ones; this one has no "
                "coefficients"
            )
        W = coef.reshape(-1, 1, X.shape[1])
        return np.broadcast_to(W, (len(W), n_rows(X), X.shape[1]))

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> NoReturn:  # noqa: ARG002
        """Refuse: between refits nothing is known."""
        self.interpolant.derivative(betas)

    def response(self, beta: float) -> NoReturn:
        """Refuse."""
        raise ValueError(
            f"the response to single rows needs an exact path; a refit at beta = {beta:g} stops where its solver does: "
            "fit again with the row's weight moved, and compare"
        )

    def nodal_gram(self) -> Float[np.ndarray, "k k"] | None:
        """Return the inner products between the models' parameters; None where they have none."""
        coefs = [coef for model in self.models if (coef := model.coef()) is not None]
        if coefs:
            W = np.stack(coefs)
            return W @ W.T
        if self.kernel is None:
            return None
        A = np.zeros((len(self.models), n_rows(self.X)))
        for duals, model, rows in zip(A, self.models, self.fitted_on, strict=True):
            duals[rows] = model.duals(len(rows))
        used = np.flatnonzero(A.any(axis=0))
        rows = take_rows(self.X, used)
        return A[:, used] @ self.kernel(rows, rows) @ A[:, used].T

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> None:
        """Return None: that a solver stopped says nothing about its distance to the optimum."""

    @property
    def unconverged(self) -> Float[np.ndarray, " u"]:
        """The betas whose solver gave up before its own stopping rule was met."""
        return self.interpolant.nodes[np.array([not model.converged for model in self.models])]


def refit_path(
    fit: Fit,
    X: Rows,
    y: Shaped[np.ndarray, " n"],
    is_poison: Bool[np.ndarray, " n"],
    betas: Float[np.ndarray, " k"],
    *,
    weight: Float[np.ndarray, " n"],
    kernel: Kernel | None = None,
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
    weight : array of shape (n,)
        The rows' own, > 0, which multiply 1 and beta.
    kernel : callable (A, B) -> array of shape (a, b), optional
        The learner's kernel, where it is one: norms and angles are then those of its space.
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

    # Dropped, not weighted by zero, at beta = 0.
    fitted_on = [np.flatnonzero(~is_poison) if beta == 0.0 else np.arange(len(y)) for beta in betas]
    weights = [np.where(is_poison, beta * weight, weight) for beta in betas]
    tasks = [(fit, X, y, some, rows) for rows, some in zip(fitted_on, weights, strict=True)]
    if warm:
        models = [_fit_at(*tasks[0])]
        for task in tasks[1:]:
            models.append(_fit_at(*task, models[-1]))
    else:
        models = Parallel(n_jobs=n_jobs)(delayed(_fit_at)(*task) for task in tasks)
    path = RefitPath(Table(betas), models, fitted_on, X, kernel)
    if path.unconverged.size:
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(
            f"the solver did not converge at {path.unconverged.size} of {len(betas)} betas "
            f"({', '.join(f'{beta:g}' for beta in path.unconverged)}); raise max_iter or loosen tol",
            ConvergenceWarning,
            stacklevel=4,
        )
    return path


def _fit_at(
    fit: Fit,
    X: Rows,
    y: Shaped[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
    rows: Int[np.ndarray, " fitted"],
    start: Model | None = None,
) -> Model:
    if len(rows) < len(y):
        X, y, weights = take_rows(X, rows), y[rows], weights[rows]
    return fit(X, y, weights, start)
