"""What commands share: options, the name of a page, and the command as it was given."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

REPORT = "report.html"

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder with data files; before BACKDOOR_CURVES_DATA and the cache.",
)
offline_option = click.option("--offline", is_flag=True, help="Never use the network.")
memory_option = click.option(
    "--max-memory", metavar="SIZE", help="Such as 8GB; by default three quarters of the machine's."
)


def as_given() -> str:
    """Return the command as it was given."""
    return shlex.join(["backdoor-curves", *sys.argv[1:]])
