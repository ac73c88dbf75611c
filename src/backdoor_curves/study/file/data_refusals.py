"""Why well-formed `[data]` are refused: keys that do not go together; of one's own data and those of the package."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from backdoor_curves.datasets.condition import Condition
from backdoor_curves.study.file.attacks import CleanLabels
from backdoor_curves.study.file.config import Block, DataConfig, Experiment
from backdoor_curves.study.file.reading import Faults

REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
"""Of a function, "module:function"."""
OF_FILES = ("label", "text", "columns", "drop", "test", "test_file", "group")
OF_OWN = ("positive", "suspect", "poison", "watch")
OF_PACKAGE = ("name", "sampling", "features", "side")


def check_data(tables: Sequence[DataConfig], prefix: str, faults: Faults) -> None:
    """Add keys of `[data]` that do not go together, in each table of a block."""
    for index, data in enumerate(tables):
        place = f"{prefix}data[{index}]" if len(tables) > 1 else f"{prefix}data"
        _check_keys(data, place, faults)
        if data.call is not None and not REFERENCE.fullmatch(data.call):
            faults[f"{place}.call"] = f'"module:function" was expected, {data.call!r} came'
        if data.is_own and isinstance(data.classes, str) and data.classes not in ("all", DataConfig().classes):
            faults[f"{place}.classes"] = f'"all" or a list of labels was expected, {data.classes!r} came'
        if data.file is not None and sum(map(bool, (data.text, data.columns, data.drop))) > 1:
            faults[place] = "one of text, columns and drop was expected, several came"
        if data.test_file is not None and (data.test is not None or data.group is not None):
            faults[f"{place}.test_file"] = "no test and no group was expected beside it: the rows are parted already"
        if data.suspect is not None and data.poison is not None:
            faults[place] = "one of suspect and poison was expected, both came"
        if data.watch is not None and not data.has_source:
            faults[f"{place}.watch"] = "nothing was expected without suspect or poison: it is of a source"
        for name in ("suspect", "watch"):
            _check_condition(getattr(data, name), f"{place}.{name}", faults)
        if data.side is not None and (data.name == "toy" or data.sampling == "paper" or data.features is not None):
            faults[f"{place}.side"] = "nothing was expected for the toy, the paper's sampling, or features of a network"
        if data.positive is not None and not isinstance(data.classes, str):
            faults[f"{place}.positive"] = "one of classes and positive was expected, both came"


def _check_condition(text: str | None, place: str, faults: Faults) -> None:
    try:
        if text is not None:
            Condition.of(text)
    except ValueError as error:
        faults[place] = str(error)


def check_source(block: Block, place: str, faults: Faults) -> None:
    """Add what has no meaning where rows of a source are weighted: an attack, and rates of it."""
    for name in ("rates", "trigger", "poison", "attacks"):
        if getattr(block, name) is not None:
            faults[f"{place}.{name}" if place else name] = (
                "nothing was expected beside suspect or poison of [data]: no attack is made, and all rows of the "
                "source have weight beta"
            )


def _check_keys(data: DataConfig, place: str, faults: Faults) -> None:
    """Add keys that belong to data of another kind."""
    if data.file is not None and data.call is not None:
        faults[place] = "one of name, file and call was expected, file and call came"
        return
    kind, others = "the data sets of the package", [*OF_FILES, *OF_OWN]
    if data.file is not None:
        kind, others = "a file", [*OF_PACKAGE]
    elif data.call is not None:
        kind, others = "a call", [*OF_PACKAGE, *OF_FILES, "n_train", "n_test", "suspect", "poison", "watch"]
    for name in others:
        if getattr(data, name) != getattr(DataConfig(), name):
            faults[f"{place}.{name}"] = f"nothing was expected for {kind}"


def check_class_numbers(data: DataConfig, experiment: Experiment, homes: dict[str, str], faults: Faults) -> None:
    """Add classes by name where they have numbers: in all data but those of one's own."""
    entries = () if isinstance(data.classes, str) else data.classes
    for index, entry in enumerate(entries):
        if words := [one for one in (entry if isinstance(entry, tuple) else (entry,)) if isinstance(one, str)]:
            faults[f"{homes['data']}.classes[{index}]"] = f"a whole number or a list was expected, {words[0]!r} came"
    for poison in experiment.poison:
        if isinstance(poison.labels, str) and poison.labels != "next":
            faults[f"{homes['poison']}.labels"] = (
                f'"next" or the number of a class was expected, {poison.labels!r} came'
            )
    for index, attack in enumerate(experiment.attacks):
        place = f"{homes['attacks']}[{index}]"
        if any(isinstance(one, str) and one != "next" for one in _classes_of(attack.labels)):
            faults[f"{place}.labels"] = (
                '"next", a class, {true class = label} or {clean-label = class} was expected, '
                f"{_as_in_a_file(attack.labels)!r} came"
            )
        if isinstance(attack.target, str):
            faults[f"{place}.target"] = f"a whole number was expected, {attack.target!r} came"
        if attack.cover is not None and (named := [one for one in attack.cover.classes if isinstance(one, str)]):
            faults[f"{place}.cover.classes"] = f"whole numbers were expected, {named[0]!r} came"


def _classes_of(labels: Any) -> Iterator[Any]:
    if isinstance(labels, CleanLabels):
        yield labels.target
    elif isinstance(labels, tuple):
        yield from (label for pair in labels for label in pair)
    else:
        yield labels


def _as_in_a_file(labels: Any) -> Any:
    if isinstance(labels, CleanLabels):
        return {"clean-label": labels.target}
    return dict(labels) if isinstance(labels, tuple) else labels
