"""The certified shares of MNIST 7-1, with the Gaussian kernel and a constant column, and with SVC's free intercept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves.certificates.reach import Change, FittedColumn, reach
from backdoor_curves.kernels.by_name import RBF
from backdoor_curves.paths.intercept import penalised
from backdoor_curves.paths.svm.follow import svm_path

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
needs_mnist = pytest.mark.skipif(not SHARED.exists(), reason="the MNIST files are not beside the repository")
GAMMA = 0.05
DRAW = 0.03
"""By how much shares of 500 test rows differ between draws of 1500 training rows: two standard errors."""


def mnist() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    train, test = bc.datasets.mnist((7, 1), n_train=1500, n_test=500, rng=np.random.default_rng(0), data_dir=SHARED)
    return tuple((part.X.reshape(len(part), -1), part.y) for part in (train, test))


def held(C: float, rows: tuple[int, ...]) -> list[float]:
    """Certified shares with a constant column: no estimator of scikit-learn's has it, so it is put together here."""
    (X, y), (test, asked) = mnist()
    signs, n = np.where(y == 1, 1.0, -1.0), len(X)
    path = svm_path(X, signs, np.full(n, C), np.append(np.zeros(n - 1), 1e-12), RBF(GAMMA), penalised(1.0))
    scores = path.scores(test, np.zeros(1))[0]
    some = np.ones(n)
    column = FittedColumn("hinge", 1.0 / C, False, 10.0, signs, some, some, np.sqrt(2.0) * some, some)
    m = np.arange(max(rows) + 1.0)
    bound = np.sqrt(2.0) * reach(column, Change(m, np.sqrt(2.0), 0.0 * m, 0.0 * m, m)).weights
    np.testing.assert_allclose(bound[1], 2.0 * C, rtol=1e-9)  # 2 C m
    right = (scores > 0.0) == (asked == 1)
    return [float((right & (np.abs(scores) > bound[k])).mean()) for k in rows]


@needs_mnist
def test_certified_shares_with_a_constant_column_are_those_first_measured():
    """At C = .01 and .05 against 1, 5, 15, 30 rows."""
    np.testing.assert_allclose(held(0.01, (1, 5, 15, 30)), [0.974, 0.950, 0.892, 0.600], atol=DRAW)
    np.testing.assert_allclose(held(0.05, (1, 5)), [0.986, 0.922], atol=DRAW)


@needs_mnist
def test_certified_shares_of_svc_are_those_of_a_free_intercept():
    """Its intercept costs about as much again: 5 rows are certified as 10 or so are with a constant column."""
    (X, y), (test, asked) = mnist()
    found = bc.certify(SVC(C=0.01, gamma=GAMMA), (X, y), (test, asked), limit=30)
    assert found.share(1) > 0.93
    assert held(0.01, (5,))[0] > found.share(5) > held(0.01, (20,))[0] - DRAW
