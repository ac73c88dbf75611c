"""What the clean and the poisoned model look at, beside what they look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import FuncNorm
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.curve.input_gradient import input_gradient, trigger_mask, trigger_share
from backdoor_curves.data.images import image_of, strongest_channel
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.display.images import (
    label_names,
    outline,
    panels,
    require_row,
    show_image,
    write_above,
)
from backdoor_curves.display.style import DIVERGING
from backdoor_curves.rows import take_rows

TITLES = ("clean, β = 0", "poisoned, β = 1")
LINES_BESIDE = 7
"""Those above an image, and the room that the bar of colours takes."""


class GradientDisplay:
    """The gradient of the decision function at beta = 0, at beta = 1, and the test image with the trigger.

    Both gradients have one symmetric scale of colours, so that they can be compared; it goes with the square root, or
    the pixels of the trigger would leave the others white. The trigger's place is outlined, and its share of each
    gradient's magnitude stands above. Of a colour image the channel of largest magnitude is shown, and the share is
    over all channels.

    Source: Cinà et al., Backdoor Learning Curves (arXiv 2106.07214), Figure 14.

    Parameters
    ----------
    gradients : array of shape (2, height, width) or (2, height, width, channels)
        Of the clean and of the poisoned model, in scores per unit of the input.
    image : array of shape (height, width) or (height, width, channels)
        The test image with the trigger.
    mask : bool array, shaped as the image
        Where the trigger is.
    predicted : two strings, optional
        What each model takes the image for.

    Attributes
    ----------
    axes_, figure_ : list of 3 matplotlib Axes, and their Figure
    images_ : list of 2 AxesImage
        The gradients.
    colorbar_ : Colorbar
    shares_ : array of shape (2,)
        The trigger's share of the magnitude of each gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import SVC
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits((7, 1), rng=rng)
    >>> trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    >>> data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
    >>> curve = bc.backdoor_learning_curve(SVC(C=10, gamma=0.05), data)
    >>> display = bc.GradientDisplay.from_curve(curve, data, row=3, display_labels=("seven", "one"))
    >>> clean, poisoned = display.shares_
    >>> bool(clean < poisoned)
    True
    """

    axes_: list[Axes]
    figure_: Figure | SubFigure
    images_: list[AxesImage]
    colorbar_: Colorbar

    def __init__(
        self,
        gradients: Float[np.ndarray, "2 ..."],
        image: Float[np.ndarray, ...],
        mask: Bool[np.ndarray, ...],
        *,
        predicted: Sequence[str] | None = None,
    ) -> None:
        gradients, image, mask = np.asarray(gradients, dtype=float), np.asarray(image), np.asarray(mask)
        if gradients.shape != (2, *image.shape):
            raise ValueError(
                f"gradients: two of the shape of the image, {(2, *image.shape)}, were expected, {gradients.shape} came"
            )
        self.shares_ = trigger_share(gradients, mask)
        self.gradients = np.stack([image_of(gradients, i) for i in range(2)])
        self.image = image_of(image[np.newaxis], 0)
        self.mask = image_of(mask[np.newaxis], 0).max(axis=2) > 0.0
        self.predicted = predicted

    @classmethod
    def from_curve(
        cls,
        curve: BackdoorLearningCurve,
        data: PoisonedData,
        row: int = 0,
        *,
        mask: Bool[np.ndarray, ...] | None = None,
        image_shape: tuple[int, ...] | None = None,
        display_labels: Sequence[Any] | None = None,
        ax: Any = None,
    ) -> GradientDisplay:
        """Compute the gradients at both ends of a curve and draw them.

        Each is that of the class which the model predicts: what has its colour of positive speaks for that class.

        Parameters
        ----------
        curve : BackdoorLearningCurve
            As it was computed; one from a file has no model any more.
        data : PoisonedData
            That of the curve.
        row : int
            Of the triggered test rows.
        mask : bool array, shaped as one row, optional
            Where the trigger is; by default what it changed in the poisoned rows, see `trigger_mask`.
        image_shape : tuple, optional
            What rows that come flattened are pictures of: (height, width) or (height, width, channels).
        display_labels : sequence of K names, optional
            Of the classes, in the order of `curve.classes`; by default their labels.
        ax
            As in `plot`.

        Raises
        ------
        ValueError
            If the rows are no images, if the data are not those of the curve, if there is no such row, or as
            `input_gradient` and `trigger_mask`.
        """
        rows = data.triggered_test
        if not np.array_equal(curve.classes[curve.triggered.y], rows.y):
            raise ValueError("data: those of the curve were expected, others came")
        require_row(row, len(rows))
        image = image_of(rows.X, row, image_shape)
        names = label_names(curve.classes, display_labels)
        X = take_rows(rows.X, np.array([row]))
        mask = trigger_mask(data) if mask is None else np.asarray(mask)
        where = image_of(mask[np.newaxis], 0, image_shape) > 0.0
        both = [input_gradient(curve, X, beta, of="predicted") for beta in (0.0, 1.0)]
        gradients = np.stack([image_of(G, 0, image_shape) for G in both])
        predicted = [names[label] for label in curve.predictions("triggered", [0.0, 1.0])[:, row].tolist()]
        return cls(gradients, image, where, predicted=predicted).plot(ax)

    def plot(self, ax: Any = None) -> GradientDisplay:
        """Draw the three panels.

        Parameters
        ----------
        ax : sequence of 3 matplotlib Axes, optional
            Where to draw. By default the figure that this display drew last, while it is open, or else a new one. Axes
            of your own come best from a figure with `layout="compressed"`.

        Returns
        -------
        GradientDisplay
            Itself.
        """
        before = getattr(self, "axes_", None)
        if ax is None and before is not None:
            self.colorbar_.remove()
        self.axes_ = panels(ax, before, count=3, columns=3, size=(2.1, 3.0))
        self.figure_ = self.axes_[0].figure
        # Where both models are flat any scale serves.
        largest = float(np.abs(self.gradients).max()) or 1.0
        self.images_ = [self._draw_gradient(i, largest) for i in range(2)]
        show_image(self.axes_[2], self.image)
        write_above(self.axes_[2], ["test image", "with the trigger"], LINES_BESIDE)
        for panel in self.axes_:
            outline(panel, self.mask)
        self.colorbar_ = self.figure_.colorbar(
            self.images_[0], ax=self.axes_[:2], location="bottom", aspect=40, pad=0.03, shrink=0.9
        )
        self.colorbar_.set_ticks(_ticks(largest), labels=[f"{tick:g}".replace("-", "−") for tick in _ticks(largest)])
        self.colorbar_.set_label("d score / d pixel", fontsize="small")
        self.colorbar_.ax.tick_params(labelsize="small")
        return self

    def _draw_gradient(self, i: int, largest: float) -> AxesImage:
        panel = self.axes_[i]
        norm = FuncNorm((_signed_root, _signed_square), vmin=-largest, vmax=largest)
        drawn = panel.imshow(strongest_channel(self.gradients[i]), cmap=DIVERGING, norm=norm)
        panel.set(xticks=[], yticks=[])
        write_above(panel, self._lines_above(i), LINES_BESIDE)
        return drawn

    def _lines_above(self, i: int) -> list[str]:
        share = "no gradient" if np.isnan(self.shares_[i]) else f"{self.shares_[i]:.0%} in trigger"
        return [TITLES[i], *([] if self.predicted is None else [f"predicts {self.predicted[i]}"]), share]


def _signed_root(values: Any) -> Any:
    return np.sign(values) * np.sqrt(np.abs(values))


def _signed_square(roots: Any) -> Any:
    return np.sign(roots) * np.square(roots)


def _ticks(largest: float) -> list[float]:
    """Return five ticks, which the root spaces evenly; the outer ones have one digit."""
    unit = 10.0 ** np.floor(np.log10(largest))
    most = float(np.floor(largest / unit) * unit)
    return [-most, -most / 4.0, 0.0, most / 4.0, most]
