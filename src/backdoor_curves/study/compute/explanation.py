"""What the models of a cell look at, and which training rows teach them: kept, since a run keeps no models.

Both are of triggered test images. `input_gradient`: the gradient of the score of the class that the attacker wants, at
beta = 0 and at beta = 1. `influence`: those of the training rows on the loss, at beta = 1.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.curve.input_gradient import input_gradient, trigger_mask, trigger_share
from backdoor_curves.data.images import Image, image_of, strongest_channel
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import join
from backdoor_curves.records.npz import read_fields, write_fields
from backdoor_curves.records.one_line import one_line

ROWS = 20
"""Triggered test rows, the first of the cell's, over which shares are means."""
TOP = 5
"""Training rows that are kept."""
ENDS = (0.0, 1.0)
"""The betas of the two gradients; influences are those at the last."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The explanations of one cell; images have values 0 to 255.

    Parameters
    ----------
    image : array of shape (height, width, channels)
        A triggered test image: the first of `ROWS` that the poison flipped to the attacker's label, or else the first
        whose loss answers to training rows, or the first.
    label : str
        The attacker's label of it.
    mask : bool array of shape (height, width)
        Where the trigger is.
    gradients : array of shape (2, height, width) or (0, height, width)
        Of the score of the label, at beta = 0 and beta = 1, in scores per unit of a pixel; of colours the strongest.
        None of these where they cannot be had.
    predicted : array of 2 strings
        What the models take the image for; "" where that cannot be had.
    shares : array of shape (2,)
        The trigger's share of the magnitude of the gradients, the mean over the rows; NaN where they are 0.
    top : array of shape (k, height, width, channels)
        The training images of largest influence on the loss of the image, the largest first; k <= `TOP` and 0 where
        none has any.
    top_labels : array of k strings
    top_is_poison : bool array of shape (k,)
        Which of them are poison; cover rows are not.
    influences : array of shape (k,)
        d loss / d weight of each, at beta = 1: negative where more of it makes the loss with the attacker's label less.
    poison_share : float
        Of the magnitude of all influences on the rows, the share of poison rows; NaN where all are 0.
    no_gradients, no_influences : str
        Why these cannot be had; "" where they can.
    """

    image: Shaped[np.ndarray, "height width channels"]
    label: str
    mask: Bool[np.ndarray, "height width"]
    gradients: Float[np.ndarray, "g height width"]
    predicted: Shaped[np.ndarray, " 2"]
    shares: Float[np.ndarray, " 2"]
    top: Shaped[np.ndarray, "k height width channels"]
    top_labels: Shaped[np.ndarray, " k"]
    top_is_poison: Bool[np.ndarray, " k"]
    influences: Float[np.ndarray, " k"]
    poison_share: float
    no_gradients: str
    no_influences: str

    @property
    def missing(self) -> str:
        """What cannot be had and why, in one line; "" where nothing is missing."""
        reasons = {"gradients": self.no_gradients, "influences": self.no_influences}
        return "; ".join(f"{what}: {why}" for what, why in reasons.items() if why)

    def to_bytes(self) -> bytes:
        """Return the bytes of an .npz file."""
        stream = io.BytesIO()
        write_fields(stream, self)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Explanation:
        """Return the explanation that `to_bytes` wrote."""
        return read_fields(cls, io.BytesIO(content))


def explain(curve: BackdoorLearningCurve, data: PoisonedData, class_names: Sequence[str]) -> Explanation:
    """Return the explanations of a curve as it was computed, on the data that it was computed on.

    `class_names` are those of `data.classes`, in their order. What a learner cannot answer (gradients of a forest,
    influences on refits) is missing, with the reason; rows that are no images are a ValueError.
    """
    tests = data.triggered_test.take(np.arange(min(ROWS, len(data.triggered_test))))
    names = dict(zip(data.classes.tolist(), class_names, strict=True))
    mask, no_gradients, no_influences = trigger_mask(data), "", ""
    predicted, gradients, influences = np.empty((2, 0)), np.empty((0, *tests.X.shape)), np.zeros((len(tests), 0))
    try:
        predicted = curve.predictions("triggered", list(ENDS))[:, : len(tests)]
        # Of each row's label, which for triggered rows is what the attacker wants.
        gradients = np.stack([input_gradient(curve, tests.X, beta, of=tests.y) for beta in ENDS])
    except Exception as error:  # what is not known is said, and must not cost a cell's numbers
        no_gradients = _why(error)
    try:
        influences = curve.influence(ENDS[1], tests).values
    except Exception as error:  # as above
        no_influences = _why(error)
    row = _row_of(predicted, tests.y, influences)
    drawn = np.array([strongest_channel(image_of(G, row)) for G in gradients], dtype=np.float32)
    return Explanation(
        image=_as_bytes(image_of(tests.X, row)),
        label=names[tests.y[row].item()],
        mask=image_of(mask[np.newaxis], 0).max(axis=2) > 0.0,
        gradients=drawn.reshape(-1, *mask.shape[:2]),
        predicted=_named(predicted[:, row], names) if predicted.size else np.array(["", ""]),
        shares=_mean_shares(gradients, mask),
        no_gradients=no_gradients,
        no_influences=no_influences,
        **_most_influential(influences, row, data, names),
    )


def _row_of(
    predicted: Shaped[np.ndarray, "2 rows"], y: Shaped[np.ndarray, " n"], influences: Float[np.ndarray, "n n_train"]
) -> int:
    """Return the row to show: one that the poison flipped, or else one whose loss answers to training rows."""
    flipped = (predicted[0] != y) & (predicted[1] == y) if predicted.size else np.zeros(len(y), dtype=bool)
    return int((2 * flipped + influences.any(axis=1)).argmax())


def _mean_shares(gradients: Float[np.ndarray, "g n ..."], mask: Bool[np.ndarray, ...]) -> Float[np.ndarray, " 2"]:
    """Return the trigger's shares of the gradients at both ends; NaN where there is none."""
    shares = np.full(2, np.nan)
    for k, G in enumerate(gradients):
        known = trigger_share(G, mask)
        known = known[~np.isnan(known)]
        shares[k] = known.mean() if known.size else np.nan
    return shares


def _most_influential(
    influences: Float[np.ndarray, "n n_train"], row: int, data: PoisonedData, names: Mapping[Any, str]
) -> dict[str, Any]:
    """Return what an explanation keeps of the training rows of largest influence on a test row."""
    train, is_poison = join(data.clean_train, data.poison_train, data.is_poison), data.is_poison & ~data.is_cover
    size = np.abs(influences)
    top = np.argsort(-size[row], kind="stable")[:TOP]
    top = top[size[row, top] > 0.0]
    images = [_as_bytes(image_of(train.X, place)) for place in top]
    return {
        "top": np.array(images, dtype=np.uint8).reshape(-1, *_as_bytes(image_of(train.X, 0)).shape),
        "top_labels": _named(train.y[top], names),
        "top_is_poison": is_poison[top],
        "influences": influences[row, top],
        "poison_share": float(size[:, is_poison].sum() / size.sum()) if size.any() else float("nan"),
    }


def _why(error: Exception) -> str:
    return one_line(error) or type(error).__name__


def _named(labels: Shaped[np.ndarray, " k"], names: Mapping[Any, str]) -> Shaped[np.ndarray, " k"]:
    return np.array([names[label] for label in labels.tolist()], dtype=str)


def _as_bytes(image: Image) -> Shaped[np.ndarray, "height width channels"]:
    """Return an image with values in [0, 1] as bytes."""
    return np.round(255.0 * np.clip(image, 0.0, 1.0)).astype(np.uint8)
