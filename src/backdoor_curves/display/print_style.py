"""Figures for print: the width of a column, letters of one size, colours and lines that survive a grey copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

from backdoor_curves.display.style import HUES

Width = Literal["single", "double"]
WIDTHS: dict[Width, float] = {"single": 3.35, "double": 6.9}
"""Inches, of a column and of a page of two."""
PRINT: Any = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "figure.titlesize": 9.0,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.prop_cycle": cycler(color=HUES),
}


@contextmanager
def print_style() -> Iterator[None]:
    """Draw with the letters and lines of a printed page."""
    with mpl.rc_context(PRINT):
        yield


def fit_width(figure: Figure, width: Width) -> Figure:
    """Give a figure the width of one or two columns, and a height in proportion; return it.

    A wide figure is not squeezed until its panels are higher than wide: it keeps at least two thirds of its height.
    """
    before, height = figure.get_size_inches()
    scale = WIDTHS[width] / before
    figure.set_size_inches(WIDTHS[width], height * max(scale, 2.0 / 3.0) if scale < 1 else height * scale)
    return figure
