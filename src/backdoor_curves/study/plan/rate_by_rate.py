"""What each rate has for itself, made when it is asked for and held until another rate is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class RateByRate(Mapping[float, T], Generic[T]):
    """A mapping that holds one value: of the rate that was asked for last.

    Poisoned data of each rate are a training set of their own. To hold all of them would take a copy of the rows for
    each rate, in each process.

    Parameters
    ----------
    rates : tuple of float
    make : callable (rate) -> value

    Examples
    --------
    >>> from backdoor_curves.study.plan.rate_by_rate import RateByRate
    >>> rows = RateByRate((0.1, 0.2), lambda rate: [rate] * 3)
    >>> rows[0.2], list(rows)
    ([0.2, 0.2, 0.2], [0.1, 0.2])
    """

    rates: tuple[float, ...]
    make: Callable[[float], T]
    _held: dict[float, T] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, rate: float) -> T:
        if rate not in self.rates:
            raise KeyError(rate)
        if rate not in self._held:
            self._held.clear()  # first: both may not fit
            self._held[rate] = self.make(rate)
        return self._held[rate]

    def __iter__(self) -> Iterator[float]:
        return iter(self.rates)

    def __len__(self) -> int:
        return len(self.rates)
