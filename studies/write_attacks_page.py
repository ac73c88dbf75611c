"""Write the tables of docs/attacks.md from runs: python studies/write_attacks_page.py runs/attacks-mnist ..."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import backdoor_curves as bc
from backdoor_curves.report.tables.attacks import Comparison, as_markdown, comparisons
from backdoor_curves.study.store.run import Run

PAGE = Path(__file__).parents[1] / "docs" / "attacks.md"
TABLES = (
    ("asr_at_1", True, "Attack success rate at β = 1, in %"),
    (
        "half_loss_beta",
        False,
        "Half-loss β: where the triggered loss has fallen to half of its value at β = 0 (–: no seed)",
    ),
    ("clean_accuracy_at_1", True, "Clean accuracy at β = 1, in %"),
)
MOVED = (("moved_l2", 1.0), ("moved_largest", 1.0), ("moved_share", 100.0))


def tables_of(run: Run) -> str:
    """Return the tables of a run that is whole, in Markdown."""
    if run.n_left or run.failed:
        raise SystemExit(f"{run.study.name}: a whole run was expected, {run.n_left} cells are left; run its study")
    (comparison,) = comparisons(run.cells)
    parts = [f"**{title}.**\n\n{as_markdown(comparison, name, share)}" for name, share, title in TABLES]
    return "\n\n".join([*parts, f"**How far a triggered row moves, in pixels.**\n\n{_moved(comparison)}"])


def _moved(comparison: Comparison) -> str:
    """Return how far rows move, and beside it in how many settings most of them go over."""
    lines = [
        "| attack | distance | largest entry | entries changed, % | settings of ASR over 50 % |",
        "|---|---|---|---|---|",
    ]
    for scenario, name in comparison.names.items():
        first = comparison.settings[0]
        found = [(comparison.number(scenario, first, quantity), factor) for quantity, factor in MOVED]
        cells = [f"{factor * one.mean:.3g}" for one, factor in found if one is not None]
        rates = [comparison.number(scenario, setting, "asr_at_1") for setting in comparison.settings]
        over = sum(one is not None and one.mean > 0.5 for one in rates)
        lines.append(f"| {name} | {' | '.join(cells)} | {over} of {len(rates)} |")
    return "\n".join(lines)


def written(page: str, name: str, tables: str) -> str:
    """Return a page with the tables of a run between its two marks."""
    marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
    found = re.sub(f"{marks[0]}.*?{marks[1]}", lambda _: f"{marks[0]}\n\n{tables}\n\n{marks[1]}", page, flags=re.DOTALL)
    if marks[0] not in page:
        raise SystemExit(f"{PAGE}: the mark {marks[0]} was expected, none is there")
    return found


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        one = bc.load_run(folder)
        text = written(PAGE.read_text(encoding="utf-8"), one.study.name, tables_of(one))
        PAGE.write_text(text, encoding="utf-8")
