"""The slope at beta = 0 against what becomes of the model at beta = 1: does learning fast mean learning much?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.display.style import (
    NEUTRAL,
    Curves,
    axes_to_draw_on,
    legend_below,
    mean_and_range,
    named,
    ordered_colors,
    require_curves,
    spelled,
)
from backdoor_curves.metrics import theta

SlopeAxis = Literal["theta", "slope"]
LABELS = {"theta": "θ, backdoor learning slope", "slope": "−dL/dβ at β = 0, triggered loss L"}
SMALLEST, LARGEST = 14.0, 70.0
"""Areas of the marks of the smallest and the largest lambda, in square points."""
DECADES_AROUND_ZERO = 6
"""How many decades of each sign an axis has that shows both, at most."""


@dataclass(frozen=True, eq=False)
class SlopePoint:
    """A learner at one lambda and gamma: the slope at beta = 0 and the accuracies at beta = 1, of each seed.

    Parameters
    ----------
    learner : str
    lam : float
    gamma : float or None
    slopes : array of shape (seeds,)
        d triggered loss / d beta at beta = 0.
    attack_success_rates, clean_accuracies : arrays of shape (seeds,)
        Shares in [0, 1], at beta = 1.
    """

    learner: str
    lam: float
    gamma: float | None
    slopes: Float[np.ndarray, " seeds"]
    attack_success_rates: Float[np.ndarray, " seeds"]
    clean_accuracies: Float[np.ndarray, " seeds"]

    def along(self, axis: SlopeAxis) -> Float[np.ndarray, " seeds"]:
        """Return theta, or minus the slope: both grow with the speed at which the backdoor is learned."""
        return np.asarray(theta(self.slopes)) if axis == "theta" else -self.slopes


class SlopeDisplay:
    """The slope at beta = 0 against attack success rate (solid, circles) and clean accuracy (dashed, squares) at 1.

    The curves of one learner and gamma are joined in the order of lambda, which the size of the marks shows; those that
    differ in none of these (seeds) become their mean, with bars from the lowest to the highest. One learner has a
    colour for each gamma; of several each has a hue, darker for a larger gamma.

    Source: Cinà et al., Backdoor Learning Curves (arXiv 2106.07214), Figure 3, with the exact derivative.

    Parameters
    ----------
    points : sequence of SlopePoint

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    lines_ : list of Line2D
        For each learner and gamma, in the order of the legend, the attack success rate, then the clean accuracy.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits("even-odd", rng=rng)
    >>> trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    >>> data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
    >>> curves = [bc.backdoor_learning_curve(RidgeClassifier(alpha), data) for alpha in (1, 10, 100)]
    >>> display = bc.SlopeDisplay.from_curves({"Ridge": curves}, axis="slope")
    >>> slopes = display.lines_[0].get_xdata()
    >>> bool(slopes[0] == -curves[0].slope())
    True
    """

    ax_: Axes
    figure_: Figure | SubFigure
    lines_: list[Line2D]

    def __init__(self, points: Sequence[SlopePoint]) -> None:
        self.points = list(points)

    @classmethod
    def from_curves(
        cls, curves: Curves | Mapping[str, Curves], *, axis: SlopeAxis = "theta", ax: Axes | None = None
    ) -> SlopeDisplay:
        """Draw the slopes and accuracies of curves that were computed before.

        Parameters
        ----------
        curves : BackdoorLearningCurve, sequence of them, or mapping of name to either
            Each name may hold several lambdas, gammas and seeds, of one poison rate.
        axis, ax
            As in `plot`.

        Raises
        ------
        ValueError
            If a curve was refitted, which has no slope; if a name holds several poison rates; if none came.
        """
        groups = named(curves)
        require_curves(groups)
        points = [point for name, group in groups.items() for point in _points(name, group)]
        return cls(points).plot(ax, axis=axis)

    def plot(self, ax: Axes | None = None, *, axis: SlopeAxis = "theta") -> SlopeDisplay:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. By default the figure that this display drew last, while it is open, or else a new one.
        axis : {"theta", "slope"}
            theta of Eq. 4 on a log axis, as published, which has no place for theta <= 0: such curves are left out, and
            the axes say how many. Or minus the slope itself, which does not saturate; where some slopes are not
            negative the axis is linear around 0 and logarithmic beyond.

        Returns
        -------
        SlopeDisplay
            Itself.
        """
        if axis not in LABELS:
            raise ValueError(f'axis: "theta" or "slope" was expected, {axis!r} came')
        if not self.points:
            raise ValueError("points: at least one was expected, none came")
        drawn, note = _drawable(self.points, axis)
        # Colours and sizes are those of all points, so that both axes have the same.
        everything = list(_series(self.points))
        colors = dict(zip(everything, ordered_colors([learner for learner, _ in everything]), strict=True))
        self._sizes = _sizes(self.points)
        series = _series(drawn)
        self.ax_ = axes_to_draw_on(ax, getattr(self, "ax_", None), keys_below=len(series) + 4)
        self.figure_ = self.ax_.figure
        self.lines_ = []
        for key, group in series.items():
            self._draw(group, axis, "attack_success_rates", colors[key], "-", "o")
            self._draw(group, axis, "clean_accuracies", colors[key], "--", "s")
        self._dress(axis, np.concatenate([point.along(axis) for point in drawn]), note)
        return self

    def _draw(
        self,
        group: Sequence[SlopePoint],
        axis: SlopeAxis,
        share: Literal["attack_success_rates", "clean_accuracies"],
        color: Any,
        linestyle: str,
        marker: str,
    ) -> None:
        x = np.array([mean_and_range(point.along(axis)) for point in group])
        y = np.array([mean_and_range(getattr(point, share)) for point in group])
        gamma = None if group[0].gamma is None else spelled("gamma", group[0].gamma)
        label = ", ".join(filter(None, [group[0].learner, gamma]))
        (line,) = self.ax_.plot(x[:, 0], y[:, 0], color=color, linestyle=linestyle, linewidth=1.3, label=label)
        if any(len(point.slopes) > 1 for point in group):
            self.ax_.errorbar(
                x[:, 0], y[:, 0], xerr=x[:, 1:].T, yerr=y[:, 1:].T, fmt="none", ecolor=color, elinewidth=0.8, alpha=0.6
            )
        self.ax_.scatter(
            x[:, 0],
            y[:, 0],
            s=[self._sizes[point.lam] for point in group],
            marker=marker,
            facecolors=color if marker == "o" else "white",
            edgecolors=[color],
            linewidths=1.1,
            zorder=3,
        )
        self.lines_.append(line)

    def _dress(self, axis: SlopeAxis, values: Float[np.ndarray, " n"], note: str) -> None:
        _set_scale(self.ax_, values, most=1.0 if axis == "theta" else np.inf)
        # The note has a strip of its own under the zero, where no point can be; axes that share theirs may need more.
        bottom = min(-0.14 if note else -0.03, self.ax_.get_ylim()[0])
        self.ax_.set(xlabel=LABELS[axis], ylabel="accuracy at β = 1", ylim=(bottom, 1.03))
        self.ax_.set_yticks(np.linspace(0, 1, 6))
        if note:
            place = self.ax_.transAxes
            self.ax_.text(0.02, 0.02, note, transform=place, fontsize="small", color=NEUTRAL, va="bottom")
        self.ax_.spines[["top", "right"]].set_visible(False)
        legend_below(self.ax_, [*self._keys_of_series(), *_keys_of_marks(self._sizes)])

    def _keys_of_series(self) -> list[Line2D]:
        solid = [line for line in self.lines_[::2] if not str(line.get_label()).startswith("_")]
        return [Line2D([], [], color=line.get_color(), linewidth=3, label=str(line.get_label())) for line in solid]


def _points(name: str, group: Sequence[BackdoorLearningCurve]) -> list[SlopePoint]:
    """Return a point for each lambda and gamma, over its seeds."""
    rates = sorted({curve.info.rate for curve in group})
    if len(rates) > 1:
        raise ValueError(
            f"curves: one poison rate a name was expected, {name!r} has {', '.join(f'{rate:g}' for rate in rates)}; "
            "give each rate a name of its own"
        )
    settings: dict[tuple[float, float | None], list[BackdoorLearningCurve]] = {}
    for curve in group:
        if not curve.exact:
            raise ValueError(
                f"curves: exact curves were expected, as they have slopes; {name or curve.info.estimator!r} was "
                "refitted; leave it out (curve.slope_estimate() gives an estimate)"
            )
        given = curve.info.hyperparameters
        settings.setdefault((given["lambda"], given.get("gamma")), []).append(curve)
    return [
        SlopePoint(
            name,
            lam,
            gamma,
            slopes=np.array([curve.slope(0.0) for curve in seeds]),
            attack_success_rates=np.array([curve.accuracy("triggered", 1.0) for curve in seeds]),
            clean_accuracies=np.array([curve.accuracy("clean", 1.0) for curve in seeds]),
        )
        for (lam, gamma), seeds in settings.items()
    ]


def _drawable(points: Sequence[SlopePoint], axis: SlopeAxis) -> tuple[list[SlopePoint], str]:
    """Return the points without the seeds that have no place on the axis, and a note of how many those are."""
    if axis == "slope":
        return list(points), ""
    kept = []
    for point in points:
        stands = point.along(axis) > 0.0
        if stands.any():
            arrays = (point.slopes, point.attack_success_rates, point.clean_accuracies)
            kept.append(SlopePoint(point.learner, point.lam, point.gamma, *(array[stands] for array in arrays)))
    total = sum(len(point.slopes) for point in points)
    left_out = total - sum(len(point.slopes) for point in kept)
    if not kept:
        raise ValueError(
            f'a curve with theta > 0 was expected on its log axis, {total} of {total} have none; pass axis="slope"'
        )
    return kept, f"{left_out} of {total} curves left out: θ ≤ 0" if left_out else ""


def _series(points: Sequence[SlopePoint]) -> dict[tuple[str, float | None], list[SlopePoint]]:
    """Return what is joined: the points of a learner and gamma by lambda; gammas ascend, learners keep their order."""
    learners = list(dict.fromkeys(point.learner for point in points))
    series: dict[tuple[str, float | None], list[SlopePoint]] = {}
    for point in sorted(points, key=lambda point: (learners.index(point.learner), point.gamma or 0.0, point.lam)):
        series.setdefault((point.learner, point.gamma), []).append(point)
    return series


def _sizes(points: Sequence[SlopePoint]) -> dict[float, float]:
    """Return the area of the mark of each lambda, even in its logarithm."""
    lams = np.unique([point.lam for point in points])
    logs = np.log(lams) - np.log(lams[0])
    shares = logs / logs[-1] if len(lams) > 1 else np.full(1, 0.4)
    return dict(zip(lams.tolist(), (SMALLEST + shares * (LARGEST - SMALLEST)).tolist(), strict=True))


def _keys_of_marks(sizes: Mapping[float, float]) -> list[Line2D]:
    keys = [
        Line2D([], [], color=NEUTRAL, linestyle="-", marker="o", label="attack success rate"),
        Line2D([], [], color=NEUTRAL, linestyle="--", marker="s", markerfacecolor="white", label="clean accuracy"),
    ]
    for lam in sorted({min(sizes), max(sizes)}):
        side = np.sqrt(sizes[lam])
        keys.append(
            Line2D([], [], color=NEUTRAL, linestyle="", marker="o", markersize=side, label=spelled("lambda", lam))
        )
    return keys


def _set_scale(ax: Axes, values: Float[np.ndarray, " n"], most: float) -> None:
    """Make the x axis logarithmic, at least a decade long; where some values are not positive, linear around 0."""
    if values.min() <= 0.0:
        _set_scale_of_both_signs(ax, np.abs(values))
        return
    low, high = values.min(), values.max()
    pad = max(1.3, (high / low) ** 0.05)
    longer = max(np.sqrt(10.0 * low / high) / pad, 1.0)
    ax.set_xscale("log")
    ax.set_xlim(low / pad / longer, min(high * longer, most) * pad)
    if high / low < 30.0:  # too short for powers of ten alone
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_locator(LogLocator(subs="all"))
        ax.xaxis.set_minor_formatter(NullFormatter())


def _set_scale_of_both_signs(ax: Axes, sizes: Float[np.ndarray, " n"]) -> None:
    """Make the x axis linear around 0 and logarithmic beyond, with ticks at 0 and at two powers of ten a side."""
    found = sizes[sizes > 0.0] if sizes.any() else np.ones(1)
    lowest, highest = np.floor(np.log10([found.min(), found.max()]))
    lowest = max(lowest, highest - DECADES_AROUND_ZERO)
    ax.set_xscale("symlog", linthresh=10.0**lowest, linscale=0.5)
    powers = 10.0 ** np.array([highest, np.ceil((highest + lowest) / 2.0)])
    ax.set_xticks(np.unique([*-powers, 0.0, *powers]))
    ax.axvline(0.0, color=NEUTRAL, linewidth=0.7, zorder=0)
