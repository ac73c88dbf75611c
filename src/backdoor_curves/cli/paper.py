"""The command that redraws the paper: reproduce."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from backdoor_curves.cli.ending import CELLS_FAILED, INTERRUPTED
from backdoor_curves.cli.progress import Stop, shown
from backdoor_curves.cli.shared import data_dir_option, memory_option, offline_option


@click.command()
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
@memory_option
@data_dir_option
@offline_option
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
    from backdoor_curves.records.targets import require_folder
    from backdoor_curves.study.plan.resources import as_bytes, memory_of_machine
    from backdoor_curves.study.run_study import Wishes

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
