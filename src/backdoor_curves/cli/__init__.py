"""The command `backdoor-curves`: its commands are in the modules beside this one."""

from __future__ import annotations

import click

from backdoor_curves.cli import attacks, audit, datasets, paper, questions, runs, studies
from backdoor_curves.cli.ending import OneLineErrors
from backdoor_curves.records.version import __version__

# This package imports click alone: the command must answer --help before scikit-learn and matplotlib are loaded.


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="backdoor-curves")
def main() -> None:
    """Backdoor learning curves: how a model learns a backdoor as the poison's weight beta grows from 0 to 1."""


for command in (
    audit.audit,
    studies.run,
    studies.check,
    runs.status,
    runs.report,
    runs.export,
    runs.figures,
    attacks.attacks,
    paper.reproduce,
    questions.questions,
    datasets.data,
):
    main.add_command(command)
