"""The page of attacks: pictures, words and cells before and after, and how it looks in a browser."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from headless import resize
from PIL import Image

from backdoor_curves.report.page.attacks import ShownAttack, ShownRow, attacks_page, pictures, words

HOSTILE = "<script>alert(1)</script> & \"quotes\" 'more'"


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.href.partition(",")[2])))) / 255


def image_row(before, after, role="poison"):
    return ShownRow(role, "1", "0", before, after)


def shown(kind, *rows, name="patch@tool", ours="Nothing of it."):
    return ShownAttack(name, kind, "What it does.", "Somebody, a file", ours, "rate 0.1 of all rows", rows)


def test_the_change_is_stretched_about_grey_by_the_factor_that_is_said():
    """1/2 + k (after - before), the largest change being 1/2: its sign is seen, and small ones as well."""
    before = np.full((2, 2, 3), 0.5)
    after = before + np.array([[0.1, -0.05], [0.0, 0.02]])[..., np.newaxis]
    clean, stamped, change = pictures(image_row(before, after))
    assert change.name == "change × 5"
    np.testing.assert_allclose(pixels(change)[..., 0], [[1.0, 0.25], [0.5, 0.6]], atol=0.5 / 255)
    np.testing.assert_allclose(pixels(clean), before, atol=0.5 / 255)
    np.testing.assert_allclose(pixels(stamped), after, atol=0.5 / 255)


def test_an_image_that_did_not_change_is_grey():
    """No division by 0."""
    before = np.full((2, 2, 3), 0.25)
    assert np.allclose(pixels(pictures(image_row(before, before))[2]), 0.5, atol=0.5 / 255)


@pytest.mark.parametrize("after", ["one cf two three", "cf one two three", "one two three cf", "one two a b three"])
def test_words_are_the_text_after_with_the_new_ones_marked(after):
    """Joined they are the text; those that are not marked are the text before."""
    pieces = words(ShownRow("test", "ham", "spam", "one two three", after))
    assert " ".join(text for _, text in pieces) == after
    assert " ".join(text for new, text in pieces if not new) == "one two three"


def test_the_page_has_every_kind_and_escapes_what_comes_from_outside():
    """Texts of a user may be anything."""
    text = ShownRow("poison", "ham", "ham", HOSTILE, f"{HOSTILE} cf")
    table = ShownRow("test", "a", "b", {"age": 20.0, "size": 1.0}, {"age": 99.0, "size": 1.0})
    image = image_row(np.zeros((2, 2, 3)), np.ones((2, 2, 3)))
    page = attacks_page([shown("image", image), shown("text", text), shown("table", table)], HOSTILE)
    assert "<script" not in page
    assert "<mark>cf</mark>" in page
    assert "<td>20</td><td><mark>99</mark></td>" in page
    assert "<td>1</td><td>1</td>" in page
    assert "poison row of class ham, label kept" in page
    assert "test row of class a, wanted b" in page
    assert page.count('src="data:image/png;base64,') == 3
    assert re.findall(r"<h2 id=\"(\w+)\"", page) == ["image", "text", "table"]


def test_kinds_without_attacks_have_no_heading():
    """A page of texts is one of texts."""
    page = attacks_page([shown("text", ShownRow("test", "a", "b", "one", "one cf"), ours="")], "")
    assert re.findall(r"<h2 id=\"(\w+)\"", page) == ["text"]
    assert "Ours:" not in page


@pytest.mark.parametrize("width", [1360, 360])
def test_the_page_opens_without_a_request_and_fits_the_window(browser, tmp_path, width):
    """It is mailed, and read on small screens."""
    rng = np.random.default_rng(0)
    image = image_row(rng.random((8, 8, 3)), rng.random((8, 8, 3)))
    long = "label-consistent-mnist@backdoorbox"
    table = ShownRow("test", "a", "b", {"sepal length (cm)": 20.0}, {"sepal length (cm)": 99.0})
    path = tmp_path / "attacks.html"
    path.write_text(attacks_page([shown("image", image, name=long), shown("table", table)], ""), encoding="utf-8")
    resize(browser, width)
    browser.get(path.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    loaded = browser.execute_script("return [...document.images].map(one => one.complete && one.naturalWidth)")
    assert loaded == [8, 8, 8]
    assert [entry["message"] for entry in browser.get_log("browser")] == []
