"""Backdoor learning curves as a picture, after scikit-learn's Display convention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from backdoor_curves.curve import BackdoorLearningCurve, backdoor_learning_curve
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.display.style import (
    NEUTRAL,
    Curves,
    axes_to_draw_on,
    betas_between,
    drawn_betas,
    hues,
    listed,
    named,
    require_curves,
    shade,
)
from backdoor_curves.learners.follow import Method
from backdoor_curves.learners.freezing import Freeze
from backdoor_curves.poisoning.beta_conventions import CONVENTIONS, Convention, betas_from, betas_in

Quantity = Literal["loss", "accuracy"]
STROKE = 0.35
"""Half of the length of a slope's stroke, as a share of the way to the next beta: strokes stay apart."""

NAMES = {
    "loss": ("triggered test rows", "clean test rows"),
    "accuracy": ("attack success rate", "clean accuracy"),
}
NAMES_OF_SOURCE = {
    "loss": ("test rows that are watched", "all test rows"),
    "accuracy": ("accuracy on them", "accuracy on all"),
}
"""Where the rows of weight beta are those of a source, and nothing is triggered."""
SECOND_AXES = {
    "parts": "b = β p / (1 - p), weight of their mean loss; p = {p:.3g} of all rows",
    "mixture": "q = β p / (1 - p + β p), their share in a mixture; p = {p:.3g} of all rows",
}
"""What the axis above says, by convention."""
BELOW_ONE = 1.0 - 1e-9
"""Where the scale of a share ends, which no beta reaches."""


class BackdoorLearningCurveDisplay:
    """The curves of one or several learners: triggered rows solid, clean rows dashed.

    One colour a learner, darker for a higher poison rate; curves of one learner and rate (seeds) become their mean
    with a band from the lowest to the highest. Refits are drawn with a mark at each beta that was fitted, exact curves
    without. Networks have a band over their seeds, a dot at each beta of training with a stroke of the loss's exact
    slope there, and the estimate between them.

    Parameters
    ----------
    curves : mapping of str to sequence of BackdoorLearningCurve
        By learner.
    control : sequence of BackdoorLearningCurve, optional
        Curves of the same poison rows without the trigger (`PoisonedData.control`), drawn dotted: what they lose is
        label noise.
    of_source : bool
        Whether the rows of weight beta are those of a source, as they are: names of lines and axes say so.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    lines_ : list of Line2D
        All curves drawn, in the order of the legend; for each the triggered one, then the clean one.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits("even-odd", rng=rng)
    >>> trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    >>> data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
    >>> display = bc.BackdoorLearningCurveDisplay.from_estimator(RidgeClassifier(), data, control=True)
    >>> len(display.lines_)
    3
    """

    ax_: Axes
    figure_: Figure | SubFigure
    lines_: list[Line2D]

    def __init__(
        self,
        curves: Mapping[str, Sequence[BackdoorLearningCurve]],
        *,
        control: Sequence[BackdoorLearningCurve] = (),
        of_source: bool = False,
    ) -> None:
        self.curves = dict(curves)
        self.control = list(control)
        self.of_source = of_source

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        data: PoisonedData,
        *,
        control: bool = False,
        method: Method = "auto",
        betas: Any = None,
        freeze: Freeze = "joined",
        n_jobs: int | None = None,
        quantity: Quantity = "loss",
        ax: Axes | None = None,
    ) -> BackdoorLearningCurveDisplay:
        """Compute the curve of an estimator and draw it.

        Parameters
        ----------
        estimator, data, method, betas, freeze, n_jobs
            As in `backdoor_learning_curve`.
        control : bool
            Whether to draw the control too: the same rows with the same wrong labels, without the trigger.
        quantity, ax
            As in `plot`.
        """
        _require_known(quantity)

        def curve(on: PoisonedData) -> BackdoorLearningCurve:
            return backdoor_learning_curve(estimator, on, method=method, betas=betas, freeze=freeze, n_jobs=n_jobs)

        name = type(getattr(estimator, "steps", [("", estimator)])[-1][1]).__name__
        display = cls({name: [curve(data)]}, control=[curve(data.control())] if control else ())
        return display.plot(ax, quantity=quantity)

    @classmethod
    def from_curves(
        cls,
        curves: Curves | Mapping[str, Curves],
        *,
        control: Curves = (),
        of_source: bool = False,
        quantity: Quantity = "loss",
        second_axis: Convention | None = None,
        ax: Axes | None = None,
    ) -> BackdoorLearningCurveDisplay:
        """Draw curves that were computed before.

        Parameters
        ----------
        curves : BackdoorLearningCurve, sequence of them, or mapping of name to either
            A sequence may hold several poison rates, and several seeds of each.
        control : BackdoorLearningCurve or sequence of them, optional
        of_source : bool
            As of the class.
        quantity, second_axis, ax
            As in `plot`.
        """
        display = cls(named(curves), control=listed(control), of_source=of_source)
        return display.plot(ax, quantity=quantity, second_axis=second_axis)

    def plot(
        self, ax: Axes | None = None, *, quantity: Quantity = "loss", second_axis: Convention | None = None
    ) -> BackdoorLearningCurveDisplay:
        """Draw the curves over beta.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. By default the figure that this display drew last, while it is open, or else a new one.
        quantity : {"loss", "accuracy"}
            The mean loss of each learner's own kind; or the attack success rate and the clean accuracy.
        second_axis : {"parts", "mixture"}, optional
            An axis above with what others call beta, see `betas_in`; for curves of one share of poison alone.

        Returns
        -------
        BackdoorLearningCurveDisplay
            Itself.
        """
        _require_known(quantity)
        require_curves(self.curves)
        rows = _rows_of([curve for group in self.curves.values() for curve in group], second_axis)
        self.ax_ = axes_to_draw_on(ax, getattr(self, "ax_", None))
        self.figure_ = self.ax_.figure
        self.lines_ = []
        for hue, (name, group) in zip(hues(len(self.curves)), self.curves.items(), strict=True):
            rates = sorted({curve.info.rate for curve in group})
            for rank, rate in enumerate(rates):
                seeds = [curve for curve in group if curve.info.rate == rate]
                label = ", ".join(filter(None, [name, f"p = {rate:.3g}"]))
                self._draw(seeds, quantity, shade(hue, rank, len(rates)), label)
        if self.control:
            self._draw_one(self.control, "triggered", quantity, NEUTRAL, ":", "the same rows without the trigger")
        self._dress(quantity)
        if second_axis is not None:
            self._add_second_axis(second_axis, rows)
        return self

    def _add_second_axis(self, convention: Convention, rows: tuple[int, int]) -> None:
        """Add an axis above, on which beta is read in another convention."""
        above = self.ax_.secondary_xaxis(
            "top",
            functions=(
                lambda betas: betas_in(convention, np.maximum(betas, 0.0), *rows),
                lambda values: betas_from(convention, np.clip(values, 0.0, BELOW_ONE), *rows),
            ),
        )
        above.set_xlabel(SECOND_AXES[convention].format(p=rows[1] / sum(rows)), fontsize="small")

    def _draw(self, seeds: Sequence[BackdoorLearningCurve], quantity: Quantity, color: Any, label: str) -> None:
        self._draw_one(seeds, "triggered", quantity, color, "-", label)
        self._draw_one(seeds, "clean", quantity, color, "--", None)

    def _draw_one(
        self,
        seeds: Sequence[BackdoorLearningCurve],
        split: Literal["triggered", "clean"],
        quantity: Quantity,
        color: Any,
        linestyle: str,
        label: str | None,
    ) -> None:
        seeds = [one for curve in seeds for one in curve.seeds]
        are_networks = all(curve.method == "network" for curve in seeds)
        betas = betas_between(seeds) if are_networks else drawn_betas(seeds)
        values = np.stack([getattr(curve, quantity)(split, betas) for curve in seeds])
        marker = None if are_networks or all(curve.exact for curve in seeds) else "."
        (line,) = self.ax_.plot(
            betas,
            values.mean(axis=0),
            color=color,
            linestyle=linestyle,
            linewidth=1.6,
            label=label,
            marker=marker,
            markersize=4,
        )
        if len(seeds) > 1:
            self.ax_.fill_between(betas, values.min(axis=0), values.max(axis=0), color=color, alpha=0.13, linewidth=0)
        if are_networks:
            self._mark_nodes(seeds, split, quantity, color)
        self.lines_.append(line)

    def _mark_nodes(
        self,
        seeds: Sequence[BackdoorLearningCurve],
        split: Literal["triggered", "clean"],
        quantity: Quantity,
        color: Any,
    ) -> None:
        """Draw dots where networks were trained, and through those of a loss a short stroke with its slope."""
        betas = seeds[0].betas
        values = np.mean([getattr(curve, quantity)(split, betas) for curve in seeds], axis=0)
        self.ax_.plot(betas, values, ".", color=color, markersize=5)
        if quantity == "loss":
            slopes = np.mean([curve.slope(betas, split) for curve in seeds], axis=0)
            gaps = np.diff(betas)
            half = STROKE * np.minimum(np.append(gaps, gaps[-1]), np.append(gaps[0], gaps))
            ends = np.stack([betas - half, betas + half]), np.stack([values - half * slopes, values + half * slopes])
            self.ax_.plot(*ends, color=color, linewidth=2.4, alpha=0.6, solid_capstyle="round")

    def _dress(self, quantity: Quantity) -> None:
        infos = [curve.info for group in self.curves.values() for curve in group]
        losses, is_weighted = {info.loss for info in infos}, any(info.weighted_test for info in infos)
        kind = losses.pop() if len(losses) == 1 else "own"
        loss = "mean loss, each learner's own" if kind == "own" else f"mean {kind} loss"
        names = {"loss": loss, "accuracy": "share of test rows"}
        ylabel = f"weighted {names[quantity]}" if is_weighted else names[quantity]
        weighted = "the source's rows" if self.of_source else "the poison rows"
        self.ax_.set(xlabel=f"β, weight of {weighted}", ylabel=ylabel, xlim=(0, 1))
        # Zero is in sight and at the edge, by autoscaling so that axes which share their limits stay in step.
        self.ax_.update_datalim([(0, 0), (0, 1 if quantity == "accuracy" else 0)])
        self.lines_[0].sticky_edges.y.append(0.0)
        self.ax_.autoscale_view(scalex=False)
        self.ax_.spines[["top", "right"]].set_visible(False)
        solid, dashed = (NAMES_OF_SOURCE if self.of_source else NAMES)[quantity]
        style = [
            Line2D([], [], color=NEUTRAL, linestyle="-", label=solid),
            Line2D([], [], color=NEUTRAL, linestyle="--", label=dashed),
        ]
        labelled = [line for line in self.lines_ if not str(line.get_label()).startswith("_")]
        self.ax_.legend(handles=labelled + style, fontsize="small", frameon=False)


def _require_known(quantity: str) -> None:
    if quantity not in NAMES:
        raise ValueError(f'quantity: "loss" or "accuracy" was expected, {quantity!r} came')


def _rows_of(curves: Sequence[BackdoorLearningCurve], second_axis: Convention | None) -> tuple[int, int]:
    """Return the clean and the poison rows of curves; where a second axis is asked for they must have one share."""
    if second_axis not in (None, *CONVENTIONS):
        raise ValueError(f'second_axis: None, "parts" or "mixture" was expected, {second_axis!r} came')
    rows = {(curve.info.n_clean, curve.info.n_poison) for curve in curves}
    if second_axis is not None and len({poison / clean for clean, poison in rows}) > 1:
        raise ValueError(
            f"second_axis: curves of one share of poison were expected, of {sorted(rows)} clean and poison rows they "
            "came; draw each rate alone"
        )
    return min(rows)
