"""A study as one TOML file, read into frozen records; every fault is a sentence with its place."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class DataConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[data]`: the data set, its classes, and how many rows are drawn of it; None for all."""

    name: Literal["digits", "mnist", "toy"] = "digits"
    classes: str | list[int | list[int]] = "even-odd"
    n_train: Count | None = None
    n_test: Count | None = None


class TriggerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[trigger]`: a patch of uniform noise for each class or of ones; for `toy` columns set to values."""

    kind: Literal["patch", "feature"] = "patch"
    size: Count = 2
    pattern: Literal["random", "ones"] = "random"
    position: Literal["bottom-right", "bottom-left", "top-right", "top-left", "center"] = "bottom-right"
    columns: list[Annotated[int, Meta(ge=0)]] = []
    values: list[float] = []


class PoisonConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[poison]`: label policy and injection, as in `poison`; `control` adds the same rows without the trigger."""

    labels: Literal["next"] | int = "next"
    injection: Literal["replace", "append"] = "replace"
    control: bool = False


class LearnerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`[[learners]]`: a learner and its grid; `gamma` for rbf-svm only."""

    kind: Literal["logistic", "ridge", "linear-svm", "rbf-svm"]
    lam: Annotated[list[Positive], Meta(min_length=1)] = msgspec.field(name="lambda")
    gamma: list[Positive] = []
    method: Literal["auto", "exact", "refit"] = "auto"


class Study(Struct, frozen=True, forbid_unknown_fields=True):
    """A study: every learner at every lambda, gamma, rate and seed.

    Examples
    --------
    >>> from backdoor_curves.study.config import built_in_study
    >>> built_in_study().rates
    [0.01, 0.1, 0.2]
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")]  # it becomes a folder
    learners: Annotated[list[LearnerConfig], Meta(min_length=1)]
    rates: Annotated[list[Annotated[float, Meta(gt=0, le=1)]], Meta(min_length=1)]
    seeds: Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1)]
    data: DataConfig = DataConfig()
    trigger: TriggerConfig = TriggerConfig()
    poison: PoisonConfig = PoisonConfig()


def built_in_study() -> Study:
    """Return the study that runs when no file is named: the bundled digits."""
    return read_study(Path(__file__).parent / "digits.toml")


def read_study(path: str | Path) -> Study:
    """Return the study in a TOML file.

    Parameters
    ----------
    path : path
        The file; see `study/digits.toml` for one.

    Raises
    ------
    ValueError
        If the file is no TOML, or if a key, type or value in it is not one that a study has; the sentence names the
        file, the key and, for a misspelt key or word, the nearest right one.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from backdoor_curves.study.config import read_study
    >>> study = read_study("study.toml")  # doctest: +SKIP
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors on Windows write a mark first
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file; write a study there or run without a file") from None
    except IsADirectoryError:
        raise ValueError(f"{path}: a study file was expected, a folder came") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, a number or a nesting that Python refuses
        raise ValueError(f"{path}: TOML was expected: {error}") from None
    _check_keys(path, table, Study, "")
    try:
        study = msgspec.convert(table, Study)
    except msgspec.ValidationError as error:
        raise ValueError(f"{path}: {_worded(str(error), table)}") from None
    _check_sense(path, study)
    return study


def _check_keys(path: Path, table: dict[str, Any], record: type[Struct], place: str) -> None:
    """Refuse keys that the record does not have, here and in the tables below."""
    known = {field.encode_name: field for field in msgspec.structs.fields(record)}
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise ValueError(f"{path}: unknown key {place + key!r}; {hint}")
        below = _record_of(get_type_hints(record)[known[key].name])
        tables = value if isinstance(value, list) else [value]
        if below is not None:
            for index, entry in enumerate(tables):
                if isinstance(entry, dict):
                    where = f"{key}[{index}]." if isinstance(value, list) else f"{key}."
                    _check_keys(path, entry, below, place + where)


def _record_of(hint: Any) -> type[Struct] | None:
    """Return the record that a type hint is, or lists."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        return hint
    return next((found for argument in get_args(hint) if (found := _record_of(argument)) is not None), None)


def _worded(message: str, table: dict[str, Any]) -> str:
    """Return msgspec's message with the place first, and with the nearest right word where one was misspelt."""
    complaint, _, place = message.partition(" - at ")
    place = place.strip("`").removeprefix("$").removeprefix(".")
    words = next((words for key, words in _CHOICES.items() if place.endswith(key)), ())
    value = _value_at(table, place)
    if place == "poison.labels":
        return f'{place}: "next" or the number of a class was expected, {value!r} came'
    if words and isinstance(value, str):
        near = difflib.get_close_matches(value, words, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{place}: one of {', '.join(words)} was expected, {value!r} came{hint}"
    if complaint.startswith("Object missing"):
        return f"{place}: {complaint}".removeprefix(": ").replace("Object missing required field", "missing key")
    if "regex" in complaint:
        return f"{place}: letters, digits, '.', '_' and '-' were expected, {value!r} came"
    wanted = complaint.partition(", got")[0].removeprefix("Expected ").replace(" | null", "")
    for jargon, word in _PLAIN.items():
        wanted = wanted.replace(f"`{jargon}`", word)
    return f"{place}: {wanted} was expected, {value!r} came"


_PLAIN = {"array": "a list", "str": "text", "float": "a number", "int": "a whole number", "object": "a table"}


def _value_at(table: Any, place: str) -> Any:
    """Return what stands at a place such as learners[0].kind."""
    for part in filter(None, place.replace("[", ".").replace("]", "").split(".")):
        table = table[int(part)] if isinstance(table, list) and part.isdigit() else table.get(part, {})
    return table


def _choices(record: type[Struct]) -> dict[str, tuple[str, ...]]:
    """Return the words that each key of a record takes."""
    hints = get_type_hints(record)
    return {name: get_args(hint) for name, hint in hints.items() if all(isinstance(a, str) for a in get_args(hint))}


_CHOICES = {
    prefix + name: words
    for prefix, record in (
        ("data.", DataConfig),
        ("trigger.", TriggerConfig),
        ("poison.", PoisonConfig),
        ("].", LearnerConfig),
    )
    for name, words in _choices(record).items()
    if words
}


def _check_sense(path: Path, study: Study) -> None:
    """Refuse what is well-formed but means nothing."""
    settings: list[tuple[str, float, float | None]] = []
    for index, learner in enumerate(study.learners):
        if (learner.kind == "rbf-svm") != bool(learner.gamma):
            wanted = "at least one gamma was expected" if learner.kind == "rbf-svm" else "no gamma was expected"
            raise ValueError(f"{path}: learners[{index}]: {wanted} for {learner.kind}")
        _check_finite(path, f"learners[{index}].lambda", learner.lam)
        _check_finite(path, f"learners[{index}].gamma", learner.gamma)
        _check_once(path, f"learners[{index}].lambda", learner.lam)
        _check_once(path, f"learners[{index}].gamma", learner.gamma)
        settings += [(learner.kind, lam, gamma) for lam in learner.lam for gamma in (learner.gamma or (None,))]
    if again := [setting for setting, times in Counter(settings).items() if times > 1]:
        kind, lam = again[0][:2]
        raise ValueError(
            f"{path}: learners: each setting once was expected, {kind} at lambda {lam:g} came twice; "
            "two methods are compared in two studies"
        )
    _check_once(path, "rates", study.rates)
    _check_once(path, "seeds", study.seeds)
    if (study.data.name == "toy") != (study.trigger.kind == "feature"):
        wanted = "feature" if study.data.name == "toy" else "patch"
        raise ValueError(f"{path}: trigger.kind: {wanted!r} was expected for {study.data.name} data")
    _check_finite(path, "trigger.values", study.trigger.values)
    if study.data.name == "toy" and study.data.classes != DataConfig().classes:
        raise ValueError(f"{path}: data.classes: the toy has two classes of its own, {study.data.classes!r} came")
    if study.trigger.kind == "feature" and not (study.trigger.columns and study.trigger.values):
        raise ValueError(f"{path}: trigger: columns and values were expected for a feature trigger")
    if study.trigger.kind == "patch" and (study.trigger.columns or study.trigger.values):
        raise ValueError(f"{path}: trigger: no columns and values were expected for a patch; it has size and position")


def _check_finite(path: Path, place: str, values: list[float]) -> None:
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{path}: {place}: finite numbers were expected, {values} came")


def _check_once(path: Path, place: str, values: list[Any]) -> None:
    twice = [value for value, times in Counter(values).items() if times > 1]
    if twice:
        raise ValueError(f"{path}: {place}: each value once was expected, {twice[0]!r} came twice")
