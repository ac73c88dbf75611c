"""What is claimed of every path, one row a path: whoever adds a path adds a row.

A row is an estimator with an exact path, and a fit at fixed weights by another algorithm. The path is reached by way of
the estimator, so that the seam between them is under the claims too. Every claim is made of rows that weigh the same,
and of rows with weights of their own, which beta and the steps of a difference multiply.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.losses.score_encodings import encode
from backdoor_curves.paths.intercept import FREE, penalised
from reference import independent_fits as fits

C, RBF_C, GAMMA, ALPHA = 0.05, 1.0, 0.2, 0.8
"""So small a C that the margin of a linear SVM leaves w room to move, and with an RBF kernel one that has a margin."""
BETAS = np.array([0.0, 0.37, 1.0])
FITTED = 1e-8
"""What two roads to an optimum may differ by: logistic regression is followed to 1e-9, fits stop below that."""


def inner(A, B):
    return A @ B.T


def rbf(A, B):
    return np.exp(-GAMMA * ((A[:, np.newaxis] - B) ** 2).sum(-1))


@dataclass(frozen=True)
class Row:
    """An estimator, a fit that is not its own, and what of the claims goes with its kind."""

    estimator: Any
    fit: Callable[..., np.ndarray]
    kernel: Callable[..., np.ndarray] | None = None
    n_classes: int = 2
    encoding: str = "binary"
    is_precomputed: bool = False
    is_weighted: bool = False


PATHS = {
    "ridge": Row(RidgeClassifier(alpha=ALPHA), fits.ridge(ALPHA)),
    "ridge, three classes": Row(RidgeClassifier(alpha=ALPHA), fits.ridge(ALPHA), n_classes=3, encoding="one-vs-rest"),
    "logistic": Row(LogisticRegression(C=C), fits.logistic(C, FREE)),
    "logistic, penalised": Row(LogisticRegression(C=C, solver="liblinear"), fits.logistic(C, penalised(1.0))),
    "logistic, three classes": Row(LogisticRegression(C=C), fits.softmax(C), n_classes=3, encoding="softmax"),
    "SVC, linear": Row(SVC(C=C, kernel="linear"), fits.hinge(C, inner, free=True), inner),
    "SVC, RBF": Row(SVC(C=RBF_C, gamma=GAMMA), fits.hinge(RBF_C, rbf, free=True), rbf),
    "SVC, precomputed": Row(
        SVC(C=RBF_C, kernel="precomputed"), fits.hinge(RBF_C, rbf, free=True), rbf, is_precomputed=True
    ),
    "LinearSVC, hinge": Row(LinearSVC(C=C, loss="hinge"), fits.hinge(C, inner, free=False), inner),
    "LinearSVC, squared hinge": Row(LinearSVC(C=C), fits.squared_hinge(C)),
}
PATHS |= {
    f"{name}, three classes": replace(PATHS[name], fit=fits.columns(PATHS[name].fit), n_classes=3, encoding=encoding)
    for name, encoding in {
        "SVC, linear": "one-vs-one",
        "SVC, RBF": "one-vs-one",
        "SVC, precomputed": "one-vs-one",
        "LinearSVC, hinge": "one-vs-rest",
        "LinearSVC, squared hinge": "one-vs-rest",
    }.items()
}
# With the C of two classes a pair has an empty margin, and many intercepts.
PATHS["SVC, linear, three classes"] = replace(
    PATHS["SVC, linear, three classes"],
    estimator=SVC(C=4 * C, kernel="linear"),
    fit=fits.columns(fits.hinge(4 * C, inner, free=True)),
)
# Around learners of two classes: each column by that learner's own road.
PATHS |= {
    f"{name}, three classes": Row(estimator, fits.columns(fit), kernel, n_classes=3, encoding=encoding)
    for name, estimator, fit, kernel, encoding in (
        (
            "one-vs-rest, logistic",
            OneVsRestClassifier(LogisticRegression(C=C)),
            fits.logistic(C, FREE),
            None,
            "one-vs-rest",
        ),
        (
            "one-vs-rest, RBF",
            OneVsRestClassifier(SVC(C=RBF_C, gamma=GAMMA)),
            fits.hinge(RBF_C, rbf, free=True),
            rbf,
            "one-vs-rest",
        ),
        (
            "one-vs-one, ridge",
            OneVsOneClassifier(RidgeClassifier(alpha=ALPHA)),
            fits.ridge(ALPHA),
            None,
            "one-vs-one of classifiers",
        ),
        (
            "one-vs-one, logistic",
            OneVsOneClassifier(LogisticRegression(C=C)),
            fits.logistic(C, FREE),
            None,
            "one-vs-one of classifiers",
        ),
        (
            "one-vs-one, hinge",
            OneVsOneClassifier(LinearSVC(C=4 * C, loss="hinge")),
            fits.hinge(4 * C, inner, free=False),
            inner,
            "one-vs-one of classifiers",
        ),
        (
            "one-vs-one, squared hinge",
            OneVsOneClassifier(LinearSVC(C=C)),
            fits.squared_hinge(C),
            None,
            "one-vs-one of classifiers",
        ),
    )
}
PATHS |= {f"{name}, weighted": replace(row, is_weighted=True) for name, row in PATHS.items()}
every_path = pytest.mark.parametrize("name", PATHS)


def problem(row: Row) -> tuple[bc.Samples, bc.Samples, bc.Samples]:
    """Clean rows of classes that overlap, poison rows apart with other labels, and test rows."""
    rng, n_classes = np.random.default_rng(3), row.n_classes
    y = np.arange(45) % n_classes
    X = rng.normal(size=(45, 6)) + 0.9 * np.eye(n_classes, 6)[y]
    poison = X[:8] + 2.0 * np.eye(6)[5], (y[:8] + 1) % n_classes
    parts = (X, y), poison, (X[:6] + 0.3 * rng.normal(size=(6, 6)), y[:6])
    weights = [rng.uniform(0.2, 3.0, len(y)) if row.is_weighted else None for _, y in parts]
    return tuple(bc.Samples(*part, weight) for part, weight in zip(parts, weights, strict=True))


def curve_of(row: Row, clean: bc.Samples, poison: bc.Samples, test: bc.Samples) -> bc.BackdoorLearningCurve:
    """The curve on rows of features; a learner of matrices gets the kernel of each with the training rows."""
    training = np.vstack([clean.X, poison.X])

    def seen(rows: bc.Samples) -> bc.Samples:
        return replace(rows, X=row.kernel(rows.X, training)) if row.is_precomputed else rows

    data = bc.PoisonedData(seen(clean), seen(poison), seen(test), seen(test))
    return bc.backdoor_learning_curve(row.estimator, data, tolerance=1e-9)


@cache
def followed(name: str) -> tuple[Row, bc.Samples, bc.Samples, np.ndarray, bc.BackdoorLearningCurve]:
    """A row, its training rows in the path's order with their labels, the test rows, and the curve."""
    row = PATHS[name]
    clean, poison, test = problem(row)
    parts = zip(*((rows.X, rows.y, rows.weight) for rows in (clean, poison)), strict=True)
    both = bc.Samples(*map(np.concatenate, parts))
    return row, both, test, np.arange(len(both)) >= len(clean), curve_of(row, clean, poison, test)


def seen_by(name: str, X: np.ndarray) -> np.ndarray:
    """Rows of features as the path takes them."""
    row, (training, _), *_ = followed(name)
    return row.kernel(X, training) if row.is_precomputed else X


def fitted(name: str, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The scores, a column each, of the independent fit at some weights, times their own, of the training rows."""
    row, training, *_ = followed(name)
    Y = encode(training.y, row.n_classes, row.encoding)
    kept = weights > 0.0
    return row.fit(training.X[kept], Y[kept], (weights * training.weight)[kept], rows)


def scores_at(name: str, beta: float, rows: np.ndarray) -> np.ndarray:
    _, _, _, is_poison, _ = followed(name)
    return fitted(name, np.where(is_poison, beta, 1.0), rows)


def path_scores(curve, X: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """The scores with an axis for the columns, be there one or more."""
    return curve.path.scores(X, betas).reshape(len(betas), len(X), -1)


# --- the claims ------------------------------------------------------------------------------------------------------


@every_path
def test_a_path_is_the_fit_at_every_weight(name):
    """At its ends and between them: beta is the weight of the poison rows and nothing else."""
    _, _, (X, _), _, curve = followed(name)
    found = path_scores(curve, seen_by(name, X), BETAS)
    expected = np.stack([scores_at(name, beta, X) for beta in BETAS])
    np.testing.assert_allclose(found, expected, atol=FITTED)


@every_path
def test_an_integer_weight_is_that_many_copies_of_the_row(name):
    """Three copies of two clean rows, two of a poison row: the path, and the fit, of the rows with those weights."""
    row, _, test, is_poison, _ = followed(name)
    parts = problem(row)[:2]
    copies = np.ones(len(is_poison), dtype=int)
    copies[[1, 4]], copies[len(parts[0]) + 2] = 3, 2
    times = copies[~is_poison], copies[is_poison]
    repeated = [rows.take(np.repeat(np.arange(len(rows)), k)) for rows, k in zip(parts, times, strict=True)]
    weighted = [replace(rows, weight=k * rows.weight) for rows, k in zip(parts, times, strict=True)]
    of_copies, of_weights = curve_of(row, *repeated, test), curve_of(row, *weighted, test)
    expected = [fitted(name, copies * np.where(is_poison, beta, 1.0), test.X) for beta in BETAS]
    for curve in (of_copies, of_weights):
        np.testing.assert_allclose(path_scores(curve, curve.data.clean_test.X, BETAS), expected, atol=FITTED)
    for beta in BETAS:
        ours, theirs = (curve.influence(beta).values for curve in (of_weights, of_copies))
        together = np.add.reduceat(theirs, np.append(0, np.cumsum(copies)[:-1]), axis=1)
        np.testing.assert_allclose(ours, together, atol=1e-6 * np.abs(ours).max())


@every_path
def test_the_order_of_the_rows_is_irrelevant(name):
    """But for rounding, and for what libsvm starts from."""
    row, _, test, _, curve = followed(name)
    parts = problem(row)[:2]
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(rows)) for rows in parts]
    other = curve_of(row, *(rows.take(order) for rows, order in zip(parts, orders, strict=True)), test)
    for beta in BETAS:
        np.testing.assert_allclose(other.scores("clean", beta), curve.scores("clean", beta), atol=FITTED)
        ours, theirs = (each.influence(beta).values for each in (curve, other))
        permuted = np.append(orders[0], len(orders[0]) + orders[1])
        np.testing.assert_allclose(theirs, ours[:, permuted], atol=1e-6 * np.abs(ours).max())


@every_path
@pytest.mark.parametrize("beta", [0.0, 0.37, 1.0])
def test_a_tangent_is_the_difference_of_fits(name, beta):
    """One-sided at both ends, where beta goes no farther; an SVM is a line as far as its next knot."""
    _, _, (X, _), _, curve = followed(name)
    h = 1e-5 if curve.method == "svm" else 1e-4
    assert not ((curve.knots > beta - 2 * h) & (curve.knots < beta + 2 * h)).any()
    if 0.0 < beta < 1.0:
        wide, narrow = (
            (scores_at(name, beta + k * h, X) - scores_at(name, beta - k * h, X)) / (2 * k * h) for k in (2, 1)
        )
        expected = (4 * narrow - wide) / 3  # Richardson: what is left is of order h^4
    else:
        way = 1.0 if beta == 0.0 else -1.0
        f = [scores_at(name, beta + way * k * h, X) for k in range(4)]
        expected = way * (18 * f[1] - 11 * f[0] - 9 * f[2] + 2 * f[3]) / (6 * h)
    tangent = curve.path.tangent(seen_by(name, X), np.array([beta]))
    np.testing.assert_allclose(tangent.scores[0], scores_at(name, beta, X), atol=FITTED)
    # Fits to 1e-12 over h leave 1e-7; one-sided differences of smooth paths have h^3 times a fourth derivative.
    np.testing.assert_allclose(tangent.rates[0], expected, rtol=1e-5, atol=2e-6 * np.abs(expected).max())


@every_path
@pytest.mark.parametrize("beta", BETAS)
def test_influences_of_the_poison_rows_add_up_to_the_tangent(name, beta):
    """Whatever the loss: beta weighs all of them, and g is any direction in the scores."""
    _, _, (X, _), is_poison, curve = followed(name)
    rows = seen_by(name, X)
    response, tangent = curve.path.response(beta), curve.path.tangent(rows, np.array([beta]))
    g = np.random.default_rng(0).normal(size=tangent.rates.shape[1:])
    influence = response.influence(rows, g)
    assert influence.shape == (len(X), len(response.rows))
    expected = (g * tangent.rates[0]).sum(axis=1)
    np.testing.assert_allclose(influence[:, is_poison[response.rows]].sum(axis=1), expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(response.tangent(rows).rates, tangent.rates[0], rtol=1e-9, atol=1e-10)


@every_path
def test_an_influence_is_the_difference_of_fits_with_one_row_weighted_otherwise(name):
    """Of two clean rows and a poison row, whether their weight counts or not."""
    _, _, (X, _), is_poison, curve = followed(name)
    beta, h = 0.37, 1e-5
    weights, response = np.where(is_poison, beta, 1.0), curve.path.response(beta)
    g = np.random.default_rng(0).normal(size=fitted(name, weights, X).shape)
    values = np.zeros((len(X), len(is_poison)))
    values[:, response.rows] = response.influence(seen_by(name, X), g)
    for i in (int(response.rows[0]), 20, int(response.rows[-1])):
        step = h * (np.arange(len(weights)) == i)
        moved = fitted(name, weights + step, X) - fitted(name, weights - step, X)
        expected = (g * moved).sum(axis=1) / (2 * h)
        np.testing.assert_allclose(values[:, i], expected, rtol=1e-5, atol=1e-6)


@every_path
def test_parameters_give_the_scores(name):
    """With features, or with the kernel of the distinct training rows, for phi."""
    row, (training, _), (X, _), _, curve = followed(name)
    found = curve.path.parameters(BETAS)
    if found.rows is None:
        phi = X
    else:
        distinct = training[np.unique(found.rows, return_index=True)[1]]
        phi = row.kernel(X, distinct)
    scores = np.einsum("np,bpc->bnc", phi, found.coef) + found.intercept[:, np.newaxis]
    np.testing.assert_allclose(scores, path_scores(curve, seen_by(name, X), BETAS), atol=1e-10)


@every_path
def test_norms_are_those_of_the_parameters(name):
    """Over all columns, without the intercept; in the kernel's space where there is one."""
    row, (training, _), _, _, curve = followed(name)
    found = curve.path.parameters(BETAS)
    if found.rows is None:
        squares = np.square(found.coef).sum(axis=(1, 2))
    else:
        distinct = training[np.unique(found.rows, return_index=True)[1]]
        squares = np.einsum("bpc,pq,bqc->b", found.coef, row.kernel(distinct, distinct), found.coef)
    np.testing.assert_allclose(curve.norm(BETAS), np.sqrt(squares), rtol=1e-9)


@every_path
def test_columns_side_by_side_are_the_path(name):
    """Those that have their nodes in common are one."""
    _, _, (X, _), _, curve = followed(name)
    rows = seen_by(name, X)
    parts = [part.scores(rows, BETAS).reshape(len(BETAS), len(X), -1) for part in curve.path.columns]
    np.testing.assert_array_equal(np.concatenate(parts, axis=-1), path_scores(curve, rows, BETAS))


@every_path
def test_score_gradients_are_differences_of_scores(name):
    """In each feature, for each column; of a matrix the features are not known, and it says so."""
    row, _, (X, _), _, curve = followed(name)
    if row.is_precomputed:
        with pytest.raises(ValueError, match="needs a kernel by name; that of a function, or of a matrix, is unknown"):
            curve.path.score_gradients(seen_by(name, X), 1.0)
        return
    h = 1e-5
    for beta in BETAS:
        gradients = curve.path.score_gradients(X, beta)
        assert gradients.shape == (path_scores(curve, X, BETAS).shape[-1], *X.shape)
        for j, step in enumerate(h * np.eye(X.shape[1])):
            above, below = (path_scores(curve, X + way * step, np.array([beta]))[0] for way in (1, -1))
            # h^2 times a third derivative, and rounding of scores over h
            np.testing.assert_allclose(gradients[..., j].T, (above - below) / (2 * h), atol=1e-8)


@every_path
def test_a_certificate_is_above_the_true_error(name):
    """And below the tolerance that was asked for: else any bound would do."""
    _, _, (X, _), _, curve = followed(name)
    bound = curve.path.certificate(BETAS, [seen_by(name, X)]).score_bound
    found = path_scores(curve, seen_by(name, X), BETAS)
    error = [np.abs(f - scores_at(name, beta, X)).max() for f, beta in zip(found, BETAS, strict=True)]
    # What the fits leave themselves: some 1e-12 of scores of size 1.
    assert (np.array(error) <= bound + 1e-11).all()
    assert (bound <= 1e-9).all()


@every_path
def test_a_certificate_sees_a_path_that_is_off(name):
    """Nodes moved by a share of 1e-4: the bound is above the error that this makes."""
    _, _, (X, _), _, curve = followed(name)
    path, rows = spoiled(curve.path, 1.0 + 1e-4), seen_by(name, X)
    bound = path.certificate(BETAS, [rows]).score_bound
    found = path.scores(rows, BETAS).reshape(len(BETAS), len(X), -1)
    error = np.array([np.abs(f - scores_at(name, beta, X)).max() for f, beta in zip(found, BETAS, strict=True)])
    assert (error > 1e-6).all()
    assert (error <= bound * (1 + 1e-9)).all()
    assert (bound < 1e4 * error).all()


@every_path
def test_a_saved_curve_is_the_live_one(name):
    """Scores, losses, predictions, norms, and the slopes that a file keeps."""
    *_, curve = followed(name)
    file = BytesIO()
    curve.save(file)
    file.seek(0)
    loaded = bc.BackdoorLearningCurve.load(file)
    for split in ("triggered", "clean"):
        np.testing.assert_array_equal(loaded.scores(split, BETAS), curve.scores(split, BETAS))
        np.testing.assert_array_equal(loaded.predictions(split, BETAS), curve.predictions(split, BETAS))
        assert loaded.area(split) == curve.area(split)
        assert loaded.slope(0.0, split) == curve.slope(0.0, split)
    np.testing.assert_array_equal(loaded.norm(BETAS), curve.norm(BETAS))


def spoiled(path, factor: float):
    """The path with parameters that are off by a factor, whatever it keeps them in."""
    if len(path.columns) > 1:
        return replace(path, paths=tuple(spoiled(part, factor) for part in path.columns))
    if path.method == "ridge":
        return replace(path, coef0=factor * path.coef0, directions=factor * path.directions)
    if path.method == "svm":
        at = replace(path.at, b=factor * path.at.b + 1e-5)
        return replace(path, at=at)
    return replace(path, nodal=factor * path.nodal)


# --- the claims see faults -------------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[str, Callable, list[Callable[[str], None]]]] = {
    "a tangent too steep": (
        "tangent",
        lambda found: replace(found, rates=1.001 * found.rates),
        [
            lambda name: test_a_tangent_is_the_difference_of_fits(name, 0.37),
            lambda name: test_influences_of_the_poison_rows_add_up_to_the_tangent(name, 0.37),
        ],
    ),
    "influences of the other sign": (
        "response",
        lambda found: replace(found, influence=lambda X, g: -found.influence(X, g)),
        [
            lambda name: test_influences_of_the_poison_rows_add_up_to_the_tangent(name, 0.37),
            test_an_influence_is_the_difference_of_fits_with_one_row_weighted_otherwise,
        ],
    ),
    "an intercept forgotten": (
        "parameters",
        lambda found: replace(found, intercept=0.0 * found.intercept),
        [test_parameters_give_the_scores],
    ),
    "a class forgotten": (
        "parameters",
        lambda found: replace(found, coef=found.coef * (np.arange(found.coef.shape[-1]) > 0)),
        [test_parameters_give_the_scores, test_norms_are_those_of_the_parameters],
    ),
    "scores of another beta": (
        "scores",
        lambda found: np.roll(found, 1, axis=0),
        [test_a_path_is_the_fit_at_every_weight, test_an_integer_weight_is_that_many_copies_of_the_row],
    ),
    "a bound of nothing": (
        "certificate",
        lambda found: replace(found, score_bound=0.0 * found.score_bound),
        [test_a_certificate_sees_a_path_that_is_off],
    ),
}


@every_path
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_path_breaks_a_claim(fault, name, monkeypatch):
    """Each of the claims that the fault concerns, for each path."""
    method, wrong, claims = FAULTS[fault]
    *_, curve = followed(name)
    curve.norm(BETAS)  # kept from here on: a fault in the parameters must not reach both sides of a claim
    right = getattr(type(curve.path), method)
    monkeypatch.setattr(type(curve.path), method, lambda *given: wrong(right(*given)))
    for claim in claims:
        with pytest.raises(AssertionError):
            claim(name)
