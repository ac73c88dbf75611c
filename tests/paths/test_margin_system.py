"""The system of a margin by each of its factorisations, against the matrix itself."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import LinAlgError

from backdoor_curves.kernels.matrix import WholeMatrix
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.svm.dual import Problem
from backdoor_curves.paths.svm.margin_system import Cholesky, MarginSystem, RefinedInverse, inverse

INTERCEPTS = pytest.mark.parametrize("intercept", [FREE, NONE, penalised(1.0), penalised(30.0)], ids=str)


def problem_of(intercept, n=30, d=40):
    X = np.random.default_rng(0).normal(size=(n, d))
    return Problem(WholeMatrix(X @ X.T), np.where(np.arange(n) % 2, 1.0, -1.0), np.ones(n), np.zeros(n), intercept)


def matrix_of(problem, M):
    """S as it is written down."""
    K = problem.gram[np.ix_(M, M)]
    if not problem.has_intercept:
        return K
    S = np.ones((len(M) + 1, len(M) + 1))
    S[0, 0], S[1:, 1:] = problem.corner, K
    return S


@INTERCEPTS
@pytest.mark.parametrize("M", [np.arange(3, 25), np.array([7])], ids=["some", "one"])
def test_it_solves_the_system_as_the_matrix_does(intercept, M):
    """And its trace is that of the margin's part of the inverse."""
    problem = problem_of(intercept)
    S, system = matrix_of(problem, M), MarginSystem.of(problem, M)
    factor, border = Cholesky.of(system), system.border
    R = np.random.default_rng(1).normal(size=(4, len(S)))
    np.testing.assert_array_equal(system.matrix(), S)
    np.testing.assert_allclose(system.product(R), R @ S, atol=1e-10)
    np.testing.assert_allclose(factor.solve(R) @ S, R, atol=1e-10)
    np.testing.assert_allclose(RefinedInverse.of(system).solve(R.T).T @ S, R, atol=1e-10)
    B = np.linalg.inv(S)
    np.testing.assert_allclose(factor.trace(), np.trace(B[border:, border:]), rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(factor.solve(np.eye(len(S))), inverse(system), atol=1e-12)
    other = replace(factor, system=replace(system, kappa=2.0 * system.kappa))
    assert not border or np.abs(other.solve(R) @ S - R).max() > 1e-3  # the test sees a wrong formula


@INTERCEPTS
def test_it_is_inverted_in_extended_precision_too(intercept):
    """LAPACK knows no long doubles: another elimination, to the digits that they have."""
    rows = np.arange(3, 25)
    system = MarginSystem.of(problem_of(intercept).extended(0.0), rows)
    np.testing.assert_allclose(inverse(system) @ system.matrix(), np.eye(len(system.matrix())), atol=1e-14)
    np.testing.assert_allclose(
        inverse(system).astype(float), inverse(MarginSystem.of(problem_of(intercept), rows)), atol=1e-12
    )


def test_an_empty_margin_determines_a_penalised_intercept_alone():
    """b = s^2 times what the balance lacks; without a penalty there is no unknown."""
    nobody = np.empty(0, dtype=np.intp)
    alone = Cholesky.of(MarginSystem.of(problem_of(penalised(3.0)), nobody))
    assert alone.solve(np.ones((2, 1))).tolist() == [[-9.0], [-9.0]]
    assert inverse(alone.system).tolist() == [[-9.0]]
    assert alone.trace() == 0.0
    assert Cholesky.of(MarginSystem.of(problem_of(FREE), nobody)).solve(np.ones((2, 0))).shape == (2, 0)


def test_dependent_rows_are_refused():
    """There is no inverse; whoever asks has another way, as derivatives have the pseudo-inverse."""
    system = MarginSystem.of(problem_of(FREE, n=30, d=10), np.arange(20))
    with pytest.raises(LinAlgError, match="dependent"):
        Cholesky.of(system)
    with pytest.raises(LinAlgError, match="dependent"):
        inverse(system)
    found = RefinedInverse.of(system)
    assert found.dependent == 20 - 11  # ten features and the intercept
    R = system.matrix() @ np.random.default_rng(1).normal(size=(21, 3))
    np.testing.assert_allclose(system.matrix() @ found.solve(R), R, atol=1e-9)
