"""The parts of the softmax path: its objective, its systems, its proofs; and that the tests of the path see faults."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.intercept import FREE
from backdoor_curves.paths.interpolation import halving
from backdoor_curves.paths.softmax import newton, optimality, path, preconditioner, softmax_path
from backdoor_curves.paths.softmax.axes import principal_axes
from backdoor_curves.paths.softmax.factored import among_others, factored
from backdoor_curves.paths.softmax.preconditioner import Preconditioners, factor, inverse
from backdoor_curves.paths.softmax.problem import Problem, largest_curvatures, probabilities, without_mean
from backdoor_curves.paths.softmax.response import refined
from paths import test_softmax as claims

K, P_COLUMNS = 4, 6


def of_rows(seed=0, n=50, working=np.float64, C=2.0):
    rng = np.random.default_rng(seed)
    Z = np.column_stack([np.ones(n), rng.standard_normal((n, P_COLUMNS - 1))])
    y = rng.integers(0, K, n)
    R = np.append(0.0, np.linspace(0.5, 2.0, P_COLUMNS - 1))
    return Problem(Z, y, K, C * rng.random(n), C * rng.random(n), R, working)


def parameters(seed=1, b=3, size=1.0):
    return size * without_mean(np.random.default_rng(seed).standard_normal((K, b, P_COLUMNS)))


def dense_hessian(problem, P, beta):
    """Of all classes at one beta, (K p, K p)."""
    u = problem.u(np.array([beta]))[0]
    A = np.einsum("kn,kl->nkl", P, np.eye(K)) - np.einsum("kn,ln->nkl", P, P)
    H = np.einsum("n,nkl,np,nq->kplq", u, A, problem.Z, problem.Z)
    return H.reshape(K * P_COLUMNS, -1) + np.diag(np.tile(problem.R, K))


def test_the_objective_is_penalty_and_log_loss():
    """By scipy, row by row."""
    problem, W, betas = of_rows(), parameters(), np.array([0.0, 0.3, 1.0])
    F = problem.scores(W)
    losses = -np.array([log_softmax(F[:, j], axis=0)[problem.y, np.arange(50)] for j in range(3)])
    expected = (problem.R * W**2).sum(axis=(0, 2)) / 2 + (problem.u(betas) * losses).sum(axis=1)
    np.testing.assert_allclose(problem.value(W, F, betas), expected, rtol=1e-13)
    np.testing.assert_allclose(probabilities(F), softmax(F, axis=0), rtol=1e-13)


def test_losses_and_residuals_of_rows_far_beyond_their_margin_have_their_digits():
    """exp(-60) for a loss, where the log of a sum has 1e-16."""
    problem = replace(of_rows(n=1), y=np.array([0]), u0=np.ones(1), du=np.zeros(1))
    F = np.array([60.0, 0.0, -800.0, -2000.0]).reshape(K, 1, 1)
    value = problem.value(np.zeros((K, 1, P_COLUMNS)), F, np.zeros(1))
    np.testing.assert_allclose(value, np.exp(-60.0), rtol=1e-12)
    g = problem.residuals(probabilities(F), np.zeros(1))
    np.testing.assert_allclose(g[:2, 0, 0], [-np.exp(-60.0), np.exp(-60.0)], rtol=1e-12)


def test_gradient_and_hessian_are_derivatives():
    """Central differences: h^2 times a third derivative."""
    problem, W, betas, h = of_rows(), parameters(), np.array([0.1, 0.5, 1.0]), 1e-5
    V = parameters(2)
    P = probabilities(problem.scores(W))
    G = problem.gradient(W, P, betas)
    ahead, behind = (W + way * h * V for way in (1, -1))
    value = [problem.value(A, problem.scores(A), betas) for A in (ahead, behind)]
    np.testing.assert_allclose((G * V).sum(axis=(0, 2)), (value[0] - value[1]) / (2 * h), rtol=1e-8)
    gradients = [problem.gradient(A, probabilities(problem.scores(A)), betas) for A in (ahead, behind)]
    product = problem.hessian(P, betas)(V)
    np.testing.assert_allclose(product, (gradients[0] - gradients[1]) / (2 * h), atol=1e-7 * np.abs(product).max())


@pytest.mark.parametrize("working", [np.float32, np.float64])
def test_systems_are_solved_to_their_share_with_any_preconditioner(working, monkeypatch):
    """Made of the whole, or of parts; each column has a Hessian of its own."""
    problem, betas = of_rows(working=working), np.array([0.0, 0.4, 1.0])
    P = probabilities(problem.scores(parameters()))
    B = parameters(3)
    expected = [
        np.linalg.lstsq(dense_hessian(problem, P[:, j], beta), B[:, j].ravel())[0] for j, beta in enumerate(betas)
    ]
    for whole in (1000, 0):
        monkeypatch.setattr(preconditioner, "FEW", whole)
        monkeypatch.setattr(preconditioner, "WHOLE", whole)
        monkeypatch.setattr(preconditioner, "COUPLED", 2 * K)
        M = preconditioner.preconditioner(problem, P[:, 1], 0.4)
        X = newton.solve(problem, P, betas, M, B, np.full(3, 1e-5)).X
        off = X.swapaxes(0, 1).reshape(3, -1) - expected
        assert np.abs(off).max() < 1e-4 * np.abs(expected).max()


def test_a_preconditioner_of_the_whole_is_the_inverse():
    """On what adds up to nothing over the classes."""
    problem = of_rows()
    P, B = probabilities(problem.scores(parameters(b=1))), parameters(4, b=1)
    M = preconditioner.preconditioner(problem, P[:, 0], 0.4)
    np.testing.assert_allclose(problem.hessian(P, np.array([0.4]))(M(B)), B, atol=1e-10)


@pytest.mark.parametrize("r", [2, P_COLUMNS])
def test_the_hessian_among_others_is_that_of_differences_from_the_last_class(r):
    """Its lower triangle, from the dense one of all classes: parameters V of the others have V - mean V in all."""
    problem = of_rows()
    P = probabilities(problem.scores(parameters(b=1)))[:, 0]
    dense = dense_hessian(problem, P, 0.4).reshape(K, P_COLUMNS, K, P_COLUMNS)[:, :r, :, :r].reshape(K * r, K * r)
    to_all = np.kron((np.eye(K) - 1.0 / K)[:, :-1], np.eye(r))
    found = among_others(problem, P, problem.u(np.array([0.4]))[0], r)
    np.testing.assert_allclose(np.tril(found), np.tril(to_all.T @ dense @ to_all), atol=1e-12)


def test_a_factor_serves_many_systems_where_it_pays():
    """Few systems get none; many get one that is next to the inverse."""
    problem = of_rows(working=np.float32)
    P, B = probabilities(problem.scores(parameters(b=1))), parameters(4, b=1)
    assert factored(problem, P[:, 0], 0.4, 0) is None
    M = factored(problem, P[:, 0], 0.4, 10_000)
    assert M.is_whole
    near = problem.hessian(P, np.array([0.4]))(M(B.astype(np.float32)).astype(float))
    np.testing.assert_allclose(near, B, atol=1e-4)


@pytest.mark.parametrize("penalty", [1.0, 1e-3, 1e-9])
def test_a_factor_is_corrected_until_ten_digits_are_right(penalty):
    """Of an inverse in single precision; where that is none, conjugate gradients take over from it."""
    problem = of_rows(working=np.float32)
    problem = replace(problem, R=penalty * problem.R)
    P, B = probabilities(problem.scores(parameters(b=1))), parameters(4)
    M = factored(problem, P[:, 0], 0.4, 10_000)
    X = refined(problem, P, 0.4, M, B).swapaxes(0, 1).reshape(3, -1)
    # What all classes share is 0 in both: with it in the matrix there is one solution.
    H = dense_hessian(problem, P[:, 0], 0.4) + np.kron(np.ones((K, K)), np.eye(P_COLUMNS))
    true = np.linalg.solve(H, B.swapaxes(0, 1).reshape(3, -1).T).T
    size, off = (np.sqrt(np.einsum("bi,ij,bj->b", A, H, A)) for A in (true, X - true))
    assert (off <= 2e-10 * size).all()


def test_a_nearly_singular_matrix_has_an_inverse_and_an_indefinite_one_is_refused():
    """With a little added to its diagonal: it is for steps, which the next gradient checks."""
    assert np.isfinite(inverse(np.ones((3, 3), np.float32))).all()
    with pytest.raises(PathError, match="the Hessian is singular in this precision; raise lambda or rescale"):
        factor(-np.eye(2))


def test_bounds_of_curvatures_are_above_the_largest_eigenvalue():
    """Of u (diag P - P P'), over random and extreme probabilities."""
    rng = np.random.default_rng(5)
    P = probabilities(rng.standard_normal((K, 1, 200)) * np.geomspace(0.1, 30.0, 200))
    bound = largest_curvatures(P, np.full((1, 200), 3.0))[0]
    true = [3.0 * np.linalg.eigvalsh(np.diag(p) - np.outer(p, p))[-1] for p in P[:, 0].T]
    assert (bound >= np.array(true) * (1 - 1e-12) - 1e-15).all()


def test_principal_axes_turn_rows_unless_columns_are_large():
    """The first has the largest variance; large columns get units, and stay columns."""
    rng = np.random.default_rng(6)
    X = rng.standard_normal((40, 3)) * [1.0, 5.0, 0.1] + 2.0
    axes = principal_axes(X, about_mean=True)
    Z = axes.of(X)
    np.testing.assert_allclose(Z.mean(axis=0), 0.0, atol=1e-14)
    assert (np.diff(Z.var(axis=0)) < 0.0).all()
    W = rng.standard_normal((2, 3))
    np.testing.assert_allclose(Z @ W.T, (X - axes.centre) @ axes.coef(W).T, atol=1e-12)
    raw = principal_axes(X * [1.0, 1e6, 1.0], about_mean=True)
    assert raw.Q is None
    assert raw.size[1] > 1e5
    np.testing.assert_array_equal(principal_axes(X, about_mean=False).centre, np.zeros(3))


def test_what_a_path_answers_does_not_hang_on_what_it_was_asked():
    """Preconditioners are kept while it is followed, and none is added after."""
    X, y, poison = claims.problem(np.random.default_rng(7), 60, 4)
    one = softmax_path(X, y, 3, *claims.weights(poison, 1.0))
    made = len(one.preconditioners.made)
    first = one.certificate(claims.BETAS, [X]).score_bound
    one.tangent(X, np.random.default_rng(0).random(30))
    np.testing.assert_array_equal(one.certificate(claims.BETAS, [X]).score_bound, first)
    assert len(one.preconditioners.made) == made


def test_preconditioners_are_kept_within_bounds(monkeypatch):
    """The oldest go where there would be too many bytes."""
    problem = of_rows()
    F, kept = problem.scores(parameters(b=1)), Preconditioners(problem)
    size = kept.kept(0.0, F, 0.0).nbytes
    monkeypatch.setattr(preconditioner, "KEPT", 2.5 * size)
    for tau in (1.0, 2.0, 3.0):
        kept.kept(tau, F, 0.5)
    assert [at for at, _ in kept.made] == [2.0, 3.0]


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ((halving, "MOST_NODES"), 5, r"nodes did not bring the path within 1e-08; raise lambda or tolerance"),
        ((newton, "MOST_STEPS"), 1, r"1 Newton steps did not reach the optimum at beta = 0; raise lambda or rescale"),
    ],
)
def test_a_path_that_cannot_be_followed_is_refused(limit, value, sentence, monkeypatch):
    """In a sentence, not with numbers."""
    monkeypatch.setattr(*limit, value)
    X, y, poison = claims.problem(np.random.default_rng(8), 60, 4)
    with pytest.raises(PathError, match=sentence):
        softmax_path(X, y, 3, *claims.weights(poison, 10.0), tolerance=1e-8)


# --- faults are seen -------------------------------------------------------------------------------------------------


def a_class_forgotten(monkeypatch):
    right = Problem.residuals
    monkeypatch.setattr(Problem, "residuals", lambda self, P, betas: right(self, P * (1 + 1e-6), betas))


def polynomials_of_other_nodes(monkeypatch):
    right = path.SoftmaxPath._at
    monkeypatch.setattr(path.SoftmaxPath, "_at", lambda self, betas: right(self, betas * (1 - 1e-5)))


FAULTS = {
    "residuals off by a millionth": (
        a_class_forgotten,
        lambda: claims.test_scores_are_those_of_newtons_method_to_the_tolerance(1.0, FREE),
    ),
    "parameters of another beta": (
        polynomials_of_other_nodes,
        lambda: claims.test_parameters_add_up_to_nothing_over_the_classes(6, FREE),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_a_formula_breaks_a_claim(name, monkeypatch):
    """Each by a claim of the path against an independent road."""
    fault, claim = FAULTS[name]
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        claim()


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_proof_without_the_movement_of_intercepts_is_seen(forgotten, monkeypatch):
    """At a row in the centre all of the error is the intercepts': a bound by its own length is below it.

    By the plain proof alone, at once where the path is, so that nothing else has room to hide it.
    """
    monkeypatch.setattr(optimality, "REFINEMENTS", 0)
    monkeypatch.setattr(path, "MOST_ENTRIES", 0)
    if forgotten:
        right = optimality.Optimality.nearer
        monkeypatch.setattr(
            optimality.Optimality,
            "nearer",
            lambda self, *given: replace(near := right(self, *given), spread=0.0 * near.spread),
        )
    X, y, poison = claims.problem(np.random.default_rng(9), 80, 3)
    u0, du = claims.weights(poison, 1.0)
    followed, zero = softmax_path(X, y, 3, u0, du), np.zeros(1)
    best = claims.optima(X, y, 3, u0, du, FREE, zero)
    centre, optimal, below = followed.axes.centre[np.newaxis], followed.nodal.copy(), []
    for seed in range(10):
        step = np.random.default_rng(seed).standard_normal(optimal.shape)
        followed.nodal[:] = optimal + 1e-6 * (step - step.mean(axis=1, keepdims=True))
        moved = followed._optimality.nearer(followed._at(zero), zero, followed.preconditioners.made[0][1]).W
        at_best = replace(
            followed, nodal=np.repeat(followed._optimality.along_axes(moved).swapaxes(0, 1), len(optimal), 0)
        )
        error = claims.errors(at_best, centre, best, zero)[0]
        below.append(at_best.certificate(zero, [centre]).score_bound[0] < error)
    assert any(below) == forgotten
