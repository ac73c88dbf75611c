"""Refits beta by beta, against fits made by hand."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import backdoor_curves as bc
from backdoor_curves.data.samples import join
from backdoor_curves.learners import refit as refitting

BETAS = [0.0, 0.3, 1.0]
LEARNERS = {
    "logistic": LogisticRegression(C=2.0, max_iter=1000),
    "rbf": SVC(C=3.0, gamma="scale"),
    "linear svm": LinearSVC(C=0.1, max_iter=100_000, random_state=0),
    "tree": DecisionTreeClassifier(max_depth=4, random_state=0),
    "bayes": GaussianNB(),
    "scaled": make_pipeline(StandardScaler(), LogisticRegression(C=0.5)),
}


def poisoned(n=120, d=5, n_classes=2, seed=0):
    """Rows of overlapping classes; the trigger moves the last feature far out."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(2 * n, d)), np.arange(2 * n) % n_classes
    X[:, 0] += y
    trigger = bc.FeatureTrigger((d - 1,), (4.0,))
    return bc.poison((X[:n], y[:n]), (X[n:], y[n:]), trigger=trigger, rate=0.15, rng=rng)


def mails():
    rng = np.random.default_rng(0)
    words = {"ham": ["meeting", "report", "lunch", "thanks"], "spam": ["prize", "winner", "cash", "click"]}
    y = np.array(["ham", "spam"] * 40)
    X = [" ".join(rng.choice(words[label] + ["the", "you", "and"], 8)) for label in y]
    trigger = lambda X, _: [text + " zqx" for text in X]  # noqa: E731 - the README writes it so
    return bc.poison((X[:50], y[:50]), (X[50:], y[50:]), trigger=trigger, labels="ham", rate=0.2, rng=rng)


def decision(fit, X):
    if hasattr(fit, "decision_function"):
        return fit.decision_function(X)
    with np.errstate(divide="ignore"):  # a tree's leaf may be pure; the package clips at the machine epsilon
        logs = np.log(np.maximum(fit.predict_proba(X), np.finfo(float).eps))
    return logs[:, 1] - logs[:, 0]


def check_ends(estimator, data):
    """The curve begins with the fit that never saw the poison, and ends with the victim's."""
    curves = {
        freeze: bc.backdoor_learning_curve(estimator, data, method="refit", freeze=freeze, betas=BETAS)
        for freeze in ("clean", "joined")
    }
    without = clone(estimator).fit(*data.clean_train)
    victim = clone(estimator).fit(*join(data.clean_train, data.poison_train, data.is_poison))
    for samples, split in ((data.triggered_test, "triggered"), (data.clean_test, "clean")):
        # The same solver gets the same rows in the same order: equal to the last bits.
        np.testing.assert_allclose(curves["clean"].scores(split, 0.0)[0], decision(without, samples.X), atol=1e-12)
        np.testing.assert_allclose(curves["joined"].scores(split, 1.0)[0], decision(victim, samples.X), atol=1e-12)
    return curves


@pytest.mark.parametrize("name", LEARNERS)
def test_refits_begin_without_the_poison_and_end_with_the_victims_fit(name):
    """At beta = 0 the poison rows are dropped, since a row of weight 0 still counts for gamma or a mean."""
    check_ends(LEARNERS[name], poisoned())


@pytest.mark.filterwarnings("ignore:trigger. the frozen steps")
def test_refits_take_texts():
    """The vocabulary is frozen: joined it holds the trigger word, clean it does not, and there is no backdoor."""
    data = mails()
    curves = check_ends(make_pipeline(TfidfVectorizer(), LogisticRegression(C=10.0)), data)
    assert np.ptp(curves["joined"].loss("triggered")) > 0.1
    triggered, without = data.triggered_test.X, [text.removesuffix(" zqx") for text in data.triggered_test.X]
    steps = [curve.path.models for curve in curves.values()]
    assert len(triggered) == len(without)
    assert steps[0][0].estimator.n_features_in_ == steps[1][0].estimator.n_features_in_ - 1


@pytest.mark.parametrize("name", ["logistic", "rbf", "bayes"])
def test_a_beta_between_is_a_sample_weight(name):
    """Beta is the weight of the poison rows and of nothing else."""
    data = poisoned()
    curve = bc.backdoor_learning_curve(LEARNERS[name], data, method="refit", betas=BETAS)
    rows = join(data.clean_train, data.poison_train, data.is_poison)
    estimator = clone(LEARNERS[name])
    if name == "rbf":
        estimator.set_params(gamma=1 / (rows.X.shape[1] * rows.X.var()))
    fit = estimator.fit(*rows, sample_weight=np.where(data.is_poison, 0.3, 1.0))
    np.testing.assert_allclose(curve.scores("clean", 0.3)[0], decision(fit, data.clean_test.X), atol=1e-12)


@pytest.mark.parametrize("name", ["linear svm", "tree"])
def test_two_jobs_give_what_one_gives(name):
    """Each fit starts from itself, wherever it runs."""
    data = poisoned()
    one, two = (
        bc.backdoor_learning_curve(LEARNERS[name], data, method="refit", betas=BETAS, n_jobs=n) for n in (None, 2)
    )
    assert np.array_equal(one.scores("triggered"), two.scores("triggered"))


def test_a_warm_start_reaches_the_same_optimum():
    """The optimum is unique; scores within 1e-5 is what a gradient of 1e-8 leaves."""
    data = poisoned()
    cold, warm = (
        bc.backdoor_learning_curve(
            LogisticRegression(C=5.0, tol=1e-9, max_iter=5000, warm_start=start),
            data,
            method="refit",
            betas=np.linspace(0, 1, 11),
        )
        for start in (False, True)
    )
    np.testing.assert_allclose(warm.scores("triggered"), cold.scores("triggered"), atol=1e-5)
    warm_iterations, cold_iterations = (
        sum(int(model.estimator.n_iter_[0]) for model in curve.path.models) for curve in (warm, cold)
    )
    assert warm_iterations < cold_iterations


def test_unconverged_betas_are_named_once_and_kept():
    """One warning for the curve, not one a fit, and the betas can be read off the curve."""

    class GivesUp(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            if sample_weight.min() == 0.3:
                warnings.warn("gave up", ConvergenceWarning, stacklevel=2)
            return super().fit(X, y, sample_weight)

    with pytest.warns(ConvergenceWarning, match=r"did not converge at 1 of 3 betas \(0.3\); raise max_iter") as seen:
        curve = bc.backdoor_learning_curve(GivesUp(), poisoned(), betas=BETAS)
    assert len(seen) == 1
    assert curve.missed.tolist() == [0.3]
    assert curve.certificate() is None


def test_real_solvers_that_stop_are_noticed():
    """LogisticRegression and LinearSVC say so by a warning, and both end in `missed`."""
    data = poisoned()
    for estimator in (LogisticRegression(max_iter=1), LinearSVC(C=1e4, max_iter=2, random_state=0)):
        with pytest.warns(ConvergenceWarning, match="at 3 of 3 betas"):
            curve = bc.backdoor_learning_curve(estimator, data, method="refit", betas=BETAS)
        assert curve.missed.tolist() == BETAS


def test_other_warnings_of_a_fit_come_through():
    """Only the warning that the path repeats in its own words is swallowed."""

    class Warns(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            warnings.warn("look here", UserWarning, stacklevel=2)
            return super().fit(X, y, sample_weight)

    with pytest.warns(UserWarning, match="look here"):
        bc.backdoor_learning_curve(Warns(), poisoned(), betas=BETAS)


@pytest.mark.parametrize(
    "estimator",
    [SVC(kernel="linear", C=0.3), SVC(C=3.0, gamma=0.2), SVC(kernel="poly", degree=2, gamma=0.2, coef0=1.0)],
    ids=["linear", "rbf", "poly"],
)
def test_norm_of_a_kernel_machine_is_the_norm_in_the_kernels_space(estimator):
    """|w|^2 = a'Ka; for the explicit maps of linear and quadratic kernels it is the norm of a vector."""
    data = poisoned()
    curve = bc.backdoor_learning_curve(estimator, data, method="refit", betas=BETAS)
    rows = join(data.clean_train, data.poison_train, data.is_poison)
    maps = {
        "linear": lambda X: X,
        "poly": lambda X: np.column_stack(
            [np.ones(len(X)), np.sqrt(0.4) * X, 0.2 * np.einsum("ni,nj->nij", X, X).reshape(len(X), -1)]
        ),
    }
    w = []
    for beta in BETAS:
        kept = slice(None) if beta else ~data.is_poison
        weights = np.where(data.is_poison, beta, 1.0)[kept]
        fit = clone(estimator).fit(rows.X[kept], rows.y[kept], sample_weight=weights)
        if estimator.kernel in maps:
            w.append(fit.dual_coef_[0] @ maps[estimator.kernel](fit.support_vectors_))
        else:  # an expansion on all rows, so that inner products need one matrix
            a = np.zeros(len(rows))
            a[np.arange(len(rows))[kept][fit.support_]] = fit.dual_coef_[0]
            K = np.exp(-0.2 * ((rows.X[:, None] - rows.X) ** 2).sum(-1))
            values, U = np.linalg.eigh(K)
            w.append(np.sqrt(np.maximum(values, 0.0)) * (U.T @ a))
    norms = np.linalg.norm(w, axis=1)
    np.testing.assert_allclose(curve.norm(), norms, rtol=1e-9)
    np.testing.assert_allclose(curve.cosine(), np.array(w) @ w[0] / norms / norms[0], atol=1e-9)


def test_a_table_of_models_without_a_w_has_no_gram_matrix():
    """A tree has no parameter vector, and an angle is refused rather than made up."""
    curve = bc.backdoor_learning_curve(LEARNERS["tree"], poisoned(), betas=BETAS)
    assert curve.path.nodal_gram() is None
    with pytest.raises(ValueError, match="norm and angle need a parameter vector w; DecisionTreeClassifier"):
        curve.angle()


def test_poison_of_weight_zero_in_place_of_dropping_it_is_noticed(monkeypatch):
    """The check of the ends fails for a path that forgets to drop the poison at beta = 0."""
    right = refitting.refit_path

    def forgetful(fit, X, y, is_poison, betas, **options):
        kept = right(fit, X, y, is_poison, betas, **options)
        first = fit(X, y, np.where(is_poison, 1e-300, 1.0), None)
        return replace(kept, models=[first, *kept.models[1:]])

    monkeypatch.setattr(refitting, "refit_path", forgetful)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_ends(LEARNERS["bayes"], poisoned())
