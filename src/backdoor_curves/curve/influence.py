"""Influence: how the loss of a test row answers to the weight of a single training row, exactly, at any beta.

    influence[j, i] = d loss_j / d weight_i = - g_j' G(x_j, x_i) q_i

with g_j the derivative of the test row's loss in its scores, q_i that of the training row's loss, and G what the
path makes of the two rows (`paths.base.Response`). Negative: training row i teaches test row j. At beta = 0 the
poison rows weigh nothing, and what stands there is what the first bit of their weight does. Summed over the poison
rows, the mean over triggered test rows is the slope of the backdoor learning curve.

Source: Koh and Liang (arXiv 1703.04730) for smooth losses; for SVMs the derivative of their path, Cinà et al., Backdoor
Learning Curves (arXiv 2106.07214), Eq. 3 and appendix B, with the Hessian over the rows that are fitted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.metrics import roc_auc_score

from backdoor_curves.curve.betas import as_doubles
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples, as_samples
from backdoor_curves.kernels.memory import require_bytes
from backdoor_curves.learners.follow import check_tolerance, follow, missed_betas
from backdoor_curves.learners.freezing import Freeze
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.reading import read_learner
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.row_losses import corner_of, score_gradients
from backdoor_curves.losses.score_encodings import encode
from backdoor_curves.paths.base import BetaPath, Response
from backdoor_curves.rows import require_alike, stack_rows, take_rows

TestRows = Literal["triggered", "clean"] | Samples | tuple[Any, Any]
"""The triggered or the clean test rows of the data, or own rows with their labels."""
BLOCK = 256
"""Test rows at once: what is held besides the result is as many rows of the kernel, and of the features."""


@dataclass(frozen=True, eq=False)
class Influence:
    """Influences of all training rows on some test rows, at one beta; also an array, by `numpy.asarray`.

    Parameters
    ----------
    values : array of shape (n_test, n_train)
        d loss_j / d weight_i, in the units of the loss: negative where training row i teaches test row j. The unit of
        weight_i is the row's own weight (times that of its class): minus a value is, to first order, what the loss
        gains where the row is left out. Columns are in the order of the victim's training set, as `data.is_poison` is.
    is_poison : bool array of shape (n_train,)
        Which training rows have weight beta: poison, and cover rows that are weighted with it.
    beta : float
        The weight of the poison rows.
    ties : int
        Training rows on the margin of an SVM that are at one of their limits there: the sets change for some weights
        (at a knot, for one that is about to join or leave; repeated rows with other labels; dependent rows). The values
        are then right along beta, and one-sided for other weights. 0 where all are derivatives on both sides.
    of : {"triggered", "clean", "own"}
        Which test rows these are.
    weight : array of shape (n_test,), optional
        What each test row counts for in a mean; all the same by default.
    is_cover : bool array of shape (n_train,), optional
        Which training rows are cover rows, as `data.is_cover` is; none by default.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
    >>> found = bc.influence(RidgeClassifier(), data)
    >>> found.values.shape, found.top_influential(2).shape
    ((40, 40), (40, 2))
    >>> curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
    >>> bool(np.isclose(found.slope, curve.slope(0.0), rtol=1e-10))
    True
    """

    values: Float[np.ndarray, "n_test n_train"]
    is_poison: Bool[np.ndarray, " n_train"]
    beta: float
    ties: int
    of: Literal["triggered", "clean", "own"] = "own"
    weight: Float[np.ndarray, " n_test"] | None = None
    is_cover: Bool[np.ndarray, " n_train"] = None  # type: ignore[assignment]  # an array from `__post_init__` on

    def __post_init__(self) -> None:
        if self.is_cover is None:
            object.__setattr__(self, "is_cover", np.zeros(len(self.is_poison), dtype=bool))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype, copy=copy)

    @property
    def slope(self) -> float:
        """The derivative of the mean loss of these test rows in beta: the sum over the rows of weight beta."""
        return float(np.average(self.values[:, self.is_poison].sum(axis=1), weights=self.weight))

    def top_influential(self, k: int = 7) -> Int[np.ndarray, "n_test k"]:
        """Return the k training rows of largest influence, in magnitude, on each test row, the largest first."""
        k = _checked_k(k, len(self.is_poison))
        return np.argsort(-np.abs(self.values), axis=1, kind="stable")[:, :k]

    def poison_ranking(self, k: int | None = None) -> PoisonRanking:
        """Return how well these influences find the poison: training rows that teach the test rows most come first.

        Meant for suspicious rows with the labels that the model gives them, at the victim's own beta = 1. Cover rows,
        whose labels are true, are not what is looked for.

        Parameters
        ----------
        k : int, optional
            Of the precision among the top k; the number of poison rows by default.
        """
        suspicion = -np.average(self.values, axis=0, weights=self.weight)
        return poison_ranking(suspicion, self.is_poison & ~self.is_cover, k)


@dataclass(frozen=True, eq=False)
class PoisonRanking:
    """How well a score of suspicion finds the poison rows.

    Parameters
    ----------
    order : int array of shape (n_train,)
        The training rows, the most suspicious first.
    k : int
        How many of them the precision looks at.
    precision : float
        Share of poison among the top k, in [0, 1]; of rows that tie for the last places the share expected.
    auc : float
        Area under the ROC curve of "is this row poison": the probability that a poison row is before a clean one, ties
        half, in [0, 1].
    """

    order: Int[np.ndarray, " n_train"]
    k: int
    precision: float
    auc: float


def influence(
    estimator: Any,
    data: PoisonedData,
    beta: float = 0.0,
    *,
    rows: TestRows = "triggered",
    freeze: Freeze = "joined",
    tolerance: float = 1e-6,
    shared: Shared | None = None,
) -> Influence:
    """Return the influence of every training row on every test row; `curve.influence` for a curve at hand.

    Parameters
    ----------
    estimator : scikit-learn classifier
        One with an exact path, see `backdoor_learning_curve`.
    data : PoisonedData
        Poison and clean rows alike are training rows.
    beta : float in [0, 1]
        The weight of the poison rows. At 0, and where the sets of an SVM change, the derivative is that for the way on
        in beta, at 1 for the way back; `ties` says where another way would have another one.
    rows : "triggered", "clean", or Samples or a pair (X, y)
        The test rows: those of the data, or own rows with the labels that their loss is meant for.
    freeze, tolerance, shared
        As in `backdoor_learning_curve`. The result does not depend on the tolerance, but on the path being found: it
        comes from the conditions of the optimum there, to rounding.

    Returns
    -------
    Influence

    Raises
    ------
    ValueError
        If beta is outside [0, 1], if the learner has no exact path, or if an SVM's intercept jumps at beta or is free
        within an interval there (no row on the margin): then single weights have no derivative.
    MemoryError
        If the result would not fit.
    ToleranceError
        If rounding keeps the path from the optimum at beta.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import SVC
    >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
    >>> bc.influence(SVC(), data, beta=1.0).poison_ranking().k
    4
    """
    beta = checked_beta(beta)
    check_tolerance(tolerance)
    if not isinstance(data, PoisonedData):
        raise TypeError(f"data: PoisonedData was expected, {type(data).__name__} came; make it with poison(...)")
    learner = read_learner(estimator, data, freeze)
    tests = rows_meant(rows, learner, data.triggered_test, data.clean_test)
    path = follow(learner, "exact", tolerance=tolerance, shared=shared)
    missed_betas(learner, path, path.certificate(np.array([beta]), [tests.X]), tolerance)
    return replace(influence_on(path, learner, tests, beta), of=kind_of(rows), is_cover=data.is_cover)


def rows_meant(rows: TestRows, learner: Learner, triggered: Samples, clean: Samples) -> Samples:
    """Return the test rows that are meant behind the frozen map, with labels as class indices."""
    if isinstance(rows, str):
        if rows not in ("triggered", "clean"):
            raise ValueError(f'rows: "triggered", "clean" or a pair (X, y) was expected, {rows!r} came')
        rows = triggered if rows == "triggered" else clean
    samples = as_samples(rows, "rows")
    if not len(samples):
        raise ValueError("rows: at least one row was expected, none came")
    require_alike(clean.X, samples.X, "rows")
    unknown = samples.y[~np.isin(samples.y, learner.classes)]
    if unknown.size:
        raise ValueError(f"rows: labels out of {learner.classes.tolist()} were expected, {unknown.tolist()[0]!r} came")
    return learner.test_rows(samples, "rows")


def kind_of(rows: TestRows) -> Literal["triggered", "clean", "own"]:
    """Return which test rows are meant."""
    return rows if isinstance(rows, str) else "own"


def influence_on(path: BetaPath, learner: Learner, tests: Samples, beta: float) -> Influence:
    """Return the influence of the training rows of a path on test rows behind the frozen map."""
    n = len(learner.is_poison)
    require_bytes(8.0 * len(tests) * n, f"influence: {len(tests)} x {n} values")
    response = path.response(beta)
    columns, g = _places(learner.is_poison)[response.rows], _loss_gradients(response, learner, tests)
    values = np.zeros((len(tests), n))
    feeling = np.flatnonzero(g.any(axis=1)) if columns.size else np.empty(0, dtype=np.intp)
    # A hinge beyond its margin feels nothing, and rows that do not pull have no influence.
    for block in np.array_split(feeling, len(feeling) // BLOCK + 1) if feeling.size else ():
        values[np.ix_(block, columns)] = response.influence(take_rows(tests.X, block), g[block])
    return Influence(values, learner.is_poison, beta, response.ties, weight=tests.weight)


def self_influence(path: BetaPath, learner: Learner, beta: float) -> Float[np.ndarray, " n_train"]:
    """Return d loss_i / d weight_i of every training row, <= 0: how much a row's own weight lowers its loss."""
    response = path.response(beta)
    X = stack_rows(learner.clean.X, learner.poison.X)
    train = Samples(X, np.concatenate([learner.clean.y, learner.poison.y]))
    values = np.zeros(len(train))
    victims_order, r = _places(learner.is_poison), len(response.rows)
    for block in np.array_split(np.arange(r), r // BLOCK + 1) if r else ():
        some = train.take(response.rows[block])
        on_all = response.influence(some.X, _loss_gradients(response, learner, some))
        values[victims_order[response.rows[block]]] = on_all[np.arange(len(block)), block]
    return values


def poison_ranking(
    suspicion: Float[np.ndarray, " n_train"], is_poison: Bool[np.ndarray, " n_train"], k: int | None = None
) -> PoisonRanking:
    """Return how well a score finds the poison rows: high for suspicious rows.

    Parameters
    ----------
    suspicion : array of shape (n_train,)
        Any score: minus the mean influence on suspicious test rows, the magnitude of self-influence.
    is_poison : bool array of shape (n_train,)
    k : int, optional
        Of the precision; the number of poison rows by default.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.curve.influence import poison_ranking
    >>> ranking = poison_ranking(np.array([0.0, 3.0, 1.0, 2.0]), np.array([False, True, True, False]))
    >>> ranking.precision, ranking.auc
    (0.5, 0.75)
    """
    suspicion, is_poison = np.asarray(suspicion, dtype=float), np.asarray(is_poison)
    if suspicion.shape != is_poison.shape or is_poison.dtype != bool:
        raise ValueError(
            f"suspicion, is_poison: a number and a bool a training row were expected, shapes {suspicion.shape} and "
            f"{is_poison.shape} of {is_poison.dtype} came"
        )
    if not is_poison.any() or is_poison.all():
        raise ValueError("is_poison: clean and poison rows were expected, one kind came")
    k = _checked_k(int(is_poison.sum()) if k is None else k, len(is_poison))
    order = np.argsort(-suspicion, kind="stable")
    last = suspicion[order[k - 1]]
    above, tied = suspicion > last, suspicion == last
    found = is_poison[above].sum() + (k - above.sum()) * is_poison[tied].mean()
    return PoisonRanking(order, k, float(found / k), float(roc_auc_score(is_poison, suspicion)))


def checked_beta(beta: Any) -> float:
    """Return beta as a float; it must be one number in [0, 1]."""
    if isinstance(beta, bool) or not isinstance(beta, Real) or not 0.0 <= float(beta) <= 1.0:
        raise ValueError(f"beta: one number in [0, 1] was expected, {beta!r} came")
    return float(as_doubles(np.asarray(beta)))


def _loss_gradients(response: Response, learner: Learner, tests: Samples) -> Float[np.ndarray, "n columns"]:
    """Return the derivatives of the test rows' losses in their scores, at a corner those for the way of beta."""
    tangent = response.tangent(tests.X)
    targets = encode(tests.y, len(learner.classes), learner.encoding)
    along = tangent.rates if response.beta < 1.0 else -tangent.rates
    tie = corner_of(tangent.scores)
    return score_gradients(learner.loss, learner.encoding, tangent.scores, along, targets, tie)


def _places(is_poison: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Return where in the victim's training set the rows stand that a path has, the clean ones first."""
    return np.concatenate([np.flatnonzero(~is_poison), np.flatnonzero(is_poison)])


def _checked_k(k: Any, n: int) -> int:
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or not 1 <= k <= n:
        raise ValueError(f"k: a number of training rows from 1 to {n} was expected, {k!r} came")
    return int(k)
