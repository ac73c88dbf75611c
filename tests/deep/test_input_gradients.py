"""The gradient of a net's scores in its inputs is a difference of scores, shaped as the rows are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytest.importorskip("torch", reason="torch is not installed")
import backdoor_curves as bc
from nets import CNN, SMALL, poisoned

NET = bc.TrainedNetwork(SMALL, epochs=2, batch_size=15, lr=0.1, precision="double")
BETAS = [0.0, 0.5, 1.0]


PARTS = ("clean_train", "poison_train", "clean_test", "triggered_test")


def changed(data: bc.PoisonedData, change: Callable[[np.ndarray], np.ndarray]) -> bc.PoisonedData:
    """Return data with other rows."""
    parts = {name: getattr(data, name) for name in PARTS}
    others = {name: bc.Samples(change(part.X), part.y) for name, part in parts.items()}
    return replace(data, original_train=None, poison_rows=None, **others)


def colour(data: bc.PoisonedData) -> bc.PoisonedData:
    """Return data with a second channel: that an axis is moved must be seen."""
    return changed(data, lambda X: np.concatenate([X, X[:, ::-1] ** 2], axis=-1))


@pytest.mark.parametrize("classes", ["even-odd", ((1,), (7,), (9,))])
@pytest.mark.parametrize("make", [SMALL, CNN()], ids=["mlp", "cnn"])
def test_a_gradient_is_a_difference_of_scores(make, classes):
    """Along a way of its own for each row, by central differences: 1e-6 of a smooth net."""
    curve = bc.backdoor_learning_curve(
        clone(NET).set_params(make_module=make), colour(poisoned(classes, n=60)), betas=BETAS
    )
    X = curve.data.triggered_test.X[:7]
    way, h = np.random.default_rng(0).normal(size=X.shape), 1e-5
    for beta in (0.0, 1.0):
        found = bc.input_gradient(curve, X, beta)
        assert found.shape[: X.ndim] == X.shape
        at = np.array([beta])
        difference = (curve.path.scores(X + h * way, at)[0] - curve.path.scores(X - h * way, at)[0]) / (2 * h)
        along = np.einsum("nhwc...,nhwc->n...", found, way)
        np.testing.assert_allclose(along, difference.reshape(along.shape), rtol=1e-6, atol=1e-9)


def test_a_victim_looks_at_the_trigger_more_than_the_net_that_never_saw_it():
    """The share of the trigger, through steps before the net too."""
    data = poisoned(n=300)
    flat = changed(data, lambda X: X.reshape(len(X), -1))
    net = make_pipeline(StandardScaler(with_std=False), clone(NET).set_params(epochs=15))
    curve = bc.backdoor_learning_curve(net, flat, betas=BETAS)
    mask = bc.trigger_mask(data).ravel()
    shares = [
        bc.trigger_share(bc.input_gradient(curve, flat.triggered_test.X, beta), mask).mean() for beta in (0.0, 1.0)
    ]
    assert shares[1] > shares[0] + 0.02


def test_the_score_of_the_predicted_class_is_asked_by_its_name():
    """Of two classes its sign."""
    curve = bc.backdoor_learning_curve(NET, poisoned(n=60), betas=BETAS)
    X = curve.data.clean_test.X[:5]
    sign = np.sign(curve.path.scores(X, np.array([1.0]))[0]).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(bc.input_gradient(curve, X, of="predicted"), sign * bc.input_gradient(curve, X))


def test_several_seeds_and_other_betas_are_refused():
    """A mean of gradients is the gradient of no net, and between betas there is none."""
    curve = bc.backdoor_learning_curve(clone(NET).set_params(seeds=2), poisoned(n=60), betas=BETAS)
    X = curve.data.clean_test.X[:2]
    with pytest.raises(ValueError, match=r"of one seed was expected, of 2 seeds came; take one of curve\.seeds"):
        bc.input_gradient(curve, X)
    with pytest.raises(ValueError, match="beta: one of those at which nets were trained"):
        bc.input_gradient(curve.seeds[0], X, 0.3)
