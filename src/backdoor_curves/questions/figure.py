"""The figures of a question: what decides and the attack success rate along the axis, and the curves themselves."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from backdoor_curves.display.curves import BackdoorLearningCurveDisplay
from backdoor_curves.display.style import hues
from backdoor_curves.questions.answer import Answer, Evidence
from backdoor_curves.questions.levels import level_names, level_of, ordered_levels, others_of, setting_titles
from backdoor_curves.study.file.config import QuestionConfig
from backdoor_curves.study.store.run import Run

LABELS = {"half_loss_beta": "half-loss β", "asr_at_1": "attack success rate"}
MARKS = "osD^vP"
LONG = 6
"""Letters of a level's name from which names are slanted, so that they do not run into each other."""


def answer_figure(answer: Answer) -> Figure:
    """Return half-loss β above, ASR below, a column for each data set; bars are 95 % intervals of each mean."""
    import matplotlib.pyplot as plt

    columns = len(answer.evidence)
    figure, axes = plt.subplots(
        2, columns, figsize=(1.2 + 3.3 * columns, 4.8), sharey="row", squeeze=False, layout="constrained"
    )
    for column, evidence in enumerate(answer.evidence):
        for ax, quantity in zip(axes[:, column], LABELS, strict=True):
            _draw(ax, evidence, quantity)
            if column == 0:
                ax.set_ylabel(LABELS[quantity])
        axes[0, column].set_title(evidence.about, fontsize="small")
        axes[1, column].set_xlabel(answer.question.of)
    if answer.first.settings != ("",):
        handles, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2 * columns, fontsize="small", frameon=False)
    return figure


def _draw(ax: Axes, evidence: Evidence, quantity: str) -> None:
    """Draw the means of a quantity by level, a line for each setting, side by side where levels are no numbers."""
    n = len(evidence.settings)
    places = np.array(evidence.numbers) if evidence.numbers else np.arange(len(evidence.levels), dtype=float)
    for number, (setting, hue) in enumerate(zip(evidence.settings, hues(n), strict=True)):
        found = {one.level: one for one in evidence.means if (one.setting, one.quantity) == (setting, quantity)}
        shown = [place for place, level in enumerate(evidence.levels) if level in found]
        if not shown:
            continue
        means = [found[evidence.levels[place]] for place in shown]
        y = np.array([one.mean for one in means])
        bars = np.clip([[one.mean - one.low, one.high - one.mean] for one in means], 0.0, None).T
        shift = 0.0 if evidence.numbers else 0.12 * (number - (n - 1) / 2)
        line = "-" if evidence.numbers else ""
        ax.errorbar(
            places[shown] + shift,
            y,
            yerr=bars,
            color=hue,
            linestyle=line,
            marker=MARKS[number % len(MARKS)],
            markersize=4,
            capsize=2,
            label=setting,
        )
    if evidence.numbers:
        ax.set_xscale("log", base=2)
    ax.set_xticks(places, evidence.levels, minor=False)
    ax.set_xticks([], minor=True)
    if max(map(len, evidence.levels)) > LONG:
        ax.set_xticks(places, evidence.levels, rotation=30, ha="right", fontsize="small")
    if quantity == "half_loss_beta":
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        ax.yaxis.set_minor_formatter("{x:g}")
    else:
        ax.set_ylim(-0.03, 1.03)
    ax.grid(axis="y", alpha=0.25)


def curves_figure(run: Run, question: QuestionConfig) -> Figure:
    """Return the curves of a run, a panel for each setting and a colour for each level, means and ranges over seeds."""
    import matplotlib.pyplot as plt

    levels = ordered_levels(run.cells, question.axis)
    names = dict(zip(levels, level_names(levels, question), strict=True))
    settings = list(dict.fromkeys(others_of(cell, question.axis) for cell in run.cells))
    columns = min(len(settings), 2)
    rows = -(-len(settings) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(5.2 * columns, 4.6 * rows), squeeze=False, layout="constrained")
    for ax in axes.flat[len(settings) :]:
        ax.remove()
    for ax, setting, title in zip(axes.flat, settings, setting_titles(settings), strict=False):
        cells = [cell for cell in run.cells if others_of(cell, question.axis) == setting]
        curves = {
            names[level]: [run.curve(cell) for cell in cells if level_of(cell, question.axis) == level]
            for level in levels
        }
        BackdoorLearningCurveDisplay.from_curves(curves, ax=ax)
        ax.set_title(title)
    return figure
