"""The system of a margin by its factor, against the matrix itself."""

import numpy as np
import pytest
from scipy.linalg import LinAlgError

from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.svm.dual import Problem
from backdoor_curves.paths.svm.margin import inverse_for
from backdoor_curves.paths.svm.margin_system import MarginSystem

INTERCEPTS = pytest.mark.parametrize("intercept", [FREE, NONE, penalised(1.0), penalised(30.0)], ids=str)


def problem_of(intercept, n=30, d=40):
    X = np.random.default_rng(0).normal(size=(n, d))
    return Problem(X @ X.T, np.where(np.arange(n) % 2, 1.0, -1.0), np.ones(n), np.zeros(n), intercept)


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
    R = np.random.default_rng(1).normal(size=(4, len(S)))
    np.testing.assert_allclose(system.solve(R) @ S, R, atol=1e-10)
    B = np.linalg.inv(S)
    np.testing.assert_allclose(system.trace(), np.trace(B[system.border :, system.border :]), rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(system.solve(np.eye(len(S))), inverse_for(problem, M), atol=1e-12)
    other = MarginSystem(system.L, system.x, system.border, 2.0 * system.kappa, system.corner)
    assert not system.border or np.abs(other.solve(R) @ S - R).max() > 1e-3  # the test sees a wrong formula


def test_an_empty_margin_determines_a_penalised_intercept_alone():
    """b = s^2 times what the balance lacks; without a penalty there is no unknown."""
    nobody = np.empty(0, dtype=np.intp)
    assert MarginSystem.of(problem_of(penalised(3.0)), nobody).solve(np.ones((2, 1))).tolist() == [[-9.0], [-9.0]]
    assert MarginSystem.of(problem_of(penalised(3.0)), nobody).trace() == 0.0
    assert MarginSystem.of(problem_of(FREE), nobody).solve(np.ones((2, 0))).shape == (2, 0)


def test_dependent_rows_are_refused():
    """There is no inverse; whoever asks has another way."""
    with pytest.raises(LinAlgError, match="dependent"):
        MarginSystem.of(problem_of(FREE, n=30, d=10), np.arange(20))
