"""Clean accuracy and attack success over (lambda, gamma), with the safe region outlined."""

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
from backdoor_curves.search.safe_region import JudgedSetting, SafeRegion
from backdoor_curves.study.plan.names import setting_name

CLEAN, ATTACK, SAFE = HUES[0], HUES[1], HUES[2]
COLORS = LinearSegmentedColormap.from_list("attack", ["#FFFFFF", ATTACK, "#5A2600"])
"""Of attack success rates."""
Region = SafeRegion[Any, Any]
DARK = 0.55
"""An attack success rate from which numbers on its colour are white."""


def draw_safe_maps(rows: Sequence[Sequence[tuple[str, Region]]], title: str) -> Figure:
    """Return a row of panels a pair: strips over lambda, and for a kernel a map over lambda and gamma.

    In a strip clean accuracy is blue, attack success orange, and safe lambdas stand on green. In a map the colour is
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
            draw = _draw_strip if all(setting.gamma is None for setting in region.settings) else _draw_map
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
    shown = sorted(region.settings, key=lambda setting: setting.lam)
    lams = np.array([setting.lam for setting in shown])
    edges = _edges(lams)
    for setting, left, right in zip(shown, edges, edges[1:], strict=False):
        if setting.safe:
            ax.axvspan(left, right, color="#D5EFE6", linewidth=0, zorder=0)
    ax.plot(lams, [setting.clean_accuracy for setting in shown], color=CLEAN, marker="s", markersize=4)
    ax.plot(lams, [setting.asr for setting in shown], color=ATTACK, marker="o", markersize=4)
    ax.axhline(region.bounds.asr, color=NEUTRAL, linewidth=0.7, linestyle=":")
    ax.set(xscale="log", ylim=(0.0, 1.03), xlabel="λ", ylabel="share of test rows")
    ax.spines[["top", "right"]].set_visible(False)


def _edges(lams: Float[np.ndarray, " l"]) -> Float[np.ndarray, " l+1"]:
    """Return where the ground of each lambda ends, on a logarithmic axis halfway to each neighbour."""
    if len(lams) == 1:
        return np.array([lams[0] / 2.0, lams[0] * 2.0])
    between = np.sqrt(lams[1:] * lams[:-1])
    return np.concatenate([[lams[0] ** 2 / between[0]], between, [lams[-1] ** 2 / between[-1]]])


def _draw_map(ax: Axes, region: Region) -> None:
    lams = sorted({setting.lam for setting in region.settings})
    gammas = sorted({setting.gamma for setting in region.settings if setting.gamma is not None})
    for setting in region.settings:
        x, y = lams.index(setting.lam), gammas.index(setting.gamma)  # type: ignore[arg-type]
        corner = (x - 0.5, y - 0.5)
        if not setting.seeds:
            ax.add_patch(Rectangle(corner, 1, 1, facecolor="none", edgecolor=NEUTRAL, hatch="///", linewidth=0.0))
            continue
        ax.add_patch(Rectangle(corner, 1, 1, facecolor=COLORS(setting.asr), edgecolor="white", linewidth=0.5))
        ax.text(x, y, f"{100 * setting.clean_accuracy:.0f}", ha="center", va="center", fontsize=6, color=_ink(setting))
    for setting in region.safe:
        x, y = lams.index(setting.lam), gammas.index(setting.gamma)  # type: ignore[arg-type]
        ax.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor=SAFE, linewidth=2.0, zorder=3))
    ax.set(xlim=(-0.5, len(lams) - 0.5), ylim=(-0.5, len(gammas) - 0.5), xlabel="λ", ylabel="γ")
    step = 3 if len(lams) > 6 else 1  # a panel has room for six labels
    ax.set_xticks(range(0, len(lams), step), [f"{lam:.2g}" for lam in lams[::step]])
    ax.set_yticks(range(len(gammas)), [f"{gamma:.2g}" for gamma in gammas])
    ax.tick_params(labelsize="small")


def _ink(setting: JudgedSetting) -> str:
    return "white" if setting.asr > DARK else "black"
