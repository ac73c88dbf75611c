"""What a check says of the time of a learner that is refitted: fits of a cell, times seconds of one."""

from __future__ import annotations

import pytest
from small_study import small

from backdoor_curves.learners import weights
from backdoor_curves.paths import refit as refit_module
from backdoor_curves.study.compute import fit_times as module
from backdoor_curves.study.compute.cell import compute, prepare
from backdoor_curves.study.compute.fit_times import TRIALS, fit_times, in_words
from backdoor_curves.study.file.config import DataConfig, KeepConfig, LearnerConfig, PoisonConfig
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.plan.resources import memory_of, seconds_of_all
from backdoor_curves.study.plan.sources import draw

FOREST = LearnerConfig(
    estimator="sklearn.ensemble.RandomForestClassifier", grid=(("n_estimators", (2, 40)),), name="forest"
)
SVC = LearnerConfig(estimator="sklearn.svm.SVC", grid=(("C", (1.0, 2.0)),))


def planned(*learners, **changes):
    parts = {"learners": learners, "poison": (PoisonConfig(),), "seeds": (0, 1), "rates": (0.1,)}
    return make_plan(small(**parts | {"data": (DataConfig(n_train=90, n_test=40),)} | changes))


def rows_of(group):
    return draw(group.first.scenario.data, group.first.seed, None, offline=True)


def test_refitted_estimators_of_ones_own_are_measured_at_each_setting():
    """Followed ones and the four kinds are not: they are not fitted."""
    plan = planned(FOREST, SVC, LearnerConfig("ridge", (1.0,)), keep=KeepConfig(betas=(0.0, 0.5, 1.0)))
    found = fit_times(plan, rows_of)
    assert [setting.values["n_estimators"] for _, setting in found] == [2, 40]
    small_one, large_one = found.values()
    assert small_one.fits == large_one.fits == 3 + TRIALS
    assert 0 < small_one.seconds < large_one.seconds  # twenty times the trees
    assert in_words(found)[0].startswith("forest: 7 fits a cell of ")
    assert in_words(found)[0].endswith(" s each, measured")


def test_what_takes_too_long_to_measure_is_taken_to_be_like_what_was():
    """And said so."""
    found = fit_times(planned(FOREST), rows_of, patience=0.0)
    assert [one.is_measured for one in found.values()] == [True, False]
    assert len({one.seconds for one in found.values()}) == 1
    assert in_words(found)[0].endswith("measured at 1 of 2 settings")


def test_the_time_of_a_plan_is_that_of_its_fits():
    """Twice for a control, once a cell."""
    plan = planned(FOREST)
    found = dict.fromkeys(fit_times(plan, rows_of), 10.0)
    assert seconds_of_all(plan.cells, plan, found) == pytest.approx(4 * 10.0)
    control = planned(FOREST, poison=(PoisonConfig(control=True),))
    assert seconds_of_all(control.cells, control, found) == pytest.approx(8 * 10.0)


def test_a_cell_has_no_more_fits_than_are_said(monkeypatch):
    """By counting them: those at the betas, and those that show that a fit goes by its weights."""
    counted = []
    for place in (weights, refit_module):
        for name in ("fit_estimator", "_unheard_fit"):
            if hasattr(place, name):
                real = getattr(place, name)
                monkeypatch.setattr(place, name, lambda *a, _real=real, **k: counted.append(1) or _real(*a, **k))
    plan = planned(FOREST, keep=KeepConfig(betas=(0.0, 0.5, 1.0)))
    group = plan.groups[0]
    outcome = compute(plan.cells[0].key, plan.cells[0].cell, prepare(group, *rows_of(group)))
    assert outcome.reason == ""
    assert len(counted) <= module._fits_of(plan.cells[0].cell)


def test_the_memory_of_a_refitted_learner_has_no_kernel_matrix_and_that_of_an_svm_has_one():
    """Of 50,000 rows a kernel matrix would be refused."""
    forest, svm = (memory_of(planned(config).groups[0]) for config in (FOREST, SVC))
    assert forest < svm
