"""Page, maps, tables and figures of learners with any hyperparameters: numbers, words, one, two, many or none."""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import product

import pytest
from runs import HOSTILE, cell, made_up, numbers

from backdoor_curves.report import write_report
from backdoor_curves.report.figures.run_figures import figures_for_print
from backdoor_curves.report.figures.safe_map import draw_safe_maps
from backdoor_curves.report.page.content import content_of
from backdoor_curves.report.page.provenance import as_toml
from backdoor_curves.report.page.settings_table import settings_table
from backdoor_curves.report.page.words import verdict
from backdoor_curves.report.tables.csv_file import as_csv
from backdoor_curves.report.tables.text import as_text, safe_text
from backdoor_curves.search.safe_region import Bounds, Trial, safe_regions
from backdoor_curves.study.compute.quantities import ALL_QUANTITIES
from backdoor_curves.study.file.config import Experiment, KeepConfig, LearnerConfig, Study
from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.plan.scenario import OWN, Learner, Setting

FOREST = Learner(OWN, estimator="sklearn.ensemble.RandomForestClassifier", parameters=(("max_features", "sqrt"),))
TWO = {"max_depth": (2, 4, "None"), "n_estimators": (10, 100)}
THREE = {**TWO, "criterion": ("gini", "entropy")}
WORDS = {"criterion": ("gini", "entropy", "log_loss"), "bootstrap": (True, False)}


def own(values, learner=FOREST, seed=0):
    """A cell of a learner of one's own at some values."""
    from msgspec.structs import replace

    return replace(cell(seed=seed), setting=Setting.of(learner, values))


def run_over(grid, folder, learner=FOREST, seeds=(0, 1), **more):
    """A run over a grid: safe where the first hyperparameter is at its first value."""
    settings = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    first = next(iter(grid), None)
    cells = [
        (own(values, learner, seed), numbers(0.9, 0.1 if first is None or values[first] == grid[first][0] else 0.9))
        for values in settings
        for seed in seeds
    ]
    return made_up(cells, folder, **more)


def page_of(run, folder):
    return write_report(run, folder / "page.html").read_text(encoding="utf-8")


# --- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grid", "cells"), [(TWO, 6), (WORDS, 6), ({"C": (0.1, 1.0)}, 2), ({}, 1)])
def test_one_or_two_hyperparameters_are_a_map(grid, cells, tmp_path):
    """Of numbers or words, with a link a setting and quantity; without any the one setting is a map of one."""
    page = page_of(run_over(grid, tmp_path), tmp_path)
    assert len(re.findall(r'<a [^>]*class="c ', page)) == 2 * cells
    for name, values in grid.items():
        assert f">{name}</text>" in page
        for value in values:
            said = {True: "true", False: "false"}[value] if isinstance(value, bool) else f"{value}"
            assert re.search(rf">{said[:12]}[^<]*</text>", page)


def test_more_than_two_hyperparameters_are_a_table(tmp_path):
    """Which is open, and has a line a setting."""
    page = page_of(run_over(THREE, tmp_path), tmp_path)
    assert not re.findall(r'<a [^>]*class="c ', page)
    assert "the table stands in place of maps" in page
    assert "<details open><summary>Table: RandomForestClassifier, max_features = sqrt" in page
    assert len(re.findall(r'<tr id="cell=', page)) == 12


def test_a_hyperparameter_of_one_value_is_no_axis(tmp_path):
    """It is in the table."""
    run = run_over({"max_depth": (2, 4), "n_estimators": (10,), "criterion": ("gini",)}, tmp_path)
    assert len(re.findall(r'<a [^>]*class="c ', page_of(run, tmp_path))) == 4
    (learner,) = content_of(run, Bounds()).scenarios[0].learners
    assert settings_table(learner).hyperparameters == ["criterion", "max_depth", "n_estimators"]
    assert settings_table(learner).lines[0].hyperparameters == ["gini", "2", "10"]


def test_the_verdict_says_where_the_region_lies_along_each_hyperparameter(tmp_path):
    """A map may not be there to show it; that of a lambda says nothing more than before."""
    (learner,) = content_of(run_over(THREE, tmp_path), Bounds()).scenarios[0].learners
    said = " ".join(verdict(learner).grounds)
    assert "Safe along each hyperparameter: criterion any of gini, entropy; max_depth 2 of 2, 4, None;" in said
    assert "max_depth\u00a0=\u00a02" in said
    ridge = made_up([(cell(lam), numbers()) for lam in (1.0, 10.0)], tmp_path / "ridge")
    (learner,) = content_of(ridge, Bounds()).scenarios[0].learners
    assert "along" not in " ".join(verdict(learner).grounds)


@pytest.mark.parametrize("k", range(len(HOSTILE)))
def test_names_and_words_of_learners_are_text_and_nothing_else(k, tmp_path):
    """In titles, maps, tables, filters and the data of the script."""
    words = HOSTILE[k]
    learner = Learner(OWN, estimator="models:f", name=words[:100], parameters=((words, words),), steps=("table",))
    run = run_over({words: (words, "b"), "x": (1, 2)}, tmp_path, learner)
    page = page_of(run, tmp_path)
    body = page[page.index("<body>") : page.rindex("<script>")]
    assert not re.search(r"<script>|<img|<b>", body.replace('<script type="application/json"', ""))
    assert not re.search("[\x00-\x08\x1b\u202e]", page)
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert len(data["settings"]) == 4


def test_the_same_value_of_two_types_is_two_cells_of_a_map(tmp_path):
    """One feature, and all features."""
    run = run_over({"max_features": (1, 1.0)}, tmp_path)
    assert len(re.findall(r'<a [^>]*class="c ', page_of(run, tmp_path))) == 4


def test_a_large_grid_of_words_and_numbers_is_thinned_evenly(tmp_path):
    """Its ends stay, and what the verdict names."""
    from backdoor_curves.report.page.content import Budget

    run = run_over({"depth": tuple(range(1, 31)), "rule": ("a", "b", "c")}, tmp_path, seeds=(0,))
    (learner,) = content_of(run, Bounds(), Budget(settings=40)).scenarios[0].learners
    depths = {one.setting.hyperparameters["depth"] for one in learner.shown}
    assert {1, 30} <= depths
    assert 10 <= len(learner.shown) <= 45


# --- tables ----------------------------------------------------------------------------------------------------------


def test_tables_have_a_column_a_hyperparameter(tmp_path):
    """Text, CSV and statistics; words where some values are words, and none where a learner has no such thing."""
    found = dict.fromkeys(ALL_QUANTITIES, 0.5) | numbers()
    cells = [(own({"max_depth": depth, "seed": 1}), found) for depth in (2, "None")] + [(cell(1.0), found)]
    both = made_up(cells, tmp_path / "both")
    forest = made_up([(own({"max_depth": 2}), found)], tmp_path / "own")
    lines = as_text(both.cells).splitlines()
    assert lines[0].split()[:5] == ["learner", "lambda", "gamma", "max_depth", "seed"]
    rows = list(csv.DictReader(io.StringIO(as_csv(both.table()))))
    assert [row["max_depth"] for row in rows] == ["2", "None", ""]
    assert [row["learner_seed"] for row in rows] == ["1", "1", ""]
    assert [row["lambda"] for row in rows] == ["", "", "1.0"]
    assert {row["max_depth"] for row in both.statistics()} == {"2", "None", None}
    assert as_text(forest.cells).splitlines()[0].split()[:3] == ["learner", "max_depth", "p"]
    assert "max_depth" in both._repr_html_()


def test_numbers_stay_numbers_in_tables(tmp_path):
    """For groupby and plots."""
    run = run_over({"max_depth": (2, 4)}, tmp_path)
    assert {row["max_depth"] for row in run.table()} == {2, 4}


def test_the_text_says_where_it_is_safe(tmp_path):
    """Best setting, and along each hyperparameter."""
    said = safe_text(run_over(TWO, tmp_path).cells)
    assert "best max_depth 2, n_estimators 10" in said
    assert "max_depth 2 of 2, 4, None; n_estimators any of 10 to 100" in said


# --- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [{}, {"C": (0.1, 1.0, 10.0)}, {"rule": ("a", "b")}, TWO, WORDS, THREE])
def test_safe_maps_are_strips_maps_or_lists(grid, tmp_path):
    """Whatever there is to draw; a geometric axis is logarithmic."""
    settings = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    trials = [Trial("patch", "forest", values, 0, 0.9, 0.1) for values in settings]
    figure = draw_safe_maps([[("forest", region) for region in safe_regions(trials)]], "title")
    (axes,) = [ax for ax in figure.axes if ax.get_title()]
    assert axes.get_xscale() == ("log" if "C" in grid else "linear")
    if len(grid) in (1, 2):
        assert axes.get_xlabel() == next(iter(grid))
    figure.savefig(tmp_path / "figure.png")


def test_figures_for_print_are_drawn_of_any_learner(tmp_path):
    """Those of slopes leave out who has no lambda in any form."""
    more = {"theta": 0.5, "norm_at_1": None, "slope_at_0": -1.0}
    svm = Learner(OWN, estimator="sklearn.svm.SVC")
    cells = [(own({"C": C}, svm), numbers() | more) for C in (0.1, 1.0)]
    cells += [(own({"kernel": "rbf"}, Learner(OWN, estimator="sklearn.svm.SVC", name="plain")), numbers() | more)]
    names = [name.split("_")[0] for name, _ in figures_for_print(made_up(cells, tmp_path))]
    assert names == ["slopes", "safe"]


# --- the study on the page -------------------------------------------------------------------------------------------


def test_the_study_on_the_page_is_read_back_to_the_same(tmp_path):
    """Grids and parameters as tables, names that need quotation marks in them."""
    learners = (
        LearnerConfig(
            estimator="models:forest",
            name='the "best"',
            steps=("tf-idf",),
            parameters=(("n_jobs", 1), ("max_depth", "None")),
            grid=(("a.b", (1, 1.0, "sqrt", True)), ("classifier__C", (0.1, 1e-30)), ("range", ((1, 1), (1, 2)))),
        ),
        LearnerConfig(estimator="sklearn.svm.SVC", steps=()),
        LearnerConfig("ridge", (1.0,), steps=("table",)),
    )
    from runs import DIGITS

    experiment = Experiment(DIGITS.data, DIGITS.trigger, DIGITS.poison, learners, (0.1,), (0,), KeepConfig())
    study = Study("own", (experiment,))
    (tmp_path / "study.toml").write_text(as_toml(study), encoding="utf-8")
    again = read_study(tmp_path / "study.toml")
    assert again == study
    (_, values), *_ = again.experiments[0].learners[0].grid
    assert list(map(type, values)) == [int, float, str, bool]


# --- in a browser ----------------------------------------------------------------------------------------------------


def test_filters_and_links_work_for_words(browser, tmp_path):
    """A setting is chosen by its words, the address keeps it, and nothing complains."""
    path = write_report(run_over(WORDS, tmp_path), tmp_path / "page.html")
    browser.get(path.as_uri())
    script = (
        "const s = [...document.querySelectorAll('#filters label')].find(l => l.textContent.startsWith('criterion'))"
        ".querySelector('select'); s.value = 'log_loss'; s.dispatchEvent(new Event('change'));"
    )
    browser.execute_script(script)
    assert "criterion = log_loss" in browser.find_element("id", "what").text
    assert "cell=" in browser.current_url
    assert [entry["message"] for entry in browser.get_log("browser")] == []
