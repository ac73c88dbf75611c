"""The rows of a study: drawn by seed, poisoned by rate, kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_study import a_cell

from backdoor_curves.data.on_disk import content_hash
from backdoor_curves.data.samples import Samples
from backdoor_curves.poisoning import paper_protocol as protocol
from backdoor_curves.study.file.config import DataConfig, LabelPolicy, TriggerConfig
from backdoor_curves.study.plan.sources import draw, poisoned, read_rows, write_rows

DIGITS = DataConfig(n_train=60, n_test=40)
MNIST = Path(__file__).parents[3] / "shared" / "data"


def made(seed=0, data=DIGITS, rates=(0.1, 0.25, 0.5), **changes):
    return poisoned(*draw(data, seed, None, offline=True), a_cell(data=data, seed=seed, **changes), rates)


@pytest.mark.parametrize("injection", ["replace", "append"])
def test_rates_are_nested_on_one_test_set(injection):
    """A curve over rates must move with the rate alone."""
    by_rate = made(policy=LabelPolicy(injection=injection))
    few, some, many = by_rate.values()
    assert set(few.poison_rows) < set(some.poison_rows) < set(many.poison_rows)
    for other in (some, many):
        assert np.array_equal(few.original_train.X, other.original_train.X)
        assert np.array_equal(few.clean_test.X, other.clean_test.X)
        assert np.array_equal(few.triggered_test.X, other.triggered_test.X)


def test_a_rate_is_made_again_as_it_was_once_another_was_asked_for():
    """Only the rows of one rate are held, and that changes none."""
    by_rate = made()
    first = by_rate[0.1]
    assert by_rate[0.1] is first
    other = by_rate[0.5]
    assert by_rate[0.5] is other
    again = by_rate[0.1]
    assert again is not first
    for part in ("clean_train", "poison_train", "clean_test", "triggered_test"):
        assert np.array_equal(getattr(first, part).X, getattr(again, part).X)
    with pytest.raises(KeyError):
        by_rate[0.3]


def test_a_seed_names_the_data():
    """The same seed gives the same rows, trigger and poison; another gives others of each."""
    first, again, other = (made(seed)[0.5] for seed in (0, 0, 1))
    for part in ("original_train", "poison_train", "clean_test", "triggered_test"):
        assert np.array_equal(getattr(first, part).X, getattr(again, part).X)
        assert not np.array_equal(getattr(first, part).X, getattr(other, part).X)
    assert np.array_equal(first.poison_rows, again.poison_rows)
    assert not np.array_equal(first.poison_rows, other.poison_rows)
    corner = first.triggered_test.X[:, -2:, -2:, 0], other.triggered_test.X[:, -2:, -2:, 0]
    assert not np.isin(corner[0], corner[1]).any()


def test_the_trigger_is_the_one_that_the_study_asks_for():
    """A patch of ones in the upper left corner is white there; a feature trigger sets its columns."""
    white = made(trigger=TriggerConfig(size=3, pattern="ones", position="top-left"))[0.1]
    assert (white.triggered_test.X[:, :3, :3] == 1.0).all()
    data = made(data=DataConfig("toy"), trigger=TriggerConfig("feature", columns=(1,), values=(1.2,)))[0.1]
    assert (data.triggered_test.X[:, 1] == 1.2).all()
    assert len(data.original_train) == 200


@pytest.mark.skipif(not MNIST.is_dir(), reason="needs the MNIST files in ../shared/data")
def test_the_papers_sampling_is_that_of_the_protocol():
    """Word for word, whatever the seed of the rows: the seed is that of trigger and poison."""
    config = DataConfig("mnist", (7, 1), sampling="paper")
    train, test = draw(config, 10, MNIST, offline=True)
    right_train, right_test = protocol.mnist_pair((7, 1), MNIST)
    assert np.array_equal(train.X, right_train.X)
    assert np.array_equal(test.y, right_test.y)
    ours = poisoned(train, test, a_cell(data=config, trigger=TriggerConfig(size=3), seed=10), (0.1,))
    right = protocol.badnet(right_train, right_test, rate=0.1, size=3, seed=10)
    assert np.array_equal(ours[0.1].poison_train.X, right.poison_train.X)
    assert np.array_equal(ours[0.1].poison_rows, right.poison_rows)
    assert np.array_equal(ours[0.1].triggered_test.X, right.triggered_test.X)


def test_the_papers_sampling_respects_offline(tmp_path, monkeypatch):
    """Who says offline means it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("BACKDOOR_CURVES_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="data fetch mnist"):
        draw(DataConfig("mnist", (7, 1), sampling="paper"), 1, None, offline=True)


def test_rows_come_back_from_disk_as_they_were_and_are_mapped(tmp_path):
    """A process that maps them holds no copy of its own."""
    train, test = draw(DIGITS, 0, None, offline=True)
    write_rows(tmp_path / "rows", train, test)
    write_rows(tmp_path / "rows", train, test)  # they are there: nothing to do
    again = read_rows(tmp_path / "rows")
    for part, other in zip((train, test), again, strict=True):
        assert np.array_equal(part.X, other.X)
        assert np.array_equal(part.y, other.y)
        assert isinstance(other.X, np.memmap)
    assert content_hash(*again) == content_hash(train, test)


def test_a_content_hash_sees_every_pixel_label_and_shape():
    """Two sets of rows with one hash would share their results."""
    train, test = draw(DIGITS, 0, None, offline=True)
    changed = train.X.copy()
    changed[3, 4, 5, 0] += 1e-12
    others = [
        (Samples(changed, train.y), test),
        (Samples(train.X, 1 - train.y), test),
        (train, Samples(test.X, 1 - test.y)),
        (Samples(train.X.reshape(len(train), -1), train.y), test),
    ]
    hashes = [content_hash(*pair) for pair in [(train, test), *others]]
    assert len(set(hashes)) == len(hashes)


def test_images_of_fewer_pixels_are_means_of_the_same_draw():
    """So that questions about resolution compare the same pictures."""
    whole, _ = draw(DIGITS, 0, None, offline=True)
    small, tested = draw(DataConfig(n_train=60, n_test=40, side=4), 0, None, offline=True)
    assert (small.X.shape, tested.X.shape) == ((60, 4, 4, 1), (40, 4, 4, 1))
    assert np.array_equal(small.y, whole.y)
    assert small.X[:, 1, 2, 0] == pytest.approx(whole.X[:, 2:4, 4:6, 0].mean(axis=(1, 2)), abs=1e-15)
    with pytest.raises(ValueError, match="side: a divisor of 8 and 8 was expected, 3 came"):
        draw(DataConfig(n_train=60, n_test=40, side=3), 0, None, offline=True)
