"""The invisible lattice of the paper (after Zhong et al., 2020): every other pixel of every other row is brighter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, checked_range
from backdoor_curves.triggers.arguments import as_positive
from backdoor_curves.triggers.pixels import Images, change_pixels


@dataclass(frozen=True)
class LatticeTrigger:
    """Brighten the pixels of a lattice, x'_ij = clip(x_ij + s) where row i and column j are even, counted from 0.

    Zhong, Liao, Squicciarini, Zhu, Miller, *Backdoor Embedding in Convolutional Neural Network Models via Invisible
    Perturbation*, CODASPY 2020, arXiv 1808.10307, as Cinà et al., arXiv 2106.07214, have it: s = 10/255 or 75/255. A
    pixel that is white already does not change.

    Parameters
    ----------
    strength : float
        s, in (0, 1], as a share of the range from black to white.
    value_range : (black, white)
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones.

    Raises
    ------
    ValueError
        If the strength is none; when applied, if the images have pixels outside the value range.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import LatticeTrigger
    >>> LatticeTrigger(0.2)(np.zeros((1, 3, 4, 1)), np.array([0]))[0, :, :, 0]
    array([[0.2, 0. , 0.2, 0. ],
           [0. , 0. , 0. , 0. ],
           [0.2, 0. , 0.2, 0. ]])
    """

    strength: float = 10 / 255
    value_range: ValueRange = PIXELS

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", as_positive(self.strength, "LatticeTrigger", "strength", largest=1))
        object.__setattr__(self, "value_range", checked_range(self.value_range, "LatticeTrigger"))

    def at_strength(self, strength: float) -> LatticeTrigger:
        """Return the same lattice at another strength: for test rows, say."""
        return replace(self, strength=strength)

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], _y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` with the lattice brightened; the labels play no part."""
        return change_pixels(X, self._brighten, self.value_range, "LatticeTrigger")

    def _brighten(self, pixels: Images) -> Images:
        brighter = pixels.copy()
        brighter[:, ::2, ::2] += self.strength
        return brighter
