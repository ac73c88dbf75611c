"""SVC(kernel="precomputed") against the kernel by name, scikit-learn's own fits, and sums over features."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KernelCenterer
from sklearn.svm import SVC, NuSVC

import backdoor_curves as bc
from backdoor_curves.kernels.precomputed import PrecomputedKernel

BETAS = np.linspace(0.0, 1.0, 31)
GAMMA = 0.2


def stamp(X, y):  # noqa: ARG001
    """Move two features."""
    return X + np.array([0, 0, 0, 3, -3])


def poisoned(injection="append", n=60, classes=2, repeat=False):
    """Overlapping classes in five features; the trigger moves two of them."""
    rng = np.random.default_rng(3)
    y = np.arange(n) % classes
    X = rng.normal(size=(n, 5)) + 0.8 * y[:, np.newaxis]
    if repeat:
        X[10:20], y[10:20] = X[0:10], y[0:10]
        y[12] = 1 - y[12]
    return bc.poison(
        (X, y),
        (X[::2] + 0.1, y[::2]),
        trigger=stamp,
        rate=0.2,
        injection=injection,
        rng=rng,
    )


def as_kernels(data, kernel, turned=False):
    """Return the same data with each row as its kernel with the training rows, in the victim's order; or turned."""
    order = np.argsort(np.append(np.flatnonzero(~data.is_poison), np.flatnonzero(data.is_poison)))
    train = np.vstack([data.clean_train.X, data.poison_train.X])[order]
    train = train[::-1] if turned else train
    parts = [data.clean_train, data.poison_train, data.clean_test, data.triggered_test]
    return bc.PoisonedData(
        *[(kernel(part.X, train), part.y) for part in parts],
        triggered_true=data.triggered_true,
        poison_rows=data.poison_rows if data.poisoning.injection == "replace" else None,
        poisoning=data.poisoning,
    )


def rbf(A, B):
    return rbf_kernel(A, B, gamma=GAMMA)


def by_name(C=1.0, **words):
    return SVC(C=C, gamma=GAMMA, **words)


def by_matrix(C=1.0, **words):
    return SVC(C=C, kernel="precomputed", **words)


@pytest.mark.parametrize("repeat", [False, True], ids=["distinct", "repeated rows"])
@pytest.mark.parametrize("injection", ["append", "replace"])
@pytest.mark.parametrize("C", [0.3, 30.0])
def test_a_kernel_matrix_has_the_curve_of_its_kernel(C, injection, repeat):
    """Losses, slopes, accuracies, norms, angles: the same optimum. The two kernels are rounded apart, 1e-15 a value."""
    data = poisoned(injection, repeat=repeat)
    named = bc.backdoor_learning_curve(by_name(C, class_weight="balanced"), data)
    matrix = bc.backdoor_learning_curve(by_matrix(C, class_weight="balanced"), as_kernels(data, rbf))
    assert matrix.exact
    assert matrix.method == "svm"
    assert matrix.certificate(BETAS).score_bound.max() < 1e-10
    for split in ("triggered", "clean"):
        np.testing.assert_allclose(matrix.loss(split, BETAS), named.loss(split, BETAS), rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal(matrix.accuracy(split, BETAS), named.accuracy(split, BETAS))
    np.testing.assert_allclose(matrix.slope(BETAS[1:-1]), named.slope(BETAS[1:-1]), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(matrix.theta, named.theta, rtol=1e-10)
    np.testing.assert_allclose(matrix.norm(BETAS), named.norm(BETAS), rtol=1e-10)
    np.testing.assert_allclose(matrix.angle(BETAS), named.angle(BETAS), atol=1e-10)


@pytest.mark.parametrize("beta", [0.0, 0.37, 1.0])
def test_influences_are_those_of_the_kernel_by_name(beta):
    """On the data's test rows, on own rows, and of training rows on themselves."""
    data = poisoned("replace")
    kernels = as_kernels(data, rbf)
    np.testing.assert_allclose(
        bc.influence(by_matrix(3.0), kernels, beta).values, bc.influence(by_name(3.0), data, beta).values, atol=1e-10
    )
    curves = bc.backdoor_learning_curve(by_matrix(3.0), kernels), bc.backdoor_learning_curve(by_name(3.0), data)
    found = [
        curve.influence(beta, rows=(of.clean_train.X, of.clean_train.y)).values
        for curve, of in zip(curves, (kernels, data), strict=True)
    ]
    np.testing.assert_allclose(*found, atol=1e-10)
    np.testing.assert_allclose(*[curve.self_influence(beta) for curve in curves], atol=1e-10)


def test_columns_in_another_order_than_the_rows_are_refused():
    """The matrix is then not symmetric."""
    with pytest.raises(ValueError, match=r"a symmetric matrix was expected .* order of data.is_poison"):
        bc.backdoor_learning_curve(by_matrix(), as_kernels(poisoned(), rbf, turned=True))


def test_refits_are_scikit_learns_fits_on_their_part_of_the_matrix():
    """At beta = 0 without the poison rows and columns; libsvm stops at 1e-9, and so do its scores."""
    data = poisoned("replace")
    kernels, estimator = as_kernels(data, rbf), by_matrix(3.0, tol=1e-9)
    curve = bc.backdoor_learning_curve(estimator, kernels, method="refit", betas=[0.0, 0.5, 1.0])
    clean = ~data.is_poison
    fit = estimator.fit(kernels.clean_train.X[:, clean], kernels.clean_train.y)
    scores = fit.decision_function(kernels.triggered_test.X[:, clean])
    np.testing.assert_allclose(curve.path.scores(kernels.triggered_test.X, np.zeros(1))[0], scores, atol=1e-12)
    exact = bc.backdoor_learning_curve(estimator, kernels)
    named = bc.backdoor_learning_curve(by_name(3.0, tol=1e-9), data, method="refit", betas=[0.0, 0.5, 1.0])
    for other in (exact, named):
        np.testing.assert_allclose(
            curve.loss("triggered", curve.betas), other.loss("triggered", curve.betas), atol=1e-5
        )
        np.testing.assert_allclose(curve.norm(curve.betas), other.norm(curve.betas), rtol=1e-5)


def test_what_has_no_exact_path_is_refitted_on_the_matrix():
    """NuSVC of two and of three classes: as by name."""
    for classes, named, matrix in (
        (3, NuSVC(nu=0.3, gamma=GAMMA), NuSVC(nu=0.3, kernel="precomputed")),
        (2, NuSVC(nu=0.3, gamma=GAMMA), NuSVC(nu=0.3, kernel="precomputed")),
    ):
        data = poisoned(classes=classes)
        curves = [
            bc.backdoor_learning_curve(estimator, of, betas=[0.0, 1.0])
            for estimator, of in ((named, data), (matrix, as_kernels(data, rbf)))
        ]
        assert curves[1].method == "refit"
        np.testing.assert_allclose(*[curve.loss("triggered", [0.0, 1.0]) for curve in curves], rtol=1e-3, atol=1e-4)


def test_a_step_before_sees_the_matrix_of_all_training_rows():
    """KernelCenterer, fitted jointly, is centring in the features."""
    data = poisoned()
    train = np.vstack([data.clean_train.X, data.poison_train.X])
    middle = train.mean(axis=0)
    pipe = make_pipeline(KernelCenterer(), by_matrix())
    curve = bc.backdoor_learning_curve(pipe, as_kernels(data, linear_kernel))
    centred = [(part.X - middle, part.y) for part in (data.clean_train, data.poison_train)]
    tests = [(part.X - middle, part.y) for part in (data.clean_test, data.triggered_test)]
    named = bc.backdoor_learning_curve(SVC(kernel="linear"), bc.PoisonedData(*centred, *tests))
    np.testing.assert_allclose(curve.loss("triggered", BETAS), named.loss("triggered", BETAS), atol=1e-9)
    with pytest.raises(ValueError, match='freeze: "joined" was expected with steps before a precomputed kernel'):
        bc.backdoor_learning_curve(pipe, as_kernels(data, linear_kernel), freeze="clean")


def test_without_steps_the_clean_freeze_weighs_classes_by_the_clean_rows():
    """There is nothing else to freeze."""
    data, words = poisoned(), {"class_weight": "balanced"}
    a = bc.backdoor_learning_curve(by_matrix(**words), as_kernels(data, rbf), freeze="clean")
    b = bc.backdoor_learning_curve(by_name(**words), data, freeze="clean")
    np.testing.assert_allclose(a.loss("clean", BETAS), b.loss("clean", BETAS), rtol=1e-10)


def test_rows_that_are_no_training_rows_meet_as_training_rows_see_them():
    """Of features that training rows span that is their inner product; a third direction is not seen."""
    rng = np.random.default_rng(0)
    X, A, B = (np.hstack([rng.normal(size=(k, 2)), np.full((k, 1), z)]) for k, z in ((9, 0.0), (4, 1.0), (3, 2.0)))
    kernel = PrecomputedKernel(X @ X.T)
    np.testing.assert_allclose(kernel(A @ X.T, B @ X.T), A[:, :2] @ B[:, :2].T, atol=1e-12)
    np.testing.assert_allclose(kernel(A @ X.T, kernel.numbers), A @ X.T, atol=1e-12)


def bent(data, share):
    """Return kernels with one eigenvalue of the training rows below 0, by a share of the largest."""
    kernels = as_kernels(data, rbf)
    K = np.vstack([kernels.clean_train.X, kernels.poison_train.X])
    values, vectors = np.linalg.eigh(K)
    K -= (values[0] + share * values[-1]) * np.outer(vectors[:, 0], vectors[:, 0])
    n = len(kernels.clean_train)
    return bc.PoisonedData(
        (K[:n], data.clean_train.y), (K[n:], data.poison_train.y), kernels.clean_test, kernels.triggered_test
    )


def test_a_matrix_that_is_no_kernel_is_refused_with_its_eigenvalue():
    """Smallest over largest; a refit takes it, as scikit-learn does."""
    data = bent(poisoned(), 1e-3)
    with pytest.raises(ValueError, match=r"-1.0e-03 of the largest.*clip its eigenvalues .* method=.refit."):
        bc.backdoor_learning_curve(by_matrix(), data)
    assert bc.backdoor_learning_curve(by_matrix(), data, method="refit", betas=BETAS).method == "refit"
    assert bc.backdoor_learning_curve(by_matrix(), bent(poisoned(), -1e-9)).exact


def scaled(factor):
    """Return kernels times a number."""
    return as_kernels(poisoned(), lambda A, B: factor * rbf(A, B))


def test_a_kernel_with_its_sign_turned_has_no_share_of_a_largest_eigenvalue():
    """None is above 0; of -rbf the largest rounds to 0 or is below, and a share of it says nothing."""
    with pytest.raises(ValueError, match=r"eigenvalue -[0-9.]+, and none above 0: .*turn its sign.*method=.refit."):
        bc.backdoor_learning_curve(by_matrix(), scaled(-1.0))
    distances = as_kernels(poisoned(), lambda A, B: -(A @ B.T))  # of rank 5: the others round to either side of 0
    with pytest.raises(ValueError, match="and none above 0"):
        bc.backdoor_learning_curve(by_matrix(), distances)


@pytest.mark.parametrize("method", ["auto", "refit"])
def test_values_beyond_single_precision_are_refused_and_their_curve_comes_by_rescaling(method):
    """K / c with c C has the scores of K with C: what the message advises."""
    with pytest.raises(ValueError, match=r"clean_train: kernel values up to 3.4e\+38 .* 1.0e\+200 came; divide"):
        bc.backdoor_learning_curve(by_matrix(), scaled(1e200), method=method, betas=[0.0, 1.0])
    curves = [
        bc.backdoor_learning_curve(by_matrix(C, tol=1e-6), scaled(factor), method=method, betas=[0.0, 1.0])
        for factor, C in ((1e3, 1.0), (1.0, 1e3))
    ]
    np.testing.assert_allclose(*[curve.loss("triggered", [0.0, 1.0]) for curve in curves], rtol=1e-3)


def test_values_that_are_no_numbers_are_told_without_advice_that_breaks_the_square():
    """An imputer, or dropping rows alone, would leave another matrix than the kernel's."""
    kernels = as_kernels(poisoned(), rbf)
    kernels.clean_train.X[3, 4] = np.nan
    with pytest.raises(ValueError, match="clean_train: finite kernel values were expected, 1 are NaN") as caught:
        bc.backdoor_learning_curve(by_matrix(), kernels)
    assert "imputer" not in str(caught.value)
    assert "takes its column along" in str(caught.value)


def columns_missing(data):
    """Return kernels with the clean rows alone."""
    n = len(data.clean_train)
    parts = (data.clean_train, data.poison_train, data.clean_test, data.triggered_test)
    return bc.PoisonedData(*[(rbf(part.X, data.clean_train.X), part.y) for part in parts]), n


def test_columns_are_counted():
    """One for each training row; for refits too."""
    data, n = columns_missing(poisoned())
    for method in ("auto", "refit"):
        with pytest.raises(ValueError, match=rf"with all 72 training rows.*clean rows, then the poison.*\({n},\) came"):
            bc.backdoor_learning_curve(by_matrix(), data, method=method, betas=BETAS)


def test_a_matrix_has_no_gradient_in_the_input():
    """What the features were is not known."""
    kernels = as_kernels(poisoned(), rbf)
    curve = bc.backdoor_learning_curve(by_matrix(), kernels)
    with pytest.raises(ValueError, match="needs a kernel by name; that of a function, or of a matrix"):
        bc.input_gradient(curve, kernels.clean_test.X, 0.5)


def test_the_matrix_is_left_as_it_was():
    """And so are the test rows."""
    kernels = as_kernels(poisoned("replace"), rbf)
    before = [part.X.copy() for part in (kernels.clean_train, kernels.poison_train, kernels.triggered_test)]
    bc.backdoor_learning_curve(by_matrix(), kernels)
    for part, X in zip((kernels.clean_train, kernels.poison_train, kernels.triggered_test), before, strict=True):
        np.testing.assert_array_equal(part.X, X)


def test_other_learners_take_kernel_rows_as_features():
    """Only an SVM knows what a precomputed kernel is."""
    assert bc.backdoor_learning_curve(RidgeClassifier(), as_kernels(poisoned(), rbf)).method == "ridge"
