"""A network is searched as any classifier is: victims by its own fit, numbers of curves by its training."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from clouds import clouds, on_the_column
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import backdoor_curves as bc
from backdoor_curves.deep.models import MLP

GRID = {"weight_decay": [0.0, 0.3]}


def network() -> bc.TrainedNetwork:
    """Return a small network that a single thread trains in a blink."""
    return bc.TrainedNetwork(MLP(hidden=(4,)), epochs=3, batch_size=20, lr=0.1, device="cpu")


@pytest.fixture
def search() -> bc.RobustSearchCV:
    X, y = clouds(n=90)
    words = {"rates": 0.2, "asr": 1.0, "cv": StratifiedKFold(2), "curves": "all", "random_state": 0}
    return bc.RobustSearchCV(network(), GRID, attacks=on_the_column(), **words).fit(X, y)


def test_victims_are_the_networks_own_fits(search):
    """Of the first seed, on the poisoned fold: the same rates as by hand."""
    X, y = clouds(n=90)
    threat = search._threats()[0]
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    for fold, (train, test) in enumerate(StratifiedKFold(2).split(X, y)):
        data = threat.on(bc.Samples(X[train], y[train]), bc.Samples(X[test], y[test]), None, [seed, fold, 0])
        rows, labels = np.empty((len(train), X.shape[1])), np.empty(len(train), dtype=int)
        for part, chosen in ((data.clean_train, ~data.is_poison), (data.poison_train, data.is_poison)):
            rows[chosen], labels[chosen] = part.X, part.y
        for place, decay in enumerate(GRID["weight_decay"]):
            fitted = network().set_params(weight_decay=decay).fit(rows, labels)
            hits = fitted.predict(data.triggered_test.X) == data.triggered_test.y
            assert search.cv_results_[f"split{fold}_asr_column@0.2"][place] == pytest.approx(hits.mean(), abs=1e-12)


def test_curves_are_those_of_the_training(search):
    """theta is there at every setting, exact as the slope is; and as the curve of the fold has it."""
    found = search.cv_results_
    X, y = clouds(n=90)
    train, test = next(StratifiedKFold(2).split(X, y))
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    data = search._threats()[0].on(bc.Samples(X[train], y[train]), bc.Samples(X[test], y[test]), None, [seed, 0, 0])
    for place, decay in enumerate(GRID["weight_decay"]):
        curve = bc.backdoor_learning_curve(network().set_params(weight_decay=decay), data)
        assert found["split0_theta_column@0.2"][place] == pytest.approx(curve.theta, rel=1e-6)
        assert not curve.exact
    assert np.isfinite(found["mean_asr_without_poison_column@0.2"]).all()


def test_the_last_step_of_a_pipeline_has_a_curve_too():
    """Steps are frozen, and the network behind them is trained at all betas."""
    X, y = clouds(n=60)
    grid = {"trainednetwork__weight_decay": [0.01]}
    search = bc.RobustSearchCV(
        make_pipeline(StandardScaler(), network()), grid, attacks=on_the_column(), rates=0.2, asr=1.0, cv=2
    )
    assert np.isfinite(search.fit(X, y).cv_results_["mean_theta_column@0.2"]).all()


def test_weight_decay_is_a_penalty_among_the_rivals(search):
    """The strongest within the margin is the one of the most decay."""
    X, y = clouds(n=90)
    bent = bc.Attack(bc.FeatureTrigger((2,), (2.0,)), labels=1, name="another")
    search.set_params(curves="none", margin=1.0)
    found = search.evaluate(X, y, attacks=bent, n_seeds=1)
    assert "strongest in the margin" in [row["choice"] for row in found.rows]
