"""What the models of a cell look at, and which training rows teach them: kept, since a run keeps no models.

Both are of triggered test images. `explain`: the gradient of the score of the class that a model predicts, at beta = 0
and at beta = 1. `influences`: those of the training rows on the loss, at beta = 1.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.data import PoisonedData, Samples, join
from backdoor_curves.explain import input_gradient, trigger_mask, trigger_share
from backdoor_curves.images import Image, image_of, strongest_channel
from backdoor_curves.one_line import one_line

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
        A triggered test image: the first of `ROWS` whose loss answers to training rows, or the first.
    label : str
        The attacker's label of it.
    mask : bool array of shape (height, width)
        Where the trigger is.
    gradients : array of shape (2, height, width) or (0, height, width)
        Of the image, at beta = 0 and beta = 1, in scores per unit of a pixel; of colours the strongest. None of these
        where they cannot be had.
    predicted : array of 2 strings
        What the models take the image for; "" where there are no gradients.
    shares : array of shape (2,)
        The trigger's share of the magnitude of the gradients, the mean over the rows; NaN where they are 0.
    top : array of shape (k, height, width, channels)
        The training images of largest influence on the loss of the image, the largest first; k <= `TOP` and 0 where
        none has any.
    top_labels : array of k strings
    top_is_poison : bool array of shape (k,)
    influences : array of shape (k,)
        d loss / d weight of each, at beta = 1; negative where it teaches what the attacker wants.
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
        parts: dict[str, Any] = {part.name: getattr(self, part.name) for part in fields(self)}
        np.savez_compressed(stream, **parts)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Explanation:
        """Return the explanation that `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            parts = {name: array if array.ndim else array.item() for name, array in arrays.items()}
        return cls(**parts)


def explain(curve: BackdoorLearningCurve, data: PoisonedData, class_names: Sequence[str]) -> Explanation:
    """Return the explanations of a curve as it was computed, on the data that it was computed on.

    `class_names` are those of `data.classes`, in their order. What a learner cannot answer (gradients where each pair
    of classes has a score, influences on refits) is missing, with the reason; rows that are no images are a ValueError.
    """
    tests = data.triggered_test.take(np.arange(min(ROWS, len(data.triggered_test))))
    names = dict(zip(data.classes.tolist(), class_names, strict=True))
    row, taught = _taught(curve, tests, data, names)
    image, mask = image_of(tests.X, row), trigger_mask(data)
    return Explanation(
        image=_as_bytes(image),
        label=names[tests.y[row].item()],
        mask=image_of(mask[np.newaxis], 0).max(axis=2) > 0.0,
        **_looked_at(curve, tests, row, mask, names),
        **taught,
    )


def _looked_at(
    curve: BackdoorLearningCurve, tests: Samples, row: int, mask: Bool[np.ndarray, ...], names: Mapping[Any, str]
) -> dict[str, Any]:
    """Return what an explanation keeps of the gradients on some test rows, and the reason where they are missing."""
    height, width = mask.shape[:2]
    none = {"gradients": np.empty((0, height, width), np.float32), "shares": np.full(2, np.nan)}
    try:
        both = [input_gradient(curve, tests.X, beta, of="predicted") for beta in ENDS]
        predicted = curve.predictions("triggered", list(ENDS))[:, row]
    except Exception as error:  # what is not known is said, and must not cost a cell's numbers
        return {**none, "predicted": np.array(["", ""]), "no_gradients": _why(error)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where no gradient has a share their mean is NaN
        shares = np.array([np.nanmean(trigger_share(G, mask)) for G in both])
    gradients = np.stack([strongest_channel(image_of(G, row)) for G in both])
    return {
        "gradients": gradients.astype(np.float32),
        "shares": shares,
        "predicted": _named(predicted, names),
        "no_gradients": "",
    }


def _taught(
    curve: BackdoorLearningCurve, tests: Samples, data: PoisonedData, names: Mapping[Any, str]
) -> tuple[int, dict[str, Any]]:
    """Return the test row to show, and what an explanation keeps of the influences on it."""
    train = join(data.clean_train, data.poison_train, data.is_poison)
    try:
        found, missing = curve.influence(ENDS[1], tests).values, ""
    except Exception as error:  # as above
        found, missing = np.zeros((len(tests), len(train))), _why(error)
    row = int(found.any(axis=1).argmax())
    size = np.abs(found)
    top = np.argsort(-size[row], kind="stable")[:TOP]
    top = top[size[row, top] > 0.0]
    images = [_as_bytes(image_of(train.X, place)) for place in top]
    return row, {
        "top": np.array(images, dtype=np.uint8).reshape(-1, *_as_bytes(image_of(tests.X, row)).shape),
        "top_labels": _named(train.y[top], names),
        "top_is_poison": data.is_poison[top],
        "influences": found[row, top],
        "poison_share": float(size[:, data.is_poison].sum() / size.sum()) if size.any() else float("nan"),
        "no_influences": missing,
    }


def _why(error: Exception) -> str:
    return one_line(error) or type(error).__name__


def _named(labels: Shaped[np.ndarray, " k"], names: Mapping[Any, str]) -> Shaped[np.ndarray, " k"]:
    return np.array([names[label] for label in labels.tolist()], dtype=str)


def _as_bytes(image: Image) -> Shaped[np.ndarray, "height width channels"]:
    """Return an image with values in [0, 1] as bytes."""
    return np.round(255.0 * np.clip(image, 0.0, 1.0)).astype(np.uint8)
