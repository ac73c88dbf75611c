"""The published networks are read as numbers by seed, and said in our weights of a row; nothing is unpickled."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from backdoor_curves.paper.numbers.published_nets import net_rows, nets_file, read_nets, settings_of
from backdoor_curves.paper.page import write_page

SHARED = Path(__file__).parents[2].parent / "shared"
EPOCHS, SHARES, BETAS = [10, 50], [0.05, 0.15], [0.0, 0.05, 1.0]


def seed_of(rng: np.random.Generator) -> dict:
    """Return what a file has of a seed."""
    fields = ("backdoor_accuracy_beta", "clean_accuracy_beta", "backdoor_loss_beta", "clean_loss_beta")
    arrays = {name: rng.random((len(EPOCHS), len(SHARES), len(BETAS))).tolist() for name in fields}
    return arrays | {"model": "resnet18", "epochs": EPOCHS, "p_poison": SHARES, "betas": BETAS}


@pytest.fixture
def content() -> dict:
    rng = np.random.default_rng(0)
    return {"100": seed_of(rng), "101": seed_of(rng)}


@pytest.fixture
def folder(tmp_path, content):
    (tmp_path / "nets_resnet18.json").write_text(json.dumps(content))
    return tmp_path


def test_what_was_written_is_read(folder, content):
    """Every number at its place."""
    (file,) = read_nets(folder)
    assert (file.name, file.model, file.seeds, file.n_nets) == ("resnet18", "resnet18", ("100", "101"), 24)
    assert file.values["triggered_loss"][1, 0, 1, 2] == content["101"]["backdoor_loss_beta"][0][1][2]
    assert file.values["asr"][0, 1, 0, 1] == content["100"]["backdoor_accuracy_beta"][1][0][1]


def test_rows_have_the_weight_of_a_poison_row(folder, content):
    """At b = 1 and p = .05 nineteen times a clean one's; at b near p / (1 - p) about 1: ordinary training."""
    rows = net_rows(read_nets(folder))
    assert len(rows) == 12
    at = {(row["epochs"], row["p"], row["b"]): row for row in rows}
    assert at[10, 0.05, 1.0]["beta"] == pytest.approx(19.0, rel=1e-12)
    assert at[10, 0.05, 0.05]["beta"] == pytest.approx(0.95, rel=1e-12)
    rates = [content[seed]["backdoor_accuracy_beta"][0][0][2] for seed in ("100", "101")]
    row = at[10, 0.05, 1.0]
    assert (row["asr"], row["asr_low"], row["asr_high"]) == pytest.approx((np.mean(rates), min(rates), max(rates)))


def test_the_published_slope_is_a_chord(folder):
    """From b = 0 to 1, of the mean loss over seeds."""
    (file,), row = read_nets(folder), settings_of(read_nets(folder))[0]
    loss = file.values["triggered_loss"][:, 0, 0].mean(axis=0)
    assert np.tan(-np.pi / 2 * row["theta_of_chord"]) == pytest.approx(loss[2] - loss[0], rel=1e-9)
    assert row["first_chord"] == pytest.approx((loss[1] - loss[0]) / 0.05, rel=1e-12)
    assert row["near"] == 0.05


def test_they_stand_on_the_page_alone(folder, tmp_path):
    """With the reason why nothing of ours is beside them."""
    html = write_page(tmp_path / "p.html", [], [], [], [], read_nets(folder)).read_text(encoding="utf-8")
    assert "24 networks" in html
    assert "no number of ours is under the same conditions" in html
    assert "networks.csv" not in write_page(tmp_path / "q.html", [], [], [], []).read_text(encoding="utf-8")


def _nan(content: dict) -> None:
    content["100"]["clean_loss_beta"][0][0][0] = float("nan")


def _short(content: dict) -> None:
    content["100"]["clean_loss_beta"].pop()


def _other_betas(content: dict) -> None:
    content["101"]["betas"] = [0.0, 0.1, 1.0]


def _no_loss(content: dict) -> None:
    del content["100"]["clean_loss_beta"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (_nan, "clean_loss_beta: finite numbers were expected"),
        (_short, "clean_loss_beta: shape"),
        (_other_betas, "the same betas for all seeds was expected"),
        (_no_loss, "there is no clean_loss_beta"),
        (dict.clear, "a seed was expected"),
    ],
)
def test_a_damaged_file_is_named_with_its_fault(fault, said, folder, content):
    """In a line."""
    fault(content)
    path = folder / "nets_resnet18.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"nets_resnet18\.json.*({said})"):
        read_nets(folder)


def test_a_pickle_is_not_opened(tmp_path, content):
    """Neither under its own name, which is left alone, nor under that of a JSON file."""
    (tmp_path / "nets_resnet18.pkl").write_bytes(pickle.dumps(content))
    assert read_nets(tmp_path) == ()
    (tmp_path / "nets_resnet18.json").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="a published file was expected"):
        nets_file(tmp_path / "nets_resnet18.json")


@pytest.mark.skipif(not (SHARED / "reference").is_dir(), reason="the published numbers are not beside the repository")
def test_the_published_networks_are_336():
    """Three files; thetas of chords lie between .90 and .94 in all 14 settings, and rank nothing."""
    files = read_nets(SHARED / "reference")
    assert sum(file.n_nets for file in files) == 336
    thetas = [row["theta_of_chord"] for row in settings_of(files)]
    assert len(thetas) == 14
    assert 0.89 < min(thetas) < max(thetas) < 0.95
