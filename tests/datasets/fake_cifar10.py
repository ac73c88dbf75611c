"""Ten images a file in CIFAR-10's format, and archives of them, right and wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile

from backdoor_curves.datasets.archive import RemoteArchive
from backdoor_curves.datasets.catalogue import Catalogued
from backdoor_curves.datasets.remote import RemoteFile

FOLDER = "cifar-10-batches-bin"
ARCHIVE = "cifar-10-binary.tar.gz"


def level(k: int, i: int, row: int = 0, column: int = 0, channel: int = 0) -> int:
    """The value of a pixel of image i of file k."""
    return (40 * k + 4 * i + 3 * row + 5 * column + 80 * channel) % 256


def records(k: int, n: int = 10) -> bytes:
    """File k, written byte by byte as the format's description has it; image i has class i."""
    content = bytearray()
    for i in range(n):
        content.append(i)
        for channel in range(3):
            for row in range(32):
                content += bytes(level(k, i, row, column, channel) for column in range(32))
    return bytes(content)


CONTENT = {f"data_batch_{k}.bin": records(k) for k in range(1, 6)} | {"test_batch.bin": records(6)}
FIRST_TEST_ROWS = CONTENT["test_batch.bin"][: 4 * 3073]


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content)
    if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info.linkname = "/etc/passwd"
    return info, content


def archive(*extra: tuple[tarfile.TarInfo, bytes], content: dict[str, bytes] = CONTENT) -> bytes:
    """A .tar.gz with the files in their folder, and further members before them."""
    stream = io.BytesIO()
    members = [member(FOLDER, kind=tarfile.DIRTYPE), *extra, member(f"{FOLDER}/readme.html", b"<html>")]
    members += [member(f"{FOLDER}/{name}", body) for name, body in content.items()]
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for info, body in members:
            tar.addfile(info, io.BytesIO(body))
    return gzip.compress(stream.getvalue())


def small_entry(*mirrors: str) -> Catalogued:
    """The small stand-in's place in the catalogue."""

    def known(name: str, body: bytes) -> RemoteFile:
        return RemoteFile(name, hashlib.sha256(body).hexdigest(), ())

    return Catalogued(
        tuple(known(*item) for item in CONTENT.items()),
        "a small stand-in",
        RemoteArchive(ARCHIVE, FOLDER, mirrors, limit=300_000),
        (known("test_first1000.bin", FIRST_TEST_ROWS),),
    )
