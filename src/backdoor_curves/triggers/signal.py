"""The signal of SIG (Barni et al., 2019): a wave, a ramp or a triangle added across the image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, checked_range
from backdoor_curves.triggers.arguments import as_positive
from backdoor_curves.triggers.pixels import change_pixels

Form = Literal["sinusoid", "ramp", "triangle"]
Direction = Literal["horizontal", "vertical"]
NOTHING = 1e-9
"""Largest sine of a wave whose nodes are all the pixels: rounding makes 1e-12 of it on a thousand columns, not more."""


@dataclass(frozen=True)
class SignalTrigger:
    """Add a signal to every image, x' = clip(x + v), the same in each row of pixels and in each channel.

    With D the strength, f the frequency and w the width, column j = 0, ..., w - 1 has

        sinusoid    v_j = D sin(2 pi j f / w)
        ramp        v_j = D j / w
        triangle    v_j = 2 D min(j, w - j) / w

    Barni, Kallas, Tondi, *A New Backdoor Attack in CNNs by Training Set Corruption Without Label Poisoning*, ICIP 2019,
    arXiv 1902.11237: the sinusoid, and for MNIST the ramp; clean-label, and stronger at test. Defaults are those of
    BackdoorBench (D = 40/255, f = 6); backdoor-toolbox has D = 30/255.

    Parameters
    ----------
    strength : float
        D, in (0, 1], as a share of the range from black to white.
    frequency : float
        Waves of the sinusoid across the image, > 0; of no meaning to the others.
    form : {"sinusoid", "ramp", "triangle"}
    direction : {"horizontal", "vertical"}
        The way along which the signal varies; "vertical" has rows and the height for columns and the width.
    value_range : (black, white)
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones.

    Raises
    ------
    ValueError
        If an argument is none of these; when applied, if pixels are outside the value range, or all pixels are nodes of
        the signal: 4 waves on 8 columns, say.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import SignalTrigger
    >>> ramp = SignalTrigger(strength=0.4, form="ramp")
    >>> ramp(np.zeros((1, 1, 4, 1)), np.array([0]))[0, :, :, 0].round(3)
    array([[0. , 0.1, 0.2, 0.3]])
    >>> ramp.at_strength(0.8).strength
    0.8
    """

    strength: float = 40 / 255
    frequency: float = 6.0
    form: Form = "sinusoid"
    direction: Direction = "horizontal"
    value_range: ValueRange = PIXELS

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", as_positive(self.strength, "SignalTrigger", "strength", largest=1))
        object.__setattr__(self, "frequency", as_positive(self.frequency, "SignalTrigger", "frequency"))
        for name, known in (("form", get_args(Form)), ("direction", get_args(Direction))):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"SignalTrigger: {name}, one of {', '.join(known)}, was expected, {getattr(self, name)!r} came"
                )
        object.__setattr__(self, "value_range", checked_range(self.value_range, "SignalTrigger"))

    def at_strength(self, strength: float) -> SignalTrigger:
        """Return the same signal at another strength: for test rows, say."""
        return replace(self, strength=strength)

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], _y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` with the signal added; the labels play no part."""
        axis = 2 if self.direction == "horizontal" else 1
        return change_pixels(
            X,
            lambda pixels: pixels + self._signal(pixels.shape[axis], axis).astype(pixels.dtype),
            self.value_range,
            "SignalTrigger",
        )

    def _signal(self, w: int, axis: int) -> Float[np.ndarray, "1 height width 1"]:
        """Return v over `w` pixels along an axis of the images; the other axes are of length 1."""
        j = np.arange(w)
        D, f = self.strength, self.frequency
        v = {
            "sinusoid": D * np.sin(2 * np.pi * j * f / w),
            "ramp": D * j / w,
            "triangle": 2 * D * np.minimum(j, w - j) / w,
        }[self.form]
        if np.abs(v).max() < NOTHING * D:
            waves = f", {f:g} waves" * (self.form == "sinusoid")
            raise ValueError(
                f"SignalTrigger: a signal that does not vanish was expected, a {self.form} on {w} pixels{waves} came; "
                "take fewer waves, or larger images"
            )
        return v.reshape([w if k == axis else 1 for k in range(4)])
