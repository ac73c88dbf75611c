"""Commands on the files of data sets: data fetch, verify, where."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from backdoor_curves.cli.ending import USAGE_ERROR
from backdoor_curves.cli.shared import data_dir_option


@click.group()
def data() -> None:
    """Fetch, verify and find the files of data sets."""


@data.command()
@click.argument("name")
@data_dir_option
def fetch(name: str, data_dir: Path | None) -> None:
    """Download the files of data set NAME, to the cache or below --data-dir."""
    from backdoor_curves.datasets import download

    _list(name, download.fetch(name, data_dir))


@data.command()
@click.argument("name")
@data_dir_option
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
@data_dir_option
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
