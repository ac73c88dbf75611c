"""A study of seconds, and its run, for tests that need no more."""

from __future__ import annotations

import atexit
import dataclasses
import io
import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from backdoor_curves.study.compute.cell import Outcome, compute, prepare
from backdoor_curves.study.file.config import (
    DataConfig,
    Experiment,
    KeepConfig,
    LabelPolicy,
    LearnerConfig,
    PoisonConfig,
    Study,
    TriggerConfig,
)
from backdoor_curves.study.plan.cells import Plan, Planned, make_plan
from backdoor_curves.study.plan.scenario import Cell, Learner, Scenario, Setting
from backdoor_curves.study.plan.sources import read_rows
from backdoor_curves.study.run_study import Progress, Wishes, run_study
from backdoor_curves.study.store.run import Run, load_run, stores_of
from backdoor_curves.study.store.sqlite import read_cells, read_record
from backdoor_curves.study.store.stored_cell import StoredCell

FAULTY = 6.0
"""The lambda of the cell that goes wrong, see the fixture `in_workers`."""
HYPERPARAMETERS = {"lam": "lambda", "gamma": "gamma"}
WISHES = Wishes(n_jobs=1, memory=2.0**33)


def small(**changes: Any) -> Study:
    """Ridge on 60 of the bundled digits, two rates and two seeds; `changes` replaces parts of its grid."""
    parts: dict[str, Any] = {
        "data": (DataConfig(n_train=60, n_test=40),),
        "trigger": (TriggerConfig(),),
        "poison": (PoisonConfig(control=True),),
        "learners": (LearnerConfig("ridge", (1.0,)),),
        "rates": (0.1, 0.5),
        "seeds": (0, 1),
        "keep": KeepConfig(),
    }
    return Study("small", (Experiment(**parts | changes),))


def four_learners(**changes: Any) -> Study:
    """All kinds of learners, with kernels to share and a refit: 16 cells in 5 groups."""
    learners = (
        LearnerConfig("logistic", (1.0,), intercept="penalised"),
        LearnerConfig("ridge", (1.0, 10.0)),
        LearnerConfig("linear-svm", (0.1, 1.0)),
        LearnerConfig("rbf-svm", (0.1, 1.0), (0.05,)),
        LearnerConfig("linear-svm", (100.0,), method="refit", intercept="penalised"),
    )
    parts = {"learners": learners, "poison": (PoisonConfig(),), "data": (DataConfig(n_train=90, n_test=40),)}
    return small(**parts | {"rates": (0.1, 0.3), "seeds": (0,)} | changes)


def done_here(study: Study) -> tuple[Plan, dict[str, Outcome]]:
    """The plan of a study, and what comes of its cells computed in this process, in the order of the plan."""
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(study, rows_folder=Path(folder))
        rows = {group.source.hash: read_rows(Path(folder) / group.source.hash) for group in plan.groups}
        benches = [prepare(group, *rows[group.source.hash]) for group in plan.groups]
        return plan, {p.key: compute(p.key, p.cell, benches[p.group]) for p in plan.cells}


@cache
def small_run() -> Run:
    """The run of `small()`, done once: nothing changes it."""
    folder = Path(tempfile.mkdtemp(prefix="small-run-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    list(run_study(small(), folder / "small", WISHES))
    return load_run(folder / "small")


def finished(study: Study, folder: Path, **wishes: Any) -> Progress:
    """Run a study to its end, and say where that was."""
    return list(run_study(study, folder, dataclasses.replace(WISHES, **wishes)))[-1]


def content(folder: Path) -> dict[tuple[str, str], Any]:
    """Everything that a run keeps but times, to the last bit."""
    found: dict[tuple[str, str], Any] = {}
    for store in stores_of(folder):
        for cell in read_cells(store):
            if cell.status == "failed" and found.get((cell.key, "cell"), ("",))[0] == "done":
                continue
            found[cell.key, "cell"] = cell.status, cell.cell, dict(cell.numbers), cell.data, cell.reason
            for name in ("curve", "control", "arrays", "explanation", "decision regions"):
                record = read_record(store, cell.key, name)
                if record is not None:
                    with np.load(io.BytesIO(record)) as arrays:
                        found[cell.key, name] = {array: arrays[array].tobytes() for array in arrays.files}
    return found


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its content, and every folder."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def cell_of(study: Study, **changes: Any) -> Planned:
    """The first cell of a study, with some of its values replaced."""
    first = make_plan(study).cells[0]
    return first._replace(cell=changed(first.cell, **changes))


def changed(cell: Cell, **changes: Any) -> Cell:
    """A cell with some of its values replaced, wherever they stand in it; of hyperparameters `lam` and `gamma`."""
    scenario, setting = cell.scenario, cell.setting
    of_scenario = {name: changes.pop(name) for name in Scenario.__struct_fields__ if name in changes}
    of_learner = {name: changes.pop(name) for name in Learner.__struct_fields__ if name in changes}
    values = setting.values | {name: changes.pop(key) for key, name in HYPERPARAMETERS.items() if key in changes}
    known = {name: value for name, value in values.items() if value is not None}
    return replace(
        cell,
        scenario=replace(scenario, **of_scenario),
        setting=Setting.of(replace(setting.learner, **of_learner), known),
        **changes,
    )


def stored(cell: Cell, numbers: Mapping[str, Any], key: str = "") -> StoredCell:
    """A cell that is done, as a store has it."""
    return StoredCell(key, "done", cell, "", numbers, "", 0.1)


def a_cell(**changes: Any) -> Cell:
    """Ridge at lambda = 1 on the bundled digits, with some of its values replaced, see `changed`."""
    scenario = Scenario(DataConfig(), TriggerConfig(), LabelPolicy(), 0.1)
    return changed(Cell(scenario, Setting.of(Learner("ridge"), {"lambda": 1.0}), 0), **changes)


def processes_with(token: str) -> list[int]:
    """The processes that have a token in their environment, but not this one; Linux only."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            inside = token.encode() in path.read_bytes()
            zombie = ") Z " in (path.parent / "stat").read_text()
        except OSError:
            continue
        if inside and not zombie and int(path.parent.name) != os.getpid():
            found.append(int(path.parent.name))
    return found
