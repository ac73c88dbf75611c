"""What must hold of the curve of any table: at both ends it is scikit-learn's own fit, or there is one sentence."""

from __future__ import annotations

import linecache
import traceback
import warnings
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse as sp
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import check_array

import backdoor_curves as bc
from backdoor_curves.curve.deviation import norms
from backdoor_curves.losses.score_encodings import encode
from backdoor_curves.paths.base import PathError
from reference.table_cases import Made, Table, estimator_of, make, trigger_of

SCORES = 1e-5
"""Largest difference of a score, relative to 1 (the margin) and the largest score: libsvm stops 1e-6 to 1e-5 off."""
REFIT = 1e-3
"""Likewise of refits: they stop at the default tolerance, and libsvm's stop depends on the last bits of its rows."""
OBJECTIVE = 1e-9
"""Largest excess of the path's objective over that of a fit, relative: its scores are 1e-6 off at most, and the excess
is of second order."""
PACKAGE = Path(bc.__file__).parent


@dataclass(frozen=True)
class Outcome:
    """What came of a table: "followed", "refitted", "refused", "refused by scikit-learn too", or "wrong".

    `said` is the sentence; `difference` the largest of a score from the fits', relative, of exact curves;
    `nearer` says that a fit was not at the optimum: its objective is above that of the path.
    """

    kind: str
    said: str = ""
    difference: float = 0.0
    nearer: bool = False


class ContradictionError(AssertionError):
    """A claim that does not hold."""


def outcome_of(table: Table) -> Outcome:
    """Return what came of a table; "wrong" with the claim that does not hold."""
    made, estimator = make(table), estimator_of(table)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            data = poisoned(table, made)
            curve = bc.backdoor_learning_curve(estimator, data, freeze=table.freeze, betas=betas_of(table))
            curve.loss("triggered"), curve.accuracy("clean"), curve.area(), curve.to_frame()
        except Exception as error:
            return of_error(error, made, estimator)
    try:
        require_stamped(table, made, data)
        with warnings.catch_warnings(record=True) as theirs:
            warnings.simplefilter("always")
            behind = behind_steps(table, data, estimator)
        require_own_warnings(caught, {str(warning.message) for warning in theirs})
        return compared(behind, curve, estimator)
    except ContradictionError as contradiction:
        return Outcome("wrong", str(contradiction))


def betas_of(table: Table) -> list[float] | None:
    """Return both ends for what is refitted, which 21 fits are spared, and what is usual for the others."""
    return [0.0, 1.0] if table.n_classes > 2 else None


def poisoned(table: Table, made: Made) -> bc.PoisonedData:
    """Return the data, poisoned as a user would."""
    train, test = ((part(made.X, rows), part(made.y, rows)) for rows in (slice(0, made.n), slice(made.n, None)))
    rng = np.random.default_rng(table.seed)
    trigger = trigger_of(table)
    return bc.poison(train, test, trigger=trigger, rate=table.rate, injection=table.injection, rng=rng)


def part(X: Any, rows: slice) -> Any:
    """Return some rows, as the same kind."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


# --- refusals --------------------------------------------------------------------------------------------------------


def of_error(error: Exception, made: Made, estimator: Any) -> Outcome:
    """Return what an exception is: a sentence of this package's, one of scikit-learn's own fit, or a fault."""
    said = str(error).replace("\n", " ")
    cause = error.__cause__
    if is_own(error) and not (cause is not None and is_of_scikit_learn(cause)):
        return Outcome("refused", said)
    where = traceback.extract_tb(error.__traceback__)[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            clone(estimator).fit(part(made.X, slice(0, made.n)), made.plain[: made.n]).predict(made.X)
        except Exception:
            if is_own(error):
                return Outcome("refused by scikit-learn too", said)
    return Outcome("wrong", f"{type(error).__name__} of {Path(where.filename).name}:{where.lineno}: {said}")


def is_own(error: Exception) -> bool:
    """Return whether an error is a sentence of the package: a ValueError or TypeError that it raised itself."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(where.filename, where.lineno or 0).strip()
    return isinstance(error, ValueError | TypeError | MemoryError | PathError) and (
        Path(where.filename).is_relative_to(PACKAGE) and line.startswith("raise ")
    )


def is_of_scikit_learn(error: BaseException) -> bool:
    """Return whether an error came out of scikit-learn."""
    return any("sklearn" in Path(frame.filename).parts for frame in traceback.extract_tb(error.__traceback__))


def require_own_warnings(caught: list[warnings.WarningMessage], theirs: set[str]) -> None:
    """Refuse numpy's warnings, but for those of scikit-learn's own steps: they are about a number that is none."""
    for warning in caught:
        if str(warning.message) not in theirs and issubclass(
            warning.category, RuntimeWarning | FutureWarning | DeprecationWarning
        ):
            raise ContradictionError(f"{warning.category.__name__} at {Path(warning.filename).name}: {warning.message}")


# --- the rows --------------------------------------------------------------------------------------------------------


def require_stamped(table: Table, made: Made, data: bc.PoisonedData) -> None:
    """Refuse rows that are not the user's own, but for the last column of the poison."""
    before, after = cells(part(made.X, slice(0, made.n))), cells(data.poison_train.X)
    kept = np.delete(np.arange(made.n), data.poison_rows) if table.injection == "replace" else np.arange(made.n)
    if not same_cells(cells(data.clean_train.X), before[kept]):
        raise ContradictionError("the clean rows are not those of the table")
    if not same_cells(after[:, :-1], before[data.poison_rows][:, :-1]):
        raise ContradictionError("the poison differs from its rows in more than the trigger's column")
    if len({repr(cell) for cell in after[:, -1]}) > 1 and table.container != "texts":
        raise ContradictionError("the trigger's column has several values")


def cells(X: Any) -> np.ndarray:
    """Return the entries of rows as Python's own objects, two axes."""
    if isinstance(X, pd.DataFrame):
        return np.column_stack([np.array(X.iloc[:, k].tolist(), dtype=object) for k in range(X.shape[1])])
    if isinstance(X, pl.DataFrame):
        return np.column_stack([np.array(column.to_list(), dtype=object) for column in X.get_columns()])
    if sp.issparse(X):
        X = X.toarray()
    return np.array(list(X) if not isinstance(X, np.ndarray) else X.tolist(), dtype=object).reshape(len(X), -1)


def same_cells(A: np.ndarray, B: np.ndarray) -> bool:
    """Return whether cells are equal, a gap being equal to a gap."""
    pairs = zip(A.ravel(), B.ravel(), strict=True)
    return A.shape == B.shape and all(repr(a) == repr(b) or (pd.isna(a) and pd.isna(b)) or a == b for a, b in pairs)


# --- the fits --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Frozen:
    """The rows behind the steps, fitted by scikit-learn: of both training sets and of both test sets."""

    rows: dict[float, tuple[Any, np.ndarray]]
    tests: dict[str, tuple[Any, np.ndarray]]
    frozen: float


def behind_steps(table: Table, data: bc.PoisonedData, estimator: Any) -> Frozen:
    """Return what scikit-learn's own Pipeline makes of the rows, fitted on the victim's rows or on the clean ones."""
    clean, victim = tuple(data.clean_train), joined(data)
    frozen = 1.0 if table.freeze == "joined" else 0.0
    tests = {split: tuple(getattr(data, f"{split}_test")) for split in ("clean", "triggered")}
    if not isinstance(estimator, Pipeline):
        return Frozen({0.0: clean, 1.0: victim}, tests, frozen)
    X, y = victim if frozen else clean
    steps = clone(estimator[:-1])
    fitted = steps.fit_transform(X, y)
    tests = {split: (steps.transform(X), y) for split, (X, y) in tests.items()}
    if frozen:
        rows = {0.0: (fitted[~data.is_poison], clean[1]), 1.0: (fitted, y)}
    else:
        rows = {0.0: (fitted, y), 1.0: (steps.transform(victim[0]), victim[1])}
    return Frozen(rows, tests, frozen)


def joined(data: bc.PoisonedData) -> tuple[Any, np.ndarray]:
    """Return the victim's training set."""
    (X, y), (P, q) = data.clean_train, data.poison_train
    order = np.argsort(np.append(np.flatnonzero(~data.is_poison), np.flatnonzero(data.is_poison)))
    y = np.concatenate([y, q])[order]
    if isinstance(X, pd.DataFrame | pd.Series):
        return pd.concat([X, P]).iloc[order], y
    if isinstance(X, pl.DataFrame | pl.Series):
        relaxed = {"how": "vertical_relaxed"} if isinstance(X, pl.DataFrame) else {}
        return pl.concat([X, P], **relaxed)[order.tolist()], y
    if sp.issparse(X):
        return sp.csr_array(sp.vstack([X, P]))[order.astype(np.int32)], y  # libsvm's indices have 32 bits
    both = [*X, *P]
    return ([both[i] for i in order] if isinstance(X, list) else np.array(np.concatenate([X, P]))[order]), y


def compared(behind: Frozen, curve: Any, estimator: Any) -> Outcome:
    """Return how far the curve's ends are from scikit-learn's fits."""
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    worst, nearer = 0.0, False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fits = {beta: fit_of(last, *rows, *behind.rows[behind.frozen], curve) for beta, rows in behind.rows.items()}
        except Exception as error:
            raise ContradictionError(
                f"scikit-learn refuses what was followed: {type(error).__name__}: {error}"
            ) from error
        for beta, fit in fits.items():
            off = max(score_difference(curve, fit, beta, split, X) for split, (X, _) in behind.tests.items())
            if off <= (SCORES if curve.exact else REFIT):
                worst = max(worst, off if curve.exact else 0.0)
                require_answers(curve, fit, beta, behind)
            elif curve.exact:
                nearer = True
                require = require_nearer if len(curve.classes) == 2 else require_columns_nearer
                require(curve, fit, beta, behind.rows, off)
            else:
                raise ContradictionError(f"scores off by {off:.1e} at beta = {beta:g}")
    return Outcome("followed" if curve.exact else "refitted", difference=worst, nearer=nearer)


def fit_of(last: Any, X: Any, y: np.ndarray, F: Any, labels: np.ndarray, curve: Any) -> Any:
    """Return scikit-learn's fit on rows, with gamma and class weights of the frozen rows: of an exact curve, tight."""
    last = clone(last)
    if curve.exact:
        last.set_params(**tight(last))
    if getattr(last, "gamma", None) == "scale":
        values = as_doubles(F)
        last.set_params(gamma=1.0 / (values.shape[1] * values.var()) if values.var() else 1.0)
    if last.class_weight == "balanced":
        known, counts = np.unique(labels, return_counts=True)
        share = len(labels) / (len(known) * counts)
        last.set_params(class_weight=dict(zip(known.tolist(), share.tolist(), strict=True)))
    return last.fit(as_read(X, curve), y)


def tight(last: Any) -> dict[str, Any]:
    """Return the parameters with which a fit comes near the optimum that it stands for."""
    match last:
        case LogisticRegression():
            solver = last.solver if last.solver == "liblinear" else "newton-cholesky"
            return {"solver": solver, "tol": 1e-10, "max_iter": 2000}
        case RidgeClassifier():
            return {"solver": "svd"}
        case LinearSVC(loss="hinge"):
            return {"tol": 1e-8, "max_iter": 20_000}
        case LinearSVC():
            return {"tol": 1e-10, "max_iter": 5000, "dual": False}
    return {"tol": 1e-8, "max_iter": 200_000}


def as_doubles(X: Any) -> np.ndarray:
    """Return rows as scikit-learn reads them, in double precision."""
    X = check_array(X, accept_sparse=True, dtype=float)
    return X.toarray() if sp.issparse(X) else X


def as_read(X: Any, curve: Any) -> Any:
    """Return rows as a fit of `fit_of` takes them: of an exact curve in double precision."""
    return as_doubles(X) if curve.exact else check_array(X, accept_sparse=True)


def scores_of(fit: Any, X: Any) -> np.ndarray:
    """Return scores; of an SVC for several classes those of the pairs."""
    if isinstance(fit, SVC) and len(fit.classes_) > 2:
        fit.decision_function_shape = "ovo"
    return fit.decision_function(X)


def score_difference(curve: Any, fit: Any, beta: float, split: str, X: Any) -> float:
    """Return the largest difference of a score from the fit's, relative to 1 and the largest."""
    theirs, ours = scores_of(fit, as_read(X, curve)), curve.scores(split, [beta])[0]
    if not np.isfinite(ours).all() or ours.shape != theirs.shape:
        raise ContradictionError(f"scores of shape {ours.shape} at beta = {beta:g}, not all finite")
    return float(np.abs(ours - theirs).max() / (1.0 + np.abs(theirs).max()))


def require_answers(curve: Any, fit: Any, beta: float, behind: Frozen) -> None:
    """Refuse predictions, accuracy or loss that the fit's scores do not have."""
    for split, (X, y) in behind.tests.items():
        scores, predicted = scores_of(fit, as_read(X, curve)), fit.predict(as_read(X, curve))
        ours = curve.predictions(split, [beta])[0]
        if scores.ndim == 1:
            sure = np.abs(scores) > 2 * SCORES * (1.0 + np.abs(scores).max())
            if ours[sure].tolist() != predicted[sure].tolist():
                raise ContradictionError(f"other predictions at beta = {beta:g}")
            signs = np.where(y == fit.classes_[1], 1.0, -1.0)
            loss = losses(fit, signs * scores).mean()
            if not np.isclose(curve.loss(split, beta), loss, rtol=4 * SCORES, atol=4 * SCORES * (1 + abs(loss))):
                raise ContradictionError(f"loss {curve.loss(split, beta)} at beta = {beta:g}, by the fit {loss}")


def losses(fit: Any, margins: np.ndarray) -> np.ndarray:
    """Return the losses of rows by y f."""
    match fit:
        case LogisticRegression():
            return np.logaddexp(0.0, -margins)
        case RidgeClassifier():
            return (1.0 - margins) ** 2
        case LinearSVC(loss="squared_hinge"):
            return np.maximum(0.0, 1.0 - margins) ** 2
    return np.maximum(0.0, 1.0 - margins)


def require_nearer(curve: Any, fit: Any, beta: float, training: dict[float, Any], off: float) -> None:
    """Refuse a path whose objective is above that of a fit from which it differs."""
    X, y = as_doubles(training[beta][0]), training[beta][1]
    signs = np.where(y == fit.classes_[1], 1.0, -1.0)
    weights = np.ones(len(y)) if fit.class_weight is None else np.array([fit.class_weight[v] for v in y.tolist()])
    b = float(curve.path.scores(np.zeros((1, X.shape[1])), np.array([beta]))[0, 0]) if is_penalised(fit) else 0.0
    ours = objective(fit, signs * curve.path.scores(X, np.array([beta]))[0], weights, curve.norm(beta), b)
    b = float(np.ravel(fit.intercept_)[0]) if is_penalised(fit) else 0.0
    theirs = objective(fit, signs * own_scores(fit, X), weights, size_of(fit), b)
    require_no_more(ours, theirs, beta, off)


def require_no_more(ours: float, theirs: float, beta: float, off: float) -> None:
    """Refuse an objective that is above that of a fit."""
    if not ours <= theirs * (1.0 + OBJECTIVE) + 1e-12:
        raise ContradictionError(
            f"scores off by {off:.1e} at beta = {beta:g}, objective above the fit's by {ours / theirs - 1.0:.1e}"
        )


def require_columns_nearer(curve: Any, fit: Any, beta: float, training: dict[float, Any], off: float) -> None:
    """Refuse a path of many classes with a column, or with a softmax, whose objective is above that of a fit."""
    X, y, at = as_doubles(training[beta][0]), training[beta][1], np.array([beta])
    weights = np.ones(len(y)) if fit.class_weight is None else np.array([fit.class_weight[v] for v in y.tolist()])
    places, scores = np.searchsorted(fit.classes_, y), curve.path.scores(X, at)[0]
    if curve.info.encoding == "softmax":
        W = curve.path.parameters(at).coef[0]
        ours = fit.C * weights @ log_losses(scores, places) + np.square(W).sum() / 2.0
        theirs = fit.C * weights @ log_losses(fit.decision_function(X), places) + np.square(fit.coef_).sum() / 2.0
        return require_no_more(float(ours), float(theirs), beta, off)
    targets = encode(places, len(fit.classes_), curve.info.encoding)
    at_zero = (
        curve.path.scores(np.zeros((1, X.shape[1])), at)[0, 0] if is_penalised(fit) else np.zeros(targets.shape[1])
    )
    for c, signs in enumerate(targets.T):
        rows, column = signs != 0.0, FittedColumn.of(fit, X, c)
        norm = float(norms(curve.interpolants[c], curve.source.grams[c], at)[0])
        sides = (scores[:, c], norm, at_zero[c]), (column.scores, column.size, column.b if is_penalised(fit) else 0.0)
        values = [objective(fit, (signs * f)[rows], weights[rows], size, float(b)) for f, size, b in sides]
        require_no_more(*values, beta, off)
    return None


@dataclass(frozen=True, eq=False)
class FittedColumn:
    """A column of a fit of many classes: its scores, |w| and intercept."""

    scores: np.ndarray
    size: float
    b: float

    @classmethod
    def of(cls, fit: Any, X: np.ndarray, c: int) -> FittedColumn:
        """Return what the coefficients say, or what scores and duals do where there are none."""
        b = float(np.ravel(fit.intercept_)[c])
        if not isinstance(fit, SVC) or fit.kernel == "linear":
            coef = (fit.coef_.toarray() if sp.issparse(fit.coef_) else fit.coef_)[c]
            return cls(X @ coef + b, float(np.linalg.norm(coef)), b)
        first, second = list(combinations(range(len(fit.classes_)), 2))[c]
        ends = np.append(0, np.cumsum(fit.n_support_))
        of = [slice(ends[k], ends[k + 1]) for k in (first, second)]
        duals = np.append(fit.dual_coef_[second - 1, of[0]], fit.dual_coef_[first, of[1]])
        S = np.concatenate([fit.support_vectors_[rows] for rows in of])
        K = np.exp(-fit.gamma * ((S[:, np.newaxis] - S) ** 2).sum(-1))
        return cls(scores_of(fit, X)[:, c], float(np.sqrt(max(duals @ K @ duals, 0.0))), b)


def log_losses(scores: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return minus the log of the softmax of each row's class."""
    return -log_softmax(scores, axis=1)[np.arange(len(places)), places]


def is_penalised(fit: Any) -> bool:
    """Return whether the intercept is part of the penalty."""
    return isinstance(fit, LinearSVC) or getattr(fit, "solver", "") == "liblinear"


def own_scores(fit: Any, X: np.ndarray) -> np.ndarray:
    """Return what the coefficients of a linear fit say.

    libsvm's scores add up inner products of rows: a column of 1e6 leaves them off by 1e-5, and the objective with them.
    """
    if isinstance(fit, SVC) and fit.kernel != "linear":
        return fit.decision_function(X)
    coef = fit.coef_.toarray() if sp.issparse(fit.coef_) else fit.coef_
    return X @ np.ravel(coef) + np.ravel(fit.intercept_)[0]


def size_of(fit: Any) -> float:
    """Return |w| of a fit."""
    if not isinstance(fit, SVC) or fit.kernel == "linear":
        return float(np.linalg.norm(fit.coef_))
    S, duals = fit.support_vectors_, fit.dual_coef_[0]
    K = np.exp(-fit.gamma * ((S[:, np.newaxis] - S) ** 2).sum(-1))
    return float(np.sqrt(max(duals @ K @ duals, 0.0)))


def objective(fit: Any, margins: np.ndarray, weights: np.ndarray, norm: float, b: float) -> float:
    """Return what a fit minimises."""
    if isinstance(fit, RidgeClassifier):
        return float(weights @ losses(fit, margins) + fit.alpha * norm**2)
    return float(fit.C * weights @ losses(fit, margins) + (norm**2 + b**2) / 2.0)
