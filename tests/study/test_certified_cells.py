"""Certified shares of a study are those of `certify` on the rows of each cell; none where none are asked for."""

from __future__ import annotations

from small_study import done_here, four_learners

import backdoor_curves as bc
from backdoor_curves.study.compute.quantities import CERTIFICATE_QUANTITIES, certified_share
from backdoor_curves.study.file.config import KeepConfig, LearnerConfig
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.plan.estimators import estimator
from backdoor_curves.study.plan.sources import poisoned, read_rows

LEARNERS = (
    LearnerConfig("ridge", (10.0,)),
    LearnerConfig("rbf-svm", (20.0,), (0.05,)),
    LearnerConfig("logistic", (100.0,), intercept="penalised"),
    LearnerConfig("linear-svm", (100.0,), method="refit", intercept="penalised"),
)


def test_certified_shares_are_those_of_the_clean_rows_of_a_cell(tmp_path):
    """Read off its path at beta = 0, without another fit; a refit has no certificate."""
    study = four_learners(learners=LEARNERS, rates=(0.1,), keep=KeepConfig(certificate=True))
    plan, outcomes = done_here(study)
    make_plan(study, rows_folder=tmp_path)
    some = 0
    for planned in plan.cells:
        found = outcomes[planned.key].numbers
        shares = [found[name] for name in CERTIFICATE_QUANTITIES]
        if planned.cell.method == "refit":
            assert shares == [None] * 4
            continue
        group = plan.groups[planned.group]
        data = poisoned(*read_rows(tmp_path / group.source.hash), planned.cell, group.rates)[0.1]
        certificate = bc.certify(estimator(planned.cell), flat(data.clean_train), flat(data.clean_test))
        assert shares == [certificate.share(m) for m in (1, 3, 10, 30)]
        assert found["clean_accuracy_at_0"] >= found[certified_share(1)] >= found[certified_share(30)]
        some += found[certified_share(1)] > 0.0
    assert some >= 2


def flat(samples: bc.Samples) -> tuple:
    return samples.X.reshape(len(samples), -1), samples.y


def test_without_being_asked_nothing_is_certified():
    """And the keys of cells are what they were: the field is at its default."""
    study = four_learners(learners=LEARNERS[:1], rates=(0.1,))
    _, outcomes = done_here(study)
    for outcome in outcomes.values():
        assert [outcome.numbers[name] for name in CERTIFICATE_QUANTITIES] == [None] * 4
