"""The paper's draws from CIFAR-10: all files at hand, or some of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from backdoor_curves.datasets.cifar10 import CLASSES, FileRows
from backdoor_curves.poisoning import paper_protocol as protocol
from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.plan.names import class_names
from backdoor_curves.study.plan.sources import draw

PAIR = (2, 5)


def files(n: int, numbers: np.ndarray, seed: int) -> FileRows:
    """Rows of an image of one pixel that says the row's number: red its thousands, green and blue the rest."""
    labels = np.random.default_rng(seed).integers(10, size=n).astype(np.uint8)
    digits = np.stack([np.arange(n) // 1000, np.arange(n) % 1000 // 10, np.arange(n) % 10], axis=1).astype(np.uint8)
    return FileRows(digits[numbers].reshape(-1, 1, 1, 3), labels[numbers], numbers)


def numbers_of(X: np.ndarray) -> np.ndarray:
    """What rows say of their numbers."""
    levels = np.round(X.reshape(-1, 3) * 255).astype(int)
    return levels @ [1000, 10, 1]


@pytest.fixture
def cifar10(monkeypatch):
    """A function that puts rows in the place of the files'."""

    def put(train: np.ndarray, test: np.ndarray) -> tuple[FileRows, FileRows]:
        found = files(50_000, train, 1), files(10_000, test, 2)
        monkeypatch.setattr(protocol, "cifar10_arrays", lambda *_: found)
        return found

    return put


def test_with_all_files_the_draws_are_those_that_the_paper_made(cifar10):
    """Said once more step by step, on the labels alone, with scikit-learn and the legacy stream."""
    whole, tests = cifar10(np.arange(50_000), np.arange(10_000))
    train, test = protocol.cifar10_pair(PAIR)
    first, _ = train_test_split(np.arange(50_000), train_size=40_000, test_size=10_000, random_state=999)
    of_pair = first[(whole.labels[first] == 2) | (whole.labels[first] == 5)]
    expected, _ = train_test_split(of_pair, train_size=1500, test_size=1, random_state=999)
    assert numbers_of(train.X).tolist() == expected.tolist()
    assert train.y.tolist() == [int(whole.labels[i] == 2) for i in expected]  # the FIRST class has label 1
    np.random.seed(999)
    permuted = np.random.choice(10_000, 10_000, replace=False)
    kept = permuted[(tests.labels[permuted] == 2) | (tests.labels[permuted] == 5)]
    np.random.seed(999)
    assert numbers_of(test.X).tolist() == kept[np.random.choice(len(kept), 500, replace=False)].tolist()


def test_rows_are_called_what_they_are_whichever_class_has_label_1(cifar10):
    """By the numbers that images carry here, and the classes that the files give these."""
    whole, _ = cifar10(np.arange(50_000), np.arange(10_000))
    data = DataConfig("cifar10", PAIR, sampling="paper")
    train, _ = draw(data, 0, None, offline=True)
    own = [CLASSES[label] for label in whole.labels[numbers_of(train.X)]]
    assert class_names(data, train.y.tolist()) == own
    assert set(own) == {"bird", "dog"}


def test_missing_test_rows_come_from_images_that_are_trained_on_by_nobody(cifar10):
    """Of the 10,000 that the paper's split leaves out: none of them is a training row."""
    cifar10(np.arange(20_000), np.arange(1000))
    train, test = protocol.cifar10_pair(PAIR)
    assert (len(train), len(test)) == (1500, 500)
    _, left_out = train_test_split(np.arange(50_000), train_size=40_000, test_size=10_000, random_state=999)
    borrowed = [number for number in numbers_of(test.X) if number in set(left_out[left_out < 20_000].tolist())]
    assert len(borrowed) >= 250  # 1000 test images have some 200 of a pair
    assert not set(numbers_of(train.X).tolist()) & set(left_out.tolist())
    counts = protocol.cifar10_counts(PAIR)
    assert counts[0] >= 1500
    assert counts[1] >= 500


def test_too_few_files_are_said(cifar10):
    """2000 images have some 320 training rows of a pair."""
    cifar10(np.arange(2000), np.arange(1000))
    with pytest.raises(ValueError, match="1501 training and 500 test rows were expected"):
        protocol.cifar10_pair(PAIR)
