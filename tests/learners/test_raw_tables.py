"""Tables as they come, without a scaler: curves are those of converged fits, or a sentence names what drowns."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.learners.follow import large_columns
from backdoor_curves.learners.reading import read_learner
from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.intercept import FREE
from reference.logistic_newton import optimum


def stamped(X, y, value, n):
    """Rows in random order, the first n to train on; a tenth of them stamped in the first column."""
    order = np.random.default_rng(0).permutation(len(y))
    X, y = np.asarray(X, dtype=float)[order], np.asarray(y)[order]

    def trigger(rows, _):
        rows = rows.copy()
        rows[:, 0] = value
        return rows

    rng = np.random.default_rng(0)
    return bc.poison((X[:n], y[:n]), (X[n:], y[n:]), trigger=trigger, rate=0.1, labels=1, rng=rng)


def breast():
    X, y = load_breast_cancer(return_X_y=True)
    return stamped(X, y, 43.0, 379)


def wine():
    X, y = load_wine(return_X_y=True)
    return stamped(X, y == 1, 15.0, 118)


def diabetes():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return stamped(X, y > 140, 120.0, 221)


@pytest.mark.parametrize("C", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("table", [breast, wine, diabetes])
def test_the_first_thing_that_is_tried_works(table, C):
    """LogisticRegression on columns as they are: scores are those of Newton's method in extended precision."""
    data = table()
    curve = bc.backdoor_learning_curve(LogisticRegression(C=C), data)
    X = np.vstack([data.clean_train.X, data.poison_train.X])
    y = np.where(np.append(data.clean_train.y, data.poison_train.y) == 1, 1.0, -1.0)
    test, n = data.triggered_test.X, len(data.clean_train)
    for beta in (0.0, 0.3, 1.0):
        best = optimum(X, y, C * np.append(np.ones(n), beta * np.ones(len(X) - n)), FREE)
        error = float(np.abs(curve.scores("triggered", beta) - best.scores(test)).max())
        (bound,) = curve.certificate([beta]).score_bound
        assert error <= bound + 4 * best.error
        assert bound <= 1e-6


HINGES = [LinearSVC(loss="hinge"), LinearSVC(loss="hinge", C=1e4), SVC(kernel="linear"), SVC(kernel="linear", C=1e3)]


@pytest.mark.parametrize("estimator", [LinearSVC(), LinearSVC(C=100.0), SVC(), *HINGES], ids=str)
@pytest.mark.parametrize("table", [breast, wine, diabetes])
def test_other_learners_follow_them_too(table, estimator):
    curve = bc.backdoor_learning_curve(estimator, table())
    assert curve.certificate([0.0, 0.5, 1.0]).score_bound.max() <= 1e-6


def test_rows_about_their_mean_give_the_same_linear_svc():
    """A free intercept takes up where the rows are; parameters are those of the rows as they came."""
    X, y = np.random.default_rng(1).normal(size=(80, 4)), np.arange(80) % 2
    X[:, 0] += y
    near, far = (stamped(X + shift, y, shift + 3.0, 50) for shift in (0.0, 1e4))
    curves = [bc.backdoor_learning_curve(SVC(kernel="linear", C=0.1), data) for data in (near, far)]
    betas = np.array([0.0, 0.3, 1.0])
    np.testing.assert_allclose(curves[0].scores("clean", betas), curves[1].scores("clean", betas), atol=1e-6)
    found = curves[1].path.parameters(betas)
    scores = found.coef[..., 0] @ far.clean_test.X.T + found.intercept
    np.testing.assert_allclose(scores, curves[1].scores("clean", betas), atol=1e-5)  # 1e8 times rounding
    gradient = bc.input_gradient(curves[1], far.clean_test.X, beta=0.3)
    plain = bc.input_gradient(curves[0], near.clean_test.X, beta=0.3)
    np.testing.assert_allclose(gradient, plain, atol=1e-7)


def timestamps(as_frame=False):
    """Two columns that say something, and the seconds of a year since 1970."""
    rng = np.random.default_rng(2)
    y, X = np.arange(200) % 2, rng.normal(size=(200, 3))
    X[:, 0] += y
    X[:, 2] = 1.6e9 + rng.uniform(0, 3e7, 200)
    data = stamped(X, y, 9.0, 130)
    if not as_frame:
        return data
    parts = [data.clean_train, data.poison_train, data.clean_test, data.triggered_test]
    return bc.PoisonedData(
        *(bc.Samples(pd.DataFrame(part.X, columns=["age", "rate", "seen"]), part.y) for part in parts)
    )


@pytest.mark.parametrize("estimator", HINGES, ids=str)
def test_linear_svms_are_followed_beside_timestamps(estimator):
    """Their kernel has no digits for the rest: in the space of the features each column keeps its own."""
    data = timestamps()
    curve = bc.backdoor_learning_curve(estimator, data)
    assert curve.certificate(np.linspace(0, 1, 5)).score_bound.max() <= 1e-8
    centre, size = data.clean_train.X.mean(axis=0), data.clean_train.X.std(axis=0)

    def scaled(part):
        return bc.Samples((part.X - centre) / size, part.y)

    parts = [data.clean_train, data.poison_train, data.clean_test, data.triggered_test]
    if not isinstance(estimator, SVC):
        return
    # A large C holds the margins alone, whatever the units: where all rows are on their side, as good as the same.
    other = bc.backdoor_learning_curve(estimator, bc.PoisonedData(*map(scaled, parts)))
    assert curve.accuracy("clean", 0.0) == pytest.approx(other.accuracy("clean", 0.0), abs=0.05)


@pytest.mark.parametrize("as_frame", [False, True], ids=["array", "frame"])
def test_columns_beside_which_the_others_drown_are_named(as_frame):
    """An RBF kernel of timestamps has no digits for the rest: they are named, and with a scaler it is followed."""
    data = timestamps(as_frame)
    name = "'seen'" if as_frame else "2"
    with pytest.raises(PathError, match=f"large numbers, {name} to 1.6e.09: a StandardScaler before the classifier"):
        bc.backdoor_learning_curve(SVC(C=1e3), data)
    curve = bc.backdoor_learning_curve(make_pipeline(StandardScaler(), SVC(C=10.0)), data)
    assert curve.method == "svm"


def test_a_scaler_is_advised_where_it_can_be_put():
    """A kernel's matrix has no units of columns, and the zeros of sparse rows have no mean to be taken from them."""
    rng = np.random.default_rng(3)
    X, y = rng.random((40, 3)) * [1.0, 1.0, 1e9], np.arange(40) % 2
    data = bc.poison((X, y), (X, y), trigger=lambda X, _: X + 1.0, rate=0.1, rng=rng)
    assert "a StandardScaler" in large_columns(read_learner(SVC(kernel="linear"), data))
    sparse = bc.poison(
        (sp.csr_array(X), y), (sp.csr_array(X), y), trigger=bc.FeatureTrigger((0,), (2.0,)), rate=0.1, rng=rng
    )
    assert "a MaxAbsScaler" in large_columns(read_learner(SVC(kernel="linear"), sparse))
    rows = [data.clean_train, data.poison_train, data.clean_test, data.triggered_test]
    training = np.vstack([part.X for part in rows[:2]])
    kernels = bc.PoisonedData(*((part.X @ training.T, part.y) for part in rows))
    assert not large_columns(read_learner(SVC(kernel="precomputed"), kernels))
