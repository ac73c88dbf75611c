"""A folder with a folder for each class: which files are in it, and of which class; nothing outside of it is read."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from backdoor_curves.datasets.files.content import require_file

MOST_FILES = 1_000_000
"""Of a folder: one with more is hardly what was meant, and its names alone take a hundred megabytes."""
LABEL, NAME = "label", "file"
"""The columns that tables of folders have beside their texts or images."""


def files_by_class(folder: Path, endings: Collection[str], source: str) -> list[tuple[str, Path]]:
    """Return the files of a folder with the names of their classes, in the order of their names.

    Parameters
    ----------
    folder : path
        Its folders are the classes; files may lie deeper in them. Names that begin with a point are left out.
    endings : collection of str
        That the files have, in lower case: ".png", ...
    source : str
        What the folder is called in errors.

    Raises
    ------
    ValueError
        If there are no class folders or an empty one, a file lies beside them or has another ending, or a link leads
        out of the folder.
    """
    top = folder.resolve()
    found: list[tuple[str, Path]] = []
    for entry in _entries(folder):
        if not entry.is_dir():
            raise ValueError(
                f"{source}: a folder for each class was expected, {entry.name!r} lies beside them; move it away"
            )
        files = list(_files_below(entry, top, source, {_inode(folder)}))
        if not files:
            raise ValueError(f"{source}: files were expected in {entry.name!r}, none are there; remove the folder")
        for path in files:
            if path.suffix.lower() not in endings:
                raise ValueError(
                    f"{source}: files that end in {', '.join(sorted(endings))} were expected, "
                    f"{str(path.relative_to(folder))!r} came; move it away"
                )
        found += [(entry.name, path) for path in files]
        if len(found) > MOST_FILES:
            raise ValueError(f"{source}: at most {MOST_FILES} files were expected, more are there; take fewer")
    if not found:
        raise ValueError(f"{source}: a folder for each class was expected in it, none is there")
    return found


def _files_below(folder: Path, top: Path, source: str, above: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the files below a folder; links must stay below `top`, and folders must not lie in themselves."""
    if not folder.resolve().is_relative_to(top):
        raise ValueError(f"{source}: files inside of it were expected, the link {folder.name!r} leads out of it")
    if _inode(folder) in above:
        raise ValueError(f"{source}: the link {folder.name!r} leads to a folder that it lies in; remove it")
    for entry in _entries(folder):
        if entry.is_dir():
            yield from _files_below(entry, top, source, above | {_inode(folder)})
            continue
        if not entry.resolve().is_relative_to(top):
            raise ValueError(f"{source}: files inside of it were expected, the link {entry.name!r} leads out of it")
        require_file(entry)
        yield entry


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _inode(folder: Path) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
