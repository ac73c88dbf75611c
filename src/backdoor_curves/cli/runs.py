"""Commands that take a run, what a study has left: status, report, export, figures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from backdoor_curves.cli.ending import CELLS_FAILED
from backdoor_curves.cli.shared import REPORT, as_given

_run = click.argument("run", type=click.Path(path_type=Path), default=Path("runs/digits"))
_share = click.FloatRange(min=0, max=1)


@click.command()
@_run
def status(run: Path) -> None:
    """Say how far RUN, a folder such as runs/digits, has come; safe while it runs.

    Exit code: 0, 2 if there is no run, 3 where cells failed.
    """
    from collections import Counter

    from backdoor_curves.study.store.run import load_run

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


@click.command()
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
    from backdoor_curves.search.safe_region import Bounds
    from backdoor_curves.study.store.run import load_run

    kept = load_run(run)
    path = out or (run if run.is_dir() else run.parent) / REPORT
    write_report(kept, path, bounds=Bounds(margin, asr), command=as_given())
    click.echo(f"{kept.n_done} of {kept.n_cells} cells are in {path}", err=True)
    if show and not webbrowser.open(path.absolute().as_uri()):
        click.echo(f"no browser was found; open {path} yourself", err=True)


@click.command()
@_run
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl", "parquet"]), default="csv", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file; by default standard output.")
@click.option("--statistics", is_flag=True, help="A line for each setting and quantity: mean, sd, interval over seeds.")
def export(run: Path, kind: str, output: Path | None, statistics: bool) -> None:
    """Write the cells of RUN, as many as are done, as a table for other programs."""
    from backdoor_curves.records.full_disk import naming
    from backdoor_curves.records.targets import require_file
    from backdoor_curves.report.tables.csv_file import as_csv, as_json_lines, write_parquet
    from backdoor_curves.study.store.run import load_run

    if output is not None:
        require_file(output, f"{run.stem}.{kind}")
    kept = load_run(run)
    table = kept.statistics() if statistics else kept.table()
    if kind == "parquet":
        if output is None:
            raise ValueError("--output: a file was expected for Parquet, none came")
        with naming(output):
            write_parquet(table, output)
    else:
        text = as_csv(table) if kind == "csv" else as_json_lines(table)
        if output is None:
            click.echo(text, nl=False)
        else:
            with naming(output):  # which may be a pipe
                output.write_text(text, encoding="utf-8")
    click.echo(f"{kept.n_done} of {kept.n_cells} cells, {len(kept.failed)} failed, {kept.n_left} left", err=True)


@click.command()
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
    from backdoor_curves.records.targets import require_folder
    from backdoor_curves.report.figures.run_figures import figures_for_print
    from backdoor_curves.study.store.run import load_run

    kept = load_run(run)
    folder = out or (run if run.is_dir() else run.parent) / "figures"
    require_folder(folder)
    with print_style():
        for name, figure in figures_for_print(kept):
            folder.mkdir(parents=True, exist_ok=True)
            click.echo(save_figure(fit_width(figure, width), folder / f"{name}.{kind}"))
    click.echo(f"{kept.n_done} of {kept.n_cells} cells, {len(kept.failed)} failed, {kept.n_left} left", err=True)
