"""The patch of BadNets (Gu et al., 2019): a small pattern pasted on a corner of the image, or blended into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, checked_range, said_range
from backdoor_curves.data.rng import check_rng
from backdoor_curves.triggers.arguments import as_array, as_positive
from backdoor_curves.triggers.pixels import require_images

CORNERS = ("bottom-right", "bottom-left", "top-right", "top-left", "center")


@dataclass(frozen=True, eq=False)
class PatchTrigger:
    """Paste a pattern on every image, or blend it in: one pattern for all, or one for each true class.

    Linear learners cannot send one pattern to several targets, so the paper gives each class a pattern of its own.

    Parameters
    ----------
    pattern : array of shape (k, l, channels) or (n_classes, k, l, channels), or mapping of label to (k, l, channels)
        Values in [0, 1], black to white. With four axes, pattern c is for rows whose true label is the integer c; a
        mapping names the labels itself.
    position : {"bottom-right", "bottom-left", "top-right", "top-left", "center"} or (row, column)
        Where the pattern goes; a pair is the place of its upper left pixel.
    value_range : (black, white)
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones. The pattern's 0 becomes black and its 1 white.
    opacity : float
        The share a of the pattern's t, in (0, 1]: a pixel x that it covers becomes (1 - a) x + a t, and t at 1.

    Raises
    ------
    ValueError
        If the pattern has another shape or values outside [0, 1], or the position is unknown or the opacity no share;
        when applied, if the images are not of shape (n, height, width, channels) or (n, height, width), have pixels
        outside the value range, are integers without one, are smaller than the pattern or of other channels, or if a
        true label has no pattern.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import PatchTrigger
    >>> trigger = PatchTrigger.ones(size=1, position="top-left")
    >>> trigger(np.zeros((1, 2, 2, 1)), np.array([0]))[0, :, :, 0]
    array([[1., 0.],
           [0., 0.]])

    Half seen through:

    >>> trigger.at_strength(0.5)(np.full((1, 2, 2, 1), 0.2), np.array([0]))[0, :, :, 0]
    array([[0.6, 0.2],
           [0.2, 0.2]])
    """

    pattern: Float[np.ndarray, "*classes k l channels"] | Mapping[Any, Float[np.ndarray, "k l channels"]]
    position: str | tuple[int, int] = "bottom-right"
    value_range: ValueRange = PIXELS
    opacity: float = 1.0

    def __post_init__(self) -> None:
        pattern = self.pattern
        by_label = dict(pattern) if isinstance(pattern, Mapping) else None
        values = as_array(
            list(by_label.values()) if by_label is not None else pattern,
            "PatchTrigger: patterns of numbers, all of one shape, were expected",
        )
        if values.ndim not in ((4,) if by_label is not None else (3, 4)) or 0 in values.shape:
            raise ValueError(
                "PatchTrigger: a pattern of shape (k, l, channels), or (n_classes, k, l, channels), was expected; "
                f"shape {values.shape} came"
            )
        if not np.isfinite(values).all():
            raise ValueError("PatchTrigger: finite pixel values were expected, NaN or infinity came")
        if values.min() < 0.0 or values.max() > 1.0:
            raise ValueError(
                f"PatchTrigger: pattern values in [0, 1] were expected, {values.min():g} to {values.max():g} came; "
                "divide them, and for images of another range pass value_range=(black, white)"
            )
        object.__setattr__(self, "value_range", checked_range(self.value_range, "PatchTrigger"))
        object.__setattr__(self, "opacity", as_positive(self.opacity, "PatchTrigger", "opacity", largest=1.0))
        corner = isinstance(self.position, str) and self.position in CORNERS
        pair = isinstance(self.position, tuple) and len(self.position) == 2
        pair = pair and all(isinstance(place, int | np.integer) and place >= 0 for place in self.position)
        if not (corner or pair):
            raise ValueError(
                f"position: one of {', '.join(CORNERS)} or (row, column) was expected, {self.position!r} came"
            )
        values.setflags(write=False)
        frozen = dict(zip(by_label, values, strict=True)) if by_label is not None else values
        object.__setattr__(self, "pattern", frozen)

    @classmethod
    def random(
        cls,
        size: int,
        n_classes: int,
        channels: int,
        rng: np.random.Generator,
        position: str | tuple[int, int] = "bottom-right",
        value_range: ValueRange = PIXELS,
    ) -> PatchTrigger:
        """Return uniform noise in [0, 1), `size` x `size` pixels, one pattern for each of the labels 0..n_classes-1."""
        check_rng(rng)
        return cls(rng.random((n_classes, size, size, channels)), position, value_range)

    @classmethod
    def ones(
        cls,
        size: int,
        channels: int = 1,
        position: str | tuple[int, int] = "bottom-right",
        value_range: ValueRange = PIXELS,
    ) -> PatchTrigger:
        """Return a white square of `size` x `size` pixels, the same for every class."""
        return cls(np.ones((size, size, channels)), position, value_range)

    def at_strength(self, opacity: float) -> PatchTrigger:
        """Return the same patch at another opacity: for test rows, say."""
        return replace(self, opacity=opacity)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the pattern."""
        first = next(iter(self.pattern.values())) if isinstance(self.pattern, Mapping) else self.pattern
        height, width, channels = first.shape[-3:]
        return height, width, channels

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` with the pattern of each row's true label `y`."""
        require_images(X, self.value_range, "PatchTrigger")
        low, high = self.value_range
        images = X.copy() if X.ndim == 4 else X[..., np.newaxis].copy()
        rows, columns = self._place(images.shape[1:])
        patterns = self._patterns(np.asarray(y))
        if self.value_range != PIXELS:
            patterns = low + (high - low) * patterns
        if self.opacity < 1.0:
            under = images[:, rows, columns]
            patterns = np.clip(under + self.opacity * (patterns - under), low, high)
        images[:, rows, columns] = patterns if X.dtype.kind == "f" else np.rint(patterns)
        return images.reshape(X.shape)

    def _place(self, image: tuple[int, ...]) -> tuple[slice, slice]:
        tall, wide, channels = self.shape
        height, width, image_channels = image
        if channels != image_channels:
            raise ValueError(f"PatchTrigger: a pattern of {image_channels} channels was expected, {channels} came")
        if isinstance(self.position, tuple):
            top, left = self.position
        else:
            top = {"t": 0, "b": height - tall, "c": (height - tall) // 2}[self.position[0]]
            left = (
                (width - wide) // 2
                if self.position == "center"
                else 0
                if self.position.endswith("left")
                else width - wide
            )
        if top < 0 or left < 0 or top + tall > height or left + wide > width:
            raise ValueError(
                f"PatchTrigger: a pattern within the {height} x {width} image was expected, "
                f"{tall} x {wide} at {self.position!r} came; take a smaller one"
            )
        return slice(top, top + tall), slice(left, left + wide)

    def _patterns(self, y: np.ndarray) -> Float[np.ndarray, ...]:
        """Return the pattern of each row, or the one that serves all."""
        if isinstance(self.pattern, Mapping):
            labels, stack = list(self.pattern), np.stack(list(self.pattern.values()))
        elif self.pattern.ndim == 4:
            labels, stack = list(range(len(self.pattern))), self.pattern
        else:
            return self.pattern
        index = {label: i for i, label in enumerate(labels)}
        if unknown := [label for label in y.tolist() if label not in index]:
            raise ValueError(
                f"PatchTrigger: a pattern for each true label was expected; {unknown[0]!r} has none, {labels} have; "
                "give the patterns as a mapping {label: pattern}"
            )
        return stack[[index[label] for label in y.tolist()]]

    def __repr__(self) -> str:
        many = len(self.pattern) if isinstance(self.pattern, Mapping) or self.pattern.ndim == 4 else 1
        size = " x ".join(map(str, self.shape))
        share = "" if self.opacity == 1.0 else f", opacity={self.opacity:g}"
        scale = said_range(self.value_range)
        return f"PatchTrigger({many} pattern{'s'[: many > 1]} of {size}, position={self.position!r}{scale}{share})"
