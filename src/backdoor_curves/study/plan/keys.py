"""The key of a cell: a hash of its values, of the content of its rows, and of the version of the algorithm.

What is hashed is the canonical text of the `Cell`: its fields and theirs, by name, the names in alphabetical order. A
field at its default is left out, so that a field which is added with a default renames no cell that is kept, and the
order of fields means nothing. In return a default stands for ever: whoever changes one raises `ALGORITHM`; and where
a field may hold records of two types, each needs a field without a default that tells them apart, or a tag, which is
hashed with its fields. Data of one's own are known by the content of their rows, and by the names of their classes and
columns, wherever they came from.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.plan.scenario import Cell

ALGORITHM = 5
"""Part of every key; raised when the numbers of a cell change by more than rounding, or a default."""
WHOLE = 2.0**53
"""Beyond it not every whole number is a double: 1 and 1.0 are one value and one text, 1e300 stays as it is."""


def key_of(cell: Cell, data_hash: str) -> str:
    """Return the key of a cell whose rows have this hash."""
    return blake2b(f"{ALGORITHM}\n{data_hash}\n{canonical(_identified(cell))}".encode(), digest_size=16).hexdigest()


def random_state_of(cell: Cell) -> int:
    """Return the random state of a learner that draws: a hash of which cell it is, however it is computed and kept."""
    cell = _identified(cell)
    which = "\n".join(map(canonical, (cell.scenario, cell.setting, cell.seed)))
    return int.from_bytes(blake2b(which.encode(), digest_size=4).digest(), "little") >> 1


def _identified(cell: Cell) -> Cell:
    """Return a cell without the paths of its data."""
    data = cell.scenario.data
    own = isinstance(data, DataConfig) and data.is_own
    return replace(cell, scenario=replace(cell.scenario, data=data.identity)) if own else cell


def canonical(value: Any) -> str:
    """Return the text of a value that is hashed: JSON, without the fields of records that are at their defaults.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import TriggerConfig
    >>> from backdoor_curves.study.plan.keys import canonical
    >>> canonical(TriggerConfig(size=3, pattern="ones")), canonical(TriggerConfig())
    ('{"pattern":"ones","size":3}', '{}')
    """
    if isinstance(value, Cell):  # of which there are too many to remember
        return _record_text(value)
    if isinstance(value, Struct):
        return _remembered_text(value)
    if isinstance(value, tuple):
        return f"[{','.join(map(canonical, value))}]"
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE:
        value = int(value)
    return repr(value) if type(value) is int else json.dumps(value)


def _record_text(record: Struct) -> str:
    tag = type(record).__struct_config__
    parts = [] if tag.tag_field is None else [f"{json.dumps(tag.tag_field)}:{json.dumps(tag.tag)}"]
    for name, key, default in _fields(type(record)):
        value = getattr(record, name)
        if value != default:
            parts.append(f"{key}:{canonical(value)}")
    return f"{{{','.join(sorted(parts))}}}"


_remembered_text = lru_cache(maxsize=4096)(_record_text)
"""The same few scenarios and settings are parts of thousands of cells."""


@cache
def _fields(record: type[Struct]) -> tuple[tuple[str, str, Any], ...]:
    """Return name, name as JSON, and default of a record's fields, by name."""
    fields = sorted(msgspec.structs.fields(record), key=lambda field: field.encode_name)
    return tuple(
        (
            field.name,
            json.dumps(field.encode_name),
            field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory(),
        )
        for field in fields
    )
