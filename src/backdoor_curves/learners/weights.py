"""Whether a fit goes by the weights of its rows: what a row of weight 0 holds must have no say in it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from backdoor_curves.data.samples import join
from backdoor_curves.learners.fitted import FittedEstimator, fit_estimator
from backdoor_curves.learners.learner import Learner
from backdoor_curves.losses.score_encodings import ScoreEncoding, decode, is_in_pairs
from backdoor_curves.rows import Rows, take_rows

ROUNDING = 1e-6
"""Difference between the scores of one and the same fit, relative: of single precision, of sums in another order."""
NOISE = 2.0
"""How many times the most that three other seeds do is chance still: of 160 fits of SGD, which counts rows where it
stops, one is above."""

MOST_PREDICTED = 200
"""Rows of either kind that are predicted at each beta: a threshold that none of them meets is in nobody's way."""


@dataclass(frozen=True, eq=False)
class Trials:
    """Fits of a learner with its poison rows at some weight, or other rows in their places, which leaves all else.

    The number of rows, their labels and order are the same, and so is what an estimator draws or folds by them.
    """

    learner: Learner
    X: Rows
    y: Shaped[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    """The rows' own, in their places."""
    others: Int[np.ndarray, " n"]
    """The rows, by number, with clean rows in the places of the poison."""
    n_jobs: int | None

    def fits(self, *asked: tuple[str, float, int]) -> list[FittedEstimator]:
        """Return fits: the poison rows' "own" features or "other" ones, their weight, and a first or second seed."""
        rows = {"own": self.X, "other": take_rows(self.X, self.others)}
        tasks = [
            (_seeded(self.learner.estimator, seed), self.learner.encoding, rows[which], self.y, self._weights(beta))
            for which, beta, seed in asked
        ]
        return list(Parallel(n_jobs=self.n_jobs)(delayed(_unheard_fit)(*task) for task in tasks))

    def _weights(self, beta: float) -> Float[np.ndarray, " n"]:
        return np.where(self.learner.is_poison, beta * self.weight, self.weight)


def zero_weight_share(learner: Learner, n_jobs: int | None = None) -> float:
    """Return the share of what poison rows do at weight 1 that they do at weight 0 already.

    The estimator is fitted twice with the poison rows at weight 0, the second time with other rows in their places. One
    that goes by the weights makes the same fit of both, and the share is 0. Where the fits differ, their difference is
    laid beside that of the two fits at weight 1; root mean squares over the scores of the training rows. What another
    seed does as well is chance, and no share.

    Parameters
    ----------
    learner : Learner
        That is to be refitted.
    n_jobs : int, optional
        Fits at once.

    Raises
    ------
    TypeError
        If its fit ignores the weights, or a part of it does and says so; if its predictions are not those of its
        scores.
    """
    name = type(learner.estimator).__name__
    trials = _trials(learner, n_jobs)
    try:
        own, other = trials.fits(("own", 0.0, 0), ("other", 0.0, 0))
    except (TypeError, ValueError):
        return 0.0  # whoever takes no weight of 0 has no fit to compare; what else it refuses it says of the curve's
    require_predictions_of_scores(learner, [own], trials.X)
    scores = own.scores(trials.X)
    moved, rounding = _size(scores - other.scores(trials.X)), ROUNDING * max(1.0, _size(scores))
    if moved <= rounding:
        return 0.0
    if own.of_weights is not None:
        raise TypeError(
            f"estimator: one whose fit goes by sample_weight was expected; a part of that of {name} does not, and it "
            f'warns "{own.of_weights}"; if a Pipeline is inside, put its steps in front: '
            f"make_pipeline(step, {name}(classifier))"
        )
    full, full_other = (one.scores(trials.X) for one in trials.fits(("own", 1.0, 0), ("other", 1.0, 0)))
    if _size(full - scores) <= rounding:
        raise TypeError(
            f"estimator: one whose fit goes by sample_weight was expected; {name} makes the same fit of poison rows at "
            "weight 0 and at weight 1: it ignores their weights"
        )
    if moved <= NOISE * _chance(trials, scores, rounding):
        return 0.0
    return min(1.0, moved / max(_size(full - full_other), rounding))


def _chance(trials: Trials, scores: Float[np.ndarray, "n columns"], rounding: float) -> float:
    """Return the most that another seed does; of the first three, for now and then two draw much the same."""
    chance = 0.0
    for seed in (1, 2, 3):
        (again,) = trials.fits(("own", 0.0, seed))
        chance = max(chance, _size(again.scores(trials.X) - scores))
        if chance <= rounding:  # it draws nothing
            return chance
    return chance


def _size(difference: Float[np.ndarray, "n columns"]) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def _trials(learner: Learner, n_jobs: int | None) -> Trials:
    joined, is_poison = join(learner.clean, learner.poison, learner.is_poison), learner.is_poison
    others = np.arange(len(is_poison))
    others[is_poison] = np.resize(np.flatnonzero(~is_poison)[::-1], int(is_poison.sum()))
    return Trials(learner, joined.X, learner.classes[joined.y], joined.weight, others, n_jobs)


def _unheard_fit(estimator: Any, encoding: ScoreEncoding, X: Rows, y: Any, weights: Any) -> FittedEstimator:
    """Fit an estimator whose warnings are not about the curve."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit_estimator(estimator, encoding, X, y, weights, None)


def _seeded(estimator: Any, seed: int) -> Any:
    """Return an estimator that draws the same at every fit: with seed 0 as it was told to, otherwise something else."""
    drawing = {
        name: value
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] == "random_state" and (seed or value is None)
    }
    seeds = {name: seed + value if isinstance(value, int) else seed for name, value in drawing.items()}
    return clone(estimator).set_params(**seeds) if seeds else estimator


def require_predictions_of_scores(learner: Learner, models: Sequence[FittedEstimator], X: Rows) -> None:
    """Refuse a classifier that predicts by more than its highest score: accuracies here are of the scores.

    Asked of some of the training rows X: the poison's scores move with beta, and cross a threshold if there is one.
    """
    if is_in_pairs(learner.encoding):  # votes of pairs, of NuSVC alone, whose rule is known
        return
    some = take_rows(X, np.concatenate([_some(learner.is_poison), _some(~learner.is_poison)]))
    for model in models:
        scores = model.scores(some)
        predicted = np.asarray(model.estimator.predict(some)).ravel()
        expected = learner.classes[decode(scores, len(learner.classes), learner.encoding)]
        # Some learners give back bools as numbers, or as text.
        alike = (predicted == expected) | (predicted.astype(str) == expected.astype(str))
        otherwise = ~alike & ~_ties(scores)
        if otherwise.any():
            name = type(learner.estimator).__name__
            raise TypeError(
                f"estimator: one that predicts the class of its highest score was expected; {name} predicts another "
                f"one for {otherwise.sum()} of {len(otherwise)} training rows (by a threshold, say), and loss and "
                "accuracy are of the scores; pass the classifier inside it"
            )


def _some(rows: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " some"]:
    """Return some of the rows by number, evenly: to predict them costs little beside a fit."""
    numbers = np.flatnonzero(rows)
    return numbers[np.linspace(0, len(numbers) - 1, min(len(numbers), MOST_PREDICTED)).astype(int)]


def _ties(scores: Float[np.ndarray, "n columns"]) -> Bool[np.ndarray, " n"]:
    """Return where the two highest scores are the same but for rounding; of one score, where it is 0."""
    if scores.shape[1] == 1:
        return np.abs(scores[:, 0]) <= ROUNDING
    last, first = np.sort(scores, axis=1)[:, -2:].T
    return first - last <= ROUNDING
