"""The paper's sampling of MNIST and CIFAR-10, draw for draw, so that its published numbers can be met.

Only here is numpy's legacy random stream used: the published arrays depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int
from sklearn.model_selection import train_test_split

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.cifar10 import FileRows, cifar10_arrays
from backdoor_curves.datasets.mnist import mnist_arrays
from backdoor_curves.poisoning.poison import poison
from backdoor_curves.triggers import PatchTrigger

SEED = 999
"""The seed of every draw behind the published curves and deviations."""
BETAS = np.array([0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 19, 24, 29, 36, 44, 54, 66, 81, 99]) / 100
"""The published curves' betas."""
N_TRAIN, N_TEST = 1500, 500
"""Rows of every curve and slope."""
CIFAR10_TRAIN, CIFAR10_TEST = 50_000, 10_000


def choice(population: int, size: int, seed: int) -> Int[np.ndarray, " size"]:
    """Draw `size` of range(population) without replacement from the legacy stream, seeding it globally.

    The global stream is left where the draw ends, since LinearSVC goes on from there.
    """
    np.random.seed(seed)
    return np.random.choice(population, size, replace=False)


def mnist_pair(
    pair: tuple[int, int],
    data_dir: str | Path | None = None,
    offline: bool = False,
    *,
    n_train: int = N_TRAIN,
    n_test: int = N_TEST,
) -> tuple[Samples, Samples]:
    """Return the paper's training and test rows of a pair of digits; labels are positions in the pair.

    Parameters
    ----------
    pair : (int, int)
        Two digits, such as (7, 1): 7 has label 0, 1 has label 1.
    data_dir : path, optional
        A folder with the MNIST files; otherwise where `datasets.mnist` looks.
    offline : bool
        Never use the network.
    n_train, n_test : int
        1500 and 500 in all experiments but the explanations, 2000 and 1000 there. Half of the test rows, the first of
        the file, are of each class.

    Returns
    -------
    train, test : Samples
        Images (n, 28, 28, 1) in [0, 1].

    Examples
    --------
    >>> from backdoor_curves.poisoning import paper_protocol as protocol
    >>> train, test = protocol.mnist_pair((7, 1))  # doctest: +SKIP
    """
    train_images, train_labels, test_images, test_labels = mnist_arrays(data_dir, offline)
    drawn = choice(int(np.isin(train_labels, pair).sum()), n_train + 1, SEED)
    kept, _ = train_test_split(range(n_train + 1), train_size=n_train, test_size=1, random_state=SEED)
    train = np.flatnonzero(np.isin(train_labels, pair))[drawn][kept]
    first = [np.flatnonzero(test_labels == digit)[: n_test // 2] for digit in pair]
    test = np.sort(np.concatenate(first))[choice(n_test, n_test, SEED)]
    return (
        Samples(train_images[train, ..., np.newaxis] / 255.0, (train_labels[train] == pair[1]).astype(int)),
        Samples(test_images[test, ..., np.newaxis] / 255.0, (test_labels[test] == pair[1]).astype(int)),
    )


def cifar10_pair(
    pair: tuple[int, int],
    data_dir: str | Path | None = None,
    offline: bool = False,
    *,
    n_train: int = N_TRAIN,
    n_test: int = N_TEST,
) -> tuple[Samples, Samples]:
    """Return the paper's training and test rows of a pair of CIFAR-10 classes; the FIRST class has label 1.

    Training rows come from 40,000 of the 50,000, test rows from the 10,000. Where files are missing the same draws are
    made from the rows that are there: the rows are then others than the paper's, and test rows that are missing are
    drawn from the 10,000 training images that the paper left out.

    Parameters
    ----------
    pair : (int, int)
        Two classes, such as (0, 6): airplane has label 1, frog label 0.
    data_dir, offline
        As in `datasets.cifar10`.
    n_train, n_test : int
        1500 and 500 in all experiments but the explanations.

    Returns
    -------
    train, test : Samples
        Images (n, 32, 32, 3) in [0, 1].

    Raises
    ------
    ValueError
        If fewer rows are there.

    Warns
    -----
    IncompleteDataWarning
        If some files are not there.

    Examples
    --------
    >>> from backdoor_curves.poisoning import paper_protocol as protocol
    >>> train, test = protocol.cifar10_pair((0, 6))  # doctest: +SKIP
    """
    files = _cifar10(pair, data_dir, offline)
    missing = max(n_test - len(files.tests), 0)
    if len(files.ours) <= n_train or len(files.left_out) < missing:
        raise ValueError(
            f"CIFAR-10 {pair}: {n_train + 1} training and {n_test} test rows were expected, {len(files.ours)} and "
            f"{len(files.tests) + len(files.left_out)} are there; put more of its files into the folder"
        )
    kept, _ = train_test_split(files.ours, train_size=n_train, test_size=1, random_state=SEED)
    chosen = files.tests[choice(len(files.tests), min(n_test, len(files.tests)), SEED)]
    train, test, instead = files.train, files.test, files.left_out[:missing]
    X = np.concatenate([test.images[chosen], train.images[instead]])
    y = np.concatenate([test.labels[chosen], train.labels[instead]])
    return (
        Samples(train.images[kept] / 255.0, (train.labels[kept] == pair[0]).astype(int)),
        Samples(X / 255.0, (y == pair[0]).astype(int)),
    )


def cifar10_counts(pair: tuple[int, int], data_dir: str | Path | None = None, offline: bool = False) -> tuple[int, int]:
    """Return how many training and test rows `cifar10_pair` can draw from the files at hand; arguments as there."""
    files = _cifar10(pair, data_dir, offline)
    return len(files.ours) - 1, len(files.tests) + len(files.left_out)


@dataclass(frozen=True, eq=False)
class _Cifar10:
    """The rows of a pair in the order in which the paper draws them: places among the images of the files."""

    train: FileRows
    test: FileRows
    ours: Int[np.ndarray, " a"]
    left_out: Int[np.ndarray, " b"]
    tests: Int[np.ndarray, " c"]


def _cifar10(pair: tuple[int, int], data_dir: str | Path | None, offline: bool) -> _Cifar10:
    train, test = cifar10_arrays(data_dir, offline)
    split = train_test_split(range(CIFAR10_TRAIN), train_size=40_000, test_size=10_000, random_state=SEED)
    ours, left_out = (_present(train, np.array(part), pair) for part in split)
    return _Cifar10(train, test, ours, left_out, _present(test, choice(CIFAR10_TEST, CIFAR10_TEST, SEED), pair))


def _present(files: FileRows, numbers: Int[np.ndarray, " n"], pair: tuple[int, int]) -> Int[np.ndarray, " k"]:
    """Return where the numbered rows are among those at hand, in the order asked, as far as they are of the pair."""
    places = np.full(CIFAR10_TRAIN, -1)
    places[files.rows] = np.arange(len(files.rows))
    found = places[numbers]
    found = found[found >= 0]
    return found[np.isin(files.labels[found], pair)]


def badnet(train: Samples, test: Samples, *, rate: float, size: int, seed: int = SEED) -> PoisonedData:
    """Return the paper's poisoning: a noise patch per true class, bottom right, labels (y + 1) % 2, rows replaced.

    Parameters
    ----------
    train, test : Samples
        Images (n, height, width, channels), labels 0 and 1.
    rate : float in (0, 1]
        int(n * rate) training rows are replaced by their triggered copies.
    size : int
        Side of the patch in pixels: 6 in the published MNIST curves, 3 in the slopes.
    seed : int
        Of the patch and of the rows; the two are drawn apart.
    """
    channels = train.X.shape[-1]
    patches = np.random.RandomState(seed).rand(2, channels, size, size)
    rows = choice(len(train), int(len(train) * rate), seed)
    return poison(train, test, trigger=PatchTrigger(np.moveaxis(patches, 1, -1)), rows=rows)
