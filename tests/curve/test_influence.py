"""Influences, against fits with the weight of one single row moved; each learner's fit is another than the path's."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.curve.influence import poison_ranking, self_influence
from backdoor_curves.data.samples import join
from backdoor_curves.paths.intercept import FREE, penalised
from backdoor_curves.paths.ridge import RidgePath
from backdoor_curves.paths.ridge import path as ridge_record
from reference import independent_fits as fits

C, GAMMA, ALPHA = 0.7, 0.4, 0.8


def rbf(A, B):
    return np.exp(-GAMMA * ((A[:, np.newaxis] - B) ** 2).sum(-1))


def inner(A, B):
    return A @ B.T


HINGE, LOGISTIC, SQUARED, SQUARED_HINGE = (
    lambda m: np.maximum(0, 1 - m),
    lambda m: np.logaddexp(0, -m),
    lambda m: (1 - m) ** 2,
    lambda m: np.maximum(0, 1 - m) ** 2,
)

LEARNERS = {
    "ridge": (RidgeClassifier(alpha=ALPHA), fits.ridge(ALPHA), SQUARED),
    "logistic": (LogisticRegression(C=C), fits.logistic(C, FREE), LOGISTIC),
    "logistic, penalised intercept": (
        LogisticRegression(C=C, solver="liblinear"),
        fits.logistic(C, penalised(1.0)),
        LOGISTIC,
    ),
    "linear SVM": (SVC(C=C, kernel="linear"), fits.hinge(C, inner, free=True), HINGE),
    "linear SVM, penalised intercept": (LinearSVC(C=C, loss="hinge"), fits.hinge(C, inner, free=False), HINGE),
    "RBF SVM": (SVC(C=C, gamma=GAMMA), fits.hinge(C, rbf, free=True), HINGE),
    "squared hinge": (LinearSVC(C=C), fits.squared_hinge(C), SQUARED_HINGE),
}


def problem(seed=3, n=60, m=9, n_test=7, d=4):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, d)) + 0.8 * (2 * y[:, np.newaxis] - 1) * (np.arange(d) < 2)
    X_test, y_test = X[:n_test] + 0.3 * rng.normal(size=(n_test, d)), y[:n_test]
    shift = 2.0 * (np.arange(d) == d - 1)
    rows = rng.choice(n, m, replace=False)
    return bc.poison((X, y), (X_test, y_test), trigger=lambda rows, _: rows + shift, rows=np.sort(rows), labels="next")


def signed(data):
    joined = join(data.clean_train, data.poison_train, data.is_poison)
    return np.asarray(joined.X), 2.0 * joined.y - 1, np.asarray(data.triggered_test.X), 2.0 * data.triggered_test.y - 1


def moved(data, scores, loss, beta, i, h):
    """The test rows' losses where the weight of row i is h more."""
    X, y, rows, targets = signed(data)
    weights = np.where(data.is_poison, beta, 1.0)
    weights[i] += h
    return loss(targets * scores(X, y[:, np.newaxis], weights, rows)[:, 0])


def by_fits(data, scores, loss, beta, i, h):
    """Richardson's extrapolation of central differences; one-sided at beta = 0 for poison rows, whose weight is 0."""
    if data.is_poison[i] and beta == 0:
        f = [moved(data, scores, loss, beta, i, k * h) for k in range(3)]
        return (4 * f[1] - 3 * f[0] - f[2]) / (2 * h)
    wide, narrow = (
        (moved(data, scores, loss, beta, i, k * h) - moved(data, scores, loss, beta, i, -k * h)) / (2 * k * h)
        for k in (2, 1)
    )
    return (4 * narrow - wide) / 3


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", LEARNERS)
def test_an_influence_is_what_fits_with_one_row_weighted_otherwise_say(name, beta):
    """Clean and poison rows, on the margin and off it: the definition itself."""
    estimator, scores, loss = LEARNERS[name]
    data = problem()
    found = bc.influence(estimator, data, beta)
    assert found.values.shape == (len(data.triggered_test), len(data.is_poison))
    assert found.ties == 0
    clean, poison = np.flatnonzero(~data.is_poison)[::7], np.flatnonzero(data.is_poison)[::3]
    # SVMs are linear between knots, and the steps are short of the next one.
    h = 1e-5 if loss is HINGE else 1e-4
    for i in [*clean, *poison]:
        np.testing.assert_allclose(found.values[:, i], by_fits(data, scores, loss, beta, i, h), rtol=1e-5, atol=1e-7)
    if loss is HINGE:
        kinds = margins_of(data, estimator, beta)
        assert {"margin", "bound", "beyond"} <= set(kinds)
        assert not found.values[:, kinds != "bound"].any()


def margins_of(data, estimator, beta):
    """Where the rows of an SVM stand, by the scores of the victim's training rows."""
    X, y, _, _ = signed(data)
    margin = y * bc.backdoor_learning_curve(estimator, data).path.scores(X, np.array([beta]))[0]
    return np.where(np.abs(margin - 1) < 1e-9, "margin", np.where(margin < 1, "bound", "beyond"))


@pytest.mark.parametrize("wrong", ["lambda doubled", "penalty added", "mean for sum"])
def test_a_wrong_formula_would_not_pass(wrong, monkeypatch):
    """The mistakes of the published column, put into ridge one by one: both comparisons see each."""
    through, right = ridge_record.influence_through, RidgePath.response

    def response(self, beta):
        system = type(self.system)(self.system.clean, self.system.poison, 2 * self.system.alpha, self.system.free)
        other = right(replace(self, system=system), beta)
        return replace(right(self, beta), influence=other.influence)

    if wrong == "lambda doubled":
        monkeypatch.setattr(RidgePath, "response", response)
    elif wrong == "penalty added":
        monkeypatch.setattr(ridge_record, "influence_through", lambda G, q: through(G, q + 2.0 * ALPHA))
    else:
        monkeypatch.setattr(ridge_record, "influence_through", lambda G, q: through(G, q / len(q)))
    with pytest.raises(AssertionError):
        test_an_influence_is_what_fits_with_one_row_weighted_otherwise_say("ridge", 0.0)
    with pytest.raises(AssertionError):
        test_the_poison_rows_influences_add_up_to_the_slope("ridge", 0.0)


@pytest.mark.parametrize("beta", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("name", LEARNERS)
def test_the_poison_rows_influences_add_up_to_the_slope(name, beta):
    """beta weighs all of them; the slope comes from another linear system, of one right-hand side."""
    data = problem()
    curve = bc.backdoor_learning_curve(LEARNERS[name][0], data)
    for split in ("triggered", "clean"):
        found = curve.influence(beta, split)
        assert found.slope == pytest.approx(curve.slope(beta, split), rel=1e-10)


def test_all_classes_of_ridge_count():
    """Three classes, weighted ones: the loss is the sum over the columns."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = rng.normal(size=(60, 4)) + np.eye(4)[y]
    data = bc.poison((X, y), (X[:9], y[:9]), trigger=lambda rows, _: rows + 1, rate=0.2, labels="next", rng=rng)
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=0.3, class_weight={0: 2.0, 1: 1.0, 2: 0.5}), data)
    found = curve.influence(0.5)
    assert found.slope == pytest.approx(curve.slope(0.5), rel=1e-10)
    h = 1e-6
    assert found.slope == pytest.approx(np.diff(curve.loss("triggered", [0.5 - h, 0.5 + h]))[0] / (2 * h), rel=1e-6)


@pytest.mark.parametrize("estimator", [LogisticRegression(), RidgeClassifier(), LinearSVC(), SVC()])
def test_frozen_steps_sparse_rows_and_more_features_than_rows_are_seen_through(estimator):
    """What the learner sees is what counts: the slope of the curve says so."""
    import scipy.sparse as sp

    rng = np.random.default_rng(1)
    X, y = np.maximum(rng.normal(size=(30, 45)), 0), np.arange(30) % 2
    data = bc.poison(
        (sp.csr_array(X), y), (sp.csr_array(X[:8]), y[:8]), trigger=lambda rows, _: rows * 3.0, rate=0.3, rng=rng
    )
    pipeline = make_pipeline(StandardScaler(with_mean=False), estimator)
    curve = bc.backdoor_learning_curve(pipeline, data)
    assert curve.influence(0.2).slope == pytest.approx(curve.slope(0.2), rel=1e-9)


def test_equal_rows_have_equal_influence():
    """An SVM's path merges them; each of them has its own weight."""
    data = problem()
    X, y = np.asarray(data.clean_train.X), data.clean_train.y
    twice = bc.PoisonedData(
        (np.vstack([X, X[:5]]), np.append(y, y[:5])), data.poison_train, data.clean_test, data.triggered_test
    )
    found = bc.influence(SVC(C=C, gamma=GAMMA), twice, 0.3)
    n = len(y)
    np.testing.assert_array_equal(found.values[:, n : n + 5], found.values[:, :5])
    assert found.values[:, :5].any()


def test_own_rows_have_the_loss_of_their_own_labels():
    """Suspicious rows with the labels that the model gives them; the clean rows are such rows too."""
    data = problem()
    curve = bc.backdoor_learning_curve(LogisticRegression(), data)
    own = curve.influence(1.0, (data.clean_test.X, data.clean_test.y))
    np.testing.assert_array_equal(own.values, curve.influence(1.0, "clean").values)


@pytest.mark.parametrize("name", LEARNERS)
def test_self_influence_is_the_diagonal_and_never_positive(name):
    """A row's own weight lowers its own loss."""
    data = problem()
    curve = bc.backdoor_learning_curve(LEARNERS[name][0], data)
    joined = join(data.clean_train, data.poison_train, data.is_poison)
    whole = curve.influence(0.6, joined)
    own = curve.self_influence(0.6)
    np.testing.assert_allclose(own, np.diag(whole.values), rtol=1e-9, atol=1e-15)
    assert (own <= 1e-12).all()  # rows that the margin holds in every direction have 0, to rounding
    assert name == "linear SVM, penalised intercept" or (own < -1e-6).any()


def test_the_poison_is_found_where_it_stands_out():
    """Twenty rows with a trigger that nothing else has: they teach the triggered rows more than other rows do."""
    rng = np.random.default_rng(0)
    train, test = bc.datasets.digits("even-odd", n_train=400, n_test=100, rng=rng)
    trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
    data = bc.poison(train, test, trigger=trigger, rate=0.05, rng=rng)
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=100.0), data)
    ranking = curve.influence(1.0).poison_ranking()
    assert ranking.k == 20
    assert ranking.auc > 0.95
    assert ranking.precision > 0.7
    assert data.is_poison[ranking.order[:20]].mean() == pytest.approx(ranking.precision)


def test_a_ranking_counts_ties_by_what_they_are_worth():
    """Of four rows that tie for two places, one of them poison, half a poison row is expected."""
    is_poison = np.array([True, False, False, False, True])
    ranking = poison_ranking(np.array([1.0, 1.0, 1.0, 1.0, 2.0]), is_poison, k=3)
    assert ranking.precision == pytest.approx((1 + 2 * 0.25) / 3)
    assert ranking.auc == pytest.approx((1 + 0.5) / 2)
    assert ranking.order[0] == 4


def test_top_influential_rows_are_the_largest_in_magnitude():
    """Either sign: a row may teach or unteach."""
    found = bc.Influence(np.array([[1.0, -3.0, 2.0], [0.0, 0.5, -0.1]]), np.array([True, False, False]), 0.0, 0)
    assert found.top_influential(2).tolist() == [[1, 2], [1, 2]]
    assert found.slope == 0.5
    assert np.asarray(found).shape == (2, 3)


def test_ties_are_flagged_and_the_slope_stays_right():
    """Clean rows repeated with the other label, and a line with more rows on the margin than it can hold."""
    X = np.array([[-2.0], [-1.0], [-1.0], [1.0], [1.0], [2.0], [0.5]])
    y = np.array([0, 0, 1, 1, 0, 1, 0])
    data = bc.PoisonedData((X, y), (np.array([[0.2]]), [0]), (X, y), (np.array([[0.3]]), [0]))
    curve = bc.backdoor_learning_curve(SVC(C=1.0, kernel="linear"), data)
    found = curve.influence(0.0)
    assert found.slope == pytest.approx(curve.slope(0.0), rel=1e-10)
    h = curve.knots[0] / 2 if curve.knots.size else 0.5
    assert found.slope == pytest.approx((curve.loss("triggered", h) - curve.loss("triggered", 0.0)) / h, rel=1e-9)


def balanced():
    """One row of each class at its bound, and a poison row of each: no row is ever on the margin at small C."""
    X = np.array([[-1.0], [1.0], [-0.5], [0.5]])
    return bc.PoisonedData((X[:2], [0, 1]), (X[2:], [1, 0]), (X[:2], [0, 1]), (X[2:], [1, 0]))


def test_an_intercept_that_is_free_within_an_interval_has_no_influence():
    """The weight of one row would make it jump to an end."""
    with pytest.raises(ValueError, match=r"beta = 0\.5 no row is on the margin.*free within an interval"):
        bc.influence(SVC(C=0.01, kernel="linear"), balanced(), 0.5)


def test_a_penalised_intercept_needs_no_margin():
    """It is determined, margin or not."""
    curve = bc.backdoor_learning_curve(LinearSVC(C=0.01, loss="hinge"), balanced())
    assert curve.influence(0.5).slope == pytest.approx(curve.slope(0.5), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": -0.1}, "beta: one number in"),
        ({"beta": [0.0, 1.0]}, "beta: one number in"),
        ({"beta": float("nan")}, "beta: one number in"),
        ({"rows": "train"}, 'rows: "triggered", "clean" or a pair'),
        ({"rows": (np.zeros((1, 4)), [7])}, "rows: labels out of"),
    ],
)
def test_bad_arguments_get_a_sentence(arguments, message):
    """What was expected and what came."""
    with pytest.raises(ValueError, match=message):
        bc.influence(RidgeClassifier(), problem(), **arguments)


def test_learners_without_an_exact_path_are_refused():
    """A refit says nothing of single rows."""
    with pytest.raises(ValueError, match="has no exact path"):
        bc.influence(GaussianNB(), problem())
    curve = bc.backdoor_learning_curve(GaussianNB(), problem())
    with pytest.raises(ValueError, match="needs an exact path"):
        curve.influence(0.0)


def test_a_curve_from_a_file_has_no_training_rows(tmp_path):
    """So it has no influences; the error says what to do."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(), problem())
    curve.save(tmp_path / "curve.npz")
    again = bc.BackdoorLearningCurve.load(tmp_path / "curve.npz")
    for ask in (again.influence, again.self_influence):
        with pytest.raises(ValueError, match="compute the curve anew"):
            ask(0.0)


def test_a_result_that_does_not_fit_is_refused_before_it_is_computed(monkeypatch):
    """With both numbers."""
    monkeypatch.setattr("backdoor_curves.kernels.memory.available_memory", lambda: 1000.0)
    with pytest.raises(MemoryError, match="influence: 7 x 60 values need"):
        bc.influence(RidgeClassifier(), problem())


@pytest.mark.parametrize("k", [0, 61, 1.5, True])
def test_k_is_a_number_of_training_rows(k):
    """None, all or too many are told apart."""
    with pytest.raises(ValueError, match="k: a number of training rows from 1 to 60"):
        bc.influence(RidgeClassifier(), problem()).top_influential(k)


def test_self_influence_has_the_victims_order():
    """Poison rows stand where their originals stood."""
    data = problem()
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=ALPHA), data)
    own = self_influence(curve.path, curve.learner, 1.0)
    i = int(np.flatnonzero(data.is_poison)[2])
    X, y, _, _ = signed(data)

    def loss(h):
        weights = np.ones(len(y))
        weights[i] += h
        return SQUARED(y[i] * fits.ridge(ALPHA)(X, y[:, np.newaxis], weights, X[[i]]))[0, 0]

    assert own[i] == pytest.approx((loss(1e-5) - loss(-1e-5)) / 2e-5, rel=1e-6)


def test_where_the_path_is_lost_there_is_an_error_and_no_number():
    """A feature of 1e7 beside others of 1: the curve refuses it, and so does this."""
    rng = np.random.default_rng(0)
    y, X = np.arange(30) % 2, rng.normal(size=(30, 60))
    X[:, 0] *= 1e7
    data = bc.poison((X, y), (X[:6] * 1.01, y[:6]), trigger=lambda rows, _: rows + 1, rate=0.3, rng=rng)
    with pytest.raises(bc.ToleranceError, match="scores within 1e-06 of the optimum's were expected"):
        bc.influence(LinearSVC(), data, 0.4)


def test_ridge_with_more_features_than_rows_keeps_its_digits_at_small_alpha():
    """A^-1 as a difference of two large terms would leave three of them."""
    rng = np.random.default_rng(0)
    y, X = np.arange(30) % 2, rng.normal(size=(30, 60))
    data = bc.poison((X, y), (X[:6] * 1.01, y[:6]), trigger=lambda rows, _: rows + 1, rate=0.3, rng=rng)
    found = bc.influence(RidgeClassifier(alpha=1e-6), data, 0.4).values
    rows, targets, tests, wanted = signed(data)
    weights = np.where(data.is_poison, 0.4, 1.0)
    # In the rows' own space, where nothing cancels: A^-1 Z' = Z' (Z Z' + alpha / W)^-1 / W.
    mean = weights @ rows / weights.sum()
    Z, T = ((part - mean) for part in (rows, tests))
    root = np.sqrt(weights)
    K = root[:, np.newaxis] * (Z @ Z.T) * root + 1e-6 * np.eye(len(Z))
    B = np.linalg.inv(K)
    hat = (T @ Z.T * root) @ B / root + 1 / weights.sum()  # x'A^-1 z_i, the free intercept's part added
    offset = weights @ targets / weights.sum()
    duals = B @ (root * (targets - offset))
    f, residuals = (T @ Z.T * root) @ duals + offset, -1e-6 * duals / root  # f_i - y_i without a difference
    right = -(-2 * wanted * (1 - wanted * f))[:, np.newaxis] * hat * residuals
    # Residuals of 1e-6 are differences of numbers of size 1; uncorrected, the values were off by 2e-3.
    np.testing.assert_allclose(found, right, atol=1e-6 * np.abs(right).max())


def on_the_margin_from_the_start():
    """A poison row that the clean model puts on its margin: it cannot hold it there with a bound of 0."""
    rng = np.random.default_rng(0)
    y = (np.arange(40) % 5 > 1).astype(int)
    X = rng.normal(size=(40, 12)) + 0.3 * (2 * y[:, np.newaxis] - 1)
    estimator = SVC(C=0.02, kernel="linear")
    clean = bc.backdoor_learning_curve(estimator, bc.PoisonedData((X, y), (X[:1] + 1, [1]), (X, y), (X, y)))
    b, *w = clean.path.scores(np.vstack([np.zeros(12), np.eye(12)]), np.zeros(1))[0]
    w, p = np.array(w) - b, rng.normal(size=12)
    p += w * (1 - b - w @ p) / (w @ w)
    tests = (rng.normal(size=(3, 12)), [1, 1, 0])
    return estimator, bc.PoisonedData((X, y), (p[np.newaxis], [1]), (X[:2], y[:2]), tests)


def test_a_poison_row_on_the_margin_at_0_is_a_tie():
    """The slope is right; what other weights do depends on the side, and is flagged."""
    estimator, data = on_the_margin_from_the_start()
    curve = bc.backdoor_learning_curve(estimator, data)
    found = curve.influence(0.0)
    assert found.ties > 0
    assert found.slope == pytest.approx(curve.slope(0.0), rel=1e-9, abs=1e-12)


def test_knots_are_ties_and_the_betas_between_them_are_not():
    """Just there a row joins the margin or leaves it."""
    curve = bc.backdoor_learning_curve(SVC(C=C, gamma=GAMMA), problem())
    knots = curve.knots[np.append(np.diff(curve.knots) > 1e-6, True)][:12]
    assert all(curve.influence(float(knot)).ties > 0 for knot in knots)
    middles = (knots[:-1] + knots[1:]) / 2
    assert not any(curve.influence(float(middle)).ties for middle in middles)


def test_clean_rows_all_at_their_limits_leave_the_intercept_free_at_0():
    """Balanced classes at a small C: the least change of one weight makes the intercept jump."""
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, 3)) + (2 * y[:, np.newaxis] - 1) * 0.5
    data = bc.poison(
        (X, y), (X[:6], y[:6]), trigger=lambda rows, _: rows + 1, rate=0.3, labels=1, injection="append", rng=rng
    )
    with pytest.raises(ValueError, match="no row is on the margin between its limits"):
        bc.influence(SVC(C=0.01, kernel="linear"), data)


def test_frames_are_rows_too():
    """Of every learner, narrow and wide."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(2)
    for d in (4, 50):
        X, y = rng.normal(size=(40, d)), np.arange(40) % 2
        parts = [bc.poison((k(X), y), (k(X[:8]), y[:8]), trigger=lambda rows, _: rows + 1, rate=0.2,
                           rng=np.random.default_rng(0)) for k in (np.asarray, pd.DataFrame)]  # fmt: skip
        for estimator in (LogisticRegression(), LinearSVC(), RidgeClassifier(), SVC()):
            arrays, frames = (bc.backdoor_learning_curve(estimator, part) for part in parts)
            np.testing.assert_allclose(frames.influence(0.5).values, arrays.influence(0.5).values, atol=1e-9)
            np.testing.assert_allclose(frames.self_influence(0.5), arrays.self_influence(0.5), atol=1e-9)


def test_rows_without_weight_have_no_influence():
    """A class that counts for nothing."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(class_weight={0: 0.0, 1: 1.0}), problem())
    assert np.isfinite(curve.influence(0.5).values).all()
    assert np.isfinite(curve.self_influence(0.5)).all()


@pytest.mark.parametrize("tolerance", [0, -1.0, float("nan"), float("inf"), "a", True])
def test_a_tolerance_is_a_number(tolerance):
    """Whatever else comes is refused before anything is followed."""
    with pytest.raises(ValueError, match="tolerance: a number > 0 was expected"):
        bc.influence(RidgeClassifier(), problem(), tolerance=tolerance)


@pytest.mark.parametrize("rows", [(np.zeros((2, 9)), [0, 1]), (np.zeros((0, 4)), [])])
def test_own_rows_are_rows_of_the_same_kind(rows):
    """Not others, and not none."""
    with pytest.raises(ValueError, match=r"rows: (rows of shape|at least one row)"):
        bc.influence(SVC(), problem(), rows=rows)
