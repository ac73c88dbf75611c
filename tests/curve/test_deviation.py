"""Parameter deviation against the parameters themselves."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.curve.deviation import angles, cosines, norms
from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear

BETAS = np.array([0.0, 0.02, 0.4, 1.0])


def problem(n_classes=2):
    rng = np.random.default_rng(4)
    y = rng.integers(0, n_classes, 80)
    X = rng.normal(size=(80, 5)) + np.eye(5)[y]
    return bc.poison((X, y), (X, y), trigger=lambda rows, _: rows + 1.0, rate=0.1, labels="next", rng=rng)


def expected(W):
    rho = np.linalg.norm(W, axis=1)
    return rho, (1 - W @ W[0] / (rho * rho[0])) / 2


@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC(C=0.2), LogisticRegression(solver="liblinear")])
def test_linear_learners_deviate_in_their_coefficients(estimator):
    """The intercept left out, penalised or not."""
    curve = bc.backdoor_learning_curve(estimator, problem())
    rho, nu = expected(curve.path.parameters(BETAS).coef[..., 0])
    np.testing.assert_allclose(curve.norm(BETAS), rho, rtol=1e-8)
    np.testing.assert_allclose(curve.angle(BETAS), nu, atol=1e-8)


def test_classes_count_together():
    """Frobenius' norm and product of the K columns."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(), problem(3))
    rho, nu = expected(curve.path.parameters(BETAS).coef.reshape(len(BETAS), -1))
    np.testing.assert_allclose(curve.norm(BETAS), rho, rtol=1e-10)
    np.testing.assert_allclose(curve.angle(BETAS), nu, atol=1e-10)


def test_kernel_machines_deviate_in_the_kernels_space():
    """|w|^2 = c'K c with signed duals c."""
    curve = bc.backdoor_learning_curve(SVC(gamma=0.4), problem())
    path = curve.path
    C = path.duals(BETAS) * path.problem.y
    K = rbf_kernel(path.X, gamma=0.4)
    # A w with K = L L' has the coordinates L'c.
    rho, nu = expected(C @ np.linalg.cholesky(K + 1e-12 * np.eye(len(K))))
    np.testing.assert_allclose(curve.norm(BETAS), rho, rtol=1e-8)
    np.testing.assert_allclose(curve.angle(BETAS), nu, atol=1e-8)


def test_a_right_angle_is_a_half_and_an_opposite_one():
    """Of two vectors by hand."""
    lines = PiecewiseLinear(np.array([0.0, 0.5, 1.0]))
    w = np.array([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    betas = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(norms(lines, w @ w.T, betas), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(cosines(lines, w @ w.T, betas), [1.0, 0.0, -1.0], atol=1e-15)
    np.testing.assert_allclose(angles(lines, w @ w.T, betas), [0.0, 0.5, 1.0], atol=1e-15)


def test_a_learner_without_parameters_says_so():
    """Refits of three classes of kernel machines: there is a w for each pair, and its length is not looked for."""
    curve = bc.backdoor_learning_curve(SVC(), problem(3), method="refit", betas=[0.0, 1.0])
    with pytest.raises(ValueError, match="need a parameter vector w"):
        curve.norm()
