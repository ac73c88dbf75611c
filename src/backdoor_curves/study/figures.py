"""The picture of a learner in a run: a column a setting of lambda and gamma, losses above, accuracies below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

from backdoor_curves.display import BackdoorLearningCurveDisplay, Quantity
from backdoor_curves.study.work import CellResult

NAMES = {"logistic": "Logistic regression", "ridge": "Ridge", "linear-svm": "Linear SVM", "rbf-svm": "RBF SVM"}
MOST_COLUMNS = 6
Setting = tuple[float, float | None]
QUANTITIES: tuple[Quantity, Quantity] = ("loss", "accuracy")


def learner_figure(learner: str, results: Sequence[CellResult]) -> Figure:
    """Return the figure of one learner: up to six settings, evenly chosen; the control is that of the highest rate."""
    settings: dict[Setting, list[CellResult]] = {}
    for result in results:
        if result.curve is not None:
            settings.setdefault((result.cell.lam, result.cell.gamma), []).append(result)
    drawn = {key: settings[key] for key in _evenly(list(settings), MOST_COLUMNS)}
    figure = Figure(figsize=(3.0 + 3.4 * len(drawn), 6.0), layout="constrained")
    axes = figure.subplots(2, len(drawn), sharex=True, sharey="row", squeeze=False)
    for column, ((lam, gamma), group) in enumerate(drawn.items()):
        curves = [result.curve for result in group if result.curve is not None]
        highest = max(curve.info.rate for curve in curves)
        control = [r.control for r in group if r.control is not None and r.control.info.rate == highest]
        for ax, quantity in zip(axes[:, column], QUANTITIES, strict=True):
            BackdoorLearningCurveDisplay.from_curves(curves, control=control, quantity=quantity, ax=ax)
            ax.label_outer()
        axes[0, column].set_title(f"λ = {lam:g}" + ("" if gamma is None else f", γ = {gamma:g}"))
    _one_legend(figure, axes[0], "outside right upper")
    _one_legend(figure, axes[1], "outside right lower")
    seeds = len({result.cell.seed for result in results})
    notes = [f"{len(drawn)} of {len(settings)} settings"] if len(drawn) < len(settings) else []
    notes += [f"mean and range of {seeds} seeds"] if seeds > 1 else []
    figure.suptitle(f"{NAMES[learner]}: backdoor learning curves" + (f" ({', '.join(notes)})" if notes else ""))
    return figure


def _evenly(items: list[Setting], most: int) -> list[Setting]:
    """Return at most so many of the items, the first and the last among them."""
    if len(items) <= most:
        return items
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, most)]


def _one_legend(figure: Figure, row: np.ndarray, place: Literal["outside right upper", "outside right lower"]) -> None:
    """Put one legend beside a row of axes in place of one in each."""
    legends = [ax.get_legend() for ax in row]
    handles = legends[0].legend_handles
    figure.legend(handles, [handle.get_label() for handle in handles], loc=place, frameon=False, fontsize="small")
    for legend in legends:
        legend.remove()
