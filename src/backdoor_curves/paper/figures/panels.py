"""What the paper's figures are made of: a row or a grid of panels from the cells of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterSciNotation, LogLocator

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.display import BackdoorLearningCurveDisplay, SlopeDisplay
from backdoor_curves.display.slopes import SlopePoint
from backdoor_curves.display.style import NEUTRAL
from backdoor_curves.report.figures.run_figures import from_strong_to_weak, keys_of
from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.plan.names import data_name, setting_name
from backdoor_curves.study.plan.scenario import Setting
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.stored_cell import StoredCell

LEARNERS = {"linear-svm": "SVM", "logistic": "LC", "ridge": "RC", "rbf-svm": "RBF SVM"}
"""The paper's short names of the learners, in the order of its figures."""
Pair = tuple[int, int]


def data_of(run: Run, pair: Pair) -> DataConfig:
    """Return the data of a run that hold a pair of classes.

    Raises
    ------
    ValueError
        If the run has no such pair.
    """
    known = dict.fromkeys(data for experiment in run.study.experiments for data in experiment.data)
    for data in known:
        if data.classes == pair:
            return data
    raise ValueError(
        f"run {run.study.name}: a pair {pair} was expected, {[data_name(data) for data in known]} are there"
    )


def chosen(run: Run, pair: Pair, kind: str, rate: float | None = None) -> list[StoredCell]:
    """Return the finished cells of a pair and a kind of learner, at one rate or at all."""
    data = data_of(run, pair)
    return [
        cell
        for cell in run.cells
        if cell.status == "done"
        and (cell.scenario.data, cell.learner.kind) == (data, kind)
        and rate in (None, cell.scenario.rate)
    ]


def with_smallest_trigger(cells: Sequence[StoredCell]) -> list[StoredCell]:
    """Return the cells whose trigger has the fewest pixels."""
    sizes = [0 if (trigger := cell.scenario.trigger) is None else trigger.size for cell in cells]
    return [cell for cell, size in zip(cells, sizes, strict=True) if size == min(sizes)]


def panel_title(kind: str, hyperparameters: Mapping[str, float]) -> str:
    """Return the title of a panel of curves: the learner at its hyperparameters."""
    return f"{LEARNERS[kind]}, {setting_name(hyperparameters)}"


def curve_columns(run: Run, pair: Pair) -> list[list[tuple[str, list[BackdoorLearningCurve]]]]:
    """Return the panels of a curves figure by column, a learner and gamma each: a title and the curves of all rates."""
    columns = []
    for kind in LEARNERS:
        by_gamma: dict[Setting, list[tuple[str, list[BackdoorLearningCurve]]]] = {}
        for setting, cells in from_strong_to_weak(chosen(run, pair, kind)).items():
            panel = panel_title(kind, setting.values), [run.curve(cell) for cell in cells]
            by_gamma.setdefault(setting.without("lambda"), []).append(panel)
        columns += list(by_gamma.values())
    if not columns:
        raise ValueError(f"run {run.study.name}: finished curves of {pair} were expected, none are there")
    return columns


def draw_curves(columns: Sequence[Sequence[tuple[str, Sequence[BackdoorLearningCurve]]]], title: str) -> Figure:
    """Return curves of the loss, a column a learner and gamma, one legend for all."""
    n_rows, n_columns = max(map(len, columns)), len(columns)
    width = max(2.6 * n_columns + 0.4, 8.2)  # the legend and the title are as long for few columns
    figure = Figure(figsize=(width, 2.4 * n_rows + 0.9), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False)
    for j, column in enumerate(columns):
        for i in range(n_rows):
            if i >= len(column):
                axes[i, j].set_axis_off()
                continue
            name, curves = column[i]
            BackdoorLearningCurveDisplay.from_curves(curves, ax=axes[i, j])
            axes[i, j].set_title(f"{name}\n{_half_of(curves)}", fontsize="small")
            axes[i, j].set(xlabel="weight of the poison, β" if i == n_rows - 1 else "")
            axes[i, j].set(ylabel="mean loss" if j == 0 else "", ylim=(0.0, None))
    _one_legend_below(figure, [ax for ax in axes.ravel() if ax.get_legend() is not None])
    figure.suptitle(title)
    return figure


def _half_of(curves: Sequence[BackdoorLearningCurve]) -> str:
    """Return where half of the triggered loss is gone at the middle rate: near 0 no axis shows it."""
    middle = sorted(curves, key=lambda curve: curve.info.rate)[len(curves) // 2]
    half = middle.half_loss_beta
    return f"p = {middle.info.rate:g}: " + ("never halved" if np.isnan(half) else f"halved at β = {half:.2g}")


def draw_slopes(
    points: Sequence[Sequence[tuple[str, Sequence[SlopePoint]]]], title: str, published: Mapping[str, Any] | None = None
) -> Figure:
    """Return slopes against accuracies, a row a pair, a column a learner.

    Parameters
    ----------
    points : rows of panels
        Each a title and its points.
    published : mapping of panel title to two arrays, optional
        Published theta and attack success rate, drawn behind in grey.
    """
    n_rows, n_columns = len(points), max(map(len, points))
    figure = Figure(figsize=(3.1 * n_columns, 3.5 * n_rows + 0.5), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
    for i, row in enumerate(points):
        for j, (name, panel) in enumerate(row):
            ax: Axes = axes[i, j]
            SlopeDisplay(panel).plot(ax, axis="theta")
            ax.set_title(name, fontsize="small")
            if published and name in published:
                theta, _ = published[name]
                ax.set_xlim(min(ax.get_xlim()[0], theta.min() / 1.5), ax.get_xlim()[1])
                ax.xaxis.set_major_locator(LogLocator(numticks=5))  # the display's own may be for a shorter axis
                ax.xaxis.set_major_formatter(LogFormatterSciNotation())
            if j:
                ax.set_ylabel("")
    figure.suptitle(title)
    draw_behind(figure, published or {}, "the published axis, which is not the derivative (see the comparison)")
    return figure


def draw_behind(figure: Figure, points: Mapping[str, Any], what: str) -> None:
    """Draw points, x and y by the first line of a panel's title, behind what it shows; say below `what` they are.

    The limits of a panel stay if they hold its points, and grow to hold them if not.
    """
    drawn = False
    for ax in figure.axes:
        x, y = points.get(ax.get_title().partition("\n")[0], ((), ()))
        if len(x):
            limits = (ax.get_xlim(), x), (ax.get_ylim(), y)
            ax.scatter(x, y, marker="x", s=16, color="0.6", linewidths=0.8, zorder=1)
            ends = [
                (min(low, min(v)), high if max(v) <= high else max(v) + (max(v) - low) / 25)
                for (low, high), v in limits
            ]
            ax.set(xlim=ends[0], ylim=ends[1])
            drawn = True
    if drawn and figure.legends:
        keys = [key for key in figure.legends[0].legend_handles if key is not None]
        figure.legends[0].remove()
        _legend_below(figure, [*keys, Line2D([], [], linestyle="", marker="x", color="0.6", label=what)])
    elif drawn:
        figure.supxlabel(f"grey crosses: {what}", fontsize="small", color=NEUTRAL)


def _one_legend_below(figure: Figure, axes: Sequence[Axes]) -> None:
    """Put one legend below all panels in place of one in each."""
    _legend_below(figure, keys_of(axes[0]))
    for ax in axes:
        ax.legend().remove()


def _legend_below(figure: Figure, keys: Sequence[Artist]) -> None:
    labels = [str(key.get_label()) for key in keys]
    figure.legend(keys, labels, loc="outside lower center", ncols=len(keys), frameon=False, fontsize="small")
