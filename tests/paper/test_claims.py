"""The paper's conclusions tested on tables made by hand: each verdict flips where a violation is planted."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import spearmanr

from backdoor_curves.paper.claims import conclusions as claims
from backdoor_curves.paper.claims.accuracy_claims import clean_accuracy_is_high, clean_accuracy_stays
from backdoor_curves.paper.claims.conclusions import Growth, TriggerShare, claims_of
from backdoor_curves.paper.claims.rank_correlation import rank_correlation
from backdoor_curves.paper.numbers.published import PublishedRow, PublishedSetting
from backdoor_curves.paper.numbers.published_files import SlopeFile
from backdoor_curves.study.file.config import DataConfig, TriggerConfig
from backdoor_curves.study.plan.scenario import Learner
from study.small_study import a_cell, changed, stored

SEEDS = (1, 10, 11, 100, 101)
LAMBDAS = (0.01, 1.0, 100.0)


NUMBERS = ("theta", "slope_at_0", "asr_at_1", "clean_accuracy_at_0", "clean_accuracy_at_1")


def cell_of(**changes):
    """A cell of ridge: the steeper and, but for some noise, the more misled the smaller its lambda is."""
    numbers = {name: changes.pop(name) for name in NUMBERS if name in changes}
    cell = a_cell(data=DataConfig("mnist", (7, 1)), trigger=TriggerConfig(size=3), **{"seed": 1} | changes)
    lam = cell.setting.lam
    slope = -100.0 * cell.scenario.rate / lam - 1e-3 * cell.seed
    values = {
        "theta": -2 / math.pi * math.atan(slope),
        "slope_at_0": slope,
        "asr_at_1": 0.85 / (1 + 0.1 * lam) + 0.06 * math.sin(37 * cell.seed + lam),
        "clean_accuracy_at_0": 0.98,
        "clean_accuracy_at_1": 0.97,
    }
    return stored(cell, values | numbers)


def slopes(**changes):
    return [cell_of(**{"lam": lam, "seed": seed} | changes) for seed in SEEDS for lam in LAMBDAS]


def curves():
    return [cell_of(lam=lam, rate=rate, seed=999) for lam in LAMBDAS for rate in (0.01, 0.1, 0.2)]


def with_numbers(cell, **numbers):
    return replace(cell, numbers={**cell.numbers, **numbers})


def turned(cells):
    """The cells with what the attacker gets and does not get exchanged."""
    return [with_numbers(cell, asr_at_1=1 - cell.asr) for cell in cells]


def moved(cells, name, value, **where):
    """The cells with a number changed where they are at this lambda, rate or seed; some are."""
    hit = [all(found[key] == wanted for key, wanted in where.items()) for found in map(at, cells)]
    assert any(hit)
    return [with_numbers(cell, **{name: value}) if it else cell for cell, it in zip(cells, hit, strict=True)]


def at(cell):
    return {"lam": cell.setting.lam, "rate": cell.scenario.rate, "seed": cell.seed}


def test_rank_correlation_is_spearmans():
    """With ties, against another implementation; NaN where nothing varies."""
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 6, 40).astype(float), rng.normal(size=40)
    found = rank_correlation(x.tolist(), (x + y).tolist(), [i % 5 for i in range(40)])
    assert found.rho == pytest.approx(spearmanr(x, x + y).statistic, rel=1e-12)
    assert (found.n, found.n_seeds) == (40, 5)
    assert found.low < found.rho < found.high
    assert math.isnan(rank_correlation([1.0, 1.0], [1.0, 2.0], [1, 2]).rho)


def test_the_interval_resamples_whole_seeds():
    """Cells of a seed are no independent draws: ten copies of each leave the interval as it is."""
    rng = np.random.default_rng(0)
    x, y, seeds = rng.normal(size=20), rng.normal(size=20), np.repeat(np.arange(4), 5)
    once = rank_correlation(x.tolist(), y.tolist(), seeds.tolist())
    ten = rank_correlation(*(np.tile(values, 10).tolist() for values in (x, y, seeds)))
    assert (ten.low, ten.high) == pytest.approx((once.low, once.high), rel=1e-9)
    alone = rank_correlation([1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [7, 7, 7])
    assert math.isnan(alone.low)
    assert alone.rho == pytest.approx(0.5)
    halves = rank_correlation([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 3.0, 2.0, 1.0], [1, 1, 1, 2, 2, 2])
    assert (halves.rho, halves.low, halves.high) == pytest.approx((0.0, -1.0, 1.0))


def test_columns_of_unlike_length_are_refused():
    """Rather than paired as far as they go."""
    with pytest.raises(ValueError, match="2, 3 and 2 came"):
        rank_correlation([1.0, 2.0], [1.0, 2.0, 3.0], [1, 2])


def test_slope_and_asr_are_ranked_for_each_learner_on_each_data():
    """The measured number is Spearman's of that learner's cells alone."""
    other = [replace(one, cell=changed(one.cell, data=DataConfig("mnist", (3, 0)))) for one in slopes()]
    table = [*slopes(), *slopes(kind="svm", asr_at_1=0.5), *other]
    found = {claim.about: claim for claim in claims.slope_rises_with_asr(table)}
    assert list(found) == [
        f"{name}: true slope"
        for name in ("ridge, mnist 7-1, random 3 x 3", "svm, mnist 7-1, random 3 x 3", "ridge, mnist 3-0, random 3 x 3")
    ]
    ridge = found["ridge, mnist 7-1, random 3 x 3: true slope"]
    expected = spearmanr([one.numbers["theta"] for one in slopes()], [one.asr for one in slopes()]).statistic
    assert ridge.measured[0].value == pytest.approx(expected)
    assert 0.5 < expected < 0.99
    assert ridge.measured[0].n == 15
    assert ridge.verdict == "holds"
    assert found["svm, mnist 7-1, random 3 x 3: true slope"].verdict == "does not hold"  # nothing varies


def test_slopes_that_fall_with_asr_do_not_hold():
    """Planted: the steepest cells are those that are misled least; of two seeds only one, it holds in part or not."""
    (claim,) = claims.slope_rises_with_asr(turned(slopes()))
    assert claim.verdict == "does not hold"
    mixed = [turned([one])[0] if one.seed == 1 else one for one in slopes()]
    (claim,) = claims.slope_rises_with_asr(mixed)
    assert claim.verdict == "holds in part"


def published(reverse=False):
    """A published file of ridge; one row was left out of the figures."""
    rows = {}
    for seed in SEEDS:
        for i, C in enumerate((0.01, 1.0, 100.0)):
            asr = 0.1 + 0.3 * (2 - i if reverse else i)
            rows[PublishedSetting(seed, C, None)] = PublishedRow(0.95, 0.9, asr, 0.9, -(10.0**i), 1, 1, 1, 1, 1)
    rows[PublishedSetting(1, 1e4, None)] = PublishedRow(0.95, 0.9, 0.0, 0.9, 5.0, 1, 1, 1, 1, 1)
    return SlopeFile("ridge", (7, 1), 3, rows)


def test_published_slopes_are_tested_as_the_figures_show_them():
    """Rows of a positive avg_I were left out there, and would turn the correlation here."""
    (claim,) = claims.slope_rises_with_asr([], [published()])
    assert (claim.measured[0].n, claim.verdict) == (15, "holds")
    assert claim.measured[0].value == pytest.approx(1.0)
    assert claims.slope_rises_with_asr([], [published(reverse=True)])[0].verdict == "does not hold"


@pytest.mark.parametrize(("test", "n"), [(claims.smaller_lambda_steepens, 6), (claims.more_poison_steepens, 6)])
def test_steeper_curves_hold_until_one_is_not(test, n):
    """All comparisons of neighbours, at equal other coordinates; one that fails and it holds in part, most and not."""
    (claim,) = test(curves())
    assert (claim.verdict, claim.measured[0].n, claim.measured[0].value) == ("holds", n, 1.0)
    (claim,) = test(moved(curves(), "slope_at_0", 0.0, lam=0.01, rate=0.2))
    assert claim.verdict == "holds in part"
    assert claim.measured[0].value == pytest.approx(5 / 6)
    (claim,) = test([with_numbers(one, slope_at_0=-one.numbers["slope_at_0"]) for one in curves()])
    assert claim.verdict == "does not hold"
    assert test([]) == []


def test_cells_that_differ_in_two_coordinates_are_not_compared():
    """Another gamma, seed or learner is another curve; failed cells have no slope."""
    two = [cell_of(gamma=0.1, lam=1.0), cell_of(gamma=0.2, lam=10.0)]
    assert claims.smaller_lambda_steepens(two) == []
    failed = [cell_of(lam=1.0), replace(cell_of(lam=10.0), status="failed", numbers={})]
    assert claims.smaller_lambda_steepens(failed) == []


def test_safe_regions_hold_where_the_choice_of_other_seeds_is_safe():
    """At the largest lambda the ASR is .08 at no cost; planted: an attack that succeeds there on one seed, on all."""
    (claim,) = claims.safe_region_exists(slopes())
    assert claim.verdict == "holds"
    assert {one.of for one in claim.measured} >= {"clean accuracy at lambda 100", "ASR there"}
    on_one = moved(slopes(), "asr_at_1", 0.5, lam=100.0, seed=1)
    (claim,) = claims.safe_region_exists(on_one)
    assert claim.verdict == "holds in part"
    assert claim.measured[-1].value == 4.0
    (claim,) = claims.safe_region_exists(moved(slopes(), "asr_at_1", 0.5, lam=100.0))
    assert claim.verdict == "does not hold"
    (claim,) = claims.safe_region_exists(moved(slopes(), "clean_accuracy_at_1", 0.9, lam=100.0))
    assert claim.verdict == "does not hold"


def growth(learner, ratio):
    return Growth(Learner(learner), ratio)


def test_norms_of_linear_learners_grow_and_of_rbf_machines_not():
    """Planted: a linear norm that shrinks, an RBF norm that grows by half."""
    right = [growth("ridge", 1.1), growth("linear-svm", 1.7), growth("rbf-svm", 1.05), growth("rbf-svm", 0.9)]
    assert [claim.verdict for claim in claims.linear_norms_grow(right)] == ["holds", "holds"]
    wrong = [*right, growth("ridge", 0.9), growth("rbf-svm", 1.5)]
    linear, rbf = claims.linear_norms_grow(wrong)
    assert (linear.verdict, rbf.verdict) == ("holds in part", "holds in part")
    assert [(one.of, one.value) for one in rbf.measured] == [
        ("rbf-svm: least norm(1) / norm(0)", 0.9),
        ("rbf-svm: largest norm(1) / norm(0)", 1.5),
        ("share that hardly grows", pytest.approx(2 / 3)),
    ]
    assert [claim.verdict for claim in claims.linear_norms_grow([growth("ridge", 0.5)])] == ["does not hold"]


def test_small_lambda_does_not_resist_where_it_is_weak_regularisation():
    """In the table the ASR falls with lambda; planted: one that rises, as the paper's words have it."""
    table = [*slopes(), *slopes(kind="rbf-svm", gamma=0.1), *slopes(kind="rbf-svm", gamma=1.0, asr_at_1=0.95)]
    lam, gamma = claims.small_lambda_and_gamma_resist(table)
    assert (lam.name, lam.verdict) == ("small lambda resists", "does not hold")
    assert lam.measured[0].value > 0.8 > 0.2 > lam.measured[1].value
    assert (gamma.name, gamma.verdict) == ("small gamma resists", "holds")
    (rising,) = claims.small_lambda_and_gamma_resist(turned(slopes()))
    assert rising.verdict == "holds"


@pytest.mark.parametrize(
    ("clean", "poisoned", "verdict"),
    [(0.01, 0.3, "holds"), (0.4, 0.3, "holds in part"), (0.01, 0.02, "holds in part"), (0.02, 0.01, "does not hold")],
)
def test_weights_peak_where_the_poisoned_share_is_large(clean, poisoned, verdict):
    """Larger than the clean model's, and twice what a gradient without preference has."""
    (claim,) = claims.weights_peak_at_the_trigger([TriggerShare("svm", clean, poisoned, 36 / 784, 1)])
    assert claim.verdict == verdict


def test_clean_accuracy_above_90_percent_and_its_exception():
    """Planted: one cell in fifteen below, one in thirty; an exception that is none, and one of 75 %."""
    (high,) = clean_accuracy_is_high(slopes())
    assert (high.verdict, high.measured[0].value) == ("holds", 0.98)
    one_of_15 = moved(slopes(), "clean_accuracy_at_0", 0.9, lam=1.0, seed=10)
    assert clean_accuracy_is_high(one_of_15)[0].verdict == "does not hold"
    one_of_30 = [*one_of_15, *(slopes(gamma=0.01))]
    assert clean_accuracy_is_high(one_of_30)[0].verdict == "holds in part"
    exception = [cell_of(gamma=0.05, lam=10.0, clean_accuracy_at_0=0.75)]
    high, there = clean_accuracy_is_high([*slopes(), *exception])
    assert (high.verdict, there.verdict) == ("holds", "holds")
    (there,) = clean_accuracy_is_high([cell_of(gamma=0.05, lam=10.0)])
    assert (there.name, there.verdict) == ("75 % at one setting", "does not hold")


def test_published_clean_accuracy_is_a_claim_of_its_own():
    """Of all original rows, where the table's is of those that are not poisoned."""
    (claim,) = clean_accuracy_is_high([], [published()])
    assert (claim.verdict, claim.measured[0].value, claim.measured[0].n) == ("holds", 0.95, 16)


def test_clean_accuracy_that_moves_with_the_rate_is_seen():
    """Planted: five points at one setting of three, at all."""
    (claim,) = clean_accuracy_stays(curves())
    assert (claim.verdict, claim.measured[0].value, claim.measured[0].n) == ("holds", 0.0, 3)
    one = moved(curves(), "clean_accuracy_at_1", 0.92, lam=1.0, rate=0.2)
    (claim,) = clean_accuracy_stays(one)
    assert claim.verdict == "holds in part"
    assert claim.measured[0].value == pytest.approx(0.05)
    every = moved(curves(), "clean_accuracy_at_1", 0.92, rate=0.2)
    assert clean_accuracy_stays(every)[0].verdict == "does not hold"


def test_all_claims_of_a_run_are_of_its_slopes_and_curves():
    """Cells of seed 999 are those of the curves; a norm comes from the curve of a cell, at a rate of .1 alone."""
    run = SimpleNamespace(
        cells=(*slopes(), *curves()),
        keeps_curve=lambda _: True,
        curve=lambda cell: SimpleNamespace(norm=lambda _: np.array([2.0, 2.0 + cell.setting.lam])),
    )
    found = claims_of([run], [published()], [TriggerShare("svm", 0.01, 0.3, 0.01, 1)])
    assert [claim.name for claim in found] == [
        "smaller lambda, steeper curve",
        "more poison, steeper curve",
        "clean accuracy stays with more poison",
        "slope rises with ASR",
        "slope rises with ASR",
        "a safe region exists",
        "small lambda resists",
        "clean accuracy above 90 %",
        "clean accuracy above 90 %",
        "linear learners grow",
        "weights peak at the trigger",
    ]
    (grown,) = (claim for claim in found if claim.name == "linear learners grow")
    assert [one.value for one in grown.measured] == [1.005, 51.0]
    assert grown.measured[0].n == len(LAMBDAS)
    assert next(claim for claim in found if claim.name == "slope rises with ASR").measured[0].n == len(slopes())
    assert all(claim.rule and claim.paper and claim.measured for claim in found)
    assert claims_of([replace_cells(run, status="failed")])[-1].name != "linear learners grow"


def replace_cells(run, **changes):
    return SimpleNamespace(**{**vars(run), "cells": tuple(replace(cell, **changes) for cell in run.cells)})


def test_measured_numbers_read_with_interval_and_n():
    """As a table prints them."""
    (claim,) = claims.slope_rises_with_asr(slopes())
    assert str(claim.measured[0]).startswith("Spearman over 5 seeds 0.")
    assert str(claim.measured[0]).endswith("], n = 15")
    assert "[" not in str(claim.measured[1])
