"""The command `backdoor-curves`."""

from __future__ import annotations

import io
import os
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from backdoor_curves import __version__
from backdoor_curves.one_line import one_line
from backdoor_curves.progress import Stop, duration, shown

# Only click is imported here: the command must answer --help before scikit-learn and matplotlib are loaded.

REPORT = "report.html"
USAGE_ERROR, CELLS_FAILED, INTERRUPTED = 2, 3, 130


class _OneLineErrors(click.Group):
    """A group of commands whose errors are a sentence and exit code 2, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a code page without a beta is no reason to fail
        try:
            with _warnings_in_a_line():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("backdoor-curves: interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except (click.exceptions.Exit, BrokenPipeError):  # click knows what to do with these
            raise
        except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
            if os.environ.get("BACKDOOR_CURVES_TRACEBACK"):
                raise
            for sentence in _sentences(error):
                click.echo(f"backdoor-curves: {sentence}", err=True)
            ctx.exit(USAGE_ERROR)


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show the package's own warnings as errors are, and each once; others as Python does."""
    said: set[str] = set()

    def show(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
        text = one_line(message)
        if not category.__module__.startswith("backdoor_curves."):
            others(message, category, *where, **more)
        elif text not in said:
            said.add(text)
            click.echo(f"backdoor-curves: {text}", err=True)

    with warnings.catch_warnings():
        others, warnings.showwarning = warnings.showwarning, show
        yield


def _sentences(error: Exception) -> list[str]:
    """Return an error in one line, or a study's faults with a line for each."""
    if type(error).__name__ == "StudyError":  # its module is not loaded unless it was raised
        return str(error).splitlines()
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    return [where + one_line(text)]


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="backdoor-curves")
def main() -> None:
    """Backdoor learning curves: how a model learns a backdoor as the poison's weight beta grows from 0 to 1."""


_data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder with data files; before BACKDOOR_CURVES_DATA and the cache.",
)
_offline = click.option("--offline", is_flag=True, help="Never use the network.")


_study = click.argument("study", required=False, type=click.Path(path_type=Path))
_out = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs are kept."
)
_memory = click.option("--max-memory", metavar="SIZE", help="Such as 8GB; by default three quarters of the machine's.")


@main.command()
@_study
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes; by default one a core.")
@_out
@click.option("--shard", metavar="I/N", help="Do the I-th of N parts, into a file of its own in the same folder.")
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="Have the work done by the workers of a dask scheduler.")
@_memory
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
@_data_dir
@_offline
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
    from backdoor_curves.study.config import built_in_study, read_study
    from backdoor_curves.study.needs import as_bytes, memory_of_machine
    from backdoor_curves.study.running import Wishes, run_study

    if scheduler is not None:
        from backdoor_curves.study.cluster import require_address

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
        progress = run_study(asked, folder, wishes, data_dir=data_dir, offline=offline, stopping=lambda: stop.asked)
        first, last = shown(progress)
    if stop.asked and last.left:
        click.echo(f"stopped: {last} and kept in {folder}; go on with: {_command()}", err=True)
        sys.exit(INTERRUPTED)
    _end(folder, something_done=first != last, shard=wishes.shard)


def _command() -> str:
    """Return the command as it was given."""
    return shlex.join(["backdoor-curves", *sys.argv[1:]])


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
    from backdoor_curves.study.run import load_run
    from backdoor_curves.study.running import write_summary

    kept = load_run(folder)
    if kept.n_left:
        part = f"shard {shard[0]} of {shard[1]} is complete; " if shard else ""
        click.echo(f"{part}{kept.n_done} of {kept.n_cells} cells of the whole are in {folder}", err=True)
    else:
        if something_done or not (folder / "table.txt").is_file():
            write_summary(kept, folder)
        if kept.study.report and (something_done or not (folder / REPORT).is_file()):
            write_report(kept, folder / REPORT, command=_command())
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


@main.command()
@_study
@_memory
@_data_dir
@_offline
def check(study: Path | None, max_memory: str | None, data_dir: Path | None, offline: bool) -> None:
    """Check STUDY.toml and its data, and print the plan: cells, groups, about how much time and memory.

    Exit code: 0, or 2 with a line for each fault.
    """
    from backdoor_curves.study.config import built_in_study, read_study
    from backdoor_curves.study.needs import (
        as_bytes,
        memory_of,
        memory_of_machine,
        require_memory,
        seconds_of_all,
    )
    from backdoor_curves.study.plan import make_plan, require_sense
    from backdoor_curves.study.sources import draw

    asked = built_in_study() if study is None else read_study(study)
    plan = make_plan(asked, data_dir, offline)
    require_sense(plan, lambda group: draw(group.first.data, group.first.seed, data_dir, offline))
    groups = "1 group that shares" if len(plan.groups) == 1 else f"{len(plan.groups)} groups that share"
    cells = "1 cell" if len(plan.cells) == 1 else f"{len(plan.cells)} cells"
    click.echo(f"{asked.name}: {cells} in {groups} data and kernels")
    counts: dict[tuple[str, str, str], int] = {}
    for planned in plan.cells:
        row = planned.cell.coordinates()
        place = (row["data"], row["trigger"], row["learner"])
        counts[place] = counts.get(place, 0) + 1
    for place, count in counts.items():
        click.echo(f"  {count:>7} {' | '.join(place)}")
    needed = max(map(memory_of, plan.groups))
    cores = os.cpu_count() or 1
    seconds = duration(seconds_of_all(plan.cells, plan))
    click.echo(f"about {seconds} of one core (there are {cores}), at most {needed / 2**30:.2g} GiB a process")
    require_memory(plan, as_bytes(max_memory) if max_memory else memory_of_machine())


_run = click.argument("run", type=click.Path(path_type=Path), default=Path("runs/digits"))


@main.command()
@_run
def status(run: Path) -> None:
    """Say how far RUN, a folder such as runs/digits, has come; safe while it runs.

    Exit code: 0, 2 if there is no run, 3 where cells failed.
    """
    from collections import Counter

    from backdoor_curves.study.run import load_run

    kept = load_run(run)
    failed = kept.failed
    click.echo(
        f"{kept.study.name}: {kept.n_done} of {kept.n_cells} cells done, {len(failed)} failed, {kept.n_left} left"
    )
    for reason, count in Counter(cell.reason for cell in failed).most_common(10):
        click.echo(f"  {count} failed: {reason}")
    for digest, count in kept.data_hashes.items():
        click.echo(f"  {count} cells on data {digest}")
    if failed:
        sys.exit(CELLS_FAILED)


_share = click.FloatRange(min=0, max=1)


@main.command()
@_run
@click.option("--margin", type=_share, default=0.02, show_default=True, help="Below the best clean accuracy, and safe.")
@click.option("--asr", type=_share, default=0.2, show_default=True, help="Largest attack success rate that is safe.")
@click.option("--out", type=click.Path(path_type=Path), help="The file; by default report.html in the run's folder.")
@click.option("--open", "show", is_flag=True, help="Show it in the browser.")
def report(run: Path, margin: float, asr: float, out: Path | None, show: bool) -> None:
    """Write the page of RUN, one HTML file: is a learner easy to backdoor, and where is it safe?

    Safe is a setting whose clean accuracy is within MARGIN of the best of its learner, and whose attack success rate is
    at most ASR. A run that is not done gives a report of what there is.
    """
    import webbrowser

    from backdoor_curves.report import write_report
    from backdoor_curves.study.run import load_run
    from backdoor_curves.study.safety import Bounds

    kept = load_run(run)
    path = out or (run if run.is_dir() else run.parent) / REPORT
    write_report(kept, path, bounds=Bounds(margin, asr), command=_command())
    click.echo(f"{kept.n_done} of {kept.n_cells} cells are in {path}", err=True)
    if show and not webbrowser.open(path.absolute().as_uri()):
        click.echo(f"no browser was found; open {path} yourself", err=True)


@main.command()
@_run
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl", "parquet"]), default="csv", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file; by default standard output.")
@click.option("--statistics", is_flag=True, help="A line for each setting and quantity: mean, sd, interval over seeds.")
def export(run: Path, kind: str, output: Path | None, statistics: bool) -> None:
    """Write the cells of RUN, as many as are done, as a table for other programs."""
    from backdoor_curves.study.export import as_csv, as_json_lines, write_parquet
    from backdoor_curves.study.run import load_run
    from backdoor_curves.study.targets import require_file

    if output is not None:
        require_file(output, f"{run.stem}.{kind}")
    kept = load_run(run)
    table = kept.statistics() if statistics else kept.table()
    if kind == "parquet":
        if output is None:
            raise ValueError("--output: a file was expected for Parquet, none came")
        write_parquet(table, output)
    else:
        text = as_csv(table) if kind == "csv" else as_json_lines(table)
        if output is None:
            click.echo(text, nl=False)
        else:
            output.write_text(text, encoding="utf-8")
    click.echo(f"{kept.n_done} of {kept.n_cells} cells, {len(kept.failed)} failed, {kept.n_left} left", err=True)


@main.command()
@_run
@click.option("--format", "kind", type=click.Choice(["pdf", "svg", "png"]), default="pdf", show_default=True)
@click.option("--width", type=click.Choice(["single", "double"]), default="double", show_default=True, help="Columns.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder; by default figures in RUN.")
def figures(run: Path, kind: str, width: Any, out: Path | None) -> None:
    """Draw RUN for print: curves of each learner, slopes, deviations and safe regions, as many cells as are done.

    The same run gives the same files byte for byte, with the same version of matplotlib.
    """
    from backdoor_curves.display.print_style import fit_width, print_style
    from backdoor_curves.display.saving import save_figure
    from backdoor_curves.study.figures import figures_for_print
    from backdoor_curves.study.run import load_run
    from backdoor_curves.study.targets import require_folder

    kept = load_run(run)
    folder = out or (run if run.is_dir() else run.parent) / "figures"
    require_folder(folder)
    if not kept.n_done:
        failed = f", {len(kept.failed)} failed" if kept.failed else ""
        raise ValueError(
            f"{run}: a run with finished cells was expected, none of its {kept.n_cells} is done{failed}; run its study "
            "first, and see: backdoor-curves status"
        )
    with print_style():
        for name, figure in figures_for_print(kept):
            folder.mkdir(parents=True, exist_ok=True)
            click.echo(save_figure(fit_width(figure, width), folder / f"{name}.{kind}"))
    click.echo(f"{kept.n_done} of {kept.n_cells} cells, {len(kept.failed)} failed, {kept.n_left} left", err=True)


@main.command()
@click.argument("figures", nargs=-1, metavar="[FIGURE]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("reproduction"),
    show_default=True,
    help="Where to write.",
)
@click.option("--published", type=click.Path(path_type=Path), help="Folder with the published files, to compare with.")
@click.option(
    "--network",
    type=click.Choice(["alexnet", "squeezenet"]),
    default="alexnet",
    show_default=True,
    help="Of the CIFAR-10 features: the paper's, or a small one.",
)
@click.option("--format", "kind", type=click.Choice(["png", "pdf", "svg"]), default="png", show_default=True)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes; by default one a core.")
@_memory
@_data_dir
@_offline
def reproduce(
    figures: tuple[str, ...],
    out: Path,
    published: Path | None,
    network: Any,
    kind: Any,
    jobs: int | None,
    max_memory: str | None,
    data_dir: Path | None,
    offline: bool,
) -> None:
    """Redraw the paper's figures 1 to 15, or each FIGURE named, and write a page that compares them.

    A FIGURE is a number, samples, safe-mnist, safe-cifar10, or mnist or cifar10 for all that show these data. Runs are
    kept in OUT and go on where they stopped. With --published each published number stands beside ours in
    OUT/comparison.csv and on the page, OUT/index.html, with the reason where they differ.

    Exit code: 0, 2 for a fault in what was asked, 3 where figures were left out, 130 where it was interrupted.
    """
    from backdoor_curves.paper.reproduce import reproduce as redraw
    from backdoor_curves.paper.results import Asked
    from backdoor_curves.study.needs import as_bytes, memory_of_machine
    from backdoor_curves.study.running import Wishes
    from backdoor_curves.study.targets import require_folder

    require_folder(out)
    n_jobs = jobs or os.cpu_count() or 1
    wishes = Wishes(n_jobs=n_jobs, memory=as_bytes(max_memory) if max_memory else memory_of_machine())
    asked = Asked(figures, out, wishes, data_dir, offline, network, published, kind)
    stop = Stop()
    with stop:
        made = redraw(asked, shown, stopping=lambda: stop.asked, say=lambda line: click.echo(line, err=True))
    if stop.asked:
        click.echo(f"stopped: what was done is kept in {out}; the same command goes on", err=True)
        sys.exit(INTERRUPTED)
    click.echo(made.page)
    if made.left_out:
        click.echo(f"{len(made.left_out)} of {len(made.figures)} figures were left out, see above", err=True)
        sys.exit(CELLS_FAILED)


@main.group()
def data() -> None:
    """Fetch, verify and find the files of data sets."""


@data.command()
@click.argument("name")
@_data_dir
def fetch(name: str, data_dir: Path | None) -> None:
    """Download the files of data set NAME, to the cache or below --data-dir."""
    from backdoor_curves.datasets import download

    _list(name, download.fetch(name, data_dir))


@data.command()
@click.argument("name")
@_data_dir
def verify(name: str, data_dir: Path | None) -> None:
    """Check the content of the files of data set NAME; exit code 2 if one is missing or altered."""
    from backdoor_curves.datasets import download

    checks = download.verify(name, data_dir)
    for check in checks:
        click.echo(f"{check.path or check.name}: {check.problem or 'as published'}")
    _say_if_none(name, checks)
    if any(check.problem for check in checks):
        sys.exit(USAGE_ERROR)


@data.command()
@click.argument("name")
@_data_dir
def where(name: str, data_dir: Path | None) -> None:
    """Say where the files of data set NAME are."""
    from backdoor_curves.datasets import download

    _list(name, download.where(name, data_dir))


def _list(name: str, paths: dict[str, Path | None] | dict[str, Path]) -> None:
    for file, path in paths.items():
        click.echo(f"{file}: {path or 'not found'}")
    _say_if_none(name, paths)


def _say_if_none(name: str, files: Any) -> None:
    if not files:
        from backdoor_curves.datasets.catalogue import catalogued

        click.echo(f"{name}: {catalogued(name).note}")
