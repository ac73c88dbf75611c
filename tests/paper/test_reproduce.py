"""The command that redraws the paper: what it leaves, what it says where something cannot be had, and its page."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from backdoor_curves.cli import main
from backdoor_curves.paper import reproduce as redrawing
from backdoor_curves.paper import results
from backdoor_curves.paper.claims.claim import NAN, Claim, Measured
from backdoor_curves.paper.figures.recipes import Drawn, Recipe
from backdoor_curves.paper.page import write_page
from backdoor_curves.paper.reproduce import reproduce
from backdoor_curves.paper.results import Asked, part_of
from backdoor_curves.study.file.config import Study
from backdoor_curves.study.run_study import Wishes

SHARED = Path(__file__).parents[2].parent / "shared"
WISHES = Wishes(n_jobs=1, memory=2.0**33)


def command(*words: object) -> tuple[int, str]:
    found = CliRunner().invoke(main, ["reproduce", *map(str, words)])
    return found.exit_code, found.output


def test_the_toy_needs_no_data(tmp_path):
    """Its picture stands in the page, which asks for no other file; the path of the page is what is printed."""
    code, output = command(1, "--out", tmp_path)
    page = tmp_path / "index.html"
    assert code == 0
    assert str(page) in output
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 1
    assert not re.search(r'(src|href)="(?!data:|#|https://arxiv\.org)', html)


def test_what_cannot_be_had_is_left_out_and_said(tmp_path):
    """Exit code 3; the others are drawn, and the page says what is missing and why."""
    empty = tmp_path / "empty"
    empty.mkdir()
    code, output = command(1, 4, "--out", tmp_path / "out", "--data-dir", empty, "--offline")
    assert code == 3
    assert "1 of 2 figures were left out" in output
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "Figure 1" in html
    assert "offline" in html[html.index("Left out") :]


@pytest.mark.parametrize(
    ("words", "said"),
    [(("16",), "'16' came"), (("1", "--published", "nowhere"), "published files was expected")],
)
def test_a_fault_in_what_is_asked_costs_nothing(words, said, tmp_path):
    """Exit code 2 and a sentence, before anything is drawn."""
    code, output = command(*words, "--out", tmp_path / "out")
    assert code == 2
    assert said in output
    assert not (tmp_path / "out" / "figures").exists()


def test_an_earlier_figure_stays_on_the_page(tmp_path):
    """A second call for another figure, which cannot be had, takes nothing away."""
    command(1, "--out", tmp_path / "out")
    empty = tmp_path / "empty"
    empty.mkdir()
    code, _ = command(4, "--out", tmp_path / "out", "--data-dir", empty, "--offline")
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert code == 3
    assert html.count("data:image/png;base64,") == 1
    assert "Figure 4" in html[html.index("Left out") :]


def test_nothing_more_is_begun_when_asked_to_stop(tmp_path):
    """After the first figure: the second is not drawn, and no page of a part replaces that of the whole."""
    made = []
    asked = Asked(("1", "samples"), tmp_path, WISHES, data_dir=tmp_path, offline=True)
    found = reproduce(asked, list, stopping=lambda: bool(made), say=made.append)
    assert [drawn.recipe.name for drawn in found.figures] == ["1"]
    assert not found.page.exists()


def test_texts_are_shown_as_texts(tmp_path):
    """Whatever a reason or a claim says, a tag in it is no tag."""
    recipe = Recipe("9", lambda _: Figure(), (), "a <b>note</b>")
    claim = Claim("c", "<script>alert(1)</script>", "says", (Measured("m", 1.0, NAN, NAN, 1),), "rule", "holds")
    drawn = [Drawn(recipe, None, "<img src=x onerror=alert(1)>")]
    html = write_page(tmp_path / "p.html", drawn, [], [claim], []).read_text(encoding="utf-8")
    assert "<script>" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)" in html


@pytest.mark.skipif(not (SHARED / "reference").is_dir(), reason="the published numbers are not beside the repository")
def test_a_published_curve_stands_beside_ours(tmp_path, monkeypatch):
    """Of Figure 4 alone: 30 curves, 20 betas, two losses; every number is explained."""
    monkeypatch.setattr(redrawing, "repeat", _only_recorded)
    monkeypatch.setattr(results, "part_of", _of_7_1)
    asked = Asked(("4",), tmp_path, WISHES, data_dir=SHARED / "data", offline=True, published=SHARED / "reference")
    found = reproduce(asked, lambda progress: [*progress])
    assert len(found.rows) == 30 * 20 * 2
    assert {row.place.figure for row in found.rows} == {"4"}
    exact = [row for row in found.rows if row.exact is not None]
    assert len(exact) == len(found.rows)
    assert (tmp_path / "comparison.csv").read_text(encoding="utf-8").count("\n") == 1201
    ridge = [row for row in found.rows if row.place.learner == "ridge"]
    assert {row.verdict for row in ridge} == {"exact"}


def _of_7_1(file, kind):
    """Of 7-1 alone: a third of the cells."""
    study = part_of(file, kind)
    parts = tuple(msgspec.structs.replace(part, data=part.data[:1]) for part in study.experiments)
    return Study(study.name, parts, False)


def _only_recorded(published, *_, **__):
    """The published numbers in the place of the recipe's: that is compared elsewhere, and takes a minute."""
    return published
