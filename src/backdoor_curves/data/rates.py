"""How much poison there is: its rows over all rows, over those that could be poisoned, and over the target class."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """How much poison there is, by each of the numbers of rows that a rate may be a rate of.

    Parameters
    ----------
    n_poison, n_cover : int
        Poison rows, and cover rows, which are none.
    n_all : int
        Training rows as `poison` was given them; of own data the victim's.
    n_eligible : int, optional
        Of these, rows that could be poisoned; None where that is not known.
    n_target : int, optional
        Of these, rows of the target class; None where there are several targets, or where that is not known.

    Examples
    --------
    >>> from backdoor_curves.data import Rates
    >>> rates = Rates(n_poison=6, n_cover=0, n_all=60, n_eligible=40, n_target=20)
    >>> print(rates)
    6 poison rows: 10 % of 60 rows, 15 % of 40 eligible, 30 % of 20 of the target class
    >>> rates.of_all, rates.of_target
    (0.1, 0.3)
    """

    n_poison: int
    n_cover: int
    n_all: int
    n_eligible: int | None = None
    n_target: int | None = None

    @property
    def of_all(self) -> float:
        """Poison rows over all training rows."""
        return self.n_poison / self.n_all

    @property
    def of_eligible(self) -> float | None:
        """Poison rows over rows that could be poisoned."""
        return None if self.n_eligible is None else self.n_poison / self.n_eligible

    @property
    def of_target(self) -> float | None:
        """Poison rows, of whichever class they were, over rows of the target class."""
        return None if self.n_target is None else self.n_poison / self.n_target

    def __str__(self) -> str:
        known = (
            (self.of_all, f"of {self.n_all} rows"),
            (self.of_eligible, f"of {self.n_eligible} eligible"),
            (self.of_target, f"of {self.n_target} of the target class"),
        )
        said = ", ".join(f"{100 * rate:.3g} % {of}" for rate, of in known if rate is not None)
        cover = f"; {self.n_cover} cover row{'s'[: self.n_cover > 1]}" if self.n_cover else ""
        return f"{self.n_poison} poison row{'s'[: self.n_poison > 1]}: {said}{cover}"
