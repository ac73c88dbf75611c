"""Rows made hard for a linear head before they are stamped: label-consistent attacks (Turner et al., 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import PIXELS, ValueRange, said_range
from backdoor_curves.triggers.arguments import as_positive
from backdoor_curves.triggers.base import Trigger
from backdoor_curves.triggers.box import farthest_in_ball, farthest_in_cube
from backdoor_curves.triggers.linear_head import LinearHead
from backdoor_curves.triggers.strict import require_stamped
from backdoor_curves.triggers.vectors import Vectors, change_vectors, checked_bounds, require_vectors

Norm = Literal["inf", "2"]


@dataclass(frozen=True, eq=False)
class HardenedTrigger:
    """Move every row against its own class as far as eps allows, and stamp it then: for training rows alone.

    With f the scores of a linear head and y a row's true label, the row becomes

        x' = argmin  f_y(x') - max_{k != y} f_k(x')    subject to  |x' - x| <= eps  and the pixels' range

    and gets `trigger`; x' no longer tells the learner its class, so that it learns the trigger. Each k has its own
    closed form, since f_y - f_k is linear, and the best of them is the minimum: for two classes and for more this is
    exact. In the norm "inf" it is clip(x - eps sign(w_y - w_k)), in the norm "2" clip(x - t (w_y - w_k)) with the t at
    which the ball is reached (see `triggers.box.farthest_in_ball`).

    Training rows are of the target class and keep their label; test rows, of all others, get `trigger` alone. It is a
    field for that reason. Turner, Tsipras, Madry, *Label-Consistent Backdoor Attacks*, arXiv 1912.02771: there by
    projected gradient steps on a network, and the trigger is that of `CheckerTrigger`.

    Parameters
    ----------
    head : LinearHead
        Of the rows as they are, flattened; `linear_head(fitted)` makes one.
    eps : float
        > 0: a share of the range from black to white, without one in the units of the rows. At most 1 in "inf" of
        images.
    norm : {"inf", "2"}
        Of the distance |x' - x|: of the largest entry, or Euclid's.
    trigger : Trigger or None
        What is stamped on the hardened rows; None leaves them unstamped, to look at.
    value_range : (black, white) or None
        Of the images: (0, 255) for bytes, (-1, 1) for centred ones. None for rows without bounds.

    Raises
    ------
    ValueError
        If eps or the norm are none of these, or the head is no LinearHead; when applied, if rows have another number of
        entries than the head, a label is no class of it, rows are outside the value range, or the trigger gives back
        other than it got.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import HardenedTrigger, LinearHead
    >>> head = LinearHead(np.array([1.0, -2.0]), 0.0, classes=(0, 1))
    >>> HardenedTrigger(head, eps=0.25)(np.array([[0.5, 0.5], [0.9, 0.5]]), np.array([1, 0]))
    array([[0.25, 0.75],
           [1.  , 0.25]])
    """

    head: LinearHead
    eps: float
    norm: Norm = "inf"
    trigger: Trigger | None = None
    value_range: ValueRange | None = PIXELS

    def __post_init__(self) -> None:
        if not isinstance(self.head, LinearHead):
            raise ValueError(
                f"HardenedTrigger: a LinearHead was expected, {type(self.head).__name__} came; "
                "linear_head(fitted) makes one"
            )
        if self.norm not in ("inf", "2"):
            raise ValueError(f'HardenedTrigger: norm, "inf" or "2", was expected, {self.norm!r} came')
        if self.trigger is not None and not callable(self.trigger):
            raise ValueError(
                f"HardenedTrigger: trigger, a callable (X, y) -> X, was expected, {type(self.trigger).__name__} came"
            )
        object.__setattr__(self, "value_range", checked_bounds(self.value_range, "HardenedTrigger"))
        largest = 1.0 if self.norm == "inf" and self.value_range is not None else np.inf
        object.__setattr__(self, "eps", as_positive(self.eps, "HardenedTrigger", "eps", largest))

    def __call__(self, X: Float[np.ndarray, "n ..."], y: np.ndarray, /) -> Float[np.ndarray, "n ..."]:
        """Return a copy of the rows `X`, each moved against its true label `y`, and stamped."""
        require_vectors(X, self.value_range, "HardenedTrigger")
        self.head.require_width(int(np.prod(X.shape[1:])), "HardenedTrigger")
        y, hardened = np.asarray(y), X.copy()
        for label in dict.fromkeys(y.tolist()):
            own, rows = self.head.index(label, "HardenedTrigger"), y == label
            hardened[rows] = change_vectors(X[rows], partial(self._moved, own=own), self.value_range, "HardenedTrigger")
        if self.trigger is None:
            return hardened
        stamped = self.trigger(hardened.copy(), y.copy())
        require_stamped(hardened, stamped, self.value_range, "HardenedTrigger: trigger")
        return stamped

    def _moved(self, Z: Vectors, own: int) -> Vectors:
        """Return rows of one class as near to another, or as far in it, as they may go."""
        head, farthest = self.head.in_pixels(self.value_range), {"inf": farthest_in_cube, "2": farthest_in_ball}
        others = np.delete(np.arange(len(head.classes)), own)
        D, offsets = head.coef[others] - head.coef[own], head.intercept[others] - head.intercept[own]
        # A row's lead cannot get beyond this, which the box and the other pixels' bounds only take from.
        reach = Z @ D.T + offsets + self.eps * np.linalg.norm(D, 1 if self.norm == "inf" else 2, axis=1)
        order = np.argsort(-reach, axis=1, kind="stable")
        best, lead = Z.copy(), np.full(len(Z), -np.inf)
        for place, k in product(range(len(others)), range(len(others))):
            rows = np.flatnonzero((order[:, place] == k) & (reach[:, k] > lead))
            if not rows.size:
                continue
            moved = farthest[self.norm](Z[rows], D[k], self.eps, boxed=self.value_range is not None)
            gained = moved @ D[k] + offsets[k]
            more = gained > lead[rows]
            best[rows[more]], lead[rows[more]] = moved[more], gained[more]
        return best

    def __repr__(self) -> str:
        scale = ", value_range=None" if self.value_range is None else said_range(self.value_range)
        return f"HardenedTrigger({self.head}, eps={self.eps:.4g}, norm={self.norm!r}, trigger={self.trigger}{scale})"
