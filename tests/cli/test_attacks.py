"""The command on attacks: the list, all about one, the page, and wrong names."""

from __future__ import annotations

import re
import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

import backdoor_curves as bc
from backdoor_curves.poisoning.examples import rows_at_hand


@pytest.fixture
def call(tmp_path, monkeypatch, run_command):
    """A function that runs the command in an empty folder; it returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    return partial(run_command, "attacks")


def test_the_list_has_each_attack_with_rate_words_and_source_within_100_columns(call):
    """It is read in a terminal, and searched with grep."""
    code, out, err = call()
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 100
    listed = [line.split()[:2] for line in lines[1:] if not line.startswith(" ")]
    assert listed == [[one.name, f"{one.rate:g}" if one.rate else "-"] for one in bc.presets.values()]
    assert len({re.match(r"\S+ +\S+ +", line).end() for line in lines if not line.startswith(" ")}) == 1
    beside = " ".join(" ".join(line[43:].split()) for line in lines)
    for preset in bc.presets.values():
        assert f"{preset.about} {preset.source}" in beside


@pytest.mark.parametrize("kind", ["image", "text", "table"])
def test_the_list_may_be_of_one_kind_of_rows(call, kind):
    """Who has texts looks for attacks on texts."""
    _, out, _ = call("--kind", kind)
    listed = [line.split()[0] for line in out.splitlines()[1:] if not line.startswith(" ")]
    assert listed == [name for name, preset in bc.presets.items() if preset.rows == kind]


@pytest.mark.parametrize("name", bc.presets)
def test_the_example_of_each_attack_runs_and_gives_a_curve(call, name):
    """It is copied: five lines, from rows to a curve."""
    code, out, _ = call(name)
    assert code == 0
    lines = [line.removeprefix("    ") for line in out.splitlines() if re.match("    [a-z]", line)]
    *example, toml = lines
    assert (len(example), toml) == (5, f'preset = "{name}"')
    assert all(len(line) <= 100 for line in out.splitlines() if not line.startswith("    attack"))
    preset = bc.presets[name]
    rows = rows_at_hand(preset.rows)
    if preset.rows == "text":
        rows = bc.Samples(rows.X * 10, np.tile(rows.y, 10))
    names: dict = {"train": rows, "test": rows, "learner": learner(preset.rows)}
    if preset.needs_head:
        names["head"] = bc.linear_head(RidgeClassifier().fit(rows.X.reshape(len(rows), -1), rows.y))
    # Of these few rows a rate may be no row, or all of a class: then another one, which is all that is changed.
    attack = preset.attack(rows, head=names.get("head"), rng=np.random.default_rng(0))
    whole_class = attack.is_clean_label and (attack.rate_of == "all" or preset.rate == 1)
    if whole_class or (preset.rate or 1) * len(rows) < 10:
        example[3] = re.sub(r"rate=[\d.]+", "rate=0.05", example[3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        exec("\n".join(example), names)
    assert isinstance(names["curve"], bc.BackdoorLearningCurve)


def learner(kind):
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import make_pipeline

    return make_pipeline(CountVectorizer(), RidgeClassifier()) if kind == "text" else RidgeClassifier(100.0)


def test_all_about_one_says_what_is_ours_and_what_it_is_made_of(call):
    """Source, rate and of what, labels, both triggers, cover."""
    _, out, _ = call("adap-blend@toolbox")
    said = " ".join(out.split())
    for words in (
        "source Qi et al., ICLR 2023; backdoor-toolbox",
        "ours Seeded noise in place of its picture",
        "rate 0.003 of all rows",
        "training PiecesTrigger(8 of 4^2 pieces of 32 x 32 x 3, opacity=0.15",
        "test PiecesTrigger(16 of 4^2 pieces of 32 x 32 x 3, opacity=0.2",
        "cover Cover(rate=1.0)",
    ):
        assert words in said
    assert "ours nothing" in " ".join(call("lattice@paper")[1].split())
    assert "rate none in the source; of the rows whose label changes" in " ".join(call("badnets@art")[1].split())


def test_a_wrong_name_ends_with_a_sentence_and_the_nearest_names(call):
    """And no traceback."""
    code, out, err = call("wanet@backdorbench")
    assert (code, out) == (2, "")
    assert err == (
        "backdoor-curves: presets: a name of an attack was expected, 'wanet@backdorbench' came; nearest are "
        "wanet@original, wanet@backdoorbench, wanet@toolbox\n"
    )


def test_the_page_is_one_file_and_opens_on_demand(call, tmp_path, monkeypatch):
    """Written where it was asked for, attacks.html if it was not; the browser is asked with --open alone."""
    asked: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: asked.append(url) or True)
    code, out, err = call("--kind", "text", "--out", "mine.html")
    assert (code, out, err, asked) == (0, "", "4 attacks are in mine.html\n", [])
    assert call("sig@toolbox", "--open")[2] == "sig@toolbox is in attacks.html\n"
    assert asked == [(tmp_path / "attacks.html").as_uri()]
    page = (tmp_path / "attacks.html").read_text(encoding="utf-8")
    assert page.count("<article") == 1
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)


def test_a_page_that_cannot_be_written_or_shown_is_said(call, monkeypatch):
    """A folder that is not there; no browser."""
    code, _, err = call("--kind", "table", "--out", "nowhere/attacks.html")
    assert code == 2
    assert "a file in an existing folder was expected" in err
    monkeypatch.setattr("webbrowser.open", lambda _url: False)
    assert "no browser was found; open attacks.html yourself" in call("--kind", "table", "--open")[2]
