"""What exact curves say between their nodes, against fits, sums and scans that use no formula of theirs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import Phase, given, reject, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.curve import scored_rows as scored
from backdoor_curves.data.samples import join
from backdoor_curves.losses import hinge_integrals as lines
from backdoor_curves.losses import row_losses as losses
from backdoor_curves.paths.base import PathError

# A deadline would assert a time, and a machine under load misses it.
few = settings(max_examples=25, deadline=None)
GRID = np.linspace(0.0, 1.0, 20_001)
SPLITS = ("triggered", "clean")


@st.composite
def problems(draw):
    """Clean rows of two classes that overlap, poison rows apart, test rows; some on a grid, with ties."""
    n, d, m = draw(st.integers(8, 40)), draw(st.integers(1, 6)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = np.arange(n) % 2
    X = rng.normal(size=(n, d)) + 0.5 * y[:, np.newaxis]
    poison, tested = rng.normal(size=(m, d)) + 1.5, rng.normal(size=(11, d))
    if draw(st.booleans()):
        X, poison, tested = np.round(X), np.round(poison), np.round(tested)
    return bc.PoisonedData((X, y), (poison, np.ones(m, int)), (tested, np.arange(11) % 2), (tested + 1.5, [1] * 11))


SVMS = st.builds(
    lambda C, make: make(C),
    st.sampled_from([1e-3, 0.1, 1.0, 30.0]),
    st.sampled_from(
        [
            lambda C: SVC(C=C, gamma=0.3),
            lambda C: SVC(C=C, kernel="linear"),
            lambda C: LinearSVC(C=C, loss="hinge"),
            lambda C: LinearSVC(C=C, loss="hinge", fit_intercept=False),
        ]
    ),
)
RIDGES = st.sampled_from([1e-2, 1.0, 100.0]).map(RidgeClassifier)


def curve_of(estimator, data):
    """The curve; whether there is a path, and how good it is, are questions for the tests of paths."""
    try:
        return bc.backdoor_learning_curve(estimator, data, on_miss="flag")
    except PathError:
        reject()


def jumping():
    """Classes far apart on a line, balanced, and so tiny a C that all rows are at their bound, but one.

    That one, on the far side of the attacker's class, gives up what the three poison rows take. When beta is 1/3 it has
    nothing left, and the intercept jumps to where the next one comes in; at 2/3 again.
    """
    X = np.array([-10.0, -9.0, -8.0, 8.0, 9.0, 10.0])[:, np.newaxis]
    tested = np.linspace(-20.0, 5.0, 80)[:, np.newaxis]
    triggered = (tested, np.ones(80, int))
    data = bc.PoisonedData((X, np.repeat([0, 1], 3)), (np.zeros((3, 1)), np.ones(3, int)), triggered, triggered)
    return bc.backdoor_learning_curve(SVC(C=1e-3, kernel="linear"), data)


# --- the loss --------------------------------------------------------------------------------------------------------


def tolerance_of_trapezoids(values):
    """What the trapezoidal rule on the grid may be off: (h^2 / 8) times the variation of the slope, with room."""
    return np.abs(np.diff(values, 2)).sum() * (GRID[1] - GRID[0]) + 1e-12


@few
@given(problems(), SVMS | RIDGES)
def test_area_is_the_sum_over_a_fine_grid(data, estimator):
    """20,001 betas, as close as that sum can be."""
    curve = curve_of(estimator, data)
    for split in SPLITS:
        values = curve.loss(split, GRID)
        assert curve.area(split) == pytest.approx(np.trapezoid(values, GRID), abs=tolerance_of_trapezoids(values))


def is_first_half(curve, beta):
    """Whether no beta of the grid before `beta` has at most half of the loss, and `beta` has.

    A margin of exactly 1 leaves a loss of 1e-17 where 0 is meant: slacks are known to 1e-14.
    """
    values = curve.loss("triggered", GRID)
    half, rounding = values[0] / 2, 1e-9 * values[0] + lines.ROUNDING
    if np.isnan(beta):
        return (values > half - rounding).all()
    before = values[beta - 1e-9 > GRID]
    return (before > half - rounding).all() and curve.loss("triggered", beta) <= half + rounding


@few
@given(problems(), SVMS | RIDGES)
def test_half_loss_beta_is_the_first(data, estimator):
    """No beta of a fine grid before it has half of the loss."""
    curve = curve_of(estimator, data)
    found = curve.half_loss_beta
    assert is_first_half(curve, found)
    if found > 0.0 and not np.isclose(curve.interpolant.nodes, found, rtol=0, atol=1e-12).any():
        assert curve.loss("triggered", found) == pytest.approx(curve.loss("triggered", 0.0) / 2, rel=1e-9)


@few
@given(problems(), SVMS)
def test_between_kinks_the_loss_is_a_line(data, estimator):
    """So no kink is missing: the value in the middle is the mean of those at both sides of it."""
    curve = curve_of(estimator, data)
    for split in SPLITS:
        ends = np.concatenate([[0.0], curve.kinks(split), [1.0]])
        inner = ends[:-1] + np.diff(ends) * np.array([[0.1], [0.5], [0.9]])
        left, middle, right = curve.loss(split, inner.ravel()).reshape(3, -1)
        np.testing.assert_allclose(
            middle, (left + right) / 2, rtol=0, atol=1e-11 * (1 + np.abs(curve.scores(split)).max())
        )


@few
@given(problems(), SVMS)
def test_every_kink_has_a_cause(data, estimator):
    """It is a knot of the path, or a test row is on the margin: the scores there say so."""
    curve = curve_of(estimator, data)
    for split, y in (("triggered", data.triggered_test.y), ("clean", data.clean_test.y)):
        own = np.setdiff1d(curve.kinks(split), curve.knots)
        if own.size:
            off = np.abs(np.where(y == 1, 1.0, -1.0) * curve.scores(split, own) - 1.0).min(axis=1)
            assert off.max() < 1e-9 * (1 + np.abs(curve.scores(split)).max())


@few
@given(problems(), SVMS)
def test_slopes_are_differences_as_far_as_the_next_kink(data, estimator):
    """A line's slope is its difference over any distance; from the right at a kink, from the left at 1."""
    curve = curve_of(estimator, data)
    rng = np.random.default_rng(0)
    for split in SPLITS:
        kinks = curve.kinks(split)
        ends = np.concatenate([[0.0], kinks, [1.0]])
        betas = np.concatenate([[0.0], rng.choice(kinks, min(len(kinks), 5), replace=False), rng.random(5)])
        betas = betas[~np.isin(betas, curve.interpolant.jumps)]
        reach = ends[np.minimum(np.searchsorted(ends, betas, side="right"), len(ends) - 1)] - betas
        betas, step = betas[reach > 1e-6], reach[reach > 1e-6] / 2
        found = (curve.loss(split, betas + step) - curve.loss(split, betas)) / step
        rounding = 1e-11 * (1 + np.abs(curve.scores(split)).max())
        assert (np.abs(curve.slope(betas, split) - found) <= rounding / step + 1e-9).all()
        if (last := 1.0 - ends[-2]) > 1e-6 and 1.0 not in curve.interpolant.jumps:
            left = (curve.loss(split, 1.0) - curve.loss(split, 1.0 - last / 2)) / (last / 2)
            assert curve.slope(1.0, split) == pytest.approx(left, abs=rounding / last + 1e-9)


@few
@given(problems(), RIDGES)
def test_slopes_of_ridge_are_differences_of_refits(data, estimator):
    """scikit-learn fits a little more and a little less poison; at the ends to one side, at half the order."""
    curve = curve_of(estimator, data)
    rows = join(data.clean_train, data.poison_train, data.is_poison)

    def loss(beta, test):
        fit = clone(estimator).fit(*rows, sample_weight=np.where(data.is_poison, beta, 1.0))
        return np.mean((1 - np.where(test.y == 1, 1, -1) * fit.decision_function(test.X)) ** 2)

    for split, test in (("triggered", data.triggered_test), ("clean", data.clean_test)):
        for beta in (0.05, 0.5):
            h = 1e-4 * beta
            expected = (loss(beta + h, test) - loss(beta - h, test)) / (2 * h)
            # h^2 times a third derivative of the size of loss / beta^3, and rounding of losses over h
            scale = max(1.0, curve.loss(split, beta))
            assert curve.slope(beta, split) == pytest.approx(expected, rel=1e-5, abs=1e-6 * scale / beta)


@pytest.mark.parametrize("estimator", [SVC(C=1.0, gamma=0.3), LinearSVC(C=0.3, loss="hinge")], ids=["svc", "linear"])
def test_score_derivatives_of_svms_are_differences_of_refits(estimator):
    """Where a piece of the path goes far, two fits of scikit-learn, 1e-5 off, give the slope of its line."""
    rng = np.random.default_rng(3)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 3)) + 0.5 * y[:, np.newaxis]
    poison = X[:6] + 1.5, np.ones(6, int)
    data = bc.PoisonedData((X, y), poison, (X, y), (X + 1.5, np.ones(60, int)))
    curve = bc.backdoor_learning_curve(estimator, data)
    exact = clone(estimator).set_params(tol=1e-10, max_iter=10**7)
    rows = join(data.clean_train, data.poison_train, data.is_poison)
    nodes = curve.interpolant.nodes
    moves = np.abs(np.diff(curve.path.nodal_scores(X)[..., 0], axis=0)).max(axis=1)
    for piece in np.argsort(-moves)[:3]:
        start, stop = nodes[piece : piece + 2]
        fits = [clone(exact).fit(*rows, sample_weight=np.where(data.is_poison, b, 1.0)) for b in (start + 1e-9, stop)]
        before, after = (fit.decision_function(X) for fit in fits)
        found = curve.path.score_derivatives(X, np.array([(start + stop) / 2]))[0]
        np.testing.assert_allclose(found, (after - before) / (stop - start), atol=2e-5 / (stop - start))
        assert np.abs(found).max() > 10 * 2e-5 / (stop - start)  # or zeros would pass


# --- flips -----------------------------------------------------------------------------------------------------------


@few
@given(problems(), SVMS | RIDGES)
def test_flips_are_those_of_a_scan_of_predictions(data, estimator):
    """Every prediction at 20,001 betas follows from the flips, but where a score rounds to either side of 0."""
    curve = curve_of(estimator, data)
    for split, y in (("triggered", data.triggered_test.y), ("clean", data.clean_test.y)):
        scores = curve.scores(split, GRID)
        sure = np.abs(scores) > 1e-10
        right = (curve.predictions(split, GRID) == y) & sure
        assert np.array_equal(curve.flips(split).right(GRID) & sure, right)
        betas, values = curve.accuracy_steps(split)
        steps = values[np.searchsorted(betas, GRID, side="right") - 1]
        certain = sure.all(axis=1)
        np.testing.assert_allclose(steps[certain], curve.accuracy(split, GRID)[certain], atol=1e-12)


@few
@given(problems(), SVMS | RIDGES)
def test_at_a_flip_the_score_is_0(data, estimator):
    """Or it jumps over 0."""
    curve = curve_of(estimator, data)
    flips = curve.flips("triggered")
    smooth = ~np.isin(flips.betas, getattr(curve.interpolant, "jumps", []))
    scores = curve.scores("triggered", np.append(flips.betas, 0.0))[:-1]
    at_flips = scores[np.arange(len(flips.rows)), flips.rows][smooth]
    assert np.abs(at_flips).max(initial=0.0) < 1e-9 * (1 + np.abs(curve.scores("triggered")).max())


@few
@given(problems(), SVMS | RIDGES)
def test_flip_betas_are_the_first_in_the_list_of_all(data, estimator):
    """Row by row through the list, which ascends."""
    curve = curve_of(estimator, data)
    flips = curve.flips("triggered")
    assert (np.diff(flips.betas) >= 0).all()
    for row, (first, back) in enumerate(zip(curve.flip_betas, curve.return_betas, strict=True)):
        mine = flips.rows == row
        gained, lost = flips.betas[mine & flips.gained], flips.betas[mine & ~flips.gained]
        right = flips.start[row]
        expected = 0.0 if right else gained[0] if gained.size else np.nan
        np.testing.assert_equal((first, back), (expected, lost[0] if lost.size else np.nan))
        assert np.array_equal(flips.gained[mine], [bool((k + right + 1) % 2) for k in range(mine.sum())])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-2, 1.0, 100.0]))
def test_flips_of_many_classes_are_those_of_a_scan(seed, alpha):
    """The largest of K scores changes hands; right or wrong is what counts."""
    rng = np.random.default_rng(seed)
    y = np.arange(30) % 3
    X, poison, tested = (
        rng.normal(size=(30, 4)) + y[:, np.newaxis],
        rng.normal(size=(8, 4)) + 2,
        rng.normal(size=(20, 4)),
    )
    data = bc.PoisonedData((X, y), (poison, np.full(8, 2)), (tested, np.arange(20) % 3), (tested + 2, np.full(20, 2)))
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha), data)
    for split, labels in (("triggered", data.triggered_test.y), ("clean", data.clean_test.y)):
        top = np.sort(curve.scores(split, GRID), axis=-1)
        sure = top[..., -1] - top[..., -2] > 1e-10
        right = (curve.predictions(split, GRID) == labels) & sure
        assert np.array_equal(curve.flips(split).right(GRID) & sure, right)


# --- jumps -----------------------------------------------------------------------------------------------------------


def test_jumps_are_part_of_the_curve():
    """The intercept jumps at 1/3 and 2/3, and all that is read off the curve is right across them."""
    curve = jumping()
    np.testing.assert_allclose(curve.interpolant.jumps, [1 / 3, 2 / 3], atol=1e-12)
    for split in SPLITS:
        values = curve.loss(split, GRID)
        assert np.abs(np.diff(values)).max() > 1e-3  # across 5e-5 of beta
        pieces = [
            np.linspace(start + 1e-13, stop - 1e-13, 5001)
            for start, stop in pairwise([0.0, *curve.interpolant.jumps, 1.0])
        ]
        expected = sum(np.trapezoid(curve.loss(split, piece), piece) for piece in pieces)
        assert curve.area(split) == pytest.approx(expected, abs=1e-8)
        scores = curve.scores(split, GRID)
        assert np.array_equal(curve.flips(split).right(GRID), (scores > 0) == (curve._rows(split).y == 1))
    assert np.isin(curve.interpolant.jumps, curve.kinks()).all()
    assert is_first_half(curve, curve.half_loss_beta)


def test_flips_at_a_jump_are_at_its_beta():
    """All rows between the two intercepts go over at once."""
    curve = jumping()
    flips = curve.flips("triggered")
    for jump in curve.interpolant.jumps:
        before, after = curve.scores("triggered", [jump - 1e-12, jump])
        assert sorted(flips.rows[flips.betas == jump]) == np.flatnonzero((before > 0) != (after > 0)).tolist()
    assert np.isin(flips.betas, curve.interpolant.jumps).any()


def test_the_half_of_a_loss_may_lie_in_a_jump():
    """Where no beta has half of the loss, the first with less is the jump's."""
    nodes = np.array([0.0, 0.5, 0.5, 1.0])
    margins = np.array([[-3.0], [-2.5], [0.5], [0.0]])
    assert lines.first_half(nodes, margins) == 0.5


def test_a_slope_at_a_jump_is_refused_by_name():
    """It does not exist."""
    curve = jumping()
    jump = float(curve.interpolant.jumps[0])
    with pytest.raises(ValueError, match=f"jumps at beta = {jump!r} and has no slope there"):
        curve.slope([0.1, jump])
    assert np.isfinite(curve.slope([np.nextafter(jump, 0), np.nextafter(jump, 1)])).all()


def test_at_0_a_jump_has_its_right_value():
    """The intercept of balanced classes is free in an interval at beta = 0; any poison at all decides it."""
    curve = jumping()
    np.testing.assert_allclose(curve.scores("clean", 0.0), curve.scores("clean", 1e-9), atol=1e-6)
    assert np.isfinite(curve.slope(0.0))


# --- dips ------------------------------------------------------------------------------------------------------------


def test_half_of_a_loss_that_is_reached_between_nodes_only_is_found():
    """Two rows cross the margin from both sides: the loss is 1 at both nodes, and .4 where they meet."""
    nodes, margins = np.array([0.0, 1.0]), np.array([[0.0, 2.0], [3.0, 0.2]])
    beta = lines.first_half(nodes, margins)
    hinge = np.maximum(0.0, 1.0 - (margins[0] + np.outer(GRID, margins[1] - margins[0]))).sum(axis=1)
    assert hinge[-1] > 0.5
    assert beta == pytest.approx(GRID[np.flatnonzero(hinge <= 0.5)[0]], abs=1e-4)
    assert beta == pytest.approx(1 / 6, rel=1e-14)  # where 1 - 3 beta = 1/2


def test_a_loss_that_rests_at_half_has_reached_it():
    """On a grid of whole numbers losses do; rounding must not send the answer to the end of the rest, or beyond."""
    nodes = np.array([0.0, 0.3, 0.7, 1.0])
    for off in (0.0, 1e-16, -1e-16):
        margins = 1.0 - np.array([[0.2, 0.4], [0.1, 0.2 + off], [0.1, 0.2 + off], [0.3, 0.3]])
        assert lines.first_half(nodes, margins) == pytest.approx(0.3, rel=1e-9)
    assert lines.first_half(nodes, 1.0 + 1e-17 * np.array([[-4.0], [-2.0], [-2.0], [-4.0]])) == 0.0


# --- smaller curves --------------------------------------------------------------------------------------------------


@few
@given(problems(), SVMS)
def test_a_condensed_curve_answers_as_the_whole(data, estimator):
    """Corners and flips are all that a hinge curve is; 1e-12 is the rounding of sums in another order."""
    curve = curve_of(estimator, data)
    small = curve.condensed()
    betas = np.random.default_rng(0).random(50)
    scale = 1 + np.abs(curve.scores("triggered")).max() + np.abs(curve.scores("clean")).max()
    for split in SPLITS:
        sure = (np.abs(curve.scores(split, betas)) > 1e-10).all(axis=1)
        np.testing.assert_allclose(small.loss(split, betas), curve.loss(split, betas), atol=1e-12 * scale)
        small_share, share = small.accuracy(split, betas), curve.accuracy(split, betas)
        np.testing.assert_allclose(small_share[sure], share[sure], atol=1e-12)
        assert small.area(split) == pytest.approx(curve.area(split), abs=1e-12 * scale)
        assert np.array_equal(small.kinks(split), curve.kinks(split))
    np.testing.assert_allclose(small.half_loss_beta, curve.half_loss_beta, atol=1e-9)
    np.testing.assert_array_equal(small.flip_betas, curve.flip_betas)


# --- the checks themselves -------------------------------------------------------------------------------------------


def fails(test, estimators):
    """Whether a test finds a counterexample; it is not made smaller."""
    once = settings(few, phases=[Phase.generate], report_multiple_bugs=False)
    try:
        once(given(problems(), estimators)(test.hypothesis.inner_test))()
    except AssertionError:
        return True
    return False


def test_an_area_without_the_crossings_is_noticed(monkeypatch):
    """Trapezoids of the hinges at the nodes count the part beyond the margin."""
    monkeypatch.setattr(lines, "_changes_sign", lambda slack: np.zeros(slack[:-1].shape, dtype=bool))
    assert fails(test_area_is_the_sum_over_a_fine_grid, SVMS)


def test_a_left_slope_is_noticed(monkeypatch):
    """At a kink the slopes differ."""
    right = losses.row_rates
    monkeypatch.setattr(scored, "row_rates", lambda *a: -right(*a[:3], -a[3], *a[4:]))
    assert fails(test_slopes_are_differences_as_far_as_the_next_kink, SVMS)


def test_kinks_without_the_rows_own_are_noticed(monkeypatch):
    """The knots alone are not all."""
    monkeypatch.setattr(scored, "corners", lambda *_: np.empty(0))
    assert fails(test_between_kinks_the_loss_is_a_line, SVMS)


def test_a_half_at_nodes_only_is_noticed(monkeypatch):
    """The first node with half of the loss is not the first beta."""
    monkeypatch.setattr(lines, "_first_in_piece", lambda *_: None)
    assert fails(test_half_loss_beta_is_the_first, SVMS)
