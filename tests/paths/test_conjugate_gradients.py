"""Conjugate gradients for many systems at once."""

import numpy as np
import pytest

from backdoor_curves.paths.linalg.conjugate_gradients import solve


@pytest.mark.parametrize("spread", [0.0, 0.5, 5.0])
def test_each_column_is_the_solution_of_its_own_system(spread):
    """Preconditioned by one of them; the others differ from it by a factor of up to exp(spread) a row."""
    rng = np.random.default_rng(0)
    Z, D = rng.normal(size=(40, 8)), np.exp(spread * rng.random((40, 6)))
    H = [np.eye(8) + (Z.T * d) @ Z for d in D.T]
    B = rng.normal(size=(8, 6))
    X = solve(lambda P: P + Z.T @ (D * (Z @ P)), lambda R: np.linalg.solve(H[2], R), B)
    np.testing.assert_allclose(
        X, np.column_stack([np.linalg.solve(A, b) for A, b in zip(H, B.T, strict=True)]), rtol=1e-11
    )


def test_nothing_to_solve_is_solved():
    """A right-hand side of 0, no columns and no rows."""
    for shape in ((3, 2), (3, 0), (0, 2)):
        assert solve(lambda P: 2 * P, lambda R: R, np.zeros(shape)).shape == shape


def test_a_solved_column_stays_while_others_go_on():
    """Further steps would divide 0 by 0."""
    D = np.array([[1.0, 1.0], [1.0, 50.0], [1.0, 2000.0]])
    X = solve(lambda P: D * P, lambda R: R, np.ones((3, 2)))
    np.testing.assert_allclose(X, 1 / D, rtol=1e-12)
