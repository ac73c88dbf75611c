"""From an estimator and clean rows to a certificate: how many rows each prediction holds, whatever they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.certificates.clean_fit import CleanFit, clean_fit, fit_of_path
from backdoor_curves.certificates.reach import Change, FittedColumn, largest_sums, reach, steepness
from backdoor_curves.certificates.record import CHANGES, Bounds, PredictionCertificate, What, withstood
from backdoor_curves.certificates.ridge import flips_withstood
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples, as_samples
from backdoor_curves.learners.learner import Learner
from backdoor_curves.losses.row_losses import slope_of_margin
from backdoor_curves.losses.score_encodings import decode, encode
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.records.one_line import one_line
from backdoor_curves.rows import Rows, squared_lengths


def certify(
    estimator: Any,
    train: PoisonedData | Samples | tuple[Rows, Any],
    test: Samples | tuple[Rows, Any] | None = None,
    *,
    change: What = "append",
    row_norm: float | None = None,
    candidates: Samples | tuple[Rows, Any] | None = None,
    limit: int | None = None,
) -> PredictionCertificate:
    """Return how many changed training rows each prediction holds, whatever the rows, their labels and the trigger.

    A proof, from the fit without poison alone: with lambda = 1 / C a score moves by no more than C m R |phi(t)| when
    m rows of length R are appended, and by less where the loss or the intercept say more. It is of the optimum; what a
    solver leaves to it comes on top, with poison and without.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Unfitted; alone or at the end of a Pipeline. LinearSVC (both losses) and SVC (linear, RBF, polynomial), of any
        number of classes; LogisticRegression of two classes, of more without an intercept; RidgeClassifier.
    train : PoisonedData, Samples or a pair (X, y)
        The rows without poison: of PoisonedData those at beta = 0.
    test : Samples or a pair (X, y), optional
        The rows whose predictions are asked about, triggered ones for one. By default the clean test rows of `train`.
    change : {"append", "remove", "replace", "flip"}
        What is done to m rows: any rows are appended, each of weight at most 1 (so that it covers every beta); training
        rows are taken away; both; or, of ridge, exactly, they get any other label.
    row_norm : float, optional
        The length |x| that an added row has at most, as the classifier sees it. By default that of the longest training
        row: true of an attacker only if longer rows are turned away, or scaled. It does not count for RBF.
    candidates : Samples or a pair (X, y), optional
        Rows of which the attacker appends m, each once, in place of any rows: a tighter bound.
    limit : int, optional
        The largest m asked about; by default the number of training rows.

    Returns
    -------
    PredictionCertificate

    Raises
    ------
    TypeError, ValueError
        If the estimator has no certificate, or a parameter is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import SVC
    >>> train, test = bc.datasets.digits((4, 9), rng=np.random.default_rng(0))
    >>> found = bc.certify(SVC(C=0.02, gamma=0.05), train, test)
    >>> found.share(0) >= found.share(1) >= found.share(10)
    True
    >>> bc.certified_rows(SVC(C=0.02, gamma=0.05), train, test, m=1).sum() == (found.radius >= 1).sum()
    np.True_
    """
    if change not in CHANGES:
        raise ValueError(f"change: one of {', '.join(map(repr, CHANGES))} was expected, {change!r} came")
    if candidates is not None and change != "append":
        raise ValueError(f'candidates: change="append" was expected with them, {change!r} came')
    if isinstance(train, PoisonedData):
        test, train = train.clean_test if test is None else test, train.clean_train
    if test is None:
        raise ValueError("test: the rows whose predictions are asked about were expected, None came")
    rows, asked = as_samples(train, "train"), as_samples(test, "test")
    fit = clean_fit(estimator, rows, asked, may_lose_rows=change in ("remove", "replace"))
    _require_covered(fit, change)
    most, norm = _limit(limit, len(rows)), _norm(fit, row_norm)
    return _answered(fit, change, norm, most, candidates)


def certify_path(
    learner: Learner, path: BetaPath, test: Samples | tuple[Rows, Any], *, limit: int
) -> PredictionCertificate:
    """Return the certificate of appended rows for a path that was followed, from what it has at beta = 0.

    Parameters
    ----------
    learner, path : Learner, BetaPath
        Of a curve: `curve.learner`, `curve.path`. Frozen parts are held as the learner has them.
    test : Samples or a pair (X, y)
    limit : int

    Raises
    ------
    ValueError
        If the learner has no certificate.
    """
    fit = fit_of_path(learner, path, as_samples(test, "test"))
    return _answered(fit, "append", _norm(fit, None), limit, None)


def certified_radius(
    estimator: Any,
    train: PoisonedData | Samples | tuple[Rows, Any],
    test: Samples | tuple[Rows, Any] | None = None,
    *,
    change: What = "append",
    row_norm: float | None = None,
) -> Int[np.ndarray, " t"]:
    """Return how many changed training rows each prediction holds; parameters and errors as `certify`.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import LinearSVC
    >>> X, y = np.array([[-1.0], [-1.0], [1.0], [1.0]]), [0, 0, 1, 1]
    >>> bc.certified_radius(LinearSVC(C=0.1, loss="hinge"), (X, y), ([[-1.0], [0.2]], [0, 1]))
    array([1, 0])
    """
    return certify(estimator, train, test, change=change, row_norm=row_norm).radius


def certified_rows(
    estimator: Any,
    train: PoisonedData | Samples | tuple[Rows, Any],
    test: Samples | tuple[Rows, Any] | None = None,
    *,
    m: int,
    change: What = "append",
    row_norm: float | None = None,
) -> Bool[np.ndarray, " t"]:
    """Return which predictions no m changed training rows can turn; parameters and errors as `certify`.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> train, test = bc.datasets.digits("even-odd", rng=np.random.default_rng(0))
    >>> held = bc.certified_rows(RidgeClassifier(100.0), train, test, m=3, change="flip")
    >>> bool(0.5 < held.mean() < 1.0)
    True
    """
    limit = m if isinstance(m, int | np.integer) and not isinstance(m, bool) and m > 0 else None
    return certify(estimator, train, test, change=change, row_norm=row_norm, limit=limit).holds(m)


def _answered(fit: CleanFit, change: What, norm: float, most: int, candidates: Any) -> PredictionCertificate:
    K, encoding, classes = len(fit.learner.classes), fit.learner.encoding, fit.learner.classes
    adds = change in ("append", "replace") and candidates is None
    bounds = None if change == "flip" else _bounds(fit, change, norm, most, candidates)
    if bounds is None:
        coefficients = fit.metric.coefficients(np.asarray(fit.test.X, dtype=float))
        radius = np.minimum(flips_withstood(coefficients, fit.scores, fit.train.y, K), most)
    else:
        radius = withstood(fit.scores, bounds, encoding, K)
    return PredictionCertificate(
        change=change,
        radius=radius,
        limit=most,
        predicted=classes[decode(fit.scores, K, encoding)],
        labels=classes[fit.test.y],
        scores=fit.scores,
        weight=fit.test.weight,
        row_norm=(np.inf if fit.any_norm else norm) if adds else np.nan,
        frozen=fit.frozen,
        estimator=fit.estimator,
        bounds=bounds,
    )


# --- what is asked ---------------------------------------------------------------------------------------------------


def _limit(limit: Any, n: int) -> int:
    if limit is None:
        return n
    if not isinstance(limit, int | np.integer) or isinstance(limit, bool) or limit < 1:
        raise ValueError(f"limit: a number of rows >= 1 was expected, {limit!r} came")
    return int(limit)


def _require_covered(fit: CleanFit, change: What) -> None:
    """Refuse what no proof covers."""
    if change == "flip" and (not fit.is_ridge or fit.learner.estimator.class_weight):
        raise ValueError(
            'change: RidgeClassifier without class_weight was expected with "flip", whose scores are linear in the '
            f'labels, {one_line(repr(fit.learner.estimator))} came; change="replace" covers a new label of any learner'
        )
    if change in ("remove", "replace") and fit.is_ridge and fit.intercept.is_free:
        raise ValueError(
            f'change: "append" or "flip" was expected of RidgeClassifier with its free intercept, {change!r} came, for '
            "which no bound is known; centre the features and pass fit_intercept=False"
        )


def _norm(fit: CleanFit, row_norm: Any) -> float:
    if row_norm is None:
        return 0.0 if fit.any_norm else float(np.sqrt(squared_lengths(fit.train.X).max()))
    if not isinstance(row_norm, int | float | np.number) or isinstance(row_norm, bool) or not 0 <= row_norm < np.inf:
        raise ValueError(f"row_norm: a finite length >= 0 was expected, {row_norm!r} came")
    return float(row_norm)


# --- bounds ----------------------------------------------------------------------------------------------------------


def _bounds(fit: CleanFit, change: What, norm: float, most: int, candidates: Any) -> Bounds:
    """Return how far scores can move: `reach` of each column."""
    named = None if candidates is None else _named(fit, as_samples(candidates, "candidates"))
    reaches = []
    for c, column in enumerate(fit.columns(norm)):
        chosen = None if named is None else named[c]
        reaches.append(reach(column, _change(fit, column, change, norm, most, chosen)))
    weights, intercepts = (
        np.stack([getattr(one, part) for one in reaches], axis=1) for part in ("weights", "intercept")
    )
    if fit.learner.encoding == "softmax":  # two scores of a row move apart by sqrt(2) |dW| |phi|: a half for each
        columns = fit.scores.shape[1]
        weights, intercepts = np.repeat(weights / np.sqrt(2.0), columns, 1), np.repeat(intercepts, columns, 1)
    return Bounds(fit.lengths(fit.test.X), weights, intercepts, fit.slack)


def _change(
    fit: CleanFit, column: FittedColumn, change: What, norm: float, most: int, named: tuple[Any, Any] | None
) -> Change:
    """Return what m = 0, ..., most rows do to a column."""
    m, none = np.arange(most + 1.0), np.zeros(most + 1)
    heaviest = fit.heaviest
    steep = steepness(column.loss, column.worst)
    added = none if change == "remove" or named is not None else heaviest * m
    pull, push, tilt = none, none, none
    if change in ("remove", "replace"):
        pull, push = largest_sums(column.pulls * column.lengths, most), largest_sums(column.pulls, most)
        tilt = largest_sums(column.weights, most) * steep
    if named is not None:
        lengths, pulls = named
        pull, push = largest_sums(pulls * lengths, most), largest_sums(pulls, most)
    if change != "remove":
        tilt = tilt + heaviest * m * steep
    return Change(added, fit.longest(norm), pull, push, tilt)


def _named(fit: CleanFit, candidates: Samples) -> list[tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]]:
    """Return of named rows |phi| and the most that each pulls at the fit without poison, for each column."""
    learner = fit.learner
    if unknown := sorted(set(candidates.y.tolist()) - set(learner.classes.tolist()), key=str):
        raise ValueError(f"candidates: labels of the training rows were expected, {unknown[0]!r} came")
    rows = learner.test_rows(candidates, "candidates")
    lengths, weights = fit.lengths(rows.X), np.full(len(rows), fit.heaviest)
    if learner.encoding == "softmax":
        return [(lengths, weights * np.sqrt(2.0))]
    scores, targets = fit.scores_of(rows.X), encode(rows.y, len(learner.classes), learner.encoding)
    margins, slack = targets * scores, fit.slack_of(rows.X)
    slopes = np.maximum(*(np.abs(slope_of_margin(learner.loss, margins + side)) for side in (-slack, slack)))
    pulls = weights[:, np.newaxis] * np.where(targets == 0.0, 0.0, slopes)
    return [(lengths, pulls[:, c]) for c in range(targets.shape[1])]
