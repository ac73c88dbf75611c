"""The pages of the documentation are true: their examples print what they say, their links lead somewhere."""

import doctest
import re
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "extensions"))

from pages import FLAGS, blocks_of  # noqa: E402  - it lies beside the pages, for the build of them needs it too

GENERATED = ("build", "gallery", "reference/generated")
PAGES = sorted(page for page in DOCS.rglob("*.md") if not page.relative_to(DOCS).as_posix().startswith(GENERATED))
NOT_RUN = {
    "docs/features.md": "needs torch, an extra, and weights",
    "docs/howto/own-learner.md": "a module that lies beside a study",
    "docs/howto/own-network.md": "needs torch, an extra",
    "docs/howto/trained-network.md": "needs torch, an extra",
    "docs/studies.md": "reads runs that a reader has made",
}
"""Pages with Python that has no prompts and is shown only: each with its reason."""
LINK = re.compile(r"\]\((?!https?:|#|mailto:)(?P<target>[^)#\s]+)(?:#[^)]*)?\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def with_examples() -> list[Path]:
    return [page for page in PAGES if any(block.is_session for block in blocks_of(page.read_text(encoding="utf-8")))]


def run(text: str, name: str) -> tuple[str, int]:
    """Run a page's examples as one session; return what differed, and how many examples there were."""
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    names: dict = {}
    differed: list[str] = []
    for block in blocks_of(text):
        if block.is_session:
            test = doctest.DocTest(block.examples(), names, name, name, block.line, block.code)
            runner.run(test, out=differed.append, clear_globs=False)
            names = test.globs
    return "".join(differed), runner.tries


@pytest.mark.parametrize("page", with_examples(), ids=name_of)
def test_a_page_prints_what_it_says(page):
    """A reader who types it gets it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mpl, "rcParams", mpl.rcParams | {"backend": "Agg"})
        differed, tries = run(page.read_text(encoding="utf-8"), name_of(page))
        plt.close("all")
    assert tries > 0
    assert not differed, differed


def test_every_page_of_mathematics_and_the_tour_run():
    """Equations stand beside code that computes them."""
    must = {DOCS / "tour.md", *(page for page in (DOCS / "mathematics").glob("*.md") if page.stem != "index")}
    assert len(must) >= 7
    assert must <= set(with_examples())


def test_a_wrong_number_on_a_page_is_seen():
    """The check has teeth."""
    page = "```python\n>>> x = 2\n```\nand\n```{drawn} a figure\n:hidden:\n>>> x + 1\n4\n```\n"
    assert [block.kind for block in blocks_of(page)] == ["python", "drawn"]
    differed, tries = run(page, "a page")
    assert tries == 2
    assert "Expected" in differed


def test_code_that_is_shown_only_says_why():
    """No page falls silently out of the tests."""
    shown = {
        name_of(page)
        for page in PAGES
        if any(not block.is_session for block in blocks_of(page.read_text(encoding="utf-8")))
    }
    assert shown <= set(NOT_RUN)


def test_code_that_is_shown_only_is_python():
    """It is at least no typing error."""
    for page in PAGES:
        for block in blocks_of(page.read_text(encoding="utf-8")):
            if not block.is_session:
                compile(block.code, name_of(page), "exec")


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=name_of)
def test_links_lead_to_files(page):
    """On a page of the repository as in the built documentation. The gallery is made by the build, from examples."""
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        place = (page.parent / target).resolve()
        if place.is_relative_to(DOCS / "gallery"):
            place = ROOT / "examples" / f"{place.stem}.py" if place.stem != "index" else ROOT / "examples"
        assert place.exists(), f"{name_of(page)}: {target}"
