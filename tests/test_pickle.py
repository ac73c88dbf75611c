"""Everything that is public goes through pickle and copy: process pools and caches hand records on."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

import backdoor_curves as bc

X, Y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
LEARNERS = (
    RidgeClassifier(),
    LogisticRegression(),
    SVC(),
    SVC(kernel="linear"),
    SVC(kernel="poly"),
    LinearSVC(random_state=0),
    LinearSVC(loss="hinge", random_state=0, max_iter=1_000_000),
    NuSVC(nu=0.1),
    RandomForestClassifier(5, random_state=0),
    make_pipeline(StandardScaler(), SVC()),
)


def shifted(X, y):  # noqa: ARG001
    return X + 1.0


def data() -> bc.PoisonedData:
    return bc.poison((X, Y), (X, Y), trigger=shifted, rate=0.1, rng=np.random.default_rng(1))


@pytest.mark.parametrize("method", ["auto", "refit"])
@pytest.mark.parametrize("estimator", LEARNERS, ids=str)
def test_a_curve_comes_back_with_all_its_answers(estimator, method):
    """With its path and its learner: it still answers for other betas and other rows."""
    curve = bc.backdoor_learning_curve(estimator, data(), method=method, betas=[0.0, 0.5, 1.0])
    for again in (pickle.loads(pickle.dumps(curve)), copy.copy(curve), copy.deepcopy(curve)):
        for split in ("triggered", "clean"):
            assert np.array_equal(again.scores(split), curve.scores(split))
        assert np.array_equal(again.path.scores(X, np.array([0.5])), curve.path.scores(X, np.array([0.5])))
        if curve.exact:
            assert np.array_equal(again.slope([0.0, 0.3]), curve.slope([0.0, 0.3]))
            assert np.array_equal(again.influence(0.3).values, curve.influence(0.3).values)
            assert np.array_equal(again.certificate([0.3]).score_bound, curve.certificate([0.3]).score_bound)


def test_records_and_triggers_come_back():
    """What a process pool is given, and what it gives back."""
    made = data()
    attack = bc.Attack(shifted, bc.CleanLabel(1), cover=bc.Cover(0.5))
    curve = bc.backdoor_learning_curve(SVC(), made, shared=bc.Shared())
    records = (
        made,
        made.control(),
        bc.poison((X, Y), (X, Y), attack, rate=0.2, rng=np.random.default_rng(1)),
        made.rates,
        attack,
        attack.cover,
        attack.labels,
        curve.outcomes(0.5),
        bc.Samples(X, Y),
        bc.PatchTrigger.random(2, 2, 1, np.random.default_rng(0)),
        bc.PatchTrigger({"a": np.ones((1, 1, 1))}),
        bc.FeatureTrigger((0,), (1.0,)),
        bc.BlendTrigger.random((2, 2, 1), np.random.default_rng(0)),
        bc.SignalTrigger(),
        bc.LatticeTrigger(),
        bc.QuantizeTrigger(),
        bc.FrequencyTrigger(),
        bc.WarpTrigger.random(np.random.default_rng(0)).noisy(1),
        bc.PixelTrigger.k_way((32, 32, 3)),
        bc.PiecesTrigger.random((4, 4, 1), np.random.default_rng(0)),
        bc.WordTrigger(("cf", "mn"), "end"),
        bc.CheckerTrigger.everywhere(0.5),
        bc.PatchesTrigger.random((8, 8, 1), np.random.default_rng(0)),
        bc.ResidualTrigger(X.reshape(40, 1, 3) % 1, bc.QuantizeTrigger()),
        bc.LinearHead(np.ones(3), 0.0, (0, 1)),
        bc.PerturbationTrigger(np.ones(3), value_range=None),
        bc.HardenedTrigger(bc.LinearHead(np.ones(3), 0.0, (0, 1)), 0.1, trigger=bc.CheckerTrigger()),
        bc.HiddenTrigger(X, np.eye(3), value_range=None),
        bc.StrictTrigger(shifted, None),
        bc.Shared(),
        curve.info,
        curve.flips(),
        curve.certificate(),
        curve.influence(1.0),
        curve.influence(1.0).poison_ranking(),
        curve.condensed(),
        curve.detached(),
    )
    for record in records:
        for again in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):
            assert type(again) is type(record)
            assert repr(again) == repr(record)
