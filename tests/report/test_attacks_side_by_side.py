"""Several attacks on the page and in tables: the numbers are the run's, and one attack changes nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest
from runs import DIGITS

from backdoor_curves.report import write_report
from backdoor_curves.report.page.compared_attacks import comparison_views
from backdoor_curves.report.page.content import content_of
from backdoor_curves.report.page.words import scenario_name
from backdoor_curves.report.tables.attacks import as_markdown, comparisons, in_words
from backdoor_curves.search.safe_region import Bounds
from backdoor_curves.study.file.attacks import AttackConfig, AttackEntry, Blend, CleanLabels, Feature, Lattice, Warp
from backdoor_curves.study.file.config import DataConfig, Experiment, KeepConfig, LearnerConfig, Study
from backdoor_curves.study.plan.names import scenario_title
from backdoor_curves.study.plan.scenario import Scenario
from backdoor_curves.study.run_study import run_study
from backdoor_curves.study.store.run import Run, load_run
from backdoor_curves.study.store.statistics import bootstrap_interval
from study.small_study import WISHES

ATTACKS = (
    AttackEntry(trigger=Blend(), labels=1, name="noise <b>"),
    AttackEntry(trigger=Warp(2.0), labels=1),
    AttackEntry(trigger=Lattice(0.3), labels=CleanLabels(1), rate_of="all"),
)
LEARNERS = (LearnerConfig("ridge", (1.0, 1000.0)), LearnerConfig("rbf-svm", (1.0,), (0.1,)))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("attacks")
    data = (DataConfig("digits", (4, 9), 120, 80),)
    grid = Experiment(data, (), (), LEARNERS, (0.1,), (0, 1, 2), KeepConfig(), ATTACKS)
    list(run_study(Study("attacks", (grid,)), folder / "run", WISHES))
    return load_run(folder / "run")


def page_of(run: Run, path) -> str:
    write_report(run, path, command="")
    return path.read_text(encoding="utf-8")


def test_a_comparison_has_the_means_and_intervals_of_the_cells(run):
    """Taken out of the run by hand, for each attack and setting."""
    (comparison,) = comparisons(run.cells)
    assert (len(comparison.scenarios), len(comparison.settings), comparison.rate) == (3, 3, 0.1)
    for scenario in comparison.scenarios:
        for setting in comparison.settings:
            cells = [cell for cell in run.cells if (cell.scenario, cell.setting) == (scenario, setting)]
            assert len(cells) == 3
            for quantity in ("asr_at_1", "clean_accuracy_at_1", "moved_l2"):
                values = [cell.numbers[quantity] for cell in cells]
                found = comparison.number(scenario, setting, quantity)
                np.testing.assert_allclose(found.mean, np.mean(values), rtol=1e-12)
                assert (found.low, found.high) == bootstrap_interval(np.array(values))
                assert (found.n_seeds, found.n_cells) == (3, 3)


def test_each_learner_stands_at_one_setting_for_all_attacks(run):
    """The most accurate in the mean over the attacks: ridge at the weaker penalty here."""
    (comparison,) = comparisons(run.cells)
    found = {setting.learner.kind: setting.lam for setting in comparison.most_accurate()}
    means = {
        lam: np.mean(
            [cell.clean_accuracy for cell in run.cells if (cell.learner.kind, cell.setting.lam) == ("ridge", lam)]
        )
        for lam in (1.0, 1000.0)
    }
    assert found == {"ridge": max(means, key=means.get), "rbf-svm": 1.0}


def test_the_markdown_table_has_an_attack_a_line_and_a_setting_a_column(run):
    """Every entry is the words of its interval; a number that no seed has is a dash."""
    (comparison,) = comparisons(run.cells)
    lines = as_markdown(comparison, "asr_at_1", percent=True).splitlines()
    assert lines[0] == "| attack | ridge, λ = 1 | ridge, λ = 1000 | rbf-svm, λ = 1, γ = 0.1 |"
    assert len(lines) == 2 + len(ATTACKS)
    for line, scenario in zip(lines[2:], comparison.scenarios, strict=True):
        entries = [entry.strip() for entry in line.strip("|").split("|")]
        wanted = [in_words(comparison.number(scenario, one, "asr_at_1"), True) for one in comparison.settings]
        assert entries == [comparison.names[scenario], *wanted]
    assert "| –" in as_markdown(comparison, "control_area")


def test_the_page_lays_attacks_side_by_side(run, tmp_path):
    """A table, a card with pictures and curves for each, and success beside distance; names are escaped."""
    page = page_of(run, tmp_path / "report.html")
    section = page[page.index('class="attacks"') : page.index('class="explorer')]
    assert "noise &lt;b&gt;" in section
    assert "noise <b>" not in section
    assert section.count("data:image/png") == 3 * len(ATTACKS)
    assert "× 3.33" in section  # 1 / .3, of the lattice
    assert "A test image without the trigger" in section
    view = comparison_views(content_of(run, Bounds()))[0]
    assert [card.place for card in view.cards] == [1, 2, 3]
    for card in view.cards:
        assert card.curves.count("<polyline") == 2  # a line a learner
        assert all(entry is not None and entry.asr in section for entry in card.entries)
    assert view.strength.count('class="m full') == 2 * len(ATTACKS)
    names = re.findall(r'id="(v0[^"]*)"', section)
    assert len(names) == len(set(names))  # what a picture is labelled by is its own


def test_cells_that_failed_or_are_to_come_are_said_to_be_missing(run, tmp_path):
    """Of a run that is half done a learner that has not met an attack has no number, and no other's."""
    kept = tuple(
        cell for cell in run.cells if (cell.learner.kind, cell.coordinates["trigger"]) != ("rbf-svm", "noise <b>")
    )
    part = Run(run.study, run.n_cells, kept, run.version, run.files)
    assert "not done" in page_of(part, tmp_path / "report.html")
    (view,) = comparison_views(content_of(part, Bounds()))
    assert [[entry is None for entry in card.entries] for card in view.cards] == [
        [False, True],
        [False] * 2,
        [False] * 2,
    ]


def test_comparisons_that_a_page_has_no_room_for_are_counted(run, tmp_path, monkeypatch):
    """Nobody is to think that there was nothing to compare."""
    monkeypatch.setattr("backdoor_curves.report.page.compared_attacks.MOST", 2)
    page = page_of(run, tmp_path / "report.html")
    assert 'class="attacks"' not in page
    assert "Attacks are compared on 1 more of the data and rates" in page


def test_a_page_of_tables_speaks_of_no_image_and_tears_no_number_from_its_sign(tmp_path):
    """Rates are in per cent, in headings as in scenarios; clean labels are said as such."""
    attacks = tuple(
        AttackEntry(trigger=Feature((1,), (value,)), labels=CleanLabels(1), rate_of="all") for value in (1.2, 1.5)
    )
    learners = (LearnerConfig("ridge", (1.0,)),)
    grid = Experiment((DataConfig("toy"),), (), (), learners, (0.005, 0.02), (0,), KeepConfig(), attacks)
    list(run_study(Study("tables", (grid,)), tmp_path / "run", WISHES))
    page = page_of(load_run(tmp_path / "run"), tmp_path / "tables.html")
    assert "How each is learned" in page
    assert "test image" not in page
    assert "difference" not in page.partition("<script")[0].partition("</style>")[2]
    assert "Attacks side by side: <bdi>toy, p\u00a0=\u00a00.5\u202f%</bdi>" in page
    assert "clean labels of 1" in page
    assert "labels clean" not in page
    assert not re.search("[0-9] %", re.sub("<(style|script|pre|code).*?</\\1>", "", page, flags=re.DOTALL))


def test_a_page_with_one_attack_has_no_comparison(run, tmp_path):
    """Nor has one of `[trigger]` and `[poison]`: it is as it was before there were several."""
    first = run.cells[0].scenario
    one = Run(run.study, 9, tuple(cell for cell in run.cells if cell.scenario == first), run.version, run.files)
    assert comparisons(one.cells) == []
    assert 'class="attacks"' not in page_of(one, tmp_path / "one.html")
    list(run_study(Study("plain", (DIGITS,)), tmp_path / "plain", WISHES))
    assert 'class="attacks"' not in page_of(load_run(tmp_path / "plain"), tmp_path / "plain.html")


def test_what_a_preset_says_itself_is_not_named_without_a_word():
    """A preset says how rows are injected; beside an attack that says it, its name has nothing in that place."""
    preset = AttackConfig(preset="badnets@backdoorbench", target=1)
    scenarios = [Scenario(DataConfig(), None, None, 0.1, attack) for attack in (preset, ATTACKS[0].attack)]
    assert scenario_name(scenarios[0], scenarios).count(",") == 3  # trigger, labels with their target, rate
    for title in (scenario_name(scenarios[0], scenarios), scenario_title(scenarios[0], scenarios)):
        assert "injection" not in title
    assert "injection replace" in scenario_name(scenarios[1], scenarios)
