"""What the normal equations ask of rows less a centre, times the roots of their weights, however they are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from jaxtyping import Float


class CentredRows(ABC):
    """Centred rows X and targets Y, times the square roots of their weights."""

    Y: Float[np.ndarray, "n k"]
    root: Float[np.ndarray, " n"]
    gram: Float[np.ndarray, "d d"] | None
    """X'X where it is the smaller matrix."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows and features."""

    @property
    def weight(self) -> float:
        """The sum of the row weights."""
        return float(self.root @ self.root)

    @cached_property
    def sums(self) -> Float[np.ndarray, " d"]:
        """X' 1, weighted: zero for the clean rows, which are centred."""
        return self.transposed_dot(self.root[:, np.newaxis])[:, 0]

    @cached_property
    def cross(self) -> Float[np.ndarray, "d k"]:
        """X' Y, weighted."""
        return self.transposed_dot(self.Y)

    @abstractmethod
    def dot(self, W: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "n k"]:
        """Return X W."""

    @abstractmethod
    def transposed_dot(self, V: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "d k"]:
        """Return X' V."""

    @abstractmethod
    def normal_dot(self, W: Float[np.ndarray, "d k"]) -> Float[np.ndarray, "d k"]:
        """Return X' X W."""

    @abstractmethod
    def transposed(self) -> Float[np.ndarray, "d n"]:
        """Return X' as a dense matrix."""
