"""A linear classifier that is given to an attacker: a score for each class, f_k(x) = w_k x + b_k."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import ValueRange
from backdoor_curves.triggers.vectors import Vectors


@dataclass(frozen=True, eq=False)
class LinearHead:
    """The weights of a linear classifier, as the attacker of `PerturbationTrigger` and `HardenedTrigger` knows them.

    Only differences of scores count. Of two classes with one score s, positive for the second, the scores are -s / 2
    and s / 2. `linear_head` makes one of a classifier that is fitted.

    Parameters
    ----------
    coef : array of shape (K, d), or (d,) or (1, d) for two classes
        Weights, in scores per unit of the rows; for images d is height times width times channels, in numpy's order.
        Kept with a row for each class.
    intercept : float, or array of shape (K,)
        b; one number with one row of weights.
    classes : tuple of K labels
        In the order of the weights; of two classes the score's positive side is the second.

    Raises
    ------
    ValueError
        If there are not as many weights, intercepts and labels, a label is named twice, or a number is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import LinearHead
    >>> head = LinearHead(np.array([2.0, -4.0]), 0.5, classes=("ham", "spam"))
    >>> head.scores(np.array([[1.0, 0.0]]))
    array([[-1.25,  1.25]])
    """

    coef: Float[np.ndarray, "K d"]
    intercept: Float[np.ndarray, " K"]
    classes: tuple[Any, ...]

    def __post_init__(self) -> None:
        try:
            coef, intercept = np.atleast_2d(np.array(self.coef, float)), np.atleast_1d(np.array(self.intercept, float))
        except (TypeError, ValueError):
            raise ValueError("LinearHead: weights and intercepts, arrays of numbers, were expected") from None
        classes = tuple(self.classes)
        if len(coef) == 1 and len(classes) == 2:
            if intercept.shape != (1,):
                raise ValueError(f"LinearHead: one intercept was expected for one score, {intercept.shape} came")
            sides = np.array([[-0.5], [0.5]])
            coef, intercept = sides * coef, sides[:, 0] * intercept
        if coef.ndim != 2 or not coef.shape[1] or len(classes) < 2 or len(coef) != len(classes):
            raise ValueError(
                "LinearHead: weights of shape (K, d) for K classes, or (d,) for two, were expected, shape "
                f"{np.shape(self.coef)} for {len(classes)} classes came"
            )
        if intercept.shape != (len(classes),):
            raise ValueError(f"LinearHead: {len(classes)} intercepts were expected, {intercept.shape} came")
        if len(set(classes)) < len(classes):
            raise ValueError(f"LinearHead: each class once was expected, {classes} came")
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError("LinearHead: finite weights were expected, NaN or infinity came")
        for array in (coef, intercept):
            array.setflags(write=False)
        for name, value in (("coef", coef), ("intercept", intercept), ("classes", classes)):
            object.__setattr__(self, name, value)

    def scores(self, Z: Vectors) -> Float[np.ndarray, "n K"]:
        """Return f_k of rows of shape (n, d)."""
        return Z @ self.coef.T + self.intercept

    def index(self, label: Any, who: str) -> int:
        """Return the place of a class; `who` needs it."""
        if label not in self.classes:
            raise ValueError(f"{who}: a class of {list(self.classes)} was expected, {label!r} came")
        return self.classes.index(label)

    def in_pixels(self, value_range: ValueRange | None) -> LinearHead:
        """Return the head of z in [0, 1] that has these scores at low + (high - low) z; itself where there is no range.

        Examples
        --------
        >>> import numpy as np
        >>> from backdoor_curves import LinearHead
        >>> LinearHead(np.array([2.0]), 1.0, (0, 1)).in_pixels((0, 255)).scores(np.array([[1.0]])).tolist()
        [[-255.5, 255.5]]
        """
        if value_range is None:
            return self
        low, high = value_range
        return LinearHead((high - low) * self.coef, self.intercept + low * self.coef.sum(axis=1), self.classes)

    def require_width(self, d: int, who: str) -> None:
        """Refuse rows of other than `d` entries; `who` needs them."""
        if d != self.coef.shape[1]:
            raise ValueError(
                f"{who}: rows of {self.coef.shape[1]} entries, as the head has weights, were expected, of {d} came; "
                "give a head of these rows"
            )

    def __repr__(self) -> str:
        return f"LinearHead({len(self.classes)} classes, {self.coef.shape[1]} entries)"
