"""Weights of training rows, from Samples to the fit: those of scikit-learn's own sample_weight."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

import backdoor_curves as bc
from backdoor_curves.data.samples import join
from backdoor_curves.learners.exact import weighted

ENDS = 5e-6
"""What a curve may be from scikit-learn's fit: libsvm keeps its kernel in single precision, and lbfgs stops there."""

LEARNERS = {
    "ridge": RidgeClassifier(alpha=0.7),
    "logistic": LogisticRegression(tol=1e-10, max_iter=10_000),
    "liblinear": LogisticRegression(solver="liblinear", tol=1e-12, max_iter=10_000, random_state=0),
    "SVC": SVC(gamma=0.3, tol=1e-10),
    "SVC, linear": SVC(kernel="linear", C=0.2, tol=1e-10),
    "SVC, gamma of the rows": SVC(tol=1e-10),
    "LinearSVC": LinearSVC(C=0.2, tol=1e-12, max_iter=10_000, random_state=0),
    "LinearSVC, hinge": LinearSVC(C=0.02, loss="hinge", tol=1e-7, max_iter=100_000, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10, max_iter=10_000)),
    "bayes": GaussianNB(),
    "forest": RandomForestClassifier(5, random_state=0),
    "SGD": SGDClassifier(random_state=0),
    "NuSVC": NuSVC(nu=0.1, gamma=0.3, tol=1e-10),
}
every_learner = pytest.mark.parametrize("name", LEARNERS)


def rows(n=60, labels=("ham", "spam"), seed=0):
    """Overlapping classes of different size, with weights of their own."""
    rng = np.random.default_rng(seed)
    index = np.minimum(rng.integers(0, 2 * len(labels), n), len(labels) - 1)
    X = rng.normal(size=(n, 4)) + 0.8 * np.eye(len(labels), 4)[index]
    return bc.Samples(X, np.array(labels)[index], rng.uniform(0.2, 4.0, n))


def poisoned(labels=("ham", "spam"), **changes):
    trigger = bc.FeatureTrigger((3,), (4.0,))
    train, test = rows(labels=labels), rows(labels=labels, seed=1)
    words = {"rate": 0.2, "rng": np.random.default_rng(2), "trigger": trigger} | changes
    return bc.poison(train, test, **words)


def fit_of(estimator, data, beta):
    """scikit-learn's own fit with weights; at beta = 0 without the poison."""
    training = join(data.clean_train, data.poison_train, data.is_poison) if beta else data.clean_train
    weight = training.weight * np.where(data.is_poison, beta, 1.0) if beta else training.weight
    last = estimator.steps[-1][0] + "__" if hasattr(estimator, "steps") else ""
    return clone(estimator).fit(*training, **{f"{last}sample_weight": weight})


def scores_of(fit, X):
    if hasattr(fit, "decision_function"):
        return fit.decision_function(X)
    p = np.clip(fit.predict_proba(X), np.finfo(float).eps, 1.0)
    return np.log(p[:, 1] / p[:, 0])


@every_learner
@pytest.mark.parametrize("injection", ["replace", "append"])
def test_the_ends_are_scikit_learns_fits_with_the_same_weights(name, injection):
    """joined: beta = 1 is the victim's own; clean: beta = 0 is that of who never saw the poison."""
    data = poisoned(injection=injection)
    for freeze, beta in (("joined", 1.0), ("clean", 0.0)):
        curve = bc.backdoor_learning_curve(LEARNERS[name], data, betas=[0.0, 0.5, 1.0], freeze=freeze)
        expected = scores_of(fit_of(LEARNERS[name], data, beta), data.clean_test.X)
        np.testing.assert_allclose(curve.scores("clean", beta)[0], expected, atol=ENDS)
    assert curve.info.weighted_train
    assert curve.info.weighted_test


@every_learner
def test_between_the_ends_beta_multiplies_the_poison_rows_own(name):
    """And nothing of the clean rows."""
    data = poisoned()
    curve = bc.backdoor_learning_curve(LEARNERS[name], data, betas=[0.0, 0.3, 1.0])
    expected = scores_of(fit_of(LEARNERS[name], data, 0.3), data.clean_test.X)
    np.testing.assert_allclose(curve.scores("clean", 0.3)[0], expected, atol=ENDS)


@pytest.mark.parametrize("estimator", [RidgeClassifier(alpha=0.7), SVC(gamma=0.3, tol=1e-10)], ids=str)
def test_of_three_classes_too(estimator):
    """Ridge has a path, and pairs of classes are refitted."""
    data = poisoned(labels=("a", "b", "c"))
    curve = bc.backdoor_learning_curve(estimator, data, betas=[0.0, 1.0])
    expected = fit_of(estimator, data, 1.0).predict(data.clean_test.X)
    np.testing.assert_array_equal(curve.predictions("clean", 1.0)[0], expected)


@pytest.mark.parametrize("method", ["exact", "refit"])
def test_a_precomputed_kernel_has_the_rows_weights(method):
    """The columns are in the victim's order, and the weights go with the rows."""
    data = poisoned(injection="replace")
    training = join(data.clean_train, data.poison_train, data.is_poison).X

    def with_kernel(part):
        return bc.Samples(rbf_kernel(part.X, training, gamma=0.3), part.y, part.weight)

    parts = (data.clean_train, data.poison_train, data.clean_test, data.triggered_test)
    given = bc.PoisonedData(
        *map(with_kernel, parts),
        original_train=with_kernel(data.original_train),
        poison_rows=data.poison_rows,
        poisoning=data.poisoning,
    )
    how = {"method": method, "betas": [0.0, 0.3, 1.0]}
    curve = bc.backdoor_learning_curve(SVC(kernel="precomputed", tol=1e-10), given, **how)
    expected = bc.backdoor_learning_curve(SVC(gamma=0.3, tol=1e-10), data, betas=[0.0, 0.3, 1.0])
    np.testing.assert_allclose(curve.scores("clean"), expected.scores("clean"), atol=ENDS)
    np.testing.assert_allclose(curve.loss("triggered"), expected.loss("triggered"), atol=ENDS)


def test_an_svm_that_serves_another_lambda_looks_at_the_weights():
    """Shared paths are known by their rows: those with other weights are others."""
    data, shared = poisoned(), bc.Shared()
    plain = bc.PoisonedData(*(tuple(getattr(data, part)) for part in PARTS))
    for C in (0.5, 0.25):
        for some in (plain, data):
            curve = bc.backdoor_learning_curve(SVC(C=C, gamma=0.3), some, shared=shared)
            alone = bc.backdoor_learning_curve(SVC(C=C, gamma=0.3), some)
            np.testing.assert_allclose(curve.scores("clean"), alone.scores("clean"), atol=1e-9)


PARTS = ("clean_train", "poison_train", "clean_test", "triggered_test")
BALANCED = {name: LEARNERS[name] for name in ("ridge", "logistic", "liblinear", "SVC", "LinearSVC", "forest", "SGD")}


@pytest.mark.parametrize("name", BALANCED)
@pytest.mark.parametrize("freeze", ["joined", "clean"])
def test_balanced_classes_are_those_of_scikit_learns_own_fit(name, freeze):
    """Some count a class's rows, others add up their weights, and since 1.7 LogisticRegression and LinearSVC do."""
    data, estimator = poisoned(), clone(BALANCED[name]).set_params(class_weight="balanced")
    curve = bc.backdoor_learning_curve(estimator, data, freeze=freeze, betas=[0.0, 1.0])
    beta = 1.0 if freeze == "joined" else 0.0
    expected = scores_of(fit_of(estimator, data, beta), data.clean_test.X)
    np.testing.assert_allclose(curve.scores("clean", beta)[0], expected, atol=ENDS)


@pytest.mark.parametrize("name", ["ridge", "logistic", "SVC", "LinearSVC", "forest"])
def test_weights_of_rows_and_of_classes_are_multiplied(name):
    """As scikit-learn has it."""
    data, estimator = poisoned(), clone(LEARNERS[name]).set_params(class_weight={"ham": 0.3, "spam": 2.0})
    curve = bc.backdoor_learning_curve(estimator, data, betas=[0.0, 0.6, 1.0])
    for beta in (0.0, 0.6, 1.0):
        expected = scores_of(fit_of(estimator, data, beta), data.clean_test.X)
        np.testing.assert_allclose(curve.scores("clean", beta)[0], expected, atol=ENDS)


def test_steps_get_no_weights_unless_they_request_them():
    """So a Pipeline has it; who enables routing and requests them for a scaler gets the scaler's weighted mean."""
    data = poisoned()
    curve = bc.backdoor_learning_curve(make_pipeline(StandardScaler(), RidgeClassifier()), data)
    training = join(data.clean_train, data.poison_train, data.is_poison)
    np.testing.assert_allclose(curve.learner.steps[0].mean_, training.X.mean(axis=0))
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), MinMaxScaler())
        pipeline = make_pipeline(scaler, RidgeClassifier().set_fit_request(sample_weight=True))
        curve = bc.backdoor_learning_curve(pipeline, data)
        fit = clone(pipeline).fit(*training, sample_weight=training.weight)
    mean = np.average(training.X, axis=0, weights=training.weight)
    np.testing.assert_allclose(curve.learner.steps[0].steps[0][1].mean_, mean)
    np.testing.assert_allclose(curve.scores("clean", 1.0)[0], fit.decision_function(data.clean_test.X), atol=1e-9)


# --- the way of a weight ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("injection", ["replace", "append"])
def test_a_stamped_row_has_the_weight_of_its_original(injection):
    """In training and test, in the control, and in what the victim sees."""
    data = poisoned(injection=injection)
    original = data.original_train
    np.testing.assert_array_equal(data.poison_train.weight, original.weight[data.poison_rows])
    np.testing.assert_array_equal(data.control().poison_train.weight, data.poison_train.weight)
    np.testing.assert_array_equal(data.clean_test.weight, rows(seed=1).weight)
    np.testing.assert_array_equal(data.triggered_test.weight, data.clean_test.weight)  # "next" attacks all of them
    victims = join(data.clean_train, data.poison_train, data.is_poison)
    expected = original.weight if injection == "replace" else np.append(original.weight, data.poison_train.weight)
    np.testing.assert_array_equal(victims.weight, expected)


def test_the_rate_is_a_share_of_rows():
    """The same rows are drawn whatever they weigh."""
    train, test = rows(), rows(seed=1)
    same = bc.poison(
        tuple(train), tuple(test), trigger=bc.FeatureTrigger((3,), (4.0,)), rate=0.2, rng=np.random.default_rng(2)
    )
    data = poisoned()
    np.testing.assert_array_equal(data.poison_rows, same.poison_rows)
    assert (data.rate, data.poisoning) == (same.rate, same.poisoning)
    assert not same.clean_train.is_weighted


def test_rows_and_weights_are_taken_together():
    """In any order."""
    some = rows()
    order = np.array([5, 2, 2, 7])
    taken = some.take(order)
    np.testing.assert_array_equal(taken.weight, some.weight[order])
    assert "weights from" in repr(some)
    assert "weights" not in repr(bc.Samples(*some))


@pytest.mark.parametrize(
    "weight",
    [
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        np.array([1, 2, 3], dtype=np.uint8),
        pd.Series([1, 2, 3], index=[7, 8, 9]),
        pd.Series([1, 2, 3], dtype="Int64"),
        pd.Series([1.0, 2.0, 3.0], dtype="double[pyarrow]"),
        pl.Series([1, 2, 3]),
        [Decimal(1), Decimal(2), Decimal(3)],
    ],
    ids=lambda weight: f"{type(weight).__name__} {getattr(weight, 'dtype', '')}",
)
def test_weights_may_be_whatever_holds_numbers(weight):
    """A column of a frame for one; positions count, and not an index."""
    found = bc.Samples([[0.0], [1.0], [2.0]], [0, 1, 0], weight).weight
    assert found.dtype == float
    assert found.tolist() == [1.0, 2.0, 3.0]


WRONG = {
    "too few": ([1, 2], "one number a row was expected, of 3 rows, shape (2,) came"),
    "a number": (2.0, "of 3 rows, shape () came"),
    "a table": ([[1], [2], [3]], "of 3 rows, shape (3, 1) came"),
    "text": (["1", "2", "3"], "one number a row was expected, text came; convert them"),
    "bools": ([True, False, True], "one number a row was expected, bool values came"),
    "complex": ([1j, 1, 2], "one number a row was expected, complex128 values came"),
    "bools of pandas": (pd.Series([True, None, True], dtype="boolean"), "one number a row was expected, object values"),
    "NaN": ([1, np.nan, 3], "1 of 3 is none, of row 1: nan; mend these weights, or leave these rows out"),
    "gaps": ([None, 1, None], "2 of 3 are none, the first of row 0: nan; mend these weights"),
    "nullable": (pd.Series([1, None, 2], dtype="Int64"), "1 of 3 is none, of row 1: nan"),
    "polars": (pl.Series([1, None, 2]), "1 of 3 is none, of row 1: nan"),
    "infinite": ([1, np.inf, 1], "1 of 3 is none, of row 1: inf; mend"),
    "negative": ([1, 0, -2], "2 of 3 are none, the first of row 1: 0; mend these weights, or leave these rows out"),
    "zero": ([1, 0, 0], "2 of 3 are none, the first of row 1: 0; leave out rows that weigh nothing"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_weight_is_refused(kind):
    """With their number and the first of them. A row of weight 0 would count for some learners, and not for others."""
    weight, said = WRONG[kind]
    with pytest.raises(ValueError, match=r"^weight: ") as caught:
        bc.Samples([[0.0], [1.0], [2.0]], [0, 1, 0], weight)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_learner_that_forgets_weights_is_noticed(monkeypatch):
    """The check of the ends fails for each exact path where the seam drops the rows' own weights."""
    monkeypatch.setattr(weighted, "row_weights", lambda learner, samples: np.ones(len(samples)))  # noqa: ARG005
    for name in ("logistic", "SVC", "LinearSVC"):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            test_the_ends_are_scikit_learns_fits_with_the_same_weights(name, "replace")
