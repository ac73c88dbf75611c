"""The rows of a study by data and seed: drawn once, known by their content, and written where workers find them."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from backdoor_curves.data.on_disk import content_hash
from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.own_parts import Reader
from backdoor_curves.learners.preparation import default_steps
from backdoor_curves.rows import Rows, row_shape
from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.plan.keys import canonical
from backdoor_curves.study.plan.own_data import own_data, reader, resolved
from backdoor_curves.study.plan.own_trigger import TRIED_ON, code_of
from backdoor_curves.study.plan.sources import WIDTHS, draw, frozen_network, write_rows


@dataclass(frozen=True)
class Source:
    """The rows of one data set and seed.

    Parameters
    ----------
    hash : str
        Of their content, and of the network that they go through.
    n_train, n_test : int
    width : int
        Features that the learners see; of sparse rows and of texts those that a row has, on average.
    pixels : int
        Numbers of an image that goes through a network first; else 0.
    steps : tuple of str
        What a learner that takes numbers needs before it, see `default_steps`.
    n_classes : int
    """

    hash: str
    n_train: int
    n_test: int
    width: int
    pixels: int = 0
    steps: tuple[str, ...] = ()
    n_classes: int = 2


@dataclass(eq=False)
class Sources:
    """Draws the rows that a plan asks for.

    Parameters
    ----------
    data_dir, offline
        As in `datasets.mnist`.
    rows_folder : path, optional
        Where the rows are written for `read_rows`, each source in a folder named by its hash.
    home : path, optional
        The folder of the study's file.
    """

    data_dir: str | Path | None
    offline: bool
    rows_folder: Path | None
    home: Path | None
    _read: Reader = field(default_factory=reader)
    _known: dict[tuple[DataConfig, int], Source] = field(default_factory=dict)
    _first_rows: dict[DataConfig, Samples] = field(default_factory=dict)

    def of(self, data: DataConfig, seed: int) -> Source:
        """Return the source of data, as `resolved` has them, for a seed."""
        name = (data, 0 if data.sampling == "paper" else seed)
        if name not in self._known:
            self._add(name, *draw(data, seed, self.data_dir, self.offline, self.home, self._read))
        return self._known[name]

    def resolved(self, data: DataConfig, seed: int) -> DataConfig:
        """Return data with the names of their classes and columns, which one's own have when they are read.

        Raises
        ------
        ValueError
            If a function returns other rows when it is called again.
        """
        if not data.is_own:
            return data
        found = own_data(data, seed, self.home, self._read)
        named = resolved(data, found)
        self._add((named, seed), found.train, found.test)
        if data.call is not None:
            again = own_data(data, seed, self.home)
            if content_hash(again.train, again.test) != content_hash(found.train, found.test):
                raise ValueError(
                    f"{data.call!r}: the same rows each time were expected for seed {seed}, others came the second "
                    "time; draw with numpy.random.default_rng(seed)"
                )
        return named

    def code(self, way: tuple[object, ...], data: DataConfig, seed: int) -> str:
        """Return the hash of the functions that an attack calls, tried on the first rows; "" where it calls none."""
        self.of(data, seed)
        return code_of(way, self._first_rows[data], self.home)

    def _add(self, name: tuple[DataConfig, int], train: Samples, test: Samples) -> None:
        data, _ = name
        digest = content_hash(train, test)
        width, pixels = _width(train.X), 0
        if data.is_own:
            digest = _hash(digest, canonical(data.columns))
        if data.features is not None:
            network = frozen_network(data.features, self.data_dir, self.offline)
            digest = _hash(digest, network.cache_file.stem)
            width, pixels = WIDTHS[data.features.network], width
        if self.rows_folder is not None:
            write_rows(self.rows_folder / digest, train, test)
        steps, n_classes = default_steps(train.X), len(np.unique(train.y))
        self._known[name] = Source(digest, len(train), len(test), width, pixels, steps, n_classes)
        self._first_rows.setdefault(data, train.take(np.arange(min(TRIED_ON, len(train)))))


def _hash(*parts: str) -> str:
    return blake2b("".join(parts).encode(), digest_size=16).hexdigest()


def _width(X: Rows) -> int:
    """Return the numbers that a row has: of sparse rows and of texts, whose words are counted, a mean."""
    if sp.issparse(X):
        return max(1, X.nnz // X.shape[0])
    if shape := row_shape(X):
        return int(np.prod(shape))
    words: list[Any] = [row.split() if isinstance(row, str) else row for row in X]
    return max(1, sum(map(len, words)) // len(words))
