"""CIFAR-10: its file format, its archive, the rows drawn from it, and what happens where files are missing."""

from __future__ import annotations

import gzip
import tarfile

import numpy as np
import pytest
from fake_cifar10 import ARCHIVE, CONTENT, FIRST_TEST_ROWS, FOLDER, archive, level, member, small_entry

from backdoor_curves.datasets import IncompleteDataWarning, cifar10
from backdoor_curves.datasets.catalogue import CATALOGUE
from backdoor_curves.datasets.cifar10 import cifar10_arrays
from backdoor_curves.datasets.download import fetch, verify, where


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def web_of(web, cache, monkeypatch):  # noqa: ARG001
    """The small stand-in in the catalogue, on the mirrors `first` and `second`, which serve nothing yet."""
    monkeypatch.setitem(CATALOGUE, "cifar10", small_entry(f"{web.url}/first/", f"{web.url}/second/"))
    return web


@pytest.fixture
def folder(tmp_path, web_of):  # noqa: ARG001
    """A folder with the stand-in's archive."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ARCHIVE).write_bytes(archive())
    return tmp_path / "mine"


def unpack(folder, names=CONTENT):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(CONTENT[name])
    return folder


# The format


def test_images_are_rows_columns_and_red_green_blue(folder):
    """The files have planes; a pixel's place is known from its value."""
    train, test = cifar10_arrays(folder, offline=True)
    for row, column, channel in np.ndindex(32, 32, 3):
        assert train.images[13, row, column, channel] == level(2, 3, row, column, channel)
    assert train.images.shape == (50, 32, 32, 3)
    assert train.images.flags.c_contiguous
    assert test.images[7, 31, 2, 1] == level(6, 7, 31, 2, 1)
    assert train.labels.tolist() == [*range(10)] * 5
    assert train.rows[[0, 10, 49]].tolist() == [0, 10_000, 40_009]


def test_rows_are_unit_floats(folder):
    """Images have shape (n, height, width, channels) and values in [0, 1] everywhere in the package."""
    train, test = cifar10("all", n_train=7, rng=rng(), data_dir=folder, offline=True)
    assert train.X.shape == (7, 32, 32, 3)
    assert train.X.dtype == test.X.dtype == np.float64
    assert np.array_equal(test.X * 255, cifar10_arrays(folder)[1].images)


@pytest.mark.parametrize(
    "classes", [(0, 6), ("airplane", "frog"), "airplane-frog", np.array([0, 6]), ["airplane", 6]], ids=str
)
def test_a_pair_may_be_written_in_many_ways(folder, classes):
    """Labels are places in the pair, rows come in file order."""
    train, test = cifar10(classes, rng=rng(), data_dir=folder, offline=True)
    assert train.y.tolist() == [0, 1] * 5
    assert np.array_equal(test.X[:, 0, 0, 0] * 255, [level(6, 0), level(6, 6)])


def test_groups_of_classes_become_one_and_order_counts(folder):
    """Names and numbers may stand side by side in a group."""
    train, _ = cifar10(("frog", ("airplane", 8)), rng=rng(), data_dir=folder, offline=True)
    assert train.y.tolist() == [1, 0, 1] * 5


def test_the_number_of_training_rows_does_not_change_the_test_rows(folder):
    """Curves over the number of training rows are tested on the same rows; smaller sets come first in larger ones."""
    few, many = (cifar10("all", n_train=n, n_test=5, rng=rng(), data_dir=folder, offline=True) for n in (3, 20))
    assert np.array_equal(few[1].X, many[1].X)
    assert np.array_equal(few[0].X, many[0].X[:3])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"classes": "airplane-forg"}, ValueError, "'forg' came; did you mean \"frog\""),
        ({"classes": "even-odd"}, ValueError, "'even' came; did you mean|'even' came; a pair"),
        ({"classes": ("Airplane", "frog")}, ValueError, "'Airplane' came; did you mean \"airplane\""),
        ({"classes": "frog"}, ValueError, "two classes or more"),
        ({"classes": (0, 10)}, ValueError, "10 came"),
        ({"classes": (0, ("airplane", 1))}, ValueError, "0 came twice"),
        ({"classes": 3}, ValueError, "a name or a sequence of classes"),
        ({"n_train": 0}, ValueError, "n_train: a positive int"),
        ({"rng": 3}, TypeError, "a numpy Generator was expected"),
    ],
)
def test_wrong_arguments_are_refused_before_any_file_is_sought(web_of, arguments, error, message):
    """Nobody should wait for a download to learn of a slip."""
    with pytest.raises(error, match=message) as caught:
        cifar10(**{"classes": (0, 6), "rng": rng(), **arguments})
    assert "\n" not in str(caught.value)
    assert web_of.asked == []


# Places


def test_archive_folder_and_loose_files_are_the_same_data(folder, tmp_path):
    """However a user has it: packed, unpacked, in a subfolder, or the batches alone."""
    places = [
        folder,
        unpack(tmp_path / "a" / FOLDER).parent,
        unpack(tmp_path / "b" / "cifar10" / FOLDER).parents[1],
        unpack(tmp_path / "c"),
    ]
    first, *others = (cifar10((0, 6), n_train=4, rng=rng(), data_dir=place, offline=True) for place in places)
    for other in others:
        assert np.array_equal(first[0].X, other[0].X)
        assert np.array_equal(first[1].X, other[1].X)


def test_what_is_missing_is_downloaded_once_as_an_archive(web_of, cache):
    """The archive is kept packed in the cache, and read there the next time."""
    web_of.serve(f"/first/{ARCHIVE}", archive())
    train, _ = cifar10((0, 6), rng=rng())
    assert len(train) == 10
    assert [path.name for path in (cache / "cifar10").iterdir()] == [ARCHIVE]
    cifar10((0, 6), rng=rng(), offline=True)
    assert web_of.asked == [f"/first/{ARCHIVE}"]


@pytest.mark.parametrize(
    "body",
    [
        archive()[:-9],
        archive(content={**CONTENT, "test_batch.bin": b"x"}),
        archive(content={name: CONTENT[name] for name in list(CONTENT)[1:]}),
        b"<html>log in to this hotel</html>",
    ],
    ids=["cut", "altered", "lacking", "portal"],
)
def test_the_next_mirror_serves_when_the_first_is_wrong(web_of, cache, body):
    """All members are checked before the archive is taken."""
    web_of.serve(f"/first/{ARCHIVE}", body)
    web_of.serve(f"/second/{ARCHIVE}", archive())
    assert len(cifar10((0, 6), rng=rng())[0]) == 10
    assert [path.name for path in cache.rglob("*") if path.is_file()] == [ARCHIVE]


def test_offline_tells_where_it_looked_and_what_to_do(web_of, cache):
    """The error is enough to put things right."""
    with pytest.raises(FileNotFoundError) as caught:
        cifar10((0, 6), rng=rng(), offline=True)
    for part in ("data_batch_1.bin, or cifar-10-binary.tar.gz, was expected in", str(cache), "data fetch cifar10"):
        assert part in str(caught.value)
    assert web_of.asked == []


def test_fetch_where_and_verify_know_the_archive(web_of, tmp_path):
    """The command's three questions, before and after."""
    web_of.serve(f"/first/{ARCHIVE}", archive())
    mine = unpack(tmp_path / "mine", ["data_batch_2.bin"])
    assert [check.problem is None for check in verify("cifar10", mine)] == [False, True, False, False, False, False]
    fetch("cifar10", mine)
    assert len(web_of.asked) == 1
    assert set(where("cifar10", mine).values()) == {mine / "cifar10" / ARCHIVE}
    assert all(check.problem is None for check in verify("cifar10", mine))
    (mine / "cifar10" / ARCHIVE).write_bytes(archive()[:500])
    assert all("a whole .tar.gz was expected" in check.problem for check in verify("cifar10", mine))
    fetch("cifar10", mine)
    assert all(check.problem is None for check in verify("cifar10", mine))


# Missing and altered files


def test_missing_files_are_named_and_the_others_serve(web_of, tmp_path):
    """Rows keep the numbers that they have in the whole, and the network is left alone."""
    mine = unpack(tmp_path / "mine", ["data_batch_1.bin", "data_batch_4.bin", "test_batch.bin"])
    with pytest.warns(
        IncompleteDataWarning, match=r"data_batch_2.bin, data_batch_3.bin, data_batch_5.bin not found"
    ) as w:
        train, test = cifar10_arrays(mine)
    assert "20 of the 50000 training and 10 of the 10000 test images" in str(w[0].message)
    assert w[0].filename == __file__
    assert train.rows.tolist() == [*range(10), *range(30_000, 30_010)]
    assert train.images[10, 0, 0, 0] == level(4, 0)
    assert len(test.labels) == 10
    with pytest.warns(IncompleteDataWarning) as w:
        cifar10((0, 6), rng=rng(), data_dir=mine)
    assert w[0].filename == __file__
    assert web_of.asked == []


def test_files_of_several_folders_make_a_whole(web_of, cache, tmp_path):  # noqa: ARG001
    """Each is known by its hash, so it does not matter where it lies."""
    unpack(cache, [name for name in CONTENT if name != "data_batch_2.bin"])
    train, _ = cifar10_arrays(unpack(tmp_path / "mine", ["data_batch_2.bin"]), offline=True)
    assert len(train.labels) == 50


def test_the_first_test_images_serve_only_where_the_others_are_missing(web_of, tmp_path):  # noqa: ARG001
    """A part of a file never takes the place of the whole."""
    mine = unpack(tmp_path / "mine", ["data_batch_1.bin"])
    (mine / "test_first1000.bin").write_bytes(FIRST_TEST_ROWS)
    with pytest.warns(IncompleteDataWarning, match=r"test_batch.bin not found.*test_first1000.bin: 10 .* and 4 of"):
        assert len(cifar10_arrays(mine)[1].labels) == 4
    unpack(mine, ["test_batch.bin"])
    with pytest.warns(IncompleteDataWarning, match="and 10 of the 10000"):
        assert len(cifar10_arrays(mine)[1].labels) == 10


def test_without_any_test_images_the_whole_is_asked_for(web_of, tmp_path):
    """Nothing to test on is no data set."""
    with pytest.raises(FileNotFoundError, match=r"data_batch_2.bin, or cifar-10-binary"):
        cifar10((0, 6), rng=rng(), data_dir=unpack(tmp_path / "mine", ["data_batch_1.bin"]), offline=True)
    web_of.serve(f"/first/{ARCHIVE}", archive())
    assert len(cifar10((0, 6), rng=rng(), data_dir=tmp_path / "mine")[0]) == 10


def test_an_altered_file_is_an_error_and_no_other_is_taken(folder, web_of):
    """A silent step to the next place would hide that it is broken."""
    web_of.serve(f"/first/{ARCHIVE}", archive())
    altered = unpack(folder / "cifar10" / FOLDER) / "data_batch_3.bin"
    altered.write_bytes(CONTENT["data_batch_2.bin"])
    with pytest.raises(ValueError, match=r"data_batch_3.bin: content of sha256 .* was expected.*data fetch cifar10"):
        cifar10((0, 6), rng=rng(), data_dir=folder)
    assert web_of.asked == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (archive(content={**CONTENT, "data_batch_5.bin": CONTENT["test_batch.bin"]}), "data_batch_5.bin: content of"),
        (archive(content={"test_batch.bin": CONTENT["test_batch.bin"]}), "data_batch_1.bin was expected in"),
        (archive()[:1000], "a whole .tar.gz was expected"),
        (b"", "a whole .tar.gz was expected"),
        (gzip.compress(b"no tar" * 1000), "a whole .tar.gz was expected"),
        (archive(member("../outside", b"x")), "'../outside' leaves it"),
        (archive(member("/etc/cron.d/x", b"x")), "'/etc/cron.d/x' leaves it"),
        (archive(member(f"{FOLDER}/../../x", b"x")), "leaves it"),
        (archive(member("C:\\x", b"x")), "leaves it"),
        (archive(member(f"{FOLDER}/data_batch_1.bin", kind=tarfile.SYMTYPE)), "is a link, a device or the like"),
        (archive(member(f"{FOLDER}/data_batch_1.bin", kind=tarfile.LNKTYPE)), "is a link, a device or the like"),
        (archive(member(f"{FOLDER}/null", kind=tarfile.CHRTYPE)), "is a link, a device or the like"),
        (archive(member(f"{FOLDER}/pipe", kind=tarfile.FIFOTYPE)), "is a link, a device or the like"),
        (archive(member(f"{FOLDER}/zeros", bytes(10**6))), "at most 300000 bytes, uncompressed, were expected"),
    ],
    ids=[
        *("altered", "lacking", "cut", "empty", "no tar", "parent", "absolute", "roundabout", "backslash"),
        *("symlink", "hard link", "device", "pipe", "bomb"),
    ],
)  # fmt: skip
def test_an_archive_that_is_not_as_published_is_refused(folder, body, message):
    """With one sentence, and nothing of it is written anywhere."""
    (folder / ARCHIVE).write_bytes(body)
    before = sorted(folder.rglob("*"))
    with pytest.raises(ValueError, match=message) as caught:
        cifar10((0, 6), rng=rng(), data_dir=folder, offline=True)
    assert str(caught.value).startswith(f"{folder / ARCHIVE}: ")
    assert "\n" not in str(caught.value)
    assert sorted(folder.rglob("*")) == before


# The real files


@pytest.fixture(scope="module")
def real(real_data):
    """The real rows, of the two batches and the first thousand test images that are there."""
    if not (real_data / "cifar10").is_dir():
        pytest.skip("the real CIFAR-10 files are not beside the repository")
    with pytest.warns(IncompleteDataWarning, match="20000 of the 50000 training and 1000 of the 10000 test images"):
        return cifar10_arrays(real_data, offline=True)


def test_real_files_are_cifar10(real):
    """The first labels and the class counts of the first batch as they are known, and sky over an airplane."""
    train, test = real
    assert train.labels[:5].tolist() == [6, 9, 9, 4, 1]
    assert np.bincount(train.labels[:10_000]).tolist() == [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981]
    assert test.labels[:5].tolist() == [3, 8, 8, 0, 6]
    red, _, blue = train.images[train.labels == 0, :8].mean(axis=(0, 1, 2))
    assert blue > red


@pytest.mark.parametrize(
    ("pair", "n_test"), [("airplane-frog", 215), ("bird-dog", 186), ("airplane-truck", 212)], ids=str
)
def test_real_rows_of_the_paper_s_pairs(real, real_data, pair, n_test):  # noqa: ARG001
    """As many test images as are known to be among the first thousand."""
    with pytest.warns(IncompleteDataWarning):
        train, test = cifar10(pair, n_train=300, rng=rng(), data_dir=real_data, offline=True)
    assert len(train) == 300
    assert len(test) == n_test
