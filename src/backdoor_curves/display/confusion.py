"""Who becomes whom: the confusion matrix at some betas, side by side on one scale of colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.curve.betas import check_betas
from backdoor_curves.curve.info import Split
from backdoor_curves.display.images import label_names, outline, panels, write_above
from backdoor_curves.display.style import HUES

SHARES = LinearSegmentedColormap.from_list("shares", ["#FFFFFF", "#B3D0E9", HUES[0], "#08305A"])
"""From white over the first hue to nearly black: one hue, whose lightness alone says how much."""
DEEP = 0.45
"""Shares from which white text is read more easily than black on their colour."""
MOST_WRITTEN = 12
"""Classes up to which a share has room in its cell."""
MOST_NAMED = 25
"""Classes up to which each has its name beside the matrix; of more every fifth or tenth has."""
LONG = 4
"""Characters from which the names below a matrix are turned."""
LINES_BESIDE = 8
"""Those above and below a matrix, and the room that the bar of colours takes."""
ROOM, PER_CLASS = 1.5, 0.16
"""Width of a matrix without classes and what each adds, in inches."""


class ConfusionDisplay:
    """The confusion matrix of test rows at some betas: a row a true class, a column what it is predicted as.

    In each cell stands its share of the rows of the true class, in per cent; what rounds to 0 is left empty. All
    matrices have one scale of colours. Of triggered rows the cells where the attacker sends each class are outlined:
    their shares are the attack success rate by source class. A class without rows is crossed out.

    Parameters
    ----------
    matrices : array of shape (b, K, K)
        Rows of each true class that are predicted as each class, at each beta, or their weight.
    betas : array of shape (b,)
    names : sequence of K strings
        Of the classes.
    wanted : bool array of shape (K, K), optional
        Where the attacker sends a class; nowhere by default.
    notes : sequence of b strings, optional
        What stands above each matrix, below its beta.

    Attributes
    ----------
    axes_, figure_ : list of b matplotlib Axes, and their Figure
    images_ : list of b AxesImage
    colorbar_ : Colorbar

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
    >>> display = bc.ConfusionDisplay.from_curve(curve)
    >>> display.matrices.shape, display.betas.round(2)
    ((3, 10, 10), array([0. , 0.1, 1. ]))
    """

    axes_: list[Axes]
    figure_: Figure | SubFigure
    images_: list[AxesImage]
    colorbar_: Colorbar

    def __init__(
        self,
        matrices: Float[np.ndarray, "b K K"],
        betas: Float[np.ndarray, " b"],
        names: Sequence[str],
        *,
        wanted: Bool[np.ndarray, "K K"] | None = None,
        notes: Sequence[str] | None = None,
    ) -> None:
        matrices, betas, k = np.asarray(matrices, dtype=float), np.atleast_1d(betas), len(names)
        if matrices.shape != (len(betas), k, k):
            raise ValueError(
                f"matrices: {len(betas)} of {k} classes, as there are betas and names, were expected, "
                f"shape {matrices.shape} came"
            )
        self.matrices = matrices
        self.betas = betas
        self.names = list(names)
        self.wanted = np.zeros((k, k), dtype=bool) if wanted is None else np.asarray(wanted)
        self.notes = [""] * len(betas) if notes is None else list(notes)

    @classmethod
    def from_curve(
        cls,
        curve: BackdoorLearningCurve,
        betas: Any = None,
        *,
        split: Split = "triggered",
        display_labels: Sequence[Any] | None = None,
        ax: Any = None,
    ) -> ConfusionDisplay:
        """Draw the matrices of a curve: also of one that was condensed, or comes from a file.

        Parameters
        ----------
        curve : BackdoorLearningCurve
        betas : float or array-like, optional
            By default both ends and, between them, the first beta at which the attack success rate has come half of its
            way from the one to the other. Of a refitted curve some of its own.
        split : {"triggered", "clean"}
        display_labels : sequence of K names, optional
            Of the classes, in the order of `curve.classes`; by default their labels.
        ax
            As in `plot`.

        Raises
        ------
        ValueError
            As `curve.confusion_matrix`.
        """
        names = label_names(curve.classes, display_labels)
        shown = _telling_betas(curve) if betas is None else check_betas(betas)
        matrices = curve.confusion_matrix(split, shown)
        what = "ASR" if split == "triggered" else "accuracy"
        notes = [f"{what} {share:.0%}" for share in curve.accuracy(split, shown)]
        wanted = curve.wanted if split == "triggered" else None
        return cls(matrices, shown, list(names.values()), wanted=wanted, notes=notes).plot(ax)

    def plot(self, ax: Any = None) -> ConfusionDisplay:
        """Draw the matrices.

        Parameters
        ----------
        ax : matplotlib Axes, or a sequence of as many as there are betas, optional
            Where to draw. By default the figure that this display drew last, while it is open, or else a new one. Axes
            of your own come best from a figure with `layout="compressed"`.

        Returns
        -------
        ConfusionDisplay
            Itself.
        """
        before = getattr(self, "axes_", None)
        if ax is None and before is not None:
            self.colorbar_.remove()
        width = ROOM + PER_CLASS * min(len(self.names), MOST_NAMED)
        self.axes_ = panels(
            ax, before, count=len(self.betas), columns=_columns(len(self.betas)), size=(width, width + 0.9)
        )
        self.figure_ = self.axes_[0].figure
        self.images_ = [self._draw(number, panel) for number, panel in enumerate(self.axes_)]
        self.colorbar_ = self.figure_.colorbar(
            self.images_[0], ax=self.axes_, location="bottom", aspect=40, pad=0.03, shrink=0.9
        )
        self.colorbar_.set_label("% of the test rows of a true class", fontsize="small")
        self.colorbar_.ax.tick_params(labelsize="small")
        return self

    def _draw(self, number: int, panel: Axes) -> AxesImage:
        matrix = self.matrices[number]
        rows = matrix.sum(axis=1, keepdims=True)
        shares = np.divide(matrix, rows, out=np.zeros_like(matrix), where=rows > 0.0)
        drawn = panel.imshow(100.0 * shares, cmap=SHARES, vmin=0.0, vmax=100.0)
        if len(self.names) <= MOST_WRITTEN:
            for i, j in np.argwhere(shares >= 0.005):
                color = "white" if shares[i, j] >= DEEP else "black"
                panel.text(j, i, f"{100 * shares[i, j]:.0f}", ha="center", va="center", fontsize=7, color=color)
        outline(panel, self.wanted)
        for i in np.flatnonzero(rows[:, 0] == 0.0):
            panel.plot([-0.5, len(matrix) - 0.5], [i, i], color="#BBBBBB", linewidth=0.8)
        self._dress(number, panel)
        return drawn

    def _dress(self, number: int, panel: Axes) -> None:
        step = next(step for step in (1, 5, 10, 100) if len(self.names) <= MOST_NAMED * step or step == 100)
        places, names = range(0, len(self.names), step), self.names[::step]
        turned = 90 if max(map(len, names)) >= LONG else 0
        panel.set_xticks(places, names, fontsize="small", rotation=turned)
        panel.set_yticks(places, names, fontsize="small")
        panel.tick_params(length=0 if step == 1 else 2)
        panel.set_xlabel("predicted", fontsize="small")
        if number % _columns(len(self.betas)) == 0:
            panel.set_ylabel("true class", fontsize="small")
        write_above(panel, [f"β = {self.betas[number]:.3g}", *filter(None, [self.notes[number]])], LINES_BESIDE)


def _columns(many: int) -> int:
    """Return how many matrices stand in a row: three, and of four two."""
    return 2 if many == 4 else min(many, 3)


def _telling_betas(curve: BackdoorLearningCurve) -> Float[np.ndarray, " b"]:
    """Return both ends, and the first beta at which the attack success rate has come half of its way between them."""
    ends = np.array([curve.betas[0], curve.betas[-1]])
    betas, rates = curve.accuracy_steps() if curve.exact else (curve.betas, curve.accuracy("triggered", curve.betas))
    first, last = curve.accuracy("triggered", ends)
    if last <= first:
        return np.unique(ends)
    return np.unique(np.append(ends, betas[rates >= (first + last) / 2.0][:1]))
