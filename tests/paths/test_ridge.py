"""The ridge path against refits that share no code with it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from backdoor_curves.curve.deviation import cosines, norms
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.ridge import follow, ridge_path

BETAS = np.array([0.0, 1e-4, 0.03, 0.4, 1.0])
SHAPES = {  # n, d, m: each turns another way through the linear algebra
    "n > d > m": (60, 12, 5),
    "n > m > d": (60, 8, 20),
    "d > n > m": (15, 40, 6),
    "m > d > n": (15, 20, 30),
    "m > n > d": (30, 8, 50),
    "m = d": (30, 8, 8),
}


def problem(n, d, m, *, k=1, weighted=False, sparse=False, seed=0):
    """Clean and poison rows with an offset, so that a wrong intercept shows."""
    rng = np.random.default_rng(seed)
    parts = []
    for size, offset in ((n, 0.5), (m, -1.0)):
        X = rng.normal(size=(size, d)) + offset
        X[rng.random(X.shape) < 0.4] = 0.0
        Y = np.where(rng.random((size, k)) < 0.4, 1.0, -1.0)
        weights = rng.uniform(0.3, 3.0, size) if weighted else np.ones(size)
        parts.append((sp.csr_array(X) if sparse else X, Y, weights))
    return tuple(parts)


def dense(X):
    return X.toarray() if sp.issparse(X) else X


def refit(clean, poison, alpha, intercept, beta):
    """Coefficients (d, k) and intercepts (k,) by least squares on weighted rows, the penalty as further rows.

    No normal equations are formed and nothing is centred: numpy's SVD does it.
    """
    Z = np.vstack([dense(clean[0]), dense(poison[0])])
    d = Z.shape[1]
    if intercept.is_free:
        Z = np.column_stack([Z, np.ones(len(Z))])
    root = np.sqrt(np.concatenate([clean[2], beta * poison[2]]))[:, np.newaxis]
    penalty = np.sqrt(alpha) * np.eye(d, Z.shape[1])
    Y = np.vstack([clean[1], poison[1]])
    u = np.linalg.lstsq(np.vstack([root * Z, penalty]), np.vstack([root * Y, np.zeros((d, Y.shape[1]))]), rcond=None)[0]
    return (u[:d], u[d]) if intercept.is_free else (u, np.zeros(Y.shape[1]))


def check_equals_refits(path, clean, poison, alpha, intercept):
    """The check of the first test, by itself so that the broken formulas below can be shown to fail it."""
    at = path.parameters(BETAS)
    coef, b = at.coef, at.intercept
    for i, beta in enumerate(BETAS):
        w, b0 = refit(clean, poison, alpha, intercept, beta)
        # Condition numbers here are below 1e4: two backward stable roads agree to about 1e4 * 1e-16.
        np.testing.assert_allclose(coef[i], w, rtol=0, atol=1e-11)
        np.testing.assert_allclose(b[i], b0, rtol=0, atol=1e-11)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("intercept", [FREE, NONE], ids=str)
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_ridge_path_equals_refits_at_every_beta(shape, k, intercept, weighted, sparse):
    """The path is the optimum in closed form, whichever of the equivalent systems is solved."""
    clean, poison = problem(*SHAPES[shape], k=k, weighted=weighted, sparse=sparse)
    check_equals_refits(ridge_path(clean, poison, 0.7, intercept), clean, poison, 0.7, intercept)


def test_ridge_path_equals_scikit_learn_with_sample_weights():
    """Beta is a sample weight to scikit-learn, which solves a system of its own."""
    clean, poison = problem(60, 12, 5, weighted=True)
    path = ridge_path(clean, poison, 0.7)
    X, y = np.vstack([clean[0], poison[0]]), np.concatenate([clean[1], poison[1]])[:, 0]
    for beta in BETAS:
        fit = Ridge(alpha=0.7).fit(X, y, sample_weight=np.concatenate([clean[2], beta * poison[2]]))
        at = path.parameters(np.array([beta]))
        coef, b = at.coef, at.intercept
        np.testing.assert_allclose(coef[0, :, 0], fit.coef_, atol=1e-11)
        assert b[0, 0] == pytest.approx(fit.intercept_, abs=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_constant_column_is_a_penalised_intercept(shape):
    """With a column s and no free intercept, s times its coefficient is the intercept, and alpha weighs on it."""
    s = 2.0
    clean, poison = ((np.column_stack([X, np.full(len(X), s)]), Y, v) for X, Y, v in problem(*SHAPES[shape]))
    at = ridge_path(clean, poison, 0.7, NONE).parameters(BETAS)
    coef, b = at.coef, at.intercept
    assert not b.any()
    for i, beta in enumerate(BETAS):
        # By hand: unknowns (w, b), penalty alpha |w|^2 + alpha (b / s)^2.
        Z = np.vstack([clean[0], poison[0]])
        Z[:, -1] = 1.0
        v = np.concatenate([clean[2], beta * poison[2]])[:, np.newaxis]
        penalty = np.diag([0.7] * (Z.shape[1] - 1) + [0.7 / s**2])
        u = np.linalg.solve(Z.T @ (v * Z) + penalty, Z.T @ (v * np.vstack([clean[1], poison[1]])))
        np.testing.assert_allclose(coef[i][:-1], u[:-1], atol=1e-11)
        np.testing.assert_allclose(s * coef[i][-1], u[-1], atol=1e-11)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_scores_norms_and_cosines_between_the_nodes_are_those_of_the_parameters(shape, k, sparse):
    """Scores are linear in (w, b), the norm and the cosine are inner products: interpolation loses nothing of them."""
    clean, poison = problem(*SHAPES[shape], k=k, sparse=sparse)
    path = ridge_path(clean, poison, 0.7)
    betas = np.random.default_rng(1).random(7)
    test = problem(9, SHAPES[shape][1], 1, sparse=sparse, seed=2)[0][0]
    at = path.parameters(betas)
    coef, b = at.coef, at.intercept
    expected = np.einsum("nd,bdk->bnk", dense(test), coef) + b[:, np.newaxis]
    np.testing.assert_allclose(
        path.scores(test, betas), expected[..., 0] if k == 1 else expected, atol=1e-11
    )  # interpolation weights sum to 1e2 in size at most

    start = path.parameters(np.zeros(1)).coef.ravel()
    rho = np.linalg.norm(coef.reshape(len(betas), -1), axis=1)
    gram = path.nodal_gram()
    np.testing.assert_allclose(norms(path.interpolant, gram, betas), rho, rtol=1e-10)
    cosine = coef.reshape(len(betas), -1) @ start / (rho * np.linalg.norm(start))
    np.testing.assert_allclose(cosines(path.interpolant, gram, betas), cosine, atol=1e-10)


def test_an_integer_weight_is_that_many_copies_of_the_row():
    """The objective is a sum over rows, so that weight 3 and three copies are the same objective."""
    (X, Y, _), (P, Q, _) = problem(40, 6, 5)
    times, poison_times = np.arange(40) % 3 + 1, np.array([1, 2, 3, 1, 4])
    weighted = ridge_path((X, Y, times.astype(float)), (P, Q, poison_times.astype(float)), 0.7)
    copies = ridge_path(
        (X.repeat(times, 0), Y.repeat(times, 0), np.ones(times.sum())),
        (P.repeat(poison_times, 0), Q.repeat(poison_times, 0), np.ones(poison_times.sum())),
        0.7,
    )
    mine, other = weighted.parameters(BETAS), copies.parameters(BETAS)
    np.testing.assert_allclose(mine.coef, other.coef, atol=1e-12)
    np.testing.assert_allclose(mine.intercept, other.intercept, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [FREE, NONE], ids=str)
def test_training_arrays_are_not_changed(intercept, weighted):
    """Rows are centred and weighted in a copy, never in the caller's arrays."""
    clean, poison = problem(30, 8, 12, weighted=weighted)
    before = [array.copy() for part in (clean, poison) for array in part]
    path = ridge_path(clean, poison, 0.7, intercept)
    path.certificate(BETAS, [clean[0]])
    path.nodal_scores(clean[0])
    after = [array for part in (clean, poison) for array in part]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_one_copy_of_the_training_matrix_is_made():
    """A training set that fills half of the memory must still have its curve; the weights are applied in place."""
    clean, poison = problem(20_000, 200, 100, weighted=True)
    tracemalloc.start()
    path = ridge_path(clean, poison, 0.7)
    path.nodal_gram()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.15 * clean[0].nbytes  # d x d and d x m matrices and the nodes are the 15 %


# --- the certificate --------------------------------------------------------------------------------------------------


def distances(path, exact, clean, poison, rows):
    """The largest true error of a score, and the true relative excess of the objective, at each beta."""
    far = np.abs(path.scores(rows, BETAS) - exact.scores(rows, BETAS)).reshape(len(BETAS), -1).max(1)
    excess = []
    for i, beta in enumerate(BETAS):
        values = []
        for each in (path, exact):
            at = each.parameters(BETAS)
            coef, b = at.coef[i], at.intercept[i]
            values.append(
                sum(
                    scale * (v[:, np.newaxis] * (dense(X) @ coef + b - Y) ** 2).sum()
                    for scale, (X, Y, v) in ((1.0, clean), (beta, poison))
                )
                + each.system.alpha * (coef**2).sum()
            )
        excess.append((values[0] - values[1]) / values[0])
    return far, np.array(excess)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("intercept", [FREE, NONE], ids=str)
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_certificate_bounds_the_distance_of_a_perturbed_path(shape, k, intercept, sparse):
    """Strong convexity bounds how far any w and b are from the optimum; the bound is worth having if it is near."""
    alpha = 5.0
    clean, poison = problem(*SHAPES[shape], k=k, weighted=True, sparse=sparse)
    exact = ridge_path(clean, poison, alpha, intercept)
    rng = np.random.default_rng(3)
    rows = problem(25, SHAPES[shape][1], 1, sparse=sparse, seed=4)[0][0]
    for size in (1e-6, 1e-2):
        moved = replace(
            exact,
            coef0=exact.coef0 + size * rng.normal(size=exact.coef0.shape),
            intercept0=exact.intercept0 + (size * rng.normal(size=k) if intercept.is_free else 0.0),
        )
        certificate = moved.certificate(BETAS, [rows])
        far, excess = distances(moved, exact, clean, poison, rows)
        assert (far <= certificate.score_bound).all()
        assert (certificate.score_bound <= 1e3 * far).all()
        # The excess is known to 1e-15 only: it is the difference of two objectives.
        assert (excess <= certificate.objective_gap + 1e-14).all()
        assert (certificate.objective_gap <= 1e3 * np.maximum(excess, 1e-14)).all()


@pytest.mark.parametrize("change", ["directions", "residuals", "intercept_directions"])
def test_certificate_sees_errors_that_grow_with_beta(change):
    """Everything but w(0) is multiplied by beta: such an error is none at 0 and must be seen at 1."""
    clean, poison = problem(60, 12, 5)
    exact = ridge_path(clean, poison, 5.0)
    right = getattr(exact, change)
    moved = replace(exact, **{change: right + 1e-3 * np.random.default_rng(0).normal(size=right.shape)})
    rows = clean[0]
    bound = moved.certificate(BETAS, [rows]).score_bound
    far, _ = distances(moved, exact, clean, poison, rows)
    assert (far <= bound).all()
    assert bound[0] < 1e-12 < 1e-5 < bound[-1] <= 1e3 * far[-1]


@pytest.mark.parametrize("shape", SHAPES)
def test_certificate_of_the_path_itself_is_tiny(shape):
    """The path is the optimum but for rounding, and its certificate must not say less."""
    clean, poison = problem(*SHAPES[shape], k=3)
    path = ridge_path(clean, poison, 0.7)
    certificate = path.certificate(BETAS, [clean[0]])
    assert certificate.betas is BETAS
    assert certificate.score_bound.max() < 1e-11  # rounding of the gradient, over alpha
    assert certificate.objective_gap.max() < 1e-20  # quadratic in the distance


@pytest.mark.parametrize("factor", [0.5, 1.01, 2.0])
def test_certificate_of_another_alpha_fails(factor):
    """Lambda for alpha, or a mean for a sum, is an optimum of something else."""
    clean, poison = problem(60, 12, 5)
    path = ridge_path(clean, poison, 5.0)
    other = replace(path, system=replace(path.system, alpha=5.0 * factor))
    assert other.certificate(BETAS, [clean[0]]).score_bound.min() > 1e-3


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32, bool])
def test_small_integers_do_not_overflow(dtype, make):
    """Raw images are bytes; 255 squared is not one."""
    clean, poison = problem(30, 4, 3)
    path = ridge_path(clean, poison, 0.7)
    X = np.array([[100, 0, 1, 3], [2, 120, 120, 0]]).astype(dtype)
    np.testing.assert_array_equal(path.scores(make(X), BETAS), path.scores(make(X.astype(float)), BETAS))
    bounds = [path.certificate(BETAS, [make(rows)]).score_bound for rows in (X, X.astype(float))]
    np.testing.assert_allclose(*bounds, rtol=1e-9)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("shape", SHAPES)
def test_features_far_from_zero_lose_no_more_than_the_certificate_says(shape, sparse):
    """With a free intercept a shift of all rows changes nothing: what it costs in rounding must be in the bound."""
    clean, poison = problem(*SHAPES[shape])
    shift = 1e5
    make = sp.csr_array if sparse else np.asarray
    here = ridge_path(clean, poison, 0.5).scores(clean[0], BETAS)
    path = ridge_path(*((make(X + shift), Y, v) for X, Y, v in (clean, poison)), 0.5)
    rows = make(clean[0] + shift)
    error = np.abs(path.scores(rows, BETAS) - here).max(axis=1)
    bound = path.certificate(BETAS, [rows]).score_bound
    assert (error <= bound).all()
    # CSR rows with more columns than rows cannot be centred; what is subtracted instead is 1e10 times the variance.
    assert bound.max() < (1e-2 if sparse and SHAPES[shape][1] > SHAPES[shape][0] else 1e-4)


def test_the_scale_of_a_feature_is_no_alarm():
    """Raw columns of very different units are usual; a bound through |w| alone would refuse them."""
    clean, poison = problem(60, 12, 5)
    units = np.geomspace(1e-3, 1e4, 12)
    scaled = ridge_path(*((X * units, Y, v) for X, Y, v in (clean, poison)), 1.0)
    assert scaled.certificate(BETAS, [clean[0] * units]).score_bound.max() < 1e-8


def test_an_alpha_below_rounding_is_refused_by_name():
    """Two equal columns and no penalty have no unique optimum."""
    X, Y, ones = np.repeat(np.arange(6.0)[:, np.newaxis], 3, axis=1), np.ones((6, 1)), np.ones(6)
    with pytest.raises(ValueError, match=r"alpha = 1e-30 leaves the normal equations singular.*raise it") as caught:
        ridge_path((X, Y, ones), (X[:1], -Y[:1], ones[:1]), 1e-30, NONE)
    assert "\n" not in str(caught.value)


def test_a_penalised_intercept_is_refused_by_name():
    """It is a column of the rows: silently free or none it would be another problem."""
    clean, poison = problem(20, 3, 4)
    with pytest.raises(ValueError, match="a free one or none was expected"):
        ridge_path(clean, poison, 0.7, penalised(1.0))


# --- the checks themselves -------------------------------------------------------------------------------------------


def halve_alpha(monkeypatch):
    of = follow.NormalEquations
    monkeypatch.setattr(
        follow, "NormalEquations", lambda clean, poison, alpha, free: of(clean, poison, alpha / 2, free)
    )


def take_means_for_sums(monkeypatch):
    of = follow.NormalEquations
    monkeypatch.setattr(follow, "NormalEquations", lambda c, p, alpha, free: of(c, p, alpha * (len(c.root) + 3), free))


def forget_the_pole(monkeypatch):
    few = follow._few_poison_rows
    monkeypatch.setattr(follow, "_few_poison_rows", lambda s: (*few(s)[:2], 0.0 * few(s)[2], few(s)[3]))


def forget_the_intercept_of_the_poison(monkeypatch):
    few = follow._few_poison_rows
    monkeypatch.setattr(follow, "_few_poison_rows", lambda s: (few(s)[0], 0.0 * few(s)[1], *few(s)[2:]))


@pytest.mark.parametrize(
    "break_it", [halve_alpha, take_means_for_sums, forget_the_pole, forget_the_intercept_of_the_poison]
)
def test_broken_formulas_are_noticed(break_it, monkeypatch):
    """A check that a wrong formula passes would be no check."""
    clean, poison = problem(60, 12, 5)
    break_it(monkeypatch)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_equals_refits(ridge_path(clean, poison, 0.7), clean, poison, 0.7, FREE)


def test_an_alpha_that_no_path_can_be_built_for_is_refused_at_once():
    """Nodes for poles of 1e300 would take minutes, and the numbers would be noise."""
    clean, poison = problem(30, 80, 4)
    with pytest.raises(ValueError, match=r"too small for these features|singular in floating point"):
        ridge_path(clean, poison, 1e-250)
