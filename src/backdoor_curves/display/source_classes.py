"""Which class falls first: where the triggered rows of each class go over beta, a strip a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.display.images import label_names
from backdoor_curves.display.style import HUES, NEUTRAL, axes_to_draw_on, drawn_betas, is_open, legend_below, shade

GONE, ELSEWHERE = shade(HUES[0], 1, 3), shade(HUES[1], 0, 2)
"""Of rows that went to the attacker's class, and to a third."""
HEIGHT = 0.84
"""Of a strip in which all rows went over; what is left of 1 is the way to the next."""
PER_CLASS, MOST = 0.34, 12.0
"""Height of a strip in a new figure, and the most that all have, in inches: a hundred have a line of text each."""
AROUND = 1.5
"""Height of a new figure without strips, in inches: the axis, the legend below it, and what stands above."""


class SourceClassDisplay:
    """Shares of the triggered rows of each true class over beta, a strip a class, the class that falls first on top.

    The dark area grows from the bottom of a strip: rows that are predicted as the attacker wants, the attack success
    rate of the class. The light one hangs from its top: rows that go elsewhere, to neither the attacker's class nor
    their own. What is white between them keeps its class. A strip is as high as all rows of its class. A mark stands at
    the half-ASR beta, the first at which the attacker has half of the class, and its value on the right. Refits have
    dots at the betas that were fitted, and on the right the first of these at which he has half: an upper bound.

    Parameters
    ----------
    betas : array of shape (b,)
    attacker, elsewhere : arrays of shape (b, k)
        The shares of the rows of each class.
    half_asr_betas : array of shape (k,)
        NaN: never.
    names : sequence of k strings
        Of the classes.
    exact : bool
        Whether they are known at every beta; else at these.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    order_ : int array of shape (k,)
        The places of the classes from top to bottom.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import SVC
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits("all", rng=rng)
    >>> trigger = bc.PatchTrigger.random(size=3, n_classes=10, channels=1, rng=rng)
    >>> data = bc.poison(train, test, trigger=trigger, rate=0.1, labels="next", rng=rng)
    >>> curve = bc.backdoor_learning_curve(SVC(C=10, gamma=0.05), data)
    >>> display = bc.SourceClassDisplay.from_curve(curve)
    >>> display.names[display.order_[0]], round(float(display.half_asr_betas.min()), 3)
    ('7', 0.054)
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(
        self,
        betas: Float[np.ndarray, " b"],
        attacker: Float[np.ndarray, "b k"],
        elsewhere: Float[np.ndarray, "b k"],
        half_asr_betas: Float[np.ndarray, " k"],
        names: Sequence[str],
        *,
        exact: bool = True,
    ) -> None:
        self.betas, self.attacker, self.elsewhere = map(np.asarray, (betas, attacker, elsewhere))
        self.half_asr_betas = np.asarray(half_asr_betas, dtype=float)
        self.names = list(names)
        self.exact = exact
        expected = (len(self.betas), len(self.names))
        if not self.attacker.shape == self.elsewhere.shape == expected:
            raise ValueError(
                f"attacker, elsewhere: a share for each beta and class, {expected}, was expected, "
                f"{self.attacker.shape} and {self.elsewhere.shape} came"
            )
        # Of those that never come to a half the one with the largest share is next.
        falls = np.where(np.isnan(self.half_asr_betas), np.inf, self.half_asr_betas)
        self.order_ = np.lexsort((-self.attacker[-1], falls))

    @classmethod
    def from_curve(
        cls, curve: BackdoorLearningCurve, *, display_labels: Sequence[Any] | None = None, ax: Axes | None = None
    ) -> SourceClassDisplay:
        """Draw the classes of a curve that have triggered rows; also of one that was condensed, or comes from a file.

        Parameters
        ----------
        curve : BackdoorLearningCurve
        display_labels : sequence of K names, optional
            Of the classes, in the order of `curve.classes`; by default their labels.
        ax
            As in `plot`.

        Raises
        ------
        ValueError
            If the true classes of the triggered rows are not known.
        """
        names = label_names(curve.classes, display_labels)
        betas = drawn_betas([curve])
        found = curve.outcomes(betas)
        attacker, elsewhere = found.by_class[..., 0], found.by_class[..., 2]
        if curve.exact:
            halves = curve.half_asr_betas[np.isin(curve.classes, found.classes)]
        else:
            reached = attacker >= 0.5
            halves = np.where(reached.any(axis=0), betas[reached.argmax(axis=0)], np.nan)
        shown = [names[label] for label in found.classes.tolist()]
        return cls(betas, attacker, elsewhere, halves, shown, exact=curve.exact).plot(ax)

    def plot(self, ax: Axes | None = None) -> SourceClassDisplay:
        """Draw the strips.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. By default the figure that this display drew last, while it is open, or else a new one.

        Returns
        -------
        SourceClassDisplay
            Itself.
        """
        before = getattr(self, "ax_", None)
        if ax is None and (before is None or not is_open(before)):
            size = plt.rcParams["figure.figsize"][0], AROUND + min(PER_CLASS * len(self.names), MOST)
            ax = plt.subplots(figsize=size, layout="constrained")[1]
        self.ax_ = axes_to_draw_on(ax, before)
        self.figure_ = self.ax_.figure
        for strip, number in enumerate(self.order_):
            self._draw(strip, number)
        self._dress()
        return self

    def _draw(self, strip: int, number: int) -> None:
        """Draw a class: its strip goes up from the number of the strip, and strips go down."""
        bottom, top = strip + HEIGHT / 2, strip - HEIGHT / 2
        edge = bottom - HEIGHT * self.attacker[:, number]
        hanging = top + HEIGHT * self.elsewhere[:, number]
        self.ax_.fill_between(self.betas, bottom, edge, color=GONE, linewidth=0)
        self.ax_.fill_between(self.betas, top, hanging, color=ELSEWHERE, linewidth=0)
        marker = None if self.exact else "."
        self.ax_.plot(self.betas, edge, color=HUES[0], linewidth=1.2, marker=marker, markersize=4)
        self.ax_.plot([0.0, 1.0], [bottom, bottom], color="#999999", linewidth=0.6, zorder=1)
        half = self.half_asr_betas[number]
        if self.exact and not np.isnan(half):
            self.ax_.plot([half], [strip], marker="D", markersize=4.5, color="black", linestyle="none", clip_on=False)
        said = "never" if np.isnan(half) else f"{half:.3g}" if self.exact else f"≤ {half:.3g}"
        self.ax_.text(1.015, strip, said, va="center", fontsize="small", transform=self.ax_.get_yaxis_transform())

    def _dress(self) -> None:
        strips = len(self.names)
        self.ax_.set_yticks(range(strips), [self.names[number] for number in self.order_], fontsize="small")
        self.ax_.tick_params(axis="y", length=0)
        self.ax_.set(xlabel="β, weight of the poison rows", ylabel="true class", xlim=(0, 1))
        self.ax_.set_ylim(strips - 0.5, -0.5)
        self.ax_.spines[["top", "right", "left"]].set_visible(False)
        self.ax_.text(
            1.015, 1.0, "half-ASR β", va="bottom", fontsize="small", color=NEUTRAL, transform=self.ax_.transAxes
        )
        keys = [Patch(color=GONE, label="to the attacker’s class")]
        if self.elsewhere.any():  # of two classes there is no third
            keys.append(Patch(color=ELSEWHERE, label="to a third class"))
        legend_below(self.ax_, keys)
