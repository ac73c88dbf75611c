"""The squared hinge's path of more rows than are watched, in the features and in the poison's duals."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_squared_hinge import BETAS, distance, problem, weights

from backdoor_curves.paths.intercept import NONE, penalised
from backdoor_curves.paths.linalg.rows_in_place import RowsInPlace
from backdoor_curves.paths.squared_hinge import follow, squared_hinge_path, walk
from backdoor_curves.paths.squared_hinge.feature_run import FeatureRun, LostError
from backdoor_curves.paths.squared_hinge.poison_run import PoisonRun
from backdoor_curves.paths.squared_hinge.problem import Problem
from backdoor_curves.paths.squared_hinge.start import start
from backdoor_curves.paths.squared_hinge.stretch import Stretch, through
from backdoor_curves.paths.squared_hinge.sums import inverse, sums
from backdoor_curves.paths.squared_hinge.thin import as_parabolas


def many(seed, n=3000, d=6):
    """Two classes well apart and a tenth of the rows with a trigger: half of the rows come to their margin."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    X = rng.standard_normal((n, d))
    X[:, 0] += 2.0 * y
    poison = np.arange(n) % 10 == 0
    X[poison, -1] += 3.0
    y[poison] *= -1
    return X, y, poison


def few_watched(monkeypatch, watched=5, turn=0.0):
    """Let few rows be watched, and no row be taken to turn: most stretches then miss one."""
    monkeypatch.setattr(walk, "FEW", 0)
    monkeypatch.setattr(walk, "WATCHED", watched)
    monkeypatch.setattr(walk, "TURN", turn)
    monkeypatch.setattr(walk, "LEAST_TURN", turn)


def counted(monkeypatch, kind):
    """A list that grows by one for each run of a kind."""
    runs, begin = [], kind.__init__

    def count(self, *arguments):
        runs.append(len(runs))
        begin(self, *arguments)

    monkeypatch.setattr(kind, "__init__", count)
    return runs


@pytest.mark.parametrize("C", [1e-3, 1.0, 100.0])
def test_scores_of_many_rows_are_those_of_newtons_method(C, monkeypatch):
    """As of few rows: 1e-9 is what the polynomials between the events are asked for, and the bounds hold."""
    X, y, poison = many(0)
    u0, du = weights(poison, C)
    runs = counted(monkeypatch, FeatureRun)
    path = squared_hinge_path(X, y, u0, du, penalised(1.0))
    assert len(runs) > 2
    betas = np.concatenate([BETAS, np.random.default_rng(1).random(4), path.knots[:: len(path.knots) // 3]])
    error = distance(path, X, y, u0, du, penalised(1.0), betas, X)
    certificate = path.certificate(betas, [X])
    assert error.max() < 3e-9
    assert (error <= certificate.score_bound).all()
    assert certificate.score_bound.max() < 1e-8


def test_every_event_of_many_rows_is_a_knot():
    """By brute force: in the middles of neighbouring pieces one row has changed its side, at the knot it is on it."""
    X, y, poison = many(2, n=2000)
    path = squared_hinge_path(X, y, *weights(poison, 1.0), penalised(1.0))
    assert len(path.knots) > 500
    slack = 1.0 - y * path.scores(X, path.knots)
    assert np.abs(slack).min(axis=1).max() < 1e-8
    edges = np.concatenate([[0.0], path.knots, [1.0]])
    sides = np.sign(1.0 - y * path.scores(X, (edges[1:] + edges[:-1]) / 2))
    np.testing.assert_array_equal((np.diff(sides, axis=0) != 0).sum(axis=1), np.ones(len(path.knots)))


def test_derivatives_of_many_rows_are_differences():
    """Between events, on parabolas: what is asked comes from the conditions of the optimum."""
    X, y, poison = many(3)
    path = squared_hinge_path(X, y, *weights(poison, 1.0), penalised(1.0))
    assert path.interpolant.degree == 2
    edges = np.concatenate([[0.0], path.knots, [1.0]])
    chosen = np.argsort(np.diff(edges))[-4:]
    for left, right in zip(edges[chosen], edges[chosen + 1], strict=True):
        middle, h = (left + right) / 2, (right - left) / 8
        difference = np.diff(path.scores(X, np.array([middle - h, middle + h])), axis=0)[0] / (2 * h)
        rates = path.score_derivatives(X, np.array([middle]))[0]
        np.testing.assert_allclose(rates, difference, atol=1e-4 * np.abs(rates).max())


@pytest.mark.parametrize("d", [4, 40])
def test_rows_that_nobody_watched_are_found(d, monkeypatch):
    """With five rows watched and no allowance for turns the path is the one on which all rows are watched."""
    X, y, poison = many(4, n=300, d=d)
    u0, du = weights(poison, 1.0)
    kind = FeatureRun if d == 4 else PoisonRun
    runs = counted(monkeypatch, kind)
    all_watched = squared_hinge_path(X, y, u0, du, penalised(1.0))
    few_watched(monkeypatch)
    before = len(runs)
    few = squared_hinge_path(X, y, u0, du, penalised(1.0))
    assert 4 * before < len(runs)
    betas = np.linspace(0, 1, 41)
    np.testing.assert_allclose(few.knots, all_watched.knots, atol=1e-8)
    np.testing.assert_allclose(few.scores(X, betas), all_watched.scores(X, betas), atol=3e-9)


def test_without_the_look_at_all_rows_the_path_is_wrong(monkeypatch):
    """The proof is what the test before tests: if it finds nothing, events come late, up to the next stretch."""
    X, y, poison = many(4, n=300, d=4)
    u0, du = weights(poison, 1.0)
    knots = squared_hinge_path(X, y, u0, du, penalised(1.0)).knots
    few_watched(monkeypatch)
    sound, looks = walk.look, []

    def blind(*arguments):
        motion, missed = sound(*arguments)
        looks.append(len(missed))
        return motion, missed[:0]

    monkeypatch.setattr(walk, "look", blind)
    path = squared_hinge_path(X, y, u0, du, penalised(1.0))
    assert sum(looks) > 0
    assert distance(path, X, y, u0, du, penalised(1.0), knots, X).max() > 1e-6


def test_both_kinds_of_runs_find_the_same_events(monkeypatch):
    """Where those in the features give up, those in the poison's duals go on."""
    X, y, poison = many(5, n=1200, d=5)
    u0, du = weights(poison, 1.0)
    in_features = squared_hinge_path(X, y, u0, du, penalised(1.0))
    follow, runs = FeatureRun.follow, counted(monkeypatch, PoisonRun)

    def gives_up(self, stop):
        if self.beta > 0.1:
            raise LostError("no digits")
        return follow(self, stop)

    monkeypatch.setattr(FeatureRun, "follow", gives_up)
    in_duals = squared_hinge_path(X, y, u0, du, penalised(1.0))
    assert len(runs) > 0
    betas = np.linspace(0, 1, 41)
    np.testing.assert_allclose(in_duals.knots, in_features.knots, atol=1e-8)
    np.testing.assert_allclose(in_duals.scores(X, betas), in_features.scores(X, betas), atol=3e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(40, 300),
    d=st.integers(1, 12),
    C=st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3, 1e4]),
    rate=st.sampled_from([0.03, 0.2, 0.5]),
    integer=st.booleans(),
    repeated=st.integers(0, 40),
    intercept=st.sampled_from([NONE, penalised(1.0), penalised(5.0)]),
)
def test_random_problems_with_few_rows_watched_are_followed(seed, n, d, C, rate, integer, repeated, intercept):
    """Ties, repeats, extreme C, with ten rows watched: the path is the optimum and the bounds hold."""
    X, y, poison = problem(np.random.default_rng(seed), n, d, integer=integer, repeated=repeated, rate=rate)
    u0, du = weights(poison, C)
    with pytest.MonkeyPatch.context() as patch:
        few_watched(patch, 10, 0.2)
        path = squared_hinge_path(X, y, u0, du, intercept)
    betas = np.concatenate([BETAS[[0, 2, 3, 5]], path.knots[:1]])
    error = distance(path, X, y, u0, du, intercept, betas, X)
    certificate = path.certificate(betas, [X])
    assert error.max() < 1e-8
    assert (error <= certificate.score_bound).all()
    assert certificate.score_bound.max() < 1e-7


def test_parabolas_are_the_path_but_for_a_billionth():
    """Short pieces are one parabola, longer ones some; events stay at ends; long pieces are left as they are."""
    rng = np.random.default_rng(6)
    edges = np.append(0.0, np.cumsum(rng.choice([1e-3, 2e-3, 1e-2], 60, p=[0.6, 0.3, 0.1])))
    event = rng.random(60) < 0.8
    spin = np.array([1.0, 0.7, -0.4])
    stretch = Stretch(edges, np.zeros((241, 3)), event)
    stretch = Stretch(edges, np.exp(np.outer(stretch.points, spin)), event)
    thin = as_parabolas(stretch, np.ones(3))
    assert thin is not None
    assert len(thin.W) < len(stretch.W) / 1.5
    np.testing.assert_allclose(thin.edges[1:][thin.event], edges[1:][event], atol=1e-15)
    for k in range(len(thin.event)):
        t = np.linspace(thin.edges[k], thin.edges[k + 1], 9)
        s = np.linspace(-1.0, 1.0, 9)[:, np.newaxis]
        a, b, c = thin.W[2 * k : 2 * k + 3]
        parabola = b + s * (c - a) / 2 + s**2 * ((a + c) / 2 - b)
        assert np.linalg.norm(parabola - np.exp(np.outer(t, spin)), axis=1).max() < 1.1e-9
    assert as_parabolas(Stretch(10 * edges, stretch.W, event), np.ones(3) * 1e3) is None


def test_the_thread_goes_through_a_stretch():
    """A polynomial of degree 4 is its own thread, whatever its pieces."""
    edges = np.array([0.0, 0.3, 0.5, 2.0])
    stretch = Stretch(edges, np.zeros((13, 2)), np.ones(3, dtype=bool))

    def f(t):
        return np.column_stack([t**4 - t, 1.0 + t**2])

    stretch = Stretch(edges, f(stretch.points), stretch.event)
    t = np.linspace(0.0, 2.0, 7)
    np.testing.assert_allclose(through(stretch.thread(), 0.0, 2.0, t), f(t), atol=1e-12)


def test_sums_change_as_rows_come_and_go():
    """They are those of the rows that are there, as if added up anew."""
    X, y, poison = many(7, n=60, d=4)
    at = Problem(X, y, *weights(poison, 2.0))
    active = y > 0
    total = sums(at, active)
    for i in (0, 5, 17, *np.flatnonzero(poison)[:3]):
        sign = -1.0 if active[i] else 1.0
        total.change(X[i], y[i], sign * at.u0[i], sign * at.du[i])
        active[i] ^= True
    anew = sums(at, active)
    for changed, added in ((total.A, anew.A), (total.B, anew.B), (total.a, anew.a), (total.b, anew.b)):
        np.testing.assert_allclose(changed, added, atol=1e-11)
    H = total.hessian(0.3)
    np.testing.assert_allclose(inverse(H) @ H, np.eye(4), atol=1e-12)
    assert inverse(np.diag([1.0, 0.0])) is None


def test_the_path_of_very_many_rows_begins_at_the_optimum():
    """liblinear sees a part of the rows; what Newton's method makes of it has no gradient."""
    X, y, poison = many(8, n=20_000, d=3)
    at = Problem(X, y, *weights(poison, 1.0))
    begin = start(at)
    slack = np.maximum(0.0, 1.0 - y * (X @ begin.w))
    assert np.abs(begin.w - X.T @ (2.0 * at.u0 * y * slack)).max() < 1e-9


def test_nothing_of_rows_times_rows_is_made():
    """Path and certificate hold less than a tenth of what one number for each two rows would take."""
    n = 6000
    X, y, poison = many(9, n=n, d=4)
    tracemalloc.start()
    try:
        path = squared_hinge_path(X, y, *weights(poison, 1.0), penalised(1.0))
        path.certificate(path.interpolant.nodes[:3], [X[:10]])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < n * n * 8 / 10


@pytest.mark.parametrize("n", [300, 3000])
def test_rows_of_many_bytes_are_left_where_they_are(n, monkeypatch):
    """The same path, derivatives, influences and proofs, in the metric of the Hessian too, but for rounding."""
    X, y, poison = many(10, n=n)
    given = X, y, *weights(poison, 1.0), penalised(2.0)
    copied = squared_hinge_path(*given)
    monkeypatch.setattr(follow, "LARGE", 0)
    in_place = squared_hinge_path(*given)
    assert isinstance(in_place.problem.Z, RowsInPlace)
    assert in_place.problem.Z.X is X
    loss_gradients = np.ones((20, 1))

    def said(path):
        proof, response = path.certificate(BETAS, [X[:20]]), path.response(0.4)
        sharper = path._sharper(path.nodal[3], path.nodal[3], float(path.interpolant.nodes[3]), [X[:20]])
        yield path.scores(X, BETAS), path.tangent(X, BETAS).rates, response.influence(X[:20], loss_gradients)
        yield proof.score_bound, proof.objective_gap, np.array(sharper)

    (values, bounds), (right, allowed) = said(in_place), said(copied)
    for found, expected in zip(values, right, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)
    for found, expected in zip(bounds, allowed, strict=True):
        assert (found <= 10.0 * expected + 1e-11).all()


def test_a_path_holds_a_third_of_its_rows_beside_them():
    """Of rows of 64 MiB and more no copy is made, neither for the path nor for its proof."""
    X, y, poison = many(11, n=90_000, d=100)
    u0, du = weights(poison, 1e-6)
    tracemalloc.start()
    try:
        path = squared_hinge_path(X, y, u0, du, penalised(1.0))
        path.certificate(np.array([0.0, 1.0]), [X[:10]])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 3 + 3e7  # ten arrays of a number a row, and what is made of 16 MiB at a time
