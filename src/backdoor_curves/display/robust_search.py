"""A robust search as a picture: every setting by its worst attack success rate and its score, the front, the choice."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from backdoor_curves.display.style import HUES, NEUTRAL, axes_to_draw_on, legend_below


class RobustSearchDisplay:
    """The settings of a search: test score without poison over the worst attack success rate.

    Filled: safe. The line joins the front, the settings that no other one beats in both; the ring is the setting taken;
    the dotted line is the bound.

    Parameters
    ----------
    asr, scores : arrays of shape (s,)
        Of each setting.
    safe : bool array of shape (s,)
    front : int array of shape (f,)
        From the most accurate to the least attacked.
    chosen : int
    bound : float, optional

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    marks_ : PathCollection
        All settings.
    front_ : Line2D

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> rng = np.random.default_rng(0)
    >>> train, _ = bc.datasets.digits((4, 9), rng=rng)
    >>> patch = bc.Attack(bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng), name="patch")
    >>> search = bc.RobustSearchCV(
    ...     RidgeClassifier(), {"alpha": [1.0, 100.0]}, attacks=patch, rates=0.1, cv=2, image_shape=(8, 8, 1),
    ...     on_none="least", asr=1.0, random_state=0).fit(train.X.reshape(len(train), -1), train.y)
    >>> display = bc.RobustSearchDisplay.from_search(search)
    >>> len(display.marks_.get_offsets())
    2
    """

    ax_: Axes
    figure_: Figure | SubFigure
    marks_: PathCollection
    front_: Line2D

    def __init__(
        self,
        asr: Float[np.ndarray, " s"],
        scores: Float[np.ndarray, " s"],
        safe: Bool[np.ndarray, " s"],
        front: Int[np.ndarray, " f"],
        chosen: int,
        bound: float | None = None,
    ) -> None:
        self.asr, self.scores, self.safe = asr, scores, safe
        self.front, self.chosen, self.bound = front, chosen, bound

    @classmethod
    def from_search(cls, search: Any, *, ax: Axes | None = None) -> RobustSearchDisplay:
        """Draw a fitted `RobustSearchCV`.

        Parameters
        ----------
        search : RobustSearchCV
        ax : matplotlib Axes, optional
            As in `plot`.

        Raises
        ------
        ValueError
            If it is not fitted.
        """
        if not hasattr(search, "pareto_front_"):
            raise ValueError(f"search: a fitted RobustSearchCV was expected, {type(search).__name__} came without")
        results = search.cv_results_
        metric = search.refit if f"mean_test_{search.refit}" in results else "score"
        front = np.array([point.index for point in search.pareto_front_])
        scores = results[f"mean_test_{metric}"]
        display = cls(results["worst_asr"], scores, results["is_safe"], front, search.best_index_, search.asr)
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> RobustSearchDisplay:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. By default the figure that this display drew last, while it is open, or else a new one.

        Returns
        -------
        RobustSearchDisplay
            Itself.
        """
        self.ax_ = ax = axes_to_draw_on(ax, getattr(self, "ax_", None))
        self.figure_ = ax.figure
        x, y, front = 100.0 * self.asr, self.scores, self.front
        faces = np.where(self.safe, HUES[0], "none").tolist()
        self.marks_ = ax.scatter(x, y, s=28.0, facecolors=faces, edgecolors=HUES[0], zorder=3)
        (self.front_,) = ax.plot(x[front], y[front], color=NEUTRAL, linewidth=1.0, zorder=2, label="front")
        (taken,) = ax.plot(
            x[self.chosen], y[self.chosen], "o", ms=12, mfc="none", mec=HUES[1], ls="none", zorder=4, label="taken"
        )
        marks = [
            Line2D([], [], marker="o", ls="none", color=HUES[0], label="safe"),
            Line2D([], [], marker="o", ls="none", mfc="none", mec=HUES[0], label="not safe"),
            self.front_,
            taken,
        ]
        if self.bound is not None:
            marks.append(ax.axvline(100.0 * self.bound, color=NEUTRAL, linestyle=":", label="bound"))
        ax.set_xlabel("worst attack success rate (%)")
        ax.set_ylabel("test score without poison")
        ax.set_xlim(-3.0, 103.0)
        legend_below(ax, marks)
        return self
