"""A question becomes an answer: its study is run on each data set, or goes on, and answer, figures and page are made.

    question file -> a run for each data set (kept, resumed) -> evidence -> answer -> figures, page, JSON

Data or an extra that cannot be had leave their part out with the reason; the first data set decides, and must be there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from backdoor_curves.questions.answer import Answer, evidence_of
from backdoor_curves.records.npz import whole
from backdoor_curves.records.one_line import one_line
from backdoor_curves.study.file.config import Study
from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.run_study import Progress, Wishes, run_study
from backdoor_curves.study.store.run import Run, load_run

HERE = Path(str(files("backdoor_curves.questions")))
CANNOT = (ValueError, OSError, ImportError, RuntimeError)
"""What is said in a sentence where data cannot be had."""


@dataclass(frozen=True)
class Asked:
    """A question, and with what it is to be answered.

    Parameters
    ----------
    file : path
        A study with a table `[question]`.
    out : path
        The folder of runs, answers, figures and pages.
    wishes : Wishes
        How the study is run.
    data_dir : path, optional
    offline : bool
    """

    file: Path
    out: Path
    wishes: Wishes
    data_dir: Path | None = None
    offline: bool = False


@dataclass(frozen=True)
class Answered:
    """What came of it: the answer, the runs behind it, and the data sets that could not be had."""

    answer: Answer
    runs: tuple[Run, ...]
    left_out: tuple[str, ...]


def question_files() -> dict[str, Path]:
    """Return the questions that come with the package: the file of each by its name.

    Examples
    --------
    >>> from backdoor_curves.questions.ask import question_files
    >>> "patch-size" in question_files()
    True
    """
    return {file.stem: file for file in sorted((HERE / "studies").glob("*.toml"))}


def kept_answers() -> dict[str, Path]:
    """Return the answers that come with the package: the file of each by its question's name."""
    return {file.stem: file for file in sorted((HERE / "answers").glob("*.json"))}


def parts_by_data(study: Study) -> dict[str, Study]:
    """Return a study for each data set of a study, by its name, in their order."""
    names = dict.fromkeys(data.name for one in study.experiments for data in one.data)
    parts: dict[str, Study] = {}
    for name in names:
        chosen = [
            replace(one, data=tuple(data for data in one.data if data.name == name))
            for one in study.experiments
            if any(data.name == name for data in one.data)
        ]
        parts[name] = replace(study, name=f"{study.name}-{name}", experiments=tuple(chosen))
    return parts


def ask(
    asked: Asked,
    progress: Callable[[Iterator[Progress]], Any],
    *,
    stopping: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> Answered | None:
    """Answer a question: run what is missing of its study, and keep the answer as JSON beside the runs.

    Parameters
    ----------
    asked : Asked
    progress : callable
        Runs an iterator over `Progress` to its end, and shows it.
    stopping : callable
        Whether to begin nothing more; then there is no answer, and what was done is kept.
    say : callable
        Takes a line on what is left out.

    Raises
    ------
    ValueError
        If the file asks no question, or its cells do not answer it.
    """
    study = read_study(asked.file)
    if study.question is None:
        raise ValueError(f"{asked.file}: a table [question] was expected, none came; `run` takes other studies")
    runs: list[Run] = []
    left_out: list[str] = []
    for name, part in parts_by_data(study).items():
        try:
            found = _run(part, asked, progress, stopping)
        except CANNOT as error:
            if not runs:
                raise
            left_out.append(name)
            say(f"left out, {name}: {one_line(error)}")
            continue
        if found is None:
            return None
        runs.append(found)
    answer = Answer(study.name, study.question, tuple(evidence_of(run, study.question) for run in runs))
    with whole(asked.out / f"{study.name}.json") as draft:
        draft.write_text(as_json(answer), encoding="utf-8")
    return Answered(answer, tuple(runs), tuple(left_out))


def as_json(answer: Answer) -> str:
    """Return an answer as it is kept: numbers in six digits."""
    return msgspec.json.encode(_short(msgspec.to_builtins(answer))).decode() + "\n"


def read_answer(path: Path) -> Answer:
    """Return an answer that was kept as JSON.

    Examples
    --------
    >>> from backdoor_curves.questions.ask import kept_answers, read_answer
    >>> read_answer(kept_answers()["patch-size"]).first.settings[0]
    'Ridge'
    """
    return msgspec.json.decode(path.read_bytes(), type=Answer)


def _short(value: Any) -> Any:
    """Return a value as JSON has it, with six digits of every number."""
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_short(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _run(
    study: Study, asked: Asked, progress: Callable[[Iterator[Progress]], Any], stopping: Callable[[], bool]
) -> Run | None:
    """Return a whole run; None where it was asked to stop."""
    folder = asked.out / "runs" / study.name
    progress(
        run_study(
            study,
            folder,
            asked.wishes,
            data_dir=asked.data_dir,
            offline=asked.offline,
            home=asked.file.parent,
            stopping=stopping,
        )
    )
    return None if stopping() else load_run(folder)
