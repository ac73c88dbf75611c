"""The pictures of a run: curves of each learner, and for print slopes, deviations and safe regions too."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.display import BackdoorLearningCurveDisplay, DeviationDisplay, Quantity, SlopeDisplay
from backdoor_curves.display.slopes import SlopePoint
from backdoor_curves.report.figures.safe_map import draw_safe_maps
from backdoor_curves.search.safe_region import safe_regions
from backdoor_curves.study.plan.names import (
    ONLY_SETTING,
    apart,
    as_file_name,
    learner_name,
    learner_title,
    scenario_file_name,
    scenario_title,
    scenario_words,
    setting_parts,
    strength_of,
    telling,
)
from backdoor_curves.study.plan.scenario import OWN, Learner, Scenario, Setting
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.stored_cell import StoredCell

MOST_SETTINGS = 6
"""Of a learner in a figure, but for maps."""
Panel = TypeVar("Panel")
QUANTITIES: tuple[Quantity, Quantity] = ("loss", "accuracy")


def figures(run: Run) -> Iterator[tuple[str, Figure]]:
    """Yield curves of each learner, on each of the data, triggers and label policies, with a name for their file."""
    shown = telling(cell.scenario for cell in run.cells)
    pictures: dict[Hashable, list[StoredCell]] = {}
    for cell in run.cells:
        if run.keeps_curve(cell):
            at = cell.scenario
            pictures.setdefault((at.data, at.way, cell.learner), []).append(cell)
    names = apart(as_file_name([*_told(cells, shown), learner_name(cells[0].learner)]) for cells in pictures.values())
    for name, cells in zip(names, pictures.values(), strict=True):
        yield name, learner_figure(run, cells, ", ".join(_told(cells, shown)))


def _told(cells: Sequence[StoredCell], shown: Sequence[str]) -> list[str]:
    """Return the parts of their scenario that tell cells from others, in words."""
    words = scenario_words(cells[0].scenario)
    return [words[name] for name in shown]


def figures_for_print(run: Run) -> Iterator[tuple[str, Figure]]:
    """Yield all figures of a run with names for their files: curves, then slopes, deviations and safe regions.

    One of the last three is left out where the run has nothing to show in it: refits have no slope, a forest no norm.
    All three are where a source is weighted, and nothing is attacked.

    Raises
    ------
    ValueError
        If no cell is done.
    """
    scenarios = _by_scenario(run)
    if not scenarios:
        failed = f", {len(run.failed)} failed" if run.failed else ""
        raise ValueError(
            f"{run.study.name}: a run with finished cells was expected, none of its {run.n_cells} is done{failed}; run "
            "its study first, and see: backdoor-curves status"
        )
    for name, figure in figures(run):
        yield f"curves_{name}", figure
    file_names = apart(scenario_file_name(scenario) for scenario in scenarios)
    for file_name, (scenario, cells) in zip(file_names, scenarios.items(), strict=True):
        if scenario.data.has_source:  # the other pictures are of attack success rates
            continue
        title = scenario_title(scenario, scenarios)
        exact = [cell for cell in cells if cell.numbers["theta"] is not None and cell.numbers["theta"] > 0]
        exact = [] if scenario.data.has_source else exact  # their marks are attack success rates
        if exact := [cell for cell in exact if strength_of(cell.hyperparameters) is not None]:
            yield f"slopes_{file_name}", slope_figure(exact, title)
        with_norm = [cell for cell in cells if cell.numbers["norm_at_1"] is not None and run.keeps_curve(cell)]
        if with_norm:
            yield f"deviation_{file_name}", deviation_figure(run, with_norm, title)
        if not scenario.data.has_source:
            yield f"safe_{file_name}", safe_figure([cell for cell in run.cells if cell.scenario == scenario], title)


def _by_scenario(run: Run) -> dict[Scenario, list[StoredCell]]:
    """Return the finished cells by scenario."""
    scenarios: dict[Scenario, list[StoredCell]] = {}
    for cell in run.cells:
        if cell.status == "done":
            scenarios.setdefault(cell.scenario, []).append(cell)
    return scenarios


def slope_points(cells: Iterable[StoredCell], name: str = "") -> list[SlopePoint]:
    """Return the slope and accuracies of cells, a point a lambda and gamma over its seeds."""

    def column(group: Sequence[StoredCell], quantity: str) -> np.ndarray:
        return np.array([cell.numbers[quantity] for cell in group], dtype=float)

    points = []
    for setting, group in from_strong_to_weak(cells).items():
        lam, rest = strength_of(setting.values), setting.beside_strength.values
        if lam is None:  # there is no size of mark for it
            continue
        own = setting.learner.kind == OWN
        points.append(
            SlopePoint(
                ", ".join([name, *setting_parts(rest)]) if own else name,
                lam,
                setting.gamma,
                slopes=column(group, "slope_at_0"),
                attack_success_rates=column(group, "asr_at_1"),
                clean_accuracies=column(group, "clean_accuracy_at_1"),
            )
        )
    return points


def from_strong_to_weak(cells: Iterable[StoredCell]) -> dict[Setting, list[StoredCell]]:
    """Return cells by setting: the other hyperparameters ascend, lambdas descend from strong regularisation to weak."""
    found = _by_setting(cells)
    beside = {setting.beside_strength: None for setting in found}
    ranks = {setting: rank for rank, setting in enumerate(sorted(beside, key=_ascending))}
    return dict(
        sorted(found.items(), key=lambda item: (ranks[item[0].beside_strength], -(strength_of(item[0].values) or 0.0)))
    )


def _ascending(setting: Setting) -> list[tuple[Any, ...]]:
    """Return by what settings of a learner are sorted: numbers by size, before words."""
    numbers = [isinstance(value, int | float) for _, value in setting.hyperparameters]
    return [
        (name, not is_number, value if is_number else 0.0, str(value))
        for (name, value), is_number in zip(setting.hyperparameters, numbers, strict=True)
    ]


def _by_learner(cells: Iterable[StoredCell]) -> dict[Learner, list[StoredCell]]:
    learners: dict[Learner, list[StoredCell]] = {}
    for cell in cells:
        learners.setdefault(cell.learner, []).append(cell)
    return learners


def slope_figure(cells: Sequence[StoredCell], title: str) -> Figure:
    """Return the slopes at beta = 0 of cells with one rate against their accuracies at 1, all learners in one panel."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    points = [
        point for learner, group in _by_learner(cells).items() for point in slope_points(group, learner_title(learner))
    ]
    SlopeDisplay(points).plot(figure.subplots())
    figure.suptitle(title)
    return figure


def deviation_figure(run: Run, cells: Sequence[StoredCell], title: str) -> Figure:
    """Return size and angle of the weights of cells with one rate, up to six settings a learner, two in a row."""
    panels: list[tuple[str, Sequence[BackdoorLearningCurve]]] = []
    for learner, group in _by_learner(cells).items():
        settings = _by_setting(group)
        drawn = _evenly(list(settings), MOST_SETTINGS)
        few = f" ({len(drawn)} of {len(settings)} settings)" if len(drawn) < len(settings) else ""
        curves = [run.curve(cell) for setting in drawn for cell in settings[setting]]
        panels.append((learner_title(learner) + few, curves))
    return draw_deviations(_pairs(panels), title)


def draw_deviations(panels: Sequence[Sequence[tuple[str, Sequence[BackdoorLearningCurve]]]], title: str) -> Figure:
    """Return rho over nu, a row a pair, a column a learner; the marks of betas have one legend for all."""
    n_rows, n_columns = len(panels), max(map(len, panels))
    figure = Figure(figsize=(3.1 * n_columns, 3.0 * n_rows + 0.7), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    for ax in axes.ravel()[sum(map(len, panels)) :]:
        ax.set_axis_off()
    marks: list[Artist] = []
    for i, row in enumerate(panels):
        for j, (name, curves) in enumerate(row):
            ax = axes[i, j]
            DeviationDisplay.from_curves(curves, ax=ax)
            keys = keys_of(ax)
            marks = [key for key in keys if str(key.get_label()).startswith("β")]
            own = [key for key in keys if key not in marks]
            ax.legend(own, [str(key.get_label()) for key in own], fontsize="x-small", frameon=False, loc="best")
            ax.set_title(name, fontsize="small")
            ax.set(
                xlabel="ν, how far the weights turned" if i == n_rows - 1 else "", ylabel="" if j else "ρ, their size"
            )
            ax.set_yscale("linear")
            ax.set_ylim(0.0, 1.35 * max(curve.norm().max() for curve in curves))  # room for the legend
    labels = [str(mark.get_label()) for mark in marks]
    figure.legend(marks, labels, loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    figure.suptitle(title)
    return figure


def keys_of(ax: Axes) -> list[Artist]:
    """Return the handles of the legend of a panel."""
    legend = ax.get_legend()
    assert legend is not None  # every display has one
    return [handle for handle in legend.legend_handles if handle is not None]


def safe_figure(cells: Iterable[StoredCell], title: str) -> Figure:
    """Return clean accuracy and attack success over lambda and gamma of cells of one scenario, a panel a learner."""
    return draw_safe_maps(_pairs([(learner_title(region.learner), region) for region in safe_regions(cells)]), title)


def _pairs(panels: Sequence[Panel]) -> list[Sequence[Panel]]:
    """Return panels two in a row."""
    return [panels[i : i + 2] for i in range(0, len(panels), 2)]


def learner_figure(run: Run, cells: Sequence[StoredCell], where: str = "") -> Figure:
    """Return the figure of one learner: up to six settings, evenly chosen; the control is that of the highest rate.

    `where` says in the title which of the data, triggers and label policies of the run it is of.
    """
    settings, of_source = _by_setting(cells), cells[0].scenario.data.has_source
    drawn = {key: settings[key] for key in _evenly(list(settings), MOST_SETTINGS)}
    figure = Figure(figsize=(3.0 + 3.4 * len(drawn), 6.0), layout="constrained")
    axes = figure.subplots(2, len(drawn), sharex=True, sharey="row", squeeze=False)
    for column, (setting, group) in enumerate(drawn.items()):
        curves = [run.curve(cell) for cell in group]
        highest = max(curve.info.rate for curve in curves)
        controlled = [cell for cell in group if cell.numbers["control_area"] is not None]
        control = [run.curve(cell, control=True) for cell in controlled if cell.scenario.rate == highest]
        for ax, quantity in zip(axes[:, column], QUANTITIES, strict=True):
            BackdoorLearningCurveDisplay.from_curves(
                curves, control=control, of_source=of_source, quantity=quantity, ax=ax
            )
            ax.label_outer()
            ax.set(xlabel="", xticks=[0.0, 0.5, 1.0], xticklabels=["0", "0.5", "1"])
        axes[0, column].set_title("\n".join(setting_parts(setting.values)) or ONLY_SETTING)
    figure.supxlabel(f"β, weight of {weighted_rows(cells)}", fontsize="medium")
    _one_legend(figure, axes)
    seeds = len({cell.seed for cell in cells})
    notes = [f"{len(drawn)} of {len(settings)} settings"] if len(drawn) < len(settings) else []
    notes += [f"mean and range of {seeds} seeds"] if seeds > 1 else []
    title = f"{learner_title(cells[0].learner)}: {'curves of a source' if of_source else 'backdoor learning curves'}"
    title += f", {where}" if where else ""
    figure.suptitle(title + (f" ({', '.join(notes)})" if notes else ""))
    return figure


def weighted_rows(cells: Sequence[StoredCell]) -> str:
    """Return what the rows of weight beta are called."""
    return "the source's rows" if cells[0].scenario.data.has_source else "the poison rows"


def _by_setting(cells: Iterable[StoredCell]) -> dict[Setting, list[StoredCell]]:
    """Return cells by setting, from the smallest lambda on, or the first hyperparameter."""
    settings: dict[Setting, list[StoredCell]] = {}
    for cell in cells:
        settings.setdefault(cell.setting, []).append(cell)
    return dict(sorted(settings.items(), key=lambda item: _ascending(item[0])))


def _evenly(items: list[Setting], most: int) -> list[Setting]:
    """Return at most so many of the items, the first and the last among them."""
    if len(items) <= most:
        return items
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, most)]


def _one_legend(figure: Figure, axes: np.ndarray) -> None:
    """Put one legend beside two rows of axes in place of one in each; a style that is two quantities names both."""
    above, below = keys_of(axes[0, 0]), keys_of(axes[1, 0])
    labels = []
    for pair in zip(above, below, strict=True):
        loss, share = (str(key.get_label()) for key in pair)
        labels.append(loss if loss == share else f"loss of {loss},\n{share}")
    figure.legend(above, labels, loc="outside right center", frameon=False, fontsize="small")
    for ax in axes.ravel():
        ax.get_legend().remove()
