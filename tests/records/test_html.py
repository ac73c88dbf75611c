"""Records as a notebook shows them: the numbers that they have, and text as text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier, SGDClassifier

import backdoor_curves as bc
from backdoor_curves.records.html import curve_picture, table
from study.small_study import small_run


@pytest.fixture(scope="module")
def data():
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    return bc.poison((X, y), (X, y), trigger=lambda X, _: X + 1, rate=0.1, rng=np.random.default_rng(1))


@pytest.mark.parametrize("estimator", [RidgeClassifier(), SGDClassifier(loss="log_loss", random_state=0)])
def test_a_curve_shows_its_picture_and_its_numbers(estimator, data):
    """Of an exact curve and of refits; what it shows can be read as XML, so every tag is closed."""
    curve = bc.backdoor_learning_curve(estimator, data)
    html = curve._repr_html_()
    shown = ET.fromstring(html)
    cells = [cell.text for cell in shown.iter("td")]
    assert f"{curve.accuracy('triggered', 1.0):.4g}" in cells
    assert ("all, exact" in cells) == curve.exact
    lines = shown.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 2


def test_the_lines_are_the_losses():
    """Beta 0 to the left, a loss of 0 at the floor, the largest loss at the top."""
    svg = curve_picture(np.array([0.0, 1.0]), np.array([2.0, 0.0]), np.array([1.0, 1.0]), "<b>")
    clean, triggered = re.findall(r'points="([^"]*)"', svg)
    assert triggered == "6.0,6.0 254.0,114.0"
    assert clean == "6.0,60.0 254.0,60.0"
    assert "<b>" not in svg


def test_a_run_shows_how_far_it_has_come():
    """A line a setting, in the mean over seeds."""
    run = small_run()
    html = run._repr_html_()
    assert f"{run.n_done} of {run.n_cells} cells done" in html
    assert html.count("<tr>") == 1 + 2  # two rates


def test_text_in_a_table_is_text():
    """And a missing number is an empty cell."""
    assert table([{"a": "<script>", "b": None, "c": 0.123456}]).endswith(
        "<td>&lt;script&gt;</td><td></td><td>0.1235</td></tr></tbody></table>"
    )
    assert table([]) == ""
