"""Where in a TOML file a key stands: the standard library's reader does not say."""

from __future__ import annotations

import re

_HEADER = re.compile(r"^\s*(\[\[?)([^\[\]]+)\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\-\"' ]+?)\s*=")


def lines_of_keys(text: str) -> dict[str, int]:
    """Return the line of each key and table, by places such as `learners[0].lambda`.

    Keys within inline tables are not told apart; ask for the nearest place above with `line_of`.

    Examples
    --------
    >>> from backdoor_curves.study.file.lines_of_keys import lines_of_keys
    >>> lines_of_keys("seeds = [0]\\n[[learners]]\\nkind = 'ridge'\\n")
    {'seeds': 1, 'learners': 2, 'learners[0]': 2, 'learners[0].kind': 3}
    """
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = ""
            parts = _parts(header[2])
            for part in parts[:-1]:
                table = _joined(table, part)
                table += f"[{counts[table] - 1}]" if table in counts else ""
            table = _joined(table, parts[-1])
            found.setdefault(table, number)
            if header[1] == "[[":
                counts[table] = counts.get(table, 0) + 1
                table += f"[{counts[table] - 1}]"
                found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault(_joined(table, ".".join(_parts(key[1]))), number)
    return found


def line_of(place: str, lines: dict[str, int]) -> int | None:
    """Return the line of a place, or of the nearest one above that has a line; None where there is none.

    Examples
    --------
    >>> from backdoor_curves.study.file.lines_of_keys import line_of
    >>> line_of("learners[0].lambda[1]", {"learners[0].lambda": 4}), line_of("name", {})
    (4, None)
    """
    while place:
        if place in lines:
            return lines[place]
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return None


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _joined(table: str, key: str) -> str:
    return f"{table}.{key}" if table else key
