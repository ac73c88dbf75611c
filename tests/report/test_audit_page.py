"""What an audit answers: its numbers are those of the cells, in sentences, in JSON and on the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from backdoor_curves.report import write_report
from backdoor_curves.report.tables.exposure import answer_of
from backdoor_curves.report.tables.exposure_sentences import in_sentences
from backdoor_curves.report.tables.exposure_table import as_json, as_text
from backdoor_curves.search.safe_region import Bounds
from backdoor_curves.study.file.attacks import AttackEntry, Blend, Patch
from backdoor_curves.study.file.config import AuditConfig, DataConfig, Experiment, KeepConfig, LearnerConfig, Study
from backdoor_curves.study.run_study import run_study
from backdoor_curves.study.store.run import Run, load_run
from study.small_study import WISHES

ATTACKS = tuple(
    AttackEntry(name=name, trigger=trigger, labels=1, rate_of="all", rounding="nearest")
    for name, trigger in (("square <b>", Patch(pattern="ones")), ("noise", Blend()))
)
N = 160
ROWS = (1, 4, 16)
DOCS = Path(__file__).parents[2] / "docs" / "howto" / "audit.md"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("audit")
    grid = Experiment(
        (DataConfig("digits", (4, 9), N, 80),),
        (),
        (),
        (LearnerConfig("logistic", (1.0, 300.0)),),
        tuple(n / N for n in ROWS),
        (0, 1),
        KeepConfig(),
        ATTACKS,
    )
    study = Study("audit", (grid,), audit=AuditConfig((("lambda", 1.0),)))
    list(run_study(study, folder / "run", WISHES))
    return load_run(folder / "run")


def of_cells(run: Run, name: str, lam: float, rows: int, quantity: str) -> np.ndarray:
    """Return a quantity by seed, taken out of the run by hand."""
    return np.array(
        [
            cell.numbers[quantity]
            for cell in run.cells
            if (cell.scenario.attack.name, cell.setting.lam, cell.numbers["n_poison"]) == (name, lam, rows)
        ]
    )


def success(run: Run, name: str, rows: int) -> np.ndarray:
    """Return by seed the share that poison gets of the triggered rows that the trigger alone does not get."""
    before, after = (of_cells(run, name, 1.0, rows, f"asr_at_{beta}") for beta in (0, 1))
    return (after - before) / (1.0 - before)


def test_the_answer_has_the_means_of_the_cells(run):
    """By attack and number of poisoned rows, at the setting that the file says is the user's own."""
    answer = answer_of(run, Bounds())
    assert answer.as_given.lam == 1.0
    assert answer.n_seeds == 2
    for exposure in answer.own:
        assert [dose.rows for dose in exposure.doses] == list(ROWS)
        for dose in exposure.doses:
            asr = of_cells(run, exposure.attack, 1.0, dose.rows, "asr_at_1")
            assert len(asr) == 2
            assert dose.asr == pytest.approx(asr.mean())
            assert dose.success == pytest.approx(success(run, exposure.attack, dose.rows).mean())
    reached = [
        (rows, name) for name in ("square <b>", "noise") for rows in ROWS if success(run, name, rows).mean() >= 0.5
    ]
    assert (answer.fewest.rows, answer.verdict.worst.attack) == min(reached)


def test_sentences_say_the_rows_the_attack_and_the_setting(run):
    """And in how many seeds; another share counts as a backdoor where the file says so."""
    answer = answer_of(run, Bounds())
    exposed, resists, meant, sure = in_sentences(answer)
    assert exposed.startswith(f"{answer.fewest.rows} poisoned rows backdoor Logistic regression (λ = 1)")
    assert f"attack: {answer.verdict.worst.attack}" in exposed
    assert "λ = 300" in resists
    assert "a backdoor is at least 50.0 % of it" in meant
    assert f"2 seeds, each with {N} training rows drawn of all" in sure
    never = replace(answer, asr=1.0 + 1e-9)
    assert in_sentences(never)[0].startswith("No number of poisoned rows that was tried (1, 4, 16)")


def test_an_attack_whose_trigger_alone_is_enough_is_not_judged(run):
    """What needs no poison is no backdoor: of the others the worst is named, and if there are none it is said."""
    cells = [
        replace(cell, numbers={**cell.numbers, "asr_at_0": 0.9}) if cell.scenario.attack.name == "noise" else cell
        for cell in run.cells
    ]
    answer = answer_of(replace(run, cells=tuple(cells)), Bounds())
    assert [one.attack for one in answer.alone] == ["noise"]
    assert answer.verdict.worst.attack == "square <b>"
    assert answer.verdict.worst.attack == "square <b>"
    loose = answer_of(replace(run, cells=tuple(cells)), Bounds(margin=1.0, asr=1.0))
    assert "the one attack that is judged (square <b>)" in in_sentences(loose)[1]
    loose = answer_of(replace(run, cells=tuple(cells)), Bounds(margin=1.0, asr=1.0))
    assert "the one attack that is judged (square <b>)" in in_sentences(loose)[1]
    assert "Not judged, for the trigger alone gets that far without any poison: noise (90.0 %)." in in_sentences(answer)
    every = [replace(cell, numbers={**cell.numbers, "asr_at_0": 0.9}) for cell in run.cells]
    none = answer_of(replace(run, cells=tuple(every)), Bounds())
    assert none.verdict is None
    assert not none.is_whole
    assert in_sentences(none)[0] == "Nothing can be judged of Logistic regression (λ = 1)."
    assert "resists" not in " ".join(in_sentences(none))
    found = as_json(none)
    assert {found[key] for key in ("resists", "sturdiest", "given", "worst_attack", "fewest_rows")} == {None}


def test_a_setting_that_resists_is_named_with_its_cost(run):
    """With bounds that all meet the most accurate one resists; with bounds that none meets the sturdiest is named."""
    loose = answer_of(run, Bounds(margin=1.0, asr=1.0))
    assert loose.verdict.chosen is not None
    assert loose.verdict.chosen.clean_accuracy >= loose.verdict.given.clean_accuracy
    strict = answer_of(run, Bounds(asr=0.0))
    assert strict.verdict.chosen is None
    assert in_sentences(strict)[1].startswith("No setting that was tried resists 16 poisoned rows")


def test_the_json_is_what_the_docs_say(run):
    """Its keys are those of the table, and it is JSON."""
    found = as_json(answer_of(run, Bounds()))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    page = DOCS.read_text(encoding="utf-8")
    doses = found["attacks"][0]["doses"][0]
    for key in (*found, *found["attacks"][0], *doses, *found["given"], *found["bounds"]):
        assert f"`{key}`" in page, key


def test_the_page_begins_with_the_answer_and_shows_names_as_text(run, tmp_path):
    """Without `[audit]` it begins as any other does."""
    write_report(run, tmp_path / "audit.html", command="")
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    answer = answer_of(run, Bounds())
    assert page.index(f"{answer.fewest.rows} poisoned rows backdoor") < page.index("How few rows it takes")
    assert "square <b>" not in page
    assert "square &lt;b&gt;" in page
    assert "rows get the attacker&#39;s label, 1" in page
    plain = replace(run, study=msgspec.structs.replace(run.study, audit=None))
    assert answer_of(plain, Bounds()) is None
    write_report(plain, tmp_path / "plain.html", command="")
    assert "How few rows it takes" not in (tmp_path / "plain.html").read_text(encoding="utf-8")


def test_a_run_that_was_stopped_answers_with_the_seeds_that_it_has(run):
    """Cells of the second seed that are missing leave the first alone."""
    part = replace(run, cells=tuple(cell for cell in run.cells if cell.seed == 0 or cell.setting.lam == 1.0))
    assert answer_of(part, Bounds()).n_seeds == 1
    n, n_all = len(part.cells), run.n_cells
    assert in_sentences(answer_of(part, Bounds()))[0].startswith(f"Stopped early: {n} of {n_all} curves are done")
    one = replace(run, cells=tuple(cell for cell in run.cells if cell.scenario.attack.name == "noise"))
    assert answer_of(one, Bounds()).missing == ["square <b>"]
    assert "nothing is known of square <b>" in in_sentences(answer_of(one, Bounds()))[0]
    assert not answer_of(one, Bounds()).is_whole
    assert answer_of(replace(run, cells=()), Bounds()) is None


def test_the_table_has_an_attack_a_line(run):
    """And a column for each number of rows."""
    lines = as_text(answer_of(run, Bounds())).splitlines()
    assert lines[1].split() == ["attack", "0", *map(str, ROWS)]
    assert [line.rsplit(maxsplit=4)[0].strip() for line in lines[2:]] == ["square <b>", "noise"]
