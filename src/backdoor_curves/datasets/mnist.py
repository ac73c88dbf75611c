"""MNIST: 70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes and Burges), read from its four idx files."""

from __future__ import annotations

import math
from os import PathLike

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from backdoor_curves.data.rng import check_rng
from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.download import load_files
from backdoor_curves.datasets.sampling import (
    DIGIT_GROUPINGS,
    Classes,
    check_count,
    class_groups,
    sample_rows,
)

# The idx format's codes, http://yann.lecun.com/exdb/mnist/: numbers are stored with the high byte first.
_IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def mnist(
    classes: Classes,
    *,
    n_train: int | None = None,
    n_test: int | None = None,
    rng: np.random.Generator,
    data_dir: str | PathLike[str] | None = None,
    offline: bool = False,
) -> tuple[Samples, Samples]:
    """Return random MNIST rows: training rows from the 60,000, test rows from the 10,000.

    The files (11 MB) are looked for in `data_dir`, in the folder that the environment variable BACKDOOR_CURVES_DATA
    names and in the cache, and are downloaded into the cache if they are in none of them.

    Parameters
    ----------
    classes : "even-odd", "all" or a sequence of K >= 2 digits
        "even-odd" merges the even digits into class 0 and the odd ones into class 1; "all" keeps ten classes. In a
        sequence an entry is a digit or a tuple of digits merged into one class, and labels are places in it: in
        `(7, 1)` digit 7 is class 0 and digit 1 is class 1.
    n_train, n_test : int, optional
        Rows to draw without replacement, in random order. None takes all rows of these classes, in file order.
    rng : numpy Generator
        Source of the random rows. For one state of it, `n_train` does not change which rows are tested, and smaller
        sets are the first rows of larger ones.
    data_dir : path, optional
        A folder with the files, `.gz` or uncompressed, in it or in its subfolder `mnist`.
    offline : bool
        Never use the network.

    Returns
    -------
    train, test : Samples
        X is float64 of shape (n, 28, 28, 1) in [0, 1] (the 256 levels over 255), y int64 of shape (n,) in [0, K).

    Raises
    ------
    ValueError
        If a class is unknown, comes twice or stands alone, if a number of rows is not a positive int or more than
        there are, or if a file was altered.
    TypeError
        If `rng` is not a numpy Generator.
    FileNotFoundError
        If a file is nowhere, and `offline` or no mirror serves it.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets import mnist
    >>> train, test = mnist((7, 1), n_train=500, n_test=1000, rng=np.random.default_rng(0))  # doctest: +SKIP
    >>> train.X.shape  # doctest: +SKIP
    (500, 28, 28, 1)
    """
    groups = class_groups(classes, range(10), DIGIT_GROUPINGS)
    for name, n in (("n_train", n_train), ("n_test", n_test)):
        if n is not None:
            check_count(name, n)
    check_rng(rng)
    train_images, train_labels, test_images, test_labels = mnist_arrays(data_dir, offline)
    train_rows, train_y = sample_rows(train_labels, groups, n_train, name="n_train", rng=rng)
    test_rows, test_y = sample_rows(test_labels, groups, n_test, name="n_test", rng=rng)
    # Rows first, then floats: all 60,000 in float64 would be 376 MB.
    return (
        Samples(_unit_images(train_images[train_rows]), train_y),
        Samples(_unit_images(test_images[test_rows]), test_y),
    )


def mnist_arrays(
    data_dir: str | PathLike[str] | None = None, offline: bool = False
) -> tuple[
    UInt8[np.ndarray, "n_train h w"],
    UInt8[np.ndarray, " n_train"],
    UInt8[np.ndarray, "n_test h w"],
    UInt8[np.ndarray, " n_test"],
]:
    """Return MNIST as its files have it: bytes in file order, read-only.

    Parameters
    ----------
    data_dir : path, optional
        A folder with the files, `.gz` or uncompressed, in it or in its subfolder `mnist`.
    offline : bool
        Never use the network.

    Returns
    -------
    train_images : uint8 array of shape (60000, 28, 28)
        Grey levels in 0..255, 0 being the background.
    train_labels : uint8 array of shape (60000,)
        Digits in 0..9.
    test_images, test_labels : uint8 arrays of shape (10000, 28, 28) and (10000,)
        The same of the test set.

    Raises
    ------
    FileNotFoundError
        If a file is nowhere, and `offline` or no mirror serves it.
    ValueError
        If a file was altered.

    Examples
    --------
    >>> train_images, train_labels, test_images, test_labels = mnist_arrays()  # doctest: +SKIP
    >>> train_labels[:5]  # doctest: +SKIP
    array([5, 0, 4, 1, 9], dtype=uint8)
    """
    train_images, train_labels, test_images, test_labels = map(read_idx, load_files("mnist", data_dir, offline))
    return train_images, train_labels, test_images, test_labels


def read_idx(content: bytes) -> Shaped[np.ndarray, "*shape"]:
    """Return the array that an uncompressed idx file holds.

    Parameters
    ----------
    content : bytes
        Two zero bytes, a byte for the type, a byte for the number of dimensions, the dimensions as 32-bit integers,
        and the numbers in C order; all with the high byte first.

    Returns
    -------
    array
        Of the file's shape and type, in this machine's byte order; arrays of bytes are read-only.

    Raises
    ------
    ValueError
        If the magic number, the type, the dimensions or the length are not those of an idx file.

    Examples
    --------
    >>> read_idx(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9]))
    array([[7, 8, 9]], dtype=uint8)
    """
    remedy = "give the whole, uncompressed file"
    if len(content) < 4 or content[:2] != b"\0\0":
        raise ValueError(f"idx: a file that starts with two zero bytes was expected, {content[:4]!r} came; {remedy}")
    code, ndim = content[2], content[3]
    if code not in _IDX_DTYPES:
        raise ValueError(f"idx: a type out of {_hex(*_IDX_DTYPES)} was expected, {_hex(code)} came; {remedy}")
    start = 4 + 4 * ndim
    if ndim == 0 or len(content) < start:
        raise ValueError(
            f"idx: one dimension or more in the header was expected, {ndim} in {len(content)} bytes came; {remedy}"
        )
    shape = tuple(np.frombuffer(content, ">u4", ndim, offset=4).tolist())
    dtype = np.dtype(_IDX_DTYPES[code])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise ValueError(f"idx: {expected} bytes for shape {shape} were expected, {len(content)} came; {remedy}")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _hex(*codes: int) -> str:
    return ", ".join(f"0x{code:02X}" for code in codes)


def _unit_images(images: UInt8[np.ndarray, "n h w"]) -> Float[np.ndarray, "n h w 1"]:
    """Return grey levels 0..255 as float64 in [0, 1], with a channel axis."""
    return images[..., np.newaxis] / 255.0
