"""What an attack looks like: test images before and after it, and their difference, kept for the page."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, UInt8

from backdoor_curves.data.images import image_of
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.records.npz import read_fields, write_fields
from backdoor_curves.study.compute.movement import originals

IMAGES = 2
"""Kept of a cell, the first of as many true classes."""
STEPS = 127
"""The largest difference is as many, of either sign."""


@dataclass(frozen=True, eq=False)
class StampedImages:
    """Test images of a cell without the trigger and with it.

    Parameters
    ----------
    clean, triggered : arrays of shape (k, height, width, channels)
        Pixels 0 to 255.
    difference : array of shape (k, height, width, channels)
        Triggered less clean before rounding, stretched so that the image's largest is 127 or -127; 0 where the image
        is as it was.
    largest : array of shape (k,)
        The largest difference of each image, in [0, 1]: the stretch is 1 over it.
    """

    clean: UInt8[np.ndarray, "k height width channels"]
    triggered: UInt8[np.ndarray, "k height width channels"]
    difference: Int8[np.ndarray, "k height width channels"]
    largest: np.ndarray

    def to_bytes(self) -> bytes:
        """Return the bytes of an .npz file."""
        stream = io.BytesIO()
        write_fields(stream, self)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> StampedImages:
        """Return the images that `to_bytes` wrote."""
        return read_fields(cls, io.BytesIO(content))


def stamped_images(data: PoisonedData) -> StampedImages | None:
    """Return the first triggered test images of two true classes; None where rows are no images in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.study.compute.stamped_images import stamped_images
    >>> train, test = bc.datasets.digits("even-odd", rng=np.random.default_rng(0))
    >>> data = bc.poison(train, test, trigger=bc.LatticeTrigger(0.25), rate=0.1, rng=np.random.default_rng(1))
    >>> kept = stamped_images(data)
    >>> kept.clean.shape, kept.largest.tolist(), int(kept.difference.max())
    ((2, 8, 8, 1), [0.25, 0.25], 127)
    """
    before = originals(data)
    if before is None or not isinstance(before.X, np.ndarray) or before.X.ndim < 3:
        return None
    rows = np.sort(np.unique(before.y, return_index=True)[1])[:IMAGES]
    clean, triggered = (np.stack([image_of(X, row) for row in rows]) for X in (before.X, data.triggered_test.X))
    change = triggered - clean
    largest = np.abs(change).reshape(len(rows), -1).max(axis=1)
    scale = np.where(largest > 0.0, largest, 1.0).reshape(-1, 1, 1, 1)
    return StampedImages(
        clean=_as_bytes(clean),
        triggered=_as_bytes(triggered),
        difference=np.round(STEPS * change / scale).astype(np.int8),
        largest=largest,
    )


def _as_bytes(images: np.ndarray) -> UInt8[np.ndarray, "k height width channels"]:
    return np.round(255.0 * np.clip(images, 0.0, 1.0)).astype(np.uint8)
