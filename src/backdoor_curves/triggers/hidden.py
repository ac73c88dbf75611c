"""Hidden triggers (Saha et al., 2020): rows that look like the target class and have features of stamped rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, said_range
from backdoor_curves.triggers.arguments import as_positive, require_whole
from backdoor_curves.triggers.pixels import BLOCK
from backdoor_curves.triggers.projected_gradient import Targets, box_least_squares, descend
from backdoor_curves.triggers.vectors import Vectors, checked_bounds, require_vectors


class FeatureMap(Protocol):
    """A frozen map from rows to features with its derivative: `FrozenFeatures`, or a transformer of one's own."""

    def transform(self, X: Any) -> Float[np.ndarray, "n p"]:
        """Return the features of rows."""
        ...

    def vjp(self, X: Any, G: Float[np.ndarray, "n p"]) -> Any:
        """Return for each row the gradient in it of its features weighted by G, shaped as X."""
        ...


@dataclass(frozen=True, eq=False)
class HiddenTrigger:
    """Bring every row near a stamped row of another class in feature space, and keep it near itself in the input.

    A row z_0 of the target class, which keeps its label, becomes

        z = argmin |f(z) - f(x')|^2    subject to  |z - z_0|_inf <= eps  and the pixels' range

    with x' the row of `sources` that is nearest in features, |f(x') - f(z_0)|. Training rows show no trigger; test
    rows, of the source class, get the one that is on the sources. How exact z is, hangs on f:

        None          f is the identity: z = clip(x', z_0 - eps, z_0 + eps), exact
        a matrix A    f(x) = A x: |A z - A x'|^2 is above its minimum by at most `tolerance` times its value at z_0,
                      proven by the gap of Frank and Wolfe
        a FeatureMap  projected gradient steps, none of which raises the distance: a row stops when a step lowers its
                      |f(z) - f(x')|^2 by less than `tolerance` times its value at z_0, or after `steps`; no optimum
                      is proven

    Saha, Subramanya, Pirsiavash, *Hidden Trigger Backdoor Attacks*, AAAI 2020, arXiv 1910.00033: f is layer fc7 of
    AlexNet under a linear head that is trained anew, eps = 16/255, the sources have a patch of 30 x 30 pixels of 224 x
    224 at random places. There each source serves one row of a batch; here a row has its nearest whoever else has it,
    so that it does not depend on its company (to rounding, for a matrix or a map). What is proven holds before z is
    rounded to the type of the rows, bytes for one.

    Parameters
    ----------
    sources : array of shape (m, ...)
        Source rows with the trigger, `patch(X, y)`: m >= 1, shaped as the rows that are stamped.
    features : None, array of shape (p, d), or FeatureMap
        f; a matrix for the rows flattened, such as the weights of a linear head.
    eps : float
        > 0: a share of the range from black to white, without one in the units of the rows.
    value_range : (black, white) or None
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones. None for rows without bounds.
    tolerance : float
        > 0, see above.
    steps : int
        Most steps, >= 1; a matrix that needs more is refused when applied.

    Raises
    ------
    ValueError
        If an argument is none of these; when applied, if rows are of another shape than the sources, outside the value
        range, or need more steps.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import HiddenTrigger
    >>> trigger = HiddenTrigger(np.array([[1.0, 0.0]]), eps=0.25)
    >>> trigger(np.array([[0.5, 0.1], [0.9, 0.5]]), np.array([1, 1]))
    array([[0.75, 0.  ],
           [1.  , 0.25]])
    """

    sources: Float[np.ndarray, "m ..."]
    features: Float[np.ndarray, "p d"] | FeatureMap | None = None
    eps: float = 16 / 255
    value_range: ValueRange | None = PIXELS
    tolerance: float = 1e-4
    steps: int = 5000

    def __post_init__(self) -> None:
        who = "HiddenTrigger"
        object.__setattr__(self, "value_range", checked_bounds(self.value_range, who))
        require_vectors(self.sources, self.value_range, f"{who}: sources")
        if not len(self.sources):
            raise ValueError(f"{who}: sources, one row at least, were expected, none came")
        sources = self.sources.copy()
        sources.setflags(write=False)
        object.__setattr__(self, "sources", sources)
        if isinstance(self.features, np.ndarray):
            A, d = self.features, int(np.prod(sources.shape[1:]))
            if A.ndim != 2 or A.shape[1] != d or A.dtype.kind not in "fiu" or not np.isfinite(A).all():
                raise ValueError(f"{who}: features, a finite matrix of shape (p, {d}), were expected, {A.shape} came")
        elif self.features is not None and not (hasattr(self.features, "vjp") and hasattr(self.features, "transform")):
            raise ValueError(
                f"{who}: features, None, a matrix or a map with transform(X) and vjp(X, G), were expected, "
                f"{type(self.features).__name__} came"
            )
        largest = np.inf if self.value_range is None else 1.0
        object.__setattr__(self, "eps", as_positive(self.eps, who, "eps", largest))
        object.__setattr__(self, "tolerance", as_positive(self.tolerance, who, "tolerance"))
        require_whole(self.steps, who, "steps")

    def __call__(self, X: Float[np.ndarray, "n ..."], _y: np.ndarray, /) -> Float[np.ndarray, "n ..."]:
        """Return a copy of the rows `X`, brought near the sources; the labels play no part."""
        require_vectors(X, self.value_range, "HiddenTrigger")
        if X.shape[1:] != self.sources.shape[1:]:
            raise ValueError(
                f"HiddenTrigger: rows of the sources' shape {self.sources.shape[1:]} were expected, {X.shape[1:]} came"
            )
        sources = self.sources.reshape(len(self.sources), -1).astype(float)
        known = self._features(sources)
        hidden = np.empty_like(X)
        for start in range(0, len(X), BLOCK):
            Z = X[start : start + BLOCK].reshape(-1, sources.shape[1]).astype(float)
            nearest = nearest_rows(self._features(Z), known)
            low, high = self._bounds(Z)
            near = np.clip(self._brought(Z, sources[nearest], known[nearest], low, high), low, high)
            near = near if X.dtype.kind == "f" else np.rint(near)
            hidden[start : start + BLOCK] = near.reshape(-1, *X.shape[1:]).astype(X.dtype)
        return hidden

    def _features(self, Z: Vectors) -> Float[np.ndarray, "n p"]:
        if self.features is None:
            return Z
        if isinstance(self.features, np.ndarray):
            return Z @ self.features.T
        return np.asarray(self.features.transform(self._rows(Z)), dtype=float)

    def _bounds(self, Z: Vectors) -> tuple[Vectors, Vectors]:
        """Return the least and the largest of what every entry may become."""
        if self.value_range is None:
            return Z - self.eps, Z + self.eps
        black, white = self.value_range
        reach = self.eps * (white - black)
        return np.clip(Z - reach, black, white), np.clip(Z + reach, black, white)

    def _brought(self, Z: Vectors, sources: Vectors, T: Targets, low: Vectors, high: Vectors) -> Vectors:
        """Return the rows within their bounds whose features are nearest to T, those of their sources."""
        if self.features is None:
            return sources
        Z = np.clip(Z, low, high)
        if isinstance(self.features, np.ndarray):
            return box_least_squares(self.features, T, Z, (low, high), self.tolerance, self.steps)
        features = self.features
        return descend(
            self._features,
            lambda Z, G: np.asarray(features.vjp(self._rows(Z), G), dtype=float).reshape(Z.shape),
            T,
            Z,
            (low, high),
            self.tolerance,
            self.steps,
        )

    def _rows(self, Z: Vectors) -> Float[np.ndarray, "n ..."]:
        return Z.reshape(-1, *self.sources.shape[1:])

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.sources.shape[1:]))
        scale = ", value_range=None" if self.value_range is None else said_range(self.value_range)
        f = type(self.features).__name__ if self.features is not None else "identity"
        f = f"matrix of {self.features.shape}" if isinstance(self.features, np.ndarray) else f
        return f"HiddenTrigger({len(self.sources)} sources of {size}, features={f}, eps={self.eps:.4g}{scale})"


def nearest_rows(F: Float[np.ndarray, "n p"], known: Float[np.ndarray, "m p"]) -> np.ndarray:
    """Return for each row the place of the nearest known one in Euclid's distance, the first of several.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.hidden import nearest_rows
    >>> nearest_rows(np.array([[0.9], [0.1]]), np.array([[0.0], [1.0]])).tolist()
    [1, 0]
    """
    return np.argmin(np.square(known).sum(axis=1) - 2 * F @ known.T, axis=1)
