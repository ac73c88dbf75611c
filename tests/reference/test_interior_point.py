"""The oracle for support vector machines is itself what it says."""

import numpy as np

from reference.interior_point import solve
from reference.svm_cases import random_case


def test_rows_between_their_limits_are_on_the_margin():
    """In an example where balancing the duals takes a row off its bound, whose gradient says that it belongs there."""
    found = random_case(14493)
    problem = found.path().problem
    u = problem.u0 + 1e-5 * problem.du
    best = solve(problem.K, problem.y, u, free=True)
    between = np.minimum(best.a, u - best.a) > 1e-12
    assert between.any()
    margins = problem.y * (best.offsets(problem.K) + best.intercept)
    np.testing.assert_allclose(margins[between], 1.0, atol=1e-14)
