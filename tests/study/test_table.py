"""The table and results.csv say what the curves say."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from statistics import mean, median, stdev

import numpy as np
import pytest
from small_study import computed, small, small_results

from backdoor_curves.study.config import LearnerConfig
from backdoor_curves.study.table import COLUMNS, as_csv, as_text, legend
from backdoor_curves.study.work import CellResult


@pytest.fixture(scope="module")
def three_seeds():
    """Rates from hardly any poison to much, so that no, some and all seeds reach half of the loss."""
    return computed(small(rates=[0.05, 0.1, 0.2, 0.3, 0.5], seeds=[0, 1, 2]))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def says_what_the_curves_say(rows: list[dict[str, str]], results: list[CellResult]) -> bool:
    """Whether every number of results.csv is its curve's, to the last digit."""
    return all(
        (row["learner"], float(row["lambda"]), float(row["rate"]), int(row["seed"]))
        == (result.cell.learner, result.cell.lam, result.cell.rate, result.cell.seed)
        and float(row["clean_accuracy_at_0"]) == result.curve.accuracy("clean", 0.0)
        and float(row["clean_accuracy_at_1"]) == result.curve.accuracy("clean", 1.0)
        and float(row["asr_at_0"]) == result.curve.accuracy("triggered", 0.0)
        and float(row["asr_at_1"]) == result.curve.accuracy("triggered", 1.0)
        and np.isclose(float(row["triggered_loss_at_0"]), result.curve.loss("triggered", 0.0), rtol=1e-14, atol=0)
        and np.isclose(float(row["triggered_loss_at_1"]), result.curve.loss("triggered", 1.0), rtol=1e-14, atol=0)
        and float(row["area"]) == result.curve.area()
        and float(row["half_loss_beta"] or "nan") == pytest.approx(result.curve.half_loss_beta, abs=0, nan_ok=True)
        and row["method"] == "ridge"
        for row, result in zip(rows, results, strict=True)
    )


def test_the_csv_has_every_column_and_the_curves_numbers(three_seeds):
    """Digits lost in a file are lost for good."""
    rows = rows_of(as_csv(three_seeds))
    assert tuple(rows[0]) == COLUMNS
    assert says_what_the_curves_say(rows, three_seeds)


def test_numbers_of_another_seed_would_be_noticed(three_seeds):
    """The check above must be able to fail: the curves of seeds 0 and 1 change places."""
    swapped = list(three_seeds)
    swapped[0] = replace(three_seeds[0], curve=three_seeds[1].curve)
    assert not says_what_the_curves_say(rows_of(as_csv(swapped)), three_seeds)


def cells_of(line: str) -> dict[str, str]:
    """A line of the table by column; ridge has no gamma, and columns are two spaces or more apart."""
    names = ("learner", "lambda", "p", "clean acc.", "ASR at β=1", "without trigger", "area", "half-loss β", "path")
    return dict(zip(names, re.split(r"\s{2,}", line), strict=True))


def test_the_table_has_a_line_a_setting_with_mean_and_deviation(three_seeds):
    """Five rates, three seeds: five lines, each reckoned here from the curves; no, some and all seeds reach half."""
    header, *lines = as_text(three_seeds).splitlines()
    columns = "learner lambda gamma p clean acc. ASR at β=1 without trigger area half-loss β path"
    assert " ".join(header.split()) == columns
    assert len(lines) == 5
    kinds = set()
    for k, line in enumerate(lines):
        results = three_seeds[3 * k : 3 * k + 3]
        group = [result.curve for result in results]
        found = cells_of(line)
        for name, values in (
            ("clean acc.", [curve.accuracy("clean", 1.0) for curve in group]),
            ("ASR at β=1", [curve.accuracy("triggered", 1.0) for curve in group]),
            ("without trigger", [result.control.accuracy("triggered", 1.0) for result in results]),
            ("area", [curve.area() for curve in group]),
        ):
            assert found[name] == f"{mean(values):.3f} ±{stdev(values):.3f}"
        halves = [curve.half_loss_beta for curve in group if not np.isnan(curve.half_loss_beta)]
        few = "" if len(halves) == 3 else f" ({len(halves)} of 3)"
        assert found["half-loss β"] == (f"{median(halves):.4f}{few}" if halves else "never")
        assert float(found["p"]) == group[0].info.rate
        bound = max(curve.certificate().score_bound.max() for curve in group)
        assert found["path"] == f"exact, ±{bound:.0e}"
        kinds.add(len(halves) if len(halves) in (0, 3) else "some")
    assert kinds == {0, "some", 3}


def test_one_seed_has_no_deviation():
    """The deviation of one number is not zero but unknown."""
    assert "±0.000" not in as_text(small_results()[:1]).replace("exact, ±", "")
    assert as_text(small_results()[:1]).count("±") == 1  # the bound of the exact path


def failed(result: CellResult) -> CellResult:
    return CellResult(result.cell, None, None, 0.1, "ValueError: no luck")


def test_failed_cells_show():
    """A setting without its failed seeds would pass for whole."""
    results = small_results()
    header, first, second = as_text([failed(results[0]), *results[1:]]).splitlines()
    assert first.endswith(", 1 of 2 failed")
    assert "failed" not in header + second
    _, first, second = as_text([*map(failed, results[:2]), *results[2:]]).splitlines()
    assert first.endswith("failed: ValueError: no luck")
    assert first.split()[-8:-4] == ["-", "-", "-", "-"]
    row = rows_of(as_csv([failed(results[0])]))[0]
    assert (row["error"], row["area"], row["method"]) == ("ValueError: no luck", "", "")


def test_svms_are_exact_and_show_their_certificate():
    """Without a word in the study; the legend says what the bound is."""
    results = computed(small(learners=[LearnerConfig("linear-svm", [1.0]), LearnerConfig("rbf-svm", [1.0], [0.05])]))
    for line, group in zip(
        as_text(results).splitlines()[1:], (results[i : i + 2] for i in range(0, 8, 2)), strict=True
    ):
        bound = max(result.curve.certificate().score_bound.max() for result in group)
        assert line.endswith(f"  exact, ±{bound:.0e}")
        assert bound < 1e-6
    rows = rows_of(as_csv(results))
    assert {row["method"] for row in rows} == {"svm"}
    assert [float(row["score_bound"]) for row in rows] == [r.curve.certificate().score_bound.max() for r in results]
    assert "bound on a score's distance to the optimum" in legend(results)


def test_refits_are_told_apart_and_say_what_did_not_converge():
    """An exact number and one of a solver that gave up must not look alike."""
    study = small(learners=[LearnerConfig("linear-svm", [1.0], method="refit")], rates=[0.5], seeds=[0])
    (result,) = computed(study)
    assert as_text([result]).endswith("  refit")
    missed = replace(result, curve=replace(result.curve, missed=np.array([0.1, 0.2])))
    assert as_text([missed]).endswith("  refit, 2 fits unconverged")
    row = rows_of(as_csv([missed]))[0]
    assert (row["method"], row["betas_missed"], row["score_bound"]) == ("refit", "2", "")
