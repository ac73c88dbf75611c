"""Tables of the page on presets, out of `backdoor_curves.presets`; run as a script this file writes them."""

from __future__ import annotations

import re
from pathlib import Path

import backdoor_curves as bc

PAGE = Path(__file__).parents[1] / "presets.md"
HEAD = ("name", "what it does", "source", "rate", "ours")


def table(kind: str) -> str:
    """Return the presets for a kind of rows as a table in Markdown."""
    rows = [
        (f"`{one.name}`", one.about, one.source, "" if one.rate is None else f"{one.rate:g}", one.ours)
        for one in bc.presets.values()
        if one.rows == kind
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (HEAD, ("---",) * len(HEAD), *rows))


def with_tables(page: str) -> str:
    """Return a page with the table of each kind between its marks."""
    return re.sub(
        r"(<!-- (image|text|table) -->\n).*?(\n<!-- end -->)",
        lambda found: found[1] + table(found[2]) + found[3],
        page,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
