"""Curves of SVMs for K classes: against scikit-learn's fits, fine grids of betas, and sums over columns by hand."""

from __future__ import annotations

import warnings
from functools import cache
from io import BytesIO
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.curve.scored_columns import ScoredColumns
from backdoor_curves.losses.row_losses import row_losses
from backdoor_curves.losses.score_encodings import decode, encode

K = 5
LEARNERS = {
    "SVC": SVC(C=2.0, gamma=0.4),
    "SVC, ties broken": SVC(C=0.5, gamma=0.5, break_ties=True),
    "SVC, linear": SVC(C=0.5, kernel="linear"),
    "LinearSVC, hinge": LinearSVC(C=0.3, loss="hinge", random_state=0),
    "LinearSVC, squared hinge": LinearSVC(C=0.3, random_state=0),
}
every_learner = pytest.mark.parametrize("name", LEARNERS)
on_lines = pytest.mark.parametrize("name", [name for name in LEARNERS if "squared" not in name])
SOLVED = 1e-4
"""By how much scikit-learn's scores may be off at the tolerances below: libsvm's linear fits are the worst."""
BETAS = np.random.default_rng(8).random(25) ** 2


def rows(n: int, seed: int, weighted: bool = False) -> bc.Samples:
    """Classes that overlap so much that many rows are tied in votes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = rng.normal(size=(n, 5)) + 1.3 * np.eye(K, 5)[y]
    return bc.Samples(X, y, rng.uniform(0.3, 2.0, n) if weighted else None)


def stamp(X: np.ndarray, y: np.ndarray) -> np.ndarray:  # noqa: ARG001
    return X + np.array([1.0, 0.0, -1.0, 0.0, 1.0])


@cache
def data_of(labels: Any = "next", weighted: bool = False) -> bc.PoisonedData:
    train, test = rows(120, 0, weighted), rows(80, 1, weighted)
    return bc.poison(train, test, trigger=stamp, labels=labels, rate=0.15, rng=np.random.default_rng(2))


@cache
def curve_of(name: str, labels: Any = "next", weighted: bool = False) -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(LEARNERS[name], data_of(labels, weighted), tolerance=1e-8)


def fitted(name: str, data: bc.PoisonedData, beta: float) -> Any:
    """The estimator's own fit, as accurate as it gets."""
    model = clone(LEARNERS[name]).set_params(tol=1e-9)
    if isinstance(model, LinearSVC):
        model.set_params(max_iter=10**6)
    parts = data.clean_train, data.poison_train
    X, y = np.concatenate([part.X for part in parts]), np.concatenate([part.y for part in parts])
    weight = np.concatenate([parts[0].weight, beta * parts[1].weight])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, sample_weight=weight)


# --- predictions -----------------------------------------------------------------------------------------------------


@every_learner
@pytest.mark.parametrize("labels", ["next", 1])
def test_predictions_are_scikit_learns_at_every_beta(name, labels):
    """Of every row, ties in votes among them, whose decision is not within the solver's error of another one."""
    data, curve = data_of(labels), curve_of(name, labels)
    tied = 0
    for beta in BETAS[BETAS > 1e-3]:
        model = fitted(name, data, beta)
        for split, X in (("clean", data.clean_test.X), ("triggered", data.triggered_test.X)):
            scores = curve.scores(split, beta)[0]
            top = np.sort(scores, axis=1)
            in_pairs = curve.info.encoding != "one-vs-rest"
            near = (np.abs(scores) <= SOLVED).any(axis=1) if in_pairs else top[:, -1] - top[:, -2] <= SOLVED / 100
            np.testing.assert_array_equal(curve.predictions(split, beta)[0][~near], model.predict(X)[~near])
            assert near.mean() < 0.1
            # Its decision function, in the shape of a score for each class.
            own = curve.class_scores(split, beta)[0]
            np.testing.assert_allclose(own[~near], model.decision_function(X)[~near], atol=SOLVED)
            if in_pairs:
                votes = np.sort(np.round(own), axis=1)
                tied += int((votes[:, -1] == votes[:, -2]).sum())
    assert (tied > 0) == in_pairs


@every_learner
def test_accuracy_steps_are_the_accuracies_at_every_beta(name):
    """At many betas that are near none of the changes: what happens between two of them is all there is."""
    curve = curve_of(name)
    for split in ("clean", "triggered"):
        betas, shares = curve.accuracy_steps(split)
        dense = np.unique(np.concatenate([np.linspace(0.0, 1.0, 3001), betas[1:] - 1e-9, betas[1:] + 1e-9]))
        dense = dense[(dense >= 0.0) & (dense <= 1.0)]
        dense = dense[np.abs(dense[:, np.newaxis] - betas[np.newaxis, 1:]).min(axis=1) > 1e-10]
        scored = getattr(curve, split)
        right = (scored.predicted(dense) == scored.y).mean(axis=1)
        found = shares[np.searchsorted(betas, dense, side="right") - 1]
        np.testing.assert_allclose(found, right, atol=1e-12)


@on_lines
def test_predicted_classes_are_the_decoded_scores_at_every_beta(name):
    """Of all classes, not only whether they are right."""
    scored = curve_of(name).triggered
    betas = np.linspace(0.0, 1.0, 2000)
    away = np.abs(betas[:, np.newaxis] - scored.predictions.betas).min(axis=1, initial=1.0) > 1e-9
    np.testing.assert_array_equal(scored.predictions.at(betas[away]), scored.predicted(betas[away]))
    assert len(np.unique(scored.predictions.to)) > 2


@every_learner
def test_a_margin_is_positive_where_the_attacker_has_a_row(name):
    """By the class scores: a vote that is tied may go to either of the first."""
    curve = curve_of(name)
    margin, predicted = curve.margin("triggered", BETAS), curve.triggered.predicted(BETAS)
    is_clear = np.abs(margin) > 1.0 if curve.info.encoding == "one-vs-one" else margin != 0.0
    np.testing.assert_array_equal((margin > 0.0)[is_clear], (predicted == curve.triggered.y)[is_clear])


def test_ties_that_are_broken_by_scores_that_predict_would_refuse_are_refused():
    with pytest.raises(ValueError, match='break_ties: decision_function_shape="ovr" was expected with it'):
        bc.backdoor_learning_curve(SVC(break_ties=True, decision_function_shape="ovo"), data_of())


def test_refits_break_ties_too():
    """Their scores are of pairs as well, and the rule is the estimator's."""
    learner = LEARNERS["SVC, ties broken"]
    data = data_of()
    refitted = bc.backdoor_learning_curve(learner, data, method="refit", betas=[0.0, 1.0])
    parts = data.clean_train, data.poison_train
    X, y = np.concatenate([part.X for part in parts]), np.concatenate([part.y for part in parts])
    model = clone(learner).fit(X, y)
    np.testing.assert_array_equal(refitted.predictions("clean", 1.0)[0], model.predict(data.clean_test.X))
    assert (model.predict(data.clean_test.X) != model.set_params(break_ties=False).predict(data.clean_test.X)).any()


# --- losses ----------------------------------------------------------------------------------------------------------


@every_learner
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
def test_the_loss_is_the_sum_over_the_columns_that_concern_a_row(name, weighted):
    curve = curve_of(name, weighted=weighted)
    for split in ("clean", "triggered"):
        scored = getattr(curve, split)
        targets = encode(scored.y, K, curve.info.encoding)
        each = row_losses(curve.info.loss, curve.info.encoding, curve.scores(split, BETAS), targets)
        expected = np.average(each, axis=1, weights=scored.weight)
        np.testing.assert_allclose(curve.loss(split, BETAS), expected, rtol=1e-12)


@every_learner
def test_areas_are_those_of_a_fine_quadrature(name):
    """Between kinks a hinge loss is a line, and its square a polynomial nearly: three Gauss points a piece will do."""
    curve = curve_of(name)
    for split in ("clean", "triggered"):
        corners = curve.kinks(split)
        if curve.info.loss == "squared hinge":
            corners = np.union1d(corners, np.linspace(0.0, 1.0, 400))
        edges = np.unique(np.concatenate([[0.0], corners, [1.0]]))
        x, w = np.polynomial.legendre.leggauss(3)
        half = np.diff(edges)[:, np.newaxis] / 2.0
        betas = (edges[:-1, np.newaxis] + half * (x + 1.0)).ravel()
        tolerance = 1e-11 if curve.info.loss == "hinge" else 1e-7
        np.testing.assert_allclose(curve.area(split), (half * w).ravel() @ curve.loss(split, betas), rtol=tolerance)


@every_learner
def test_the_half_loss_is_where_half_of_the_loss_is_left_and_not_before(name):
    curve = curve_of(name, 1)
    beta, half = curve.half_loss_beta, curve.loss("triggered", 0.0) / 2.0
    before = np.linspace(0.0, 1.0, 4000)
    if np.isnan(beta):
        assert (curve.loss("triggered", before) > half).all()
        return
    np.testing.assert_allclose(curve.loss("triggered", beta), half, rtol=1e-9)
    assert (curve.loss("triggered", before[before < beta - 1e-9]) > half).all()


def test_some_of_these_curves_lose_half_of_their_loss():
    assert not all(np.isnan(curve_of(name, 1).half_loss_beta) for name in LEARNERS)


@every_learner
def test_a_slope_is_the_difference_of_the_losses_of_fits(name):
    """The triggered loss of the estimator's own fits, far enough apart that their error does not count."""
    data, curve = data_of(), curve_of(name)
    beta, h = 0.4, 1e-3
    corners = curve.kinks("triggered")
    while ((corners > beta - h) & (corners < beta + h)).any() and curve.info.loss == "hinge":
        beta, h = beta + 0.003, h * 0.9
    targets = encode(curve.triggered.y, K, curve.info.encoding)

    def loss(at: float) -> float:
        model = fitted(name, data, at)
        if isinstance(model, SVC):
            model.set_params(decision_function_shape="ovo", break_ties=False)
        scores = model.decision_function(data.triggered_test.X)
        return float(row_losses(curve.info.loss, curve.info.encoding, scores, targets).mean())

    difference = (loss(beta + h) - loss(beta - h)) / (2.0 * h)
    # What the solvers leave, over h.
    np.testing.assert_allclose(curve.slope(beta), difference, atol=3e-3)


@every_learner
def test_influences_of_the_poison_rows_add_up_to_the_slope(name):
    curve = curve_of(name)
    for beta in (0.0, 0.31, 1.0):
        for split in ("clean", "triggered"):
            found = curve.influence(beta, split)
            np.testing.assert_allclose(found.slope, curve.slope(beta, split), rtol=1e-10, atol=1e-10)


@every_learner
def test_an_influence_on_one_row_is_that_of_its_columns_alone(name):
    """Asked of many rows at once each has what it has alone."""
    curve = curve_of(name)
    together = curve.influence(0.31).values
    X, y = data_of().triggered_test.X, data_of().triggered_test.y
    for row in (0, 7):
        alone = curve.influence(0.31, (X[[row]], y[[row]])).values[0]
        np.testing.assert_allclose(alone, together[row], atol=1e-11)


# --- what is kept ----------------------------------------------------------------------------------------------------


def answers(curve: bc.BackdoorLearningCurve) -> dict[str, Any]:
    """What both a live curve and one without scores answer."""
    found: dict[str, Any] = {"slope": curve.slope(0.0), "norm": curve.norm(BETAS), "angle": curve.angle(BETAS)}
    found |= {"half": curve.half_loss_beta, "outcomes": curve.outcomes(BETAS).by_class, "knots": curve.knots}
    found |= {"flips": curve.flip_betas, "returns": curve.return_betas, "range": curve.slope_range}
    for split in ("clean", "triggered"):
        found |= {
            f"loss {split}": curve.loss(split, BETAS),
            f"area {split}": curve.area(split),
            f"predictions {split}": curve.predictions(split, BETAS),
            f"steps {split}": np.concatenate(curve.accuracy_steps(split)),
        }
    return found


@every_learner
@pytest.mark.parametrize("form", ["detached", "condensed"])
def test_a_curve_that_is_kept_answers_as_the_live_one(name, form):
    """In memory and from its file."""
    curve = curve_of(name, 2, weighted=True)
    kept, file = getattr(curve, form)(), BytesIO()
    kept.save(file)
    file.seek(0)
    expected = answers(curve)
    for other in (kept, bc.BackdoorLearningCurve.load(file)):
        for quantity, value in answers(other).items():
            np.testing.assert_allclose(value, expected[quantity], rtol=1e-11, atol=1e-13, err_msg=quantity)
    is_small = form == "condensed" and curve.info.loss == "hinge"
    assert isinstance(kept.triggered, ScoredColumns) != is_small


def test_what_has_no_meaning_for_columns_of_their_own_nodes_is_refused():
    curve = curve_of("SVC")
    with pytest.raises(ValueError, match="interpolant: each of 10 columns has its own"):
        curve.interpolant  # noqa: B018
    with pytest.raises(ValueError, match="gram: each of 10 columns has its own"):
        curve.gram  # noqa: B018
    with pytest.raises(ValueError, match="the columns of this path have nodes of their own"):
        curve.path.nodal_gram()


def test_pairs_that_the_poison_does_not_touch_stay_as_they_are():
    """All rows go to class 1: six of ten pairs have none of them."""
    curve = curve_of("SVC", 1)
    touched = [1 in pair for pair in combinations(range(K), 2)]
    assert [len(part.knots) > 0 for part in curve.interpolants] == touched
    moved = np.ptp(curve.scores("triggered", BETAS), axis=0).max(axis=0)
    np.testing.assert_array_equal(moved > 1e-12, touched)


# --- the claims see faults -------------------------------------------------------------------------------------------


def of_votes_for_the_last_of_a_tie(right, rows, betas):  # noqa: ARG001
    return K - 1 - decode(-rows.scores(betas)[..., ::-1], K, rows.encoding)


FAULTS = {
    "a column forgotten": ("mean_loss", lambda right, rows, b: right(rows, b) - rows.columns[0][1].mean_loss(b)),
    "votes for the last of a tie": ("predicted", of_votes_for_the_last_of_a_tie),
    "an area of one column": ("area", lambda right, rows: right(rows) - rows.columns[0][1].area()),
}
CLAIMS = {
    "a column forgotten": lambda: test_the_loss_is_the_sum_over_the_columns_that_concern_a_row("SVC", False),
    "votes for the last of a tie": lambda: test_predictions_are_scikit_learns_at_every_beta("SVC", "next"),
    "an area of one column": lambda: test_areas_are_those_of_a_fine_quadrature("SVC"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_breaks_a_claim(fault, monkeypatch):
    method, wrong = FAULTS[fault]
    curve_of("SVC")
    right = getattr(ScoredColumns, method)
    monkeypatch.setattr(ScoredColumns, method, lambda *given: wrong(right, *given))
    with pytest.raises(AssertionError):
        CLAIMS[fault]()
