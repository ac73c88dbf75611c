"""CIFAR-10: 60,000 colour images of 32 x 32 pixels in ten classes (Krizhevsky 2009), read from its binary version."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from backdoor_curves.data.rng import check_rng
from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.catalogue import CATALOGUE
from backdoor_curves.datasets.download import load_files, where
from backdoor_curves.datasets.sampling import Classes, check_count, class_groups, sample_rows

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""The classes by number."""

TRAIN_FILES = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST_FILE = "test_batch.bin"
ROWS_IN_FILE = 10_000
_RECORD = 1 + 3 * 32 * 32  # the class, then the planes of red, green and blue, each row by row


class IncompleteDataWarning(UserWarning):
    """Some files of a data set are not there, and rows are drawn from the others."""


@dataclass(frozen=True)
class FileRows:
    """Images as the files have them.

    Parameters
    ----------
    images : uint8 array of shape (n, 32, 32, 3)
        Red, green and blue in 0..255.
    labels : uint8 array of shape (n,)
        Classes in 0..9.
    rows : int array of shape (n,)
        The number of each among the 50,000 training or the 10,000 test images, ascending; 0..n-1 if no file is missing.
    """

    images: UInt8[np.ndarray, "n 32 32 3"]
    labels: UInt8[np.ndarray, " n"]
    rows: Int[np.ndarray, " n"]


def cifar10(
    classes: Classes | Sequence[Any],
    *,
    n_train: int | None = None,
    n_test: int | None = None,
    rng: np.random.Generator,
    data_dir: str | PathLike[str] | None = None,
    offline: bool = False,
) -> tuple[Samples, Samples]:
    """Return random CIFAR-10 rows: training rows from the 50,000, test rows from the 10,000.

    The archive of the binary version (170 MB), or the folder that unpacking it makes, is looked for in `data_dir`, in
    the folder that the environment variable BACKDOOR_CURVES_DATA names and in the cache. It is downloaded into the
    cache if none of them has anything to train on or nothing to test on. Where some of its files are there, rows are
    drawn from these, and an IncompleteDataWarning names the others.

    Parameters
    ----------
    classes : str or a sequence of K >= 2 classes
        "airplane-frog", ("airplane", "frog") and (0, 6) are the same pair. Labels are places in it: airplanes are class
        0, frogs class 1. An entry may be a tuple of classes merged into one; "all" keeps the ten classes.
    n_train, n_test : int, optional
        Rows to draw without replacement, in random order. None takes all rows of these classes, in file order; a row
        takes 24.6 kB.
    rng : numpy Generator
        Source of the random rows. For one state of it, `n_train` does not change which rows are tested, and smaller
        sets are the first rows of larger ones.
    data_dir : path, optional
        A folder with cifar-10-binary.tar.gz, with the folder cifar-10-batches-bin or with the .bin files themselves, or
        with a subfolder `cifar10` that has them.
    offline : bool
        Never use the network.

    Returns
    -------
    train, test : Samples
        X is float64 of shape (n, 32, 32, 3), red, green and blue in [0, 1] (the 256 levels over 255), y int64 of shape
        (n,) in [0, K).

    Raises
    ------
    ValueError
        If a class is unknown, comes twice or stands alone, if a number of rows is not a positive int or more than
        there are, or if a file was altered.
    TypeError
        If `rng` is not a numpy Generator.
    FileNotFoundError
        If there is nothing to train on or nothing to test on, and `offline` or no mirror serves the archive.

    Warns
    -----
    IncompleteDataWarning
        If some files are not there.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets import cifar10
    >>> train, test = cifar10("airplane-frog", n_train=500, rng=np.random.default_rng(0))  # doctest: +SKIP
    >>> train.X.shape  # doctest: +SKIP
    (500, 32, 32, 3)
    """
    groups = class_groups(_numbered(classes), range(10), {})
    for name, n in (("n_train", n_train), ("n_test", n_test)):
        if n is not None:
            check_count(name, n)
    check_rng(rng)
    train, test = _read(data_dir, offline)
    train_rows, train_y = sample_rows(train.labels, groups, n_train, name="n_train", rng=rng)
    test_rows, test_y = sample_rows(test.labels, groups, n_test, name="n_test", rng=rng)
    # Rows first, then floats: all 50,000 in float64 would be 1.2 GB.
    return Samples(train.images[train_rows] / 255.0, train_y), Samples(test.images[test_rows] / 255.0, test_y)


def cifar10_arrays(data_dir: str | PathLike[str] | None = None, offline: bool = False) -> tuple[FileRows, FileRows]:
    """Return CIFAR-10 as its files have it: bytes in file order.

    Parameters
    ----------
    data_dir : path, optional
        As in `cifar10`.
    offline : bool
        Never use the network.

    Returns
    -------
    train, test : FileRows
        50,000 and 10,000 rows, or those of the files that are there, with their numbers.

    Raises
    ------
    FileNotFoundError
        If there is nothing to train on or nothing to test on, and `offline` or no mirror serves the archive.
    ValueError
        If a file was altered.

    Warns
    -----
    IncompleteDataWarning
        If some files are not there.

    Examples
    --------
    >>> train, test = cifar10_arrays()  # doctest: +SKIP
    >>> train.images.shape, train.labels[:5]  # doctest: +SKIP
    ((50000, 32, 32, 3), array([6, 9, 9, 4, 1], dtype=uint8))
    """
    return _read(data_dir, offline)


def _read(data_dir: str | PathLike[str] | None, offline: bool) -> tuple[FileRows, FileRows]:
    """Return all rows that are there; called by the two functions that users call, whose caller a warning names."""
    there = [name for name, path in where("cifar10", data_dir).items() if path is not None]
    # The first part of a file serves only where the file itself is not there.
    test_files = [name for name in (TEST_FILE, *(part.name for part in CATALOGUE["cifar10"].parts)) if name in there][
        :1
    ]
    train_files = [name for name in TRAIN_FILES if name in there]
    if not (test_files and train_files):
        train_files, test_files = list(TRAIN_FILES), [TEST_FILE]
    names = [*train_files, *test_files]
    contents = dict(zip(names, load_files("cifar10", data_dir, offline, names), strict=True))
    train = _file_rows([(contents.pop(name), TRAIN_FILES.index(name) * ROWS_IN_FILE) for name in train_files])
    test = _file_rows([(contents.pop(name), 0) for name in test_files])
    if missing := [name for name in (*TRAIN_FILES, TEST_FILE) if name not in names]:
        warnings.warn(
            f"CIFAR-10: {', '.join(missing)} not found; rows come from {', '.join(names)}: {len(train.labels)} of the "
            f"50000 training and {len(test.labels)} of the 10000 test images; for all of them: backdoor-curves data "
            "fetch cifar10",
            IncompleteDataWarning,
            stacklevel=3,
        )
    return train, test


def _file_rows(files: list[tuple[bytes, int]]) -> FileRows:
    """Return the records of files, each with the number of its first row."""
    records = [np.frombuffer(content, np.uint8).reshape(-1, _RECORD) for content, _ in files]
    images = np.empty((sum(map(len, records)), 32, 32, 3), np.uint8)
    np.concatenate([part[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) for part in records], out=images)
    labels = np.concatenate([part[:, 0] for part in records])
    rows = np.concatenate([first + np.arange(len(part)) for part, (_, first) in zip(records, files, strict=True)])
    return FileRows(images, labels, rows)


def _numbered(classes: Any) -> Any:
    """Return classes with numbers for names; what is neither is left for `class_groups` to refuse."""
    if isinstance(classes, str):
        return "all" if classes == "all" else tuple(_number(name) for name in classes.split("-"))
    if not isinstance(classes, Sequence | np.ndarray):
        return classes
    return tuple(
        _number(entry)
        if isinstance(entry, str)
        else tuple(_number(name) if isinstance(name, str) else name for name in entry)
        if isinstance(entry, Sequence | np.ndarray)
        else entry
        for entry in classes
    )


def _number(name: str) -> int:
    if name in CLASSES:
        return CLASSES.index(name)
    near = difflib.get_close_matches(name.lower(), CLASSES, n=1)
    hint = f'did you mean "{near[0]}"?' if near else 'a pair is written "airplane-frog"'
    raise ValueError(f'classes: "all" or classes out of {", ".join(CLASSES)} were expected, {name!r} came; {hint}')
