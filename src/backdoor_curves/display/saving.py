"""Figures as files that are the same byte for byte whenever they are drawn from the same results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

PIXELS = 150
"""Per inch, of a .png."""
TIMELESS: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
"""What the kinds of files would say about when and by what they were made."""


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as .png, .pdf or .svg, by the ending of its path; return the path.

    Text stays text in .pdf and .svg. The same figure gives the same bytes with the same version of matplotlib.

    Raises
    ------
    ValueError
        If the ending is another one.
    """
    kind = path.suffix.lstrip(".")
    if kind not in TIMELESS:
        raise ValueError(f"{path.name}: a name that ends in .png, .pdf or .svg was expected")
    with mpl.rc_context({"svg.hashsalt": "backdoor-curves", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(path, dpi=PIXELS, metadata=TIMELESS[kind])
    return path
