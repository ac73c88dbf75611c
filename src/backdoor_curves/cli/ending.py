"""How a command ends: its exit codes, and its errors and warnings in a line each."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from backdoor_curves.records.one_line import one_line, without_numbers

PACKAGE = str(Path(__file__).parents[1]) + os.sep
USAGE_ERROR, CELLS_FAILED, EXPOSED, UNDECIDED, INTERRUPTED = 2, 3, 4, 5, 130


class OneLineErrors(click.Group):
    """A group of commands whose errors are a sentence and exit code 2, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and end with 2 on an error, with 130 on Ctrl-C."""
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
    """Show the package's own warnings, by category or place, as errors are, and each once; others as Python does."""
    said: set[str] = set()

    def show(message: Any, category: type[Warning], filename: str, *where: Any, **more: Any) -> None:
        text = one_line(message)
        named = category.__module__.startswith("backdoor_curves.")
        words = text if named else without_numbers(text)  # of rows, which are others for each rate
        if not named and not filename.startswith(PACKAGE):
            others(message, category, filename, *where, **more)
        elif words not in said:
            said.add(words)
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
