"""Commands that take a study: run, check."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backdoor_curves.cli.ending import CELLS_FAILED, INTERRUPTED
from backdoor_curves.cli.progress import Stop, duration, shown
from backdoor_curves.cli.shared import REPORT, as_given, data_dir_option, memory_option, offline_option

if TYPE_CHECKING:
    from backdoor_curves.data.samples import Samples
    from backdoor_curves.study.plan.cells import Group

_study = click.argument("study", required=False, type=click.Path(path_type=Path))
_out = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs are kept."
)


@click.command()
@_study
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes; by default one a core.")
@_out
@click.option("--shard", metavar="I/N", help="Do the I-th of N parts, into a file of its own in the same folder.")
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="Have the work done by the workers of a dask scheduler.")
@memory_option
@click.option(
    "--cell-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=3600.0,
    show_default=True,
    metavar="SECONDS",
    help="After which a cell is stopped, and counted as failed.",
)
@click.option("--retry-failed", is_flag=True, help="Try cells again that failed.")
@click.option("--accept-changes", is_flag=True, help="Go on with a study that has changed since its run began.")
@data_dir_option
@offline_option
def run(
    study: Path | None,
    jobs: int | None,
    out: Path,
    shard: str | None,
    scheduler: str | None,
    max_memory: str | None,
    cell_limit: float,
    retry_failed: bool,
    accept_changes: bool,
    data_dir: Path | None,
    offline: bool,
) -> None:
    """Run STUDY.toml, or the built-in study of handwritten digits; again, to go on where it stopped.

    Each finished cell is kept in OUT/NAME at once. A whole run leaves its table, results.csv, report.html and a figure
    a learner there, and prints the table: a line for each learner, lambda, gamma and poison rate p, mean and standard
    deviation over seeds. Ctrl-C ends a run after the cells at work; again ends it at once.

    Exit code: 0, 2 for a fault in what was asked, 3 where cells failed, 130 where it was interrupted.
    """
    from backdoor_curves.study.file.study_file import built_in_study, read_study
    from backdoor_curves.study.plan.resources import as_bytes, memory_of_machine
    from backdoor_curves.study.run_study import Wishes, run_study

    if scheduler is not None:
        from backdoor_curves.study.compute.cluster import require_address

        require_address(scheduler)
    asked = built_in_study() if study is None else read_study(study)
    wishes = Wishes(
        n_jobs=jobs or os.cpu_count() or 1,
        memory=as_bytes(max_memory) if max_memory else memory_of_machine(),
        cell_limit=cell_limit,
        shard=_as_shard(shard),
        scheduler=scheduler,
        retry_failed=retry_failed,
        accept_changes=accept_changes,
    )
    folder = out / asked.name
    stop = Stop()
    with stop:
        progress = run_study(
            asked,
            folder,
            wishes,
            data_dir=data_dir,
            offline=offline,
            home=None if study is None else study.parent,
            stopping=lambda: stop.asked,
        )
        first, last = shown(progress)
    if stop.asked and last.left:
        click.echo(f"stopped: {last} and kept in {folder}; go on with: {as_given()}", err=True)
        sys.exit(INTERRUPTED)
    _end(folder, something_done=first != last, shard=wishes.shard)


def _as_shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    index, _, count = text.partition("/")
    if index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
        return int(index), int(count)
    raise ValueError(f"--shard: I/N with 1 <= I <= N, such as 2/8, was expected, {text!r} came")


def _end(folder: Path, something_done: bool, shard: tuple[int, int] | None) -> None:
    """Print the table of a whole run and write it down; of a part say what is left."""
    from backdoor_curves.report import write_report
    from backdoor_curves.report.summary import write_summary
    from backdoor_curves.study.store.run import load_run

    kept = load_run(folder)
    if kept.n_left:
        part = f"shard {shard[0]} of {shard[1]} is complete; " if shard else ""
        click.echo(f"{part}{kept.n_done} of {kept.n_cells} cells of the whole are in {folder}", err=True)
    else:
        if something_done or not (folder / "table.txt").is_file():
            write_summary(kept, folder)
        if kept.study.report and (something_done or not (folder / REPORT).is_file()):
            write_report(kept, folder / REPORT, command=as_given())
        click.echo((folder / "table.txt").read_text(encoding="utf-8"), nl=False)
        if something_done:
            drawn = ", a figure for each learner" if kept.study.figures and kept.n_done else ""
            page = f", {REPORT}" if kept.study.report else ""
            click.echo(f"\n{kept.n_done} curves{drawn}{page} and results.csv are in {folder}", err=True)
        else:
            click.echo(f"\n{folder} is complete, nothing was computed; remove it to run the study anew", err=True)
    if kept.failed:
        click.echo(
            f"{len(kept.failed)} of {kept.n_cells} cells failed, the first: {kept.failed[0].reason}; "
            "--retry-failed tries them again",
            err=True,
        )
        sys.exit(CELLS_FAILED)


@click.command()
@_study
@memory_option
@data_dir_option
@offline_option
def check(study: Path | None, max_memory: str | None, data_dir: Path | None, offline: bool) -> None:
    """Check STUDY.toml and its data, and print the plan: cells, groups, about how much time and memory.

    An estimator of one's own that is to be refitted is fitted once, to know how long that takes.

    Exit code: 0, or 2 with a line for each fault.
    """
    from backdoor_curves.study.compute.fit_times import fit_times, in_words
    from backdoor_curves.study.file.study_file import built_in_study, read_study
    from backdoor_curves.study.plan.cells import make_plan, require_sense
    from backdoor_curves.study.plan.names import attack_name, data_name, learner_name
    from backdoor_curves.study.plan.resources import (
        as_bytes,
        memory_of,
        memory_of_machine,
        require_memory,
        seconds_of_all,
    )
    from backdoor_curves.study.plan.sources import draw

    asked = built_in_study() if study is None else read_study(study)
    plan = make_plan(asked, data_dir, offline, home=None if study is None else study.parent)

    def rows_of(group: Group) -> tuple[Samples, Samples]:
        return draw(group.first.scenario.data, group.first.seed, data_dir, offline, group.home)

    require_sense(plan, rows_of)
    groups = "1 group that shares" if len(plan.groups) == 1 else f"{len(plan.groups)} groups that share"
    cells = "1 cell" if len(plan.cells) == 1 else f"{len(plan.cells)} cells"
    click.echo(f"{asked.name}: {cells} in {groups} data and kernels")
    parts = ((one.cell.scenario, one.cell.setting.learner) for one in plan.cells)
    counts = Counter(
        (data_name(scenario.data), attack_name(scenario), learner_name(learner)) for scenario, learner in parts
    )
    for words, count in counts.items():
        click.echo(f"  {count:>7} {' | '.join(words)}")
    needed = max(map(memory_of, plan.groups))
    cores = os.cpu_count() or 1
    fits = fit_times(plan, rows_of)
    for line in in_words(fits):
        click.echo(f"  {line}")
    seconds = duration(seconds_of_all(plan.cells, plan, {at: one.fits * one.seconds for at, one in fits.items()}))
    click.echo(f"about {seconds} of one core (there are {cores}), at most {needed / 2**30:.2g} GiB a process")
    require_memory(plan, as_bytes(max_memory) if max_memory else memory_of_machine())
