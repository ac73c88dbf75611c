"""Features of a study's images: computed once by the coordinator, looked up by whoever computes cells.

A trigger is stamped on the image, so what a frozen network has to see are original, stamped and test images of each
seed, trigger and label policy. Their features are a table by the content of the images: a worker needs neither the
network nor torch, and finds the same values whoever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.records.npz import write_folder
from backdoor_curves.study.file.config import FeaturesConfig
from backdoor_curves.study.plan.cells import Group
from backdoor_curves.study.plan.sources import poisoned, read_rows

DIGEST = 16
"""Bytes of the hash of an image."""


class FeatureTable:
    """A map from images to the features that a network gave them.

    Parameters
    ----------
    digests : array of shape (n,) of bytes
        Hashes of the images, ascending.
    features : array of shape (n, d)

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.study.compute.features import FeatureTable
    >>> images = np.random.default_rng(0).random((5, 4, 4, 3))
    >>> table = FeatureTable.of(images, lambda X: X.mean(axis=(1, 2)))
    >>> table(images[3:1:-1]).shape, bool((table(images[2:3]) == images[2:3].mean(axis=(1, 2))).all())
    ((2, 3), True)
    """

    def __init__(self, digests: np.ndarray, features: Float[np.ndarray, "n d"]) -> None:
        self.digests, self.features = digests, features

    @classmethod
    def of(cls, images: np.ndarray, features_of: Callable[[np.ndarray], Float[np.ndarray, "n d"]]) -> FeatureTable:
        """Return the table of images; `features_of` sees each of them once, however often it came."""
        digests, first = np.unique(_digests(images), return_index=True)
        return cls(digests, features_of(images[first]))

    def __call__(self, images: np.ndarray) -> Float[np.ndarray, "m d"]:
        """Return the features of images.

        Raises
        ------
        ValueError
            If an image is not in the table.
        """
        wanted = _digests(images)
        places = np.searchsorted(self.digests, wanted).clip(max=len(self.digests) - 1)
        if (unknown := np.flatnonzero(self.digests[places] != wanted)).size:
            raise ValueError(f"features of {len(images)} images were expected, {unknown.size} are not in the table")
        return np.asarray(self.features[places])

    def data(self, images: PoisonedData) -> PoisonedData:
        """Return poisoned images as poisoned rows of features."""
        return replace(
            images,
            clean_train=self.rows(images.clean_train),
            poison_train=self.rows(images.poison_train),
            clean_test=self.rows(images.clean_test),
            triggered_test=self.rows(images.triggered_test),
            original_train=None if images.original_train is None else self.rows(images.original_train),
        )

    def rows(self, images: Samples) -> Samples:
        """Return labelled images as rows of features."""
        return replace(images, X=self(images.X))

    def write(self, folder: Path) -> None:
        """Write the table to a folder, see `write_folder`."""
        write_folder(folder, {"digests": self.digests, "features": self.features})

    @classmethod
    def read(cls, folder: Path) -> FeatureTable:
        """Return the table that `write` wrote, mapped into memory."""
        return cls(np.load(folder / "digests.npy"), np.load(folder / "features.npy", mmap_mode="r"))


def _digests(images: np.ndarray) -> np.ndarray:
    """Return a hash for each image."""
    rows = np.ascontiguousarray(images, dtype=float)
    return np.array([blake2b(row.data, digest_size=DIGEST).digest() for row in rows], dtype=f"S{DIGEST}")


def write_tables(groups: Iterable[Group], rows_folder: Path, network_of: Callable[[FeaturesConfig], Any]) -> None:
    """Write the tables that groups need and that are not there."""
    for group in groups:
        features = group.first.scenario.data.features
        if features is not None and not (rows_folder / group.table).is_dir():
            images = images_of(group, *read_rows(rows_folder / group.source.hash))
            FeatureTable.of(images, network_of(features).transform).write(rows_folder / group.table)


def table_of(group: Group, rows_folder: Path) -> FeatureTable | None:
    """Return the table of a group, mapped into memory; None if its learners see the rows themselves."""
    return FeatureTable.read(rows_folder / group.table) if group.table else None


def images_of(group: Group, train: Samples, test: Samples) -> np.ndarray:
    """Return all images of a group: original, stamped and test ones, of all rates."""
    made = poisoned(train, test, group.first, group.rates, group.home).values()
    stamped, triggered = zip(*((data.stamped_train, data.triggered_test.X) for data in made), strict=True)
    return np.concatenate([train.X, test.X, *stamped, *triggered])
