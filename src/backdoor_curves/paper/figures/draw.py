"""The paper's fifteen figures, a function each, from stored results; what departs from the published is in each title.

Source of all: Cinà et al., Backdoor Learning Curves (arXiv 2106.07214). lambda = 1/C, for ridge 2 alpha.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.svm import SVC

from backdoor_curves.curve import backdoor_learning_curve
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.datasets import toy
from backdoor_curves.display import BackdoorLearningCurveDisplay, GradientDisplay
from backdoor_curves.display.images import show_image, write_above
from backdoor_curves.display.style import HUES, NEUTRAL, TRIGGER
from backdoor_curves.paper.figures.explanations import TOP, Explanation
from backdoor_curves.paper.figures.panels import (
    LEARNERS,
    Pair,
    chosen,
    curve_columns,
    draw_behind,
    draw_curves,
    draw_slopes,
    with_smallest_trigger,
)
from backdoor_curves.paper.figures.published_points import curve_points, deviation_points
from backdoor_curves.paper.figures.published_points import slope_points as published_slopes
from backdoor_curves.paper.numbers.published_files import PublishedNumbers
from backdoor_curves.poisoning.paper_protocol import SEED
from backdoor_curves.poisoning.poison import poison
from backdoor_curves.report.figures.run_figures import draw_deviations, slope_points
from backdoor_curves.study.store.run import Run
from backdoor_curves.triggers import FeatureTrigger

MNIST_PAIRS: tuple[Pair, ...] = ((7, 1), (3, 0), (5, 2))
AIRPLANE_FROG, BIRD_DOG, AIRPLANE_TRUCK = (0, 6), (2, 5), (0, 9)
CIFAR10_NAMES = {AIRPLANE_FROG: "airplane vs frog", BIRD_DOG: "bird vs dog", AIRPLANE_TRUCK: "airplane vs truck"}
MNIST_NAMES, FROG_NAMES = ("seven", "one"), ("frog", "airplane")
"""Classes by label: of MNIST 7-1, and of airplane vs frog, whose first class has label 1."""
MNIST_GAMMAS, CIFAR10_GAMMAS = (5e-4, 5e-3), (1e-4, 1e-3)
"""The two gammas that each slope figure shows."""
NOTHING = PublishedNumbers()
"""What is published where no folder was named."""


def figure_1() -> Figure:
    """Return Figure 1: the idea on a toy, an RBF SVM of gamma = 10 at lambda = 10 and 1.

    The published points are not to be had; these are a design of this package's own that shows the same.
    """
    return toy_figure("Figure 1, points of our own: strong and weak regularisation on a toy")


def toy_figure(title: str) -> Figure:
    """Return the toy's points and decision lines beside its curves, at strong and at weak regularisation."""
    figure = Figure(figsize=(12.5, 3.6), layout="constrained")
    axes = figure.subplots(1, 4, width_ratios=(1.0, 1.1, 1.0, 1.1))
    data = toy_data()
    for (plane, beside), lam in zip((axes[:2], axes[2:]), (10.0, 1.0), strict=True):
        curve = backdoor_learning_curve(SVC(C=1.0 / lam, gamma=10.0), data)
        keys = _draw_plane(plane, data, curve.path, f"RBF SVM, λ = {lam:g}")
        BackdoorLearningCurveDisplay.from_curves(curve, ax=beside)
        beside.set_title(f"half of the loss is gone at β = {curve.half_loss_beta:.2g}", fontsize="small")
        beside.set_ylim(0.0, 1.5)
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False, fontsize="small")
    figure.suptitle(title)
    return figure


def toy_data() -> PoisonedData:
    """Return two wavy bands; the trigger lifts a point out of its band, to where there is nothing."""
    rng = np.random.default_rng(0)
    train, test = toy(rng=rng)
    return poison(train, test, trigger=FeatureTrigger((1,), (1.2,)), rate=0.1, rng=rng)


def _draw_plane(ax: Any, data: PoisonedData, path: Any, title: str) -> list[Line2D]:
    """Draw training points and the decision lines at several betas; return the keys of the lines."""
    betas = np.array([0.0, 0.01, 0.05, 0.1, 0.3, 1.0])
    x1, x2 = np.meshgrid(np.linspace(-1.1, 1.1, 121), np.linspace(-0.9, 1.6, 121))
    scores = path.scores(np.column_stack([x1.ravel(), x2.ravel()]), betas).reshape(len(betas), *x1.shape)
    ax.contourf(x1, x2, scores[-1], levels=[-np.inf, 0.0, np.inf], colors=[HUES[0], HUES[1]], alpha=0.08)
    handles = []
    for strength, beta, field in zip(np.linspace(0.25, 1.0, len(betas)), betas, scores, strict=True):
        color = (0.0, 0.45 * strength, 0.3 * strength, 0.3 + 0.7 * strength)
        ax.contour(x1, x2, field, levels=[0.0], colors=[color], linewidths=0.7 + strength)
        handles.append(Line2D([], [], color=color, linewidth=0.7 + strength, label=f"decision at β = {beta:g}"))
    for rows, marker, edge in ((data.clean_train, "o", "white"), (data.poison_train, "D", TRIGGER)):
        colors = [HUES[label] for label in rows.y]
        ax.scatter(rows.X[:, 0], rows.X[:, 1], c=colors, s=16, marker=marker, edgecolors=edge, linewidths=0.6, zorder=3)
    ax.set(title=title, xlabel="x₁", ylabel="x₂", aspect="equal")
    ax.title.set_fontsize("small")
    ax.spines[["top", "right"]].set_visible(False)
    return handles


def figure_2(cifar10: Run) -> Figure:
    """Return Figure 2: curves of an RBF SVM on airplane against frog, gamma = 1e-4, at the lambdas of the files."""
    columns = [
        [panel]
        for column in curve_columns(cifar10, AIRPLANE_FROG)
        for panel in column
        if panel[1][0].info.hyperparameters.get("gamma") == CIFAR10_GAMMAS[0]
    ]
    return draw_curves(columns, _on(cifar10, AIRPLANE_FROG, "Figure 2, lambdas of the published files"))


def figure_3(cifar10: Run) -> Figure:
    """Return Figure 3: slope against attack success and clean accuracy, RBF SVM on airplane against frog, p = 10 %."""
    panel = _slope_panel(cifar10, AIRPLANE_FROG, "rbf-svm", CIFAR10_GAMMAS, CIFAR10_NAMES[AIRPLANE_FROG])
    return draw_slopes([[panel]], f"Figure 3{_network(cifar10)}")


def figure_4(mnist: Run, published: PublishedNumbers = NOTHING) -> Figure:
    """Return Figure 4: curves of four learners on MNIST 7-1, the published losses behind them."""
    return _mnist_curves(mnist, (7, 1), "Figure 4: MNIST 7-1", published)


def figure_5(mnist: Run, published: PublishedNumbers = NOTHING) -> Figure:
    """Return Figure 5: curves of four learners on MNIST 3-0, the published losses behind them."""
    return _mnist_curves(mnist, (3, 0), "Figure 5: MNIST 3-0", published)


def figure_6(mnist: Run, published: PublishedNumbers = NOTHING) -> Figure:
    """Return Figure 6: curves of four learners on MNIST 5-2, the published losses behind them."""
    return _mnist_curves(mnist, (5, 2), "Figure 6: MNIST 5-2", published)


def _mnist_curves(mnist: Run, pair: Pair, title: str, published: PublishedNumbers) -> Figure:
    figure = draw_curves(curve_columns(mnist, pair), title)
    draw_behind(figure, curve_points(published, pair), "published")
    return figure


def figure_7(cifar10: Run) -> Figure:
    """Return Figure 7: curves of four learners on airplane against frog."""
    return draw_curves(curve_columns(cifar10, AIRPLANE_FROG), _on(cifar10, AIRPLANE_FROG, "Figure 7"))


def figure_8(cifar10: Run) -> Figure:
    """Return Figure 8: curves of four learners on bird against dog."""
    return draw_curves(curve_columns(cifar10, BIRD_DOG), _on(cifar10, BIRD_DOG, "Figure 8"))


def figure_9(cifar10: Run) -> Figure:
    """Return Figure 9: curves of four learners on airplane against truck."""
    return draw_curves(curve_columns(cifar10, AIRPLANE_TRUCK), _on(cifar10, AIRPLANE_TRUCK, "Figure 9"))


def figure_10(mnist: Run, published: PublishedNumbers = NOTHING) -> Figure:
    """Return Figure 10: slopes and accuracies on MNIST, a row a pair, a column a learner.

    Parameters
    ----------
    mnist : Run
        The slopes.
    published : PublishedNumbers, optional
        Drawn behind the panels of the pairs and learners that it has.
    """
    rows = [
        [_slope_panel(mnist, pair, learner, MNIST_GAMMAS, f"{pair[0]}-{pair[1]}") for learner in LEARNERS]
        for pair in MNIST_PAIRS
    ]
    title = "Figure 10: MNIST, θ of the true derivative at β = 0, p = 0.1"
    return draw_slopes(rows, title, published_slopes(published))


def figure_11(cifar10: Run) -> Figure:
    """Return Figure 11: slopes and accuracies on CIFAR-10, at the gammas of Figure 3: those named are on no grid."""
    rows = [
        [_slope_panel(cifar10, pair, learner, CIFAR10_GAMMAS, name) for learner in LEARNERS]
        for pair, name in _named(AIRPLANE_FROG, AIRPLANE_TRUCK, BIRD_DOG)
    ]
    return draw_slopes(rows, f"Figure 11: CIFAR-10{_network(cifar10)}, θ of the true derivative at β = 0, p = 0.1")


def figure_12(mnist: Run, published: PublishedNumbers = NOTHING) -> Figure:
    """Return Figure 12: size and angle of the weights on MNIST, p = 10 %; of RBF without the published bug.

    Behind them stand the published ones, those of RBF with it.
    """
    rows = [[_deviation_panel(mnist, pair, of, f"{pair[0]}-{pair[1]}") for of in LEARNERS] for pair in MNIST_PAIRS]
    figure = draw_deviations(rows, "Figure 12: MNIST, p = 0.1; ASR at β = 1")
    draw_behind(figure, deviation_points(published), "published, of RBF with duals at the wrong rows")
    return figure


def figure_13(cifar10: Run) -> Figure:
    """Return Figure 13: size and angle of the weights on CIFAR-10, p = 10 %."""
    rows = [
        [_deviation_panel(cifar10, pair, learner, name) for learner in LEARNERS]
        for pair, name in _named(AIRPLANE_FROG, AIRPLANE_TRUCK, BIRD_DOG)
    ]
    return draw_deviations(rows, f"Figure 13: CIFAR-10{_network(cifar10)}, p = 0.1; ASR at β = 1")


def figure_14(blocks: Mapping[str, tuple[Explanation, Sequence[str]]]) -> Figure:
    """Return Figure 14: a triggered test row, and the gradients of the clean and of the poisoned linear SVM.

    Parameters
    ----------
    blocks : mapping of a title to an explanation and the names of its two classes
    """
    figure = Figure(figsize=(7.5, 3.8 * len(blocks) + 0.3), layout="constrained")
    parts = figure.subfigures(len(blocks), 1, squeeze=False)[:, 0]
    for part, (title, (found, names)) in zip(parts, blocks.items(), strict=True):
        predicted = [names[label] for label in found.predicted]
        axes = part.subplots(1, 3)
        GradientDisplay(found.gradients, found.image, found.mask, predicted=predicted).plot(axes)
        axes[0].set_title(axes[0].get_title().replace("clean, β = 0", "clean, all original rows"), fontsize="small")
        part.suptitle(f"Figure 14: {title}, linear SVM, C = {found.C:g}", fontsize="medium")
    return figure


def figure_15(blocks: Mapping[str, tuple[Explanation, Sequence[str]]]) -> Figure:
    """Return Figure 15: the seven training rows of largest influence, by the published formula and by the derivative.

    Parameters
    ----------
    blocks
        As in `figure_14`.
    """
    figure = Figure(figsize=(12.5, 4.6 * len(blocks) + 0.3), layout="constrained")
    parts = figure.subfigures(len(blocks), 1, squeeze=False)[:, 0]
    for part, (title, (found, names)) in zip(parts, blocks.items(), strict=True):
        axes = part.subplots(2, 1 + TOP)
        part.suptitle(f"Figure 15: {title}, influence on a triggered test row of the poisoned linear SVM")
        for line, way, said in zip(
            axes,
            ("formula", "true"),
            (f"published formula\nC = {found.C:g}", f"derivative\nC = {found.derivative_at:g}"),
            strict=True,
        ):
            show_image(line[0], found.influenced)
            write_above(line[0], ["test image,", f"labelled {names[found.label]}"], 5)
            line[0].set_ylabel(said, fontsize="small")
            line[0].spines[:].set(color="#C00000", linewidth=2.5)
            drawn = zip(
                *(getattr(found, f"{way}_{part}") for part in ("top", "values", "labels", "poison")), strict=True
            )
            for ax, (image, value, label, is_poison) in zip(line[1:], drawn, strict=True):
                show_image(ax, image)
                write_above(ax, [str(names[label]), f"{value:+.2g}".replace("-", "−")], 5)
                if is_poison:
                    ax.spines[:].set(color=TRIGGER, linewidth=2.5)
                    ax.set_xlabel("poison", color=TRIGGER, fontsize="small")
    return figure


def samples_figure(blocks: Mapping[str, tuple[PoisonedData, Sequence[str]]], count: int = 4) -> Figure:
    """Return test images without and with the trigger, and what the attacker wants them to be taken for.

    Parameters
    ----------
    blocks : mapping of a title to poisoned images and the names of their two classes
    count : int
        Images of each block.
    """
    figure = Figure(figsize=(1.6 * count + 1.0, 4.0 * len(blocks)), layout="constrained")
    parts = figure.subfigures(len(blocks), 1, squeeze=False)[:, 0]
    for part, (title, (data, names)) in zip(parts, blocks.items(), strict=True):
        part.suptitle(title)
        axes = part.subplots(2, count)
        for j in range(count):
            clean, triggered = data.clean_test, data.triggered_test
            for ax, rows in zip(axes[:, j], (clean, triggered), strict=True):
                show_image(ax, rows.X[j])
                write_above(ax, [str(names[int(rows.y[j])])], 4)
        axes[0, 0].set_ylabel("as it is", fontsize="small", color=NEUTRAL)
        axes[1, 0].set_ylabel("triggered,\nattacker's label", fontsize="small", color=NEUTRAL)
    return figure


def _slope_panel(run: Run, pair: Pair, learner: str, gammas: Sequence[float], name: str) -> tuple[str, Any]:
    shown = [
        cell
        for cell in with_smallest_trigger(chosen(run, pair, learner, rate=0.1))  # the larger is in the store too
        if cell.seed != SEED and (cell.setting.gamma is None or np.isclose(cell.setting.gamma, gammas).any())
    ]
    if not shown:
        raise ValueError(f"run {run.study.name}: finished slopes of {name}, {learner} were expected, none are there")
    return f"{LEARNERS[learner]}, {name}", slope_points(shown)


def _deviation_panel(run: Run, pair: Pair, learner: str, name: str) -> tuple[str, Any]:
    cells = [cell for cell in chosen(run, pair, learner, rate=0.1) if cell.seed == SEED]
    if not cells:
        raise ValueError(f"run {run.study.name}: finished curves of {name}, {learner} were expected, none are there")
    return f"{LEARNERS[learner]}, {name}", [run.curve(cell) for cell in cells]


def _named(*pairs: Pair) -> list[tuple[Pair, str]]:
    return [(pair, CIFAR10_NAMES[pair]) for pair in pairs]


def _network(run: Run) -> str:
    features = run.study.experiments[0].data[0].features
    return "" if features is None else f" ({features.network} features)"


def _on(run: Run, pair: Pair, title: str) -> str:
    return f"{title}: CIFAR-10 {CIFAR10_NAMES[pair]}{_network(run)}"
