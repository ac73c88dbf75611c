"""One perturbation for all rows; the worst one for a given linear head has a closed form (after Narcissus, 2023)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import log_softmax

from backdoor_curves.data.images import PIXELS, ValueRange, said_range
from backdoor_curves.triggers.arguments import as_array, as_positive
from backdoor_curves.triggers.linear_head import LinearHead
from backdoor_curves.triggers.vectors import Vectors, change_vectors, checked_bounds, require_vectors


@dataclass(frozen=True, eq=False)
class PerturbationTrigger:
    """Add one perturbation to every row, x' = clip(x + a v): images, or rows of numbers without bounds.

    `worst_case` makes v for a given linear head. Zeng, Pan, Just, Lyu, Qiu, Jia, *Narcissus: A Practical Clean-Label
    Backdoor Attack with Limited Information*, arXiv 2204.05255: v of at most 16/255 is added to a few rows of the
    target class, which keep their label, and 3 v to test rows: `at_strength(3)`. There v is found by steps on a
    network.

    Parameters
    ----------
    perturbation : array shaped as one row
        v, as a share of the range from black to white; without a range in the units of the rows.
    strength : float
        a, > 0.
    value_range : (black, white) or None
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones. None for rows without bounds, which are not
        clipped.

    Raises
    ------
    ValueError
        If the perturbation has no numbers or is not finite, or the strength is none; when applied, if rows are of
        another shape than the perturbation, outside the value range, or without a range not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import LinearHead, PerturbationTrigger
    >>> head = LinearHead(np.array([1.0, -2.0]), 0.0, classes=(0, 1))
    >>> rows = np.array([[0.5, 0.5], [0.95, 0.5]])
    >>> trigger = PerturbationTrigger.worst_case(head, target=1, eps=0.1, X=rows)
    >>> trigger(rows, np.array([1, 1]))
    array([[0.6, 0.4],
           [1. , 0.4]])
    >>> trigger.at_strength(3)(rows, np.array([0, 0]))
    array([[0.8, 0.2],
           [1. , 0.2]])
    """

    perturbation: Float[np.ndarray, "*row"]
    strength: float = 1.0
    value_range: ValueRange | None = PIXELS

    def __post_init__(self) -> None:
        v = as_array(self.perturbation, "PerturbationTrigger: a perturbation of numbers was expected")
        if not v.ndim or not v.any() or not np.isfinite(v).all():
            raise ValueError(
                "PerturbationTrigger: a perturbation shaped as a row, finite and not 0 throughout, was expected, "
                f"shape {v.shape} with values {v.min(initial=0):g} to {v.max(initial=0):g} came"
            )
        v.setflags(write=False)
        object.__setattr__(self, "perturbation", v)
        object.__setattr__(self, "strength", as_positive(self.strength, "PerturbationTrigger", "strength"))
        object.__setattr__(self, "value_range", checked_bounds(self.value_range, "PerturbationTrigger"))

    @classmethod
    def worst_case(
        cls,
        head: LinearHead,
        target: Any,
        eps: float,
        X: Float[np.ndarray, "n ..."],
        value_range: ValueRange | None = PIXELS,
    ) -> PerturbationTrigger:
        """Return the perturbation of at most eps in each entry that speaks most for the target class to a linear head.

            v = eps sign(g),    g = w_target - mean over rows of sum_k p_k(x) w_k,    p = softmax of the scores

        -g is the gradient in v, at v = 0, of the mean softmax loss -log p_target(x + v) over the rows `X`, so that v is
        optimal to first order in eps. For two classes it is exact: no v in the box raises the difference of the scores
        of any row by more, whatever the rows. That holds after clipping too, for a clipped entry never falls as v's
        entry rises. The softmax is that of the head's scores, also where these are those of an SVM or of ridge.

        Parameters
        ----------
        head : LinearHead
            Of the rows as they are, flattened; `linear_head(fitted)` makes one.
        target : label
            A class of the head.
        eps : float
            > 0, and at most 1 with a range: a share of it, else in the units of the rows.
        X : array of shape (n, ...)
            Rows at which the loss is to fall, n >= 1: those of the target class for Narcissus. v has the shape of one.
        value_range : (black, white) or None
            As above.

        Raises
        ------
        ValueError
            If the head has other than the rows' entries, the target is none of its classes or has the weights of all
            others, or eps is none.
        """
        value_range, who = checked_bounds(value_range, "PerturbationTrigger"), "PerturbationTrigger.worst_case"
        eps = as_positive(eps, who, "eps", largest=np.inf if value_range is None else 1)
        require_vectors(X, value_range, who)
        if not len(X):
            raise ValueError(f"{who}: rows at which the loss is to fall were expected, none came")
        Z = X.reshape(len(X), -1).astype(float)
        head.require_width(Z.shape[1], who)
        t = head.index(target, who)
        log_p = log_softmax(head.scores(Z), axis=1)
        # Over the others, and to a common factor: where p_t is nearly 1, w_t - sum_k p_k w_k would lose its digits.
        log_p[:, t] = -np.inf
        g = np.exp(log_p - log_p.max()).mean(axis=0) @ (head.coef[t] - head.coef)
        if not g.any():
            raise ValueError(f"{who}: weights of {target!r} that differ from those of other classes were expected")
        return cls((eps * np.sign(g)).reshape(X.shape[1:]), value_range=value_range)

    def at_strength(self, strength: float) -> PerturbationTrigger:
        """Return the same perturbation times another number: for test rows, say."""
        return replace(self, strength=strength)

    def __call__(self, X: Float[np.ndarray, "n ..."], _y: np.ndarray, /) -> Float[np.ndarray, "n ..."]:
        """Return a copy of the rows `X` with the perturbation; the labels play no part."""
        require_vectors(X, self.value_range, "PerturbationTrigger")
        if X.shape[1:] != self.perturbation.shape:
            raise ValueError(
                f"PerturbationTrigger: rows of the perturbation's shape {self.perturbation.shape} were expected, "
                f"{X.shape[1:]} came"
            )
        return change_vectors(X, self._add, self.value_range, "PerturbationTrigger")

    def _add(self, Z: Vectors) -> Vectors:
        return Z + (self.strength * self.perturbation.ravel()).astype(Z.dtype)

    def __repr__(self) -> str:
        size, most = " x ".join(map(str, self.perturbation.shape)), np.abs(self.perturbation).max()
        scale = ", value_range=None" if self.value_range is None else said_range(self.value_range)
        return f"PerturbationTrigger({size}, at most {most:.3g}, strength={self.strength:g}{scale})"
