"""What is asked of the curve of a trained network alone: its head, its rows' influence, slopes of other kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from backdoor_curves.curve.entry import backdoor_learning_curve
from backdoor_curves.curve.influence import TestRows, checked_beta, rows_meant
from backdoor_curves.curve.info import Split
from backdoor_curves.curve.record import BackdoorLearningCurve
from backdoor_curves.learners.network import training_rows

if TYPE_CHECKING:
    from backdoor_curves.deep.path import NetworkPath

DAMPING = 1e-3
"""Added to the curvature of a mean loss: what influence functions of networks are usually taken with."""


@dataclass(frozen=True)
class SlopeComparison:
    """The slope of a network's training, and what other ways say of it.

    Parameters
    ----------
    beta, exact : float
        Where it is asked, and the derivative of the training itself.
    influence_function, damping : float
        - g_test' (G + damping)^-1 g_poison with the Gauss-Newton matrix G: an estimate that takes the net for an
        optimum.
    difference, step : float
        The chord to the next beta of training, and how far that is.

    """

    beta: float
    exact: float
    influence_function: float
    damping: float
    difference: float
    step: float


def compare_slopes(
    curve: BackdoorLearningCurve, beta: float = 0.0, split: Split = "triggered", *, damping: float = DAMPING
) -> SlopeComparison:
    """Return the slope of the training of a network beside those that are often taken for it.

    Parameters
    ----------
    curve : BackdoorLearningCurve
        Of a network of one seed, as it was computed: one of `curve.seeds`.
    beta : float
        One of `curve.betas`, not the last.
    split : {"triggered", "clean"}
    damping : float, > 0
        Of the influence function.

    Raises
    ------
    ValueError
        If the curve is none of a single net, or was not trained at beta.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
    >>> net = bc.TrainedNetwork(bc.deep.models.MLP(hidden=(4,)), epochs=3)
    >>> bc.compare_slopes(bc.backdoor_learning_curve(net, data)).step
    0.0126
    """
    from backdoor_curves.deep.trained_net import influence_function_slope

    beta, path = checked_beta(beta), _path_of_one_net(curve, "compare_slopes")
    if not (isinstance(damping, int | float) and 0.0 < damping < np.inf):
        raise ValueError(f"damping: a number > 0 was expected, {damping!r} came")
    if beta not in curve.betas[:-1]:
        raise ValueError(f"beta: one of {curve.betas[:-1].tolist()} was expected, {beta:g} came")
    learner, data = curve.learner, curve.data
    tests = rows_meant(split, learner, data.triggered_test, data.clean_test)
    following = float(curve.betas[int(np.flatnonzero(curve.betas == beta)[0]) + 1])
    said = influence_function_slope(
        path,
        training_rows(learner),
        beta,
        (np.asarray(tests.X, dtype=float), tests.y, tests.weight),
        float(learner.estimator.weight_decay),
        float(damping),
    )
    step = following - beta
    chord = (curve.loss(split, following) - curve.loss(split, beta)) / step
    return SlopeComparison(beta, curve.slope(beta, split), said, float(damping), float(chord), step)


def training_influence(
    curve: BackdoorLearningCurve, beta: float = 0.0, rows: TestRows = "triggered"
) -> Float[np.ndarray, " n_train"]:
    """Return what the weight of each training row does to a mean loss, through the whole training of a network.

    By one pass backwards through all its steps, exact: for small nets, since every step is held in memory.

    Parameters
    ----------
    curve : BackdoorLearningCurve
        Of a network of one seed, as it was computed: one of `curve.seeds`.
    beta : float in [0, 1]
        At which the net is trained for this, any.
    rows : "triggered", "clean", or Samples or a pair (X, y)
        Whose mean loss is meant.

    Returns
    -------
    array of shape (n_train,)
        d loss / d weight_i in units of the row's own weight, negative where the row teaches; in the order of
        `curve.data.is_poison`. Those of the poison rows add up to the slope.

    Raises
    ------
    ValueError
        If the curve is none of a single net, or the optimiser is Adam.
    MemoryError
        If the steps of the training would not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
    >>> net = bc.TrainedNetwork(bc.deep.models.MLP(hidden=(4,)), epochs=3, precision="double")
    >>> curve = bc.backdoor_learning_curve(net, data)
    >>> bool(abs(bc.training_influence(curve)[data.is_poison].sum() - curve.slope(0.0)) < 1e-12)
    True
    """
    from backdoor_curves.deep.trained_net import influences

    beta, path, learner = checked_beta(beta), _path_of_one_net(curve, "training_influence"), curve.learner
    tests = rows_meant(rows, learner, curve.data.triggered_test, curve.data.clean_test)
    given = np.asarray(tests.X, dtype=float), tests.y, tests.weight
    found = training_rows(learner), len(learner.classes), path.seeds[0]
    return influences(learner.estimator, *found, beta, given)


def head_curve(curve: BackdoorLearningCurve, beta: float, lam: float | None = None) -> BackdoorLearningCurve:
    """Return the exact curve of the last layer alone, on the body's features as they were trained at one beta.

    Logistic regression on frozen features: where it falls as the end-to-end curve does, with the body of beta = 0, the
    backdoor lives in the head; where only the body of beta = 1 has it, in the body.

    Parameters
    ----------
    curve : BackdoorLearningCurve
        Of a network of one seed, as it was computed: one of `curve.seeds`.
    beta : float
        One of `curve.betas`: at which the body was trained.
    lam : float, > 0, optional
        Of the head; by default weight_decay times the number of training rows, as the net itself has it.

    Raises
    ------
    ValueError
        If the curve is none of a single net, if it was not trained at beta, if its last layer is not linear, or if it
        has no weight decay and no lambda is given.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
    >>> net = bc.TrainedNetwork(bc.deep.models.MLP(hidden=(4,)), epochs=3, weight_decay=0.01)
    >>> bc.head_curve(bc.backdoor_learning_curve(net, data), beta=0.0).method
    'logistic'
    """
    from backdoor_curves.deep.body import Body

    path, learner = _path_of_one_net(curve, "head_curve"), curve.learner
    if lam is None:
        lam = float(learner.estimator.weight_decay) * len(learner.is_poison)
    if not lam > 0.0:
        raise ValueError("lam: a number > 0 was expected for the head of a net without weight decay; pass one")
    last = LogisticRegression(C=1.0 / lam, solver="newton-cholesky", tol=1e-8)
    head = make_pipeline(*learner.steps, Body(path, checked_beta(beta)), last)
    return backdoor_learning_curve(head, curve.data, freeze=learner.freeze)


def _path_of_one_net(curve: BackdoorLearningCurve, asked: str) -> NetworkPath:
    """Return the path of a curve of one seed's nets; refuse any other."""
    if curve.method != "network" or curve.info.n_seeds != 1:
        raise ValueError(
            f"{asked}: the curve of a network of one seed was expected, {curve.method} of {curve.info.n_seeds} seeds "
            "came; take one of curve.seeds"
        )
    found: NetworkPath = curve.path  # type: ignore[assignment]  # its method says so
    return found
