"""The pages on questions are what their script makes of the answers that the package keeps."""

import re
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS / "extensions"))

from question_pages import INDEX, PAGES, THEMES, answers, page_of, table, with_table  # noqa: E402  - it lies beside the pages

FOUND = answers()
SCREEN = 50
"""Lines of a page that are seen at once; the figure is drawn by a few of them."""


@pytest.mark.parametrize("name", FOUND)
def test_a_page_says_what_its_answer_says(name):
    """A number that changes, changes on the page: python docs/extensions/question_pages.py writes it."""
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert page == page_of(FOUND[name])
    assert page.count("\n") < SCREEN
    assert f"    backdoor-curves questions {name}\n" in page


def test_the_index_has_each_answer_once():
    """In a line each, and in the list of pages."""
    index = INDEX.read_text(encoding="utf-8")
    assert with_table(index, FOUND) == index
    assert all(index.count(f"]({name}.md)") >= 1 and re.search(f"^{name}$", index, re.M) for name in FOUND)
    assert sorted(name for names in THEMES.values() for name in names) == sorted(FOUND)
    assert {page.stem for page in PAGES.glob("*.md")} == {"index", "checked-twice", *FOUND}


def test_an_answer_that_turns_round_is_seen():
    """The check has teeth: words and table come from the numbers."""
    answer = FOUND["patch-size"]
    first = answer.first
    turned = tuple(
        replace(one, effect=replace(one.effect, estimate=2.0, low=1.9, high=2.1)) if one.effect.is_ratio else one
        for one in first.contrasts
    )
    other = replace(answer, evidence=(replace(first, contrasts=turned), *answer.evidence[1:]))
    assert "easier" in page_of(answer)
    assert "harder" in page_of(other)
    assert "harder" in table({"patch-size": other})
    assert "| no |" in table({"patch-size": other})  # what is turned round does not hold on the second data set
