"""What the pictures share: colours, who may be drawn, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.transforms import ScaledTranslation

from backdoor_curves.curve import BackdoorLearningCurve

Curves = BackdoorLearningCurve | Sequence[BackdoorLearningCurve]

# Okabe and Ito's colours, apart for every common kind of colour blindness.
HUES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
NEUTRAL = "#555555"
TRIGGER = "#D55E00"
"""Frames and outlines of what the attacker put there; vermilion is apart from both ends of `DIVERGING`."""
DIVERGING = "PuOr_r"


def hues(count: int) -> list[str]:
    """Return a colour for each of so many learners; beyond six they come again."""
    return [HUES[i % len(HUES)] for i in range(count)]


def shade(hue: str, rank: int, count: int) -> tuple[float, ...]:
    """Return the colour mixed with white: the last of `count` ranks is the pure one."""
    strength = 1.0 if count == 1 else 0.4 + 0.6 * rank / (count - 1)
    return tuple(1.0 - strength * (1.0 - part) for part in to_rgb(hue))


def named(curves: Curves | Mapping[str, Curves]) -> dict[str, list[BackdoorLearningCurve]]:
    """Return curves by name, whether one, a sequence or a mapping of either came; refuse none at all."""
    groups = curves if isinstance(curves, Mapping) else {"": curves}
    return {name: listed(group) for name, group in groups.items()}


def listed(curves: Curves) -> list[BackdoorLearningCurve]:
    """Return one curve or many as a list."""
    return [curves] if isinstance(curves, BackdoorLearningCurve) else list(curves)


def require_curves(curves: Mapping[str, Sequence[BackdoorLearningCurve]]) -> None:
    """Refuse a picture of nothing; a loop that found no files should hear of it."""
    if not any(curves.values()):
        raise ValueError("curves: at least one curve was expected, none came")


def axes_to_draw_on(ax: Axes | None, drawn_before: Axes | None) -> Axes:
    """Return the axes that were given, or those drawn on before while they are open, emptied, or new ones."""
    if ax is not None:
        return ax
    if drawn_before is None or not is_open(drawn_before):
        return plt.subplots(layout="constrained")[1]
    drawn_before.clear()
    return drawn_before


def is_open(ax: Axes) -> bool:
    """Return whether the figure of these axes is still on the screen."""
    return bool(plt.fignum_exists(getattr(ax.figure, "number", -1)))


def legend_below(ax: Axes, handles: Sequence[Any], lines_below: float = 3.4) -> None:
    """Put a legend under the axis label, so that it hides nothing; the distance is in lines of text, at any size."""
    size = plt.rcParams["font.size"]
    down = ScaledTranslation(0.0, -lines_below * size / 72.0, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=list(handles),
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + down,
        ncols=2,
        fontsize="small",
        frameon=False,
        borderaxespad=0.0,
    )


def spelled(hyperparameter: str, value: float) -> str:
    """Return "λ = 0.01" and the like."""
    symbol = {"lambda": "λ", "gamma": "γ", "rate": "p"}[hyperparameter]
    return f"{symbol} = {value:.3g}"


def mean_and_range(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean, and how far the lowest and the highest are from it: the range that was seen."""
    mean = float(np.mean(values))
    return mean, max(mean - min(values), 0.0), max(max(values) - mean, 0.0)
