"""Worker processes: what dies, hangs or is too large costs its own cell at most."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from small_study import FAULTY, done_here, four_learners, small

from backdoor_curves.study.compute.cell import Outcome
from backdoor_curves.study.compute.pool import Limits, compute_here
from backdoor_curves.study.file.config import LearnerConfig, PoisonConfig
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.plan.resources import memory_of


def work_through(study, tmp_path, stopping=lambda: False, **changes) -> Iterator[Outcome | None]:
    plan = make_plan(study, rows_folder=tmp_path / "rows")
    limits = replace(Limits(n_jobs=2, memory=2.0**33, need=memory_of, cell_limit=60.0), **changes)
    return compute_here(plan.cells, plan.groups, tmp_path / "rows", limits, stopping)


def came(outcomes: Iterator[Outcome | None]) -> dict[str, Outcome]:
    return {outcome.key: outcome for outcome in outcomes if outcome is not None}


def many(n: int = 12):
    lams = (*(float(lam) for lam in range(1, n) if lam != FAULTY), FAULTY)
    return small(learners=(LearnerConfig("ridge", lams),), rates=(0.3,), poison=(PoisonConfig(),), seeds=(0,))


def workers() -> list:
    """The pool's processes; refits of other tests may have left some of joblib's, which wait a while."""
    return [child for child in multiprocessing.active_children() if not child.name.startswith("Loky")]


def reasons(study, outcomes) -> dict[float, str]:
    return {planned.cell.setting.lam: outcomes[planned.key].reason for planned in make_plan(study).cells}


def test_workers_compute_what_this_process_does(tmp_path):
    """To the last bit: they have one BLAS thread, as a cell always has."""
    _, here = done_here(four_learners())
    there = came(work_through(four_learners(), tmp_path))
    assert {key: o.numbers for key, o in there.items()} == {key: o.numbers for key, o in here.items()}
    assert not workers()


def test_workers_that_are_killed_are_replaced_and_no_cell_is_lost(tmp_path):
    """Twenty of them would do no harm either, see benchmarks/kills.py."""
    study, killed, found = many(40), 0, {}
    random.seed(0)
    for outcome in work_through(study, tmp_path):
        if outcome is not None:
            found[outcome.key] = outcome
            if killed < 3 and len(found) % 5 == 0:
                victim = random.choice(workers())
                os.kill(victim.pid, signal.SIGKILL)
                killed += 1
    assert killed == 3
    assert set(reasons(study, found).values()) == {""}


def test_a_cell_that_kills_its_worker_twice_is_set_aside(in_workers, tmp_path):
    """And all others are done."""
    in_workers("os.kill(os.getpid(), signal.SIGKILL)")
    found = reasons(many(), came(work_through(many(), tmp_path)))
    assert found.pop(FAULTY) == "killed its worker 2 times, lastly by SIGKILL"
    assert set(found.values()) == {""}


def test_a_cell_that_kills_its_worker_once_is_done(in_workers, tmp_path):
    """The machine's fault, not the cell's."""
    flag = tmp_path / "flag"
    in_workers(f"p = pathlib.Path({str(flag)!r}); p.exists() or (p.touch(), os._exit(7))")
    assert set(reasons(many(), came(work_through(many(), tmp_path))).values()) == {""}
    assert flag.exists()


def test_a_cell_that_hangs_is_stopped_after_its_limit(in_workers, tmp_path):
    """Its worker is replaced."""
    in_workers("time.sleep(1000)")
    start = time.monotonic()
    found = reasons(many(), came(work_through(many(), tmp_path, cell_limit=1.0)))
    assert found.pop(FAULTY) == "stopped after 1 s, the limit of a cell"
    assert set(found.values()) == {""}
    assert time.monotonic() - start < 50


def test_workers_that_never_begin_are_a_sentence(tmp_path, monkeypatch):
    """A broken installation must not be tried for ever."""
    fatal = "import os, sys\nif any('spawn_main' in part for part in sys.orig_argv):\n    os._exit(1)\n"
    (tmp_path / "sitecustomize.py").write_text(fatal)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="workers in a row died before they could compute"):
        came(work_through(many(), tmp_path))


def test_a_stop_waits_for_the_cells_at_work_and_begins_no_other(tmp_path):
    """What is being computed is not thrown away."""
    found: dict[str, Outcome] = {}
    for outcome in work_through(many(40), tmp_path, n_jobs=1, stopping=lambda: len(found) >= 3):
        if outcome is not None:
            found[outcome.key] = outcome
    assert 3 <= len(found) <= 4


def test_memory_bounds_what_runs_at_once(tmp_path):
    """With room for one group at a time a second worker gets nothing, or a cell of no other group; all is done."""
    study = four_learners()
    plan = make_plan(study, rows_folder=tmp_path / "rows")
    largest = max(map(memory_of, plan.groups))
    numbers: list[int] = []
    groups = {planned.key: planned.group for planned in plan.cells}
    found = {}
    for outcome in work_through(study, tmp_path, memory=largest * 1.01):
        if outcome is not None:
            found[outcome.key] = outcome
            numbers.append(groups[outcome.key])
    assert len(found) == len(plan.cells)
    assert numbers == sorted(numbers, key=numbers.index)  # one group after another, never two by turns


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
def test_workers_end_with_the_loop_that_they_work_for(tmp_path):
    """Whoever stops to listen leaves nobody behind."""
    outcomes = work_through(many(40), tmp_path)
    while next(outcomes) is None:
        pass
    children = workers()
    assert children
    outcomes.close()
    assert not any(child.is_alive() for child in children)


def test_what_workers_warn_of_is_said_once_and_in_a_line(in_workers, tmp_path):
    """Two workers with a cell each, whose numbers differ; nothing is printed by the workers themselves."""
    in_workers("import warnings; warnings.warn(f'row {cell.seed}\\n  is odd', stacklevel=1)")
    study = small(learners=(LearnerConfig("ridge", (1.0, FAULTY)),), rates=(0.3,), poison=(PoisonConfig(),))
    with pytest.warns(UserWarning, match="is odd") as caught:
        found = came(work_through(study, tmp_path))
    assert len(found) == 4
    assert [re.sub("[0-9]", "N", str(warning.message)) for warning in caught] == ["row N is odd"]
    assert caught[0].filename.endswith("sitecustomize.py")
