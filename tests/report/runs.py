"""Runs for tests of the report: small real ones, and ones of made-up cells with whatever texts and numbers."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from backdoor_curves.study.compute.cell import Outcome
from backdoor_curves.study.file.config import (
    DataConfig,
    Experiment,
    KeepConfig,
    LearnerConfig,
    PoisonConfig,
    Study,
    TriggerConfig,
)
from backdoor_curves.study.plan.scenario import Cell
from backdoor_curves.study.run_study import Wishes, run_study
from backdoor_curves.study.store.run import Run, load_run
from backdoor_curves.study.store.sqlite import Store, read_cells
from study.small_study import a_cell

DIGITS = Experiment(
    data=(DataConfig(n_train=120, n_test=80),),
    trigger=(TriggerConfig(),),
    poison=(PoisonConfig(),),
    learners=(
        LearnerConfig("ridge", (1.0, 10.0, 100.0)),
        LearnerConfig("rbf-svm", (0.1, 1.0, 10.0), (0.01, 0.05)),
        LearnerConfig("linear-svm", (1.0,), method="refit", intercept="penalised"),
    ),
    rates=(0.05, 0.2),
    seeds=(0, 1),
    keep=KeepConfig(explanations=True),
)
TOY = Experiment(
    data=(DataConfig("toy"),),
    trigger=(TriggerConfig("feature", columns=(1,), values=(1.2,)),),
    poison=(PoisonConfig(),),
    learners=(LearnerConfig("rbf-svm", (0.1, 1.0), (0.5, 2.0)), LearnerConfig("ridge", (1.0,))),
    rates=(0.1,),
    seeds=(0,),
    keep=KeepConfig(),
)
THREE_CLASSES = Experiment(
    data=(DataConfig(classes=(1, 4, (7, 9)), n_train=150, n_test=90),),
    trigger=(TriggerConfig(size=2, pattern="random"),),
    poison=(PoisonConfig(labels="next"),),
    learners=(
        LearnerConfig("ridge", (1.0, 100.0)),
        LearnerConfig("rbf-svm", (0.1, 3.0), (0.05,)),
        LearnerConfig("linear-svm", (1.0,), method="refit", intercept="penalised"),
    ),
    rates=(0.2,),
    seeds=(0, 1),
    keep=KeepConfig(),
)
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</title></script><b>",
    "{{ 7 * 7 }} ]]> &amp; ${1}",
    "\u202eright to left\u202c אבג",
    "\x00\x1b[31m\u2028 controls",
    "long " * 2000,
)


@cache
def real_run(name: str) -> Run:
    """The run of "digits", "toy", "three-classes" or "partial" (a third of digits), computed once for all."""
    folder = Path(tempfile.mkdtemp(prefix="report-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    study = Study(name, ({"toy": TOY, "three-classes": THREE_CLASSES}.get(name, DIGITS),))
    shard = (1, 3) if name == "partial" else None
    list(run_study(study, folder / name, Wishes(n_jobs=1, memory=2.0**33, shard=shard)))
    return load_run(folder / name)


def cell(lam: float = 1.0, seed: int = 0, **changes: Any) -> Cell:
    """A cell of ridge, with some of its values replaced by anything."""
    return a_cell(lam=lam, seed=seed, **changes)


def numbers(accuracy: float = 0.9, asr: float = 0.1) -> dict[str, float]:
    """Numbers of a cell."""
    return {"clean_accuracy_at_1": accuracy, "asr_at_1": asr, "asr_at_0": 0.05, "theta": 0.5, "score_bound": 1e-9}


def made_up(
    cells: Sequence[tuple[Cell, dict[str, float] | str]],
    folder: Path,
    *,
    name: str = "made-up",
    curve: bytes | None = None,
    n_cells: int | None = None,
) -> Run:
    """A run of cells that were never computed: numbers, or the reason of a failure; all with one curve, or none."""
    path = folder / "run.sqlite"
    records = {} if curve is None else {"curve": curve}
    with Store(path) as store:
        for k, (one, found) in enumerate(cells):
            failed = isinstance(found, str)
            outcome = Outcome(f"{k:032x}", 0.1, {}, {}, found) if failed else Outcome(f"{k:032x}", 0.1, found, records)
            store.add(outcome, one, "0" * 32)
    stored = tuple(read_cells(path))
    study = Study(name, (DIGITS,))
    return Run(study, n_cells or len(cells), stored, "0.1.0", {one.key: path for one in stored})
