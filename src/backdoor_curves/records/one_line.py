"""What is said in one line: errors of other libraries run over several, and so do estimators."""

from __future__ import annotations

import re

NUMBER = re.compile(r"(?P<quoted>'[^']*')|(?<!\w)[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")


def one_line(said: object) -> str:
    """Return a text, or what an error says, in one line.

    Examples
    --------
    >>> from backdoor_curves.records.one_line import one_line
    >>> one_line(ValueError("three rows\\n  were expected"))
    'three rows were expected'
    """
    return " ".join(str(said).split())


def without_numbers(said: str) -> str:
    """Return a text by which it is known again with other numbers in it; names, digits in them too, stay.

    Examples
    --------
    >>> from backdoor_curves.records.one_line import without_numbers
    >>> without_numbers("column 'x 1': 3 of 10 rows (30.5 %) at C2")
    "column 'x 1':  of  rows ( %) at C2"
    """
    return NUMBER.sub(lambda found: found["quoted"] or "", said)


def error_line(error: BaseException) -> str:
    """Return an error in one line, with its kind.

    Examples
    --------
    >>> from backdoor_curves.records.one_line import error_line
    >>> error_line(ValueError("three rows\\n  were expected"))
    'ValueError: three rows were expected'
    """
    return one_line(f"{type(error).__name__}: {error}")
