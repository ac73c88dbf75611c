"""The table says what the curves say."""

from __future__ import annotations

import re
from dataclasses import replace
from statistics import mean, median, stdev

import numpy as np
import pytest

from backdoor_curves.report.tables.text import as_text, legend, safe_text
from backdoor_curves.study.compute.cell import curve_from_bytes
from backdoor_curves.study.file.config import LearnerConfig, TriggerConfig
from study.small_study import a_cell, done_here, four_learners, small, small_run, stored


def table_of(study):
    """The cells of a study as `Run.cells` has them, and its curves and controls."""
    plan, outcomes = done_here(study)
    found = [(planned.cell, outcomes[planned.key]) for planned in plan.cells]
    cells = [stored(cell, outcome.numbers) for cell, outcome in found]
    curves = [{name: curve_from_bytes(record) for name, record in outcome.records.items()} for _, outcome in found]
    return cells, curves


@pytest.fixture(scope="module")
def three_seeds():
    """Rates from hardly any poison to much, so that no, some and all seeds reach half of the loss."""
    return table_of(small(rates=(0.05, 0.1, 0.2, 0.3, 0.5), seeds=(0, 1, 2)))


def cells_of(line: str) -> dict[str, str]:
    """A line of the table by column; ridge has no gamma, and columns are two spaces or more apart."""
    slope = ("θ", "slope", "holds to β")
    names = (
        *("learner", "lambda", "p", "clean acc.", "ASR at β=1", "without trigger"),
        *(*slope, "area", "half-loss β", "path"),
    )
    return dict(zip(names, re.split(r"\s{2,}", line), strict=True))


def test_the_table_has_a_line_a_setting_with_mean_and_deviation(three_seeds):
    """Five rates, three seeds: five lines, each reckoned here from the curves; no, some and all seeds reach half."""
    table, curves = three_seeds
    header, *lines = as_text(table).splitlines()
    columns = "learner lambda gamma p clean acc. ASR at β=1 without trigger θ slope holds to β area half-loss β path"
    assert " ".join(header.split()) == columns
    assert len(lines) == 5
    kinds = set()
    for k, line in enumerate(lines):
        results = curves[3 * k : 3 * k + 3]
        group = [result["curve"] for result in results]
        found = cells_of(line)
        for name, values in (
            ("clean acc.", [curve.accuracy("clean", 1.0) for curve in group]),
            ("ASR at β=1", [curve.accuracy("triggered", 1.0) for curve in group]),
            ("without trigger", [result["control"].accuracy("triggered", 1.0) for result in results]),
            ("area", [curve.area() for curve in group]),
        ):
            assert found[name] == f"{mean(values):.3f} ±{stdev(values):.3f}"
        halves = [curve.half_loss_beta for curve in group if not np.isnan(curve.half_loss_beta)]
        few = "" if len(halves) == 3 else f" ({len(halves)} of 3)"
        assert found["half-loss β"] == (f"{median(halves):.4f}{few}" if halves else "never")
        assert float(found["p"]) == group[0].info.rate
        assert found["θ"] == f"{mean(curve.theta for curve in group):.3f}"
        assert found["slope"] == f"{mean(curve.slope() for curve in group):.4g}"
        assert found["holds to β"] == f"{min(curve.slope_range for curve in group):.1g}"
        bound = max(curve.certificate().score_bound.max() for curve in group)
        assert found["path"] == f"exact, ±{bound:.0e}"
        kinds.add(len(halves) if len(halves) in (0, 3) else "some")
    assert kinds == {0, "some", 3}


def test_one_seed_has_no_deviation():
    """The deviation of one number is not zero but unknown."""
    one = small_run().cells[:1]
    assert "±0.000" not in as_text(one).replace("exact, ±", "")
    assert as_text(one).count("±") == 1  # the bound of the exact path
    assert "standard deviation" not in legend(one)


def test_refits_have_an_estimate_of_their_slope_and_say_so():
    """From their first three betas, with its error; the legend explains the sign before it."""
    refits = small(learners=(LearnerConfig("ridge", (1.0,), method="refit"),), rates=(0.3,), seeds=(0, 1))
    table, curves = table_of(refits)
    estimates = [each["curve"].slope_estimate() for each in curves]
    line = as_text(table).splitlines()[1]
    slope, error = mean(e.slope for e in estimates), max(e.error for e in estimates)
    assert f"≈{slope:.3g} ±{error:.1g}" in line
    assert f"≈{-2 / np.pi * np.arctan(slope):.3f}" in line
    assert "≈: estimated by refits" in legend(table)


def failed(cell):
    return replace(cell, status="failed", numbers={}, reason="ValueError: no luck")


def test_failed_cells_show():
    """A setting without its failed seeds would pass for whole."""
    cells = small_run().cells
    header, first, second = as_text([failed(cells[0]), *cells[1:]]).splitlines()
    assert first.endswith(", 1 of 2 failed")
    assert "failed" not in header + second
    _, first, second = as_text([*map(failed, cells[:2]), *cells[2:]]).splitlines()
    assert first.endswith("failed: ValueError: no luck")
    assert first.split()[-8:-4] == ["-", "-", "-", "-"]


def test_what_differs_between_cells_has_a_column_and_what_does_not_has_none(three_seeds):
    """Two triggers in one study must not be averaged."""
    table, _ = table_of(small(trigger=(TriggerConfig(size=1), TriggerConfig(size=2)), rates=(0.5,)))
    header, *lines = as_text(table).splitlines()
    assert header.split()[:2] == ["trigger", "learner"]
    assert [re.split(r"\s{2,}", line)[0] for line in lines] == ["random 1 x 1", "random 2 x 2"]
    assert as_text(three_seeds[0]).split()[0] == "learner"


def test_exact_paths_show_their_certificate_and_refits_what_did_not_converge():
    """An exact number and one of a solver that gave up must not look alike; the legend says what the bound is."""
    table, _ = table_of(four_learners())
    for line, cell in zip(as_text(table).splitlines()[1:], table, strict=True):
        exact = cell.numbers["method"] != "refit"
        assert line.endswith(f"  exact, ±{cell.numbers['score_bound']:.0e}" if exact else "  refit")
    assert "bound on a score's distance to the optimum" in legend(table)
    study = small(learners=(LearnerConfig("linear-svm", (1.0,), method="refit"),), rates=(0.5,), seeds=(0,))
    (cell,), _ = table_of(study)
    assert as_text([replace(cell, numbers={**cell.numbers, "betas_missed": 2})]).endswith("  refit, 2 fits unconverged")


def test_where_a_learner_is_safe_is_said_in_a_line_each():
    """The most accurate of those near the best and hardly attacked, reckoned here by hand; or none."""
    found = [
        stored(a_cell(kind=learner, lam=lam, seed=seed), {"clean_accuracy_at_1": accuracy, "asr_at_1": asr})
        for learner, cells in {
            "ridge": [(1.0, 0.99, 0.9), (10.0, 0.98, 0.3), (100.0, 0.975, 0.1), (1e3, 0.971, 0.0)],
            "logistic": [(1.0, 0.99, 0.9), (10.0, 0.90, 0.1)],
        }.items()
        for lam, accuracy, asr in cells
        for seed in (0, 1)
    ]
    head, *lines = safe_text(found).splitlines()
    assert "within 0.02" in head
    assert [" ".join(line.split()) for line in lines] == [
        "p 0.1 ridge 2 of 4 settings safe, best lambda 100: clean acc. 0.975, ASR 0.100",
        "p 0.1 logistic none of 2 settings is safe",
    ]
    assert safe_text(list(map(failed, found))) == ""


def test_a_bound_beyond_the_tolerance_is_not_called_exact():
    """A path whose bound is 7e4 proves nothing, whatever it is called."""
    cells = small_run().cells[:1]
    for bound, said in ((9e-7, "  exact, ±9e-07"), (7e4, "  not proved, ±7e+04")):
        cell = replace(cells[0], numbers={**cells[0].numbers, "score_bound": bound})
        assert as_text([cell]).splitlines()[-1].endswith(said)
