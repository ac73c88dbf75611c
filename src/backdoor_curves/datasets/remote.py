"""One file on the web: downloaded whole or not at all, and known by the hash of its content."""

from __future__ import annotations

import gzip
import hashlib
import os
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backdoor_curves.records.full_disk import naming

TIMEOUT_S = 30.0
"""Seconds without a byte after which a mirror is given up."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on the web.

    Parameters
    ----------
    name : str
        Its name, uncompressed; mirrors serve it as `name`.gz.
    sha256 : str
        Of the uncompressed content, in hexadecimal: the same file is compressed differently here and there.
    mirrors : tuple of str
        Addresses of the folders that serve it, in the order in which they are tried; each ends with a slash.

    Examples
    --------
    >>> RemoteFile("numbers", sha256="9f" * 32, mirrors=("https://example.org/data/",)).name
    'numbers'
    """

    name: str
    sha256: str
    mirrors: tuple[str, ...]


def uncompress(file: RemoteFile, payload: bytes, compressed: bool) -> bytes:
    """Return the content of `file`, checked.

    Parameters
    ----------
    file : RemoteFile
        The file that it should be.
    payload : bytes
        What was read or received.
    compressed : bool
        Whether that is in gzip's format.

    Returns
    -------
    bytes
        The uncompressed content, whose hash is `file.sha256`.

    Raises
    ------
    ValueError
        If it is anything else; the message has the beginnings of both hashes.

    Examples
    --------
    >>> abc = RemoteFile("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", ())
    >>> uncompress(abc, b"abc", compressed=False)
    b'abc'
    """
    expected = f"content of sha256 {file.sha256[:12]}... was expected"
    try:
        content = gzip.decompress(payload) if compressed else payload
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{expected}, {len(payload)} bytes that are no whole gzip file came ({error})") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise ValueError(f"{expected}, {digest[:12]}... came ({len(content)} bytes)")
    return content


def download(file: RemoteFile, folder: Path) -> Path:
    """Download a file into a folder, from the first mirror that serves it right.

    Parameters
    ----------
    file : RemoteFile
        The file; it is kept compressed, as received.
    folder : Path
        Made if it is not there.

    Returns
    -------
    Path
        `folder`/`file.name`.gz. It takes the place of an older one at once and only when it is whole, checked and on
        disk; on failure the folder is as before.

    Raises
    ------
    FileNotFoundError
        If no mirror serves the file right; the message has each mirror with its reason.
    PermissionError
        If the folder cannot be written.

    Examples
    --------
    >>> from backdoor_curves.datasets.catalogue import CATALOGUE
    >>> download(CATALOGUE["mnist"].files[0], Path("my-data"))  # doctest: +SKIP
    PosixPath('my-data/train-images-idx3-ubyte.gz')
    """

    def check(payload: bytes) -> None:
        uncompress(file, payload, compressed=True)

    return download_checked(f"{file.name}.gz", file.mirrors, folder, check)


def download_checked(name: str, mirrors: tuple[str, ...], folder: Path, check: Callable[[bytes], None]) -> Path:
    """Download what is served as `name` into a folder under that name, from the first mirror that passes the check.

    Parameters
    ----------
    name : str
        Of the file on the mirrors and on disk.
    mirrors : tuple of str
        Addresses of folders, each with a slash at its end.
    folder : Path
        Made if it is not there.
    check : callable
        Raises a ValueError for content that is not right.

    Returns
    -------
    Path
        `folder`/`name`. It takes the place of an older one at once and only when it is whole, checked and on disk.

    Raises
    ------
    FileNotFoundError
        If no mirror serves it right; the message has each mirror with its reason.
    PermissionError
        If the folder cannot be written; told before any traffic.

    Examples
    --------
    >>> download_checked("numbers.gz", ("https://example.org/data/",), Path("my-data"), print)  # doctest: +SKIP
    PosixPath('my-data/numbers.gz')
    """
    target = folder / name
    # In the same folder, as only there is a rename atomic; a name of its own, as many processes may download at once.
    part = folder / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = part.open("xb")
    except OSError as error:
        raise PermissionError(
            f"{folder}: a folder that can be written was expected ({error.strerror}); "
            "name another, or another cache with XDG_CACHE_HOME"
        ) from None
    try:
        with handle:
            content = _from_mirrors(name, mirrors, check)
            with naming(target):
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())  # else a power cut may leave the new name on an empty file
        with naming(target):
            os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _from_mirrors(name: str, mirrors: tuple[str, ...], check: Callable[[bytes], None]) -> bytes:
    """Return the file as the first mirror whose content is right serves it."""
    reasons = []
    for mirror in mirrors:
        try:
            payload = _get(f"{mirror}{name}")
            check(payload)
        except (OSError, ValueError) as error:
            reasons.append(f"{mirror} ({error})")
        else:
            return payload
    raise FileNotFoundError(f"no mirror served {name.removesuffix('.gz')}: {'; '.join(reasons)}; try again later")


def _get(url: str) -> bytes:
    """Return what a URL serves, whole; every failure is an OSError with a reason of one line."""
    import http.client  # here, as both take a while to import and most runs need neither
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            payload: bytes = response.read()  # without a size: only so is a transfer cut short an error
            return payload
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"HTTP {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise OSError(str(error.reason)) from None
    except http.client.IncompleteRead as error:
        raise OSError(f"the transfer broke off after {len(error.partial)} bytes") from None
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer: {error!r}") from None
