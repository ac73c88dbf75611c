"""Maps that stand for a kernel, frozen in a Pipeline: the machine on their features is followed as it is."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.kernel_approximation import Nystroem, PolynomialCountSketch, RBFSampler
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves.data.samples import join

BETAS = np.array([0.0, 0.1, 0.5, 1.0])
MAPS = {
    "Nystroem": Nystroem(gamma=0.3, n_components=40, random_state=0),
    "RBFSampler": RBFSampler(gamma=0.3, n_components=40, random_state=0),
    "PolynomialCountSketch": PolynomialCountSketch(gamma=0.3, degree=2, coef0=1, n_components=40, random_state=0),
}


def data():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 5)), np.arange(300) % 2
    X[:, 0] += 2.0 * y
    trigger = bc.FeatureTrigger((3, 4), (2.0, 2.0))
    return bc.poison((X[:200], y[:200]), (X[200:], y[200:]), trigger=trigger, rate=0.1, rng=rng)


def test_a_map_of_all_rows_is_the_kernel():
    """Nystroem's with as many components as rows: the error of the approximation is then rounding."""
    poisoned = data()
    exact = bc.backdoor_learning_curve(SVC(gamma=0.3), poisoned)
    whole = make_pipeline(Nystroem(gamma=0.3, n_components=len(poisoned.is_poison)), SVC(kernel="linear"))
    mapped, betas = bc.backdoor_learning_curve(whole, poisoned), np.linspace(0.0, 1.0, 21)
    for of in ("triggered", "clean"):
        np.testing.assert_allclose(mapped.loss(of, betas), exact.loss(of, betas), rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("freeze", ["joined", "clean"])
def test_a_curve_behind_a_map_is_that_of_refits_on_its_features(kind, freeze):
    """The map is fitted once, on all training rows or on the clean ones."""
    poisoned = data()
    pipeline = make_pipeline(MAPS[kind], SVC(kernel="linear", C=2.0))
    curve = bc.backdoor_learning_curve(pipeline, poisoned, freeze=freeze)
    joined = join(poisoned.clean_train, poisoned.poison_train, poisoned.is_poison)
    fitted = clone(MAPS[kind]).fit(joined.X if freeze == "joined" else poisoned.clean_train.X)
    for beta in BETAS[1:]:
        weights = np.where(poisoned.is_poison, beta, 1.0)
        machine = SVC(kernel="linear", C=2.0, tol=1e-8).fit(fitted.transform(joined.X), joined.y, weights)
        scores = machine.decision_function(fitted.transform(poisoned.triggered_test.X))
        margins = scores * np.where(poisoned.triggered_test.y == machine.classes_[1], 1.0, -1.0)
        expected = np.maximum(0.0, 1.0 - margins).mean()
        assert curve.loss("triggered", [beta])[0] == pytest.approx(expected, abs=1e-5)  # libsvm's digits
