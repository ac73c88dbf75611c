"""The data sets by name, and the files that they need: a new one is a row here and a loader beside this file."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from backdoor_curves.datasets.archive import RemoteArchive
from backdoor_curves.datasets.remote import RemoteFile


@dataclass(frozen=True)
class Catalogued:
    """What the catalogue says of a data set.

    Parameters
    ----------
    files : tuple of RemoteFile
        Its files in the order in which its loader reads them; empty if it needs none.
    note : str
        A line on its origin, terms and size.
    archive : RemoteArchive, optional
        What the files come in, where they are not served one by one.
    parts : tuple of RemoteFile
        Files that a loader takes where they are there, in place of larger ones; never downloaded.
    """

    files: tuple[RemoteFile, ...]
    note: str
    archive: RemoteArchive | None = None
    parts: tuple[RemoteFile, ...] = ()


_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

_CIFAR10_SHA256 = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
_CIFAR10_FIRST_TEST_ROWS = "8314c96d7cd65618193bab23acdd5d4c4af15bf6dd00a1781d55beedf3be1ef5"

CATALOGUE: dict[str, Catalogued] = {
    "cifar10": Catalogued(
        tuple(RemoteFile(name, sha256, ()) for name, sha256 in _CIFAR10_SHA256.items()),
        "Krizhevsky 2009, no formal licence, please cite; 170 MB",
        # 184,380,000 bytes in the six files, and the archive's own headers.
        RemoteArchive(
            "cifar-10-binary.tar.gz", "cifar-10-batches-bin", ("https://www.cs.toronto.edu/~kriz/",), limit=190_000_000
        ),
        (RemoteFile("test_first1000.bin", _CIFAR10_FIRST_TEST_ROWS, ()),),
    ),
    "digits": Catalogued((), "part of scikit-learn, needs no files"),
    "mnist": Catalogued(
        tuple(RemoteFile(name, sha256, _MNIST_MIRRORS) for name, sha256 in _MNIST_SHA256.items()),
        "LeCun, Cortes and Burges, CC BY-SA 3.0, 11 MB",
    ),
    "toy": Catalogued((), "drawn by a formula, needs no files"),
}
"""Every data set by name."""


def catalogued(dataset: str) -> Catalogued:
    """Return a data set's files and origin; an unknown name raises a ValueError with the nearest right one.

    Examples
    --------
    >>> catalogued("digits").note
    'part of scikit-learn, needs no files'
    """
    if dataset in CATALOGUE:
        return CATALOGUE[dataset]
    near = difflib.get_close_matches(str(dataset).lower(), CATALOGUE, n=1)
    hint = f'did you mean "{near[0]}"?' if near else "choose one of these"
    raise ValueError(f"data set: one of {', '.join(CATALOGUE)} was expected, {dataset!r} came; {hint}")
