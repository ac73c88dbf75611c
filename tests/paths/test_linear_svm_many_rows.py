"""Linear SVMs of many rows: what screening leaves out is never missed, rows stay as they came, ties end."""

import numpy as np
import pytest
import scipy.sparse as sp

from backdoor_curves.kernels.functions import linear
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.linalg.rows_in_place import RowsInPlace
from backdoor_curves.paths.linear_svm import many, screened
from backdoor_curves.paths.linear_svm.chords import Chords
from backdoor_curves.paths.linear_svm.follow import linear_svm_path
from backdoor_curves.paths.linear_svm.path import neighbours_and_first
from backdoor_curves.paths.linear_svm.problem import Problem
from backdoor_curves.paths.linear_svm.smoothed import smoothed_optimum
from backdoor_curves.paths.linear_svm.smoothed_many import smoothed_optimum_of_many
from backdoor_curves.paths.linear_svm.start import start
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, ZERO
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.rows import distinct_rows
from reference import interior_point

BETAS = np.array([0.0, 1e-3, 0.1, 0.6, 1.0])
INTERCEPTS = pytest.mark.parametrize("intercept", [FREE, penalised(1.0), NONE], ids=str)


def rows(n=1200, d=6, C=1.0, seed=0):
    """Two overlapping classes, and a tenth of the rows with a feature moved and the other label."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * rng.uniform(0.3, 1.0, d)
    y = np.where(X @ rng.normal(size=d) + 0.5 * rng.normal(size=n) > 0.2, 1.0, -1.0)
    poison = np.arange(n) < n // 10
    X[poison, 0] += 1.5
    y[poison] *= -1.0
    return X, y, np.where(poison, 0.0, C), np.where(poison, C, 0.0)


def is_screened(path):
    return isinstance(path.problem.Phi, RowsInPlace)


@INTERCEPTS
@pytest.mark.parametrize("C", [1e-3, 0.1, 100.0])
def test_the_path_of_many_rows_is_that_of_the_kernel_matrix(C, intercept):
    """Knots, scores, tangents, norms and what single rows do."""
    X, y, u0, du = rows(C=C)
    path, kernel = linear_svm_path(X, y, u0, du, intercept), svm_path(X, y, u0, du, linear, intercept)
    assert is_screened(path)
    np.testing.assert_allclose(path.at.betas, kernel.at.betas, atol=1e-9)
    np.testing.assert_allclose(path.scores(X, BETAS), kernel.scores(X, BETAS), atol=1e-8)  # a kernel matrix's digits
    np.testing.assert_allclose(path.tangent(X, BETAS).rates, kernel.tangent(X, BETAS).rates, rtol=1e-6, atol=1e-6)
    one, other, g = path.response(0.3), kernel.response(0.3), np.ones((len(y), 1))
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_allclose(one.influence(X, g), other.influence(X, g), rtol=1e-6, atol=1e-7)
    found = path.certificate(BETAS, [X])
    assert found.score_bound.max() <= 1e-7
    assert found.objective_gap.max() <= 1e-9


@INTERCEPTS
def test_at_every_node_every_row_is_on_its_side(intercept):
    """All rows at all nodes, which the walk never looks at: what the chords say is so."""
    X, y, u0, du = rows(3000, 5, C=3.0)
    path = linear_svm_path(X, y, u0, du, intercept)
    Phi, at = path.place.of(X), path.at
    assert is_screened(path)
    for k in range(0, len(at.betas), 7):
        status, margin, u = at.sets.at(k), at.sets.margin_at(k), u0 + at.betas[k] * du
        e = y * (Phi @ at.W[k] + at.b[k]) - 1.0
        assert np.array_equal(np.sort(margin), np.flatnonzero(status == MARGIN))
        assert e[status == ZERO].min(initial=0.0) > -1e-9
        assert e[status == BOUND].max(initial=0.0) < 1e-9
        assert np.abs(e[margin]).max(initial=0.0) < 1e-9
        pull = np.where(status == BOUND, y * u, 0.0)
        c = np.linalg.lstsq(Phi[margin].T, at.W[k] - pull @ Phi, rcond=None)[0] if len(margin) else np.zeros(0)
        if not intercept.is_free:  # the margin's duals are what is left of w
            assert np.abs(c @ Phi[margin] + pull @ Phi - at.W[k]).max() < 1e-8
            assert (y[margin] * c > -1e-7).all()
            assert (y[margin] * c < u[margin] + 1e-7).all()


@pytest.mark.parametrize("intercept", [FREE, penalised(2.0)], ids=str)
@pytest.mark.parametrize("C", [0.05, 5.0])
def test_the_path_of_many_rows_is_the_interior_points(monkeypatch, C, intercept):
    """An independent solver at several betas; few rows, so that it can."""
    monkeypatch.setattr(many, "MANY", 50)
    X, y, u0, du = rows(160, 3, C=C, seed=3)
    path = linear_svm_path(X, y, u0, du, intercept)
    assert is_screened(path)
    K = X @ X.T + intercept.shift
    for beta in (0.2, 0.7, 1.0):
        best = interior_point.solve(K, y, u0 + beta * du, intercept.is_free)
        expected = best.offsets(K) + (best.intercept if intercept.is_free else 0.0)
        np.testing.assert_allclose(path.scores(X, np.array([beta]))[0], expected, atol=1e-8 + 10.0 * best.error)


@pytest.mark.parametrize("watched", [0, 1])
def test_rows_that_are_not_watched_are_seen_to_cross(monkeypatch, watched):
    """With too few rows watched strides are walked again, to the same path: the chords miss none that crosses."""
    X, y, u0, du = rows(2500, 5)
    expected = linear_svm_path(X, y, u0, du)
    redone = []
    to_end = screened.ScreenedWalk.to_end

    def counted(self):
        trail = to_end(self)
        redone.append(self.redone)
        return trail

    monkeypatch.setattr(screened, "WATCHED", watched)
    monkeypatch.setattr(screened.ScreenedWalk, "to_end", counted)
    found = linear_svm_path(X, y, u0, du)
    assert redone[0] > 0
    np.testing.assert_allclose(found.at.betas, expected.at.betas, atol=1e-11)
    np.testing.assert_allclose(found.at.W, expected.at.W, atol=1e-9)


def test_a_path_without_the_look_at_all_rows_is_wrong(monkeypatch):
    """A break of the proof: were no chord to leave a row in doubt, crossings would be missed."""
    X, y, u0, du = rows(2500, 5)
    monkeypatch.setattr(screened, "WATCHED", 0)
    monkeypatch.setattr(screened.ScreenedWalk, "_crossed", lambda *_: (0, np.empty(0, dtype=np.intp)))
    monkeypatch.setattr(many, "SHIFTS", (0.0,))
    with pytest.raises(Exception, match="off by"):
        many.nodes_of_many(Problem(RowsInPlace(X, None, ()), y, u0, du, free=True))


def test_chords_find_the_rows_that_cross():
    """All scores at all nodes of a random walk, against halved chords."""
    rng = np.random.default_rng(1)
    W, Z = np.cumsum(rng.normal(size=(200, 4)), axis=0), rng.normal(size=(500, 4))
    h = (Z @ W.T).min(axis=1) + np.where(rng.random(500) < 0.5, 1e-6, -1e-6)
    e = Z @ W.T - h[:, np.newaxis]
    chords = Chords(W)
    crossed = chords.crossed(Z, h, np.linalg.norm(Z, axis=1), [e[:, 0], e[:, -1]])
    np.testing.assert_array_equal(crossed, (e < -1e-7).any(axis=1))
    assert chords.first == np.flatnonzero((e < -1e-7).any(axis=0))[0]


@pytest.mark.parametrize("intercept", [FREE, penalised(1.0)], ids=str)
def test_rows_stay_as_they_came(tmp_path, intercept):
    """Single precision, a file, sparse rows: the path is that of the same numbers in double precision, uncopied."""
    X, y, u0, du = rows(1500, 6)
    X[np.abs(X) < 0.1] = 0.0
    single = X.astype(np.float32)
    expected = linear_svm_path(single.astype(float), y, u0, du, intercept)
    np.save(tmp_path / "rows.npy", single)
    for given in (single, np.load(tmp_path / "rows.npy", mmap_mode="r"), sp.csr_array(single)):
        path = linear_svm_path(given, y, u0, du, intercept)
        assert path.problem.Phi.X is given
        np.testing.assert_allclose(path.at.betas, expected.at.betas, atol=1e-10)
        np.testing.assert_allclose(path.scores(X, BETAS), expected.scores(X, BETAS), atol=1e-9)
        assert path.certificate(BETAS, [X]).score_bound.max() <= 1e-7


@INTERCEPTS
@pytest.mark.parametrize("kind", ["one-hot", "half zeros", "whole numbers", "repeated"])
def test_rows_that_depend_on_each_other_are_followed(kind, intercept):
    """Most rows are in the span of few others: those stay on the margin, or beside it, and ties end."""
    rng = np.random.default_rng(7)
    X, y, u0, du = rows(2400, 4, C=0.7)
    if kind == "one-hot":
        X = np.eye(8)[rng.integers(0, 8, len(X))] + np.outer(X[:, 0], np.eye(8)[0])
    elif kind == "half zeros":
        X = np.maximum(X, 0.0)
    elif kind == "whole numbers":
        X = np.column_stack([np.round(20 * X[:, :2]), np.round(X[:, 2])])
    else:
        X[600:1200] = X[:600]
        y[600:1200] = y[:600]
    path = linear_svm_path(X, y, u0, du, intercept)
    assert (
        path.certificate(np.append(BETAS, path.at.betas[:: max(1, len(path.at.betas) // 20)]), [X]).score_bound.max()
        < 1e-6
    )


def test_columns_of_very_different_sizes_keep_their_digits():
    """What the inverse of the margin's matrix has no digits for goes to the careful walk."""
    X, y, u0, du = rows(1200, 3)
    X = np.column_stack([X, 1.7e9 + 1e6 * np.random.default_rng(2).random(len(X))])
    path = linear_svm_path(X, y, u0, du)
    assert path.certificate(path.proven_at[::100], [X]).score_bound.max() < 1e-6


@pytest.mark.parametrize("free", [True, False])
def test_newtons_method_for_many_rows_begins_where_that_for_few_does(free):
    """The optima at beta = 0 that both smoothed hinges are walked to."""
    X, y, u0, du = rows(900, 5)
    problem = Problem(X, y, u0, du, free)
    found, expected = (
        start(problem, y, np.random.default_rng(0), near).optimum
        for near in (smoothed_optimum_of_many(problem, y), smoothed_optimum(problem))
    )
    np.testing.assert_allclose(found.w, expected.w, atol=1e-10)
    assert found.b == pytest.approx(expected.b, abs=1e-10)


def test_the_sets_at_a_node_are_those_of_its_events():
    """Changes between nodes against the sets at each of them, by following the careful walk."""
    X, y, u0, du = rows(300, 3)
    path = linear_svm_path(X, y, u0, du)
    at = path.at
    assert at.sets.ends[-1] == len(at.sets.rows)
    for k in range(1, len(at.betas)):
        changed = np.flatnonzero(at.sets.at(k) != at.sets.at(k - 1))
        np.testing.assert_array_equal(changed, np.unique(at.sets.rows[at.sets.ends[k - 1] : at.sets.ends[k]]))


def test_many_nodes_keep_the_inner_products_that_are_asked_for():
    W = np.random.default_rng(0).normal(size=(9, 3))
    kept, full = neighbours_and_first(W).toarray(), W @ W.T
    beside = np.abs(np.subtract.outer(np.arange(9), np.arange(9))) <= 1
    beside[0] = beside[:, 0] = True
    np.testing.assert_allclose(kept, np.where(beside, full, 0.0), atol=1e-14)


def test_rows_in_place_are_the_array_that_they_stand_for():
    """Rows, scores and sums, about a centre and with a column, dense and sparse, in both precisions."""
    rng = np.random.default_rng(3)
    X, w, c = rng.normal(size=(50, 4)), rng.normal(size=5), rng.normal(size=50)
    X[X < 0] = 0.0
    for given in (X, X.astype(np.float32), sp.csr_array(X)):
        dense = np.asarray(given.toarray() if sp.issparse(given) else given, dtype=float)
        for centre, column in ((None, (2.0,)), (np.arange(4.0), (2.0,)), (np.arange(4.0), ())):
            place = RowsInPlace(given, centre, column)
            full = np.column_stack([dense - (0.0 if centre is None else centre), np.full((50, len(column)), 2.0)])
            np.testing.assert_allclose(place[np.array([3, 1])], full[[3, 1]])
            np.testing.assert_allclose(place[2], full[2])
            np.testing.assert_allclose(place @ w[: full.shape[1]], full @ w[: full.shape[1]], atol=1e-12)
            np.testing.assert_allclose(place.lifted(c), c @ full, atol=1e-12)


def test_of_many_distinct_rows_none_is_merged_and_of_equal_ones_all_are():
    X = np.random.default_rng(0).normal(size=(400, 3))
    X[300:] = X[:100]
    y = np.where(np.arange(400) < 350, 1.0, -1.0)
    first, group = distinct_rows(X, y)
    np.testing.assert_array_equal(first, np.append(np.arange(300), np.arange(350, 400)))
    np.testing.assert_array_equal(X[first][group], X)
    np.testing.assert_array_equal(y[first][group], y)
