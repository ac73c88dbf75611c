"""What a run keeps of its models' explanations, against refits of the same learners."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC
from small_study import done_here, small

import backdoor_curves as bc
from backdoor_curves.study.compute import explanation as explained
from backdoor_curves.study.compute.explanation import ROWS, TOP, Explanation, explain
from backdoor_curves.study.file.config import DataConfig, KeepConfig, LearnerConfig, PoisonConfig

NAMES = ("three", "eight")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    train, test = bc.datasets.digits((3, 8), n_train=150, n_test=80, rng=rng)
    trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    return bc.poison(train, test, trigger=trigger, rate=0.2, rng=rng)


def victim(data):
    """The victim's training rows, flat, in its own order, and labels."""
    X = np.empty((len(data.is_poison), 64))
    y = np.empty(len(X), dtype=data.clean_train.y.dtype)
    for poison, part in ((False, data.clean_train), (True, data.poison_train)):
        X[data.is_poison == poison], y[data.is_poison == poison] = part.X.reshape(len(part), -1), part.y
    return X, y


def test_gradients_are_the_coefficients_of_the_two_models(data):
    """Of a linear model the gradient of a score is w: refitted without the poison and with all of it.

    The score is that of the class that the attacker wants.
    """
    found = explain(bc.backdoor_learning_curve(RidgeClassifier(alpha=3.0), data), data, NAMES)
    X, y = victim(data)
    for kept, G, says, share in zip(
        (~data.is_poison, slice(None)), found.gradients, found.predicted, found.shares, strict=True
    ):
        flat = found.image.reshape(1, -1) / 255.0
        fit = RidgeClassifier(alpha=3.0).fit(X[kept], y[kept])
        assert NAMES[fit.predict(flat)[0]] == says
        sign = 1.0 if found.label == "eight" else -1.0
        np.testing.assert_allclose(G.ravel(), sign * fit.coef_.ravel(), atol=2e-7)  # kept in single precision
        inside = np.abs(fit.coef_.ravel())[found.mask.ravel()].sum() / np.abs(fit.coef_.ravel()).sum()
        np.testing.assert_allclose(share, inside, rtol=1e-6)
    assert found.mask.sum() == 4
    assert found.shares[1] > found.shares[0]


def test_the_rows_that_teach_most_are_those_without_which_the_loss_would_move_most(data):
    """Against fits with one row's weight a little smaller, of every training row."""
    found = explain(
        bc.backdoor_learning_curve(LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10), data), data, NAMES
    )
    X, y = victim(data)
    tests = data.triggered_test
    row = next(k for k in range(ROWS) if np.array_equal(explained._as_bytes(tests.X[k]), found.image))
    attackers = 1.0 if tests.y[row] == data.classes[1] else -1.0

    def loss(weights):
        fit = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(X, y, weights)
        return np.logaddexp(0.0, -attackers * fit.decision_function(tests.X[row].reshape(1, -1))[0])

    step, moves = 1e-3, np.empty(len(y))
    for i in range(len(y)):
        more, less = np.ones(len(y)), np.ones(len(y))
        more[i], less[i] = 1.0 + step, 1.0 - step
        moves[i] = (loss(more) - loss(less)) / (2.0 * step)
    top = np.argsort(-np.abs(moves))[:TOP]
    np.testing.assert_allclose(found.influences, moves[top], rtol=1e-4)
    np.testing.assert_array_equal(found.top_is_poison, data.is_poison[top])
    np.testing.assert_array_equal(found.top_labels, np.array(NAMES)[y[top]])
    np.testing.assert_array_equal(found.top[..., 0], np.round(255 * X[top]).reshape(-1, 8, 8))


def test_an_image_that_the_poison_flipped_is_shown_before_others(data):
    """Right at beta = 0, the attacker's at beta = 1: the first of such rows."""
    curve = bc.backdoor_learning_curve(SVC(C=1.0, gamma=0.05), data)
    before, after = curve.predictions("triggered", [0.0, 1.0])
    flipped = np.flatnonzero((before != data.triggered_test.y) & (after == data.triggered_test.y))
    found = explain(curve, data, NAMES)
    assert flipped[0] < ROWS
    np.testing.assert_array_equal(found.image, explained._as_bytes(data.triggered_test.X[flipped[0]]))
    assert found.predicted[0] != found.label == found.predicted[1]


def test_of_many_classes_the_gradient_is_that_of_the_class_that_the_attacker_wants():
    """A ridge classifier has a vector w for each."""
    rng = np.random.default_rng(0)
    train, test = bc.datasets.digits((0, 1, 2), n_train=90, n_test=60, rng=rng)
    trigger = bc.PatchTrigger.random(size=2, n_classes=3, channels=1, rng=rng)
    data = bc.poison(train, test, trigger=trigger, rate=0.2, rng=rng)
    found = explain(bc.backdoor_learning_curve(RidgeClassifier(alpha=3.0), data), data, "012")
    X, y = victim(data)
    fit = RidgeClassifier(alpha=3.0).fit(X, y)
    np.testing.assert_allclose(found.gradients[1].ravel(), fit.coef_[int(found.label)], atol=2e-7)


def test_the_share_of_the_poison_is_that_of_its_rows_in_all_influences(data):
    """In magnitude, over the same test rows."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=3.0), data)
    size = np.abs(curve.influence(1.0).values[:ROWS])
    np.testing.assert_allclose(
        explain(curve, data, NAMES).poison_share, size[:, data.is_poison].sum() / size.sum(), rtol=1e-12
    )


def test_a_machine_that_separates_its_rows_has_gradients_but_no_influence(data):
    """Its optimum does not answer to the weight of any row."""
    found = explain(bc.backdoor_learning_curve(SVC(C=1e4, gamma=0.1), data), data, NAMES)
    assert len(found.gradients) == 2
    assert len(found.top) == len(found.influences) == 0
    assert np.isnan(found.poison_share)
    assert found.missing == ""


def test_what_a_refit_cannot_say_is_missing_with_the_reason(data):
    curve = bc.backdoor_learning_curve(LinearSVC(C=0.1, loss="hinge", random_state=0), data, method="refit")
    found = explain(curve, data, NAMES)
    assert len(found.gradients) == 2
    assert len(found.top) == 0
    assert found.missing.startswith("influences: ")


def test_of_pairs_of_classes_the_gradient_is_that_of_the_sum_of_the_wanted_classes_pairs():
    """By hand, of the pairs (0, 1), (0, 2), (1, 2); kernel machines that are refitted have none."""
    rng = np.random.default_rng(0)
    train, test = bc.datasets.digits((0, 1, 2), n_train=90, n_test=60, rng=rng)
    trigger = bc.PatchTrigger.random(size=2, n_classes=3, channels=1, rng=rng)
    data = bc.poison(train, test, trigger=trigger, rate=0.2, rng=rng)
    curve = bc.backdoor_learning_curve(SVC(gamma=0.05), data)
    found = explain(curve, data, "012")
    (row,) = (k for k in range(ROWS) if np.array_equal(explained._as_bytes(data.triggered_test.X[k]), found.image))
    pairs = bc.input_gradient(curve, data.triggered_test.X[row : row + 1], 1.0)[0, ..., 0, :]
    signs = {"0": [1, 1, 0], "1": [-1, 0, 1], "2": [0, -1, -1]}[found.label]
    np.testing.assert_allclose(found.gradients[1], pairs @ signs, rtol=1e-6, atol=1e-7)  # kept in single precision
    assert (found.shares > 0.0).all()
    assert found.missing == ""
    without = explain(bc.backdoor_learning_curve(SVC(gamma=0.05), data, method="refit"), data, "012")
    assert without.gradients.shape == (0, 8, 8)
    assert np.isnan(without.shares).all()
    assert "gradients: " in without.missing


def test_a_fault_that_nobody_foresaw_costs_an_explanation_its_part_and_a_cell_nothing(monkeypatch):
    """A cell is computed for its numbers: they are those of a study that asks for no explanations."""

    def faulty(*_, **__):
        raise KeyError("nobody\nforesaw this")

    monkeypatch.setattr(explained, "input_gradient", faulty)
    monkeypatch.setattr(bc.BackdoorLearningCurve, "influence", faulty)
    _, outcomes = done_here(small(rates=(0.5,), seeds=(0,), keep=KeepConfig(explanations=True)))
    _, without = done_here(small(rates=(0.5,), seeds=(0,)))
    (outcome,), (other,) = outcomes.values(), without.values()
    assert (outcome.reason, outcome.numbers) == ("", other.numbers)
    found = Explanation.from_bytes(outcome.records["explanation"])
    assert "foresaw this" in found.no_gradients
    assert "foresaw this" in found.no_influences


def test_an_explanation_comes_back_from_its_bytes(data):
    found = explain(bc.backdoor_learning_curve(RidgeClassifier(alpha=3.0), data), data, NAMES)
    again = Explanation.from_bytes(found.to_bytes())
    for name, value in vars(found).items():
        np.testing.assert_array_equal(getattr(again, name), value)
        assert type(getattr(again, name)) is type(value)


def test_cells_keep_an_explanation_where_the_study_asks_for_it():
    """And where it does not they keep none."""
    learners = (LearnerConfig("ridge", (1.0,)), LearnerConfig("rbf-svm", (1.0,), (0.05,)))
    _, outcomes = done_here(small(learners=learners, keep=KeepConfig(explanations=True)))
    assert len(outcomes) == 8
    for outcome in outcomes.values():
        assert outcome.reason == ""
        assert Explanation.from_bytes(outcome.records["explanation"]).image.shape == (8, 8, 1)
    _, without = done_here(small(learners=learners))
    assert all("explanation" not in outcome.records for outcome in without.values())


@pytest.mark.parametrize(
    ("classes", "n_train", "seed"), [((0, 1, 2), 4, 5), ("all", 12, 2)], ids=["three classes", "all classes"]
)
def test_a_class_without_a_row_leaves_the_others_their_names_and_the_cell_its_numbers(classes, n_train, seed):
    """Few rows of many classes need not have all of them: every class that is named here is digit and label in one."""
    study = small(
        data=(DataConfig("digits", classes, n_train=n_train, n_test=1),),
        poison=(PoisonConfig(labels=1, injection="append"),),
        rates=(0.5,),
        seeds=(seed,),
        keep=KeepConfig(explanations=True),
    )
    _, outcomes = done_here(study)
    (outcome,) = outcomes.values()
    assert outcome.reason == ""
    found = Explanation.from_bytes(outcome.records["explanation"])
    assert found.label == "1"
    assert set(found.top_labels[found.top_is_poison]) <= {"1"}


def test_cover_rows_are_not_said_to_be_poison(data):
    """They are stamped with their true labels; the share of the poison leaves them out, and so do the images."""
    train, test, trigger = data.original_train, data.clean_test, bc.PatchTrigger.ones(2)
    attack = bc.Attack(trigger, 0, cover=bc.Cover(1.0))
    covered = bc.poison(train, test, attack, rate=0.3, rng=np.random.default_rng(0))
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=3.0), covered)
    found = explain(curve, covered, NAMES)
    values = curve.influence(1.0, covered.triggered_test.take(np.arange(ROWS))).values
    is_poison = covered.is_poison & ~covered.is_cover
    share = np.abs(values[:, is_poison]).sum() / np.abs(values).sum()
    assert found.poison_share == pytest.approx(share, rel=1e-12)
    assert found.poison_share < 0.95 * np.abs(values[:, covered.is_poison]).sum() / np.abs(values).sum()
