"""The data sets by name, and the files that they need: a new one is a row here and a loader beside this file."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

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
    """

    files: tuple[RemoteFile, ...]
    note: str


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

CATALOGUE: dict[str, Catalogued] = {
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
