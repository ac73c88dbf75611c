"""The two bands in the plane."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.svm import SVC

from backdoor_curves.datasets import toy


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [1, 2, 7, 200])
def test_classes_are_balanced(n):
    """Half of each class, so that no bias of the classes shows in the figure."""
    train, _ = toy(n, 10, rng=rng())
    assert train.X.shape == (n, 2)
    assert train.X.dtype == np.float64
    assert np.bincount(train.y, minlength=2).tolist() == [(n + 1) // 2, n // 2]


def test_points_stay_in_their_box():
    """The docstring promises the bounds, and a trigger at x2 = 1.2 relies on them."""
    train, test = toy(20_000, 20_000, rng=rng())
    for X, _ in (train, test):
        assert np.abs(X[:, 0]).max() <= 0.88
        assert np.abs(X[:, 1]).max() <= 0.58


def test_classes_do_not_touch_and_differ_in_x1():
    """The gap is at least .1, so both machines of the figure can be right everywhere; x1 alone tells the classes."""
    (X, y), _ = toy(2000, rng=rng())
    assert cdist(X[y == 0], X[y == 1]).min() > 0.1
    assert X[y == 0, 0].max() < 0 < X[y == 1, 0].min()


@pytest.mark.parametrize("C", [0.1, 1.0])
def test_the_machines_of_the_figure_separate_the_classes(C):
    """Without poison both are good classifiers, so what differs later is the backdoor."""
    for seed in range(5):
        train, test = toy(rng=rng(seed))
        assert SVC(C=C, gamma=10).fit(*train).score(*test) >= 0.99


def test_the_weaker_regularisation_learns_the_trigger_better():
    """With ten points moved to x2 = 1.2 and relabelled, the loss on such points falls with C: the figure's message."""
    loss = {}
    for C in (0.1, 1.0):
        (X, y), (Xt, yt) = toy(rng=rng())
        X[:10, 1], y[:10] = 1.2, 1 - y[:10]
        Xt[:, 1] = 1.2
        margin = np.where(yt == 0, 1, -1) * SVC(C=C, gamma=10).fit(X, y).decision_function(Xt)
        loss[C] = np.maximum(0, 1 - margin).mean()
    assert loss[1.0] < loss[0.1] / 2


def test_equal_seeds_give_equal_points_and_others_do_not():
    """The figure must be the same each time that it is drawn."""
    (first, _), (again, _), (other, _) = toy(rng=rng()), toy(rng=rng()), toy(rng=rng(1))
    assert np.array_equal(first.X, again.X)
    assert np.array_equal(first.y, again.y)
    assert not np.array_equal(first.X, other.X)


@pytest.mark.parametrize(("n_train", "n_test", "name"), [(0, 1, "n_train"), (1, -1, "n_test"), (None, 1, "n_train")])
def test_numbers_of_rows_are_checked(n_train, n_test, name):
    """There is no "all rows" of a formula, so None is refused too."""
    with pytest.raises(ValueError, match=f"{name}: a positive int was expected"):
        toy(n_train, n_test, rng=rng())


def test_a_seed_in_place_of_a_generator_is_refused():
    """A seed would be drawn from anew at each call."""
    with pytest.raises(TypeError, match="a numpy Generator was expected, int came"):
        toy(rng=0)
