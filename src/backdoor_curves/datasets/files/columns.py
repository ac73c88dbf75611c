"""The cells of a column, as text, become numbers or words; what might be meant otherwise is refused or said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Int

from backdoor_curves.datasets.files.content import warn_of_reading
from backdoor_curves.datasets.files.table import Column, place_of

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"[+-]?(\d+,\d+|\d+)", re.ASCII)
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+", re.ASCII)
GROUPED = re.compile(r"[+-]?\d{1,3}([.,' ]\d{3})*[.,]\d+|[+-]?\d{1,3}([.,' ]\d{3})+", re.ASCII)
NUMERAL = r"[+-]?[0-9]+([.,' \u00a0\u202f][0-9]+)*"
CURRENCY = r"[$€£¥₹₽₩]"
UNIT = r"[%‰°]|°[CF]|[A-Za-zµΩ]{1,6}(/[A-Za-z]{1,3})?[²³]?"
SIGNED = re.compile(rf"[+-]?({CURRENCY}|[A-Z]{{3}}(?= ))\s?{NUMERAL}|{NUMERAL}\s?({CURRENCY}|{UNIT})")
"""A number with a currency before it, or with a currency, a share or a unit behind it: $79.35, 2.459,50 €, 12 km/h."""
DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}([ ].*)?", re.ASCII)
GAPS = {"na", "n/a", "nan", "null", "none", "#n/a", "?", "-"}
"""Words for a missing number, in any case. In a column of words they are words: NA is Namibia, too."""
TRUTHS = {"true": 1, "false": 0}
WHOLE = 2**53
"""Whole numbers beyond it are no doubles, and become the nearest."""
MOSTLY = 0.5
"""Share of a column's known cells from which on it is one of numbers or dates, and the others are more likely to be
faults in it than names for classes."""


def column_of(cells: Sequence[str], name: str, source: str, lines: Int[np.ndarray, " n"] | None = None) -> Column:
    """Return a column as numbers where each of its cells is one or missing, else as words.

    Truths are 0 and 1. Decimal commas are read where they can mean nothing else. Dates are words, and that is said; so
    are numbers with signs of currencies or units, and those with a few words among them. Only an empty cell is missing
    in a column of words.

    Parameters
    ----------
    cells : sequence of str
    name, source : str
        Of the column and its file, for errors.
    lines : int array of shape (n,), optional
        Of the file, in which the cells stand.

    Returns
    -------
    array of shape (n,)
        float64 with NaN for gaps, int64 where all are whole and none is missing, or objects: str, and None for gaps.

    Raises
    ------
    ValueError
        If commas or points may separate thousands as well as decimals.

    Warns
    -----
    ReadingWarning
        If dates, numbers with signs or numbers among words are read as words.

    Examples
    --------
    >>> from backdoor_curves.datasets.files.columns import column_of
    >>> column_of(["1", "", "2.5"], "age", "a.csv"), column_of(["1,5", "2"], "age", "a.csv")
    (array([1. , nan, 2.5]), array([1.5, 2. ]))
    >>> column_of(["true", "FALSE"], "paid", "a.csv"), column_of(["NA", ""], "country", "a.csv")
    (array([1, 0]), array(['NA', None], dtype=object))
    """
    kinds = {cell: cell.strip() for cell in dict.fromkeys(cells)}
    known = [text for text in kinds.values() if text and text.lower() not in GAPS]
    if not known:
        all_empty = not any(kinds.values())
        return np.full(len(cells), np.nan) if all_empty else _words(cells, kinds)
    if all(NUMBER.fullmatch(text) for text in known):
        return _numbers(cells, {cell: _as_number(text) for cell, text in kinds.items()})
    if all(text.lower() in TRUTHS for text in known):
        return _numbers(cells, {cell: TRUTHS.get(text.lower(), np.nan) for cell, text in kinds.items()})
    if any("," in text for text in known) and all(map(DECIMAL_COMMA.fullmatch, known)):
        _require_decimals(known, name, source)
        return _numbers(cells, {cell: _as_number(text.replace(",", ".")) for cell, text in kinds.items()})
    if all(NUMBER.fullmatch(text) or GROUPED.fullmatch(text) for text in known):
        _refuse_thousands(next(text for text in known if not NUMBER.fullmatch(text)), name, source)
    if said := _what_words_are(cells, known, lines):
        warn_of_reading(f"{source}: column {name!r} {said}")
    return _words(cells, kinds)


def _as_number(text: str) -> float | int:
    if not text or text.lower() in GAPS:
        return np.nan
    digits = text.lstrip("+-")
    whole = int(text) if digits.isdecimal() and len(digits) <= 16 else WHOLE  # 2^53 has 16 digits
    return whole if abs(whole) < WHOLE else float(text)


def _numbers(cells: Sequence[str], values: dict[str, float | int]) -> Column:
    """Return a column of numbers, whole ones as such where all are."""
    whole = all(isinstance(value, int) for value in values.values())
    return np.fromiter((values[cell] for cell in cells), dtype=np.int64 if whole else np.float64, count=len(cells))


def _words(cells: Sequence[str], kinds: dict[str, str]) -> Column:
    words = np.empty(len(cells), dtype=object)
    words[:] = [kinds[cell] or None for cell in cells]
    return words


def _require_decimals(known: Sequence[str], name: str, source: str) -> None:
    """Refuse commas that may all separate thousands."""
    commas = [text for text in known if "," in text]
    if all(map(THOUSANDS.fullmatch, commas)):
        _refuse_thousands(commas[0], name, source)


def _refuse_thousands(text: str, name: str, source: str) -> None:
    raise ValueError(
        f"{source}: column {name!r}: numbers with a decimal point were expected, {text!r} came, which may be read in "
        "two ways; write them without signs between thousands, or drop the column"
    )


def _what_words_are(cells: Sequence[str], known: Collection[str], lines: Int[np.ndarray, " n"] | None) -> str:
    """Return what most of a column's words are that may be meant otherwise; "" if they are words."""
    kinds = {text: "number" if NUMBER.fullmatch(text) else _kind_of_word(text) for text in known}
    if not any(kinds.values()):
        return ""
    found = [(row, kinds[text]) for row, cell in enumerate(cells) if (text := cell.strip()) in kinds]
    counts = Counter(kind for _, kind in found)
    most = MOSTLY * len(found)
    if counts["date"] >= most:
        return f"has dates such as {_first(kinds, 'date')!r}, which are read as words; drop it, or make numbers of them"
    if counts["number"] >= most:
        row = next(row for row, kind in found if kind != "number")
        return (
            f"has numbers in {counts['number']} of {len(cells)} cells and {cells[row]!r:.60} in "
            f"{place_of(row, lines)}: all are read as words; mend it, or leave the cell empty"
        )
    if counts["signed"] + counts["number"] >= most:
        return (
            f"has numbers with signs such as {_first(kinds, 'signed')!r}, which are read as words; write the numbers "
            "alone, or drop it"
        )
    return ""


def _kind_of_word(text: str) -> str:
    return "date" if DATE.fullmatch(text) else "signed" if SIGNED.fullmatch(text) else ""


def _first(kinds: Mapping[str, str], kind: str) -> str:
    return next(text for text, found in kinds.items() if found == kind)
