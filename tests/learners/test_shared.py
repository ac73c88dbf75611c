"""What paths share changes no result, and is computed once."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.kernels import functions as kernels
from backdoor_curves.kernels.cache import RememberedKernel
from backdoor_curves.learners.shared import Shared
from backdoor_curves.paths.svm.follow import svm_path


class Counted:
    """A kernel that counts the values it computes."""

    def __init__(self, kernel):
        self.kernel, self.values = kernel, 0

    def __call__(self, A, B):
        self.values += A.shape[0] * B.shape[0]
        return self.kernel(A, B)


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(150, 5))


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_a_kernel_is_computed_once_for_rows_of_any_order_and_mixture(rows, kind):
    """Rows of another rate are the same rows, but for some, in another order: only the new ones cost anything."""
    counted = Counted(kernels.linear)
    remembered = RememberedKernel(counted)
    X = kind(rows)
    np.testing.assert_allclose(remembered(X[:100], X[:100]), rows[:100] @ rows[:100].T, atol=1e-13)
    assert counted.values == 100**2
    order = np.random.default_rng(1).permutation(100)
    np.testing.assert_allclose(remembered(X[order], X[order]), rows[order] @ rows[order].T, atol=1e-13)
    assert counted.values == 100**2
    mixed = np.r_[130:150, order[:80]]
    np.testing.assert_allclose(remembered(X[mixed], X[:100]), rows[mixed] @ rows[:100].T, atol=1e-13)
    assert counted.values == 100**2 + 20 * 100


def test_what_a_kernel_returns_is_the_callers_own(rows):
    """A path adds to its kernel matrix; the next one must not see that."""
    remembered = RememberedKernel(kernels.linear)
    first = remembered(rows, rows)
    first += 7.0
    np.testing.assert_allclose(remembered(rows, rows), rows @ rows.T, atol=1e-13)


def test_equal_rows_have_equal_kernels_to_the_last_bit(rows):
    """Otherwise an SVM's path meets an almost singular system in place of a singular one."""
    remembered = RememberedKernel(lambda A, B: kernels.rbf(A, B, 0.3))
    K = remembered(np.vstack([rows, rows[:40]]), rows)
    assert np.array_equal(K[150:], K[:40])


def test_without_room_nothing_is_kept_and_nothing_is_wrong(rows):
    """A cache that is full must cost time only."""
    counted = Counted(kernels.linear)
    remembered = RememberedKernel(counted, room=1e4)
    for _ in range(2):
        np.testing.assert_allclose(remembered(rows, rows), rows @ rows.T, atol=1e-13)
    assert remembered.kept == 0.0
    assert counted.values == 2 * 150**2


def shifted(X, _):
    return X + 1


def poisoned(rate):
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(160, 4)), np.arange(160) % 2
    X[:, 0] += 1.5 * y
    return bc.poison((X[:120], y[:120]), (X[120:], y[120:]), trigger=shifted, rate=rate, rng=rng)


@pytest.mark.parametrize(
    "estimator",
    [SVC(C=2.0, gamma=0.3), SVC(C=1.0, kernel="linear"), LinearSVC(loss="hinge"), LinearSVC(), LogisticRegression()],
    ids=str,
)
def test_a_shared_curve_is_the_curve_alone(estimator):
    """Sharing is about time: other lambdas and rates before a curve must not change it."""
    shared, betas = Shared(), np.linspace(0, 1, 7)
    for rate in (0.05, 0.2):
        for factor in (10.0, 1.0):
            other = clone(estimator).set_params(C=factor)
            bc.backdoor_learning_curve(other, poisoned(rate), shared=shared)
        curve = bc.backdoor_learning_curve(estimator, poisoned(rate), shared=shared)
        alone = bc.backdoor_learning_curve(estimator, poisoned(rate))
        np.testing.assert_allclose(curve.scores("triggered", betas), alone.scores("triggered", betas), atol=1e-7)


def test_a_path_on_its_plateau_is_reused_for_a_smaller_c_and_only_then(rows):
    """Without a clean row at its bound the path depends on beta C only; with one it does not."""
    y = np.where(rows[:, 0] + 2.0 * rows[:, 1] > 0, 1.0, -1.0)
    poison = np.arange(150) < 15
    y[poison] *= -1.0

    def bounds(C):
        return np.where(poison, 0.0, C), np.where(poison, C, 0.0)

    def kernel(A, B):
        return kernels.rbf(A, B, 1.0)

    shared, betas = Shared(), np.linspace(0, 1, 9)
    largest = shared.svm_path(rows, y, *bounds(1e4), kernel)
    clean_duals = largest.nodal_duals[:, ~poison].max()
    for C in (2.0 * clean_duals, 0.3):
        path = shared.svm_path(rows, y, *bounds(C), kernel)
        fresh = svm_path(rows, y, *bounds(C), kernel)
        np.testing.assert_allclose(path.scores(rows, betas), fresh.scores(rows, betas), atol=1e-8)
        ours, theirs = (each.tangent(rows, betas) for each in (path, fresh))
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-6 * np.abs(theirs.scores).max())
        np.testing.assert_allclose(ours.rates, theirs.rates, atol=1e-6 * np.abs(theirs.rates).max())
        # What single rows do is in the units of the new bounds, not of those of the path that was kept.
        there, again = (each.response(0.2) for each in (path, fresh))
        np.testing.assert_array_equal(there.rows, again.rows)
        mine, its = (each.influence(rows, np.ones((len(rows), 1))) for each in (there, again))
        np.testing.assert_allclose(mine, its, atol=1e-9 * np.abs(its).max(initial=0.0))
    assert largest.rescaled(*bounds(2.0 * clean_duals)) is not None
    assert largest.rescaled(*bounds(0.3)) is None
    assert largest.rescaled(*bounds(2e4)) is None
