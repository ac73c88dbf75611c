"""Figures as files that are the same byte for byte whenever they are drawn from the same results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from backdoor_curves.records.npz import whole

PIXELS = 150
"""Per inch, of a .png."""
TIMELESS: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
"""What the kinds of files would say about when and by what they were made."""
HASHED = re.compile(r"(?<=[\"#])[a-zA-Z][0-9a-f]{10}(?=[\")])")
"""Ids that matplotlib gives clip paths, markers and images in an SVG."""


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as .png, .pdf or .svg, by the ending of its path, whole or not at all; return the path.

    Text stays text in .pdf and .svg. The same figure gives the same bytes with the same version of matplotlib.

    Raises
    ------
    ValueError
        If the ending is another one.
    """
    kind = path.suffix.lstrip(".")
    if kind not in TIMELESS:
        raise ValueError(f"{path.name}: a name that ends in .png, .pdf or .svg was expected")
    with whole(path) as draft:
        with mpl.rc_context({"svg.hashsalt": "backdoor-curves", "svg.fonttype": "none", "pdf.fonttype": 42}):
            figure.savefig(draft, dpi=PIXELS, metadata=TIMELESS[kind])
        if kind == "svg":
            draft.write_text(_with_plain_ids(draft.read_text(encoding="utf-8")), encoding="utf-8")
    return path


def _with_plain_ids(svg: str) -> str:
    """Return an SVG whose ids are numbers: matplotlib's are hashes of positions, whose last bits are chance."""
    ids = {name: f"i{number}" for number, name in enumerate(dict.fromkeys(HASHED.findall(svg)))}
    return HASHED.sub(lambda found: ids[found[0]], svg)
