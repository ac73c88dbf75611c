"""The command: what it prints, where, and with which exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
import warnings

import pytest

import backdoor_curves as bc
from backdoor_curves import cli
from backdoor_curves.datasets import IncompleteDataWarning
from backdoor_curves.study import run_study as running
from backdoor_curves.study.compute import pool

TINY = """
name = "tiny"
seeds = [0, 1]
rates = [0.1, 0.5]
data = {n_train = 60, n_test = 40}
learners = [{kind = "ridge", lambda = [1]}]
"""


@pytest.fixture
def call(tmp_path, monkeypatch, run_command):
    """A function that runs the command in an empty folder; it returns the exit code, stdout and stderr."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("BACKDOOR_CURVES_DATA", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work" / "tiny.toml").write_text(TINY)
    return run_command


def process(*args: str, code: str = "from backdoor_curves.cli import main; main()", **environment: str):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", code, *args],
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )


def test_run_prints_a_line_for_each_setting_and_keeps_the_run(call, tmp_path):
    """The table is the answer and goes to stdout alone; the rest is talk."""
    code, out, err = call("run", "tiny.toml", "-j", "1")
    header, *lines = out.partition("\n\n")[0].splitlines()
    assert code == 0
    assert (
        " ".join(header.split())
        == "learner lambda gamma p clean acc. ASR at β=1 θ slope holds to β area half-loss β path"
    )
    assert [line.split()[:3] for line in lines] == [["ridge", "1", "0.1"], ["ridge", "1", "0.5"]]
    assert "4 curves, a figure for each learner, report.html and results.csv are in runs/tiny" in err
    assert (tmp_path / "work" / "runs" / "tiny" / "table.txt").read_text(encoding="utf-8") == out


def test_out_names_where_runs_are_kept_and_progress_is_plain_lines_without_a_terminal(call, tmp_path):
    """Not everybody wants runs beside the study, and a log file is no place for carriage returns and bars."""
    _, _, err = call("run", "tiny.toml", "-j", "1", "--out", "deep/er")
    assert err.splitlines()[0] == "4 of 4 cells done, 0 left"
    assert err.replace("\n", "").isprintable()
    assert (tmp_path / "work" / "deep" / "er" / "tiny" / "results.csv").is_file()
    assert not (tmp_path / "work" / "runs").exists()


def test_a_second_run_says_that_it_is_complete_and_computes_nothing(call, monkeypatch):
    """The table comes from the folder, unchanged."""
    _, first, _ = call("run", "tiny.toml", "-j", "1")
    monkeypatch.setattr(running, "compute_here", lambda *_, **__: pytest.fail("something was computed"))
    code, second, err = call("run", "tiny.toml", "-j", "1")
    assert (code, second) == (0, first)
    assert "runs/tiny is complete, nothing was computed" in err


def test_failed_cells_give_exit_code_3_each_time_they_are_asked_for(call, monkeypatch, tmp_path):
    """A script must see it, also when the run is complete already; --retry-failed heals it where it can be healed."""
    (tmp_path / "sitecustomize.py").write_text(
        "import backdoor_curves.study.compute.cell as work\nreal = work.backdoor_learning_curve\n"
        "def curve(learner, data, **options):\n    if data.rate == 0.5:\n        raise ValueError('no luck,\\n none')\n"
        "    return real(learner, data, **options)\nwork.backdoor_learning_curve = curve\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    code, out, err = call("run", "tiny.toml", "-j", "1")
    assert code == 3
    assert out.count("failed: ValueError: no luck, none") == 1
    assert "2 curves, a figure" in err
    last = "2 of 4 cells failed, the first: ValueError: no luck, none; --retry-failed tries them again\n"
    assert err.endswith(last)
    again, same, err = call("run", "tiny.toml", "-j", "1")
    assert (again, same) == (3, out)
    assert err.endswith(last)
    code, out, _ = call("status", "runs/tiny")
    assert code == 3
    assert out.splitlines()[:2] == [
        "tiny: 2 of 4 cells done, 2 failed, 0 left",
        "  2 failed: ValueError: no luck, none",
    ]
    (tmp_path / "sitecustomize.py").unlink()
    code, out, _ = call("run", "tiny.toml", "-j", "1", "--retry-failed")
    assert (code, "failed" in out) == (0, False)


def test_check_prints_the_plan_and_makes_nothing(call, tmp_path):
    """Cells, groups, time and memory, before a night is spent."""
    code, out, err = call("check", "tiny.toml")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "tiny: 4 cells in 2 groups that share data and kernels"
    assert "4 digits even-odd, 60/40 rows | random 2 x 2 | ridge" in out
    assert "GiB a process" in out
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["tiny.toml"]


def test_shards_say_what_is_left_and_the_last_prints_the_table(call):
    """Each is a command of its own, on a machine of its own."""
    code, out, err = call("run", "tiny.toml", "-j", "1", "--shard", "1/2")
    assert (code, out) == (0, "")
    assert err.endswith("shard 1 of 2 is complete; 2 of 4 cells of the whole are in runs/tiny\n")
    code, out, _ = call("run", "tiny.toml", "-j", "1", "--shard", "2/2")
    assert (code, out.split()[0]) == (0, "learner")


def test_export_writes_what_is_done_and_says_how_much_that_is(call, tmp_path):
    """To standard output, or to a file."""
    call("run", "tiny.toml", "-j", "1", "--shard", "1/2")
    code, out, err = call("export", "runs/tiny")
    assert (code, err) == (0, "2 of 4 cells, 0 failed, 2 left\n")
    assert out.splitlines()[0].startswith("data,trigger,labels,injection,learner,lambda,gamma,rate,seed,method,")
    assert out.count("\n") == 3
    code, out, _ = call("export", "runs/tiny", "--format", "jsonl", "--statistics", "-o", "s.jsonl")
    assert (code, out) == (0, "")
    assert '"quantity": "theta"' in (tmp_path / "work" / "s.jsonl").read_text()
    code, _, err = call("export", "runs/tiny", "--format", "parquet")
    assert (code, err) == (2, "backdoor-curves: --output: a file was expected for Parquet, none came\n")


def test_a_run_leaves_its_report_and_report_writes_it_again_with_other_bounds(call, tmp_path):
    """The bounds are the reader's; the page says which it was written with, and by which command."""
    runs = tmp_path / "work" / "runs" / "tiny"
    call("run", "tiny.toml", "-j", "1")
    assert "at most 2 percentage points under the best" in (runs / "report.html").read_text(encoding="utf-8")
    code, out, err = call("report", "runs/tiny", "--margin", "0.05", "--asr", "0.3", "--out", "mine.html")
    assert (code, out, err) == (0, "", "4 of 4 cells are in mine.html\n")
    mine = (tmp_path / "work" / "mine.html").read_text(encoding="utf-8")
    assert "at most 5 percentage points under the best" in mine
    assert "of at most 30\u202f%" in mine
    code, _, err = call("report", "runs/tiny", "--margin", "2")
    assert code == 2
    assert "2 is not in the range" in err.replace("2.0", "2")
    assert call("report", "runs/absent")[0] == 2


def test_a_part_of_a_run_has_a_report_when_asked_for_and_a_study_may_do_without(call, tmp_path):
    """A shard that is complete writes no page of a run that is not."""
    runs = tmp_path / "work" / "runs" / "tiny"
    call("run", "tiny.toml", "-j", "1", "--shard", "1/2")
    assert not (runs / "report.html").exists()
    code, _, err = call("report", "runs/tiny")
    assert (code, err) == (0, "2 of 4 cells are in runs/tiny/report.html\n")
    assert "2 of 4 cells are done, 2 are left" in (runs / "report.html").read_text(encoding="utf-8")
    (tmp_path / "work" / "tiny.toml").write_text("report = false\n" + TINY.replace('"tiny"', '"plain"'))
    _, _, err = call("run", "tiny.toml", "-j", "1")
    assert "4 curves, a figure for each learner and results.csv are in runs/plain" in err
    assert not (tmp_path / "work" / "runs" / "plain" / "report.html").exists()


def test_open_shows_the_report_and_says_so_where_there_is_no_browser(call, monkeypatch):
    """A server has none, and that is no fault of the page."""
    asked = []
    monkeypatch.setattr("webbrowser.open", lambda url: asked.append(url))
    call("run", "tiny.toml", "-j", "1")
    code, _, err = call("report", "runs/tiny", "--open")
    assert code == 0
    assert asked[0].startswith("file://")
    assert asked[0].endswith("runs/tiny/report.html")
    assert "no browser was found; open runs/tiny/report.html yourself" in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("report", "runs/tiny", "--out", "runs"), "runs: a file to write to was expected, a folder came"),
        (("report", "runs/tiny", "--out", "no/x.html"), "no/x.html: a file in an existing folder was expected, no is"),
        (("export", "runs/tiny", "-o", "runs"), "such as runs/tiny.csv"),
        (("figures", "runs/tiny", "--out", "tiny.toml"), "tiny.toml: a folder to write to was expected, the file"),
        (("reproduce", "--out", "tiny.toml"), "tiny.toml: a folder to write to was expected, the file tiny.toml came"),
        (("reproduce", "--out", "tiny.toml/a"), "tiny.toml/a: a folder to write to was expected, the file tiny.toml"),
        (("status", "tiny.toml"), "tiny.toml: the .sqlite store of a run was expected, this file is none"),
        (("run", "tiny.toml", "--scheduler", "foo"), "an address such as tcp://HOST:8786 was expected, 'foo' came"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_places_that_are_none_are_told_in_one_line(call, monkeypatch, tmp_path, args, said):
    """What was expected, what came, what to do; nothing is computed for it, and nothing left behind."""
    call("run", "tiny.toml", "-j", "1")
    monkeypatch.setattr("backdoor_curves.paper.reproduce.reproduce", lambda *_, **__: pytest.fail("it began"))
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call(*args)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert sorted(tmp_path.rglob("*")) == before


def test_one_cell_and_one_group_are_counted_as_one(call, tmp_path):
    """As people count."""
    (tmp_path / "work" / "one.toml").write_text(TINY.replace("[0, 1]", "[0]").replace("[0.1, 0.5]", "[0.1]"))
    assert call("check", "one.toml")[1].splitlines()[0] == "tiny: 1 cell in 1 group that shares data and kernels"


@pytest.mark.filterwarnings("always")
def test_own_warnings_are_a_line_each_said_once_and_others_are_left_to_python(call, monkeypatch):
    """As errors are: without a path and a line of code; of whatever category, if they are of our code."""
    ours = os.path.dirname(bc.__file__)

    def warning(*_, **__):
        for _ in range(2):
            warnings.warn("some files\nare missing", IncompleteDataWarning, stacklevel=1)
        warnings.warn("another's", UserWarning, stacklevel=1)
        for n in (1, 3):
            code = os.path.join(ours, "poisoning", "poison.py")
            warnings.warn_explicit(f"{n} rows\nof our own code", UserWarning, code, 7)
        raise ValueError("enough")

    before = warnings.showwarning
    monkeypatch.setattr("backdoor_curves.study.file.study_file.read_study", warning)
    with pytest.warns(UserWarning, match="another's") as others:
        code, _, err = call("check", "tiny.toml")
    assert code == 2
    assert err.splitlines()[:2] == [
        "backdoor-curves: some files are missing",
        "backdoor-curves: 1 rows of our own code",
    ]
    assert err.count("some files") == err.count("own code") == 1
    assert len(others) == 1
    assert warnings.showwarning is before


def test_faults_in_what_was_asked_give_exit_code_2_before_anything_is_computed(call, monkeypatch):
    """The rest of them is in test_bad_input."""
    monkeypatch.setattr(pool, "_start", lambda *_: pytest.fail("something was computed"))
    code, out, err = call("run", "absent.toml")
    assert (code, out) == (2, "")
    assert err == "backdoor-curves: absent.toml: no such file; write a study there or run without a file\n"


@pytest.mark.parametrize("args", [("run", "-j", "0"), ("run", "--ofline"), ("rnu",), ("run", "a", "b")], ids=" ".join)
def test_wrong_options_give_exit_code_2_and_the_usage(call, args):
    """Here click speaks, as in every other command made with it."""
    code, out, err = call(*args)
    assert (code, out) == (2, "")
    assert "Usage: backdoor-curves" in err
    assert "Traceback" not in err


def test_ctrl_c_finishes_the_cells_at_work_and_says_how_to_go_on(tmp_path):
    """Exit code 130 is what shells expect of Ctrl-C; the next run takes what is there."""
    (tmp_path / "long.toml").write_text(TINY.replace("[1]", "{geomspace = [0.001, 1000, 2000]}"))
    command = [sys.executable, "-m", "backdoor_curves", "run", "long.toml", "-j", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as going:
        deadline = time.monotonic() + 60
        while not done_in(tmp_path / "runs" / "tiny") and time.monotonic() < deadline:
            time.sleep(0.1)
        going.send_signal(signal.SIGINT)
        err = going.stderr.read()
        assert going.wait(60) == 130
    assert "Traceback" not in err
    assert "stopping: the cells at work are finished and kept" in err
    kept = done_in(tmp_path / "runs" / "tiny")
    assert f"stopped: {kept} of 8000 cells done, {8000 - kept} left and kept in runs/tiny; go on with: " in err
    assert err.endswith(" run long.toml -j 1\n")


def done_in(folder):
    """How many cells a run has done so far; 0 if it has not begun."""
    try:
        return bc.load_run(folder).n_done
    except OSError:
        return 0


@pytest.mark.usefixtures("call")
def test_a_traceback_comes_where_it_is_asked_for(monkeypatch):
    """For bug reports."""
    monkeypatch.setenv("BACKDOOR_CURVES_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError, match="no such file"):
        cli.main.main(["run", "absent.toml"])


@pytest.mark.usefixtures("call")
def test_a_bug_is_not_worded_as_a_fault_of_the_user(monkeypatch):
    """An AttributeError must reach us with its traceback."""

    def broken(*_, **__):
        raise AttributeError("a bug")

    monkeypatch.setattr(running, "make_plan", broken)
    with pytest.raises(AttributeError, match="a bug"):
        cli.main.main(["run", "tiny.toml", "-j", "1"], standalone_mode=False)


def test_help_and_version_load_neither_arrays_nor_figures():
    """They answer at once: a command that takes seconds to say what it does is not asked twice."""
    code = (
        "import sys\nfrom backdoor_curves.cli import main\ntry:\n    main()\nfinally:\n"
        "    heavy = {'numpy', 'scipy', 'sklearn', 'matplotlib', 'joblib', 'msgspec', 'pandas'} & set(sys.modules)\n"
        "    print('loaded:', *heavy, file=sys.stderr)"
    )
    for args in (["--help"], ["--version"], ["run", "-h"], ["check", "-h"], ["attacks", "-h"], ["data", "--help"]):
        done = process(*args, code=code)
        assert done.returncode == 0
        assert done.stderr.decode().strip() == "loaded:"


def test_figures_of_a_run_with_nothing_done_are_refused_with_a_sentence(call, tmp_path):
    """And no empty folder is left."""
    assert call("run", "tiny.toml", "-j", "1")[0] == 0
    folder = tmp_path / "work" / "runs" / "tiny"
    with contextlib.closing(sqlite3.connect(folder / "run.sqlite")) as connection, connection:
        connection.execute("DELETE FROM cells")
    code, out, err = call("figures", "runs/tiny", "--out", "drawn")
    assert (code, out) == (2, "")
    assert "tiny: a run with finished cells was expected, none of its 4 is done; run its study first" in err
    assert not (tmp_path / "work" / "drawn").exists()


def test_version_is_the_packages(call):
    """Bug reports quote it."""
    assert call("--version") == (0, f"backdoor-curves, version {bc.__version__}\n", "")


def test_help_names_every_command(call):
    """And the first line says what the whole is for."""
    code, out, _ = call("--help")
    assert code == 0
    assert "Backdoor learning curves" in out
    assert {line.split()[0] for line in out.partition("Commands:\n")[2].splitlines()} == {
        "attacks",
        "audit",
        "check",
        "data",
        "export",
        "figures",
        "report",
        "questions",
        "reproduce",
        "run",
        "status",
    }
    _, out, _ = call("data", "--help")
    assert {line.split()[0] for line in out.partition("Commands:\n")[2].splitlines()} == {"fetch", "verify", "where"}


@pytest.mark.parametrize("command", ["where", "verify", "fetch"])
@pytest.mark.parametrize(("name", "note"), [("digits", "part of scikit-learn"), ("toy", "drawn by a formula")])
def test_data_sets_without_files_say_so(call, command, name, note):
    """No output at all would leave it open whether anything was done."""
    code, out, err = call("data", command, name)
    assert (code, err) == (0, "")
    assert out.startswith(f"{name}: {note}")
    assert out.count("\n") == 1


def test_where_names_each_file_and_finds_those_in_data_dir(call, tmp_path):
    """It says where files are, not whether they are right."""
    assert call("data", "where", "mnist")[1].count(": not found\n") == 4
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "train-images-idx3-ubyte.gz").write_bytes(b"garbage")
    code, out, _ = call("data", "where", "mnist", "--data-dir", str(tmp_path / "mine"))
    assert code == 0
    assert out.count(": not found\n") == 3
    assert f"train-images-idx3-ubyte: {tmp_path / 'mine' / 'train-images-idx3-ubyte.gz'}\n" in out


def test_verify_gives_exit_code_2_for_missing_and_altered_files(call, tmp_path):
    """And a line for each file, with what to do."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "train-images-idx3-ubyte").write_bytes(b"garbage")
    code, out, _ = call("data", "verify", "mnist", "--data-dir", str(tmp_path / "mine"))
    lines = out.splitlines()
    assert (code, len(lines)) == (2, 4)
    assert "content of sha256 ba891046e650... was expected" in lines[0]
    assert all("backdoor-curves data fetch mnist" in line for line in lines)


def test_output_on_a_code_page_without_greek_is_no_error(tmp_path):
    """On Windows a redirected stdout has one: the table then has ? for the letter beta, and is kept."""
    (tmp_path / "tiny.toml").write_text(TINY)
    args = ("run", str(tmp_path / "tiny.toml"), "-j", "1", "--out", str(tmp_path / "runs"))
    done = process(*args, PYTHONIOENCODING="cp1252", MPLBACKEND="Agg")
    assert done.returncode == 0, done.stderr
    assert b"ASR at ?=1" in done.stdout
    assert "ASR at β=1" in (tmp_path / "runs" / "tiny" / "table.txt").read_text(encoding="utf-8")
