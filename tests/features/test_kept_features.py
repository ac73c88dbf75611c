"""Features on disk: nothing is computed twice, and nothing on disk can make a result wrong or lose one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch", reason="torch is not installed")
from networks import Counting, images, small  # noqa: E402 - it needs torch
from torch import nn  # noqa: E402

import backdoor_curves as bc  # noqa: E402


def counted(**settings) -> tuple[Counting, bc.FrozenFeatures]:
    network = Counting(small()).eval()
    return network, bc.FrozenFeatures(network, **{"batch_size": 4, **settings})


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "features"


def test_known_images_are_not_computed_again(folder):
    """But one, as a check; rows come in the order asked, equal images once."""
    network, features = counted(cache=folder)
    X = images(20)
    first = features.transform(X[:12])
    assert network.count() == 12
    both = clone(features).transform(np.concatenate([X[15:3:-1], X[:2], X[:2]]))
    assert network.count() == 4 + 1
    expected = bc.FrozenFeatures(small(), cache=False).transform(X)
    np.testing.assert_allclose(both[:12], expected[15:3:-1], rtol=0, atol=1e-6)
    assert np.array_equal(both[4:12], first[11:3:-1])
    assert np.array_equal(both[12:14], both[14:])


def test_only_stamped_images_are_new_to_another_rate(folder):
    """The originals of a study are the same at every rate and seed."""
    network, features = counted(cache=folder)
    X, y = images(30), np.arange(30) % 2
    features.transform(X)
    network.count()
    rng = np.random.default_rng(0)
    trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=3, rng=rng)
    data = bc.poison((X, y), (X, y), trigger=trigger, rate=0.2, rng=rng)
    features.transform(data.clean_train.X)
    features.transform(data.poison_train.X)
    assert network.count() == 1 + 6


@pytest.mark.parametrize(
    "change",
    [
        {"layer": "inner.4"},
        {"size": 20},
        {"mean": 0.5},
        {"std": 0.5},
        {"size": 20, "align_corners": True},
        {"pool": False},
    ],
    ids=str,
)
def test_every_setting_has_its_own_file(folder, change):
    """Features of another layer or size are other numbers."""
    _, features = counted(cache=folder, layer="inner.3", size=20 if "align_corners" in change else None)
    before = features.cache_file
    assert before.parent == folder
    assert clone(features).set_params(**change).cache_file != before


def test_how_it_is_computed_makes_no_other_file(folder):
    """Batches and the kind of the sequence do not change what is meant."""
    _, features = counted(cache=folder, mean=(0.5, 0.25, 0.5), size=9)
    assert (
        clone(features).set_params(batch_size=7, mean=[0.5, 0.25, 0.5], size=(9, 9)).cache_file == features.cache_file
    )


def test_changed_weights_have_their_own_file(folder):
    """One number of one layer, in place: as a step of training would."""
    network, features = counted(cache=folder)
    before = features.cache_file
    assert features.cache_file == before
    with torch.no_grad():
        network.inner[3].bias[2] += 1e-3
    changed = features.cache_file
    assert changed != before
    assert bc.FrozenFeatures(Counting(small(seed=1)).eval(), cache=folder).cache_file not in (before, changed)
    network.train()
    assert features.cache_file == changed


OUTSIDE = [0.0]


class Scaled(nn.Module):
    """Its factor is no parameter, and its offset not even its own."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x + OUTSIDE[0]


def test_a_plain_attribute_of_a_module_counts():
    """It is in no state dict and in no printed structure."""
    files = {bc.FrozenFeatures(Scaled(factor)).cache_file for factor in (1.0, 2.0)}
    assert len(files) == 2


def test_a_change_that_cannot_be_seen_is_found_by_computing_a_row_again(folder):
    """Whatever a network reads from outside, old features are not taken for new ones."""
    features = bc.FrozenFeatures(Scaled(1.0), cache=folder)
    X = images(5)
    old = features.transform(X)
    OUTSIDE[0] = 1.0
    try:
        with pytest.warns(UserWarning, match=r"sqlite: the network's features were expected, others came; delete it"):
            new = features.transform(X)
    finally:
        OUTSIDE[0] = 0.0
    np.testing.assert_allclose(new, old + 1, rtol=0, atol=1e-6)


def test_without_a_cache_nothing_is_written(tmp_path, monkeypatch):
    """And with `cache=True` it is in the cache of the data sets."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    counted(cache=False)[1].transform(images())
    assert not (tmp_path / "xdg").exists()
    _, features = counted()
    features.transform(images())
    assert [path.name for path in (tmp_path / "xdg" / "backdoor-curves" / "features").iterdir()] == [
        features.cache_file.name
    ]
    with pytest.raises(ValueError, match="cache: True or a folder was expected for a cache_file"):
        _ = counted(cache=False)[1].cache_file


# Damage


def test_an_altered_row_is_computed_again(folder):
    """Each row has a hash; what was written is what is read."""
    network, features = counted(cache=folder)
    X = images()
    expected = features.transform(X)
    with sqlite3.connect(features.cache_file) as file:
        (content,) = file.execute("SELECT content FROM rows LIMIT 1").fetchone()
        altered = bytes([content[0] ^ 1]) + content[1:]
        file.execute("UPDATE rows SET content = ? WHERE content = ?", (altered, content))
    file.close()
    network.count()
    np.testing.assert_allclose(features.transform(X), expected, rtol=0, atol=1e-6)
    assert network.count() == 1 + 1
    features.transform(X)
    assert network.count() == 1


@pytest.mark.parametrize("damage", ["garbage", "cut", "folder"])
def test_a_cache_that_cannot_be_used_costs_a_warning_and_no_result(folder, damage):
    """The file is named, and features are computed."""
    _, features = counted(cache=folder)
    X = images(40)
    expected = features.transform(X)
    path = features.cache_file
    whole = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"garbage" * 1000 if damage == "garbage" else whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=f"{path.name}: a cache of features that can be read and written was expected"):
        again = features.transform(X)
    np.testing.assert_allclose(again, expected, rtol=0, atol=1e-6)


def test_a_folder_that_cannot_be_made_costs_a_warning(tmp_path):
    """A file in its place stands for every reason, as it holds for the superuser too."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.warns(UserWarning, match="can be read and written was expected"):
        features = counted(cache=tmp_path / "file" / "features")[1].transform(images())
    assert features.shape == (12, 5)


def test_a_full_disk_costs_the_cache_and_not_the_work(folder):
    """A limit on the file's pages is a full disk to SQLite; no image is computed twice for it."""
    network, features = counted(cache=folder, layer="inner.3", pool=False)
    features.transform(images(1))
    network.count()
    with sqlite3.connect(features.cache_file) as file:
        file.execute(
            "CREATE TRIGGER full BEFORE INSERT ON rows WHEN (SELECT COUNT(*) FROM rows) > 4 "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    file.close()
    with pytest.warns(UserWarning, match="a cache that can be written was expected .database or disk is full"):
        assert len(features.transform(images(30, seed=1))) == 30
    assert network.count() == 30


# Interruptions and company


def test_what_was_computed_before_an_interruption_is_kept(folder):
    """Ctrl-C in the third batch of five: two need not be computed again."""
    network, features = counted(cache=folder)
    network._fails_at = 2
    with pytest.raises(KeyboardInterrupt):
        features.transform(images(20))
    network._fails_at = None
    network.count()
    features.transform(images(20))
    assert network.count() == 1 + 12


PROCESS = """
import sys
from networks import images, small
import backdoor_curves as bc
features = bc.FrozenFeatures(small(), batch_size=4, cache=sys.argv[1])
for k in range(int(sys.argv[3])):
    features.transform(images(80, seed=int(sys.argv[2]) + k))
"""


def start(folder: Path, seed: int, rounds: int) -> subprocess.Popen:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", PROCESS, str(folder), str(seed), str(rounds)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})


def test_a_killed_process_leaves_a_file_that_serves(folder):
    """SIGKILL while it writes, twice: every row that is there afterwards is right."""
    features = bc.FrozenFeatures(small(), cache=folder)
    file, size = features.cache_file, 0
    for _ in range(2):
        process = start(folder, 0, 10_000)
        while not file.is_file() or file.stat().st_size <= size + 8192:  # two pages more than there were
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        size = file.stat().st_size
    X = np.concatenate([images(80, seed=k) for k in range(3)])
    np.testing.assert_allclose(features.transform(X), clone(features).set_params(cache=False).transform(X), atol=1e-6)


def test_processes_may_write_the_same_features_at_once(folder):
    """Workers of a study meet the same images at the same time."""
    for process in [start(folder, seed, 1) for seed in (0, 0)]:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    with sqlite3.connect(bc.FrozenFeatures(small(), cache=folder).cache_file) as file:
        assert file.execute("SELECT COUNT(*) FROM rows").fetchone() == (80,)
    file.close()
