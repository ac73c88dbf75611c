"""Who becomes whom on the page: its tables are those of the kept curves, and of two classes there are none."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
from runs import cell, made_up, numbers, real_run
from sklearn.metrics import confusion_matrix as sklearns

from backdoor_curves.report import write_report
from backdoor_curves.report.page.confusion_table import compared_confusions
from backdoor_curves.report.page.confusions import Confusion, confusion_of
from backdoor_curves.report.page.content import Budget, content_of
from backdoor_curves.search.safe_region import Bounds

TITLE = "Who becomes whom"


def tables(page: str) -> list[list[list[str]]]:
    """The matrices of a page, cell by cell, without the name of a row."""
    found = re.findall(r'<table class="becomes">(.*?)</table>', page, re.DOTALL)
    lines = [re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", one) for one in found]
    return [[[unescape(text) for text in re.findall(r"<td[^>]*>(.*?)</td>", line)] for line in rows] for rows in lines]


def test_the_tables_are_the_matrices_of_the_settings_that_are_compared(tmp_path):
    """By scikit-learn's matrix of the predictions of each seed's curve, added up; empty where a share rounds to 0."""
    run = real_run("three-classes")
    content = content_of(run, Bounds())
    page = write_report(run, tmp_path / "page.html").read_text(encoding="utf-8")
    sides = [(learner, one) for s in content.scenarios for learner in s.learners for _, one in learner.compared]
    assert len(tables(page)) == len(sides) > 2
    for (_, one), lines in zip(sides, tables(page), strict=True):
        curves = [run.curve(cell) for cell in one.cells]
        matrix = sum(sklearns(c.triggered_true, c.predictions("triggered", 1.0)[0], labels=[0, 1, 2]) for c in curves)
        shares = 100 * matrix / matrix.sum(axis=1, keepdims=True)
        expected = [["" if f"{share:.0f}" == "0" else f"{share:.0f}" for share in line] for line in shares]
        assert [line[:3] for line in lines] == expected
        if not curves[0].exact:
            assert {len(line) for line in lines} == {3}
            continue
        halves = np.array([c.half_asr_betas for c in curves])
        medians = np.median(np.where(np.isnan(halves), np.inf, halves), axis=0)
        assert [line[3] for line in lines] == ["never" if np.isinf(half) else f"{half:.3g}" for half in medians]


def test_classes_have_their_names_and_wanted_cells_are_outlined(tmp_path):
    """Each to the next: three cells of a table."""
    page = write_report(real_run("three-classes"), tmp_path / "page.html").read_text(encoding="utf-8")
    (first, *_) = re.findall(r'<table class="becomes">(.*?)</table>', page, re.DOTALL)
    assert re.findall(r'<th scope="col"><bdi>(.*?)</bdi>', first) == ["1", "4", "7+9"]
    rows = [re.findall(r'<td(?: class="(.*?)")?>', row)[:3] for row in first.split("<tr>")[2:]]
    outlined = [["to" in kinds.split() for kinds in row] for row in rows]
    assert outlined == [[False, True, False], [False, False, True], [True, False, False]]


def test_pages_of_two_classes_have_nothing_of_it(tmp_path):
    """Neither a heading nor a colour; nor have runs that kept no curves."""
    runs = real_run("digits"), made_up([(cell(), numbers())], tmp_path)
    for run in runs:
        page = write_report(run, tmp_path / "page.html").read_text(encoding="utf-8")
        assert TITLE not in page
        assert "becomes" not in page
        assert "confusion matrices" not in page


def test_matrices_that_a_page_has_no_room_for_are_counted(tmp_path):
    run = real_run("three-classes")
    every = len(content_of(run, Bounds()).confusions)
    budget = Budget(confusions=1)
    page = write_report(run, tmp_path / "page.html", budget=budget).read_text(encoding="utf-8")
    assert len(tables(page)) == 1
    assert f"The confusion matrices of {every - 1} of {every} settings." in page


def test_a_class_without_triggered_rows_and_a_name_from_outside_are_said_as_they_are():
    """The target has an empty line and no half-ASR beta; names are cut."""
    run = real_run("three-classes")
    content = content_of(run, Bounds())
    learner = content.scenarios[0].learners[0]
    (_, one), *_ = learner.compared
    matrix = np.array([[0.0, 0.0, 0.0], [30.0, 9.96, 0.04], [1.0, 1.0, 2.0]])
    wanted = np.array([[False] * 3, [True, False, False], [True, False, False]])
    found = Confusion(("<b>", "x" * 500, "c"), matrix, wanted, np.array([np.nan, 0.25, np.inf]), 1)
    (view, *_) = compared_confusions(learner, {one.key: found})
    assert [[c.said for c in line.cells] + [line.half] for line in view.lines] == [
        ["", "", "", ""],
        ["75", "25", "", "0.25"],
        ["25", "25", "50", "never"],
    ]
    assert view.lines[1].cells[0].class_ == "b6 to"
    assert view.lines[0].name == "<b>"  # the template escapes it
    assert len(view.lines[1].name) < 100


def test_refits_have_a_matrix_and_no_half_asr_beta():
    """Between their betas nothing is known."""
    run = real_run("three-classes")
    refits = [cell for cell in run.cells if cell.numbers["method"] == "refit"]
    found = confusion_of(run, refits[:1])
    assert found is not None
    assert found.half_asr_betas is None
    curve = run.curve(refits[0])
    np.testing.assert_array_equal(found.matrix, curve.confusion_matrix("triggered", 1.0))
