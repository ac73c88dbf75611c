"""MNIST: its file format, and the rows drawn from it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from fake_mnist import idx, small_mnist

from backdoor_curves.datasets import mnist
from backdoor_curves.datasets.mnist import mnist_arrays, read_idx

HEADER = bytes([0, 0, 8, 1, 0, 0, 0, 3])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def folder(tmp_path, small, put):  # noqa: ARG001
    """A folder with the small stand-in for MNIST."""
    put(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("code", "dtype"), [(8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")], ids=str
)
def test_read_idx_reads_every_type_of_the_format(code, dtype):
    """Files have the high byte first whatever this machine has."""
    array = np.arange(6, dtype=dtype).reshape(1, 2, 3)
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    content = bytes([0, 0, code, 3]) + sizes + array.astype(f">{dtype}").tobytes()
    got = read_idx(content)
    assert got.dtype == np.dtype(dtype)
    assert np.array_equal(got, array)


def test_read_idx_reads_an_array_without_rows():
    """A size of zero is a valid file."""
    assert read_idx(idx(np.zeros((0, 28, 28)))).shape == (0, 28, 28)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "two zero bytes was expected, b'' came"),
        (b"\0\0\x08", "two zero bytes was expected"),
        (b"\x1f\x8b\x08\0rest", "two zero bytes was expected"),
        (b"\0\0\x07\x01\0\0\0\0", "a type out of 0x08, .*0x0E was expected, 0x07 came"),
        (b"\0\0\x08\0", "one dimension or more in the header was expected, 0 in 4 bytes came"),
        (b"\0\0\x08\x02\0\0\0\x03", "one dimension or more in the header was expected, 2 in 8 bytes came"),
        (HEADER + b"ab", r"11 bytes for shape \(3,\) were expected, 10 came"),
        (HEADER + b"abcd", r"11 bytes for shape \(3,\) were expected, 12 came"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "were expected, 16 came"),
    ],
)
def test_read_idx_refuses_what_is_not_an_idx_file(content, message):
    """A truncated file must not become a smaller array, nor an absurd header an absurd allocation."""
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(content)
    assert "\n" not in str(caught.value)


def test_arrays_are_the_files_content_in_file_order(folder):
    """The published protocol shuffles the raw arrays itself, so nothing may be done to them."""
    for array, original in zip(mnist_arrays(folder, offline=True), small_mnist().values(), strict=True):
        assert array.dtype == np.uint8
        assert np.array_equal(array, original)


def test_all_rows_come_in_file_order(folder):
    """None takes all rows of the classes, training rows from one file and test rows from the other."""
    train, test = mnist((7, 1), rng=rng(), data_dir=folder, offline=True)
    assert (train.X[:, 0, 0, 0] * 255).round().tolist() == [1, 7, 11, 17]
    assert train.y.tolist() == [1, 0, 1, 0]
    assert (test.X[:, 0, 0, 0] * 255).round().tolist() == [102, 108]
    assert test.y.tolist() == [0, 1]


def test_images_are_unit_floats_with_a_channel_axis(folder):
    """Images have shape (n, height, width, channels) and values in [0, 1] everywhere in the package."""
    train, test = mnist("all", n_train=5, rng=rng(), data_dir=folder, offline=True)
    assert train.X.shape == (5, 28, 28, 1)
    assert test.X.shape == (10, 28, 28, 1)
    assert train.X.dtype == test.X.dtype == np.float64
    assert np.isin(test.X, np.arange(100, 110) / 255).all()


def test_sampled_rows_are_distinct_and_keep_their_labels(folder):
    """Training image i has grey level i and digit i % 10, so each row can be traced."""
    train, _ = mnist("even-odd", n_train=15, rng=rng(), data_dir=folder, offline=True)
    level = (train.X[:, 0, 0, 0] * 255).round().astype(int)
    assert len(set(level)) == 15
    assert np.array_equal(train.y, level % 2)


def test_equal_seeds_give_equal_rows_and_others_do_not(folder):
    """A study names its rows by a seed."""
    first, again, other = (
        mnist("all", n_train=12, n_test=5, rng=rng(seed), data_dir=folder, offline=True) for seed in (0, 0, 1)
    )
    for part in (0, 1):
        assert np.array_equal(first[part].X, again[part].X)
        assert np.array_equal(first[part].y, again[part].y)
    assert not np.array_equal(first[0].X, other[0].X)


@pytest.mark.parametrize("n_train", [1, 12, None])
def test_the_number_of_training_rows_does_not_change_the_test_rows(folder, n_train):
    """Curves over the number of training rows are tested on the same rows."""
    _, test = mnist("all", n_train=n_train, n_test=5, rng=rng(), data_dir=folder, offline=True)
    _, reference = mnist("all", n_train=3, n_test=5, rng=rng(), data_dir=folder, offline=True)
    assert np.array_equal(test.X, reference.X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": (7, 1), "n_train": 5}, "n_train: at most 4 rows were expected"),
        ({"classes": (7, 1), "n_test": 3}, "n_test: at most 2 rows were expected"),
    ],
)
def test_more_rows_than_there_are_are_refused(folder, arguments, message):
    """Training and test rows come from different files, so each has its own limit."""
    with pytest.raises(ValueError, match=message):
        mnist(**arguments, rng=rng(), data_dir=folder, offline=True)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"classes": (7,)}, ValueError, "two classes or more"),
        ({"classes": (7, 1), "n_train": 0}, ValueError, "n_train: a positive int"),
        ({"classes": (7, 1), "n_test": -1}, ValueError, "n_test: a positive int"),
        ({"classes": (7, 1), "rng": 3}, TypeError, "a numpy Generator was expected"),
    ],
)
def test_wrong_arguments_are_refused_before_any_file_is_sought(small, arguments, error, message):
    """Nobody should wait for a download to learn of a slip."""
    with pytest.raises(error, match=message):
        mnist(**{"rng": rng(), **arguments})
    assert small.asked == []


def test_importing_the_loaders_loads_neither_scikit_learn_nor_a_network_client():
    """The command line must answer at once."""
    code = (
        "import sys, backdoor_curves.data.samples; before = set(sys.modules); import backdoor_curves.datasets;"
        "new = set(sys.modules) - before; print({'sklearn', 'http.client', 'urllib.request'} & new)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_real_files_are_mnist(real_data):
    """Sizes, class counts and the first labels as the files' authors give them."""
    train_images, train_labels, test_images, test_labels = mnist_arrays(real_data, offline=True)
    assert train_images.shape == (60_000, 28, 28)
    assert test_images.shape == (10_000, 28, 28)
    assert train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_real_rows_of_two_digits(real_data):
    """There are 1028 + 1135 test rows of 7 and 1, and 7 is class 0 because it was asked for first."""
    train, test = mnist((7, 1), n_train=500, rng=rng(), data_dir=real_data, offline=True)
    assert train.X.shape == (500, 28, 28, 1)
    assert np.bincount(test.y).tolist() == [1028, 1135]
    assert test.X.min() == 0
    assert test.X.max() == 1
