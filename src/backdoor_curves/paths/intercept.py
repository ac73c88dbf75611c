"""The intercept b of f(x) = <w, x> + b, as a value: free, penalised with w, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Intercept:
    """How an intercept enters the objective; `FREE`, `NONE` and `penalised(s)` are all there are.

    Parameters
    ----------
    kind : {"free", "penalised", "none"}
        Not in the penalty; a weight of w like the others, of a constant column; or b = 0.
    scaling : float, > 0
        The entry s of its column: b = s w_s. A penalised one adds s^2 to the kernel; that of a free one is 1.

    Raises
    ------
    ValueError
        If the scaling is not a number > 0.

    Examples
    --------
    >>> from backdoor_curves.paths.intercept import FREE, NONE, penalised
    >>> FREE.column, penalised(2.0).column, NONE.column
    ((1.0,), (2.0,), ())
    >>> FREE.penalty, penalised(2.0).penalty, NONE.penalty
    ((0.0,), (1.0,), ())
    >>> FREE.shift, penalised(2.0).shift, NONE.shift
    (0.0, 4.0, 0.0)
    """

    kind: Literal["free", "penalised", "none"]
    scaling: float = 1.0

    def __post_init__(self) -> None:
        if not self.scaling > 0.0:
            raise ValueError(f"intercept_scaling: a number > 0 was expected, {self.scaling:g} came")

    def __str__(self) -> str:
        return f"penalised, {self.scaling:g}" if self.kind == "penalised" else self.kind

    @property
    def is_free(self) -> bool:
        """Whether it is an unknown that the penalty leaves out."""
        return self.kind == "free"

    @property
    def is_unknown(self) -> bool:
        """Whether there is one."""
        return self.kind != "none"

    @property
    def column(self) -> tuple[float, ...]:
        """What a row has beside its features: (s,); nothing without an intercept."""
        return (self.scaling,) if self.is_unknown else ()

    @property
    def penalty(self) -> tuple[float, ...]:
        """How much of its square counts in |w|^2: (0,) or (1,); nothing without an intercept."""
        return (float(not self.is_free),) if self.is_unknown else ()

    @property
    def shift(self) -> float:
        """What it adds to the kernel: s^2 if it is penalised, else 0."""
        return self.scaling**2 if self.kind == "penalised" else 0.0

    def with_column(self, rows: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n q"]:
        """Return rows with the intercept's column, the last; without an intercept the rows themselves."""
        return np.column_stack([rows, np.full(len(rows), self.scaling)]) if self.is_unknown else rows


FREE = Intercept("free")
NONE = Intercept("none")


def penalised(scaling: float) -> Intercept:
    """Return the intercept that is the weight of a constant column."""
    return Intercept("penalised", scaling)


def refuse_free_interval(beta: float) -> NoReturn:
    """Refuse to say what single rows do where no row on the margin says what a free intercept is."""
    raise ValueError(
        f"at beta = {beta:g} no row is on the margin between its limits, and the intercept is free within an "
        "interval: the weight of a single row would make it jump; ask at another beta, or raise C"
    )
