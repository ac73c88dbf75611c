"""The bytes of a file, whole and not too many, and its text: what a file says of itself is not believed."""

from __future__ import annotations

import codecs
import gzip
import stat
import warnings
import zlib
from pathlib import Path
from typing import BinaryIO

BLOCK = 2**20
MUCH = 2**26
"""Bytes up to which any file is read, whatever it was packed to."""
MOST_PACKED = 200
"""How many times more bytes than in its file a packed text may have: texts shrink to a tenth, dull tables to a
fiftieth, and what somebody packed to harm to a thousandth."""
LONGEST = 300
"""Characters of a name that an error shows."""
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before that of utf-16, which it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Of encodings that say in their first bytes which they are."""


class ReadingWarning(UserWarning):
    """Something in a file was read in a way that its owner may not mean, or was left out."""


def warn_of_reading(said: str) -> None:
    """Warn that something in a file was read in a way that its owner may not mean."""
    warnings.warn(said, ReadingWarning, stacklevel=2)


def printable(name: object) -> str:
    """Return a name as a line has it: not too long, and without what a terminal would obey.

    Examples
    --------
    >>> from backdoor_curves.datasets.files.content import printable
    >>> printable("a.csv"), printable("a\\x1b[2J.csv")
    ('a.csv', "'a\\\\x1b[2J.csv'")
    """
    text = str(name)
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def require_file(path: Path) -> None:
    """Refuse what is no file: nothing, a folder, a device.

    Raises
    ------
    FileNotFoundError, ValueError
        In one sentence.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{printable(path)}: no such file or folder") from None
    except (OSError, ValueError) as error:  # a loop of links, a NUL in the name
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"{printable(path)}: a file was expected: {why}") from None
    if not stat.S_ISREG(mode):
        came = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
        raise ValueError(f"{printable(path)}: a file was expected, {came} came")


def bytes_of(path: Path, source: str) -> bytes:
    """Return the content of a file, unpacked where its first bytes say that it is in gzip's format.

    Parameters
    ----------
    path : path
    source : str
        What it is called in errors.

    Raises
    ------
    FileNotFoundError, ValueError
        If it is no file, is empty, is not whole, or unpacks to much more than any text does.
    """
    require_file(path)
    with open(path, "rb") as file:
        if file.read(2) != b"\x1f\x8b":
            file.seek(0)
            content = file.read()
        else:
            file.seek(0)
            content = _unpacked(file, path.stat().st_size, source)
    if not content:
        raise ValueError(f"{source}: a file with rows was expected, an empty one came")
    return content


def _unpacked(file: BinaryIO, size: int, source: str) -> bytes:
    blocks, n = [], 0
    try:
        with gzip.open(file) as packed:
            while block := packed.read(BLOCK):
                blocks.append(block)
                n += len(block)
                if n > max(MUCH, MOST_PACKED * size):
                    raise ValueError(
                        f"{source}: at most {MOST_PACKED} times its {size} bytes were expected, unpacked, more came; "
                        "unpack it yourself if you trust it"
                    )
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{source}: a whole gzip file was expected ({error}); copy or write it again") from None
    return b"".join(blocks)


def text_of(content: bytes, source: str) -> str:
    """Return bytes as text: UTF-8, or UTF-16 and UTF-32 with a mark.

    Raises
    ------
    ValueError
        If they are in another encoding, or no text.

    Examples
    --------
    >>> from backdoor_curves.datasets.files.content import text_of
    >>> text_of("fähig".encode("utf-16"), "a.csv"), text_of(b"able", "a.csv")
    ('fähig', 'able')
    >>> text_of("fähig".encode("latin-1"), "a.csv")
    Traceback (most recent call last):
    ...
    ValueError: a.csv: text in UTF-8 was expected, byte 0xe4 in line 1 is none; save it as UTF-8
    """
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise ValueError(
                f"{source}: text in {encoding[:6].upper()} was expected, as its first bytes say, it breaks off or is "
                "damaged; save it as UTF-8"
            ) from None
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{source}: text in UTF-8 was expected, byte 0x{content[error.start]:02x} in line {line} is none; save it "
            "as UTF-8"
        ) from None
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise ValueError(
            f"{source}: text was expected, a NUL byte came in line {line}: another kind of file, or UTF-16 without a "
            "mark; save it as UTF-8"
        )
    return text
