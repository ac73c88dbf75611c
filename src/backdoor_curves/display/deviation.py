"""Parameter deviation as a picture: how far and where to the poison moves a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.display.style import (
    NEUTRAL,
    Curves,
    axes_to_draw_on,
    drawn_betas,
    legend_below,
    named,
    ordered_colors,
    require_curves,
    spelled,
)

MARKS = {0.0: "o", 0.1: "^", 0.5: "s", 1.0: "D"}
"""Betas that have a mark, where the curve has them."""
MOST_ON_A_LINEAR_AXIS = 10.0
Setting = tuple[tuple[str, float], ...]


class DeviationDisplay:
    """rho = |w(beta)| over nu = (1 - cos(w(0), w(beta))) / 2: a line a curve, from beta = 0 at nu = 0.

    A line that runs to the right turns away from the clean model, one that rises has to grow to learn the backdoor. The
    legend has the attack success rate at beta = 1. Of several learners each has a hue, darker for each next lambda,
    gamma and poison rate; curves that differ in none of these (seeds) share a colour. Refits have a dot at each beta
    that was fitted. The axis of rho is logarithmic where sizes differ more than tenfold.

    Source: Cinà et al., Backdoor Learning Curves (arXiv 2106.07214), Eq. 5, Figures 12 and 13.

    Parameters
    ----------
    curves : mapping of str to sequence of BackdoorLearningCurve
        By learner.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    lines_ : list of Line2D
        One a curve, in the order of the legend.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits("even-odd", rng=rng)
    >>> trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    >>> data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
    >>> curves = [bc.backdoor_learning_curve(RidgeClassifier(alpha), data) for alpha in (1, 100)]
    >>> display = bc.DeviationDisplay.from_curves({"Ridge": curves})
    >>> len(display.lines_)
    2
    """

    ax_: Axes
    figure_: Figure | SubFigure
    lines_: list[Line2D]

    def __init__(self, curves: Mapping[str, Sequence[BackdoorLearningCurve]]) -> None:
        self.curves = dict(curves)

    @classmethod
    def from_curves(cls, curves: Curves | Mapping[str, Curves], *, ax: Axes | None = None) -> DeviationDisplay:
        """Draw curves that were computed before.

        Parameters
        ----------
        curves : BackdoorLearningCurve, sequence of them, or mapping of name to either
            A sequence may hold several lambdas, gammas, poison rates and seeds.
        ax
            As in `plot`.

        Raises
        ------
        ValueError
            If a learner has no w, as a forest or a refitted SVM of three classes; if no curve came.
        """
        return cls(named(curves)).plot(ax)

    def plot(self, ax: Axes | None = None) -> DeviationDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. By default the figure that this display drew last, while it is open, or else a new one.

        Returns
        -------
        DeviationDisplay
            Itself.
        """
        require_curves(self.curves)
        settings = [(name, *setting) for name, group in self.curves.items() for setting in _settings(group)]
        labels = [_label(name, setting, seeds) for name, setting, seeds in settings]
        for curve in (curve for _, _, seeds in settings for curve in seeds):
            curve.norm(1.0)  # what has none is refused before there is a figure
        self.ax_ = axes_to_draw_on(ax, getattr(self, "ax_", None), keys_below=len(labels) + len(MARKS))
        self.figure_ = self.ax_.figure
        self.lines_, keys = [], []
        colors = ordered_colors([name for name, _, _ in settings])
        for color, label, (_, _, seeds) in zip(colors, labels, settings, strict=True):
            self.lines_ += [self._draw(curve, color, label) for curve in seeds]
            keys.append(Line2D([], [], color=color, linewidth=3, label=label))
        self._dress(keys)
        return self

    def _draw(self, curve: BackdoorLearningCurve, color: Any, label: str) -> Line2D:
        betas = drawn_betas([curve])
        marker = None if curve.exact else "."
        nu, rho = curve.angle(betas), curve.norm(betas)
        (line,) = self.ax_.plot(nu, rho, color=color, linewidth=1.6, marker=marker, label=label)
        marked = [beta for beta in MARKS if curve.exact or beta in curve.betas]
        for beta in marked:
            x, y = curve.angle(beta), curve.norm(beta)
            self.ax_.scatter(x, y, s=34, marker=MARKS[beta], facecolors="white", edgecolors=[color], zorder=3)
        return line

    def _dress(self, keys: Sequence[Line2D]) -> None:
        self.ax_.set(xlabel="ν, how far the weights turned", ylabel="ρ, size of the weights")
        sizes = np.concatenate([np.asarray(line.get_ydata()) for line in self.lines_])
        if sizes.max() > MOST_ON_A_LINEAR_AXIS * sizes.min():
            self.ax_.set_yscale("log")
        else:
            self.ax_.set_ylim(bottom=0.0)
        self.ax_.spines[["top", "right"]].set_visible(False)
        marks = [
            Line2D([], [], linestyle="", marker=mark, color=NEUTRAL, markerfacecolor="white", label=f"β = {beta:g}")
            for beta, mark in MARKS.items()
        ]
        legend_below(self.ax_, [*keys, *marks])


def _settings(group: Sequence[BackdoorLearningCurve]) -> list[tuple[Setting, list[BackdoorLearningCurve]]]:
    """Return the curves by lambda, gamma and rate; of these only what tells them apart is part of the key."""
    all_of = [curve.info.hyperparameters | {"rate": curve.info.rate} for curve in group]
    told = [key for key in ("lambda", "gamma", "rate") if len({given.get(key) for given in all_of}) > 1]
    settings: dict[Setting, list[BackdoorLearningCurve]] = {}
    for curve, given in zip(group, all_of, strict=True):
        settings.setdefault(tuple((key, given[key]) for key in told if key in given), []).append(curve)
    return sorted(settings.items())


def _label(name: str, setting: Setting, seeds: Sequence[BackdoorLearningCurve]) -> str:
    rates = sorted(float(curve.accuracy("triggered", 1.0)) for curve in seeds)
    shown = dict.fromkeys(f"{rate:.2f}" for rate in (rates[0], rates[-1]))
    parts = [name, *(spelled(key, value) for key, value in setting), f"ASR {'–'.join(shown)}"]
    return ", ".join(filter(None, parts))
