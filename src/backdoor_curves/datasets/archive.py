"""A tar archive whose members are the files of a data set: read in memory and member by member, never unpacked blindly.

Nothing that an archive says of itself is believed: a member is taken by its exact name and known by its hash, and an
archive with a link, a device or a path that leaves its folder is refused whole.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from backdoor_curves.datasets.remote import RemoteFile, download_checked, uncompress


@dataclass(frozen=True)
class RemoteArchive:
    """An archive (.tar.gz) on the web that holds the files of a data set.

    Parameters
    ----------
    name : str
        Its name, as mirrors serve it.
    folder : str
        The folder in it that has the files; also the place where they are looked for unpacked.
    mirrors : tuple of str
        Addresses of the folders that serve it, in the order in which they are tried; each ends with a slash.
    limit : int
        Bytes that it may have uncompressed: a little more than it has.

    Examples
    --------
    >>> RemoteArchive("numbers.tar.gz", "numbers", ("https://example.org/data/",), limit=10_000).folder
    'numbers'
    """

    name: str
    folder: str
    mirrors: tuple[str, ...]
    limit: int


class _Limited:
    """A stream of bytes that refuses to give more than a limit: a small file may uncompress to any size."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream, self._left, self._limit = stream, limit, limit

    def read(self, size: int) -> bytes:
        content: bytes = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise ValueError(f"at most {self._limit} bytes, uncompressed, were expected, more came")
        return content


def read_archive(archive: RemoteArchive, payload: bytes | Path, names: Collection[str]) -> dict[str, bytes]:
    """Return the members of an archive that have these names, those that it has; their content is not checked.

    Parameters
    ----------
    archive : RemoteArchive
        What it should be.
    payload : bytes or Path
        Its content, or the file.
    names : collection of str
        Names of files in `archive.folder`.

    Returns
    -------
    dict of str to bytes
        By name.

    Raises
    ------
    ValueError
        If it is no whole .tar.gz, has more bytes than its limit, or has a member that no archive of data needs: a link,
        a device, a path that leaves the folder.

    Examples
    --------
    >>> read_archive(RemoteArchive("n.tar.gz", "n", (), 10_000), b"no archive", ["one"])
    Traceback (most recent call last):
    ValueError: a whole .tar.gz was expected, something else came (Not a gzipped file (b'no'))
    """
    content = {}
    try:
        with (
            gzip.open(payload if isinstance(payload, Path) else BytesIO(payload)) as stream,
            tarfile.open(fileobj=_Limited(stream, archive.limit), mode="r|") as tar,  # type: ignore[call-overload]
        ):
            for member in tar:
                _require_harmless(member)
                path = PurePosixPath(member.name)
                if member.isfile() and path.parent == PurePosixPath(archive.folder) and path.name in names:
                    reader = tar.extractfile(member)
                    assert reader is not None
                    content[path.name] = reader.read()
    except (EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile) as error:
        raise ValueError(f"a whole .tar.gz was expected, something else came ({error})") from None
    return content


def _require_harmless(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise ValueError(f"members inside one folder were expected, {member.name!r} leaves it; the archive is refused")
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
        raise ValueError(
            f"plain files were expected, {member.name!r} is a link, a device or the like; the archive is refused"
        )


def download_archive(archive: RemoteArchive, files: Collection[RemoteFile], folder: Path) -> Path:
    """Download an archive into a folder, from the first mirror that serves it right.

    Parameters
    ----------
    archive : RemoteArchive
        The archive; it is kept packed, as received.
    files : collection of RemoteFile
        The members by which it is known.
    folder : Path
        Made if it is not there.

    Returns
    -------
    Path
        `folder`/`archive.name`, whole, checked and on disk; on failure the folder is as before.

    Raises
    ------
    FileNotFoundError
        If no mirror serves the archive right; the message has each mirror with its reason.
    PermissionError
        If the folder cannot be written.

    Examples
    --------
    >>> from backdoor_curves.datasets.catalogue import CATALOGUE
    >>> entry = CATALOGUE["cifar10"]
    >>> download_archive(entry.archive, entry.files, Path("my-data"))  # doctest: +SKIP
    PosixPath('my-data/cifar-10-binary.tar.gz')
    """

    def check(payload: bytes) -> None:
        members = read_archive(archive, payload, [file.name for file in files])
        for file in files:
            checked_member(archive, members, file)

    return download_checked(archive.name, archive.mirrors, folder, check)


def checked_member(archive: RemoteArchive, members: Mapping[str, bytes], file: RemoteFile) -> bytes:
    """Return one file out of the members of an archive; a ValueError if it is not there or not as published."""
    if file.name not in members:
        raise ValueError(f"{archive.folder}/{file.name} was expected in the archive, it has no such file")
    try:
        return uncompress(file, members[file.name], compressed=False)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from None
