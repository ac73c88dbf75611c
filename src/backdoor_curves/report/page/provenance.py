"""How a run was made: counts, data, versions, certificates, failures, and the study as a file that makes it again."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import scipy
import sklearn

from backdoor_curves.records.version import __version__
from backdoor_curves.report.page.content import Content
from backdoor_curves.report.page.words import number, shown
from backdoor_curves.report.tables.text import PROVED
from backdoor_curves.study.file.config import Study
from backdoor_curves.study.plan.names import where
from backdoor_curves.study.store.stored_cell import StoredCell

BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A key that a TOML file has without quotation marks."""
MOST_REASONS, MOST_EXAMPLES = 20, 5


@dataclass(frozen=True)
class Failure:
    """A reason, how many cells failed for it, and where some of them are."""

    reason: str
    count: int
    examples: tuple[str, ...]


def facts(content: Content, command: str) -> list[tuple[str, str]]:
    """Return what is to be known of a run, by name."""
    run = content.run
    found = [
        ("Cells", status_line(content)),
        ("Seeds", ", ".join(map(str, content.seeds[:40])) + (" …" if len(content.seeds) > 40 else "")),
        ("Exactness", _exactness(run.cells)),
        ("Run by", f"backdoor-curves {shown(run.version)}"),
        (
            "Page written by",
            f"backdoor-curves {__version__}, Python {platform.python_version()}, numpy {np.__version__}, "
            f"scipy {scipy.__version__}, scikit-learn {sklearn.__version__}",
        ),
        ("Computing time", f"{number(sum(cell.seconds for cell in run.cells))} s by the clock, in all cells together"),
    ]
    return [*found, ("Command", shown(command))] if command else found


def status_line(content: Content) -> str:
    """Return how many cells of how many are done, failed and left."""
    run = content.run
    failed = f", {len(run.failed)} failed" if run.failed else ""
    left = f", {run.n_left} are left to be computed" if run.n_left else ""
    return f"{run.n_done} of {run.n_cells} cells are done{failed}{left}"


def failures(content: Content) -> tuple[list[Failure], int]:
    """Return the commonest reasons with examples, and how many reasons are not among them."""
    listed = [
        Failure(shown(reason), len(cells), tuple(_where(cell) for cell in cells[:MOST_EXAMPLES]))
        for reason, cells in content.failures[:MOST_REASONS]
    ]
    return listed, len(content.failures) - len(listed)


def _where(cell: StoredCell) -> str:
    return shown(where(cell.cell), 300)


def _exactness(cells: Sequence[StoredCell]) -> str:
    """Say how far a score may be from the optimum's, and which curves have no such bound."""
    done = [cell for cell in cells if cell.status == "done"]
    bounds = [bound for cell in done if (bound := cell.numbers.get("score_bound")) is not None]
    proved = [bound for bound in bounds if bound <= PROVED]
    missed = sum(bool(cell.numbers.get("betas_missed")) for cell in done)
    said = []
    if proved:
        said.append(
            f"{len(proved)} curves are exact: no score of a test row is further than {number(max(proved), 2)} from the "
            "optimum's at the betas that were certified (the bound of each setting is in its table)"
        )
    if len(bounds) > len(proved):
        said.append(
            f"{len(bounds) - len(proved)} curves were followed and are not proved: at some betas a score may be off by "
            f"up to {number(max(bounds), 2)}"
        )
    if n_trained := sum(cell.is_trained for cell in done):
        said.append(
            f"{n_trained} curves are of networks, trained at all their betas: rates and slopes there are exact, what "
            "stands between these betas is an estimate, areas and half-loss betas among it"
        )
    if n_refitted := len(done) - len(bounds) - n_trained:
        said.append(f"{n_refitted} curves were refitted beta by beta and have no such bound")
    if missed:
        said.append(f"{missed} curves have betas at which the tolerance was missed or a solver did not converge")
    return "; ".join(said) or "nothing is done"


def as_toml(study: Study) -> str:
    """Return a study as the file that `read_study` reads back to the same study.

    Examples
    --------
    >>> from backdoor_curves.report.page.provenance import as_toml
    >>> from backdoor_curves.study.file.study_file import built_in_study
    >>> print(as_toml(built_in_study())[:15])
    name = "digits"
    """
    table = msgspec.to_builtins(study)
    experiments = table.pop("experiments")
    lines = [f"{key} = {_toml(value)}" for key, value in table.items() if value is not None]
    for experiment in experiments:
        for key in _unsaid(experiment):
            del experiment[key]
        for learner in experiment["learners"]:  # a file has tables of what records have as pairs
            learner |= {key: dict(learner[key]) for key in ("parameters", "grid") if learner[key] is not None}
        lines += ["", "[[experiments]]", *(f"{key} = {_toml(value)}" for key, value in experiment.items())]
    return "\n".join(lines) + "\n"


def _unsaid(experiment: dict[str, Any]) -> tuple[str, ...]:
    """Return the parts of an experiment that its file has not: one kind of attack, or of a source any."""
    if any(data["suspect"] is not None or data["poison"] is not None for data in experiment["data"]):
        return "rates", "trigger", "poison", "attacks"
    return ("trigger", "poison") if experiment["attacks"] else ("attacks",)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_toml(part)}" for key, part in value.items() if part is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)  # strings, numbers and truth are written alike


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else json.dumps(name)
