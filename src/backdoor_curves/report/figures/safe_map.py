"""Clean accuracy and attack success over one or two hyperparameters, with the safe region outlined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from backdoor_curves.display.style import HUES, NEUTRAL
from backdoor_curves.search.axes import Axis
from backdoor_curves.search.safe_region import JudgedSetting, SafeRegion
from backdoor_curves.study.plan.names import ONLY_SETTING, setting_name, symbols_of, value_name

CLEAN, ATTACK, SAFE = HUES[0], HUES[1], HUES[2]
COLORS = LinearSegmentedColormap.from_list("attack", ["#FFFFFF", ATTACK, "#5A2600"])
"""Of attack success rates."""
Region = SafeRegion[Any, Any]
MOST_LISTED = 12
"""Lines that a panel has room for."""
DARK = 0.55
"""An attack success rate from which numbers on its colour are white."""


def draw_safe_maps(rows: Sequence[Sequence[tuple[str, Region]]], title: str) -> Figure:
    """Return a row of panels a pair: strips over one hyperparameter, lambda say, and maps over two.

    In a strip clean accuracy is blue, attack success orange, and safe settings stand on green. So do those of a learner
    that has more hyperparameters, its most accurate settings, in a list. In a map the colour is
    the attack success rate, the number the clean accuracy in percent, safe settings have a green frame, and those of
    which no cell is done are hatched.

    Parameters
    ----------
    rows : rows of panels
        Each a title and the region of a learner.
    title : str
    """
    n_rows, n_columns = len(rows), max(map(len, rows))
    figure = Figure(figsize=(3.2 * n_columns + 0.6, 2.9 * n_rows + 0.9), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    for ax in axes.ravel():
        ax.set_axis_off()
    for i, row in enumerate(rows):
        for j, (name, region) in enumerate(row):
            axes[i, j].set_axis_on()
            axis = region.axes
            draw = _draw_list if len(axis) > 2 else _draw_map if len(axis) == 2 else _draw_strip
            draw(axes[i, j], region)
            axes[i, j].set_title(f"{name}: {_verdict(region)}", fontsize="small")
    bounds = rows[0][0][1].bounds
    keys = [
        Line2D([], [], color=CLEAN, marker="s", markersize=4, label="clean accuracy"),
        Line2D([], [], color=ATTACK, marker="o", markersize=4, label="attack success rate (colour of the maps)"),
        Rectangle(
            (0, 0),
            1,
            1,
            facecolor="#D5EFE6",
            edgecolor=SAFE,
            label=f"safe: within {100 * bounds.margin:g} points of the best clean accuracy, ASR ≤ {bounds.asr:g}",
        ),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    figure.suptitle(title)
    return figure


def _verdict(region: Region) -> str:
    chosen = region.chosen
    if chosen is None:
        return "nowhere safe"
    where = setting_name(chosen.hyperparameters, ".3g")
    return (
        f"{len(region.safe)} of {len(region.settings)} safe\n{where}: {chosen.clean_accuracy:.2f}, ASR {chosen.asr:.2f}"
    )


def _draw_strip(ax: Axes, region: Region) -> None:
    along = (region.axes or [Axis("", (ONLY_SETTING,))])[0]
    place = {} if not along.name else {id(one): along.place(one.hyperparameters) for one in region.settings}
    shown = sorted(region.settings, key=lambda setting: place.get(id(setting), 0))
    is_log = along.name == "lambda" or along.is_geometric
    values = along.values if along.is_of_numbers else range(len(along.values))
    x = np.array([values[place.get(id(setting), 0)] for setting in shown], dtype=float)
    edges = _edges(np.log(x) if is_log else x)
    edges = np.exp(edges) if is_log else edges
    for setting, left, right in zip(shown, edges, edges[1:], strict=False):
        if setting.safe:
            ax.axvspan(left, right, color="#D5EFE6", linewidth=0, zorder=0)
    ax.plot(x, [setting.clean_accuracy for setting in shown], color=CLEAN, marker="s", markersize=4)
    ax.plot(x, [setting.asr for setting in shown], color=ATTACK, marker="o", markersize=4)
    ax.axhline(region.bounds.asr, color=NEUTRAL, linewidth=0.7, linestyle=":")
    ax.set(xscale="log" if is_log else "linear", ylim=(0.0, 1.03), ylabel="share of test rows")
    ax.set_xlabel(_labels(region)[0] if along.name else "")
    if not along.is_of_numbers:
        ax.set_xticks(values, [value_name(value, ".2g") for value in along.values])
    ax.spines[["top", "right"]].set_visible(False)


def _labels(region: Region) -> list[str]:
    """Return the names of the axes as figures have them."""
    names = list(region.settings[0].hyperparameters)
    symbols = dict(zip(names, symbols_of(names), strict=True))
    return [symbols[axis.name] for axis in region.axes]


def _edges(x: Float[np.ndarray, " l"]) -> Float[np.ndarray, " l+1"]:
    """Return where the ground of each value ends, halfway to each neighbour."""
    if len(x) == 1:
        return np.array([x[0] - np.log(2.0), x[0] + np.log(2.0)])
    between = (x[1:] + x[:-1]) / 2.0
    return np.concatenate([[2.0 * x[0] - between[0]], between, [2.0 * x[-1] - between[-1]]])


def _draw_map(ax: Axes, region: Region) -> None:
    across, upwards = region.axes
    for setting in region.settings:
        x, y = (axis.place(setting.hyperparameters) for axis in (across, upwards))
        corner = (x - 0.5, y - 0.5)
        if not setting.seeds:
            ax.add_patch(Rectangle(corner, 1, 1, facecolor="none", edgecolor=NEUTRAL, hatch="///", linewidth=0.0))
            continue
        ax.add_patch(Rectangle(corner, 1, 1, facecolor=COLORS(setting.asr), edgecolor="white", linewidth=0.5))
        ax.text(x, y, f"{100 * setting.clean_accuracy:.0f}", ha="center", va="center", fontsize=6, color=_ink(setting))
    for setting in region.safe:
        x, y = (axis.place(setting.hyperparameters) for axis in (across, upwards))
        ax.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor=SAFE, linewidth=2.0, zorder=3))
    n_across, n_upwards = len(across.values), len(upwards.values)
    xlabel, ylabel = _labels(region)
    ax.set(xlim=(-0.5, n_across - 0.5), ylim=(-0.5, n_upwards - 0.5), xlabel=xlabel, ylabel=ylabel)
    step = 3 if n_across > 6 else 1  # a panel has room for six labels
    ax.set_xticks(range(0, n_across, step), [value_name(value, ".2g") for value in across.values[::step]])
    ax.set_yticks(range(n_upwards), [value_name(value, ".2g") for value in upwards.values])
    ax.tick_params(labelsize="small")


def _draw_list(ax: Axes, region: Region) -> None:
    """Write the most accurate settings of a learner with more than two hyperparameters, the safe ones on green."""
    judged = [setting for setting in region.settings if setting.judged]
    ranked = sorted(judged, key=lambda setting: (-setting.clean_accuracy, setting.asr))[:MOST_LISTED]
    for line, setting in enumerate(ranked):
        said = f"{100 * setting.clean_accuracy:.0f} / {100 * setting.asr:.0f}  "
        values = {axis.name: setting.hyperparameters[axis.name] for axis in region.axes}
        y = 1.0 - (line + 1.5) / (MOST_LISTED + 1)
        if setting.safe:
            ax.axhspan(y - 0.4 / MOST_LISTED, y + 0.5 / MOST_LISTED, color="#D5EFE6", linewidth=0, zorder=0)
        ax.text(0.0, y, said + setting_name(values, ".2g"), fontsize=6, va="center", transform=ax.transAxes)
    head = "clean accuracy / ASR, %; " + (
        f"the {len(ranked)} most accurate of {len(judged)}" if len(ranked) < len(judged) else "most accurate first"
    )
    ax.text(0.0, 1.0 - 0.4 / (MOST_LISTED + 1), head, fontsize=6, va="center", color=NEUTRAL, transform=ax.transAxes)
    ax.set(ylim=(0.0, 1.0))
    ax.set_axis_off()


def _ink(setting: JudgedSetting) -> str:
    return "white" if setting.asr > DARK else "black"
