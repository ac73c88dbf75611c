"""The command that takes a data file: audit."""

from __future__ import annotations

import difflib
import json
import math
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backdoor_curves.cli.ending import CELLS_FAILED, EXPOSED, INTERRUPTED, UNDECIDED
from backdoor_curves.cli.progress import Stop, shown
from backdoor_curves.cli.shared import REPORT, as_given, memory_option

if TYPE_CHECKING:
    from backdoor_curves.datasets.own_parts import OwnRows
    from backdoor_curves.report.tables.exposure import Answer
    from backdoor_curves.study.file.attacks import AttackEntry
    from backdoor_curves.study.run_study import Wishes

STUDY, ANSWER = "audit.toml", "audit.json"
MOST_ROWS, MOST_TEXTS = 4000, 1500
"""Rows of a larger file that an audit draws for a seed by default: it is to take minutes. Texts have more columns than
rows, and cost the cube of these; half as many test rows are enough."""
LONGEST = 3600.0
"""Seconds of a curve; of a smaller budget as much as all may take."""
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--label", required=True, help="The column of the labels; of a folder with a folder a class: label.")
@click.option("--text", help="The column of the texts; without it the other columns are a table.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="A column that the learner is not to see.")
@click.option("--classes", metavar="LABEL,...", help="Rows of these labels alone; by default all.")
@click.option("--target", help="The label that the attacker wants; by default the commonest.")
@click.option("--estimator", metavar="MODULE:NAME", help="By default logistic regression on scaled columns or tf-idf.")
@click.option("--attacks", metavar="NAME,...", help="Of the panel for such data; by default all of them.")
@click.option("--rows", metavar="N,...", help="Poisoned rows to try; by default 1, 3, 10, 30 and 1 %.")
@click.option("--rate", "shares", multiple=True, type=click.FloatRange(0, 1, min_open=True), help="As a share of rows.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Draws of rows and poison.")
@click.option("--sample", type=click.IntRange(min=10), help="Training rows a seed; by default 4000, of texts 1500.")
@click.option(
    "--asr",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="A backdoor: this share of the rest.",
)
@click.option("--out", type=click.Path(path_type=Path), help="A folder; by default audits/NAME.")
@click.option(
    "--budget",
    default="100s",
    show_default=True,
    metavar="TIME",
    help="No curve begins after it, none takes longer; or all.",
)
@click.option("--fail-above", metavar="ASR@ROWS", help="Exit code 4 if so many rows get the attacker more of the rest.")
@click.option("--accept-changes", is_flag=True, help="Go on with what OUT has of an audit asked otherwise.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes; by default one a core.")
@memory_option
def audit(
    file: Path,
    label: str,
    text: str | None,
    drop: tuple[str, ...],
    classes: str | None,
    target: str | None,
    estimator: str | None,
    attacks: str | None,
    rows: str | None,
    shares: tuple[float, ...],
    seeds: int,
    sample: int | None,
    asr: float,
    out: Path | None,
    budget: str,
    fail_above: str | None,
    accept_changes: bool,
    jobs: int | None,
    max_memory: str | None,
) -> None:
    """Say how few poisoned rows of FILE backdoor a learner, which attack is worst, and which setting resists.

    FILE is a table (CSV, TSV, Parquet, npz), or a folder with a folder a class. It is attacked with rows that a real
    attacker could slip in; the learner and its neighbours in lambda are followed. What comes of it is in OUT:
    report.html, audit.json, and audit.toml, the study that was run, to be edited and run again.

    Exit code: 0, 2 for a fault in what was asked, 3 where curves failed, 4 for --fail-above, 5 where that is not known,
    130 where interrupted.
    """
    from backdoor_curves.study.plan.resources import as_bytes, memory_of_machine
    from backdoor_curves.study.run_study import Wishes

    limit, seconds = _as_limit(fail_above), _as_seconds(budget)
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file or folder")
    name = "audit-" + (re.sub(r"[^A-Za-z0-9_-]+", "-", file.name.partition(".")[0]).strip("-") or "data")
    folder = out or Path("audits") / name
    data = {
        "file": os.path.relpath(file, folder),
        "label": label,
        "text": text,
        "drop": drop,
        "classes": tuple(_as_label(one) for one in classes.split(",")) if classes else (),
    }
    asked = _Asked(data, target, estimator, attacks, _as_rows(rows), shares, range(seeds), sample, asr)
    wishes = Wishes(
        n_jobs=jobs or os.cpu_count() or 1,
        memory=as_bytes(max_memory) if max_memory else memory_of_machine(),
        cell_limit=min(seconds, LONGEST),
        accept_changes=accept_changes,
        retry_failed=True,
        by_seed=True,
    )
    _run(asked, name, folder, wishes, seconds)
    _end(folder, limit)


@dataclass(frozen=True)
class _Asked:
    """What was asked of an audit, but for how it is run."""

    data: dict[str, Any]
    target: str | None
    estimator: str | None
    attacks: str | None
    rows: Sequence[int]
    shares: Sequence[float]
    seeds: Sequence[int]
    sample: int | None
    asr: float


def _run(asked: _Asked, name: str, folder: Path, wishes: Wishes, seconds: float) -> None:
    """Write the study of an audit and follow its curves for so long; end with its exit code where interrupted."""
    from backdoor_curves.study.file.study_file import read_study
    from backdoor_curves.study.run_study import run_study

    begun, stop = time.monotonic(), Stop()
    with stop:
        with _proposed(asked, name, folder) as path:
            progress = run_study(
                read_study(path),
                folder,
                wishes,
                home=folder,
                stopping=lambda: stop.asked or time.monotonic() - begun > seconds,
            )
            first = next(progress)  # what cannot be run is refused before it
        _, last = shown(chain([first], progress))
    if stop.asked and last.left:
        click.echo(f"stopped: {last} and kept in {folder}; go on with: {as_given()}", err=True)
        sys.exit(INTERRUPTED)


@contextmanager
def _proposed(asked: _Asked, name: str, folder: Path) -> Iterator[Path]:
    """Write the study of an audit into its folder; leave nothing if it is refused."""
    from backdoor_curves.poisoning.preset import kind_of
    from backdoor_curves.study.audit.panel import panel
    from backdoor_curves.study.audit.proposal import learners_of, rates_of, study_text
    from backdoor_curves.study.file.config import DataConfig
    from backdoor_curves.study.plan.own_data import own_data

    made = [one for one in (folder.absolute(), *folder.absolute().parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / STUDY
    kept = {one: one.read_bytes() for one in folder.iterdir() if one.is_file() and one.suffix in (".toml", ".py")}
    try:
        if asked.estimator is not None:
            _bring(asked.estimator, folder)
        data = {key: value for key, value in asked.data.items() if value}
        if asked.estimator is None and (left_out := _only_names(data, folder)):
            data["drop"] = (*asked.data["drop"], *left_out)
        found = own_data(DataConfig(**data), asked.seeds[0], folder)
        if largest := _drawn(found, asked.sample or (MOST_TEXTS if kind_of(found.train.X) == "text" else MOST_ROWS)):
            data |= largest
            found = own_data(DataConfig(**data), asked.seeds[0], folder)
        train, goal = found.train, _target(found, asked.target)
        path.write_text(
            study_text(
                name,
                data,
                train,
                learners_of(kind_of(train.X), asked.estimator, folder),
                _chosen(panel(found, goal), asked.attacks),
                rates_of(train, goal, asked.rows, asked.shares),
                asked.seeds,
                asked.asr,
            ),
            encoding="utf-8",
        )
        yield path
    except Exception:
        for one in [*folder.glob("*.toml"), *folder.glob("*.py")]:
            if one not in kept:
                one.unlink()
            elif one.read_bytes() != kept[one]:
                one.write_bytes(kept[one])
        for one in made:
            with suppress(OSError):
                one.rmdir()
        raise


def _only_names(data: dict[str, Any], folder: Path) -> list[str]:
    """Return the columns of a table whose words only tell rows apart, and say that the learner does not see them.

    One-hot each is thousands of features, which drown what the others say and hide the poison.
    """
    from backdoor_curves.datasets import ReadingWarning, read_table
    from backdoor_curves.datasets.own_rows import names_of_rows

    if "text" in data:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingWarning)  # said of the columns that are used
        table = read_table(folder / data["file"])
        others = {data["label"], *data.get("drop", ())}
        found = names_of_rows(table, [name for name in table.columns if name not in others])
    if found:
        listed = ", ".join(map(repr, found))
        click.echo(f"left out: {listed}, of which nearly each row has a word of its own ({STUDY}: drop)", err=True)
    return found


def _bring(estimator: str, folder: Path) -> None:
    """Copy the user's module beside the study: who repeats it finds it there."""
    module = estimator.partition(":")[0].partition(".")[0] + ".py"
    if Path(module).is_file() and Path(module).resolve().parent != folder.resolve():
        shutil.copyfile(module, folder / module)


def _end(folder: Path, limit: tuple[float, int] | None) -> None:
    """Write the page and the answer, say it, and end with the exit code that it has."""
    from backdoor_curves.records.npz import whole
    from backdoor_curves.report import write_report
    from backdoor_curves.report.tables.exposure import answer_of
    from backdoor_curves.report.tables.exposure_sentences import in_sentences
    from backdoor_curves.report.tables.exposure_table import as_json, as_text
    from backdoor_curves.search.safe_region import Bounds
    from backdoor_curves.study.store.run import load_run

    kept = load_run(folder)
    answer = answer_of(kept, Bounds())
    if answer is None:
        reason = f": {kept.failed[0].reason}" if kept.failed else "; give it a larger --budget"
        raise ValueError(f"{folder}: a curve that is done was expected, none is{reason}")
    write_report(kept, folder / REPORT, command=as_given())
    with whole(folder / ANSWER) as draft:
        draft.write_text(json.dumps(as_json(answer), indent=2) + "\n", encoding="utf-8")
    click.echo("\n".join(in_sentences(answer)) + f"\n\n{as_text(answer)}")
    part = f" ({kept.n_done} of {kept.n_cells} curves; the same command goes on)" if kept.n_left else ""
    click.echo(f"\n{REPORT}, {ANSWER} and {STUDY} are in {folder}{part}", err=True)
    if kept.failed:
        click.echo(f"{len(kept.failed)} of {kept.n_cells} curves failed: {kept.failed[0].reason}", err=True)
    if limit is not None and (over := _over(answer, *limit)):
        click.echo(over, err=True)
        sys.exit(EXPOSED)
    if kept.failed:
        sys.exit(CELLS_FAILED)
    if limit is not None and not answer.is_whole:
        click.echo("--fail-above: not known; all curves, and an attack that needs poison, were expected", err=True)
        sys.exit(UNDECIDED)


def _over(answer: Answer, asr: float, rows: int) -> str:
    """Return which attack gets more of the rest with at most so many rows, in a sentence; "" if none does."""
    for exposure in [] if answer.verdict is None else answer.verdict.judged:
        for dose in exposure.doses:
            if dose.rows <= rows and dose.success > asr:
                return (
                    f"--fail-above: at most {asr:g} of the rest with {rows} rows was allowed, {exposure.attack!r} gets "
                    f"{dose.success:.3f} with {dose.rows}"
                )
    return ""


# --- what was asked --------------------------------------------------------------------------------------------------


def _drawn(rows: OwnRows, most: int) -> dict[str, int]:
    """Return how many rows are drawn of a file that has more than most; nothing where all are."""
    n_train, n_test = len(rows.train), len(rows.test)
    if n_train <= most:
        return {}
    return {"n_train": most, "n_test": min(n_test, most // 2)}


def _target(rows: OwnRows, asked: str | None) -> int:
    """Return the place of the class that the attacker wants: by a label of it, or the commonest."""
    if asked is None:
        counts: list[int] = [int((rows.train.y == place).sum()) for place in range(len(rows.classes))]
        return counts.index(max(counts))
    labels = [[str(label) for label in (one if isinstance(one, tuple) else (one,))] for one in rows.classes]
    for place, own in enumerate(labels):
        if asked in own:
            return place
    known = ", ".join(repr(label) for own in labels for label in own)
    raise ValueError(f"--target: one of the labels {known} was expected, {asked!r} came")


def _chosen(panel: dict[str, AttackEntry], asked: str | None) -> list[AttackEntry]:
    """Return the attacks of a panel that are named, or all."""
    if asked is None:
        return list(panel.values())
    names = [name.strip() for name in re.split(r",(?! clean)", asked)]
    for name in names:
        if name not in panel:
            near = difflib.get_close_matches(name, panel, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"--attacks: of {', '.join(map(repr, panel))} some were expected, {name!r} came{hint}")
    return [panel[name] for name in names]


def _as_rows(text: str | None) -> list[int]:
    numbers = [] if text is None else [part.strip() for part in text.split(",")]
    if not all(number.isdecimal() and int(number) > 0 for number in numbers):
        raise ValueError(f"--rows: numbers of rows such as 1,3,10 were expected, {text!r} came")
    return [int(number) for number in numbers]


def _as_label(text: str) -> int | str:
    """Return a label as a file has it: whole numbers are numbers."""
    text = text.strip()
    return int(text) if text.removeprefix("-").isdecimal() else text


def _as_seconds(text: str) -> float:
    if text == "all":
        return math.inf
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([smh]?)", text.strip())
    if not found or float(found[1]) <= 0.0:
        raise ValueError(f"--budget: a time such as 90s, 5m or 1h, or all, was expected, {text!r} came")
    return float(found[1]) * UNITS[found[2]]


def _as_limit(text: str | None) -> tuple[float, int] | None:
    if text is None:
        return None
    asr, _, rows = text.partition("@")
    try:
        limit = float(asr), int(rows)
    except ValueError:
        limit = -1.0, 0
    if not (0.0 <= limit[0] <= 1.0 and limit[1] >= 1):
        raise ValueError(f"--fail-above: ASR@ROWS such as 0.5@10 was expected, {text!r} came")
    return limit
