"""The fit without poison as the bounds need it: followed exactly, read at beta = 0, refused where no bound is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from backdoor_curves.certificates.reach import FittedColumn
from backdoor_curves.certificates.ridge import RidgeMetric
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.kernels.by_name import RBF, Linear, Polynomial
from backdoor_curves.kernels.memory import require_bytes
from backdoor_curves.learners.estimators import steps_and_last
from backdoor_curves.learners.exact import AROUND, refusal
from backdoor_curves.learners.exact.contract import OfTwoClasses
from backdoor_curves.learners.exact.lookup import file_among
from backdoor_curves.learners.exact.two_class_columns import INNER
from backdoor_curves.learners.exact.weighted import row_weights
from backdoor_curves.learners.follow import follow
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import is_precomputed
from backdoor_curves.learners.reading import read_learner
from backdoor_curves.losses.row_losses import corner_of, slope_of_margin
from backdoor_curves.losses.score_encodings import encode
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.records.one_line import one_line
from backdoor_curves.rows import Rows, as_floats, squared_lengths

AT_0 = np.zeros(1)
"""The fit without poison, as betas."""


@dataclass(frozen=True, eq=False)
class CleanFit:
    """A learner fitted without poison, and some test rows.

    Parameters
    ----------
    learner : Learner
    file : OfTwoClasses
        What is true of its estimator.
    path : BetaPath
        Asked at beta = 0 alone.
    test : Samples
        Through the frozen map, labels as class indices.
    by_hessian : bool
        Of ridge: whether lengths and distances are those of its Hessian, which no row is taken from.
    estimator : str
        As it was given.
    frozen : tuple of str
        What of it hangs on the training rows, and is held.
    """

    learner: Learner
    file: OfTwoClasses
    path: BetaPath
    test: Samples
    by_hessian: bool
    estimator: str
    frozen: tuple[str, ...] = ()

    @property
    def train(self) -> Samples:
        """The training rows, through the frozen map."""
        return self.learner.clean

    @property
    def intercept(self) -> Intercept:
        """How the intercept enters."""
        return self.file.intercept(self.learner.estimator)

    @property
    def is_ridge(self) -> bool:
        """Whether the loss is squared: quadratic, so that its own Hessian measures."""
        return self.learner.loss == "squared"

    @cached_property
    def scores(self) -> Float[np.ndarray, "t columns"]:
        """Scores of the test rows."""
        return self.scores_of(self.test.X)

    @cached_property
    def slack(self) -> float:
        """By how much scores of training and test rows may be off the optimum's."""
        return self.slack_of(self.train.X, self.test.X)

    def slack_of(self, *parts: Rows) -> float:
        """Return by how much the scores of rows may be off the optimum's, and margins off their corners."""
        certificate = self.path.certificate(AT_0, parts)
        assert certificate is not None  # a path that is followed has one
        return float(certificate.score_bound.max()) + corner_of(self.scores)

    def scores_of(self, X: Rows) -> Float[np.ndarray, "n columns"]:
        """Return scores of rows that went through the frozen map."""
        scores = self.path.scores(X, AT_0)[0]
        return scores[:, np.newaxis] if scores.ndim == 1 else scores

    @cached_property
    def weights(self) -> Float[np.ndarray, " n"]:
        """u of the training rows."""
        return row_weights(self.learner, self.train)

    @property
    def heaviest(self) -> float:
        """The weight of an added row, at most: 1 times that of its class."""
        by_class = self.learner.estimator.class_weight or {}
        return max(1.0, *(float(weight) for weight in by_class.values())) if by_class else 1.0

    @property
    def lam(self) -> float:
        """Lambda, by which the objective bends at least; in lengths of its Hessian by 1."""
        return 1.0 if self.by_hessian else self.learner.hyperparameters["lambda"]

    # --- lengths -----------------------------------------------------------------------------------------------------

    @cached_property
    def metric(self) -> RidgeMetric:
        """The metric of a ridge fit."""
        n, d = self.train.X.shape
        require_bytes(8.0 * n * d * 3.0, f"ridge: {n} rows of {d} features, not sparse", "use fewer features or rows")
        estimator = self.learner.estimator
        return RidgeMetric(_dense(self.train.X), self.weights, float(estimator.alpha), self.intercept.is_free)

    def lengths(self, X: Rows) -> Float[np.ndarray, " n"]:
        """Return |phi| of rows."""
        if self.by_hessian:
            return self.metric.lengths(_dense(X))
        return np.sqrt(self._squared(squared_lengths(X)))

    def longest(self, norm: float) -> float:
        """Return |phi| of the longest row x with |x| <= norm."""
        return self.metric.longest(norm) if self.by_hessian else float(np.sqrt(self._squared(np.array([norm**2]))[0]))

    def _squared(self, squares: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Return |phi|^2 of rows by their |x|^2, the column of a penalised intercept with it."""
        match self.file.kernel(self.learner.estimator):
            case RBF():
                squares = np.ones_like(squares)
            case Polynomial(gamma, coef0, degree):
                squares = (gamma * squares + coef0) ** degree
        return squares + self.intercept.shift

    @property
    def any_norm(self) -> bool:
        """Whether all rows have the same |phi|, however long they are."""
        return isinstance(self.file.kernel(self.learner.estimator), RBF)

    # --- columns -----------------------------------------------------------------------------------------------------

    def columns(self, norm: float) -> list[FittedColumn]:
        """Return the score columns; one of all columns of a softmax, whose w is that of all."""
        scores, classes = self.scores_of(self.train.X), len(self.learner.classes)
        lengths = self.lengths(self.train.X)
        if self.learner.encoding == "softmax":
            p = np.exp(scores - scores.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            pulls = np.linalg.norm(p - np.eye(classes)[self.train.y], axis=1) + np.sqrt(2.0) * self.slack
            some = np.ones(len(scores))
            return [
                FittedColumn("softmax", self.lam, False, 0.0, some, some, self.weights, lengths, self.weights * pulls)
            ]
        targets = encode(self.train.y, classes, self.learner.encoding)
        worst = self._worst(norm)
        return [self._column(targets[:, c], scores[:, c], lengths, worst[c]) for c in range(targets.shape[1])]

    def _column(
        self, target: Float[np.ndarray, " n"], scores: Float[np.ndarray, " n"], lengths: Any, worst: float
    ) -> FittedColumn:
        rows = np.flatnonzero(target)
        y, scores, weights = target[rows], scores[rows], self.weights[rows]
        loss = self.learner.loss
        free = self.intercept.is_free and not self.is_ridge
        # The loss is convex: a lower margin has the steeper slope. That of ridge rises on the other side, too.
        slopes = [np.abs(slope_of_margin(loss, y * scores + side)) for side in (-self.slack, self.slack)]
        pulls = weights * np.maximum(*slopes) if self.is_ridge else weights * slopes[0]
        return FittedColumn(loss, self.lam, free, worst, y, scores, weights, lengths[rows], pulls, self.slack)

    def _worst(self, norm: float) -> Float[np.ndarray, " columns"]:
        """Return the largest |f| of any row x with |x| <= norm, for each column; inf where that is not used."""
        n_columns = self.scores.shape[1]
        unknown = self.intercept
        if unknown.is_free and not self.is_ridge:
            return np.full(n_columns, np.inf)
        found = self.path.parameters(AT_0)
        if found.rows is None:
            w, b = np.linalg.norm(found.coef[0], axis=0), np.abs(found.intercept[0])
        else:
            # A path has a w, and its nodes begin at beta = 0.
            squares = [float(cast(Any, column.nodal_gram())[0, 0]) for column in self.path.columns]
            w, b = np.sqrt(np.maximum(squares, 0.0)), np.abs(found.intercept[0])
        if self.is_ridge:
            return w * norm + b + self.slack
        scaled = b / unknown.scaling if unknown.kind == "penalised" else 0.0 * b
        return np.hypot(w, scaled) * self.longest(norm) + self.slack


def _dense(X: Rows) -> Float[np.ndarray, "n d"]:
    X = as_floats(X)
    return X.toarray() if sp.issparse(X) else np.asarray(X)


def clean_fit(estimator: Any, train: Samples, test: Samples, may_lose_rows: bool = False) -> CleanFit:
    """Return the fit of an estimator on training rows, for bounds on the scores of test rows.

    Raises
    ------
    TypeError, ValueError
        If it is no classifier that is followed exactly, or has no bound.
    """
    first = train.take(np.zeros(1, dtype=np.intp))  # a path needs a row of weight beta, which at beta = 0 is none
    data = PoisonedData(clean_train=train, poison_train=first, clean_test=test, triggered_test=test)
    learner = read_learner(estimator, data, "clean")
    require_bounded(learner)
    fit = fit_of_path(learner, follow(learner, "exact", AT_0), test, may_lose_rows)
    return replace(fit, estimator=one_line(repr(estimator)), frozen=frozen_parts(estimator))


def fit_of_path(learner: Learner, path: BetaPath, test: Samples, may_lose_rows: bool = False) -> CleanFit:
    """Return the fit at beta = 0 of a path that was followed.

    Where rows may go, the Hessian of ridge is not what it was, and only its penalty is left to measure by.
    """
    file = require_bounded(learner)
    by_hessian = learner.loss == "squared" and not may_lose_rows
    said = one_line(repr(learner.estimator))
    return CleanFit(learner, file, path, learner.test_rows(test, "test"), by_hessian, said)


def require_bounded(learner: Learner) -> OfTwoClasses:
    """Return what is true of a learner's estimator; refuse one whose scores have no bound.

    Raises
    ------
    ValueError
        If it has no exact path, no kernel of known lengths, or a free intercept for which there is no proof.
    """
    last, name, K = learner.estimator, type(learner.estimator).__name__, len(learner.classes)
    file = file_among(INNER, last)
    if file is None or (reason := refusal(last, K)) is not None:
        why = _none_of_them(last) if file is None else f"has no exact path {reason}"
        raise ValueError(
            "certificate: RidgeClassifier, LogisticRegression, LinearSVC or SVC was expected, whose objectives are "
            f"known here, {name} came, which {why}"
        )
    if is_precomputed(last) or not _has_lengths(file.kernel(last)):
        raise ValueError(
            'certificate: a kernel by name whose values are bounded by the rows\' length ("linear", "rbf", "poly" with '
            f"coef0 >= 0) was expected, {name} with kernel={last.kernel!r} came"
        )
    if file.intercept(last).is_free and learner.encoding == "softmax":
        raise ValueError(
            "certificate: LogisticRegression of more than two classes was expected with fit_intercept=False, a free "
            "intercept came, for which no bound is known; centre the features, or take LinearSVC"
        )
    return file


def _none_of_them(last: Any) -> str:
    """Return what is to be said of an estimator that none of these files is about, as the end of a sentence."""
    if file_among(AROUND, last) is None:
        return "is none of them"
    return "is around another; RidgeClassifier and LinearSVC are one-vs-rest, and SVC is of pairs, of their own"


def _has_lengths(kernel: Any) -> bool:
    return kernel is None or isinstance(kernel, Linear | RBF) or (isinstance(kernel, Polynomial) and kernel.coef0 >= 0)


def frozen_parts(estimator: Any) -> tuple[str, ...]:
    """Return what of an estimator hangs on the training rows and is held: steps, and parameters that are words."""
    steps, last = steps_and_last(estimator)
    words = last.get_params(deep=False)
    held = [f"{name}={words[name]!r}" for name in ("gamma", "class_weight") if isinstance(words.get(name), str)]
    return *(type(step).__name__ for step in steps), *held
