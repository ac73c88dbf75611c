"""The command `backdoor-curves`."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backdoor_curves import __version__

if TYPE_CHECKING:
    from backdoor_curves.study.work import CellResult

# Only click is imported here: the command must answer --help before scikit-learn and matplotlib are loaded.

USAGE_ERROR, CELLS_FAILED, INTERRUPTED = 2, 3, 130


class _OneLineErrors(click.Group):
    """A group of commands whose errors are a sentence and exit code 2, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a code page without a beta is no reason to fail
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("backdoor-curves: interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except (click.exceptions.Exit, BrokenPipeError):  # click knows what to do with these
            raise
        except (ValueError, TypeError, OSError, RuntimeError) as error:
            if os.environ.get("BACKDOOR_CURVES_TRACEBACK"):
                raise
            click.echo(f"backdoor-curves: {_sentence(error)}", err=True)
            ctx.exit(USAGE_ERROR)


def _sentence(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    return where + " ".join(text.split())


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


@main.command()
@click.argument("study", required=False, type=click.Path(path_type=Path))
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes; by default one a core.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs are kept."
)
@_data_dir
@_offline
def run(study: Path | None, jobs: int | None, out: Path, data_dir: Path | None, offline: bool) -> None:
    """Run STUDY.toml, or the built-in study of handwritten digits.

    Leaves a folder OUT/NAME with the results, the curves and a figure a learner, and prints a table: a line for each
    learner, lambda, gamma and poison rate p, mean and standard deviation over seeds.

    Exit code: 0, 2 for a fault in what was asked, 3 where cells failed.
    """
    from backdoor_curves.study.config import built_in_study, read_study
    from backdoor_curves.study.store import check_folder, failures, write
    from backdoor_curves.study.table import as_text, legend
    from backdoor_curves.study.work import cells, compute

    # A scheduler's SIGTERM ends a run as Ctrl-C does: nothing half-written, no process left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = built_in_study() if study is None else read_study(study)
    folder = out / plan.name
    if check_folder(folder, plan):
        click.echo((folder / "table.txt").read_text(encoding="utf-8"), nl=False)
        click.echo(f"\n{folder} is complete, nothing was computed; remove it to run the study anew", err=True)
        _exit_if_any(failures(folder), len(cells(plan)))
        return
    order = {cell: place for place, cell in enumerate(cells(plan))}
    results = list(_with_progress(compute(plan, jobs or os.cpu_count() or 1, data_dir, offline), len(order)))
    results.sort(key=lambda result: order[result.cell])
    write(folder, plan, results)
    click.echo(f"{as_text(results)}\n\n{legend(results)}")
    failed = [result.error for result in results if result.error]
    kept = len(results) - len(failed)
    drawn = ", a figure for each learner" if kept else ""
    click.echo(f"\n{kept} curves{drawn} and results.csv are in {folder}", err=True)
    _exit_if_any(failed, len(results))


def _exit_if_any(failed: list[str], total: int) -> None:
    """Exit where cells failed, with the first reason."""
    if failed:
        click.echo(f"{len(failed)} of {total} cells failed, the first: {failed[0]}", err=True)
        sys.exit(CELLS_FAILED)


def _with_progress(results: Iterator[CellResult], total: int) -> Iterator[CellResult]:
    """Show a bar on a terminal, and a line now and then elsewhere."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(results, total=total, unit="curve", leave=False)
        return
    last = time.monotonic()
    for done, result in enumerate(results, start=1):
        if time.monotonic() - last > 10.0 or done == total:
            last = time.monotonic()
            click.echo(f"{done} of {total} curves", err=True)
        yield result


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
