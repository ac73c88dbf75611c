"""A disk that is full is said so, with the file, and nothing half written is left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from backdoor_curves.records.full_disk import CUT_SHORT, naming
from backdoor_curves.records.npz import whole, write_folder, write_record

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.is_char_device(), reason="needs /dev/full, a disk without room")
SAID = r"\[Errno 28\] the disk is full, or its quota; make room and try again: "


def cut_short(*_: object, **__: object) -> None:
    """What numpy does where the system takes less than it was given: an error without a number."""
    raise OSError("7680 requested and 4592 written")


@needs_full
def test_an_open_file_says_its_name():
    """Whoever gave an open file knows it by its name."""
    with open(FULL, "wb", buffering=0) as file, pytest.raises(OSError, match=f"{SAID}'/dev/full'") as caught:
        write_record(file, "test", {}, {"a": np.random.default_rng(0).random(10_000)})
    assert caught.value.errno == errno.ENOSPC


@needs_full
def test_numpy_says_it_in_its_own_words():
    """The message that is known here is numpy's own, so that a change of it is seen."""
    with pytest.raises(OSError, match="requested and") as caught, open(FULL, "wb", buffering=0) as file:
        np.zeros(10_000).tofile(file)
    assert CUT_SHORT.fullmatch(str(caught.value))


def test_a_folder_of_arrays_says_its_name_and_leaves_nothing(tmp_path, monkeypatch):
    """The rows that worker processes map into memory are the largest that is written."""
    monkeypatch.setattr(np, "save", cut_short)
    with pytest.raises(OSError, match=f"{SAID}'.*rows'") as caught:
        write_folder(tmp_path / "rows", {"a": np.zeros(3)})
    assert (caught.value.errno, Path(caught.value.filename)) == (errno.ENOSPC, tmp_path / "rows")
    assert not list(tmp_path.iterdir())


def half_written(draft: Path, number: int) -> None:
    draft.write_text("new")
    raise OSError(number, os.strerror(number))


def test_a_whole_file_says_its_name_and_leaves_the_old_one(tmp_path):
    """The draft's name would say nothing."""
    (tmp_path / "page.html").write_text("old")
    for number in (errno.ENOSPC, errno.EDQUOT):
        with pytest.raises(OSError, match=f"{SAID}'.*page.html'"), whole(tmp_path / "page.html") as draft:
            half_written(draft, number)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "old"


def test_other_errors_stay_what_they_are(tmp_path):
    """With the file, and in the system's words."""
    with pytest.raises(PermissionError, match=r"denied: '.*a'"), naming(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "denied", "draft")
    with pytest.raises(OSError, match=r"^HTTP 404$"), naming(tmp_path / "a"):
        raise OSError("HTTP 404")


@needs_full
def test_a_device_is_not_replaced_by_a_file():
    """A draft that takes its name would put a file where /dev/null was."""
    with pytest.raises(FileExistsError, match="/dev/full: a file was expected, a device or a pipe came"):
        write_record(FULL, "test", {}, {})
    assert FULL.is_char_device()
