"""The one seam where a scikit-learn estimator becomes arrays, a lambda, a loss and a path.

What would move with beta is fitted once and frozen here: the transformers of a Pipeline, `gamma="scale"` and
`class_weight="balanced"`. On clean and poison rows at weight 1 (`freeze="joined"`) beta = 1 is the victim's own fit;
on clean rows (`freeze="clean"`) beta = 0 is the fit that never saw the poison.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier

from backdoor_curves.codes import Code, encode
from backdoor_curves.data import PoisonedData, Samples, join
from backdoor_curves.estimators import fit_estimator, is_number, kernel_of, loss_and_code, steps_and_last
from backdoor_curves.freezing import Freeze, checked, freeze_parameters, freeze_steps, through
from backdoor_curves.losses import Loss
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.refit import Fit, refit_path
from backdoor_curves.paths.ridge import ridge_path
from backdoor_curves.rows import Rows

Method = Literal["auto", "exact", "refit"]

REFIT_BETAS = (
    np.array([0, 1, 2, 5, 10, 20, 30, 50, 80, 120, 160, 200, 250, 300, 400, 500, 600, 700, 800, 900, 1000]) / 1000
)
"""Where a learner without an exact path is refitted if nothing else is asked: dense near 0, where curves fall."""


@dataclass(frozen=True, eq=False)
class Learner:
    """An estimator with everything frozen that would move with beta, and its training rows as it sees them.

    Parameters
    ----------
    estimator : scikit-learn classifier
        The last step, unfitted, with a numeric gamma and explicit class weights.
    steps : tuple of fitted transformers
        The frozen map before it.
    classes : array of shape (K,)
        The labels, in the order of the class indices.
    loss, code : Loss, Code
        What the estimator minimises, and what its score columns stand for.
    freeze : "joined" or "clean"
        What the frozen parts were fitted on.
    clean, poison : Samples
        Training rows after the frozen map, labels as class indices.
    is_poison : bool array
        Where the poison rows stand in the victim's training set.
    """

    estimator: Any
    steps: tuple[Any, ...]
    classes: np.ndarray
    loss: Loss
    code: Code
    freeze: Freeze
    clean: Samples
    poison: Samples
    is_poison: Bool[np.ndarray, " n_plus_m"]

    def test_rows(self, samples: Samples, name: str) -> Samples:
        """Return test rows through the frozen map, with labels as class indices."""
        return Samples(checked(through(self.steps, samples.X), self.estimator, name), self.index(samples.y))

    def index(self, labels: np.ndarray) -> Int[np.ndarray, " n"]:
        """Return the class indices of labels."""
        return np.searchsorted(self.classes, labels)

    @property
    def hyperparameters(self) -> dict[str, float]:
        """`lambda` (1/C, or 2 alpha for ridge) and, for kernels that have it, `gamma`."""
        found = {}
        parameters = self.estimator.get_params(deep=False)
        if isinstance(self.estimator, RidgeClassifier):
            found["lambda"] = 2.0 * float(self.estimator.alpha)
        elif is_number(parameters.get("C")) and parameters.get("penalty", "l2") is not None:
            found["lambda"] = 1.0 / float(parameters["C"])
        if parameters.get("kernel") in ("rbf", "poly", "sigmoid") and is_number(parameters["gamma"]):
            found["gamma"] = float(parameters["gamma"])
        return found


def read_learner(estimator: Any, data: PoisonedData, freeze: Freeze = "joined") -> Learner:
    """Return the learner that an unfitted estimator describes, with its frozen parts fitted on the training rows.

    Raises
    ------
    TypeError
        If `estimator` is no classifier, or if its last step takes no `sample_weight`.
    ValueError
        If C or alpha is not a positive number, if class weights do not fit the classes, if a feature is NaN or
        infinite where the estimator takes none, or if the kernel is precomputed.
    """
    if freeze not in ("joined", "clean"):
        raise ValueError(f'freeze: "joined" or "clean" was expected, {freeze!r} came')
    steps, last = steps_and_last(estimator)
    classes = data.classes
    clean = Samples(data.clean_train.X, np.searchsorted(classes, data.clean_train.y))
    poison = Samples(data.poison_train.X, np.searchsorted(classes, data.poison_train.y))
    is_poison = data.is_poison
    fitted, clean, poison = freeze_steps(steps, clean, poison, is_poison, freeze)
    clean = Samples(checked(clean.X, last, "clean_train"), clean.y)
    poison = Samples(checked(poison.X, last, "poison_train"), poison.y)
    frozen = freeze_parameters(clone(last), classes, clean, poison, is_poison, freeze)
    loss, code = loss_and_code(frozen, len(classes))
    return Learner(frozen, fitted, classes, loss, code, freeze, clean, poison, is_poison)


def follow(
    learner: Learner, method: Method = "auto", betas: Float[np.ndarray, " b"] | None = None, n_jobs: int | None = None
) -> BetaPath:
    """Return the path of a learner: the exact one where there is one, or refits at `betas`.

    Raises
    ------
    ValueError
        If `method` is unknown, or "exact" for a learner that has no exact path.
    """
    if method not in ("auto", "exact", "refit"):
        raise ValueError(f'method: "auto", "exact" or "refit" was expected, {method!r} came')
    if method != "refit" and type(learner.estimator) is RidgeClassifier and not learner.estimator.positive:
        return _follow_ridge(learner)
    if method == "exact":
        name = type(learner.estimator).__name__
        raise ValueError(f'method: {name} has no exact path (RidgeClassifier has); pass method="refit"')
    joined = join(learner.clean, learner.poison, learner.is_poison)
    warm = getattr(learner.estimator, "warm_start", False) is True
    fit = cast(Fit, partial(fit_estimator, learner.estimator, len(learner.classes)))
    grid = REFIT_BETAS if betas is None else betas
    kernel = kernel_of(learner.estimator) if len(learner.classes) == 2 else None
    return refit_path(fit, joined.X, joined.y, learner.is_poison, grid, kernel=kernel, warm=warm, n_jobs=n_jobs)


def _follow_ridge(learner: Learner) -> BetaPath:
    estimator = learner.estimator

    def arrays(samples: Samples) -> tuple[Rows, Float[np.ndarray, "n k"], Float[np.ndarray, " n"]]:
        X = samples.X if sp.issparse(samples.X) else np.asarray(samples.X, dtype=float)
        per_class = np.array([float((estimator.class_weight or {}).get(k, 1)) for k in range(len(learner.classes))])
        return X, encode(samples.y, len(learner.classes), learner.code), per_class[samples.y]

    return ridge_path(
        arrays(learner.clean),
        arrays(learner.poison),
        alpha=float(estimator.alpha),
        intercept="free" if estimator.fit_intercept else "none",
    )
