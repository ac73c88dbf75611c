"""Several patches: an image gets one of them, as in Adap-Patch (Qi et al., 2023), or chosen ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange
from backdoor_curves.data.rng import check_rng
from backdoor_curves.triggers.arguments import require_whole
from backdoor_curves.triggers.keyed import check_seed, drawn_subsets
from backdoor_curves.triggers.patch import CORNERS, PatchTrigger
from backdoor_curves.triggers.pixels import require_images

OPACITIES = (0.5, 0.2, 0.5, 0.3)
"""Of the four patches of Adap-Patch in training, as backdoor-toolbox has them; test rows have the first and third."""


@dataclass(frozen=True, eq=False)
class PatchesTrigger:
    """Stamp each image with some of several patches, drawn for each image; test rows have chosen ones, fully seen.

    Which patches an image gets is drawn from `seed` and the image itself: it gets the same alone and among others. So
    the images fall into groups, one for each patch, that are equal in expectation and not in number. Where patches
    overlap the later one is on top.

    Qi et al., *Revisiting the Assumption of Latent Separability for Backdoor Defenses*, ICLR 2023 (Adap-Patch): one of
    four patches in training, two of them at opacity 1 at test; the authors split rows into groups of equal number.
    Their patches are images that belong to others: those of `random` are ours.

    Parameters
    ----------
    patches : tuple of PatchTrigger
        Each with its pattern, place and opacity; all of one value range.
    drawn : int
        How many of them an image gets, in [1, number of patches].
    seed : int
        At least 0. Of the draws; without any it plays no part.

    Raises
    ------
    ValueError
        If there is no patch, their value ranges differ, or `drawn` or the seed is none of these; when applied, if a
        patch cannot be stamped on the images: see `PatchTrigger`.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import PatchesTrigger, PatchTrigger
    >>> left, right = (PatchTrigger.ones(1, position=place).at_strength(0.5) for place in ("top-left", "top-right"))
    >>> trigger, images, y = PatchesTrigger((left, right)), np.zeros((2, 1, 3, 1)), np.array([0, 1])
    >>> trigger(images, y)[:, 0, :, 0]
    array([[0.5, 0. , 0. ],
           [0.5, 0. , 0. ]])
    >>> trigger.whole()(images, y)[:, 0, :, 0]
    array([[1., 0., 1.],
           [1., 0., 1.]])
    """

    patches: tuple[PatchTrigger, ...]
    drawn: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        patches = self.patches
        if not isinstance(patches, list | tuple) or not patches:
            raise ValueError(f"PatchesTrigger: a tuple of PatchTriggers was expected, {patches!r} came")
        if others := [patch for patch in patches if not isinstance(patch, PatchTrigger)]:
            raise ValueError(f"PatchesTrigger: PatchTriggers were expected, {type(others[0]).__name__} came")
        if len(ranges := {patch.value_range for patch in patches}) > 1:
            raise ValueError(f"PatchesTrigger: patches of one value range were expected, {sorted(ranges)} came")
        require_whole(self.drawn, "PatchesTrigger", "drawn", most=len(patches))
        check_seed(self.seed, "PatchesTrigger")
        object.__setattr__(self, "patches", tuple(patches))

    @classmethod
    def random(
        cls, shape: tuple[int, int, int], rng: np.random.Generator, value_range: ValueRange = PIXELS
    ) -> PatchesTrigger:
        """Return four squares of noise for images of the shape (height, width, channels), one in each corner.

        A square's side is a quarter of the image's shorter one. The opacities are those of Adap-Patch, .5, .2, .5 and
        .3; its test form is `whole((0, 2))`. The patterns, and their places, are ours. The seed comes from `rng` too.
        """
        check_rng(rng)
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"PatchesTrigger.random: a shape (height, width, channels) was expected, {shape} came")
        side = max(min(shape[:2]) // 4, 1)
        patterns = rng.random((len(OPACITIES), side, side, shape[2]))
        patches = tuple(
            PatchTrigger(pattern, corner, value_range, opacity)
            for pattern, corner, opacity in zip(patterns, CORNERS[:4], OPACITIES, strict=True)
        )
        return cls(patches, seed=int(rng.integers(2**32)))

    def whole(self, chosen: tuple[int, ...] | None = None, opacity: float = 1.0) -> PatchesTrigger:
        """Return the trigger with all chosen patches, by number from 0, at one opacity, for test rows; None: all.

        Raises
        ------
        ValueError
            If a patch is chosen that is not there, or the opacity is no share.
        """
        return PatchesTrigger(
            tuple(patch.at_strength(opacity) for patch in self._chosen(chosen)),
            drawn=len(self.patches if chosen is None else chosen),
            seed=self.seed,
        )

    def _chosen(self, chosen: Any) -> tuple[PatchTrigger, ...]:
        k = len(self.patches)
        if chosen is None:
            return self.patches
        for i in chosen if isinstance(chosen, list | tuple) and chosen else [chosen]:
            require_whole(i, "PatchesTrigger", "chosen", least=0, most=k - 1)
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"PatchesTrigger: each chosen patch once was expected, {tuple(chosen)} came")
        return tuple(self.patches[i] for i in chosen)

    def __call__(self, X: Float[np.ndarray, "n height width *channels"], y: np.ndarray, /) -> Float[np.ndarray, ...]:
        """Return a copy of the images `X` with their patches; the labels `y` matter to patches that differ by class."""
        require_images(X, self.patches[0].value_range, "PatchesTrigger")
        y = np.asarray(y)
        drawn = drawn_subsets(X, len(self.patches), self.drawn, self.seed)
        stamped = X.copy()
        for i, patch in enumerate(self.patches):
            rows = np.flatnonzero((drawn == i).any(axis=1))
            stamped[rows] = patch(stamped[rows], y[rows])
        return stamped

    def __repr__(self) -> str:
        return f"PatchesTrigger({self.drawn} of {list(self.patches)}, seed={self.seed})"
