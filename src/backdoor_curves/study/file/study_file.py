"""A study as one TOML file, read into frozen records; all its faults are said at once, each with its place."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from backdoor_curves.records.one_line import one_line
from backdoor_curves.study.file.config import (
    Block,
    DataConfig,
    Experiment,
    File,
    KeepConfig,
    PoisonConfig,
    Study,
    TriggerConfig,
)
from backdoor_curves.study.file.data_refusals import check_source
from backdoor_curves.study.file.lines_of_keys import line_of, lines_of_keys
from backdoor_curves.study.file.networks import with_networks
from backdoor_curves.study.file.reading import Faults, read_table
from backdoor_curves.study.file.refusals import check_audit, check_block, check_together

DEFAULTS: dict[str, Any] = {
    "data": (DataConfig(),),
    "trigger": (TriggerConfig(),),
    "poison": (PoisonConfig(),),
    "keep": KeepConfig(),
    "attacks": (),
}
WITHOUT_ATTACK: dict[str, Any] = {"rates": (1.0,), "trigger": (), "poison": (), "attacks": ()}
"""Of an experiment that weighs the rows of a source: all of them."""
ONE_BY_ONE = ("trigger", "poison")
"""What `[[attacks]]` say together: a block has these or those, whatever the top of the file has."""


class StudyError(ValueError):
    """A study file with faults; the message has a line for each."""


def built_in_study() -> Study:
    """Return the study that runs when no file is named: the bundled digits."""
    return read_study(Path(__file__).parent.parent / "digits.toml")


def read_study(path: str | Path) -> Study:
    """Return the study in a TOML file.

    Parameters
    ----------
    path : path
        The file; see `study/digits.toml` for one, and `docs/studies.md` for all keys.

    Raises
    ------
    StudyError
        A ValueError. If the file is no TOML, or if keys, types or values in it are not those of a study; the message
        has a line for each fault: the file, the line, the key and, for a misspelt one, the nearest right one.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from backdoor_curves.study.file.study_file import read_study
    >>> study = read_study("study.toml")  # doctest: +SKIP
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors on Windows write a mark first
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file; write a study there or run without a file") from None
    except IsADirectoryError:
        raise StudyError(f"{path}: a study file was expected, a folder came") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, a number or a nesting that Python refuses
        raise StudyError(f"{path}: TOML was expected: {one_line(error)}") from None
    faults: Faults = {}
    file = read_table(with_networks(table, faults), File, "", faults)
    if file is not None:
        experiments = tuple(_experiments(file, faults))
        study = Study(file.name, experiments, file.figures, file.report, file.audit, file.question)
        if not faults and study.audit is not None:
            check_audit(study.audit, study.experiments[0].learners[0], faults)
        if not faults:
            return study
    lines = lines_of_keys(text)
    raise StudyError("\n".join(_said(path, place, fault, lines) for place, fault in faults.items()))


def _said(path: Path, place: str, fault: str, lines: dict[str, int]) -> str:
    line = line_of(place, lines)
    printable = place if place.isprintable() else repr(place)
    return f"{path}:{line}: {printable}: {fault}" if line else f"{path}: {printable}: {fault}"


def _experiments(file: File, faults: Faults) -> list[Experiment]:
    """Return the experiments of a file, each filled up from its top; faults of sense are added."""
    check_block(file, "", faults)
    experiments = []
    for index, block in enumerate(file.experiments or (Block(),)):
        place = f"experiments[{index}]" if file.experiments else ""
        check_block(block, f"{place}.", faults)
        parts: dict[str, Any] = {}
        homes: dict[str, str] = {}
        if block.attacks is not None:
            parts |= dict.fromkeys(ONE_BY_ONE, ())
        elif any(getattr(block, name) is not None for name in ONE_BY_ONE):
            parts["attacks"] = ()
        elif file.attacks is not None:
            parts |= dict.fromkeys(ONE_BY_ONE, ())
        if any(data.has_source for data in block.data or file.data or ()):
            check_source(block, place, faults)
            check_source(file, "", faults)
            parts |= WITHOUT_ATTACK
        for name in Block.__struct_fields__:
            own = getattr(block, name)
            homes[name] = f"{place}.{name}" if own is not None else name
            parts.setdefault(name, own if own is not None else getattr(file, name))
            if parts[name] is None:
                parts[name] = DEFAULTS.get(name)
            if parts[name] is None:
                faults[f"{place}.{name}" if place else name] = "missing key"
        if all(part is not None for part in parts.values()):
            experiments.append(Experiment(**parts))
            check_together(experiments[-1], homes, faults)
    if len({data.has_source for experiment in experiments for data in experiment.data}) > 1:
        faults["experiments" if file.experiments else "data"] = (
            "suspect or poison in each of [[data]], or in none, was expected: a study weighs sources, or it attacks"
        )
    return experiments
