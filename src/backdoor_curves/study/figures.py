"""The picture of a learner in a run: a column a setting of lambda and gamma, losses above, accuracies below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

from backdoor_curves.display import BackdoorLearningCurveDisplay, Quantity
from backdoor_curves.study.run import Run
from backdoor_curves.study.store import StoredCell
from backdoor_curves.study.table import SOMETIMES

NAMES = {"logistic": "Logistic regression", "ridge": "Ridge", "linear-svm": "Linear SVM", "rbf-svm": "RBF SVM"}
MOST_COLUMNS = 6
Setting = tuple[float, float | None]
QUANTITIES: tuple[Quantity, Quantity] = ("loss", "accuracy")


def figures(run: Run) -> Iterator[tuple[str, Figure]]:
    """Yield a figure, with a name for its file, for each learner on each of the data, triggers and label policies."""
    shown = [name for name in SOMETIMES if len({cell.coordinates[name] for cell in run.cells}) > 1]
    pictures: dict[tuple[str, ...], list[StoredCell]] = {}
    for cell in run.cells:
        if run.keeps_curve(cell):
            place = (*(cell.coordinates[name] for name in shown), cell.coordinates["learner"])
            pictures.setdefault(place, []).append(cell)
    for place, cells in pictures.items():
        name = "_".join("".join(c if c.isalnum() or c in "-+." else "-" for c in part) for part in place)
        yield name, learner_figure(run, cells)


def learner_figure(run: Run, cells: Sequence[StoredCell]) -> Figure:
    """Return the figure of one learner: up to six settings, evenly chosen; the control is that of the highest rate."""
    settings: dict[Setting, list[StoredCell]] = {}
    for cell in cells:
        settings.setdefault((cell.coordinates["lambda"], cell.coordinates["gamma"]), []).append(cell)
    drawn = {key: settings[key] for key in _evenly(list(settings), MOST_COLUMNS)}
    figure = Figure(figsize=(3.0 + 3.4 * len(drawn), 6.0), layout="constrained")
    axes = figure.subplots(2, len(drawn), sharex=True, sharey="row", squeeze=False)
    for column, ((lam, gamma), group) in enumerate(drawn.items()):
        curves = [run.curve(cell) for cell in group]
        highest = max(curve.info.rate for curve in curves)
        controlled = [cell for cell in group if cell.numbers["control_area"] is not None]
        control = [run.curve(cell, control=True) for cell in controlled if cell.coordinates["rate"] == highest]
        for ax, quantity in zip(axes[:, column], QUANTITIES, strict=True):
            BackdoorLearningCurveDisplay.from_curves(curves, control=control, quantity=quantity, ax=ax)
            ax.label_outer()
        axes[0, column].set_title(f"λ = {lam:g}" + ("" if gamma is None else f", γ = {gamma:g}"))
    _one_legend(figure, axes[0], "outside right upper")
    _one_legend(figure, axes[1], "outside right lower")
    seeds = len({cell.coordinates["seed"] for cell in cells})
    notes = [f"{len(drawn)} of {len(settings)} settings"] if len(drawn) < len(settings) else []
    notes += [f"mean and range of {seeds} seeds"] if seeds > 1 else []
    learner = cells[0].coordinates["learner"]
    title = f"{NAMES.get(learner, learner)}: backdoor learning curves"
    figure.suptitle(title + (f" ({', '.join(notes)})" if notes else ""))
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
