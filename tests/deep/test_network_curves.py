"""The curve of a network: the mean over seeds, with the slope of the training, and estimates that say so."""

from __future__ import annotations

import io
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

torch = pytest.importorskip("torch", reason="torch is not installed")
import backdoor_curves as bc  # noqa: E402
from backdoor_curves.deep.models import MLP  # noqa: E402
from nets import CNN, SMALL, poisoned  # noqa: E402 - it needs torch

NET = bc.TrainedNetwork(SMALL, epochs=6, batch_size=15, lr=0.05, precision="double", seeds=2)
THREE = ((1,), (7,), (9,))


@pytest.fixture(scope="module", params=["even-odd", THREE], ids=["two classes", "three classes"])
def data(request):
    return poisoned(request.param, n=90)


@pytest.fixture(scope="module")
def curve(data):
    return bc.backdoor_learning_curve(NET, data)


def test_its_numbers_at_a_beta_are_those_of_fitted_nets(curve, data):
    """Loss and accuracy at each trained beta are means over seeds of the nets that `fit` trains with that weight."""
    X = np.concatenate([data.clean_train.X, data.poison_train.X])
    y = np.concatenate([data.clean_train.y, data.poison_train.y])
    X[~data.is_poison], X[data.is_poison] = data.clean_train.X, data.poison_train.X
    y[~data.is_poison], y[data.is_poison] = data.clean_train.y, data.poison_train.y
    beta = float(curve.betas[4])
    weight = np.where(data.is_poison, beta, 1.0)
    nets = [clone(NET).set_params(seeds=(seed,)).fit(X, y, sample_weight=weight) for seed in (0, 1)]
    for split, test in (("triggered", data.triggered_test), ("clean", data.clean_test)):
        assert curve.accuracy(split, beta) == pytest.approx(np.mean([net.score(*test) for net in nets]), abs=1e-12)
        scores = np.stack([net.decision_function(test.X) for net in nets])
        ours = curve.scores(split, beta)[0]
        np.testing.assert_allclose(ours, scores.reshape(ours.shape), atol=1e-10)


def test_its_slope_is_the_difference_of_curves(curve, data):
    """At both ends and in the middle, of triggered and clean rows, of each seed and of their mean."""
    h = 1e-5
    for beta in (0.0, float(curve.betas[3]), 1.0):
        low, high = max(beta - h, 0.0), min(beta + h, 1.0)
        near = bc.backdoor_learning_curve(NET, data, betas=[low, high])
        for split in ("triggered", "clean"):
            difference = (near.loss(split, high) - near.loss(split, low)) / (high - low)
            # One-sided at the ends: off by the step times the second derivative, some hundreds.
            assert curve.slope(beta, split) == pytest.approx(difference, rel=5e-3, abs=1e-3)


def test_seeds_are_curves_of_their_own(curve, data):
    """Each is the curve of that seed alone; their means are the curve; bands hold them."""
    alone = bc.backdoor_learning_curve(clone(NET).set_params(seeds=(1,)), data, betas=curve.betas)
    second = curve.seeds[1]
    np.testing.assert_allclose(second.loss(), alone.loss(), rtol=1e-9)
    np.testing.assert_allclose(second.slope(curve.betas), alone.slope(curve.betas), rtol=1e-6)
    np.testing.assert_allclose(second.norm(), alone.norm(), rtol=1e-9)
    for quantity in ("loss", "accuracy"):
        band = curve.band(lambda one, quantity=quantity: getattr(one, quantity)("triggered"))
        np.testing.assert_allclose(band.mean, getattr(curve, quantity)("triggered"), rtol=1e-12)
        assert (band.low <= band.mean + 1e-12).all()
        assert (band.mean <= band.high + 1e-12).all()
    assert len(second.seeds) == 1


def test_it_says_that_it_is_no_exact_curve(curve):
    """Exact is what is proven at every beta; here slopes are exact at the betas of training, and the rest estimated."""
    assert curve.method == "network"
    assert not curve.exact
    assert curve.has_slope
    assert curve.certificate() is None
    assert -1.0 <= curve.theta <= 1.0
    assert curve.half_loss_beta > 0.0 or np.isnan(curve.half_loss_beta)
    assert curve.area() > 0.0
    assert 0.0 < curve.slope_range <= 1.0
    refused = ((curve.kinks, "exact path"), (curve.influence, "needs an optimum"), (curve.slope_estimate, "for slope"))
    for ask, said in refused:
        with pytest.raises(ValueError, match=said):
            ask()


def test_a_file_gives_the_same_curve(curve):
    """Without pickle: scores and derivatives at the nodes are all that a curve needs, of each seed too."""
    stream = io.BytesIO()
    curve.save(stream)
    again = bc.BackdoorLearningCurve.load(io.BytesIO(stream.getvalue()))
    betas = np.linspace(0.0, 1.0, 13)
    for one, other in zip((curve, *curve.seeds), (again, *again.seeds), strict=True):
        for split in ("triggered", "clean"):
            assert np.array_equal(one.loss(split, betas), other.loss(split, betas))
            np.testing.assert_allclose(one.slope(one.betas, split), other.slope(one.betas, split), rtol=1e-10)
    assert np.array_equal(curve.norm(betas), again.norm(betas))
    with pytest.raises(ValueError, match="a curve from a file"):
        _ = again.path


def test_between_its_betas_the_error_is_estimated(data):
    """At 50 betas that were held out the loss is within .02 of the nets trained there, and the estimate covers it."""
    curve = bc.backdoor_learning_curve(NET, data)
    held_out = np.random.default_rng(0).uniform(0.0, 1.0, 50) ** 2
    there = bc.backdoor_learning_curve(NET, data, betas=np.sort(held_out))
    off = np.abs(curve.loss("triggered", there.betas) - there.loss("triggered", there.betas))
    assert off.max() < 0.02
    assert (off <= curve.interpolation_error("triggered", there.betas) + 1e-4).all()
    assert (curve.interpolation_error("triggered", curve.betas) == 0.0).all()


def test_the_weight_of_a_row_is_what_it_is_everywhere(data):
    """Weights of rows multiply losses: twice all weights is twice the learning rate of plain SGD without decay."""
    plain = clone(NET).set_params(momentum=0.0, lr=0.05, seeds=1)
    parts = {name: getattr(data, name) for name in ("clean_train", "poison_train", "clean_test", "triggered_test")}
    twice = {name: bc.Samples(part.X, part.y, np.full(len(part), 2.0)) for name, part in parts.items()}
    heavy = bc.backdoor_learning_curve(plain, replace(data, **twice), betas=[0.0, 1.0])
    fast = bc.backdoor_learning_curve(clone(plain).set_params(lr=0.1), data, betas=[0.0, 1.0])
    np.testing.assert_allclose(heavy.loss(), fast.loss(), rtol=1e-9)
    assert heavy.info.weighted_train


def test_steps_before_a_network_are_frozen_as_before_any_learner(data):
    """A scaler is fitted once; images stay images without one, and go flat through it."""
    scaled = bc.backdoor_learning_curve(make_pipeline(StandardScaler(), clone(NET)), data, betas=[0.0, 1.0])
    assert scaled.path.shape == (64,)
    images = bc.backdoor_learning_curve(clone(NET).set_params(make_module=CNN()), data, betas=[0.0, 1.0])
    assert images.info.flattened == ""


def test_a_refit_is_another_road(data):
    """method="refit" fits at each beta with sample_weight: at beta > 0 the same nets, in single nets' time."""
    one = clone(NET).set_params(seeds=1)
    refitted = bc.backdoor_learning_curve(one, data, method="refit", betas=[0.5, 1.0])
    trained = bc.backdoor_learning_curve(one, data, betas=[0.5, 1.0])
    np.testing.assert_allclose(refitted.loss(), trained.loss(), rtol=1e-8)
    with pytest.raises(ValueError, match="has no exact path"):
        bc.backdoor_learning_curve(one, data, method="exact")


def test_one_beta_is_refused(data):
    """A curve has two betas or more."""
    with pytest.raises(ValueError, match="two or more were expected for a network"):
        bc.backdoor_learning_curve(NET, data, betas=[0.5])


def test_a_curve_is_drawn_with_its_band(curve):
    """Displays take the curves of the seeds as they take those of studies."""
    shown = bc.BackdoorLearningCurveDisplay.from_curves({"MLP": curve})
    (line, band), _ = (shown.lines_[0], shown.ax_.collections[0]), shown.plot(quantity="accuracy")
    x, y = line.get_data()
    nodes = np.isin(x, curve.betas)
    np.testing.assert_allclose(y[nodes], curve.loss("triggered", x[nodes]), rtol=1e-12)
    assert nodes.sum() == len(curve.betas) < len(x)
    assert band.get_paths()
    assert "refits" not in curve._repr_html_()
    plt.close("all")


def test_kinks_are_said():
    """ReLU makes the slope jump from beta to beta: it is exact where it is, and a warning says that it may mislead."""
    net = clone(NET).set_params(make_module=MLP(hidden=(64,), activation="relu"), epochs=10, lr=0.1)
    with pytest.warns(UserWarning, match=r"the scores miss .* of their rise \(ReLU\)"):
        bc.backdoor_learning_curve(net, poisoned(), betas=[0.0, 0.1, 1.0])
    adam = clone(NET).set_params(optimizer="adam", lr=0.05)
    with pytest.warns(UserWarning, match="Adam goes by the sign"):
        bc.backdoor_learning_curve(adam, poisoned(n=60), betas=[0.0, 0.1, 1.0])
