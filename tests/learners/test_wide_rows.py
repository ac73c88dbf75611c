"""Sparse rows of a million columns cost what the columns cost that the training rows use, and nothing else changes."""

from __future__ import annotations

import io
import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.kernels import memory
from backdoor_curves.paths.ridge import path
from backdoor_curves.paths.used_features import PathInUsedFeatures

BETAS = np.array([0.0, 1e-3, 0.3, 1.0])
IN_FEATURES = (
    RidgeClassifier(alpha=0.5),
    RidgeClassifier(alpha=0.5, fit_intercept=False),
    LogisticRegression(C=3.0),
    LogisticRegression(C=3.0, solver="liblinear", intercept_scaling=2.0),
    LinearSVC(C=2.0, random_state=0),
    LinearSVC(C=2.0, intercept_scaling=3.0, random_state=0),
)
"""Followed in the space of their features."""
BY_KERNEL = (LinearSVC(C=2.0, loss="hinge", random_state=0), SVC(kernel="linear"), SVC(gamma=0.1))
"""Followed by the inner products of rows."""


def words(rng: np.random.Generator, n: int, d: int, per_row: int = 12) -> sp.csr_array:
    """Rows of a few words each, the first of d far more frequent."""
    columns = np.minimum(rng.pareto(0.7, size=(n, per_row)).astype(int), d - 1)
    X = sp.csr_array((np.ones(n * per_row), (np.repeat(np.arange(n), per_row), columns.ravel())), shape=(n, d))
    X.sum_duplicates()
    return X


def mails(n: int = 80, d: int = 200, classes: int = 2, seed: int = 0) -> bc.PoisonedData:
    """Word counts with a word as the trigger; test rows have words that no training row has."""
    rng = np.random.default_rng(seed)
    X, y = words(rng, 2 * n, d), np.arange(2 * n) % classes

    def word(rows, labels):  # noqa: ARG001
        stamped = sp.lil_array(rows)
        stamped[:, d - 2] = 1.0
        return sp.csr_array(stamped)

    return bc.poison((X[:n], y[:n]), (X[n:], y[n:]), trigger=word, rate=0.2, labels=0, rng=rng)


def scattered(X: sp.csr_array, places: np.ndarray, wide: int) -> sp.csr_array:
    """The same rows with their columns at other places among many."""
    return sp.csr_array((X.data, places[X.indices], X.indptr), shape=(X.shape[0], wide))


def everywhere(data: bc.PoisonedData, change) -> bc.PoisonedData:
    names = ("clean_train", "poison_train", "clean_test", "triggered_test")
    return replace(
        data, **{name: bc.Samples(change(part.X), part.y) for name in names for part in [getattr(data, name)]}
    )


def both(wide: int = 5000, **kinds: int) -> tuple[bc.PoisonedData, bc.PoisonedData]:
    """Mails over the words that training rows use, and the same among many columns, with words that none of them use.

    The test rows of the second have more, in columns between those of the first.
    """
    data = mails(**kinds)
    used = np.unique(np.concatenate([data.clean_train.X.indices, data.poison_train.X.indices]))
    narrow = everywhere(data, lambda X: X[:, used])
    rng = np.random.default_rng(1)
    places = np.sort(rng.choice(wide, len(used), replace=False))
    others = np.setdiff1d(np.arange(wide), places)

    def widened(X):
        return scattered(X, places, wide)

    def with_others(X):
        return widened(X) + scattered(words(rng, X.shape[0], len(others)), others, wide)

    broad = everywhere(narrow, widened)
    more = {
        name: bc.Samples(with_others(getattr(narrow, name).X), getattr(narrow, name).y)
        for name in ("clean_test", "triggered_test")
    }
    return narrow, replace(broad, **more)


@pytest.mark.parametrize("estimator", IN_FEATURES, ids=str)
def test_columns_that_no_training_row_uses_change_nothing(estimator):
    """Their coefficients are 0 at every beta, whatever test rows have there: all answers are the same to a bit."""
    narrow, broad = (bc.backdoor_learning_curve(estimator, data, betas=BETAS) for data in both())
    assert isinstance(broad.path, PathInUsedFeatures)
    assert not isinstance(narrow.path, PathInUsedFeatures)
    for ask in (
        lambda c: c.scores("triggered"),
        lambda c: c.scores("clean", 0.123),
        lambda c: c.slope(BETAS),
        lambda c: c.certificate([0.0, 0.4]).score_bound,
        lambda c: c.norm(),
        lambda c: c.angle(),
        lambda c: c.flip_betas,
        lambda c: c.influence(0.3).values,
        lambda c: c.self_influence(1.0),
        lambda c: c.path.parameters(BETAS).intercept,
    ):
        np.testing.assert_array_equal(ask(broad), ask(narrow))
    assert (broad.method, broad.exact) == (narrow.method, True)


@pytest.mark.parametrize("estimator", BY_KERNEL[:2], ids=str)
def test_a_kernel_sees_the_same_products(estimator):
    """Of a linear kernel test rows' own words are in no product with a training row."""
    narrow, broad = (bc.backdoor_learning_curve(estimator, data, betas=BETAS) for data in both())
    np.testing.assert_array_equal(broad.scores("triggered"), narrow.scores("triggered"))
    np.testing.assert_array_equal(broad.influence(0.3).values, narrow.influence(0.3).values)


@pytest.mark.parametrize("estimator", [LinearSVC(C=2.0, random_state=0), LogisticRegression(C=3.0)], ids=repr)
def test_a_path_of_many_classes_has_scores_of_rows_of_all_columns(estimator):
    """Also where each class has nodes of its own."""
    narrow, wide = both(classes=3)
    few, many = (bc.backdoor_learning_curve(estimator, data).path for data in (narrow, wide))
    scores = [path.scores(data.clean_test.X, BETAS) for path, data in ((few, narrow), (many, wide))]
    np.testing.assert_allclose(*scores, rtol=0, atol=1e-6)


def test_words_of_test_rows_count_for_a_gaussian_kernel():
    """They make a row longer, and so farther from all others: such learners see all columns."""
    estimator, (_, broad) = SVC(gamma=0.1, tol=1e-8), both()
    curve = bc.backdoor_learning_curve(estimator, broad, betas=[1.0])
    X = sp.vstack([broad.clean_train.X, broad.poison_train.X]).toarray()
    fit = estimator.fit(X, np.append(broad.clean_train.y, broad.poison_train.y))
    # libsvm's own tolerance, on scores of size 1.
    np.testing.assert_allclose(
        curve.scores("clean", 1.0)[0], fit.decision_function(broad.clean_test.X.toarray()), atol=1e-6
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_the_fit_of_scikit_learn_has_the_same_coefficients(classes):
    """An independent road: `Ridge`'s own solver on all columns, intercept and centring included."""
    _, data = both(classes=classes)
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=0.5), data)
    rows = sp.vstack([data.clean_train.X, data.poison_train.X]).toarray()
    fit = RidgeClassifier(alpha=0.5, solver="svd").fit(rows, np.append(data.clean_train.y, data.poison_train.y))
    found = curve.path.parameters(np.array([1.0]))
    np.testing.assert_allclose(found.coef[0].T, np.atleast_2d(fit.coef_), atol=1e-11)
    np.testing.assert_allclose(found.intercept[0], fit.intercept_, atol=1e-11)
    # Of the columns that no training row has they are 0, not nearly so.
    assert not found.coef[0][~rows.any(axis=0)].any()


@pytest.mark.parametrize("estimator", [*IN_FEATURES, *BY_KERNEL[:2]], ids=str)
def test_gradients_have_the_shape_of_the_rows(estimator):
    """A linear learner has its coefficients at each row; what moves along them moves the score by as much."""
    _, data = both()
    curve, X = bc.backdoor_learning_curve(estimator, data), data.clean_test.X[:3]
    G = bc.input_gradient(curve, X, 0.5)
    assert G.shape == X.shape
    step = sp.csr_array(np.where(np.arange(X.shape[1]) % 7 == 0, 1.0, 0.0)[np.newaxis])
    moved = curve.path.scores(X + sp.vstack([step] * 3), np.array([0.5])) - curve.path.scores(X, np.array([0.5]))
    np.testing.assert_allclose(moved[0], G @ step.toarray()[0], atol=1e-12)
    signs = np.sign(curve.path.scores(X, np.array([0.5]))[0])
    np.testing.assert_array_equal(bc.input_gradient(curve, X, 0.5, of="predicted"), signs[:, np.newaxis] * G)


def test_gradients_of_dense_rows_are_the_callers_own():
    """They may be written to, as ever."""
    data = everywhere(mails(), lambda X: X.toarray())
    G = bc.input_gradient(bc.backdoor_learning_curve(RidgeClassifier(), data), data.clean_test.X)
    G[0] = 0.0
    assert G[1].any()


def test_the_mask_of_a_trigger_is_that_of_dense_rows():
    """Entries that differ in any row, and no gap that was there before."""
    _, data = both()
    original = data.original_train
    assert original is not None
    made = mails()
    dense = everywhere(
        replace(made, original_train=bc.Samples(original.X.toarray(), original.y)), lambda X: X.toarray()
    )
    np.testing.assert_array_equal(bc.trigger_mask(made), bc.trigger_mask(dense))
    assert bc.trigger_mask(made).sum() == 1


def test_a_file_has_the_same_answers():
    """What a curve keeps of its path has no columns."""
    _, data = both()
    curve = bc.backdoor_learning_curve(LinearSVC(random_state=0), data)
    copied = pickle.loads(pickle.dumps(curve))
    np.testing.assert_array_equal(copied.influence(0.3).values, curve.influence(0.3).values)
    file = io.BytesIO()
    curve.save(file)
    file.seek(0)
    again = bc.BackdoorLearningCurve.load(file)
    np.testing.assert_array_equal(again.norm(), curve.norm())
    np.testing.assert_array_equal(again.scores("clean"), curve.scores("clean"))


def test_what_is_shared_is_that_of_the_same_columns():
    """Rows of two data sets may look alike among the columns that are used, and be others."""
    shared = bc.Shared()
    for seed in (0, 1):
        _, data = both(seed=seed)
        for estimator in (*IN_FEATURES, *BY_KERNEL):
            alone = bc.backdoor_learning_curve(estimator, data, betas=BETAS).loss()
            np.testing.assert_allclose(
                bc.backdoor_learning_curve(estimator, data, betas=BETAS, shared=shared).loss(), alone, rtol=1e-9
            )


@pytest.mark.parametrize("estimator", [*IN_FEATURES, *BY_KERNEL], ids=str)
def test_a_million_columns_are_held_a_few_times_at_most(estimator):
    """One number for each column is 8 MiB; a path has some fifty nodes, and influences a hundred rows."""
    wide = 2**20
    _, data = both(wide)

    def work() -> None:
        curve = bc.backdoor_learning_curve(estimator, data)
        curve.influence(1.0)
        curve.influence(0.5, "clean")
        curve.self_influence(0.0)
        curve.slope([0.0, 0.5])
        curve.certificate([0.0, 0.123])
        curve.norm()
        curve.condensed()
        if not isinstance(estimator, SVC):
            bc.input_gradient(curve, data.clean_test.X, 1.0)

    tracemalloc.start()
    try:
        work()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Integers for the columns of a transposed matrix, twice, and the coefficients that are asked for.
    assert peak < 5 * 8 * wide


def test_influences_of_ridge_are_the_same_a_few_rows_at_a_time(monkeypatch):
    """Rows that are wide are solved for in blocks."""
    _, data = both()
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=0.5), data)
    at_once = curve.influence(0.3).values
    monkeypatch.setattr(path, "AT_ONCE", 500)
    # Products of other sizes add up in another order.
    np.testing.assert_allclose(curve.influence(0.3).values, at_once, rtol=1e-9, atol=1e-14)


def test_what_cannot_fit_is_refused_before_it_is_computed(monkeypatch):
    """With what it needs, what there is, and what helps."""
    _, data = both()
    curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
    kernel = bc.backdoor_learning_curve(SVC(), data)
    few = everywhere(data, lambda X: X[:, np.flatnonzero(data.clean_train.X.sum(axis=0))[:40]])
    monkeypatch.setattr(memory, "available_memory", lambda: 1e4)
    with pytest.raises(MemoryError, match=r"parameters: coefficients of 5000 features at 4 betas need .*path\.narrow"):
        curve.path.parameters(BETAS)
    assert curve.path.narrow.parameters(BETAS).coef.shape == (4, len(curve.path.used), 1)
    for of, asked in (("score", kernel), ("predicted", curve)):
        with pytest.raises(MemoryError, match="input_gradient: arrays of 80 rows with 5000 features need"):
            bc.input_gradient(asked, data.clean_test.X, of=of)
    assert bc.input_gradient(curve, data.clean_test.X).shape == (80, 5000)  # one gradient, seen 80 times
    with pytest.raises(
        MemoryError, match=r"ridge: the normal equations of 72 clean and 8 poison rows .*fewer features"
    ):
        bc.backdoor_learning_curve(RidgeClassifier(), data)
    for estimator in (LogisticRegression(), LinearSVC()):
        with pytest.raises(MemoryError, match="features: 80 training rows with 40 features, as arrays, need"):
            bc.backdoor_learning_curve(estimator, few)
