"""A study of seconds, and its results, for tests that need no more."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from backdoor_curves.study.config import DataConfig, LearnerConfig, PoisonConfig, Study
from backdoor_curves.study.work import CellResult, cells, compute


def small(**changes: Any) -> Study:
    """Ridge on 60 of the bundled digits, two rates and two seeds; `changes` replaces parts of it."""
    parts: dict[str, Any] = {
        "name": "small",
        "learners": [LearnerConfig("ridge", [1.0])],
        "rates": [0.1, 0.5],
        "seeds": [0, 1],
        "data": DataConfig(n_train=60, n_test=40),
        "poison": PoisonConfig(control=True),
    }
    return Study(**parts | changes)


def computed(study: Study, n_jobs: int = 1) -> list[CellResult]:
    """The results of a study in the order of its cells."""
    order = cells(study)
    return sorted(compute(study, n_jobs), key=lambda result: order.index(result.cell))


@cache
def small_results() -> tuple[CellResult, ...]:
    """The results of `small()`, computed once: nothing changes them."""
    return tuple(computed(small()))


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its content, and every folder."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}
