"""The intercept b of f(x) = <w, x> + b, as a value: free, penalised with w, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Intercept:
    """How an intercept enters the objective.

    Parameters
    ----------
    kind : {"free", "penalised", "none"}
        Not in the penalty; a weight of w like the others, of a constant column; or b = 0.
    scaling : float, > 0
        The entry s of that column, where it is penalised: b = s w_s. The kernel is then K + s^2.

    Examples
    --------
    >>> from backdoor_curves.paths.intercept import FREE, NONE, penalised
    >>> FREE.column, penalised(2.0).column, NONE.column
    ((), (2.0,), ())
    >>> penalised(2.0).shift, FREE.shift
    (4.0, 0.0)
    """

    kind: Literal["free", "penalised", "none"]
    scaling: float = 1.0

    @property
    def column(self) -> tuple[float, ...]:
        """The entries that a row has beside its features in the penalised w: (s,), or none."""
        return (self.scaling,) if self.kind == "penalised" else ()

    @property
    def shift(self) -> float:
        """What the intercept adds to the kernel: s^2, or 0."""
        return self.scaling**2 if self.kind == "penalised" else 0.0


FREE = Intercept("free")
NONE = Intercept("none")


def penalised(scaling: float) -> Intercept:
    """Return the intercept that is the weight of a constant column."""
    return Intercept("penalised", scaling)
