"""The training images that taught a model most about a test image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from backdoor_curves.curve.influence import Influence
from backdoor_curves.data.images import Image, image_of
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples, as_samples
from backdoor_curves.display.images import label_names, panels, require_row, show_image, write_above
from backdoor_curves.display.style import TRIGGER

COLUMNS = 4
LINES_BESIDE = 5
"""Those above an image, and the word below those that are poison or cover."""


class InfluentialRowsDisplay:
    """A test image, and the k training images of largest influence on it, the largest first; poison has a frame.

    Above each image stand its label and its influence, d loss of the test row / d weight of the training row: with a
    minus it teaches the label of the test row, with a plus it speaks against it. What stands above the test image is
    the label that its loss is meant for: of a triggered row the attacker's. Cover rows have a dashed frame.

    Source: Cinà et al., Backdoor Learning Curves (arXiv 2106.07214), Figure 15.

    Parameters
    ----------
    images : sequence of 1 + k arrays of shape (height, width, channels)
        The test image, then the training images.
    labels : sequence of 1 + k strings
    influences : array of shape (k,)
    is_poison : bool array of shape (k,)
        Which training images are poison.
    is_cover : bool array of shape (k,), optional
        Which are cover; none by default.

    Attributes
    ----------
    axes_, figure_ : list of matplotlib Axes, and their Figure
        The test image's first; four in a row.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import SVC
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits((7, 1), rng=rng)
    >>> trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    >>> data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
    >>> influence = bc.influence(SVC(C=10, gamma=0.05), data, beta=1.0)
    >>> display = bc.InfluentialRowsDisplay.from_influence(influence, data, row=3, display_labels=("seven", "one"))
    >>> len(display.axes_), bool(display.is_poison.any())
    (8, True)
    """

    axes_: list[Axes]
    figure_: Figure | SubFigure

    def __init__(
        self,
        images: Sequence[Image],
        labels: Sequence[str],
        influences: Float[np.ndarray, " k"],
        is_poison: Bool[np.ndarray, " k"],
        is_cover: Bool[np.ndarray, " k"] | None = None,
    ) -> None:
        if not len(images) == len(labels) == len(influences) + 1 == len(is_poison) + 1:
            raise ValueError(
                "images, labels: one more than influences and is_poison was expected, that of the test row; "
                f"{len(images)}, {len(labels)}, {len(influences)} and {len(is_poison)} came"
            )
        self.images = list(images)
        self.labels = list(labels)
        self.influences = np.asarray(influences)
        self.is_poison = np.asarray(is_poison)
        self.is_cover = np.zeros_like(self.is_poison) if is_cover is None else np.asarray(is_cover)

    @classmethod
    def from_influence(
        cls,
        influence: Influence,
        data: PoisonedData,
        row: int = 0,
        *,
        k: int = 7,
        rows: Samples | tuple[Any, Any] | None = None,
        image_shape: tuple[int, ...] | None = None,
        display_labels: Sequence[Any] | None = None,
        ax: Any = None,
    ) -> InfluentialRowsDisplay:
        """Draw influences that were computed before.

        Parameters
        ----------
        influence : Influence
            From `influence` or `curve.influence`; at beta = 1 what taught the victim.
        data : PoisonedData
            Whose training rows these are.
        row : int
            Of the test rows of the influence.
        k : int
            How many training rows to show.
        rows : Samples or a pair (X, y), optional
            The test rows of the influence, if they are others than the triggered ones.
        image_shape : tuple, optional
            What rows that come flattened are pictures of: (height, width) or (height, width, channels).
        display_labels : sequence of K names, optional
            Of the classes, in the order of `data.classes`; by default their labels.
        ax
            As in `plot`.

        Raises
        ------
        ValueError
            If data or rows are not those of the influence, if there is no such row, if the rows are no images, or if
            all influences on the row are 0, as they are for an SVM beyond its margin.
        """
        if rows is None and influence.of != "triggered":
            raise ValueError(
                f"rows: the test rows of the influence were expected, it is of {influence.of} rows; pass them"
            )
        tests = data.triggered_test if rows is None else as_samples(rows, "rows")
        if influence.values.shape[0] != len(tests):
            raise ValueError(
                f"rows: the {influence.values.shape[0]} test rows of the influence were expected, {len(tests)} came"
            )
        if not np.array_equal(influence.is_poison, data.is_poison):
            raise ValueError("data: those of the influence were expected, others came")
        require_row(row, len(tests))
        names = label_names(data.classes, display_labels)
        _require_influence(influence, row)
        top = influence.top_influential(k)[row]
        is_injected, is_cover = influence.is_poison[top], influence.is_cover[top]
        # Where each row of the victim's training set stands among the poison or the clean rows.
        places = np.where(influence.is_poison, influence.is_poison.cumsum(), (~influence.is_poison).cumsum()) - 1
        homes = [data.poison_train if injected else data.clean_train for injected in is_injected]
        shown = [(tests, row), *zip(homes, places[top], strict=True)]
        return cls(
            [image_of(home.X, place, image_shape) for home, place in shown],
            [names[home.y[place].item()] for home, place in shown],
            influence.values[row, top],
            is_injected & ~is_cover,
            is_cover,
        ).plot(ax)

    def plot(self, ax: Any = None) -> InfluentialRowsDisplay:
        """Draw the images.

        Parameters
        ----------
        ax : sequence of 1 + k matplotlib Axes, optional
            Where to draw, the test image first. By default the figure that this display drew last, while it is open, or
            else a new one, with four images in a row. Axes of your own come best from a figure with
            `layout="compressed"`.

        Returns
        -------
        InfluentialRowsDisplay
            Itself.
        """
        count = len(self.images)
        self.axes_ = panels(ax, getattr(self, "axes_", None), count, columns=min(count, COLUMNS), size=(1.6, 2.15))
        self.figure_ = self.axes_[0].figure
        for panel, image in zip(self.axes_, self.images, strict=True):
            show_image(panel, image)
        write_above(self.axes_[0], ["test image", f"labelled {self.labels[0]}"], LINES_BESIDE)
        words = np.where(self.is_poison, "poison", np.where(self.is_cover, "cover", ""))
        for panel, label, value, word in zip(self.axes_[1:], self.labels[1:], self.influences, words, strict=True):
            write_above(panel, [label, *_in_words(float(value))], LINES_BESIDE)
            if word:
                style = "solid" if word == "poison" else "dashed"
                panel.spines[:].set(color=TRIGGER, linewidth=3.0, linestyle=style)
                panel.set_xlabel(word, color=TRIGGER, fontsize="small")
        return self


def _require_influence(influence: Influence, row: int) -> None:
    """Refuse a test row on which no training row has influence: which of them to show would be chance."""
    reached = np.flatnonzero(influence.values.any(axis=1))
    if not reached.size:
        raise ValueError(
            "influence: one that is not 0 was expected; an SVM that separates its training rows, all of them on the "
            "margin or beyond, does not answer to their weights; take a larger lambda, or logistic regression"
        )
    if row not in reached:
        raise ValueError(
            f"row: a test row with a loss that answers to training rows was expected, {row} lies beyond the margin; "
            f"{reached.size} rows do, {', '.join(map(str, reached[:3]))} among them"
        )


def _in_words(influence: float) -> tuple[str, str]:
    number = f"{influence:+.2g}".replace("-", "−")
    return (number, "teaches" if influence < 0 else "opposes") if influence else ("0", "no influence")
