"""The numbers of the paper's files by the formulas that made them, which are not the paper's own equations.

Nothing here is a derivative: the slopes and deviations of this package are elsewhere, and none of them uses this
module. It is here so that the published numbers can be met, and shown beside the right ones.

The published column avg_I is the mean, over T triggered test rows and P poison rows, of

    v[t, p] = - ( c' l'(s_t) x~_t )' (H + 1e-9 I)^-1 ( c' l'(s_p) x~_p + penalty )

with x~ = (x, 1), y in {-1, +1}, and s the score of the model that was fitted on the clean rows alone. Against the
derivative of the mean triggered loss in the poison's weight, H is the Hessian over the poison rows instead of the
clean ones, the gradient of the penalty is added to that of each poison row, the test rows' gradients are scaled by
c' too, and the sum over the poison rows is a mean. For an SVM x~ = (k(x, x_M), 1), of the kernel with the margin
rows M, and H = [[K_MM, 1], [1', 0]]; without a margin row the files say 9999, in the loss columns too.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.svm import SVC

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples, join
from backdoor_curves.poisoning.paper_protocol import BETAS

PublishedLearner = Literal["logistic", "ridge", "svm", "svm-rbf"]
"""As the files are named. Here "svm" is `SVC(kernel="linear")`, not the LinearSVC of the curves."""
NO_MARGIN = 9999.0
"""What the files say in the place of influences and losses where an SVM has no margin row."""
SATURATED = 10.0
"""From -y s = 10 on the published logistic loss is taken as linear."""
MARGIN = 1e-6
"""A dual this far inside (0, C) is of a margin row."""
DAMPING, SINGULAR = 1e-9, 1e-6
"""What is added to the diagonal of H, and the determinant below which it is pseudo-inverted."""


@dataclass(frozen=True)
class PublishedRow:
    """The numbers of one row of the published slope files, in their order.

    Parameters
    ----------
    clf_acc : float
        Accuracy on the clean test rows of the model fitted on all original rows.
    clfp_acc, clfp_acc_on_backdoor, clfp_acc_tr : float
        Of the poisoned model (beta = 1): accuracy on the clean test rows, on the triggered ones (attack success
        rate), and on its own training rows with their flipped labels.
    avg_I, avg_abs_I, norm_I : float
        Mean of v, mean of its magnitude, sum of its magnitude, over all pairs of a triggered and a poison row.
    mean_loss, min_loss, max_loss : float
        Over the triggered rows, of the model fitted on the clean rows alone; the logistic loss has base 2.
        These three and the three before are 9999 where an SVM has no margin row.
    """

    clf_acc: float
    clfp_acc: float
    clfp_acc_on_backdoor: float
    clfp_acc_tr: float
    avg_I: float  # noqa: N815 - these three as the files name them
    avg_abs_I: float  # noqa: N815
    norm_I: float  # noqa: N815
    mean_loss: float
    min_loss: float
    max_loss: float

    @property
    def theta(self) -> float:
        """The published x axis, -(2 / pi) arctan(avg_I); rows where it is not positive were left out of the figures."""
        return -2 / np.pi * float(np.arctan(self.avg_I))


@dataclass(frozen=True)
class PublishedSetting:
    """What a published row was computed for: the seed of patch and poison, C, and gamma (None for a linear learner)."""

    seed: int
    C: float
    gamma: float | None


@dataclass(frozen=True, eq=False)
class Scored:
    """Rows X (n, d), their labels y in {-1, +1}, and their scores s by the model of the clean rows."""

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    s: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Terms:
    """What v is made of: c' l' and x~ of the test and of the poison rows, H, and what the poison side adds."""

    test_slope: Float[np.ndarray, " T"]
    test: Float[np.ndarray, "T p"]
    poison_slope: Float[np.ndarray, " P"]
    poison: Float[np.ndarray, "P p"]
    H: Float[np.ndarray, "p p"]
    penalty: Float[np.ndarray, " p"]


def read_rows(path: str | Path) -> dict[PublishedSetting, PublishedRow]:
    """Return the rows of a published slope file.

    Parameters
    ----------
    path : path
        A file such as `ridge_pair7-1_ttypebadnet_tsize3.csv`.

    Examples
    --------
    >>> from backdoor_curves.paper.numbers.published import read_rows
    >>> read_rows("ridge_pair7-1_ttypebadnet_tsize3.csv")  # doctest: +SKIP
    """
    with open(path, newline="") as file:
        header, *lines = csv.reader(file)
    names = [name.removesuffix("_poison_train_triggered_test_clf") for name in header]
    rows = {}
    for line in lines:
        cells = dict(zip(names, line, strict=True))
        gamma = float(cells["gamma"])
        setting = PublishedSetting(int(cells["seed"]), float(cells["c"]), gamma if gamma > 0 else None)
        rows[setting] = PublishedRow(**{name: float(cells[name]) for name in PublishedRow.__dataclass_fields__})
    return rows


def published_row(
    learner: PublishedLearner, data: PoisonedData, *, C: float, gamma: float | None = None
) -> PublishedRow:
    """Return the numbers of one row of the published slope files, from the named estimator at its default tolerance.

    Three fits: on all original rows, on the clean rows (beta = 0), on the poisoned training set (beta = 1).

    Parameters
    ----------
    learner : {"logistic", "ridge", "svm", "svm-rbf"}
        liblinear, RidgeClassifier, SVC with a linear or a Gaussian kernel.
    data : PoisonedData
        Of two classes and with its `original_train`, as `protocol.badnet` makes it.
    C : float
        Positive; ridge has alpha = 1 / (2 C).
    gamma : float, optional
        Of the Gaussian kernel, and of it alone.

    Raises
    ------
    ValueError
        If the learner is unknown, if gamma is missing or not for it, if there are more than two classes or no
        original rows.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.poisoning import paper_protocol as protocol
    >>> from backdoor_curves.paper.numbers.published import published_row
    >>> rng = np.random.default_rng(0)
    >>> rows = [bc.Samples(rng.random((n, 6, 6, 1)), np.arange(n) % 2) for n in (60, 20)]
    >>> row = published_row("ridge", protocol.badnet(*rows, rate=0.1, size=3, seed=1), C=0.1)
    >>> round(row.norm_I / row.avg_abs_I)  # pairs: 20 triggered rows, 6 poison rows
    120
    """
    if data.original_train is None:
        raise ValueError("clf_acc needs the original rows: data with original_train were expected, none came")
    if len(data.classes) != 2:
        raise ValueError(f"the published formula knows two classes, {len(data.classes)} came")
    if any(rows.is_weighted for rows in (data.clean_train, data.poison_train, data.clean_test, data.triggered_test)):
        raise ValueError("the published formula knows no weights of rows; leave them out")
    stamped = join(data.clean_train, data.poison_train, data.is_poison)
    original, clean, poisoned = (
        make_estimator(learner, C, gamma).fit(flat(rows), rows.y)
        for rows in (data.original_train, data.clean_train, stamped)
    )
    return PublishedRow(
        accuracy(original, data.clean_test),
        accuracy(poisoned, data.clean_test),
        accuracy(poisoned, data.triggered_test),
        accuracy(poisoned, stamped),
        *of_the_clean_model(learner, C, gamma, clean, data),
    )


def of_the_clean_model(
    learner: PublishedLearner, C: float, gamma: float | None, fit: Any, data: PoisonedData
) -> tuple[float, ...]:
    """Return avg_I, avg_abs_I, norm_I and the mean, least and largest triggered loss."""
    test, poison = score(fit, data.triggered_test), score(fit, data.poison_train)
    if learner == "logistic":
        terms: Terms | None = logistic_terms(C, fit, test, poison)
    elif learner == "ridge":
        terms = ridge_terms(C, fit, test, poison)
    else:
        terms = svm_terms(C, gamma, fit, flat(data.clean_train), test, poison)
    if terms is None:
        return (NO_MARGIN,) * 6
    v, losses = pair_influences(terms), row_losses(learner, test.y * test.s)
    magnitude = np.abs(v)
    columns = v.mean(), magnitude.mean(), magnitude.sum(), losses.mean(), losses.min(), losses.max()
    return tuple(float(column) for column in columns)


def make_estimator(learner: PublishedLearner, C: float, gamma: float | None = None) -> Any:
    """Return the estimator behind the files of a learner."""
    if learner not in get_args(PublishedLearner):
        raise ValueError(f"learner: one of {', '.join(get_args(PublishedLearner))} was expected, {learner!r} came")
    if (gamma is not None) != (learner == "svm-rbf"):
        raise ValueError(f"gamma: a number was expected for svm-rbf and for it alone, {gamma!r} came for {learner}")
    if learner == "logistic":
        return LogisticRegression(C=C, solver="liblinear")
    if learner == "ridge":
        return RidgeClassifier(alpha=1 / (2 * C))
    return SVC(C=C, kernel="linear") if gamma is None else SVC(C=C, gamma=gamma)


def flat(rows: Samples) -> Float[np.ndarray, "n d"]:
    """Return the rows as vectors."""
    return np.asarray(rows.X, dtype=float).reshape(len(rows), -1)


def accuracy(fit: Any, rows: Samples) -> float:
    """Return the share of rows that the model labels as they are labelled."""
    return float(np.mean(fit.predict(flat(rows)) == rows.y))


def score(fit: Any, rows: Samples) -> Scored:
    """Return the rows with their labels as -1 and +1, and their scores."""
    X = flat(rows)
    return Scored(X, np.where(rows.y == fit.classes_[1], 1.0, -1.0), fit.decision_function(X))


def with_one(X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d_plus_1"]:
    """Return the rows x~ = (x, 1)."""
    return np.pad(X, ((0, 0), (0, 1)), constant_values=1.0)


def logistic_terms(C: float, fit: Any, test: Scored, poison: Scored) -> Terms:
    """Return the terms of liblinear's fit; the intercept, which it penalises, counts as free here."""

    def slope(rows: Scored) -> Float[np.ndarray, " n"]:
        margin = rows.y * rows.s
        return -C * rows.y * np.where(-margin >= SATURATED, 1.0, expit(-margin)) / np.log(2)

    w, B = np.ravel(fit.coef_), with_one(poison.X)
    curvature = C * expit(poison.s) * expit(-poison.s)
    H = (B.T * curvature) @ B + np.diag(np.append(np.ones_like(w), 0.0))
    return Terms(slope(test), with_one(test.X), slope(poison), B, H, np.append(w, 0.0))


def ridge_terms(C: float, fit: Any, test: Scored, poison: Scored) -> Terms:
    """Return the terms of ridge, of slope -2 y (1 - y s) times 2 C."""

    def slope(rows: Scored) -> Float[np.ndarray, " n"]:
        return -4 * C * rows.y * (1 - rows.y * rows.s)

    w, B = np.ravel(fit.coef_), with_one(poison.X)
    H = 2 * (B.T @ B + np.diag(np.append(np.full_like(w, 1 / (2 * C)), 0.0)))
    return Terms(slope(test), with_one(test.X), slope(poison), B, H, np.append(w, 0.0))


def svm_terms(
    C: float, gamma: float | None, fit: Any, X_train: Float[np.ndarray, "n d"], test: Scored, poison: Scored
) -> Terms | None:
    """Return the terms of an SVM in the parameters (a_M, b) of its margin rows M; None if it has none."""

    def kernel(X: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "k margin"]:
        return linear_kernel(X, X_M) if gamma is None else rbf_kernel(X, X_M, gamma=gamma)

    def slope(rows: Scored) -> Float[np.ndarray, " n"]:
        return -C * rows.y * (1 - rows.y * rows.s >= 0)

    a = fit.dual_coef_[0]
    margin = (np.abs(a) >= MARGIN) & (np.abs(a) <= C - MARGIN)
    if not margin.any():
        return None
    X_M, a_M = X_train[fit.support_[margin]], a[margin]
    K_MM = kernel(X_M)
    H = np.pad(K_MM, (0, 1), constant_values=1.0)
    H[-1, -1] = 0.0
    test_rows, poison_rows = (with_one(kernel(rows.X)) for rows in (test, poison))
    return Terms(slope(test), test_rows, slope(poison), poison_rows, H, np.append(2 * K_MM @ a_M, 0.0))


def pair_influences(terms: Terms) -> Float[np.ndarray, "T P"]:
    """Return v of each triggered row and each poison row."""
    A = terms.test_slope[:, np.newaxis] * terms.test
    B = terms.poison_slope[:, np.newaxis] * terms.poison + terms.penalty
    damped = terms.H + DAMPING * np.eye(len(terms.H))
    # Of a sign and a logarithm: the determinant of 785 columns itself is often 0 or infinite in floating point.
    singular = np.linalg.slogdet(terms.H).logabsdet < np.log(SINGULAR)
    return -A @ (np.linalg.pinv(damped) if singular else np.linalg.inv(damped)) @ B.T


def row_losses(learner: PublishedLearner, margin: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return the published loss at margins y s: the logistic one has base 2, and is linear from y s = -10 down."""
    if learner == "ridge":
        return (1 - margin) ** 2
    if learner == "logistic":
        return np.where(-margin >= SATURATED, -margin, np.logaddexp(0.0, -margin)) / np.log(2)
    return np.maximum(0.0, 1 - margin)


@dataclass(frozen=True, eq=False)
class Deviation:
    """How a kernel machine moves with the weight of the poison, in the kernel's space.

    Parameters
    ----------
    duals : array of shape (n_betas, n)
        Signed, at their places among the poisoned training rows.
    norm : array of shape (n_betas,)
        Of w(beta), sqrt(a' K a).
    cosine : array of shape (n_betas,)
        Between w at the first beta and w(beta).
    """

    duals: Float[np.ndarray, "betas n"]
    norm: Float[np.ndarray, " betas"]
    cosine: Float[np.ndarray, " betas"]


def rbf_deviation(
    data: PoisonedData, *, C: float, gamma: float, betas: Float[np.ndarray, " betas"] = BETAS
) -> tuple[Deviation, Deviation]:
    """Return the deviation of an RBF machine as published, and the right one.

    In the published arrays the duals at beta = 0 stand packed at the first places, as if the clean rows came first,
    instead of at their rows; the norm at 0 and every cosine follow from that.

    Parameters
    ----------
    data : PoisonedData
        As `protocol.badnet` makes it.
    C, gamma : float
        Of the SVC.
    betas : array of shape (n_betas,), optional
        Ascending, the first 0; the published ones by default.

    Returns
    -------
    published, right : Deviation

    Raises
    ------
    ValueError
        If the first beta is not 0.
    """
    if betas[0] != 0:
        raise ValueError(f"betas: 0 was expected as the first, {betas[0]:g} came")
    rows = join(data.clean_train, data.poison_train, data.is_poison)
    X, duals = flat(rows), np.zeros((len(betas), len(rows)))
    clean = np.flatnonzero(~data.is_poison)
    for a, beta in zip(duals, betas, strict=True):
        used = clean if beta == 0 else np.arange(len(rows))
        weights = np.where(data.is_poison, beta, 1.0)[used]
        fit = make_estimator("svm-rbf", C, gamma).fit(X[used], rows.y[used], sample_weight=weights)
        a[used[fit.support_]] = fit.dual_coef_[0]
    K = rbf_kernel(X, gamma=gamma)
    return deviation(misplaced(duals, data.is_poison), K), deviation(duals, K)


def misplaced(duals: Float[np.ndarray, "betas n"], is_poison: Bool[np.ndarray, " n"]) -> Float[np.ndarray, "betas n"]:
    """Return the duals with those of beta = 0, the first row, packed at the places 0 to n - m - 1."""
    published = duals.copy()
    published[0] = np.append(duals[0, ~is_poison], np.zeros(is_poison.sum()))
    return published


def deviation(duals: Float[np.ndarray, "betas n"], K: Float[np.ndarray, "n n"]) -> Deviation:
    """Return norms and cosines of duals under the kernel matrix K."""
    KA = duals @ K
    norm = np.sqrt(np.einsum("bn,bn->b", KA, duals))
    return Deviation(duals, norm, KA @ duals[0] / (norm * norm[0]))
