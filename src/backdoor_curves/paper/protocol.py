"""The paper's sampling of MNIST, draw for draw, so that its published numbers can be met.

Only here is numpy's legacy random stream used: the published arrays depend on it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int
from sklearn.model_selection import train_test_split

from backdoor_curves.data import PoisonedData, Samples
from backdoor_curves.datasets.mnist import mnist_arrays
from backdoor_curves.poisoning import poison
from backdoor_curves.triggers import PatchTrigger

SEED = 999
"""The seed of every draw behind the published curves and deviations."""
BETAS = np.array([0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 19, 24, 29, 36, 44, 54, 66, 81, 99]) / 100
"""The published curves' betas."""


def choice(population: int, size: int, seed: int) -> Int[np.ndarray, " size"]:
    """Draw `size` of range(population) without replacement from the legacy stream, seeding it globally.

    The global stream is left where the draw ends, since LinearSVC goes on from there.
    """
    np.random.seed(seed)
    return np.random.choice(population, size, replace=False)


def mnist_pair(
    pair: tuple[int, int], data_dir: str | Path | None = None, offline: bool = False
) -> tuple[Samples, Samples]:
    """Return the paper's 1500 training and 500 test rows of a pair of digits; labels are positions in the pair.

    Parameters
    ----------
    pair : (int, int)
        Two digits, such as (7, 1): 7 has label 0, 1 has label 1.
    data_dir : path, optional
        A folder with the MNIST files; otherwise where `datasets.mnist` looks.
    offline : bool
        Never use the network.

    Returns
    -------
    train, test : Samples
        Images (n, 28, 28, 1) in [0, 1].

    Examples
    --------
    >>> from backdoor_curves.paper import protocol
    >>> train, test = protocol.mnist_pair((7, 1))  # doctest: +SKIP
    """
    train_images, train_labels, test_images, test_labels = mnist_arrays(data_dir, offline)
    drawn = choice(int(np.isin(train_labels, pair).sum()), 1501, SEED)
    kept, _ = train_test_split(range(1501), train_size=1500, test_size=1, random_state=SEED)
    train = np.flatnonzero(np.isin(train_labels, pair))[drawn][kept]
    first = [np.flatnonzero(test_labels == digit)[:250] for digit in pair]
    test = np.sort(np.concatenate(first))[choice(500, 500, SEED)]
    return (
        Samples(train_images[train, ..., np.newaxis] / 255.0, (train_labels[train] == pair[1]).astype(int)),
        Samples(test_images[test, ..., np.newaxis] / 255.0, (test_labels[test] == pair[1]).astype(int)),
    )


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
