"""Pictures of rows: greyscale and colour images, and the outline of a trigger on them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from backdoor_curves.data.images import Image, edges_of
from backdoor_curves.display.style import TRIGGER, axes_given, characters_in, is_open, small_size


def show_image(ax: Axes, image: Image) -> None:
    """Draw an image with values in [0, 1]; what is outside (scaled pixels) is brought into it as a whole."""
    low, high = min(float(image.min()), 0.0), max(float(image.max()), 1.0)
    shown = (image - low) / (high - low)
    ax.imshow(shown[..., 0] if image.shape[2] == 1 else shown, cmap="gray", vmin=0.0, vmax=1.0)
    ax.set(xticks=[], yticks=[])


def outline(ax: Axes, mask: Bool[np.ndarray, "height width"]) -> LineCollection:
    """Draw the border between the pixels of a mask and the others, whatever their form; return it."""
    edges: Any = edges_of(mask) - 0.5  # a pixel's middle is at its whole number
    border = LineCollection(edges, colors=TRIGGER, linewidths=1.4, capstyle="projecting", clip_on=False, zorder=4)
    ax.add_collection(border)
    return border


def panels(
    ax: Any, drawn_before: Sequence[Axes] | None, count: int, columns: int, size: tuple[float, float]
) -> list[Axes]:
    """Return the axes that were given, or those drawn on before while they are open, emptied, or a new figure's.

    Parameters
    ----------
    ax : sequence or array of `count` axes, or None
    drawn_before : sequence of axes, or None
    count, columns : int
        How many axes, and how many of them in a row.
    size : two floats
        Width and height of one of them in a new figure, with its text, in inches.
    """
    if ax is not None:
        return axes_given(ax, count)
    if drawn_before is not None and is_open(drawn_before[0]):
        for before in drawn_before:
            before.clear()
        return list(drawn_before)
    rows = -(-count // columns)
    _, axes = plt.subplots(
        rows, columns, figsize=(size[0] * columns, size[1] * rows), layout="compressed", squeeze=False
    )
    for unused in axes.ravel()[count:]:
        unused.remove()
    return axes.ravel()[:count].tolist()


def write_above(panel: Axes, lines: Sequence[str], beside: int) -> None:
    """Write lines of text above an image, broken where they are longer than it will be wide.

    Parameters
    ----------
    beside : int
        The lines of text that share a cell of the figure with the image, its labels among them: what they leave is the
        most that a square image can have once the figure is laid out.
    """
    width, height = panel.bbox.width, panel.bbox.height
    if (spec := panel.get_subplotspec()) is not None:
        rows, columns = spec.get_gridspec().get_geometry()
        width, height = panel.figure.bbox.width / columns, panel.figure.bbox.height / rows
    inches = min(width / panel.figure.dpi, height / panel.figure.dpi - beside * 1.3 * small_size() / 72.0)
    room = max(characters_in(72.0 * inches), 8)
    broken = [textwrap.fill(line, room, break_long_words=False) for line in lines]
    panel.set_title("\n".join(broken), fontsize="small")


def require_row(row: int, n: int) -> None:
    """Refuse what is not the number of one of n test rows."""
    if not isinstance(row, int | np.integer) or isinstance(row, bool) or not 0 <= row < n:
        raise ValueError(f"row: the number of a test row from 0 to {n - 1} was expected, {row!r} came")


def label_names(classes: np.ndarray, display_labels: Sequence[Any] | None) -> dict[Any, str]:
    """Return what to call each class: its name where names were given, or else its label."""
    names = classes.tolist() if display_labels is None else list(display_labels)
    if len(names) != len(classes):
        raise ValueError(f"display_labels: a name for each of {len(classes)} classes was expected, {len(names)} came")
    return {label: str(name) for label, name in zip(classes.tolist(), names, strict=True)}
