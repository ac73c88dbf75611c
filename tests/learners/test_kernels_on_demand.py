"""Kernel machines whose matrix does not fit are followed as those whose does."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves.kernels import memory, on_demand
from backdoor_curves.kernels.on_demand import RowsOnDemand

BETAS = np.linspace(0.0, 1.0, 11)
ROOM = 8.0 * 200 * 64


def doubled(X, y):  # noqa: ARG001
    return X * 2.0


def curve_of(n_classes, machine, *, sparse=False, **how):
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=330)
    X = rng.normal(size=(330, 6))
    X[np.arange(330), y] += 1.5
    X = sp.csr_array(np.where(X > 0.0, X, 0.0)) if sparse else X
    rows, tests = (X[:230], y[:230]), (X[230:], y[230:])
    data = bc.poison(rows, tests, trigger=doubled, rate=0.1, rng=np.random.default_rng(1))
    return bc.backdoor_learning_curve(machine, data, betas=BETAS, **how), data


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kernel", ["rbf", "poly", "linear"])
def test_a_curve_is_the_same_without_a_kernel_matrix(kernel, n_classes, sparse, monkeypatch):
    machine = SVC(kernel=kernel, degree=2, coef0=1.0)
    whole, data = curve_of(n_classes, machine, sparse=sparse)
    monkeypatch.setattr(on_demand, "ROOM", ROOM)
    few, _ = curve_of(n_classes, machine, sparse=sparse)
    for path in few.path.columns:
        assert isinstance(path.problem.matrix, RowsOnDemand)
    X = data.triggered_test.X
    np.testing.assert_allclose(few.path.scores(X, BETAS), whole.path.scores(X, BETAS), rtol=0, atol=1e-9)
    assert few.certificate(BETAS).score_bound.max() < 1e-6


def test_curves_of_other_lambdas_share_rows_of_the_matrix(monkeypatch):
    monkeypatch.setattr(on_demand, "ROOM", 8.0 * 230 * 120)
    computed, put, shared = [], RowsOnDemand._put, bc.Shared()
    monkeypatch.setattr(RowsOnDemand, "_put", lambda *args: computed.append(len(args[1])) or put(*args))
    first, _ = curve_of(2, SVC(C=1.0, gamma=0.05), shared=shared)
    alone = sum(computed)
    second, data = curve_of(2, SVC(C=1.1, gamma=0.05), shared=shared)
    assert second.path.problem.matrix is first.path.problem.matrix
    assert sum(computed) - alone < alone
    other, _ = curve_of(2, SVC(C=1.1, gamma=0.05))
    X = data.clean_test.X
    np.testing.assert_allclose(second.path.scores(X, BETAS), other.path.scores(X, BETAS), rtol=0, atol=1e-9)


def test_a_function_and_a_sigmoid_need_their_matrix(monkeypatch):
    """Whether they are kernels at all shows there."""
    monkeypatch.setattr(on_demand, "ROOM", ROOM)
    curve, _ = curve_of(2, SVC(kernel=lambda A, B: A @ B.T))
    assert not isinstance(curve.path.problem.matrix, RowsOnDemand)
    monkeypatch.setattr(memory, "available_memory", lambda: ROOM)
    with pytest.raises(MemoryError, match="the matrix of 230 training rows"):
        curve_of(2, SVC(kernel=lambda A, B: A @ B.T), method="exact")
