"""Over seeds."""

from __future__ import annotations

import numpy as np
import pytest
from small_study import a_cell, small_run, stored

from backdoor_curves.study.store.statistics import bootstrap_interval, over_seeds


def cells(values, half=None, **changes):
    """A setting with an area for each seed."""
    return [
        stored(a_cell(seed=k, **changes), {"method": "ridge", "area": value, "half_loss_beta": half})
        for k, value in enumerate(values)
    ]


def test_mean_and_deviation_are_numpys_and_seeds_are_counted():
    """n - 1 in the deviation; a seed without the quantity is not behind the mean, and it shows."""
    (found,) = over_seeds(cells([1.0, 4.0, None, 2.5]))
    assert found["mean"] == pytest.approx(2.5)
    assert found["sd"] == pytest.approx(np.std([1.0, 4.0, 2.5], ddof=1))
    assert (found["n_seeds"], found["n_cells"], found["quantity"], found["learner"]) == (3, 4, "area", "ridge")
    assert "seed" not in found


def test_one_seed_has_no_deviation_and_no_interval():
    """They are unknown, not zero."""
    (found,) = over_seeds(cells([1.0]))
    assert (found["mean"], found["sd"], found["low"], found["high"]) == (1.0, None, None, None)


def test_settings_are_apart_and_quantities_that_nobody_has_are_left_out():
    """The half-loss of curves that never get there has no row."""
    found = over_seeds(cells([1.0, 2.0]) + cells([3.0, 4.0], half=0.5, kind="logistic"))
    assert [(r["learner"], r["quantity"], r["mean"]) for r in found] == [
        ("ridge", "area", 1.5),
        ("logistic", "area", 3.5),
        ("logistic", "half_loss_beta", 0.5),
    ]


def test_the_interval_is_that_of_all_resamples():
    """By enumeration: the quantiles of the mean over all n^n resamples; 2000 draws come within a few of their rank."""
    values = np.array([0.0, 1.0, 3.0, 10.0])
    grid = np.stack(np.meshgrid(*[values] * 4)).reshape(4, -1).mean(axis=0)
    low, high = bootstrap_interval(values)
    assert np.quantile(grid, 0.01) <= low <= np.quantile(grid, 0.04)
    assert np.quantile(grid, 0.96) <= high <= np.quantile(grid, 0.99)
    assert bootstrap_interval(values) == (low, high)


def test_an_interval_covers_the_mean_as_often_as_it_says():
    """With 30 normal values some 94 of 100 intervals of 95 % hold the true mean."""
    rng = np.random.default_rng(0)
    held = [low <= 0.0 <= high for low, high in (bootstrap_interval(rng.normal(size=30)) for _ in range(300))]
    assert 0.89 < np.mean(held) < 0.98


def test_a_run_has_statistics_of_every_quantity():
    """Two rates, two seeds."""
    found = small_run().statistics()
    area = [row for row in found if row["quantity"] == "area"]
    assert [row["rate"] for row in area] == [0.1, 0.5]
    assert all(row["n_seeds"] == 2 and row["low"] <= row["mean"] <= row["high"] for row in area)
