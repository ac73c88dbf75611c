"""The figures by name: how each is drawn, what it needs, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from backdoor_curves.paper.figures import draw as figures
from backdoor_curves.paper.figures.panels import LEARNERS, with_smallest_trigger
from backdoor_curves.paper.numbers.published_files import PublishedNumbers
from backdoor_curves.paper.results import DataSet, Results
from backdoor_curves.poisoning import paper_protocol as protocol
from backdoor_curves.report.figures.safe_map import draw_safe_maps
from backdoor_curves.search.safe_region import safe_regions
from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.plan.names import data_name
from backdoor_curves.study.store.run import Run


@dataclass(frozen=True)
class Recipe:
    """A figure: its name, how it is drawn, and what is to be said of it.

    Parameters
    ----------
    name : str
        "1" to "15", or of one beyond the paper.
    draw : callable Results -> Figure
    data : tuple of str
        The data sets that it shows.
    note : str
        What it shows, and where it departs from the published figure.
    """

    name: str
    draw: Callable[[Results], Figure]
    data: tuple[DataSet, ...]
    note: str

    @property
    def file(self) -> str:
        """The name of its file, without the ending."""
        return f"figure-{int(self.name):02d}" if self.name.isdecimal() else self.name


@dataclass(frozen=True)
class Drawn:
    """A figure that was asked for: its file, or the reason why there is none."""

    recipe: Recipe
    file: Path | None
    reason: str = ""


def _of_run(draw: Callable[[Run], Figure], data: DataSet, kind: Any) -> Callable[[Results], Figure]:
    return lambda results: draw(results.run(data, kind))


def _beside_published(draw: Callable[[Run, PublishedNumbers], Figure], kind: Any) -> Callable[[Results], Figure]:
    return lambda results: draw(results.run("mnist", kind), results.published or figures.NOTHING)


def _safe(data: DataSet, title: str) -> Callable[[Results], Figure]:
    return lambda results: safe_regions_figure(results.run(data, "slopes"), title)


def safe_regions_figure(run: Run, title: str) -> Figure:
    """Return clean accuracy and attack success over lambda and gamma, a row a pair, for the smaller trigger."""
    slopes = [cell for cell in run.cells if cell.seed != protocol.SEED]
    rows: dict[DataConfig, list[tuple[str, Any]]] = {}
    for region in safe_regions(with_smallest_trigger(slopes)):
        data = region.scenario.data
        rows.setdefault(data, []).append((f"{_pair(data)}, {LEARNERS[region.learner.kind]}", region))
    return draw_safe_maps(list(rows.values()), title)


def _pair(data: DataConfig) -> str:
    """Return the pair of a data set in words: of MNIST 7-1, of CIFAR-10 airplane vs frog."""
    if isinstance(data.classes, str):
        return data_name(data)
    names: dict[Any, str] = dict(figures.CIFAR10_NAMES) if data.name == "cifar10" else {}
    return names.get(data.classes, "-".join(map(str, data.classes)))


CURVES = (
    "Mean loss on triggered (solid) and clean (dashed) test rows over the weight beta of the poison, p = .01, .1, .2 "
    "from light to dark. Each line is followed exactly; the published ones join 20 refits (of 7-1 at weak "
    "regularisation, where the files are at hand, several had not converged). "
)
SLOPES = (
    "Attack success rate (solid) and clean accuracy (dashed) at beta = 1 over theta = -(2/pi) arctan(slope), p = .1, "
    "mean and range of five seeds. The slope is the derivative of the curve at beta = 0; the published axis is another "
    "quantity (a Hessian over the poison rows, and more). "
)
DEVIATION = (
    "Size of the weights over how far they turned, from beta = 0 at the left end, p = .1. In the published files of "
    "RBF machines at hand, those of MNIST 7-1, the duals at beta = 0 stand at the wrong rows, so that every cosine and "
    "the first norm are wrong. "
)
CROSSES = "Grey crosses: the published points, of the pairs and learners whose files are at hand. "
RECIPES = (
    Recipe(
        "1",
        lambda _: figures.figure_1(),
        (),
        "The idea on a toy. The published points are not to be had: these are of our own, and show the same.",
    ),
    Recipe(
        "2",
        _of_run(figures.figure_2, "cifar10", "curves"),
        ("cifar10",),
        CURVES + "The text says lambda = 10 and 1, the published files have 100 and 1.",
    ),
    Recipe(
        "3", _of_run(figures.figure_3, "cifar10", "slopes"), ("cifar10",), SLOPES + "The caption's p = 0.1 % is 10 %."
    ),
    Recipe("4", _beside_published(figures.figure_4, "curves"), ("mnist",), CURVES + CROSSES),
    Recipe("5", _beside_published(figures.figure_5, "curves"), ("mnist",), CURVES + CROSSES),
    Recipe("6", _beside_published(figures.figure_6, "curves"), ("mnist",), CURVES + CROSSES),
    Recipe("7", _of_run(figures.figure_7, "cifar10", "curves"), ("cifar10",), CURVES),
    Recipe("8", _of_run(figures.figure_8, "cifar10", "curves"), ("cifar10",), CURVES),
    Recipe("9", _of_run(figures.figure_9, "cifar10", "curves"), ("cifar10",), CURVES),
    Recipe(
        "10",
        _beside_published(figures.figure_10, "slopes"),
        ("mnist",),
        SLOPES + CROSSES,
    ),
    Recipe(
        "11",
        _of_run(figures.figure_11, "cifar10", "slopes"),
        ("cifar10",),
        SLOPES + "The gammas named in its caption are on no published grid; these are those of Figure 3.",
    ),
    Recipe("12", _beside_published(figures.figure_12, "curves"), ("mnist",), DEVIATION + CROSSES),
    Recipe("13", _of_run(figures.figure_13, "cifar10", "curves"), ("cifar10",), DEVIATION),
    Recipe(
        "14",
        lambda results: figures.figure_14(results.explanations()),
        ("mnist", "cifar10"),
        "What a linear SVM looks at: the gradient of the score of the predicted class in the pixels, of the clean and "
        "of the poisoned model. The text says MNIST 6-0 and lambda = .01, the published script 7-1 and C = 10; this is "
        "the script's.",
    ),
    Recipe(
        "15",
        lambda results: figures.figure_15(results.explanations()),
        ("mnist", "cifar10"),
        "The seven training rows of largest influence on a triggered test row (red frame); poison is framed in orange. "
        "Above by the published formula at the paper's C, below by the derivative of the row's loss. At the paper's C "
        "the machine separates its training rows, does not answer to any single weight, and every true influence is 0: "
        "the derivative is shown at the largest C of a grid where seven rows have one.",
    ),
    Recipe(
        "samples",
        lambda results: figures.samples_figure(results.samples()),
        ("mnist", "cifar10"),
        "Test images, and the same with the trigger.",
    ),
    Recipe(
        "safe-mnist",
        _safe("mnist", "Where it is safe: MNIST, p = 0.1"),
        ("mnist",),
        "Clean accuracy and attack success over lambda and gamma, means of five seeds; the safe region is outlined.",
    ),
    Recipe(
        "safe-cifar10",
        _safe("cifar10", "Where it is safe: CIFAR-10, p = 0.1"),
        ("cifar10",),
        "Clean accuracy and attack success over lambda and gamma, means of five seeds; the safe region is outlined.",
    ),
)


def chosen_recipes(names: tuple[str, ...]) -> list[Recipe]:
    """Return the recipes of figures by their names; of a data set all that show it alone or with another; of none, all.

    Raises
    ------
    ValueError
        If there is no such figure.

    Examples
    --------
    >>> from backdoor_curves.paper.figures.recipes import chosen_recipes
    >>> [recipe.file for recipe in chosen_recipes(("4", "safe-mnist"))]
    ['figure-04', 'safe-mnist']
    """
    known = {recipe.name for recipe in RECIPES}
    sets = {"mnist", "cifar10"}
    for name in names:
        if name not in known | sets:
            raise ValueError(
                f"figure: one of {', '.join([r.name for r in RECIPES])}, mnist, cifar10 was expected, {name!r} came"
            )
    wanted = set(names) or known
    # The toy needs no data: it comes with MNIST.
    return [recipe for recipe in RECIPES if wanted & {recipe.name, *(recipe.data or ("mnist",))}]
