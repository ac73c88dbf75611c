"""The page on presets has the tables that its script makes of them."""

import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS / "extensions"))

from preset_tables import PAGE, table, with_tables  # noqa: E402  - it lies beside the pages

import backdoor_curves as bc  # noqa: E402


def test_the_tables_of_the_page_are_those_of_the_presets():
    """A value that changes, changes on the page: python docs/extensions/preset_tables.py writes it."""
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page) == page
    assert all(page.count(f"| `{name}` |") == 1 for name in bc.presets)


def test_a_table_that_lags_behind_is_seen():
    """The check has teeth, and only the tables are rewritten."""
    page = PAGE.read_text(encoding="utf-8")
    old = page.replace("| 0.1 |", "| 0.2 |", 1)
    assert old != page
    assert with_tables(old) == page
    assert table("text").count("\n") == 1 + sum(preset.rows == "text" for preset in bc.presets.values())


def test_no_cell_would_break_a_table():
    """A bar or a line break in a sentence would be another cell."""
    for preset in bc.presets.values():
        assert not any("|" in text or "\n" in text for text in (preset.about, preset.source, preset.ours))
