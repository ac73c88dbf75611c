"""The published files as they are read: what is there, what is damaged, what is of another data set."""

from __future__ import annotations

import json
from dataclasses import astuple

import numpy as np
import pytest
from small_published import BETAS, HEADER, placeholders, write

from backdoor_curves.paper.numbers.published_files import read_published

SLOPES, CURVES, PATHS = (
    "ridge_pair7-1_ttypebadnet_tsize3.csv",
    "mnist_7-1_trigger3_curves.json",
    "mnist_7-1_trigger3_path.npz",
)


@pytest.fixture
def folder(tmp_path):
    write(placeholders(), tmp_path)
    return tmp_path


def test_what_was_written_is_read(folder):
    """Every number at its place; the files of a folder need not be complete."""
    found, meant = read_published(folder), placeholders()
    assert {file.learner: dict(file.rows) for file in found.slopes} == {
        file.learner: dict(file.rows) for file in meant.slopes
    }
    (curves,), (paths,) = found.curves, found.paths
    assert (curves.pair, curves.size, curves.betas.tolist()) == ((7, 1), 3, BETAS.tolist())
    named = [(one.learner, one.C, one.gamma, one.rate) for one in curves.curves]
    assert named == [(one.learner, one.C, one.gamma, one.rate) for one in meant.curves[0].curves]
    assert [(one.learner, one.C, one.gamma, one.intercept is None) for one in paths.paths] == [
        (one.learner, one.C, one.gamma, one.gamma is not None) for one in meant.paths[0].paths
    ]
    (folder / CURVES).unlink()
    assert read_published(folder).curves == ()


def test_every_column_goes_to_its_own_field(folder):
    """Ten columns in a row, each of another value."""
    (folder / SLOPES).write_text(HEADER + '\n1,-1,0.5,badnet,"(3, 3)",badnet,1,2,3,4,5,6,7,8,9,10\n')
    (row,) = next(file for file in read_published(folder).slopes if file.learner == "ridge").rows.values()
    assert astuple(row) == tuple(range(1, 11))


@pytest.mark.parametrize("name", ["ridge_pair0-6_ttypebadnet_tsize8.csv", "mnist_7-1_trigger16_path.npz", "notes.txt"])
def test_files_of_other_data_are_left_out(name, folder):
    """CIFAR-10's have the same names and another size of the trigger; what they hold is not MNIST's to repeat."""
    (folder / name).write_text("of another kind")
    assert len(read_published(folder).slopes) == 4


def test_a_folder_without_published_files_says_what_was_expected(tmp_path):
    """Whether it is there or not."""
    with pytest.raises(FileNotFoundError, match=r"ridge_pair7-1_ttypebadnet_tsize3\.csv.*name the folder"):
        read_published(tmp_path)
    with pytest.raises(FileNotFoundError, match="a folder with the published files was expected"):
        read_published(tmp_path / "no")


def edited(name, change):
    """A fault that changes a text file."""

    def install(folder):
        path = folder / name
        path.write_text(change(path.read_text()))

    return install


def json_edited(change):
    def of_text(text):
        content = json.loads(text)
        change(content)
        return json.dumps(content)

    return edited(CURVES, of_text)


def arrays_edited(change):
    """A fault that changes arrays of the path file."""

    def install(folder):
        with np.load(folder / PATHS) as file:
            arrays = dict(file)
        change(arrays)
        np.savez(folder / PATHS, **arrays)

    return install


def without(name):
    return lambda content: content.pop(name)


FAULTS = {
    "unknown column": (edited(SLOPES, lambda text: text.replace("mean_loss", "loss")), "no mean_loss; unknown: loss"),
    "short line": (edited(SLOPES, lambda text: text.rstrip().rsplit(",", 1)[0]), "argument|zip"),
    "no number": (edited(SLOPES, lambda text: text.replace("0.0", "x", 1)), "could not convert"),
    "NaN": (edited(SLOPES, lambda text: text.replace("0.0,", "nan,", 1)), "finite numbers"),
    "header alone": (edited(SLOPES, lambda text: text.splitlines()[0]), "there is none"),
    "nothing": (edited(SLOPES, lambda _: ""), "damaged"),
    "gamma of a linear learner": (edited(SLOPES, lambda text: text.replace("\n1,-1", "\n1,0.5")), "ridge was expected"),
    "half of a JSON": (edited(CURVES, lambda text: text[:99]), "Unterminated|Expecting"),
    "a list": (edited(CURVES, lambda _: "[]"), "published fields were expected"),
    "another pair": (json_edited(lambda content: content.update(pair=[3, 0])), r"to fit pair \[3, 0\]"),
    "betas that fall": (json_edited(lambda content: content.update(betas=[0, 0.5, 0.4])), "ascend from 0"),
    "short curve": (json_edited(lambda content: content["curves"][0]["clean_loss"].pop()), r"clean_loss: shape \(3,\)"),
    "no rate": (json_edited(lambda content: content["curves"][0].pop("poison_rate")), "there is no poison_rate"),
    "unknown learner": (json_edited(lambda content: content["curves"][0].update(classifier="lda")), "'lda' came"),
    "missing array": (arrays_edited(without("ridge_C1/coef")), "no coef"),
    "no betas": (arrays_edited(without("betas")), "betas"),
    "unknown array": (arrays_edited(lambda arrays: arrays.update(lda=np.ones(3))), "lda came"),
    "infinite": (arrays_edited(lambda arrays: arrays.update({"ridge_C1/norm": np.full(3, np.inf)})), "finite"),
    "short coef": (arrays_edited(lambda arrays: arrays.update({"ridge_C1/coef": np.ones((2, 5))})), "a row a beta"),
    "pickle": (arrays_edited(lambda arrays: arrays.update({"ridge_C1/coef": np.array([{}, 1])})), "allow_pickle"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_file_is_named_with_its_fault(fault, folder):
    """One sentence: which file, what was expected, what to do; and nothing is unpickled."""
    install, message = FAULTS[fault]
    install(folder)
    with pytest.raises(ValueError, match=message) as raised:
        read_published(folder)
    said = str(raised.value)
    assert any(name in said for name in (SLOPES, CURVES, PATHS))
    assert "a published file was expected" in said
    assert "\n" not in said


def test_a_truncated_archive_is_named(folder):
    """Half of a download."""
    path = folder / PATHS
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=PATHS):
        read_published(folder)
