"""From TOML tables to frozen records, with all faults at once: each with its place and the nearest right spelling."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
from msgspec import Struct

Faults = dict[str, str]
"""What is wrong, by place such as `learners[0].lambda[1]`."""
GRIDS = ("geomspace", "linspace", "range")
MOST_VALUES = 1_000_000


def read_table(table: dict[str, Any], record: type[Struct], place: str, faults: Faults) -> Any:
    """Return the record that a table describes, or None where something was added to `faults`.

    A table in the place of a list of tables is a list of one; `{geomspace = [a, b, n]}`, `{linspace = [a, b, n]}` and
    `{range = [a, b]}` in the place of a list of numbers are the numbers.

    Parameters
    ----------
    table : dict
        From a TOML file.
    record : type of msgspec Struct
        Its fields may be records, tuples of records and whatever msgspec converts.
    place : str
        Where the table stands; "" for the file itself.
    faults : dict
        Is added to.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(record)}
    hints = get_type_hints(record, include_extras=True)
    before, values = len(faults), {}
    for key, value in table.items():
        here = f"{place}.{key}" if place else key
        if key == record.__struct_config__.tag_field:  # by which the record was chosen
            continue
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(fields)}"
            faults[here] = f"unknown key; {hint}"
            continue
        values[fields[key].name] = _read_value(value, hints[fields[key].name], here, faults)
    needed = getattr(record, "required_keys", lambda _: ())(table)
    for key, field in fields.items():
        if (field.required or key in needed) and key not in table:
            faults[f"{place}.{key}" if place else key] = "missing key"
    return record(**values) if len(faults) == before else None


def _read_value(value: Any, hint: Any, place: str, faults: Faults) -> Any:
    if isinstance(value, dict) and value and _takes_pairs(hint) and not _is_meant(value, hint):
        pairs = [[int(key) if key.isdecimal() else key, entry] for key, entry in value.items()]
        ordered = sorted(pairs, key=lambda pair: (isinstance(pair[0], str), pair[0]))  # numbers before words
        return _converted(ordered, hint, place, faults)
    if _takes_named(hint):
        return _read_named(value, hint, place, faults)
    kinds = list(records_of(hint))
    if kinds and (isinstance(value, dict) or not _takes_others(hint)):
        many = _is_tuple(hint)
        tables = value if many and isinstance(value, list) else [value]
        read = []
        for index, table in enumerate(tables):
            here = f"{place}[{index}]" if many and isinstance(value, list) else place
            if isinstance(table, dict) and (below := _kind_of(table, kinds, here, faults)) is not None:
                read.append(read_table(table, below, here, faults))
            elif isinstance(table, dict):
                continue
            else:
                faults[here] = f"a table was expected, {table!r} came"
        if many and not tables:
            faults[place] = "at least one table was expected, none came"
        return tuple(read) if many else (read or [None])[0]
    if _is_tuple(hint) and isinstance(value, dict):
        value = _grid(value, place, faults)
        if value is None:
            return None
    return _converted(value, hint, place, faults)


def _read_named(value: Any, hint: Any, place: str, faults: Faults) -> Any:
    """Return pairs of a name and a value, or a list of values, of a table; or of a list of such pairs."""
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        faults[place] = f"a table such as {{C = 1.0}} was expected, {value!r} came"
        return None
    kind = get_args(_entry(hint))[1]
    read = []
    for name, given in pairs:
        here = f"{place}.{name}"
        values = _grid(given, here, faults) if isinstance(given, dict) and get_origin(kind) is tuple else given
        if isinstance(given, dict) and get_origin(kind) is tuple:
            if values is None:
                continue
            values = _whole_as_given(given, values)
        try:
            read.append(msgspec.convert([name, values], tuple[str, kind]))  # type: ignore[valid-type]
        except msgspec.ValidationError:
            wanted = "a list of values" if get_origin(kind) is tuple else "a number, a word, true, false or a list"
            faults[here] = f"{wanted} was expected, {given!r} came"
    return tuple(read)


def _whole_as_given(table: dict[str, Any], values: list[Any]) -> list[Any]:
    """Return the numbers of a grid as whole ones where its ends were written so and all of them are: of trees, say."""
    bounds = next(iter(table.values()))
    whole = all(type(bound) is int for bound in bounds[:2])
    rounded = [round(value) for value in values]
    # A geometric series of whole numbers is off them by some units in the last place.
    close = all(abs(value - near) <= 1e-9 * abs(value) for value, near in zip(values, rounded, strict=True))
    return rounded if whole and close else values


def _converted(value: Any, hint: Any, place: str, faults: Faults) -> Any:
    """Return a value as its type; of a list each entry is looked at."""
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        before, entry = len(faults), _entry(hint)
        if isinstance(value, list) and entry is not None:
            for index, one in enumerate(value):
                _converted(one, entry, f"{place}[{index}]", faults)
        if len(faults) == before:  # no entry is at fault, the whole is
            faults[place] = _worded(str(error), value, hint)
        return None


def _grid(table: dict[str, Any], place: str, faults: Faults) -> list[Any] | None:
    """Return the numbers of `{geomspace = [a, b, n]}` and its like."""
    kind = next(iter(table), "")
    if len(table) != 1 or kind not in GRIDS:
        near = difflib.get_close_matches(kind, GRIDS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        faults[place] = f"a list or one of {', '.join(f'{{{name} = [...]}}' for name in GRIDS)} was expected{hint}"
        return None
    bounds = table[kind]
    numbers = isinstance(bounds, list) and all(_is_finite(bound) for bound in bounds)
    if kind == "range":
        whole = numbers and len(bounds) == 2 and all(isinstance(bound, int) for bound in bounds)
        if whole and 0 < bounds[1] - bounds[0] <= MOST_VALUES:
            return list(range(*bounds))
        faults[place] = f"range = [first, end) of whole numbers, first < end, was expected, {bounds!r} came"
        return None
    whole = numbers and len(bounds) == 3 and isinstance(bounds[2], int) and 1 <= bounds[2] <= MOST_VALUES
    if not whole or (kind == "geomspace" and min(bounds[:2]) <= 0):
        positive = "numbers > 0" if kind == "geomspace" else "numbers"
        faults[place] = f"{kind} = [from, to, how many] with {positive} was expected, {bounds!r} came"
        return None
    values: list[float] = getattr(np, kind)(float(bounds[0]), float(bounds[1]), bounds[2]).tolist()
    return values


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _within(value)


def _within(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:  # a whole number beyond double precision
        return False


# --- types and words -------------------------------------------------------------------------------------------------


def records_of(hint: Any) -> Iterator[type[Struct]]:
    """Yield the records that a type hint is, or is a tuple of; several are told apart by their tags."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
    for argument in get_args(hint):
        yield from records_of(argument)


def _kind_of(table: dict[str, Any], kinds: list[type[Struct]], place: str, faults: Faults) -> type[Struct] | None:
    """Return the record that a table is one of, by its tag where there are several; None with a fault."""
    field = kinds[0].__struct_config__.tag_field
    if field is None:
        return kinds[0]
    known = {str(kind.__struct_config__.tag): kind for kind in kinds}
    if field not in table:
        faults[f"{place}.{field}"] = f"missing key; one of {', '.join(known)} was expected"
        return None
    asked = table[field]
    if not (isinstance(asked, str) and asked in known):
        faults[f"{place}.{field}"] = _one_of(list(known), asked)
        return None
    return known[asked]


def _takes_pairs(hint: Any) -> bool:
    """Return whether a type takes pairs of classes, for which a file has a table."""
    entries = (get_args(one)[0] for one in _alternatives(hint) if get_origin(one) is tuple)
    return any(get_origin(entry) is tuple and get_args(entry)[0] is not str for entry in entries) and any(
        records_of(hint)
    )


def _is_meant(table: dict[str, Any], hint: Any) -> bool:
    """Return whether a table is meant as a record that a type takes: it has one of its keys, or almost for a number."""
    keys = [field.encode_name for kind in records_of(hint) for field in msgspec.structs.fields(kind)]
    near = [key for key in table if difflib.get_close_matches(key, keys, n=1, cutoff=0.6)]
    return any(key in keys or not isinstance(table[key], str) for key in near)


def _alternatives(hint: Any) -> Iterator[Any]:
    """Yield the types that a type is one of."""
    if get_origin(hint) is Annotated:
        yield from _alternatives(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        for one in get_args(hint):
            yield from _alternatives(one)
    else:
        yield hint


def _title(hint: Any) -> str:
    """Return what a type is called in a sentence, where it says so; else ""."""
    if get_origin(hint) is Annotated:
        return next((one.title for one in get_args(hint)[1:] if getattr(one, "title", None)), "")
    if get_origin(hint) in (Union, UnionType):
        return next((title for one in get_args(hint) if (title := _title(one))), "")
    return ""


def _takes_named(hint: Any) -> bool:
    """Return whether a type is pairs of a name and what it names, for which a file has a table."""
    entry = _entry(hint)
    return get_origin(entry) is tuple and get_args(entry)[0] is str


def _takes_others(hint: Any) -> bool:
    """Return whether a type takes words or numbers in the place of a record."""
    return any(get_origin(one) is Literal or one is int for one in _alternatives(hint))


def _without_none(hint: Any) -> Any:
    """Return the first of the types in `X | None`, and what Annotated is about."""
    if get_origin(hint) is Annotated:
        return _without_none(get_args(hint)[0])
    arguments = [a for a in get_args(hint) if a is not type(None)]
    optional = len(arguments) < len(get_args(hint))
    return _without_none(arguments[0]) if optional and len(arguments) == 1 else hint


def _is_tuple(hint: Any) -> bool:
    return get_origin(_without_none(hint)) is tuple


def _entry(hint: Any) -> Any:
    """Return the type of the entries of a tuple, which may be one of several types; None for others."""
    bare = _without_none(hint)
    return next((get_args(one)[0] for one in (bare, *get_args(bare)) if get_origin(one) is tuple), None)


def _words(hint: Any) -> Iterator[str]:
    """Yield the words that a type takes."""
    if get_origin(hint) is Literal:
        yield from (word for word in get_args(hint) if isinstance(word, str))
        return
    for argument in get_args(hint):
        yield from _words(argument)


def _worded(message: str, value: Any, hint: Any) -> str:
    """Return msgspec's complaint in plain words, with the nearest right one where a word was misspelt."""
    words = list(_words(hint))
    if title := _title(hint):
        return f"{title} was expected, {value!r} came"
    if words:
        return _one_of(words, value)
    complaint = message.partition(" - at ")[0]
    if "regex" in complaint and ":" in str(hint):
        return f'"module:function" was expected, {value!r} came'
    if "regex" in complaint:
        return f"letters, digits, '.', '_' and '-' were expected, {value!r} came"
    wanted = complaint.partition(", got")[0].removeprefix("Expected ").replace(" | null", "")
    for jargon, word in _PLAIN.items():
        wanted = wanted.replace(f"`{jargon}`", word)
    return f"{wanted} was expected, {value!r} came"


def _one_of(words: list[str], value: Any) -> str:
    near = difflib.get_close_matches(value, words, n=1, cutoff=0.4) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"one of {', '.join(words)} was expected, {value!r} came{hint}"


_PLAIN = {"array": "a list", "str": "text", "float": "a number", "int": "a whole number", "object": "a table"}
_PLAIN |= {"bool": "true or false"}
