"""The ways in which an SVM's path is attempted: records with names, cheap ones first."""

import numpy as np
import pytest

from backdoor_curves.kernels.functions import linear
from backdoor_curves.kernels.matrix import WholeMatrix
from backdoor_curves.paths.intercept import FREE, penalised
from backdoor_curves.paths.svm.attempts import ATTEMPTS, follow
from backdoor_curves.paths.svm.dual import Problem


def test_double_precision_is_tried_before_extended():
    """And each attempt is told from the others by its name."""
    precisions = [attempt.precision for attempt in ATTEMPTS]
    assert precisions == sorted(precisions)
    assert precisions[0] == "double"
    assert ATTEMPTS[0].is_plain
    assert len({attempt.name for attempt in ATTEMPTS}) == len(ATTEMPTS)


@pytest.mark.parametrize("intercept", [FREE, penalised(1.0)], ids=str)
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_each_attempt_follows_an_easy_problem_to_the_same_nodes(attempt, intercept):
    """What it does to the problem, shifts and ridges, it takes back: ridges to the kernel matrix's noise."""
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(24, 30)), np.where(np.arange(24) % 2, 1.0, -1.0)
    poison = np.arange(24) >= 18
    problem = Problem(WholeMatrix(linear(X, X)), y, np.where(poison, 0.0, 0.05), np.where(poison, 0.05, 0.0), intercept)
    plain, found = (follow(problem, each).nodes for each in (ATTEMPTS[0], attempt))
    np.testing.assert_allclose(found.betas[[0, -1]], [0.0, 1.0])
    last = [np.concatenate(nodes.margin_duals[-1:]) for nodes in (plain, found)]
    np.testing.assert_allclose(last[1], last[0], atol=1e-9)
    np.testing.assert_allclose(found.b[-1], plain.b[-1], atol=1e-9)
    assert follow(problem, attempt).is_complete or attempt.shift or attempt.ridge
