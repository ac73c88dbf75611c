"""Where the files of a data set are, how they come, and how we know that they are the right ones.

A file is looked for in the folder that the caller names, in the one that BACKDOOR_CURVES_DATA names, in the cache, and
at last on the web. Its content is checked at every reading: a result on altered data is worse than no result.
Files that come in an archive are read out of it where they lie, or from its folder where somebody has unpacked it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from backdoor_curves.datasets.archive import checked_member, download_archive, read_archive
from backdoor_curves.datasets.catalogue import catalogued
from backdoor_curves.datasets.remote import RemoteFile, download, uncompress

Opened = dict[Path, dict[str, bytes]]
"""The members of the archives that were opened so far: none is uncompressed twice for one question."""


@dataclass(frozen=True)
class FileCheck:
    """What `verify` found out about one file.

    Parameters
    ----------
    name : str
        Its name, uncompressed.
    path : Path or None
        Where it is; None if it is nowhere.
    problem : str or None
        What is wrong with it and what to do, in one line; None if nothing is.
    """

    name: str
    path: Path | None
    problem: str | None


def cache_folder() -> Path:
    """Return the folder that downloads go to: `backdoor-curves` in XDG_CACHE_HOME, or in ~/.cache without it.

    Examples
    --------
    >>> cache_folder().name
    'backdoor-curves'
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification: a relative path is to be ignored.
    return (base if base.is_absolute() else Path.home() / ".cache") / "backdoor-curves"


def search_folders(data_dir: str | os.PathLike[str] | None = None) -> tuple[Path, ...]:
    """Return the folders where files are looked for, first to last.

    Examples
    --------
    >>> search_folders("my-data")[0].name
    'my-data'
    """
    named = [data_dir, os.environ.get("BACKDOOR_CURVES_DATA") or None]
    return (*(Path(folder).expanduser() for folder in named if folder is not None), cache_folder())


def where(dataset: str, data_dir: str | os.PathLike[str] | None = None) -> dict[str, Path | None]:
    """Return the path that each file of a data set would be read from, None where there is none; nothing is checked.

    Parameters
    ----------
    dataset : str
        A name of the catalogue.
    data_dir : path, optional
        A folder to look in first.

    Returns
    -------
    dict of str to path or None
        By file name; the archive's, for a file inside one. Empty for a data set that needs no files.

    Raises
    ------
    ValueError
        If the data set is unknown.

    Examples
    --------
    >>> where("digits")
    {}
    """
    entry = catalogued(dataset)
    folders = _existing(data_dir)
    found = {file.name: _find(dataset, file, folders) for file in (*entry.files, *entry.parts)}
    parts = {file.name for file in entry.parts}
    return {name: path for name, path in found.items() if path is not None or name not in parts}


def verify(dataset: str, data_dir: str | os.PathLike[str] | None = None) -> tuple[FileCheck, ...]:
    """Check the files that would be read; each is found or not, and right or not.

    Parameters
    ----------
    dataset : str
        A name of the catalogue.
    data_dir : path, optional
        A folder to look in first.

    Returns
    -------
    tuple of FileCheck
        One a file; empty for a data set that needs no files. All is well if no `problem` is set.

    Raises
    ------
    ValueError
        If the data set is unknown.

    Examples
    --------
    >>> verify("digits")
    ()
    """
    there = where(dataset, data_dir)
    entry, folders, opened = catalogued(dataset), _existing(data_dir), Opened()
    files = [file for file in (*entry.files, *entry.parts) if file.name in there]
    return tuple(_check(dataset, file, folders, opened) for file in files)


def fetch(dataset: str, data_dir: str | os.PathLike[str] | None = None) -> dict[str, Path]:
    """Download the files of a data set that are not there yet, and return where they are.

    They go to `data_dir`/`dataset`, or to the cache. A file that is there and right is kept; one that an earlier
    download left there and that is no longer right is replaced. An archive is kept as it came.

    Parameters
    ----------
    dataset : str
        A name of the catalogue.
    data_dir : path, optional
        The folder to download into.

    Returns
    -------
    dict of str to path
        By file name; empty for a data set that needs no files.

    Raises
    ------
    ValueError
        If the data set is unknown, or if an altered file of the user's own stands before the place of the download.
    FileNotFoundError
        If no mirror serves a file.
    PermissionError
        If the folder cannot be written.

    Examples
    --------
    >>> fetch("digits")
    {}
    """
    root = cache_folder() if data_dir is None else Path(data_dir).expanduser()
    opened = Opened()
    return {file.name: _fetch_file(dataset, file, root, opened) for file in catalogued(dataset).files}


def load_files(
    dataset: str,
    data_dir: str | os.PathLike[str] | None = None,
    offline: bool = False,
    names: Collection[str] | None = None,
) -> tuple[bytes, ...]:
    """Return the uncompressed, checked content of every file of a data set; missing files come from the web.

    Parameters
    ----------
    dataset : str
        A name of the catalogue.
    data_dir : path, optional
        A folder to look in first, before BACKDOOR_CURVES_DATA and the cache.
    offline : bool
        Never use the network.
    names : collection of str, optional
        Only these files; by default all but the parts that may stand in for larger ones.

    Returns
    -------
    tuple of bytes
        In the order of the catalogue.

    Raises
    ------
    ValueError
        If the data set is unknown, or if the file found first was altered: no other is taken in its place.
    FileNotFoundError
        If a file is nowhere, and `offline` or no mirror serves it.
    PermissionError
        If the cache cannot be written.

    Examples
    --------
    >>> load_files("digits")
    ()
    """
    entry, folders, opened = catalogued(dataset), _existing(data_dir), Opened()
    files = entry.files if names is None else [file for file in (*entry.files, *entry.parts) if file.name in names]
    return tuple(_load_file(dataset, file, folders, offline, opened) for file in files)


def _existing(data_dir: str | os.PathLike[str] | None) -> tuple[Path, ...]:
    """Return the folders to search; a folder that was named but is not there is a slip, not a place to pass over."""
    folders = search_folders(data_dir)
    if data_dir is not None and not folders[0].is_dir():
        raise FileNotFoundError(f"{folders[0]}: a folder with data files was expected, there is none of this name")
    return folders


def _candidates(dataset: str, file: RemoteFile, folder: Path) -> Iterator[Path]:
    """Yield the places of a file in one folder; downloads go to the first."""
    archive = catalogued(dataset).archive
    for place in (folder / dataset, folder):
        if archive is not None:
            if file not in catalogued(dataset).parts:
                yield place / archive.name
            yield place / archive.folder / f"{file.name}.gz"
            yield place / archive.folder / file.name
        yield place / f"{file.name}.gz"
        yield place / file.name


def _find(dataset: str, file: RemoteFile, folders: tuple[Path, ...]) -> Path | None:
    paths = (path for folder in folders for path in _candidates(dataset, file, folder))
    return next((path for path in paths if path.is_file()), None)


def _read(dataset: str, file: RemoteFile, path: Path, opened: Opened) -> bytes:
    """Return the content of a file on disk; an altered one is an error, whatever lies in the next place."""
    archive = catalogued(dataset).archive
    try:
        if archive is None or path.name != archive.name:
            return uncompress(file, path.read_bytes(), compressed=path.suffix == ".gz")
        if path not in opened:
            opened[path] = read_archive(archive, path, [member.name for member in catalogued(dataset).files])
        return checked_member(archive, opened[path], file)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; delete it, then: backdoor-curves data fetch {dataset}") from None


def _check(dataset: str, file: RemoteFile, folders: tuple[Path, ...], opened: Opened) -> FileCheck:
    path = _find(dataset, file, folders)
    if path is None:
        return FileCheck(file.name, None, f"{_missing(dataset, file, folders)}; backdoor-curves data fetch {dataset}")
    try:
        _read(dataset, file, path, opened)
    except ValueError as error:
        return FileCheck(file.name, path, str(error))
    return FileCheck(file.name, path, None)


def _missing(dataset: str, file: RemoteFile, folders: tuple[Path, ...]) -> str:
    archive = catalogued(dataset).archive
    name = f"{file.name}, or {archive.name}," if archive else file.name
    return f"{name} was expected in {', '.join(map(str, folders))} or a subfolder {dataset} of these, none came"


def _fetch_file(dataset: str, file: RemoteFile, root: Path, opened: Opened) -> Path:
    path = _find(dataset, file, (root,))
    if path is None:
        return _download(dataset, file, root)
    try:
        _read(dataset, file, path, opened)
    except ValueError:
        # Only what an earlier download wrote is ours to replace; anything else is the user's.
        if path != next(_candidates(dataset, file, root)):
            raise
        opened.pop(path, None)
        return _download(dataset, file, root)
    return path


def _download(dataset: str, file: RemoteFile, root: Path) -> Path:
    """Download a file, or the archive that has it, into the data set's folder below `root`."""
    entry = catalogued(dataset)
    if entry.archive is None:
        return download(file, root / dataset)
    return download_archive(entry.archive, entry.files, root / dataset)


def _load_file(dataset: str, file: RemoteFile, folders: tuple[Path, ...], offline: bool, opened: Opened) -> bytes:
    path = _find(dataset, file, folders)
    if path is None:
        missing, remedy = _missing(dataset, file, folders), f"backdoor-curves data fetch {dataset}"
        if offline:
            raise FileNotFoundError(f"{missing}, and offline=True forbids the network; fetch it first: {remedy}")
        try:
            path = _download(dataset, file, cache_folder())
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{missing}, and {error}: {remedy}") from None
    return _read(dataset, file, path, opened)
