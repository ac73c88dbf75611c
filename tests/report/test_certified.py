"""What is proved of settings: a third map where a study keeps certificates, a column of tables, a line of an audit."""

from __future__ import annotations

import pytest

from backdoor_curves.report import write_report
from backdoor_curves.report.tables.certified import certified_shares, proved
from backdoor_curves.report.tables.exposure import answer_of
from backdoor_curves.report.tables.exposure_sentences import in_sentences
from backdoor_curves.report.tables.exposure_table import as_json
from backdoor_curves.search.safe_region import Bounds
from backdoor_curves.study.file.attacks import AttackEntry, Patch
from backdoor_curves.study.file.config import AuditConfig, DataConfig, Experiment, KeepConfig, LearnerConfig, Study
from backdoor_curves.study.run_study import run_study
from backdoor_curves.study.store.run import Run, load_run
from study.small_study import WISHES


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[bool, Run]:
    """With certificates and without."""
    return {kept: made(kept, tmp_path_factory.mktemp("run")) for kept in (True, False)}


def made(kept: bool, folder) -> Run:
    square = AttackEntry(name="square", trigger=Patch(pattern="ones"), labels=1, rate_of="all", rounding="nearest")
    data, learner = DataConfig("digits", (4, 9), 160, 80), LearnerConfig("logistic", (1.0, 100.0))
    grid = Experiment((data,), (), (), (learner,), (0.05,), (0, 1), KeepConfig(certificate=kept), (square,))
    study = Study("audit", (grid,), audit=AuditConfig((("lambda", 1.0),)))
    list(run_study(study, folder / "run", WISHES))
    return load_run(folder / "run")


def test_the_page_has_a_third_map_where_certificates_are_kept(runs, tmp_path):
    """At the most rows with which some setting has half of the test rows certified; else the page is as it was."""
    pages = {}
    for kept, run in runs.items():
        write_report(run, tmp_path / f"{kept}.html")
        pages[kept] = (tmp_path / f"{kept}.html").read_text(encoding="utf-8")
    assert "Certified, 1 row" in pages[True]
    assert "certified against 1 row" in pages[True]
    assert "certified, 10 rows" in pages[True]
    assert "certified against" not in pages[False].lower()
    assert "certified, 10 rows" not in pages[False]


def test_an_audit_says_what_is_proved(runs):
    """Of the setting that resists and of the user's own, in a sentence and in JSON: means over cells."""
    answer = answer_of(runs[True], Bounds())
    (said,) = [sentence for sentence in in_sentences(answer) if sentence.startswith("Proved")]
    shares = certified_shares(runs[True].cells)
    strong = next(setting for setting in shares if setting.lam == 100.0)
    assert shares[strong][1] > 0.25
    assert f"λ = 1 has at least {100 * shares[answer.as_given][1]:.1f} % of the clean test rows right with 1" in said
    assert as_json(answer)["given"]["certified"] == {str(m): share for m, share in shares[answer.as_given].items()}
    without = answer_of(runs[False], Bounds())
    assert not [sentence for sentence in in_sentences(without) if sentence.startswith("Proved")]
    assert as_json(without)["given"]["certified"] is None
    assert proved({}, [strong]) == []
