"""Where files are looked for, how they come, and that wrong ones are never used."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from fake_mnist import SMALL_CONTENT

from backdoor_curves.datasets import remote
from backdoor_curves.datasets.catalogue import catalogued
from backdoor_curves.datasets.download import cache_folder, fetch, load_files, search_folders, verify, where

NAMES = list(SMALL_CONTENT)
CONTENT = tuple(SMALL_CONTENT.values())
GOOD = gzip.compress(CONTENT[0])


def everything_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# Search


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("subfolder", [".", "mnist"])
@pytest.mark.parametrize("how", ["argument", "environment", "cache"])
def test_files_are_found_without_the_network(small, put, cache, tmp_path, monkeypatch, how, subfolder, compressed):
    """Each place may hold them directly or in the data set's subfolder, compressed or not."""
    folder = cache if how == "cache" else tmp_path / "mine"
    put(folder / subfolder, compressed=compressed)
    if how == "environment":
        monkeypatch.setenv("BACKDOOR_CURVES_DATA", str(folder))
    assert load_files("mnist", folder if how == "argument" else None, offline=True) == CONTENT
    assert small.asked == []


def test_places_are_searched_in_order(small, put, cache, tmp_path, monkeypatch):  # noqa: ARG001
    """The argument goes before the environment, that before the cache; a place without the files is passed over."""
    monkeypatch.setenv("BACKDOOR_CURVES_DATA", str(tmp_path / "env"))
    (tmp_path / "mine").mkdir()
    assert search_folders(tmp_path / "mine") == (tmp_path / "mine", tmp_path / "env", cache)
    for folder in (cache, tmp_path / "env", tmp_path / "mine"):
        put(folder)
        assert where("mnist", tmp_path / "mine")[NAMES[0]] == folder / f"{NAMES[0]}.gz"


def test_a_named_folder_that_is_not_there_is_refused(small, tmp_path):
    """A slip in its name would otherwise end in another copy of the data, or in a download."""
    small.serve_all("first")
    for question in (where, verify, load_files):
        with pytest.raises(FileNotFoundError, match="there is none of this name"):
            question("mnist", tmp_path / "mnie")
    assert small.asked == []


@pytest.mark.parametrize(
    ("xdg", "expected"),
    [
        ("/somewhere", "/somewhere/backdoor-curves"),
        ("relative", "/me/.cache/backdoor-curves"),
        ("", None),
        (None, None),
    ],
)
def test_the_cache_follows_the_xdg_rules(monkeypatch, xdg, expected):
    """Unset, empty and relative values mean ~/.cache, as the specification has it."""
    monkeypatch.setenv("HOME", "/me")
    if xdg is None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert cache_folder() == Path(expected or "/me/.cache/backdoor-curves")


def test_an_empty_environment_variable_names_no_folder(cache, monkeypatch):
    """Otherwise the working directory would be searched."""
    monkeypatch.setenv("BACKDOOR_CURVES_DATA", "")
    assert search_folders() == (cache,)


def test_a_tilde_is_the_home_folder(monkeypatch):
    """Paths from a configuration file do not pass through a shell."""
    monkeypatch.setenv("HOME", "/me")
    assert search_folders("~/data")[0] == Path("/me/data")


def test_offline_refuses_the_network_and_tells_where_it_looked(small, cache, tmp_path, monkeypatch):
    """The error is enough to put things right: every folder searched, and the command."""
    small.serve_all("first")
    monkeypatch.setenv("BACKDOOR_CURVES_DATA", str(tmp_path / "env"))
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        load_files("mnist", tmp_path / "mine", offline=True)
    message = str(caught.value)
    for part in (NAMES[0], str(tmp_path / "mine"), str(tmp_path / "env"), str(cache), "data fetch mnist", "offline"):
        assert part in message
    assert "\n" not in message
    assert small.asked == []


# Checks


@pytest.mark.parametrize(
    ("name", "payload", "came"),
    [
        (f"{NAMES[0]}.gz", GOOD[:-9], "no whole gzip file"),
        (f"{NAMES[0]}.gz", b"", "content of sha256 .* was expected"),
        (f"{NAMES[0]}.gz", b"<html>not found</html>", "no whole gzip file"),
        (f"{NAMES[0]}.gz", GOOD[:40] + b"\0\0\0\0" + GOOD[44:], "no whole gzip file|came"),
        (f"{NAMES[0]}.gz", gzip.compress(CONTENT[0] + b"!"), r"\.\.\. came"),
        (NAMES[0], CONTENT[0][:-1], r"\.\.\. came"),
        (NAMES[0], GOOD, r"\.\.\. came"),
    ],
    ids=["truncated gz", "empty", "html", "flipped", "other content", "truncated", "wrong suffix"],
)
def test_an_altered_file_is_an_error_and_no_other_is_taken(small, put, cache, tmp_path, name, payload, came):
    """The user believes to use this file: a silent step to the next place would hide that it is broken."""
    small.serve_all("first")
    put(cache)
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / name
    path.write_bytes(payload)
    with pytest.raises(ValueError, match=came) as caught:
        load_files("mnist", tmp_path / "mine")
    message = str(caught.value)
    assert message.startswith(f"{path}: content of sha256 {catalogued('mnist').files[0].sha256[:12]}")
    assert "delete it, then: backdoor-curves data fetch mnist" in message
    assert "\n" not in message
    assert small.asked == []


def test_differently_compressed_files_are_the_same_file(small, put, tmp_path):  # noqa: ARG001
    """Distributions differ in their gzip bytes, so the uncompressed content is what is checked."""
    put(tmp_path / "mine")
    path = tmp_path / "mine" / f"{NAMES[0]}.gz"
    path.write_bytes(gzip.compress(CONTENT[0], compresslevel=1, mtime=1))
    assert load_files("mnist", tmp_path / "mine", offline=True) == CONTENT


def test_verify_says_what_is_right_altered_and_missing(small, put, tmp_path):  # noqa: ARG001
    """All files are looked at, not only those before the first problem."""
    folder = tmp_path / "mine"
    put(folder)
    (folder / f"{NAMES[1]}.gz").write_bytes(b"altered")
    (folder / f"{NAMES[2]}.gz").unlink()
    right, altered, missing, last = verify("mnist", folder)
    assert [check.name for check in (right, altered, missing, last)] == NAMES
    assert right.path == folder / f"{NAMES[0]}.gz"
    assert right.problem is None
    assert last.problem is None
    assert "no whole gzip file" in altered.problem
    assert missing.path is None
    assert "data fetch mnist" in missing.problem


def test_where_reports_paths_and_checks_nothing(small, put, tmp_path):  # noqa: ARG001
    """It is the quick question: which file would be read?"""
    put(tmp_path / "mine")
    (tmp_path / "mine" / f"{NAMES[0]}.gz").write_bytes(b"altered")
    (tmp_path / "mine" / f"{NAMES[1]}.gz").unlink()
    paths = where("mnist", tmp_path / "mine")
    assert list(paths) == NAMES
    assert paths[NAMES[0]] == tmp_path / "mine" / f"{NAMES[0]}.gz"
    assert paths[NAMES[1]] is None


@pytest.mark.parametrize("name", ["digits", "toy"])
def test_some_data_sets_need_no_files(name):
    """They are in the catalogue so that the command line can say so."""
    assert fetch(name) == {}
    assert where(name) == {}
    assert verify(name) == ()
    assert "needs no files" in catalogued(name).note


@pytest.mark.parametrize("function", [fetch, verify, where, load_files, catalogued])
@pytest.mark.parametrize(
    ("name", "hint"), [("minst", 'did you mean "mnist"'), ("MNIST", 'did you mean "mnist"'), ("zzz", "choose one")]
)
def test_an_unknown_data_set_is_answered_with_the_nearest(function, name, hint):
    """A slip of the keyboard costs one look at the message."""
    with pytest.raises(ValueError, match=f"digits, mnist, toy was expected, '{name}' came; {hint}"):
        function(name)


# Downloads


def test_missing_files_are_downloaded_once_into_the_cache(small, cache):
    """The second reading finds them there and asks nobody."""
    small.serve_all("first")
    assert load_files("mnist") == CONTENT
    assert small.asked == [f"/first/{name}.gz" for name in NAMES]
    assert everything_in(cache / "mnist") == sorted(f"{name}.gz" for name in NAMES)
    assert load_files("mnist", offline=True) == CONTENT
    assert len(small.asked) == len(NAMES)


def test_fetch_writes_into_the_folder_named_and_loads_from_there(small, cache, tmp_path):
    """`data fetch` with a folder and a loader with the same folder fit together."""
    small.serve_all("first")
    paths = fetch("mnist", tmp_path / "mine")
    assert paths == {name: tmp_path / "mine" / "mnist" / f"{name}.gz" for name in NAMES}
    assert load_files("mnist", tmp_path / "mine", offline=True) == CONTENT
    assert not cache.exists()


def test_fetch_keeps_what_is_right(small, put, tmp_path):
    """A second call costs no traffic, wherever in the folder the files are."""
    put(tmp_path / "mine", compressed=False)
    assert fetch("mnist", tmp_path / "mine") == {name: tmp_path / "mine" / name for name in NAMES}
    assert small.asked == []


def test_fetch_replaces_its_own_altered_file(small, put, cache):
    """A download that went bad on disk is mended by fetching again."""
    small.serve_all("first")
    put(cache / "mnist")
    (cache / "mnist" / f"{NAMES[2]}.gz").write_bytes(GOOD[:-9])
    fetch("mnist")
    assert small.asked == [f"/first/{NAMES[2]}.gz"]
    assert load_files("mnist", offline=True) == CONTENT


def test_fetch_never_touches_an_altered_file_of_the_user(small, put, tmp_path):
    """It may be all that is left of something; only the user deletes it."""
    small.serve_all("first")
    put(tmp_path / "mine", compressed=False)
    (tmp_path / "mine" / NAMES[0]).write_bytes(b"altered")
    with pytest.raises(ValueError, match="delete it"):
        fetch("mnist", tmp_path / "mine")
    assert (tmp_path / "mine" / NAMES[0]).read_bytes() == b"altered"


@pytest.mark.parametrize(
    ("body", "status", "promised"),
    [
        (b"gone", 404, None),
        (b"busy", 503, None),
        (GOOD[:-9], 200, None),
        (GOOD[:20], 200, len(GOOD)),
        (gzip.compress(b"something else"), 200, None),
        (b"<html>log in to this hotel</html>", 200, None),
    ],
    ids=["404", "503", "truncated", "interrupted", "altered", "portal"],
)
def test_the_next_mirror_serves_when_the_first_fails(small, cache, body, status, promised):
    """Whatever goes wrong with one mirror, the file of another is as good, for its hash is checked."""
    small.serve_all("first")
    small.serve_all("second")
    small.serve(f"/first/{NAMES[0]}.gz", body, status=status, promised=promised)
    assert load_files("mnist") == CONTENT
    assert small.asked[:2] == [f"/first/{NAMES[0]}.gz", f"/second/{NAMES[0]}.gz"]
    assert everything_in(cache) == sorted(f"{name}.gz" for name in NAMES)


@pytest.mark.parametrize(
    ("body", "status", "promised", "reason"),
    [
        (b"gone", 404, None, "HTTP 404"),
        (GOOD[:-9], 200, None, "no whole gzip file"),
        (GOOD[:20], 200, len(GOOD), "broke off after 20 bytes"),
        (gzip.compress(b"something else"), 200, None, "content of sha256 .* was expected"),
    ],
    ids=["404", "truncated", "interrupted", "altered"],
)
def test_when_all_mirrors_fail_each_is_named_and_nothing_is_left(small, cache, body, status, promised, reason):
    """A half-written file in the cache would be the next run's puzzle."""
    for mirror in ("first", "second"):
        small.serve(f"/{mirror}/{NAMES[0]}.gz", body, status=status, promised=promised)
    with pytest.raises(FileNotFoundError, match=f"first/ .*{reason}.*second/ .*{reason}.*try again") as caught:
        load_files("mnist")
    assert str(cache) in str(caught.value)
    assert "backdoor-curves data fetch mnist" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert everything_in(cache) == []


def test_a_failed_fetch_leaves_the_older_file(small, put, cache):
    """A new file takes the place of an old one at once and whole, or not at all."""
    put(cache / "mnist")
    path = cache / "mnist" / f"{NAMES[0]}.gz"
    path.write_bytes(b"altered")
    with pytest.raises(FileNotFoundError, match="no mirror served"):
        fetch("mnist")
    assert path.read_bytes() == b"altered"
    assert everything_in(cache) == sorted(f"{name}.gz" for name in NAMES)
    assert len(small.asked) == 2


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_nothing(small, cache, monkeypatch, step):
    """The temporary file goes whatever happened on the way."""
    small.serve_all("first")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="the disk is full"):
        fetch("mnist")
    assert everything_in(cache) == []


def test_a_mirror_that_stalls_is_given_up(small, cache, monkeypatch):
    """A run must not wait for ever on a silent server."""
    monkeypatch.setattr(remote, "TIMEOUT_S", 0.2)
    file = remote.RemoteFile(NAMES[0], catalogued("mnist").files[0].sha256, (f"{small.url}/stalls/",))
    with pytest.raises(FileNotFoundError, match=r"stalls/ .*timed out"):
        remote.download(file, cache)


def test_a_mirror_that_cannot_be_reached_is_a_reason_like_any_other(cache):
    """Port 1 of the loopback refuses, as the web does to a node without a network."""
    file = remote.RemoteFile("numbers", "0" * 64, ("http://127.0.0.1:1/",))
    with pytest.raises(FileNotFoundError, match=r"no mirror served numbers: http://127.0.0.1:1/ .*refused"):
        remote.download(file, cache)


def test_a_folder_that_cannot_be_written_is_told_before_any_traffic(small, tmp_path):
    """A file in the folder's place stands for every reason, as it holds for the superuser too."""
    small.serve_all("first")
    (tmp_path / "mine").write_bytes(b"")
    with pytest.raises(PermissionError, match="mine/mnist: a folder that can be written was expected") as caught:
        fetch("mnist", tmp_path / "mine")
    assert "\n" not in str(caught.value)
    assert small.asked == []
