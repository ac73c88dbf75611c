"""Which file could not be written, and that the disk is full where it is: an error of the system's names neither."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_DISK = "the disk is full, or its quota; make room and try again"
CUT_SHORT = re.compile(r"\d+ requested and \d+ written")
"""What numpy says where the system took less than it was given."""


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Have an OSError say which file could not be written, and that the disk is full where it is.

    Examples
    --------
    >>> from backdoor_curves.records.full_disk import naming
    >>> with naming("rows.npy"):
    ...     raise OSError("7680 requested and 4592 written")  # what numpy says of a full disk
    Traceback (most recent call last):
    ...
    OSError: [Errno 28] the disk is full, or its quota; make room and try again: 'rows.npy'
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL or CUT_SHORT.fullmatch(str(error)):
            raise OSError(errno.ENOSPC, FULL_DISK, str(path)) from None
        if error.errno:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
