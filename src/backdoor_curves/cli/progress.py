"""How a run shows while it goes, and how it is asked to stop."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from backdoor_curves.study.run_study import Progress

SAY_EVERY = 10.0
"""Seconds between lines on how a run goes, where there is no terminal."""


class Stop:
    """The first Ctrl-C, or a scheduler's SIGTERM, asks for a stop; the second is a KeyboardInterrupt."""

    def __init__(self) -> None:
        self.asked = False

    def _ask(self, *_: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        click.echo("stopping: the cells at work are finished and kept; Ctrl-C again stops at once", err=True)

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def shown(progress: Iterator[Progress]) -> tuple[Progress, Progress]:
    """Show how a run goes, a bar on a terminal and a line now and then elsewhere; return the first and the last."""
    first = last = next(progress)
    if first.left and first.left < first.total:
        click.echo(f"going on: {first}", err=True)
    start = said = time.monotonic()
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=first.total, initial=first.total - first.left, unit="cell", leave=False) as bar:
            for last in progress:
                bar.n = last.total - last.left
                bar.set_postfix_str(f"{last.failed} failed" if last.failed else "", refresh=False)
                bar.refresh()
        return first, last
    for last in progress:
        now = time.monotonic()
        if now - said > SAY_EVERY or not last.left:
            pace = (now - start) / max(first.left - last.left, 1)
            to_go = f", about {duration(pace * last.left)} to go" if last.left else ""
            click.echo(f"{last}{to_go}", err=True)
            said = now
    return first, last


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
