"""The decision regions that a run keeps of data in the plane, against refits of the same learners."""

from itertools import product

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import SVC
from small_study import done_here, small

import backdoor_curves as bc
from backdoor_curves.study.compute.decision_regions import (
    BETAS,
    CELLS,
    MOST_POINTS,
    DecisionRegions,
    decision_regions,
    in_the_plane,
)
from backdoor_curves.study.file.config import DataConfig, LearnerConfig, TriggerConfig


def poisoned(train, test):
    rng = np.random.default_rng(1)
    return bc.poison(train, test, trigger=bc.FeatureTrigger((1,), (1.2,)), rate=0.2, rng=rng)


@pytest.fixture(scope="module")
def data():
    return poisoned(*bc.datasets.toy(120, 60, rng=np.random.default_rng(0)))


def regions_of(estimator, data, **options) -> DecisionRegions:
    return decision_regions(bc.backdoor_learning_curve(estimator, data, **options), data)


def inside(regions: DecisionRegions, k: int, X):
    """Which points are in the region at the k-th beta, by the even-odd rule."""
    crossed = [Outline(outline).contains_points(X) for outline in regions.outlines(k)]
    return np.sum(crossed, axis=0) % 2 == 1 if crossed else np.zeros(len(X), dtype=bool)


def places(regions: DecisionRegions, n: int = 2000):
    """Points in the picture, at random."""
    return np.random.default_rng(2).uniform(regions.low, regions.high, (n, 2))


def refitted(estimator, data, beta):
    """The learner as scikit-learn fits it, with the poison or without."""
    parts = [data.clean_train, data.poison_train] if beta else [data.clean_train]
    return estimator.fit(np.vstack([part.X for part in parts]), np.concatenate([part.y for part in parts]))


def test_the_region_of_a_linear_learner_is_where_refits_say_the_second_class(data):
    """Straight lines between the grid's points are exact there; what is left is single precision."""
    regions = regions_of(RidgeClassifier(), data)
    X = places(regions)
    for beta in (0.0, 1.0):
        scores = refitted(RidgeClassifier(), data, beta).decision_function(X)
        clear = np.abs(scores) > 1e-5
        k = regions.betas.tolist().index(beta)
        np.testing.assert_array_equal(inside(regions, k, X)[clear], scores[clear] > 0.0)
    assert set(regions.at) == set(range(len(BETAS)))


def test_the_regions_of_a_curved_boundary_are_those_of_refits_but_for_a_cell_of_the_grid(data):
    """With holes and islands: a sharp RBF machine has several."""
    machine = SVC(C=100.0, gamma=20.0)
    regions = regions_of(machine, data)
    X, cell = places(regions), (regions.high - regions.low)[0] / CELLS
    fit = refitted(machine, data, 1.0)
    around = [fit.predict(X + cell * np.array(step)) for step in product((-1, 0, 1), repeat=2)]
    clear = (np.array(around) == fit.predict(X)).all(axis=0)
    k = len(BETAS) - 1
    assert clear.mean() > 0.8
    assert len(regions.outlines(k)) > 1
    np.testing.assert_array_equal(inside(regions, k, X)[clear], fit.predict(X)[clear] == 1)


def test_refits_have_regions_at_their_own_betas(data):
    """Nothing is known of them between."""
    regions = regions_of(RidgeClassifier(), data, method="refit", betas=[0.0, 0.5, 1.0])
    assert regions.betas.tolist() == [0.0, 0.5, 1.0]


def test_as_many_rows_of_each_kind_are_kept_as_can_be_seen():
    """All lie within the edges, classes with their own rows."""
    data = poisoned(*bc.datasets.toy(800, 400, rng=np.random.default_rng(0)))
    regions = regions_of(RidgeClassifier(), data)
    assert np.bincount(regions.clean_classes).tolist() == [MOST_POINTS, MOST_POINTS]
    assert len(regions.triggered) == MOST_POINTS
    for kind in (regions.clean, regions.poison, regions.triggered):
        assert ((regions.low < kind) & (kind < regions.high)).all()
    for index, label in enumerate(data.classes):
        rows = data.clean_train.X[data.clean_train.y == label].astype(np.float32)
        assert (regions.clean[regions.clean_classes == index] == rows[:MOST_POINTS]).all()


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e6])
def test_features_of_very_different_ranges_are_all_seen(scale):
    """With equal scales one of them would be a line, and the grid as large as the ranges differ."""
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.repeat([0, 1], 20)
    X = (X + y[:, np.newaxis]) * [1.0, scale]
    data = bc.PoisonedData((X, y), (X[:2], [1, 1]), (X, y), (X[:2], [1, 1]))
    regions = regions_of(RidgeClassifier(), data)
    assert regions.aspect == (2.0 if scale > 1.0 else 0.25)
    assert (regions.low < regions.high).all()
    X = places(regions)
    scores = refitted(RidgeClassifier(), data, 1.0).decision_function(X)
    clear = np.abs(scores) > 1e-4 * np.abs(scores).max()
    np.testing.assert_array_equal(inside(regions, len(BETAS) - 1, X)[clear], scores[clear] > 0.0)


def test_a_class_that_is_nowhere_said_has_no_region():
    """All rows in sight are of the first class, by far."""
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.repeat([0, 1], [39, 1])
    data = bc.PoisonedData((X, y), (X[:1], [0]), (X, y), (X[-1:], [0]))
    regions = regions_of(RidgeClassifier(alpha=1e6), data)
    assert (regions.corners.shape, regions.starts.tolist(), regions.outlines(0)) == ((0, 2), [0], [])


def test_regions_come_back_from_their_bytes(data):
    """To the last bit, and small: a study has many."""
    regions = regions_of(SVC(gamma=2.0), data)
    content = regions.to_bytes()
    again = DecisionRegions.from_bytes(content)
    assert all(np.array_equal(getattr(again, name), value) for name, value in vars(regions).items())
    assert len(content) < 20_000


def test_cells_keep_regions_of_data_in_the_plane_and_of_no_others():
    """A study need not ask for them: a cell's key does not know of them."""
    toy = small(
        data=(DataConfig("toy", n_train=60, n_test=40),),
        trigger=(TriggerConfig("feature", columns=(1,), values=(1.2,)),),
        learners=(LearnerConfig("rbf-svm", (1.0,), (0.5,)), LearnerConfig("ridge", (1.0,), method="refit")),
        seeds=(0,),
        rates=(0.1,),
    )
    _, found = done_here(toy)
    kept = [DecisionRegions.from_bytes(one.records["decision regions"]) for one in found.values()]
    assert [len(regions.betas) for regions in kept] == [len(BETAS), 21]
    _, found = done_here(small(seeds=(0,), rates=(0.1,)))
    assert all(not one.reason and "decision regions" not in one.records for one in found.values())


def test_three_classes_or_three_features_are_not_drawn(data):
    """One region says which of two classes; a plane has two features."""
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
    assert in_the_plane(data)
    assert not in_the_plane(bc.PoisonedData(*[(X[:, :2], y)] * 3, (X[:, :2], y)))
    assert not in_the_plane(bc.PoisonedData(*[(X, y % 2)] * 4))


def test_cover_rows_are_not_drawn_as_poison():
    """Their labels are true."""
    train, test = bc.datasets.toy(60, 40, rng=np.random.default_rng(0))
    attack = bc.Attack(bc.FeatureTrigger((1,), (1.2,)), 1, cover=bc.Cover(1.0))
    covered = bc.poison(train, test, attack, rate=0.2, rng=np.random.default_rng(0))
    regions = regions_of(SVC(kernel="linear"), covered)
    assert len(regions.poison) == covered.rates.n_poison < len(covered.poison_train)
