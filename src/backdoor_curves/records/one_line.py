"""What is said in one line: errors of other libraries run over several, and so do estimators."""

from __future__ import annotations


def one_line(said: object) -> str:
    """Return a text, or what an error says, in one line.

    Examples
    --------
    >>> from backdoor_curves.records.one_line import one_line
    >>> one_line(ValueError("three rows\\n  were expected"))
    'three rows were expected'
    """
    return " ".join(str(said).split())


def error_line(error: BaseException) -> str:
    """Return an error in one line, with its kind.

    Examples
    --------
    >>> from backdoor_curves.records.one_line import error_line
    >>> error_line(ValueError("three rows\\n  were expected"))
    'ValueError: three rows were expected'
    """
    return one_line(f"{type(error).__name__}: {error}")
