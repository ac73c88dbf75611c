"""From a study's words to rows: the data set as drawn for a seed, and what poisoning makes of it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from backdoor_curves.data.images import averaged
from backdoor_curves.data.marked import MarkedSamples, weighted_source
from backdoor_curves.data.on_disk import read_samples, write_samples
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets import cifar10, digits, mnist, read_table, toy
from backdoor_curves.datasets.own_parts import Reader
from backdoor_curves.poisoning import paper_protocol as protocol
from backdoor_curves.poisoning.poison import poison
from backdoor_curves.study.file.config import DataConfig, FeaturesConfig
from backdoor_curves.study.plan.attacks import attack_of
from backdoor_curves.study.plan.own_data import own_data
from backdoor_curves.study.plan.rate_by_rate import RateByRate
from backdoor_curves.study.plan.scenario import Cell

WIDTHS = {"alexnet": 4096, "squeezenet": 512}
"""Features of each network."""


def draw(
    data: DataConfig,
    seed: int,
    data_dir: str | Path | None,
    offline: bool,
    home: Path | None = None,
    read: Reader = read_table,
) -> tuple[Samples, Samples]:
    """Return the training and test rows of a data set for a seed; the paper's are the same for all seeds.

    Raises
    ------
    ValueError, OSError
        If these data cannot be had.
    """
    if data.is_own:
        found = own_data(data, seed, home, read)
        return found.train, found.test
    classes: Any = data.classes
    if data.sampling == "paper":
        pair = protocol.cifar10_pair if data.name == "cifar10" else protocol.mnist_pair
        return pair(classes, data_dir, offline)
    rng = np.random.default_rng(_streams(seed)[0])
    if data.name == "toy":
        return toy(data.n_train or 200, data.n_test or 400, rng=rng)
    if data.name in ("mnist", "cifar10"):
        images = mnist if data.name == "mnist" else cifar10
        drawn = images(classes, n_train=data.n_train, n_test=data.n_test, rng=rng, data_dir=data_dir, offline=offline)
    else:
        drawn = digits(classes, n_train=data.n_train, n_test=data.n_test, rng=rng)
    train, test = drawn if data.side is None else (Samples(averaged(one.X, data.side), one.y) for one in drawn)
    return train, test


def poisoned(
    train: Samples, test: Samples, cell: Cell, rates: tuple[float, ...], home: Path | None = None
) -> RateByRate[PoisonedData]:
    """Return the poisoned data of a cell's seed, for its rate or others: the same rows and trigger, nested poison rows.

    `home` is the folder of the study's file, beside which triggers of one's own are looked up.

    Raises
    ------
    ValueError
        If the trigger does not fit the rows; for a rate of the result, if trigger, labels or rate do not.
    """
    scenario, seed = cell.scenario, cell.seed
    if scenario.data.has_source:
        assert isinstance(train, MarkedSamples)  # as they were drawn
        assert isinstance(test, MarkedSamples)
        weighted = weighted_source(train, test)
        return RateByRate(rates, lambda _: weighted)
    if scenario.data.sampling == "paper":
        assert scenario.trigger is not None  # no attacks are read with it
        size = scenario.trigger.size
        return RateByRate(rates, lambda rate: protocol.badnet(train, test, rate=rate, size=size, seed=seed))
    _, for_trigger, for_poison = _streams(seed)
    attack = attack_of(scenario, train, for_trigger, home)
    return RateByRate(rates, lambda rate: poison(train, test, attack, rate=rate, rng=np.random.default_rng(for_poison)))


@lru_cache(maxsize=2)
def frozen_network(features: FeaturesConfig, data_dir: str | Path | None, offline: bool) -> Any:
    """Return the transformer of a study's network, with its weights.

    Raises
    ------
    ImportError
        If torch is not installed.
    ValueError, OSError
        If the weights cannot be had.
    """
    from backdoor_curves.features.alexnet import CHECKPOINT as ALEXNET
    from backdoor_curves.features.alexnet import alexnet_features
    from backdoor_curves.features.squeezenet import CHECKPOINT as SQUEEZENET
    from backdoor_curves.features.squeezenet import squeezenet_features
    from backdoor_curves.features.weights import weights_of

    if features.network == "squeezenet":
        return squeezenet_features(weights_of(SQUEEZENET, data_dir, offline))
    half = 0.5 if features.normalised else None
    return alexnet_features(weights_of(ALEXNET, data_dir, offline), mean=half, std=half)


def _streams(seed: int) -> list[np.random.SeedSequence]:
    """Return the seeds of the rows, the trigger and the poison."""
    return np.random.SeedSequence(seed).spawn(3)


# --- rows on disk ----------------------------------------------------------------------------------------------------


def write_rows(folder: Path, train: Samples, test: Samples) -> None:
    """Write rows to a folder, see `write_samples`, unless it is there."""
    write_samples(folder, {"train": train, "test": test})


def read_rows(folder: Path) -> tuple[Samples, Samples]:
    """Return the rows that `write_rows` wrote; arrays are mapped into memory."""
    return read_samples(folder, "train"), read_samples(folder, "test")
