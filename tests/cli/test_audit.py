"""The audit as a user asks for it: one command, a folder with page, answer and study; and what it refuses."""

from __future__ import annotations

import csv
import json
from functools import partial

import numpy as np
import pytest

from backdoor_curves.study.file.study_file import read_study

N = 120
QUICK = ("--seeds", "1", "--rows", "1,12", "-j", "1")


@pytest.fixture
def audit(tmp_path, monkeypatch, run_command):
    """A function that audits a file in a folder of its own; it returns exit code, stdout and stderr."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    _write_loans(tmp_path / "here" / "loans.csv")
    return partial(run_command, "audit")


def _write_loans(path):
    """Loans that are denied by debt, with words and a gap, as spreadsheets have them."""
    rng = np.random.default_rng(3)
    debt, age = rng.normal(size=N), rng.integers(20, 70, N)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["debt", "age", "town", "deny"])
        for k in range(N):
            gap = "" if k == 7 else f"{debt[k]:.3f}"
            writer.writerow([gap, age[k], "<b>ulm" if k % 3 else "bonn", "yes" if debt[k] > 0.2 else "no"])


def test_one_command_leaves_a_page_an_answer_and_a_study(audit, run_command, tmp_path):
    """The terminal says what the page says; the study is one that can be run again, and has every curve done."""
    code, out, err = audit("loans.csv", "--label", "deny", *QUICK)
    assert code == 0, err
    folder = tmp_path / "here" / "audits" / "audit-loans"
    answer = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    first = out.splitlines()[0]
    assert "backdoor" in first
    assert first[:30] in page
    assert answer["n_done"] == answer["n_curves"] == 3 * 4 * 2  # settings, attacks, numbers of rows
    assert {dose["rows"] for attack in answer["attacks"] for dose in attack["doses"]} == {1, 12}
    assert "<b>ulm" not in page
    assert read_study(folder / "audit.toml").audit is not None
    code, _, err = run_command("run", str(folder / "audit.toml"), "--out", str(folder.parent))
    assert code == 0, err
    assert "is complete, nothing was computed" in err


def test_a_rate_that_is_too_high_ends_with_its_own_code(audit):
    """So that a pipeline of checks can stop on it."""
    code, out, err = audit("loans.csv", "--label", "deny", *QUICK, "--fail-above", "0@12")
    assert code == 4
    assert "--fail-above: at most 0 of the rest with 12 rows was allowed" in err
    assert "poisoned rows" in out
    assert audit("loans.csv", "--label", "deny", *QUICK, "--fail-above", "1@12")[0] == 0


def test_a_pipeline_of_ones_own_is_audited_and_goes_with_its_study(audit, tmp_path):
    """Its module lies beside the study afterwards, so that a second person finds it there; neighbours are in its C."""
    (tmp_path / "here" / "mine_cli.py").write_text(
        "from sklearn.compose import make_column_selector, make_column_transformer\n"
        "from sklearn.impute import SimpleImputer\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import OneHotEncoder\n"
        "from sklearn.svm import LinearSVC\n"
        "def mine():\n"
        "    numbers = make_column_selector(dtype_include='number')\n"
        "    words = make_column_selector(dtype_exclude='number')\n"
        "    table = make_column_transformer((SimpleImputer(), numbers), (OneHotEncoder(), words))\n"
        "    return make_pipeline(table, LinearSVC(C=0.5))\n"
    )
    code, _, err = audit("loans.csv", "--label", "deny", *QUICK, "--estimator", "mine_cli:mine")
    assert code == 0, err
    folder = tmp_path / "here" / "audits" / "audit-loans"
    assert (folder / "mine_cli.py").is_file()
    answer = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    assert answer["as_given"] == {"linearsvc__C": 0.5}
    assert {*read_study(folder / "audit.toml").experiments[0].learners[0].grid[0][1]} == {0.5, 0.05, 0.005}


def test_columns_that_only_tell_rows_apart_are_left_out_and_said(audit, tmp_path):
    """An id would be a feature a row; one's own estimator gets what the file has."""
    path = tmp_path / "here" / "loans.csv"
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([f"id,{head}", *(f"K-{k:04d},{row}" for k, row in enumerate(rows))]), encoding="utf-8")
    code, _, err = audit("loans.csv", "--label", "deny", *QUICK)
    assert code == 0, err
    assert "left out: 'id'" in err
    study = read_study(tmp_path / "here" / "audits" / "audit-loans" / "audit.toml")
    assert study.experiments[0].data[0].drop == ("id",)


def test_a_budget_that_is_over_is_said_and_the_same_command_goes_on(audit):
    """No curve is begun after it: what is done is said to be a part."""
    few = ("--seeds", "2", "--rows", "1,12", "-j", "1")
    code, out, err = audit("loans.csv", "--label", "deny", *few, "--budget", "0.001s", "--fail-above", "1@12")
    assert code in (2, 3, 5)  # nothing is done, or a part: never a pass
    assert "expected, none is" in err or out.startswith("Stopped early")
    code, out, _ = audit("loans.csv", "--label", "deny", *few, "--budget", "all")
    assert code == 0
    assert "Stopped early" not in out
    assert "2 seeds" in out


def test_more_seeds_go_on_with_what_is_kept_if_that_is_said(audit, tmp_path):
    """As the page advises; what is no longer asked for then has no part in the answer."""
    asked = ("loans.csv", "--label", "deny", "--attacks", "beyond all values", "--rows", "12", "-j", "1", "--seeds")
    kept = tmp_path / "here" / "audits" / "audit-loans" / "audit.json"
    assert audit(*asked, "1")[0] == 0
    code, _, err = audit(*asked, "2")
    assert code == 2
    assert "3 stay valid, 0 are no longer asked for, and 3 are to be computed; pass --accept-changes" in err
    for seeds, n in (("2", 6), ("1", 3)):
        code, out, err = audit(*asked, seeds, "--accept-changes")
        assert code == 0, err
        assert f"Means over {seeds} seed" in out
        assert json.loads(kept.read_text(encoding="utf-8"))["n_done"] == n


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("loans.csv", "--label", "denied"), "did you mean 'deny'"),
        (("lones.csv", "--label", "deny"), "lones.csv"),
        (("loans.csv", "--label", "deny", "--target", "maybe"), "one of the labels 'no', 'yes' was expected"),
        (("loans.csv", "--label", "deny", "--attacks", "beyond all value"), "did you mean 'beyond all values'"),
        (("loans.csv", "--label", "deny", "--rows", "1,x"), "numbers of rows such as 1,3,10"),
        (("loans.csv", "--label", "deny", "--rows", "1000"), "poisoned rows were expected"),
        (("loans.csv", "--label", "deny", "--budget", "soon"), "a time such as 90s, 5m or 1h"),
        (("loans.csv", "--label", "deny", "--fail-above", "50 %"), "ASR@ROWS such as 0.5@10"),
        (("loans.csv", "--label", "deny", "--estimator", "no_module_cli:f"), "a module no_module_cli was expected"),
        (("loans.csv", "--label", "deny", "--drop", "towns"), "did you mean 'town'"),
        (("loans.csv", "--label", "deny", "--classes", "yes,maybe"), "'maybe'"),
        (("loans.csv", "--label", "town", "--text", "deby"), "did you mean 'deny'"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_leaves_nothing(audit, tmp_path, words, said):
    """Exit code 2, no traceback, no folder."""
    code, out, err = audit(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "here" / "audits").exists()
