"""The paper's published MNIST 7-1 numbers, met from the paper's own sampling (trigger of 6 x 6 pixels, seed 999)."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.poisoning import paper_protocol as protocol

SHARED = Path(__file__).parents[2].parent / "shared"
PATHS, CURVES = (SHARED / "reference" / f"mnist_7-1_trigger6_{name}" for name in ("path.npz", "curves.json"))
pytestmark = pytest.mark.skipif(
    not (PATHS.is_file() and CURVES.is_file() and (SHARED / "data" / "mnist").is_dir()),
    reason="the published numbers or the MNIST files are not beside the repository",
)
RATES = (0.01, 0.1, 0.2)


@pytest.fixture(scope="module")
def images():
    return protocol.mnist_pair((7, 1), SHARED / "data")


@pytest.fixture(scope="module")
def poisoned(images):
    """A function: the paper's poisoning at a rate."""
    made = {rate: protocol.badnet(*images, rate=rate, size=6) for rate in RATES}
    return made.__getitem__


@pytest.fixture(scope="module")
def published_path():
    """A function: the arrays of one learner at the 20 betas, rate .1."""
    with np.load(PATHS, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    names = ("coef", "intercept", "cosine", "norm", "backdoor_accuracy")
    return lambda learner: {name: arrays.get(f"{learner}/{name}") for name in names}


@pytest.fixture(scope="module")
def published_curve():
    """A function: triggered and clean losses at the 20 betas of one learner and rate."""
    curves = json.loads(CURVES.read_text())["curves"]

    def find(classifier, C, rate, gamma=None):
        (found,) = (
            curve
            for curve in curves
            if (curve["classifier"], curve["C"], curve["poison_rate"]) == (classifier, C, rate)
            and curve["gamma"] == gamma
        )
        return {split: np.array(found[f"{split}_loss"]) for split in ("triggered", "clean")}

    return find


def curve_of(estimator, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the published LinearSVC fits at C = 10 did not converge
        return bc.backdoor_learning_curve(estimator, data, method="refit", betas=protocol.BETAS)


def linear_parameters(curve):
    """Coefficients (20, 784) and intercepts (20,) of a refitted linear learner."""
    fits = [model.estimator for model in curve.path.models]
    return np.vstack([fit.coef_ for fit in fits]), np.concatenate([fit.intercept_ for fit in fits])


def check_path(curve, coef, intercept, published, rtol):
    """Coefficients relative to the largest of their beta, the rest relative to itself."""
    far = np.abs(coef - published["coef"]).max(axis=1) / np.abs(published["coef"]).max(axis=1)
    assert far.max() < rtol
    np.testing.assert_allclose(intercept, published["intercept"], rtol=rtol)
    np.testing.assert_allclose(curve.norm(), published["norm"], rtol=rtol)
    np.testing.assert_allclose(curve.cosine(), published["cosine"], rtol=rtol)
    assert curve.accuracy("triggered", 0.99) == published["backdoor_accuracy"]


@pytest.mark.parametrize("C", [1e-3, 1])
def test_ridge_path_equals_the_published_coefficients(C, poisoned, published_path):
    """Both are the optimum: scikit-learn's by a Cholesky factor for each beta, ours by one for all."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=1 / (2 * C)), poisoned(0.1), betas=protocol.BETAS)
    assert curve.exact
    at = curve.path.parameters(protocol.BETAS)
    check_path(curve, at.coef[:, :, 0], at.intercept[:, 0], published_path(f"ridge_C{C:g}"), 1e-9)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("C", [0.001, 1])
def test_ridge_curves_equal_the_published_ones(C, rate, poisoned, published_curve):
    """Mean of (1 - y f)^2 over 500 triggered and 500 clean rows."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=1 / (2 * C)), poisoned(rate), betas=protocol.BETAS)
    for split, losses in published_curve("ridge", C, rate).items():
        np.testing.assert_allclose(curve.loss(split), losses, rtol=1e-9)


@pytest.fixture(scope="module")
def rbf(poisoned):
    """A function: the curve of one RBF machine at one rate, computed once."""
    made = {}

    def get(C, gamma, rate):
        key = C, gamma, rate
        if key not in made:
            made[key] = curve_of(SVC(C=C, gamma=gamma), poisoned(rate))
        return made[key]

    return get


RBF = [(1, 5e-4), (100, 5e-4), (1, 5e-3), (100, 5e-3)]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("C", "gamma"), RBF)
def test_rbf_curves_equal_the_published_ones(C, gamma, rate, rbf, published_curve):
    """The same libsvm on the same rows in the same order; sums of 500 rows differ in their last bits."""
    for split, losses in published_curve("svm-rbf", C, rate, gamma).items():
        np.testing.assert_allclose(rbf(C, gamma, rate).loss(split), losses, rtol=1e-12)


@pytest.mark.parametrize(("C", "gamma"), RBF)
def test_rbf_duals_and_norms_equal_the_published_ones_beyond_0(C, gamma, rbf, published_path):
    """At beta = 0 the published duals stand at the wrong rows, and with them norm(0) and every cosine are wrong."""
    curve, published = rbf(C, gamma, 0.1), published_path(f"svm-rbf_C{C}_gamma{gamma:g}")
    duals = np.zeros((len(protocol.BETAS), 1500))
    for row, model in zip(duals, curve.path.models, strict=True):
        row[model.estimator.support_] = model.estimator.dual_coef_[0]
    np.testing.assert_allclose(duals[1:], published["coef"][1:], rtol=1e-12, atol=1e-12 * C)
    np.testing.assert_allclose(curve.norm()[1:], published["norm"][1:], rtol=1e-10)  # a'Ka sums a million terms
    assert curve.accuracy("triggered", 0.99) == published["backdoor_accuracy"]
    # The bug: packed at positions 0..1349, as many as there are clean rows, in their order.
    start = np.zeros(1500)
    start[curve.path.models[0].estimator.support_] = curve.path.models[0].estimator.dual_coef_[0]
    np.testing.assert_allclose(start, published["coef"][0], rtol=1e-12, atol=1e-12 * C)
    assert abs(curve.norm(0.0) / published["norm"][0] - 1) > 0.1


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("C", [0.01, 10])
def test_linear_svm_curves_equal_the_published_ones(C, rate, poisoned, published_curve):
    """LinearSVC draws from numpy's global stream, so the draw before its fits is part of the number."""
    data = poisoned(rate)
    protocol.choice(1500, int(1500 * rate), protocol.SEED)
    curve = curve_of(LinearSVC(C=C, loss="hinge"), data)
    for split, losses in published_curve("svm", C, rate).items():
        np.testing.assert_allclose(curve.loss(split), losses, rtol=1e-12)
    if C == 10:
        assert curve.missed.size > 10  # most did not converge, and our curve says so


def test_linear_svm_paths_equal_the_published_coefficients(poisoned, published_path):
    """One stream for all: the draw of the test rows, then C = .01 beta by beta, then C = 10."""
    data = poisoned(0.1)
    protocol.choice(500, 500, protocol.SEED)
    for C in (0.01, 10):
        curve = curve_of(LinearSVC(C=C, loss="hinge"), data)
        check_path(curve, *linear_parameters(curve), published_path(f"svm_C{C:g}"), 1e-12)


def clipped_log_loss(scores, y):
    """The published loss: probabilities are kept off 0 and 1 by 1e-15."""
    with np.errstate(over="ignore"):
        p = np.clip(1 / (1 + np.exp(-scores)), 1e-15, 1 - 1e-15)
    return -np.where(y == 1, np.log(p), np.log1p(-p)).mean(axis=-1)


@pytest.fixture(scope="module")
def logistic(poisoned):
    """A function: the curve of one liblinear fit at one rate, computed once."""
    made = {}

    def get(C, rate):
        key = C, rate
        if key not in made:
            made[key] = curve_of(LogisticRegression(C=C, solver="liblinear"), poisoned(rate))
        return made[key]

    return get


@pytest.mark.parametrize("rate", RATES)
def test_logistic_curves_equal_the_published_ones(rate, logistic, published_curve):
    """liblinear stops early, but at the same place: what is left is rounding, carried along by its iterations."""
    for split, losses in published_curve("logistic", 0.1, rate).items():
        np.testing.assert_allclose(logistic(0.1, rate).loss(split), losses, rtol=1e-9)


@pytest.mark.parametrize("rate", RATES)
def test_weak_logistic_curves_are_near_the_published_ones(rate, logistic, published_curve, poisoned):
    """At C = 100 liblinear stops unconverged: permuting the rows alone moves its losses by 2e-2 relative.

    The published loss is clipped, ours is not; clipped alike they are within the 2e-2 of the protocol.
    """
    curve = logistic(100, rate)
    for split, losses in published_curve("logistic", 100, rate).items():
        y = getattr(poisoned(rate), f"{split}_test").y
        ours = clipped_log_loss(curve.scores(split), y)
        np.testing.assert_allclose(ours, losses, rtol=2e-2)
        assert (curve.loss(split) >= ours - 1e-12).all()


def test_logistic_path_equals_the_published_coefficients(logistic, published_path):
    """At C = .1 to liblinear's carried rounding."""
    curve = logistic(0.1, 0.1)
    check_path(curve, *linear_parameters(curve), published_path("logistic_C0.1"), 1e-8)


def test_weak_logistic_path_is_near_the_published_coefficients(logistic, published_path):
    """At C = 100 liblinear stops unconverged, at another place with every version: 2e-2 here, 1e-3 in the cosine.

    With scikit-learn 1.9 one coefficient of 15,680 is 2.06e-2 off, and one norm of 22 is 2.9e-2 off: hence 4e-2.
    """
    curve, published = logistic(100, 0.1), published_path("logistic_C100")
    coef, intercept = linear_parameters(curve)
    np.testing.assert_allclose(coef, published["coef"], rtol=0, atol=4e-2)
    np.testing.assert_allclose(intercept, published["intercept"], atol=2e-2)
    np.testing.assert_allclose(curve.norm(), published["norm"], rtol=0, atol=4e-2)
    np.testing.assert_allclose(curve.cosine(), published["cosine"], atol=1e-3)
    assert curve.accuracy("triggered", 0.99) == pytest.approx(published["backdoor_accuracy"], abs=1 / 500)


def test_protocol_poisons_the_rows_of_the_paper(images, poisoned):
    """150 of 1500 rows replaced, 500 of 500 test rows triggered, all relabelled, one patch for each true class."""
    data = poisoned(0.1)
    rows = protocol.choice(1500, 150, 999)
    assert (len(data.clean_train), len(data.poison_train), len(data.triggered_test)) == (1350, 150, 500)
    assert np.array_equal(data.poison_rows, np.sort(rows))
    train, test = images
    assert np.array_equal(data.poison_train.y, 1 - train.y[data.poison_rows])
    assert np.array_equal(data.triggered_test.y, 1 - test.y)
    np.random.seed(999)
    patches = np.random.rand(2, 1, 6, 6)
    assert np.array_equal(data.triggered_test.X[:, -6:, -6:, 0], patches[test.y, 0])
    assert np.array_equal(data.triggered_test.X[:, :-6], test.X[:, :-6])
