"""Runs that were never computed: cells with the numbers that a test gives them."""

from collections.abc import Callable
from itertools import product

from backdoor_curves.study.file.config import DataConfig, QuestionConfig, Study, TriggerConfig
from backdoor_curves.study.plan.scenario import Cell, Learner, Scenario, Setting
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.stored_cell import StoredCell

DIGITS = DataConfig("digits")
QUESTION = QuestionConfig("How much does size matter?", "trigger.size", "the side")


def run_of(
    numbers: Callable[[str, int, int], dict],
    *,
    kinds=("ridge", "logistic"),
    sizes=(1, 2, 4),
    seeds=range(10),
    data=DIGITS,
    failed="",
) -> Run:
    """A run over kinds of learners, sides of a patch and seeds, with the numbers of each cell."""
    cells = []
    for kind, size, seed in product(kinds, sizes, seeds):
        scenario = Scenario(data, TriggerConfig(size=size), None, 0.1)
        cell = Cell(scenario, Setting.of(Learner(kind), {"lambda": 1.0}), seed)
        status = "failed" if failed else "done"
        key = f"{kind}-{size}-{seed}"
        cells.append(StoredCell(key, status, cell, "rows", numbers(kind, size, seed), failed, 1.0))
    return Run(Study("made", ()), len(cells), tuple(cells), "0", {})


def halving(kind: str, size: int, seed: int) -> dict:
    """Half-loss betas that a doubling of the side halves, of logistic regression quarters; seeds differ as a whole."""
    power = 1 if kind == "ridge" else 2
    return {
        "half_loss_beta": 0.5 * (1 + 0.1 * seed) / size**power * (1 + 0.001 * (seed % 3)),
        "asr_at_1": min(1.0, 0.5 + 0.1 * size + 0.001 * seed * size),
        "clean_accuracy_at_1": 0.9,
    }
