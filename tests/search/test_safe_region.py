"""Where a learner is safe, from tables whose answer is plain or is found by another road."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from backdoor_curves.search.safe_region import Bounds, Trial, safe_regions


def row(lam, seed, accuracy, asr, gamma=None, scenario="patch", learner="ridge"):
    hyperparameters = {"lambda": lam} | ({} if gamma is None else {"gamma": gamma})
    return Trial(scenario, learner, hyperparameters, seed, accuracy, asr)


def drawn(rng, n_settings=8, n_seeds=4):
    """A table of a region in which about a third of the settings are safe."""
    return [
        row(10.0**k, seed, 0.95 - rng.uniform(0, 0.04), rng.uniform(0.0, 0.5))
        for k, seed in product(range(n_settings), range(n_seeds))
    ]


def test_safe_settings_are_those_within_the_margin_and_under_the_bound():
    """By the definition, one setting at a time, with both edges counted as inside."""
    table = [
        row(1.0, 0, 0.98, 0.9),
        row(2.0, 0, 0.96, 0.2),  # on both edges
        row(3.0, 0, 0.9599, 0.0),  # too inaccurate
        row(4.0, 0, 0.97, 0.2001),  # too easily attacked
        row(5.0, 0, 0.965, 0.1),
    ]
    (region,) = safe_regions(table, Bounds(margin=0.02, asr=0.2))
    assert [setting.lam for setting in region.safe] == [2.0, 5.0]
    assert (region.best.lam, region.chosen.lam) == (1.0, 5.0)


@pytest.mark.parametrize("seed", range(5))
def test_regions_equal_the_definition_by_arrays(seed):
    """An independent road: the same numbers as arrays of settings by seeds."""
    rng = np.random.default_rng(seed)
    table = drawn(rng)
    (region,) = safe_regions(table)
    accuracy, asr = (
        np.array([getattr(one, name) for one in table]).reshape(8, 4) for name in ("clean_accuracy", "asr")
    )

    def choice(columns):
        a, b = accuracy[:, columns].mean(1), asr[:, columns].mean(1)
        safe = (a >= a.max() - 0.02) & (b <= 0.2)
        return safe, (int(np.argmax(np.where(safe, a, -1.0))) if safe.any() else None)

    safe, chosen = choice([0, 1, 2, 3])
    assert [setting.safe for setting in region.settings] == safe.tolist()
    assert region.chosen == (None if chosen is None else region.settings[chosen])
    held_out = []
    for left, one in enumerate(region.left_out):
        _, k = choice([column for column in range(4) if column != left])
        assert one.chosen == (None if k is None else {"lambda": 10.0**k})
        assert one.best_clean_accuracy == accuracy[:, left].max()
        if k is not None:
            held_out.append(asr[k, left])
            assert one.clean_accuracy == accuracy[k, left]
            assert one.safe == bool(accuracy[k, left] >= accuracy[:, left].max() - 0.02 and asr[k, left] <= 0.2)
    assert region.held_out_asr == (pytest.approx(np.mean(held_out)) if held_out else None)


def test_leaving_a_seed_out_finds_the_optimism_of_choosing_and_reporting_on_the_same_seeds():
    """Settings alike but for luck: chosen and reported on the same seeds they look better than they are."""
    optimism = []
    for draw in range(40):
        rng = np.random.default_rng(draw)
        table = [row(10.0**k, seed, 0.9 + 0.01 * rng.normal(), 0.1) for k, seed in product(range(10), range(5))]
        (region,) = safe_regions(table, Bounds(margin=1.0, asr=1.0))
        optimism.append((region.chosen.clean_accuracy - 0.9, region.held_out_clean_accuracy - 0.9))
    same, honest = np.mean(optimism, axis=0)
    # The best of ten means of five normal draws is 1.54 * .01 / sqrt(5) = .0069 too good; 40 draws leave .0005.
    assert same == pytest.approx(0.0069, abs=0.002)
    assert abs(honest) < 0.002


def test_a_region_without_a_safe_setting_says_none():
    """None, not the least bad one."""
    (region,) = safe_regions([row(1.0, seed, 0.98, 0.9) for seed in (0, 1)])
    assert (region.safe, region.chosen, region.held_out_asr) == ((), None, None)
    assert [one.chosen for one in region.left_out] == [None, None]
    assert region.best.asr == 0.9


def test_what_resistance_would_cost_is_said_where_no_setting_is_safe():
    """The most accurate setting under the bound, and the least attacked one: neither needs to be accurate."""
    table = [row(1.0, 0, 0.98, 0.9), row(2.0, 0, 0.9, 0.2), row(3.0, 0, 0.8, 0.1), row(4.0, 0, 0.7, 0.1)]
    (region,) = safe_regions(table)
    assert (region.chosen, region.cheapest.lam, region.least_attacked.lam) == (None, 2.0, 3.0)
    (none,) = safe_regions(table[:1])
    assert (none.cheapest, none.least_attacked.lam) == (None, 1.0)


def test_settings_are_compared_on_the_same_seeds():
    """A setting that lacks a seed may have been spared a hard one: it is shown, and not judged."""
    table = [row(lam, seed, 0.9, 0.1) for lam in (1.0, 2.0, 3.0, 4.0, 5.0) for seed in (0, 1, 2)]
    table.append(row(6.0, 0, 0.99, 0.0))
    (region,) = safe_regions(table)
    last = region.settings[-1]
    assert region.seeds == (0, 1, 2)
    assert (last.judged, last.safe, last.seeds, last.clean_accuracy) == (False, False, (0,), 0.99)
    assert region.best.clean_accuracy == pytest.approx(0.9)


def test_a_few_settings_with_another_seed_do_not_unsettle_the_others():
    """As where two experiments of a study meet in a learner: a grid of five seeds, and four settings of a sixth."""
    table = [row(float(k), seed, 0.9, 0.1) for k in range(1, 11) for seed in range(5)]
    table += [row(lam, 999, 0.95, 0.1) for lam in (1.0, 50.0)]
    (region,) = safe_regions(table)
    assert region.seeds == (0, 1, 2, 3, 4)
    assert sum(setting.judged for setting in region.settings) == 10


def test_failed_cells_are_not_done():
    """They have no numbers; a region of nothing else is still there, and empty."""
    table = [row(1.0, 0, None, None), row(1.0, 1, None, None, learner="logistic"), row(2.0, 1, 0.9, 0.1)]
    ridge, logistic = safe_regions(table)
    assert ridge.seeds == (1,)
    assert math.isnan(ridge.settings[0].asr)
    assert not ridge.settings[0].judged
    assert (logistic.seeds, logistic.best, logistic.safe, logistic.left_out) == ((), None, (), ())
    assert safe_regions([]) == []


def test_regions_are_apart_for_scenario_and_learner():
    """The best clean accuracy is that of the learner there: an easier data set must not raise it."""
    places = (("patch", 0.9), ("easier data", 0.99))
    table = [row(1.0, 0, accuracy, 0.1, gamma, scenario) for scenario, accuracy in places for gamma in (0.1, 1.0)]
    regions = safe_regions(table)
    assert [(region.scenario, len(region.safe)) for region in regions] == [("patch", 2), ("easier data", 2)]


def test_scenarios_and_learners_are_values_of_any_kind_and_names_of_hyperparameters_have_no_order():
    """Records, tuples, words: equal ones are one region, whatever they look like; a learner needs no lambda."""
    table = [
        Trial(("toy", 0.1), frozenset({"tree"}), {"depth": 3, "leaf": 1}, 0, 0.9, 0.1),
        Trial(("toy", 0.1), frozenset({"tree"}), {"leaf": 1, "depth": 3}, 1, 0.7, 0.1),
    ]
    (region,) = safe_regions(table)
    assert region.seeds == (0, 1)
    assert region.chosen.hyperparameters == {"depth": 3, "leaf": 1}
    assert region.chosen.clean_accuracy == pytest.approx(0.8)


def test_among_equals_the_choice_is_the_more_resistant_then_the_more_regularised():
    """So that it does not depend on the order of a grid."""
    table = [row(1.0, 0, 0.9, 0.1), row(3.0, 0, 0.9, 0.05), row(2.0, 0, 0.9, 0.05)]
    for order in (table, table[::-1]):
        assert safe_regions(order)[0].chosen.lam == 3.0


@pytest.mark.parametrize("wrong", [{"margin": -0.1}, {"asr": 1.5}, {"margin": math.nan}], ids=str)
def test_bounds_are_shares(wrong):
    """A margin of 2 for 2 % is the likely slip."""
    with pytest.raises(ValueError, match=r"a share of rows in \[0, 1\] was expected"):
        Bounds(**wrong)
