"""Where the models of a cell say which class, of data in the plane, beta by beta: kept, since a run has no models."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import contourpy
import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.records.npz import read_fields, write_fields

BETAS = np.array([0.0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
"""Of exact curves; refits are asked at their own."""
CELLS = 46
"""Of the grid along the first feature: on a picture of 340 pixels straight lines between them look smooth."""
ASPECTS = (0.25, 2.0)
"""Height over width of a picture, at least and at most: beyond, one feature would be too flat to be seen."""
MARGIN = 0.15
"""Room around the rows, as a share of their range: some, to see that a region goes on."""
MOST_POINTS = 150
"""Rows of each kind that are kept: more hide each other."""


@dataclass(frozen=True, eq=False)
class DecisionRegions:
    """Where the models of one cell say the second class, and the rows that are drawn there.

    Parameters
    ----------
    low, high : array of shape (2,)
        The edges of the picture, in both features.
    clean : array of shape (n, 2)
        Clean training rows, at most `MOST_POINTS` of each class.
    clean_classes : int array of shape (n,)
        Their class indices.
    poison, triggered : array of shape (m, 2), (t, 2)
        Poison rows, and triggered test rows.
    betas : array of shape (b,)
    corners : array of shape (c, 2)
        The closed outlines of the regions, one after the other, without their first corner again at the end. By the
        even-odd rule: an outline within another is that of a hole.
    starts : int array of shape (o + 1,)
        Where each outline begins in `corners`, and c.
    at : int array of shape (o,)
        Which of the betas each outline is of, ascending.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.study.compute.decision_regions import decision_regions
    >>> from sklearn.linear_model import RidgeClassifier
    >>> rng = np.random.default_rng(0)
    >>> trigger = bc.FeatureTrigger((1,), (1.2,))
    >>> data = bc.poison(*bc.datasets.toy(rng=rng), trigger=trigger, rate=0.1, rng=rng)
    >>> regions = decision_regions(bc.backdoor_learning_curve(RidgeClassifier(), data), data)
    >>> [outline.shape[1] for outline in regions.outlines(0)]  # of a half-plane: one
    [2]
    """

    low: Float[np.ndarray, " 2"]
    high: Float[np.ndarray, " 2"]
    clean: Float[np.ndarray, "n 2"]
    clean_classes: Int[np.ndarray, " n"]
    poison: Float[np.ndarray, "m 2"]
    triggered: Float[np.ndarray, "t 2"]
    betas: Float[np.ndarray, " b"]
    corners: Float[np.ndarray, "c 2"]
    starts: Int[np.ndarray, " outlines_and_1"]
    at: Int[np.ndarray, " outlines"]

    @property
    def aspect(self) -> float:
        """Height over width of the picture: both features have the same scale, but for `ASPECTS`."""
        return _aspect(self.low, self.high)

    def outlines(self, k: int) -> list[Float[np.ndarray, "corners 2"]]:
        """Return the outlines of the region at the k-th beta; none where it is empty."""
        return [self.corners[self.starts[o] : self.starts[o + 1]] for o in np.flatnonzero(self.at == k)]

    def to_bytes(self) -> bytes:
        """Return the bytes of an .npz file."""
        stream = io.BytesIO()
        write_fields(stream, self)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> DecisionRegions:
        """Return the regions that `to_bytes` wrote."""
        return read_fields(cls, io.BytesIO(content))


def in_the_plane(data: PoisonedData) -> bool:
    """Return whether decision regions can be drawn: rows of two numbers, and two classes."""
    X = data.clean_train.X
    return isinstance(X, np.ndarray) and X.shape[1:] == (2,) and len(data.classes) == 2


def decision_regions(curve: BackdoorLearningCurve, data: PoisonedData) -> DecisionRegions:
    """Return the decision regions of a curve as it was computed, on the data in the plane that it was computed on."""
    train = data.clean_train
    poison = data.poison_train.X[~data.is_cover[data.is_poison]]
    clean = np.concatenate([np.flatnonzero(train.y == label)[:MOST_POINTS] for label in data.classes])
    low, high = _edges(np.concatenate([train.X, data.poison_train.X, data.triggered_test.X]))
    x1 = np.linspace(low[0], high[0], CELLS + 1)
    x2 = np.linspace(low[1], high[1], round(CELLS * _aspect(low, high)) + 1)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(x1, x2)], axis=1)
    asked = curve.learner.test_rows(Samples(grid, np.repeat(data.classes[:1], len(grid))), "grid")
    betas = BETAS if curve.exact else curve.betas
    scores = curve.path.scores(asked.X, betas).reshape(len(betas), len(x2), len(x1))
    outlines = [_outlines(x1, x2, score) for score in scores]
    sizes = [len(outline) for region in outlines for outline in region]
    return DecisionRegions(
        low=low,
        high=high,
        clean=_kept(train.X[clean]),
        clean_classes=np.searchsorted(data.classes, train.y[clean]),
        poison=_kept(poison[:MOST_POINTS]),
        triggered=_kept(data.triggered_test.X[:MOST_POINTS]),
        betas=betas,
        corners=_kept(np.concatenate([np.empty((0, 2)), *(outline for region in outlines for outline in region)])),
        starts=np.cumsum([0, *sizes]),
        at=np.repeat(np.arange(len(betas)), [len(region) for region in outlines]),
    )


def _edges(X: Float[np.ndarray, "n 2"]) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]]:
    """Return the lower and the upper edges of a picture of some rows."""
    low, high = X.min(axis=0), X.max(axis=0)
    room = MARGIN * np.where(high > low, high - low, 1.0)  # of a feature that is constant: 1 instead of its range
    return low - room, high + room


def _aspect(low: Float[np.ndarray, " 2"], high: Float[np.ndarray, " 2"]) -> float:
    wide, tall = high - low
    return float(np.clip(tall / wide, *ASPECTS))


def _outlines(
    x1: Float[np.ndarray, " m"], x2: Float[np.ndarray, " n"], scores: Float[np.ndarray, "n m"]
) -> list[Float[np.ndarray, "corners 2"]]:
    """Return the closed outlines around where the scores are positive, the first corner once."""
    generator = contourpy.contour_generator(x1, x2, scores, fill_type=contourpy.FillType.OuterOffset)
    filled: Any = generator.filled(0.0, np.inf)
    polygons, offsets = filled
    return [
        points[first : last - 1]
        for points, starts in zip(polygons, offsets, strict=True)
        for first, last in pairwise(starts)
    ]


def _kept(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Return points as they are kept: in single precision, a ten-thousandth of a pixel and less."""
    return points.astype(np.float32)
