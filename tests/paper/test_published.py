"""The published formulas on small problems, written out as loops; they are wrong on purpose, and just as published."""

from __future__ import annotations

from dataclasses import asdict, astuple, replace
from functools import cache
from math import exp, log, sqrt
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves.paper.numbers import published
from backdoor_curves.poisoning import paper_protocol as protocol

GAMMA = 0.3
CASES = [("logistic", 0.5), ("logistic", 1e4), ("ridge", 0.05), ("ridge", 20.0), ("svm", 0.05), ("svm", 3.0)]
CASES = [(*case, None) for case in CASES] + [("svm-rbf", 0.5, GAMMA), ("svm-rbf", 20.0, GAMMA)]
FAULTS = ("lambda doubled", "penalty's gradient dropped", "sum for mean")


@pytest.fixture(scope="module")
def data():
    """A dozen poison rows among 60 of 6 x 6 pixels, a class of which is brighter on the left."""
    rng = np.random.default_rng(5)

    def rows(n):
        y = np.arange(n) % 2
        X = rng.random((n, 6, 6, 1))
        X[:, :, :3] *= 0.6 + 0.4 * y[:, None, None, None]
        return bc.Samples(X, y)

    return protocol.badnet(rows(60), rows(20), rate=0.2, size=3, seed=1)


def fit_of(learner, data, C, gamma):
    estimator = {
        "logistic": LogisticRegression(C=C, solver="liblinear"),
        "ridge": RidgeClassifier(alpha=1 / (2 * C)),
        "svm": SVC(C=C, kernel="linear"),
        "svm-rbf": SVC(C=C, gamma=gamma or 1.0),
    }[learner]
    X, y = data.clean_train
    return estimator.fit(X.reshape(len(X), -1), y)


def derivative(learner, y, s):
    """The published l'."""
    if learner == "logistic":
        return -y / log(2) * (1.0 if -y * s >= 10 else 1 / (1 + exp(y * s)))
    if learner == "ridge":
        return -2 * y * (1 - y * s)
    return -y if 1 - y * s >= 0 else 0.0


def kernel(learner, x, z):
    return exp(-GAMMA * ((x - z) ** 2).sum()) if learner == "svm-rbf" else (x * z).sum()


def rows_of(samples, fit):
    X = samples.X.reshape(len(samples), -1)
    return list(zip(X, 2.0 * samples.y - 1, fit.decision_function(X), strict=True))


@pytest.fixture(scope="module")
def loops(data):
    """A function: all v[t, p] of a case, computed once."""
    return cache(lambda learner, C, gamma: a_pair_at_a_time(learner, data, C, gamma))


def a_pair_at_a_time(learner, data, C, gamma):
    """All v[t, p] by the formulas of the four learners, written out."""
    fit = fit_of(learner, data, C, gamma)
    test, poison = rows_of(data.triggered_test, fit), rows_of(data.poison_train, fit)
    if learner in ("logistic", "ridge"):
        w = fit.coef_.ravel()
        scale, extra = (C if learner == "logistic" else 2 * C), np.array([*w, 0.0])
        H = np.zeros((len(w) + 1, len(w) + 1))
        for x, _, s in poison:
            weight = C / (1 + exp(-s)) / (1 + exp(s)) if learner == "logistic" else 2.0
            H += weight * np.outer([*x, 1], [*x, 1])
        for i in range(len(w)):
            H[i, i] += 1.0 if learner == "logistic" else 1 / C

        def turn(x):
            return np.array([*x, 1.0])

    else:
        X = data.clean_train.X.reshape(len(data.clean_train), -1)
        duals = zip(fit.support_, fit.dual_coef_[0], strict=True)
        M = [(X[i], a) for i, a in duals if 1e-6 <= abs(a) <= C - 1e-6]

        def turn(x):
            return np.array([*(kernel(learner, x, z) for z, _ in M), 1.0])

        H = np.array([turn(z) for z, _ in M] + [[1.0] * len(M) + [0.0]])
        scale, extra = C, np.array([*(2 * sum(kernel(learner, z, u) * a for u, a in M) for z, _ in M), 0.0])
    damped = H + 1e-9 * np.eye(len(H))
    inverse = np.linalg.pinv(damped) if abs(np.linalg.det(H)) < 1e-6 else np.linalg.inv(damped)
    v = np.empty((len(test), len(poison)))
    for t, (x_t, y_t, s_t) in enumerate(test):
        left = scale * derivative(learner, y_t, s_t) * turn(x_t)
        for p, (x_p, y_p, s_p) in enumerate(poison):
            right = scale * derivative(learner, y_p, s_p) * turn(x_p) + extra
            v[t, p] = -left @ inverse @ right
    return v


@pytest.mark.parametrize(("learner", "C", "gamma"), CASES)
def test_influences_equal_the_published_formula_a_pair_at_a_time(learner, C, gamma, data, loops):
    """The matrix product of all pairs is the loop over them; sums in another order differ in their last digits."""
    v, row = loops(learner, C, gamma), published.published_row(learner, data, C=C, gamma=gamma)
    assert np.abs(v).max() > 0
    size = np.abs(v).mean()
    assert row.avg_I == pytest.approx(v.mean(), abs=1e-9 * size)
    assert row.avg_abs_I == pytest.approx(size, rel=1e-9)
    assert row.norm_I == pytest.approx(np.abs(v).sum(), rel=1e-9)
    assert row.theta == pytest.approx(-2 / np.pi * np.arctan(v.mean()), abs=1e-9 * size)


@pytest.mark.parametrize(("learner", "C", "gamma"), CASES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_formula_is_far_from_the_published_one(fault, learner, C, gamma, data, loops, monkeypatch):
    """Each part of the formula moves the column by far more than the tolerances above: none can be lost unseen."""
    fit, right = fit_of(learner, data, C, gamma), loops(learner, C, gamma)
    true = published.pair_influences
    if fault == "penalty's gradient dropped":
        monkeypatch.setattr(published, "pair_influences", lambda terms: true(replace(terms, penalty=0 * terms.penalty)))
    if fault == "sum for mean":
        monkeypatch.setattr(published, "pair_influences", lambda terms: true(terms).sum(axis=1, keepdims=True))
    used = C / 2 if fault == "lambda doubled" else C
    avg_I = published.of_the_clean_model(learner, used, gamma, fit, data)[0]
    assert abs(avg_I - right.mean()) > 1e-4 * np.abs(right).mean()


@pytest.mark.parametrize(("learner", "C", "gamma"), CASES)
def test_losses_and_accuracies_are_those_of_the_three_models(learner, C, gamma, data):
    """Original, clean and poisoned training set; the losses are of the clean model on the triggered rows."""
    row = published.published_row(learner, data, C=C, gamma=gamma)
    clean = fit_of(learner, data, C, gamma)
    margins = [y * s for _, y, s in rows_of(data.triggered_test, clean)]
    if learner == "ridge":
        losses = [(1 - m) ** 2 for m in margins]
    elif learner == "logistic":
        losses = [-m / log(2) if -m >= 10 else log(1 + exp(-m)) / log(2) for m in margins]
        assert C < 1 or min(margins) <= -10  # so that both branches are seen
    else:
        losses = [max(0.0, 1 - m) for m in margins]
    assert (row.mean_loss, row.min_loss, row.max_loss) == pytest.approx((np.mean(losses), min(losses), max(losses)))

    def share(fit, samples):
        predicted = fit.predict(samples.X.reshape(len(samples), -1))
        return sum(p == y for p, y in zip(predicted, samples.y, strict=True)) / len(samples)

    X, y = data.original_train.X.copy(), data.original_train.y.copy()
    original = clean.fit(X.reshape(60, -1), y)
    assert row.clf_acc == share(original, data.clean_test)
    X[data.poison_rows], y[data.poison_rows] = data.poison_train
    poisoned = clean.fit(X.reshape(60, -1), y)
    assert row.clfp_acc == share(poisoned, data.clean_test)
    assert row.clfp_acc_on_backdoor == share(poisoned, data.triggered_test)
    assert row.clfp_acc_tr == share(poisoned, bc.Samples(X, y))


def test_saturated_logistic_losses_are_linear():
    """From -y s = 10 on the published loss leaves out log(1 + exp(y s)), 4.5e-5 there."""
    at, before = published.row_losses("logistic", np.array([-10.0, -10 + 1e-9]))
    assert at == 10 / log(2)
    assert before - at == pytest.approx(np.log1p(exp(-10)) / log(2), rel=1e-4)


def test_losses_beyond_the_margin_are_none_for_svms_alone():
    """The hinge ends at y s = 1; the square rises again, the logistic loss never ends."""
    beyond = [published.row_losses(learner, np.array([3.0]))[0] for learner in ("svm", "svm-rbf", "ridge", "logistic")]
    assert beyond == pytest.approx([0.0, 0.0, 4.0, log(1 + exp(-3)) / log(2)])


def test_margin_rows_are_a_millionth_inside_their_bounds():
    """Of duals in [0, 2], those in [1e-6, 2 - 1e-6] count, of either sign; x~ has a column for each, and the one."""
    duals = np.array([[5e-7, -2e-6, 1.0, -(2 - 2e-6), 2 - 5e-7, -2.0]])
    fit = SimpleNamespace(dual_coef_=duals, support_=np.arange(1, 7))
    X = np.random.default_rng(0).random((7, 3))
    rows = published.Scored(X[:2], np.array([1.0, -1.0]), np.zeros(2))
    terms = published.svm_terms(2.0, None, fit, X, rows, rows)
    np.testing.assert_allclose(terms.test, np.column_stack([X[:2] @ X[[2, 3, 4]].T, np.ones(2)]))


@pytest.mark.parametrize(("learner", "gamma"), [("svm", None), ("svm-rbf", GAMMA)])
def test_without_a_margin_row_influences_and_losses_are_9999(learner, gamma, data):
    """Of a balanced clean set every dual is at a small bound C; the accuracies are numbers all the same."""
    X, y = data.clean_train
    kept = np.sort(np.concatenate([np.flatnonzero(y == c)[:15] for c in (0, 1)]))
    original = bc.Samples(np.concatenate([X[kept], data.original_train.X[data.poison_rows]]), np.arange(42) % 2)
    balanced = bc.PoisonedData(
        (X[kept], y[kept]),
        data.poison_train,
        data.clean_test,
        data.triggered_test,
        original_train=original,
        poison_rows=np.arange(30, 42),
    )
    row = published.published_row(learner, balanced, C=1e-3, gamma=gamma)
    assert astuple(row)[4:] == (9999.0,) * 6
    assert max(astuple(row)[:4]) <= 1
    with_margin = published.published_row(learner, balanced, C=1.0, gamma=gamma)
    assert 9999.0 not in astuple(with_margin)


@pytest.mark.parametrize(("small", "expected"), [(1e-12, 1 / (1e-9 + 1e-12)), (1e-15, 0.0)])
def test_a_small_determinant_means_the_pseudo_inverse(small, expected):
    """Determinants 1e-4 and 1e-7: on the same side of the pseudo-inverse's cut-off, on two of the rule's 1e-6."""
    H, one = np.diag([1e8, small]), np.ones(1)
    second = np.array([[0.0, 1.0]])
    terms = published.Terms(one, second, one, second, H, np.zeros(2))
    assert published.pair_influences(terms)[0, 0] == pytest.approx(-expected, rel=1e-9)


def test_rows_of_a_file_are_read_by_their_setting(tmp_path):
    """The files name one column twice, quote the trigger's size, and give linear learners gamma = -1."""
    path = tmp_path / "svm.csv"
    tail = "_poison_train_triggered_test_clf"
    path.write_text(
        "seed,gamma,c,trigger_type,trigger_size,trigger_type,clf_acc,clfp_acc,clfp_acc_on_backdoor,clfp_acc_tr,"
        f"avg_I{tail},avg_abs_I{tail},norm_I{tail},mean_loss,min_loss,max_loss\n"
        '1,-1,0.5,badnet,"(3, 3)",badnet,.1,.2,.3,.4,-5,6,7,8,9,10\n'
        '11,0.05,0.5,badnet,"(3, 3)",badnet,.1,.2,.3,.4,9999,9999,9999,9999,9999,9999\n'
    )
    rows = published.read_rows(path)
    assert list(rows) == [published.PublishedSetting(1, 0.5, None), published.PublishedSetting(11, 0.5, 0.05)]
    assert astuple(rows[published.PublishedSetting(1, 0.5, None)]) == (0.1, 0.2, 0.3, 0.4, -5, 6, 7, 8, 9, 10)


@pytest.mark.parametrize(
    ("learner", "gamma", "message"),
    [("lda", None, "one of logistic"), ("svm", 0.1, "gamma: a number"), ("svm-rbf", None, "gamma: a number")],
)
def test_learners_that_were_not_published_are_errors(learner, gamma, message, data):
    """The formulas are those of four estimators, not of any that is given."""
    with pytest.raises(ValueError, match=message):
        published.published_row(learner, data, C=1.0, gamma=gamma)


def test_data_without_originals_or_of_three_classes_are_errors(data):
    """clf_acc is of a model of the original rows, and y is -1 or +1."""
    own = bc.PoisonedData(data.clean_train, data.poison_train, data.clean_test, data.triggered_test)
    with pytest.raises(ValueError, match="original_train were expected"):
        published.published_row("ridge", own, C=1.0)
    X, y = data.clean_train
    three = bc.PoisonedData(
        (X, np.arange(len(y)) % 3),
        data.poison_train,
        data.clean_test,
        data.triggered_test,
        original_train=data.original_train,
        poison_rows=data.poison_rows,
    )
    with pytest.raises(ValueError, match="two classes, 3 came"):
        published.published_row("ridge", three, C=1.0)


def test_weights_of_rows_are_no_part_of_the_published_formula(data):
    """They would be dropped without a word."""
    for part in ("clean_train", "poison_train", "clean_test", "triggered_test"):
        rows = getattr(data, part)
        weighted = replace(data, **{part: replace(rows, weight=np.full(len(rows), 2.0))})
        with pytest.raises(ValueError, match="knows no weights of rows"):
            published.published_row("ridge", weighted, C=1.0)


BETAS = np.array([0.0, 0.2, 1.0])


def inner(X, a, b):
    """Of two functions in the kernel's space, a term at a time."""
    return sum(a[i] * b[j] * kernel("svm-rbf", X[i], X[j]) for i in np.flatnonzero(a) for j in np.flatnonzero(b))


def test_rbf_deviation_is_right_and_as_published_side_by_side(data):
    """The duals of beta = 0 belong to the clean rows; packed in front they meet the kernel of other rows."""
    as_published, right = published.rbf_deviation(data, C=2.0, gamma=GAMMA, betas=BETAS)
    X, y = data.original_train.X.copy(), data.original_train.y.copy()
    X[data.poison_rows], y[data.poison_rows] = data.poison_train
    X, clean, duals = X.reshape(60, -1), np.flatnonzero(~data.is_poison), np.zeros((4, 60))
    for a, beta in zip(duals, BETAS, strict=False):
        used = clean if beta == 0 else np.arange(60)
        fit = SVC(C=2.0, gamma=GAMMA).fit(X[used], y[used], np.where(data.is_poison, beta, 1.0)[used])
        for i, value in zip(fit.support_, fit.dual_coef_[0], strict=True):
            a[used[i]] = value
            if beta == 0:
                duals[3, i] = value
    for found, start in ((right, 0), (as_published, 3)):
        rows = duals[[start, 1, 2]]
        np.testing.assert_array_equal(found.duals, rows)
        norms = [sqrt(inner(X, a, a)) for a in rows]
        np.testing.assert_allclose(found.norm, norms, rtol=1e-10)
        cosines = [inner(X, rows[0], a) / norm / norms[0] for a, norm in zip(rows, norms, strict=True)]
        np.testing.assert_allclose(found.cosine, cosines, atol=1e-10)
    assert right.cosine[-1] - as_published.cosine[-1] > 0.05
    np.testing.assert_array_equal(as_published.norm[1:], right.norm[1:])


def test_nothing_is_misplaced_where_the_poison_comes_last(data):
    """The published mistake is one of places: with the clean rows in front there is none to make."""
    own = bc.PoisonedData(data.clean_train, data.poison_train, data.clean_test, data.triggered_test)
    as_published, right = published.rbf_deviation(own, C=2.0, gamma=GAMMA, betas=BETAS)
    for name, values in asdict(right).items():
        np.testing.assert_array_equal(getattr(as_published, name), values)


def test_deviation_starts_at_beta_0(data):
    """The cosine is with w(0), whatever betas are asked."""
    with pytest.raises(ValueError, match=r"as the first, 0\.2 came"):
        published.rbf_deviation(data, C=2.0, gamma=GAMMA, betas=BETAS[1:])
