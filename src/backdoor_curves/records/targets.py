"""Where results may be written: asked before anything is computed."""

from __future__ import annotations

from pathlib import Path


def require_file(path: Path, example: str) -> None:
    """Refuse a path that no file can be written to; `example` is a name for one.

    Raises
    ------
    OSError
        If a folder is there, or if there is no folder for it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from backdoor_curves.records.targets import require_file
    >>> require_file(Path("."), "report.html")
    Traceback (most recent call last):
    ...
    IsADirectoryError: .: a file to write to was expected, a folder came; name a file in it, such as report.html
    """
    if path.is_dir():
        raise IsADirectoryError(
            f"{path}: a file to write to was expected, a folder came; name a file in it, such as {path / example}"
        )
    if not path.parent.is_dir():
        came = "is a file" if path.parent.exists() else "is not there: make it first"
        raise FileNotFoundError(
            f"{path}: a file in an existing folder was expected, {path.parent} {came}, or name another"
        )


def require_folder(path: Path) -> None:
    """Refuse a path at which a file stands, or below a file: neither is a folder, nor can one be made there.

    Raises
    ------
    NotADirectoryError
        If so.

    Examples
    --------
    >>> from pathlib import Path
    >>> from backdoor_curves.records.targets import require_folder
    >>> require_folder(Path("."))
    """
    first = next((place for place in (path, *path.parents) if place.exists()), None)
    if first is not None and not first.is_dir():
        raise NotADirectoryError(
            f"{path}: a folder to write to was expected, the file {first} came; name another folder, or a new one"
        )
