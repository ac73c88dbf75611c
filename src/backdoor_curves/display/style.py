"""What the pictures share: colours, who may be drawn, and where."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.transforms import ScaledTranslation

from backdoor_curves.curve import BackdoorLearningCurve

Curves = BackdoorLearningCurve | Sequence[BackdoorLearningCurve]

# Okabe and Ito's colours, apart for every common kind of colour blindness.
HUES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
NEUTRAL = "#555555"
TRIGGER = "#D55E00"
"""Frames and outlines of what the attacker put there; vermilion is apart from both ends of `DIVERGING`."""
DIVERGING = "PRGn"
LEFT_OF_AXES, BELOW_AXES = 45.0, 36.0
"""Room that tick labels and the axis label take, in points."""
KEY = 5
"""Room that a key of a legend takes, in characters."""


def hues(count: int) -> list[str]:
    """Return a colour for each of so many learners; beyond six they come again."""
    return [HUES[i % len(HUES)] for i in range(count)]


def shade(hue: str, rank: int, count: int) -> tuple[float, float, float]:
    """Return the colour mixed with white: the last of `count` ranks is the pure one."""
    strength = 1.0 if count == 1 else 0.4 + 0.6 * rank / (count - 1)
    red, green, blue = (1.0 - strength * (1.0 - part) for part in to_rgb(hue))
    return red, green, blue


def ordered_colors(learners: Sequence[str]) -> list[Any]:
    """Return a colour for each setting, given its learner: settings of a learner stand together, in their order.

    The settings of one learner alone run from dark violet to light green; of several learners each has a hue, from
    light to pure.
    """
    counts = Counter(learners)
    if len(counts) == 1 and len(learners) > 1:
        return list(colormaps["viridis"](np.linspace(0.0, 0.8, len(learners))))
    return [
        shade(hue, rank, count)
        for hue, count in zip(hues(len(counts)), counts.values(), strict=True)
        for rank in range(count)
    ]


def named(curves: Curves | Mapping[str, Curves]) -> dict[str, list[BackdoorLearningCurve]]:
    """Return curves by name, whether one, a sequence or a mapping of either came."""
    groups = curves if isinstance(curves, Mapping) else {"": curves}
    return {name: listed(group) for name, group in groups.items()}


def listed(curves: Curves) -> list[BackdoorLearningCurve]:
    """Return one curve or many as a list."""
    return [curves] if isinstance(curves, BackdoorLearningCurve) else list(curves)


def require_curves(curves: Mapping[str, Sequence[BackdoorLearningCurve]]) -> None:
    """Refuse a picture of nothing; a loop that found no files should hear of it."""
    if not any(curves.values()):
        raise ValueError("curves: at least one curve was expected, none came")


def drawn_betas(seeds: Sequence[BackdoorLearningCurve]) -> Float[np.ndarray, " b"]:
    """Return the betas of a line: those of refits, which all seeds must share, or a grid dense near 0."""
    refitted = [curve.betas for curve in seeds if not curve.exact]
    if not refitted:
        return np.unique(np.concatenate([np.linspace(0.0, 1.0, 201), np.geomspace(1e-5, 1e-2, 31)]))
    if any(not np.array_equal(betas, refitted[0]) for betas in refitted):
        raise ValueError("curves: refits of one learner and rate were expected at the same betas; pass the same betas=")
    return refitted[0]


def betas_between(seeds: Sequence[BackdoorLearningCurve]) -> Float[np.ndarray, " b"]:
    """Return betas dense near 0 from the first to the last at which all of some networks were trained, and these."""
    first, last = max(curve.betas[0] for curve in seeds), min(curve.betas[-1] for curve in seeds)
    dense = np.concatenate([np.linspace(0.0, 1.0, 201), np.geomspace(1e-5, 1e-2, 31), *(one.betas for one in seeds)])
    return np.unique(dense[(dense >= first) & (dense <= last)])


def axes_given(ax: Any, count: int) -> list[Axes]:
    """Return the axes that were given to draw on, alone or in a list or an array of any shape; refuse another number.

    Raises
    ------
    ValueError
        If there are not so many, or if they are no axes: a figure, say.
    """
    given = np.ravel(np.asarray(ax, dtype=object)).tolist()
    if len(given) == count and all(isinstance(one, Axes) for one in given):
        return given
    kinds = " and ".join(sorted({type(one).__name__ for one in given})) or "nothing"
    one_of_many = len(given) > count and all(isinstance(one, Axes) for one in given)
    mend = "; pass one of them" if count == 1 and one_of_many else ""
    raise ValueError(f"ax: {count} axes were expected, {len(given)} of {kinds} came{mend}")


def axes_to_draw_on(ax: Axes | None, drawn_before: Axes | None, keys_below: int = 0) -> Axes:
    """Return the axes that were given, or those drawn on before while they are open, emptied, or new ones.

    A new figure is as high as usual, and higher where a long legend is to stand below.
    """
    if ax is not None:
        return axes_given(ax, 1)[0]
    if drawn_before is None or not is_open(drawn_before):
        width, height = plt.rcParams["figure.figsize"]
        return plt.subplots(figsize=(width, height + 0.1 * max(keys_below - 12, 0)), layout="constrained")[1]
    drawn_before.clear()
    return drawn_before


def is_open(ax: Axes) -> bool:
    """Return whether the figure of these axes is still on the screen."""
    return bool(plt.fignum_exists(getattr(ax.figure, "number", -1)))


def legend_below(ax: Axes, handles: Sequence[Artist]) -> None:
    """Put a legend under the axis label, where it hides nothing: in two columns if there is room, long names broken."""
    room = characters_in(72.0 * ax.bbox.width / ax.figure.dpi + LEFT_OF_AXES)
    names = [str(handle.get_label()) for handle in handles]
    half = (len(names) + 1) // 2
    both_columns = sum(max(map(len, column), default=0) + KEY for column in (names[:half], names[half:]))
    down = ScaledTranslation(0.0, -BELOW_AXES / 72.0, ax.figure.dpi_scale_trans)
    ax.legend(
        list(handles),
        [textwrap.fill(name, max(room - KEY, 8)) for name in names],
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + down,
        ncols=2 if both_columns <= room else 1,
        fontsize="small",
        frameon=False,
        borderaxespad=0.0,
        handlelength=1.6,
        columnspacing=1.2,
    )


def small_size() -> float:
    """Return the size of small text, in points."""
    return float(FontProperties(size="small").get_size_in_points())


def characters_in(points: float) -> int:
    """Return how many small characters fit into a width: one is about half as wide as high."""
    return int(points / (0.52 * small_size()))


def spelled(hyperparameter: str, value: float) -> str:
    """Return "λ = 0.01" and the like."""
    symbol = {"lambda": "λ", "gamma": "γ", "rate": "p"}[hyperparameter]
    return f"{symbol} = {value:.3g}".replace("e+0", "e").replace("e-0", "e-")


def mean_and_range(values: Float[np.ndarray, " n"]) -> tuple[float, float, float]:
    """Return the mean, and how far the lowest and the highest are from it: the range that was seen."""
    mean = float(values.mean())
    return mean, max(mean - float(values.min()), 0.0), max(float(values.max()) - mean, 0.0)
