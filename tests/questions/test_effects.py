"""Effects over seeds: the same as scipy's paired tests and regressions, and right as often as they say."""

import numpy as np
import pytest
from scipy import stats

from backdoor_curves.questions.effects import contrasts, holm, mean_interval, paired_effects

RNG = np.random.default_rng(0)
VALUES = np.exp(RNG.normal(size=(10, 4)))
NUMBERS = np.array([1.0, 2.0, 4.0, 16.0])


@pytest.mark.parametrize("is_ratio", [True, False])
def test_a_level_against_the_first_is_scipys_paired_test(is_ratio):
    """Estimate, interval and p, of logarithms for ratios."""
    values = np.log(VALUES) if is_ratio else VALUES
    found = paired_effects(VALUES, contrasts(None, 4), is_ratio=is_ratio, level=0.9)
    for column, effect in enumerate(found, start=1):
        test = stats.ttest_rel(values[:, column], values[:, 0])
        ends = np.array([*test.confidence_interval(0.9)])
        assert effect.p == pytest.approx(test.pvalue, rel=1e-9)
        assert [effect.low, effect.high] == pytest.approx(np.exp(ends) if is_ratio else ends, rel=1e-9)
        assert effect.n == 10


def test_an_effect_per_doubling_is_the_slope_of_a_regression_on_log2():
    """Seed by seed, and then Student's interval of these slopes."""
    (effect,) = paired_effects(VALUES, contrasts(NUMBERS, 4), is_ratio=True, level=0.95)
    slopes = [stats.linregress(np.log2(NUMBERS), np.log(row)).slope for row in VALUES]
    ends = stats.t.interval(0.95, 9, np.mean(slopes), stats.sem(slopes))
    assert effect.estimate == pytest.approx(np.exp(np.mean(slopes)), rel=1e-9)
    assert [effect.low, effect.high] == pytest.approx(np.exp(ends), rel=1e-9)


def test_what_all_levels_of_a_seed_share_drops_out():
    """A seed that is easier as a whole moves no effect: that is what pairs are for."""
    by = contrasts(NUMBERS, 4)
    shifted = VALUES * np.exp(RNG.normal(size=(10, 1)))
    for before, after in zip(
        paired_effects(VALUES, by, is_ratio=True, level=0.95),
        paired_effects(shifted, by, is_ratio=True, level=0.95),
        strict=True,
    ):
        assert after.low == pytest.approx(before.low, rel=1e-9)


def test_the_unit_of_the_axis_does_not_matter():
    """A doubling is one in pixels and in inches."""
    first, second = (
        paired_effects(VALUES, contrasts(unit * NUMBERS, 4), is_ratio=True, level=0.95)[0] for unit in (1.0, 7.0)
    )
    assert second.estimate == pytest.approx(first.estimate, rel=1e-9)


def test_intervals_hold_together_as_often_as_they_say():
    """Bonferroni: of 8 effects that are none, at least one is decided in about 5 % of 2000 studies, give or take .5."""
    level = 1 - 0.05 / 8
    wrong = 0
    rng = np.random.default_rng(1)
    for _ in range(2000):
        found = paired_effects(rng.normal(size=(10, 9)), contrasts(None, 9), is_ratio=False, level=level)
        wrong += any(effect.sign for effect in found)
    assert 0.02 < wrong / 2000 < 0.065  # below .05 since the eight share the first level


def test_equal_numbers_in_all_seeds_are_no_effect():
    """An attack success rate of 1 everywhere has no spread, and no p of 0 / 0."""
    (effect,) = paired_effects(np.ones((10, 2)), contrasts(None, 2), is_ratio=False, level=0.95)
    assert (effect.estimate, effect.low, effect.high, effect.p, effect.sign) == (0.0, 0.0, 0.0, 1.0, 0)
    (effect,) = paired_effects(np.tile([1.0, 2.0], (10, 1)), contrasts(None, 2), is_ratio=True, level=0.95)
    assert (round(effect.estimate, 12), effect.p, effect.sign) == (2.0, 0.0, 1)


def test_one_seed_has_no_interval():
    """It says nothing about others."""
    with pytest.raises(ValueError, match="two or more were expected for an interval, 1 came"):
        paired_effects(VALUES[:1], contrasts(None, 4), is_ratio=True, level=0.95)


@pytest.mark.parametrize("is_ratio", [True, False])
def test_a_mean_has_students_interval(is_ratio):
    """Geometric where ratios are compared."""
    values = VALUES[:, 0]
    ends = stats.t.interval(0.95, 9, np.mean(np.log(values)), stats.sem(np.log(values)))
    plain = stats.t.interval(0.95, 9, np.mean(values), stats.sem(values))
    found = mean_interval(values, is_ratio=is_ratio, level=0.95)
    assert found[1:] == pytest.approx(np.exp(ends) if is_ratio else plain, rel=1e-9)


def test_holm_is_between_bonferroni_and_no_correction():
    """It keeps all that Bonferroni keeps, nothing that alone would not hold, and the smaller p before the larger."""
    for seed in range(50):
        p = np.random.default_rng(seed).beta(0.3, 5, size=12)
        kept = np.array(holm(p))
        assert (kept >= (p <= 0.05 / 12)).all()
        assert (p[kept] <= 0.05).all()
        assert not kept.any() or p[kept].max() <= p[~kept].min(initial=1.0)


def test_what_is_not_above_zero_has_no_ratio():
    """A triggered loss of 0 from the start is at its half at once."""
    with pytest.raises(ValueError, match="above 0 were expected to be compared by ratio, 0 came"):
        paired_effects(np.array([[0.0, 1.0], [1.0, 1.0]]), contrasts(None, 2), is_ratio=True, level=0.95)
