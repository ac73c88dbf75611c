"""The command on questions: a list of them, or the answer to one, with its page."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from backdoor_curves.cli.ending import INTERRUPTED
from backdoor_curves.cli.progress import Stop, shown
from backdoor_curves.cli.shared import as_given, data_dir_option, memory_option, offline_option


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "every", is_flag=True, help="Answer all of them.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("questions"), show_default=True, help="Where to write."
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes; by default one a core.")
@memory_option
@data_dir_option
@offline_option
@click.option("--open", "show", is_flag=True, help="Show the last page in the browser.")
def questions(
    names: tuple[str, ...],
    every: bool,
    out: Path,
    jobs: int | None,
    max_memory: str | None,
    data_dir: Path | None,
    offline: bool,
    show: bool,
) -> None:
    """List the questions, or answer each NAME: what makes a learner easy to backdoor, and by how much?

    A NAME is one of the list, or a study file of your own with a table [question]. Its study is run, or goes on where
    it stopped; OUT then has the answer as NAME.html, NAME.svg and NAME.json, and the runs. What is asked of a data set
    that cannot be had is left out, and said.

    Exit code: 0, 2 for a fault in what was asked, 130 where it was interrupted.
    """
    import webbrowser

    from backdoor_curves.questions.ask import question_files

    known = question_files()
    if not (names or every):
        click.echo(_listed(known, out))
        return
    chosen = [*names, *(name for name in known if every and name not in names)]
    stop = Stop()
    with stop:
        for name in chosen:
            page = (
                None if stop.asked else _answered(_file(name, known), out, (jobs, max_memory, data_dir, offline), stop)
            )
    if page is None:
        click.echo(f"stopped: what was done is kept in {out}; the same command goes on", err=True)
        sys.exit(INTERRUPTED)
    if show and not webbrowser.open(page.absolute().as_uri()):
        click.echo(f"no browser was found; open {page} yourself", err=True)


def _answered(
    file: Path, out: Path, given: tuple[int | None, str | None, Path | None, bool], stop: Stop
) -> Path | None:
    """Answer one question, say the answer, and return its page; None where it was stopped."""
    from backdoor_curves.questions.ask import Asked, ask
    from backdoor_curves.questions.page import write_question_page
    from backdoor_curves.questions.words import answer_sentences
    from backdoor_curves.records.targets import require_folder
    from backdoor_curves.study.plan.resources import as_bytes, memory_of_machine
    from backdoor_curves.study.run_study import Wishes

    jobs, max_memory, data_dir, offline = given
    require_folder(out)
    memory = as_bytes(max_memory) if max_memory else memory_of_machine()
    asked = Asked(file, out, Wishes(jobs or os.cpu_count() or 1, memory, accept_changes=True), data_dir, offline)
    answered = ask(asked, shown, stopping=lambda: stop.asked, say=lambda line: click.echo(line, err=True))
    if answered is None:
        return None
    page = write_question_page(answered, out, as_given())
    click.echo(f"{answered.answer.question.text}\n{' '.join(answer_sentences(answered.answer)).strip()}\n{page}")
    return page


def _file(name: str, known: dict[str, Path]) -> Path:
    """Return the file of a question by its name, or one of one's own."""
    import difflib

    if name in known or name.endswith(".toml"):
        return known.get(name, Path(name))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`backdoor-curves questions` lists them"
    raise ValueError(f"NAME: a question or a .toml file was expected, {name!r} came; {hint}")


def _listed(known: dict[str, Path], out: Path) -> str:
    """Return a line for each question: its name, what it asks, and whether an answer is kept."""
    from backdoor_curves.study.file.study_file import read_study

    width = max(map(len, known)) + 2
    lines = []
    for name, file in known.items():
        question = read_study(file).question
        kept = " (answered)" if (out / f"{name}.json").is_file() else ""
        lines.append(f"{name:{width}}{question.text if question else ''}{kept}")
    return "\n".join(lines)
